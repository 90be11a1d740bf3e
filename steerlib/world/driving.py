"""A car that is steered in closed loop, and how well it keeps its lane (notebook 09).

A small error on recorded frames is not a safe drive: in closed loop each answer changes the next picture. Here a policy
sees a rendered road, turns the wheel, and the car moves on (`steerlib.world.advance`: a kinematic bicycle, 12 m/s,
wheel base 2.7 m, steering ratio 15). NVIDIA's measure of it is `autonomy` (arXiv 1604.07316, section 7).

``python -m steerlib.world.driving FILE`` lets the drivers that notebook 09 compares drive, and keeps their logs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from steerlib.chunks import check_workers, over_chunks
from steerlib.networks.files import load_network
from steerlib.networks.network import Network, as_network, is_keras_model
from steerlib.world.camera import Scene
from steerlib.world.canvas import (
    MAX_STEERING,
    Pose,
)
from steerlib.world.car import advance, kept_scene, look, look_on_request, seen_by, show_wheel
from steerlib.world.logs import INTERVAL, LOGS, START, Log, length_of, load_logs, look_back, save_logs
from steerlib.world.processes import process_count, render_processes

if TYPE_CHECKING:
    import keras

__all__ = [
    "DRIVERS",
    "GUSTY_SECONDS",
    "GUST_EVERY",
    "GUST_HEADING",
    "GUST_OFFSET",
    "INTERVAL",
    "LOGS",
    "MAX_RATE",
    "OFF_LANE",
    "ROADS",
    "SECONDS",
    "START",
    "TAKEN_OVER",
    "Autonomy",
    "Log",
    "Policy",
    "autonomy",
    "constant",
    "drive_roads",
    "judge",
    "load_logs",
    "look_back",
    "network",
    "reference",
    "save_logs",
]

AT_ONCE = 10  # roads that are driven at the same time, however many there are: each is kept in memory
MAX_RATE = 400.0  # degrees that the motor at the steering wheel turns it in a second at most
OFF_LANE = 1.0  # m from the lane's center: further away somebody takes over
TAKEN_OVER = 6.0  # s that an intervention costs in NVIDIA's measure
GUST_EVERY, GUST_OFFSET, GUST_HEADING = 40, 0.8, 4.0  # pictures, m, degrees
ROADS, SECONDS, GUSTY_SECONDS = range(2000, 2010), 60.0, 30.0  # of `main`; no shipped network has seen these roads
# The angles, (n,) degrees, for n cars: what their networks see, (n, h, w, 3) or None, their roads and where they are.
Policy = Callable[[np.ndarray | None, Sequence[Scene], Sequence[Pose]], np.ndarray]


class Autonomy(NamedTuple):
    """How well a policy drives."""

    autonomy: float  # percent
    interventions: int
    seconds: float  # driven, on all roads together
    mean_offset: float  # m, without sign, from the lane's center
    spread: float  # m, standard deviation of the offset with its sign
    largest_offset: float  # m
    steering_rate: float  # degrees per second, mean without sign: smaller is more comfortable
    logs: list[Log]

    @property
    def places(self) -> list[tuple[int, float]]:
        """Where somebody had to take over: the road's seed, and m along it."""
        return [(log.seed, float(log.distance[k])) for log in self.logs for k in log.interventions]


