"""What a hand on an explorer's picture asks of the kernel: erasing, and what the page is told of the picture."""

import asyncio
import re

import cv2
import keras
import numpy as np
import pytest

from steerlib.drives import Drive
from steerlib.maps import METHODS
from steerlib.maps.method import density
from steerlib.networks.network import as_network
from steerlib.show import explorers, overlay
from steerlib.show.explorers import explorer as explorer_module

REGION = np.zeros((66, 200), bool)
REGION[20:40, 50:90] = True


@pytest.fixture(scope="module")
def model():
    """A network whose angle is a weighted sum of the pixels: its gradients times its input are what hiding costs."""
    image = keras.Input((66, 200, 3))
    dense = keras.layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(0.0, 0.002, seed=4))
    return keras.Model(image, dense(keras.layers.Flatten()(image)))


@pytest.fixture
def drive():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (3, 16, 28, 3), np.uint8)
    frames = np.stack([cv2.resize(frame, (455, 256), interpolation=cv2.INTER_CUBIC) for frame in small])
    return Drive.from_arrays("rendered", frames, [-20, 3, 12])


@pytest.fixture
def quick(model, drive):
    explorer = explorers.occlusion(model, drive)
    for name, value in {"pair": False, "size": 31, "stride": 8, "scale": "this frame"}.items():
        explorer.controls[name].value = value
    return explorer


@pytest.mark.filterwarnings("ignore:.*without shortcuts:UserWarning")
def test_what_is_erased_was_worth_what_a_linear_networks_gradients_promised(model, drive):
    explorer = explorers.compare(model, drive)
    words = explorer.erase(REGION, "black")
    image = drive.pictures(model, [0])[0]
    weights = np.degrees(model.layers[-1].get_weights()[0].reshape(66, 200, 3))
    expected = float((weights * image)[REGION].sum())
    assert f"steers {abs(expected):.2f}° to the {'right' if expected > 0 else 'left'}" in words
    title = METHODS["gradient-times-input"].title
    assert f"The map {title} had promised, summed over these pixels, {expected:+.2f}°" in words
    assert re.search(r"The map Occlusion says there .* that promises no sum", words)
    assert explorer.picture.answer == words and explorer.picture.answered == 1
    explorer.frame.value = 1  # what was said was of another picture
    assert explorer.picture.answer == "" == explorer.picture.erased.decode()


