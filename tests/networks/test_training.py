"""Training, and comparing a network's angles with the recorded ones, on drives of a few small pictures."""

import random
import warnings

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from networks_made import bars, constant_network, images, small_network

from steerlib.drives import WHOLE, Drive
from steerlib.networks import training
from steerlib.networks.network import as_network
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import evaluate, predict, train


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # data pipelines stay graphs: as wanted
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def trained():
    model = pilotnet(seed=0)
    return model, train(model, bars(96, 0), bars(30, 1), epochs=6, batch_size=8, verbose=0)


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
    original, counts = Drive.pictures, []

    def counted(self, network, indices=None):
        images = original(self, network, indices)
        counts.append(len(images))
        return images

    monkeypatch.setattr(Drive, "pictures", counted)
    drive = bars(23, 0)
    train(small_network(), drive, drive, epochs=1, batch_size=5, verbose=0)
    evaluate(small_network(), drive)
    assert max(counts[:-1]) == 5 and counts[-1] == 23  # evaluate: up to 256 at once


def test_training_sets_a_part_aside(monkeypatch):
    split, parts = training.split, []

    def noted(*args, **kwargs):
        parts.extend(split(*args, **kwargs))
        return parts

    monkeypatch.setattr(training, "split", noted)
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


def test_epochs_can_be_cut_short_from_outside(monkeypatch):
    monkeypatch.setenv("STEERLIB_EPOCHS", "1")
    assert len(train(small_network(), bars(8, 0), bars(4, 1), 3, verbose=0).history["loss"]) == 1
    monkeypatch.setenv("STEERLIB_EPOCHS", "none")
    with pytest.raises(ValueError, match="STEERLIB_EPOCHS='none'"):
        train(small_network(), bars(8, 0), bars(4, 1), 3, verbose=0)


def test_a_model_without_the_form_is_not_trained():
    """Its copy would learn, and it would not."""
    layers = [keras.Input((66, 200, 3)), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential(layers, name="bought")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"'bought' cannot be trained as it is: .* train what as_network makes"):
        train(model, bars(8, 0), bars(4, 1), 1, verbose=0)
    for mine, theirs in zip(model.get_weights(), before):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(ValueError, match="black box 'ahead' has no weights to train"):
        train(as_network(lambda pictures: [0.0] * len(pictures), "ahead", size=(66, 200)), bars(8, 0), verbose=0)


