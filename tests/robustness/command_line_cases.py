"""The command line: status 2 and one line on standard error, or status 0 and a result."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from table import Case
from tools import GOOD, shared, write_drive

from steerlib.__main__ import main

# what is typed -> what is told; a folder with a drive, a network and some damaged files is there
WRONG: dict[str, str] = {
    "": "required: command",
    "fly": "invalid choice: 'fly'",
    "explain": "required: frame",
    "explain nowhere.jpg": "nowhere.jpg: No such file",
    "explain drive": "drive: Is a directory",
    "explain text.jpg": "text.jpg is not a complete picture",
    "explain drive/0.png --method magic": "invalid choice: 'magic'",
    "explain drive/0.png --target up": "invalid choice: 'up'",
    "explain drive/0.png --layer conv9 --method grad-cam": "layer='conv9'",
    "explain drive/0.png --size 0": "sizes=.*expected",
    "explain drive/0.png --size -5": "sizes=.*expected",
    "explain drive/0.png --size big": "invalid int value: 'big'",
    "explain drive/0.png --size 15 --stride 0": "stride=0",
    "explain drive/0.png --size 15 --stride 99": "stride=99",
    "explain drive/0.png --fill noise": "invalid choice: 'noise'",
    "explain drive/0.png --model nobody": "no network .*nobody",
    "explain drive/0.png --model text.keras": "text.keras: expected a Keras model",
    "explain drive/0.png --model old.h5": "old.h5: expected an HDF5 file of Keras",
    "explain drive/0.png --model lambda.keras": "lambda.keras: a Lambda, code that is never run",
    "explain drive/0.png -o why.txt": "why.txt: expected a name that ends in .png",
    "explain drive/0.png -o nowhere/why.png": "expected a file in a folder that exists",
    "explain drive/0.png -o drive": "drive is a folder",
    "explain drive/0.png --nothing": "unrecognized arguments",
    "explain /dev/zero": "/dev/zero is no file",
    "predict": "required: frame",
    "predict text.jpg nowhere.jpg drive/0.png": "text.jpg is not a complete picture",
    "predict drive/0.png --model": "expected one argument",
    "film": "required: drive",
    "film drive": "required: -o",
    "film nowhere -o a.mp4": "nowhere is not there",
    "film empty -o a.mp4": "no recording in empty",
    "film drive -o a.avi": "a.avi: expected a name that ends in .mp4 or .webm",
    "film drive -o a.mp4 --frames 5": "expected FIRST:LAST",
    "film drive -o a.mp4 --frames 9:12": "has 0 frames",
    "film drive -o a.mp4 --frames a:b": "expected FIRST:LAST",
    "film drive -o a.mp4 --fps 0": "'0': expected a number above 0",
    "film drive -o a.mp4 --fps nan": "'nan': expected a number above 0",
    "film drive -o a.mp4 --method magic": "invalid choice: 'magic'",
    "film drive.tar -o a.mp4": "unpack other archives first",
    "film outside -o a.mp4": "leads out of the folder",
    "film broken -o a.mp4 --model small.keras": "none of its frames can be read",
}
FINE: dict[str, str] = {
    "predict drive/0.png --model small.keras": "drive/0.png: ",
    "predict drive/0.png drive/1.png drive/2.png --model small.keras --whole": "drive/2.png: ",
    "explain drive/0.png --method grad-cam --model small.keras -o why.png": "why.png: ",
    "explain drive/0.png --method grad-cam --model small.keras -o ü/a b.png": "ü/a b.png: ",
    "film dirty --model small.keras -o a.mp4": "a.mp4: 2 frames of dirty",
}


def cases() -> Iterator[Case]:
    """Give the cases."""
    for typed, told in WRONG.items():
        yield Case(f"`steerlib {typed}`", lambda folder, typed=typed: command(folder, typed), told)
    for typed, said in FINE.items():
        yield Case(f"`steerlib {typed}`", lambda folder, typed=typed, said=said: command(folder, typed, said))


def prepare(folder: Path) -> None:
    """Write what the commands are about."""
    write_drive(folder / "drive")
    write_drive(folder / "dirty", GOOD + b"3.png\n7.png 4\n")
    (folder / "dirty" / "1.png").unlink()
    write_drive(folder / "outside", b"../drive/0.png 1\n")
    write_drive(folder / "broken")
    for number in range(3):
        (folder / "broken" / f"{number}.png").write_bytes(b"")
    for name in ("empty", "ü"):
        (folder / name).mkdir()
    (folder / "text.jpg").write_text("text")
    (folder / "text.keras").write_text("text")
    (folder / "old.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (folder / "drive.tar").write_bytes(bytes(10240))


def command(folder: Path, typed: str, said: str = "") -> str:
    """Type a command in the folder; a message becomes an error, so that it is judged as the others are."""
    prepare(folder)
    if "small.keras" in typed:
        shared().save(folder / "small.keras")
    if "lambda.keras" in typed:
        with_code(folder / "lambda.keras")
    arguments = typed.replace("a b", "a\0b").split()
    here, before = Path.cwd(), {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    errors, output = io.StringIO(), io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(output):
            try:
                status = main([part.replace("\0", " ") for part in arguments])
            except SystemExit as leaving:
                status = leaving.code
    finally:
        os.chdir(here)
    lines = [
        line
        for line in errors.getvalue().splitlines()
        if line.strip() and "frame/s" not in line and "a.mp4:" not in line
    ]
    if status == 2:
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before, "something was left"
        assert all(line.startswith("steerlib") for line in lines), lines
        raise ValueError("; ".join(lines))
    assert status == 0 and output.getvalue().count(said) == 1, (status, output.getvalue(), lines)
    return "; ".join([said.strip(": "), *lines])


def with_code(path: Path) -> None:
    """Save a network that would run code."""
    import keras

    frame = keras.Input((66, 200, 3))
    x = keras.layers.Flatten()(keras.layers.Lambda(lambda x: x)(frame))
    keras.Model(frame, keras.layers.Dense(1)(x)).save(path)
