"""Gradients with respect to the image against finite differences, and maps against what is known of their sums."""

import gc
import weakref

import keras
import numpy as np
import pytest

from steerlib.drives import load_drive
from steerlib.maps import explain
from steerlib.maps.fill import fill_image
from steerlib.maps.gradient_times_input import gradient_times_input
from steerlib.maps.gradients import image_gradients
from steerlib.maps.integrated_gradients import integrated_gradients
from steerlib.maps.smooth_grad import smooth_grad
from steerlib.networks.network import as_network
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import predict
from steerlib.trust import known_image, known_map, known_network

MAPS = (gradient_times_input, integrated_gradients, smooth_grad)


@pytest.fixture(scope="module")
def shipped(shipped_network):
    network = shipped_network("pilotnet")
    return network, load_drive().pictures(network, [30, 60, 150, 240, 290])


@pytest.mark.kernels
def test_gradients_are_finite_differences(shipped):
    model, images = shipped
    gradients = image_gradients(model, images)
    assert gradients.shape == images.shape and gradients.dtype == np.float32
    step, rng = 0.01, np.random.default_rng(0)
    for image, gradient in zip(images, gradients):
        largest = np.argsort(np.abs(gradient), axis=None)[-500:]
        for place in [np.unravel_index(i, gradient.shape) for i in rng.choice(largest, 4, replace=False)]:
            moved = np.stack([image, image])
            moved[(0, *place)] += step
            moved[(1, *place)] -= step
            up, down = predict(model, moved).astype(np.float64)
            assert (up - down) / (2 * step) == pytest.approx(gradient[place], rel=0.25)


@pytest.mark.kernels
def test_a_linear_network_is_no_secret():
    """Where the truth is known, gradient × input is it, and integrated gradients is its change from the baseline."""
    model, image = known_network(), known_image()[0]
    truth = known_map(image)
    np.testing.assert_allclose(gradient_times_input(model, image), truth, atol=1e-5)
    for baseline in (0.0, "mean", "blur", "median", image[::-1].copy()):
        expected = truth - known_map(fill_image(image, baseline))
        np.testing.assert_allclose(integrated_gradients(model, image, 3, baseline), expected, atol=1e-5)
    # Where all is bright enough, noise does not move a gradient that is the same everywhere.
    weights = known_map(np.ones_like(image))
    np.testing.assert_allclose(smooth_grad(model, 0.4 + 0.2 * image, noise=0.1), weights, atol=1e-4)


@pytest.mark.parametrize(("baseline", "steps", "error"), [("blur", 32, 0.5), ("blur", 512, 0.05), ("mean", 512, 0.2)])
def test_integrated_gradients_are_complete(shipped, baseline, steps, error):
    model, images = shipped
    for image in images:
        change = np.subtract(*predict(model, np.stack([image, fill_image(image, baseline)])))
        assert integrated_gradients(model, image, steps, baseline).sum() == pytest.approx(change, abs=error)


def test_a_single_gradient_is_not_complete(shipped):
    model, images = shipped
    changes = [np.subtract(*predict(model, np.stack([image, 0 * image]))) for image in images]
    sums = [gradient_times_input(model, image).sum() for image in images]
    assert np.abs(np.subtract(sums, changes)).max() > 5


@pytest.mark.kernels
def test_integrated_gradients_in_a_loop(shipped):
    model, images = shipped
    image, start, steps = images[0], fill_image(images[0], "blur"), 5
    total = np.zeros((66, 200))
    for k in range(steps):
        between = start + (k + 0.5) / steps * (image - start)
        total += (image_gradients(model, between[np.newaxis])[0] * (image - start)).sum(axis=-1) / steps
    np.testing.assert_allclose(integrated_gradients(model, image, steps), total, atol=1e-4)
    assert integrated_gradients(model, start, baseline="mean").shape == (66, 200)


@pytest.mark.kernels
def test_smooth_grad_is_the_mean_over_noisy_copies(shipped):
    model, images = shipped
    image = 0.2 + 0.5 * images[1]
    noisy = image + 0.05 * np.ptp(image) * np.random.default_rng(3).standard_normal((4, *image.shape), np.float32)
    expected = np.mean([image_gradients(model, one[np.newaxis])[0].sum(axis=-1) for one in noisy], axis=0)
    np.testing.assert_allclose(smooth_grad(model, image, 4, 0.05, seed=3), expected, atol=1e-4)
    again = smooth_grad(model, image)
    np.testing.assert_allclose(smooth_grad(model, image), again, atol=1e-4)
    assert np.abs(smooth_grad(model, image, seed=1) - again).max() > 1e-2
    plain = image_gradients(model, image[np.newaxis])[0].sum(axis=-1)
    np.testing.assert_allclose(smooth_grad(model, image, 2, noise=0.0), plain, atol=1e-4)
    smooth_grad(model, np.ones((66, 200, 3), np.float32), noise=0.3)  # noise may leave [0, 1]
    smooth_grad(model, np.eye(200, dtype=np.float32)[:66, :, np.newaxis].repeat(3, axis=2), noise=0.5)


@pytest.mark.parametrize("function", MAPS)
def test_all_are_signed_maps_of_the_image(function, shipped):
    model, images = shipped
    map = function(model, images[0])
    assert map.shape == (66, 200) and map.dtype == np.float32 and map.min() < 0 < map.max()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gradient-times-input", gradient_times_input),
        ("integrated-gradients", lambda model, image: integrated_gradients(model, image, baseline="mean")),
        ("smooth-grad", smooth_grad),
    ],
)
def test_explained_by_name(name, expected, shipped):
    model, images = shipped
    found = explain(model, images[0], name, fill="mean")
    np.testing.assert_allclose(found.map, expected(model, images[0]), atol=1e-4)
    assert found.signed and found.unit.startswith("degrees for each") and found.ends == ("left", "right")
    assert found.unit.isascii()


def test_one_trace_and_freed():
    model = pilotnet()
    image = np.random.default_rng(0).random((66, 200, 3), np.float32)
    for steps in (1, 2, 3):
        gradient_times_input(model, image)
        integrated_gradients(model, image, steps)
        smooth_grad(model, image, steps)
    functions = as_network(model)._functions
    assert set(functions) == {"image_gradients"}
    assert functions["image_gradients"].experimental_get_tracing_count() == 1
    gone = weakref.ref(model)
    del model, functions
    gc.collect()
    assert gone() is None


def test_gradients_follow_the_weights():
    model, image = known_network(), known_image()[0]
    before = gradient_times_input(model, image)
    kernel = model.get_layer("angle").kernel
    kernel.assign(-2 * kernel)
    np.testing.assert_allclose(gradient_times_input(model, image), -2 * before, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        *((function, {"picture": np.zeros((1, 66, 200, 3))}, "expected one image") for function in MAPS),
        *((function, {"picture": np.full((66, 200, 3), 255.0)}, "preprocess") for function in MAPS),
        (integrated_gradients, {"steps": 0}, "steps=0"),
        (integrated_gradients, {"baseline": "white"}, "fill='white'"),
        (smooth_grad, {"samples": 0}, "samples=0"),
        (smooth_grad, {"noise": -0.1}, "noise=-0.1"),
    ],
)
def test_what_is_wrong_is_named(function, arguments, message):
    image = np.zeros((66, 200, 3), np.float32)
    with pytest.raises(ValueError, match=message):
        function(known_network(), **{"picture": image, **arguments})


def test_the_known_network_is_an_ordinary_one():
    assert isinstance(known_network(), keras.Model)
