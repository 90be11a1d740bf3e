"""Angles that no hand on a steering wheel can have made, or that are not what they are taken for (notebook 01)."""

import itertools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from steerlib.drives.drive import Drive

FEWEST = 10, 30  # frames: fewer say nothing about a unit, and nothing about a keyboard
FRACTION = 1.001  # of full lock, and what rounding adds
LEAP = 30.0  # degrees that a wheel cannot be turned, and back, within one frame
LONGEST_STEP = 0.5  # seconds; in a longer step it can
TURN = 300.0, 360.5  # degrees: what a jump from one end of 0…360 to the other looks like

# The sign in the pictures: where, how large and how far a band of them is compared with the next one.
BAND = (0.3, 0.5)  # of a frame's height: near the horizon, where little but the car's own turning moves
WIDTH, SHIFT = 160, 15  # pixels
ALIKE = 0.5  # correlation of two bands below which they do not show the same
BURSTS, PAIRS = 20, 20  # so many parts of a drive, so many pairs of frames in each
MOVING = 100, 0.1  # so many pairs are needed whose bands are so many pixels apart
CLEAR = 0.4  # correlation of shift and angle below which the pictures say nothing


class Doubt(NamedTuple):
    """Why the angles of a drive may not be what they are taken for."""

    what: str  # "unit", "constant", "keyboard", "wrap", "beyond", "spikes", "dropouts" or "sign"
    frames: np.ndarray  # (m,) int, the frames concerned: indices into the drive
    sentence: str  # what was found, and what to do about it


class AngleWarning(UserWarning):
    """The angles of a drive that was loaded are in doubt."""


class Sign(NamedTuple):
    """What the pictures say about the sign of the angles.

    The correlation is that of the scene's shift to the right with the angle: below 0 where positive is right, as it
    should be; above 0 where positive is left; NaN where there are too few pairs or no angles that differ.
    """

    correlation: float
    pairs: int  # of frames that follow each other, and between which the scene moved

    @property
    def clear(self) -> bool:
        """Whether the pictures say anything."""
        return self.pairs >= MOVING[0] and abs(self.correlation) >= CLEAR

    @property
    def wrong(self) -> bool:
        """Whether positive is left in the pictures."""
        return self.clear and self.correlation > 0

    def __str__(self) -> str:
        measured = f"correlation {self.correlation:+.2f} of {self.pairs:,} pairs of frames"
        if self.clear:
            return f"in the pictures positive is {'left' if self.wrong else 'right'} ({measured})"
        found = measured if np.isfinite(self.correlation) else f"the scene moves in {self.pairs:,} pairs of frames"
        return f"the pictures do not say which side is positive: {found}, and {MOVING[0]} in bends are needed"


def check_angles(drive: Drive, pictures: bool = False) -> list[Doubt]:
    """Ask whether a drive's angles can be what they are taken for, degrees and positive to the right (notebook 01).

    Each doubt is a question that only somebody who knows the recording can answer: a minute of a straight highway
    looks like radians.

    Parameters
    ----------
    drive : Drive
    pictures : bool
        Also compare the sign with some 400 pairs of frames (`picture_sign`); else no picture is read.

    Returns
    -------
    list of Doubt
        Empty where there is none.
    """
    known = np.flatnonzero(np.isfinite(drive.angles))
    doubts = list(_of_all(drive.angles[known], known)) if len(known) else []
    if "keyboard" not in [doubt.what for doubt in doubts]:  # a key moves the wheel out and back in one frame
        doubts += _of_some(drive)
    if pictures and (sign := picture_sign(drive)).wrong:
        doubts.append(Doubt("sign", known, f"{sign}: drive.angles = -drive.angles turns them"))
    return doubts


def doubts_in_words(name: str, doubts: Iterable[Doubt]) -> str:
    """Put what makes a drive doubtful as a whole in one message; "" where nothing does.

    Without the sensor's dropouts to zero, which are usual in recordings, and which notebook 01 looks for.
    """
    sentences = [doubt.sentence for doubt in doubts if doubt.what != "dropouts"]
    return f"drive {name!r}: {'; '.join(sentences)}" if sentences else ""


