"""The angle with each of many windows hidden, by computing only what a window changes (end of notebook 03).

Hiding a window leaves most of every activation as it was. Nakandala, Kumar and Papakonstantinou (SIGMOD 2019,
"Incremental and Approximate Inference for Faster Occlusion-based Deep CNN Explanations") compute the untouched
activations once and then, for each window, only the rectangle that it changes in each layer. The result is exact.

How it is done: a model is cut into its steps (convolutions, poolings) and the rest. `changed` tells which part of a
step's output a window changes. These *patches* have one size for all windows, so they are a batch. Each step gathers
its input from the untouched map and the patches below, by an index table, and is then an ordinary convolution without
padding. The tables depend on the windows only and are kept for the next frame.

Large windows share work. In a step that sees less than a window's height, the middle rows of its patch know nothing of
the window's upper and lower edge (`inner`): they are those of a *stripe*, a window in the same columns from top to
bottom. Stripes are computed once, and for each window only a band of its patch at either edge.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from steerlib.maps.incremental.patches import Cut, Step, Window, planned
from steerlib.networks.cells_to_pixels import keeps_places, padding_of, window_of
from steerlib.networks.network import Network

# What acts on each value alone, so that it may act on a patch alone.
ELEMENTWISE = (
    "linear",
    "relu",
    "relu6",
    "elu",
    "selu",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "leaky_relu",
)


def angles_without(
    network: Network, picture: np.ndarray, filler: np.ndarray, windows: Sequence[Window], batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]] | None:
    """Ask for the angle with each of the windows hidden, a batch of windows at a time.

    Introduced in notebook 03.

    Parameters
    ----------
    network : Network
        Perhaps layers that cut or rescale the picture; a chain of Conv2D, MaxPooling2D, AveragePooling2D and
        activations; then anything, for instance Flatten and Dense layers, or GlobalAveragePooling2D.
    picture, filler : (h, w, 3) float32
        What is seen, and what shows through a hidden window.
    windows : sequence of (slice, slice)
        Rows and columns, within the picture.
    batch_size : int
        At most so many patches are in memory at once.

    Returns
    -------
    iterator of (positions, angles), or None
        Where in the list the windows of a batch stand, (k,) int, and (k,) float32 degrees, positive = right; equal to
        those of whole hidden pictures up to rounding. None, and a warning that says why, where the network does not
        begin with steps that can be computed in patches.
    """
    cut = network.function("cut", lambda network: _cut(network.model))
    if isinstance(cut, str):
        warnings.warn(f"network {network.name!r}: computed without shortcuts, since {cut}", stacklevel=6)
        return None
    bounds = np.array([[(side.start, side.stop) for side in window] for window in windows], int).reshape(-1, 2, 2)
    # What the network cuts off before its first step has no part in anything.
    bounds = np.clip(bounds - np.reshape(cut.corner, (2, 1)), 0, np.reshape(cut.size, (2, 1)))
    visible = (bounds[..., 0] < bounds[..., 1]).all(axis=1)
    return _parts(network, cut, picture, filler, bounds, np.flatnonzero(visible), batch_size)


def _parts(
    network: Network,
    cut: Cut,
    picture: np.ndarray,
    filler: np.ndarray,
    bounds: np.ndarray,
    visible: np.ndarray,
    batch_size: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Do the work of `angles_without` for those windows that the first step sees; the others change nothing."""
    hidden = np.setdiff1d(np.arange(len(bounds)), visible)
    if len(hidden):
        yield hidden, np.full(len(hidden), network.angle(picture), np.float32)
    if not len(visible):
        return
    plan = planned(network, cut, bounds[visible], batch_size)
    run = network.function(("patches", plan.bands), lambda _: _patches(cut, plan.bands))
    outputs = network.function("maps", lambda _: _maps(cut))(tf.constant(picture[np.newaxis]))
    image = picture[np.newaxis]
    if cut.front is not None:
        front = network.function("front", lambda _: _front(cut))
        image, filler = front(tf.constant(image)).numpy(), front(tf.constant(filler[np.newaxis])).numpy()[0]
    maps = [image, *(outputs[str(k)].numpy() for k in range(len(cut.steps)))]
    # Row 0 of each source is the padding.
    paddings = [*(step.padding for step in cut.steps), 0.0]
    sources = [
        tf.constant(np.vstack([np.full((1, map.shape[-1]), padding, np.float32), map.reshape(-1, map.shape[-1])]))
        for map, padding in zip(maps, paddings)
    ]
    filled = tf.constant(filler.reshape(-1, filler.shape[-1]), tf.float32)
    stripes = [tf.zeros((1, 0, map.shape[-1])) for map in maps[1:]]
    if plan.stripes:
        climb = network.function(("stripes", len(plan.stripes)), lambda _: _stripes(cut, len(plan.stripes)))
        for k, found in enumerate(climb(sources, filled, plan.stripes)):
            if plan.bands[k] > 1:
                stripes[k] = tf.reshape(found, [plan.count, -1, found.shape[-1]])
    for chunk in plan.chunks():
        angles = run(sources, filled, stripes, chunk.stripes, chunk.tables, chunk.place).numpy()
        yield visible[chunk.windows], angles


