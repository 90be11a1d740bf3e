"""Explorers with sliders for the notebooks: choose a frame and settings, and see the picture at once.

Wiring only: what is computed stands in the method's own module, what is drawn in `steerlib.overlay`. An
explorer is an ipywidgets widget that JupyterLab shows. From Python, setting ``explorer.frame.value`` or the
value of a control does what a hand on the slider does; ``picture.value``, ``readout.value`` and
``error.value`` are what is then seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from time import perf_counter

import cv2
import ipywidgets as widgets
import keras
import numpy as np
import traitlets

from steerlib import overlay
from steerlib.data import IMAGE_SIZE, Drive, crop_road, preprocess
from steerlib.explain import METHODS, Explanation, explain, sample_frames
from steerlib.explain import draw as draw_explanation
from steerlib.gradcam import TARGETS
from steerlib.hypercolumns import convolutions
from steerlib.model import predict
from steerlib.occlusion import occlude, occlusion_map
from steerlib.roads import LABELS

WIDTH, STRIP, BAR = 900, 60, 480  # pixels: width of a picture, height of the strip below it, width of its bar
SAMPLE = 8  # frames, spread over the drive, that decide on the scale which all its frames share

FOCUS = {"focus": "focus", "focus alone": "alone"}  # ways to draw a map without colors

Fill = float | str
Drawing = tuple[np.ndarray, np.ndarray | None, str]  # picture, bar for the strip below it, both in words


@dataclass(frozen=True)
class Scene:
    """One frame and what is known about it; angles in degrees, positive = right."""

    index: int
    frame: np.ndarray  # (H, W, 3) uint8
    view: np.ndarray  # the part that the network sees, enlarged to WIDTH
    image: np.ndarray  # (66, 200, 3) float32 in [0, 1]
    recorded: float
    predicted: float | None
    ruler: float  # the degrees at which the rulers of angles end


class Picture(widgets.Image):
    """An image with a tooltip, its text alternative: the page shows none without the description."""

    description = traitlets.Unicode("").tag(sync=True)


class Explorer(widgets.VBox):
    """What all explorers share: frame slider with step and play buttons, picture, readout, error message.

    Parameters
    ----------
    drive : Drive
        At least one frame.
    model : keras.Model or None
        None: nothing is predicted.
    controls : dict of name to widget
        The method's settings; each becomes an attribute of the explorer.
    draw : function
        ``draw(scene, **values of the controls)`` returns a picture (h, w, 3) uint8, a bar (60, 480, 3) to go
        below it or None, and a sentence on both. What it raises is shown as a message, and raised again.
    whole : bool
        The picture is as high as the enlarged frame, not as the part of it that the network sees.

    The attribute `frame` is the slider; `picture` an image of constant size whose tooltip says what it shows;
    `readout` the angles, the time taken and what to see; `error` what went wrong, or empty.
    """

    def __init__(
        self, drive: Drive, model: keras.Model | None, controls: dict, draw: Callable[..., Drawing], whole: bool = False
    ) -> None:
        if not len(drive):
            raise ValueError(f"the drive {drive.name!r} has no frame to explore")
        self._height = len(overlay.enlarge(drive.frame(0) if whole else drive.view(0), WIDTH))
        self._ruler = 5 * float(np.ceil(max(1, np.abs(drive.angles).max()) / 5))
        self.drive, self.model, self.controls, self._draw = drive, model, controls, draw
        vars(self).update(controls)
        self.frame = _slider("frame", 0, len(drive) - 1, 0)
        self.play = widgets.Play(interval=150, min=0, max=len(drive) - 1, tooltip="play the drive")
        widgets.jslink((self.play, "value"), (self.frame, "value"))
        self.back, self.forward = (
            widgets.Button(icon=f"step-{way}", tooltip=f"{name} frame", layout={"width": "40px"})
            for way, name in (("backward", "previous"), ("forward", "next"))
        )
        self.back.on_click(lambda _: self._step(-1))
        self.forward.on_click(lambda _: self._step(1))
        self.picture = Picture(format="jpeg", layout={"width": f"{WIDTH}px", "max_width": "100%"})
        self.readout, self.error = widgets.HTML(), widgets.HTML()
        for control in (self.frame, *controls.values()):
            control.observe(self._update, "value")
        self._update()
        steps, settings = _row(self.back, self.frame, self.forward, self.play), _row(*controls.values())
        super().__init__([steps, settings, self.error, self.picture, self.readout])

    def _step(self, distance: int) -> None:
        """Go to a neighboring frame, if there is one."""
        self.frame.value = min(max(self.frame.value + distance, 0), self.frame.max)

    def _scene(self) -> Scene:
        """Read the chosen frame and ask the network for its angle."""
        index = self.frame.value
        frame = self.drive.frame(index)
        view, image = crop_road(frame, self.drive.crop), preprocess(frame, self.drive.crop)
        predicted = None if self.model is None else float(predict(self.model, image[np.newaxis])[0])
        recorded = float(self.drive.angles[index])
        return Scene(index, frame, overlay.enlarge(view, WIDTH), image, recorded, predicted, self._ruler)

    def _update(self, _change: object = None) -> None:
        """Draw what the controls say. A failure becomes a message here and an exception in the kernel."""
        start = perf_counter()
        try:
            scene = self._scene()
            values = {name: control.value for name, control in self.controls.items()}
            picture, bar, words = self._draw(scene, **values)
            angles = scene.predicted, scene.recorded, scene.ruler
            self._show(overlay.with_angles(_fit(picture, self._height), bar, *angles), words)
        except Exception as error:
            # The picture of the last settings beside the new ones would be a lie.
            self._show(np.full((self._height + STRIP, WIDTH, 3), 128, np.uint8), "no picture")
            message = escape(f"{type(error).__name__}: {error}")
            self.error.value = f'<div role="alert" style="color: #b00020"><b>No picture.</b> {message}</div>'
            self.readout.value = ""
            raise
        angles = f"recorded {scene.recorded:+.1f}°"
        if scene.predicted is not None:
            angles += f", predicted {scene.predicted:+.1f}°, error {scene.predicted - scene.recorded:+.1f}°"
        name, taken = escape(str(self.drive.names[scene.index])), 1000 * (perf_counter() - start)
        self.readout.value = f"<b>{name}</b>: {angles} (+ is right; {taken:.0f} ms)<br>{escape(words)}"
        self.error.value = ""

    def _show(self, picture: np.ndarray, words: str) -> None:
        """Encode a picture, its colors in full resolution, and give it its text alternative."""
        sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92, *sampling])[1]
        self.picture.value, self.picture.tooltip = encoded.tobytes(), words


def frames(drive: Drive, model: keras.Model | None = None) -> Explorer:
    """Look at a drive: its frames and angles, what the network sees, what each pixel is (notebook 01).

    With a model, its angle is shown beside the recorded one. Labels can be chosen where the drive has them.
    """

    def draw(scene: Scene, show: str) -> Drawing:
        if show == "labels":
            colored = overlay.colorize_labels(drive.labels(scene.index), LABELS)
            colored, legend = overlay.enlarge(colored, WIDTH, False), overlay.label_legend(LABELS, WIDTH)
            return np.vstack([colored, legend]), None, "What each pixel is; darker in a cast shadow."
        if show == "network's input":
            seen = overlay.enlarge(np.rint(255 * scene.image).astype(np.uint8), WIDTH, smooth=False)
            words = "Above: the part cut from the frame. Below: the 200 × 66 pixels that the network gets."
            return np.vstack([scene.view, seen]), None, words
        picture = overlay.enlarge(scene.frame, WIDTH)
        top, bottom = (round(share * len(picture)) for share in drive.crop)
        picture[:top] //= 2
        picture[bottom:] //= 2
        return picture, None, "The network sees the part that is not darkened."

    labeled = len(drive) > 0 and drive.labels(0) is not None
    options = ["whole frame", "network's input"] + ["labels"] * labeled
    return Explorer(drive, model, {"show": _choice("show", options)}, draw, whole=True)


def occlusion(model: keras.Model, drive: Drive) -> Explorer:
    """Hide windows of a frame and see what the angle does: a whole map, or one window (notebook 03)."""
    limit_of = _limits(drive, lambda image, sizes, fill: occlusion_map(model, image, sizes, min(sizes), fill))

    @lru_cache(maxsize=64)  # what only draws the same map in another way must not wait for it again
    def map_of(index: int, sizes: tuple[int, ...], stride: int, fill: Fill) -> np.ndarray:
        return occlusion_map(model, preprocess(drive.frame(index), drive.crop), sizes, stride, fill)

    def draw_map(
        scene: Scene,
        size: int,
        fill: Fill,
        pair: bool,
        stride: int,
        style: str,
        percentile: float,
        blur: int,
        **_: object,
    ) -> Drawing:
        sizes = (size, 50) if pair else (size,)
        map = map_of(scene.index, sizes, stride, fill)
        if style in FOCUS.values():
            picture = overlay.focus(scene.view, map, percentile, blur, alone=style == "alone")
            around = "black" if style == "alone" else "blurred and dark"
            return (
                picture,
                None,
                f"Sharp: the {100 - percentile:.0f} % of the picture that steer most; the rest is {around}.",
            )
        limit = limit_of(sizes, fill) if style == "whole drive" else overlay.common_limit([map])
        bar = overlay.colorbar(BAR, limit, True, "degrees lost when hidden")
        words = "Red steers right: without it the angle is further left. Blue steers left. Arrows mark the peaks."
        return overlay.mark_peaks(overlay.overlay(scene.view, map, limit, True), map, limit), bar, words

    def draw_window(scene: Scene, size: int, fill: Fill, column: int, row: int, **_: object) -> Drawing:
        hidden = occlude(scene.image, (row, column), size, fill)
        angle = float(predict(model, hidden[np.newaxis])[0])
        effect = scene.predicted - angle
        bar = overlay.angles_strip(BAR, angle, scene.predicted, scene.ruler, ("hidden", "seen"))
        side = "right" if effect > 0 else "left"
        words = f"What is in the window steers {abs(effect):.2f}° to the {side}."
        return _draw_window(scene.view, hidden, (row, column), size), bar, words

    def draw(scene: Scene, show: str, **settings: object) -> Drawing:
        return (draw_map if show == "whole map" else draw_window)(scene, **settings)

    show = _choice("show", ["whole map", "one window"])
    size = _slider("window", 9, 59, 15, step=2)
    fill = _choice("fill", [("black", 0.0), ("mean color", "mean"), ("blurred", "blur")])
    of_map = {
        "pair": _checkbox("mean with windows of 50 pixels", True),
        "stride": _choice("stride", [8, 4, 2]),
        "style": _choice(
            "picture", [("colors, drive's scale", "whole drive"), ("colors, own scale", "this frame"), *FOCUS.items()]
        ),
    }
    of_focus = {"percentile": _slider("percentile", 50, 99, 90), "blur": _slider("blur", 0, 30, 10)}
    of_window = {
        "column": _slider("column", 0, IMAGE_SIZE[1] - 1, IMAGE_SIZE[1] // 2),
        "row": _slider("row", 0, IMAGE_SIZE[0] - 1, IMAGE_SIZE[0] // 2),
    }

    controls = {"show": show, "size": size, "fill": fill, **of_map, **of_focus, **of_window}

    def arrange(_change: object = None) -> None:
        """Show the controls that matter; a map takes too long to be drawn while a slider moves."""
        one, focused = show.value == "one window", of_map["style"].value in FOCUS.values()
        size.continuous_update = explorer.frame.continuous_update = one
        shown = {"show", "size", "fill", *(of_window if one else of_map), *(of_focus if focused and not one else ())}
        for name, control in controls.items():
            control.layout.display = None if name in shown else "none"

    show.observe(arrange, "value")
    of_map["style"].observe(arrange, "value")
    explorer = Explorer(drive, model, controls, draw)
    arrange()
    return explorer


def hypercolumns(model: keras.Model, drive: Drive) -> Explorer:
    """Choose the convolutions whose averaged activations are multiplied, or see VisualBackProp (notebook 04)."""

    def draw(scene: Scene, method: str, **chosen: bool) -> Drawing:
        layers = tuple(name for name, on in chosen.items() if on)
        found = explain(model, scene.image, method, layers=layers)
        bar = overlay.colorbar(BAR, 1.0, False, "share of the strongest response in this frame")
        return overlay.overlay(scene.view, found.map, 1.0, False), bar, found.words

    boxes = {name: _checkbox(name, True) for name in _layers(model)}
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


def grad_cam(model: keras.Model, drive: Drive) -> Explorer:
    """Choose method, layer and steering target of a gradient map (notebook 05).

    In a signed map red is right and blue is left, whichever of the two is the target.
    """
    limit_of = _limits(drive, lambda image, *settings, signed: explain(model, image, *settings, signed=signed).map)

    def draw(scene: Scene, method: str, layer: str, target: str, signed: bool, scale: str) -> Drawing:
        found = explain(model, scene.image, method, target, layer, signed=signed)
        own = scale == "this frame"
        return _drawing(scene, found, None if own else limit_of(method, target, layer, signed=signed))

    layers = _layers(model)
    controls = {
        "method": _choice("method", [(METHODS[name], name) for name in ("grad-cam", "hires-cam")]),
        "layer": _choice("layer", layers, min(2, len(layers) - 1)),
        "target": _choice("target", ["auto", *(name for name in TARGETS if name != "auto")]),
        "signed": _checkbox("signed: also what speaks against it", False),
        "scale": _choice("color scale", ["whole drive", "this frame"]),
    }
    return Explorer(drive, model, controls, draw)


def cam(model: keras.Model, drive: Drive) -> Explorer:
    """See the exact account of a network with global average pooling (notebook 06)."""
    limit_of = _limits(drive, lambda image: explain(model, image, "cam").map)

    def draw(scene: Scene, scale: str) -> Drawing:
        found = explain(model, scene.image, "cam")
        return _drawing(scene, found, None if scale == "this frame" else limit_of())

    return Explorer(drive, model, {"scale": _choice("color scale", ["whole drive", "this frame"])}, draw)


def _drawing(scene: Scene, found: Explanation, limit: float | None) -> Drawing:
    """Draw an explanation with its bar; without a limit, on its own scale."""
    limit = overlay.common_limit([found.map]) if limit is None else limit
    bar = overlay.colorbar(BAR, limit, found.signed, found.unit, found.ends)
    return draw_explanation(scene.view, found, limit), bar, found.words


def _limits(drive: Drive, make_map: Callable[..., np.ndarray]) -> Callable[..., float]:
    """Return a function from a method's settings to the scale that all frames of a drive share."""

    def limit_of(*settings: object, **more: object) -> float:
        images = [preprocess(frame, drive.crop) for frame in sample_frames(drive, SAMPLE)]
        return overlay.common_limit(make_map(image, *settings, **more) for image in images)

    return cache(limit_of)


