"""What the network's convolutions respond to, one above the other (notebook 04)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from steerlib.maps.method import Explanation, Method, with_network
from steerlib.networks.cells_to_pixels import cells_to_pixels
from steerlib.networks.network import Network

if TYPE_CHECKING:
    import tensorflow as tf


@with_network
def hypercolumns(network: Network, picture: np.ndarray, layers: Sequence[str] | None = None) -> np.ndarray:
    """Multiply the averaged activations of several layers.

    Introduced in notebook 04. The name is from Hariharan et al. (arXiv 1411.5752); the product is also that of
    VisualBackProp (arXiv 1611.05418), which enlarges in another way. A pixel is bright where every chosen layer
    responds; whether that turns the wheel, and in which direction, is not asked.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
        What it sees, as `Drive.pictures` gives it.
    layers : sequence of str, optional
        Convolutions of the network; None: all of them. ``("conv5",)`` alone gives the columns of the article's
        picture.

    Returns
    -------
    (h, w) float32 in [0, 1]
        The mean over the channels of the absolute activation of each layer, scaled to a maximum of 1 and
        spread over the picture (`cells_to_pixels`); then the product of all, again scaled to a maximum of 1. All
        zero if a layer is.

    Raises
    ------
    ValueError
        If no layer is given, one is not a convolution of the network, or the picture is not what it takes.
    """
    layers = network.check_convolutions() if layers is None else layers
    if isinstance(layers, str) or not layers:
        raise ValueError(f"layers={layers!r}: expected one or more names, such as ('conv5',)")
    for name in layers:
        network.check_layer(name)
    product = np.ones(network.size, np.float32)
    for name, activation in activations(network, picture).items():
        if name in layers:
            product *= cells_to_pixels(to_unit(np.abs(activation).mean(axis=-1)), network, name)
    return to_unit(product)


@with_network
def activations(network: Network, picture: np.ndarray) -> dict[str, np.ndarray]:
    """Give the activations of all convolutions on one picture.

    Introduced in notebook 04.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
        What it sees, as `Drive.pictures` gives it.

    Returns
    -------
    dict of str to (h, w, c) float32
        From the first convolution to the last, behind their activation function: in PilotNet from conv1 with
        (31, 98, 24) to conv5 with (1, 18, 64), all after the ReLU and therefore not negative.

    Raises
    ------
    ValueError
        If the picture is not what the network takes, or it has no convolutions.
    """
    network.check_convolutions()
    outputs = network.run("activations", _activations, picture[np.newaxis])
    return {name: outputs[name][0] for name in network.layers}


def to_unit(values: np.ndarray) -> np.ndarray:
    """Scale values >= 0 to a maximum of 1; all zeros stay zeros."""
    return values / (values.max() or 1)


def _activations(network: Network) -> Callable:
    """Build the function behind `activations`."""
    import keras
    import tensorflow as tf

    model = network.model
    inner = keras.Model(model.input, {name: model.get_layer(name).output for name in network.layers})

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def run(pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        return inner(pictures, training=False)

    return run


def _read(found: Explanation, network: Network, picture: np.ndarray, settings: Mapping[str, Any]) -> Explanation:
    """Name the layers that were multiplied."""
    names = " × ".join(settings.get("layers") or network.layers)
    return found._replace(words=f"Yellow: where {names} respond most, whichever way that steers.")


METHOD = Method(
    name="hypercolumns",
    title="Hypercolumns",
    make=hypercolumns,
    unit="share of the strongest response",
    signed=False,
    words="Yellow: where all layers respond most, whichever way that steers.",
    needs="convolutions",
    notebook=4,
    read=_read,
    scored={"hypercolumns": {}},
)
