"""Drives that are rendered: along a road (notebook 01), from beside the lane (02), without an element (08)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from steerlib.drives import WHOLE, Drive
from steerlib.drives.loading import quick
from steerlib.world import processes
from steerlib.world.camera import Scene
from steerlib.world.canvas import (
    SPEED,
    Pose,
)
from steerlib.world.car import advance, seen_by
from steerlib.world.textures import smooth_noise
from steerlib.world.variety import VariedScene, vary_camera

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network

AXLE = 1.5  # m from a camera behind the windshield back to the rear axle


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
    sway = 3 * smooth_noise(np.random.default_rng([seed, 3]), n, 0.8 / interval)
    pose = Pose(10.0, 0.0, 0.0, 0.0)
    frames, labels, angles = [], [], []
    for k in range(n):
        frame, label = scene.render(pose)
        frames.append(frame)
        labels.append(label)
        angles.append(scene.steering(pose))
        pose = advance(scene, pose, angles[-1] + float(sway[k]), interval)
    return Drive.from_arrays(f"road-{seed}", frames, angles, labels, np.arange(n) * interval)


def render_views(
    seeds: int | Iterable[int],
    n: int,
    askew: float = 1.0,
    network: Network | keras.Model | None = None,
    varied: bool = False,
) -> Drive:
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
    askew : float
        How far beside and askew, as a share of that; of varied roads also how far their cameras look to the side.
        0: all from the center of the lane, along the road.
    network : Network, optional
        Whose pictures the views are, by its size and crop. None: PilotNet's.
    varied : bool
        True: roads as different as real ones (`steerlib.world.VariedScene`), each view by another camera, and from
        poses as people drive: not half as far beside and askew of the lane.

    Returns
    -------
    Drive
        n frames uint8 of the network's size that show what it sees, with labels; the angles are degrees, positive to
        the right, within ±120.

    Raises
    ------
    ValueError
        If there is no seed, or no view to be rendered.
    """
    return render_counterfactuals(seeds, n, (), askew, network, varied)[0]


def render_counterfactuals(
    seeds: int | Iterable[int],
    n: int,
    elements: Sequence[str],
    askew: float = 1.0,
    network: Network | keras.Model | None = None,
    varied: bool = False,
) -> tuple[Drive, dict[str, np.ndarray]]:
    """Photograph roads as `render_views` does, and each view once more without one of the elements (notebook 08).

    What the angle does when an element is gone was caused by this element: everything else stays the same to the
    pixel. The views are those of `render_views`.

    Parameters
    ----------
    seeds, n, askew, network, varied
        As for `render_views`.
    elements : sequence of str
        From `ELEMENTS`.

    Returns
    -------
    views : Drive
        That of `render_views`.
    without : dict of str to (n, h, w, 3) uint8
        For each element the same views without it. Where it was not in the picture, the same picture.

    Raises
    ------
    ValueError
        If there is no seed, no view to be rendered, or no such element.
    """
    parts = _views(seeds, n, askew, tuple(elements), network, varied)
    frames, labels, angles, _, *without = (np.concatenate(arrays) for arrays in zip(*parts))
    return Drive.from_arrays("views", frames, angles, labels, crop=WHOLE, cut=True), dict(zip(elements, without))


def render_bends(
    seeds: int | Iterable[int],
    n: int,
    askew: float = 1.0,
    network: Network | keras.Model | None = None,
    varied: bool = False,
) -> tuple[Drive, np.ndarray]:
    """Photograph roads as `render_views` does, and tell how the road bends at each view (notebook 11).

    A driver may steer left in a bend to the right: to come back into the lane. So the angle does not tell the bend.

    Parameters
    ----------
    seeds, n, askew, network, varied
        As for `render_views`.

    Returns
    -------
    views : Drive
        That of `render_views`; frames of one road belong to one run.
    curvature : (n,) float64
        Of the car's lane where the car is, in 1/m, positive where it bends to the right. Of varied roads: where the
        rear axle is, which takes the bend that the wheel sets, 1.5 m behind the camera.

    Raises
    ------
    ValueError
        If there is no seed, or no view to be rendered.
    """
    parts = _views(seeds, n, askew, (), network, varied)
    frames, labels, angles, curvature = (np.concatenate(arrays) for arrays in zip(*parts))
    runs = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    return Drive.from_arrays("views", frames, angles, labels, crop=WHOLE, cut=True, runs=runs), curvature


def spread_over(seeds: int | Iterable[int], n: int) -> list[tuple[int, int]]:
    """Spread n views evenly over the roads of some seeds: (seed, number of views) for each road that gets any.

    Raises
    ------
    ValueError
        If there is no seed, or no view.
    """
    seeds = [int(seeds)] if isinstance(seeds, (int, np.integer)) else list(seeds)
    if not seeds or n < 1:
        raise ValueError(f"{len(seeds)} seeds and {n} views; at least one of each is needed")
    counts = [len(part) for part in np.array_split(np.arange(n), len(seeds))]
    return [(seed, count) for seed, count in zip(seeds, counts) if count]


def _views(
    seeds: int | Iterable[int],
    n: int,
    askew: float,
    elements: tuple[str, ...],
    network: Network | keras.Model | None,
    varied: bool = False,
) -> list[list[np.ndarray]]:
    """Photograph roads, each in one process; give the arrays of `_views_of_road` for each road."""
    n = min(n, max(8, n // quick()))
    jobs = [(*road, askew, elements, *seen_by(network), varied) for road in spread_over(seeds, n)]
    few = n * (1 + len(elements)) < processes.MANY or min(processes.process_count(), len(jobs)) == 1
    do_all = map if few else processes.render_processes().map
    return list(do_all(_views_of_road, *zip(*jobs)))


def _views_of_road(
    seed: int,
    n: int,
    askew: float,
    elements: Sequence[str],
    size: tuple[int, int],
    crop: tuple[float, float],
    varied: bool = False,
) -> list[np.ndarray]:
    """Photograph one road n times: frames, labels, angles, curvatures, then the frames without each element."""
    scene, rng = VariedScene(seed) if varied else Scene(seed), np.random.default_rng([seed, 4])
    views = []
    for _ in range(n):
        distance, time = rng.uniform(5, scene.road.length), rng.uniform(-4, 4)
        offset = np.clip(0.65 * rng.standard_normal(), -1.8, 1.8) * askew
        heading = np.radians(np.clip(3.5 * rng.standard_normal(), -10, 10)) * askew
        if varied:
            scene.camera, calm = vary_camera(rng, askew), rng.uniform(0.1, 0.6)
            offset, heading = calm * offset, calm * heading
        pose = Pose(distance, offset, heading, distance / SPEED + time)
        without = [scene.render(pose, size, (element,), crop)[0] for element in elements]
        curvature = float(scene.road.lane_curvature(distance - AXLE * varied))
        views.append((*scene.render(pose, size, crop=crop), scene.steering(pose), curvature, *without))
    return [np.stack(parts) for parts in zip(*views)]
