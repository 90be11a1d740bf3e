"""ONNX: a black box, run by ONNX Runtime, which is an extra: ``pip install "steerlib[onnx]"`` (notebook 10).

No library that is kept gives gradients of an ONNX network without PyTorch, so there are none. Weights may lie in files
beside it (external data): only plain files of the same folder are read.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from steerlib.networks.formats import Choices
    from steerlib.networks.formats.raw import RawFunction

TITLE = "ONNX"
ENDINGS = (".onnx",)
TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
TYPES |= {"tensor(uint8)": np.uint8}
# Where messages of weights lie, field by field: ModelProto.graph 7, GraphProto.node 1, .initializer 5,
# NodeProto.attribute 5, AttributeProto.t 5, .g 6, .tensors 10, .graphs 11, ModelProto.functions 25 -> .node 7.
GRAPH = {1: "node", 5: "tensor", 15: "sparse"}
PLACES = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": GRAPH,
    "sparse": {1: "tensor", 2: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {13: "entry"},
}
DEEPEST = 60


def recognize(path: Path) -> bool:
    """Tell a file by its name: the format has no mark."""
    return path.is_file() and path.suffix.lower() == ".onnx"


def read(path: Path, choices: Choices) -> RawFunction:
    """Read a network; see `steerlib.networks.formats`."""
    from steerlib.networks.formats.graph import LARGEST_NETWORK
    from steerlib.networks.formats.lambdas import check_replacements
    from steerlib.networks.formats.raw import one_by_one

    try:
        import onnxruntime
    except ImportError:
        raise ValueError(f'{path}: ONNX needs its runtime: pip install "steerlib[onnx]"') from None
    check_replacements(str(path), choices.replace, ())
    if path.stat().st_size > LARGEST_NETWORK:
        raise ValueError(f"{path} has {path.stat().st_size >> 20:,} MB: expected at most {LARGEST_NETWORK >> 20}")
    _check_external(path, LARGEST_NETWORK)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where the runtime says what it raises, too
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        inputs, outputs = session.get_inputs(), session.get_outputs()
    except Exception as error:  # the runtime's own kinds, which share no class
        raise ValueError(f"{path}: expected an ONNX network; {_short(error)}") from None
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise ValueError(f"{path} takes {len(inputs)} inputs ({names}): expected one picture"[:300])
    if inputs[0].type not in TYPES:
        raise ValueError(f"{path} takes {inputs[0].type}: expected numbers of the kinds {', '.join(TYPES)}")
    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape)
    if shape and shape[0] not in (None, 1):
        raise ValueError(f"{path} takes {shape[0]} pictures at a time: expected one, or any number")
    kind = TYPES[inputs[0].type]

    def run(pictures: np.ndarray) -> list[np.ndarray]:
        given = np.clip(np.round(pictures), 0, 255) if kind is np.uint8 else pictures
        try:
            return session.run(None, {inputs[0].name: given.astype(kind)})
        except Exception as error:
            raise ValueError(f"{path}: {_short(error)}") from None

    sizes = {one.name: (None, *(side if isinstance(side, int) else None for side in one.shape[1:])) for one in outputs}
    try:
        return one_by_one(path.stem, TITLE, shape, sizes, run, single=shape[0] == 1)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _check_external(path: Path, largest: int) -> None:
    """Refuse a network whose weights lie in files outside of its folder."""
    try:
        names = {name for name in _external(memoryview(path.read_bytes()), "model", 0)}
    except (IndexError, RecursionError):
        raise ValueError(f"{path}: expected an ONNX network; it ends early, or is none") from None
    for name in sorted(names):
        beside = path.parent / name
        if not name or name != Path(name).name or "\\" in name or name == ".." or beside.is_symlink():
            raise ValueError(f"{path}: its weights lie in {name[:80]!r}: expected a file in the same folder")
        if not beside.is_file() or beside.stat().st_size > largest:
            raise ValueError(f"{path}: its weights lie in {name[:80]!r} beside it: expected at most {largest >> 20} MB")


def _external(data: memoryview, kind: str, depth: int) -> Iterator[str]:
    """Give the files that tensors name as the place of their numbers (``external_data``, key ``location``)."""
    if depth > DEEPEST:
        raise RecursionError
    for number, value in _fields(data):
        inner = PLACES[kind].get(number)
        if inner == "entry":
            entry = {key: bytes(text).decode("utf-8", "replace") for key, text in _fields(value) if len(text)}
            if entry.get(1) == "location":
                yield entry.get(2, "")
        elif inner:
            yield from _external(value, inner, depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Give number and content of each field of a message that has a content: https://protobuf.dev/programming-guides/encoding."""
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        kind = key & 7
        if kind == 0:
            _, place = _number(data, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        elif kind == 2:
            size, place = _number(data, place)
            if place + size > len(data):
                raise IndexError
            yield key >> 3, data[place : place + size]
            place += size
        else:
            raise IndexError


def _number(data: memoryview, place: int) -> tuple[int, int]:
    """Read a number of variable length; give it, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise IndexError


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:150]
