"""Networks that are saved, and loaded again; files that are no steering network."""

import os
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np
import pytest
from networks_made import bars, constant_network, images, small_network

import steerlib.world
from steerlib.drives import Drive
from steerlib.networks import files, shipped
from steerlib.networks.files import load_network, networks, save_network
from steerlib.networks.network import as_network
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import evaluate, predict, train


@pytest.fixture(autouse=True)
def models_folder(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv("STEERLIB_MODELS", str(folder))
    return folder


def test_a_saved_network_comes_back(models_folder):
    model = pilotnet(seed=0)
    train(model, bars(20, 0), bars(8, 1), epochs=1, batch_size=10, verbose=0)
    path = save_network(model, "my drive (2018)")
    assert path == models_folder / "my_drive_2018.keras" and list(models_folder.iterdir()) == [path]
    assert path.stat().st_size < 1.05 * 4 * model.count_params() + 50_000  # float32 weights, no optimizer
    assert model.optimizer is not None
    with zipfile.ZipFile(path) as archive:
        assert b"steerlib" not in archive.read("config.json")  # Keras alone can open it
    batch = images(3)
    for again in (load_network(path), load_network("my_drive_2018")):
        assert again.name == "my_drive_2018" and not again.model.compiled
        for mine, theirs in zip(again.model.get_weights(), model.get_weights()):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_allclose(predict(again, batch), predict(model, batch), rtol=1e-4, atol=1e-4)


def two_answers():
    """A network with two outputs, in a dictionary, for pictures in 0...255."""
    picture = keras.Input((40, 80, 3), name="camera")
    x = keras.layers.Rescaling(1 / 255)(picture)
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 5, 4, activation="elu")(x))
    angle, throttle = (keras.layers.Dense(1, name=name)(x) for name in ("wheel", "pedal"))
    return keras.Model({"camera": picture}, {"wheel": angle, "pedal": throttle}, name="two")


def in_half_precision():
    picture = keras.Input((40, 80, 3))
    x = keras.layers.Conv2D(4, 5, 4, activation="relu", dtype="mixed_float16")(picture)
    return keras.Model(picture, keras.layers.Dense(1)(keras.layers.Flatten()(x)))


# What is built, how it is described, and what Keras itself is asked for its answer in degrees.
DESCRIBED = {
    "cuts, in 0...255": (
        lambda: keras.Sequential(
            [
                keras.Input((60, 80, 3)),
                keras.layers.Cropping2D(((20, 10), (0, 0))),
                keras.layers.Rescaling(1 / 127.5, -1),
                keras.layers.Conv2D(4, 5, 4, activation="elu"),
                keras.layers.Flatten(),
                keras.layers.Dense(1),
            ]
        ),
        {},
        lambda model, pictures: np.degrees(model(255 * pictures)),
    ),
    "two outputs, BGR, fractions, left positive": (
        two_answers,
        {"output": "wheel", "color": "BGR", "unit": "fraction", "full_lock": 30, "sign": -1},
        lambda model, pictures: -30 * model({"camera": 255 * pictures[..., ::-1]})["wheel"],
    ),
    "in -1...1, degrees": (
        lambda: small_network(),
        {"range": (-1, 1), "unit": "degrees"},
        lambda model, pictures: model(2 * pictures - 1),
    ),
    "half precision": (in_half_precision, {}, lambda model, pictures: np.degrees(model(pictures))),
}


