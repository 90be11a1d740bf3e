"""Weights out of an HDF5 file, layer by layer, as arrays; with their shapes checked before they are read (notebook 10).

HDF5 can point elsewhere: links to other files, virtual data sets, data kept outside. Only what lies in the file itself
is read. Source of the old orders: ``preprocess_weights_for_loading`` in Keras 2.3.1, ``keras/engine/saving.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import h5py
import keras
import numpy as np

from steerlib.networks.formats.graph import LARGEST_NETWORK, Reading

MOST_WEIGHTS = 64  # names of one attribute chunk after another, and parts of a path


def texts(group: h5py.Group, name: str) -> list[str]:
    """Give a list of names that Keras keeps in an attribute, or in several where one would be too long."""
    keys = [name] if name in group.attrs else []
    while not keys[:1] == [name] and f"{name}{len(keys)}" in group.attrs and len(keys) < MOST_WEIGHTS:
        keys.append(f"{name}{len(keys)}")
    found = [value for key in keys for value in np.ravel(group.attrs[key])]
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in found]


def inside(group: h5py.Group, path: str, where: str) -> h5py.Group | h5py.Dataset:
    """Follow a path through a file without leaving it.

    Raises
    ------
    ValueError
        Where a part is missing, or is a link.
    """
    for part in [part for part in path.split("/") if part not in ("", ".")][:MOST_WEIGHTS]:
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) and part in group else None
        if link is None and isinstance(group, h5py.Group):
            link = group.get(part, getlink=True, default=None)  # a link to nothing is not "in" a group
        if link is None:
            raise ValueError(f"{where}: there is no {path[:100]!r} in the file")
        if not isinstance(link, h5py.HardLink):
            raise ValueError(
                f"{where}: {path[:100]!r} is a link to somewhere else: expected weights in the file itself"
            )
        group = group[part]
    return group


class Stored:
    """The weights in a file: for each layer a list of data sets, in the order in which Keras wrote them."""

    def __init__(self, file: h5py.File, where: str) -> None:
        root = inside(file, "model_weights", where) if "model_weights" in file else file
        self.where, self.layers, total = where, {}, 0
        for name in texts(root, "layer_names"):
            group = inside(root, name, where)
            names = texts(group, "weight_names") if isinstance(group, h5py.Group) else []
            found = [inside(group, weight, f"{where}: its layer {name[:60]}") for weight in names]
            for one in found:
                self._check(one, name)
                total += one.size * 4
            if found:
                self.layers[name] = found
        if total > LARGEST_NETWORK:
            raise ValueError(f"{where} unpacks to {total / 2**20:,.0f} MB: expected at most {LARGEST_NETWORK >> 20} MB")

    def _check(self, one: object, name: str) -> None:
        told = f"{self.where}: its layer {name[:60]}"
        if not isinstance(one, h5py.Dataset) or one.shape is None or one.dtype.kind not in "fiu":
            raise ValueError(f"{told}: expected weights that are numbers")
        if one.is_virtual or one.external:
            raise ValueError(f"{told}: its weights lie outside of the file: expected them in it")

    def count(self, name: str) -> int:
        """Tell how many numbers a layer has."""
        return sum(one.size for one in self.layers[name])


def put(stored: Stored, model: keras.Model, reading: Reading, backend: str | None) -> None:
    """Give a model its weights.

    Introduced in notebook 10.

    Parameters
    ----------
    stored : Stored
    model : keras.Model
        As `steerlib.networks.formats.graph.build` makes it.
    reading : Reading
    backend : {"tensorflow", "theano"} or None
        With what it was trained: Theano's convolutions have their kernels turned by 180°.

    Raises
    ------
    ValueError
        Names a layer whose weights are missing or have another shape, and both shapes.
    """
    where = reading.where
    wanted = [(name, layer) for name, layer in _expanded(model, reading, stored) if _variables(layer, reading)]
    names, kept = [name for name, _ in wanted], list(stored.layers)
    if not set(names) <= set(kept) and len(names) == len(kept):
        names = kept  # as Keras does: the same network, whose layers were counted from another number
    if set(names) != set(kept):
        missing, more = sorted(set(names) - set(kept)), sorted(set(kept) - set(names))
        what = (
            f"no weights for its layer {missing[0]}" if missing else f"weights for {more[0]}, which is no layer of it"
        )
        raise ValueError(f"{where}: there are {what[:200]}: expected those of this network")
    for name, (_, layer) in zip(names, wanted):
        told = f"{where}: its layer {name[:60]}"
        variables, data = _variables(layer, reading), stored.layers[name]
        plan = _plan(layer, [one.shape for one in data], reading, backend, told)
        shapes = [tuple(variable.shape) for variable in variables]
        found = [shape for shape, _ in plan] if plan else [one.shape for one in data]
        if isinstance(layer, keras.layers.Normalization):
            found = found[: len(shapes)]  # its count of pictures matters while it adapts
        if found != shapes:
            raise ValueError(f"{told} has weights {_listed(found)}, expected {_listed(shapes)}")
        arrays = [one[()].astype(np.float32) for one in data]
        arrays = [turn(arrays) for _, turn in plan] if plan else arrays
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _expanded(model: keras.Model, reading: Reading, stored: Stored) -> Iterator[tuple[str, keras.Layer]]:
    """Give the layers as the file groups them: a model inside is one of them, but in Keras 1, where its layers are."""
    for layer in reading.children[id(model)]:
        name = reading.names[id(layer)]
        if isinstance(layer, keras.Model) and name not in stored.layers and id(layer) in reading.children:
            yield from _expanded(layer, reading, stored)
        else:
            yield name, layer


def _leaves(layer: keras.Layer, reading: Reading) -> list[keras.Layer]:
    if id(layer) not in reading.children:
        return [layer]
    return [leaf for child in reading.children[id(layer)] for leaf in _leaves(child, reading)]


def _variables(layer: keras.Layer, reading: Reading) -> list[keras.Variable]:
    """Give the variables of a layer in the order of old files: what was trained comes first."""
    leaves = _leaves(layer, reading)
    trained = [variable for leaf in leaves for variable in leaf.trainable_weights]
    return trained + [variable for leaf in leaves for variable in leaf.non_trainable_weights]


def _plan(layer: keras.Layer, shapes: list[tuple], reading: Reading, backend: str | None, told: str) -> list | None:
    """Say how old weights become new ones: for each a shape, and a function of all the arrays. None: as they are."""
    if reading.version.startswith("1") and type(layer) in (keras.layers.LSTM, keras.layers.GRU):
        orders = {12: (0, 6, 3, 9), 9: (0, 3, 6)}  # of W, U, b for each gate: Keras 1 has i, c, f, o and z, r, h
        if len(shapes) not in orders:
            raise ValueError(
                f"{told} has {len(shapes)} weights: expected the 12 of an LSTM or the 9 of a GRU of Keras 1"
            )
        order = orders[len(shapes)]

        def gates(kind: int) -> tuple:
            each = [shapes[gate + kind] for gate in order]
            shape = (*each[0][:-1], sum(one[-1] for one in each))
            return shape, lambda arrays: np.concatenate([arrays[gate + kind] for gate in order], axis=-1)

        return [gates(kind) for kind in range(3)]
    first = reading.first and reading.version.startswith("1")
    if not (first or backend == "theano"):
        return None
    convolutions = [one for one in _leaves(layer, reading) if hasattr(one, "kernel_size")]
    if not convolutions:
        return None
    if type(layer) is not keras.layers.Conv2D:
        raise ValueError(f"{told}: how Theano, or Keras 1 with channels first, keeps its weights is not known")
    if backend == "theano" and layer.padding == "same" and (set(layer.strides) != {1} or not all(_odd(layer))):
        raise ValueError(f"{told}: Theano pads another side than TensorFlow where a window is even or takes steps")
    order = (2, 3, 1, 0) if first else (0, 1, 2, 3)  # of (filters, channels, rows, columns) there

    def kernel(arrays: list[np.ndarray]) -> np.ndarray:
        turned = arrays[0].transpose(order)
        return turned[::-1, ::-1] if backend == "theano" else turned

    if len(shapes[0]) != 4 or math.prod(shapes[0]) == 0:
        raise ValueError(f"{told} has a kernel {shapes[0]}: expected four sides")
    rest = [(shape, lambda arrays, i=i: arrays[i]) for i, shape in enumerate(shapes)][1:]
    return [(tuple(shapes[0][side] for side in order), kernel), *rest]


def _odd(layer: keras.Layer) -> list[bool]:
    return [side % 2 == 1 for side in layer.kernel_size]


def _listed(shapes: list[tuple]) -> str:
    return ", ".join(str(tuple(shape)) for shape in shapes[:6]) or "none"
