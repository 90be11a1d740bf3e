"""Drives that tests make, small and each of its own color."""

import zipfile
from types import SimpleNamespace

import numpy as np
from PIL import Image

from steerlib.drives import Drive
from steerlib.networks.pilotnet import SIZE

PILOTNET = SimpleNamespace(size=SIZE, crop=None)  # what a drive asks of a network
TIMED = "2018-07-01 17:09:55:179"


def color(number):
    """Tell the frames of generated drives apart: each has one color of its own."""
    return (10 * number, 200 - 10 * number, 40)


def write_frame(path, number, size=(24, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], color(number)).save(path)


def write_drive(folder, lines, frames=3, newline="\n"):
    """A drive in S. Chen's format: frames 0.png, 1.png, ..., each in its color."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(frames):
        write_frame(folder / f"{number}.png", number)
    (folder / "data.txt").write_text(newline.join(lines) + newline, encoding="utf-8", newline="")
    return folder


def write_log(folder, rows, frames=3):
    """A log of the simulator: center_0.png, left_0.png, right_0.png, ...; the sides in other colors."""
    for number in range(frames):
        for shift, camera in enumerate(("center", "left", "right")):
            write_frame(folder / "IMG" / f"{camera}_{number}.png", number + 5 * shift)
    (folder / "driving_log.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def zipped(folder, archive, prefix=""):
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, prefix + path.relative_to(folder).as_posix())
    return archive


def colors_of(drive):
    return [tuple(int(value) for value in drive.frame(i)[0, 0]) for i in range(len(drive))]


GOOD = ["0.png 1.5", "1.png -2.25", "2.png 3"]


def small_drive(count, angles=None):
    return Drive.from_arrays(
        "small", np.zeros((count, 2, 2, 3), np.uint8), np.arange(count) if angles is None else angles
    )
