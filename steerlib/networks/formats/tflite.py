"""TensorFlow Lite: a black box, run by the interpreter that comes with TensorFlow (notebook 10).

Only Lite's own operations are run: those that call TensorFlow ("Flex"), which may read and write files, are refused.
Numbers of a quantized network are turned into its real ones, and back.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from steerlib.networks.formats import Choices
    from steerlib.networks.formats.raw import RawFunction

TITLE = "TensorFlow Lite"
ENDINGS = (".tflite",)


def recognize(path: Path) -> bool:
    """Tell a file by its mark, ``TFL3`` after four bytes, or by its name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == b"TFL3" or path.suffix.lower() == ".tflite"


def read(path: Path, choices: Choices) -> RawFunction:
    """Read a network; see `steerlib.networks.formats`."""
    import tensorflow as tf

    from steerlib.networks.formats.graph import LARGEST_LAYER, LARGEST_NETWORK
    from steerlib.networks.formats.lambdas import check_replacements
    from steerlib.networks.formats.raw import one_by_one

    check_replacements(str(path), choices.replace, ())
    if path.stat().st_size > LARGEST_NETWORK:
        raise ValueError(f"{path} has {path.stat().st_size >> 20:,} MB: expected at most {LARGEST_NETWORK >> 20}")
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError(f"{path}: expected a TensorFlow Lite model, which has TFL3 after its first four bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the interpreter moves to another package in the future
            interpreter = tf.lite.Interpreter(
                model_content=content,
                num_threads=1,
                experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
        sizes = [math.prod(max(int(side), 0) for side in one["shape"]) for one in interpreter.get_tensor_details()]
        if max(sizes, default=0) <= LARGEST_LAYER:
            interpreter.allocate_tensors()
    except (RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"{path}: expected a TensorFlow Lite model of its own operations; {reason}") from error
    if max(sizes, default=0) > LARGEST_LAYER:
        raise ValueError(f"{path}: a layer of {max(sizes):,} numbers: expected at most {LARGEST_LAYER:,}")
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or not outputs:
        names = ", ".join(one["name"] for one in inputs)
        raise ValueError(f"{path} takes {len(inputs)} inputs ({names}): expected one picture"[:300])
    shape = tuple(None if side < 0 else int(side) for side in inputs[0].get("shape_signature", inputs[0]["shape"]))
    if shape and shape[0] not in (None, 1):
        raise ValueError(f"{path} takes {shape[0]} pictures at a time: expected one")
    given, answered = inputs[0], _by_name(interpreter, outputs)

    def run(picture: np.ndarray) -> list[np.ndarray]:
        if tuple(interpreter.get_input_details()[0]["shape"]) != picture.shape:
            interpreter.resize_tensor_input(given["index"], picture.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], _stored(picture, given))
        interpreter.invoke()
        return [_real(interpreter.get_tensor(one["index"]), one) for one in answered.values()]

    shapes = {name: (None, *(int(side) for side in one["shape"][1:])) for name, one in answered.items()}
    try:
        return one_by_one(path.stem, TITLE, shape, shapes, run, single=True)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _by_name(interpreter: Any, outputs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    """Give the outputs by their names: those of the signature, in their order, where the file has one."""
    signatures = interpreter.get_signature_list()
    if len(signatures) == 1:
        found = interpreter.get_signature_runner(next(iter(signatures))).get_output_details()
        if {one["index"] for one in found.values()} == {one["index"] for one in outputs}:
            return {name: found[name] for name in sorted(found)}
    return {one["name"]: one for one in outputs}


def _stored(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Turn real numbers into those of an input."""
    kind, (scale, zero) = np.dtype(detail["dtype"]), detail["quantization"]
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.round(values / (scale or 1) + zero), limits.min, limits.max).astype(kind)


def _real(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Turn the numbers of an output into real ones."""
    scale, zero = detail["quantization"]
    return (
        values.astype(np.float32)
        if values.dtype.kind == "f" or not scale
        else (values.astype(np.float32) - zero) * scale
    )
