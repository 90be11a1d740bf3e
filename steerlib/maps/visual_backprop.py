"""The averaged activations of all layers, carried down to the picture: VisualBackProp (notebook 04)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from steerlib.maps.hypercolumns import to_unit
from steerlib.maps.method import Method, with_network
from steerlib.networks.cells_to_pixels import cells_of, window_of
from steerlib.networks.network import Network

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@with_network
def visual_backprop(network: Network, picture: np.ndarray) -> np.ndarray:
    """Carry the averaged activations of the last convolution down to the picture, layer by layer (VisualBackProp).

    Introduced in notebook 04. Bojarski et al. (arXiv 1611.05418; for PilotNet arXiv 1704.07911). The mean over the
    channels of the last layer is enlarged to the size of the layer below by a transposed convolution of ones with
    the kernel, stride and padding that led up from there, and multiplied with the mean of that layer; so on down to
    the picture. What a convolution without padding leaves over at the bottom and the right becomes zero. A pixel's
    value is therefore the sum, over all paths of cells that lead from it to the last layer, of the product of the means
    along the path. The dense layers are not asked, and there is no sign.

    Parameters
    ----------
    network : Network
        Its layers, up to its last convolution or pooling, form a chain.
    picture : (h, w, 3) float32 in [0, 1]

    Returns
    -------
    (h, w) float32 in [0, 1]
        Scaled to a maximum of 1. All zero if a layer is.

    Raises
    ------
    ValueError
        If the network has no convolution, a layer among them is not understood, or the picture is not what it takes.
    """
    if problem := METHOD.problem(network):
        raise ValueError(problem)
    return to_unit(network.run("visual_backprop", _visual_backprop, picture[np.newaxis])[0])


def _ones(layer: keras.Layer) -> np.ndarray:
    """Give a kernel of ones with the size of a layer's window; where that is dilated, with zeros between them."""
    gap = np.broadcast_to(getattr(layer, "dilation_rate", 1), 2)
    kernel = np.zeros([*(np.array(window_of(layer)) - 1) * gap + 1, 1, 1], np.float32)
    kernel[:: gap[0], :: gap[1]] = 1
    return kernel


def _visual_backprop(network: Network) -> Callable:
    """Build the function behind `visual_backprop`."""
    import keras
    import tensorflow as tf

    model = network.model
    chain = _chain(network)
    steps = [layer for layer in chain if window_of(layer) is not None]
    inner = keras.Model(model.input, {layer.name: layer.output for layer in steps})

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def run(pictures: tf.Tensor) -> tf.Tensor:
        outputs = inner(pictures, training=False)
        means = {name: tf.reduce_mean(tf.abs(output), axis=-1, keepdims=True) for name, output in outputs.items()}
        product, started = means[steps[-1].name], False
        for layer in reversed(chain):
            if layer.name in means and started:
                product = means[layer.name] * product
            started = started or layer.name in means
            if not started:
                continue
            size = [tf.shape(pictures)[0], *layer.input.shape[1:3], 1]
            if layer.name in means:
                product = tf.nn.conv2d_transpose(product, _ones(layer), size, layer.strides, layer.padding.upper())
                # Scaled on the way, or a long chain leaves the range of float32.
                product = tf.math.divide_no_nan(product, tf.reduce_max(product, axis=(1, 2, 3), keepdims=True))
            elif isinstance(layer, keras.layers.Cropping2D):
                product = tf.pad(product, [(0, 0), *layer.cropping, (0, 0)])
            elif isinstance(layer, keras.layers.ZeroPadding2D):
                (top, _), (left, _) = layer.padding
                product = product[:, top : top + size[1], left : left + size[2]]
            elif tuple(layer.output.shape[1:3]) != tuple(size[1:3]):
                product = tf.image.resize(product, size[1:3])
        return product[..., 0]

    return run


def _chain(network: Network) -> list[keras.Layer]:
    """List the layers from the picture to the last convolution or pooling; refuse what is no chain."""
    chain = list(network.model.operations)[1:]
    last = max(k for k, layer in enumerate(chain) if window_of(layer) is not None)
    before = network.model.input
    for layer in chain[: last + 1]:
        if layer.input is not before:
            raise ValueError(
                f"network {network.name!r}: its layer {layer.name} does not only follow the layer before it; "
                "VisualBackProp needs a chain of layers"
            )
        before = layer.output
    cells_of(network, chain[last].name)  # refuses by name what is not understood
    return chain[: last + 1]


METHOD = Method(
    name="visual-backprop",
    title="VisualBackProp",
    make=visual_backprop,
    unit="share of the strongest response",
    signed=False,
    pixelwise=True,  # its windows overlap unevenly, which leaves a pattern of dots
    words="Yellow: where all convolutions respond most, whichever way that steers.",
    needs="convolutions",
    notebook=4,
)
