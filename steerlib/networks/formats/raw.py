"""Black boxes: networks whose answers are known, and nothing else (notebook 10)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RawFunction:
    """A network that can only be asked, in its own numbers.

    Attributes
    ----------
    name : str
    kind : str
        What it was read from, such as "TensorFlow Lite".
    input_shape : (None, h, w, c)
        Channels last, whatever the file has; None for a side that it leaves open.
    outputs : mapping from name to shape
        Of each answer, with None for the number of pictures.
    ask : function
        From (n, h, w, c) float32, in whatever range and color the network wants, to {name: (n, ...) float32}.
    """

    name: str
    kind: str
    input_shape: tuple[int | None, ...]
    outputs: Mapping[str, tuple[int | None, ...]]
    ask: Callable[[np.ndarray], dict[str, np.ndarray]]


def one_by_one(
    name: str,
    kind: str,
    shape: tuple[int | None, ...],
    outputs: Mapping[str, tuple[int | None, ...]],
    run: Callable[[np.ndarray], list[np.ndarray]],
    single: bool,
) -> RawFunction:
    """Make a `RawFunction` of a runtime.

    Parameters
    ----------
    name, kind, outputs
        See `RawFunction`.
    shape : (n, h, w, c) or (n, c, h, w)
        As the file has it; None where it leaves a side open.
    run : function
        From pictures in the layout of the file to a list of answers, in the order of `outputs`.
    single : bool
        Whether it takes exactly one picture at a time.

    Raises
    ------
    ValueError
        Where the network does not take one picture, or where its channels are is not clear.
    """
    first = channels_first(shape)
    last = (None, *shape[2:], shape[1]) if first else (None, *shape[1:])

    def ask(pictures: np.ndarray) -> dict[str, np.ndarray]:
        pictures = np.asarray(pictures, np.float32)
        fits = pictures.ndim == 4 and all(want in (None, got) for want, got in zip(last[1:], pictures.shape[1:]))
        if not fits:
            raise ValueError(f"network {name!r} takes pictures {last}, got {pictures.shape}")
        given = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)) if first else pictures
        parts = [given[i : i + 1] for i in range(len(given))] if single else [given] * bool(len(given))
        answers = [[np.asarray(answer, np.float32) for answer in run(part)] for part in parts]
        if not answers:
            return {key: np.zeros((0, *(side or 0 for side in size[1:])), np.float32) for key, size in outputs.items()}
        found = {key: np.concatenate([answer[i] for answer in answers]) for i, key in enumerate(outputs)}
        for key, answer in found.items():
            if len(answer) != len(pictures):
                raise ValueError(f"network {name!r}: {len(answer)} answers {key!r} to {len(pictures)} pictures")
        return found

    return RawFunction(name, kind, last, dict(outputs), ask)


def channels_first(shape: tuple[int | None, ...]) -> bool:
    """Tell where a network has its channels, by the side that is 1 or 3 long."""
    if len(shape) != 4:
        raise ValueError(f"it takes {shape}: expected pictures (n, height, width, channels) or (n, channels, ...)")
    first, last = (side in (1, 3) for side in (shape[1], shape[3]))
    if first == last:
        raise ValueError(f"it takes {shape}: where its channels are, first or last, is not clear")
    return first
