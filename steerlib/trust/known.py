"""A network whose evidence is known (notebook 08)."""

import keras
import numpy as np

from steerlib.networks.pilotnet import SIZE

BAND = slice(7, 12)  # rows of the cells by which the known network steers


def known_network() -> keras.Model:
    """Build a network whose weights are set, not learned, so that the true map of every image is known.

    Introduced in notebook 08. Three convolutions average their windows; they see brightness everywhere. The last layer
    weighs cells by their column, −1 at the left border to 1 at the right, but only in the rows of `BAND`; all others
    have no weight. So what is bright below the middle of the picture and to the right steers right, to the left steers
    left, and what is bright above steers nothing, though the convolutions respond to it. See `known_map`.

    Returns
    -------
    keras.Model
        From (n, 66, 200, 3) to (n, 1) radians, linear for images >= 0. The convolutions are called conv1 to conv3.
    """
    image = x = keras.Input((*SIZE, 3), name="image")
    for number, (channels, stride) in enumerate(((3, 2), (1, 2), (1, 1)), 1):
        start = keras.initializers.Constant(1 / (9 * channels))
        x = keras.layers.Conv2D(1, 3, stride, activation="relu", kernel_initializer=start, name=f"conv{number}")(x)
    x = keras.layers.Dense(1, name="angle")(keras.layers.Flatten()(x))
    model = keras.Model(image, x, name="known")
    model.get_layer("angle").set_weights([np.radians(_cell_weights()).reshape(-1, 1), np.zeros(1)])
    return model


def known_map(image: np.ndarray) -> np.ndarray:
    """Give the true map of the known network: what each pixel does to the angle, compared with black.

    Introduced in notebook 08. Not by the network but by hand: the weight of a pixel is the sum of the weights of the
    cells that see it, each times the share of the cell's average that this pixel is.

    Parameters
    ----------
    image : (66, 200, 3) float32

    Returns
    -------
    (66, 200) float32
        Degrees, positive where a pixel steers right; its sum is the network's angle.
    """
    sides = []
    for size in SIZE:
        shares = np.eye(size)
        for stride in (2, 2, 1):  # each convolution averages three neighbors
            shares = np.stack([shares[i : i + 3].mean(axis=0) for i in range(0, len(shares) - 2, stride)])
        sides.append(shares)
    weights = sides[0].T @ _cell_weights() @ sides[1]
    return (weights * image.mean(axis=-1)).astype(np.float32)


def known_image() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Paint a picture for the known network: three lamps in the dark, of which two steer.

    Introduced in notebook 08.

    Returns
    -------
    image : (66, 200, 3) float32
    regions : dict of str to (66, 200) bool
        Where each lamp is: "right" steers right, the weaker "left" steers left, "above" is the brightest and steers
        nothing.
    """
    lamps = {"right": (48, 165, 0.8), "left": (48, 60, 0.5), "above": (12, 110, 1.0)}
    image, regions = np.zeros((*SIZE, 3), np.float32), {}
    for name, (row, column, brightness) in lamps.items():
        regions[name] = np.zeros(SIZE, bool)
        regions[name][row - 5 : row + 5, column - 5 : column + 5] = True
        image[regions[name]] = brightness
    return image, regions


def _cell_weights() -> np.ndarray:
    """Give the degrees for each unit of each cell of the known network's last convolution (13, 47)."""
    weights = np.zeros((13, 47))
    weights[BAND] = 10 * np.linspace(-1, 1, 47)
    return weights
