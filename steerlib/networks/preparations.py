"""Finding out on a drive how a network wants to be asked (notebook 10).

A network's file does not say which part of a frame it was trained on, nor in which colors. Each plausible preparation
is tried, and ranked by what a network that steers must do when it is asked rightly, with recorded angles or without:

- seen from the left camera of a car with three it steers to the right of what it does in the middle, from the right
  camera to the left;
- in the mirrored picture it steers to the other side: the correlation is -1 at best;
- its answers follow the recorded angles, smoothed over some frames, since a keyboard gives pulses.

How sure the ranking is, is measured by repeating it on random parts of the drive: of what does not do significantly
worse than the best, the drive cannot tell which is right. What does best need not be what it was trained with.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from steerlib.drives import Drive
from steerlib.drives.pictures import to_unit
from steerlib.networks.black_box import Raw, answers_in_degrees, in_its_color, in_range
from steerlib.networks.colors import channels_of, pixels_to_color
from steerlib.networks.description import Description
from steerlib.networks.plausibility import correlation_or_nan

SIMULATOR = (60 / 160, 135 / 160)  # rows of Udacity's simulator without sky and hood, as most of its networks see
SIMULATOR_FRAME = (160, 320)
COLORS = ("RGB", "BGR", "YUV", "YUV-swapped", "HSV", "HLS", "Lab", "gray", "saturation")
RANGES = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (0.0, 255.0), (0.0, 1 / 255))
TRIED = ("crop", "resize", "color", "range", "output")  # of a description, as far as it is not declared

FRAMES, BURST = 200, 25  # at most so many frames, so many of them one after the other
FIRST_LOOK, KEPT = 24, 16  # frames on which all preparations are tried, and how many of them are tried on all frames
SIGMA = 4.0  # frames: of the Gaussian by which angles and answers are smoothed
BLOCK = 15  # frames that are drawn together: 2 √π · SIGMA, within which smoothed angles resemble each other
DRAWS, INTERVAL = 400, (0.025, 0.975)


class Evidence(NamedTuple):
    """What a network does when it is asked in one way; a number that the drive does not give is NaN."""

    description: Description
    cameras: float  # share of frames in which it steers left camera > center > right camera
    reverse: float  # share in which it is the other way round
    beside: tuple[float, float]  # how much further right it steers at the left camera, and at the right one
    mirror: float  # correlation with its answers to the mirrored frames: -1 at best
    agreement: float  # correlation with the recorded angles
    smoothed: float  # the same, both smoothed
    factor: float  # degrees for each 1 of its smoothed answers that fit the recorded angles best
    mean: float  # of its answers, as they are
    spread: float  # their standard deviation
    same: float  # share of frames with the very same answer
    most: float  # the largest size of an answer
    score: float  # the sum by which preparations are ranked, at most `best_possible`
    order_95: tuple[float, float] = (np.nan, np.nan)  # 95 % intervals: of `cameras` - `reverse`
    mirror_95: tuple[float, float] = (np.nan, np.nan)
    smoothed_95: tuple[float, float] = (np.nan, np.nan)
    behind_95: tuple[float, float] = (np.nan, np.nan)  # of how much less than the best it scores on the same frames

    @property
    def best_possible(self) -> int:
        """The score of a network that passes each test that the drive allows."""
        return int(np.isfinite([self.cameras, self.mirror, self.smoothed]).sum())

    @property
    def constant(self) -> bool:
        """Whether it answers next to nothing but one number."""
        return self.spread < 1e-3 * max(1.0, abs(self.mean))

    @property
    def may_be_best(self) -> bool:
        """Whether the drive cannot tell it from the best: zero lies in the interval of what it is behind."""
        return not self.behind_95[0] > 0


class Answers(NamedTuple):
    """What a network answers to the frames of a drive, (n,) each; None where there is no such camera."""

    center: np.ndarray
    mirrored: np.ndarray
    left: np.ndarray | None
    right: np.ndarray | None


def find_preparation(
    raw: Raw,
    drive: Drive,
    left: Drive | None = None,
    right: Drive | None = None,
    told: Description | None = None,
    ranges: Sequence[tuple[float, float]] = RANGES,
    outputs: Sequence[str | int | None] = (None,),
    progress: Callable[[list], list] = list,
) -> list[Evidence]:
    """Ask a network in all plausible ways, and rank them. Introduced in notebook 10.

    Parameters
    ----------
    raw : Raw
        The network as its file has it, see `steerlib.networks.black_box`; `raw_model` makes one of a Keras model.
    drive : Drive
        With recorded angles or without.
    left, right : Drive, optional
        The same frames from the two other cameras.
    told : Description, optional
        What is known, and not tried.
    ranges : sequence of (low, high)
        Those that are tried.
    outputs : sequence
        Names or places of the outputs that are tried.
    progress : function
        Given the list of preparations, gives them one by one; such as tqdm.

    Returns
    -------
    list of Evidence
        The most plausible first.

    Raises
    ------
    ValueError
        Where the drive has fewer than 20 frames, or a network is not understood.
    """
    if len(drive) < 20:
        raise ValueError(f"drive {drive.name!r} has {len(drive)} frames: to find out anything 20 are needed")
    told = told or Description()
    ways = plausible(raw.input_shape, drive, told, ranges, outputs)
    chosen, runs = frames_to_ask(drive, FRAMES)
    recorded = drive.angles[chosen].astype(np.float64)

    views = [drive, left, right] if left is not None and right is not None else [drive]
    shape, own = raw.input_shape, told.size or tuple(raw.input_shape[-3:-1])

    @lru_cache(maxsize=1)  # ways that differ in their range or output alone follow each other
    def see(key: tuple, frames: tuple) -> np.ndarray:
        crop, seen_so, color = key
        small = [view.pixels(np.array(frames), told.color_at or own, crop, **dict(seen_so)) for view in views]
        small.insert(1, small[0][:, :, ::-1])
        pixels = np.concatenate(small)
        if told.color_at:
            return in_its_color(pixels.astype(np.float32) / 255, told, color, own)
        return pixels_to_color(pixels, color)

    @lru_cache(maxsize=1)
    def answer(key: tuple, range: tuple[float, float], frames: tuple) -> list:
        seen = see(key, frames)
        parts = np.split(seen, np.arange(64, len(seen), 64))
        return [raw.ask(in_range(to_unit(part) if part.dtype == np.uint8 else part, range, shape)) for part in parts]

    def ask(way: Description, frames: np.ndarray) -> Answers:
        key = (way.crop, tuple(way.before_color().items()), way.color)
        bare = dataclasses.replace(way, unit="degrees", sign=1)  # answers as they are
        parts = answer(key, way.range, tuple(frames.tolist()))
        found = np.concatenate([answers_in_degrees(part, bare, raw.name) for part in parts])
        center, mirrored, *beside = np.split(found, len(views) + 1)
        return Answers(center, mirrored, *(beside or (None, None)))

    if len(ways) > KEPT:
        # A few frames of everywhere are enough to leave out what is nowhere near.
        few = np.unique(np.linspace(0, len(chosen) - 1, FIRST_LOOK).astype(int))
        answers = [ask(way, chosen[few]) for way in progress(ways)]
        found = compare(ways, answers, recorded[few], runs[few], consecutive=False)
        kept = _worth_asking(found)
        ways = [way for way in ways if way in kept]
    answers = [ask(way, chosen) for way in progress(ways)]
    found = compare(ways, answers, recorded, runs)
    # How it is made smaller hardly counts, so it is tried last, where it may decide.
    if told.resize is None and told.color_at is None and drive.frame(0).shape[:2] != own:
        others = [dataclasses.replace(one.description, resize="linear") for one in found if one.may_be_best]
        found = compare([*ways, *others], [*answers, *(ask(way, chosen) for way in progress(others))], recorded, runs)
    return found


def _worth_asking(found: Sequence[Evidence]) -> list[Description]:
    """Say what is asked on all frames after a first look: what may be best, and the best of each crop, color and range.

    So nothing that was tried is left out unsaid. `found` has the most plausible first.
    """
    kept = [one.description for one in found[:KEPT] if one.may_be_best]
    for name in ("crop", "color", "range"):
        for one in found:
            if not one.constant and getattr(one.description, name) not in {getattr(way, name) for way in kept}:
                kept.append(one.description)
    return kept


def compare(
    ways: Sequence[Description],
    answers: Sequence[Answers],
    recorded: np.ndarray,
    runs: np.ndarray,
    consecutive: bool = True,
) -> list[Evidence]:
    """Weigh what a network answers, asked in several ways, and say which of them the frames cannot tell apart.

    Parameters
    ----------
    ways : sequence of Description
    answers : sequence of Answers
        To the same frames, for each way.
    recorded, runs, consecutive
        As for `weigh`.

    Returns
    -------
    list of Evidence
        The most plausible first, with 95 % intervals: Efron's percentile bootstrap over blocks of frames (Künsch 1989),
        the same blocks for each way, so that what is said of their differences is not blurred by hard frames.
    """
    found = [
        weigh(one, recorded, runs, consecutive, way.sign)._replace(description=way) for way, one in zip(ways, answers)
    ]
    block = BLOCK if consecutive else 1
    blocks = np.split(np.arange(len(recorded)), range(block, len(recorded), block))
    rng = np.random.default_rng(0)
    draws = [np.concatenate([blocks[i] for i in rng.integers(len(blocks), size=len(blocks))]) for _ in range(DRAWS)]
    best = int(np.argmax([one.score for one in found]))
    parts = [_drawn(one, asked, recorded, runs, consecutive, draws) for one, asked in zip(found, answers)]  # (draws, 4)
    intervals = [
        [tuple(np.quantile(values, INTERVAL)) for values in (*part[:, :3].T, parts[best][:, 3] - part[:, 3])]
        for part in parts
    ]
    names = ("order_95", "mirror_95", "smoothed_95", "behind_95")
    found = [one._replace(**dict(zip(names, each))) for one, each in zip(found, intervals)]
    return sorted(found, key=lambda one: -one.score)


def _drawn(
    one: Evidence, answers: Answers, recorded: np.ndarray, runs: np.ndarray, consecutive: bool, draws: list[np.ndarray]
) -> np.ndarray:
    """Give order, mirror, smoothed and score for each draw of frames, (draws, 4)."""
    soft, soft_recorded = (smooth(each, runs) if consecutive else each for each in (answers.center, recorded))
    right, reverse = (np.nan, np.nan) if answers.left is None else _ordered(answers)
    order = np.subtract(right, reverse, dtype=np.float64) * np.ones(len(recorded))
    sign, made = one.description.sign or _sign(one.cameras - one.reverse, one.smoothed), []
    for draw in draws:
        center, known = answers.center[draw], draw[np.isfinite(recorded[draw])]
        mirror = correlation_or_nan(center, answers.mirrored[draw])
        smoothed = correlation_or_nan(soft[known], soft_recorded[known])
        score = _score(order[draw].mean(), mirror, smoothed, center.mean(), center.std(), sign)
        made.append((order[draw].mean(), mirror, smoothed, score))
    return np.array(made)


def plausible(
    shape: tuple,
    drive: Drive,
    told: Description,
    ranges: Sequence[tuple[float, float]],
    outputs: Sequence[str | int | None],
) -> list[Description]:
    """List the preparations that are tried for a network that takes a shape, (None, h, w, c)."""
    size, channels = told.size or tuple(shape[-3:-1]), shape[-1]
    frame = drive.frame(0).shape[:2]
    whole, simulator = frame == (told.color_at or size), frame == SIMULATOR_FRAME
    choices = {
        "crop": [(0.0, 1.0)] if whole else list(dict.fromkeys([(0.0, 1.0), SIMULATOR if simulator else drive.crop])),
        "resize": ["area"],  # another one is tried at the end
        "color": [color for color in COLORS if channels_of(color) == channels],
        "range": list(ranges),
        "output": list(outputs),
    }
    choices = {name: [getattr(told, name)] if name in told.told() else tried for name, tried in choices.items()}
    return [dataclasses.replace(told, **dict(zip(choices, one))) for one in itertools.product(*choices.values())]


def frames_to_ask(drive: Drive, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose frames: all of them, or bursts that are spread over the drive; and the number of each one's burst."""
    if len(drive) <= most:
        return np.arange(len(drive)), np.asarray(drive.runs)
    starts = np.linspace(0, len(drive) - BURST, most // BURST).astype(int)
    chosen = (starts[:, None] + np.arange(BURST)).ravel()
    chosen, first = np.unique(chosen, return_index=True)
    return chosen, drive.runs[chosen] * len(starts) + first // BURST


def weigh(
    answers: Answers, recorded: np.ndarray, runs: np.ndarray, consecutive: bool = True, sign: int | None = None
) -> Evidence:
    """Measure what a network's answers say about the way in which it was asked.

    Parameters
    ----------
    answers : Answers
    recorded : (n,) degrees, NaN where there are none
    runs : (n,) int
        Nothing is smoothed from one to the next.
    consecutive : bool
        Whether the frames of a run follow each other.
    sign : {1, -1}, optional
        Of the answer, where it is told; else the likelier one.
    """
    center = answers.center
    cameras = reverse = float("nan")
    beside = (float("nan"), float("nan"))
    if answers.left is not None:
        cameras, reverse = (float(one.mean()) for one in _ordered(answers))
        beside = float((answers.left - center).mean()), float((answers.right - center).mean())
    known = np.isfinite(recorded)
    soft, soft_recorded = (smooth(one, runs) if consecutive else one for one in (center, recorded))
    counts = np.unique(np.round(center, 12), return_counts=True)[1]
    square = float((soft[known] ** 2).sum())
    evidence = Evidence(
        description=Description(),
        cameras=cameras,
        reverse=reverse,
        beside=beside,
        mirror=correlation_or_nan(center, answers.mirrored),
        agreement=correlation_or_nan(center[known], recorded[known]),
        smoothed=correlation_or_nan(soft[known], soft_recorded[known]),
        factor=float((soft[known] * soft_recorded[known]).sum()) / square if square else float("nan"),
        mean=float(center.mean()),
        spread=float(center.std()),
        same=float(counts.max() / len(center)) if counts.max() > 1 else 0.0,
        most=float(np.abs(center).max()),
        score=0.0,
    )
    order, mirror, smoothed = cameras - reverse, evidence.mirror, evidence.smoothed
    sign = sign or _sign(order, smoothed)
    return evidence._replace(score=_score(order, mirror, smoothed, evidence.mean, evidence.spread, sign))


def _sign(order: float, smoothed: float) -> int:
    """Tell which sign of the answer is likelier, where it is not told."""
    return -1 if np.nansum([order, smoothed]) < 0 else 1


def _score(order: float, mirror: float, smoothed: float, mean: float, spread: float, sign: int) -> float:
    """Add up what speaks for a preparation: each part from -1 to 1, those that are not known left out."""
    score = float(np.nansum([sign * order, -mirror, sign * smoothed]))
    if spread < 1e-3 * max(1.0, abs(mean)) or not np.isfinite(mirror):
        return score - 3  # the others say nothing about what does not vary
    # A road has bends to both sides: answers whose mean is far beyond their spread do not steer.
    return score - min(1.0, max(0.0, abs(mean) / spread - 1.5) / 2)


def _ordered(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Tell of each frame whether left > center > right, and whether it is the other way round."""
    left, center, right = answers.left, answers.center, answers.right
    return (left > center) & (center > right), (left < center) & (center < right)


def smooth(values: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Smooth values in time, within each run; where one is missing it and its run's others count without it."""
    made = np.full(len(values), np.nan)
    for run in np.unique(runs):
        at = np.flatnonzero((runs == run) & np.isfinite(values))
        if len(at):
            made[at] = gaussian_filter1d(values[at], SIGMA, mode="nearest")
    return made


def rivals(found: Sequence[Evidence], name: str) -> dict[object, float]:
    """Give, for each value of one thing that was tried, the best score among those that may be the best of all."""
    best: dict[object, float] = {}
    for one in found:
        if one.may_be_best:
            best.setdefault(getattr(one.description, name), one.score)
    return best
