"""Nothing depends on the processor: no empty batch enters a network, and numbers hold with and without oneDNN."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from steerlib import trust
from steerlib.drives import Drive
from steerlib.maps.grad_cam import grad_cam, layer_gradient
from steerlib.maps.gradients import image_gradients
from steerlib.maps.hires_cam import hires_cam
from steerlib.maps.incremental import angles_without
from steerlib.networks.network import as_network
from steerlib.networks.training import predict

NONE = np.zeros((0, 20, 30, 3), np.float32)
DRIVE = Drive.from_arrays("one", [np.zeros((66, 200, 3), np.uint8)], [0.0])


class Full(keras.layers.Layer):
    """Raises where it gets an empty batch, as some processors' convolutions do."""

    def call(self, x):
        tf.debugging.assert_positive(tf.shape(x)[0], "an empty batch")
        return x


@pytest.fixture(scope="module")
def model():
    image = keras.Input((20, 30, 3))
    x = keras.layers.Conv2D(4, 5, 2, activation="relu", name="conv3")(image)
    return keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(Full()(x))))


@pytest.mark.kernels
def test_an_empty_batch_would_be_noticed(model):
    with pytest.raises(tf.errors.InvalidArgumentError):
        model(NONE)
    assert predict(model, np.zeros((2, 20, 30, 3), np.float32)).shape == (2,)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (predict, (0,)),
        (
            lambda model, _: predict(
                model, Drive.from_arrays("one", [np.zeros((66, 200, 3), np.uint8)], [0]).subset([])
            ),
            (0,),
        ),
        (layer_gradient, ((0, 8, 13, 4), (0, 8, 13, 4), (0,))),
        (grad_cam, (0, 20, 30)),
        (hires_cam, (0, 20, 30)),
        (lambda model, images: hires_cam(model, images, enlarged=False), (0, 8, 13)),
        (image_gradients, (0, 20, 30, 3)),
        (lambda model, images: trust.make_maps(model, images, {"map": grad_cam}, progress=False)["map"], (0, 20, 30)),
    ],
)
@pytest.mark.kernels
def test_no_image_gives_no_answer(model, function, shapes):
    found = function(model, NONE)
    for array, shape in zip(*((found, shapes) if isinstance(found, tuple) else ([found], [shapes]))):
        assert array.shape == shape and array.dtype == np.float32


@pytest.mark.kernels
def test_no_window_gives_no_angle(model):
    image = np.zeros((20, 30, 3), np.float32)
    assert list(angles_without(as_network(model), image, image, [], 4)) == []


def test_numbers_hold_under_the_other_setting_of_onednn():
    """Each of TensorFlow's two sets of kernels has its own faults. What is quick runs again with the other set."""
    other = "1" if os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0" else "0"
    tests = Path(__file__).parents[1]
    marked = [file for file in tests.rglob("test_*.py") if "mark.kernels" in file.read_text("utf-8")]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "kernels", "-p", "no:cacheprovider", *marked],
        cwd=tests.parent,
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": other, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, f"with TF_ENABLE_ONEDNN_OPTS={other}:\n{found.stdout[-6000:]}{found.stderr[-2000:]}"