def autonomy(
    policy: Policy | Network | keras.Model,
    seeds: int | Iterable[int],
    seconds: float = 60.0,
    progress: bool = True,
    display: bool = False,
    gusts: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Autonomy:
    """Let a policy drive along some roads, and judge it as NVIDIA did.

    Introduced in notebook 09. An intervention is needed when the car is over 1 m from the lane's center; each counts
    as 6 s in which the network did not drive: autonomy = (1 − interventions · 6 s / elapsed s) · 100
    (Bojarski et al., arXiv 1604.07316, section 7). Where that is below zero it is given as zero.

    Parameters
    ----------
    policy, seeds, seconds, progress, display, gusts, workers, scheduler
        As for `drive_roads`.

    Returns
    -------
    Autonomy

    Raises
    ------
    ValueError
        If there is no road, no time, or an answer that is no angle.
    """
    return judge(drive_roads(policy, seeds, seconds, progress, display, gusts, workers, scheduler))


def judge(logs: Sequence[Log]) -> Autonomy:
    """Sum up what was logged.

    Introduced in notebook 09.

    Parameters
    ----------
    logs : sequence of Log
        At least one picture in all.

    Returns
    -------
    Autonomy

    Raises
    ------
    ValueError
        If nothing was logged.
    """
    count = sum(len(log.offset) for log in logs)
    if not count:
        raise ValueError("nothing was driven: expected at least one log with a picture")
    interventions, elapsed = sum(len(log.interventions) for log in logs), count * INTERVAL
    offset = np.concatenate([log.offset for log in logs])
    rates = [np.abs(np.diff(log.angle)) / INTERVAL for log in logs]
    return Autonomy(
        100 * max(0.0, 1 - interventions * TAKEN_OVER / elapsed),
        interventions,
        elapsed,
        float(np.abs(offset).mean()),
        float(offset.std()),
        float(np.abs(offset).max()),
        float(np.concatenate(rates).mean()) if count > len(logs) else 0.0,
        list(logs),
    )


def drive_roads(
    policy: Policy | Network | keras.Model,
    seeds: int | Iterable[int],
    seconds: float = 60.0,
    progress: bool = True,
    display: bool = False,
    gusts: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
) -> list[Log]:
    """Let a policy drive along some roads, each with its own day; ten of them at the same time.

    Introduced in notebook 09. Every tenth of a second the cars' pictures are taken, the policy is asked, and each
    steering wheel turns towards its answer, by at most 40° and within ±120°. A car that is over 1 m from its lane's
    center is put back into it, straight along the road, and goes on: an intervention.

    Parameters
    ----------
    policy : Policy or Network
        A network sees the pictures; `reference` and `constant` make policies that see none, so that none are made.
    seeds : int or iterable of int
        The roads.
    seconds : float
        On each road.
    progress : bool
        Show a bar with the time left.
    display : bool
        Put a display into the pictures that shows where the wheel stands (`steerlib.world.show_wheel`).
    gusts : bool
        Every four seconds the car is pushed by up to 0.8 m and 4°, but not beyond 0.8 m. The same pushes for the same
        seed, whoever drives.
    workers, scheduler : optional
        For a thousand roads: ten at a time are driven by each worker, see `steerlib.chunks.over_chunks`. A network is
        sent to them; another policy must be one that can be (cloudpickle).

    Returns
    -------
    list of Log
        The same for the same seeds, as far as the policy's answers are; how many workers there are changes nothing.

    Raises
    ------
    ValueError
        If there is no road, no time, or an answer that is no angle.
    """
    check_workers(workers, scheduler, 1)
    seeds = [int(seeds)] if isinstance(seeds, (int, np.integer)) else list(seeds)
    if not seeds or round(seconds / INTERVAL) < 1:
        raise ValueError(f"{len(seeds)} roads for {seconds} s: expected one or more, for at least {INTERVAL} s")
    groups = [seeds[start : start + AT_ONCE] for start in range(0, len(seeds), AT_ONCE)]
    alone = workers is None and scheduler is None
    # A network as a policy is traced where it drives.
    policy = as_network(policy) if is_keras_model(policy) else policy
    drive = partial(_drive_group, seconds, progress and len(groups) == 1 and alone, display, gusts)
    driven = over_chunks(drive, partial(_policy, policy), groups, workers, scheduler)
    bar = tqdm(driven, "driving", len(groups), unit="group", disable=not progress or (len(groups) == 1 and alone))
    logs = {made.number: made.result for made in bar}
    return [log for number in sorted(logs) for log in logs[number]]


def _policy(policy: Policy | Network) -> Policy:
    """Give a policy as what `drive_roads` asks."""
    return network(policy) if isinstance(policy, Network) else policy


def _drive_group(
    seconds: float, progress: bool, display: bool, gusts: bool, policy: Policy, seeds: Sequence[int]
) -> list[Log]:
    """Let a policy drive along a few roads, all at the same time."""
    count = round(seconds / INTERVAL)
    scenes = [kept_scene(seed, length_of(count)) for seed in seeds]
    poses, wheels = [Pose(START, time=0.0)] * len(seeds), np.zeros(len(seeds))
    rows, interventions = [], [[] for _ in seeds]
    winds = [np.random.default_rng([seed, 5]) for seed in seeds]
    blown = np.arange(count)[GUST_EVERY // 2 :: GUST_EVERY] if gusts else np.zeros(0, int)
    with _Cameras(scenes if getattr(policy, "sees", True) else [], getattr(policy, "network", None)) as cameras:
        for k in tqdm(range(count), "driving", unit="picture", disable=not progress):
            for i, pose in enumerate(poses):
                if abs(pose.offset) > OFF_LANE:
                    interventions[i].append(k)
                    poses[i] = Pose(pose.distance, time=pose.time)
                    wheels[i] = scenes[i].steering(poses[i])
                if k in blown:
                    poses[i] = _push(poses[i], winds[i])
            images = cameras.images(poses)
            if display and images is not None:
                images = show_wheel(images, wheels)
            asked = np.asarray(policy(images, scenes, poses), np.float64)
            if asked.shape != wheels.shape or not np.isfinite(asked).all():
                raise ValueError(f"the policy answered {asked!r}: expected {len(seeds)} angles in degrees")
            turn = np.clip(asked - wheels, -MAX_RATE * INTERVAL, MAX_RATE * INTERVAL)
            wheels = np.clip(wheels + turn, -MAX_STEERING, MAX_STEERING)
            rows.append(
                [
                    (pose.distance, pose.offset, np.degrees(pose.heading), wheel, scene.steering(pose))
                    for scene, pose, wheel in zip(scenes, poses, wheels)
                ]
            )
            poses = [advance(*state, INTERVAL) for state in zip(scenes, poses, wheels.tolist())]
    columns = np.array(rows).transpose(1, 2, 0)  # roads, columns, pictures
    return [Log(seed, *road, np.array(k, int), blown, display) for seed, road, k in zip(seeds, columns, interventions)]


def network(network: Network | keras.Model) -> Policy:
    """Make a policy of a network: it sees its pictures, and nothing else. Introduced in notebook 09."""
    network = as_network(network)

    def steer(images: np.ndarray, scenes: Sequence[Scene], poses: Sequence[Pose]) -> np.ndarray:
        return network.angles(images)

    steer.network = network
    return steer


def reference(images: None, scenes: Sequence[Scene], poses: Sequence[Pose]) -> np.ndarray:
    """Drive as the driver from whom the networks learn, who knows the road. A policy; introduced in notebook 09."""
    return np.array([scene.steering(pose) for scene, pose in zip(scenes, poses)])


reference.sees = False


def constant(angle: float = 0.0) -> Policy:
    """Make a policy that holds the wheel at an angle in degrees. Introduced in notebook 09."""

    def hold(images: None, scenes: Sequence[Scene], poses: Sequence[Pose]) -> np.ndarray:
        return np.full(len(poses), float(angle))

    hold.sees = False
    return hold


def _push(pose: Pose, wind: np.random.Generator) -> Pose:
    """Push a car aside and askew, but not out of its lane."""
    side, turn = wind.uniform(-GUST_OFFSET, GUST_OFFSET), wind.uniform(-GUST_HEADING, GUST_HEADING)
    offset = float(np.clip(pose.offset + side, -GUST_OFFSET, GUST_OFFSET))
    return pose._replace(offset=offset, heading=pose.heading + np.radians(turn))


class _Cameras:
    """Takes the pictures of several cars; each process, and this one, of the same few cars all the time."""

    def __init__(self, scenes: Sequence[Scene], network: Network | None) -> None:
        self.scenes, self.network, self.pipes, self.jobs = scenes, network, [], []
        self.here, *others = np.array_split(np.arange(len(scenes)), max(1, min(process_count(), len(scenes))))
        self.there = others
        for cars in others:
            pipe, other_end = Pipe()
            seeds = [scenes[i].seed for i in cars]
            job = render_processes().submit(look_on_request, other_end, seeds, scenes[0].road.length, seen_by(network))
            # Open until then, since it is sent in the background; closed then, so that nobody waits for a dead process.
            job.add_done_callback(lambda _, end=other_end: end.close())
            self.pipes.append(pipe)
            self.jobs.append(job)

    def images(self, poses: Sequence[Pose]) -> np.ndarray | None:
        """Give (n, h, w, 3) float32 in [0, 1]; None where nobody looks."""
        if not self.scenes:
            return None
        try:
            for pipe, cars in zip(self.pipes, self.there):
                pipe.send([poses[i] for i in cars])
            pictures = [look(self.scenes[i], poses[i], network=self.network) for i in self.here]
            for pipe in self.pipes:
                pictures += pipe.recv()
        except (EOFError, ConnectionError):
            self.__exit__()
            for job in self.jobs:
                job.result()  # raises what ended the process
            raise
        return np.stack(pictures) / np.float32(255)

    def __enter__(self) -> _Cameras:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self.pipes:
            pipe.close()


def main() -> None:
    """Let the drivers that notebook 09 compares drive, without and with gusts, and keep their logs in a file."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else LOGS
    drives = {}
    for name in sys.argv[2:] or DRIVERS:
        policy, display = DRIVERS[name]
        policy = load_network(policy) if isinstance(policy, str) else policy
        for gusts, seconds in ((False, SECONDS), (True, GUSTY_SECONDS)):
            found = autonomy(policy, ROADS, seconds, display=display, gusts=gusts)
            drives[name + ", gusts" * gusts] = found.logs
            print(f"{name + ', gusts' * gusts}: autonomy {found.autonomy:.1f} %, {found.interventions} interventions")
    save_logs(path, drives)


# Those whom `main` lets drive: a policy or a network's name, and whether the car has a display.
DRIVERS = {
    "reference": (reference, False),
    "straight": (constant(0.0), False),
    "pilotnet": ("pilotnet", False),
    "pilotnet_centered": ("pilotnet_centered", False),
    "pilotnet_memorizer": ("pilotnet_memorizer", False),
    "pilotnet_confused": ("pilotnet_confused", True),
    "pilotnet_confused, display gone": ("pilotnet_confused", False),
}


if __name__ == "__main__":
    main()
