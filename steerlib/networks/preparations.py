"""Finding out on a drive how a network wants to be asked (notebook 10).

A network's file does not say which part of a frame it was trained on, nor in which colors. Each plausible preparation
is tried, and ranked by what a network that steers must do when it is asked rightly, with recorded angles or without:

- seen from the left camera of a car with three it steers to the right of what it does in the middle, from the right
  camera to the left;
- in the mirrored picture it steers to the other side: the correlation is -1 at best;
- its answers follow the recorded angles, smoothed over some frames, since a keyboard gives pulses.

How sure the ranking is, is measured by repeating it on random parts of the drive.
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
from steerlib.drives.drive import vision
from steerlib.networks.colors import channels_of
from steerlib.networks.description import Description
from steerlib.networks.raw import Raw, answers_in_degrees, in_its_color, in_range

SIMULATOR = (60 / 160, 135 / 160)  # rows of Udacity's simulator without sky and hood, as most of its networks see
SIMULATOR_FRAME = (160, 320)
COLORS = ("RGB", "BGR", "YUV", "YUV-swapped", "HSV", "HLS", "Lab", "gray", "saturation")
RANGES = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (0.0, 255.0), (0.0, 1 / 255))
TRIED = ("crop", "resize", "color", "range", "output")  # of a description, as far as it is not declared

FRAMES, BURST = 200, 25  # at most so many frames, so many of them one after the other
FIRST_LOOK, KEPT = 24, 16  # frames on which all preparations are tried, and how many of them are tried on all frames
SIGMA = 4.0  # frames: of the Gaussian by which angles and answers are smoothed
BLOCK, RESAMPLED = 10, 400  # frames that are drawn together, and how often the drive is drawn anew
SURE = 0.9  # share of the draws
# By how much less than the best a right preparation may score: of ten published networks whose preparation is known,
# most asked on 181 frames of a simulator driven with the keyboard, it was nothing for five, up to 0.35 for three, and
# more for two that do better with the whole frame than with the part that their authors state. Chosen on these ten: for
# others it is a guess.
TIE = 0.4
WELL = 2 / 3  # of what could be reached: below, nothing that was tried suits
DEAD = 0.02  # share of the frames with the very same answer


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
    score: float  # the sum by which preparations are ranked
    firsts: float  # share of the draws in which this one is first

    @property
    def reached(self) -> float:
        """The score as a share of what could be reached, with what the drive gives."""
        return (
            self.score / sum(np.isfinite(part) for part in (self.cameras, self.mirror, self.smoothed))
            if self.score
            else 0.0
        )

    @property
    def constant(self) -> bool:
        """Whether it answers next to nothing but one number."""
        return self.spread < 1e-3 * max(1.0, abs(self.mean))


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
        The network as its file has it, see `steerlib.networks.raw`; `raw_model` makes one of a Keras model.
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
        return in_its_color(np.concatenate(small).astype(np.float32) / 255, told, color, own)

    @lru_cache(maxsize=1)
    def answer(key: tuple, range: tuple[float, float], frames: tuple) -> list:
        seen = see(key, frames)
        return [raw.ask(in_range(part, range, shape)) for part in np.split(seen, np.arange(64, len(seen), 64))]

    def ask(way: Description, frames: np.ndarray) -> Answers:
        key = (way.crop, tuple(vision(way).items()), way.color)
        bare = dataclasses.replace(way, unit="degrees", sign=1)  # answers as they are
        parts = answer(key, way.range, tuple(frames.tolist()))
        found = np.concatenate([answers_in_degrees(part, bare, raw.name) for part in parts])
        center, mirrored, *beside = np.split(found, len(views) + 1)
        return Answers(center, mirrored, *(beside or (None, None)))

    if len(ways) > KEPT:
        # A few frames of everywhere are enough to leave out what is nowhere near.
        few = np.unique(np.linspace(0, len(chosen) - 1, FIRST_LOOK).astype(int))
        scores = [weigh(ask(way, chosen[few]), recorded[few], runs[few], False).score for way in progress(ways)]
        ways = [ways[i] for i in np.argsort(scores, kind="stable")[::-1][:KEPT]]
    answers = [ask(way, chosen) for way in progress(ways)]
    found = [weigh(one, recorded, runs)._replace(description=way) for way, one in zip(ways, answers)]
    firsts = _resampled(answers, recorded, runs)
    found = [one._replace(firsts=share) for one, share in zip(found, firsts)]
    return sorted(found, key=lambda one: -one.score)


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
        "resize": ["area"] if whole or told.color_at else ["area", "linear"],
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


def weigh(answers: Answers, recorded: np.ndarray, runs: np.ndarray, consecutive: bool = True) -> Evidence:
    """Measure what a network's answers say about the way in which it was asked.

    Parameters
    ----------
    answers : Answers
    recorded : (n,) degrees, NaN where there are none
    runs : (n,) int
        Nothing is smoothed from one to the next.
    consecutive : bool
        Whether the frames of a run follow each other.
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
        mirror=_correlation(center, answers.mirrored),
        agreement=_correlation(center[known], recorded[known]),
        smoothed=_correlation(soft[known], soft_recorded[known]),
        factor=float((soft[known] * soft_recorded[known]).sum()) / square if square else float("nan"),
        mean=float(center.mean()),
        spread=float(center.std()),
        same=float(counts.max() / len(center)) if counts.max() > 1 else 0.0,
        most=float(np.abs(center).max()),
        score=0.0,
        firsts=0.0,
    )
    return evidence._replace(score=_score(evidence.cameras - reverse, evidence.mirror, evidence.smoothed, evidence))


