"""The explorer of notebook 03: hide windows and see what the angle does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from steerlib.drives import Drive
from steerlib.maps.method import SIDES, Explanation
from steerlib.maps.occlusion import METHOD, occlude, occlusion_steps
from steerlib.networks.network import Network, as_network
from steerlib.show import overlay
from steerlib.show.explorers.controls import FILL_LABELS, checkbox, choice, slider
from steerlib.show.explorers.drawing import (
    FOCUS,
    SCALES,
    Limits,
    code_of,
    drawing_of,
    finish,
    lines_to_copy,
    part_of,
    view_of,
)
from steerlib.show.explorers.erasing import steers
from steerlib.show.explorers.explorer import BAR, Drawing, Explorer, Scene, Steps

if TYPE_CHECKING:
    import keras


BATCH = 64  # windows in a step of an occlusion map: some hundredths of a second
Fill = str  # one of `steerlib.maps.fill.FILLS`


def occlusion(network: Network | keras.Model, drive: Drive, frame: int = 0) -> Explorer:
    """Hide windows and see what the angle does: a whole map, or one window, beginning at a frame (notebook 03).

    A whole map is first shown from few windows, and from all of them as soon as they are computed.
    """
    network = as_network(network)

    def steps(image: np.ndarray, sizes: tuple[int, ...], stride: int, fill: Fill) -> Steps:
        return occlusion_steps(network, image, sizes, stride, fill, BATCH)

    limits = Limits(drive, network, lambda image, sizes, fill: steps(image, sizes, min(sizes), fill))
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
            own, whole = overlay.common_limit([map]), limits.known.get((sizes, fill))
            limit = own if limit is None else limit
            words = "Red steers right: without it the angle is further left. Blue steers left. Arrows mark the peaks."
            found = _explanation(map, scene, note + words)
            parts = [part_of(scene, found, limit, whole, own)]  # the map with its signs, however it is drawn
            settings = f"sizes={sizes}, stride={stride}, fill={fill!r}"
            if style in FOCUS.values():
                alone = style == "alone"
                words = f"Sharp: the {100 - percentile:.0f} % of the picture that steer most; "
                words += f"the rest is {'black' if alone else 'blurred and dark'}."
                how = f"overlay.focus({view_of(scene)}, shown.map, {percentile}, {blur}, alone={alone})"
                picture = overlay.focus(scene.view, map, percentile, blur, alone)
                return Drawing(picture, None, note + words, code_of(scene, "occlusion", settings, how), map, parts)
            how = None
            if style == "magnitude":
                words = "Yellow: hiding this moves the wheel most, to whichever side."
                how = f"overlay.overlay({view_of(scene)}, abs(shown.map), {limit:.6g}, signed=False)"
                found = found._replace(map=np.abs(map), signed=False, words=note + words)
            return drawing_of(scene, found, limit, "occlusion", settings, how)._replace(map=map, parts=parts)

        if key not in kept:
            map = yield from finish(steps(scene.image, sizes, coarse, fill))
            note = f"Coarse: a window every {coarse} pixels; the finer map follows. "
            yield drawn(map, limits.known.get((sizes, fill)) if scale == SCALES[0] else None, note)
            map = yield from finish(steps(scene.image, sizes, stride, fill))
            kept.clear()
            kept[key] = map
        limit = None
        if scale == SCALES[0] and style not in FOCUS.values():
            limit = yield from limits.find(sizes, fill)
        yield drawn(kept[key], limit)

    def draw_window(
        scene: Scene, size: int, fill: Fill, pair: bool, stride: int, column: int, row: int, **_: object
    ) -> Steps:
        hidden = occlude(scene.image, (row, column), size, fill)
        angle = network.angle(hidden)
        effect = scene.predicted - angle
        bar = overlay.angles_strip(BAR, angle, scene.predicted, scene.ruler, ("hidden", "seen"))
        worth = steers(effect)
        words = f"What is in the window {worth}."
        code = [
            "from steerlib import occlude, overlay, predict",
            "",
            f"picture = {scene.drive}.pictures({scene.network}, [{scene.index}])",
            f"hidden = occlude(picture[0], center=({row}, {column}), size={size}, fill={fill!r})",
            f"change = predict({scene.network}, picture) - predict({scene.network}, hidden[None])",
            "print(change, 'degrees, + steers right')",
        ]
        how = f"overlay.mark_window({view_of(scene)}, hidden, ({row}, {column}), {size})"
        picture = overlay.mark_window(scene.view, hidden, (row, column), size)
        map = kept.get((scene.index, (size, 50) if pair else (size,), stride, fill))
        found = None if map is None else _explanation(map, scene, "")
        parts = [part_of(scene, found, 0.0, None, None)._replace(bar=None, note=worth)]
        yield Drawing(picture, bar, words, lines_to_copy(*code, how=how), parts=parts)

    def draw(scene: Scene, show: str, **settings: object) -> Steps:
        return (draw_map if show == "whole map" else draw_window)(scene, **settings)

    show = choice("show", ["whole map", "one window"])
    size = slider("window", 9, 59, 15, step=2)
    fill = choice("fill", [(label, name) for name, label in FILL_LABELS.items()])
    of_map = {
        "pair": checkbox("mean with windows of 50 pixels", True),
        "stride": choice("stride", [8, 4, 2], 1),
        "style": choice("picture", [("signed", "signed"), ("magnitude", "magnitude"), *FOCUS.items()]),
    }
    of_colors = {"scale": choice("color scale", SCALES)}
    of_focus = {"percentile": slider("percentile", 50, 99, 90), "blur": slider("blur", 0, 30, 10)}
    height, width = network.size
    of_window = {
        "column": slider("column", 0, width - 1, width // 2),
        "row": slider("row", 0, height - 1, height // 2),
    }
    controls = {"show": show, "size": size, "fill": fill, **of_map, **of_colors, **of_focus, **of_window}

    def arrange(_change: object = None) -> None:
        """Show the controls that matter."""
        focused = of_map["style"].value in FOCUS.values()
        chosen = of_window if show.value == "one window" else of_map | (of_focus if focused else of_colors)
        chosen = chosen.keys() - {"percentile"}  # for which the page has a slider below each map
        for name, control in controls.items():
            control.layout.display = None if name in {"show", "size", "fill", *chosen} else "none"

    show.observe(arrange, "value")
    of_map["style"].observe(arrange, "value")
    arrange()
    return Explorer(drive, network, controls, draw, frame=frame)


def _explanation(map: np.ndarray, scene: Scene, words: str) -> Explanation:
    """Say how an occlusion map is to be read."""
    return Explanation(map, True, METHOD.unit, SIDES, words, scene.predicted)
