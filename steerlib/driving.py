"""A car that is steered in closed loop, and how well it keeps its lane (notebook 09).

A small error on recorded frames is not a safe drive: in closed loop each answer changes the next picture. Here a policy
sees a rendered road, turns the wheel, and the car moves on (`steerlib.roads.advance`: a kinematic bicycle, 12 m/s,
wheel base 2.7 m, steering ratio 15). NVIDIA's measure of it is `autonomy` (arXiv 1604.07316, section 7).

``python -m steerlib.driving FILE`` lets the drivers that notebook 09 compares drive, and keeps their logs.
"""

import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from tqdm.auto import tqdm

from steerlib.data import replacing
from steerlib.model import load_model, predict
from steerlib.roads import (
    MAX_STEERING,
    SPEED,
    Pose,
    Scene,
    advance,
    kept_scene,
    look,
    look_on_request,
    process_count,
    render_processes,
    show_wheel,
)

INTERVAL = 0.1  # s between two pictures, and between two answers
MAX_RATE = 400.0  # degrees that the motor at the steering wheel turns it in a second at most
OFF_LANE = 1.0  # m from the lane's center: further away somebody takes over
TAKEN_OVER = 6.0  # s that an intervention costs in NVIDIA's measure
START = 10.0  # m along the road
GUST_EVERY, GUST_OFFSET, GUST_HEADING = 40, 0.8, 4.0  # pictures, m, degrees
ROADS, SECONDS, GUSTY_SECONDS = range(2000, 2010), 60.0, 30.0  # of `main`; no shipped network has seen these roads

