"""What networks have that see several pictures at once, or that choose among classes of angles (notebook 10)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from steerlib.networks.network import Network
from steerlib.networks.one_form import IN_SEQUENCE, MEAN_OF_CLASSES


def winners(network: Network, pictures: np.ndarray) -> np.ndarray:
    """Give the angle of the likeliest class, where `angles` gives the mean of all of them.

    Parameters
    ----------
    pictures : (n, h, w, 3) float32 RGB in [0, 1]

    Returns
    -------
    (n,) float32
        Degrees, positive to the right. Steps: no gradient can be taken of it.

    Raises
    ------
    ValueError
        Where the network does not choose among classes.
    """
    if network.model is None or MEAN_OF_CLASSES not in [layer.name for layer in network.model.layers]:
        raise ValueError(f"network {network.name!r} does not choose among classes")
    likeliest = network.run("winners", _winners, network.check_pictures(pictures))
    meanings = network.model.get_layer(MEAN_OF_CLASSES).get_weights()[0][:, 0]
    return np.degrees(meanings[likeliest]).astype(np.float32)


@contextlib.contextmanager
def among(network: Network, pictures: np.ndarray, moment: int) -> Iterator[None]:
    """Within a ``with`` block a network of sequences is asked about one moment, among other pictures.

    A network that takes several pictures at once is a function of one picture here: the same at all moments, as
    for a car that stands; a map then says what counts at any of them. Within the block the picture that it is
    given, to answer or for a map, is that of one moment, and at all others it sees these.

    Parameters
    ----------
    pictures : (t, h, w, 3) float32 RGB in [0, 1]
        The oldest first.
    moment : int
        Whose picture varies: 0 is the oldest, -1 the last.

    Raises
    ------
    ValueError
        Where the network takes a single picture, or these do not fit.
    """
    if network.model is None or IN_SEQUENCE not in [layer.name for layer in network.model.layers]:
        raise ValueError(f"network {network.name!r} takes a single picture, not a sequence of them")
    layer, pictures = network.model.get_layer(IN_SEQUENCE), network.check_pictures(pictures)
    if len(pictures) != layer.length or not -layer.length <= moment < layer.length:
        raise ValueError(
            f"network {network.name!r} sees {layer.length} pictures, the moments 0 to {layer.length - 1}: got "
            f"{len(pictures)} pictures, moment={moment}"
        )
    layer.at([moment], pictures)
    try:
        yield
    finally:
        layer.at(range(layer.length))


def _winners(network: Network) -> Any:  # noqa: ANN401
    """Build the function behind `Network.winners`."""
    import keras
    import tensorflow as tf

    shares = keras.Model(network.model.input, network.model.get_layer(MEAN_OF_CLASSES).input)

    @tf.function(input_signature=[tf.TensorSpec(network.model.input_shape, tf.float32)])
    def winners(pictures: tf.Tensor) -> tf.Tensor:
        return tf.argmax(shares(pictures, training=False), axis=-1)

    return winners
