"""Checks of the exercises of notebook 05: Grad-CAM."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from steerlib.drives import Drive
from steerlib.exercises.hypercolumns import before_relu
from steerlib.exercises.verdict import Hint, Verdict, call, check, compare

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network


@check
def check_wrong_sides(
    grad_cam: int, hires_cam: int, missing: float, model: Network | keras.Model, drive: Drive
) -> Verdict:
    """Check how many sums of each method are on the wrong side, and the biases' degrees on HiResCAM's worst frame."""
    from steerlib.maps.grad_cam import layer_gradient
    from steerlib.networks.cells_to_pixels import cells_to_pixels
    from steerlib.networks.network import as_network

    network = as_network(model)
    pictures, layer = drive.pictures(network, np.arange(0, len(drive), 5)), network.check_layer(None)
    activation, gradient, angles = layer_gradient(network, pictures, layer)
    beyond, sums = np.abs(angles) > 5, {}
    for name, weights in {"Grad-CAM": gradient.mean(axis=(1, 2), keepdims=True), "HiResCAM": gradient}.items():
        cells = (weights * activation).sum(axis=-1)
        for enlarged, map in ((False, cells), (True, cells_to_pixels(cells, network, layer, fade=True))):
            sums[name, enlarged] = map.sum(axis=(1, 2))
    # What rounding may make of a sum that is nearly zero, or of an angle of nearly 5°, is right either way.
    rounding = 1e-5 * np.abs(gradient * activation).sum(axis=(1, 2, 3))
    wrong = {key: np.sign(values) != np.sign(angles) for key, values in sums.items()}
    for (name, other), answer in zip((("Grad-CAM", "HiResCAM"), ("HiResCAM", "Grad-CAM")), (grad_cam, hires_cam)):
        mistakes = {
            "frames within 5° of straight ahead do not count": wrong[name, False].sum(),
            "this is the count of the other method": (wrong[other, False] & beyond).sum(),
            "add up the cells, not the pixels: enlarging counts cells at the border often": (
                wrong[name, True] & beyond
            ).sum(),
            "these are the sums on the angle's own side": (~wrong[name, False] & beyond).sum(),
            "this is a share, expected a count": (wrong[name, False] & beyond).sum() / max(beyond.sum(), 1),
        }
        expected = (wrong[name, False] & beyond).sum()
        close = (np.abs(np.abs(angles) - 5) < 1e-3) | ((np.abs(sums[name, False]) <= rounding) & (rounding > 0))
        compare(answer, expected, mistakes, name, tolerance=1e-6, least=(close.sum() + 0.5) / 1e-6)
    own_side = np.where(beyond, sums["HiResCAM", False] * np.sign(angles), np.inf)
    worst = np.argmin(own_side)
    total, whole = sums["HiResCAM", False][worst], np.degrees(np.sin(np.radians(angles[worst])))
    mistakes = {
        "this is what is missing to the angle; map and biases make 57.3° sin θ": angles[worst] - total,
        "this is map and biases together, expected the biases": whole,
        "this is the sum of the map, expected what is missing": total,
    }
    compare(missing, whole - total, mistakes, "missing", tolerance=5e-3, least=max(10.0, 100 * rounding[worst]))
    return Verdict(True, "the map alone is not the whole angle")


@check
def check_against_blur(against_blur: Callable, model: Network | keras.Model, images: np.ndarray) -> Verdict:
    """Check ``against_blur(image, layer)``: (h, w) signed degrees, activations counted from the blurred image's."""
    from steerlib.maps.fill import fill_image
    from steerlib.maps.grad_cam import layer_gradient
    from steerlib.networks.network import as_network

    layer = as_network(model).check_layer(None)
    answer = [call(against_blur, image, layer) for image in images]
    activation, gradient, _ = layer_gradient(model, images, layer)
    other, elsewhere, _ = layer_gradient(model, np.stack([fill_image(image, "blur") for image in images]), layer)
    each = gradient * (activation - other)
    mistakes = {
        "the activation still counts from zero": (gradient * activation).sum(axis=-1),
        "this is what the blurred image has, expected the difference to it": (gradient * other).sum(axis=-1),
        "the sign is the wrong way round: the image comes first, then the blurred one": -each.sum(axis=-1),
        "the gradient is that of the blurred image, expected of the image": (elsewhere * (activation - other)).sum(
            axis=-1
        ),
        "the gradient is averaged over the cells, as in Grad-CAM": (
            gradient.mean(axis=(1, 2), keepdims=True) * (activation - other)
        ).sum(axis=-1),
        "a ReLU is left in: both signs are wanted": np.maximum(each.sum(axis=-1), 0),
        "this is a mean over the channels, expected a sum": each.mean(axis=-1),
        "the channels are still there: add them up": each,
    }
    compare(answer, each.sum(axis=-1), mistakes, tolerance=5e-3)
    return Verdict(True, "now ask occlusion")


