"""The explorer of notebook 06 that shows all methods on one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from steerlib.drives import Drive, crop_road
from steerlib.drives.drive import has_labels
from steerlib.maps import METHODS, explain
from steerlib.maps.method import Explanation
from steerlib.networks.network import Network, as_network
from steerlib.show import overlay
from steerlib.show.explanation import draw_map
from steerlib.show.explorers.controls import checkbox, choice, target_choice
from steerlib.show.explorers.drawing import IMPORTS, SCALES, Limits, lines_to_copy, view_of
from steerlib.show.explorers.explorer import STRIP, WIDTH, Drawing, Explorer, Scene, Steps, name_of, typical
from steerlib.show.explorers.view import Part
from steerlib.world import LABELS

if TYPE_CHECKING:
    import keras

    from steerlib.maps.whole_drive import Maps


def compare(network: Network | keras.Model, drive: Drive, maps: Maps | None = None) -> Explorer:
    """See all methods that suit a network side by side, on one frame (notebook 06).

    With `maps` (`steerlib.maps.of_drive`, notebook 11) the maps are those of the store, with its settings.

    Above them the frame and, where the drive knows it, what each pixel is. Every map has its own unit, but the same
    rule makes its scale.
    """
    network = as_network(network)
    methods = [name for name, method in METHODS.items() if not method.problem(network)]
    if maps is not None:
        maps.check_network(network)
        methods = [name for name in methods if name in maps.methods]
    layers, labeled, crop = network.layers, has_labels(drive), drive.part_for(network)
    high, wide = crop_road(typical(drive), crop).shape[:2]
    (large, tall), (width, height) = ((side, round(side * high / wide)) for side in (442, 292))

    def found_of(
        image: np.ndarray, method: str, target: str = "right", layer: str | None = None, signed: bool = True
    ) -> Explanation:
        if maps is not None:
            return maps.explain(network, image, method)
        return explain(network, image, method, target=target, layer=layer, stride=8, signed=signed)

    def as_drawn(found: Explanation, points: bool) -> Explanation:
        return found if points else found.density()

    def steps(image: np.ndarray, points: bool, *settings: object) -> list[np.ndarray]:
        return [as_drawn(found_of(image, *settings), points).map]

    limits = Limits(drive, network, steps)
    rows, legend = -(-len(methods) // 3), 48 if labeled else 0

    def parts(found: dict[str, tuple[Explanation, Explanation]]) -> list[Part]:
        """Say where the two pictures above and the maps of the methods lie: the same place is shown in all of them."""
        above = [Part((4 + i * (large + 8), 24, large, tall)) for i in range(2)]
        top = 24 + tall + legend
        for i, name in enumerate(methods):
            if name in found:
                left, upper = 4 + i % 3 * (width + 8), top + i // 3 * (24 + height + STRIP) + 24
                one, drawn = found[name]
                above.append(Part((left, upper, width, height), one, name=METHODS[name].title, drawn=drawn))
        return above

    def page(scene: Scene, tiles: dict[str, np.ndarray]) -> np.ndarray:
        """Join the frame and the tiles of the methods that are computed; the others are blank."""
        beside, caption = np.rint(255 * scene.image).astype(np.uint8), "what the network gets"
        if labeled and (labels := drive.labels(scene.index)) is not None:
            beside, caption = overlay.colorize_labels(crop_road(labels, crop), LABELS), "what each pixel is"
        above = [cv2.resize(scene.view, (large, tall), interpolation=cv2.INTER_AREA)]
        above.append(cv2.resize(beside, (large, tall), interpolation=cv2.INTER_NEAREST))
        blank = np.full((height + STRIP, width, 3), 230, np.uint8)
        captions = [METHODS[name].title + ("" if name in tiles else ": computing") for name in methods]
        rows = [overlay.grid(above, ["the frame", caption], 2)]
        rows += [overlay.label_legend(LABELS, WIDTH)] if labeled else []
        return np.vstack([*rows, overlay.grid([tiles.get(name, blank) for name in methods], captions, 3)])

    def draw(
        scene: Scene,
        scale: str,
        points: bool,
        target: str = "right",
        layer: str | None = None,
        signed: bool = True,
    ) -> Steps:
        tiles, made, used, explained_by = {}, {}, {}, {}
        words = "Red steers right, blue left. Yellow: most, whichever way. Each map has its own unit and scale."
        small = cv2.resize(scene.view, (width, height), interpolation=cv2.INTER_AREA)
        settings = f", target={target!r}, layer={layer!r}, stride=8, signed={signed}"
        imports, explained = IMPORTS, "explain"
        if maps is not None:
            settings, explained = "", f"{name_of(maps, 'maps')}.explain"
            imports = ["from steerlib import draw_map, overlay"]
        for name in [None, *methods]:
            if name is not None:
                found = found_of(scene.image, name, target, layer, signed)
                drawn = as_drawn(found, points)
                made[name], explained_by[name] = found.map, (found, drawn)
                limit = overlay.common_limit([drawn.map])
                if scale == SCALES[0]:
                    limit = yield from limits.find(points, name, target, layer, signed)
                picture, used[name] = draw_map(small, drawn, limit), float(f"{limit:.6g}")
                tiles[name] = overlay.with_colorbar(picture, limit, found.signed, found.unit, found.ends)
            code = [
                *imports,
                "",
                f"for method, limit in {used}.items():",
                f"    picture = {scene.drive}.pictures({scene.network}, [{scene.index}])[0]",
                f"    shown = {explained}({scene.network}, picture, method{settings})",
                "    plt.figure()",
                "    plt.title(method)",
            ]
            how = f"draw_map({view_of(scene)}, shown{'' if points else '.density()'}, limit)"
            code = lines_to_copy(*code, how=how, indent=4)
            yield Drawing(page(scene, tiles), None, words, code, dict(made), parts(explained_by))

    controls = {
        "target": target_choice(),
        "layer": choice("layer", layers, min(2, len(layers) - 1)),
        "signed": checkbox("signed: also what speaks against the target", True),
        "scale": choice("color scale", SCALES, 1),
        "points": checkbox("points: pixel-wise maps as they are, not averaged", False),
    }
    if maps is not None:
        controls = {name: controls[name] for name in ("scale", "points")}
    return Explorer(drive, network, controls, draw, 24 + tall + legend + rows * (24 + height + STRIP))
