"""What the network's convolutions respond to, one above the other: hypercolumns, VisualBackProp (notebook 04)."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from steerlib.model import cached_function, check_image, check_model

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


def visual_backprop(model: keras.Model, image: np.ndarray) -> np.ndarray:
    """Carry the averaged activations of the last convolution down to the image, layer by layer (VisualBackProp).

    Introduced in notebook 04. Bojarski et al. (arXiv 1611.05418; for PilotNet arXiv 1704.07911). The mean over the
    channels of the last layer is enlarged to the size of the layer below by a transposed convolution of ones with
    the kernel, stride and padding that led up from there, and multiplied with the mean of that layer; so on down to
    the image. What a convolution without padding leaves over at the bottom and the right becomes zero. A pixel's value
    is therefore the sum, over all paths of cells that lead from it to the last layer, of the product of the means
    along the path. The dense layers are not asked, and there is no sign.

    Parameters
    ----------
    model : keras.Model
        Its convolutions and poolings form a chain.
    image : (66, 200, 3) float32 in [0, 1]

    Returns
    -------
    (66, 200) float32 in [0, 1]
        Scaled to a maximum of 1. All zero if a layer is.

    Raises
    ------
    ValueError
        If the network has no convolution or the image is not what it takes.
    """
    image = check_image(model, image)
    if not convolutions(model):
        raise ValueError(f"network {model.name!r} has no convolution, which VisualBackProp needs")
    product = cached_function(model, "visual_backprop", _visual_backprop)(image[np.newaxis])
    return _to_unit(product.numpy())


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
    return {name: outputs[name][0].numpy() for name in convolutions(model)}


def convolutions(model: keras.Model) -> list[str]:
    """List the names of a model's convolutions, the first one first."""
    return [layer.name for layer in check_model(model).layers if isinstance(layer, keras.layers.Conv2D)]


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
    first, step, _ = _receptive_fields(model, check_layer(model, layer))
    shape = model.get_layer(layer).output.shape[1:3]
    rows, columns = (first[axis] + step[axis] * np.arange(shape[axis]) for axis in (0, 1))
    return rows, columns


def cells_to_pixels(cells: np.ndarray, model: keras.Model, layer: str, fade: bool = False) -> np.ndarray:
    """Spread a map of a layer's cells over the network's image.

    Introduced in notebook 04. Every cell's value goes to the center of its receptive field (`cell_centers`);
    between centers it is interpolated bilinearly, beyond the outermost ones it stays the same. Stretching the
    map over the whole image instead would move the evidence of conv5 outward by up to 25 pixels.

    Parameters
    ----------
    cells : (h, w) float32, or (n, h, w)
        One map, or many.
    model, layer
        Where the cells come from.
    fade : bool
        Beyond the outermost cells let the value fall to zero, which it reaches where their receptive fields end. So
        a map of evidence shows none where the layer sees none. Not along a side with a single cell, which sees all.

    Returns
    -------
    (66, 200) float32, or (n, 66, 200)
        In the unit of ``cells``.
    """
    rows, columns = cached_function(model, ("spread", layer, fade), lambda model: _spread(model, layer, fade))
    return rows @ cells.astype(np.float32, copy=False) @ columns.T


def _spread(model: keras.Model, layer: str, fade: bool) -> list[np.ndarray]:
    """Give the share of each cell in each pixel, for rows and columns: (66, h) and (200, w)."""
    shares, (_, step, field) = [], _receptive_fields(model, layer)
    for axis, centers in enumerate(cell_centers(model, layer)):
        pixels = np.arange(model.input_shape[1 + axis])
        outside = np.maximum(np.maximum(centers[0] - pixels, pixels - centers[-1]) - step[axis] / 2, 0)
        weight = np.clip(1 - 2 * outside / max(field[axis] - step[axis], 1), 0, 1) if fade and len(centers) > 1 else 1
        share = [np.interp(pixels, centers, one) * weight for one in np.eye(len(centers))]
        shares.append(np.stack(share, axis=1).astype(np.float32))
    return shares


def _receptive_fields(model: keras.Model, layer: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the first cell's center, the distance between cells and the size of what one sees, for rows and columns."""
    first, step, field = np.zeros(2), np.ones(2), np.ones(2)
    for below in model.layers:
        window = window_of(below)
        if window is not None:
            reach = np.array(getattr(below, "dilation_rate", 1)) * (np.array(window) - 1)
            first += step * (reach / 2 - padding_of(below))
            field += step * reach
            step *= np.array(below.strides)
        if below.name == layer:
            break
    return first, step, field


def window_of(layer: keras.Layer) -> tuple[int, int] | None:
    """Give the size of the window that a convolution or a pooling moves over its input; None for other layers."""
    return getattr(layer, "kernel_size", getattr(layer, "pool_size", None))


def padding_of(layer: keras.Layer) -> np.ndarray:
    """Give the rows and columns (2,) that a convolution or a pooling adds at the top and the left of its input."""
    if layer.padding == "valid":
        return np.zeros(2, int)
    size, output = (np.array(tensor.shape[1:3]) for tensor in (layer.input, layer.output))
    reach = np.array(getattr(layer, "dilation_rate", 1)) * (np.array(window_of(layer)) - 1)
    return np.maximum((output - 1) * np.array(layer.strides) + reach + 1 - size, 0) // 2


def _ones(layer: keras.Layer) -> np.ndarray:
    """Give a kernel of ones with the size of a layer's window; where that is dilated, with zeros between them."""
    gap = np.broadcast_to(getattr(layer, "dilation_rate", 1), 2)
    kernel = np.zeros([*(np.array(window_of(layer)) - 1) * gap + 1, 1, 1], np.float32)
    kernel[:: gap[0], :: gap[1]] = 1
    return kernel


def _to_unit(values: np.ndarray) -> np.ndarray:
    """Scale values >= 0 to a maximum of 1; all zeros stay zeros."""
    return values / (values.max() or 1)


def _activations(model: keras.Model) -> Callable:
    """Build the function behind `activations`."""
    inner = keras.Model(model.input, {name: model.get_layer(name).output for name in convolutions(model)})

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def run(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return inner(images, training=False)

    return run


def _visual_backprop(model: keras.Model) -> Callable:
    """Build the function behind `visual_backprop`."""
    steps = [layer for layer in model.layers if window_of(layer) is not None]
    inner = keras.Model(model.input, {layer.name: layer.output for layer in steps})

    @tf.function(input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)])
    def run(image: tf.Tensor) -> tf.Tensor:
        outputs = inner(image, training=False)
        means = [tf.reduce_mean(tf.abs(outputs[layer.name]), axis=-1, keepdims=True) for layer in steps]
        below = [tf.ones((1, *model.input_shape[1:3], 1)), *means[:-1]]  # the image itself is not averaged
        product = means[-1]
        for layer, mean in reversed(list(zip(steps, below))):
            product = tf.nn.conv2d_transpose(product, _ones(layer), mean.shape, layer.strides, layer.padding.upper())
            # Scaled on the way, or a long chain leaves the range of float32.
            product = mean * tf.math.divide_no_nan(product, tf.reduce_max(product))
        return product[0, ..., 0]

    return run