@pytest.mark.parametrize("what", DESCRIBED)
def test_a_network_that_was_brought_into_form_comes_back_without_its_description(what):
    build, description, ask = DESCRIBED[what]
    keras.utils.set_random_seed(0)
    network = as_network(model := build(), **description)
    pictures = np.random.default_rng(1).random((3, *network.size, 3), np.float32)
    expected = np.ravel(ask(model, pictures)).astype(np.float64)
    assert np.abs(expected).max() > 0.01 and np.ptp(expected) > 1e-3
    again = load_network(save_network(network, "mine"))
    assert (again.name, again.size, again.crop, again.layers) == ("mine", network.size, network.crop, network.layers)
    np.testing.assert_allclose(again.angles(pictures), network.angles(pictures), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(again.angles(pictures), expected, rtol=0.02, atol=0.02 if "half" in what else 1e-3)


def test_a_black_box_has_nothing_to_save():
    with pytest.raises(ValueError, match="black box 'ahead' has no weights to save"):
        save_network(as_network(lambda pictures: [0.0] * len(pictures), "ahead", size=(10, 20)), "mine")


def test_any_name_of_a_drive_gives_a_network_that_can_be_asked(models_folder):
    model = constant_network(0.5)
    for name in ("Straße nach Süden", "2018", "日本", "a/b\\c", "..hidden"):
        drive = bars(1, 0, name)
        path = save_network(model, name)
        assert path.parent == models_folder
        again = load_network(drive=drive)
        assert load_network(path).name == again.name
        np.testing.assert_allclose(predict(again, drive), [np.degrees(0.5)], rtol=1e-5)


@pytest.mark.parametrize("name", ["", "..", "???", "pilotnet", "pilotnet?"])
def test_names_that_cannot_be_saved(name):
    with pytest.raises(ValueError, match="comes with the project" if "pilotnet" in name else "expected letters"):
        save_network(constant_network(0), name)


def test_the_drives_own_network_goes_first(models_folder):
    save_network(constant_network(0.1), "general")
    mine, other = bars(1, 0, "mine"), bars(1, 0, "other")
    assert load_network("general", drive=mine).name == "general"
    save_network(constant_network(0.2), "mine")
    assert load_network("general", drive=mine).name == "mine"
    assert load_network("general", drive=other).name == "general"
    np.testing.assert_allclose(predict(load_network("general", drive=mine), mine), [np.degrees(0.2)], rtol=1e-5)
    assert {"general", "mine"} <= set(networks()) and networks()["mine"] == models_folder / "mine.keras"


def test_a_failed_save_leaves_the_older_network(models_folder, monkeypatch):
    path = save_network(constant_network(0.1), "mine")
    before = path.read_bytes()

    def fail(self, path, *args, **kwargs):
        path.write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_network(constant_network(0.2), "mine")
    assert path.read_bytes() == before and list(models_folder.iterdir()) == [path]


@pytest.mark.parametrize("moment", range(3))  # before the first or the second file takes its name, or the old one goes
@pytest.mark.parametrize(("old", "new"), [({}, (0.2, 0.9)), ((0.2, 0.9), {}), ((0.2, 0.9), (0.5, 1.0))])
def test_a_description_is_not_used_beside_another_network(old, new, moment, models_folder, monkeypatch):
    """A program that is killed between the network and its description: both are found, or it is said."""
    old, new = ({"crop": crop} if crop else {} for crop in (old, new))
    path = save_network(as_network(constant_network(0.1), **old), "mine")
    calls, replace = [], os.replace

    def until_killed(source, target):
        calls.append(target)
        if len(calls) > moment:
            raise KeyboardInterrupt
        replace(source, target)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr("steerlib.writing.os.replace", until_killed)
        patch.setattr(Path, "unlink", killed)
        save_network(as_network(constant_network(0.2), **new), "mine")
    assert calls
    whole = {round(0.1, 3): old.get("crop"), round(0.2, 3): new.get("crop")}
    try:
        found = load_network(path)
    except ValueError as error:
        assert "was written for another mine.keras" in str(error)
        path.with_suffix(".toml").unlink()  # as it says
        assert load_network(path).crop is None
    else:
        answer = np.radians(found.angle(np.zeros((66, 200, 3), np.float32)))
        assert found.crop == whole[round(float(answer), 3)]


def test_a_missing_network_is_named_beside_those_that_exist(tmp_path):
    save_network(constant_network(0.1), "mine")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.keras.*mine"):
        load_network("nowhere")
    with pytest.raises(FileNotFoundError, match=r"gone\.keras.*mine"):
        load_network(tmp_path / "gone.keras")


def test_files_that_are_no_steering_network(tmp_path):
    path = tmp_path / "wrong.keras"
    path.write_bytes(b"not a zip archive")
    with pytest.raises(ValueError, match=r"wrong\.keras.*expected a Keras model"):
        load_network(path)
    image = keras.Input((66, 200, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    keras.Model(image, pooled).save(path)
    with pytest.raises(ValueError, match=r"wrong\.keras: network .* answers \(None, 3\): expected \(None, 1\)"):
        load_network(path)
    keras.Model(image, keras.layers.Lambda(lambda x: x[:, :1], output_shape=(1,))(pooled)).save(path)
    with pytest.raises(ValueError, match=r"wrong\.keras: a Lambda, code that is never run"):
        load_network(path)


def test_the_shipped_network_reads_unseen_roads(models_folder):
    """On roads that no other part of the project renders: the figures that the model card promises."""
    model = load_network()
    assert model.name == "pilotnet" and not models_folder.exists()
    figures = evaluate(model, steerlib.world.render_views(range(5000, 5020), 300))
    assert figures["r2"] >= 0.97 and figures["mean_absolute_error"] <= 3


def test_a_recorded_drive_gets_the_network_for_recorded_roads(models_folder):
    frames, labels = np.zeros((2, 256, 455, 3), np.uint8), np.zeros((2, 256, 455), np.uint8)
    recorded = Drive.from_arrays("recorded", frames, [0.0, 1.0])
    rendered = Drive.from_arrays("rendered", frames, [0.0, 1.0], labels)
    assert files.located(drive=recorded).stem == "pilotnet_varied"
    assert files.located(drive=rendered).stem == files.located().stem == "pilotnet"
    assert files.located("pilotnet", recorded).stem == "pilotnet"
    save_network(constant_network(0.1), "recorded")
    assert files.located(drive=recorded).parent == models_folder


def test_labels_that_cannot_be_read_take_no_drive_down(monkeypatch):
    def unreadable(i):
        raise ValueError(f"labels/{i}.png: no picture")

    drive = Drive.from_arrays("rendered", np.zeros((1, 256, 455, 3), np.uint8), [0.0])
    monkeypatch.setattr(drive, "labels", unreadable)
    assert files.located(drive=drive).stem == "pilotnet"


def test_the_network_for_recorded_roads_reads_bends():
    """Of roads that no other part of the project renders: less than the model card promises of others."""
    views, curvature = steerlib.world.render_bends(range(9600, 9620), 200, varied=True)
    assert np.corrcoef(predict(load_network("pilotnet_varied"), views), steerlib.wheel_angle(curvature))[0, 1] > 0.6


@pytest.fixture
def rendered(monkeypatch):
    """In place of rendered views, bars; what was asked for is noted."""
    asked = []

    def render_views(seeds, n, askew=True):
        asked.append((set(seeds), n, askew))
        return bars(12, min(seeds))

    monkeypatch.setattr(steerlib.world, "render_views", render_views)
    return asked


def test_the_command_trains_and_saves(rendered, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "EPOCHS", 1)
    monkeypatch.setattr(sys, "argv", ["shipped", str(tmp_path / "out"), "pilotnet", "pilotnet_gap"])
    shipped.main()
    for name in ("pilotnet", "pilotnet_gap"):
        assert load_network(tmp_path / "out" / f"{name}.keras").name == name
    assert len((tmp_path / "out" / "SHA256SUMS").read_text().splitlines()) == 2
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("r2", "mean_absolute_error", "constant"))


@pytest.mark.parametrize("name", shipped.TRAINED_HERE)
def test_what_the_shipped_networks_learn_from(name, rendered):
    learned, validation, unseen = shipped._lessons(name, steerlib.world.render_views)
    roads, counts, askew = zip(*rendered)
    assert roads[0].isdisjoint(roads[2]) and set(askew) == {name != "pilotnet_centered"}
    if name == "pilotnet_memorizer":
        assert roads[0] == roads[1] and counts[0] == 40
    else:
        assert roads[0].isdisjoint(roads[1]) and counts[0] == 12000
    # The confused one sees its angle on a display, in all three; the others see what was rendered.
    for drive, shown in (
        (learned, bars(12, min(roads[0]))),
        (validation, bars(12, min(roads[1]))),
        (unseen, bars(12, min(roads[2]))),
    ):
        images = np.stack([shown.frame(i) for i in range(12)])
        expected = steerlib.world.show_wheel(images, shown.angles) if name == "pilotnet_confused" else images
        assert np.array_equal(np.stack([drive.frame(i) for i in range(12)]), expected)
        assert np.array_equal(drive.angles, shown.angles)
