"""The eraser against rendered pairs, and the map made with it against sums by hand."""

import numpy as np
import pytest
from by_hand import linear_network

from steerlib.maps import eraser, erasure
from steerlib.maps.eraser import ELEMENTS, erase, erase_elements
from steerlib.maps.eraser.learning import BATCH_SIZE, train_eraser
from steerlib.maps.erasure import erasure_map
from steerlib.maps.fill import fill_image
from steerlib.trust import degrees_explained, promises, summarize, take_away
from steerlib.world import render_counterfactuals


@pytest.fixture(scope="module")
def views():
    """Views of roads that nobody has learned, and the same ones without each element."""
    drive, without = render_counterfactuals(range(2000, 2010), 40, ELEMENTS)
    return np.stack([drive.frame(i) for i in range(40)]) / np.float32(255), without


def linear(weights):
    """A network that adds up pixels: weights (66, 200) in degrees for each unit of brightness."""
    return linear_network(np.repeat(weights[..., np.newaxis] / 3, 3, axis=2))


@pytest.mark.parametrize("element", ["center_line", "edge_lines"])
def test_lines_vanish_and_the_rest_stays(views, element):
    pictures, without = views
    left = []  # how much of the change is missing, on the pixels of the element
    for picture, pixels in zip(pictures, without[element]):
        bare, drawn = pixels / np.float32(255), erase_elements(picture)[ELEMENTS.index(element)]
        changed = np.abs(picture - bare).max(axis=-1) > 0.02
        assert np.abs(drawn - bare)[~changed].mean() < 0.01
        if changed.sum() > 100:
            left.append(np.abs(drawn - bare)[changed].mean() / np.abs(picture - bare)[changed].mean())
    assert len(left) > 20 and np.median(left) < 0.5


def test_what_is_drawn_has_the_picture_s_shape_and_range():
    noise = np.random.default_rng(0).random((80, 160, 3), np.float32)
    for drawn, shape in ((erase_elements(noise), (8, 80, 160, 3)), (erase(noise), (80, 160, 3))):
        assert drawn.shape == shape and drawn.dtype == np.float32
        assert drawn.min() >= 0 and drawn.max() <= 1
    np.testing.assert_array_equal(fill_image(noise, "erased"), erase(noise))


def test_the_map_adds_up_what_each_element_does(monkeypatch):
    """Two elements, one of them in no pixel: of a network that adds up, the map is known."""
    picture = np.random.default_rng(0).random((66, 200, 3), np.float32)
    weights = np.random.default_rng(1).normal(size=(66, 200))
    bare = picture.copy()
    bare[20:30, 50:60] = 0.5
    monkeypatch.setattr(erasure, "erase_elements", lambda _: np.stack([bare, picture, bare]))
    expected = 2 * weights * (picture - bare).mean(axis=-1)
    np.testing.assert_allclose(erasure_map(linear(weights), picture), expected, atol=1e-4)


def test_of_a_picture_without_elements_the_map_is_zero(monkeypatch):
    picture = np.full((66, 200, 3), 0.5, np.float32)
    monkeypatch.setattr(erasure, "erase_elements", lambda _: picture[np.newaxis])
    assert not erasure_map(linear(np.ones((66, 200))), picture).any()
    with pytest.raises(ValueError, match="steps=0"):
        erasure_map(linear(np.ones((66, 200))), picture, steps=0)


def test_the_sum_is_what_the_erased_pictures_do(shipped_network, views):
    network, picture = shipped_network("pilotnet"), views[0][0]
    expected = float((network.angle(picture) - network.angles(erase_elements(picture))).sum())
    for steps in (2, 8):
        assert erasure_map(network, picture, steps).sum() == pytest.approx(expected, abs=0.01 + 0.001 * abs(expected))


def test_it_keeps_its_promise_better_than_a_map_that_promises_nothing(shipped_network, views):
    network, (pictures, without) = shipped_network("pilotnet"), views
    effects, regions = take_away(network, pictures, without)
    maps = {"erasure": np.stack([erasure_map(network, picture) for picture in pictures])}
    explained = degrees_explained(promises(maps, regions)["erasure"], effects)
    assert summarize(explained).mean > 0.3  # 200 views: see notebook 08


def test_without_its_file_the_error_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(eraser, "FILE", tmp_path / "eraser.keras")
    eraser._network.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"eraser\.keras is missing: `git checkout data`"):
        erase_elements(np.zeros((66, 200, 3), np.float32))


def test_training_makes_it_better():
    random = np.random.default_rng(0)
    without = random.integers(60, 120, (2 * BATCH_SIZE, 1, 1, 1, 3), np.uint8)
    without = np.broadcast_to(without, (2 * BATCH_SIZE, 8, 66, 200, 3)).copy()
    pictures = without[:, 0].copy()
    pictures[:, 20:60, 90:100] = 250  # a line that only the first element takes away
    without[:, 1:, 20:60, 90:100] = 250

    def error(model):
        drawn = model(pictures / np.float32(255)).numpy() + pictures[:, np.newaxis] / np.float32(255)
        return np.abs(drawn[:, 0] - without[:, 0] / np.float32(255)).mean()

    critic = linear(np.ones((66, 200)))
    before = critic.get_weights()
    few, many = (
        train_eraser(pictures, without, critic, [(epochs, 1e-3, False), (epochs, 1e-3, True)]) for epochs in (1, 6)
    )
    assert error(many) < error(few)
    assert all((one == other).all() for one, other in zip(before, critic.get_weights()))
