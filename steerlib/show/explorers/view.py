"""The picture of an explorer on the page, and what the page needs to answer a hand on it; introduced in notebook 03.

The kernel composes a picture, as a JPEG: it is what a page shows until its JavaScript, `view.js` beside this file, has
the parts, and what a stored notebook shows. With it go the frame and the map's numbers: the page reads values from
them, and colors them itself where only the display is changed, so that this needs no kernel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import cv2
import ipywidgets as widgets
import numpy as np
import traitlets

from steerlib.maps.method import Explanation
from steerlib.show import overlay
from steerlib.show.explorers.controls import REGION_FILL_LABELS

Box = tuple[int, int, int, int]  # left, top, width, height, in pixels of the picture that holds it
COLORS = {
    name: {"palette": overlay.palette(signed).tobytes(), "ground": overlay.GROUND}
    for name, signed in (("signed", True), ("unsigned", False))
}


class Part(NamedTuple):
    """Where a picture shows what the network sees, and the map that lies there."""

    box: Box
    found: Explanation | None = None  # None: a place on the road, and no map
    limit: float = 0.0  # the value in the strongest color
    whole: float | None = None  # the scale of the whole drive where it is known
    own: float | None = None  # the scale of this frame; None where there is no choice
    bar: Box | None = None  # of the color bar; None: the page does not color this part
    name: str = ""  # of the method, where there are several
    note: str = ""  # what the window that is drawn there was worth
    drawn: Explanation | None = None  # what lies in the picture, where it is not `found` itself but its density


class View(anywidget.AnyWidget):
    """A picture with its text alternative, which can be asked with the mouse, a finger or the keyboard.

    Attributes
    ----------
    value : bytes
        The picture that the kernel composed; `format` is "jpeg", `tooltip` its text alternative.
    frame : bytes
        The part of the frame that the network sees, a JPEG of the size of the map's part; empty where not needed.
    shown : dict
        What the page knows of the picture, see `described`.
    settings : dict of name to widget
        The explorer's controls: a gesture moves them as a hand on a slider does, and the page compares their values
        with those that the picture was drawn from. `play`, if there is one, goes on from where the frame's slider is.
    answer : str
        What the kernel says to what was erased; `erased` is the JPEG of what the network then saw, and `answered` how
        often it has said something.
    tie : str
        Pictures of one tie show the place of the road that is read in any of them; one that is `mirrored` at the other
        side. `crop` is the part of the frame's height that a picture shows.
    """

    _esm = Path(__file__).with_name("view.js")
    value = traitlets.Bytes(b"").tag(sync=True)
    format = traitlets.Unicode("jpeg").tag(sync=True)
    tooltip = traitlets.Unicode("").tag(sync=True)
    # A page asks for it where there is a tooltip; without it the tooltip would lie over what a hand points at.
    description = traitlets.Unicode("picture").tag(sync=True)
    frame = traitlets.Bytes(b"").tag(sync=True)
    shown = traitlets.Dict({"number": 0, "drawn": {}, "parts": [], "erases": False}).tag(sync=True)
    settings = traitlets.Dict({}).tag(sync=True, **widgets.widget_serialization)
    play = traitlets.Any(None).tag(sync=True, **widgets.widget_serialization)
    colors = traitlets.Dict(COLORS).tag(sync=True)
    fills = traitlets.Dict(REGION_FILL_LABELS).tag(sync=True)
    answer = traitlets.Unicode("").tag(sync=True)
    erased = traitlets.Bytes(b"").tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)
    tie = traitlets.Unicode("").tag(sync=True)
    mirrored = traitlets.Bool(False).tag(sync=True)
    crop = traitlets.List([0.0, 1.0]).tag(sync=True)


def described(part: Part, shape: tuple[int, int]) -> dict[str, Any]:
    """Describe a part for the page; `shape` is that of the network's picture, (height, width).

    A map's values are sent as float16 shares of the largest magnitude, so that neither a large nor a small unit is
    lost: what is read differs by at most 0.05 % of itself, or 0.00001 % of the largest.
    """
    about = {"box": part.box, "shape": shape, "name": part.name, "note": part.note, "map": None}
    if part.found is None:
        return about
    found = part.found if part.drawn is None else part.drawn
    largest = float(np.abs(found.map).max()) or 1.0
    lines = overlay.contours(found.map, part.box[:1:-1], found.signed) if part.bar else ()
    return about | {
        "map": (found.map / np.float32(largest)).astype(np.float16).tobytes(),
        "largest": largest,
        "signed": found.signed,
        "unit": found.unit,
        "ends": found.ends,
        "arrows": found.signed and "left" in found.ends,
        "limit": part.limit,
        "limits": None if part.own is None else [part.whole, part.own],
        "bar": part.bar,
        "lines": [(side, cv2.approxPolyDP(line, 0.7, True).ravel().tolist()) for side, line in lines],
    }


def encoded(picture: np.ndarray, quality: int = 92) -> bytes:
    """Encode a picture (h, w, 3) uint8 as a JPEG, its colors in full resolution."""
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling])[1].tobytes()


def setting(control: widgets.Widget) -> int | float | bool | None:
    """Give what the page knows a control's value by: of a choice its place among the options."""
    return control.index if hasattr(control, "index") else control.value
