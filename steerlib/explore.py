"""Explorers with sliders for the notebooks: choose a frame and settings, and see the picture at once.

Wiring only: what is computed stands in the method's own module, what is drawn in `steerlib.overlay`. An
explorer is an ipywidgets widget that JupyterLab shows. From Python, setting ``explorer.frame.value`` or the
value of a control does what a hand on the slider does, and the next line finds the finished picture:
``picture.value``, ``readout.value`` and ``error.value`` are what is then seen, ``map`` holds the numbers behind it.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from html import escape
from time import perf_counter
from typing import NamedTuple

import cv2
import ipywidgets as widgets
import keras
import numpy as np
import traitlets
from IPython import get_ipython

from steerlib import overlay, roads
from steerlib.data import IMAGE_SIZE, ROAD, Drive, crop_road, preprocess
from steerlib.explain import METHODS, Explanation, explain, sample_frames
from steerlib.explain import draw as draw_explanation
from steerlib.gradcam import TARGETS
from steerlib.hypercolumns import convolutions
from steerlib.model import predict
from steerlib.occlusion import occlude, occlusion_steps
from steerlib.roads import LABELS
from steerlib.trust import changed

WIDTH, STRIP, BAR = 900, 60, 480  # pixels: width of a picture, height of the strip below it, width of its bar
SAMPLE = 8  # frames, spread over the drive, that decide on the scale which all its frames share
PAUSE = 0.002  # seconds between two steps, in which the kernel reads what the page has sent
BATCH = 64  # windows in a step of an occlusion map: some hundredths of a second

DRIVING_METHODS = ("integrated-gradients", "gradient-times-input", "occlusion", "hires-cam")  # of `driving`
PRESENT = ("center_line", "edge_lines", "vehicles", "shadows", "trees")  # what `driving` can take away

FOCUS = {"focus": "focus", "focus alone": "alone"}  # ways to draw a map without colors
SCALES = ["whole drive", "this frame"]

Fill = float | str


class Scene(NamedTuple):
    """One frame and what is known about it; angles in degrees, positive = right."""

    index: int
    frame: np.ndarray  # (H, W, 3) uint8
    view: np.ndarray  # the part that the network sees, enlarged to WIDTH
    image: np.ndarray  # (66, 200, 3) float32 in [0, 1]
    recorded: float
    predicted: float | None
    ruler: float  # the degrees at which the rulers of angles end
    drive: str  # what the notebook calls the drive, and the model
    model: str


class Drawing(NamedTuple):
    """What there is to see."""

    picture: np.ndarray  # (h, w, 3) uint8
    bar: np.ndarray | None  # (60, 480, 3) uint8, for the strip below it
    words: str  # on both
    code: str  # draws the same with Matplotlib
    map: np.ndarray | dict[str, np.ndarray] | None = None  # the numbers behind it; of several methods by their names


Steps = Iterator[Drawing | None]


class Picture(widgets.Image):
    """An image with a tooltip, its text alternative: the page shows none without the description."""

    description = traitlets.Unicode("").tag(sync=True)


class Explorer(widgets.VBox):
    """What all explorers share: frame slider with step and play buttons, picture, readout, code, error message.

    Parameters
    ----------
    drive : Drive
        At least one frame.
    model : keras.Model or None
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

    The attribute `frame` is the slider; `picture` an image of constant size whose tooltip says what it shows;
    `readout` the angles, the time taken and what to see; `code` the lines that draw it; `error` what went wrong, or
    empty; `map` the values that are drawn, None where there are none.
    """

    words = ("predicted", "recorded")
    _asked, _task, _link = 0, None, None  # how often values have changed, what draws them for the page, Play's link

    def __init__(
        self,
        drive: Drive,
        model: keras.Model | None,
        controls: dict[str, widgets.Widget],
        draw: Callable[..., Steps],
        height: int | None = None,
        frame: int = 0,
    ) -> None:
        if not len(drive):
            raise ValueError(f"the drive {drive.name!r} has no frame to explore")
        self._height = len(overlay.enlarge(crop_road(_typical(drive), drive.crop), WIDTH)) if height is None else height
        self._ruler = 5 * float(np.ceil(max(1, np.abs(drive.angles).max()) / 5))
        self.map = None
        self.drive, self.model, self.controls, self._draw = drive, model, controls, draw
        self._read = lru_cache(maxsize=1)(self._read)  # a control moves much more often than the frame is changed
        vars(self).update(controls)
        self.frame = _slider("frame", 0, len(drive) - 1, frame)
        self.play = widgets.Play(frame, interval=150, min=0, max=len(drive) - 1, tooltip="play the drive")
        self._link = widgets.jslink((self.play, "value"), (self.frame, "value"))
        self.back, self.forward = (
            widgets.Button(icon=f"step-{way}", tooltip=f"{name} frame", layout={"width": "40px"})
            for way, name in (("backward", "previous"), ("forward", "next"))
        )
        self.back.on_click(lambda _: self._step(-1))
        self.forward.on_click(lambda _: self._step(1))
        self.picture = Picture(format="jpeg", layout={"width": f"{WIDTH}px", "max_width": "100%"})
        self.readout, self.error, self.code = widgets.HTML(), widgets.HTML(), widgets.HTML()
        lines = widgets.Accordion([self.code], titles=["Copy the code that draws this picture"], selected_index=None)
        for control in (self.frame, *controls.values()):
            control.observe(self._update, "value")
        self._update()
        steps, settings = _row(self.back, self.frame, self.forward, self.play), _row(*controls.values())
        super().__init__([steps, settings, self.error, self.picture, self.readout, lines])

    def close(self) -> None:
        """Take the explorer off the page, and stop what it is computing."""
        if self._task is not None:
            self._task.cancel()
        for part in filter(None, (self._link, *_parts(self))):  # what failed in its constructor has no link
            part.close()
        super().close()

    def _step(self, distance: int) -> None:
        """Go to a neighboring frame, if there is one."""
        self.frame.value = min(max(self.frame.value + distance, 0), self.frame.max)

    def _update(self, _change: object = None) -> None:
        """Draw what the controls say: for a cell at once, for a hand on the page as soon as it holds still."""
        self._asked += 1
        if not _page_asks():
            for _ in self._steps():
                pass
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

    def _steps(self) -> Iterator[None]:
        """Draw what the controls say, step by step. A failure becomes a message here and a line in the log."""
        start, values = perf_counter(), {name: control.value for name, control in self.controls.items()}
        try:
            scene = self._scene(bool(values.get("mirrored")))
            for drawing in self._draw(scene, **values):
                if drawing is not None:
                    self._show(scene, drawing, start)
                yield
        except Exception as error:
            self.log.exception("an explorer has no picture")
            # The picture of the last settings beside the new ones would be a lie.
            self._encode(np.full((self._height + STRIP, WIDTH, 3), 128, np.uint8), "no picture")
            message = escape(f"{type(error).__name__}: {error}")
            self.error.value = f'<div role="alert" style="color: #b00020"><b>No picture.</b> {message}</div>'
            self.readout.value, self.code.value, self.map = "", "", None

    def _read(self, index: int, mirrored: bool) -> tuple[np.ndarray, ...]:
        """Read a frame; give it, the enlarged part that the network sees, and what the network gets."""
        frame = self.drive.frame(index)
        frame = np.ascontiguousarray(frame[:, ::-1]) if mirrored else frame
        return frame, overlay.enlarge(crop_road(frame, self.drive.crop), WIDTH), preprocess(frame, self.drive.crop)

    def _scene(self, mirrored: bool) -> Scene:
        """Read the chosen frame and ask the network for its angle."""
        index = self.frame.value
        frame, view, image = self._read(index, mirrored)
        predicted = None if self.model is None else float(predict(self.model, image[np.newaxis])[0])
        recorded = float(self.drive.angles[index]) * (-1 if mirrored else 1)
        names = _name_of(self.drive, "drive"), _name_of(self.model, "model")
        return Scene(index, frame, view, image, recorded, predicted, self._ruler, *names)

    def _show(self, scene: Scene, drawing: Drawing, start: float) -> None:
        """Put a drawing on the page."""
        self.map = drawing.map
        picture = overlay.fit(drawing.picture, self._height, WIDTH)
        bar = np.full((STRIP, BAR, 3), overlay.PAPER, np.uint8) if drawing.bar is None else drawing.bar
        predicted, recorded = self.words
        angles = scene.predicted, scene.recorded, scene.ruler, self.words
        self._encode(overlay.with_angles(picture, bar, *angles), drawing.words)
        angles = f"{recorded} {scene.recorded:+.1f}°"
        if scene.predicted is not None:
            angles += f", {predicted} {scene.predicted:+.1f}°, error {scene.predicted - scene.recorded:+.1f}°"
        name, taken = escape(str(self.drive.names[scene.index])), 1000 * (perf_counter() - start)
        self.readout.value = f"<b>{name}</b>: {angles} (+ is right; {taken:.0f} ms)<br>{escape(drawing.words)}"
        copy = "navigator.clipboard.writeText(this.nextElementSibling.textContent)"
        self.code.value = (
            f'<button class="jupyter-button" onclick="{copy}">Copy to the clipboard</button>'
            f'<pre style="user-select: all; line-height: 1.4">{escape(drawing.code)}</pre>'
        )
        self.error.value = ""

    def _encode(self, picture: np.ndarray, words: str) -> None:
        """Encode a picture, its colors in full resolution, and give it its text alternative."""
        sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92, *sampling])[1]
        self.picture.value, self.picture.tooltip = encoded.tobytes(), words


def frames(drive: Drive, model: keras.Model | None = None) -> Explorer:
    """Look at a drive: its frames and angles, what the network sees, what each pixel is (notebook 01).

    With a model, its angle is shown beside the recorded one. Labels can be chosen where the drive has them. A mirrored
    frame has the mirrored angle.
    """

    def draw(scene: Scene, show: str, mirrored: bool) -> Steps:
        i, imports = scene.index, ["from steerlib import overlay"]
        bar = overlay.angle_histogram(BAR, drive.angles * (-1 if mirrored else 1), scene.recorded, scene.ruler)
        turn = "[:, ::-1]" if mirrored else ""
        if show == "labels":
            if (labels := drive.labels(i)) is None:
                raise ValueError("this frame has no labels")
            colored = overlay.colorize_labels(labels[:, ::-1] if mirrored else labels, LABELS)
            colored, legend = overlay.enlarge(colored, WIDTH, False), overlay.label_legend(LABELS, WIDTH)
            picture, words = np.vstack([colored, legend]), "What each pixel is; darker in a cast shadow."
            imports.append("from steerlib.roads import LABELS")
            how = f"overlay.colorize_labels({scene.drive}.labels({i}){turn}, LABELS)"
        elif show == "network's input":
            seen = overlay.enlarge(np.rint(255 * scene.image).astype(np.uint8), WIDTH, smooth=False)
            picture = np.vstack([scene.view, seen])
            words = "Above: the part cut from the frame. Below: the 200 × 66 pixels that the network gets."
            imports = ["from steerlib.data import preprocess"]
            how = f"preprocess({scene.drive}.frame({i}){turn}, {scene.drive}.crop)"
        else:
            picture = overlay.enlarge(scene.frame, WIDTH)
            top, bottom = (round(share * len(picture)) for share in drive.crop)
            picture[:top] >>= 1
            picture[bottom:] >>= 1
            words = "The network sees the part that is not darkened."
            imports, how = [], f"{scene.drive}.frame({i}){turn}"
        if mirrored:
            words += " Left and right are exchanged, and so is the sign of the recorded angle."
        yield Drawing(picture, bar, words, _lines(*imports, how=how))

    controls = {"show": _choice("show", ["whole frame", "network's input"] + ["labels"] * _has_labels(drive))}
    controls["mirrored"] = _checkbox("mirrored", False)
    height = len(overlay.enlarge(_typical(drive), WIDTH)) if len(drive) else None
    return Explorer(drive, model, controls, draw, height)


def occlusion(model: keras.Model, drive: Drive) -> Explorer:
    """Hide windows of a frame and see what the angle does: a whole map, or one window (notebook 03).

    A whole map is first shown from few windows, and from all of them as soon as they are computed.
    """

    def steps(image: np.ndarray, sizes: tuple[int, ...], stride: int, fill: Fill) -> Steps:
        return occlusion_steps(model, image, sizes, stride, fill, BATCH)

    limits = _Limits(drive, lambda image, sizes, fill: steps(image, sizes, min(sizes), fill))
    kept = {}  # what only draws the last map in another way must not wait for it again

    def draw_map(
        scene: Scene,
        size: int,
        fill: Fill,
        pair: bool,
        stride: int,
        style: str,
        scale: str,
        percentile: float,
        blur: int,
        **_: object,
    ) -> Steps:
        sizes = (size, 50) if pair else (size,)
        key, coarse = (scene.index, sizes, stride, fill), min(sizes)

        def drawn(map: np.ndarray, limit: float | None, note: str = "") -> Drawing:
            limit = overlay.common_limit([map]) if limit is None else limit
            settings = f"sizes={sizes}, stride={stride}, fill={fill!r}"
            if style in FOCUS.values():
                alone = style == "alone"
                words = f"Sharp: the {100 - percentile:.0f} % of the picture that steer most; "
                words += f"the rest is {'black' if alone else 'blurred and dark'}."
                how = f"overlay.focus({_view(scene)}, shown.map, {percentile}, {blur}, alone={alone})"
                picture = overlay.focus(scene.view, map, percentile, blur, alone)
                return Drawing(picture, None, note + words, _code(scene, "occlusion", settings, how), map)
            words = "Red steers right: without it the angle is further left. Blue steers left. Arrows mark the peaks."
            how = None
            if style == "magnitude":
                words = "Yellow: hiding this moves the wheel most, to whichever side."
                how = f"overlay.overlay({_view(scene)}, abs(shown.map), {limit:.6g}, signed=False)"
            found = Explanation(map, True, "degrees lost when hidden", ("left", "right"), note + words, scene.predicted)
            if style == "magnitude":
                found = found._replace(map=np.abs(map), signed=False)
            return _drawn(scene, found, limit, "occlusion", settings, how)._replace(map=map)

        if key not in kept:
            map = yield from _finish(steps(scene.image, sizes, coarse, fill))
            note = f"Coarse: a window every {coarse} pixels; the finer map follows. "
            yield drawn(map, limits.known.get((sizes, fill)) if scale == SCALES[0] else None, note)
            map = yield from _finish(steps(scene.image, sizes, stride, fill))
            kept.clear()
            kept[key] = map
        limit = None
        if scale == SCALES[0] and style not in FOCUS.values():
            limit = yield from limits.find(sizes, fill)
        yield drawn(kept[key], limit)

    def draw_window(scene: Scene, size: int, fill: Fill, column: int, row: int, **_: object) -> Steps:
        hidden = occlude(scene.image, (row, column), size, fill)
        angle = float(predict(model, hidden[np.newaxis])[0])
        effect = scene.predicted - angle
        bar = overlay.angles_strip(BAR, angle, scene.predicted, scene.ruler, ("hidden", "seen"))
        words = f"What is in the window steers {abs(effect):.2f}° to the {'right' if effect > 0 else 'left'}."
        code = [
            "from steerlib import overlay",
            "from steerlib.model import predict",
            "from steerlib.occlusion import occlude",
            "",
            f"image = {scene.drive}.images([{scene.index}])",
            f"hidden = occlude(image[0], center=({row}, {column}), size={size}, fill={fill!r})",
            f"print(predict({scene.model}, image) - predict({scene.model}, hidden[None]), 'degrees, + steers right')",
        ]
        how = f"overlay.mark_window({_view(scene)}, hidden, ({row}, {column}), {size})"
        picture = overlay.mark_window(scene.view, hidden, (row, column), size)
        yield Drawing(picture, bar, words, _lines(*code, how=how))

    def draw(scene: Scene, show: str, **settings: object) -> Steps:
        return (draw_map if show == "whole map" else draw_window)(scene, **settings)

    show = _choice("show", ["whole map", "one window"])
    size = _slider("window", 9, 59, 15, step=2)
    fill = _choice("fill", [("black", 0.0), ("mean color", "mean"), ("blurred", "blur")])
    of_map = {
        "pair": _checkbox("mean with windows of 50 pixels", True),
        "stride": _choice("stride", [8, 4, 2], 1),
        "style": _choice("picture", [("signed", "signed"), ("magnitude", "magnitude"), *FOCUS.items()]),
    }
    of_colors = {"scale": _choice("color scale", SCALES)}
    of_focus = {"percentile": _slider("percentile", 50, 99, 90), "blur": _slider("blur", 0, 30, 10)}
    of_window = {
        "column": _slider("column", 0, IMAGE_SIZE[1] - 1, IMAGE_SIZE[1] // 2),
        "row": _slider("row", 0, IMAGE_SIZE[0] - 1, IMAGE_SIZE[0] // 2),
    }
    controls = {"show": show, "size": size, "fill": fill, **of_map, **of_colors, **of_focus, **of_window}

    def arrange(_change: object = None) -> None:
        """Show the controls that matter."""
        focused = of_map["style"].value in FOCUS.values()
        chosen = of_window if show.value == "one window" else of_map | (of_focus if focused else of_colors)
        for name, control in controls.items():
            control.layout.display = None if name in {"show", "size", "fill", *chosen} else "none"

    show.observe(arrange, "value")
    of_map["style"].observe(arrange, "value")
    arrange()
    return Explorer(drive, model, controls, draw)


def hypercolumns(model: keras.Model, drive: Drive) -> Explorer:
    """Choose the convolutions whose averaged activations are multiplied, or see VisualBackProp (notebook 04)."""

    def draw(scene: Scene, method: str, **chosen: bool) -> Steps:
        layers = tuple(name for name, on in chosen.items() if on)
        _check_layers(model)
        found = explain(model, scene.image, method, layers=layers)
        yield _drawn(scene, found, 1.0, method, f"layers={layers}")

    boxes = {name: _checkbox(name, True) for name in convolutions(model)}
    method = _choice("method", [(METHODS[name], name) for name in ("hypercolumns", "visual-backprop")])

    def keep_one(_change: object = None) -> None:
        """Lock the last layer that is left, for without any there is no product; VisualBackProp takes all."""
        left = sum(box.value for box in boxes.values())
        for box in boxes.values():
            box.disabled = method.value == "visual-backprop" or (box.value and left == 1)

    for control in (method, *boxes.values()):
        control.observe(keep_one, "value")
    keep_one()
    return Explorer(drive, model, {"method": method, **boxes}, draw)


def grad_cam(model: keras.Model, drive: Drive, frame: int = 0) -> Explorer:
    """Choose method, layer and steering target of a gradient map, beginning at a frame (notebook 05).

    In a signed map red is right and blue is left, whichever of the two is the target.
    """

    def found_of(image: np.ndarray, method: str, target: str, layer: str, signed: bool) -> Explanation:
        return explain(model, image, method, target, layer, signed=signed)

    limits = _Limits(drive, lambda *settings: [found_of(*settings).map])

    def draw(scene: Scene, method: str, layer: str, target: str, signed: bool, scale: str) -> Steps:
        _check_layers(model)
        found, limit = found_of(scene.image, method, target, layer, signed), None
        if scale == SCALES[0]:
            limit = yield from limits.find(method, target, layer, signed)
        settings = f"target={target!r}, layer={layer!r}, signed={signed}"
        yield _drawn(scene, found, limit, method, settings)

    layers = convolutions(model)
    controls = {
        "method": _choice("method", [(METHODS[name], name) for name in ("grad-cam", "hires-cam")]),
        "layer": _choice("layer", layers, min(2, len(layers) - 1)),
        "target": _target(),
        "signed": _checkbox("signed: also what speaks against it", False),
        "scale": _choice("color scale", SCALES),
    }
    return Explorer(drive, model, controls, draw, frame=frame)


def cam(model: keras.Model, drive: Drive) -> Explorer:
    """See the exact account of a network with global average pooling (notebook 06)."""
    limits = _Limits(drive, lambda image: [explain(model, image, "cam").map])

    def draw(scene: Scene, scale: str) -> Steps:
        found, limit = explain(model, scene.image, "cam"), None
        if scale == SCALES[0]:
            limit = yield from limits.find()
        yield _drawn(scene, found, limit, "cam")

    return Explorer(drive, model, {"scale": _choice("color scale", SCALES)}, draw)


def compare(model: keras.Model, drive: Drive) -> Explorer:
    """See all methods that suit a network side by side, on one frame (notebook 06).

    Above them the frame and, where the drive knows it, what each pixel is. Every map has its own unit, but the same
    rule makes its scale.
    """
    methods, layers, labeled = (
        [name for name in METHODS if _suits(model, name)],
        convolutions(model),
        _has_labels(drive),
    )

    def found_of(image: np.ndarray, method: str, target: str, layer: str, signed: bool) -> Explanation:
        return explain(model, image, method, target, layer, stride=8, layers=layers, signed=signed)

    limits = _Limits(drive, lambda *settings: [found_of(*settings).map])

    def page(scene: Scene, tiles: dict[str, np.ndarray]) -> np.ndarray:
        """Join the frame and the tiles of the methods that are computed; the others are blank."""
        beside, caption = np.rint(255 * scene.image).astype(np.uint8), "what the network gets"
        if labeled and (labels := drive.labels(scene.index)) is not None:
            beside, caption = overlay.colorize_labels(crop_road(labels, drive.crop), LABELS), "what each pixel is"
        above = [cv2.resize(scene.view, (442, 146), interpolation=cv2.INTER_AREA)]
        above.append(cv2.resize(beside, (442, 146), interpolation=cv2.INTER_NEAREST))
        blank = np.full((96 + STRIP, 292, 3), 230, np.uint8)
        captions = [METHODS[name] + ("" if name in tiles else ": computing") for name in methods]
        rows = [overlay.grid(above, ["the frame", caption], 2)]
        rows += [overlay.label_legend(LABELS, WIDTH)] if labeled else []
        return np.vstack([*rows, overlay.grid([tiles.get(name, blank) for name in methods], captions, 3)])

    def draw(scene: Scene, target: str, layer: str, signed: bool, scale: str) -> Steps:
        tiles, maps, used = {}, {}, {}
        words = "Red steers right, blue left. Yellow: most, whichever way. Each map has its own unit and scale."
        small = cv2.resize(scene.view, (292, 96), interpolation=cv2.INTER_AREA)
        settings = f"{target!r}, {layer!r}, stride=8, layers={layers}, signed={signed}"
        for name in [None, *methods]:
            if name is not None:
                found = found_of(scene.image, name, target, layer, signed)
                maps[name], limit = found.map, overlay.common_limit([found.map])
                if scale == SCALES[0]:
                    limit = yield from limits.find(name, target, layer, signed)
                picture, used[name] = draw_explanation(small, found, limit), float(f"{limit:.6g}")
                tiles[name] = overlay.with_colorbar(picture, limit, found.signed, found.unit, found.ends)
            code = [
                "from steerlib import explain, overlay",
                "",
                f"for method, limit in {used}.items():",
                f"    image = {scene.drive}.images([{scene.index}])[0]",
                f"    shown = explain.explain({scene.model}, image, method, {settings})",
                "    plt.figure()",
                "    plt.title(method)",
            ]
            how = f"explain.draw({_view(scene)}, shown, limit)"
            yield Drawing(page(scene, tiles), None, words, _lines(*code, how=how, indent=4), dict(maps))

    controls = {
        "target": _target(),
        "layer": _choice("layer", layers, min(2, len(layers) - 1)),
        "signed": _checkbox("signed: also what speaks against the target", True),
        "scale": _choice("color scale", SCALES, 1),
    }
    rows, legend = -(-len(methods) // 3), 48 if labeled else 0
    return Explorer(drive, model, controls, draw, 24 + 146 + legend + rows * (24 + 96 + STRIP))


def driving(models: keras.Model | Mapping[str, keras.Model], road: roads.Scene, display: bool = False) -> Explorer:
    """Move the car, take things away, and see the angle, the map, and whether the map kept its promise (notebook 09).

    Above: the whole scene with its map, what is taken away in a white outline. Below: what the network now sees. A map
    in degrees for each pixel promises a change: its sum over the pixels that are taken away.

    Parameters
    ----------
    models : keras.Model or mapping of name to keras.Model
        Who may drive.
    road : steerlib.roads.Scene
    display : bool
        The car has the display of `steerlib.roads.show_wheel`. It can be taken away, and it can lie.
    """
    return _Driving({models.name: models} if isinstance(models, keras.Model) else dict(models), road, display)


class _Road:
    """A rendered road as a drive: a frame every two meters, from the middle of the lane."""

    def __init__(self, road: roads.Scene) -> None:
        self.road, self.name, self.crop = road, f"road {road.seed}", ROAD
        self.poses = [roads.Pose(distance) for distance in np.arange(10.0, road.road.length - 10, 2.0)]
        self.angles = np.array([road.steering(pose) for pose in self.poses], np.float32)
        self.names = np.array([f"{pose.distance:.0f} m along the road" for pose in self.poses])

    def __len__(self) -> int:
        return len(self.poses)

    def frame(self, i: int) -> np.ndarray:
        """Take the picture, (256, 455, 3) uint8."""
        return self.road.render(self.poses[i])[0]


class _Driving(Explorer):
    """The explorer of `driving`: its frames are taken from where the car stands."""

    words = ("network", "reference")

    def __init__(self, models: dict[str, keras.Model], road: roads.Scene, display: bool) -> None:
        self.models, self.road, self.display = models, road, display
        self.elements = (*PRESENT, "display") if display else PRESENT
        controls = {
            "network": _choice("network", list(models)),
            "method": _choice("map", [(METHODS[name], name) for name in DRIVING_METHODS]),
            "offset": _decimal("meters to the right", 1.5, 0.1),
            "heading": _decimal("degrees askew", 10.0, 0.5),
            **({"lie": _decimal("the display lies by", 60.0, 1.0)} if display else {}),
            **{name: _checkbox(name.replace("_", " "), True) for name in self.elements},
        }
        drive = _Road(road)
        height = 2 * len(overlay.enlarge(crop_road(drive.frame(0)), WIDTH))
        super().__init__(drive, next(iter(models.values())), controls, self._look, height)

    def _scene(self, mirrored: bool) -> Scene:
        """Take the picture that the chosen network now sees, and ask for its angle."""
        i, values = self.frame.value, {name: control.value for name, control in self.controls.items()}
        self.model = self.models[values["network"]]
        self.pose = self.drive.poses[i]._replace(offset=values["offset"], heading=np.radians(values["heading"]))
        self.right = self.road.steering(self.pose)
        without = [name for name in self.elements if not values[name]]
        frame, image = self._photograph(without, True), self._photograph(without, False) / np.float32(255)
        angle, view = float(predict(self.model, image[np.newaxis])[0]), overlay.enlarge(crop_road(frame), WIDTH)
        names = "road", _name_of(self.model, "model")
        return Scene(i, frame, view, image, self.right, angle, self._ruler, *names)

    def _photograph(self, without: Sequence[str], whole: bool) -> np.ndarray:
        """Take a picture from where the car stands: what the camera sees, or what the network gets of it, uint8."""
        shown = self.right + self.lie.value if self.display and "display" not in without else None
        return roads.look(self.road, self.pose, whole, [name for name in without if name != "display"], shown)

    def _look(self, scene: Scene, method: str, **values: object) -> Steps:
        """Draw the whole scene with its map above what the network now sees."""
        without = [name for name in self.elements if not values[name]]
        view, everything = scene.view, scene.image
        if without:
            view = overlay.enlarge(crop_road(self._photograph([], True)), WIDTH)
            everything = self._photograph([], False) / np.float32(255)
        found = explain(self.model, everything, method, "right", stride=8, signed=True)
        limit, gone = overlay.common_limit([found.map]), changed(everything, scene.image)
        picture = draw_explanation(view, found, limit)
        outline = cv2.resize(gone.astype(np.uint8), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(outline, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, overlay.PAPER, 2)
        words = f"Above: the map with everything there, where the network says {found.angle:+.1f}°."
        if without:
            words += f" Below: without {', '.join(without).replace('_', ' ')}."
            words += f" That turned the wheel by {scene.predicted - found.angle:+.1f}°; "
            promised = found.unit == "degrees for each pixel"
            words += f"the map promised {-found.map[gone].sum():+.1f}°." if promised else "this map promises no sum."
        place = f"{self.pose.distance:.1f}, {self.pose.offset:.2f}, np.radians({values['heading']:.1f})"
        code = [
            "import numpy as np",
            "from steerlib import explain, overlay, roads",
            "from steerlib.data import IMAGE_SIZE, ROAD",
            "",
            f"road = roads.Scene({self.road.seed}, {self.road.road.length})",
            f"seen, _ = road.render(roads.Pose({place}), IMAGE_SIZE, crop=ROAD)",
        ]
        if self.display:
            code.append(f"seen = roads.show_wheel(seen[np.newaxis], [{self.right + self.lie.value:.2f}])[0]")
        arguments = f'{scene.model}, seen / np.float32(255), {method!r}, "right", stride=8, signed=True'
        lines = _lines(
            *code,
            f"shown = explain.explain({arguments})",
            how=f"explain.draw(overlay.enlarge(seen), shown, {limit:.6g})",
        )
        bar = overlay.colorbar(BAR, limit, True, found.unit, found.ends)
        yield Drawing(np.vstack([picture, scene.view]), bar, words, lines, found.map)


class _Limits:
    """The scale that all frames of a drive share, for each setting of a method."""

    def __init__(self, drive: Drive, steps: Callable[..., Iterable[np.ndarray | None]]) -> None:
        self.drive, self.steps = drive, steps
        self.known: dict[tuple, float] = {}

    def find(self, *settings: object) -> Generator[None, None, float]:
        """Give the scale, from the maps of some frames; it can be left between two of them."""
        if settings not in self.known:
            maps = []
            for frame in sample_frames(self.drive, SAMPLE):
                maps.append((yield from _finish(self.steps(preprocess(frame, self.drive.crop), *settings))))
                yield
            self.known[settings] = overlay.common_limit(maps)
        return self.known[settings]


def _finish(steps: Iterable[np.ndarray | None]) -> Generator[None, None, np.ndarray]:
    """Pass on the pauses of a computation in steps; return what it ends with."""
    for result in steps:
        if result is None:
            yield
    return result


def _drawn(
    scene: Scene, found: Explanation, limit: float | None, method: str, settings: str = "", how: str | None = None
) -> Drawing:
    """Draw an explanation with its bar; without a limit, on its own scale."""
    limit = overlay.common_limit([found.map]) if limit is None else limit
    bar = overlay.colorbar(BAR, limit, found.signed, found.unit, found.ends)
    code = _code(scene, method, settings, how or f"explain.draw({_view(scene)}, shown, {limit:.6g})")
    return Drawing(draw_explanation(scene.view, found, limit), bar, found.words, code, found.map)


def _code(scene: Scene, method: str, settings: str, how: str) -> str:
    """Write the lines that explain a frame and draw it."""
    arguments = f"{scene.model}, {scene.drive}.images([{scene.index}])[0], {method!r}" + (settings and f", {settings}")
    return _lines("from steerlib import explain, overlay", "", f"shown = explain.explain({arguments})", how=how)


def _lines(*lines: str, how: str, indent: int = 0) -> str:
    """Write the lines that draw a picture."""
    return "\n".join(["import matplotlib.pyplot as plt", *lines, f"{' ' * indent}plt.imshow({how})"])


def _view(scene: Scene) -> str:
    """Write the expression for the part of the frame that the network sees."""
    return f"overlay.enlarge({scene.drive}.view({scene.index}))"


def _name_of(thing: object, default: str) -> str:
    """Give the name by which the notebook knows a model or a drive, so that copied lines run there."""
    names = getattr(get_ipython(), "user_ns", {})
    return next((name for name, value in names.items() if value is thing and not name.startswith("_")), default)


def _page_asks() -> bool:
    """Tell whether the kernel is handling what a hand did on the page, and not a cell."""
    parent = getattr(get_ipython(), "get_parent", dict)()
    return parent.get("header", {}).get("msg_type") == "comm_msg"


def _typical(drive: Drive) -> np.ndarray:
    """Give a frame that can be read, for the size of the pictures."""
    return next(iter(sample_frames(drive, SAMPLE)), np.zeros((256, 455, 3), np.uint8))


def _has_labels(drive: Drive) -> bool:
    """Tell whether a drive knows what its pixels are; labels that cannot be read are reported where they are shown."""
    with suppress(ValueError, OSError):
        return len(drive) > 0 and drive.labels(0) is not None
    return True


def _suits(model: keras.Model, method: str) -> bool:
    """Tell whether a method can explain a model: tried on a black image."""
    image, layers = np.zeros(model.input_shape[1:], np.float32), convolutions(model)
    with suppress(ValueError):
        explain(model, image, method, layer=layers[0] if layers else "", sizes=(50,), stride=50, layers=layers)
        return True
    return False


def _check_layers(model: keras.Model) -> None:
    """Say in plain words that a model has no layer to choose."""
    if not convolutions(model):
        raise ValueError(f"the model {model.name!r} has no convolution to look into")


def _parts(widget: widgets.Widget) -> list[widgets.Widget]:
    """List all that a widget is made of; it stays in the kernel's memory until it is closed."""
    inner = [part for child in getattr(widget, "children", ()) for part in (*_parts(child), child)]
    return inner + [getattr(widget, name) for name in ("layout", "style") if hasattr(widget, name)]


