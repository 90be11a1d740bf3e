"""What a format gives of a recording, and what formats share: lines of text, numbers, units, times, runs."""

import codecs
import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from steerlib.drives.files import Files

# Name of the frame as written, angle, time: seconds, or text as it is written; None where there is none.
Label = tuple[str, float, float | str | None]

# What an angle may be written in, how it is called in messages, and the most that a sensor or a simulator writes.
UNITS = {"fraction": 1.001, "radians": 15.0, "degrees": 2000.0}
WORDS = {"fraction": "from -1 to 1", "radians": "in radians", "degrees": "in degrees"}
FULL_LOCK = 25.0  # degrees, of Udacity's simulator; elsewhere an assumption, which is told
PICTURE_NAME = re.compile(r".*\.(bmp|jpe?g|png|webp)", re.IGNORECASE | re.DOTALL)
TIME = re.compile(r"(\d{4})-(\d\d?)-(\d\d?) (\d\d?):(\d\d?):(\d\d?):(\d{1,3})")
GAP = 10, 1.0  # a step of so many usual ones, and of at least so many seconds, ends a run


class BadCell(ValueError):
    """Part of a line for which it is no label; its text says which."""


@dataclass
class Recording:
    """The lines of a label file, those that are no label among them, or the frames of a film.

    Attributes
    ----------
    lines : n int
        Where each stands in the file, from 1.
    names : n str
        The frame as it is written there.
    angles : (n,) float32
        Degrees of the steering wheel, positive = right; NaN where there is none.
    times : (n,) float64 or None
        Seconds since the first label; None where not every label has one.
    problems : dict
        What stands in those lines that are no label, by their place in the list.
    expected : str
        What a line should be.
    places : callable
        Paths where the frame of a name may lie, from the label file's folder, the likeliest first. Whatever they are,
        none that leads out of the folder is looked at.
    frames_in : str
        The folder where frames are expected that do not lie beside the label file.
    runs : (n,) int
        The number of the run of each, ascending: where a recording was interrupted, the next begins.
    notes : list of str
        What else the user should know, a sentence each.
    read : callable, optional
        Gives the frame of a place in the list, (H, W, 3) uint8 RGB, where frames are no files of their own.
    """

    lines: list[int]
    names: list[str]
    angles: np.ndarray
    times: np.ndarray | None
    problems: dict[int, str]
    expected: str
    places: Callable[[str], Sequence[str]]
    frames_in: str
    runs: np.ndarray
    notes: list[str] = field(default_factory=list)
    read: Callable[[int], np.ndarray] | None = None


def read_lines(files: Files, label_file: str) -> list[tuple[int, str]]:
    """Give the number and content of each line that is not blank, in the encoding that the first bytes tell.

    What is no text becomes replacement characters.
    """
    data = files.read(label_file)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(line, content.strip()) for line, content in enumerate(lines, start=1) if content.strip()]


def check_lines(lines: list[tuple[int, str]], expected: str, camera: str, cameras: Collection[str], where: str) -> None:
    """Refuse a label file without labels, or without those of a camera."""
    if not lines:
        raise ValueError(f"{where} has no labels: expected lines of {expected}")
    if camera not in cameras:
        raise ValueError(f"camera={camera!r}: {where} has only {', '.join(cameras) or 'other columns'}")


def record(
    lines: Sequence[tuple[int, Any]],
    label: Callable[[Any], Label],
    expected: str,
    places: Callable[[str], Sequence[str]],
    frames_in: str,
    ends: Collection[int] = (),
) -> Recording:
    """Read each line by a function that raises ValueError for one that is no label; see `Recording` for the others.

    A run ends before the lines whose places in the list are in `ends`, where the clock jumps back, and at a gap.
    """
    names, angles, times, problems = [], [], [], {}
    for place, (_, content) in enumerate(lines):
        try:
            name, angle, time = label(content)
        except ValueError as error:
            problems[place] = str(error) if isinstance(error, BadCell) else shortened(str(content))
            name, angle, time = str(content), np.nan, None
        names.append(name)
        angles.append(angle)
        times.append(unix_time(time) if isinstance(time, str) else time)
        if isinstance(time, str) and times[-1] is None:
            times[-1] = time
    numbers = [line for line, _ in lines]
    unknown = [place for place, time in enumerate(times) if isinstance(time, str)]
    notes = []
    if unknown:
        first = f"(the first is {shortened(times[unknown[0]])} in line {numbers[unknown[0]]})"
        notes.append(f"{len(unknown):,} of {len(lines):,} times are not understood {first}: the drive has none")
    seconds = np.array([time if isinstance(time, float) else np.nan for time in times])
    runs = runs_of(seconds, ends)
    known = np.isfinite(seconds)
    complete = known.any() and known.sum() + len(problems) >= len(times)
    # Microseconds, which a double of the seconds since 1970 has.
    since = np.round(seconds - seconds[known][0], 6) if complete else None
    angles = np.array(angles, np.float64)
    return Recording(numbers, names, angles, since, problems, expected, places, frames_in, runs, notes)


