"""What stands beside the rendered road, the light of one day, and the shadows on the ground.

Notebook 01 shows what comes out; nobody needs to read this file to follow the notebooks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from steerlib.world.layout import AFTER, BEFORE, STEP, Road
from steerlib.world.textures import mipmaps, noise_tile, smooth_noise

ATLAS_CELL, ATLAS_HALF_WIDTH = 0.25, 16.0  # m: resolution and reach of the painted ground


@dataclass(frozen=True)
class Wall:
    """A standing strip along a line on the ground: where it runs, how high it is, what it is made of."""

    element: str
    label: str
    kind: str
    seed: int
    along: np.ndarray  # (k,) m, the texture's coordinate
    x: np.ndarray  # (k,) m
    y: np.ndarray
    distance: np.ndarray  # (k,) m along the road
    offset: np.ndarray  # (k,) m to the right of the center line
    height: np.ndarray  # (k,) m
    tint: np.ndarray  # (3,)


@dataclass(frozen=True)
class Object:
    """Something that stands upright and faces the camera: a tree, a sign, a pole."""

    element: str
    label: str
    kind: str
    seed: int
    distance: float
    offset: float  # m to the right of the center line
    x: float
    y: float
    width: float  # m
    height: float  # m
    tint: np.ndarray  # (3,)
    mirrored: bool


@dataclass(frozen=True)
class Day:
    """The light, the weather and the colors of one day; colors are RGB in [0, 1]."""

    sun_azimuth: float  # radians in the world's plane
    sun_slope: float  # m of shadow for each m of height
    sun: np.ndarray  # added where the sun shines
    ambient: np.ndarray  # what shadows still get
    sky_top: np.ndarray
    sky_low: np.ndarray  # also the color of haze
    haze: float  # m after which a thing has lost 63 % of its color
    cloud_cover: float
    exposure: float
    asphalt: np.ndarray
    gravel: np.ndarray
    grass: np.ndarray  # (2, 3): it varies between these two
    camera_pitch: float  # radians
    hood: float  # height of the car's hood in the picture, as a fraction of the frame


def make_day(rng: np.random.Generator) -> Day:
    """Draw the weather and the colors of a day."""
    weather = rng.choice(["clear", "clear", "hazy", "overcast", "evening"])
    sun, ambient, top, low, haze, clouds = {
        "clear": ((0.56, 0.53, 0.46), (0.46, 0.5, 0.57), (0.25, 0.46, 0.8), (0.74, 0.84, 0.95), 900, 0.35),
        "hazy": ((0.42, 0.4, 0.36), (0.6, 0.62, 0.65), (0.6, 0.73, 0.88), (0.9, 0.92, 0.93), 260, 0.5),
        "overcast": ((0.06, 0.06, 0.06), (0.82, 0.84, 0.87), (0.68, 0.71, 0.76), (0.86, 0.88, 0.9), 450, 0.9),
        "evening": ((0.66, 0.54, 0.38), (0.46, 0.47, 0.52), (0.38, 0.5, 0.72), (0.96, 0.84, 0.68), 500, 0.45),
    }[weather]
    slope = rng.uniform(2.0, 3.5) if weather == "evening" else rng.uniform(0.6, 1.9)
    gray = rng.uniform(0.36, 0.54)
    meadows = [[(0.3, 0.4, 0.16), (0.42, 0.46, 0.2)], [(0.36, 0.4, 0.18), (0.62, 0.55, 0.32)]]
    meadows += [[(0.55, 0.47, 0.28), (0.7, 0.62, 0.4)], [(0.24, 0.36, 0.14), (0.36, 0.44, 0.2)]]
    return Day(
        sun_azimuth=rng.uniform(0, 2 * np.pi),
        sun_slope=slope,
        sun=np.array(sun, np.float32),
        ambient=np.array(ambient, np.float32),
        sky_top=np.array(top, np.float32) * rng.uniform(0.9, 1.1),
        sky_low=np.array(low, np.float32),
        haze=haze * rng.uniform(0.75, 1.4),
        cloud_cover=clouds * rng.uniform(0.5, 1.1),
        exposure=rng.uniform(0.92, 1.25),
        asphalt=np.float32(gray) * rng.normal([1.0, 0.99, 0.98], 0.02).astype(np.float32),
        gravel=rng.uniform(0.4, 0.6) * rng.normal([1.05, 0.97, 0.85], 0.04).astype(np.float32),
        grass=np.array(meadows[rng.integers(4)], np.float32) * rng.uniform(0.85, 1.15),
        camera_pitch=np.radians(rng.uniform(-0.6, 0.6)),
        hood=rng.uniform(0.012, 0.04),
    )


def _clear_of_road(road: Road, distance: np.ndarray | float, offset: np.ndarray | float, margin: float) -> bool:
    """Tell whether places at these road coordinates are not on another part of the road."""
    x, y = (np.atleast_1d(value)[:, None] for value in road.to_world(distance, offset))
    near = np.hypot(road.x[::8] - x, road.y[::8] - y).min(axis=1)
    return bool((near > np.minimum(np.abs(offset) - 2.0, margin)).all())


def make_ridges(rng: np.random.Generator) -> np.ndarray:
    """Draw the horizon: heights (4, 4096), as tangents, of three ranges of hills and the distant line of trees."""
    turns = np.arange(4096) / 4096 * 2 * np.pi
    waves = rng.uniform(0, 2 * np.pi, (3, 40))
    ridges = []
    for layer, (height, roughness) in enumerate(((0.075, 1.5), (0.05, 1.3), (0.028, 1.1))):
        orders = np.arange(1, 41)
        amplitude = 1 / orders**roughness * (orders > 2)
        ridge = (amplitude[:, None] * np.cos(orders[:, None] * turns + waves[layer][:, None])).sum(0)
        ridges.append(height * rng.uniform(0.5, 1.9) * (0.75 + 0.6 * ridge))
    fuzz = cv2.GaussianBlur(rng.standard_normal((1, 4096)), None, 2.0)[0]
    broad = cv2.GaussianBlur(rng.standard_normal((1, 4096)), None, 30.0)[0]
    ridges.append(0.016 + 0.016 * fuzz + 0.1 * np.abs(broad))
    return np.array(ridges, np.float32)


def wall_along(
    road: Road,
    rng: np.random.Generator,
    element: str,
    label: str,
    kind: str,
    distance: np.ndarray,
    offset: np.ndarray,
    height: np.ndarray,
    tint: np.ndarray,
) -> list[Wall]:
    """Stand a wall along road coordinates (k,) in m; give none where it would stand on another part of the road."""
    # On the inside of a bend a wall must stay away from the center of the bend.
    curvature = road.at("curvature", distance)
    reach = np.where(curvature * offset > 0, 0.7 / np.maximum(np.abs(curvature), 1e-6), np.inf)
    offset = np.sign(offset) * np.minimum(np.abs(offset), reach)
    if not _clear_of_road(road, distance, offset, 5.0):
        return []
    x, y = road.to_world(distance, offset)
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    seed = int(rng.integers(3))
    arrays = [np.asarray(a, np.float32) for a in (along, x, y, distance, offset, height, tint)]
    return [Wall(element, label, kind, seed, *arrays)]


def furnish(road: Road, rng: np.random.Generator) -> tuple[list[Wall], list[Object]]:
    """Place walls, trees, signs and poles along both sides of a road."""
    walls, objects = [], []
    end = road.length + AFTER - 60

    def place(
        element: str,
        label: str,
        kind: str,
        distance: float,
        offset: float,
        width: float,
        height: float,
        spread: float = 0.06,
        mirror: bool | None = None,
    ) -> None:
        tint = (rng.uniform(0.8, 1.15) * rng.normal(1, spread, 3)).astype(np.float32)
        seed, mirrored = int(rng.integers(6)), bool(rng.integers(2))
        mirrored = mirrored if mirror is None else mirror
        if _clear_of_road(road, distance, offset, 7.0):
            x, y = (float(value) for value in road.to_world(distance, offset))
            objects.append(Object(element, label, kind, seed, distance, offset, x, y, width, height, tint, mirrored))

    def green() -> np.ndarray:
        return rng.uniform(0.75, 1.1) * rng.normal(1, 0.08, 3)

    for side in (-1, 1):
        paved = "paved_left" if side < 0 else "paved_right"
        start = -40.0
        while start < end:
            stop = min(start + rng.uniform(45, 140), end)
            margin = float(road.at(paved, start)) + 2.2
            kind = rng.choice(["field", "trees", "forest", "hedge", "village"], p=[0.14, 0.3, 0.26, 0.18, 0.12])
            if kind in ("forest", "hedge"):
                distance = np.arange(start, stop, 2.0)
                n = len(distance)
                high = rng.uniform(7, 13) if kind == "forest" else rng.uniform(1.3, 3.0)
                height = high * (1 + 0.18 * np.tanh(smooth_noise(rng, n, 5)))
                height *= np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / 4, 0.25, 1)
                offset = margin + (rng.uniform(6, 15) if kind == "forest" else rng.uniform(2, 8))
                offset = offset + 1.2 * np.tanh(smooth_noise(rng, n, 8))
                walls += wall_along(road, rng, "hedges", "vegetation", kind, distance, side * offset, height, green())
            if kind == "village":
                for middle in np.arange(start + 12, stop - 8, rng.uniform(22, 34)):
                    near, half, deep = margin + rng.uniform(4, 11), rng.uniform(4, 7), rng.uniform(6, 9)
                    # The two gables and the front; the far gable is met first from behind.
                    distance = middle + np.array([-half, -half, half, half])
                    offset = side * (near + np.array([deep, 0, 0, deep]))
                    height = np.full(4, rng.uniform(4.2, 6.5))
                    walls += wall_along(
                        road,
                        rng,
                        "buildings",
                        "building",
                        "building",
                        distance,
                        offset,
                        height,
                        rng.uniform(0.8, 1.1) * np.ones(3),
                    )
            number = {"field": 0.25, "trees": 1.7, "forest": 0.7, "hedge": 0.6, "village": 0.9}[kind]
            for distance in rng.uniform(start, stop, rng.poisson(number * (stop - start) / 10)):
                sort = rng.choice(["broadleaf", "conifer", "bush"], p=[0.48, 0.27, 0.25])
                high = rng.uniform(1.0, 2.6) if sort == "bush" else rng.uniform(5, 12)
                offset = margin + rng.gamma(2.0, 3.2) + (0.0 if sort == "bush" else 1.5)
                wide = high * rng.uniform(0.62, 0.85)
                place("trees", "vegetation", sort, distance, side * offset, wide, high)
            if rng.uniform() < 0.3 and kind in ("field", "trees", "village"):
                distance = np.arange(start, stop, 2.0)
                offset = side * (margin + rng.uniform(0.8, 2.5)) * np.ones(len(distance))
                walls += wall_along(
                    road,
                    rng,
                    "guard_rails",
                    "guard_rail",
                    "fence",
                    distance,
                    offset,
                    np.full(len(distance), 1.05),
                    green(),
                )
            start = stop
        # A guard rail stands on the outside of a bend, where a car would leave the road.
        outside = np.convolve(-side * road.curvature, np.ones(60) / 60, "same") > 1 / 130
        for first, last in np.argwhere(np.diff(np.r_[0, outside.astype(int), 0])).reshape(-1, 2):
            if rng.uniform() < 0.55 and last - first > 20:
                distance = np.arange(first, last, 4) * STEP - BEFORE
                offset = side * (road.at(paved, distance) + 0.7)
                tint = rng.uniform(0.85, 1.05) * np.ones(3)
                walls += wall_along(
                    road,
                    rng,
                    "guard_rails",
                    "guard_rail",
                    "guard_rail",
                    distance,
                    offset,
                    np.full(len(distance), 0.78),
                    tint,
                )
        if rng.uniform() < 0.6:
            for distance in np.arange(rng.uniform(0, 40), end, 42.0):
                offset = side * (float(road.at(paved, distance)) + 3.4)
                place("poles", "pole", "pole", distance, offset, 2.3, 8.5, 0.03)
        for distance in np.arange(rng.uniform(0, 20), end, rng.choice([25.0, 50.0])):
            offset = side * (float(road.at(paved, distance)) + 0.55)
            place("signs", "sign", "delineator", distance, offset, 0.36, 1.0, 0.02)
    bends = np.convolve(np.abs(road.curvature), np.ones(40) / 40, "same") > 1 / 80
    for entry in np.flatnonzero(np.diff(bends.astype(int)) == 1) * STEP - BEFORE:
        offset = float(road.at("paved_right", entry - 35)) + 1.6
        left = bool(road.at("curvature", entry + 10) < 0)  # the arrow on the sign bends to the right
        place("signs", "sign", "bend", entry - 35, offset, 0.85, 2.3, 0.02, left)
    for distance in rng.uniform(0, end, int(end / 260)):
        offset = float(road.at("paved_right", distance)) + 1.6
        place("signs", "sign", "limit", distance, offset, 0.75, 2.2, 0.02)
    return walls, objects


def paint_atlas(
    road: Road,
    day: Day,
    walls: list[Wall],
    objects: list[Object],
    rng: np.random.Generator,
    roof: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Paint the ground near the road, in road coordinates: cast shadow in [0, 1], the asphalt's tone in [-1, 1].

    `roof` (rows, columns) in [0, 1] is shadow of what stands nowhere, such as crowns that close above the road.
    """
    rows, columns = int((BEFORE + road.length + AFTER) / ATLAS_CELL), int(2 * ATLAS_HALF_WIDTH / ATLAS_CELL)
    shadow, tone = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)

    def texel(distance: float, offset: float) -> tuple[int, int]:
        return int((offset + ATLAS_HALF_WIDTH) / ATLAS_CELL * 16), int((distance + BEFORE) / ATLAS_CELL * 16)

    def away_from_sun(distance: float) -> np.ndarray:
        """Meters along and across the road by which the top of a thing of 1 m throws its shadow."""
        angle = day.sun_azimuth + np.pi - float(road.at("heading", distance))
        return day.sun_slope * np.array([np.cos(angle), np.sin(angle)])

    for thing in objects:
        offset = thing.offset
        along, across = away_from_sun(thing.distance) * thing.height
        foot = texel(thing.distance, offset)
        tip = texel(thing.distance + 0.95 * along, offset + 0.95 * across)
        trunk = thing.kind in ("broadleaf", "conifer", "pole")
        if trunk:
            cv2.line(
                shadow,
                foot,
                tip if thing.kind == "pole" else texel(thing.distance + 0.6 * along, offset + 0.6 * across),
                0.8,
                2,
                cv2.LINE_AA,
                4,
            )
        if thing.element == "trees":
            middle = texel(thing.distance + 0.62 * along, offset + 0.62 * across)
            axes = (
                int((0.34 * np.hypot(along, across) + 0.15 * thing.width) / ATLAS_CELL * 16),
                int(0.46 * thing.width / ATLAS_CELL * 16),
            )
            # cv2.ellipse's angle runs from the picture's x axis (offset) to its y axis (distance).
            cv2.ellipse(shadow, middle, axes, np.degrees(np.arctan2(along, across)), 0, 360, 1.0, -1, cv2.LINE_AA, 4)
    for wall in walls:
        if wall.kind in ("guard_rail", "fence"):
            continue
        low, high = [], []
        for distance, offset, height in zip(wall.distance, wall.offset, wall.height):
            along, across = away_from_sun(distance) * height
            low.append(texel(distance, offset))
            high.append(texel(distance + along, offset + across))
        for k in range(len(low) - 1):
            quad = np.array([low[k], low[k + 1], high[k + 1], high[k]], np.int32)
            cv2.fillConvexPoly(shadow, cv2.convexHull(quad), 1.0, cv2.LINE_AA, 4)
    if roof is not None:
        np.maximum(shadow, roof, out=shadow)
    # Light falls through leaves: the shadow is broken up, and its border is soft.
    holes = np.tile(noise_tile(11, 0.8), (rows // 512 + 1, 1))[:rows, :columns]
    shadow = cv2.GaussianBlur(shadow, None, 1.4)
    shadow = np.clip((shadow * 1.25 - 0.22 + 0.16 * holes * (shadow < 0.995)) * 1.6, 0, 1) * np.clip(shadow * 3, 0, 1)
    shadow = cv2.GaussianBlur(shadow, None, 0.7)

    for _ in range(int(road.length / 14)):
        where, middle = int(rng.integers(rows)), columns // 2
        left = middle + int(rng.uniform(-3.4, 2.2) / ATLAS_CELL)
        size = (int(rng.uniform(0.8, 3.2) / ATLAS_CELL), int(rng.uniform(1.5, 14) / ATLAS_CELL))
        cv2.rectangle(tone, (left, where), (left + size[0], where + size[1]), float(rng.uniform(-0.9, 0.5)), -1)
    for _ in range(int(road.length / 6)):
        point = np.array([columns / 2 + rng.uniform(-3.5, 3.5) / ATLAS_CELL, rng.uniform(0, rows)])
        direction = rng.choice([0.0, np.pi / 2], p=[0.35, 0.65])
        steps = np.cumsum(
            rng.normal([np.cos(direction) * 3, np.sin(direction) * 3], 1.1, (int(rng.integers(3, 14)), 2)), 0
        )
        cv2.polylines(
            tone,
            [np.rint(point + steps).astype(np.int32)],
            False,
            float(rng.uniform(-1.3, -0.4)),
            1,
            cv2.LINE_AA,
        )
    return mipmaps(np.dstack([shadow, cv2.GaussianBlur(tone, None, 0.6)]), 4)
