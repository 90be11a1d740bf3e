"""Where the horizon is in the frames of a drive, found from how the picture moves (notebook 07).

Whatever a car that drives straight on passes moves away from one point of the picture, the focus of expansion. A car
moves along the ground, so this point lies on the horizon, in bends too; what turns with the car moves otherwise, and
how it does follows from the turning alone. Both together: J. H. Rieger, D. T. Lawton, Processing differential image
motion, 1985; D. J. Heeger, A. D. Jepson, Subspace methods for recovering rigid motion, 1992. Sparse optical flow: B. D.
Lucas, T. Kanade, 1981, as OpenCV has it.
"""

from contextlib import suppress
from typing import NamedTuple

import cv2
import numpy as np

from steerlib.drives.drive import Drive

WIDTH = 480  # pixels: frames are made so wide, or so high, before they are compared
POINTS = 300  # that are followed from one frame to the next
SECONDS, FRAMES = 0.1, 3  # from one frame of a pair to the other; frames where no time is known
PAIRS, FEWEST = 48, 12  # pairs of frames, spread over a drive; so many must tell something
ROWS, COLUMNS = np.linspace(0.1, 0.9, 41), np.linspace(0.3, 0.7, 9)  # where it is looked for: shares of height, width
NOISE = 0.3  # pixels: how well a point is followed
MOVED = 0.7  # pixels that half of the points of a pair must have moved, without what a turn of the camera explains
STILL = 0.75  # of a place's contrast that is the same in all frames: dirt, the dashboard's reflection, a hood
APART = 0.05  # of the height: half of the pairs must agree better than so
UNSURE = 0.02  # of the height: a larger deviation of the row is too large
FOCAL_LENGTH = 0.87  # of the longer side, 60 degrees across; how far the car turns hardly depends on it


class Horizon(NamedTuple):
    """Where the horizon is on level ground."""

    row: float  # share of the height, 0 at the top
    deviation: float  # standard deviation of the row
    column: float  # share of the width to which the car drives straight on
    pairs: int  # of frames that told

    def __str__(self) -> str:
        return (
            f"horizon at {self.row:.1%} of the height, ± {self.deviation:.1%}, found in the motion of {self.pairs} "
            f"pairs of frames; straight on is at {self.column:.0%} of the width"
        )


def find_horizon(drive: Drive) -> Horizon:
    """Find the horizon in the motion of a drive's frames; at most `PAIRS` pairs of them are read (notebook 07).

    Parameters
    ----------
    drive : Drive
        Of a camera that does not move in the car. Frames that cannot be read are left out.

    Returns
    -------
    Horizon

    Raises
    ------
    ValueError
        Where the motion does not tell: too few frames, a car that stands, a camera that is only turned.
    """
    pairs = [pair for pair in (_pair(drive, *ends) for ends in _places(drive)) if pair]
    if len(pairs) < FEWEST:
        raise ValueError(_refusal(drive, f"{len(pairs)} pairs of its frames can be compared, {FEWEST} are needed"))
    still = still_places([frame for pair in pairs for frame in pair])
    flows = [flow for flow in (follow(*pair, still) for pair in pairs) if len(flow) >= POINTS / 10]
    shape = pairs[0][0].shape
    moving = [flow for flow in flows if parallax(flow, shape) >= MOVED]
    if len(moving) < FEWEST:
        told = f"the camera moves on in {len(moving)} of {len(pairs)} pairs of its frames, {FEWEST} are needed"
        raise ValueError(_refusal(drive, told))
    cost = np.stack([expansion_cost(flow, shape) for flow in moving])
    of_rows = cost.min(axis=2)
    alone = ROWS[of_rows.argmin(axis=1)]
    row = _lowest(of_rows.mean(axis=0))
    spread = float(np.median(np.abs(alone - row)))
    if spread > APART or not ROWS[2] < row < ROWS[-3]:
        told = f"its frames do not move away from one row: half of the pairs are {spread:.0%} of the height off"
        raise ValueError(_refusal(drive, told))
    some = np.random.default_rng(0).integers(0, len(moving), (200, len(moving)))
    deviation = float(np.std([_lowest(of_rows[chosen].mean(axis=0)) for chosen in some]))
    if deviation > UNSURE:
        raise ValueError(_refusal(drive, f"the row is known to ± {deviation:.0%} of the height only"))
    columns = COLUMNS[cost[:, np.abs(ROWS - row).argmin()].argmin(axis=1)]
    return Horizon(row, max(deviation, 0.002), float(np.median(columns)), len(moving))


