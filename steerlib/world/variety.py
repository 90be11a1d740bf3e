"""Roads as different as real ones: another camera, lanes, paint, surface, surroundings and light each (notebook 02).

A network that learns from `steerlib.world.Scene` alone learns one camera and one kind of road. Here everything that
must not matter is drawn at random, so that a recorded road is one more variation: domain randomization (Tobin et al.,
arXiv 1703.06907; Sadeghi and Levine, arXiv 1611.04201). The labels stay known to the pixel, and the right angle stays
that of the reference driver.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from steerlib.world.camera import Scene
from steerlib.world.canvas import Camera
from steerlib.world.ground import Line
from steerlib.world.layout import AFTER, BEFORE, STEP, Road, make_road
from steerlib.world.scenery import (
    ATLAS_CELL,
    ATLAS_HALF_WIDTH,
    Day,
    Object,
    Wall,
    furnish,
    make_day,
    make_ridges,
    paint_atlas,
    wall_along,
)
from steerlib.world.textures import noise_tile, smooth_noise, stretches
from steerlib.world.vehicles import Vehicle

DASHES = [(3.0, 9.0), (3.0, 12.0), (2.0, 6.0), (1.0, 3.0), (6.0, 12.0), (3.6, 9.0), (0.12, 1.2)]  # m; the last are dots


class VariedScene(Scene):
    """The road of a seed, unlike that of any other seed.

    Introduced in notebook 02. Two to six lanes, of which the car keeps to one on the right-hand side; its pictures are
    taken by a camera of its own (`vary_camera` draws others).

    Parameters
    ----------
    seed : int
        Everything follows from it. It is another road than that of ``Scene(seed)``.
    length : float
        Drivable length of the road in m.
    """

    def __init__(self, seed: int, length: float = 300.0) -> None:
        rng = np.random.default_rng([seed, 6])
        self.seed = seed
        self.road = road = vary_road(seed, length, rng)
        self.day = vary_day(rng)
        self.camera = vary_camera(rng)
        walls, objects = furnish(road, rng)
        self.walls, self.objects = vary_surroundings(road, walls, objects, rng)
        self.atlas = paint_atlas(road, self.day, self.walls, self.objects, rng, shade(road, rng))
        self.vehicles = vary_vehicles(road, rng)
        self.index_things()
        n = len(road.x)
        self.lines = vary_lines(road, rng)
        self.wear = np.clip(rng.uniform(0, 0.5) + 0.25 * smooth_noise(rng, n, 20 / STEP), 0, 0.9)
        self.edge_jitter = rng.uniform(0, 0.15) * smooth_noise(rng, n, 1.5)
        self.shoulder = rng.uniform(0, 2.5) + rng.uniform(0, 1.2) * np.abs(smooth_noise(rng, n, 25 / STEP))
        self.tracks = rng.uniform(-0.15, 0.22)
        self.joints = (rng.uniform(3, 9), rng.uniform(0.1, 0.5) if rng.uniform() < 0.15 else 0.0)
        self.grain, self.patches = rng.uniform(0.02, 0.12), rng.uniform(0, 0.3)
        self.hardness, self.leaves = rng.uniform(1, 5), rng.uniform(0, 0.25)
        self.sharpening = rng.uniform(0, 1.5)
        self.tree_color = rng.uniform(0.08, 0.5) * rng.normal(1, 0.12, 3) * np.array([1.05, 1.1, 0.75])
        self.ridges = make_ridges(rng) * np.float32(rng.choice([0.5, 1.0, 2.5], p=[0.3, 0.4, 0.3]))


def vary_camera(rng: np.random.Generator, askew: float = 1.0) -> Camera:
    """Draw a camera: low in a car or high in a van, narrow or wide, not quite straight, its picture stretched.

    It looks up to 5° to the side, times `askew`.

    Where exactly it is mounted, and whether it looks straight ahead, is known of no recorded drive. Since the car's own
    pose decides the right angle, and not the camera's, a network cannot take every degree for a car that is askew.
    """
    field_of_view = np.radians(rng.uniform(42, 84))
    # How far the horizon is moved from where `Scene` has it, in heights of PilotNet's picture.
    shift = np.clip(rng.normal(0.04, 0.09), -0.15, 0.28) * 150 / 256
    stretch = np.exp(np.clip(rng.normal(0, 0.2), -0.45, 0.45))  # many crops are resized to another shape
    rows = 455 / 256 / 2 / np.tan(field_of_view / 2) / stretch  # focal length in heights of the frame
    return Camera(
        height=rng.uniform(1.05, 1.85),
        field_of_view=field_of_view,
        pitch=-shift / rows,
        roll=np.radians(np.clip(rng.normal(0, 1.2), -3, 3)),
        yaw=askew * np.radians(np.clip(rng.normal(0, 2.0), -5, 5)),
        right=np.clip(rng.normal(0, 0.3), -0.7, 0.7),
        stretch=stretch,
    )


def vary_road(seed: int, length: float, rng: np.random.Generator) -> Road:
    """Lay out a road: winding, or with the wide bends of a fast one; of one to three lanes to each side, or one way."""
    tightest = rng.choice([22.0, 35.0, 60.0, 120.0, 250.0], p=[0.08, 0.2, 0.27, 0.25, 0.2])
    lanes = [(1, 1), (1, 1), (2, 2), (0, 2), (1, 2), (3, 3), (0, 3), (0, 1)][rng.integers(8)]
    own = int(rng.integers(lanes[1]))
    road = make_road(seed, length, (tightest, tightest * rng.uniform(5, 12)), rng.uniform(2.8, 3.9), lanes, own)
    beside = [np.float32(rng.uniform(0, 3.2) if rng.uniform() < 0.35 else 0) for _ in range(2)]
    hilly = np.float32(rng.uniform(0, 1.4))
    return replace(
        road,
        elevation=road.elevation * hilly,
        paved_left=np.minimum(road.paved_left + beside[0], 14),
        paved_right=np.minimum(road.paved_right + beside[1], 14),
    )


def vary_day(rng: np.random.Generator) -> Day:
    """Draw a day: harder or softer light, bluer or warmer shade, surfaces from fresh asphalt to concrete."""
    day = make_day(rng)
    shade = np.exp(rng.normal(-0.7, 0.5)) * (np.array([0.75, 0.95, 1.3]) if rng.uniform() < 0.4 else np.ones(3))
    ground = np.array(
        [(0.35, 0.42, 0.18), (0.62, 0.55, 0.32), (0.42, 0.33, 0.22), (0.2, 0.26, 0.12), (0.5, 0.48, 0.44)]
    )

    def color(base: np.ndarray, spread: float) -> np.ndarray:
        # Warmer or colder, as light and its white balance are, and hardly greener or redder.
        warm = spread * rng.normal() * np.array([1, 0, -1])
        return np.clip(base * (1 + warm) * rng.normal(1, spread / 5, 3), 0.02, 1.5).astype(np.float32)

    sun = color(day.sun * rng.uniform(0.5, 2.2), 0.08)
    ambient = color(day.ambient * np.minimum(shade, 1.3), 0.08)
    gray = rng.choice([rng.uniform(0.1, 0.3), rng.uniform(0.25, 0.55), rng.uniform(0.5, 0.75)])
    return replace(
        day,
        sun=sun,
        ambient=ambient,
        sky_top=color(day.sky_top * rng.uniform(0.6, 1.3), 0.06),
        sky_low=color(day.sky_low * rng.uniform(0.7, 1.25), 0.05),
        haze=day.haze * rng.uniform(0.4, 2.0),
        # Metered, more or less well: how bright asphalt in the sun comes out.
        exposure=np.exp(rng.uniform(np.log(0.25), np.log(0.9))) / (gray**0.7 * float((ambient + sun).mean())),
        asphalt=color(np.full(3, gray), 0.04),
        gravel=color(np.full(3, rng.uniform(0.2, 0.8)), 0.1),
        grass=np.stack([color(ground[rng.integers(5)] * rng.uniform(0.4, 1.3), 0.12) for _ in range(2)]),
        camera_pitch=0.0,
        hood=0.0 if rng.uniform() < 0.6 else rng.uniform(0.01, 0.12),
    )


def vary_lines(road: Road, rng: np.random.Generator) -> list[Line]:
    """Paint the lanes, in one of many countries' and decades' ways; below the paint, strips, seams and gutters."""
    n, lane = len(road.x), road.lane_width
    left, right = road.lanes
    white, yellow = (
        np.array([0.92, 0.92, 0.9]) * rng.uniform(0.65, 1.5),
        np.array([0.9, 0.64, 0.12]) * rng.uniform(0.65, 1.3),
    )
    lines = []

    def presence(share: float, length: float, strength: float = 1.0) -> np.ndarray:
        on = stretches(rng, n, length, [1 - share, share]).astype(np.float32)
        return strength * cv2.GaussianBlur(on[None], None, 1.0)[0]

    def gray(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high) * rng.normal(1, 0.03, 3)

    for _ in range(rng.poisson(0.5)):  # strips of another surface
        offset = rng.uniform(-left, right) * lane
        lines.append(Line("", offset, rng.uniform(0.5, 3.5), gray(0.12, 0.65), presence(0.4, 30, rng.uniform(0.4, 1))))
    for _ in range(rng.poisson(1.6)):  # seams of tar, and cracks, which run along the road and wander
        offset = rng.uniform(-left, right) * lane + rng.uniform(0, 0.4) * smooth_noise(rng, n, rng.uniform(3, 30))
        lines.append(Line("", offset, rng.uniform(0.03, 0.11), gray(0.02, 0.25), presence(0.45, 25)))
    for side, paved, reach in ((1, road.paved_right, right), (-1, road.paved_left, left)):
        if rng.uniform() < 0.35:  # a gutter, or the side of a curb
            lines.append(Line("", side * (paved - 0.2), rng.uniform(0.15, 0.7), gray(0.4, 0.8), np.ones(n, np.float32)))
            if rng.uniform() < 0.5:
                lines.append(Line("", side * (paved - 0.02), 0.12, gray(0.1, 0.4), np.ones(n, np.float32)))
        color = yellow if rng.uniform() < (0.5 if side < 0 and not left else 0.12) else white
        if rng.uniform() < 0.82:
            offset = side * (reach * lane - (0.25 if not reach else 0))
            lines.append(Line("edge_lines", offset, rng.uniform(0.08, 0.22), color, presence(rng.uniform(0.6, 1), 60)))
        dashes, width = DASHES[rng.integers(len(DASHES))], rng.uniform(0.09, 0.2)
        for k in range(1, reach):
            lines.append(Line("center_line", side * k * lane, width, white, presence(0.92, 60), dashes))
    if left:
        color, width = (yellow if rng.uniform() < 0.65 else white), rng.uniform(0.09, 0.2)
        style, present = (
            rng.choice(["double", "dashed", "single", "beside", "none"], p=[0.4, 0.25, 0.18, 0.07, 0.1]),
            0.9,
        )
        dashes, apart = DASHES[rng.integers(len(DASHES))], rng.uniform(0.1, 0.25)
        middles = {"double": (-apart, apart), "beside": (-apart, apart), "none": ()}.get(style, (0.0,))
        for middle in middles:
            dashed = dashes if style == "dashed" or (style == "beside" and middle > 0) else None
            lines.append(Line("center_line", middle, width, color, presence(present, 60), dashed))
    for line in [line for line in lines if line.element and rng.uniform() < 0.1]:  # old paint beside the new
        shifted = line.offset + rng.choice([-1, 1]) * rng.uniform(0.2, 0.6)
        lines.append(replace(line, offset=shifted, presence=presence(0.5, 30, rng.uniform(0.15, 0.5))))
    return lines


def vary_surroundings(
    road: Road, walls: list[Wall], objects: list[Object], rng: np.random.Generator
) -> tuple[list[Wall], list[Object]]:
    """Change what `furnish` placed, and add barriers, walls, slopes and fronts of houses."""
    high, dark, keep = np.exp(rng.normal(0.1, 0.4)), rng.uniform(0.25, 1.1), rng.uniform(0.2, 1)
    varied = []
    for thing in objects:
        if thing.element == "trees":
            if rng.uniform() > keep:
                continue
            scale = high * np.exp(rng.normal(0, 0.2))
            tint = np.float32(thing.tint * dark * rng.normal(1, 0.08, 3))
            thing = replace(thing, height=thing.height * scale, width=thing.width * scale, tint=tint)
        varied.append(thing)
    walls = [replace(wall, tint=np.float32(wall.tint * dark)) if wall.element == "hedges" else wall for wall in walls]
    end = road.length + AFTER - 60
    kinds = {  # element, label, texture, height, how far from the asphalt
        "barrier": ("guard_rails", "guard_rail", "concrete", (0.5, 1.1), (0.1, 1.0)),
        "wall": ("buildings", "building", "concrete", (1.2, 5.0), (0.5, 5.0)),
        "slope": ("hills", "hill", "rough", (2.0, 14.0), (1.0, 8.0)),
        "houses": ("buildings", "building", "building", (4.0, 12.0), (2.0, 9.0)),
    }
    for side, paved in ((-1, "paved_left"), (1, "paved_right")):
        if rng.uniform() < 0.5:
            continue
        element, label, texture, heights, margins = kinds[rng.choice(list(kinds))]
        tint = rng.uniform(0.5, 1.5) * rng.normal(1, 0.05, 3)
        tint = tint * (np.array([1.1, 0.9, 0.65]) if label == "hill" else np.ones(3))
        start = -40.0
        height, margin = rng.uniform(*heights), rng.uniform(*margins)
        while start < end:
            distance = np.arange(start, min(start + rng.uniform(30, 160), end), 2.0)
            start = distance[-1] + (2.0 if rng.uniform() < 0.6 else rng.uniform(5, 60))
            if len(distance) < 3:
                break
            top = height * (1 + (0.25 * np.tanh(smooth_noise(rng, len(distance), 8)) if label == "hill" else 0))
            offset = side * (road.at(paved, distance) + margin)
            top = np.broadcast_to(top, distance.shape)
            walls += wall_along(road, rng, element, label, texture, distance, offset, top, tint)
    return walls, varied


def shade(road: Road, rng: np.random.Generator) -> np.ndarray:
    """Cast shadows from above and from far: closed crowns, slopes and houses that are not drawn."""
    rows, columns = int((BEFORE + road.length + AFTER) / ATLAS_CELL), int(2 * ATLAS_HALF_WIDTH / ATLAS_CELL)
    if rng.uniform() < 0.35:
        return np.zeros((rows, columns), np.float32)
    share, broken = rng.uniform(0.1, 0.8), rng.uniform(0, 1)
    along = stretches(rng, rows, rng.uniform(5, 40) * STEP / ATLAS_CELL, [1 - share, share]).astype(np.float32)
    leaves = np.tile(noise_tile(11, rng.uniform(0.7, 1.4)), (rows // 512 + 1, 1))[:rows, :columns]
    across = np.linspace(-1, 1, columns) * rng.choice([-1, 0, 1]) + rng.uniform(0.2, 1)
    roof = along[:, None] * (across > 0) * np.clip(1 - broken * (0.5 + leaves), 0, 1)
    return cv2.GaussianBlur(roof.astype(np.float32), None, rng.uniform(0.4, 2))


def vary_vehicles(road: Road, rng: np.random.Generator) -> list[Vehicle]:
    """Put cars into all lanes, and parked ones beside them."""
    width, (left, right) = float(road.lane_width.mean()), road.lanes
    own, cars = (road.own + 0.5) * width, []

    def car(distance: float, speed: float, offset: float) -> None:
        color = np.clip(rng.uniform(0.05, 0.95) * rng.normal(1, 0.04, 3), 0.02, 1)  # most are white, gray or black
        if rng.uniform() < 0.25:
            color = (
                rng.uniform(0.2, 0.9) * np.array([(0.8, 0.1, 0.1), (0.1, 0.2, 0.7), (0.5, 0.45, 0.3)])[rng.integers(3)]
            )
        cars.append(Vehicle(float(distance), float(speed), color, rng.uniform() < 0.3, float(offset)))

    end = road.length + AFTER - 20
    lanes = [(k + 0.5) * width for k in range(right)] + [-(k + 0.5) * width for k in range(left)]
    traffic = rng.choice([0.0, 1.0, 3.0], p=[0.4, 0.4, 0.2])
    for offset in lanes:
        for distance in rng.uniform(0, end, rng.poisson(traffic * end / 150)):
            if offset == own:
                if rng.uniform() < 0.3:
                    car(rng.uniform(9, 80), rng.uniform(11.8, 12.3), offset)
            else:
                car(distance, rng.uniform(9, 15) * np.sign(offset), offset)
    for side, paved in ((1, "paved_right"), (-1, "paved_left")):
        if rng.uniform() < 0.25:
            for distance in rng.uniform(0, end, rng.poisson(end / rng.uniform(10, 60))):
                offset = max(float(road.at(paved, distance)) + 0.8, own + 2.6 if side > 0 else 0.0)
                car(distance, rng.choice([1e-6, -1e-6]), side * offset)
    return cars
