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

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from steerlib.hypercolumns import padding_of, window_of
from steerlib.model import cached_function

Window = tuple[slice, slice]  # of rows and columns

PLANS = 8  # sets of windows whose tables are kept with a model: 20 MB for the 3,434 windows of 15 pixels, stride 2
KEPT = 7000  # windows in a set at most; for more, each batch makes its tables again: 43 MB, not 114, for 13,200
SHARED = 0.8  # stripes are used in a step where, together with the bands, they are at most so much of the whole patches
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


class Step(NamedTuple):
    """A convolution or pooling with the activations that follow it, and its geometry: rows first, then columns."""

    run: Callable[[tf.Tensor], tf.Tensor]  # from inputs that are padded already
    kernel: tuple[int, int]
    stride: tuple[int, int]
    before: tuple[int, int]  # padding at the top and the left
    output: tuple[int, int]  # cells
    padding: float  # what the padding counts as


class Cut(NamedTuple):
    """A model in two: steps that can be computed in patches, and what makes an angle of the last step's output."""

    steps: list[Step]
    maps: keras.Model  # from the image to the output of each step, by its number
    dense: keras.layers.Dense | None  # the first dense layer, if it sees the flattened map: computed by difference
    rest: Callable[[tf.Tensor], tf.Tensor]  # to radians, from that layer's output, else from the last step's


class Patch(NamedTuple):
    """What windows change in a step's output: bands of rows in some columns, of one size for all of the n windows."""

    bands: list[tuple[np.ndarray, int]]  # first row (n,) and height: one that is the whole patch, or two at its edges
    inner: np.ndarray  # (n, 2) the rows between two bands, from the stripes: start and stop
    columns: tuple[np.ndarray, int]  # first column (n,) and width


class Chunk(NamedTuple):
    """Windows whose last patch lies at one place, and where each step's input is gathered from."""

    windows: np.ndarray  # (n,) their positions in the list
    stripes: np.ndarray  # the stripes that they use
    tables: list[tf.Tensor]  # for each step's bands (n, h, w) int32, and for its whole last output where that is needed
    place: np.ndarray  # (2,) row and column of the last patch


class Plan(NamedTuple):
    """All that is known of a set of windows before the frame is."""

    bands: tuple[int, ...]  # of each step
    stripes: list[tf.Tensor]  # tables of the stripes, up to the last step that uses them
    count: int  # of stripes
    chunks: Callable[[], Iterable[Chunk]]


def angles_without(
    model: keras.Model, image: np.ndarray, filler: np.ndarray, windows: Sequence[Window], batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]] | None:
    """Ask for the angle with each of the windows hidden, a batch of windows at a time.

    Introduced in notebook 03.

    Parameters
    ----------
    model : keras.Model
        A chain of Conv2D, MaxPooling2D, AveragePooling2D and activations, then anything, for instance Flatten and
        Dense layers, or GlobalAveragePooling2D.
    image, filler : (h, w, 3) float32
        What is seen, and what shows through a hidden window.
    windows : sequence of (slice, slice)
        Rows and columns, within the image.
    batch_size : int
        At most so many patches are in memory at once.

    Returns
    -------
    iterator of (positions, angles), or None
        Where in the list the windows of a batch stand, (k,) int, and (k,) float32 degrees, positive = right; equal to
        those of whole hidden images up to rounding. None, and a warning that says why, where the model does not begin
        with steps that can be computed in patches.
    """
    cut = cached_function(model, "cut", _cut)
    if isinstance(cut, str):
        warnings.warn(f"network {model.name!r}: computed without shortcuts, since {cut}", stacklevel=4)
        return None
    if not len(windows):
        return iter(())
    bounds = np.array([[(side.start, side.stop) for side in window] for window in windows])
    plan = _planned(model, cut, bounds, image.shape[:2], batch_size)
    run = cached_function(model, ("patches", plan.bands), lambda _: _patches(cut, plan.bands))
    outputs = cached_function(model, "maps", lambda _: _maps(cut))(tf.constant(image[np.newaxis]))
    maps = [image[np.newaxis], *(outputs[str(k)].numpy() for k in range(len(cut.steps)))]
    # Row 0 of each source is the padding.
    paddings = [*(step.padding for step in cut.steps), 0.0]
    sources = [
        tf.constant(np.vstack([np.full((1, map.shape[-1]), padding, np.float32), map.reshape(-1, map.shape[-1])]))
        for map, padding in zip(maps, paddings)
    ]
    filled = tf.constant(filler.reshape(-1, filler.shape[-1]), tf.float32)
    stripes = [tf.zeros((1, 0, map.shape[-1])) for map in maps[1:]]
    if plan.stripes:
        climb = cached_function(model, ("stripes", len(plan.stripes)), lambda _: _stripes(cut, len(plan.stripes)))
        for k, found in enumerate(climb(sources, filled, plan.stripes)):
            if plan.bands[k] > 1:
                stripes[k] = tf.reshape(found, [plan.count, -1, found.shape[-1]])
    return (
        (chunk.windows, run(sources, filled, stripes, chunk.stripes, chunk.tables, chunk.place).numpy())
        for chunk in plan.chunks()
    )


