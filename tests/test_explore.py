"""Explorers without a browser: what a hand would do is done to the values of the controls."""

import asyncio
import importlib
import re
import sys
import threading
import traceback
from dataclasses import replace
from functools import wraps
from html import unescape

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from traitlets import TraitError

from steerlib import world
from steerlib.drives import Drive, load_drive, preprocess
from steerlib.maps import METHODS, explain, methods
from steerlib.maps.cam import ledger
from steerlib.maps.grad_cam import grad_cam
from steerlib.maps.hires_cam import hires_cam
from steerlib.maps.hypercolumns import hypercolumns
from steerlib.maps.occlusion import occlude, occlusion_map, occlusion_steps
from steerlib.maps.visual_backprop import visual_backprop
from steerlib.networks.pilotnet import pilotnet, pilotnet_gap
from steerlib.networks.training import predict
from steerlib.show import explorers as explore
from steerlib.show import overlay
from steerlib.show.explorers import explorer as explorer_module
from steerlib.world import LABELS

# Its name in the package is that of the function.
OCCLUSION = importlib.import_module("steerlib.show.explorers.occlusion")
EXPLORERS = ["occlusion", "hypercolumns", "grad_cam", "compare"]


@pytest.fixture(scope="module")
def model():
    """A PilotNet with few channels, for speed."""
    image = x = keras.Input((66, 200, 3))
    for i, stride in enumerate((2, 2, 2, 1, 1), 1):
        start = keras.initializers.HeNormal(i)
        x = keras.layers.Conv2D(4, 3, stride, activation="relu", kernel_initializer=start, name=f"conv{i}")(x)
    x = keras.layers.Dense(1, kernel_initializer=keras.initializers.HeNormal(0))(keras.layers.Flatten()(x))
    return keras.Model(image, x)


@pytest.fixture(autouse=True)
def quick_occlusion(monkeypatch):
    """In place of a map that takes a second, one that depends on the same settings."""

    def steps(_model, image, sizes, stride, fill, _batch_size):
        number = {"mean": 0.3, "blur": 0.6}.get(fill, 0) + stride / 20 + len(sizes) / 10
        yield from [None, cv2.GaussianBlur(image[..., 0], (0, 0), sizes[0]) - np.float32(number)]

    monkeypatch.setattr(OCCLUSION, "occlusion_steps", steps)


@pytest.fixture
def true_occlusion(monkeypatch, quick_occlusion):
    monkeypatch.setattr(OCCLUSION, "occlusion_steps", occlusion_steps)


@pytest.fixture
def replaced(monkeypatch):
    """A function that puts another one in the place of a method; its settings keep their names."""

    def put(name, function):
        monkeypatch.setitem(methods(), name, replace(METHODS[name], make=wraps(METHODS[name].make)(function)))

    return put


@pytest.fixture
def drive():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (4, 16, 28, 3), np.uint8)
    frames = np.stack([cv2.resize(frame, (455, 256), interpolation=cv2.INTER_CUBIC) for frame in small])
    return Drive.from_arrays("rendered", frames, [-20, 3, 12, 41])


def explorer_of(name, model, drive):
    return explore.frames(drive, model) if name == "frames" else getattr(explore, name)(model, drive)