@check
def check_pooled(pooled: Callable) -> Verdict:
    """Check ``pooled()``: a network from (66, 200, 3) to an angle that ends in an average and one unit."""
    import keras

    from steerlib.maps.grad_cam import layer_gradient
    from steerlib.networks.network import as_network
    from steerlib.networks.pilotnet import SIZE

    network = call(pooled)
    if not isinstance(network, keras.Model):
        raise Hint(f"expected a keras.Model, this is a {type(network).__name__}")
    if tuple(network.input_shape[1:]) != (*SIZE, 3):
        raise Hint(f"its input has the shape {network.input_shape[1:]}, expected {(*SIZE, 3)}")
    if tuple(network.output_shape[1:]) != (1,):
        raise Hint(f"its output has the shape {network.output_shape[1:]}, expected one angle: (1,)")
    kinds, names = [type(layer).__name__ for layer in network.layers], list(as_network(network).layers)
    if not names:
        raise Hint("it has no Conv2D, so there is nothing to make a map of")
    if "Flatten" in kinds:
        raise Hint("it still flattens, so each cell keeps a weight of its own")
    if "GlobalMaxPooling2D" in kinds:
        raise Hint("a maximum listens to one cell only, expected an average")
    if "GlobalAveragePooling2D" not in kinds:
        raise Hint("GlobalAveragePooling2D is missing")
    if kinds.count("Dense") != 1:
        raise Hint(f"it has {kinds.count('Dense')} dense layers, expected one behind the average")
    image = np.random.default_rng(0).random((*SIZE, 3), np.float32)
    gradient = layer_gradient(network, image, names[-1])[1]
    if np.ptp(gradient, axis=(0, 1)).max() > 1e-3 * np.abs(gradient).max():
        raise Hint(f"the gradient of {names[-1]} differs from cell to cell: what stands between it and the average?")
    return Verdict(True, "one gradient for all cells of a channel")


@check
def check_grad_cam_left(grad_cam_left: Callable, model: Network | keras.Model, images: np.ndarray) -> Verdict:
    """Check ``grad_cam_left(image, layer)``: the (h, w) cells of Grad-CAM for left, in degrees, at least 0."""
    from steerlib.maps.grad_cam import grad_cam, layer_gradient
    from steerlib.networks.network import as_network

    layer = as_network(model).layers[-2:][0]  # not the one that the notebook drew
    answer = [call(grad_cam_left, image, layer) for image in images]
    activation, gradient, _ = layer_gradient(model, images, layer)
    before = np.stack([before_relu(model, image)[layer] for image in images])
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    cells = -(weights * activation).sum(axis=-1)
    mistakes = {
        "the ReLU is missing: what speaks against left is still there": cells,
        "this is what speaks for right": np.maximum(-cells, 0),
        "these activations are those before the layer's own ReLU": np.maximum(-(weights * before).sum(axis=-1), 0),
        "the gradient is averaged over the channels, expected over the cells: wrong axis": np.maximum(
            -(gradient.mean(axis=-1, keepdims=True) * activation).sum(axis=-1), 0
        ),
        "the gradient is not averaged: this is HiResCAM": np.maximum(-(gradient * activation).sum(axis=-1), 0),
        "the ReLU comes last: add up the channels before it": np.maximum(-weights * activation, 0).sum(axis=-1),
        "the gradient is added up over the cells, expected its mean": np.maximum(cells, 0) * gradient[0, ..., 0].size,
        "this is a mean over the channels, expected a sum": np.maximum(cells, 0) / activation.shape[-1],
        "this is enlarged to pixels, expected the layer's cells": grad_cam(model, images, layer, "left"),
        "this is scaled by its maximum, so its degrees are gone": np.maximum(cells, 0)
        / np.maximum(cells.max(axis=(1, 2), keepdims=True), 1e-9),
    }
    compare(answer, np.maximum(cells, 0), mistakes, tolerance=5e-3)
    return Verdict(True, "Grad-CAM for left")