def suspect_labels(drive: Drive, threshold: float = 2.0) -> np.ndarray:
    """Find labels that jump for one frame and back: the sensor's fault (notebook 01).

    These are exact zeros inside a curve, and leaps to any other value, by more than `LEAP` degrees from all of the two
    frames before and after. Neighbors are those of the recording, in the same run, also where their frames are missing
    or not in this subset. In the 63,825 labels of the 2018 drive the default finds 1,370, all of them zeros. Zeros of
    two and more frames in a row are not looked for, and in the simulator, driven with the keyboard, a true zero can
    look like this. Where frames are more than `LONGEST_STEP` seconds apart a leap can be a turn at a crossing: there
    only zeros are found.

    Parameters
    ----------
    drive : Drive
    threshold : float
        Degrees: how far both neighbors of a zero at least are from it, on the same side.

    Returns
    -------
    (m,) int
        Indices into `drive`, ascending.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold={threshold}: expected degrees, at least 0")
    return np.union1d(_dropouts(drive, threshold), _spikes(drive))


def picture_sign(drive: Drive) -> Sign:
    """Ask the pictures whether positive is right: where the car turns right, the scene moves to the left (notebook 01).

    A band near the horizon, as the mean gray of its columns, is found again in the next frame, and its shift is
    correlated with the angle. Looked at are at most `BURSTS` times `PAIRS` pairs of frames that follow each other: in
    each of so many parts of the drive those with the largest angles. Frames that cannot be read are left out.

    Parameters
    ----------
    drive : Drive

    Returns
    -------
    Sign
        Without a verdict where the frames show only what a network sees: no horizon is in them.
    """
    rows = drive._rows
    follows = (np.diff(rows) == 1) & (np.diff(drive._film.runs[drive._film.places[rows]]) == 0)
    angles = (drive.angles[1:] + drive.angles[:-1]) / 2
    pairs = np.flatnonzero(follows & np.isfinite(angles))
    if drive.cut or len(pairs) < MOVING[0]:
        return Sign(np.nan, 0)
    pairs = np.concatenate([_bend(part, angles) for part in np.array_split(pairs, BURSTS)])
    frames = np.union1d(pairs, pairs + 1)
    with ThreadPoolExecutor() as pool:
        bands = dict(zip(frames, pool.map(lambda i: _band(drive, i), frames)))
    shifts = np.array([_shift(bands[i], bands[i + 1]) for i in pairs])
    moving = np.abs(shifts) >= MOVING[1]  # NaN is not
    shifts, angles = shifts[moving], angles[pairs[moving]]
    if len(shifts) < MOVING[0] or np.ptp(angles) == 0:
        return Sign(np.nan, len(shifts))
    return Sign(float(np.corrcoef(shifts, angles)[0, 1]), len(shifts))


def _of_all(angles: np.ndarray, known: np.ndarray) -> Iterable[Doubt]:
    """Doubt what all angles have in common."""
    least, most = float(angles.min()), float(angles.max())
    values = np.unique(angles)
    count, largest = len(angles), max(-least, most)
    if count >= FEWEST[0] and least == most:
        sentence = f"all {count:,} angles are {least:g}°: was nothing recorded, or another column read?"
        yield Doubt("constant", known, sentence + " A network learns nothing from them")
    elif count >= FEWEST[1] and len(values) <= 3:
        listed = ", ".join(f"{value:g}°" for value in values)
        sentence = f"only {len(values)} angles occur ({listed}): was a keyboard at the wheel?"
        yield Doubt("keyboard", known, sentence + " A network learns little else; steer with a mouse, gamepad or wheel")
    if count >= FEWEST[0] and least < most and largest <= np.pi:
        fraction = ", or fractions of full lock" if largest <= FRACTION else ""
        sentence = f"all {count:,} angles lie between {least:.3g} and {most:.3g}: are they radians{fraction}?"
        remedy = " Radians: load_drive(..., unit='radians'), or drive.angles = np.degrees(drive.angles)"
        yield Doubt("unit", known, sentence + remedy)


def _of_some(drive: Drive) -> Iterable[Doubt]:
    """Doubt single angles, and jumps between them."""
    beyond = np.flatnonzero(np.abs(drive.angles) > 180)
    if len(jumps := _wraps(drive)):
        sentence = f"{_some(len(jumps), 'jump', 'jumps')} of about 360° {_first(drive, jumps)}: are angles counted "
        yield Doubt("wrap", jumps, sentence + "from 0 to 360? Then drive.angles = (drive.angles + 180) % 360 - 180")
        beyond = beyond[:0]
    elif len(spikes := _spikes(drive)):
        sentence = f"{_some(len(spikes), 'angle leaps', 'angles leap')} out of a curve and back within one frame "
        sentence += f"{_first(drive, spikes)}; suspect_labels finds them, to leave them out"
        yield Doubt("spikes", spikes, sentence)
    if len(beyond):
        most = drive.angles[beyond][np.abs(drive.angles[beyond]).argmax()]
        sentence = f"{_some(len(beyond), 'angle is', 'angles are')} beyond ±180°, up to {most:+.1f}° "
        sentence += f"{_first(drive, beyond)}, which PilotNet cannot answer: leave these frames out"
        yield Doubt("beyond", beyond, sentence)
    if len(dropouts := _dropouts(drive, 2.0)):
        sentence = f"{_some(len(dropouts), 'angle drops', 'angles drop')} to zero for one frame of a curve "
        sentence += f"{_first(drive, dropouts)}; suspect_labels finds them, to leave them out"
        yield Doubt("dropouts", dropouts, sentence)


def _dropouts(drive: Drive, threshold: float) -> np.ndarray:
    """Find single zeros between neighbors that are large and on the same side."""
    before, after = (_neighbors(drive, shift) for shift in (-1, 1))
    large = np.minimum(np.abs(before), np.abs(after)) > threshold  # NaN, no neighbor, is above nothing
    return np.flatnonzero((drive.angles == 0) & large & (np.sign(before) == np.sign(after)))


def _spikes(drive: Drive) -> np.ndarray:
    """Find single leaps to any value but zero; of two dropouts with a true angle in between, that is none."""
    film = drive._film
    if film.timestamps is not None and len(film.places) > 1:
        steps = np.diff(film.timestamps) / np.diff(film.places).clip(1)
        if (steps > 0).any() and np.median(steps[steps > 0]) > LONGEST_STEP:
            return np.array([], int)
    around = np.array([_neighbors(drive, shift) for shift in (-2, -1, 1, 2)])
    away = drive.angles - around
    near = away[1:3]
    same_side = (near > LEAP).all(axis=0) | (near < -LEAP).all(axis=0)
    leaps = ~(np.abs(away[[0, 3]]) <= LEAP).any(axis=0)  # NaN: at an end of the run, the other neighbors decide
    smooth = np.abs(around[1] - around[2]) < np.abs(near).min(axis=0) / 2
    return np.flatnonzero(same_side & leaps & smooth & (drive.angles != 0))


def _wraps(drive: Drive) -> np.ndarray:
    """Find where angles jump from one end of a full circle to the other, if they never leave it."""
    known = drive.angles[np.isfinite(drive.angles)]
    if not len(known) or np.ptp(known) > TURN[1]:
        return np.array([], int)
    jump = np.abs(drive.angles - _neighbors(drive, -1))
    return np.flatnonzero((jump >= TURN[0]) & (jump <= TURN[1]))


def _neighbors(drive: Drive, shift: int) -> np.ndarray:
    """Give the angle so many places later in the recording; NaN where its run has none.

    Angles of the drive may have been repaired, or all of them turned: what they are now counts, and beside an angle
    that was changed nothing does that is not in the drive.
    """
    recorded, runs = drive._film.recorded, drive._film.runs
    places = drive._film.places[drive._rows]
    now, changed = recorded.copy(), drive.angles != recorded[places]
    now[places] = drive.angles
    there = places + shift
    inside = (there >= 0) & (there < len(recorded))
    there = np.where(inside, there, places)
    counts = inside & (runs[there] == runs[places]) & (~changed | np.isin(there, places))
    return np.where(counts, now[there], np.nan)


def _bend(part: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Choose, of the pairs in a part of a drive, those in a row with the largest angles; parking is none."""
    length = min(PAIRS, len(part))
    size = np.abs(angles[part])
    sums = np.convolve(np.where(size > 90, 0, size), np.ones(length), "valid")
    return part[sums.argmax() :][:length]


