"""The world that `roads` photographs: a road, what stands beside it, and the light of one day.

The world is flat in plan and hilly in profile. x and y are meters in the plane, y to the right of x, so that headings
and curvatures are positive to the **right**, as steering angles are. Road coordinates are the distance along the center
line and the offset to its right. Everything is drawn from random generators, so a seed gives the same world again.

Notebook 01 shows what comes out; nobody needs to read this file to follow the notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

STEP = 0.5  # m between the samples of a road's profiles
BEFORE, AFTER = 60.0, 360.0  # m of road behind its start and beyond its end, so that every view is filled
ATLAS_CELL, ATLAS_HALF_WIDTH = 0.25, 16.0  # m: resolution and reach of the painted ground


# ---------------------------------------------------------------- noise and textures


def smooth_noise(rng: np.random.Generator, n: int, scale: float) -> np.ndarray:
    """Gaussian noise of unit variance (n,), smooth over `scale` samples."""
    radius = int(4 * scale) + 1
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / scale) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    return np.convolve(rng.standard_normal(n + 2 * radius), kernel, "valid").astype(np.float32)


def stretches(rng: np.random.Generator, n: int, mean_length: float, weights: Sequence[float]) -> np.ndarray:
    """Choose for each of n samples a number 0, 1, …, constant over stretches of random length."""
    values = np.empty(n, np.int64)
    start = 0
    while start < n:
        end = start + max(1, int(rng.uniform(0.5, 1.5) * mean_length / STEP))
        values[start:end] = rng.choice(len(weights), p=np.asarray(weights) / np.sum(weights))
        start = end
    return values


@cache
def noise_tile(seed: int, slope: float, channels: int = 1) -> np.ndarray:
    """Make a tile (512, 512[, channels]) of noise without a seam, of zero mean and unit variance.

    Its amplitude falls with the spatial frequency f as f^-slope: 0 is white, 1 is cloudy.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((channels, 512, 512))) / frequency**slope
    tile = np.moveaxis(np.fft.irfft2(spectrum), 0, -1)
    tile = np.ascontiguousarray(tile / tile.std(), np.float32)
    return tile[..., 0] if channels == 1 else tile


