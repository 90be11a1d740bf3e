"""What all explorers share; introduced in notebook 01.

Wiring only: what is computed stands in the method's own module, what is drawn in `steerlib.show.overlay`. An
explorer is an ipywidgets widget that JupyterLab shows. From Python, setting ``explorer.frame.value`` or the
value of a control does what a hand on the slider does, and the next line finds the finished picture:
``picture.value``, ``readout.value`` and ``error.value`` are what is then seen, ``map`` holds the numbers behind it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from html import escape
from time import perf_counter
from typing import Any, NamedTuple

import cv2
import ipywidgets as widgets
import keras
import numpy as np
from IPython import get_ipython

from steerlib.drives import Drive, crop_road, preprocess
from steerlib.drives.drive import vision
from steerlib.networks.network import Network, as_network, is_keras_model
from steerlib.networks.pilotnet import SIZE
from steerlib.networks.plausibility import in_words, plausible_answers
from steerlib.show import overlay
from steerlib.show.explanation import sample_frames
from steerlib.show.explorers.controls import row_of, slider
from steerlib.show.explorers.erasing import without, worth
from steerlib.show.explorers.view import Part, View, described, encoded, setting
from steerlib.show.rulers import ruler_end

WIDTH, STRIP, BAR = 900, 60, 480  # pixels: width of a picture, height of the strip below it, width of its bar
SAMPLE = 8  # frames, spread over the drive, that decide on the scale which all its frames share
PAUSE = 0.002  # seconds between two steps, in which the kernel reads what the page has sent
STILL = 0.1  # seconds without a new value, after which a hand is taken to hold still


class Scene(NamedTuple):
    """One frame and what is known about it; angles in degrees, positive = right."""

    index: int
    frame: np.ndarray  # (H, W, 3) uint8
    view: np.ndarray  # the part that the network sees, enlarged to WIDTH
    image: np.ndarray  # (h, w, 3) float32 in [0, 1]: what the network gets
    recorded: float
    predicted: float | None
    ruler: float  # the degrees at which the rulers of angles end
    drive: str  # what the notebook calls the drive, and the network
    network: str


class Drawing(NamedTuple):
    """What there is to see."""

    picture: np.ndarray  # (h, w, 3) uint8
    bar: np.ndarray | None  # (60, 480, 3) uint8, for the strip below it
    words: str  # on both
    code: str  # draws the same with Matplotlib
    map: np.ndarray | dict[str, np.ndarray] | None = None  # the numbers behind it; of several methods by their names
    parts: Sequence[Part] = ()  # where the picture shows what the network sees, for a hand on it


Steps = Iterator[Drawing | None]


class Explorer(widgets.VBox):
    """What all explorers share: frame slider with step and play buttons, picture, readout, code, error message.

    Parameters
    ----------
    drive : Drive
        At least one frame.
    network : Network, keras.Model or None
        None: nothing is predicted.
    controls : dict of name to widget
        The method's settings; each becomes an attribute of the explorer. One that is called "mirrored" mirrors the
        frame and its angle.
    draw : function
        ``draw(scene, **values of the controls)`` yields a `Drawing`, or several, each finer than the one before; None
        where it can be left because newer values have come. What it raises is shown as a message.
    height : int, optional
        Of the picture. None: of the part of the frame that the network sees, enlarged.
    frame : int
        Where to begin.

    The attribute `frame` is the slider; `picture` a `View` of constant size whose tooltip says what it shows;
    `readout` the angles, the time taken and what to see; `doubt` what speaks against its answers to the drive, or
    empty; `code` the lines that draw it; `error` what went wrong, or empty; `map` the values that are drawn, None where
    there are none.
    """

    words = ("predicted", "recorded")
    erases = True  # whether something can be hidden: its maps are those of what the network gets
    _asked, _task, _link = 0, None, None  # how often values have changed, what draws them for the page, Play's link
    _latest, _drawn = None, 0  # the scene and the drawing on the page, and how many there were
    _encoded = None, b""  # a view and its JPEG

    def __init__(
        self,
        drive: Drive,
        network: Network | keras.Model | None,
        controls: dict[str, widgets.Widget],
        draw: Callable[..., Steps],
        height: int | None = None,
        frame: int = 0,
    ) -> None:
        if not len(drive):
            raise ValueError(f"the drive {drive.name!r} has no frame to explore")
        self.network = None if network is None else as_network(network)
        self.crop = drive.part_for(self.network)
        self._names = name_of(drive, "drive"), name_of(network, "network")
        self._height = len(overlay.enlarge(crop_road(typical(drive), self.crop), WIDTH)) if height is None else height
        known = self.network is None or np.isfinite(drive.angles).any()
        self._ruler = ruler_end(drive.angles if known else _answers(self.network, drive))
        self.map = None
        self.drive, self.controls, self._draw = drive, controls, draw
        self._read = lru_cache(maxsize=1)(self._read)  # a control moves much more often than the frame is changed
        vars(self).update(controls)
        self.frame = slider("frame", 0, len(drive) - 1, frame)
        self.play = widgets.Play(frame, interval=150, min=0, max=len(drive) - 1, tooltip="play the drive")
        # One way only: a link back would send each move of the slider twice. The picture on the page tells Play of it.
        self._link = widgets.jsdlink((self.play, "value"), (self.frame, "value"))
        self.back, self.forward = (
            widgets.Button(icon=f"step-{way}", tooltip=f"{name} frame", layout={"width": "40px"})
            for way, name in (("backward", "previous"), ("forward", "next"))
        )
        self.back.on_click(lambda _: self._step(-1))
        self.forward.on_click(lambda _: self._step(1))
        self.picture = View(layout={"width": f"{WIDTH}px", "max_width": "100%"})
        self.picture.settings, self.picture.crop = {"frame": self.frame, **controls}, list(self.crop)
        self.picture.play = self.play
        self.picture.on_msg(self._on_message)
        self.readout, self.error, self.code = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.doubt = widgets.HTML(_doubt(self.network, drive))
        lines = widgets.Accordion([self.code], titles=["Copy the code that draws this picture"], selected_index=None)
        for control in (self.frame, *controls.values()):
            control.observe(self._update, "value")
        self._update()
        steps, settings = row_of(self.back, self.frame, self.forward, self.play), row_of(*controls.values())
        super().__init__([steps, settings, self.doubt, self.error, self.picture, self.readout, lines])

    def close(self) -> None:
        """Take the explorer off the page, and stop what it is computing."""
        if self._task is not None:
            self._task.cancel()
        for part in filter(None, (self._link, *_parts(self))):  # what failed in its constructor has no link
            part.close()
        super().close()

    def erase(self, region: np.ndarray, fill: str = "blur") -> str:
        """Hide a region of the picture that is shown, and say what it was worth beside what the maps say there.

        Parameters
        ----------
        region : (h, w) bool
            Pixels of what the network gets.
        fill : str
            What shows through, see `steerlib.maps.fill.hide_regions`.

        Returns
        -------
        str
            What the page says, too, until something else is drawn.

        Raises
        ------
        ValueError
            If there is no network or no picture, or the region or the fill does not fit.
        """
        if not self._erases():
            raise ValueError("in this picture nothing can be hidden")
        scene, drawing = self._latest
        region, found = np.asarray(region), [(part.name, part.found) for part in drawing.parts if part.found]
        effect, words = worth(self.network, scene.image, region, fill, found)
        picture = without(scene.view, scene.image, region, fill)
        if drawing.picture.shape == picture.shape:  # nothing but the view: the angles below it belong to it, too
            bar = overlay.angles_strip(BAR, scene.predicted - effect, scene.predicted, scene.ruler, ("hidden", "seen"))
            picture = overlay.with_angles(picture, bar, scene.predicted, scene.recorded, scene.ruler, self.words)
        else:
            *_, width, height = drawing.parts[0].box
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        self._answer(words, encoded(picture))
        return words

    def _erases(self) -> bool:
        """Tell whether something can be hidden in what is shown."""
        return self.erases and self.network is not None and self._latest is not None and bool(self._latest[1].parts)

    def _on_message(self, _view: View, message: dict[str, Any], buffers: list[memoryview]) -> None:
        """Hide what was painted on the page, as soon as nothing is being drawn: that would take the answer away."""
        if message.get("kind") != "erase":
            return
        if self._task is None or self._task.done():
            self._erase_painted(message, buffers)
        else:
            self._task.add_done_callback(lambda task: task.cancelled() or self._erase_painted(message, buffers))

    def _erase_painted(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        """Hide what was painted, and say what it was worth, or why not."""
        try:
            if self._latest is None or message["frame"] != self._latest[0].index:
                raise ValueError("it was painted on another frame than the one that is shown; erase again")
            shape = self._latest[0].image.shape[:2]
            self.erase(np.frombuffer(buffers[0], np.uint8).reshape(shape) > 0, message["fill"])
        except Exception as error:
            self.log.exception("nothing is hidden")
            self._answer(f"Nothing is hidden: {error}")

    def _answer(self, words: str, erased: bytes = b"") -> None:
        """Say on the page what was erased, and show it."""
        with self.picture.hold_sync():
            self.picture.answer, self.picture.erased = words, erased
            self.picture.answered += 1

    def _step(self, distance: int) -> None:
        """Go to a neighboring frame, if there is one."""
        self.frame.value = min(max(self.frame.value + distance, 0), self.frame.max)

    def _update(self, _change: object = None) -> None:
        """Draw what the controls say: for a cell at once, for a hand on the page as soon as it holds still."""
        self._asked += 1
        if not _page_asks():
            for _ in self._steps():
                pass
            self._write_code()
        elif self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._catch_up())

    async def _catch_up(self) -> None:
        """Draw the latest values; leave a drawing that newer ones have overtaken.

        The kernel reads messages while this waits. So a slider that is dragged never has a queue of pictures to draw
        behind it: whatever has come in the meantime, the next picture is that of the last value.
        """
        drawn = None
        while drawn != self._asked:
            await asyncio.sleep(PAUSE)
            drawn = self._asked
            for _ in self._steps():
                await asyncio.sleep(PAUSE)
                if drawn != self._asked:
                    break
        asyncio.get_running_loop().call_later(STILL, lambda: drawn == self._asked and self._write_code())

    def _steps(self) -> Iterator[None]:
        """Draw what the controls say, step by step. A failure becomes a message here and a line in the log."""
        start, values = perf_counter(), {name: control.value for name, control in self.controls.items()}
        drawn = {name: setting(control) for name, control in self.picture.settings.items()}
        try:
            scene = self._scene(bool(values.get("mirrored")))
            for drawing in self._draw(scene, **values):
                if drawing is not None:
                    self._show(scene, drawing, start, drawn)
                yield
        except Exception as error:
            self.log.exception("an explorer has no picture")
            # The picture of the last settings beside the new ones would be a lie.
            self._latest = None
            self._put(np.full((self._height + STRIP, WIDTH, 3), 128, np.uint8), "no picture", drawn)
            message = escape(f"{type(error).__name__}: {error}")
            self.error.value = f'<div role="alert" style="color: #b00020"><b>No picture.</b> {message}</div>'
            self.readout.value, self.map = "", None

    def _read(self, index: int, mirrored: bool) -> tuple[np.ndarray, ...]:
        """Read a frame; give it, the enlarged part that the network sees, and what the network gets."""
        frame = self.drive.frame(index)
        frame = np.ascontiguousarray(frame[:, ::-1]) if mirrored else frame
        size = SIZE if self.network is None else self.network.size
        return (
            frame,
            overlay.enlarge(crop_road(frame, self.crop), WIDTH),
            preprocess(frame, self.crop, size, **vision(self.network)),
        )

    def _scene(self, mirrored: bool) -> Scene:
        """Read the chosen frame and ask the network for its angle."""
        index = self.frame.value
        frame, view, image = self._read(index, mirrored)
        predicted = None if self.network is None else self.network.angle(image)
        recorded = float(self.drive.angles[index]) * (-1 if mirrored else 1)
        return Scene(index, frame, view, image, recorded, predicted, self._ruler, *self._names)

    def _show(self, scene: Scene, drawing: Drawing, start: float, drawn: dict[str, Any]) -> None:
        """Put a drawing on the page."""
        if drawing.picture.shape[:2] != (self._height, WIDTH):
            drawing = drawing._replace(parts=())  # it is scaled, and its places are not those of the page
        self.map, self._latest = drawing.map, (scene, drawing)
        picture = overlay.fit(drawing.picture, self._height, WIDTH)
        bar = np.full((STRIP, BAR, 3), overlay.PAPER, np.uint8) if drawing.bar is None else drawing.bar
        predicted, recorded = self.words
        angles = scene.predicted, scene.recorded, scene.ruler, self.words
        self._put(overlay.with_angles(picture, bar, *angles), drawing.words, drawn)
        known = np.isfinite(scene.recorded)
        angles = f"{recorded} {scene.recorded:+.1f}°" if known else f"not {recorded}"
        if scene.predicted is not None:
            angles += f", {predicted} {scene.predicted:+.1f}°"
            angles += f", error {scene.predicted - scene.recorded:+.1f}°" if known else ""
        name, taken = escape(str(self.drive.names[scene.index])), 1000 * (perf_counter() - start)
        self.readout.value = f"<b>{name}</b>: {angles} (+ is right; {taken:.0f} ms)<br>{escape(drawing.words)}"
        self.error.value = ""

    def _write_code(self) -> None:
        """Write the lines that draw the picture: only when a hand holds still, since each message to a page costs."""
        if self._latest is None:
            self.code.value = ""
            return
        copy, lines = "navigator.clipboard.writeText(this.nextElementSibling.textContent)", self._latest[1].code
        self.code.value = (
            f'<button class="jupyter-button" onclick="{copy}">Copy to the clipboard</button>'
            f'<pre style="user-select: all; line-height: 1.4">{escape(lines)}</pre>'
        )

    def _put(self, picture: np.ndarray, words: str, drawn: dict[str, Any]) -> None:
        """Give the page a picture, its text alternative and its parts, in one message: they belong together."""
        self._drawn += 1
        scene, parts = (None, ()) if self._latest is None else (self._latest[0], self._latest[1].parts)
        with self.picture.hold_sync():
            if any(part.bar for part in parts):
                self.picture.frame = self._frame(scene)
            self.picture.value, self.picture.tooltip = encoded(picture), words
            self.picture.shown = {
                "number": self._drawn,
                "drawn": drawn,
                "parts": [described(part, scene.image.shape[:2]) for part in parts],
                "erases": self._erases(),
            }
            self.picture.answer, self.picture.erased = "", b""  # they were those of the picture before

    def _frame(self, scene: Scene) -> bytes:
        """Encode the part of the frame that the network sees, once for a frame."""
        if self._encoded[0] is not scene.view:
            self._encoded = scene.view, encoded(scene.view)
        return self._encoded[1]


def name_of(thing: object, default: str) -> str:
    """Give the name by which the notebook knows a network or a drive, so that copied lines run there."""

    def is_it(value: object) -> bool:
        # A Keras model keeps the network that was made of it.
        kept = vars(value).get("_steerlib", (None,))[0] if is_keras_model(value) else value
        return value is thing or kept is thing is not None

    names = getattr(get_ipython(), "user_ns", {})
    return next((name for name, value in names.items() if not name.startswith("_") and is_it(value)), default)


def _doubt(network: Network | None, drive: Drive) -> str:
    """Say what speaks against the answers that are explained; what cannot be answered at all is said by the picture."""
    if network is None or not isinstance(drive, Drive):  # a rendered road
        return ""
    with suppress(ValueError):
        if doubts := plausible_answers(network, drive):
            told = escape(in_words(network, drive, doubts))
            return f'<div role="note" style="color: #8a5300"><b>Doubtful answers.</b> {told}</div>'
    return ""


def _answers(network: Network, drive: Drive) -> list[float]:
    """Give a network's angles for some frames, none where it cannot be asked: what speaks against it, pictures say."""
    with suppress(Exception):
        return [network.angle(network.look(frame, drive)) for frame in sample_frames(drive, SAMPLE)]
    return []


def _page_asks() -> bool:
    """Tell whether the kernel is handling what a hand did on the page, and not a cell."""
    parent = getattr(get_ipython(), "get_parent", dict)()
    return parent.get("header", {}).get("msg_type") == "comm_msg"


def typical(drive: Drive) -> np.ndarray:
    """Give a frame that can be read, for the size of the pictures."""
    return next(sample_frames(drive, SAMPLE), np.zeros((256, 455, 3), np.uint8))


def _parts(widget: widgets.Widget) -> list[widgets.Widget]:
    """List all that a widget is made of; it stays in the kernel's memory until it is closed."""
    inner = [part for child in getattr(widget, "children", ()) for part in (*_parts(child), child)]
    return inner + [getattr(widget, name) for name in ("layout", "style") if hasattr(widget, name)]
