"""Recordings of no known format: the user says what the columns of a table mean (notebook 01)."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from steerlib.drives.drive import Drive
from steerlib.drives.files import Files
from steerlib.drives.loading import check_problems, every, film_of, open_files
from steerlib.drives.pictures import ROAD, check_crop
from steerlib.drives.recording import (
    UNITS,
    Label,
    Recording,
    check_full_lock,
    check_unit,
    number,
    picture_name,
    read_lines,
    record,
    runs_of,
    shortened,
    to_degrees,
    unix_time,
)
from steerlib.drives.tables import column, is_header, split_rows, with_points
from steerlib.drives.videos import FORMATS, Video, of_video

NEAR = 0.1  # seconds before the first row of a table and after the last, for which these hold
Column = str | int


def read_table(
    path: str | Path,
    frame: Column | None = None,
    angle: Column | None = None,
    unit: str | None = None,
    sign: int | None = None,
    time: Column | None = None,
    video: str | None = None,
    full_lock: float | None = None,
    crop: tuple[float, float] = ROAD,
) -> Drive:
    """Open a table of any kind, with pictures or a video, by what you say of its columns (notebook 01).

    Nothing is guessed: where the angle's unit or sign is not said, the table is refused. Separators, decimal commas and
    quotes are recognized. A column is given by its name in the header, or by its number from 0.

    Parameters
    ----------
    path : str or Path
        The table: CSV, or text between tabulators or semicolons.
    frame : str or int, optional
        The column with the names of pictures, or with the numbers, from 0, of a video's frames.
    angle : str or int, optional
        The column with the angle. None: the drive has no angles.
    unit : {"degrees", "radians", "fraction"}
        What the angle is written in; of a fraction, `full_lock` says what 1 is.
    sign : {1, -1}
        1 where positive is right, -1 where positive is left.
    time : str or int, optional
        The column with the time: Unix or ISO, or seconds. Where a video's frames have no numbers in the table, these
        are seconds since its first frame, and angles are interpolated at the times of frames.
    video : str, optional
        The video's name, from the table's folder; None: the only one beside it, if `frame` are no pictures.
    full_lock : float, optional
        Degrees of the steering wheel at 1.
    crop : (top, bottom)
        The part of the height that the network sees, see `crop_road`.

    Returns
    -------
    Drive
        As from `load_drive`.

    Raises
    ------
    FileNotFoundError
        Where there is no table, picture or video.
    ValueError
        Where something is not declared, a column is not there, or what `load_drive` refuses.
    """
    check_crop(crop)
    if frame is None and time is None:
        raise ValueError(
            "frame=None: expected the column with the pictures or numbers of frames, or time=... of a video"
        )
    factor = _check_angle(angle, unit, sign, full_lock)
    files = open_files(Path(path).expanduser())
    if not files.named:
        raise ValueError(f"{path} is no table: expected the path of a CSV")
    where = files.where(files.named)
    rows = split_rows(read_lines(files, files.named))
    if not rows:
        raise ValueError(f"{where} has no rows")
    columns = [str(place) for place in range(len(rows[0][1]))]
    names = columns
    if is_header(rows[0][1]):
        names, rows = rows[0][1], rows[1:]
    if not rows:
        raise ValueError(f"{where} has no rows below its header")
    needed = {
        ours: _place(theirs, names, f"{where}: {ours}")
        for ours, theirs in (("frame", frame), ("angle", angle), ("time", time))
        if theirs is not None
    }
    limits = [np.inf if place in (needed.get("angle"), needed.get("time")) else None for place in range(len(names))]
    rows = with_points(rows, limits, needed.get("angle", 0))
    numbered = frame is None or video is not None or not _names_pictures(rows, needed["frame"])

    def label(row: list[str]) -> Label:
        cells = column(row, columns)
        found = {ours: cells[str(place)] for ours, place in needed.items()}
        degrees = number(found["angle"], UNITS["degrees"]) if angle is not None else np.nan
        if numbered:
            name = str(int(number(found["frame"], 10**9))) if frame is not None else "-"
        else:
            name = picture_name(found["frame"])
        return name, degrees, _seconds(found["time"]) if time is not None and not numbered else None

    expected = "rows with " + ", ".join(f"{ours} {names[place]!r}" for ours, place in needed.items())
    recorded = record(rows, label, expected, lambda name: (name,), "that its column names")
    recorded = to_degrees(recorded, unit or "degrees", factor, where, sign=sign or 1)
    if numbered:
        times = None
        if frame is None:
            cells = (row[needed["time"]] if len(row) == len(columns) else "" for _, row in rows)
            times = np.array([found if isinstance(found := _seconds(cell), float) else np.nan for cell in cells])
        recorded = _with_video(files, recorded, video, times, where)
    told: list[str] = []
    film = film_of(recorded, files, where, crop, told)
    for message in told:
        warnings.warn(message, stacklevel=2)
    return Drive(Path(files.named).stem, film, every(len(film.names)))


def _check_angle(angle: Column | None, unit: str | None, sign: int | None, full_lock: float | None) -> float:
    """Refuse what is not declared; give the degrees at 1 of a fraction."""
    if angle is None:
        return 1.0
    if unit is None:
        raise ValueError(f"unit=None: expected what {angle!r} is written in, one of {', '.join(UNITS)}")
    check_unit(unit)
    if sign not in (1, -1):
        raise ValueError(f"sign={sign!r}: expected 1 where positive is right, or -1 where positive is left")
    if unit == "fraction" and full_lock is None:
        raise ValueError("full_lock=None: expected degrees of the steering wheel at 1, since the unit is 'fraction'")
    return 1.0 if full_lock is None else check_full_lock("full_lock", full_lock)


def _place(name: Column, names: Sequence[str], what: str) -> int:
    """Find a column by its name or number."""
    if isinstance(name, int) and 0 <= name < len(names):
        return name
    if names.count(name) != 1:
        listed = ", ".join(map(shortened, names[:12])) + ", …" * (len(names) > 12)
        raise ValueError(
            f"{what}={name!r} is {'no' if name not in names else 'more than one'} column: expected {listed}"
        )
    return names.index(name)


def _names_pictures(rows: list[tuple[int, list[str]]], place: int) -> bool:
    """Tell whether a column has names, and no numbers."""
    cells = [row[place] for _, row in rows if len(row) > place]
    return sum(cell.strip().lstrip("+-").isdecimal() for cell in cells) * 2 < len(cells)


def _seconds(text: str) -> float | str:
    """Read Unix and ISO times, and seconds since anything."""
    try:
        return float(text) if unix_time(text) is None else unix_time(text)
    except ValueError:
        return text


def _with_video(files: Files, table: Recording, name: str | None, times: np.ndarray | None, where: str) -> Recording:
    """Give the frames of a video the angles of a table, by the frames' numbers or, where they are given, by times."""
    videos = [found for found in files.names("file") if found.lower().endswith(tuple(FORMATS))]
    if name is None and len(videos) != 1:
        raise FileNotFoundError(f"{where}: expected video=..., or one video beside it; found {len(videos)}")
    name = name or videos[0]
    if files.kind(name) != "file" or not name.lower().endswith(tuple(FORMATS)):
        raise FileNotFoundError(f"{files.where(name)} is no video: expected one that ends in {', '.join(FORMATS)}")
    video = Video(lambda: files.stream(name), files.where(name))
    good = np.array([place not in table.problems for place in range(len(table.names))], bool)
    check_problems(table, where)
    notes = list(table.notes)
    if table.problems:
        first, found = next(iter(table.problems.items()))
        skipped = f"{len(table.problems):,} of {len(good):,} labels skipped, since they are not {table.expected}"
        notes.append(f"{skipped} (the first is {found} in line {table.lines[first]})")
    if times is None:
        frames = np.array([int(number) if fine else -1 for number, fine in zip(table.names, good)])
        there = (frames >= 0) & (frames < len(video))
        angles = np.full(len(video), np.nan)
        angles[frames[there]] = table.angles[there]
        if beyond := int((good & ~there).sum()):
            notes.append(f"{beyond:,} rows have numbers of no frame, which are 0 to {len(video) - 1:,}")
    else:
        good &= np.isfinite(times)
        angles = _at_times(video, times[good], table.angles[good], where)
    without = int(np.isnan(angles).sum())
    if without and np.isfinite(table.angles).any():
        notes.append(f"{without:,} of {len(video):,} frames have no angle")
    found = of_video(video, angles)
    found.notes = notes
    return found


def _at_times(video: Video, times: np.ndarray, angles: np.ndarray, where: str) -> np.ndarray:
    """Interpolate angles at the times of frames; NaN in a gap, and where no angle is near."""
    if video.times is None:
        raise ValueError(f"{video.where} has no time stamps: expected frame=..., the column with the numbers of frames")
    if not len(times) or times[0] >= 1e8:
        raise ValueError(f"{where}: expected as time the seconds since the first frame of {video.where}")
    if (np.diff(times) < 0).any():
        raise ValueError(f"{where}: the times go back: expected those of one recording")
    found = np.interp(video.times, times, angles)
    runs, after = runs_of(times), np.searchsorted(times, video.times).clip(0, len(times) - 1)
    found[runs[after] != runs[np.maximum(after - 1, 0)]] = np.nan
    found[(video.times < times[0] - NEAR) | (video.times > times[-1] + NEAR)] = np.nan
    return found
