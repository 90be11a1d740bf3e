"""Pictures that are blurred and resized after their color was converted: as OpenCV does it, with gradients."""

import cv2
import keras
import numpy as np
import pytest
from keras import layers

import steerlib
from steerlib.drives import Drive
from steerlib.drives.pictures import RESIZING
from steerlib.networks.after_color import apply_steps, steps_after_color
from steerlib.networks.cells_to_pixels import cells_of
from steerlib.networks.files import write
from steerlib.networks.network import as_network

BEFORE, AFTER = (30, 64), (21, 40)
CV = {"YUV": cv2.COLOR_RGB2YUV, "YCrCb": cv2.COLOR_RGB2YCrCb}


def reader(size=AFTER) -> keras.Model:
    """A network with random weights that takes small pictures."""
    keras.utils.set_random_seed(1)
    image = keras.Input((*size, 3))
    x = layers.Conv2D(4, 5, strides=2, activation="relu", name="conv1")(image)
    model = keras.Model(image, layers.Dense(1, name="angle")(layers.Flatten()(x)))
    model.get_layer("conv1").set_weights([model.get_layer("conv1").get_weights()[0] / 99, np.full(4, 0.1)])
    return model


def frames(count=3) -> np.ndarray:
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (count, 60, 64, 3), np.uint8)
    return np.stack([cv2.GaussianBlur(one, (9, 9), 0) for one in rough])


def opencv(frame, color, resize, blur, blur_after):
    seen = cv2.GaussianBlur(cv2.cvtColor(frame, CV[color]), (blur, blur), 0)
    return cv2.GaussianBlur(cv2.resize(seen, AFTER[::-1], interpolation=RESIZING[resize]), (blur_after, blur_after), 0)


@pytest.mark.parametrize("resize", RESIZING)
@pytest.mark.parametrize(("blur", "blur_after"), [(1, 1), (3, 1), (5, 3)])
def test_the_steps_are_those_of_opencv(resize, blur, blur_after):
    rough = np.random.default_rng(3).integers(0, 256, (*BEFORE, 3), np.uint8)
    steps = steps_after_color(BEFORE, AFTER, resize, blur, blur_after)
    for ops in (np, keras.ops):
        found = 255 * np.asarray(apply_steps(rough.astype(np.float32) / 255, steps, ops))
        seen = cv2.resize(cv2.GaussianBlur(rough, (blur, blur), 0), AFTER[::-1], interpolation=RESIZING[resize])
        off = found - cv2.GaussianBlur(seen, (blur_after, blur_after), 0)
        assert np.abs(off).max() < 1.01 and (np.abs(off) > 0.01).mean() < 0.02


@pytest.mark.parametrize("color", CV)
def test_a_network_and_a_black_box_see_what_opencv_prepares(color):
    model, drive = reader(), Drive.from_arrays("noise", frames(), np.zeros(3))
    how = {"resize": "linear", "blur": 3, "blur_after": 5}
    told = {"color": color, "color_at": BEFORE, "crop": "30:60/60", "range": (0, 255), "unit": "degrees", **how}
    network = as_network(model, **told)
    assert network.size == BEFORE and network.look(drive.frame(0), drive).shape == (*BEFORE, 3)
    prepared = np.stack([opencv(frame[30:], color, **how) for frame in frames()]).astype(np.float32)
    expected = np.ravel(model(prepared))
    np.testing.assert_allclose(network.angles(drive.pictures(network)), expected, atol=2e-3 * np.abs(expected).max())

    class Box:
        name, input_shape = "box", (None, *AFTER, 3)

        def ask(self, numbers):
            return np.asarray(model(numbers))

    box = as_network(Box(), **told)
    assert box.size == BEFORE
    np.testing.assert_allclose(box.angles(drive.pictures(box)), network.angles(drive.pictures(network)), rtol=1e-4)


def test_gradients_are_those_of_the_steps_without_rounding():
    network = as_network(reader(), color="YUV", color_at=BEFORE, blur=3, range=(0, 255))
    picture = np.clip(frames(1)[0, :30] / np.float32(255), 0.2, 0.8).astype(np.float32)
    found = steerlib.image_gradients(network, picture[np.newaxis])[0]
    # Far enough that rounding hardly counts, near enough that no ReLU turns: a whole block becomes brighter.
    step = np.zeros_like(picture)
    step[8:22, 20:44] = 0.1
    lighter, darker = network.angles(np.stack([picture + step, picture - step]).astype(np.float32))
    assert float((found * step).sum()) * 2 == pytest.approx(lighter - darker, rel=0.1)
    assert np.abs(found).max() > 0


def test_cells_look_where_their_pixels_lie():
    """A bright line in the picture excites the cells whose receptive fields hold it, and no others."""
    network = as_network(reader(), color="YUV", color_at=BEFORE, blur=3, resize="linear", range=(0, 255))
    cells = cells_of(network, "conv1")
    gray = np.full((1, *BEFORE, 3), 0.5, np.float32)
    quiet = steerlib.activations(network, gray[0])["conv1"]
    for row in (4, 15, 26):
        lit = gray.copy()
        lit[0, row] = 1.0
        moved = np.flatnonzero((steerlib.activations(network, lit[0])["conv1"] != quiet).any(axis=(1, 2)))
        centers = cells.first[0] + cells.step[0] * moved
        assert len(moved) and (np.abs(centers - row) <= cells.field[0] / 2 + 1).all()
        assert abs(centers.mean() - row) < cells.step[0]


def test_it_is_kept_in_a_file(tmp_path):
    told = {"color": "YUV", "color_at": BEFORE, "blur": 3, "crop": "30:60/60", "range": (0, 255)}
    network, drive = as_network(reader(), **told), Drive.from_arrays("noise", frames(), np.zeros(3))
    again = steerlib.load_network(write(network, tmp_path / "kept.keras"))
    assert (again.size, again.crop, again.blur) == (BEFORE, (0.5, 1.0), 1)
    pictures = drive.pictures(network)
    np.testing.assert_array_equal(drive.pictures(again), pictures)
    np.testing.assert_allclose(again.angles(pictures), network.angles(pictures), rtol=1e-5)


def test_what_is_to_become_larger_by_area_is_refused():
    with pytest.raises(ValueError, match="expected no less than the network's"):
        as_network(reader(), color="YUV", color_at=(10, 64))
