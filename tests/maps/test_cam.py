"""The ledger against the network itself, its parts against sums in loops, and heads that CAM does not suit."""

import keras
import numpy as np
import pytest

from steerlib.drives import load_drive
from steerlib.maps import explain
from steerlib.maps.cam import cam, degrees_of, ledger
from steerlib.maps.hires_cam import hires_cam
from steerlib.maps.hypercolumns import activations
from steerlib.networks.cells_to_pixels import cells_to_pixels
from steerlib.networks.network import as_network
from steerlib.networks.pilotnet import pilotnet, pilotnet_gap
from steerlib.networks.training import predict


@pytest.fixture(scope="module")
def shipped(shipped_network):
    return shipped_network("pilotnet_gap")


@pytest.fixture(scope="module")
def images(shipped):
    drive = load_drive()
    return drive.pictures(shipped, np.linspace(0, len(drive) - 1, 40).astype(int))


def outputs(model, images):
    """What the last dense layer gives, from Keras itself."""
    return keras.Model(model.input, model.get_layer("steering").output)(images).numpy()[:, 0]


@pytest.mark.kernels
def test_the_mean_of_the_map_and_the_bias_are_the_networks_output(shipped, images):
    bias = shipped.model.get_layer("steering").get_weights()[1][0]
    for image, output in zip(images, outputs(shipped.model, images)):
        cells = cam(shipped, image, enlarged=False)
        assert cells.shape == shipped.model.get_layer("conv5").output.shape[1:3] and cells.dtype == np.float32
        assert cells.mean(dtype=float) + bias == pytest.approx(output, abs=1e-4)


@pytest.mark.kernels
def test_the_ledger_adds_up_to_the_angle_in_degrees(shipped, images):
    for image, angle in zip(images, predict(shipped, images)):
        account = ledger(shipped, image)
        assert account.left <= 0 <= account.right
        assert account.left + account.right + account.bias == pytest.approx(account.angle, abs=1e-9)
        assert account.angle == pytest.approx(angle, abs=0.01)


def test_the_ledgers_sides_are_sums_over_cells(shipped, images):
    cells = cam(shipped, images[7], enlarged=False)
    negative = positive = 0.0
    for cell in cells.ravel().tolist():
        negative, positive = negative + min(cell, 0), positive + max(cell, 0)
    account = ledger(shipped, images[7])
    assert account.left / account.right == pytest.approx(negative / positive, rel=1e-6)
    assert account.right / account.bias == pytest.approx(
        positive / cells.size / shipped.model.get_layer("steering").get_weights()[1][0], rel=1e-5
    )


@pytest.mark.kernels
def test_a_map_by_hand():
    """Two channels, one of which steers right with 3 and the other left with 2, seen in two cells."""
    image = keras.Input((66, 200, 3))
    x = keras.layers.Conv2D(2, (66, 100), (1, 100), activation="relu", name="conv1")(image)
    x = keras.layers.Dense(1, name="steering")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, keras.layers.Rescaling(2.0)(keras.ops.arctan(x)))
    kernel = np.zeros((66, 100, 3, 2))
    kernel[0, 0, 0, 0] = kernel[0, 0, 1, 1] = 1  # each channel looks at one pixel: its red, or its green
    model.get_layer("conv1").set_weights([kernel, np.zeros(2)])
    model.get_layer("steering").set_weights([np.array([[3.0], [-2.0]]), np.array([0.25])])
    picture = np.zeros((66, 200, 3), np.float32)
    picture[0, 0], picture[0, 100] = (0.5, 0, 0), (0, 0.75, 0)
    np.testing.assert_allclose(cam(model, picture, enlarged=False), [[1.5, -1.5]])
    picture[0, 100] = (0.1, 0.2, 0)
    np.testing.assert_allclose(cam(model, picture, enlarged=False), [[1.5, -0.1]], atol=1e-6)
    account, x = ledger(model, picture), 0.7 + 0.25
    scale = np.degrees(2 * np.arctan(x)) / x
    np.testing.assert_allclose(account, [-0.05 * scale, 0.75 * scale, 0.25 * scale, x * scale], rtol=1e-5)


def test_pixels_are_the_cells_where_they_look(shipped, images):
    cells = cam(shipped, images[3], enlarged=False)
    pixels = cam(shipped, images[3])
    assert pixels.shape == (66, 200) and pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, cells_to_pixels(cells, shipped, "conv5", fade=True), atol=1e-5)


