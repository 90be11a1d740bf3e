"""A car that is steered in closed loop, and how well it keeps its lane (notebook 09).

A small error on recorded frames is not a safe drive: in closed loop each answer changes the next picture. Here a policy
sees a rendered road, turns the wheel, and the car moves on (`steerlib.roads.advance`: a kinematic bicycle, 12 m/s,
wheel base 2.7 m, steering ratio 15). NVIDIA's measure of it is `autonomy` (arXiv 1604.07316, section 7).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import keras
import numpy as np
from tqdm.auto import tqdm

from steerlib.data import IMAGE_SIZE, ROAD
from steerlib.model import predict
from steerlib.roads import MAX_STEERING, SPEED, Pose, Scene, advance, render_processes

INTERVAL = 0.1  # s between two pictures, and between two answers
MAX_RATE = 400.0  # degrees that the motor at the steering wheel turns it in a second at most
OFF_LANE = 1.0  # m from the lane's center: further away somebody takes over
TAKEN_OVER = 6.0  # s that an intervention costs in NVIDIA's measure
START = 10.0  # m along the road

# The angles, (n,) degrees, for n cars: what their cameras see, (n, 66, 200, 3) or None, their roads and where they are.
Policy = Callable[[np.ndarray | None, Sequence[Scene], Sequence[Pose]], np.ndarray]


class Log(NamedTuple):
    """One road, driven: what was true at each picture."""

    seed: int
    distance: np.ndarray  # (n,) m along the road
    offset: np.ndarray  # (n,) m to the right of the lane's center
    heading: np.ndarray  # (n,) degrees to the right of the road's direction
    angle: np.ndarray  # (n,) degrees at which the steering wheel was held from this picture to the next
    reference: np.ndarray  # (n,) degrees that the reference driver would have chosen there
    interventions: np.ndarray  # (k,) int: pictures at which the car was put back


class Autonomy(NamedTuple):
    """How well a policy drives."""

    autonomy: float  # percent
    interventions: int
    seconds: float  # driven, on all roads together
    mean_offset: float  # m, without sign, from the lane's center
    largest_offset: float  # m
    steering_rate: float  # degrees per second, mean without sign: smaller is more comfortable
    logs: list[Log]


def autonomy(
    policy: Policy | keras.Model, seeds: int | Iterable[int], seconds: float = 60.0, progress: bool = True
) -> Autonomy:
    """Let a policy drive along some roads, and judge it as NVIDIA did.

    Introduced in notebook 09. An intervention is needed when the car is over 1 m from the lane's center; each counts
    as 6 s in which the network did not drive: autonomy = (1 − interventions · 6 s / elapsed s) · 100
    (Bojarski et al., arXiv 1604.07316, section 7). Where that is below zero it is given as zero.

    Parameters
    ----------
    policy, seeds, seconds, progress
        As for `drive_roads`.

    Returns
    -------
    Autonomy

    Raises
    ------
    ValueError
        If there is no road, no time, or an answer that is no angle.
    """
    return judge(drive_roads(policy, seeds, seconds, progress))


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
    offset = np.abs(np.concatenate([log.offset for log in logs]))
    rates = [np.abs(np.diff(log.angle)) / INTERVAL for log in logs]
    return Autonomy(
        100 * max(0.0, 1 - interventions * TAKEN_OVER / elapsed),
        interventions,
        elapsed,
        float(offset.mean()),
        float(offset.max()),
        float(np.concatenate(rates).mean()) if count > len(logs) else 0.0,
        list(logs),
    )


def drive_roads(
    policy: Policy | keras.Model, seeds: int | Iterable[int], seconds: float = 60.0, progress: bool = True
) -> list[Log]:
    """Let a policy drive along some roads, each with its own day, all at the same time.

    Introduced in notebook 09. Every tenth of a second the cars' pictures are taken, the policy is asked, and each
    steering wheel turns towards its answer, by at most 40° and within ±120°. A car that is over 1 m from its lane's
    center is put back into it, straight along the road, and goes on: an intervention.

    Parameters
    ----------
    policy : Policy or keras.Model
        A network sees the pictures; `reference` and `constant` make policies that see none, so that none are made.
    seeds : int or iterable of int
        The roads.
    seconds : float
        On each road.
    progress : bool
        Show a bar with the time left.

    Returns
    -------
    list of Log
        The same for the same seeds, as far as the policy's answers are.

    Raises
    ------
    ValueError
        If there is no road, no time, or an answer that is no angle.
    """
    seeds = [int(seeds)] if isinstance(seeds, (int, np.integer)) else list(seeds)
    count = round(seconds / INTERVAL)
    if not seeds or count < 1:
        raise ValueError(f"{len(seeds)} roads for {seconds} s: expected one or more, for at least {INTERVAL} s")
    # Cutting a bend, a car gets further along the road than it drives. (Another length is another road.)
    length = max(1000.0, START + count * INTERVAL * SPEED * 1.1)
    policy = network(policy) if isinstance(policy, keras.Model) else policy
    scenes = [Scene(seed, length) for seed in seeds]
    poses, wheels = [Pose(START, time=0.0)] * len(seeds), np.zeros(len(seeds))
    rows, interventions = [], [[] for _ in seeds]
    with _Cameras(scenes if getattr(policy, "sees", True) else []) as cameras:
        for k in tqdm(range(count), "driving", unit="picture", disable=not progress):
            for i, pose in enumerate(poses):
                if abs(pose.offset) > OFF_LANE:
                    interventions[i].append(k)
                    poses[i] = Pose(pose.distance, time=pose.time)
                    wheels[i] = scenes[i].steering(poses[i])
            asked = np.asarray(policy(cameras.images(poses), scenes, poses), np.float64)
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
    return [Log(seed, *road, np.array(k, int)) for seed, road, k in zip(seeds, columns, interventions)]


def network(model: keras.Model) -> Policy:
    """Make a policy of a network: it sees the pictures, and nothing else. Introduced in notebook 09."""
    return lambda images, scenes, poses: predict(model, images)


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


class _Cameras:
    """Takes the pictures of several cars, half of them in a process of its own."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.scenes = scenes
        self.here = slice(0, -(-len(scenes) // 2))
        self.helper = render_processes(1) if len(scenes) > 1 else None

    def images(self, poses: Sequence[Pose]) -> np.ndarray | None:
        """Give (n, 66, 200, 3) float32 in [0, 1]; None where nobody looks."""
        if not self.scenes:
            return None
        cars = [(scene.seed, scene.road.length, pose) for scene, pose in zip(self.scenes, poses)]
        there = self.helper.submit(_photograph_all, cars[self.here.stop :]) if self.helper else None
        pictures = [_photograph(scene, pose) for scene, pose in zip(self.scenes[self.here], poses)]
        return np.stack([*pictures, *(there.result() if there else [])]) / np.float32(255)

    def __enter__(self) -> "_Cameras":
        return self

    def __exit__(self, *_: object) -> None:
        if self.helper:
            self.helper.shutdown(cancel_futures=True)


def _photograph(scene: Scene, pose: Pose) -> np.ndarray:
    """Take a picture as the network gets it, (66, 200, 3) uint8."""
    return scene.render(pose, IMAGE_SIZE, crop=ROAD)[0]


def _photograph_all(cars: Sequence[tuple[int, float, Pose]]) -> list[np.ndarray]:
    """Take pictures in another process, which builds its roads itself and keeps them."""
    return [_photograph(_scene(seed, length), pose) for seed, length, pose in cars]


_scene = lru_cache(maxsize=64)(Scene)
