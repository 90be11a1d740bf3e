"""Networks of which only answers are known, described as Keras models are: TFLite, ONNX, a program.

A *raw function* has a ``name``, an ``input_shape`` (None, h, w, c) and ``ask(numbers)``, from pictures (n, h, w, c)
float32 in the network's own colors and range to its answers: an array (n, ...), or a list or dict of several. What the
description says of a Keras model is computed here with NumPy: the same colors, range, classes, unit and sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from steerlib.networks.after_color import apply_steps, steps_after_color
from steerlib.networks.colors import to_color
from steerlib.networks.description import Description

if TYPE_CHECKING:
    import keras


class Raw(Protocol):
    """What a file without layers is read into."""

    name: str
    input_shape: tuple
    ask: Callable[[np.ndarray], Any]


class RawModel:
    """A Keras model as a raw function: what it answers to its own numbers, before it is brought into one form."""

    def __init__(self, model: keras.Model, told: Description) -> None:
        import keras

        from steerlib.networks.one_form import inputs_of, state_for

        tensors, taken = inputs_of(model, told.size)
        if isinstance(model, keras.Sequential):  # which has no inputs by name
            model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
        self.name, self.input_shape, self._model, self._taken = model.name, tuple(tensors[taken].shape), model, taken
        self._state, self._count = state_for(model, taken, told), len(tensors)
        names = sorted(model.output) if isinstance(model.output, dict) else list(model.output_names)
        shapes = [tuple(tensor.shape) for tensor in keras.tree.flatten(model.output)]
        self.outputs = dict(zip(names, shapes))

    def ask(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """Give the answers of all outputs to (n, h, w, c)."""
        import keras

        given = [
            np.tile(np.array(self._state[i], np.float32), (len(numbers), 1)) if i in self._state else numbers
            for i in range(self._count)
        ]
        answers = self._model(keras.tree.pack_sequence_as(self._model.input, given), training=False)
        return dict(zip(self.outputs, map(keras.ops.convert_to_numpy, keras.tree.flatten(answers))))


def described_function(raw: Raw, told: Description) -> tuple[tuple[int, int], Callable[[np.ndarray], np.ndarray]]:
    """Make a function from pictures to degrees of a raw function and its description.

    Parameters
    ----------
    raw : Raw
    told : Description

    Returns
    -------
    size : (height, width)
        Of its RGB picture.
    function
        From (n, h, w, 3) float32 RGB in [0, 1] to (n,) float64 degrees, positive to the right.

    Raises
    ------
    ValueError
        Names what is not understood, and what to declare.
    """
    shape = tuple(raw.input_shape)
    if len(shape) not in (4, 5) or shape[-1] not in (1, 3) or (len(shape) == 5 and shape[1] is None):
        raise ValueError(f"network {raw.name!r} takes {shape}: expected pictures (None, height, width, 1 or 3)")
    own = shape[-3:-1]
    if None in own and told.size is None:
        raise ValueError(f"network {raw.name!r} takes pictures of any size {shape}: say size=(height, width)")
    size = tuple(side or given for side, given in zip(own, told.size or own))
    if told.size is not None and size != told.size:
        raise ValueError(f"size={told.size}: network {raw.name!r} takes pictures of {size}")
    if told.state is not None:
        raise ValueError(f"network {raw.name!r} takes one picture and nothing beside it: state={told.state!r}")

    def degrees(pictures: np.ndarray) -> np.ndarray:
        return answers_in_degrees(raw.ask(numbers_of(pictures, told, (*shape[:-3], *own, shape[-1]))), told, raw.name)

    own, size = size, told.color_at or size
    degrees(np.zeros((1, *size, 3), np.float32))  # an output that is not understood is refused here, not later
    return size, degrees


def numbers_of(pictures: np.ndarray, told: Description, shape: tuple) -> np.ndarray:
    """Turn RGB pictures into what a network wants to be given.

    Parameters
    ----------
    pictures : (n, h, w, 3) float32 in [0, 1]
    told : Description
    shape : (None, h, w, c) or (None, t, h, w, c)
        Of what the network takes; at each moment of a sequence it sees the same.

    Returns
    -------
    (n, h, w, c) or (n, t, h, w, c) float32
    """
    seen = in_its_color(pictures, told, told.color_for(shape[-1]), shape[-3:-1])
    return in_range(seen, told.range or (0.0, 1.0), shape)


def in_its_color(pictures: np.ndarray, told: Description, color: str, size: tuple[int, int]) -> np.ndarray:
    """Turn RGB pictures (n, h, w, 3) in [0, 1] into a network's colors, and what is told to come after that."""
    seen, after_color = to_color(pictures, color, np), told.after_color(size)
    return apply_steps(seen, steps_after_color(**after_color), np) if after_color else seen