def to_degrees(
    recorded: Recording, unit: str, full_lock: float, where: str, sign: int = 1, most: float = 0
) -> Recording:
    """Make degrees, positive = right, of angles in a unit; refuse all of them where one is beyond that unit.

    Parameters
    ----------
    recorded : Recording
    unit : {"fraction", "radians", "degrees"}
    full_lock : float
        Degrees at 1, for fractions.
    where : str
        The label file, for messages.
    sign : {1, -1}
        -1 where positive is left.
    most : float
        What the unit's number may be at most, where that is another than usual.
    """
    most = most or UNITS[unit]
    beyond = np.abs(recorded.angles) > most
    if beyond.any():
        place, largest = int(beyond.argmax()), np.nanmax(np.abs(recorded.angles))
        fitting = " or ".join(f"unit={name!r}" for name in UNITS if UNITS[name] >= largest and name != unit)
        raise ValueError(
            f"{where}, line {recorded.lines[place]}: steering is {recorded.angles[place]:g}: expected steering "
            f"{WORDS[unit]} in each line; {f'{fitting} reads them so' if fitting else 'no unit has such numbers'}"
        )
    factor = {"fraction": full_lock, "radians": np.degrees(1.0), "degrees": 1.0}[unit]
    recorded.angles = (sign * factor * recorded.angles + 0.0).astype(np.float32)  # no -0
    return recorded


def check_full_lock(name: str, value: float) -> float:
    """Refuse what is no angle of full lock."""
    if not 0 < value < UNITS["degrees"]:
        raise ValueError(f"{name}={value}: expected degrees of the steering wheel, above 0")
    return value


def assumed_full_lock(full_lock: float | None, notes: list[str]) -> float:
    """Give the full lock of a car that nobody wrote down: as said, as $STEERLIB_FULL_LOCK says, else 25 with a note."""
    text = os.environ.get("STEERLIB_FULL_LOCK")
    if full_lock is None and text:
        try:
            return check_full_lock("STEERLIB_FULL_LOCK", float(text))
        except ValueError as error:
            raise ValueError(f"STEERLIB_FULL_LOCK={text!r}: expected degrees of the steering wheel, above 0") from error
    if full_lock is None:
        notes.append(
            f"steering is a fraction of full lock, which is not recorded: {FULL_LOCK:g}° are assumed; "
            "full_lock=... or $STEERLIB_FULL_LOCK says otherwise"
        )
    return full_lock or FULL_LOCK


def check_unit(unit: str) -> None:
    """Refuse what is no unit."""
    if unit not in UNITS:
        raise ValueError(f"unit={unit!r}: expected one of {', '.join(UNITS)}")


def number(text: str, most: float) -> float:
    """Read a number between two bounds; NaN is none."""
    try:
        found = float(text)
    except ValueError:
        found = np.nan
    if not abs(found) <= most:
        raise BadCell(shortened(text))
    return found


def picture_name(text: str) -> str:
    """Give a name if it looks like that of a picture."""
    if not PICTURE_NAME.fullmatch(text):
        raise BadCell(shortened(text))
    return text


def time_of_day(match: re.Match | None) -> float:
    """Read year to milliseconds; these are a count, not a fraction: `45:11` is 45.011 s."""
    if match is None:
        raise ValueError
    *fields, milliseconds = map(int, match.groups())
    return datetime(*fields, microsecond=milliseconds * 1000, tzinfo=UTC).timestamp()


def unix_time(text: str) -> float | None:
    """Give seconds since 1970 for S. Chen's times, ISO 8601, and Unix times in s, ms, µs or ns; None for others."""
    try:
        if match := TIME.fullmatch(text):
            return time_of_day(match)
        if ":" in text:
            time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
        found = float(text)
    except (ValueError, OverflowError):
        return None
    # Between 1973 and 2286, seconds to nanoseconds are apart.
    for digits in (0, 3, 6, 9):
        if 1e8 <= found / 10**digits < 1e10:
            return found / 10**digits
    return None


def runs_of(seconds: np.ndarray, ends: Collection[int] = ()) -> np.ndarray:
    """Give the number of the run of each place, from 0: a new one after a gap, a jump back of the clock, at `ends`.

    Parameters
    ----------
    seconds : (n,) float64
        NaN where no time is known.
    ends : collection of int
        Where else a run begins.

    Returns
    -------
    (n,) int
    """
    begins = np.zeros(len(seconds), bool)
    begins[[place for place in ends if 0 < place < len(seconds)]] = True
    known = np.flatnonzero(np.isfinite(seconds))
    steps = np.diff(seconds[known])
    if (steps > 0).any():
        times, least = GAP
        gap = max(least, times * float(np.median(steps[steps > 0])))
        begins[known[1:][(steps < 0) | (steps > gap)]] = True
    else:
        begins[known[1:][steps < 0]] = True
    return np.cumsum(begins)


def shortened(text: str) -> str:
    """Show the beginning of a text."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
