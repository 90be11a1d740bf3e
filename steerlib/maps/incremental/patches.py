"""Which part of each layer a hidden window changes, and where that part's inputs are found (end of notebook 03).

Geometry and index tables only: `steerlib.maps.incremental` computes with them. They depend on the windows and the
network, not on the picture, and are kept for the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from steerlib.networks.network import Network

Window = tuple[slice, slice]  # of rows and columns

PLANS = 8  # sets of windows whose tables are kept with a network: 20 MB for the 3,434 windows of 15 pixels, stride 2
KEPT = 7000  # windows in a set at most; for more, each batch makes its tables again: 43 MB, not 114, for 13,200
SHARED = 0.8  # stripes are used in a step where, together with the bands, they are at most so much of the whole patches


class Step(NamedTuple):
    """A convolution or pooling with the activations that follow it, and its geometry: rows first, then columns."""

    run: Callable[[tf.Tensor], tf.Tensor]  # from inputs that are padded already
    kernel: tuple[int, int]
    stride: tuple[int, int]
    before: tuple[int, int]  # padding at the top and the left
    output: tuple[int, int]  # cells
    padding: float  # what the padding counts as


class Cut(NamedTuple):
    """A model in parts: its front, steps that can be computed in patches, and what makes an angle of the last one."""

    front: keras.Model | None  # what cuts and rescales the picture before the first step; None: nothing does
    corner: tuple[int, int]  # row and column of the picture that the first step's upper left input is
    size: tuple[int, int]  # height and width of what the first step is given
    steps: list[Step]
    maps: keras.Model  # from the picture to the output of each step, by its number
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


def planned(network: Network, cut: Cut, bounds: np.ndarray, batch_size: int) -> Plan:
    """Give the tables for some windows, bounds (n, 2, 2) int, from the last calls if they were the same windows."""
    plans = network.function("plans", lambda _: {})
    key = bounds.tobytes(), batch_size
    if key not in plans:
        while len(plans) >= PLANS:
            del plans[next(iter(plans))]
        plans[key] = _plan(cut, bounds, batch_size)
    return plans[key]


def _plan(cut: Cut, bounds: np.ndarray, batch_size: int) -> Plan:
    """Follow windows, bounds (n, 2, 2) int as rows and columns, start and stop, through all steps."""
    size = cut.size
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