def seen(explorer):
    """Decode the picture that the page shows."""
    return cv2.imdecode(np.frombuffer(explorer.picture.value, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def close(explorer, expected):
    """Whether the upper part of the picture is the expected one, but for what JPEG loses."""
    return np.abs(seen(explorer)[: len(expected)].astype(int) - expected).mean() < 3


@pytest.mark.parametrize("name", ["frames", *EXPLORERS])
def test_another_frame_shows_another_picture_of_the_same_size(name, model, drive):
    explorer = explorer_of(name, model, drive)
    pictures = [explorer.picture.value]
    first, size = seen(explorer), seen(explorer).shape
    for index in (1, 3):
        explorer.frame.value = index
        pictures.append(explorer.picture.value)
        assert seen(explorer).shape == size and size[1] == 900
        angle = predict(model, drive.pictures(model, [index]))[0]
        for text in (
            drive.names[index],
            f"recorded {drive.angles[index]:+.1f}°",
            f"predicted {angle:+.1f}°",
            f"error {angle - drive.angles[index]:+.1f}°",
            " ms",
        ):
            assert text in explorer.readout.value
    assert len(set(pictures)) == 3
    explorer.frame.value = 0
    assert close(explorer, first)
    assert explorer.error.value == ""


CONTROLS = [
    ("frames", {}, "show", "network's input"),
    ("frames", {}, "mirrored", True),
    ("occlusion", {}, "size", 31),
    ("occlusion", {}, "pair", False),
    ("occlusion", {}, "stride", 2),
    ("occlusion", {}, "fill", "mean"),
    ("occlusion", {}, "fill", "blur"),
    ("occlusion", {}, "scale", "this frame"),
    ("occlusion", {}, "style", "magnitude"),
    ("occlusion", {}, "style", "focus"),
    ("occlusion", {"style": "focus"}, "style", "alone"),
    ("occlusion", {"style": "focus"}, "percentile", 70),
    ("occlusion", {"style": "focus"}, "blur", 3),
    ("occlusion", {}, "show", "one window"),
    ("occlusion", {"show": "one window"}, "column", 20),
    ("occlusion", {"show": "one window"}, "row", 9),
    ("occlusion", {"show": "one window"}, "size", 41),
    ("occlusion", {"show": "one window"}, "fill", "blur"),
    *[("hypercolumns", {}, f"conv{i}", False) for i in range(1, 6)],
    ("hypercolumns", {}, "method", "visual-backprop"),
    ("grad_cam", {}, "method", "hires-cam"),
    *[("grad_cam", {}, "layer", layer) for layer in ("conv1", "conv2", "conv4", "conv5")],
    ("grad_cam", {"target": "right"}, "target", "left"),
    ("grad_cam", {"target": "right", "signed": True}, "target", "center"),
    ("grad_cam", {}, "signed", True),
    ("grad_cam", {}, "scale", "this frame"),
    ("compare", {"signed": False}, "target", "left"),
    ("compare", {}, "layer", "conv1"),
    ("compare", {}, "signed", False),
    ("compare", {}, "scale", "whole drive"),
]


@pytest.mark.parametrize(("name", "before", "control", "value"), CONTROLS)
def test_every_control_changes_the_picture(name, before, control, value, model, drive):
    explorer = explorer_of(name, model, drive.subset([2, 3]))
    for other, setting in before.items():
        getattr(explorer, other).value = setting
    first, size = explorer.picture.value, seen(explorer).shape
    getattr(explorer, control).value = value
    assert explorer.picture.value != first
    assert seen(explorer).shape == size


def test_every_control_is_labeled(model, drive):
    for name in ("frames", *EXPLORERS):
        explorer = explorer_of(name, model, drive)
        assert all(control.description for control in (explorer.frame, *explorer.controls.values()))
        assert all(button.tooltip for button in (explorer.back, explorer.forward, explorer.play))
        assert len(explorer.picture.tooltip) > 10
        assert {"value", "format", "tooltip"} <= set(explorer.picture.get_state())  # what a page and `execute` read


def test_occlusion_shows_the_map_of_its_settings(model, drive, true_occlusion):
    explorer = explore.occlusion(model, drive.subset([1]))
    explorer.scale.value = "this frame"
    explorer.fill.value = "blur"
    map = occlusion_map(model, drive.pictures(model, [1])[0], (15, 50), 4, "blur")
    limit = overlay.common_limit([map])
    view = overlay.enlarge(drive.view(1), 900)
    expected = overlay.mark_peaks(overlay.overlay(view, map, limit, True), map, limit)
    assert close(explorer, expected)
    assert not close(explorer, overlay.overlay(view, -map, limit, True))
    explorer.pair.value, explorer.size.value = False, 31
    map = occlusion_map(model, drive.pictures(model, [1])[0], (31,), 4, "blur")
    assert close(explorer, overlay.overlay(view, map, overlay.common_limit([map]), True))
    explorer.style.value = "magnitude"
    assert close(explorer, overlay.overlay(view, abs(map), overlay.common_limit([map]), False))


def test_one_window_is_drawn_where_it_hides_and_its_effect_is_told(model, drive):
    explorer = explore.occlusion(model, drive)
    explorer.show.value, explorer.size.value = "one window", 21
    explorer.column.value, explorer.row.value = 60, 40
    view = overlay.enlarge(drive.view(0), 900)
    black = (seen(explorer)[:297] < 40).all(axis=-1) & (view > 90).any(axis=-1)
    rows, columns = np.nonzero(black)
    assert rows.mean() == pytest.approx(40.5 * 4.5, abs=4) and columns.mean() == pytest.approx(60.5 * 4.5, abs=4)
    image = drive.pictures(model, [0])[0]
    seen_angle, hidden_angle = predict(model, np.stack([image, occlude(image, (40, 60), 21)]))
    effect = seen_angle - hidden_angle
    assert f"{abs(effect):.2f}° to the {'right' if effect > 0 else 'left'}" in explorer.readout.value


@pytest.mark.parametrize(("column", "row"), [(0, 0), (199, 65)])
@pytest.mark.parametrize("size", [9, 59])
def test_a_window_at_the_border(column, row, size, model, drive):
    explorer = explore.occlusion(model, drive.subset([0]))
    explorer.show.value, explorer.size.value = "one window", size
    explorer.column.value, explorer.row.value = column, row
    assert explorer.error.value == "" and seen(explorer).shape == (357, 900, 3)


def test_occlusion_shows_the_controls_of_its_mode_only(model, drive):
    explorer = explore.occlusion(model, drive.subset([0]))
    shown = [name for name, control in explorer.controls.items() if control.layout.display != "none"]
    assert shown == ["show", "size", "fill", "pair", "stride", "style", "scale"]
    explorer.style.value = "focus"
    focused = [name for name, control in explorer.controls.items() if control.layout.display != "none"]
    assert focused == [*shown[:-1], "blur"]  # the page has a slider for the percentile
    explorer.show.value = "one window"
    shown = [name for name, control in explorer.controls.items() if control.layout.display != "none"]
    assert shown == ["show", "size", "fill", "column", "row"]


def test_hypercolumns_multiplies_the_chosen_layers(model, drive):
    explorer = explore.hypercolumns(model, drive)
    for layer in ("conv1", "conv3", "conv4"):
        getattr(explorer, layer).value = False
    map = hypercolumns(model, drive.pictures(model, [0])[0], ("conv2", "conv5"))
    assert close(explorer, overlay.overlay(overlay.enlarge(drive.view(0), 900), map, 1.0, False))
    assert "conv2 × conv5" in explorer.readout.value


def test_the_last_layer_cannot_be_switched_off(model, drive):
    explorer = explore.hypercolumns(model, drive)
    for layer in ("conv1", "conv2", "conv3"):
        getattr(explorer, layer).value = False
    assert not any(getattr(explorer, f"conv{i}").disabled for i in range(1, 6))
    explorer.conv5.value = False
    assert explorer.conv4.disabled
    assert not any(getattr(explorer, layer).disabled for layer in ("conv1", "conv2", "conv3", "conv5"))
    explorer.conv4.value = False  # from Python it can
    assert "layers" in explorer.error.value
    explorer.conv1.value = True
    assert explorer.error.value == "" and explorer.conv1.disabled


@pytest.mark.parametrize(("method", "function"), [("grad-cam", grad_cam), ("hires-cam", hires_cam)])
def test_grad_cam_shows_the_map_of_its_settings(method, function, model, drive):
    explorer = explore.grad_cam(model, drive)
    explorer.method.value, explorer.layer.value, explorer.target.value = method, "conv4", "left"
    explorer.scale.value = "this frame"
    view = overlay.enlarge(drive.view(0), 900)
    map = function(model, drive.pictures(model, [0])[0], "conv4", "left")
    assert close(explorer, overlay.overlay(view, map, overlay.common_limit([map]), False))


def test_grad_cam_begins_where_it_is_told(model, drive):
    explorer = explore.grad_cam(model, drive, frame=2)
    assert explorer.frame.value == explorer.play.value == 2  # the page gives the slider what Play has
    assert str(drive.names[2]) in explorer.readout.value
    before = explorer.picture.value
    explorer.frame.value = 0
    assert explorer.picture.value != before


def test_red_is_right_whether_the_target_is_left_or_right(model, drive):
    explorer = explore.grad_cam(model, drive)
    explorer.method.value, explorer.signed.value, explorer.scale.value = "hires-cam", True, "this frame"
    explorer.target.value = "right"
    right = seen(explorer)
    map = hires_cam(model, drive.pictures(model, [0])[0], target="right", signed=True)
    limit = overlay.common_limit([map])
    expected = overlay.overlay(overlay.enlarge(drive.view(0), 900), map, limit, True)
    assert close(explorer, overlay.mark_peaks(expected, map, limit))
    explorer.target.value = "left"
    assert close(explorer, right)
    assert "Red speaks for right, blue for left" in explorer.readout.value
    explorer.target.value = "center"
    assert "Red speaks for center, blue for away" in explorer.readout.value


def test_a_map_of_zeros_is_said_to_be_one(model, drive, replaced):
    replaced("grad-cam", lambda *_, **__: np.zeros((66, 200), np.float32))
    explorer = explore.grad_cam(model, drive)
    assert "The map is zero" in explorer.readout.value and explorer.error.value == ""


def test_focus_draws_the_map_at_hand_without_asking_again(model, drive, monkeypatch):
    asked = []

    def ask(_model, _image, *settings):
        asked.append(settings)
        return [np.tile(np.linspace(-1, 0.5, 200, dtype=np.float32), (66, 1))]

    monkeypatch.setattr(OCCLUSION, "occlusion_steps", ask)
    explorer = explore.occlusion(model, drive)
    explorer.style.value = "focus"
    asked.clear()
    explorer.percentile.value, explorer.blur.value, explorer.style.value = 80, 20, "alone"
    assert not asked
    picture, view = seen(explorer)[:297].astype(int), overlay.enlarge(drive.view(0), 900).astype(int)
    assert np.abs(picture[:, :150] - view[:, :150]).mean() < 5  # the fifth with the largest effects
    assert picture[:, 210:].max() < 20
    assert "20 %" in explorer.readout.value


def test_visual_backprop_takes_all_layers(model, drive):
    explorer = explore.hypercolumns(model, drive)
    explorer.method.value = "visual-backprop"
    assert all(getattr(explorer, f"conv{i}").disabled for i in range(1, 6))
    map = visual_backprop(model, drive.pictures(model, [0])[0])
    assert close(explorer, overlay.overlay(overlay.enlarge(drive.view(0), 900), map, 1.0, False))
    explorer.method.value = "hypercolumns"
    assert not any(getattr(explorer, f"conv{i}").disabled for i in range(1, 6))


def test_cam_tells_the_account(drive):
    model = pilotnet_gap(seed=2)
    explorer = explore.cam(model, drive)
    map, account = (
        explain(model, drive.pictures(model, [0])[0], "cam").map,
        ledger(model, drive.pictures(model, [0])[0]),
    )
    explorer.scale.value = "this frame"
    limit = overlay.common_limit([map])
    view = overlay.enlarge(drive.view(0), 900)
    assert close(explorer, overlay.mark_peaks(overlay.overlay(view, map, limit, True), map, limit))
    for part in account[:3]:
        assert f"{part:+.1f}°" in explorer.readout.value
    assert "CAM needs" in explore.cam(pilotnet(seed=2), drive).error.value


def test_all_frames_share_a_scale(model, drive, replaced):
    strength = {round(float(drive.pictures(model, [i]).sum())): 10.0**i for i in range(4)}

    def fake(_network, image, **_settings):
        return np.full((66, 200), strength[round(float(image.sum()))], np.float32)

    replaced("grad-cam", fake)
    explorer = explore.grad_cam(model, drive)
    view = overlay.enlarge(drive.view(2), 900)
    explorer.frame.value = 2
    assert close(explorer, overlay.overlay(view, np.full((66, 200), 100.0), 1000.0, False))
    explorer.scale.value = "this frame"
    assert close(explorer, overlay.overlay(view, np.full((66, 200), 100.0), 100.0, False))


def test_frames_darkens_what_the_network_does_not_see(model, drive):
    explorer = explore.frames(drive)
    assert "predicted" not in explorer.readout.value and "recorded -20.0°" in explorer.readout.value
    whole = overlay.enlarge(drive.frame(0), 900).astype(int)
    picture = seen(explorer)[: len(whole)]
    cut = round(106 / 256 * len(whole))
    assert np.abs(picture[cut + 2 :] - whole[cut + 2 :]).mean() < 3
    assert np.abs(picture[: cut - 2] - whole[: cut - 2] // 2).mean() < 3
    assert list(explorer.show.options) == ["whole frame", "network's input"]


def test_frames_shows_labels_where_there_are_some(drive):
    labels = np.full((2, 256, 455), LABELS["asphalt"], np.uint8)
    labels[:, :100] = LABELS["sky"]
    labeled = Drive.from_arrays("labeled", [drive.frame(0), drive.frame(1)], [1, 2], labels)
    explorer = explore.frames(labeled)
    explorer.show.value = "labels"
    blue, gray = overlay.colorize_labels(np.array([[LABELS["sky"], LABELS["asphalt"]]], np.uint8), LABELS)[0]
    picture = seen(explorer).astype(int)
    assert np.abs(picture[20, 450] - blue).max() < 8 and np.abs(picture[350, 450] - gray).max() < 8


@pytest.mark.parametrize("name", ["frames", *EXPLORERS])
def test_a_drive_of_one_frame(name, model, drive):
    explorer = explorer_of(name, model, drive.subset([2]))
    before = explorer.picture.value
    assert (explorer.frame.min, explorer.frame.max) == (0, 0)
    for button in (explorer.forward, explorer.back):
        button.click()
        assert explorer.frame.value == 0
    assert explorer.picture.value == before and explorer.error.value == ""


@pytest.mark.parametrize("name", ["frames", *EXPLORERS])
def test_a_drive_without_frames_is_refused(name, model, drive):
    with pytest.raises(ValueError, match="'rendered' has no frame"):
        explorer_of(name, model, drive.subset([]))


@pytest.mark.parametrize("name", ["hypercolumns", "grad_cam"])
def test_a_model_without_convolutions_gives_a_message(name, drive):
    image = keras.Input((66, 200, 3))
    dense = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)), name="flat")
    assert "'flat' has no convolution" in unescape(explorer_of(name, dense, drive).error.value)


