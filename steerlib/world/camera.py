"""A rendered road, in which it is known what every pixel is and which steering angle is right (notebook 01).

`Scene.render` takes a picture from any pose, `Scene.steering` tells what the reference driver would do there.

How a picture is made: (1) each row of pixels below the horizon sees the ground at one distance; (2) each of its pixels
is mapped to the ground, and the ground to road coordinates, where asphalt, paint, grass and shadows are looked up;
(3) walls (hedges, guard rails, houses) are met by one ray for each column; (4) trees, signs and cars are pasted from
far to near; (5) haze, exposure, lens and sensor. A depth for each pixel decides what hides what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import cv2
import numpy as np

from steerlib.drives import WHOLE
from steerlib.world.canvas import (
    ELEMENTS,
    FAR,
    FRAME_SIZE,
    HORIZON,
    LABELS,
    MAX_STEERING,
    OBJECTS_FAR,
    Camera,
    Canvas,
    Pose,
    wheel_angle,
)
from steerlib.world.ground import Line, draw_ground
from steerlib.world.layout import BEFORE, STEP, make_road
from steerlib.world.scenery import furnish, make_day, make_ridges, paint_atlas
from steerlib.world.textures import noise_tile, smooth_noise, stretches
from steerlib.world.things import TREE_COLOR, draw_backdrop, draw_things, draw_wall
from steerlib.world.vehicles import place_vehicles


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
    lines : list of Line
        What is painted on the asphalt, or runs along it.
    """

    camera = Camera()
    hardness, leaves = 0.0, 0.0  # of the borders of shadows: how hard, and how ragged; 0: soft as they were painted
    sharpening = 0.0  # by the camera: how much of what is finer than two pixels is added once more

    def __init__(self, seed: int, length: float = 1000.0) -> None:
        self.seed = seed
        self.road = road = make_road(seed, length)
        rng = np.random.default_rng([seed, 2])
        self.day = make_day(rng)
        self.walls, self.objects = furnish(road, rng)
        self.atlas = paint_atlas(road, self.day, self.walls, self.objects, rng)
        self.vehicles = place_vehicles(length, rng)
        self.index_things()
        n = len(road.x)

        def presence(weights: Sequence[float], length: float) -> np.ndarray:
            on = stretches(rng, n, length, weights).astype(np.float32)
            return cv2.GaussianBlur(on[None], None, 1.0)[0]

        # 0: double solid, 1: dashed, 2: single solid, 3: solid beside dashed
        center_style = stretches(rng, n, 90, [0.35, 0.35, 0.15, 0.15]).astype(np.uint8)
        center_paint = 0.4 + 0.6 * presence([0.15, 0.85], 40)
        right_paint = presence([0.28, 0.72], 50)
        left_paint = presence([0.35, 0.65], 50)
        self.wear = np.clip(0.3 + 0.22 * smooth_noise(rng, n, 20 / STEP), 0, 0.7)
        self.edge_jitter = 0.07 * smooth_noise(rng, n, 1.5)
        self.shoulder = 0.5 + 0.9 * np.abs(smooth_noise(rng, n, 25 / STEP))
        yellow = np.array([0.88, 0.64, 0.13]) * rng.uniform(0.85, 1.05)
        white = np.array([0.9, 0.9, 0.88]) * rng.uniform(0.9, 1.05)
        dash = (3.6, 9.0)
        center = [(-0.13, 0.12, None, (0, 3)), (0.13, 0.12, None, (0,)), (0.13, 0.12, dash, (3,))]
        center += [(0.0, 0.14, dash, (1,)), (0.0, 0.14, None, (2,))]
        self.lines = [
            Line("center_line", offset, width, yellow, center_paint * np.isin(center_style, styles), dashes)
            for offset, width, dashes, styles in center
        ]
        for offset, present in ((road.lane_width, right_paint), (-road.lane_width, left_paint)):
            self.lines.append(Line("edge_lines", offset, 0.13, white, present))
        self.tracks, self.joints, self.tree_color = 0.08, (4.5, 0.0), TREE_COLOR
        self.grain, self.patches = 0.1, 0.14
        self.ridges = make_ridges(rng)

    def index_things(self) -> None:
        """Gather what tells which walls and objects are in view."""
        self.places = np.array([(o.x, o.y, o.width, o.height) for o in self.objects]).T
        self.spans = np.array([(wall.distance[0], wall.distance[-1]) for wall in self.walls]).T

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
        curvature = self.road.lane_curvature(pose.distance + np.linspace(2, 5, 4)).mean()
        curvature += -0.008 * pose.offset - 0.17 * np.sin(pose.heading)
        return float(np.clip(wheel_angle(curvature), -MAX_STEERING, MAX_STEERING))

    # -------------------------------------------------------- the picture

    def render(
        self,
        pose: Pose,
        size: tuple[int, int] = FRAME_SIZE,
        without: Iterable[str] = (),
        crop: tuple[float, float] = WHOLE,
        camera: Camera | None = None,
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
        camera : Camera, optional
            Another one than the scene's own.

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
        camera = self.camera if camera is None else camera
        canvas = self._look(pose, size, crop, camera)
        draw_backdrop(self, canvas, without)
        draw_ground(self, canvas, pose, without)
        starts, ends = self.spans
        for k in np.flatnonzero((ends > pose.distance - 8) & (starts < pose.distance + OBJECTS_FAR)):
            if self.walls[k].element not in without:
                draw_wall(self, canvas, self.walls[k], pose.distance)
        draw_things(self, canvas, pose, without)
        frame, labels = self._develop(canvas, pose, size, crop), canvas.labels
        if camera.roll:
            turn = cv2.getRotationMatrix2D((size[1] / 2, size[0] / 2), -np.degrees(camera.roll), 1.0)
            frame = cv2.warpAffine(frame, turn, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            labels = cv2.warpAffine(
                labels, turn, size[::-1], flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
            )
        return frame, labels

    def _look(self, pose: Pose, size: tuple[int, int], crop: tuple[float, float], camera: Camera) -> Canvas:
        """Set up the camera: where it is, which way each pixel looks, and how the ground rises in front of it."""
        height, width = size
        full_height = height / (crop[1] - crop[0])
        focal = FRAME_SIZE[1] / 2 / np.tan(camera.field_of_view / 2)
        focal_x, focal_y = focal * width / FRAME_SIZE[1], focal * full_height / FRAME_SIZE[0] / camera.stretch
        road = self.road
        center = float(road.lane_center(pose.distance))
        x, y = road.to_world(pose.distance, center + pose.offset + camera.right)
        # The car rocks a little on its springs, as a function of the distance so that a film is smooth.
        rock = 0.0022 * np.sin(pose.distance / 5 + self.seed) + 0.0015 * np.sin(pose.distance / 2.3)
        horizon = (HORIZON - crop[0]) * full_height + (self.day.camera_pitch + rock - camera.pitch) * focal_y

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
            heading=float(road.at("heading", pose.distance)) + pose.heading + camera.yaw,
            focal_x=focal_x,
            focal_y=focal_y,
            horizon=horizon,
            rows=np.arange(height, dtype=np.float32) + 0.5,
            tangent=((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal_x).astype(np.float32),
            relief=(forward, relief),
            slope=float(slope),
            height=camera.height,
        )

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
        if self.sharpening:
            color += np.float32(self.sharpening) * (color - cv2.GaussianBlur(color, None, 1.0))
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
def _sensor_noise(height: int, width: int, deviation: float) -> np.ndarray:
    """Make a tile of the sensor's noise that is large enough to cut a picture out of it at any of 512 × 512 places."""
    return deviation * np.pad(noise_tile(51, 0.2, 3), ((0, height), (0, width), (0, 0)), mode="wrap")
