"""Layers that stand before a network of somebody else, in the one form: its colors, its other inputs, its sequence.

They are registered with Keras, so that a file that holds them is loaded as safely as any other; load it by
`steerlib.load_network`, or import this module before.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from steerlib.networks.after_color import apply_steps, steps_after_color
from steerlib.networks.colors import COLORS, channels_of, to_color


@keras.saving.register_keras_serializable("steerlib")
class ToColor(keras.layers.Layer):
    """RGB in [0, 1] to one of `steerlib.networks.colors.COLORS`, pixel by pixel."""

    def __init__(self, color: str, **settings: object) -> None:
        super().__init__(**settings)
        if color not in COLORS:
            raise ValueError(f"color={color!r}: expected one of {', '.join(COLORS)}")
        self.color = color

    def call(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Convert (..., 3) to (..., 3) or (..., 1)."""
        return to_color(pictures, self.color, keras.ops)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Tell the number of channels."""
        return (*input_shape[:-1], channels_of(self.color))

    def get_config(self) -> dict:
        """Say what a file keeps."""
        return {**super().get_config(), "color": self.color}


@keras.saving.register_keras_serializable("steerlib")
class AfterColor(keras.layers.Layer):
    """Blurs, resizes and blurs as OpenCV does to 8 bits, see `steerlib.networks.after_color`."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401
        self.done = {name: settings.pop(name) for name in ("before", "after", "resize", "blur", "blur_after")}
        super().__init__(**settings)
        self.steps = steps_after_color(**self.done)

    def call(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Make (..., h, w, c) as small as the network's own picture."""
        return apply_steps(pictures, self.steps, keras.ops)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Tell the size."""
        return (*input_shape[:-3], *self.done["after"], input_shape[-1])

    def get_config(self) -> dict:
        """Say what a file keeps."""
        return {**super().get_config(), **self.done}


@keras.saving.register_keras_serializable("steerlib")
class Always(keras.layers.Layer):
    """The same numbers for each picture: what an input beside the picture, such as a speed, is given."""

    def __init__(self, values: Sequence[float], **settings: object) -> None:
        super().__init__(**settings)
        self.values = [float(value) for value in values]

    def call(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Give (n, k) for (n, ...)."""
        values = keras.ops.convert_to_tensor(self.values, self.compute_dtype)
        return keras.ops.broadcast_to(values, (keras.ops.shape(pictures)[0], len(self.values)))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Tell how many numbers there are."""
        return input_shape[0], len(self.values)

    def get_config(self) -> dict:
        """Say what a file keeps."""
        return {**super().get_config(), "values": self.values}


@keras.saving.register_keras_serializable("steerlib")
class InSequence(keras.layers.Layer):
    """A picture as one of a sequence: at all of its moments, as a car that stands sees it, or at some among others.

    Which moments, and what is seen at the others, is set by `at`; `Network.among` does, and undoes it.
    """

    def __init__(self, length: int, **settings: object) -> None:
        super().__init__(**settings)
        self.length = length

    def build(self, input_shape: tuple) -> None:
        """Make room for the other pictures: numbers that are not trained, so that nothing is traced again for them."""
        flat = (self.length, *[1] * len(input_shape[1:]))
        self.others = self.add_weight((self.length, *input_shape[1:]), "zeros", trainable=False, name="others")
        self.share = self.add_weight(flat, "ones", trainable=False, name="share")

    def at(self, moments: Sequence[int], others: np.ndarray | None = None) -> None:
        """Show the picture at these moments, and the others, (t, h, w, 3) in [0, 1], at all that are left."""
        share = np.zeros(self.share.shape, np.float32)
        share[list(moments)] = 1
        self.share.assign(share)
        if others is not None:
            self.others.assign(others)

    def call(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Give (n, t, h, w, 3) for (n, h, w, 3)."""
        return self.share * pictures[:, None] + (1 - self.share) * self.others

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Tell the length of the sequence."""
        return (input_shape[0], self.length, *input_shape[1:])

    def get_config(self) -> dict:
        """Say what a file keeps."""
        return {**super().get_config(), "length": self.length}