def test_buttons_step_and_stop_at_the_ends(drive):
    explorer = explore.frames(drive)
    for expected in (1, 2, 3, 3):
        explorer.forward.click()
        assert explorer.frame.value == expected
    for expected in (2, 1, 0, 0):
        explorer.back.click()
        assert explorer.frame.value == expected


def test_what_is_out_of_range_cannot_be_chosen(model, drive):
    explorer = explore.occlusion(model, drive)
    explorer.frame.value = 99
    assert explorer.frame.value == 3
    explorer.show.value = "one window"
    explorer.row.value, explorer.column.value = 66, -1
    assert (explorer.row.value, explorer.column.value) == (65, 0)
    assert explorer.size.min >= max(explorer.stride.options)  # a wider stride would leave pixels out
    with pytest.raises(TraitError):
        explorer.stride.value = 3
    assert explorer.error.value == ""


@pytest.fixture
def broken(drive, monkeypatch):
    """Make a frame of the drive unreadable."""
    read, lost = drive.frame, []

    def frame(index):
        if index in lost:
            raise ValueError(f"<b>{index}.jpg</b> is truncated")
        return read(index)

    monkeypatch.setattr(drive, "frame", frame)
    return lost.append


@pytest.mark.parametrize("name", ["frames", *EXPLORERS])
def test_a_frame_that_cannot_be_read_gives_a_message(name, model, drive, broken, caplog):
    broken(2)
    explorer = explorer_of(name, model, drive)
    before, size = seen(explorer), seen(explorer).shape
    explorer.frame.value = 2
    assert 'role="alert"' in explorer.error.value
    assert "ValueError: &lt;b&gt;2.jpg&lt;/b&gt; is truncated" in explorer.error.value
    assert explorer.readout.value == explorer.code.value == "" and explorer.picture.tooltip == "no picture"
    assert seen(explorer).shape == size and np.ptp(seen(explorer)) < 5  # blank, and the page does not jump
    assert explorer.map is None
    explorer.frame.value = 0
    assert close(explorer, before) and explorer.error.value == ""


