"""The explorer of notebook 04: products of averaged activations, and VisualBackProp."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


from steerlib.drives import Drive
from steerlib.maps import METHODS, explain
from steerlib.networks.network import Network, as_network
from steerlib.show.explorers.controls import checkbox, choice
from steerlib.show.explorers.drawing import check_layers, drawing_of
from steerlib.show.explorers.explorer import Explorer, Scene, Steps


def hypercolumns(network: Network | keras.Model, drive: Drive) -> Explorer:
    """Choose the convolutions whose averaged activations are multiplied, or see VisualBackProp (notebook 04)."""
    network = as_network(network)

    def draw(scene: Scene, method: str, **chosen: bool) -> Steps:
        layers = tuple(name for name, on in chosen.items() if on)
        check_layers(network)
        found = explain(network, scene.image, method, layers=layers)
        yield drawing_of(scene, found, 1.0, method, f"layers={layers}")

    boxes = {name: checkbox(name, True) for name in network.layers}
    method = choice("method", [(METHODS[name].title, name) for name in ("hypercolumns", "visual-backprop")])

    def keep_one(_change: object = None) -> None:
        """Lock the last layer that is left, for without any there is no product; VisualBackProp takes all."""
        left = sum(box.value for box in boxes.values())
        for box in boxes.values():
            box.disabled = method.value == "visual-backprop" or (box.value and left == 1)

    for control in (method, *boxes.values()):
        control.observe(keep_one, "value")
    keep_one()
    return Explorer(drive, network, {"method": method, **boxes}, draw)
