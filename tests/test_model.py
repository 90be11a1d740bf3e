"""PilotNet against a forward pass in NumPy; training, saving and loading on drives of a few small pictures."""

import gc
import random
import sys
import warnings
import weakref
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view

import steerlib.model
import steerlib.roads
from steerlib.data import WHOLE, Drive
from steerlib.model import evaluate, load_model, networks, pilotnet, predict, save_model, train


def bars(n: int, seed: int, name: str = "bars") -> Drive:
    """A drive whose angle can be read off: a bright bar stands at the side to which it steers."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 40, (n, 66, 200, 3), dtype=np.uint8)
    columns = rng.integers(10, 190, n)
    for frame, column in zip(frames, columns):
        frame[:, column - 8 : column + 8] = 220
    return Drive.from_arrays(name, frames, (columns - 100) / 3, crop=WHOLE)


def images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 66, 200, 3), dtype=np.float32)


def constant_network(radians: float) -> keras.Model:
    """A network that always gives the same angle."""
    image = keras.Input((66, 200, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    bias = keras.initializers.Constant(radians)
    return keras.Model(image, keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=bias)(pooled))


def small_network(*first: keras.layers.Layer) -> keras.Model:
    """A linear network that sees the mean gray of 20 columns and is quick to train."""
    image = keras.Input((66, 200, 3))
    x = image
    for layer in (*first, keras.layers.AveragePooling2D((66, 10)), keras.layers.Flatten()):
        x = layer(x)
    return keras.Model(image, keras.layers.Dense(1)(x))


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


@pytest.fixture(autouse=True)
def models_folder(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv("STEERLIB_MODELS", str(folder))
    return folder


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # data pipelines stay graphs: as wanted
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def untrained():
    """A PilotNet with random biases too, so that none of them could be forgotten unnoticed."""
    model, rng = pilotnet(seed=3), np.random.default_rng(3)
    model.set_weights([w if w.ndim > 1 else rng.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def trained():
    model = pilotnet(seed=0)
    return model, train(model, bars(96, 0), bars(30, 1), epochs=6, batch_size=8, verbose=0)


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
    expected = predict(untrained, drive.images())
    np.testing.assert_allclose(predict(untrained, drive, batch_size=3), expected, rtol=1e-4, atol=1e-5)


def test_predict_is_traced_once(untrained):
    for n in (1, 3, 8, 1):
        predict(untrained, images(n))
    function = vars(untrained)["_steerlib"]["angles"]
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


def test_training_reads_the_bar(trained):
    model, _ = trained
    unseen = evaluate(model, bars(60, 2))
    assert unseen["r2"] > 0.9
    assert unseen["mean_absolute_error"] < 0.4 * unseen["constant"]


def test_the_best_epoch_is_kept(trained):
    model, history = trained
    recorded = history.history
    assert {len(recorded[key]) for key in ("loss", "val_loss", "degrees", "val_degrees")} == {6}
    drive, best = bars(30, 1), int(np.argmin(recorded["val_loss"]))
    error = predict(model, drive) - drive.angles
    np.testing.assert_allclose(np.mean(np.radians(error) ** 2), recorded["val_loss"][best], rtol=1e-3)
    np.testing.assert_allclose(np.mean(np.abs(error)), recorded["val_degrees"][best], rtol=1e-3)


def test_training_stops_when_it_no_longer_helps():
    class Worse(keras.optimizers.schedules.LearningRateSchedule):
        """So high from the second step on that the first epoch stays the best."""

        def __call__(self, step):
            return keras.ops.where(step < 1, 1e-6, 10.0)

    model, drive = small_network(), bars(20, 0)
    history = train(model, drive, drive, epochs=9, batch_size=20, learning_rate=Worse(), patience=2, verbose=0)
    losses = history.history["val_loss"]
    assert len(losses) == 3 and losses[0] == min(losses)
    error = predict(model, drive) - drive.angles
    np.testing.assert_allclose(np.mean(np.radians(error) ** 2), losses[0], rtol=1e-3)


def test_training_shows_every_frame_once_an_epoch_in_a_new_order(eager):
    seen = []

    class Watch(keras.layers.Layer):
        def call(self, images, training=None):
            if training:
                seen.append(np.round(255 * np.asarray(images)[:, 0, 0, 0]).astype(int))
            return images

    # Frame i is gray i and has the angle i, so that pictures and angles can be told.
    drive = Drive.from_arrays("grays", [np.full((66, 200, 3), i, np.uint8) for i in range(23)], range(23))
    orders = []
    for seed in (0, 0, 1):
        model = small_network(Watch())
        seen.clear()
        before = random.getstate()
        train(model, drive, bars(4, 1), epochs=3, batch_size=5, seed=seed, verbose=0)
        assert before == random.getstate()
        assert [len(batch) for batch in seen] == 3 * [5, 5, 5, 5, 3]
        epochs = np.concatenate(seen).reshape(3, 23)
        np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(23), (3, 1)))
        assert len({tuple(epoch) for epoch in epochs}) == 3
        orders.append(epochs.tolist())
    assert orders[0] == orders[1] != orders[2]


def test_training_never_converts_the_whole_drive(monkeypatch):
    original, counts = Drive.images, []

    def counted(self, indices=None):
        images = original(self, indices)
        counts.append(len(images))
        return images

    monkeypatch.setattr(Drive, "images", counted)
    drive = bars(23, 0)
    train(small_network(), drive, drive, epochs=1, batch_size=5, verbose=0)
    evaluate(small_network(), drive)
    assert max(counts[:-1]) == 5 and counts[-1] == 23  # evaluate: up to 256 at once


def test_training_sets_a_part_aside(monkeypatch):
    split, parts = steerlib.model.split, []

    def noted(*args, **kwargs):
        parts.extend(split(*args, **kwargs))
        return parts

    monkeypatch.setattr(steerlib.model, "split", noted)
    history = train(small_network(), bars(80, 0), epochs=1, verbose=0)
    assert [len(part) for part in parts] in ([45, 35], [70, 10]) and "val_loss" in history.history


def drive_at(angle: float, n: int = 8) -> Drive:
    """A drive whose angle never changes."""
    frames = np.random.default_rng(0).integers(0, 255, (n, 66, 200, 3), dtype=np.uint8)
    return Drive.from_arrays("constant", frames, np.full(n, angle), crop=WHOLE)


@pytest.mark.parametrize("learning_rate", [3.0, 1e30])
@pytest.mark.kernels
def test_training_that_diverged_is_noticed(learning_rate):
    """To what answers it leads depends on the processor: to −180°, or to none that are numbers."""
    with pytest.raises(ValueError, match=r"'pilotnet': training diverged.*lower learning rate"):
        train(pilotnet(seed=0), bars(20, 0), bars(8, 1), 1, 10, learning_rate, verbose=0)


@pytest.mark.parametrize("angle", [180.0, -180.0, 5000.0])
def test_answers_that_no_training_leads_to_are_noticed(angle):
    """Which they are is known here, since a learning rate of next to nothing leaves the network as it was."""
    model = constant_network(np.radians(angle))
    for drive in (bars(8, 0), drive_at(0)):
        with pytest.raises(ValueError, match=r"training diverged.*lower learning rate"):
            train(model, drive, drive, 1, learning_rate=1e-12, verbose=0)


@pytest.mark.kernels
def test_weights_that_are_no_numbers_are_noticed_where_the_answers_are():
    """A dead unit hides an infinite bias."""
    image = keras.Input((66, 200, 3))
    hidden = keras.layers.Dense(1, activation="relu", name="hidden")(keras.layers.GlobalAveragePooling2D()(image))
    model = keras.Model(image, keras.layers.Dense(1)(hidden))
    model.get_layer("hidden").bias.assign([-np.inf])
    assert np.isfinite(predict(model, images(2))).all()
    with pytest.raises(ValueError, match="training diverged"):
        train(model, bars(8, 0), bars(8, 0), 1, verbose=0)


@pytest.mark.parametrize("angle", [0.0, 60.0, 180.0, -400.0])
def test_a_wheel_that_stands_still_is_no_divergence(angle):
    """Neither a network that learns it, nor one that has learned nothing yet."""
    drive = drive_at(angle)
    for model in (constant_network(0.0), constant_network(np.radians(angle)), small_network()):
        train(model, drive, drive, 1, learning_rate=1e-4, verbose=0)


def test_training_needs_frames():
    with pytest.raises(ValueError, match="'empty': no frames"):
        train(pilotnet(), bars(5, 0).subset([], name="empty"), bars(5, 0), verbose=0)


def test_evaluate_by_hand():
    drive = bars(4, 0)
    drive.angles[:] = [-10, 0, 10, 20]
    figures = evaluate(constant_network(np.radians(10)), drive)
    # errors 20, 10, 0, -10; the mean angle is 5 and the spread around it 15, 5, 5, 15
    expected = {"r2": 1 - 600 / 500, "mean_absolute_error": 10, "root_mean_squared_error": 150**0.5, "constant": 10}
    assert figures == pytest.approx(expected, rel=1e-5)
    drive.angles[:] = 3
    assert np.isnan(evaluate(constant_network(0), drive)["r2"])
    with pytest.raises(ValueError, match="no frames"):
        evaluate(constant_network(0), drive.subset([]))


def test_a_saved_network_comes_back(trained, models_folder):
    model, _ = trained
    path = save_model(model, "my drive (2018)")
    assert path == models_folder / "my_drive_2018.keras" and list(models_folder.iterdir()) == [path]
    assert path.stat().st_size < 1.05 * 4 * model.count_params() + 50_000  # float32 weights, no optimizer
    assert model.optimizer is not None
    with zipfile.ZipFile(path) as archive:
        assert b"steerlib" not in archive.read("config.json")  # Keras alone can open it
    batch = images(3)
    for again in (load_model(path), load_model("my_drive_2018")):
        assert again.name == "my_drive_2018" and not again.compiled
        for mine, theirs in zip(again.get_weights(), model.get_weights()):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_allclose(predict(again, batch), predict(model, batch), rtol=1e-4, atol=1e-4)


def test_any_name_of_a_drive_gives_a_network_that_can_be_asked(models_folder):
    model = constant_network(0.5)
    for name in ("Straße nach Süden", "2018", "日本", "a/b\\c", "..hidden"):
        drive = bars(1, 0, name)
        path = save_model(model, name)
        assert path.parent == models_folder
        again = load_model(drive=drive)
        assert load_model(path).name == again.name
        np.testing.assert_allclose(predict(again, drive), [np.degrees(0.5)], rtol=1e-5)


@pytest.mark.parametrize("name", ["", "..", "???", "pilotnet", "pilotnet?"])
def test_names_that_cannot_be_saved(name):
    with pytest.raises(ValueError, match="comes with the project" if "pilotnet" in name else "expected letters"):
        save_model(constant_network(0), name)


def test_the_drives_own_network_goes_first(models_folder):
    save_model(constant_network(0.1), "general")
    mine, other = bars(1, 0, "mine"), bars(1, 0, "other")
    assert load_model("general", drive=mine).name == "general"
    save_model(constant_network(0.2), "mine")
    assert load_model("general", drive=mine).name == "mine"
    assert load_model("general", drive=other).name == "general"
    np.testing.assert_allclose(predict(load_model("general", drive=mine), mine), [np.degrees(0.2)], rtol=1e-5)
    assert {"general", "mine"} <= set(networks()) and networks()["mine"] == models_folder / "mine.keras"


def test_a_failed_save_leaves_the_older_network(models_folder, monkeypatch):
    path = save_model(constant_network(0.1), "mine")
    before = path.read_bytes()

    def fail(self, path, *args, **kwargs):
        path.write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(constant_network(0.2), "mine")
    assert path.read_bytes() == before and list(models_folder.iterdir()) == [path]


def test_a_missing_network_is_named_beside_those_that_exist(tmp_path):
    save_model(constant_network(0.1), "mine")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.keras.*mine"):
        load_model("nowhere")
    with pytest.raises(FileNotFoundError, match=r"gone\.keras.*mine"):
        load_model(tmp_path / "gone.keras")


def test_files_that_are_no_steering_network(tmp_path):
    path = tmp_path / "wrong.keras"
    path.write_bytes(b"not a zip archive")
    with pytest.raises(ValueError, match=r"wrong\.keras.*expected a Keras model"):
        load_model(path)
    image = keras.Input((66, 200, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    keras.Model(image, pooled).save(path)
    with pytest.raises(ValueError, match=r"wrong\.keras: maps .*3\), expected \(None, 66, 200, 3\) to \(None, 1\)"):
        load_model(path)
    keras.Model(image, keras.layers.Lambda(lambda x: x[:, :1], output_shape=(1,))(pooled)).save(path)
    with pytest.raises(ValueError, match=r"wrong\.keras.*loaded safely"):
        load_model(path)


def test_the_shipped_network_reads_unseen_roads(models_folder):
    """On roads that no other part of the project renders: the figures that the model card promises."""
    model = load_model()
    assert model.name == "pilotnet" and not models_folder.exists()
    figures = evaluate(model, steerlib.roads.render_views(range(5000, 5020), 300))
    assert figures["r2"] >= 0.97 and figures["mean_absolute_error"] <= 3


@pytest.fixture
def rendered(monkeypatch):
    """In place of rendered views, bars; what was asked for is noted."""
    asked = []

    def render_views(seeds, n, askew=True):
        asked.append((set(seeds), n, askew))
        return bars(12, min(seeds))

    monkeypatch.setattr(steerlib.roads, "render_views", render_views)
    return asked


def test_the_command_trains_and_saves(rendered, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(steerlib.model, "EPOCHS", 1)
    monkeypatch.setattr(sys, "argv", ["model", str(tmp_path / "out"), "pilotnet", "pilotnet_gap"])
    steerlib.model.main()
    for name in ("pilotnet", "pilotnet_gap"):
        assert load_model(tmp_path / "out" / f"{name}.keras").name == name
    assert len((tmp_path / "out" / "SHA256SUMS").read_text().splitlines()) == 2
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("r2", "mean_absolute_error", "constant"))


@pytest.mark.parametrize("name", steerlib.model.SHIPPED)
def test_what_the_shipped_networks_learn_from(name, rendered):
    learned, validation, unseen = steerlib.model._lessons(name, steerlib.roads.render_views)
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
        expected = steerlib.roads.show_wheel(images, shown.angles) if name == "pilotnet_confused" else images
        assert np.array_equal(np.stack([drive.frame(i) for i in range(12)]), expected)
        assert np.array_equal(drive.angles, shown.angles)


def test_epochs_can_be_cut_short_from_outside(monkeypatch):
    monkeypatch.setenv("STEERLIB_EPOCHS", "1")
    assert len(train(small_network(), bars(8, 0), bars(4, 1), 3, verbose=0).history["loss"]) == 1
    monkeypatch.setenv("STEERLIB_EPOCHS", "none")
    with pytest.raises(ValueError, match="STEERLIB_EPOCHS='none'"):
        train(small_network(), bars(8, 0), bars(4, 1), 3, verbose=0)
