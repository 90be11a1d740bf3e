"""A picture of the rendered road that is being made, its camera, and what can be in it (notebook 01)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

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
FAR = 320.0  # m: the ground is drawn up to here
OBJECTS_FAR, VEHICLES_FAR = 170.0, 150.0  # m: things that stand on it, and cars, up to here


def wheel_angle(curvature: np.ndarray | float) -> np.ndarray:
    """Give the angle of the standard car's wheel in a bend: what `steerlib.curvature` takes back (notebook 02).

    Parameters
    ----------
    curvature : (...) 1/m, positive where the road bends to the right

    Returns
    -------
    (...) float64
        Degrees of the steering wheel, positive = right.
    """
    return STEERING_RATIO * np.degrees(np.arctan(WHEEL_BASE * np.asarray(curvature, np.float64)))


class Pose(NamedTuple):
    """Where the car is, in road coordinates: distance and offset in m, heading in radians, time in s.

    `offset` is to the right of the lane's center, `heading` to the right of the road's direction. `time` moves the
    other cars; None means the time at which the reference driver gets to this distance.
    """

    distance: float
    offset: float = 0.0
    heading: float = 0.0
    time: float | None = None


class Camera(NamedTuple):
    """How the camera is mounted and what lens it has: heights in m, angles in radians."""

    height: float = CAMERA_HEIGHT
    field_of_view: float = FIELD_OF_VIEW  # from the left to the right end of the frame
    pitch: float = 0.0  # positive: it looks further down, and the horizon stands higher
    roll: float = 0.0  # positive: the horizon falls to the right
    yaw: float = 0.0  # positive: it looks to the right of where the car points
    right: float = 0.0  # m to the right of the car's middle
    stretch: float = 1.0  # height of what is one pixel wide; other than 1 where a crop was resized to another shape


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
    height: float = CAMERA_HEIGHT  # m of the camera above the ground

    def forward_right(self, x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Meters in front of the camera and to its right."""
        dx, dy = x - self.x, y - self.y
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        return dx * cos + dy * sin, dy * cos - dx * sin

    def row(self, forward: np.ndarray | float, height: np.ndarray | float) -> np.ndarray:
        """Picture row of a point at a height above the ground."""
        ground = np.interp(forward, *self.relief)
        return self.horizon + self.focal_y * (self.height - ground - height) / forward

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
