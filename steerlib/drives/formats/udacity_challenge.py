"""Real roads of Udacity's challenge 2, github.com/udacity/self-driving-car, in two forms.

Label file: of the published test drive `CH2_final_evaluation.csv`: frame_id, steering_angle, public. Of folders written
from bags (github.com/rwightman/udacity-driving-reader) `interpolated.csv`: index, timestamp, width, height, frame_id,
filename, angle, torque, speed, lat, long, alt, or without a header, or with fewer columns, or with others before; where
it is missing, `camera.csv` and `steering.csv`.
Frames: `center/1479425441182877835.jpg` or `.png`, and `left`, `right`; the three cameras have the same angle.
Unit: radians of the steering wheel, unless `unit` says otherwise. Sign: positive = left.
Clock: Unix time in nanoseconds, in the frame's name.
"""

import re

import numpy as np

from steerlib.drives.files import Files
from steerlib.drives.recording import (
    FULL_LOCK,
    UNITS,
    BadCell,
    Label,
    Recording,
    check_lines,
    number,
    read_lines,
    record,
    shortened,
    to_degrees,
    unix_time,
)
from steerlib.drives.tables import cells, column, find_columns, is_header, split_rows

TITLE = "Udacity's challenge 2"
LABEL_FILE = "CH2_final_evaluation.csv"
INTERPOLATED = "interpolated.csv"
TEMPLATE = "final_example.csv"
CAMERAS = ("center", "left", "right")
PUBLISHED = {"frame": ("frameid",), "angle": ("steeringangle",)}
WRITTEN = {"time": ("timestamp",), "camera": ("frameid",), "frame": ("filename",), "angle": ("angle",)}
EXPECTED = "frame_id and steering_angle in radians"
STAMP = re.compile(r"\d{15,20}")


def recognize(files: Files) -> str | None:
    """Take the labels of either form; of what the user named, a .csv with their columns."""
    if files.named:
        if not files.named.lower().endswith(".csv"):
            return None
        lines = read_lines(files, files.named)
        first = lines[0][1] if lines else ""
        ours = "frame_id" in first or re.search(r"(center|left|right)_camera,", first) is not None
        return files.named if ours else None
    for name in (LABEL_FILE, INTERPOLATED, TEMPLATE):
        if files.kind(name) in ("file", "link"):
            return name
    if {"camera.csv", "steering.csv"} <= set(files.names("file")):
        return "camera.csv"
    return None


def read(files: Files, label_file: str, camera: str, unit: str = "radians", full_lock: float = FULL_LOCK) -> Recording:
    """Read the frames of one camera."""
    where = files.where(label_file)
    if label_file.endswith(TEMPLATE):
        raise ValueError(
            f"{where} is the challenge's template: its angles are random numbers; expected {LABEL_FILE} beside it"
        )
    rows = split_rows(read_lines(files, label_file))
    check_lines(rows, EXPECTED, camera, CAMERAS, where)
    if any("steering" in cell for cell in rows[0][1]):
        recorded = _published(rows, camera, where)
    else:
        recorded = _written(files, label_file, rows, camera, where)
    return to_degrees(recorded, unit, full_lock, where, sign=-1)


def _published(rows: list[tuple[int, list[str]]], camera: str, where: str) -> Recording:
    """Read the list of the test drive."""
    check_lines(rows[1:], EXPECTED, camera, CAMERAS[:1], where)
    columns = find_columns(rows[0][1], PUBLISHED, PUBLISHED, f"{where}, line {rows[0][0]}")

    def label(row: list[str]) -> Label:
        found = column(row, columns)
        frame = found["frame"]
        if not STAMP.fullmatch(frame):  # a spreadsheet made 1.47943E+18 of it
            raise BadCell(shortened(frame))
        return frame, number(found["angle"], UNITS["degrees"]), frame

    def places(frame: str) -> list[str]:
        return [f"{folder}{frame}.{ending}" for folder in ("center/", "") for ending in ("jpg", "png")]

    return record(rows[1:], label, EXPECTED, places, "center")