def _band(drive: Drive, i: int) -> np.ndarray | None:
    """Give the mean gray of the columns of a frame's band: (1, WIDTH) float32, or None where it cannot be read."""
    try:
        frame = drive.frame(i)
    except (ValueError, OSError):
        return None
    top, bottom = (round(fraction * len(frame)) for fraction in BAND)
    band = cv2.cvtColor(frame[top : max(bottom, top + 1)], cv2.COLOR_RGB2GRAY)
    return cv2.resize(band.mean(axis=0, dtype=np.float32, keepdims=True), (WIDTH, 1), interpolation=cv2.INTER_AREA)


def _shift(band: np.ndarray | None, following: np.ndarray | None) -> float:
    """Give by how many pixels the second band shows the scene further to the right; NaN where it does not show it."""
    if band is None or following is None:
        return np.nan
    alike = cv2.matchTemplate(following, band[:, SHIFT:-SHIFT], cv2.TM_CCOEFF_NORMED)[0]
    best = int(alike.argmax())
    if best in (0, 2 * SHIFT) or not alike[best] >= ALIKE:
        return np.nan
    before, here, after = alike[best - 1 : best + 2].astype(float)
    curve = before - 2 * here + after  # the top of the parabola through the three
    return best - SHIFT + ((before - after) / (2 * curve) if curve < 0 else 0.0)


def _some(count: int, one: str, many: str) -> str:
    """Count something."""
    return f"{count:,} {one if count == 1 else many}"


def _first(drive: Drive, frames: np.ndarray) -> str:
    """Name the first few of some frames."""
    listed = [f"{drive.names[i]}: {drive.angles[i]:+.1f}°" for i in itertools.islice(frames, 3)]
    return f"({', '.join(listed)}{', …' * (len(frames) > 3)})"
