"""The explorer of notebook 06: the exact account of a network that averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steerlib.drives import Drive
from steerlib.maps import explain
from steerlib.networks.network import Network, as_network
from steerlib.show.explorers.controls import choice
from steerlib.show.explorers.drawing import SCALES, Limits, drawing_of
from steerlib.show.explorers.explorer import Explorer, Scene, Steps

if TYPE_CHECKING:
    import keras


def cam(network: Network | keras.Model, drive: Drive) -> Explorer:
    """See the exact account of a network with global average pooling (notebook 06)."""
    network = as_network(network)
    limits = Limits(drive, network, lambda image: [explain(network, image, "cam").map])

    def draw(scene: Scene, scale: str) -> Steps:
        found, limit = explain(network, scene.image, "cam"), None
        if scale == SCALES[0]:
            limit = yield from limits.find()
        yield drawing_of(scene, found, limit, "cam", whole=limits.known.get(()))

    return Explorer(drive, network, {"scale": choice("color scale", SCALES)}, draw)