def mipmaps(texture: np.ndarray, levels: int) -> list[np.ndarray]:
    """Stack the texture with its halves, quarters, …: far things are looked up in the smaller ones."""
    result = [np.ascontiguousarray(texture, np.float32)]
    for _ in range(levels - 1):
        height, width = (max(1, size // 2) for size in result[-1].shape[:2])
        result.append(cv2.resize(result[-1], (width, height), interpolation=cv2.INTER_AREA))
    return result


def sample(pyramid: list[np.ndarray], x: np.ndarray, y: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Look up a texture at texel coordinates (H, W), each blurred to its level in the pyramid."""
    level = np.clip(level, 0, len(pyramid) - 1)
    height, width = np.float32(pyramid[0].shape[:2])
    # OpenCV wraps too, but slowly: coordinates inside the tile take an eighth of the time.
    x, y = x - width * np.floor(x / width), y - height * np.floor(y / height)
    result = np.zeros(x.shape + pyramid[0].shape[2:], np.float32)
    for k, texture in enumerate(pyramid):
        weight = np.maximum(1 - np.abs(level - k), 0)
        rows = np.flatnonzero(weight.any(axis=1))
        if not len(rows):
            continue
        part, scale = slice(rows[0], rows[-1] + 1), np.float32(0.5**k)
        u, v = x[part] * scale - 0.5, y[part] * scale - 0.5
        value = cv2.remap(texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        result[part] += value * weight[part].reshape(weight[part].shape + (1,) * (value.ndim - 2))
    return result


# ---------------------------------------------------------------- the road


@dataclass(frozen=True)
class Road:
    """A center line and what varies along it, sampled every 0.5 m from 60 m before the start.

    All arrays are (n,) float32: `distance`, `x`, `y`, `elevation` in m, `heading` in radians, `curvature` in 1/m
    (positive to the right), `lane_width`, `paved_left`, `paved_right` (from the center line to the end of the asphalt)
    in m.
    """

    length: float
    distance: np.ndarray
    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    curvature: np.ndarray
    elevation: np.ndarray
    lane_width: np.ndarray
    paved_left: np.ndarray
    paved_right: np.ndarray

    def index(self, distance: np.ndarray | float) -> np.ndarray:
        """Nearest samples (int) to the distances in m."""
        i = np.rint((np.asarray(distance) + BEFORE) / STEP).astype(np.intp)
        return np.clip(i, 0, len(self.x) - 1)

    def at(self, name: str, distance: np.ndarray | float) -> np.ndarray:
        """Interpolate one of the profiles at the distances in m."""
        return np.interp(distance, self.distance, getattr(self, name))

    def to_world(self, distance: np.ndarray | float, offset: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """World x and y, in m, of road coordinates in m."""
        heading = self.at("heading", distance)
        return (
            self.at("x", distance) - np.sin(heading) * offset,
            self.at("y", distance) + np.cos(heading) * offset,
        )


def make_road(seed: int, length: float = 1000.0) -> Road:
    """Lay out the road of a seed: bends with radii from 30 m, hills, lanes and asphalt of varying width.

    Parameters
    ----------
    seed : int
        The same seed gives the same road.
    length : float
        Drivable length in m.

    Returns
    -------
    Road
    """
    rng = np.random.default_rng([seed, 1])
    n = int((BEFORE + length + AFTER) / STEP) + 1
    curvature = np.zeros(n)
    position, heading = int(BEFORE / STEP), 0.0
    while position < n:
        position += int(rng.uniform(5, 60) / STEP)
        radius = 30 * (400 / 30) ** rng.uniform() ** 0.8
        turn = min(np.radians(rng.uniform(15, 110)), 160 / radius)
        # Turn back when the road has turned far: a road that closes a circle would run over itself.
        side = -np.sign(heading) if abs(heading) > np.radians(50) else rng.choice([-1.0, 1.0])
        turn = min(turn, np.radians(100) - side * heading)
        samples = max(1, int(radius * turn / STEP))
        curvature[position : position + samples] = side / radius
        heading += side * turn
        position += samples
    curvature += 0.001 * smooth_noise(rng, n, 25 / STEP)
    kernel = np.hanning(int(22 / STEP))  # eased into and out of a bend, as a clothoid does
    curvature = np.convolve(curvature, kernel / kernel.sum(), "same")
    heading = np.cumsum(curvature) * STEP
    middle = heading - curvature * STEP / 2

    lane_width = 3.3 + 0.25 * np.tanh(smooth_noise(rng, n, 60 / STEP))
    beyond = [0.15 + 1.2 * (1 + np.tanh(1.5 * smooth_noise(rng, n, 9 / STEP))) for _ in range(2)]
    slope = 0.035 * smooth_noise(rng, n, 45 / STEP)
    profiles = {
        "distance": np.arange(n) * STEP - BEFORE,
        "x": np.cumsum(np.cos(middle)) * STEP,
        "y": np.cumsum(np.sin(middle)) * STEP,
        "heading": heading,
        "curvature": curvature,
        "elevation": np.cumsum(slope) * STEP,
        "lane_width": lane_width,
        "paved_left": lane_width + beyond[0],
        "paved_right": lane_width + beyond[1],
    }
    return Road(length, **{name: profile.astype(np.float32) for name, profile in profiles.items()})


# ---------------------------------------------------------------- what stands beside the road


def _finish(canvas: np.ndarray, alpha: np.ndarray, levels: int = 6) -> list[np.ndarray]:
    """Turn a drawn picture (H, W, 3) and its coverage into a pyramid of premultiplied RGBA."""
    return mipmaps(np.dstack([canvas * alpha[..., None], alpha]), levels)


def _foliage(rng: np.random.Generator, crown: np.ndarray, count: int, size: tuple[float, float]) -> tuple:
    """Cover a crown (H, W), drawn as a mask, with clumps of leaves lit from above."""
    height, width = crown.shape
    canvas, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    inside = np.argwhere(crown > 0)
    depth = cv2.GaussianBlur(crown.astype(np.float32), None, width / 14)
    chosen = inside[rng.integers(len(inside), size=count)]
    # Dark clumps first: the lit ones lie on top, towards the light.
    light = 0.45 + 0.35 * (1 - chosen[:, 0] / height) - 0.3 * (depth[tuple(chosen.T)] - 0.5)
    light += 0.14 * rng.standard_normal(count)
    hue = rng.uniform(0.85, 1.15, (count, 3)) * np.array([0.44, 0.53, 0.25])
    for i in np.argsort(light):
        center, radius = (int(chosen[i, 1]), int(chosen[i, 0])), int(max(1, rng.uniform(*size)))
        cv2.circle(canvas, center, radius, tuple(map(float, hue[i] * np.clip(light[i], 0.1, 1.2))), -1)
        cv2.circle(alpha, center, radius, 1.0, -1)
    return canvas, alpha


@cache
def tree_sprite(kind: str, seed: int) -> list[np.ndarray]:
    """Grow a tree ("broadleaf", "conifer" or "bush") as a sprite of 192 × 128 pixels."""
    rng = np.random.default_rng([seed, len(kind)])
    height, width = 192, 128
    crown = np.zeros((height, width), np.uint8)
    if kind == "conifer":
        tips = np.linspace(8, 165, 15)
        for tip in tips:
            half = (4 + 50 * (tip / 165) ** 0.9) * rng.uniform(0.7, 1.1, 2)
            low = tip + 22 + rng.uniform(-3, 3, 2)
            points = [[64, tip - 6], [64 + half[0], low[0]], [64, tip + 16], [64 - half[1], low[1]]]
            cv2.fillPoly(crown, [np.rint(points).astype(np.int32)], 1)
        canvas, alpha = _foliage(rng, crown, 1500, (1, 3.4))
        canvas *= np.array([0.72, 0.86, 0.95], np.float32)
        trunk_top, trunk_half = 170, 3
    else:
        bush = kind == "bush"
        middle, reach = ((64, 135), (38, 36)) if bush else ((64, 84), (36, 56))
        for _ in range(26):
            angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform())
            center = (
                middle[0] + reach[0] * radius * np.cos(angle) * (0.7 + 0.3 * np.sin(angle)),
                middle[1] + reach[1] * radius * np.sin(angle),
            )
            axes = rng.uniform(9, 20, 2)
            cv2.ellipse(crown, tuple(map(int, center)), tuple(map(int, axes)), rng.uniform(0, 180), 0, 360, 1, -1)
        canvas, alpha = _foliage(rng, crown, 2600, (1.0, 3.4))
        trunk_top, trunk_half = (190, 1) if bush else (110, int(rng.integers(2, 5)))
    trunk = np.zeros_like(alpha)
    cv2.rectangle(trunk, (64 - trunk_half, trunk_top), (64 + trunk_half, height - 1), 1.0, -1)
    shade = np.linspace(0.32, 0.16, width, dtype=np.float32)[None, :, None] * np.array([1, 0.86, 0.72], np.float32)
    canvas = np.where(((trunk > 0) & (alpha == 0))[..., None], shade, canvas)
    return _finish(canvas, np.maximum(alpha, trunk))


@cache
def post_sprite(kind: str) -> list[np.ndarray]:
    """Draw a "pole", a "delineator", a warning sign ("bend") or a speed limit ("limit") as a sprite."""
    height, width = (384, 96) if kind == "pole" else (256, 96)
    canvas, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)

    def fill(points: Sequence[Sequence[float]], color: Sequence[float]) -> None:
        polygon = np.asarray(points, np.int32)
        cv2.fillConvexPoly(canvas, polygon, tuple(map(float, color)))
        cv2.fillConvexPoly(alpha, polygon, 1.0)

    def box(left: int, top: int, right: int, bottom: int, color: Sequence[float]) -> None:
        fill([(left, top), (right, top), (right, bottom), (left, bottom)], color)

    if kind == "pole":
        box(45, 0, 50, 383, (0.27, 0.22, 0.18))
        box(18, 26, 77, 31, (0.25, 0.2, 0.17))
        for x in (21, 36, 58, 73):
            box(x - 1, 16, x + 1, 26, (0.5, 0.5, 0.5))
    elif kind == "delineator":
        box(36, 0, 60, 255, (0.82, 0.82, 0.8))
        box(36, 34, 60, 84, (0.12, 0.12, 0.12))
        box(42, 44, 54, 74, (0.85, 0.3, 0.12))
    else:
        box(45, 90, 50, 255, (0.45, 0.46, 0.46))
        if kind == "bend":
            fill([(48, 0), (95, 48), (48, 95), (0, 48)], (0.1, 0.09, 0.05))
            fill([(48, 6), (89, 48), (48, 89), (6, 48)], (0.93, 0.68, 0.08))
            for a, b in (
                ((40, 70), (40, 46)),
                ((40, 46), (60, 30)),
                ((60, 30), (48, 30)),
                ((60, 30), (60, 42)),
            ):
                cv2.line(canvas, a, b, (0.08, 0.08, 0.06), 7)
        else:
            box(14, 0, 82, 92, (0.1, 0.1, 0.1))
            box(17, 3, 79, 89, (0.88, 0.88, 0.86))
            for x in (24, 52):
                cv2.rectangle(canvas, (x, 38), (x + 18, 78), (0.1, 0.1, 0.1), 6)
            cv2.line(canvas, (28, 18), (68, 18), (0.1, 0.1, 0.1), 6)
    return _finish(canvas, alpha)


WALL_TEXELS = 32  # texels for each meter along a wall; a wall texture is 128 texels high


@cache
def wall_texture(kind: str, seed: int) -> list[np.ndarray]:
    """Draw a wall (128, 512) that repeats: "hedge", "forest", "guard_rail", "fence" or "building"."""
    rng = np.random.default_rng([seed, len(kind), 7])
    height, width = 128, 512
    canvas, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    columns = np.arange(width)
    if kind in ("hedge", "forest"):
        crown = np.zeros((height, width), np.uint8)
        count = 26 if kind == "forest" else 34
        for center in np.linspace(0, width, count, endpoint=False) + rng.uniform(-9, 9, count):
            top, half = rng.uniform(4, 52 if kind == "forest" else 22), rng.uniform(13, 24)
            for shift in (-width, 0, width):
                middle = (int(center + shift), int(top + half))
                cv2.ellipse(crown, middle, (int(half), int(half)), 0, 0, 360, 1, -1)
                cv2.rectangle(crown, (middle[0] - int(half), middle[1]), (middle[0] + int(half), height), 1, -1)
        canvas, alpha = _foliage(rng, crown, 5200, (1.5, 4.5))
        # Under the crowns it is dark; between the trunks of a forest, darker still.
        low = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        canvas *= (1.05 - 0.75 * low ** (1.2 if kind == "forest" else 2.5))[..., None]
        alpha = np.maximum(alpha, (crown > 0).astype(np.float32) * (low > 0.3))
    elif kind == "guard_rail":
        rail = slice(8, 62)
        wave = 0.62 + 0.16 * np.cos(np.linspace(0, 4 * np.pi, 54, dtype=np.float32))
        canvas[rail] = wave[:, None, None] * np.array([0.98, 1.0, 1.02], np.float32)
        alpha[rail] = 1
        post = (columns % 64) < 5
        canvas[:, post] = np.where(alpha[:, post, None] > 0, canvas[:, post] * 0.9, 0.3)
        alpha[8:, post] = 1
    elif kind == "fence":
        for top in (10, 62):
            canvas[top : top + 20] = np.array([0.5, 0.44, 0.36], np.float32) * rng.uniform(0.8, 1.1, (20, 1, 1))
            alpha[top : top + 20] = 1
        post = (columns % 64) < 7
        canvas[:, post], alpha[:, post] = np.array([0.36, 0.31, 0.25], np.float32), 1
    else:
        wall_color = rng.choice([[0.72, 0.68, 0.6], [0.66, 0.5, 0.4], [0.75, 0.74, 0.72], [0.55, 0.36, 0.3]])
        canvas[:] = wall_color
        canvas[:46] = np.array([0.36, 0.24, 0.2]) * rng.uniform(0.7, 1.2) * rng.uniform(0.92, 1.05, (46, width, 1))
        canvas[46:50] *= 0.5  # the shadow under the eaves
        for left in range(24, width, 96):
            cv2.rectangle(canvas, (left, 66), (left + 40, 100), (0.85, 0.85, 0.84), -1)
            cv2.rectangle(canvas, (left + 4, 70), (left + 36, 96), (0.12, 0.15, 0.19), -1)
        alpha[:] = 1
    return _finish(canvas, alpha, levels=6)


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
class Vehicle:
    """A car: where it is at time 0, its speed along the road (negative: towards us) and its color."""

    distance: float
    speed: float
    color: np.ndarray
    van: bool


@cache
def car_model(van: bool) -> tuple[np.ndarray, list[str]]:
    """Build a car: quadrilaterals (k, 4, 3), x forward, y right, z up in meters, and what each shows."""

    def prism(low: Sequence[float], high: Sequence[float], z: tuple[float, float]) -> dict[str, np.ndarray]:
        rear, front, half = low
        rear_top, front_top, half_top = high
        a = [(rear, -half, z[0]), (front, -half, z[0]), (front, half, z[0]), (rear, half, z[0])]
        b = [(rear_top, -half_top, z[1]), (front_top, -half_top, z[1])]
        b += [(front_top, half_top, z[1]), (rear_top, half_top, z[1])]
        corner = np.array(a + b)
        sides = {"rear": (0, 3, 7, 4), "front": (2, 1, 5, 6), "left": (1, 0, 4, 5), "right": (3, 2, 6, 7)}
        return {name: corner[list(i)] for name, i in {**sides, "top": (4, 7, 6, 5)}.items()}

    def patch(face: np.ndarray, u: tuple[float, float], v: tuple[float, float]) -> np.ndarray:
        a, b, c, d = face
        corners = ((u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1]))
        return np.array([(a * (1 - s) + b * s) * (1 - t) + (d * (1 - s) + c * s) * t for s, t in corners])

    body = prism((-2.2, 2.2, 0.88), (-2.15, 2.1, 0.84), (0.28, 1.0 if van else 0.86))
    cabin = prism((-2.1, 1.5, 0.84), (-2.0, 0.7, 0.74), (1.0, 1.95)) if van else None
    cabin = cabin or prism((-1.75, 1.15, 0.82), (-1.1, 0.35, 0.62), (0.86, 1.42))
    faces = [(face, "paint_" + name) for name, face in body.items()]
    for name in ("left", "right"):
        for u in ((0.1, 0.25), (0.74, 0.89)):
            face = body[name].copy()
            face[:2, 2], face[2:, 2] = 0.02, 0.62
            faces.append((patch(face, u, (0, 1)), "tire_" + name))
    faces.append((patch(body["rear"], (0.02, 0.98), (0.0, 0.18)), "tire_rear"))
    faces.append((patch(body["front"], (0.02, 0.98), (0.0, 0.16)), "tire_front"))
    for u in ((0.03, 0.2), (0.8, 0.97)):
        faces.append((patch(body["rear"], u, (0.62, 0.85)), "brake_rear"))
        faces.append((patch(body["front"], u, (0.5, 0.8)), "lamp_front"))
    faces.append((patch(body["rear"], (0.36, 0.64), (0.35, 0.58)), "plate_rear"))
    for name, face in cabin.items():
        faces.append((face, "paint_" + name))
        if name != "top":
            faces.append((patch(face, (0.07, 0.93), (0.12, 0.85)), "glass_" + name))
    return np.array([face for face, _ in faces]), [name for _, name in faces]


CAR_COLORS = {"tire": (0.06, 0.06, 0.07), "brake": (0.62, 0.06, 0.05), "lamp": (0.95, 0.95, 0.88)}
CAR_COLORS |= {"plate": (0.8, 0.8, 0.78), "glass": (0.1, 0.13, 0.16)}
CAR_LIGHT = {"rear": 0.75, "front": 0.8, "left": 0.7, "right": 0.62, "top": 1.12}


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

    def wall(
        element: str,
        label: str,
        kind: str,
        distance: np.ndarray,
        offset: np.ndarray,
        height: np.ndarray,
        tint: np.ndarray,
    ) -> None:
        # On the inside of a bend a wall must stay away from the center of the bend.
        curvature = road.at("curvature", distance)
        reach = np.where(curvature * offset > 0, 0.7 / np.maximum(np.abs(curvature), 1e-6), np.inf)
        offset = np.sign(offset) * np.minimum(np.abs(offset), reach)
        if not _clear_of_road(road, distance, offset, 5.0):
            return
        x, y = road.to_world(distance, offset)
        along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        seed = int(rng.integers(3))
        arrays = [np.asarray(a, np.float32) for a in (along, x, y, distance, offset, height, tint)]
        walls.append(Wall(element, label, kind, seed, *arrays))

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
                wall("hedges", "vegetation", kind, distance, side * offset, height, green())
            if kind == "village":
                for middle in np.arange(start + 12, stop - 8, rng.uniform(22, 34)):
                    near, half, deep = margin + rng.uniform(4, 11), rng.uniform(4, 7), rng.uniform(6, 9)
                    # The two gables and the front; the far gable is met first from behind.
                    distance = middle + np.array([-half, -half, half, half])
                    offset = side * (near + np.array([deep, 0, 0, deep]))
                    height = np.full(4, rng.uniform(4.2, 6.5))
                    wall(
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
                wall(
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
                wall(
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
    road: Road, day: Day, walls: list[Wall], objects: list[Object], rng: np.random.Generator
) -> list[np.ndarray]:
    """Paint the ground near the road, in road coordinates: cast shadow in [0, 1], the asphalt's tone in [-1, 1]."""
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


def place_vehicles(length: float, rng: np.random.Generator) -> list[Vehicle]:
    """Put cars on the road: ahead in the own lane, and oncoming."""
    colors = np.array([(0.62, 0.63, 0.65), (0.12, 0.12, 0.14), (0.85, 0.85, 0.85), (0.5, 0.08, 0.07)])
    colors = np.vstack([colors, [(0.1, 0.2, 0.42), (0.32, 0.34, 0.36), (0.2, 0.3, 0.24)]])
    result = []
    for _ in range(int(rng.integers(0, 3))):
        result.append(
            Vehicle(rng.uniform(16, 90), rng.uniform(12.0, 12.5), colors[rng.integers(7)], rng.uniform() < 0.25)
        )
    for distance in np.cumsum(rng.exponential(170, int(length / 60))) + 30:
        result.append(Vehicle(float(distance), -rng.uniform(10, 14), colors[rng.integers(7)], rng.uniform() < 0.25))
    return result