def _written(files: Files, label_file: str, rows: list[tuple[int, list[str]]], camera: str, where: str) -> Recording:
    """Read what was written from a bag."""
    header, expected = is_header(rows[0][1]), "timestamp, frame_id, filename, angle in radians"
    if header:
        needed = [name for name in WRITTEN if name != "angle" or label_file != "camera.csv"]
        columns = find_columns(rows[0][1], WRITTEN, needed, f"{where}, line {rows[0][0]}")
        rows = rows[1:]
    else:
        columns = _columns(rows[0][1], f"{where}, line {rows[0][0]}")
    of_camera = [
        (line, row) for line, row in rows if len(row) != len(columns) or camera in row[columns.index("camera")]
    ]
    stamps = {row[columns.index("camera")].partition("_")[0] for _, row in rows if len(row) == len(columns)}
    check_lines(of_camera, expected, camera, [name for name in CAMERAS if name in stamps], where)
    at, angles = _steering(files, label_file)
    times = np.array([_time(row, columns) for _, row in of_camera])
    inner = np.flatnonzero(~((times < at[0]) | (times > at[-1]))) if len(at) else []
    told = "lie outside the time in which the steering was recorded"
    if not len(inner) and "angle" in columns:  # no steering.csv, or only a part of it
        known = [place for place, (_, row) in enumerate(of_camera) if not _is_filled(row, columns)]
        inner = range(known[0], known[-1] + 1) if known else []
        told = "at both ends have only zeros, which are taken for frames outside the time of steering.csv"
    if not len(inner):
        raise ValueError(f"{where}: none of its {len(of_camera):,} frames lies in the time of steering.csv")
    cut = len(of_camera) - len(inner)
    notes = [f"{cut:,} of {len(of_camera):,} frames {told}"] if cut else []

    def label(row: list[str]) -> Label:
        found = column(row, columns)
        time = _time(row, columns)
        angle = np.interp(time, at, angles) if "angle" not in found else number(found["angle"], UNITS["degrees"])
        return found["frame"], float(angle), found["time"]

    def places(name: str) -> list[str]:
        file_name = name.replace("\\", "/").rpartition("/")[2]
        stem = file_name.rpartition(".")[0]
        return [f"{camera}/{stem}.{ending}" for ending in ("jpg", "png")]

    recorded = record([of_camera[place] for place in inner], label, expected, places, camera)
    recorded.notes += notes
    return recorded


def _columns(row: list[str], where: str) -> list[str]:
    """Name the columns without a header: a time stamp comes first, then frame_id, filename and angle."""
    camera = next((place for place, cell in enumerate(row) if cell.endswith("_camera")), -1)
    time = next((place for place, cell in enumerate(row) if STAMP.fullmatch(cell)), -1)
    if not 0 <= time < camera < len(row) - 2:
        raise ValueError(f"{where}: expected timestamp, ..., frame_id, filename, angle; found {len(row)} other columns")
    columns = [f"column {place}" for place in range(len(row))]
    columns[time], columns[camera : camera + 3] = "time", ["camera", "frame", "angle"]
    return columns


def _time(row: list[str], columns: list[str]) -> float:
    """Give the Unix time of a row, NaN where it has none."""
    return unix_time(row[columns.index("time")]) or np.nan if len(row) == len(columns) else np.nan


def _is_filled(row: list[str], columns: list[str]) -> bool:
    """Tell whether all that was interpolated is exactly zero: the angle and, where they are, torque and speed."""
    values = [cell for cell, name in zip(row, columns) if name in ("angle", "torque", "speed")]
    return all(cell in ("", "0", "0.0") for cell in values)


def _steering(files: Files, label_file: str) -> tuple[np.ndarray, np.ndarray]:
    """Give times and angles of `steering.csv`, whatever stands before that name in the label file's; none without."""
    name = re.sub(r"(interpolated|camera)\.csv$", "steering.csv", label_file)
    if name == label_file or files.kind(name) != "file":
        return np.zeros(0), np.zeros(0)
    lines = read_lines(files, name)
    where = f"{files.where(name)}, line 1"
    columns = find_columns(cells(lines[0][1]) if lines else [], WRITTEN, ("time", "angle"), where)
    rows = [dict(zip(columns, cells(content))) for _, content in lines[1:]]
    found = [(unix_time(row.get("time", "")), row.get("angle", "")) for row in rows]
    try:
        pairs = sorted((time, number(angle, UNITS["degrees"])) for time, angle in found if time)
    except BadCell as error:
        raise ValueError(f"{files.where(name)}: {error} is no angle: expected radians") from error
    return np.array([time for time, _ in pairs]), np.array([angle for _, angle in pairs])