@pytest.mark.parametrize("name", ["frames", *EXPLORERS])
def test_the_first_frame_cannot_be_read(name, model, drive, broken):
    size = seen(explorer_of(name, model, drive)).shape
    broken(0)
    explorer = explorer_of(name, model, drive)
    assert "0.jpg" in explorer.error.value and seen(explorer).shape == size
    explorer.forward.click()
    assert explorer.error.value == "" and seen(explorer).shape == size
    for index in (1, 2, 3):
        broken(index)
    assert "0.jpg" in explorer_of(name, model, drive).error.value


@pytest.mark.parametrize(
    ("name", "method"), [("occlusion", None), ("hypercolumns", "hypercolumns"), ("grad_cam", "grad-cam")]
)
def test_an_exception_in_a_method_is_shown_and_logged(name, method, model, drive, monkeypatch, replaced):
    def fail(*_arguments, **_settings):
        raise ArithmeticError("no such luck")

    explorer, logged = explorer_of(name, model, drive), []
    monkeypatch.setattr(explorer.log, "exception", lambda *_: logged.append(traceback.format_exc()))
    if method is None:
        monkeypatch.setattr(OCCLUSION, "occlusion_steps", fail)
    else:
        replaced(method, fail)
    explorer.frame.value = 1
    assert "ArithmeticError: no such luck" in explorer.error.value
    assert len(logged) == 1 and "in fail" in logged[0]