def test_hires_cam_is_cam_up_to_the_slope_of_the_arctangent(shipped, images):
    """Behind an average the gradient is the weight, so nothing is local any more."""
    for image in images[::8]:
        x = outputs(shipped.model, image[np.newaxis])[0]
        cells = cam(shipped, image, enlarged=False)
        found = hires_cam(shipped, image, "conv5", "right", signed=True, enlarged=False)
        expected = cells / cells.size * np.degrees(2 / (1 + x**2))
        np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_a_unit_is_worth_twice_a_radian_at_zero_and_less_elsewhere():
    assert degrees_of(0.0) == pytest.approx(114.59, abs=0.01)
    assert degrees_of(1e-9) == pytest.approx(degrees_of(0.0))
    assert degrees_of(1.0) == pytest.approx(90)
    assert degrees_of(-1.0) == pytest.approx(90)


def test_the_gap_network_has_pilotnets_convolutions_and_one_unit():
    model = pilotnet_gap(seed=0)
    assert [layer.name for layer in model.layers[1:6]] == [f"conv{i}" for i in range(1, 6)]
    assert model.output_shape == (None, 1)
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dense)] == ["steering"]
    image = np.random.default_rng(0).random((1, 66, 200, 3), dtype=np.float32)
    activation = activations(model, image[0])["conv5"].mean(axis=(0, 1))
    weights, bias = model.get_layer("steering").get_weights()
    assert model(image).numpy()[0, 0] == pytest.approx(2 * np.arctan(activation @ weights[:, 0] + bias[0]), abs=1e-5)


@pytest.mark.filterwarnings("ignore:.*answers between -1 and 1:UserWarning")
def test_a_network_with_another_head_is_refused():
    with pytest.raises(ValueError, match="GlobalAveragePooling2D, then a linear Dense"):
        cam(pilotnet(seed=0), np.zeros((66, 200, 3), np.float32))
    image = keras.Input((66, 200, 3))
    convolution = keras.layers.Conv2D(4, 3, 4, activation="relu")
    average = keras.layers.GlobalAveragePooling2D()
    for head, message in (
        ([keras.layers.Dense(2)], r"answers \(None, 2\)"),
        ([keras.layers.Dense(1, activation="tanh")], "CAM needs"),
        ([keras.layers.Dense(8), keras.layers.Dense(1)], "CAM needs"),
        ([], r"answers \(None, 4\)"),
    ):
        x = average(convolution(image))
        for layer in head:
            x = layer(x)
        with pytest.raises(ValueError, match=message):
            cam(keras.Model(image, x), np.zeros((66, 200, 3), np.float32))
    straight = keras.Model(image, keras.layers.Dense(1, bias_initializer="ones")(average(convolution(image))))
    account = ledger(straight, np.zeros((66, 200, 3), np.float32))
    np.testing.assert_allclose(account, [0, 0, np.degrees(1), np.degrees(1)], rtol=1e-5)


@pytest.mark.kernels
@pytest.mark.parametrize("description", [{"unit": "degrees"}, {"unit": "fraction", "full_lock": 40, "sign": -1}])
@pytest.mark.parametrize("ending", ["nothing", "tanh", "offset"])
def test_the_ledger_adds_up_behind_any_head_without_weights(description, ending):
    image = x = keras.Input((66, 200, 3))
    for number, step in enumerate((8, 4)):
        start = keras.initializers.RandomNormal(0, 0.2, seed=number)
        x = keras.layers.Conv2D(4, 5, step, activation="relu", kernel_initializer=start)(x)
    start = keras.initializers.RandomNormal(0, 1, seed=3)
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
    x = keras.layers.Dense(1, kernel_initializer=start, bias_initializer=keras.initializers.Constant(0.1))(x)
    ends = {"nothing": lambda x: x, "tanh": keras.ops.tanh, "offset": keras.layers.Rescaling(2.0, offset=0.3)}
    network = as_network(keras.Model(image, ends[ending](x)), **description)
    for picture in np.random.default_rng(0).random((3, 66, 200, 3), dtype=np.float32):
        account = ledger(network, picture)
        assert account.left + account.right + account.bias == pytest.approx(network.angle(picture), rel=1e-4, abs=1e-4)
        found = explain(network, picture, "cam")
        cells = cam(network, picture, enlarged=False)
        assert np.sign(found.map.sum()) == np.sign(cells.sum()) * description.get("sign", 1)


def test_a_batch_is_refused(shipped):
    with pytest.raises(ValueError, match="expected one image"):
        cam(shipped, np.zeros((1, 66, 200, 3), np.float32))
