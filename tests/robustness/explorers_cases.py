"""Explorers, whose controls are moved to their ends from Python; what goes wrong is a message on the page."""

import re
import shutil
from collections.abc import Iterator
from functools import partial
from html import unescape
from pathlib import Path

import cv2
import ipywidgets
import numpy as np
from table import Case
from tools import in_memory, shared, write_drive

from steerlib.drives import Drive, load_drive
from steerlib.show import explorers

NAMES = ("frames", "occlusion", "hypercolumns", "grad_cam", "cam", "compare")


def explorer_of(name: str, drive: Drive) -> explorers.Explorer:
    """Open an explorer."""
    make = getattr(explorers, name)
    explorer = make(drive, shared()) if name == "frames" else make(shared(), drive)
    if name == "occlusion":  # few windows: what is tried here is not the map
        for control, value in (("stride", 8), ("pair", False), ("size", 29), ("scale", "this frame")):
            explorer.controls[control].value = value
    return explorer


def shown(explorer: explorers.Explorer) -> np.ndarray:
    """Give the picture that is seen; there is no message."""
    assert explorer.error.value == "", explorer.error.value
    return cv2.imdecode(np.frombuffer(explorer.picture.value, np.uint8), cv2.IMREAD_COLOR)


def message(explorer: explorers.Explorer) -> str:
    """Give the message that is seen; there is no picture."""
    assert explorer.error.value and explorer.map is None and explorer.readout.value == ""
    return unescape(re.sub("<[^>]+>", "", explorer.error.value))


def cases() -> Iterator[Case]:
    """Give the cases."""
    for name in NAMES:
        yield Case(f"{name}: every control at both ends", partial(extremes, name))
        yield Case(f"{name}: a drive without frames", partial(empty, name), "has no frame to explore")
        yield Case(f"{name}: the drive is deleted while it is shown", partial(deleted, name))
        yield Case(f"{name}: many rapid changes of the frame", partial(rapid, name))
        yield Case(f"{name}: a drive of which nothing can be read", partial(unreadable, name))
    yield Case("two explorers on one model", two_explorers)
    yield Case("two explorers on one drive", two_drives)
    yield Case("the same explorer opened 5 times and closed", reopened)
    yield Case("frames of several sizes in one drive", sizes)
    yield Case("a frame of 1 × 1 pixel", tiny)
    yield Case("values beyond the ends", beyond)
    yield Case("a choice that there is not", unknown_choice, "expected one of|not in")
    yield Case("a network without convolutions", without_convolutions)
    yield Case("a name with HTML in it", html)


def extremes(name: str, folder: Path) -> str:
    """Move each control to each of its values at the ends, one after the other."""
    explorer, count = explorer_of(name, in_memory(2)), 0
    for control in (explorer.frame, *explorer.controls.values()):
        if isinstance(control, ipywidgets.RadioButtons):
            ends = [value for _, value in control.options] if isinstance(control.options[0], tuple) else control.options
        elif isinstance(control, ipywidgets.Checkbox):
            ends = (True, False) if "layer" in name else (False, True)
        else:
            ends = (control.min, control.max)
        before = control.value
        for value in ends:
            control.value = value
            assert shown(explorer).shape[1] == explorers.WIDTH
            count += 1
        control.value = before
    explorer.close()
    return f"a picture for each of {count} values"


def empty(name: str, folder: Path) -> str:
    """Open an explorer on nothing."""
    return str(explorer_of(name, in_memory().subset([])))


def on_disk(folder: Path) -> Drive:
    """Load a drive that can be deleted."""
    return load_drive(write_drive(folder / "drive"))


def deleted(name: str, folder: Path) -> str:
    """Delete the drive while it is shown, and bring it back."""
    explorer = explorer_of(name, on_disk(folder))
    before = shown(explorer)
    shutil.move(folder / "drive", folder / "gone")
    explorer.frame.value = 1
    said = message(explorer)
    assert "No such file" in said and "1.png" in said
    shutil.move(folder / "gone", folder / "drive")
    explorer.frame.value = 0
    assert (shown(explorer) == before).mean() > 0.99
    return f"{said.replace(str(folder), '…')}; and the picture again when the drive is back"


def rapid(name: str, folder: Path) -> str:
    """Change the frame again and again: the last picture is that of the last frame."""
    drive = in_memory(4)
    explorer, once = explorer_of(name, drive), explorer_of(name, drive)
    for step in range({"compare": 2, "occlusion": 3}.get(name, 25)):
        explorer.frame.value = step % 4
    explorer.frame.value = once.frame.value = 3
    assert (shown(explorer) == shown(once)).mean() > 0.99
    return "the picture of the last frame"


