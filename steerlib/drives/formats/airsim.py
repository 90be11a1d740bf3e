"""Recordings of AirSim, github.com/microsoft/AirSim.

Label file: `airsim_rec.txt`, between tabulators, with a header: `TimeStamp ... Throttle Steering ... ImageFile`, with
`VehicleName` first in newer ones; an older generation has `Timestamp`, `Speed (kmph)` and `ImageName`.
Frames: in the folder `images`; of several cameras they are joined by `;`, as
`img_Car1_front_left_0_1597551212523036200.png`: vehicle, camera, kind of picture (0 is what a camera sees), time.
Unit: fraction of full lock, -1 to 1, up to 1.25 with a real wheel. How many degrees full lock has, is not recorded.
Sign: positive = right.
Clock: Unix time, in milliseconds or nanoseconds.
"""

import re

from steerlib.drives.files import Files
from steerlib.drives.recording import (
    WORDS,
    BadCell,
    Label,
    Recording,
    assumed_full_lock,
    check_lines,
    number,
    picture_name,
    read_lines,
    record,
    shortened,
    to_degrees,
)
from steerlib.drives.tables import cells, column, find_columns

TITLE = "AirSim"
LABEL_FILE = "airsim_rec.txt"
KNOWN = {
    "vehicle": ("vehiclename",),
    "time": ("timestamp",),
    "steering": ("steering",),
    "frames": ("imagefile", "imagename"),
}
MOST = {"fraction": 1.26}
# How cameras are called, the newer names and the older numbers.
CAMERAS = {
    "front_center": "center",
    "0": "center",
    "front_left": "left",
    "2": "left",
    "front_right": "right",
    "1": "right",
}
NAME = re.compile(r"img_(?P<camera>.*)_(?P<kind>\d+)_\d+\.\w+")


def recognize(files: Files) -> str | None:
    """Take `airsim_rec.txt`, or a .txt that the user named and that has its columns."""
    label_file = files.label_file(LABEL_FILE)
    if label_file and files.named:
        lines = read_lines(files, label_file)
        return label_file if lines and "Steering\t" in lines[0][1] and "\tImage" in lines[0][1] else None
    return label_file


def read(
    files: Files, label_file: str, camera: str, unit: str = "fraction", full_lock: float | None = None
) -> Recording:
    """Read the frames of one camera."""
    where = files.where(label_file)
    rows = [(line, cells(content, "\t")) for line, content in read_lines(files, label_file)]
    check_lines(rows[1:], "TimeStamp, Steering, ImageFile", "", ("",), where)
    columns = find_columns(rows[0][1], KNOWN, ("time", "steering", "frames"), f"{where}, line {rows[0][0]}")
    expected = f"{', '.join(rows[0][1][:3])}, ..., with steering {WORDS[unit]}"
    first = rows[1][1]
    cameras = list(_cameras(first[columns.index("frames")])) if len(first) == len(columns) else ["center"]
    check_lines(rows[1:], expected, camera, cameras, where)
    most = MOST.get(unit, 0)

    def label(row: list[str]) -> Label:
        found = column(row, columns)
        names = _cameras(found["frames"])
        if camera not in names:
            raise BadCell(shortened(found["frames"]))
        return picture_name(names[camera]), number(found["steering"], 2000.0), found["time"]

    notes: list[str] = []
    degrees = assumed_full_lock(full_lock, notes) if unit == "fraction" else 1.0
    vehicles = (
        [row[columns.index("vehicle")] for _, row in rows[1:] if len(row) == len(columns)]
        if "vehicle" in columns
        else []
    )
    ends = [place for place in range(1, len(vehicles)) if vehicles[place] != vehicles[place - 1]]
    recorded = record(rows[1:], label, expected, lambda name: (f"images/{name}",), "images", ends)
    recorded.notes += notes
    return to_degrees(recorded, unit, degrees, where, most=most)


def _cameras(names: str) -> dict[str, str]:
    """Give what the cameras saw, by our names for them; the only picture of a row is the center's."""
    pictures = [name for name in (text.strip() for text in names.split(";")) if name]
    if len(pictures) == 1:
        return {"center": pictures[0].replace("\\", "/").rpartition("/")[2]}
    found = {}
    for name in (picture.replace("\\", "/").rpartition("/")[2] for picture in pictures):
        match = NAME.fullmatch(name)
        for ending, camera in CAMERAS.items():
            if match and match["kind"] == "0" and re.search(rf"(^|_){ending}$", match["camera"]):
                found.setdefault(camera, name)
    return found
