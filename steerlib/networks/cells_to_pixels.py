"""From the cells of a layer to the pixels of the picture: where in the picture a cell looks (notebook 04).

The way is computed layer by layer from the network itself, also where it cuts, pads or resizes pictures, and compared
with the shapes that Keras reports. A layer that is not understood is refused by its name: a map is never drawn in the
wrong place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from steerlib.networks.network import Network, as_network

if TYPE_CHECKING:
    import keras


class Cells(NamedTuple):
    """Where the cells of a layer look, for rows and columns: each entry an array (2,)."""

    first: np.ndarray  # center of the first cell in pixels of the picture, 0 being the middle of the first one
    step: np.ndarray  # pixels from one cell to the next
    field: np.ndarray  # pixels that a cell sees: the size of its receptive field
    count: np.ndarray  # cells
    low: np.ndarray  # where the part of the picture begins that the network does not cut off, in pixels as `first`
    high: np.ndarray  # where it ends


def cell_centers(network: Network | keras.Model, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Tell where the cells of a convolution look: the centers of their receptive fields.

    Introduced in notebook 04. PilotNet's convolutions have no padding, so their cells do not reach the
    border: the 18 cells of conv5 are centered on the columns 30 to 166 of 200, 8 pixels apart.

    Parameters
    ----------
    network : Network
    layer : str
        The name of a convolution.

    Returns
    -------
    rows, columns : (h,), (w,) float64
        In pixels of the network's picture, 0 being the middle of the first one.

    Raises
    ------
    ValueError
        If the layer is not a convolution of the network, or a layer below it is not understood.
    """
    network = as_network(network)
    first, step, _, count, *_ = cells_of(network, network.check_layer(layer))
    rows, columns = (first[axis] + step[axis] * np.arange(count[axis]) for axis in (0, 1))
    return rows, columns


def cells_to_pixels(cells: np.ndarray, network: Network | keras.Model, layer: str, fade: bool = False) -> np.ndarray:
    """Spread a map of a layer's cells over the network's picture.

    Introduced in notebook 04. Every cell's value goes to the center of its receptive field (`cell_centers`);
    between centers it is interpolated bilinearly, beyond the outermost ones it stays the same. Stretching the
    map over the whole picture instead would move the evidence of conv5 outward by up to 25 pixels. What the network
    cuts off the picture (`Cropping2D`) it does not see: zero.

    Parameters
    ----------
    cells : (h, w) float32, or (n, h, w)
        One map, or many.
    network, layer
        Where the cells come from.
    fade : bool
        Beyond the outermost cells let the value fall to zero, which it reaches where their receptive fields end. So
        a map of evidence shows none where the layer sees none. Not along a side with a single cell, which sees all.

    Returns
    -------
    float32 of the picture's height and width, or (n, height, width)
        In the unit of ``cells``.

    Raises
    ------
    ValueError
        As `cell_centers`.
    """
    network = as_network(network)
    rows, columns = network.function(("spread", layer, fade), lambda network: _spread(network, layer, fade))
    return rows @ cells.astype(np.float32, copy=False) @ columns.T


def cells_of(network: Network, layer: str) -> Cells:
    """Follow a layer down to the picture.

    Introduced in notebook 04.

    Parameters
    ----------
    network : Network
    layer : str
        The name of any layer of its model.

    Returns
    -------
    Cells

    Raises
    ------
    ValueError
        Names a layer on the way that is not understood.
    """
    model = network.model
    size = np.array(network.size)
    known = {id(model.input): Cells(np.zeros(2), np.ones(2), np.ones(2), size, np.full(2, -0.5), size - 0.5)}
    for operation in model.operations:
        tensors = operation.input if isinstance(operation.input, list) else [operation.input]
        below = [known.get(id(tensor)) for tensor in tensors]
        output = operation.output
        if None in below or isinstance(output, list):
            continue  # behind a layer without cells, such as a dense one; or the picture itself
        if len(output.shape) == 4 and id(output) != id(model.input):
            known[id(output)] = _above(network.name, operation, below)
        if operation.name == layer:
            break
    found = known.get(id(model.get_layer(layer).output))
    if found is None:
        raise ValueError(f"network {network.name!r}: its layer {layer} has no cells that look at places of the picture")
    return found


def window_of(layer: keras.Layer) -> tuple[int, int] | None:
    """Give the size of the window that a convolution or a pooling moves over its input; None for other layers."""
    return getattr(layer, "kernel_size", getattr(layer, "pool_size", None))


def padding_of(layer: keras.Layer) -> np.ndarray:
    """Give the rows and columns (2,) that a convolution or a pooling adds at the top and the left of its input."""
    if layer.padding == "valid":
        return np.zeros(2, int)
    size, output = (np.array(tensor.shape[1:3]) for tensor in (layer.input, layer.output))
    return np.maximum((output - 1) * np.array(layer.strides) + _reach(layer) + 1 - size, 0) // 2


def _reach(layer: keras.Layer) -> np.ndarray:
    """Give the distance (2,) from the first to the last input that a window sees."""
    return np.array(getattr(layer, "dilation_rate", 1)) * (np.array(window_of(layer)) - 1)