def copied(explorer, **names):
    """Run the lines that an explorer shows; give their names and the pictures that Matplotlib was asked to show."""
    code, pictures = unescape(re.search("<pre.*?>(.*)</pre>", explorer.code.value, re.DOTALL)[1]), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plt, "imshow", lambda picture: pictures.append(picture))
        exec(code, names)
    plt.close("all")
    return names, pictures


CODES = [
    ("occlusion", {}),
    ("occlusion", {"scale": "this frame", "fill": "mean", "pair": False, "size": 31}),
    ("occlusion", {"style": "magnitude"}),
    ("occlusion", {"style": "focus", "percentile": 80}),
    ("occlusion", {"style": "alone", "blur": 3}),
    ("hypercolumns", {"conv3": False}),
    ("hypercolumns", {"method": "visual-backprop"}),
    ("grad_cam", {"layer": "conv2", "target": "left"}),
    ("grad_cam", {"method": "hires-cam", "signed": True, "target": "left", "scale": "this frame"}),
]


@pytest.mark.parametrize(("name", "settings"), CODES)
def test_the_copied_lines_make_the_map_and_the_picture(name, settings, model, drive, true_occlusion):
    explorer = explorer_of(name, model, drive)
    for control, value in {"frame": 1, **settings}.items():
        getattr(explorer, control).value = value
    names, (picture,) = copied(explorer, network=model, drive=drive)
    np.testing.assert_allclose(names["shown"].map, explorer.map, atol=1e-4)
    assert close(explorer, picture)
    other, _ = copied(explorer, network=model, drive=drive.subset([0, 2]))
    assert not np.allclose(other["shown"].map, explorer.map, atol=1e-4)