def _slider(description: str, low: int, high: int, value: int, step: int = 1) -> widgets.IntSlider:
    """Make a labeled slider."""
    layout, style = {"width": "380px"}, {"description_width": "auto"}
    return widgets.IntSlider(value, low, high, step, description=description, layout=layout, style=style)


def _decimal(description: str, most: float, step: float) -> widgets.FloatSlider:
    """Make a labeled slider from -most to most."""
    layout, style = {"width": "330px"}, {"description_width": "auto"}
    return widgets.FloatSlider(0.0, min=-most, max=most, step=step, description=description, layout=layout, style=style)


def _choice(description: str, options: list, index: int = 0) -> widgets.RadioButtons:
    """Make a labeled row of options, one of which is chosen."""
    index = index if options else None
    look = {"style": {"description_width": "auto"}, "layout": {"width": "max-content"}}
    return widgets.RadioButtons(options=options, index=index, description=description, orientation="horizontal", **look)


def _target() -> widgets.RadioButtons:
    """Make the choice of a steering target."""
    return _choice("target", ["auto", *(name for name in TARGETS if name != "auto")])


def _checkbox(description: str, value: bool) -> widgets.Checkbox:
    """Make a labeled checkbox no wider than its label."""
    return widgets.Checkbox(value, description=description, indent=False, layout={"width": "max-content"})


def _row(*boxes: widgets.Widget) -> widgets.HBox:
    """Put widgets side by side, in more rows where the page is narrow."""
    return widgets.HBox(boxes, layout={"flex_flow": "row wrap", "grid_gap": "2px 16px", "align_items": "flex-end"})
