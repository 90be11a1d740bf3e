"""Tables as people have them: separators, decimal commas and headers are decided from the whole file."""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from steerlib.drives.recording import BadCell, shortened

WHOLE = re.compile(r"\s*[-+]?(0|[1-9]\d*)")
FRACTION = re.compile(r"(\d*[1-9]|0)([eE][-+]?\d+)?")  # nobody writes the zeros at its end
SMALL = re.compile(r"\s*[-+]?\d[eE][-+]?\d+")

Limits = Sequence[float | None]  # what the numbers of each column are at most; None: a text


def split_rows(lines: Sequence[tuple[int, str]]) -> list[tuple[int, list[str]]]:
    """Divide lines by the separator that all of them have: a tabulator, a semicolon, else the comma.

    Where each comma that separates is followed by a space, and others stand between digits, those are decimal ones.
    """
    telling = [content for _, content in lines if re.search(r"[\t;,]", content)]
    separator = next((mark for mark in "\t;" if telling and all(mark in content for content in telling)), ",")
    spaced = all(", " in content and '"' not in content for content in telling[1:])
    spaced = spaced and any(re.search(r"\d,\d", content) for content in telling)
    if separator == "," and spaced:
        lines = [(line, content.replace(", ", "\t")) for line, content in lines]
    return [(line, cells(content, "\t" if "\t" in content else separator)) for line, content in lines]


def cells(row: str, separator: str = ",") -> list[str]:
    """Divide a row; a spreadsheet may have put its cells into quotes."""
    try:
        return [cell.strip() for cell in next(csv.reader([row], delimiter=separator, skipinitialspace=True))]
    except csv.Error:  # a cell longer than the reader takes
        return [row]


def is_number(text: str) -> bool:
    """Tell whether a cell is a number, with a point or a comma."""
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def is_header(row: Collection[str]) -> bool:
    """Tell whether a first row is a header: whatever has no number is."""
    return not any(map(is_number, row))


def find_columns(
    header: Sequence[str], known: Mapping[str, Collection[str]], needed: Iterable[str], where: str
) -> list[str]:
    """Name the columns of a header as we do, whatever their order; those that are not known keep their names.

    Parameters
    ----------
    header : n str
    known : dict
        Our name -> how others call it, in small letters without spaces and signs.
    needed : sequence of str
        Of ours, without which the table cannot be read.
    where : str
        File and line, for messages.
    """
    plain = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in header]
    found = [next((ours for ours, names in known.items() if name in names), name) for name in plain]
    for name in needed:
        if found.count(name) != 1:
            has = f"{'no' if name not in found else 'more than one'} column {name!r}"
            listed = ", ".join(shortened(column) for column in header[:12]) + ", …" * (len(header) > 12)
            raise ValueError(f"{where}: the header has {has}, or another name for it; its columns are {listed}")
    return found


def with_points(rows: list[tuple[int, list[str]]], limits: Limits, needed: int) -> list[tuple[int, list[str]]]:
    """Write decimal commas as points, where the whole table has them.

    Where the comma also separates the cells, `-0,25, 0,9, 0, 12,68` has more cells than columns. The numbers are put
    together in a way that gives each column a number in its range; the column that is needed stays without one where
    several ways differ in it. That, too, is done for the whole table or not at all: not where a number has a point,
    and only where most rows cannot be read without.
    """
    numbers = [
        cell for _, row in rows for cell, most in zip(row, limits) if most is not None and len(row) == len(limits)
    ]
    if any("," in cell for cell in numbers):
        if any("." in cell for cell in numbers):
            return rows
        return [
            (line, [cell if most is None else cell.replace(",", ".") for cell, most in zip(row, limits)])
            if len(row) == len(limits)
            else (line, row)
            for line, row in rows
        ]
    if 2 * sum(not _plain(row, limits) for _, row in rows) <= len(rows) or any(
        "." in cell for _, row in rows for cell in row if is_number(cell)
    ):
        return rows
    return [(line, _united(row, limits, needed)) for line, row in rows]


def _plain(row: list[str], limits: Limits) -> bool:
    """Tell whether numbers stand where numbers belong, and nowhere else."""
    return len(row) == len(limits) and all(is_number(cell) is (most is not None) for cell, most in zip(row, limits))


def _united(row: list[str], limits: Limits, needed: int) -> list[str]:
    """Put the numbers of a row together; leave it as it is where there is no way."""
    ways = [way for way, _ in zip(_ways(row, limits), range(100))]
    if not ways:
        return row
    found = dict.fromkeys(way[needed] for way in ways)
    return [*ways[0][:needed], " or ".join(found), *ways[0][needed + 1 :]]  # two are no number, as will be told


def _ways(row: Sequence[str], limits: Limits) -> Iterator[list[str]]:
    """Give all ways to make of the cells a text or a number in its range for each column."""
    if not limits or not row:
        if not limits and not row:
            yield []
        return
    most, found = limits[0], []
    if most is None:
        found = [] if is_number(row[0]) else [(row[0], 1)]
    else:
        if WHOLE.fullmatch(row[0]) or SMALL.fullmatch(row[0]):
            found.append((row[0], 1))
        if len(row) > 1 and WHOLE.fullmatch(row[0]) and FRACTION.fullmatch(row[1]):
            found.append((f"{row[0]}.{row[1]}", 2))
        found = [(text, count) for text, count in found if abs(float(text)) <= most]
    for text, count in found:
        for others in _ways(row[count:], limits[1:]):
            yield [text, *others]


def column(row: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Give the cells of a row by the names of their columns."""
    if len(row) != len(columns):
        raise BadCell(f"a row of {len(row)} cells in place of {len(columns)}")
    return dict(zip(columns, row))