def _score(order: float, mirror: float, smoothed: float, evidence: Evidence) -> float:
    """Add up what speaks for a preparation: each part from -1 to 1, those that are not known left out."""
    parts = np.array([order, -mirror, smoothed])
    score = float(np.nansum(parts))
    if evidence.constant or not np.isfinite(mirror):
        return score - 3  # the others say nothing about what does not vary
    # A road has bends to both sides: answers whose mean is far beyond their spread do not steer.
    return score - min(1.0, max(0.0, abs(evidence.mean) / evidence.spread - 1.5) / 2)


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


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Correlate; NaN where one of them does not vary."""
    one, other = (values - values.mean() if len(values) else values for values in (one, other))
    size = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / size) if size > 1e-9 else float("nan")


def _resampled(answers: list[Answers], recorded: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Give the share of draws, of blocks of the frames with repetition, in which each preparation is first."""
    rng, count = np.random.default_rng(0), len(recorded)
    blocks = np.split(np.arange(count), range(BLOCK, count, BLOCK))
    soft = [(smooth(one.center, runs), smooth(recorded, runs)) for one in answers]
    wins = np.zeros(len(answers))
    for _ in range(RESAMPLED):
        drawn = np.concatenate([blocks[i] for i in rng.integers(len(blocks), size=len(blocks))])
        known = drawn[np.isfinite(recorded[drawn])]
        scores = []
        for one, (mine, theirs) in zip(answers, soft):
            part = Answers(*(None if values is None else values[drawn] for values in one))
            order = np.nan if one.left is None else float(np.subtract(*(right.mean() for right in _ordered(part))))
            facts = Evidence(*[np.nan] * 14)._replace(mean=part.center.mean(), spread=part.center.std())
            mirror = _correlation(part.center, part.mirrored)
            scores.append(_score(order, mirror, _correlation(mine[known], theirs[known]), facts))
        wins[int(np.argmax(scores))] += 1
    return wins / RESAMPLED


def rivals(found: Sequence[Evidence], name: str) -> dict[object, float]:
    """Give, for each value of one thing that was tried, the best score; only those that come near the best of all."""
    best: dict[object, float] = {}
    for one in found:
        best.setdefault(getattr(one.description, name), one.score)
    return {value: score for value, score in best.items() if score > found[0].score - TIE}


def shares(found: Sequence[Evidence], name: str) -> dict[object, float]:
    """Add up, for each value of one thing that was tried, in which share of the draws it belongs to the first one."""
    totals: dict[object, float] = {}
    for one in found:
        value = getattr(one.description, name)
        totals[value] = totals.get(value, 0.0) + one.firsts
    return dict(sorted(totals.items(), key=lambda item: -item[1]))
