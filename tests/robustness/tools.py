"""What the cases share: small pictures, drives and networks."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import cv2
import keras
import numpy as np

from steerlib.drives import Drive, load_drive
from steerlib.networks.pilotnet import SIZE
from steerlib.world import LABELS

GOOD = b"0.png 1.5\n1.png -2.25\n2.png 3\n"
PILOTNET = SimpleNamespace(size=SIZE, crop=None)  # what a drive asks of a network
LOG = "center,left,right,steering,throttle,brake,speed"


def picture(number: int = 0, size: tuple[int, int] = (64, 100)) -> np.ndarray:
    """Paint a road of its own for each number, (H, W, 3) uint8 RGB."""
    frame = np.full((*size, 3), 90, np.uint8)
    frame[: size[0] // 3] = (120, 160, 220)
    cv2.line(frame, (size[1] // 2 + 5 * number, size[0] // 3), (size[1] // 4, size[0]), (250, 250, 250), 3)
    frame[0, 0] = number
    return frame


def encoded(frame: np.ndarray, ending: str = ".png", *options: int) -> bytes:
    """Encode a picture, RGB, gray or RGBA."""
    if frame.ndim == 3:
        frame = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR if frame.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(ending, frame, list(options))[1].tobytes()


def write_drive(folder: Path, labels: bytes = GOOD, frames: int = 3, name: str = "data.txt") -> Path:
    """Write frames 0.png, 1.png ... and a label file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(frames):
        (folder / f"{number}.png").write_bytes(encoded(picture(number)))
    (folder / name).write_bytes(labels)
    return folder


def kept(drive: Drive) -> str:
    """Read all frames of a drive; tell which ones it has, and their angles."""
    assert drive.pixels().shape == (len(drive), 66, 200, 3) and np.isfinite(drive.angles).all()
    return ", ".join(f"{name} {angle:g}°" for name, angle in zip(drive.names, drive.angles.tolist()))


def loaded(folder: Path) -> str:
    """Load the drive in a folder."""
    return kept(load_drive(folder))


def in_memory(count: int = 3) -> Drive:
    """Make a drive of pictures in memory, with labels."""
    frames = [picture(number) for number in range(count)]
    labels = [np.full(frame.shape[:2], LABELS["sky"], np.uint8) for frame in frames]
    return Drive.from_arrays("painted", frames, np.linspace(-8, 8, count), labels)


def image() -> np.ndarray:
    """Give what a network sees of a picture, (66, 200, 3) float32 in [0, 1]."""
    return in_memory(1).pictures(PILOTNET)[0]


def network(channels: int = 2, outputs: int = 1, size: tuple[int, ...] = (66, 200, 3)) -> keras.Model:
    """Build a small network that averages its last convolution, for which every method works."""
    picture = x = keras.Input(size, name="image")
    for number, stride in enumerate((4, 2, 2), 1):
        start = keras.initializers.GlorotUniform(number)
        x = keras.layers.Conv2D(channels, 3, stride, activation="relu", kernel_initializer=start, name=f"conv{number}")(
            x
        )
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = keras.layers.Dense(outputs, kernel_initializer=keras.initializers.GlorotUniform(4), name="steering")(x)
    return keras.Model(picture, keras.layers.Rescaling(2.0, name="angle")(keras.ops.arctan(x)), name="small")


shared = cache(network)


@contextmanager
def as_nobody() -> Iterator[Path]:
    """Give up the superuser's rights, before whom no file is unreadable; give a folder that others may enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        superuser = os.geteuid() == 0
        try:
            if superuser:
                os.seteuid(65534)
            yield Path(folder)
        finally:
            if superuser:
                os.seteuid(0)