def _layers(model: keras.Model) -> list[str]:
    """Names of the model's convolutions; ValueError if there is none."""
    if not (names := convolutions(model)):
        raise ValueError(f"the model {model.name!r} has no convolution to look into")
    return names


def _slider(description: str, low: int, high: int, value: int, step: int = 1) -> widgets.IntSlider:
    """Make a labeled slider."""
    layout, style = {"width": "380px"}, {"description_width": "auto"}
    return widgets.IntSlider(value, low, high, step, description=description, layout=layout, style=style)


def _choice(description: str, options: list, index: int = 0) -> widgets.ToggleButtons:
    """Make a labeled row of buttons, one of which is pressed."""
    look = {"style": {"button_width": "auto", "description_width": "auto"}, "layout": {"width": "max-content"}}
    return widgets.ToggleButtons(options=options, index=index, description=description, **look)


def _checkbox(description: str, value: bool) -> widgets.Checkbox:
    """Make a labeled checkbox no wider than its label."""
    return widgets.Checkbox(value, description=description, indent=False, layout={"width": "max-content"})


def _row(*boxes: widgets.Widget) -> widgets.HBox:
    """Put widgets side by side, in more rows where the page is narrow."""
    return widgets.HBox(boxes, layout={"flex_flow": "row wrap", "grid_gap": "2px 16px", "align_items": "flex-end"})


