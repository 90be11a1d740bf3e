"""Whatever stands in a label file or a picture: its own error or what can be kept, and no path out of the folder."""

import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from tools import GOOD, PILOTNET, encoded, picture

from steerlib.drives import formats, load_drive, read_frame
from steerlib.drives.files import Files, inside
from steerlib.drives.formats import sullychen, udacity_simulator
from steerlib.drives.loading import find_frame
from steerlib.drives.pictures import PICTURES

MANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FRAME, JPEG = (encoded(picture(0, (20, 30)), ending) for ending in (".png", ".jpg"))
# Pieces of which lines are made that come close to being labels, or to leading somewhere else.
PIECES = st.sampled_from(
    ["link", "0.png", "1.png", "..", "/", "\\", "C:", ".", " ", ",", "1.5", "-2", "nan", "inf", "1e400", "\0", "ü",
     "\n", "\r",
     "2018-07-01 17:09:55:179", "IMG/", "\ufeff", "steering", "center,left,right,steering,throttle,brake,speed", "_"]
)  # fmt: skip
NAMES = st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=6).map("".join))


@pytest.fixture
def drive(tmp_path):
    """A folder with two frames, and a picture and a link that would be found outside it."""
    folder = tmp_path / "drive"
    (folder / "IMG").mkdir(parents=True)
    for path in (folder / "0.png", folder / "IMG" / "1.png", tmp_path / "0.png", tmp_path / "1.png"):
        path.write_bytes(FRAME)
    (folder / "link").symlink_to(tmp_path)
    return folder


@MANY
@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=40).map(lambda parts: "".join(parts).encode())))
@example(GOOD)
def test_any_label_file_is_a_drive_or_an_error_of_ours(drive, data):
    for name in (kind.LABEL_FILE for kind in formats.known()):
        path = drive / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                loaded = load_drive(path)
            except (ValueError, FileNotFoundError) as error:
                assert type(error) in (ValueError, FileNotFoundError) and name in str(error) and "\n" not in str(error)
                continue
        assert np.isfinite(loaded.angles).all() and len(loaded) == len(loaded.names)
        assert all((loaded.frame(i) == picture(0, (20, 30))).all() for i in range(min(len(loaded), 3)))


@MANY
@given(NAMES)
@example("../0.png")
@example("link/0.png")
@example("IMG/../../0.png")
def test_no_name_leads_out_of_the_folder(drive, name):
    path = inside(name)
    if path is not None:
        assert not os.path.isabs(path) and ".." not in path.split("/") and "\\" not in path
    for places in (lambda name: [name], sullychen.places, udacity_simulator.places):
        try:
            found = find_frame(Files(drive), name, places(name), "here")
        except ValueError as error:
            assert "leads out of" in str(error)
            continue
        if found is not None:
            assert Path(os.path.realpath(drive / found)).is_relative_to(os.path.realpath(drive))


KINDS = {
    "good": "{}.png {}",
    "missing": "missing{}.png {}",
    "text": "{}.png left{}",
    "NaN": "{}.png nan",
    "too large": "{}.png 9999{}",
    "empty": "",
    "noise": "\0{}\x01{}",
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=12), st.sets(st.integers(0, 11)))
def test_of_any_mixture_is_kept_what_can_be_kept(kinds, broken):
    folder = Path(tempfile.mkdtemp())
    try:
        for i in range(len(kinds)):
            (folder / f"{i}.png").write_bytes(FRAME[: 60 if i in broken else None])
        lines = [KINDS[kind].format(i, i + 0.5) for i, kind in enumerate(kinds)]
        (folder / "data.txt").write_text("\n".join(lines))
        good = [i for i, kind in enumerate(kinds) if kind == "good"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            malformed = sum(kind in ("text", "NaN", "too large", "noise") for kind in kinds)
            # A first line without any number in it is a header, and this one names no columns that are known.
            header = next((kind for kind in kinds if kind != "empty"), None) == "noise"
            if not good or header or 2 * malformed > len(kinds) - kinds.count("empty"):
                with pytest.raises((ValueError, FileNotFoundError)):
                    load_drive(folder)
                return
            drive = load_drive(folder)
            assert drive.names.tolist() == [f"{i}.png" for i in good]
            assert drive.angles.tolist() == [i + 0.5 for i in good]
            readable = [i for i in good if i not in broken]
            if readable:
                assert drive.readable().angles.tolist() == [i + 0.5 for i in readable]
                assert drive.readable().pictures(PILOTNET).shape == (len(readable), 66, 200, 3)
    finally:
        shutil.rmtree(folder)


@MANY
@given(
    st.sampled_from([*PICTURES, FRAME, encoded(picture(0, (20, 30)), ".jpg")]),
    st.binary(max_size=80),
    st.integers(0, 60),
)
def test_any_picture_is_one_or_an_error_of_ours(drive, beginning, noise, place):
    path = drive / "any.jpg"
    path.write_bytes(beginning[:place] + noise + beginning[place + len(noise) :])
    try:
        frame = read_frame(path)
    except ValueError as error:
        assert type(error) is ValueError and str(path) in str(error) and "\n" not in str(error)
    else:
        assert frame.dtype == np.uint8 and frame.shape[2] == 3
