"""The network that stands for a downloaded one: its file says nothing, and a drive tells how it wants to be asked."""

import numpy as np
import pytest

from steerlib.drives import load_drive
from steerlib.networks import someone_elses
from steerlib.networks.description import beside
from steerlib.networks.files import OTHER, folders, load_network, network_file
from steerlib.networks.training import evaluate

FILE = folders()[-1] / OTHER


def test_nothing_lies_beside_it_and_it_is_small():
    assert not beside(FILE).exists() and FILE.stat().st_size < 400_000


def test_its_lambda_is_not_run_and_a_word_stands_in_its_place():
    with pytest.raises(ValueError, match=r"code that is never run: normalize .* its numbers 1, 127\.5"):
        load_network(FILE)
    assert load_network(FILE, **someone_elses.TRUTH).size == someone_elses.SIZE


def test_asked_rightly_it_errs_half_as_much_as_in_other_colors():
    drive = load_drive(FILE.parents[1] / "sample_drive").subset(slice(0, 300, 5))
    errors = {
        color: evaluate(load_network(FILE, **someone_elses.TRUTH | {"color": color}), drive)["mean_absolute_error"]
        for color in ("BGR", "RGB", "YUV")
    }
    assert errors["BGR"] < 7 and 1.5 * errors["BGR"] < min(errors["RGB"], errors["YUV"])


def test_what_is_saved_says_nothing_of_this_machine(tmp_path):
    path = tmp_path / OTHER
    someone_elses.build().save(path)
    for data in (path.read_bytes(), FILE.read_bytes()):
        assert b"someone_elses.py" not in data and str(tmp_path).encode() not in data


def test_batches_are_those_of_opencv(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (3, *someone_elses.SIZE, 3), dtype=np.uint8)
    drive = someone_elses.Drive.from_arrays("views", frames, [-60.0, 0.0, 30.0])
    pictures, fractions = someone_elses.Views(drive)[0]
    assert np.array_equal(pictures, frames[..., ::-1]) and np.allclose(fractions[:, 0], [-0.5, 0, 0.25])
    shuffled = someone_elses.Views(drive, seed=0)
    for picture, fraction in zip(*shuffled[0]):
        matches = [k for k in range(3) for p in (pictures[k], pictures[k][:, ::-1]) if np.array_equal(picture, p)]
        assert len(matches) == 1 and abs(fraction[0]) == abs(fractions[matches[0], 0])


def test_the_file_that_is_opened(monkeypatch, tmp_path):
    monkeypatch.delenv("STEERLIB_NETWORK", raising=False)
    assert network_file() == FILE
    (tmp_path / "mine.keras").touch()
    monkeypatch.setenv("STEERLIB_NETWORK", str(tmp_path / "mine.keras"))
    assert network_file() == tmp_path / "mine.keras"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEERLIB_NETWORK", f"data/models/{OTHER}")
    assert network_file() == FILE
