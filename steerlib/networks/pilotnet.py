"""PilotNet, the network that looks at a road and turns the wheel (notebook 02).

It is the network of Bojarski et al., *End to End Learning for Self-Driving Cars* (arXiv 1604.07316), with the
output ``2·atan(x)`` of its widespread ports, so that no angle leaves ±180°.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

SIZE = (66, 200)  # height and width of its picture, arXiv 1604.07316


def pilotnet(dropout: float = 0.0, seed: int | None = None) -> keras.Model:
    """Build an untrained PilotNet. Introduced in notebook 02; arXiv 1604.07316.

    It is made of nothing but Keras's own layers and operations, so a saved one opens in Keras alone.

    Parameters
    ----------
    dropout : float
        Share of the units of each hidden dense layer that is dropped in training, at least 0 and below 1.
    seed : int, optional
        Fixes the starting weights and the dropped units. None: others every time, or as
        ``keras.utils.set_random_seed`` decides.

    Returns
    -------
    keras.Model
        Input (n, 66, 200, 3) float32 in [0, 1]; output (n, 1) float32 in radians, positive = right. Its
        convolutions are called conv1 ... conv5 and give what is behind their ReLU; ``steering`` is the linear
        output x, ``angle`` is 2·atan(x).
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout}: expected a share of at least 0 and below 1")
    import keras
    from keras import layers

    image, x = _see(seed)
    x = layers.Flatten(name="flatten")(x)
    for i, units in enumerate([1164, 100, 50, 10], 1):
        x = layers.Dense(units, activation="relu", kernel_initializer=_start(seed, 10 + i), name=f"dense{i}")(x)
        if dropout:
            x = layers.Dropout(dropout, seed=_seed(seed, 20 + i), name=f"dropout{i}")(x)
    return keras.Model(image, _steer(x, seed), name="pilotnet")


def pilotnet_gap(seed: int | None = None) -> keras.Model:
    """Build an untrained PilotNet that averages its last convolution in place of flattening it.

    Introduced in notebook 06. Global average pooling (arXiv 1312.4400) and a single unit take the place of the dense
    layers, so that `steerlib.cam` can account for every angle (arXiv 1512.04150). It has 131,413 weights.

    Parameters
    ----------
    seed : int, optional
        Fixes the starting weights, as in `pilotnet`.

    Returns
    -------
    keras.Model
        Input, output and names are those of `pilotnet`; ``average`` gives (n, 64).
    """
    import keras
    from keras import layers

    image, x = _see(seed)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, _steer(x, seed, 0.5), name="pilotnet_gap")


def _see(seed: int | None) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Build PilotNet's convolutions: the input, and what comes out of conv5."""
    import keras
    from keras import layers

    image = x = keras.Input((*SIZE, 3), name="image")
    shapes = [(24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1)]
    for i, (channels, kernel, stride) in enumerate(shapes, 1):
        start = _start(seed, i)
        x = layers.Conv2D(channels, kernel, stride, activation="relu", kernel_initializer=start, name=f"conv{i}")(x)
    return image, x


def _steer(x: keras.KerasTensor, seed: int | None, scale: float = 0.02) -> keras.KerasTensor:
    """Build the last unit, and the angle that is made of it.

    The default is a tenth of He's weights: a start near 0°, not where the arctangent is flat, nearly halved
    PilotNet's final error.
    """
    import keras
    from keras import layers

    x = layers.Dense(1, kernel_initializer=_start(seed, 30, scale), name="steering")(x)
    return layers.Rescaling(2.0, name="angle")(keras.ops.arctan(x))


def _start(seed: int | None, layer: int, scale: float = 2.0) -> keras.initializers.Initializer:
    """Draw starting weights as He et al. do (arXiv 1502.01852)."""
    import keras

    return keras.initializers.VarianceScaling(scale, "fan_in", "truncated_normal", _seed(seed, layer))


def _seed(seed: int | None, layer: int) -> int | None:
    """Give each layer its own seed."""
    return None if seed is None else 100 * seed + layer
