"""Logs of Udacity's simulator, github.com/udacity/self-driving-car-sim.

Label file: `driving_log.csv`: center, left, right, steering, throttle, brake, speed, with or without a header; some
have the center camera only. A European desktop writes decimal commas, a spreadsheet semicolons.
Frames: `IMG/center_2017_06_24_16_16_36_177.jpg`; absolute paths are those of the machine that recorded.
Unit: fraction of full lock, -1 to 1, which is 25 degrees, unless `unit` or `full_lock` says otherwise. Sign: positive =
right. A side camera's frames come with the angle that was driven, without a correction.
Clock: time of day in the frame's name, to the millisecond.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from steerlib.drives.files import Files, is_absolute
from steerlib.drives.recording import (
    FULL_LOCK,
    UNITS,
    WORDS,
    Label,
    Recording,
    check_lines,
    number,
    picture_name,
    read_lines,
    record,
    time_of_day,
    to_degrees,
)
from steerlib.drives.tables import column, find_columns, is_header, is_number, split_rows, with_points

TITLE = "logs of Udacity's simulator"
LABEL_FILE = "driving_log.csv"
CAMERAS = ("center", "left", "right")
KNOWN = {
    "center": ("center", "centercamera", "centerimage", "centre", "filename", "frame", "image", "path"),
    "left": ("left", "leftcamera", "leftimage"),
    "right": ("right", "rightcamera", "rightimage"),
    "steering": ("steering", "steeringangle", "angle", "steer", "steerangle"),
    "throttle": ("throttle",),
    "brake": ("brake", "reverse"),
    "speed": ("speed",),
}
NUMBERS = {"steering": UNITS["degrees"], "throttle": 1.001, "brake": 1.001, "speed": 400.0}  # at most
TIME = re.compile(r"_(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d{3})\.")


def recognize(files: Files) -> str | None:
    """Take `driving_log.csv`, or any .csv that the user named."""
    return files.label_file(LABEL_FILE)


def read(files: Files, label_file: str, camera: str, unit: str = "fraction", full_lock: float = FULL_LOCK) -> Recording:
    """Read the frames of one camera."""
    where = files.where(label_file)
    rows = split_rows(read_lines(files, label_file))
    columns = _columns(rows, where)
    # Where a recording was appended to another, its header may stand in the middle.
    headers = [place for place, (_, row) in enumerate(rows) if _is_header(row, place)]
    for place in filter(None, headers):
        line = f"{where}, line {rows[place][0]}"
        if find_columns(rows[place][1], KNOWN, ("steering",), line) != columns:
            raise ValueError(f"{line}: another header than before: expected {', '.join(columns)}")
    ends = [place - sum(header < place for header in headers) for place in headers]
    rows = [row for place, row in enumerate(rows) if place not in headers]
    expected = f"{', '.join(columns)}, with steering {WORDS[unit]}"
    check_lines(rows, expected, camera, [name for name in CAMERAS if name in columns], where)

    limits = [NUMBERS.get(name, None if name in CAMERAS else np.inf) for name in columns]
    # The smaller its range, the fewer ways there are to read a number.
    narrow = [UNITS[unit] if name == "steering" else most for name, most in zip(columns, limits)]

    def label(row: Sequence[str]) -> Label:
        cells = column(row, columns)
        numbers = {name: number(cells[name], most) for name, most in NUMBERS.items() if name in cells}
        name = picture_name(cells[camera])
        time = TIME.search(name)
        return name, numbers["steering"], time_of_day(time) if time else None

    recorded = record(with_points(rows, narrow, columns.index("steering")), label, expected, places, "IMG", ends)
    return to_degrees(recorded, unit, full_lock, where)


def places(name: str) -> tuple[str, ...]:
    """Give the paths where a frame may lie: of an absolute path, which leads into another machine, the file's name."""
    file_name = name.replace("\\", "/").rpartition("/")[2]
    found = f"IMG/{file_name}", file_name
    return found if is_absolute(name) else (name, *found)


def _is_header(row: Sequence[str], place: int) -> bool:
    """Tell whether a row has no numbers, and in the middle of a log the name of a column, too."""
    names = [re.sub(r"[^a-z]", "", cell.lower()) for cell in row]
    return is_header(row) and (place == 0 or bool(set(names) & set(KNOWN["steering"])))


def _columns(rows: Sequence[tuple[int, Sequence[str]]], where: str) -> list[str]:
    """Name the columns as the header does or, without one, as the simulator orders them: frames, then numbers."""
    if rows and is_header(rows[0][1]):
        return find_columns(rows[0][1], KNOWN, ("center", "steering"), f"{where}, line {rows[0][0]}")
    texts = Counter([*map(is_number, row), True].index(True) for _, row in rows)
    cameras = CAMERAS if texts[3] >= texts[1] else CAMERAS[:1]
    return [*cameras, "steering", "throttle", "brake", "speed"]
