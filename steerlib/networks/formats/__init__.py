"""The formats of other people's networks, one file each; nothing that a file brings along is run (notebook 10).

A format has:

- `TITLE`: what its files are called;
- `ENDINGS`: how their names end; empty for folders;
- `recognize(path) -> bool`: whether this is one, by its first bytes rather than by its name;
- `read(path, choices) -> keras.Model | RawFunction`: the network as the file has it. What its numbers mean, color,
  range and unit, is said elsewhere. ValueError names the file, the layer or the shape, and what to do.

A Keras model comes with its layers; of a `RawFunction`, a black box, only answers are known.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from steerlib.networks.formats.raw import RawFunction

ORDER = ("keras_v3", "hdf5", "tflite", "onnx", "saved_model")
BACKENDS = ("tensorflow", "theano")


@dataclass(frozen=True)
class Choices:
    """What only the user can say about a file.

    Attributes
    ----------
    replace : mapping from the name of a Lambda to what stands in its place
        See `steerlib.networks.formats.replacement`; a Keras layer is taken as it is.
    trust_program : bool
        Whether a SavedModel, which holds a program, may be loaded.
    backend : {"tensorflow", "theano"}, optional
        With what a channels-first file of Keras 1 was trained, which the file does not say.
    """

    replace: Mapping[str, object] = field(default_factory=dict)
    trust_program: bool = False
    backend: str | None = None


def known() -> list[ModuleType]:
    """Give the formats in the order in which they are asked."""
    return [importlib.import_module(f"{__name__}.{name}") for name in ORDER]


def endings() -> tuple[str, ...]:
    """Give the endings of all formats, lower case."""
    return tuple(ending for one in known() for ending in one.ENDINGS)


def read(path: Path, choices: Choices | None = None) -> keras.Model | RawFunction:
    """Read a network of any known format.

    Introduced in notebook 10.

    Parameters
    ----------
    path : Path
        A file, or the folder of a SavedModel.
    choices : Choices, optional

    Returns
    -------
    keras.Model or RawFunction

    Raises
    ------
    ValueError
        Where no format recognizes it, or it cannot be read safely.
    """
    choices = choices or Choices()
    if choices.backend not in (None, *BACKENDS):
        raise ValueError(f"backend={choices.backend!r}: expected one of {', '.join(BACKENDS)}")
    for one in known():
        if one.recognize(path):
            return one.read(path, choices)
    raise ValueError(f"{path}: expected a network in a file that ends in {', '.join(endings())}")
