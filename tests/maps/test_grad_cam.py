"""Gradients against finite differences, maps against loops and against networks whose map is known by hand."""

import gc
import weakref
from functools import partialmethod

import keras
import numpy as np
import pytest

from steerlib.maps.grad_cam import grad_cam, layer_gradient, steering_target
from steerlib.maps.hires_cam import hires_cam
from steerlib.networks.cells_to_pixels import cells_to_pixels
from steerlib.networks.network import Network, as_network
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import predict

LAYERS = ("conv1", "conv3", "conv5")
MAPS = (grad_cam, hires_cam)


def picture(seed: int = 0, shape: tuple[int, ...] = (66, 200, 3)) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.fixture(scope="module")
def model():
    """A PilotNet that is neither near 0 degrees nor where the arctangent is flat."""
    model = pilotnet(seed=5)
    angles = predict(model, np.stack([picture(seed) for seed in range(4)]))
    steering = model.get_layer("steering")
    steering.kernel.assign(steering.kernel * np.radians(20) / np.radians(np.abs(angles).max()))
    return model


def linear_head(weights: np.ndarray, bias: float = 0.0) -> keras.Model:
    """A convolution without padding and behind it nothing but a weighted sum, in degrees."""
    image = keras.Input((10, 14, 3))
    start = keras.initializers.HeNormal(1)
    x = keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=start, name="conv")(image)
    model = keras.Model(image, keras.layers.Dense(1, name="head")(keras.layers.Flatten()(x)))
    model.get_layer("head").set_weights([np.radians(weights).reshape(-1, 1), np.radians([bias])])
    return model


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.kernels
def test_gradients_are_finite_differences(model, layer):
    image = picture(1)
    activation, gradient, angle = layer_gradient(model, image, layer)
    np.testing.assert_allclose(angle, predict(model, image[np.newaxis])[0], rtol=1e-4)
    inner = keras.Model(model.input, model.get_layer(layer).output)
    np.testing.assert_allclose(activation, inner(image[np.newaxis])[0], rtol=1e-3, atol=1e-4)
    assert activation.min() == 0  # behind the ReLU

    head = keras.Model(model.get_layer(layer).output, model.output)
    rng = np.random.default_rng(0)
    largest = np.argsort(np.abs(gradient), axis=None)[-200:]
    chosen = [np.unravel_index(i, gradient.shape) for i in rng.choice(largest, 12, replace=False)]
    step = 0.01 * activation.max()
    for place in chosen:
        moved = np.stack([activation, activation])
        moved[(0, *place)] += step
        moved[(1, *place)] -= step
        up, down = np.degrees(head(moved).numpy()[:, 0].astype(np.float64))
        assert (up - down) / (2 * step) == pytest.approx(gradient[place], rel=0.1)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.kernels
def test_the_maps_in_loops(model, layer):
    image = picture(2)
    activation, gradient, _ = layer_gradient(model, image, layer)
    height, width, channels = activation.shape
    averaged, in_place = np.zeros((height, width)), np.zeros((height, width))
    for channel in range(channels):
        mean = sum(gradient[i, j, channel] for i in range(height) for j in range(width)) / (height * width)
        averaged += mean * activation[..., channel]
        in_place += gradient[..., channel] * activation[..., channel]
    for function, expected in ((grad_cam, averaged), (hires_cam, in_place)):
        tolerance = 1e-4 * np.abs(expected).max()
        signed = function(model, image, layer, "right", signed=True, enlarged=False)
        np.testing.assert_allclose(signed, expected, atol=tolerance)
        cut = function(model, image, layer, "right", enlarged=False)
        np.testing.assert_allclose(cut, np.where(expected > 0, expected, 0), atol=tolerance)
        pixels = function(model, image, layer, "right")
        assert pixels.shape == (66, 200) and pixels.dtype == np.float32 and pixels.min() >= 0
        np.testing.assert_allclose(pixels, cells_to_pixels(cut, model, layer, fade=True), atol=tolerance)


@pytest.mark.kernels
def test_a_linear_heads_cells_add_up_to_the_angle():
    weights, bias = np.random.default_rng(0).normal(size=(8, 12, 4)), 3.0
    model, image = linear_head(weights, bias), picture(3, (10, 14, 3))
    angle = predict(model, image[np.newaxis])[0]
    assert abs(angle - bias) > 1
    cells = hires_cam(model, image, "conv", "right", signed=True, enlarged=False)
    assert cells.sum() == pytest.approx(angle - bias, rel=1e-4)
    activation = layer_gradient(model, image, "conv")[0]
    np.testing.assert_allclose(cells, (activation * weights).sum(axis=2), atol=1e-4)


@pytest.mark.kernels
def test_averaging_forgets_where_the_evidence_is():
    """A head that looks at the left half only: HiResCAM shows nothing at the right, Grad-CAM does."""
    weights = np.ones((8, 12, 4))
    weights[:, 6:] = 0
    model, image = linear_head(weights), picture(4, (10, 14, 3))
    activation = layer_gradient(model, image, "conv")[0].sum(axis=2)
    in_place = hires_cam(model, image, "conv", "right", enlarged=False)
    averaged = grad_cam(model, image, "conv", "right", enlarged=False)
    np.testing.assert_allclose(in_place[:, :6], activation[:, :6], rtol=1e-4)
    assert (in_place[:, 6:] == 0).all()
    np.testing.assert_allclose(averaged, activation / 2, rtol=1e-4)


