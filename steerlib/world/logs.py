"""What is noted of a drive in closed loop, and the pictures that its camera took (notebook 09)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from steerlib import checkout
from steerlib.world.camera import Scene
from steerlib.world.canvas import (
    SPEED,
    Pose,
)
from steerlib.world.car import kept_scene, look
from steerlib.writing import replacing

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network

INTERVAL = 0.1  # s between two pictures, and between two answers
START = 10.0  # m along the road
LOGS = checkout.DATA / "autonomy.npz"  # `make autonomy`


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
    display: bool = False  # whether the car had the display of `steerlib.world.show_wheel`

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
        return kept_scene(self.seed, length_of(len(self.offset)))


def look_back(
    log: Log, pictures: Iterable[int], whole: bool = False, network: Network | keras.Model | None = None
) -> np.ndarray:
    """Take pictures of a log again: the same pose on the same road gives the same picture.

    Introduced in notebook 09.

    Parameters
    ----------
    log : Log
    pictures : iterable of int
        Which ones.
    whole : bool
        True: what the camera saw. False: the part of it that the network got.
    network : Network, optional
        Whose picture it is, by its size and crop. None: PilotNet's.

    Returns
    -------
    (n, h, w, 3) of the network's size or, if whole, (n, 256, 455, 3) uint8 RGB

    Raises
    ------
    IndexError
        If there is no such picture.
    """
    scene, standing = log.scene(), log.standing
    shown = standing if log.display else [None] * len(standing)
    return np.stack([look(scene, log.pose(k), whole, (), shown[k], network) for k in pictures])


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
    if path is None and not LOGS.is_file():
        raise checkout.missing(LOGS, "the logs of notebook 09", "let a network drive, drive_roads(network, seeds)")
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


def length_of(count: int) -> float:
    """Length in m of a road for so many pictures; another length is another road.

    Cutting a bend, a car gets further along the road than it drives.
    """
    return max(1000.0, START + count * INTERVAL * SPEED * 1.1)