def follow(first: np.ndarray, second: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Follow points from one picture to the next, and back again: only those that come back count.

    Parameters
    ----------
    first, second : (H, W) uint8
    still : (H, W) bool
        Where no point is looked for.

    Returns
    -------
    (n, 4) float64
        Of each point its column and row in the first picture, and by how much both change, in pixels.
    """
    points = cv2.goodFeaturesToTrack(first, POINTS, 0.01, 8, mask=np.where(still, 0, 255).astype(np.uint8))
    if points is None:
        return np.zeros((0, 4))
    window = {"winSize": (15, 15), "maxLevel": 3}
    there, found, _ = cv2.calcOpticalFlowPyrLK(first, second, points, None, **window)
    back, found_again, _ = cv2.calcOpticalFlowPyrLK(second, first, there, None, **window)
    points, there, back = (places.reshape(-1, 2).astype(np.float64) for places in (points, there, back))
    good = (np.abs(points - back) < 0.5).all(axis=1) & (found.ravel() == 1) & (found_again.ravel() == 1)
    return np.hstack([points, there - points])[good]


def expansion_cost(flow: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Say for each place of a grid how badly a flow moves away from it, however the camera turns meanwhile.

    At the focus of expansion a small turn of the camera explains all of the flow that is across the direction away
    from it. The turn is that of robust least squares, and what it leaves is counted up to a limit, so that cars with a
    motion of their own hardly count.

    Parameters
    ----------
    flow : (n, 4) pixels
        As `follow` gives it.
    shape : (height, width)
        Of the pictures.

    Returns
    -------
    (rows, columns) float64 in [0, 1]
        For each of `ROWS` and `COLUMNS`.
    """
    height, width = shape
    x, y, across, down = _turns(flow, shape)
    u, v = flow[:, 2:].T
    from_row, from_column = np.meshgrid(ROWS * height - height / 2, COLUMNS * width - width / 2, indexing="ij")
    away_x, away_y = x - from_column.reshape(-1, 1), y - from_row.reshape(-1, 1)
    length = np.hypot(away_x, away_y) + 5  # near the focus nobody can tell the direction away from it
    away_x, away_y = away_x / length, away_y / length
    turning = away_y[..., None] * across - away_x[..., None] * down
    moved = away_y * u - away_x * v
    weight = np.ones_like(moved)
    for _ in range(4):
        weighted = turning.swapaxes(1, 2) * weight[:, None]
        turn = np.linalg.solve(weighted @ turning + 1e-9 * np.eye(3), weighted @ moved[..., None])
        left = (moved - (turning @ turn)[..., 0]) / NOISE
        weight = 1 / (1 + left**2) ** 2
    return (left**2 / (1 + left**2)).mean(axis=1).reshape(from_row.shape)


def parallax(flow: np.ndarray, shape: tuple[int, int]) -> float:
    """Say by how many pixels half of the points of a flow move otherwise than in a turn of the camera alone."""
    _, _, across, down = _turns(flow, shape)
    turning, moved = np.concatenate([across, down]), flow[:, 2:].T.ravel()
    weight = np.ones_like(moved)
    for _ in range(8):
        weighted = turning.T * weight
        left = moved - turning @ np.linalg.solve(weighted @ turning + 1e-9 * np.eye(3), weighted @ moved)
        weight = 1 / np.maximum(np.abs(left), NOISE)
    return float(np.median(np.hypot(*left.reshape(2, -1))))


def still_places(pictures: list[np.ndarray]) -> np.ndarray:
    """Say where pictures (H, W) uint8 of one size show the same edges all the time: (H, W) bool, with a margin."""
    sums, sizes = np.zeros((2, *pictures[0].shape), np.float32), np.zeros(pictures[0].shape, np.float32)
    for picture in pictures:
        slopes = np.stack([cv2.Sobel(picture, cv2.CV_32F, 1, 0), cv2.Sobel(picture, cv2.CV_32F, 0, 1)])
        sums += slopes
        sizes += np.hypot(*slopes)
    same = (np.hypot(*sums) > STILL * sizes) & (sizes > 10 * len(pictures))
    return cv2.dilate(same.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0


def _turns(flow: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Give where points are, from the middle, and how they move where the camera turns by one radian.

    The turns, (n, 3) to the right and (n, 3) down, are those around the horizontal, the vertical and the camera's axis.
    """
    focal = FOCAL_LENGTH * max(shape)
    x, y = (flow[:, :2] + flow[:, 2:] / 2 - [shape[1] / 2, shape[0] / 2]).T
    across = np.stack([x * y / focal, -(focal + x * x / focal), y], axis=1)
    down = np.stack([focal + y * y / focal, -x * y / focal, -x], axis=1)
    return x, y, across, down


def _places(drive: Drive) -> list[tuple[int, int]]:
    """Choose pairs of frames that are spread over a drive, each within a run."""
    step = FRAMES
    if drive.timestamps is not None and len(drive) > 1:
        steps = np.diff(drive.timestamps)[drive.runs[1:] == drive.runs[:-1]]
        usual = float(np.median(steps)) if len(steps) else 0.0
        step = max(1, round(SECONDS / usual)) if usual > 0 else FRAMES
    begins = np.unique(np.linspace(0, max(0, len(drive) - 1 - step), PAIRS).astype(int))
    return [(i, i + step) for i in begins if i + step < len(drive) and drive.runs[i] == drive.runs[i + step]]


def _pair(drive: Drive, *ends: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Read two frames, small and gray; None where one cannot be read, or their sizes differ."""
    with suppress(ValueError, OSError):
        small = []
        for i in ends:
            gray = cv2.cvtColor(drive.frame(i), cv2.COLOR_RGB2GRAY)
            scale = WIDTH / max(gray.shape)
            size = (round(gray.shape[1] * scale), round(gray.shape[0] * scale))
            small.append(cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
        return None if small[0].shape != small[1].shape else tuple(small)
    return None


def _lowest(cost: np.ndarray) -> float:
    """Give the row of the lowest cost, (rows,), between the rows of the grid."""
    best = int(cost[1:-1].argmin()) + 1
    before, here, after = cost[best - 1 : best + 2]
    curve = before - 2 * here + after
    return float(ROWS[best] + (ROWS[1] - ROWS[0]) * ((before - after) / (2 * curve) if curve > 0 else 0))


def _refusal(drive: Drive, why: str) -> str:
    """Say that the horizon is not found, and what to do."""
    return f"drive {drive.name!r}: the motion of the picture does not tell where the horizon is: {why}; say where it is"
