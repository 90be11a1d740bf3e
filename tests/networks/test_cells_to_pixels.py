"""A light in the dark: whatever a network does to the picture, each method's peak lies on the light."""

from functools import cache

import keras
import numpy as np
import pytest
from keras import layers

from steerlib.maps import METHODS, explain
from steerlib.networks.cells_to_pixels import cell_centers, cells_of
from steerlib.networks.network import Network, as_network

SIZE = (60, 120)
FRONTS = {
    "nothing": [],
    "crop at the top": [lambda: layers.Cropping2D(((22, 0), (0, 0)))],
    "crop all around": [lambda: layers.Cropping2D(((10, 4), (30, 8)))],
    "padding": [lambda: layers.ZeroPadding2D(((9, 3), (21, 5)))],
    "smaller": [lambda: layers.Resizing(30, 60)],
    "squeezed": [lambda: layers.Resizing(60, 40)],
    "larger": [lambda: layers.UpSampling2D((2, 3))],
    "maximum of pools": [lambda: layers.MaxPooling2D(2)],
    "mean of pools": [lambda: layers.AveragePooling2D((3, 2), padding="same")],
    "0 to 255 and a crop": [lambda: layers.Rescaling(1 / 255), lambda: layers.Cropping2D(((20, 0), (40, 0)))],
    "crop, then resize": [lambda: layers.Cropping2D(((20, 0), (0, 0))), lambda: layers.Resizing(30, 90)],
}
LIGHTS = [(40, 100), (30, 60)]  # rows and columns of its middle


def one_convolution(front: str, **settings: object) -> keras.Model:
    """A network in which a cell is active only where it sees light, and every cell is worth the same."""
    image = x = keras.Input((*SIZE, 3))
    for make in FRONTS[front]:
        x = make()(x)
    settings = {"strides": 2, "activation": "relu", "kernel_initializer": "ones"} | settings
    settings["bias_initializer"] = keras.initializers.Constant(-20.0)
    x = layers.Conv2D(1, 5, name="conv", **settings)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(1, kernel_initializer="ones", name="x")(x)
    return keras.Model(image, layers.Rescaling(2.0)(keras.ops.arctan(x)), name="light")


@cache
def network_with(front: str) -> Network:
    """One network for all methods, so that what is traced for it is traced once."""
    return as_network(one_convolution(front))


def light(row: int, column: int) -> np.ndarray:
    """A black picture with a white spot of 7 by 7 pixels."""
    picture = np.zeros((*SIZE, 3), np.float32)
    picture[row - 3 : row + 4, column - 3 : column + 4] = 1
    return picture


def middle(map: np.ndarray) -> np.ndarray:
    """The mean place of the pixels above nine tenths of the maximum: a peak may be a plateau."""
    return np.argwhere(np.abs(map) >= 0.9 * np.abs(map).max()).mean(axis=0)


@pytest.mark.parametrize("front", FRONTS)
# The eraser knows the elements of roads, and no lights.
@pytest.mark.parametrize("method", [name for name in METHODS if name != "erasure"])
@pytest.mark.filterwarnings("ignore:.*computed without shortcuts")
def test_the_peak_lies_on_the_light(front, method):
    network = network_with(front)
    settings = {"layer": "conv", "target": "right", "sizes": (7,), "stride": 6, "fill": "black"}
    for place in LIGHTS:
        found = explain(network, light(*place), method, **settings).map
        assert found.shape == SIZE and np.abs(found).max() > 0
        # Half a cell of the coarsest of these networks.
        np.testing.assert_allclose(middle(found), place, atol=3.5)