def _above(name: str, layer: keras.Operation, below: list[Cells]) -> Cells:
    """Tell where a layer's cells look, from those of what it is given."""
    from keras import layers

    from steerlib.networks.own_layers import AfterColor

    output = np.array(layer.output.shape[1:3])
    first, step, field, count, low, high = below[0]
    if len(below) > 1:
        places = np.stack([[*cells.first, *cells.step, *cells.count] for cells in below])
        if not np.allclose(places, places[0]):
            raise ValueError(f"network {name!r}: what its layer {layer.name} joins does not lie at the same places")
        expected, field = count, np.max([cells.field for cells in below], axis=0)
        low, high = np.min([cells.low for cells in below], axis=0), np.max([cells.high for cells in below], axis=0)
    elif isinstance(layer, _windows()):
        strides, reach, before = np.array(layer.strides), _reach(layer), padding_of(layer)
        first = first + step * (reach / 2 - before)
        field, step = field + step * reach, step * strides
        expected = -(-count // strides) if layer.padding == "same" else (count - reach - 1) // strides + 1
    elif isinstance(layer, layers.Cropping2D):
        cut = np.array(layer.cropping)
        first, expected = first + step * cut[:, 0], count - cut.sum(axis=1)
        low = np.where(cut[:, 0], np.maximum(low, first - field / 2), low)
        high = np.where(cut[:, 1], np.minimum(high, first + step * (expected - 1) + field / 2), high)
    elif isinstance(layer, layers.ZeroPadding2D):
        added = np.array(layer.padding)
        first, expected = first - step * added[:, 0], count + added.sum(axis=1)
    elif isinstance(layer, layers.UpSampling2D):
        times = np.array(layer.size)
        first, step, expected = first + step * (0.5 / times - 0.5), step / times, count * times
    elif isinstance(layer, layers.Resizing) and not (layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio):
        ratio = count / output
        first, field, step = first + step * (ratio - 1) / 2, field + step * np.maximum(ratio, 1), step * ratio
        expected = np.array([layer.height, layer.width])
    elif isinstance(layer, AfterColor):
        ratio, blur, blur_after = count / output, layer.done["blur"], layer.done["blur_after"]
        first, expected = first + step * (ratio - 1) / 2, np.array(layer.done["after"])
        field, step = field + step * (blur - 1 + np.maximum(ratio, 1) + (blur_after - 1) * ratio), step * ratio
    elif keeps_places(layer):
        expected = count
    else:
        raise ValueError(
            f"network {name!r}: where the cells of its layer {layer.name} ({type(layer).__name__}) look is not known, "
            "so no map of cells above it can be drawn"
        )
    if tuple(expected) != tuple(output):
        raise ValueError(
            f"network {name!r}: its layer {layer.name} has {tuple(output)} cells, expected {tuple(expected)}"
        )
    return Cells(first, step, field, output, low, high)


def _windows() -> tuple[type, ...]:
    """List the kinds of layers that move a window."""
    from keras import layers

    return (
        layers.Conv2D,
        layers.DepthwiseConv2D,
        layers.SeparableConv2D,
        layers.MaxPooling2D,
        layers.AveragePooling2D,
    )


def keeps_places(layer: keras.Operation) -> bool:
    """Tell whether each cell of a layer's output is made of the cell at the same place alone."""
    from keras import layers

    from steerlib.networks.own_layers import ToColor

    kinds = (
        ToColor,
        layers.Activation,
        layers.BatchNormalization,
        layers.Dropout,
        layers.ELU,
        layers.GaussianDropout,
        layers.GaussianNoise,
        layers.Identity,
        layers.LeakyReLU,
        layers.Normalization,
        layers.PReLU,
        layers.ReLU,
        layers.Rescaling,
        layers.SpatialDropout2D,
    )
    if isinstance(layer, layers.Layer):
        return isinstance(layer, kinds)
    # Operations: arithmetic with a number, and the exchange of red and blue.
    arithmetic = ("Absolute", "Add", "Clip", "Divide", "Maximum", "Minimum", "Multiply", "Relu", "Subtract", "Tanh")
    name = type(layer).__name__
    return name in arithmetic or (name == "Flip" and layer.axis in (-1, 3))


def _spread(network: Network, layer: str, fade: bool) -> list[np.ndarray]:
    """Give the share of each cell in each pixel, for rows and columns: (height, h) and (width, w)."""
    shares, (_, step, field, _, low, high) = [], cells_of(network, layer)
    for axis, centers in enumerate(cell_centers(network, layer)):
        pixels = np.arange(network.size[axis])
        outside = np.maximum(np.maximum(centers[0] - pixels, pixels - centers[-1]) - step[axis] / 2, 0)
        weight = np.clip(1 - 2 * outside / max(field[axis] - step[axis], 1), 0, 1) if fade and len(centers) > 1 else 1
        seen = (pixels >= low[axis]) & (pixels <= high[axis])
        share = [np.interp(pixels, centers, one) * weight * seen for one in np.eye(len(centers))]
        shares.append(np.stack(share, axis=1).astype(np.float32))
    return shares