def changed(start: int, stop: int, kernel: int, stride: int, before: int, size: int) -> tuple[int, int]:
    """Tell which cells of a step's output a change of its input can reach, along one side.

    Introduced in notebook 03. Cell i sees the inputs i·stride − before up to i·stride − before + kernel − 1::

        input    . . . . . X X X X . . . . .     X: changed, from start to stop − 1
        cell i       |-------|                   the first cell whose last input is at least start
        cell j                 |-------|         the last cell whose first input is at most stop − 1

    Parameters
    ----------
    start, stop : int
        The changed inputs, stop excluded.
    kernel, stride, before : int
        Of the step; `before` is its padding at the top or left.
    size : int
        Cells of the output.

    Returns
    -------
    first, last : int
        The cells, `last` excluded; equal where nothing is reached.
    """
    first = -((kernel - 1 - start - before) // stride)  # division upward
    last = (stop - 1 + before) // stride + 1
    first, last = max(first, 0), min(last, size)
    return first, max(first, last)


def inner(start: int, stop: int, kernel: int, stride: int, before: int, size: int, output: int) -> tuple[int, int]:
    """Tell which cells of a step's output see only inputs of one kind, along one side.

    Introduced in notebook 03. The counterpart of `changed`: with the inputs from start to stop − 1 hidden, these cells
    see nothing else, and so do not know where the hidden part ends::

        input    . . . . . X X X X X . . . .     X: hidden, from start to stop − 1
        cell i             |-----|               the first cell whose first input is at least start
        cell j               |-----|             the last cell whose last input is at most stop − 1

    Where the hidden part reaches the border, so do the cells, since padding does not change.

    Parameters
    ----------
    start, stop : int
        The hidden inputs, stop excluded.
    kernel, stride, before : int
        Of the step; `before` is its padding at the top or left.
    size, output : int
        Inputs and cells along this side.

    Returns
    -------
    first, last : int
        The cells, `last` excluded; not below `first`.
    """
    first = 0 if start <= 0 else -(-(start + before) // stride)  # division upward
    last = output if stop >= size else (stop + before - kernel) // stride + 1
    return min(first, output), max(min(first, output), last)


def _cut(model: keras.Model) -> Cut | str:
    """Cut a model behind the last step that can be computed in patches; a sentence where there is none."""
    steps, outputs, remaining = [], [], list(model.layers)
    if isinstance(remaining[0], keras.layers.InputLayer):
        remaining.pop(0)
    before, reason = model.input, ""
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
    return Cut(steps, maps, dense, rest)


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


def _followed(run: Callable, layer: keras.Layer) -> Callable:
    """Let a layer follow a step."""
    return lambda x: layer(run(x), training=False)


def _planned(model: keras.Model, cut: Cut, bounds: np.ndarray, size: tuple[int, int], batch_size: int) -> Plan:
    """Give the tables for some windows, from the last calls if they were the same windows."""
    plans = vars(model).setdefault("_steerlib_plans", {})
    key = bounds.tobytes(), batch_size
    if key not in plans:
        while len(plans) >= PLANS:
            del plans[next(iter(plans))]
        plans[key] = _plan(cut, bounds, size, batch_size)
    return plans[key]


def _plan(cut: Cut, bounds: np.ndarray, size: tuple[int, int], batch_size: int) -> Plan:
    """Follow windows, bounds (n, 2, 2) int as rows and columns, start and stop, through all steps."""
    sides, stripe = np.unique(bounds[:, 1], axis=0, return_inverse=True)
    patches = _follow(cut, bounds, size, len(sides) if len(sides) <= batch_size else None)
    bands = tuple(len(patch.bands) for patch in patches)
    high = max((k for k, count in enumerate(bands, 1) if count > 1), default=0)
    stripes = np.stack([np.broadcast_to([0, size[0]], sides.shape), sides], axis=1)
    climbed = _follow(cut, stripes, size, None)[:high]
    tables = _tables(cut, stripes, size, climbed, np.zeros(len(stripes), int))

    places, group = np.unique(
        np.stack([patches[-1].bands[0][0], patches[-1].columns[0]], 1), axis=0, return_inverse=True
    )

    def chunks() -> Iterator[Chunk]:
        for k, place in enumerate(places):
            members = np.flatnonzero(group.ravel() == k)
            for part in np.array_split(members, -(-len(members) // batch_size)):
                used, own = np.unique(stripe.ravel()[part], return_inverse=True)
                some = [
                    Patch(
                        [(start[part], height) for start, height in patch.bands],
                        patch.inner[part],
                        (patch.columns[0][part], patch.columns[1]),
                    )
                    for patch in patches
                ]
                yield Chunk(part, used, _tables(cut, bounds[part], size, some, own.ravel()), place)

    kept = list(chunks()) if len(bounds) <= KEPT else None
    return Plan(bands, tables, len(sides), chunks if kept is None else lambda: kept)


def _follow(cut: Cut, bounds: np.ndarray, size: tuple[int, int], stripes: int | None) -> list[Patch]:
    """Tell what windows change in each step; with a number of stripes, these are used where it saves work."""
    spans, hidden = bounds.swapaxes(0, 1), bounds[:, 0]  # (2, n, 2) what is changed, and (n, 2) the stripe's rows
    patches, size = [], tuple(size)
    for k, step in enumerate(cut.steps):
        sides = [(step.kernel[a], step.stride[a], step.before[a]) for a in (0, 1)]
        spans = np.array([[changed(*span, *sides[a], step.output[a]) for span in spans[a]] for a in (0, 1)])
        hidden = np.array([inner(*rows, *sides[0], size[0], step.output[0]) for rows in hidden])
        # Where no row is the stripe's, the two bands meet in the middle.
        none = hidden[:, 0] >= hidden[:, 1]
        hidden[none] = spans[0, none].sum(axis=1, keepdims=True) // 2
        height, width = (max(1, int((span[:, 1] - span[:, 0]).max())) for span in spans)
        top = max(1, int((hidden[:, 0] - spans[0, :, 0]).max()))
        bottom = max(1, int((spans[0, :, 1] - hidden[:, 1]).max()))
        whole, shared = len(bounds) * height, len(bounds) * (top + bottom)
        if stripes and k < len(cut.steps) - 1 and shared + stripes * step.output[0] <= SHARED * whole:
            rows = [(spans[0, :, 0], top), (spans[0, :, 1] - bottom, bottom)]
        else:
            rows = [(spans[0, :, 0], height)]
        rows = [(np.clip(start, 0, step.output[0] - tall), tall) for start, tall in rows]
        patches.append(Patch(rows, hidden, (np.minimum(spans[1, :, 0], step.output[1] - width), width)))
        size = step.output
    return patches


def _tables(
    cut: Cut, bounds: np.ndarray, size: tuple[int, int], patches: list[Patch], stripe: np.ndarray
) -> list[tf.Tensor]:
    """Say for each step's bands where their inputs are."""
    tables, below = [], bounds
    for step, patch in zip(cut.steps, patches):
        for band in patch.bands:
            sides = []
            for a, (start, length) in enumerate((band, patch.columns)):
                count = (length - 1) * step.stride[a] + step.kernel[a]
                sides.append(start[:, np.newaxis] * step.stride[a] - step.before[a] + np.arange(count))
            tables.append(_table(sides, size, below, stripe))
        size, below = step.output, patch
    if cut.dense is None and len(patches) == len(cut.steps):
        tables.append(_table([np.broadcast_to(np.arange(n), (len(bounds), n)) for n in size], size, below, stripe))
    return tables


def _table(
    sides: Sequence[np.ndarray], size: Sequence[int], below: np.ndarray | Patch, stripe: np.ndarray
) -> tf.Tensor:
    """Say for each window where each input is: row 0 is padding, then the untouched map, the stripes, the bands.

    The first table is that of the image, where the bounds (n, 2, 2) of the windows stand in place of a patch: behind
    the image stands the filler, of which each window shows its part.
    """
    (height, width), (rows, columns) = size, (sides[0][:, :, np.newaxis], sides[1][:, np.newaxis])
    known = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    table, end = 1 + rows * width + columns, 1 + height * width
    if isinstance(below, Patch):
        first, wide = below.columns
        across = columns - first[:, np.newaxis, np.newaxis]
        inside, window = (across >= 0) & (across < wide), np.arange(len(rows))[:, np.newaxis, np.newaxis]
        if len(below.bands) > 1:
            start, stop = below.inner.T[:, :, np.newaxis, np.newaxis]
            shared = end + (stripe[:, np.newaxis, np.newaxis] * height + rows) * wide + across
            table = np.where(inside & (rows >= start) & (rows < stop), shared, table)
            end += (stripe.max() + 1) * height * wide
        for start, tall in below.bands:
            down = rows - start[:, np.newaxis, np.newaxis]
            table = np.where(inside & (down >= 0) & (down < tall), end + (window * tall + down) * wide + across, table)
            end += len(rows) * tall * wide
    else:
        (top, left), (bottom, right) = below.T[..., np.newaxis, np.newaxis]
        hidden = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
        table = np.where(hidden, table + height * width, table)
    return tf.constant(np.where(known, table, 0), tf.int32)


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
    """Count the channels of the image and of each step's output."""
    return [cut.maps.input.shape[-1], *(cut.maps.output[str(k)].shape[-1] for k in range(len(cut.steps)))]


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
