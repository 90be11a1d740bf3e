"""Tubs of donkeycar, model cars that drive themselves, github.com/autorope/donkeycar.

Label file: version 2 `manifest.json`, JSON in lines, the last of which names the catalogs, whose lines are the records;
version 1 `meta.json`, with the records in `record_1.json` and so on.
Frames: in the folder `images`, in version 1 beside the records.
Unit: `user/angle` as a fraction of full lock, -1 to 1. How many degrees full lock has, is not recorded.
Sign: positive = right. Where `user/mode` is not `user` the model drove, and `user/angle` is no label.
Clock: Unix time in milliseconds (version 2), or none; that of a converted tub is the conversion's, and is not read.
Deleted records, which the manifest or `exclude.json` lists, are left out. A run ends there, and with a session.
"""

import json
import re
from typing import Any

import numpy as np

from steerlib.drives.files import Files, inside
from steerlib.drives.recording import (
    UNITS,
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

TITLE = "donkeycar"
LABEL_FILE = "manifest.json"
FIRST_VERSION = "meta.json"
EXPECTED = "a record with cam/image_array and user/angle from -1 to 1"
RECORD = re.compile(r"record_(\d+)\.json")
FASTEST = 0.008  # seconds from frame to frame: no model car's camera is as quick, but a conversion is


def recognize(files: Files) -> str | None:
    """Take a manifest with catalogs, or a `meta.json` beside records."""
    if files.named not in (None, LABEL_FILE, FIRST_VERSION):
        return None
    if files.named in (None, LABEL_FILE) and files.kind(LABEL_FILE) in ("file", "link"):
        return LABEL_FILE
    if files.kind(FIRST_VERSION) in ("file", "link") and any(map(RECORD.fullmatch, files.names("file"))):
        return FIRST_VERSION
    return None


def read(
    files: Files, label_file: str, camera: str, unit: str = "fraction", full_lock: float | None = None
) -> Recording:
    """Read a tub of either version."""
    where, notes = files.where(label_file), []
    rows = (_second if label_file == LABEL_FILE else _first)(files, label_file, notes)
    check_lines(rows, EXPECTED, camera, ("center",), where)
    records = [found if isinstance(found, dict) else {} for _, found in rows]
    times = np.array([_number(found.get("_timestamp_ms")) / 1000 for found in records])
    steps = np.diff(times[np.isfinite(times)])
    converted = (steps > 0).any() and np.median(steps[steps > 0]) < FASTEST
    if converted:
        notes.append("the time stamps are those of a conversion, not of the drive: the drive has none")
    driven = 0

    def label(found: dict[str, Any] | str) -> Label:
        nonlocal driven
        if isinstance(found, str):
            raise BadCell(found)
        name = picture_name(str(found.get("cam/image_array")))
        angle = found.get("user/angle")
        if isinstance(angle, bool) or not isinstance(angle, (int, float)):
            raise BadCell(shortened(str(angle)))
        mode = str(found.get("user/mode") or "user")
        driven += mode != "user"
        time = _number(found.get("_timestamp_ms")) / 1000
        known = not converted and np.isfinite(time)
        return name, number(str(angle), UNITS["degrees"]) if mode == "user" else np.nan, time if known else None

    recorded = record(rows, label, EXPECTED, lambda name: (f"images/{name}", name), "images", _ends(records))
    if driven:
        notes.append(f"in {driven:,} of {len(rows):,} records the model drove (user/mode): they have no angle")
    degrees = assumed_full_lock(full_lock, notes) if unit == "fraction" else 1.0
    recorded.notes += notes
    return to_degrees(recorded, unit, degrees, where)


def _second(files: Files, label_file: str, notes: list[str]) -> list[tuple[int, dict | str]]:
    """Give the records of version 2 that are not deleted, and what stands in lines that are none."""
    where, lines = files.where(label_file), read_lines(files, label_file)
    last = _parsed(lines[-1][1]) if lines else None
    paths, deleted = (last.get("paths"), last.get("deleted_indexes", [])) if isinstance(last, dict) else (None, None)
    if not isinstance(paths, list) or not isinstance(deleted, list):
        raise ValueError(f"{where} is no manifest of a tub: expected a last line with 'paths' and 'deleted_indexes'")
    rows = []
    for path in map(str, paths):
        if inside(path) is None:
            raise ValueError(f"{where}: {path!r} leads out of the folder: expected the name of a catalog in it")
        if files.kind(path) != "file":
            notes.append(f"the catalog {path!r} is not there")
            continue
        for line, content in read_lines(files, path):
            found = _parsed(content)
            if not isinstance(found, dict):
                rows.append((line, f"{shortened(content)} of {path}"))
            elif found.get("_index") not in deleted:
                rows.append((line, found))
    return rows


def _first(files: Files, label_file: str, notes: list[str]) -> list[tuple[int, dict | str]]:
    """Give the records of version 1 in the order of their numbers."""
    excluded = []
    if files.kind("exclude.json") == "file":
        excluded = _parsed(files.read("exclude.json"))
        if not isinstance(excluded, list):
            raise ValueError(f"{files.where('exclude.json')}: expected a list of numbers of records")
    names = {int(match[1]): match[0] for match in map(RECORD.fullmatch, files.names("file")) if match}
    rows = []
    for index in sorted(set(names) - {found for found in excluded if isinstance(found, int)}):
        content = files.read(names[index])
        found = _parsed(content)
        wrong = f"{shortened(content.decode('utf-8', 'replace'))} of {names[index]}"
        rows.append((index, found | {"_index": index} if isinstance(found, dict) else wrong))
    return rows


def _parsed(text: str | bytes) -> object:
    """Read JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _ends(records: list[dict]) -> list[int]:
    """Find where a run ends: records are missing in between, or another session begins."""
    ends, last = [], None
    for place, found in enumerate(records):
        index = found.get("_index")
        if not isinstance(index, int):
            continue
        if last is not None:
            away, steps = index - records[last]["_index"], place - last
            if away != steps or found.get("_session_id") != records[last].get("_session_id"):
                ends.append(place)
        last = place
    return ends


def _number(value: object) -> float:
    """Give a number, or NaN for what is none."""
    return float(value) if isinstance(value, (int, float)) else np.nan
