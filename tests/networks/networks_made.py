"""Networks and drives that tests make, small and quick to train."""

import keras
import numpy as np

from steerlib.drives import WHOLE, Drive


def bars(n: int, seed: int, name: str = "bars") -> Drive:
    """A drive whose angle can be read off: a bright bar stands at the side to which it steers."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 40, (n, 66, 200, 3), dtype=np.uint8)
    columns = rng.integers(10, 190, n)
    for frame, column in zip(frames, columns):
        frame[:, column - 8 : column + 8] = 220
    return Drive.from_arrays(name, frames, (columns - 100) / 3, crop=WHOLE)


def images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 66, 200, 3), dtype=np.float32)


def constant_network(radians: float) -> keras.Model:
    """A network that always gives the same angle."""
    image = keras.Input((66, 200, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    bias = keras.initializers.Constant(radians)
    return keras.Model(image, keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=bias)(pooled))


def small_network(*first: keras.layers.Layer) -> keras.Model:
    """A linear network that sees the mean gray of 20 columns and is quick to train."""
    image = keras.Input((66, 200, 3))
    x = image
    for layer in (*first, keras.layers.AveragePooling2D((66, 10)), keras.layers.Flatten()):
        x = layer(x)
    return keras.Model(image, keras.layers.Dense(1)(x))