def _fit(picture: np.ndarray, height: int) -> np.ndarray:
    """Fit a picture into (height, WIDTH), so that the page below it never jumps."""
    fitted = overlay.enlarge(picture, min(WIDTH, round(picture.shape[1] * height / len(picture))))[:height]
    result = np.full((height, WIDTH, 3), overlay.PAPER, np.uint8)
    left = (WIDTH - fitted.shape[1]) // 2
    result[: len(fitted), left : left + fitted.shape[1]] = fitted
    return result


def _draw_window(view: np.ndarray, hidden: np.ndarray, center: tuple[int, int], size: int) -> np.ndarray:
    """Put a hidden window of the network's image into the view, framed for dark and bright grounds."""
    scale, first = np.divide(view.shape[:2], hidden.shape[:2]), np.array(center) - size // 2
    corners = np.clip([first, first + size], 0, hidden.shape[:2]) * scale
    (top, left), (bottom, right) = np.rint(corners).astype(int).tolist()
    enlarged, result = overlay.enlarge(np.rint(255 * hidden).astype(np.uint8)), view.copy()
    result[top:bottom, left:right] = cv2.resize(enlarged, view.shape[1::-1])[top:bottom, left:right]
    for color, thickness in ((overlay.PAPER, 5), (overlay.INK, 2)):
        cv2.rectangle(result, (left, top), (right - 1, bottom - 1), color, thickness)
    return result
