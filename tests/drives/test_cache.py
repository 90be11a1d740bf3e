"""Drives that are too large for the memory: the same pictures, each frame decoded once where there is room at all."""

import shutil
from collections import Counter

import keras
import numpy as np
import psutil
import pytest
from made import write_drive
from videos import write_video

from steerlib.drives import Drive, cache, load_drive, split
from steerlib.networks.network import as_network
from steerlib.networks.training import predict, train

COUNT = 60
PLACES = {"memory": "256", "file": "1", "nowhere": "1"}  # MB, for a small picture takes 39,600 bytes


@pytest.fixture(params=PLACES)
def place(request, monkeypatch):
    """Have pictures kept in memory, in a file, or nowhere for want of room."""
    monkeypatch.setenv("STEERLIB_CACHE", PLACES[request.param])
    if request.param == "nowhere":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    return request.param


def counted(drive):
    """Count how often each frame of a drive is read."""
    reads, read = Counter(), drive._film.read

    def count(row):
        reads[int(row)] += 1
        return read(row)

    drive._film.read = count
    return reads


def frames(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 33, 100, 3), np.uint8)


def small():
    """A network of few weights, of PilotNet's size."""
    inputs = keras.Input((66, 200, 3))
    middle = keras.layers.Conv2D(2, 5, 5, kernel_initializer=keras.initializers.HeNormal(0))(inputs)
    outputs = keras.layers.Dense(1, kernel_initializer=keras.initializers.HeNormal(1))(keras.layers.Flatten()(middle))
    return keras.Model(inputs, outputs)


def test_the_same_pictures_wherever_they_are_kept(place):
    shown = frames(COUNT)
    drive = Drive.from_arrays("large", shown, np.zeros(COUNT))
    reads = counted(drive)
    expected = Drive.from_arrays("small", shown[:20], np.zeros(20)).pixels()
    for indices in (slice(20), slice(5, 9), [3, 3, 19, 0], [7], [], slice(20)):
        np.testing.assert_array_equal(drive.pixels(indices), expected[indices if np.size(indices) else slice(0)])
    assert set(reads.values()) == {1} if place != "nowhere" else reads[3] == 3
    with pytest.raises(ValueError, match="read-only"):
        drive.pixels(slice(5, 9))[:] = 0


def test_training_is_the_same_wherever_pictures_are_kept(place, monkeypatch):
    angles = np.linspace(-20, 20, COUNT)
    histories = []
    for limit in (PLACES[place], "256"):
        monkeypatch.setenv("STEERLIB_CACHE", limit)
        drive = Drive.from_arrays("large", frames(COUNT), angles)
        reads = counted(drive)
        histories.append(train(small(), *split(drive), epochs=3, batch_size=16, verbose=0).history)
        assert place == "nowhere" or set(reads.values()) == {1}
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)


def test_the_frames_of_a_video_are_decoded_once_and_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("STEERLIB_CACHE", "1")
    drive = load_drive(write_video(tmp_path / "ride.mp4", COUNT))
    order, read = [], drive._film.read
    drive._film.read = lambda row: order.append(int(row)) or read(row)
    shuffled = np.random.default_rng(0).permutation(COUNT)
    for start in range(0, COUNT, 10):
        drive.pixels(shuffled[start : start + 10])
    assert sorted(order) == list(range(COUNT))
    first = shuffled[:10]
    assert order[: np.ptp(first) + 1] == list(range(first.min(), first.max() + 1))


def test_memory_of_a_drive_that_does_not_fit(monkeypatch):
    """Its small pictures would take 150 MB, and 600 MB as numbers of the network."""
    monkeypatch.setenv("STEERLIB_CACHE", "10")
    drive = Drive.from_arrays("large", [frames(1)[0]] * 4_000, np.zeros(4_000))
    asked = as_network(lambda pictures: pictures.mean(axis=(1, 2, 3)), size=(66, 200))
    predict(asked, drive.subset(range(500)))
    process, most = psutil.Process(), 0
    before = process.memory_info().rss

    def watched(pictures):
        nonlocal most
        most = max(most, process.memory_info().rss - before)
        return pictures.mean(axis=(1, 2, 3))

    for _ in range(2):
        predict(as_network(watched, size=(66, 200)), drive)
    assert most < 100 * 2**20
    assert len(drive.readable()) == len(drive)


def test_a_disk_that_becomes_full_costs_time_only(monkeypatch):
    monkeypatch.setenv("STEERLIB_CACHE", "1")
    shown = frames(COUNT)
    drive = Drive.from_arrays("large", shown, np.zeros(COUNT))
    reads = counted(drive)
    drive.pixels([0, 1])
    (kept,) = drive._film.caches.values()

    class Full:
        def __init__(self, file):
            self.seek, self.readinto = file.seek, file.readinto

        def write(self, data):
            raise OSError(28, "No space left on device")

    kept._file = Full(kept._file)
    for _ in range(2):
        expected = Drive.from_arrays("small", shown, np.zeros(COUNT)).pixels()
        np.testing.assert_array_equal(drive.pixels(), expected)
    assert (reads[0], reads[1], reads[2]) == (1, 1, 2)


def test_a_broken_frame_in_a_drive_that_does_not_fit(place, tmp_path):
    write_drive(tmp_path, [f"{number % 20}.png {number}" for number in range(30)], frames=20)
    (tmp_path / "7.png").write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="10 of 30 labels are of frames that have another"):
        drive = load_drive(tmp_path)
    with pytest.warns(UserWarning, match=r"2 of 30 frames cannot be read, left out: 7\.png, 7\.png"):
        drive = drive.readable()
    assert len(drive.pixels()) == 28


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_a_size_that_is_none(monkeypatch, text):
    monkeypatch.setenv("STEERLIB_CACHE", text)
    with pytest.raises(ValueError, match=f"STEERLIB_CACHE='{text}': expected a number of MB, at least 0"):
        cache.Cache(1, (66, 200))
