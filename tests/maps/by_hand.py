"""A network whose maps are known by hand."""

import keras
import numpy as np


def linear_network(weights: np.ndarray) -> keras.Model:
    """A network whose angle in degrees is the sum of weights times pixels."""
    image = keras.Input(weights.shape)
    model = keras.Model(image, keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(image)))
    model.set_weights([np.radians(weights).reshape(-1, 1)])
    return model
