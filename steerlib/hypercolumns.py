"""What the network's convolutions respond to, one above the other (notebook 04)."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from steerlib.model import cached_function, check_image

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def hypercolumns(model: keras.Model, image: np.ndarray, layers: Sequence[str] = LAYERS) -> np.ndarray:
    """Multiply the averaged activations of several layers.

    Introduced in notebook 04. The name is from Hariharan et al. (arXiv 1411.5752); the product is also that of
    VisualBackProp (arXiv 1611.05418), which enlarges in another way. A pixel is bright where every chosen layer
    responds; whether that turns the wheel, and in which direction, is not asked.

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1]
    layers : sequence of str
        Convolutions of the model. ``("conv5",)`` alone gives the columns of the article's picture.

    Returns
    -------
    (66, 200) float32 in [0, 1]
        The mean over the channels of the absolute activation of each layer, scaled to a maximum of 1 and
        spread over the image (`cells_to_pixels`); then the product of all, again scaled to a maximum of 1. All
        zero if a layer is.

    Raises
    ------
    ValueError
        If no layer is given, one is not a convolution of the model, or the image is not what it takes.
    """
    if isinstance(layers, str) or not layers:
        raise ValueError(f"layers={layers!r}: expected one or more names, such as ('conv5',)")
    for name in layers:
        check_layer(model, name)
    product = np.ones(model.input_shape[1:3], np.float32)
    for name, activation in activations(model, image).items():
        if name in layers:
            product *= cells_to_pixels(_to_unit(np.abs(activation).mean(axis=-1)), model, name)
    return _to_unit(product)


def activations(model: keras.Model, image: np.ndarray) -> dict[str, np.ndarray]:
    """Give the activations of all convolutions on one image.

    Introduced in notebook 04.

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1]

    Returns
    -------
    dict of str to (h, w, c) float32
        From the first convolution to the last, behind their activation function: in PilotNet from conv1 with
        (31, 98, 24) to conv5 with (1, 18, 64), all after the ReLU and therefore not negative.

    Raises
    ------
    ValueError
        If the image is not what the network takes.
    """
    image = check_image(model, image)
    outputs = cached_function(model, "activations", _activations)(image[np.newaxis])
    return dict(zip(convolutions(model), (output[0].numpy() for output in outputs), strict=True))


def convolutions(model: keras.Model) -> list[str]:
    """List the names of a model's convolutions, the first one first."""
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def check_layer(model: keras.Model, layer: str) -> str:
    """Return the name of a convolution; any other raises a ValueError that lists the choices."""
    if layer not in convolutions(model):
        raise ValueError(f"layer={layer!r}: expected a convolution, one of {', '.join(convolutions(model))}")
    return layer


def cell_centers(model: keras.Model, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Tell where the cells of a convolution look: the centers of their receptive fields.

    Introduced in notebook 04. PilotNet's convolutions have no padding, so their cells do not reach the
    border: the 18 cells of conv5 are centered on the columns 30 to 166 of 200, 8 pixels apart.

    Parameters
    ----------
    model : keras.Model
        A chain of layers.
    layer : str
        The name of a convolution.

    Returns
    -------
    rows, columns : (h,), (w,) float64
        In pixels of the network's image, 0 being the middle of the first one.

    Raises
    ------
    ValueError
        If the layer is not a convolution of the model.
    """
    check_layer(model, layer)
    first, step = np.zeros(2), np.ones(2)  # center of the first cell, distance to the next
    for below in model.layers:
        window = getattr(below, "kernel_size", getattr(below, "pool_size", None))
        if window is not None:
            reach = np.array(getattr(below, "dilation_rate", 1)) * (np.array(window) - 1)
            strides, size = np.array(below.strides), np.array(below.input.shape[1:3])
            padding = (-(-size // strides) - 1) * strides + reach + 1 - size if below.padding == "same" else 0
            first += step * (reach / 2 - np.maximum(padding, 0) // 2)
            step *= strides
        if below.name == layer:
            rows, columns = (first[axis] + step[axis] * np.arange(below.output.shape[1 + axis]) for axis in (0, 1))
            return rows, columns


def cells_to_pixels(cells: np.ndarray, model: keras.Model, layer: str) -> np.ndarray:
    """Spread a map of a layer's cells over the network's image.

    Introduced in notebook 04. Every cell's value goes to the center of its receptive field (`cell_centers`);
    between centers it is interpolated bilinearly, beyond the outermost ones it stays the same. Stretching the
    map over the whole image instead would move the evidence of conv5 outward by up to 25 pixels.

    Parameters
    ----------
    cells : (h, w) float32
    model, layer
        Where the cells come from.

    Returns
    -------
    (66, 200) float32
        In the unit of ``cells``.
    """
    height, width = model.input_shape[1:3]
    rows, columns = cell_centers(model, layer)
    across = np.stack([np.interp(np.arange(width), columns, line) for line in cells])
    down = np.stack([np.interp(np.arange(height), rows, line) for line in across.T], axis=1)
    return down.astype(np.float32)


def _to_unit(values: np.ndarray) -> np.ndarray:
    """Scale values >= 0 to a maximum of 1; all zeros stay zeros."""
    return values / (values.max() or 1)


def _activations(model: keras.Model) -> Callable:
    """Build the function behind `activations`."""
    inner = keras.Model(model.input, [model.get_layer(name).output for name in convolutions(model)])

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def run(images: tf.Tensor) -> list[tf.Tensor]:
        return inner(images, training=False)

    return run
