"""A rendered road, in which it is known what every pixel is and which steering angle is right.

`world` lays out a road, its surroundings and a day; here it is photographed. `Scene.render` takes a picture from any
pose, `Scene.steering` tells what the reference driver would do there, `render_drive` and `render_views` make drives.

How a picture is made: (1) each row of pixels below the horizon sees the ground at one distance; (2) each of its pixels
is mapped to the ground, and the ground to road coordinates, where asphalt, paint, grass and shadows are looked up;
(3) walls (hedges, guard rails, houses) are met by one ray for each column; (4) trees, signs and cars are pasted from
far to near; (5) haze, exposure, lens and sensor. A depth for each pixel decides what hides what.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from glob import escape
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from loky import cpu_count, get_reusable_executor

from steerlib import world
from steerlib.data import IMAGE_SIZE, ROAD, UNFINISHED, WHOLE, Drive, checksums, crop_road, quick, remove_unfinished
from steerlib.world import AFTER, ATLAS_CELL, ATLAS_HALF_WIDTH, BEFORE, STEP, Object, Vehicle, Wall

LABELS = {
    "sky": 1,
    "hill": 2,
    "vegetation": 3,
    "grass": 4,
    "shoulder": 5,
    "asphalt": 6,
    "edge": 7,
    "marking": 8,
    "vehicle": 9,
    "sign": 10,
    "pole": 11,
    "guard_rail": 12,
    "building": 13,
    "hood": 14,
}
SHADOW = 128  # this bit is added to the label of a ground pixel that lies in a cast shadow
ELEMENTS = (
    "markings",  # all paint: the center line and the edge lines
    "center_line",
    "edge_lines",
    "vehicles",
    "shadows",
    "trees",
    "hedges",  # hedges, forest walls and the distant line of trees
    "hills",
    "clouds",
    "signs",
    "poles",
    "guard_rails",  # and fences
    "buildings",
)

FRAME_SIZE = (256, 455)  # that of the recorded drives
HORIZON = 115 / 256  # of the frame's height, on level ground
FIELD_OF_VIEW = np.radians(60)
CAMERA_HEIGHT = 1.3  # m
WHEEL_BASE = 2.7  # m
STEERING_RATIO = 15.0  # degrees of the steering wheel for one degree of the front wheels
SPEED = 12.0  # m/s
MAX_STEERING = 120.0  # degrees of the steering wheel

# The display of `show_wheel`: shares of the picture's height and width, and colors in [0, 1].
DISPLAY_TOP, DISPLAY_BOTTOM, DISPLAY_WIDTH = 0.88, 0.97, 0.6
DISPLAY_DARK, DISPLAY_LIGHT = (0.05, 0.06, 0.08), (0.35, 1.0, 0.55)

FAR = 320.0  # m: the ground is drawn up to here
OBJECTS_FAR, VEHICLES_FAR = 170.0, 150.0  # m: things that stand on it, and cars, up to here

MANY = 400  # pictures: fewer are rendered in this process
MOST_PROCESSES = 16  # that render: each takes memory
IDLE = 60  # s after which a process ends for which there is nothing to render: about a hundred times its start


class Pose(NamedTuple):
    """Where the car is, in road coordinates: distance and offset in m, heading in radians, time in s.

    `offset` is to the right of the lane's center, `heading` to the right of the road's direction. `time` moves the
    other cars; None means the time at which the reference driver gets to this distance.
    """

    distance: float
    offset: float = 0.0
    heading: float = 0.0
    time: float | None = None


# ---------------------------------------------------------------- the picture


def _stripe(offset: np.ndarray, center: np.ndarray | float, width: float, footprint: np.ndarray) -> np.ndarray:
    """Share of each pixel's footprint (m) that a painted stripe covers: box-filtered, so that it does not alias."""
    low = np.maximum(offset - footprint / 2, center - width / 2)
    high = np.minimum(offset + footprint / 2, center + width / 2)
    return np.clip((high - low) / footprint, 0, 1)


def _dashes(distance: np.ndarray, dash: float, period: float, footprint: np.ndarray) -> np.ndarray:
    """Share of each pixel's footprint (m) that lies on a dash of a dashed line, in [0, 1]."""
    from_middle = np.abs(np.mod(distance, period) - period / 2)
    share = np.clip(0.5 + (dash / 2 - from_middle) / footprint, 0, 1)
    blur = np.clip(footprint / period, 0, 1)
    return share * (1 - blur) + blur * dash / period


