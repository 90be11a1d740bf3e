"""The angle's gradient with respect to the pixels, which several methods are made of (notebook 08)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from steerlib.maps.method import with_network
from steerlib.networks.network import Network

if TYPE_CHECKING:
    import tensorflow as tf


@with_network
def image_gradients(network: Network, pictures: np.ndarray) -> np.ndarray:
    """Give the angle's gradient with respect to the pixels, for each picture.

    Introduced in notebook 08.

    Parameters
    ----------
    network : Network
    pictures : (h, w, 3) float32 in [0, 1], or (n, h, w, 3)

    Returns
    -------
    (h, w, 3) float32, or (n, h, w, 3)
        Degrees to the right for each unit of brightness.

    Raises
    ------
    ValueError
        If the pictures are not what the network takes, or it is a black box.
    """
    return gradients(network, pictures) if pictures.ndim == 4 else gradients(network, pictures[np.newaxis])[0]


def gradients(network: Network, pictures: np.ndarray) -> np.ndarray:
    """Do the work of `image_gradients` for pictures that noise may have carried beyond [0, 1]."""
    if network.model is None:
        raise ValueError(f"of the black box {network.name!r} only answers are known: expected a network with gradients")
    return network.run("image_gradients", _image_gradients, pictures)


def _image_gradients(network: Network) -> Callable:
    """Build the function behind `image_gradients`; it is traced once, whatever the number of pictures."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec(network.model.input_shape, tf.float32)])
    def run(pictures: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            degrees = network.model(pictures, training=False) * (180 / np.pi)
        # Of the sum, in which no picture sees another. Its shape is told, since not every trace knows it.
        return tf.ensure_shape(tape.gradient(degrees, pictures), pictures.shape)

    return run