def _cut(model: keras.Model) -> Cut | str:
    """Cut a model behind the last step that can be computed in patches; a sentence where there is none."""
    steps, outputs, remaining = [], [], list(model.operations)[1:]
    before, reason, corner = model.input, "", np.zeros(2, int)
    while remaining and remaining[0].input is before and (keeps_places(remaining[0]) or _is_crop(remaining[0])):
        layer = remaining.pop(0)
        if _is_crop(layer):
            corner += np.array(layer.cropping)[:, 0]
        before = layer.output
    start = before
    while remaining:
        layer = remaining[0]
        if layer.input is not before:
            reason = f"{layer.name} does not only follow the layer before it"
            break
        step = _step(layer)
        if step is not None:
            steps.append(step)
            outputs.append(layer.output)
        elif steps and _is_elementwise(layer):
            steps[-1] = steps[-1]._replace(run=_followed(steps[-1].run, layer))
            outputs[-1] = layer.output
        else:
            break
        before = layer.output
        remaining.pop(0)
    if not steps:
        if not remaining:
            return "it has no convolution"
        layer = remaining[0]
        return reason or f"{layer.name} ({type(layer).__name__}) is no convolution that can be computed in patches"
    maps = keras.Model(model.input, {str(k): output for k, output in enumerate(outputs)})
    kinds = [type(layer) for layer in remaining if not isinstance(layer, keras.layers.Dropout)]
    dense, last = None, outputs[-1]
    if kinds[:2] == [keras.layers.Flatten, keras.layers.Dense] and not reason:
        dense = next(layer for layer in remaining if isinstance(layer, keras.layers.Dense))
        last = dense.output
    try:
        rest = tf.identity if last is model.output else keras.Model(last, model.output)
    except ValueError:  # Keras finds that the angle depends on more than this
        return f"it has branches: {reason or 'something passes its convolutions by'}"
    front = None if start is model.input else keras.Model(model.input, start)
    return Cut(front, tuple(corner.tolist()), tuple(start.shape[1:3]), steps, maps, dense, rest)


def _step(layer: keras.Layer) -> Step | None:
    """Describe a layer as a step; None where it is none that we know."""
    if type(layer) is keras.layers.Conv2D:
        if layer.groups != 1 or tuple(layer.dilation_rate) != (1, 1) or not _is_elementwise(layer):
            return None
        padding = 0.0

        def run(x: tf.Tensor) -> tf.Tensor:
            x = tf.nn.conv2d(x, layer.kernel, layer.strides, "VALID")
            return layer.activation(x + layer.bias if layer.use_bias else x)

    elif type(layer) is keras.layers.MaxPooling2D:
        padding = -np.inf

        def run(x: tf.Tensor) -> tf.Tensor:
            return tf.nn.max_pool2d(x, layer.pool_size, layer.strides, "VALID")

    elif type(layer) is keras.layers.AveragePooling2D and layer.padding == "valid":  # padding is left out of its mean
        padding = 0.0

        def run(x: tf.Tensor) -> tf.Tensor:
            return tf.nn.avg_pool2d(x, layer.pool_size, layer.strides, "VALID")

    else:
        return None
    if layer.data_format != "channels_last" or layer.padding not in ("valid", "same"):
        return None
    before, output = tuple(padding_of(layer).tolist()), tuple(layer.output.shape[1:3])
    return Step(run, tuple(window_of(layer)), tuple(layer.strides), before, output, padding)


def _is_elementwise(layer: keras.Layer) -> bool:
    """Tell whether a layer, or a convolution's activation, acts on each value alone."""
    if isinstance(layer, keras.layers.Activation | keras.layers.Conv2D):
        return getattr(layer.activation, "__name__", "") in ELEMENTWISE
    if isinstance(layer, keras.layers.BatchNormalization):
        return layer.axis in (-1, 3)
    return isinstance(layer, keras.layers.ReLU | keras.layers.LeakyReLU | keras.layers.ELU | keras.layers.Dropout)


def _is_crop(layer: keras.Operation) -> bool:
    """Tell whether a layer cuts pictures."""
    return isinstance(layer, keras.layers.Cropping2D)


def _followed(run: Callable, layer: keras.Layer) -> Callable:
    """Let a layer follow a step."""
    return lambda x: layer(run(x), training=False)


