"""DeepTesla, videos of Tesla's autopilot and of people, github.com/lexfridman/deepcars and selfdrivingcars.mit.edu.

Label file: `epoch01_steering.csv`: ts_micro, frame_index (`frame` in the first two) and wheel, one row a frame.
Frames: those of `epoch01_front.mkv` beside it, by their number.
Unit: degrees of the steering wheel. Sign: positive = right.
Clock: the video's, 30 frames a second; `ts_micro` is not read, since a spreadsheet makes 1.4643E+15 of it.
"""

import numpy as np

from steerlib.drives.files import Files
from steerlib.drives.recording import UNITS, Recording, check_lines, number, read_lines, record, to_degrees
from steerlib.drives.tables import column, find_columns, split_rows
from steerlib.drives.videos import FORMATS, Video, of_video

TITLE = "DeepTesla"
LABEL_FILE = "epoch01_steering.csv"
ENDING = "_steering.csv"
KNOWN = {"frame": ("frame", "frameindex"), "wheel": ("wheel",)}
EXPECTED = "ts_micro, frame_index, wheel"
FRAME_RATE = 30


def recognize(files: Files) -> list[str] | str | None:
    """Take `..._steering.csv` with a video beside it, all that are there."""
    if files.named:
        return files.named if files.named.endswith(ENDING) else None
    logs = [name for name in files.names("file") if name.endswith(ENDING)]
    found = [name for name in logs if _video(files, name)]
    if logs and not found:
        _need(files, logs[0])
    return found


def read(files: Files, label_file: str, camera: str) -> Recording:
    """Read a log, and give each frame of the video the angle of its row."""
    where, recorded = files.where(label_file), read_log(files, label_file)
    check_lines(recorded.lines, EXPECTED, camera, ("center",), where)
    name = _video(files, label_file) or _need(files, label_file)
    video = Video(lambda: files.stream(name), files.where(name))
    frames = np.array([-1 if place in recorded.problems else int(name) for place, name in enumerate(recorded.names)])
    there = (frames >= 0) & (frames < len(video))
    angles = np.full(len(video), np.nan)
    angles[frames[there]] = recorded.angles[there]
    times = np.arange(len(video)) / FRAME_RATE if video.times is None else video.times
    found = of_video(video, angles, times)
    beyond, without = int((frames >= len(video)).sum()), int(np.isnan(angles).sum())
    if beyond or without or recorded.problems:
        found.notes.append(
            f"the video has {len(video):,} frames; {without:,} of them have no row, and {beyond:,} rows have no frame"
        )
    return found


def read_log(files: Files, label_file: str) -> Recording:
    """Read the numbers of the frames, as names, and the angles at them."""
    where = files.where(label_file)
    rows = split_rows(read_lines(files, label_file))
    if not rows:
        raise ValueError(f"{where} has no labels: expected rows of {EXPECTED}")
    columns = find_columns(rows[0][1], KNOWN, KNOWN, f"{where}, line {rows[0][0]}")

    def label(row: list[str]) -> tuple[str, float, None]:
        cells = column(row, columns)
        return str(int(number(cells["frame"], 10**8))), number(cells["wheel"], UNITS["degrees"]), None

    recorded = record(rows[1:], label, EXPECTED, lambda name: (), "")
    return to_degrees(recorded, "degrees", 1.0, where)


def _video(files: Files, label_file: str) -> str | None:
    """Find the video of a log."""
    stem = label_file.removesuffix(ENDING)
    names = (f"{stem}_front{ending}" for ending in FORMATS)
    return next((name for name in names if files.kind(name) == "file"), None)


def _need(files: Files, label_file: str) -> str:
    """Say that the video of a log is missing."""
    video = files.where(label_file.removesuffix(ENDING) + "_front.mkv")
    raise FileNotFoundError(f"{video} is not there: expected the video of {label_file!r} beside it")