@pytest.mark.kernels
def test_a_network_of_another_size_that_cuts_is_trained_and_judged():
    """As of Udacity's course: pictures of 160 by 320 in 0...255, of which it cuts sky and hood off itself."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((160, 320, 3)),
        keras.layers.Cropping2D(((70, 25), (0, 0))),
        keras.layers.Rescaling(1 / 127.5, -1),
        keras.layers.Conv2D(4, 5, 4, activation="elu"),
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ]
    network = as_network(keras.Sequential(layers, name="udacity"))
    assert network.size == (160, 320) and network.crop == (0, 1)
    frames = np.random.default_rng(0).integers(0, 255, (12, 240, 480, 3), dtype=np.uint8)
    drive, before = Drive.from_arrays("wide", frames, np.linspace(-5, 5, 12)), network.model.get_weights()
    history = train(network, drive, drive, epochs=1, batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()
    assert not np.allclose(network.model.get_weights()[0], before[0])
    # What the network is shown is the whole frame, made smaller, and its answer is in degrees.
    small = np.stack([cv2.resize(frame, (320, 160), interpolation=cv2.INTER_AREA) for frame in frames])
    answers = np.degrees(network.model(small.astype(np.float32) / 255)).ravel()
    found = evaluate(network, drive)
    assert found["mean_absolute_error"] == pytest.approx(np.abs(answers - drive.angles).mean(), rel=1e-3)
    np.testing.assert_allclose(np.degrees(history["val_loss"][0] ** 0.5), found["root_mean_squared_error"], rtol=1e-2)


# Beginning with other weights, and pictures that change while a network learns


def test_training_begins_with_the_weights_of_another_network(trained):
    model, _ = trained
    begun, drive = pilotnet(seed=3), bars(40, 5)
    before = evaluate(model, drive)["mean_absolute_error"]
    train(begun, drive, drive, epochs=1, batch_size=20, learning_rate=1e-7, verbose=0, start=model)
    assert evaluate(begun, drive)["mean_absolute_error"] == pytest.approx(before, abs=0.3)
    fresh = pilotnet(seed=3)
    train(fresh, drive, drive, epochs=1, batch_size=20, learning_rate=1e-7, verbose=0)
    assert evaluate(fresh, drive)["mean_absolute_error"] > before + 1


def test_a_start_of_other_layers_is_refused():
    drive = bars(20, 0)
    with pytest.raises(ValueError, match="same layers"):
        train(small_network(), drive, drive, epochs=1, verbose=0, start="pilotnet")
    with pytest.raises(FileNotFoundError, match="no network"):
        train(pilotnet(seed=0), drive, drive, epochs=1, verbose=0, start="nobody")


def test_a_start_is_turned_as_the_car_of_the_drive(trained):
    """The other car turns its wheel by 0.4 times as much; a learning rate of nothing leaves what the start brought."""
    drive = bars(60, 3)
    drive.angles[:] = 0.4 * drive.angles
    settings = {"epochs": 1, "learning_rate": 1e-9, "verbose": 0, "start": trained[0]}
    own = pilotnet(seed=1)
    train(own, drive, drive, **settings)
    assert evaluate(own, drive)["r2"] > 0.85 > evaluate(trained[0], drive)["r2"]
    drive.angles[:] = np.random.default_rng(0).permutation(drive.angles)  # now its answers follow nothing
    train(own, drive, drive, **settings)
    np.testing.assert_allclose(own.weights[-2], trained[0].weights[-2], rtol=1e-4, atol=1e-6)


def test_all_that_is_learned_is_changed_and_validation_is_not():
    drive = bars(10, 0)

    def darken(pictures, radians, random):
        return 0 * pictures, radians + 7

    network = as_network(small_network())
    batches = training.Batches(network, drive, 5, seed=0, augment=darken)
    for i in range(2):
        pictures, radians = batches[i]
        expected = np.radians(drive.angles[batches.order[5 * i : 5 * i + 5]]) + 7
        assert (pictures == 0).all() and np.allclose(radians[:, 0], expected, atol=1e-5)
    watched = training.Batches(network, drive, 5)
    assert (watched[0][0] == drive.pictures(network, slice(0, 5))).all()


def test_changes_depend_on_the_seed_and_the_epoch_alone():
    drive, network = bars(8, 0), as_network(small_network())

    def noisy(pictures, radians, random):
        return pictures + random.uniform(size=(len(pictures), 1, 1, 1)).astype(np.float32), radians

    def batches(seed):
        return training.Batches(network, drive, 4, seed, noisy)

    one, same, other = batches(1), batches(1), batches(2)
    late = same[1][0]
    assert (one[0][0] == same[0][0]).all() and (one[1][0] == late).all()
    assert not np.array_equal(one[0][0], other[0][0])
    first = one[0][0]
    one.on_epoch_end()
    assert not np.array_equal(one[0][0], first)


def test_a_frame_without_an_angle_is_not_learned():
    drive, seen = bars(20, 0), []
    drive.angles[3] = np.nan

    def count(pictures, radians, random):
        seen.extend(np.degrees(radians[:, 0]))
        return pictures, radians

    train(small_network(), drive, bars(5, 1), epochs=1, verbose=0, augment=count)
    # Keras asks for the first batch once more, to see its shape.
    expected = np.unique(np.round(drive.angles[np.isfinite(drive.angles)], 3))
    assert np.allclose(np.unique(np.round(seen, 3)), expected, atol=1e-3)


def test_another_loss_is_minimized():
    """A network with one answer for all learns their mean or, where errors count in proportion, their median."""
    pictures = np.zeros((9, 66, 200, 3), np.uint8)
    drive = Drive.from_arrays("one", pictures, [0] * 8 + [90.0], crop=WHOLE, cut=True)
    answers = {}
    for loss in ("mean_squared_error", keras.losses.Huber(0.01)):
        model = small_network()
        train(model, drive, drive, epochs=60, learning_rate=0.05, verbose=0, loss=loss, patience=60)
        answers[loss] = float(predict(model, drive)[0])
    squared, huber = answers.values()
    assert squared == pytest.approx(10, abs=1.5) and abs(huber) < 1.5
