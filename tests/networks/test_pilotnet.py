"""PilotNet against a forward pass in NumPy, and what is asked of it."""

import gc
import weakref

import keras
import numpy as np
import pytest
from networks_made import bars, images
from numpy.lib.stride_tricks import sliding_window_view

from steerlib.networks.network import as_network
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import predict


def forward_pass(model: keras.Model, image: np.ndarray) -> float:
    """PilotNet as the paper draws it, in float64, in radians."""
    x = image.astype(np.float64)
    for name, stride in (("conv1", 2), ("conv2", 2), ("conv3", 2), ("conv4", 1), ("conv5", 1)):
        kernel, bias = model.get_layer(name).get_weights()
        windows = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))[::stride, ::stride]
        x = np.maximum(np.einsum("hwcij,ijco->hwo", windows, kernel) + bias, 0)
    assert x.shape == (1, 18, 64)
    x = x.reshape(-1)
    for name in ("dense1", "dense2", "dense3", "dense4"):
        kernel, bias = model.get_layer(name).get_weights()
        x = np.maximum(x @ kernel + bias, 0)
    kernel, bias = model.get_layer("steering").get_weights()
    return 2 * np.arctan((x @ kernel + bias).item())


@pytest.fixture(scope="module")
def untrained():
    """A PilotNet with random biases too, so that none of them could be forgotten unnoticed."""
    model, rng = pilotnet(seed=3), np.random.default_rng(3)
    model.set_weights([w if w.ndim > 1 else rng.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.kernels
def test_pilotnet_is_the_network_of_the_paper(untrained):
    for image in images(3):
        expected = forward_pass(untrained, image)
        assert abs(expected) > 1e-3
        np.testing.assert_allclose(untrained(image[np.newaxis])[0, 0], expected, rtol=1e-3)
        np.testing.assert_allclose(predict(untrained, image[np.newaxis]), [np.degrees(expected)], rtol=1e-3)


@pytest.mark.kernels
def test_the_angle_stays_within_half_a_turn(untrained):
    wild = keras.models.clone_model(untrained)
    wild.set_weights([1000 * w for w in untrained.get_weights()])
    angles = np.abs(predict(wild, images(4)))
    assert (angles > 170).all() and (angles <= 180).all()


def test_the_seed_fixes_the_starting_weights():
    first, again, other = pilotnet(seed=1), pilotnet(seed=1), pilotnet(seed=2)
    for a, b, c in zip(first.get_weights(), again.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.allclose(a, c)
    a, b = (model.get_layer("conv1").get_weights()[0] for model in (pilotnet(), pilotnet()))
    assert not np.allclose(a, b)


def test_dropout_acts_in_training_only():
    model = pilotnet(dropout=0.5, seed=0)
    image = images(1)
    asked, training = predict(model, image), np.degrees(model(image, training=True))
    np.testing.assert_allclose(asked, predict(model, image), rtol=1e-5)
    assert abs(asked[0] - training[0, 0]) > 1e-4


@pytest.mark.kernels
def test_predict_does_not_depend_on_the_batches(untrained):
    batch = images(5)
    one_by_one = np.concatenate([predict(untrained, image[np.newaxis]) for image in batch])
    for size in (1, 2, 5, 256):
        np.testing.assert_allclose(predict(untrained, batch, batch_size=size), one_by_one, rtol=1e-4, atol=1e-5)
    assert predict(untrained, batch[:0]).shape == (0,)
    np.testing.assert_allclose(predict(untrained, batch.astype(np.float64)), one_by_one, rtol=1e-4, atol=1e-5)


def test_predict_takes_a_drive(untrained):
    drive = bars(7, 5)
    expected = predict(untrained, drive.pictures(as_network(untrained)))
    np.testing.assert_allclose(predict(untrained, drive, batch_size=3), expected, rtol=1e-4, atol=1e-5)


def test_predict_is_traced_once(untrained):
    for n in (1, 3, 8, 1):
        predict(untrained, images(n))
    function = as_network(untrained)._functions["angles"]
    assert function.experimental_get_tracing_count() == 1


@pytest.mark.kernels
def test_predict_follows_the_weights():
    model, image = pilotnet(seed=0), images(1)
    predict(model, image)
    model.set_weights([0 * w for w in model.get_weights()])
    model.get_layer("steering").bias.assign([1.0])
    np.testing.assert_allclose(predict(model, image), [90], rtol=1e-6)


def test_a_model_that_was_asked_is_freed():
    model = pilotnet()
    predict(model, images(1))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((66, 200, 3), np.float32), "add an axis"),
        (np.zeros((1, 256, 455, 3), np.float32), r"\(1, 256, 455, 3\).*preprocess"),
        (np.zeros((1, 66, 200, 3), np.uint8), "uint8.*preprocess"),
        (np.full((1, 66, 200, 3), 255.0), "255.*preprocess"),
    ],
)
def test_predict_says_what_is_wrong_with_images(untrained, wrong, message):
    with pytest.raises(ValueError, match=message):
        predict(untrained, wrong)
