"""The explorer of notebook 05: Grad-CAM and HiResCAM with a steering target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from steerlib.drives import Drive
from steerlib.maps import METHODS, explain
from steerlib.maps.method import Explanation
from steerlib.networks.network import Network, as_network
from steerlib.show.explorers.controls import checkbox, choice, target_choice
from steerlib.show.explorers.drawing import SCALES, Limits, check_layers, drawing_of
from steerlib.show.explorers.explorer import Explorer, Scene, Steps

if TYPE_CHECKING:
    import keras


def grad_cam(network: Network | keras.Model, drive: Drive, frame: int = 0) -> Explorer:
    """Choose method, layer and steering target of a gradient map, beginning at a frame (notebook 05).

    In a signed map red is right and blue is left, whichever of the two is the target.
    """
    network = as_network(network)

    def found_of(image: np.ndarray, method: str, target: str, layer: str, signed: bool) -> Explanation:
        return explain(network, image, method, target=target, layer=layer, signed=signed)

    limits = Limits(drive, network, lambda *settings: [found_of(*settings).map])

    def draw(scene: Scene, method: str, layer: str, target: str, signed: bool, scale: str) -> Steps:
        check_layers(network)
        found, limit = found_of(scene.image, method, target, layer, signed), None
        if scale == SCALES[0]:
            limit = yield from limits.find(method, target, layer, signed)
        settings = f"target={target!r}, layer={layer!r}, signed={signed}"
        whole = limits.known.get((method, target, layer, signed))
        yield drawing_of(scene, found, limit, method, settings, whole=whole)

    layers = network.layers
    controls = {
        "method": choice("method", [(METHODS[name].title, name) for name in ("grad-cam", "hires-cam")]),
        "layer": choice("layer", layers, min(2, len(layers) - 1)),
        "target": target_choice(),
        "signed": checkbox("signed: also what speaks against it", False),
        "scale": choice("color scale", SCALES),
    }
    return Explorer(drive, network, controls, draw, frame=frame)