def unreadable(name: str, folder: Path) -> str:
    """Open an explorer where there is nothing to see."""
    drive = on_disk(folder)
    for path in (folder / "drive").glob("*.png"):
        path.write_bytes(b"no picture")
    return message(explorer_of(name, drive)).replace(str(folder), "…")


def two_explorers(folder: Path) -> str:
    """Move two explorers of one model in turn: each shows its own."""
    one, other = explorer_of("grad_cam", in_memory()), explorer_of("occlusion", in_memory())
    for step in (0, 2):
        one.frame.value, other.frame.value = step, 2 - step
    alone = explorer_of("grad_cam", in_memory())
    alone.frame.value = one.frame.value
    np.testing.assert_allclose(one.map, alone.map, atol=1e-5)
    assert (shown(one) == shown(alone)).mean() > 0.99
    assert other.frame.value == 0 and shown(other).any()
    return "each shows its own map"


def two_drives(folder: Path) -> str:
    """Move two explorers of one drive: neither moves the other."""
    drive = in_memory()
    one, other = explorer_of("frames", drive), explorer_of("frames", drive)
    before = other.picture.value
    one.frame.value = 2
    assert other.frame.value == 0 and other.picture.value == before != one.picture.value
    return "neither moves the other"


def reopened(folder: Path) -> str:
    """Open and close: no widget is left, with all that it is made of."""
    explorer_of("frames", in_memory()).close()
    before = set(ipywidgets.widgets.widget._instances)
    for _ in range(5):
        explorer_of("frames", in_memory()).close()
    assert set(ipywidgets.widgets.widget._instances) == before
    return "no widget is left"


def of_sizes(*sizes: tuple[int, int]) -> Drive:
    """Make a drive of frames of such sizes."""
    frames = [np.full((*size, 3), 40 * number, np.uint8) for number, size in enumerate(sizes)]
    return Drive.from_arrays("sizes", frames, np.zeros(len(sizes)))


def sizes(folder: Path) -> str:
    """Look through frames of several sizes: the picture keeps one size."""
    explorer, seen = explorer_of("grad_cam", of_sizes((64, 100), (200, 100), (30, 300))), set()
    for index in range(3):
        explorer.frame.value = index
        seen.add(shown(explorer).shape)
    assert len(seen) == 1
    return f"pictures of {seen.pop()}"


def tiny(folder: Path) -> str:
    """Look at a single pixel."""
    return f"a picture of {shown(explorer_of('grad_cam', of_sizes((1, 1)))).shape}"


def beyond(folder: Path) -> str:
    """Set values that no slider has: they are cut off at its ends."""
    explorer = explorer_of("occlusion", in_memory())
    explorer.frame.value, explorer.size.value = 10**6, -5
    assert (explorer.frame.value, explorer.size.value) == (2, 9) and shown(explorer).any()
    return "frame 2 of 0 to 2, windows of 9 pixels"


def unknown_choice(folder: Path) -> str:
    """Choose a layer that there is not."""
    import traitlets

    explorer = explorer_of("grad_cam", in_memory())
    try:
        explorer.layer.value = "conv9"
    except traitlets.TraitError as error:
        raise ValueError(f"expected one of {explorer.layer.options}: {error}") from error
    return "accepted"


def without_convolutions(folder: Path) -> str:
    """Look for layers where there are none."""
    import keras

    picture = keras.Input((66, 200, 3))
    model = keras.Model(picture, keras.layers.Dense(1)(keras.layers.Flatten()(picture)), name="flat")
    return message(explorers.grad_cam(model, in_memory()))


def html(folder: Path) -> str:
    """Show a frame whose name is a script: it is text on the page."""
    name = "<img src=x onerror=alert(1)>.png"
    write_drive(folder, f"{name} 1.5\n".encode(), 1)
    (folder / "0.png").rename(folder / name)
    explorer = explorer_of("frames", load_drive(folder))
    assert "<img" not in explorer.readout.value and "&lt;img" in explorer.readout.value
    (folder / name).write_bytes(b"")
    explorer.frame.value = 0
    explorer = explorer_of("frames", load_drive(folder))
    assert "<img" not in explorer.error.value and "&lt;img" in explorer.error.value
    return "text on the page"
