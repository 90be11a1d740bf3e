"""Drives, and frames in drives, for which no angle was recorded."""

import keras
import numpy as np
import pytest

from steerlib.drives import Drive, split, suspect_labels
from steerlib.networks.network import as_network
from steerlib.networks.training import evaluate, predict, train

SIZE = (12, 24)


def drive_of(angles):
    frames = np.random.default_rng(0).integers(0, 256, (len(angles), 24, 24, 3), dtype=np.uint8)
    return Drive.from_arrays("dashcam", frames, angles)


def test_nothing_recorded():
    drive = drive_of([np.nan] * 80)
    assert "80 frames of 24 × 24, no angles" in repr(drive)
    training, held_out = split(drive)
    assert len(training) + len(held_out) == 80 and suspect_labels(drive).tolist() == []
    network = as_network(lambda pictures: np.zeros(len(pictures)), "always 0", SIZE)
    assert predict(network, drive).tolist() == [0] * 80
    with pytest.raises(ValueError, match="'dashcam': for none of its frames an angle was recorded to evaluate on"):
        evaluate(network, drive)


def test_some_recorded():
    angles = np.array([4, np.nan, -2, 0, 6, np.nan], np.float32)
    drive = drive_of(angles)
    assert repr(drive).endswith("angles from -2.0° to +6.0° (+ is right), 2 without")
    scores = evaluate(as_network(lambda pictures: np.ones(len(pictures)), "always 1", SIZE), drive)
    assert scores["mean_absolute_error"] == pytest.approx((3 + 3 + 1 + 5) / 4)
    assert scores["constant"] == pytest.approx(np.abs(np.array([4, -2, 0, 6]) - 2).mean())
    # Zeros beside what was not recorded may be true.
    assert suspect_labels(drive_of([np.nan, 0, 9, 0, 9, 0, np.nan])).tolist() == [3]


def test_training_leaves_out_frames_without_an_angle():
    picture = keras.Input((*SIZE, 3))
    answer = keras.layers.Dense(1)(keras.layers.Flatten()(picture))
    model = keras.Model(picture, answer, name="small")
    angles = np.linspace(-5, 5, 100)
    angles[::3] = np.nan
    training, validation = drive_of(angles), drive_of([1, np.nan, 2])
    history = train(model, training, validation, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all() and np.isfinite(history.history["val_loss"]).all()
    for drives in ((drive_of([np.nan] * 5), validation), (training, drive_of([np.nan] * 5))):
        with pytest.raises(ValueError, match=r"for none of its frames an angle was recorded to (train|validate) on"):
            train(model, *drives, epochs=1, verbose=0)
