"""Sanity checks: whether a map changes when the network forgets what it has learned (notebook 08)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np

from steerlib.networks.network import Network, as_network
from steerlib.trust.numbers import rank_correlation


class Similarity(NamedTuple):
    """How alike two maps are."""

    rank: float  # Spearman's rank correlation of the pixels, -1 to 1
    structure: float  # structural similarity (SSIM), at most 1


def randomizations(
    network: Network | keras.Model, stages: Sequence[Sequence[str]], seed: int = 0
) -> Iterator[tuple[tuple[str, ...], Network]]:
    """Give the network with some of its layers forgotten, stage by stage.

    Introduced in notebook 08. Adebayo et al. (arXiv 1810.03292): a map that stays as it was when the weights of a layer
    are drawn anew does not depend on what this layer has learned. A *cascade* forgets the top layer, then the top two
    and so on (`cascade`); one layer at a time shows which of them a method asks.

    Parameters
    ----------
    network : Network
        Stays as it is.
    stages : sequence of sequences of str
        The names of the layers that are forgotten, for each stage. A layer's kernel is drawn from its own initializer,
        its bias becomes 0. A layer's new weights are the same in all stages.
    seed : int

    Yields
    ------
    layers, network : tuple of str, Network
        The network is **the same object each time**, with other weights, so that TensorFlow traces it only once: use it
        before the next stage comes.

    Raises
    ------
    ValueError
        If a layer has no kernel.
    """
    network = as_network(network)
    model = network.model
    copy = keras.models.clone_model(model)
    forgetful = Network(network.name, network.size, network.crop, copy)
    for layers in stages:
        copy.set_weights(model.get_weights())
        for name in layers:
            if name not in weighted(model):
                raise ValueError(f"layer {name!r}: expected one with weights, of {', '.join(weighted(model))}")
            layer = copy.get_layer(name)
            number = weighted(model).index(name)
            start = layer.kernel_initializer
            start = type(start).from_config(start.get_config() | {"seed": 1000 * seed + number})
            layer.set_weights([start(layer.kernel.shape), *[np.zeros(bias.shape) for bias in layer.get_weights()[1:]]])
        yield tuple(layers), forgetful


def weighted(network: Network | keras.Model) -> list[str]:
    """List the layers of a network that have learned a kernel, the first one first. Introduced in notebook 08."""
    return [layer.name for layer in as_network(network).model.layers if hasattr(layer, "kernel")]


def cascade(network: Network | keras.Model) -> list[tuple[str, ...]]:
    """List the stages of a cascade: the top layer, the top two, ..., all. Introduced in notebook 08."""
    names = weighted(network)
    return [tuple(names[-count:]) for count in range(1, len(names) + 1)]


def similarity(map: np.ndarray, other: np.ndarray) -> Similarity:
    """Compare two maps of one frame, in the two ways of the sanity checks.

    Introduced in notebook 08. Adebayo et al. (arXiv 1810.03292); SSIM: Wang et al., 2004. Takes the maps as they are,
    with their signs. For SSIM each is divided by its own largest magnitude, since its unit does not matter here.

    Parameters
    ----------
    map, other : (h, w) float

    Returns
    -------
    Similarity
        Of two equal maps both numbers are 1. A constant map has rank correlation 0 with any other.
    """
    from skimage.metrics import structural_similarity  # loads scipy.stats, see rank_correlation

    map, other = (np.asarray(one, np.float64) for one in (map, other))
    if map.shape != other.shape:
        raise ValueError(f"expected a map {map.shape}, got {other.shape}")
    if np.array_equal(map, other):
        return Similarity(1.0, 1.0)
    scaled = [one / (np.abs(one).max() or 1) for one in (map, other)]
    reach = 2.0 if min(one.min() for one in scaled) < 0 else 1.0
    return Similarity(rank_correlation(map, other), float(structural_similarity(*scaled, data_range=reach)))