def in_range(seen: np.ndarray, range: tuple[float, float], shape: tuple) -> np.ndarray:
    """Bring pictures (n, h, w, c) from [0, 1] to a range; repeat them where a shape is that of a sequence."""
    low, high = range
    numbers = (low + (high - low) * seen).astype(np.float32)
    return np.repeat(numbers[:, None], shape[1], axis=1) if len(shape) == 5 else numbers


def answers_in_degrees(answers: Any, told: Description, name: str) -> np.ndarray:  # noqa: ANN401
    """Turn the raw answers of a network into degrees.

    Parameters
    ----------
    answers : (n, ...) array, or a list or dict of them
    told : Description
    name : str
        Of the network, for messages.

    Returns
    -------
    (n,) float64
        Positive to the right. Of classes the mean.
    """
    found = dict(answers) if isinstance(answers, Mapping) else answers
    names = list(found) if isinstance(found, dict) else None
    several = list(found.values()) if names else list(found) if isinstance(found, list | tuple) else [found]
    several = [np.asarray(one, np.float64) for one in several]
    shapes = [(None, *one.shape[1:]) for one in several]
    place = output_place(told.output, names or [f"output {i}" for i in range(len(several))], shapes, name)
    values = several[place].reshape(len(several[place]), -1)
    if told.classes is not None:
        if values.shape[1] < 2:
            raise ValueError(f"network {name!r} answers {shapes[place]}: expected classes")
        values = (values if are_shares(values) else _softmax(values)) @ told.bins(values.shape[1])[:, None]
    if values.shape[1] != 1:
        expected = "expected one angle for each picture; for bins say what they mean, such as classes=(-1, 1)"
        raise ValueError(f"network {name!r} answers {shapes[place]}: {expected}")
    return values[:, 0] * np.degrees(told.to_radians)


def output_place(output: str | int | None, names: Sequence[str], shapes: Sequence[tuple], name: str) -> int:
    """Find the output that is the angle, by its name or its place; the only one needs neither."""
    if output is None and len(names) == 1:
        return 0
    if output in names:
        return names.index(output)
    if isinstance(output, int) and 0 <= output < len(names):
        return output
    known = ", ".join(f"{one} {shape}" for one, shape in zip(names, shapes))
    given = "" if output is None else f", not output={output!r}"
    raise ValueError(f"network {name!r} has the outputs {known}: say which is the angle by its name{given}")


def are_shares(values: np.ndarray) -> bool:
    """Tell whether classes (n, k) are probabilities already, as behind a softmax."""
    return bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-2))


def _softmax(values: np.ndarray) -> np.ndarray:
    """Turn scores of classes into probabilities."""
    shares = np.exp(values - values.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def state_of(
    state: Mapping[str, tuple[float, ...]] | tuple[float, ...] | None,
    beside: Mapping[int, tuple[str, tuple]],
    name: str,
) -> dict[int, tuple[float, ...]]:
    """Say what each input beside the picture is given, by its place.

    Parameters
    ----------
    state
        What is declared, see `Description`.
    beside : mapping of place to (name, shape)
        The inputs beside the picture.
    name : str
        Of the network, for messages.

    Raises
    ------
    ValueError
        Names the input that is given nothing, or not as many numbers as it takes.
    """
    told = ", ".join(f"{one} {shape}" for one, shape in beside.values())
    if state is not None and not isinstance(state, Mapping):
        if len(beside) != 1:
            raise ValueError(f"state={state}: network {name!r} takes beside the picture {told or 'nothing'}")
        state = {one: state for one, _ in beside.values()}
    if unknown := sorted(set(state or ()) - {one for one, _ in beside.values()}):
        raise ValueError(f"state: network {name!r} takes no {unknown[0]!r} beside the picture, but {told or 'nothing'}")
    for one, shape in beside.values():
        values = (state or {}).get(one)
        if len(shape) != 2:
            raise ValueError(f"network {name!r}: its input {one} takes {shape}: expected numbers, (None, k)")
        if values is None or len(values) != (shape[1] or len(values)):
            count = f"{shape[1] or 'some'} number{'s' * (shape[1] != 1)}"
            given = f", got {len(values)}" if values else ""
            raise ValueError(
                f"network {name!r} takes {len(beside) + 1} inputs, and {one} {shape} is no picture: say what it is "
                f"given, {count}, such as state={{{one!r}: 0.5}}{given}"
            )
    return {place: state[one] for place, (one, _) in beside.items()}