@pytest.mark.parametrize(
    "settings",
    [
        {"strides": 1},
        {"strides": 3},
        {"padding": "same"},
        {"padding": "same", "strides": 4},
        {"strides": 1, "dilation_rate": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("front", FRONTS)
def test_cells_look_where_they_are_said_to_look(front, settings):
    """The pixels on which a cell's answer depends, found by gradients, have the cell's center as their middle."""
    network = as_network(one_convolution(front, **settings, activation="linear"))
    inner = keras.Model(network.model.input, network.model.get_layer("conv").output)
    import tensorflow as tf

    rows, columns = cell_centers(network, "conv")
    field = cells_of(network, "conv").field
    # A picture that falls off evenly to all sides, so that no maximum is a tie.
    picture = tf.constant(np.random.default_rng(0).random((1, *SIZE, 3)), tf.float32)
    assert inner.output.shape[1:3] == (len(rows), len(columns))
    middle, beside = (len(rows) // 2, len(columns) // 2), (len(rows) // 2 + 1, len(columns) // 2 + 2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(picture)
        cells = inner(picture)[0, ..., 0]
        chosen = {place: cells[place] for place in (middle, beside)}
    for (row, column), cell in chosen.items():
        seen = np.argwhere(np.abs(tape.gradient(cell, picture).numpy()[0]).sum(axis=-1) > 1e-6)
        low, high = seen.min(axis=0), seen.max(axis=0)
        center = np.array([rows[row], columns[column]])
        slack = 1.0 if "pools" in front else 0.51  # of a maximum of four, one counts
        np.testing.assert_allclose((low + high) / 2, center, atol=slack)
        assert (high - low + 1 <= np.ceil(field)).all()


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("method", ["hypercolumns", "visual-backprop", "grad-cam", "hires-cam", "gradient-times-input"])
def test_what_is_cut_off_has_no_color(method, padding):
    """The rows above and below a crop inside the network, and the columns beside it, are zero in every map."""
    top, bottom, left, right = 20, 9, 6, 11
    image = keras.Input((*SIZE, 3))
    x = layers.Cropping2D(((top, bottom), (left, right)))(image)
    x = layers.Conv2D(4, 5, strides=2, padding=padding, activation="relu")(x)
    x = layers.Conv2D(4, 3, padding=padding, activation="relu", name="last")(x)
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    picture = np.random.default_rng(0).random((*SIZE, 3)).astype(np.float32)
    map = explain(model, picture, method).map
    assert np.abs(map).max() > 0
    seen = np.zeros(SIZE, bool)
    seen[top : SIZE[0] - bottom, left : SIZE[1] - right] = True
    assert not map[~seen].any()


def test_a_layer_that_is_not_understood_is_refused_by_its_name():
    image = keras.Input((*SIZE, 3))
    x = layers.Permute((2, 1, 3), name="turned")(image)
    x = layers.Conv2D(2, 3, name="conv")(x)
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    for method in ("grad-cam", "hires-cam", "hypercolumns", "visual-backprop"):
        with pytest.raises(ValueError, match=r"layer turned \(Permute\)"):
            explain(model, light(30, 60), method, layer="conv")
    # What only asks, or follows gradients down to the pixels, needs no way from cells to pixels.
    with pytest.warns(UserWarning, match="turned"):
        explain(model, light(30, 60), "occlusion", stride=8, sizes=(9,))
    explain(model, light(30, 60), "integrated-gradients")


def test_branches_are_joined_where_they_look_at_the_same_places():
    image = keras.Input((*SIZE, 3))
    left = layers.Conv2D(2, 3, padding="same", name="left")(image)
    right = layers.Conv2D(2, 5, padding="same", name="right")(image)
    x = layers.Conv2D(2, 3, strides=2, name="above")(layers.Add()([left, right]))
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    found = cells_of(as_network(model), "above")
    np.testing.assert_array_equal([found.first, found.step, found.field], [[1, 1], [2, 2], [7, 7]])

    shifted = layers.Cropping2D(((0, 2), (0, 2)))(layers.Conv2D(2, 3, padding="same")(image))
    x = layers.Conv2D(2, 3, name="above")(layers.Add(name="sum")([layers.Conv2D(2, 3)(image), shifted]))
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match="layer sum joins does not lie at the same places"):
        cells_of(as_network(model), "above")


def test_operations_that_move_pixels_are_refused():
    image = keras.Input((*SIZE, 3))
    x = layers.Conv2D(2, 3, name="conv")(image[:, 20:])
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match="is not known"):
        cells_of(as_network(model), "conv")
    x = layers.Conv2D(2, 3, name="conv")(keras.ops.flip(image, axis=2))
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match="is not known"):
        cells_of(as_network(model), "conv")
