"""Checks of the exercises of notebook 04: hypercolumns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from steerlib.exercises.verdict import Hint, Verdict, call, check, compare

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network


def _convolve(layer: keras.Layer, below: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Compute a convolution before its ReLU with other weights: (h, w, c)."""
    import keras

    return np.asarray(keras.ops.conv(below[np.newaxis], kernel, layer.strides, layer.padding) + bias)[0]


def before_relu(model: Network | keras.Model, image: np.ndarray) -> dict[str, np.ndarray]:
    """Give what each convolution computes before its ReLU, by its name: (h, w, c)."""
    from steerlib.maps.hypercolumns import activations
    from steerlib.networks.network import as_network

    model, after = as_network(model).model, activations(model, image)
    layers = [model.get_layer(name) for name in after]
    belows = [image, *after.values()]
    return {layer.name: _convolve(layer, below, *layer.get_weights()) for layer, below in zip(layers, belows)}


def _stretched(cells: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Draw cells from border to border of an image, as notebook 04 warns against."""
    return cv2.resize(np.asarray(cells, np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


@check
def check_correlations(correlations: dict[str, float], model: Network | keras.Model, image: np.ndarray) -> Verdict:
    """Check each layer's correlation with the product: layer -> -1 to 1, over the pixels of ``image``."""
    from steerlib.maps.hypercolumns import activations, hypercolumns
    from steerlib.networks.network import as_network
    from steerlib.trust import correlation, rank_correlation

    layers = as_network(model).layers
    if not isinstance(correlations, dict) or set(correlations) != set(layers):
        raise Hint(f"expected a dict with the layers {', '.join(layers)}")
    product = hypercolumns(model, image)
    maps = [hypercolumns(model, image, (name,)) for name in layers]
    means = [np.abs(activation).mean(axis=-1) for activation in activations(model, image).values()]

    def with_product(pictures: list[np.ndarray]) -> np.ndarray:
        return np.array([correlation(picture, product) for picture in pictures])

    expected = with_product(maps)
    mistakes = {
        "these are rank correlations": [rank_correlation(map, product) for map in maps],
        "these are squares of correlations": expected**2,
        "stretched from border to border: each cell belongs where it looks": with_product(
            [_stretched(cells, image) for cells in means]
        ),
        "these are with the last layer, expected with the product": [correlation(map, maps[-1]) for map in maps],
    }
    answer = [correlations[name] for name in layers]
    if not product.any():  # there is nothing to correlate with: np.corrcoef gives NaN
        answer = [0.0 if isinstance(one, float) and np.isnan(one) else one for one in answer]
    compare(answer, expected, mistakes, tolerance=0.01)
    return Verdict(True, "the largest one decides most")


@check
def check_mean_of_layers(mean_of_layers: Callable, model: Network | keras.Model, image: np.ndarray) -> Verdict:
    """Check ``mean_of_layers(image)``: (h, w), the mean of the layers' pictures, with a maximum of 1."""
    from steerlib.maps.hypercolumns import activations, hypercolumns
    from steerlib.networks.cells_to_pixels import cells_to_pixels

    def mean(layers: dict[str, np.ndarray], summary: Callable = np.mean, scaled: bool = True) -> np.ndarray:
        pictures = []
        for name, activation in layers.items():
            cells = summary(np.abs(activation), axis=-1)
            pictures.append(cells_to_pixels(cells / ((cells.max() if scaled else 0) or 1), model, name))
        return np.mean(pictures, axis=0) / (np.mean(pictures, axis=0).max() or 1)

    layers = activations(model, image)
    cells = {name: np.abs(activation).mean(axis=-1) for name, activation in layers.items()}
    stretched = np.mean([_stretched(one / (one.max() or 1), image) for one in cells.values()], axis=0)
    mistakes = {
        "this is the product": hypercolumns(model, image),
        "scale each layer's picture before the mean: now the loudest one decides": mean(layers, scaled=False),
        "these are the values before the ReLU": mean(before_relu(model, image)),
        "this is each layer's largest channel, expected the mean of all": mean(layers, np.max),
        "stretched from border to border: each cell belongs where it looks": stretched / (stretched.max() or 1),
    }
    compare(call(mean_of_layers, image), mean(layers), mistakes, tolerance=5e-3)
    return Verdict(True, "now compare it with the product")


@check
def check_without_channel(without_channel: Callable, model: Network | keras.Model, image: np.ndarray) -> Verdict:
    """Check ``without_channel(channel)``: a copy of the network in which this channel of conv5 gives 0."""
    from steerlib.maps.hypercolumns import activations
    from steerlib.networks.network import as_network

    model = as_network(model).model
    before, weights = activations(model, image), model.get_weights()
    channel, layer = int(before["conv5"].mean(axis=(0, 1)).argmax()), model.get_layer("conv5")
    network = call(without_channel, channel)
    if any(not np.array_equal(*pair) for pair in zip(weights, model.get_weights())):
        model.set_weights(weights)
        raise Hint("this changes the network itself (it has its weights back now): change those of the copy")
    kernel, bias = layer.get_weights()
    filters, inputs, nothing = kernel.copy(), kernel.copy(), bias.copy()
    filters[..., channel], inputs[:, :, channel], nothing[channel] = 0, 0, 0

    def seen(kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
        return np.maximum(_convolve(layer, before["conv4"], kernel, bias), 0)

    mistakes = {
        "nothing has changed": before["conv5"],
        "the filter is zero, but the channel still has its bias": seen(filters, bias),
        "the bias is zero, but the channel still has its filter": seen(kernel, nothing),
        "wrong axis of the kernel: conv5 is deaf to a channel of conv4": seen(inputs, bias),
        "wrong axis of the kernel: conv5 is deaf to a channel of conv4, and a bias is zero": seen(inputs, nothing),
        "all channels are silent, expected one": 0 * before["conv5"],
    }
    compare(activations(network, image)["conv5"], seen(filters, nothing), mistakes, "conv5", tolerance=1e-4)
    return Verdict(True, "this channel is silent, whatever it sees")