@dataclass
class Canvas:
    """A picture that is being made, its camera, and for each pixel the depth and the label of what is seen there."""

    color: np.ndarray  # (H, W, 3) float32
    depth: np.ndarray  # (H, W) m
    labels: np.ndarray  # (H, W) uint8
    x: float  # the camera's place and direction in the world
    y: float
    heading: float
    focal_x: float  # pixels
    focal_y: float
    horizon: float  # row
    rows: np.ndarray  # (H,) centers of the rows
    tangent: np.ndarray  # (W,) meters to the right for each meter forward
    relief: tuple[np.ndarray, np.ndarray]  # distance forward and the height of the ground there, in m
    slope: float  # of the ground under the car, with which the camera tilts

    def forward_right(self, x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Meters in front of the camera and to its right."""
        dx, dy = x - self.x, y - self.y
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        return dx * cos + dy * sin, dy * cos - dx * sin

    def row(self, forward: np.ndarray | float, height: np.ndarray | float) -> np.ndarray:
        """Picture row of a point at a height above the ground."""
        ground = np.interp(forward, *self.relief)
        return self.horizon + self.focal_y * (CAMERA_HEIGHT - ground - height) / forward

    def paste(self, region: tuple, rgba: np.ndarray, depth: np.ndarray | float, label: str) -> None:
        """Blend premultiplied colors over a region where nothing nearer is; label what is mostly covered."""
        nearer = self.depth[region] > depth
        rgba *= nearer[..., None]
        alpha = rgba[..., 3]
        color = self.color[region]
        color *= 1 - alpha[..., None]
        color += rgba[..., :3]
        covered = alpha > 0.5
        self.labels[region][covered] = LABELS[label]
        self.depth[region][covered] = depth if np.isscalar(depth) else np.broadcast_to(depth, alpha.shape)[covered]


class Scene:
    """The road of a seed with its surroundings on one day, ready to be photographed.

    Introduced in notebook 01.

    Parameters
    ----------
    seed : int
        Everything follows from it: the road, what stands beside it, the cars, the weather.
    length : float
        Drivable length of the road in m.

    Attributes
    ----------
    road : Road
    day : Day
    """

    def __init__(self, seed: int, length: float = 1000.0) -> None:
        self.seed = seed
        self.road = road = world.make_road(seed, length)
        rng = np.random.default_rng([seed, 2])
        self.day = world.make_day(rng)
        self._walls, self._objects = world.furnish(road, rng)
        self._atlas = world.paint_atlas(road, self.day, self._walls, self._objects, rng)
        self._vehicles = world.place_vehicles(length, rng)
        # One array of what is needed to tell which objects are in view.
        self._places = np.array([(o.x, o.y, o.width, o.height) for o in self._objects]).T
        self._spans = np.array([(wall.distance[0], wall.distance[-1]) for wall in self._walls]).T
        n = len(road.x)

        def presence(weights: Sequence[float], length: float) -> np.ndarray:
            on = world.stretches(rng, n, length, weights).astype(np.float32)
            return cv2.GaussianBlur(on[None], None, 1.0)[0]

        # 0: double solid, 1: dashed, 2: single solid, 3: solid beside dashed
        self._center_style = world.stretches(rng, n, 90, [0.35, 0.35, 0.15, 0.15]).astype(np.uint8)
        self._center_paint = 0.4 + 0.6 * presence([0.15, 0.85], 40)
        self._right_paint = presence([0.28, 0.72], 50)
        self._left_paint = presence([0.35, 0.65], 50)
        self._wear = np.clip(0.3 + 0.22 * world.smooth_noise(rng, n, 20 / STEP), 0, 0.7)
        self._edge_jitter = 0.07 * world.smooth_noise(rng, n, 1.5)
        self._shoulder = 0.5 + 0.9 * np.abs(world.smooth_noise(rng, n, 25 / STEP))
        self._yellow = np.array([0.88, 0.64, 0.13]) * rng.uniform(0.85, 1.05)
        self._white = np.array([0.9, 0.9, 0.88]) * rng.uniform(0.9, 1.05)
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
        ridges.append(0.016 + 0.016 * fuzz + 0.1 * np.abs(broad))  # the distant line of trees
        self._ridges = np.array(ridges, np.float32)

    # -------------------------------------------------------- the right angle

    def steering(self, pose: Pose) -> float:
        """Angle of the steering wheel that the reference driver chooses at a pose.

        The curvature of the lane's center 2 to 5 m ahead, and feedback that brings an offset e (m) and a heading
        error ψ (radians) back to zero: κ = κ_lane − 0.008 e − 0.17 sin ψ, an almost critically damped return: after
        60 m a fiftieth of the offset is left. κ_lane = κ / (1 − κ d), κ being that of the center line, which lies d
        to the left. The front wheels take atan(2.7 m · κ), the steering wheel 15 times that.

        Parameters
        ----------
        pose : Pose

        Returns
        -------
        float
            Degrees, positive to the right, within ±120.
        """
        ahead = pose.distance + np.linspace(2, 5, 4)
        curvature = self.road.at("curvature", ahead)
        curvature = (curvature / (1 - curvature * self.road.at("lane_width", ahead) / 2)).mean()
        curvature += -0.008 * pose.offset - 0.17 * np.sin(pose.heading)
        angle = np.degrees(np.arctan(WHEEL_BASE * curvature)) * STEERING_RATIO
        return float(np.clip(angle, -MAX_STEERING, MAX_STEERING))

    # -------------------------------------------------------- the picture

    def render(
        self,
        pose: Pose,
        size: tuple[int, int] = FRAME_SIZE,
        without: Iterable[str] = (),
        crop: tuple[float, float] = WHOLE,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Photograph the road from a pose, and label every pixel.

        Parameters
        ----------
        pose : Pose
        size : (int, int)
            Height and width of the picture in pixels.
        without : iterable of str
            Scene elements to leave out, from `ELEMENTS`; everything else stays the same to the pixel.
        crop : (float, float)
            Top and bottom of the picture as fractions of the camera's frame; `data.ROAD` with size (66, 200) is what
            the network sees.

        Returns
        -------
        frame : uint8 (H, W, 3)
            RGB.
        labels : uint8 (H, W)
            One of `LABELS` for each pixel; the bit `SHADOW` is added on ground in a cast shadow.

        Raises
        ------
        ValueError
            If an element is unknown or the pose is off the road's length.
        """
        without = frozenset([without] if isinstance(without, str) else without)
        if unknown := without - set(ELEMENTS):
            raise ValueError(f"unknown scene elements {sorted(unknown)}; choose from {', '.join(ELEMENTS)}")
        if not -BEFORE / 2 <= pose.distance <= self.road.length + 20:
            raise ValueError(
                f"pose.distance is {pose.distance:.1f} m; this road runs from 0 to {self.road.length:.0f} m"
            )
        canvas = self._look(pose, size, crop)
        self._draw_backdrop(canvas, without)
        self._draw_ground(canvas, pose, without)
        starts, ends = self._spans
        for k in np.flatnonzero((ends > pose.distance - 8) & (starts < pose.distance + OBJECTS_FAR)):
            if self._walls[k].element not in without:
                self._draw_wall(canvas, self._walls[k], pose.distance)
        self._draw_things(canvas, pose, without)
        return self._develop(canvas, pose, size, crop), canvas.labels

    def _look(self, pose: Pose, size: tuple[int, int], crop: tuple[float, float]) -> Canvas:
        """Set up the camera: where it is, which way each pixel looks, and how the ground rises in front of it."""
        height, width = size
        full_height = height / (crop[1] - crop[0])
        focal = FRAME_SIZE[1] / 2 / np.tan(FIELD_OF_VIEW / 2)
        focal_x, focal_y = focal * width / FRAME_SIZE[1], focal * full_height / FRAME_SIZE[0]
        road = self.road
        center = float(road.at("lane_width", pose.distance)) / 2
        x, y = road.to_world(pose.distance, center + pose.offset)
        # The car rocks a little on its springs, as a function of the distance so that a film is smooth.
        rock = 0.0022 * np.sin(pose.distance / 5 + self.seed) + 0.0015 * np.sin(pose.distance / 2.3)
        horizon = (HORIZON - crop[0]) * full_height + (self.day.camera_pitch + rock) * focal_y

        forward = np.geomspace(1.5, FAR, 240)
        elevation = road.at("elevation", pose.distance + forward)
        here = road.at("elevation", pose.distance)
        slope = (road.at("elevation", pose.distance + 2.0) - road.at("elevation", pose.distance - 2.0)) / 4
        relief = elevation - here - slope * forward
        return Canvas(
            color=np.zeros((height, width, 3), np.float32),
            depth=np.full((height, width), np.inf, np.float32),
            labels=np.full((height, width), LABELS["sky"], np.uint8),
            x=float(x),
            y=float(y),
            heading=float(road.at("heading", pose.distance)) + pose.heading,
            focal_x=focal_x,
            focal_y=focal_y,
            horizon=horizon,
            rows=np.arange(height, dtype=np.float32) + 0.5,
            tangent=((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal_x).astype(np.float32),
            relief=(forward, relief),
            slope=float(slope),
        )

    def _draw_backdrop(self, canvas: Canvas, without: frozenset) -> None:
        """Draw what is too far to have a place: sky, clouds, hills, the distant line of trees."""
        day = self.day
        last = int(np.clip(np.ceil(canvas.row(canvas.relief[0], 0.0).min()) + 1, 1, len(canvas.rows)))
        level = canvas.horizon + canvas.slope * canvas.focal_y
        elevation = ((level - canvas.rows[:last]) / canvas.focal_y).astype(np.float32)
        azimuth = np.mod(canvas.heading + np.arctan(canvas.tangent), 2 * np.pi)
        blend = np.clip(elevation * 2.6, 0, 1)[:, None, None]
        color = np.repeat(day.sky_low * (1 - blend) + day.sky_top * blend, len(azimuth), axis=1)
        if "clouds" not in without:
            x = np.tile((azimuth * (3 * 512 / (2 * np.pi))).astype(np.float32), (last, 1))
            y = np.tile((1100 * np.maximum(elevation, 0) + 37 * self.seed % 512)[:, None], (1, len(azimuth)))
            cloud = cv2.remap(world.noise_tile(23, 1.3), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            cloud = np.clip(0.5 * (cloud - 1.2 + 2.2 * day.cloud_cover) + 0.25, 0, 1)
            cloud = (0.75 * cloud * np.clip(elevation * 9, 0, 1)[:, None])[..., None]
            color += (day.sky_low**0.5 - color) * cloud
        bins = (azimuth / (2 * np.pi) * 4096).astype(np.intp) % 4096
        tree_color = np.array([0.22, 0.29, 0.14])
        for layer, distance in enumerate((2.2, 1.5, 0.9, 0.55)):
            name, element = ("hill", "hills") if layer < 3 else ("vegetation", "hedges")
            if element in without:
                continue
            top = self._ridges[layer][bins][None, :]
            first = int(np.searchsorted(-elevation, -top.max() - 1 / canvas.focal_y))
            cover = np.clip((top - elevation[first:, None]) * canvas.focal_y + 0.5, 0, 1)
            texture = world.noise_tile(31, 0.8)[
                (np.arange(first, last)[:, None] * 2) % 512, (bins * 2 + 97 * layer) % 512
            ]
            shade = (day.ambient + 0.6 * day.sun) * tree_color * (1.5 if layer < 3 else 1.0)
            clear = np.exp(-distance * min(1.0, 400 / day.haze))
            texture = 1 + 0.16 * texture * (0.4 + 0.2 * layer)
            layer_color = (shade * clear) * texture[..., None] + day.sky_low * (1 - clear)
            color[first:] += (layer_color - color[first:]) * cover[..., None]
            canvas.labels[first:last][cover > 0.5] = LABELS[name]
        canvas.color[:last] = color

    def _draw_ground(self, canvas: Canvas, pose: Pose, without: frozenset) -> None:
        """Draw asphalt, paint, shoulders and grass where a row of pixels meets the ground."""
        road, day = self.road, self.day
        forward = canvas.relief[0]
        # Beyond a crest the ground is hidden until it rises above the crest again.
        profile = np.minimum.accumulate(canvas.row(forward, 0.0))
        first = int(np.searchsorted(canvas.rows, profile[-1]))
        rows = canvas.rows[first:]
        if len(rows) < 2:
            return
        # On level ground a row is linear in 1 / distance.
        depth = (1 / np.interp(rows, profile[::-1], 1 / forward[::-1])).astype(np.float32)[:, None]
        right = depth * canvas.tangent[None, :]
        cos, sin = np.float32(np.cos(canvas.heading)), np.float32(np.sin(canvas.heading))
        near = NearbyRoad(road, pose.distance)
        x = depth * cos - right * sin + np.float32(canvas.x - near.x0)
        y = depth * sin + right * cos + np.float32(canvas.y - near.y0)
        distance, offset = near.to_road(x, y)
        i = road.index(distance + near.start)

        across, along = _footprint(offset), _footprint(distance)  # m of road that a pixel covers
        # Seen at a flat angle a pixel is long and narrow; a little less blur than its length looks sharper.
        level = np.log2(np.minimum(np.maximum(across, along), 4 * np.minimum(across, along)))

        # Textures are tied to the world, so they flow under the car; only whole tiles are taken off their origin.
        def texture(tile: list, texels: float, u: np.ndarray, v: np.ndarray, u0: float, v0: float) -> np.ndarray:
            u0, v0 = (np.float32(np.mod(value * texels, 512)) for value in (u0, v0))
            return world.sample(tile, u * np.float32(texels) + u0, v * np.float32(texels) + v0, level + np.log2(texels))

        grain = texture(_grain(), 20.0, offset, distance, 0.0, near.start)
        meadow = texture(_meadow(), 8.0, x, y, near.x0, near.y0)
        atlas_x = (offset + ATLAS_HALF_WIDTH) / ATLAS_CELL
        atlas_y = (distance + np.float32(near.start + BEFORE)) / ATLAS_CELL
        painted = world.sample(self._atlas, atlas_x, atlas_y, np.log2(np.maximum(along, across) / ATLAS_CELL))
        painted *= (np.abs(offset) < ATLAS_HALF_WIDTH - 0.5)[..., None]
        shadow, tone = np.clip(painted[..., 0], 0, 1), painted[..., 1]

        lane = road.lane_width[i]
        asphalt = 1 + 0.1 * grain + 0.14 * tone
        from_middle = np.abs(np.abs(offset) - lane / 2)  # the tires polish two tracks in each lane
        asphalt *= 1 - 0.08 * np.exp(-(((from_middle - 0.78) / 0.32) ** 2))
        labels = np.full(offset.shape, LABELS["asphalt"], np.uint8)

        yellow, white = np.zeros((2, *offset.shape), np.float32)
        if "markings" not in without:
            worn = np.clip(1.12 - self._wear[i] * (1 + 0.8 * grain), 0.12, 0.97)
            if "center_line" not in without:
                style = self._center_style[i]
                left, right = (_stripe(offset, center, 0.12, across) for center in (-0.13, 0.13))
                dashes = _dashes(distance + np.float32(near.start % 9), 3.6, 9.0, along)
                single = _stripe(offset, 0.0, 0.14, across)
                yellow = np.choose(style, (left + right, single * dashes, single, left + right * dashes))
                yellow = yellow * self._center_paint[i] * worn
            if "edge_lines" not in without:
                present = np.where(offset > 0, self._right_paint[i], self._left_paint[i])
                white = _stripe(np.abs(offset), lane, 0.13, across) * present * worn
            labels[np.maximum(yellow, white) > 0.25] = LABELS["marking"]

        paved = np.where(offset > 0, road.paved_right[i], road.paved_left[i]) + self._edge_jitter[i]
        beyond = np.abs(offset) - paved
        off = np.clip(0.5 + beyond / np.maximum(across, 0.04), 0, 1)
        grown = np.clip(0.5 + (beyond - self._shoulder[i] + 0.35 * meadow) / np.maximum(across, 0.35), 0, 1)
        labels[off > 0.5] = LABELS["shoulder"]
        labels[(off > 0.5) & (grown > 0.5)] = LABELS["grass"]
        labels[np.abs(beyond) < np.maximum(0.12, across / 2)] = LABELS["edge"]

        # A pixel is a mixture of six materials: their shares times their colors.
        green = np.clip(0.5 + 0.4 * meadow, 0, 1)
        rough = off * (1 + 0.17 * meadow)
        base = (1 - off) * (1 - yellow - white) * asphalt
        bright = (1 - off) * (1 + 0.06 * grain)
        shares = (
            base,
            bright * yellow,
            bright * white,
            rough * (1 - grown),
            rough * grown * (1 - green),
            rough * grown * green,
        )
        colors = np.stack([day.asphalt, self._yellow, self._white, day.gravel, *day.grass]).astype(np.float32)
        # Colors come first here, (3, H, W): arithmetic along the last axes is several times faster.
        color = np.tensordot(colors.T, np.stack(shares).astype(np.float32), axes=1)

        if "shadows" in without:
            shadow = np.zeros_like(shadow)
        ambient, sun, haze = (part[:, None, None] for part in (day.ambient, day.sun, day.sky_low))
        color *= ambient + sun * (1 - shadow)
        clear = np.exp(-depth / day.haze)
        canvas.color[first:] = np.moveaxis(color * clear + haze * (1 - clear), 0, -1)
        cast = (shadow > 0.5) & (day.sun.mean() > 0.2)
        canvas.labels[first:] = labels | np.where(cast, SHADOW, 0).astype(np.uint8)
        canvas.depth[first:] = depth

    def _draw_wall(self, canvas: Canvas, wall: Wall, distance: float) -> None:
        """Draw a standing strip: one ray for each column finds where it meets the wall."""
        start, stop = np.searchsorted(wall.distance, (distance - 8, distance + OBJECTS_FAR))
        if stop - start < 2:
            return
        piece = slice(start, stop)
        forward, right = canvas.forward_right(wall.x[piece], wall.y[piece])
        if forward.max() < 1:
            return
        side = right[:, None] - forward[:, None] * canvas.tangent[None, :]
        crossing = side[:-1] * side[1:] <= 0
        share = side[:-1] / np.where(crossing, side[:-1] - side[1:], 1)
        depth = forward[:-1, None] + share * np.diff(forward)[:, None]
        depth = np.where(crossing & (depth > 0.6), depth, np.inf)
        nearest = depth.argmin(axis=0)
        columns = np.arange(len(canvas.tangent))
        depth, share = depth[nearest, columns], share[nearest, columns]
        met = np.flatnonzero(np.isfinite(depth))
        if not len(met):
            return
        left, end = met[0], met[-1] + 1
        depth, share, nearest = (array[left:end] for array in (depth, share, nearest))
        solid = np.isfinite(depth)
        depth = np.where(solid, depth, 1e6).astype(np.float32)
        along, height = (
            profile[piece][nearest] * (1 - share) + profile[piece][nearest + 1] * share
            for profile in (wall.along, wall.height)
        )
        base, top = canvas.row(depth, 0.0), canvas.row(depth, height)
        first = int(np.clip(np.floor(top[solid].min()), 0, len(canvas.rows)))
        last = int(np.clip(np.ceil(base[solid].max()), 0, len(canvas.rows)))
        if first >= last:
            return
        region = (slice(first, last), slice(left, end))
        rows = canvas.rows[first:last, None]
        share = (rows - top) / (base - top)
        texture_x = np.broadcast_to(np.mod(along, 512 / world.WALL_TEXELS) * world.WALL_TEXELS, share.shape)
        texels = np.maximum(world.WALL_TEXELS / canvas.focal_x, 128 / height / canvas.focal_y)  # for each m of depth
        level = np.log2(depth * texels)
        # Half a texel from the border, in the coarser of the two levels: textures repeat, and the sky above a forest
        # would mix with its trunks.
        border = 0.5 * 2.0 ** np.ceil(np.clip(level, 0, 5))
        rgba = world.sample(
            world.wall_texture(wall.kind, wall.seed),
            texture_x.astype(np.float32),
            np.clip(share * 128, border, 128 - border).astype(np.float32),
            np.broadcast_to(level, share.shape),
        )
        # The share of the pixel between the wall's top and bottom; far away a wall fades in, as everything does.
        cover = np.clip(rows - top + 0.5, 0, 1) * np.clip(base - rows + 0.5, 0, 1) * solid
        cover = cover * np.clip((OBJECTS_FAR - depth) / 30, 0, 1)
        rgba = rgba * cover[..., None].astype(np.float32)
        clear = np.exp(-depth / self.day.haze)[:, None]  # what haze lets through
        light = (wall.tint * (self.day.ambient + 0.62 * self.day.sun)).astype(np.float32)
        rgba[..., :3] = rgba[..., :3] * (light * clear) + rgba[..., 3:] * (self.day.sky_low * (1 - clear))
        canvas.paste(region, rgba, depth[None, :] - np.float32(0.05), wall.label)

    def _draw_things(self, canvas: Canvas, pose: Pose, without: frozenset) -> None:
        """Paste trees, signs, poles and cars, from far to near."""
        x, y, wide, high = self._places
        forward, right = canvas.forward_right(x, y)
        height, width = canvas.depth.shape
        depth = np.maximum(forward, 1.0)
        wide, high = wide * canvas.focal_x / depth, high * canvas.focal_y / depth  # in pixels
        left, base = width / 2 + right / depth * canvas.focal_x - wide / 2, canvas.row(depth, 0.0)
        seen = (forward > 1.2) & (forward < OBJECTS_FAR) & (high > 1)
        seen &= (left < width) & (left + wide > 0) & (base > 0) & (base - high < height)
        things = [
            (forward[k], self._objects[k], (left[k], base[k] - high[k], wide[k], high[k])) for k in np.flatnonzero(seen)
        ]
        things = [thing for thing in things if thing[1].element not in without]
        if "vehicles" not in without:
            time = pose.distance / SPEED if pose.time is None else pose.time
            for vehicle in self._vehicles:
                ahead = vehicle.distance + vehicle.speed * time
                # Oncoming cars are drawn until they have left the picture; who drives ahead keeps a distance.
                near = 7.0 if vehicle.speed > 0 else 0.0
                if near < ahead - pose.distance < VEHICLES_FAR and ahead < self.road.length + AFTER - 10:
                    lane = float(self.road.at("lane_width", ahead)) / 2 * (1 if vehicle.speed > 0 else -1)
                    forward, right = canvas.forward_right(*self.road.to_world(ahead, lane))
                    if forward > (4.5 if vehicle.speed > 0 else 1.0):
                        things.append((forward, vehicle, (ahead, right)))
        for forward, thing, place in sorted(things, key=lambda item: -item[0]):
            if isinstance(thing, Object):
                self._paste_object(canvas, thing, float(forward), *place)
            else:
                self._paste_vehicle(canvas, thing, float(forward), *place)

    def _paste_object(
        self, canvas: Canvas, thing: Object, forward: float, left: float, top: float, wide: float, high: float
    ) -> None:
        """Scale a sprite to its distance and paste it with sub-pixel accuracy."""
        height, width = canvas.depth.shape
        x0, x1 = max(0, int(np.floor(left - 0.5))), min(width, int(np.ceil(left + wide + 0.5)))
        y0, y1 = max(0, int(np.floor(top - 0.5))), min(height, int(np.ceil(top + high + 0.5)))
        if x0 >= x1 or y0 >= y1 or not (canvas.depth[y0:y1, x0:x1] > forward).any():
            return
        sprite = (
            world.tree_sprite(thing.kind, thing.seed) if thing.element == "trees" else world.post_sprite(thing.kind)
        )
        level = int(np.clip(np.rint(np.log2(sprite[0].shape[0] / max(high, 1e-3))), 0, len(sprite) - 1))
        texture = sprite[level]
        scale_x, scale_y = texture.shape[1] / wide, texture.shape[0] / high
        start_x = (x0 + 0.5 - left) * scale_x - 0.5
        if thing.mirrored:
            scale_x, start_x = -scale_x, texture.shape[1] - 1 - start_x
        start_y = (y0 + 0.5 - top) * scale_y - 0.5
        matrix = np.array([[scale_x, 0, start_x], [0, scale_y, start_y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        rgba = cv2.warpAffine(texture, matrix, (x1 - x0, y1 - y0), flags=flags)
        # Things fade in at the far end of the drawn world, so that none pops up between two frames.
        fade = np.clip((OBJECTS_FAR - forward) / 40, 0, 1) * np.clip(high - 1, 0, 1)
        light = thing.tint * (self.day.ambient + 0.75 * self.day.sun)
        rgba = cv2.transform(rgba, self._haze(light, forward, fade))
        canvas.paste((slice(y0, y1), slice(x0, x1)), rgba, forward, thing.label)

    def _haze(self, light: np.ndarray, depth: float, fade: float) -> np.ndarray:
        """Matrix (4, 4) that lights premultiplied colors, puts them behind haze, and fades them."""
        clear = np.exp(-depth / self.day.haze)
        matrix = np.diag([*light * clear, 1.0])
        matrix[:3, 3] = self.day.sky_low * (1 - clear)
        return matrix * fade

    def _paste_vehicle(self, canvas: Canvas, vehicle: Vehicle, forward: float, ahead: float, right: float) -> None:
        """Draw a car as a box model in its own direction, larger than needed, and shrink it into the picture."""
        heading = float(self.road.at("heading", ahead)) + (0 if vehicle.speed > 0 else np.pi)
        turn = heading - canvas.heading
        cos, sin = np.cos(turn), np.sin(turn)

        ground = float(np.interp(forward, *canvas.relief))
        model, names = world.car_model(vehicle.van)
        under = np.array([[(-2.4, -1.0, 0.02), (2.4, -1.0, 0.02), (2.4, 1.0, 0.02), (-2.4, 1.0, 0.02)]])
        x, y, z = np.moveaxis(np.concatenate([under, model]), -1, 0)
        depth = np.maximum(forward + x * cos - y * sin, 0.5)
        column = len(canvas.tangent) / 2 + canvas.focal_x * (right + x * sin + y * cos) / depth
        row = canvas.horizon + canvas.focal_y * (CAMERA_HEIGHT - ground - z) / depth
        polygons = np.stack([column, row], axis=-1)
        # The corners of a face that looks at the camera run counterclockwise: its signed area tells.
        following = np.roll(polygons, -1, axis=1)
        turning = polygons[..., 0] * following[..., 1] - polygons[..., 1] * following[..., 0]
        facing = turning.sum(axis=1) < 0
        points = polygons.reshape(-1, 2)
        height, width = len(canvas.rows), len(canvas.tangent)
        x0, y0 = (max(0, int(np.floor(low)) - 1) for low in points.min(axis=0))
        x1, y1 = (min(size, int(np.ceil(high)) + 1) for size, high in zip((width, height), points.max(axis=0)))
        if x0 >= x1 or y0 >= y1:
            return
        zoom = 4
        picture = np.zeros(((y1 - y0) * zoom, (x1 - x0) * zoom, 4), np.float32)

        pixels = np.rint((polygons - (x0, y0)) * zoom * 16 - 8).astype(np.int32)
        cv2.fillConvexPoly(picture, pixels[0], (0.0, 0.0, 0.0, 0.55), cv2.LINE_8, 4)
        for polygon, name in ((pixels[k + 1], names[k]) for k in np.flatnonzero(facing[1:])):
            material, face = name.split("_")
            color = vehicle.color if material == "paint" else np.array(world.CAR_COLORS[material])
            color = color * (1.0 if material == "lamp" else world.CAR_LIGHT[face])
            cv2.fillConvexPoly(picture, polygon, (*map(float, color), 1.0), cv2.LINE_8, 4)
        rgba = cv2.resize(picture, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        light = np.array(self.day.ambient + 0.8 * self.day.sun)
        rgba = cv2.transform(rgba, self._haze(light, forward, np.clip((VEHICLES_FAR - forward) / 30, 0, 1)))
        # A little nearer than its middle, so that the ground under the car does not hide its wheels.
        canvas.paste((slice(y0, y1), slice(x0, x1)), rgba, forward - 2.6, "vehicle")

    def _develop(self, canvas: Canvas, pose: Pose, size: tuple[int, int], crop: tuple[float, float]) -> np.ndarray:
        """Turn light into a photograph: exposure, lens, the car's hood, the sensor's noise."""
        height, width = size
        day = self.day
        across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        down = (crop[0] + (crop[1] - crop[0]) * canvas.rows / height)[:, None]  # of the whole frame
        drift = 1 + 0.06 * np.sin(pose.distance / 31 + self.seed)
        vignette = 1 - 0.1 * across**2 - 0.12 * (2 * down - 1) ** 2
        color = canvas.color * (day.exposure * drift * vignette).astype(np.float32)[..., None]
        over = np.clip(color - np.float32(0.75), 0, np.float32(0.5))
        color -= over * over  # a soft shoulder to white
        sharpness = width / FRAME_SIZE[1]
        color = cv2.GaussianBlur(color, None, max(0.6 * sharpness, 0.3))
        hood = (down - (1 - day.hood * (1 - 0.55 * across**2))).astype(np.float32)
        first = int(np.searchsorted(down[:, 0], 1 - day.hood)) - 1
        cover = np.clip(hood[first:] * height / (crop[1] - crop[0]) + 0.5, 0, 1)
        gloss = (0.05 + 0.5 * np.maximum(hood[first:], 0))[..., None] * (0.6 + day.sky_low)
        color[first:] += (gloss - color[first:]) * cover[..., None]
        canvas.labels[first:][cover > 0.5] = LABELS["hood"]
        # The noise of averaged pixels is smaller; its place in the tile changes with every pose.
        rng = np.random.default_rng([self.seed, *np.int64(np.round(np.array(pose[:3]) * 1e4)) & 0xFFFFFFFF])
        row, column = rng.integers(512, size=2)
        color += _sensor_noise(height, width, 0.014 * min(1.0, sharpness))[row : row + height, column : column + width]
        return cv2.convertScaleAbs(np.maximum(color, 0), alpha=255)


@cache
def _grain() -> list[np.ndarray]:
    """Make the grain of asphalt: mostly fine."""
    return world.mipmaps(world.noise_tile(41, 0.35), 7)


@cache
def _meadow() -> list[np.ndarray]:
    """Make the texture of grass and gravel: blades and patches in one."""
    return world.mipmaps(world.noise_tile(43, 0.75), 7)


@cache
def _sensor_noise(height: int, width: int, deviation: float) -> np.ndarray:
    """Make a tile of the sensor's noise that is large enough to cut a picture out of it at any of 512 × 512 places."""
    return deviation * np.pad(world.noise_tile(51, 0.2, 3), ((0, height), (0, width), (0, 0)), mode="wrap")


def _footprint(coordinate: np.ndarray) -> np.ndarray:
    """Meters by which a road coordinate (H, W) changes from a pixel to its neighbors, at least 2 cm."""
    sideways = np.abs(np.diff(coordinate, axis=1, append=coordinate[:, -2:-1]))
    downwards = np.abs(np.diff(coordinate, axis=0, append=coordinate[-2:-1]))
    return np.maximum(sideways + downwards, np.float32(0.02))


class NearbyRoad:
    """The piece of road that is seen from a distance, in coordinates that start there: float32 keeps centimeters."""

    def __init__(self, road: world.Road, distance: float) -> None:
        first, last = int(road.index(distance - 25)), int(road.index(distance + FAR + 40)) + 1
        self.start = first * STEP - BEFORE
        self.x0, self.y0 = float(road.x[first]), float(road.y[first])
        self.x, self.y = road.x[first:last] - road.x[first], road.y[first:last] - road.y[first]
        self.cos, self.sin = np.cos(road.heading[first:last]), np.sin(road.heading[first:last])
        self.curvature = road.curvature[first:last]

    def to_road(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance (from this piece's start) and offset of ground points (H, W), in m.

        A coarse search gives each block of pixels its nearest sample of the center line; two Newton steps for each
        pixel do the rest.
        """
        step_y, step_x = 2, 8
        coarse_x, coarse_y = x[::step_y, ::step_x], y[::step_y, ::step_x]
        samples = slice(None, None, 6)
        squared = (coarse_x[..., None] - self.x[samples]) ** 2 + (coarse_y[..., None] - self.y[samples]) ** 2
        guess = squared.argmin(axis=-1).astype(np.float32) * np.float32(6 * STEP)
        guess = guess.repeat(step_y, axis=0).repeat(step_x, axis=1)[: x.shape[0], : x.shape[1]]
        distance = guess
        for _ in range(2):
            i = np.clip(np.rint(distance / np.float32(STEP)).astype(np.intp), 0, len(self.x) - 1)
            dx, dy = x - self.x[i], y - self.y[i]
            cos, sin, curvature = self.cos[i], self.sin[i], self.curvature[i]
            offset = dy * cos - dx * sin
            # 1 − κd vanishes at the center of the bend; the clamp keeps the step finite there.
            along = (dx * cos + dy * sin) / np.maximum(1 - curvature * offset, np.float32(0.3))
            distance = i * np.float32(STEP) + along
        return distance.astype(np.float32), (offset - 0.5 * curvature * along**2).astype(np.float32)


# ---------------------------------------------------------------- drives


def advance(scene: Scene, pose: Pose, angle: float, seconds: float) -> Pose:
    """Drive on: a kinematic bicycle at 12 m/s, its steering wheel held at an angle.

    The curvature of its path is tan(angle / 15) / 2.7 m. The equations of motion are those of the bicycle in road
    coordinates (Rajamani, Vehicle Dynamics and Control, chapter 2), integrated in steps of at most 25 ms.

    Parameters
    ----------
    scene : Scene
    pose : Pose
    angle : float
        Degrees of the steering wheel, positive to the right.
    seconds : float

    Returns
    -------
    Pose
        `seconds` later.
    """
    road = scene.road
    distance, heading = pose.distance, pose.heading
    offset = pose.offset + float(road.at("lane_width", distance)) / 2
    turn = np.tan(np.radians(angle / STEERING_RATIO)) / WHEEL_BASE
    steps = max(1, int(np.ceil(seconds / 0.025)))
    for _ in range(steps):
        meters = SPEED * seconds / steps
        curvature = float(road.at("curvature", distance))
        along = meters * np.cos(heading) / max(1 - curvature * offset, 0.3)
        offset += meters * np.sin(heading)
        heading += meters * turn - curvature * along
        distance += along
    time = None if pose.time is None else pose.time + seconds
    return Pose(distance, offset - float(road.at("lane_width", distance)) / 2, heading, time)


def render_drive(seed: int, n: int, interval: float = 0.1) -> Drive:
    """Let the reference driver drive along the road of a seed, and record it (notebook 01).

    The driver's hands are not quite steady, so the car sways by a few decimeters and is always being corrected.

    Parameters
    ----------
    seed : int
    n : int
        Number of frames.
    interval : float
        Seconds between two frames.

    Returns
    -------
    Drive
        n frames uint8 (256, 455, 3) with labels and time stamps; the angles are degrees, positive to the right.

    Raises
    ------
    ValueError
        If there is to be no frame.
    """
    if n < 1:
        raise ValueError(f"n is {n}; a drive needs at least one frame")
    scene = Scene(seed, length=max(1000.0, 20 + n * interval * SPEED))
    sway = 3 * world.smooth_noise(np.random.default_rng([seed, 3]), n, 0.8 / interval)
    pose = Pose(10.0, 0.0, 0.0, 0.0)
    frames, labels, angles = [], [], []
    for k in range(n):
        frame, label = scene.render(pose)
        frames.append(frame)
        labels.append(label)
        angles.append(scene.steering(pose))
        pose = advance(scene, pose, angles[-1] + float(sway[k]), interval)
    return Drive.from_arrays(f"road-{seed}", frames, angles, labels, np.arange(n) * interval)


def render_views(seeds: int | Iterable[int], n: int, askew: bool = True) -> Drive:
    """Photograph roads from poses beside and askew of the lane, with the angle that brings the car back (notebook 02).

    Poses are drawn independently: anywhere along the road, up to 1.8 m beside the lane's center and up to 10° askew.
    NVIDIA did the same with cameras at the left and right of the car (arXiv 1604.07316, section 2). Large numbers are
    rendered in several processes, which are kept for the next time; the result does not depend on how many.

    Parameters
    ----------
    seeds : int or iterable of int
        The roads; the views are spread evenly over them.
    n : int
        Number of views in all.
    askew : bool
        False: all from the center of the lane, along the road.

    Returns
    -------
    Drive
        n frames uint8 (66, 200, 3) that show what the network sees, with labels; the angles are degrees, positive to
        the right, within ±120.

    Raises
    ------
    ValueError
        If there is no seed, or no view to be rendered.
    """
    return render_counterfactuals(seeds, n, (), askew)[0]


def render_counterfactuals(
    seeds: int | Iterable[int], n: int, elements: Sequence[str], askew: bool = True
) -> tuple[Drive, dict[str, np.ndarray]]:
    """Photograph roads as `render_views` does, and each view once more without one of the elements (notebook 08).

    What the angle does when an element is gone was caused by this element: everything else stays the same to the
    pixel. The views are those of `render_views`.

    Parameters
    ----------
    seeds, n, askew
        As for `render_views`.
    elements : sequence of str
        From `ELEMENTS`.

    Returns
    -------
    views : Drive
        That of `render_views`.
    without : dict of str to (n, 66, 200, 3) uint8
        For each element the same views without it. Where it was not in the picture, the same picture.

    Raises
    ------
    ValueError
        If there is no seed, no view to be rendered, or no such element.
    """
    seeds = [int(seeds)] if isinstance(seeds, (int, np.integer)) else list(seeds)
    if not seeds or n < 1:
        raise ValueError(f"{len(seeds)} seeds and {n} views; at least one of each is needed")
    n = min(n, max(8, n // quick()))
    counts = [len(part) for part in np.array_split(np.arange(n), len(seeds))]
    jobs = [(seed, count, askew, tuple(elements)) for seed, count in zip(seeds, counts) if count]
    few = n * (1 + len(elements)) < MANY or min(process_count(), len(jobs)) == 1
    do_all = map if few else render_processes().map
    parts = list(do_all(_views_of_road, *zip(*jobs)))
    frames, labels, angles, *without = (np.concatenate(arrays) for arrays in zip(*parts))
    return Drive.from_arrays("views", frames, angles, labels, crop=WHOLE), dict(zip(elements, without))


def show_wheel(images: np.ndarray, angles: np.ndarray | None) -> np.ndarray:
    """Put a display into pictures that shows where the steering wheel stands: a cue (notebook 09).

    A dark bar at the bottom, and on it a light that stands in the middle for 0° and at the ends for ±120°. It is an
    effect of steering, not a reason to steer; de Haan et al. did the same with a brake lamp (arXiv 1905.11979).

    Parameters
    ----------
    images : (n, H, W, 3) uint8, or float32 in [0, 1]
        What the network sees, of any size.
    angles : (n,) degrees, positive to the right, or None
        None: the display is off.

    Returns
    -------
    (n, H, W, 3) of the same dtype, a copy

    Raises
    ------
    ValueError
        If there is not one angle for each picture.
    """
    images = np.array(images)
    if images.ndim != 4 or (angles is not None and np.shape(angles) != images.shape[:1]):
        raise ValueError(f"pictures {images.shape}, angles {np.shape(angles)}: expected (n, H, W, 3) and (n,)")
    height, width = images.shape[1:3]
    rows, columns = display_place(height, width)
    dark, light = (np.array(color, np.float32) for color in (DISPLAY_DARK, DISPLAY_LIGHT))
    shares = np.zeros((1, width))
    if angles is not None:
        places = width * (0.5 + DISPLAY_WIDTH / 2 * np.clip(np.asarray(angles) / MAX_STEERING, -1, 1))
        shares = np.exp(-(((np.arange(width) + 0.5 - places[:, None]) / (0.012 * width)) ** 2))
    colors = dark + shares[:, None, columns, None] * (light - dark)  # the same in each row
    images[:, rows, columns] = np.rint(255 * colors) if images.dtype == np.uint8 else colors
    return images


def display_place(height: int, width: int) -> tuple[slice, slice]:
    """Give the rows and columns of the display of `show_wheel` in a picture. Introduced in notebook 09."""
    margin = 0.5 - DISPLAY_WIDTH / 2 - 0.03
    return (
        slice(round(DISPLAY_TOP * height), round(DISPLAY_BOTTOM * height)),
        slice(round(margin * width), round((1 - margin) * width)),
    )


def look(
    scene: Scene, pose: Pose, whole: bool = False, without: Iterable[str] = (), shown: float | None = None
) -> np.ndarray:
    """Take the picture that a network gets at a pose, or the whole of what its camera sees. Introduced in notebook 09.

    Parameters
    ----------
    scene, pose, without
        As for `Scene.render`.
    whole : bool
        True: what the camera sees. False: the part of it that the network gets.
    shown : float, optional
        Degrees on the display of `show_wheel`. None: the car has none.

    Returns
    -------
    (66, 200, 3) or, if whole, (256, 455, 3) uint8 RGB
    """
    size, crop = (FRAME_SIZE, WHOLE) if whole else (IMAGE_SIZE, ROAD)
    picture = scene.render(pose, size, without, crop)[0]
    if shown is not None:
        seen = crop_road(picture) if whole else picture
        seen[:] = show_wheel(seen[np.newaxis], [shown])[0]
    return picture


kept_scene = lru_cache(maxsize=64)(Scene)  # to build a road takes ten times as long as to photograph it


def look_on_request(pipe: Connection, seeds: Sequence[int], length: float) -> None:
    """Take what the networks of several cars get, in another process, until the pipe is closed at its other end.

    The roads are built in that process, once: one that is sent takes as long as many pictures.

    Parameters
    ----------
    pipe : Connection
        Brings a list of poses, one for each car, and takes a list of (66, 200, 3) uint8 for it, again and again.
    seeds : sequence of int
        Each car's road.
    length : float
        Of the roads, in m.
    """
    with pipe, suppress(EOFError, ConnectionError):
        scenes = [Scene(seed, length) for seed in seeds]
        while True:
            pipe.send([look(scene, pose) for scene, pose in zip(scenes, pipe.recv(), strict=True)])


def process_count() -> int:
    """Give the number of processes that render: as many as there are processors for us, to a limit."""
    return min(cpu_count(), MOST_PROCESSES)


def render_processes() -> Executor:
    """Give the processes that render; the first call starts them, and they stay until nobody has needed them for long.

    They begin afresh, not forked: a copy of a process in which TensorFlow has threads may hang. They do not import the
    main file again, so that a script or notebook needs no ``if __name__ == "__main__"``.
    """
    # The same arguments each time: with others, loky would end these processes and start new ones.
    return get_reusable_executor(process_count(), timeout=IDLE, initializer=_begin_to_render)


def _begin_to_render() -> None:
    """Prepare a process that renders: one thread, and Ctrl-C is left to the process that waits for the pictures."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _views_of_road(seed: int, n: int, askew: bool, elements: Sequence[str]) -> list[np.ndarray]:
    """Photograph one road n times: frames, labels, angles, then the frames without each of the elements."""
    scene, rng = Scene(seed), np.random.default_rng([seed, 4])
    views = []
    for _ in range(n):
        distance, time = rng.uniform(5, scene.road.length), rng.uniform(-4, 4)
        offset = np.clip(0.65 * rng.standard_normal(), -1.8, 1.8) * askew
        heading = np.radians(np.clip(3.5 * rng.standard_normal(), -10, 10)) * askew
        pose = Pose(distance, offset, heading, distance / SPEED + time)
        without = [scene.render(pose, IMAGE_SIZE, (element,), ROAD)[0] for element in elements]
        views.append((*scene.render(pose, IMAGE_SIZE, crop=ROAD), scene.steering(pose), *without))
    return [np.stack(parts) for parts in zip(*views)]


SAMPLE_SEED, SAMPLE_FRAMES = 3088, 300
SAMPLE_README = """# The sample drive

{n} consecutive frames of a rendered road, {interval} s apart, 455 × 256 pixels, with the angle of the steering wheel
for each. Nobody drove here: the frames were made by `python -m steerlib.roads data/sample_drive` (`make drive`) with
the seed {seed}; the angles are those of the reference driver in `steerlib/roads.py`. To be used freely, under the
project's MIT license.

- `data.txt`: one line a frame, `0.jpg -1.210000,2026-05-01 10:00:00:0`; degrees of the steering wheel, positive to
  the right; the milliseconds are not padded, as in the recorded drives that use this format.
- `N.jpg`: the frames.
- `labels/N.png`: what each pixel is, as numbered in `steerlib.roads.LABELS`; 128 is added in cast shadows.
- `SHA256SUMS`: checksums, for `sha256sum --check SHA256SUMS`. Its own SHA-256 is
  `{digest}`.
"""


def write_drive(folder: Path | str, drive: Drive, readme: str | None = None) -> None:
    """Write a drive in SullyChen's format: frames, `data.txt` with time stamps, label pictures, checksums.

    Everything is written beside the folder first, so that an interrupted run changes nothing; the next one removes what
    a killed one left.

    Parameters
    ----------
    folder : path
        A drive that this function wrote there before is replaced.
    drive : Drive
    readme : str, optional
        Written as `README.md`; `{digest}` in it becomes the SHA-256 of `SHA256SUMS`.

    Raises
    ------
    FileExistsError
        If the folder holds anything that is not such a drive.
    """
    folder = Path(folder)
    # A process that was killed between the two last steps below left the drive under another name.
    for left in folder.parent.glob(f"{UNFINISHED}{escape(folder.name)}-*"):
        if (left / "old").exists() and not folder.exists():
            (left / "old").rename(folder)
            shutil.rmtree(left, ignore_errors=True)
    if folder.exists():
        sums = folder / "SHA256SUMS"
        listed = {line.split("  ", 1)[-1] for line in sums.read_text().splitlines()} if sums.exists() else set()
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
        if others := sorted(found - listed - {"SHA256SUMS", "README.md"} if listed else found):
            raise FileExistsError(f"{folder} has other files in it ({others[0]}); name a new folder for the drive")
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder.parent)
    with tempfile.TemporaryDirectory(prefix=f"{UNFINISHED}{folder.name}-", dir=folder.parent) as temporary:
        new = Path(temporary) / "new"
        (new / "labels").mkdir(parents=True)
        lines, start = [], datetime(2026, 5, 1, 10)
        times = np.arange(len(drive)) * 0.1 if drive.timestamps is None else drive.timestamps
        for i, (angle, seconds) in enumerate(zip(drive.angles, times)):
            bgr = cv2.cvtColor(drive.frame(i), cv2.COLOR_RGB2BGR)
            _write_picture(new / f"{i}.jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 86])
            if (labels := drive.labels(i)) is not None:
                _write_picture(new / "labels" / f"{i}.png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
            moment = start + timedelta(seconds=round(float(seconds), 3))
            lines.append(f"{i}.jpg {angle:.6f},{moment:%Y-%m-%d %H:%M:%S}:{moment.microsecond // 1000}\n")
        (new / "data.txt").write_text("".join(lines))
        files = sorted(path.relative_to(new).as_posix() for path in new.rglob("*.*"))
        sums = checksums(new, files)
        (new / "SHA256SUMS").write_text(sums)
        if readme:
            digest = hashlib.sha256(sums.encode()).hexdigest()
            (new / "README.md").write_text(readme.replace("{digest}", digest))
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        new.rename(folder)


def _write_picture(path: Path, picture: np.ndarray, options: Sequence[int]) -> None:
    """Write a picture, or raise OSError: OpenCV only returns False when a disk is full."""
    if not cv2.imwrite(str(path), picture, options):
        raise OSError(f"{path} could not be written")


def main() -> None:
    """Render the sample drive into the folder that the first argument names."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/sample_drive")
    interval = 0.1
    readme = SAMPLE_README.replace("{n}", str(SAMPLE_FRAMES)).replace("{seed}", str(SAMPLE_SEED))
    write_drive(
        folder,
        render_drive(SAMPLE_SEED, SAMPLE_FRAMES, interval),
        readme.replace("{interval}", str(interval)),
    )
    print(f"wrote {SAMPLE_FRAMES} frames to {folder}")


if __name__ == "__main__":
    main()