@pytest.mark.parametrize("function", MAPS)
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.kernels
def test_targets_differ_in_sign_only(function, side):
    weights = np.random.default_rng(0).random((8, 12, 4)) * [1, 1, -0.4, 1]
    model, image = linear_head(weights, bias=100 * side), picture(5, (10, 14, 3))
    assert np.sign(predict(model, image[np.newaxis])[0]) == side
    right, left, center = (
        function(model, image, "conv", target, signed=True) for target in ("right", "left", "center")
    )
    assert right.min() < 0 < right.max()
    auto = function(model, image, "conv", "auto", signed=True)
    # What turns the wheel further speaks against the center.
    for map, sign in ((left, -1), (center, -side), (auto, side)):
        np.testing.assert_allclose(map, sign * right, atol=1e-5 * np.abs(right).max())
    np.testing.assert_allclose(
        function(model, image, "conv", "right") - function(model, image, "conv", "left"),
        cells_to_pixels(function(model, image, "conv", "right", signed=True, enlarged=False), model, "conv", fade=True),
        atol=1e-4,
    )


@pytest.mark.parametrize("function", MAPS)
@pytest.mark.kernels
def test_the_center_has_no_pole(function):
    image = picture(6, (10, 14, 3))
    weights = np.random.default_rng(0).random((8, 12, 4))
    straight = linear_head(np.zeros((8, 12, 4)))
    assert predict(straight, image[np.newaxis])[0] == 0
    np.testing.assert_array_equal(function(straight, image, "conv", "center", signed=True), np.zeros((10, 14)))
    sizes = []
    for bias in (1.0, 0.1, 0.01):  # nearer and nearer to 0: the map stays the same
        bare = linear_head(weights)
        bare.get_layer("head").bias.assign(np.radians([bias - predict(bare, image[np.newaxis])[0]]))
        assert predict(bare, image[np.newaxis])[0] == pytest.approx(bias, abs=1e-3)
        sizes.append(np.abs(function(bare, image, "conv", "center", signed=True)).max())
    np.testing.assert_allclose(sizes, sizes[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("angle", "target"),
    [
        (5.0, "center"),
        (np.nextafter(5.0, 6), "right"),
        (-5.0, "center"),
        (np.nextafter(-5.0, -6), "left"),
        (0.0, "center"),
        (90.0, "right"),
        (-90.0, "left"),
    ],
)
@pytest.mark.kernels
def test_auto_turns_at_five_degrees(angle, target):
    assert steering_target("auto", angle) == target
    for given in ("right", "left", "center"):
        assert steering_target(given, angle) == given


@pytest.mark.parametrize("bias", [10.0, -10.0, 2.0])
@pytest.mark.parametrize("function", MAPS)
@pytest.mark.kernels
def test_auto_follows_the_networks_own_angle(function, bias):
    model = linear_head(np.random.default_rng(0).normal(scale=0.001, size=(8, 12, 4)), bias)
    image = picture(7, (10, 14, 3))
    named = {10.0: "right", -10.0: "left", 2.0: "center"}[bias]
    expected = function(model, image, "conv", named, signed=True)
    assert expected.any()
    found = function(model, image, "conv", signed=True)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.kernels
def test_a_dark_image_gives_an_empty_map(model):
    for function in MAPS:
        np.testing.assert_array_equal(function(model, np.zeros((66, 200, 3), np.float32)), np.zeros((66, 200)))


def test_one_trace_for_each_layer_and_freed():
    model = pilotnet()
    for seed in range(3):
        for layer in ("conv3", "conv5"):
            for target in ("right", "auto"):
                grad_cam(model, picture(seed), layer, target)
                hires_cam(model, picture(seed), layer, target, signed=True)
    functions = {key: made for key, made in as_network(model)._functions.items() if key[0] == "gradient"}
    assert set(functions) == {("gradient", "conv3"), ("gradient", "conv5")}
    assert [function.experimental_get_tracing_count() for function in functions.values()] == [1, 1]
    gone = weakref.ref(model)
    del model, functions
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("function", MAPS)
@pytest.mark.parametrize("settings", [{}, {"target": "center", "signed": True}, {"enlarged": False}])
@pytest.mark.kernels
def test_many_images_give_the_maps_of_each(model, monkeypatch, function, settings):
    monkeypatch.setattr(Network, "run", partialmethod(Network.run, batch_size=3))
    images = np.random.default_rng(1).random((7, 66, 200, 3), np.float32)
    maps, singles = function(model, images, **settings), [function(model, image, **settings) for image in images]
    assert maps.shape == (7, *singles[0].shape) and maps.dtype == np.float32
    np.testing.assert_allclose(maps, singles, atol=1e-5 * np.abs(singles).max())
    assert function(model, images[:0], **settings).shape == (0, *singles[0].shape)


@pytest.mark.kernels
def test_gradients_follow_the_weights():
    model, image = linear_head(np.ones((8, 12, 4))), picture(0, (10, 14, 3))
    before = hires_cam(model, image, "conv", "right")
    head = model.get_layer("head")
    head.kernel.assign(3 * head.kernel)
    np.testing.assert_allclose(hires_cam(model, image, "conv", "right"), 3 * before, rtol=1e-5)


@pytest.mark.parametrize("function", MAPS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "conv9"}, "layer='conv9'.*conv1, conv2, conv3, conv4, conv5"),
        ({"layer": "dense1"}, "layer='dense1'"),
        ({"target": "straight"}, "target='straight'.*right, left, center, auto"),
        ({"pictures": np.zeros((66, 200))}, "expected one image"),
        ({"pictures": np.zeros((1, 50, 200, 3))}, "expected images"),
        ({"pictures": np.full((66, 200, 3), 255.0)}, "preprocess"),
    ],
)
def test_what_is_wrong_is_named(model, function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(model, **{"pictures": picture(), **arguments})