LOGS = Path(__file__).resolve().parent.parent / "data" / "autonomy.npz"  # `make autonomy`

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
    gusts: np.ndarray = np.zeros(0, int)  # (k,) int: pictures before which a gust pushed the car
    display: bool = False  # whether the car had the display of `steerlib.roads.show_wheel`

    @property
    def standing(self) -> np.ndarray:
        """(n,) degrees at which the wheel stood when each picture was taken: what a display showed."""
        angles = np.concatenate([[0.0], self.angle[:-1]])
        angles[self.interventions] = self.reference[self.interventions]
        return angles

    def pose(self, k: int) -> Pose:
        """Where the car was at a picture."""
        return Pose(self.distance[k], self.offset[k], np.radians(self.heading[k]), k * INTERVAL)

    def scene(self) -> Scene:
        """Build its road again."""
        return kept_scene(self.seed, _length(len(self.offset)))


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
    policy: Policy | keras.Model,
    seeds: int | Iterable[int],
    seconds: float = 60.0,
    progress: bool = True,
    display: bool = False,
    gusts: bool = False,
) -> Autonomy:
    """Let a policy drive along some roads, and judge it as NVIDIA did.

    Introduced in notebook 09. An intervention is needed when the car is over 1 m from the lane's center; each counts
    as 6 s in which the network did not drive: autonomy = (1 − interventions · 6 s / elapsed s) · 100
    (Bojarski et al., arXiv 1604.07316, section 7). Where that is below zero it is given as zero.

    Parameters
    ----------
    policy, seeds, seconds, progress, display, gusts
        As for `drive_roads`.

    Returns
    -------
    Autonomy

    Raises
    ------
    ValueError
        If there is no road, no time, or an answer that is no angle.
    """
    return judge(drive_roads(policy, seeds, seconds, progress, display, gusts))


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
    policy: Policy | keras.Model,
    seeds: int | Iterable[int],
    seconds: float = 60.0,
    progress: bool = True,
    display: bool = False,
    gusts: bool = False,
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
    display : bool
        Put a display into the pictures that shows where the wheel stands (`steerlib.roads.show_wheel`).
    gusts : bool
        Every four seconds the car is pushed by up to 0.8 m and 4°, but not beyond 0.8 m. The same pushes for the same
        seed, whoever drives.

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
    policy = network(policy) if isinstance(policy, keras.Model) else policy
    scenes = [kept_scene(seed, _length(count)) for seed in seeds]
    poses, wheels = [Pose(START, time=0.0)] * len(seeds), np.zeros(len(seeds))
    rows, interventions = [], [[] for _ in seeds]
    winds = [np.random.default_rng([seed, 5]) for seed in seeds]
    blown = np.arange(count)[GUST_EVERY // 2 :: GUST_EVERY] if gusts else np.zeros(0, int)
    with _Cameras(scenes if getattr(policy, "sees", True) else []) as cameras:
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


def look_back(log: Log, pictures: Iterable[int], whole: bool = False) -> np.ndarray:
    """Take pictures of a log again: the same pose on the same road gives the same picture.

    Introduced in notebook 09.

    Parameters
    ----------
    log : Log
    pictures : iterable of int
        Which ones.
    whole : bool
        True: what the camera saw. False: the part of it that the network got.

    Returns
    -------
    (n, 66, 200, 3) or, if whole, (n, 256, 455, 3) uint8 RGB

    Raises
    ------
    IndexError
        If there is no such picture.
    """
    scene, standing = log.scene(), log.standing
    return np.stack([look(scene, log.pose(k), whole, shown=standing[k] if log.display else None) for k in pictures])


def save_logs(path: Path | str, drives: Mapping[str, Sequence[Log]]) -> None:
    """Keep what was driven in a file of plain arrays, whole or not at all. Introduced in notebook 09.

    Parameters
    ----------
    path : path
        Ends in ``.npz``.
    drives : mapping of str to sequence of Log
        Each driver's.
    """
    arrays = {
        f"{driver}/{log.seed}/{field}": value
        for driver, logs in drives.items()
        for log in logs
        for field, value in log._asdict().items()
    }
    with replacing(Path(path)) as unfinished, open(unfinished, "wb") as file:
        np.savez_compressed(file, **arrays)


def load_logs(path: Path | str | None = None) -> dict[str, list[Log]]:
    """Read what `save_logs` kept. Introduced in notebook 09.

    Parameters
    ----------
    path : path, optional
        None: the logs that come with the project, of `DRIVERS` on ten roads.

    Returns
    -------
    dict of str to list of Log
        Each driver's, a log for each road; with ", gusts" behind the driver's name where there were some.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no logs. Nothing is run from it.
    """
    path, drives = LOGS if path is None else path, {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                driver, seed, field = key.split("/")
                drives.setdefault(driver, {}).setdefault(seed, {})[field] = arrays[key]
        return {
            driver: [
                Log(**fields | {"seed": int(seed), "display": bool(fields["display"])}) for seed, fields in logs.items()
            ]
            for driver, logs in drives.items()
        }
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected logs written by driving.save_logs; {error}") from error


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


def _push(pose: Pose, wind: np.random.Generator) -> Pose:
    """Push a car aside and askew, but not out of its lane."""
    side, turn = wind.uniform(-GUST_OFFSET, GUST_OFFSET), wind.uniform(-GUST_HEADING, GUST_HEADING)
    offset = float(np.clip(pose.offset + side, -GUST_OFFSET, GUST_OFFSET))
    return pose._replace(offset=offset, heading=pose.heading + np.radians(turn))


def _length(count: int) -> float:
    """Length in m of a road for so many pictures; another length is another road.

    Cutting a bend, a car gets further along the road than it drives.
    """
    return max(1000.0, START + count * INTERVAL * SPEED * 1.1)


class _Cameras:
    """Takes the pictures of several cars; each process, and this one, of the same few cars all the time."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.scenes, self.pipes, self.jobs = scenes, [], []
        self.here, *others = np.array_split(np.arange(len(scenes)), max(1, min(process_count(), len(scenes))))
        self.there = others
        for cars in others:
            pipe, other_end = Pipe()
            seeds = [scenes[i].seed for i in cars]
            job = render_processes().submit(look_on_request, other_end, seeds, scenes[0].road.length)
            # Open until then, since it is sent in the background; closed then, so that nobody waits for a dead process.
            job.add_done_callback(lambda _, end=other_end: end.close())
            self.pipes.append(pipe)
            self.jobs.append(job)

    def images(self, poses: Sequence[Pose]) -> np.ndarray | None:
        """Give (n, 66, 200, 3) float32 in [0, 1]; None where nobody looks."""
        if not self.scenes:
            return None
        try:
            for pipe, cars in zip(self.pipes, self.there):
                pipe.send([poses[i] for i in cars])
            pictures = [look(self.scenes[i], poses[i]) for i in self.here]
            for pipe in self.pipes:
                pictures += pipe.recv()
        except (EOFError, ConnectionError):
            self.__exit__()
            for job in self.jobs:
                job.result()  # raises what ended the process
            raise
        return np.stack(pictures) / np.float32(255)

    def __enter__(self) -> "_Cameras":
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
        policy = load_model(policy) if isinstance(policy, str) else policy
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