def test_the_copied_lines_hide_the_window(model, drive, capsys):
    explorer = explore.occlusion(model, drive)
    explorer.show.value, explorer.column.value, explorer.row.value = "one window", 60, 40
    _, (picture,) = copied(explorer, network=model, drive=drive)
    assert close(explorer, picture)
    effect = float(re.search(r"\[ *(.*?)\]", capsys.readouterr().out)[1])
    assert f"{abs(effect):.2f}° to the {'right' if effect > 0 else 'left'}" in explorer.readout.value


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_copied_lines_show_the_frame(mirrored, drive):
    explorer = explore.frames(drive)
    explorer.mirrored.value, explorer.frame.value = mirrored, 2
    _, (picture,) = copied(explorer, drive=drive)
    assert np.array_equal(picture, drive.frame(2)[:, :: -1 if mirrored else 1])
    explorer.show.value = "network's input"
    _, (picture,) = copied(explorer, drive=drive)
    np.testing.assert_allclose(picture, drive.pixels([2])[0][:, :: -1 if mirrored else 1] / 255, atol=0.01)


def test_the_copied_lines_know_the_notebooks_names(model, drive, monkeypatch):
    notebook = type("Shell", (), {"user_ns": {"_1": model, "net": model, "road": drive}})
    monkeypatch.setattr(explorer_module, "get_ipython", notebook)
    explorer = explore.grad_cam(model, drive)
    names, _ = copied(explorer, net=model, road=drive)
    np.testing.assert_allclose(names["shown"].map, explorer.map, atol=1e-4)


def test_a_mirrored_frame_has_the_mirrored_angle(model, drive):
    explorer = explore.frames(drive, model)
    explorer.mirrored.value = True
    angle = predict(model, preprocess(np.ascontiguousarray(drive.frame(0)[:, ::-1]))[np.newaxis])[0]
    assert f"recorded +20.0°, predicted {angle:+.1f}°" in explorer.readout.value
    whole = overlay.enlarge(drive.frame(0), 900)[:, ::-1].astype(int)
    assert np.abs(seen(explorer)[300:500] - whole[300:500]).mean() < 3


def test_compare_shows_every_method_that_suits_the_network(model, drive):
    explorer = explore.compare(model, drive)
    assert list(explorer.map) == [name for name in METHODS if name != "cam"]
    assert list(explore.compare(pilotnet_gap(seed=2), drive).map) == list(METHODS)
    for scale in ("this frame", "whole drive"):
        explorer.scale.value, explorer.frame.value = scale, 1
        names, pictures = copied(explorer, network=model, drive=drive)
        assert len(pictures) == len(explorer.map)
        np.testing.assert_allclose(names["shown"].map, list(explorer.map.values())[-1], atol=1e-4)
    limits = {}
    for name, map in explorer.map.items():
        found = [explain(model, image, name, stride=8, signed=True) for image in drive.pictures(model)]
        np.testing.assert_allclose(map, found[1].map, atol=1e-4)
        limits[name] = overlay.common_limit([one.density().map for one in found])
    assert str({name: float(f"{limit:.6g}") for name, limit in limits.items()}) in unescape(explorer.code.value)