def _front(cut: Cut) -> Callable:
    """Build the function that cuts and rescales a picture as the network does."""

    @tf.function(input_signature=[tf.TensorSpec(cut.front.input.shape, tf.float32)])
    def run(pictures: tf.Tensor) -> tf.Tensor:
        return cut.front(pictures, training=False)

    return run


def _maps(cut: Cut) -> Callable:
    """Build the function that gives the output of each step."""

    @tf.function(input_signature=[tf.TensorSpec(cut.maps.input.shape, tf.float32)])
    def run(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return cut.maps(image, training=False)

    return run


def _climb(
    cut: Cut, bands: Sequence[int], sources: Sequence[tf.Tensor], shared: Sequence[tf.Tensor], tables: list[tf.Tensor]
) -> list[list[tf.Tensor]]:
    """Compute the bands of each step from those of the step below."""
    results, patches, tables = [], [], list(tables)
    for step, source, common, count in zip(cut.steps, sources, shared, bands):
        below = tf.concat([source, common, *(tf.reshape(patch, [-1, source.shape[-1]]) for patch in patches)], 0)
        patches = [step.run(tf.gather(below, tables.pop(0))) for _ in range(count)]
        results.append(patches)
    return results


def _channels(cut: Cut) -> list[int]:
    """Count the channels of what the first step is given, which may be gray, and of each step's output."""
    given = cut.maps.input if cut.front is None else cut.front.output
    return [given.shape[-1], *(cut.maps.output[str(k)].shape[-1] for k in range(len(cut.steps)))]


def _stripes(cut: Cut, high: int) -> Callable:
    """Build the function that computes the stripes of the first steps."""
    channels = _channels(cut)
    signature = [
        [tf.TensorSpec([None, n], tf.float32) for n in channels],
        tf.TensorSpec([None, channels[0]], tf.float32),
        [tf.TensorSpec([None, None, None], tf.int32)] * high,
    ]

    @tf.function(input_signature=signature)
    def run(sources: list[tf.Tensor], filled: tf.Tensor, tables: list[tf.Tensor]) -> list[tf.Tensor]:
        nothing = [tf.zeros((0, n)) for n in channels[1:]]
        return [found for (found,) in _climb(cut, (1,) * high, sources, [filled, *nothing], tables)]

    return run


def _patches(cut: Cut, bands: tuple[int, ...]) -> Callable:
    """Build the function that computes the angles of one chunk."""
    channels, (height, width) = _channels(cut), cut.steps[-1].output
    signature = [
        [tf.TensorSpec([None, n], tf.float32) for n in channels],
        tf.TensorSpec([None, channels[0]], tf.float32),
        [tf.TensorSpec([None, None, n], tf.float32) for n in channels[1:]],
        tf.TensorSpec([None], tf.int64),
        [tf.TensorSpec([None, None, None], tf.int32)] * (sum(bands) + (cut.dense is None)),
        tf.TensorSpec([2], tf.int64),
    ]

    @tf.function(input_signature=signature)
    def run(
        sources: list[tf.Tensor],
        filled: tf.Tensor,
        stripes: list[tf.Tensor],
        used: tf.Tensor,
        tables: list[tf.Tensor],
        place: tf.Tensor,
    ) -> tf.Tensor:
        shared = [filled]
        for stripe, n, count in zip(stripes, channels[1:], bands):
            shared.append(tf.reshape(tf.gather(stripe, used), [-1, n]) if count > 1 else tf.zeros((0, n)))
        (found,) = _climb(cut, bands, sources, shared, tables)[-1]
        if cut.dense is None:
            patches = tf.reshape(found, [-1, channels[-1]])
            radians = cut.rest(tf.gather(tf.concat([sources[-1], patches], 0), tables[-1]))
        else:
            shape, untouched = tf.shape(found), tf.reshape(sources[-1][1:], [1, height, width, channels[-1]])
            begin = tf.concat([tf.cast(place, tf.int32), [0]], 0)
            kernel = tf.reshape(cut.dense.kernel, [height, width, channels[-1], -1])
            kernel = tf.slice(kernel, tf.concat([begin, [0]], 0), tf.concat([shape[1:], [-1]], 0))
            difference = found - tf.slice(untouched, tf.concat([[0], begin], 0), tf.concat([[1], shape[1:]], 0))
            size = shape[1] * shape[2] * shape[3]
            change = tf.reshape(difference, [-1, size]) @ tf.reshape(kernel, [size, cut.dense.units])
            before = tf.reshape(untouched, [1, -1]) @ cut.dense.kernel
            radians = before + change + (cut.dense.bias if cut.dense.use_bias else 0.0)
            radians = cut.rest(cut.dense.activation(radians))
        return tf.reshape(radians, [-1]) * (180 / np.pi)

    return run
