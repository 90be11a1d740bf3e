"""A format is one file; what none of them recognizes is told."""

import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from steerlib.drives import ROAD, WHOLE, Drive, formats, load_drive, preprocess

# The whole of a new format: what somebody would write into one file.
TURNS = '''
"""Turns: `turns.tsv`, a frame's number and the sine of the angle, positive to the left; frames in `stills`."""

import math

from steerlib.drives.recording import check_lines, read_lines, record

TITLE, LABEL_FILE = "turns", "turns.tsv"


def recognize(files):
    return files.label_file(LABEL_FILE)


def read(files, label_file, camera):
    lines = read_lines(files, label_file)
    check_lines(lines, "number and sine", camera, ("center",), files.where(label_file))
    return record(lines, label, "number and sine", lambda name: [f"stills/{name}.png"], "stills")


def label(line):
    number, sine = line.split("\\t")
    return number, -math.degrees(math.asin(float(sine))), None
'''


@pytest.fixture
def turns(tmp_path, monkeypatch):
    """Add one file to the formats, and give a drive of it: a folder."""
    added = tmp_path / "added"
    added.mkdir()
    (added / "turns.py").write_text(TURNS)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(added)])
    folder = tmp_path / "recorded" / "monday"
    (folder / "stills").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (40, 24), (10 * number, 0, 0)).save(folder / "stills" / f"{number}.png")
    (folder / "turns.tsv").write_text("0\t0.5\n1\tunknown\n2\t-1\n7\t0\n")
    yield folder
    sys.modules.pop("steerlib.drives.formats.turns", None)
    vars(formats).pop("turns", None)


def test_one_file_adds_a_format(turns, tmp_path):
    with zipfile.ZipFile(tmp_path / "monday.zip", "w") as archive:
        for path in turns.rglob("*.*"):
            archive.write(path, path.relative_to(turns.parent).as_posix())
    for path in (turns, turns.parent, turns / "turns.tsv", tmp_path / "monday.zip"):
        with pytest.warns(UserWarning) as warned:
            drive = load_drive(path)
        malformed, missing = (str(warning.message) for warning in warned)
        assert "turns.tsv: 1 of 4 labels skipped, since they are not number and sine (the first is '1" in malformed
        assert "(the first is '7' in line 4)" in missing
        assert drive.name == "monday" and drive.names.tolist() == ["0.png", "2.png"]
        np.testing.assert_allclose(drive.angles, [-30, 90], rtol=1e-6)
        assert [int(drive.frame(i)[0, 0, 0]) for i in (0, 1)] == [0, 20]


def test_a_new_format_cannot_lead_out_of_the_folder(turns):
    (turns.parent / "secret.png").write_bytes((turns / "stills" / "0.png").read_bytes())
    (turns / "turns.tsv").write_text("0\t0.5\n../../secret\t0.5\n")
    with pytest.raises(ValueError, match=r"turns\.tsv, line 2: '\.\./\.\./secret' leads out of the folder"):
        load_drive(turns)


def test_a_new_format_is_among_those_that_are_known(turns, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no recording in .*, turns$"):
        load_drive(tmp_path / "empty")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"ends in \.txt or .*\.csv or .*\.tsv"):
        load_drive(tmp_path / "other.json")
    (turns / "data.txt").write_text("stills/0.png 1\n")
    with pytest.raises(ValueError, match=r"holds 2 drives \(data\.txt, turns\.tsv\)"):
        load_drive(turns)


def test_every_format_says_what_it_is():
    modules = formats.known()
    assert {"data.txt", "driving_log.csv", "manifest.json", "airsim_rec.txt"} < {one.LABEL_FILE for one in modules}
    for module in modules:
        assert all(word in module.__doc__ for word in ("Unit:", "Sign:", "Clock:", "Frames:", "github.com/"))


def test_what_is_not_recognized_is_described(tmp_path):
    (tmp_path / "IMG" / "IMG" / "deep" / "deeper").mkdir(parents=True)
    for number in range(12):
        (tmp_path / "IMG" / "IMG" / f"{number}.JPG").touch()
    (tmp_path / "IMG" / "0.png").touch()
    for name in ("notes.md", "log.json", "a", "b"):
        (tmp_path / name).touch()
    (tmp_path / "IMG" / "IMG" / "deep" / "deeper" / "data.txt").touch()
    expected = "found 'a', 'b', 2 more; 1 picture in IMG; 12 pictures in IMG/IMG; known formats: "
    with zipfile.ZipFile(tmp_path.with_suffix(".zip"), "w") as archive:
        for path in tmp_path.rglob("*"):
            archive.write(path, path.relative_to(tmp_path).as_posix())
    for path in (tmp_path, tmp_path.with_suffix(".zip")):
        with pytest.raises(FileNotFoundError) as caught:
            load_drive(path)
        assert expected in str(caught.value)


def test_cells_in_quotes_may_hold_commas(tmp_path):
    Image.new("RGB", (40, 24)).save(tmp_path / "a, b.png")
    (tmp_path / "driving_log.csv").write_text('"a, b.png", "l", "r", "-0.5", 0, 0, 0\n')
    assert load_drive(tmp_path).angles.tolist() == [-12.5]


def test_networks_of_several_sizes_see_one_drive():
    frames = np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), dtype=np.uint8)
    drive = Drive.from_arrays("noise", frames, [0, 1, 2]).subset([2, 0])
    for size, crop in (((66, 200), None), ((64, 64), None), ((66, 200), WHOLE), ((64, 64), (0.25, 0.75))):
        expected = [preprocess(frames[i], crop or ROAD, size) for i in (2, 0)]
        network = SimpleNamespace(size=size, crop=crop)
        for _ in range(2):
            np.testing.assert_array_equal(drive.pictures(network), expected)
            np.testing.assert_array_equal(drive.pictures(network, 1), expected[1:])
    halves = frames[:, 30:90].reshape(3, 30, 2, 80, 2, 3).mean(axis=(2, 4))[[2, 0]] / 255
    network = SimpleNamespace(size=(30, 80), crop=(0.25, 0.75))
    np.testing.assert_allclose(drive.pictures(network), halves, atol=0.51 / 255)