def test_compare_shows_one_method_after_the_other(model, drive, on_the_page):
    explorer, seen_maps = explore.compare(model, drive), []
    explorer.picture.observe(lambda _: seen_maps.append(list(explorer.map)), "value")
    on_the_page(explorer, (0, "frame", 1))
    counts = [len(maps) for maps in seen_maps]
    assert counts == list(range(len(explorer.map) + 1))


def test_a_network_without_convolutions_has_the_methods_that_need_none(drive):
    image = keras.Input((66, 200, 3))
    dense = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)), name="flat")
    with pytest.warns(UserWarning, match="without shortcuts"):
        explorer = explore.compare(dense, drive)
    needless = ["occlusion", "erasure", "gradient-times-input", "integrated-gradients", "smooth-grad"]
    assert list(explorer.map) == needless and explorer.error.value == ""


@pytest.fixture(scope="module")
def road():
    return world.Scene(2003)


def test_the_car_can_be_moved_and_things_taken_away(model, road):
    other = keras.models.clone_model(model)
    other.set_weights([0.7 * weights for weights in model.get_weights()])
    explorer = explore.driving({"one": model, "other": other}, road, display=True)
    explorer.frame.value = 60
    for control, value in {"offset": 0.8, "heading": -2.0, "lie": 25.0}.items():
        before = explorer.picture.value
        getattr(explorer, control).value = value
        assert explorer.picture.value != before and not explorer.error.value, control
    pose = world.Pose(130.0, 0.8, np.radians(-2.0))
    seen_by = {}
    for gone in ((), ("center_line",), ("center_line", "display")):
        for name in gone:
            getattr(explorer, name).value = False
        image = road.render(pose, (66, 200), [name for name in gone if name != "display"], (106 / 256, 1.0))[0]
        if "display" not in gone:
            image = world.show_wheel(image[None], [road.steering(pose) + 25])[0]
        seen_by[gone] = predict(model, image[None] / np.float32(255))[0]
        assert f"network {seen_by[gone]:+.1f}°" in explorer.readout.value
        assert f"reference {road.steering(pose):+.1f}°" in explorer.readout.value
    everything = road.render(pose, (66, 200), crop=(106 / 256, 1.0))[0]
    everything = world.show_wheel(everything[None], [road.steering(pose) + 25])[0] / np.float32(255)
    found = explain(model, everything, "integrated-gradients")
    assert np.allclose(explorer.map, found.map, atol=1e-4)
    gone = np.abs(everything - image / np.float32(255)).max(axis=-1) > 0.02
    assert f"the map promised {-found.map[gone].sum():+.1f}°" in explorer.readout.value
    change = seen_by["center_line", "display"] - seen_by[()]
    assert f"turned the wheel by {change:+.1f}°" in explorer.readout.value
    explorer.driver.value = "other"
    assert f"network {seen_by['center_line', 'display']:+.1f}°" not in explorer.readout.value


def test_the_copied_lines_make_the_map_of_a_road(model, road):
    explorer = explore.driving(model, road, display=True)
    for control, value in {"frame": 60, "offset": -0.7, "lie": 10.0, "method": "hires-cam"}.items():
        getattr(explorer, control).value = value
    names, (picture,) = copied(explorer, network=model)
    np.testing.assert_allclose(names["shown"].map, explorer.map, atol=1e-3)
    assert picture.shape == (297, 900, 3)
    assert "promises no sum" not in explorer.readout.value  # nothing is taken away
    explorer.edge_lines.value = False
    assert "promises no sum" in explorer.readout.value


def test_without_a_display_there_is_nothing_that_lies(model, road):
    explorer = explore.driving(model, road)
    assert "lie" not in explorer.controls and "display" not in explorer.controls and not explorer.error.value


@pytest.fixture
def on_the_page(monkeypatch):
    """A function that changes values as a hand on the page does, all in one go, and waits for the last picture."""

    def change(explorer, *changes):
        async def run():
            for seconds, control, value in changes:
                await asyncio.sleep(seconds)
                getattr(explorer, control).value = value
            while not explorer._task.done():
                await asyncio.sleep(0.001)

        with monkeypatch.context() as page:
            page.setattr(explorer_module, "_page_asks", lambda: True)
            asyncio.run(run())

    return change


def steps_of(explorer, count):
    """Let an explorer draw so many steps for each value, and note what is drawn."""
    drawn = []

    def draw(scene, **_values):
        for step in range(count):
            drawn.append((scene.index, step))
            picture = np.full((60, 900, 3), 50 * scene.index, np.uint8)
            yield explore.Drawing(picture, None, f"step {step}", "")

    explorer._draw = draw
    return drawn


