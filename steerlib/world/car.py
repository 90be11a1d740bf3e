"""The car on the rendered road: how it moves, what its network sees, and the display of its wheel (notebook 09)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import numpy as np

from steerlib.drives import ROAD, WHOLE, crop_road
from steerlib.networks.network import Network, as_network
from steerlib.networks.pilotnet import SIZE
from steerlib.world.camera import Scene
from steerlib.world.canvas import (
    FRAME_SIZE,
    MAX_STEERING,
    SPEED,
    STEERING_RATIO,
    WHEEL_BASE,
    Pose,
)

if TYPE_CHECKING:
    import keras

# The display of `show_wheel`: shares of the picture's height and width, and colors in [0, 1].
DISPLAY_TOP, DISPLAY_BOTTOM, DISPLAY_WIDTH = 0.88, 0.97, 0.6
DISPLAY_DARK, DISPLAY_LIGHT = (0.05, 0.06, 0.08), (0.35, 1.0, 0.55)


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
    offset = pose.offset + float(road.lane_center(distance))
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
    return Pose(distance, offset - float(road.lane_center(distance)), heading, time)


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


def part_for(network: Network | keras.Model | None) -> tuple[float, float]:
    """Say which part of the height of the camera's picture a network sees; PilotNet, for None, the road."""
    return seen_by(network)[1]


def seen_by(network: Network | keras.Model | None) -> tuple[tuple[int, int], tuple[float, float]]:
    """Give the size of a network's picture, and the part of the camera's that it shows; for None, PilotNet's."""
    if network is None:
        return SIZE, ROAD
    network = as_network(network)
    return network.size, ROAD if network.crop is None else network.crop


def look(
    scene: Scene,
    pose: Pose,
    whole: bool = False,
    without: Iterable[str] = (),
    shown: float | None = None,
    network: Network | keras.Model | None = None,
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
    network : Network, optional
        Whose picture it is, by its size and crop. None: PilotNet's.

    Returns
    -------
    uint8 RGB of the network's size or, if whole, (256, 455, 3)
    """
    size, crop = seen_by(network)
    picture = scene.render(pose, *((FRAME_SIZE, without, WHOLE) if whole else (size, without, crop)))[0]
    if shown is not None:
        seen = crop_road(picture, crop) if whole else picture
        seen[:] = show_wheel(seen[np.newaxis], [shown])[0]
    return picture


kept_scene = lru_cache(maxsize=64)(Scene)  # to build a road takes ten times as long as to photograph it


def look_on_request(pipe: Connection, seeds: Sequence[int], length: float, seen: tuple) -> None:
    """Take what the networks of several cars get, in another process, until the pipe is closed at its other end.

    The roads are built in that process, once: one that is sent takes as long as many pictures.

    Parameters
    ----------
    pipe : Connection
        Brings a list of poses, one for each car, and takes a list of pictures for it, again and again.
    seeds : sequence of int
        Each car's road.
    length : float
        Of the roads, in m.
    seen : tuple
        Size and crop of the pictures, as `seen_by` gives them.
    """
    size, crop = seen
    with pipe, suppress(EOFError, ConnectionError):
        scenes = [Scene(seed, length) for seed in seeds]
        while True:
            poses = pipe.recv()
            pipe.send([scene.render(pose, size, (), crop)[0] for scene, pose in zip(scenes, poses, strict=True)])
