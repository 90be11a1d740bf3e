"""The real drives, and what may stand where in a recording."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from made import GOOD, PILOTNET, TIMED, color, colors_of, write_drive, write_frame, write_log, zipped
from PIL import Image

from steerlib.drives import load_drive


def test_real_drive_has_the_labels_of_its_list(sullychen, real_drives):
    assert sullychen.name == "sullychen-2018"
    assert list(sullychen.names) == [f"{number}.jpg" for number in range(200, 900)]
    words = (real_drives / "sullychen-2018" / "data.txt").read_text().replace(",", " ").split()
    angles = {name: float(angle) for name, angle in zip(words[::4], words[1::4])}
    assert sullychen.angles.dtype == np.float32
    np.testing.assert_allclose(sullychen.angles, [angles[name] for name in sullychen.names], rtol=1e-6)


def test_real_time_stamps(sullychen):
    # 17:09:55:179 after 17:09:44:912; the milliseconds are not padded in some of the 700 lines.
    assert sullychen.timestamps[0] == pytest.approx(10.267)
    steps = np.diff(sullychen.timestamps)
    assert steps.min() > 0.02 and steps.max() < 0.11


def test_real_frames_are_rgb(sullychen, real_drives):
    for i in (0, 480):
        other_decoder = np.array(Image.open(real_drives / "sullychen-2018" / sullychen.names[i]), int)
        frame = sullychen.frame(i)
        assert frame.dtype == np.uint8 and frame.shape == (256, 455, 3)
        assert np.abs(frame - other_decoder).mean() < 1
        assert np.abs(frame[..., ::-1] - other_decoder).mean() > 10


def test_real_angles_are_positive_to_the_right(sullychen):
    """Where the car turns right, the distant scene moves to the left from one frame to the next."""
    dots = np.random.default_rng(0).random((50, 300)).astype(np.float32)
    assert cv2.phaseCorrelate(dots, np.roll(dots, 3, axis=1))[0][0] == pytest.approx(3, abs=0.1)
    distant = [
        cv2.cvtColor(sullychen.frame(i), cv2.COLOR_RGB2GRAY)[60:130].astype(np.float32) for i in range(0, 700, 5)
    ]
    window = cv2.createHanningWindow(distant[0].shape[::-1], cv2.CV_32F)
    moved = np.array([cv2.phaseCorrelate(a, b, window)[0][0] for a, b in pairwise(distant)])
    angles = np.array([sullychen.angles[i : i + 5].mean() for i in range(0, 695, 5)])
    assert np.corrcoef(moved, angles)[0, 1] < -0.8
    assert np.median(moved[angles > 5]) < -1 and np.median(moved[angles < -2]) > 1


def test_real_simulator_log(real_drives):
    log = (real_drives / "udacity-sim" / "driving_log.csv").read_text().split()
    steering = [float(row.split(",")[3]) for row in log]
    for camera in ("center", "left", "right"):
        drive = load_drive(real_drives / "udacity-sim", camera=camera)
        assert len(drive) == 181 and drive.name == "udacity-sim"
        assert all(name.startswith(f"{camera}_2017_06_24_16_1") for name in drive.names)
        np.testing.assert_allclose(drive.angles, 25 * np.array(steering), rtol=1e-6)
        np.testing.assert_allclose(drive.timestamps[:3], [0, 0.074, 0.150])
        assert drive.frame(-1).shape == (160, 320, 3)
        assert drive.pictures(PILOTNET, [0, 5]).shape == (2, 66, 200, 3)


@pytest.mark.parametrize("where", ["", "inner", "outer/inner"])
@pytest.mark.parametrize("frames_in", ["", "data"])
def test_drive_in_a_folder_or_an_archive(tmp_path, where, frames_in):
    outer = tmp_path / "my drive"
    folder = outer / where
    write_drive(folder, GOOD)
    if frames_in:
        (folder / frames_in).mkdir()
        for frame in folder.glob("*.png"):
            frame.rename(folder / frames_in / frame.name)
    archive = zipped(outer, tmp_path / "packed.zip")
    before = sorted(tmp_path.rglob("*"))
    for path, name in ((outer, folder.name), (folder / "data.txt", folder.name), (archive, "packed")):
        drive = load_drive(path)
        assert drive.name == name
        assert list(drive.names) == ["0.png", "1.png", "2.png"]
        assert drive.angles.tolist() == [1.5, -2.25, 3]
        assert drive.timestamps is None
        assert colors_of(drive) == [color(0), color(1), color(2)]
    assert sorted(tmp_path.rglob("*")) == before


def test_milliseconds_are_a_count(tmp_path):
    times = ["17:09:44:912", "17:09:45:11", "17:09:45:110", "23:59:59:5"]
    lines = [f"{i}.png 0.0,2018-07-01 {time}" for i, time in enumerate(times)] + ["0.png 1,2018-07-02 0:00:00:0"]
    with pytest.warns(UserWarning, match="1 of 5 labels are of frames that have another"):
        drive = load_drive(write_drive(tmp_path, lines, frames=4))
    midnight = (24 - 17) * 3600 - 9 * 60 - 44.912
    np.testing.assert_allclose(drive.timestamps, [0, 0.099, 0.198, midnight - 0.995, midnight], atol=1e-6)


@pytest.mark.parametrize("lines", [GOOD, [f"{line},{TIMED}" for line in GOOD]])
def test_byte_order_mark_blank_lines_and_windows_line_ends(tmp_path, lines):
    write_drive(tmp_path, ["\ufeff" + lines[0], "", *lines[1:], "  "], newline="\r\n")
    assert load_drive(tmp_path).angles.tolist() == [1.5, -2.25, 3]


def test_names_with_spaces_and_folders(tmp_path):
    write_drive(tmp_path, ["the first frame.png\t1", "./further/in.png 2", "further\\in.png 3"], frames=0)
    write_frame(tmp_path / "the first frame.png", 1)
    write_frame(tmp_path / "further" / "in.png", 2)
    with pytest.warns(UserWarning, match="1 of 3 labels are of frames that have another"):
        drive = load_drive(tmp_path)
    assert colors_of(drive) == [color(1), color(2), color(2)]
    assert list(drive.names) == ["the first frame.png", "in.png", "in.png"]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(
    "folder",
    [
        "C:\\Users\\José\\data\\IMG\\",
        "\\\\server\\data\\",
        "/home/other/data/IMG/",
        "IMG/",
        "IMG\\",
        " IMG/",
        "",
        "data/IMG/",
    ],
)
def test_logs_of_the_simulator(tmp_path, header, folder):
    rows = [
        ", ".join(f"{folder}{camera}_{number}.png" for camera in ("center", "left", "right"))
        + f", {steering}, 1, 0, 9.389272E-06"
        for number, steering in enumerate(("-1", "0.5", "-4E-02"))
    ]
    if header:
        rows.insert(0, "center,left,right,steering,throttle,brake,speed")
    write_log(tmp_path / "log", rows)
    for path in (tmp_path / "log", zipped(tmp_path / "log", tmp_path / "log.zip", prefix="deep/er/")):
        for shift, camera in enumerate(("center", "left", "right")):
            drive = load_drive(path, camera=camera)
            np.testing.assert_allclose(drive.angles, [-25, 12.5, -1], rtol=1e-6)
            assert colors_of(drive) == [color(number + 5 * shift) for number in range(3)]


@pytest.mark.parametrize("header", [[], ["center, steering, throttle, brake, speed"]])
def test_log_with_one_camera(tmp_path, header):
    write_log(tmp_path, [*header, "IMG/center_1.png,0.1,0,0,0", "IMG/center_2.png,-0.1,0,0,0"])
    drive = load_drive(tmp_path)
    np.testing.assert_allclose(drive.angles, [2.5, -2.5], rtol=1e-6)
    assert colors_of(drive) == [color(1), color(2)]
    with pytest.raises(ValueError, match="only center"):
        load_drive(tmp_path, camera="left")


def test_camera_must_exist(tmp_path):
    write_drive(tmp_path, GOOD)
    with pytest.raises(ValueError, match="expected one of center, left, right"):
        load_drive(tmp_path, camera="rear")
    with pytest.raises(ValueError, match="only center"):
        load_drive(tmp_path, camera="right")


def test_default_drive(tmp_path, monkeypatch):
    write_drive(tmp_path / "mine", GOOD)
    monkeypatch.setenv("STEERLIB_DRIVE", str(tmp_path / "mine"))
    assert load_drive().name == "mine"
    # The variable is typed in the checkout, while notebooks run in a folder of it.
    monkeypatch.setattr("steerlib.checkout.ROOT", tmp_path / "checkout")
    monkeypatch.setattr("steerlib.checkout.DATA", tmp_path / "checkout" / "data")
    monkeypatch.setenv("STEERLIB_DRIVE", "../mine")
    assert load_drive().name == "mine"
    monkeypatch.setenv("STEERLIB_DRIVE", "")
    write_drive(tmp_path / "checkout" / "data" / "sample_drive", GOOD)
    assert load_drive().name == "sample_drive"