def test_newer_values_replace_older_ones(drive, on_the_page, monkeypatch):
    explorer = explore.frames(drive)
    monkeypatch.setattr(explorer_module, "PAUSE", 0.2)  # longer than a busy machine takes from one value to the next
    drawn = steps_of(explorer, 1)
    on_the_page(explorer, *((0, "frame", value) for value in (1, 2, 3, 1, 2)))
    assert drawn == [(2, 0)]
    on_the_page(explorer, (0, "frame", 1), (0.5, "frame", 3))
    assert drawn == [(2, 0), (1, 0), (3, 0)]


def test_newer_values_end_what_older_ones_began(drive, on_the_page):
    explorer = explore.frames(drive)
    drawn = steps_of(explorer, 50)
    on_the_page(explorer, (0, "frame", 1), (0.02, "frame", 2))
    steps = [step for index, step in drawn if index == 1]
    assert 0 < len(steps) < 50
    assert drawn[len(steps) :] == [(2, step) for step in range(50)]
    assert "step 49" in explorer.readout.value and explorer.frame.value == 2


def test_a_cell_has_the_last_word_while_the_page_is_drawn(drive, on_the_page):
    explorer = explore.frames(drive)
    drawn = steps_of(explorer, 50)

    async def run():
        explorer_module._page_asks = lambda: True
        explorer.frame.value = 1
        await asyncio.sleep(0.02)
        explorer_module._page_asks = lambda: False
        explorer.frame.value = 3
        assert "step 49" in explorer.readout.value  # the next line of the cell finds the finished picture
        await explorer._task

    page_asks = explorer_module._page_asks
    try:
        asyncio.run(run())
    finally:
        explorer_module._page_asks = page_asks
    assert drawn[-1] == (3, 49) and (1, 49) not in drawn


def test_an_error_on_the_page_is_a_message_and_the_next_value_is_drawn(model, drive, broken, on_the_page):
    broken(2)
    explorer = explore.grad_cam(model, drive)
    on_the_page(explorer, (0, "frame", 2))
    assert "2.jpg" in explorer.error.value
    on_the_page(explorer, (0, "frame", 1))
    assert explorer.error.value == "" and drive.names[1] in explorer.readout.value


def test_occlusion_shows_a_coarse_map_first(model, drive, true_occlusion, on_the_page):
    explorer = explore.occlusion(model, drive)
    explorer.scale.value = "this frame"
    shown = []
    explorer.readout.observe(lambda change: shown.append((change["new"], explorer.map)), "value")
    on_the_page(explorer, (0, "frame", 1))
    (coarse, first), (fine, _) = shown
    assert "Coarse: a window every 15 pixels" in coarse and "Coarse" not in fine
    np.testing.assert_allclose(first, occlusion_map(model, drive.pictures(model, [1])[0], (15, 50), 15), atol=1e-4)
    np.testing.assert_allclose(
        explorer.map, occlusion_map(model, drive.pictures(model, [1])[0], (15, 50), 4), atol=1e-4
    )


def test_a_closed_explorer_stops_and_leaves_nothing(drive, on_the_page):
    explorer, threads = explore.frames(drive), threading.active_count()
    drawn = steps_of(explorer, 50)
    explorer.picture.observe(lambda _: explorer.close(), "tooltip")
    on_the_page(explorer, (0, "frame", 1))
    assert 0 < len(drawn) < 50
    assert explorer.comm is explorer.frame.comm is explorer.show.comm is explorer.code.comm is None
    for _ in range(100):
        explore.frames(drive).close()
    assert threading.active_count() == threads


def test_explorers_run_with_the_true_network_on_a_recorded_drive(real_drives, true_occlusion):
    model, drive = pilotnet(seed=3), load_drive(real_drives / "udacity-sim").subset([0, 180])
    for name in ("frames", *EXPLORERS):
        explorer = explorer_of(name, model, drive)
        before = explorer.picture.value
        explorer.frame.value = 1
        assert explorer.picture.value != before and explorer.error.value == ""


def test_an_explorer_is_found_by_its_file(tmp_path, monkeypatch):
    text = "from steerlib.show.explorers.explorer import Explorer\n\n\ndef wheel(drive):\n    return Explorer\n"
    (tmp_path / "wheel.py").write_text(text)
    monkeypatch.setattr(explore, "__path__", [*explore.__path__, str(tmp_path)])
    found = explore.collect()
    assert found["wheel"](None) is explore.Explorer
    assert all(getattr(explore, name) is function for name, function in found.items() if name != "wheel")
    del explore.wheel, sys.modules["steerlib.show.explorers.wheel"]