@pytest.mark.filterwarnings("ignore:.*without shortcuts:UserWarning")
@pytest.mark.parametrize("fill", ["black", "mean", "blur", "median"])
def test_the_page_shows_what_the_network_saw(fill, quick, drive):
    quick.erase(REGION, fill)
    picture = cv2.imdecode(np.frombuffer(quick.picture.erased, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    assert picture.shape == (357, 900, 3)
    view = overlay.enlarge(drive.view(0), 900).astype(int)
    outside = np.abs(picture[:297, 420:] - view[:, 420:]).mean()
    inside = np.abs(picture[95:175, 230:400] - view[95:175, 230:400]).mean()
    assert outside < 3 and inside > 3


@pytest.mark.filterwarnings("ignore:.*without shortcuts:UserWarning")
def test_what_the_page_sends_is_checked(quick):
    quick.frame.value = 1
    right = {"kind": "erase", "frame": 1, "fill": "black"}
    bits = REGION.astype(np.uint8).tobytes()
    for message, buffers, said in [
        (right | {"frame": 0}, [bits], "painted on another frame"),
        (right | {"fill": "red"}, [bits], "expected one of black"),
        (right, [bits[:-1]], "cannot reshape"),
        (right, [bytes(len(bits))], "nothing is painted"),
    ]:
        quick._on_message(quick.picture, message, buffers)
        assert "Nothing is hidden: " in quick.picture.answer and said in quick.picture.answer
        assert quick.picture.erased == b""
    quick._on_message(quick.picture, right, [bits])
    assert "what was there" in quick.picture.answer and quick.picture.erased
    count = quick.picture.answered
    quick._on_message(quick.picture, right, [bits])  # the same again: the page must hear that it was answered
    assert quick.picture.answered == count + 1


@pytest.mark.filterwarnings("ignore:.*without shortcuts:UserWarning")
def test_an_answer_waits_for_the_picture_that_is_being_drawn(quick, monkeypatch):
    monkeypatch.setattr(explorer_module, "_page_asks", lambda: True)
    message, bits = {"kind": "erase", "frame": 1, "fill": "black"}, [REGION.astype(np.uint8).tobytes()]

    async def hand():
        quick.frame.value = 1
        quick._on_message(quick.picture, message, bits)
        assert quick.picture.answer == ""
        await quick._task
        await asyncio.sleep(0)

    asyncio.run(hand())
    assert "what was there" in quick.picture.answer and quick.picture.shown["drawn"]["frame"] == 1


@pytest.mark.filterwarnings("ignore:.*without shortcuts:UserWarning")
def test_the_page_is_told_where_the_map_lies_and_what_it_holds(quick, model, drive):
    (part,) = quick.picture.shown["parts"]
    assert part["box"] == (0, 0, 900, 297) and part["shape"] == (66, 200)
    values = np.frombuffer(part["map"], np.float16).astype(float).reshape(66, 200) * part["largest"]
    np.testing.assert_allclose(values, quick.map, rtol=1e-3, atol=1e-6 * part["largest"])
    assert part["limits"][1] == part["limit"] == overlay.common_limit([quick.map])
    quick.style.value = "magnitude"
    assert quick.picture.shown["parts"][0]["signed"]  # the page reads signs, however the map is drawn
    quick.show.value = "one window"
    assert quick.picture.shown["parts"][0]["map"] is not None  # that of the same settings
    quick.size.value = 41
    (part,) = quick.picture.shown["parts"]
    assert part["map"] is None and part["note"].startswith("steers ")
    assert quick.picture.shown["drawn"]["size"] == 41


def test_without_a_network_or_a_map_nothing_can_be_erased(model, drive):
    for explorer in (explorers.frames(drive), explorers.frames(drive, model)):
        assert not explorer.picture.shown["erases"]
        with pytest.raises(ValueError, match="nothing can be hidden"):
            explorer.erase(REGION)


@pytest.mark.filterwarnings("ignore:.*without shortcuts:UserWarning")
def test_maps_of_many_methods_lie_where_they_are_drawn(model, drive):
    explorer = explorers.compare(model, drive)
    picture = cv2.imdecode(np.frombuffer(explorer.picture.value, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    parts = explorer.picture.shown["parts"]
    assert len(parts) == 2 + len(explorer.map)
    view = overlay.enlarge(drive.view(0), 900)
    left, top, width, height = parts[0]["box"]
    shown = picture[top : top + height, left : left + width]
    assert np.abs(shown - cv2.resize(view, (width, height), interpolation=cv2.INTER_AREA)).mean() < 4
    for part, (name, map) in zip(parts[2:], explorer.map.items()):
        map = density(map) if METHODS[name].pixelwise else map
        left, top, width, height = part["box"]
        small = cv2.resize(view, (width, height), interpolation=cv2.INTER_AREA)
        expected = overlay.overlay(small, map, overlay.common_limit([map]), part["signed"])
        drawn = picture[top : top + height, left : left + width]
        there, beside = (np.abs(drawn - np.roll(expected, by, axis=1)).mean() for by in (0, 4))
        assert there < 8 and there < beside / 2, part["name"]


def test_tied_explorers_follow_each_other(model, drive):
    other = keras.models.clone_model(model)
    first, second = explorers.occlusion(model, drive), explorers.occlusion(other, drive)
    both = explorers.tie(first, second)
    assert both.children == (first, second) and first.picture.tie == second.picture.tie != ""
    first.frame.value, second.size.value, second.column.value = 1, 21, 30
    assert (second.frame.value, first.size.value, first.column.value) == (1, 21, 30)
    others = explorers.tie(*(explorers.occlusion(model, drive) for _ in range(2)))
    assert others.children[0].picture.tie != first.picture.tie


def test_a_tied_mirror_has_the_window_at_the_other_side(model, drive):
    turned = drive.mirrored()
    np.testing.assert_array_equal(turned.frame(1), drive.frame(1)[:, ::-1])
    np.testing.assert_array_equal(turned.angles, -drive.angles)
    first, second = explorers.occlusion(model, drive), explorers.occlusion(model, turned)
    explorers.tie(first, second, mirrored=True)
    first.show.value = "one window"
    first.column.value = 30
    assert second.show.value == "one window" and second.column.value == 169
    second.column.value = 150
    assert first.column.value == 49
    with pytest.raises(ValueError, match="3 and 2 frames"):
        explorers.tie(first, explorers.occlusion(model, drive.subset([0, 1])))


def test_tied_networks_have_their_window_at_the_same_place_of_the_road(model, drive):
    image = keras.Input((80, 160, 3))
    large = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
    large = as_network(large, crop=(0.0, 1.0))
    first, second = explorers.occlusion(model, drive), explorers.occlusion(large, drive)
    explorers.tie(first, second)
    top, bottom = first.crop
    assert second.row.value == int(80 * (top + (bottom - top) * 33.5 / 66))
    first.column.value = 150
    assert second.column.value == int(160 * 150.5 / 200)
    assert (first.column.value, first.row.value) == (150, 33)
    second.row.value = 3  # sky, which the first one does not see
    assert first.row.value == 33
