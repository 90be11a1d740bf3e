"""S. Chen's drives, github.com/SullyChen/driving-datasets.

Label file: `data.txt`; 2018 edition `200.jpg -1.21,2018-07-01 17:09:55:179`, 2016/17 edition `200.jpg -1.21`. People
write their own in this form: with a header, commas or semicolons between the columns, decimal commas, further columns.
Frames: beside it, or in the folder `data`.
Unit: degrees of the steering wheel, unless `unit` says otherwise. Sign: positive = right.
Clock: time of day, milliseconds as a count that is not padded; none in the 2016/17 edition. ISO and Unix times, too.
"""

import re
from collections import Counter

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
)
from steerlib.drives.tables import is_number

TITLE = "S. Chen's drives"
LABEL_FILE = "data.txt"
EXPECTED = "'200.jpg -1.21' or '200.jpg -1.21,2018-07-01 17:09:55:179'"
PICTURE = r"\.(?:bmp|jpe?g|png|webp)"
LINE = re.compile(rf'"?(.+?{PICTURE})"?(\s*[,;]|\s)\s*(\S.*)', re.IGNORECASE)
LONGEST = 10_000  # characters of a line
# A number with a decimal comma, and what may follow it: nothing, a time, another column.
COMMA = re.compile(r"([-+]?\d+),(\d{1,8})(?=$|[,;\s])")
POINT = re.compile(r"[-+]?\d*\.\d")
COLUMN = re.compile(r"[-+]?(\d{1,8}(\.\d*)?|\.\d+)")  # with more digits it is a Unix time
ANGLES = ("angle", "angles", "degrees", "steering", "steeringangle", "wheel")


def recognize(files: Files) -> str | None:
    """Take `data.txt`, or any .txt that the user named."""
    return files.label_file(LABEL_FILE)


def read(
    files: Files, label_file: str, camera: str, unit: str | None = None, full_lock: float = FULL_LOCK
) -> Recording:
    """Read both editions, also mixed."""
    where = files.where(label_file)
    lines = read_lines(files, label_file)
    position = _header(lines[0][1], f"{where}, line {lines[0][0]}") if lines else None
    check_lines(lines[position is not None :], EXPECTED, camera, ("center",), where)
    lines = lines[position is not None :]

    matches = [LINE.fullmatch(content) if len(content) <= LONGEST else None for _, content in lines]
    marks, rests = {match[2].strip() for match in matches if match}, [match[3] for match in matches if match]
    # A semicolon or a comma after the name counts where all lines have it; a decimal comma where no line has a point.
    mark = marks.pop() if len(marks) == 1 else ""
    commas = any(map(COMMA.match, rests)) and not any(map(POINT.match, rests))
    if commas and mark == ",":
        told = f"found {shortened(rests[0])}, in which a comma may be a decimal one or begin another column"
        raise ValueError(f"{where}, line {lines[0][0]}: expected {EXPECTED}, or semicolons between columns; {told}")

    def fields(rest: str) -> tuple[list[str], str | None]:
        """Divide what follows the name into columns of numbers and, where there is one, the time."""
        rest = COMMA.sub(r"\1.\2", rest) if commas else rest
        first, *others = (text.strip() for text in (rest.replace(";", ",") if mark == ";" else rest).split(","))
        numbers = first.split()
        while others and COLUMN.fullmatch(others[0]):
            numbers.append(others.pop(0))
        return numbers, ",".join(others) if others else None

    columns = max(Counter(len(fields(rest)[0]) for rest in rests).items(), key=lambda one: one[1], default=(1, 0))[0]

    def label(line: tuple[str, re.Match | None]) -> Label:
        content, match = line
        if match is None:
            raise BadCell(shortened(content))
        numbers, time = fields(match[3])
        if match[2].strip() != mark or len(numbers) != columns or columns <= (position or 0):
            raise BadCell(shortened(match[3]))
        angles = [number(text, UNITS["degrees"] if i == (position or 0) else np.inf) for i, text in enumerate(numbers)]
        return match[1], angles[position or 0], time

    pairs = [(line, (content, match)) for (line, content), match in zip(lines, matches)]
    recorded = record(pairs, label, EXPECTED, places, "data")
    if columns > 1:
        recorded.notes.append(
            f"of the {columns} numbers in a line, number {(position or 0) + 1} is taken for the angle"
        )
    return to_degrees(recorded, unit or "degrees", full_lock, where)


def places(name: str) -> tuple[str, ...]:
    """Give the paths where a frame may lie."""
    return name, f"data/{name}"


def _header(line: str, where: str) -> int | None:
    """Find the angle among the columns after the name; None where a first line has a number or a picture's name."""
    cells = re.split(r"[\s,;]+", line) if len(line) <= LONGEST else []
    if re.search(PICTURE, line, re.IGNORECASE) or any(map(is_number, cells)):
        return None
    found = [place for place, name in enumerate(cells) if re.sub(r"[^a-z]", "", name.lower()) in ANGLES]
    if len(found) != 1 or not found[0]:
        ask = "or a header with the frame first and one 'angle'"
        raise ValueError(f"{where}: expected {EXPECTED}, {ask}; found {shortened(line)}")
    return found[0] - 1
