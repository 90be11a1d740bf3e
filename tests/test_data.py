import zipfile
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image

from steerlib import roads
from steerlib.data import ROAD, WHOLE, Drive, crop_road, load_drive, preprocess, split, suspect_labels

TIMED = "2018-07-01 17:09:55:179"


def color(number):
    """Tell the frames of generated drives apart: each has one color of its own."""
    return (10 * number, 200 - 10 * number, 40)


def write_frame(path, number, size=(24, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], color(number)).save(path)


def write_drive(folder, lines, frames=3, newline="\n"):
    """A drive in S. Chen's format: frames 0.png, 1.png, ..., each in its color."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(frames):
        write_frame(folder / f"{number}.png", number)
    (folder / "data.txt").write_text(newline.join(lines) + newline, encoding="utf-8", newline="")
    return folder


def write_log(folder, rows, frames=3):
    """A log of the simulator: center_0.png, left_0.png, right_0.png, ...; the sides in other colors."""
    for number in range(frames):
        for shift, camera in enumerate(("center", "left", "right")):
            write_frame(folder / "IMG" / f"{camera}_{number}.png", number + 5 * shift)
    (folder / "driving_log.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def zipped(folder, archive, prefix=""):
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, prefix + path.relative_to(folder).as_posix())
    return archive


def colors_of(drive):
    return [tuple(int(value) for value in drive.frame(i)[0, 0]) for i in range(len(drive))]


GOOD = ["0.png 1.5", "1.png -2.25", "2.png 3"]


# Preprocessing


def test_road_is_the_lower_150_of_256_rows():
    frame = np.arange(256, dtype=np.uint8)[:, None, None] + np.zeros((256, 455, 3), np.uint8)
    road = crop_road(frame)
    assert road.shape == (150, 455, 3)
    assert road[0, 0, 0] == 106 and road[-1, 0, 0] == 255
    assert crop_road(frame, WHOLE).shape == frame.shape


@pytest.mark.parametrize("crop", [(0.5, 0.5), (0.8, 0.2), (-0.1, 1.0), (0.0, 1.1), (0.999, 1.0)])
def test_crop_that_leaves_nothing_is_refused(crop):
    with pytest.raises(ValueError, match=r"crop=.* 100 rows|crop=.*: expected \(top, bottom\)"):
        crop_road(np.zeros((100, 10, 3), np.uint8), crop)


def test_preprocess_averages_areas_and_keeps_rgb():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (3 * 66, 2 * 200, 3), dtype=np.uint8)
    averages = frame.reshape(66, 3, 200, 2, 3).mean(axis=(1, 3)) / 255
    image = preprocess(frame, WHOLE)
    assert image.shape == (66, 200, 3) and image.dtype == np.float32
    np.testing.assert_allclose(image, averages, atol=0.51 / 255)


def test_images_are_exactly_what_preprocess_gives():
    frames = np.random.default_rng(1).integers(0, 256, (2, 256, 455, 3), dtype=np.uint8)
    for crop in (ROAD, WHOLE):
        drive = Drive.from_arrays("noise", frames, [0, 0], crop=crop)
        np.testing.assert_array_equal(drive.images(), [preprocess(frame, crop) for frame in frames])


@pytest.mark.parametrize(
    "frame",
    [np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), None],
)
def test_preprocess_refuses_what_is_no_frame(frame):
    with pytest.raises(ValueError, match="uint8 RGB"):
        preprocess(frame)


# The real drives


@pytest.fixture(scope="module")
def sullychen(real_drives):
    with pytest.warns(UserWarning) as warned:
        drive = load_drive(real_drives / "sullychen-2018")
    assert len(warned) == 1
    assert "63,125 of 63,825 labels" in str(warned[0].message)
    assert warned[0].filename == __file__
    return drive


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
        assert drive.images([0, 5]).shape == (2, 66, 200, 3)


# Formats and places


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


def test_a_quick_test_takes_fewer_frames_and_views(monkeypatch):
    monkeypatch.delenv("STEERLIB_DRIVE", raising=False)
    whole = load_drive()
    assert len(roads.render_views([2000], 30)) == 30
    monkeypatch.setenv("STEERLIB_QUICK", "3")
    some = load_drive()
    assert list(some.names) == list(whole.names[::3]) and (some.angles == whole.angles[::3]).all()
    assert len(roads.render_views([2000], 90)) == 30 and len(roads.render_views([2000], 15)) == 8
    monkeypatch.setenv("STEERLIB_QUICK", "1000")
    assert 40 <= len(load_drive()) < 80
    for text in ("fast", "0", "-1"):
        monkeypatch.setenv("STEERLIB_QUICK", text)
        with pytest.raises(ValueError, match="STEERLIB_QUICK"):
            load_drive()


def test_default_drive(tmp_path, monkeypatch):
    write_drive(tmp_path / "mine", GOOD)
    monkeypatch.setenv("STEERLIB_DRIVE", str(tmp_path / "mine"))
    assert load_drive().name == "mine"
    # The variable is typed in the checkout, while notebooks run in a folder of it.
    module = tmp_path / "checkout" / "steerlib" / "data.py"
    monkeypatch.setattr("steerlib.data.__file__", str(module))
    monkeypatch.setenv("STEERLIB_DRIVE", "../mine")
    assert load_drive().name == "mine"
    monkeypatch.setenv("STEERLIB_DRIVE", "")
    write_drive(tmp_path / "checkout" / "data" / "sample_drive", GOOD)
    assert load_drive().name == "sample_drive"


# Dirt


def test_missing_frames_are_counted_once(tmp_path):
    write_drive(tmp_path, ["7.png 7", *GOOD, "8.png 8"])
    with pytest.warns(UserWarning) as warned:
        drive = load_drive(tmp_path)
    assert len(warned) == 1
    assert "2 of 5 labels" in str(warned[0].message) and "'7.png' in line 1" in str(warned[0].message)
    assert drive.angles.tolist() == [1.5, -2.25, 3]


@pytest.mark.parametrize(
    "line",
    ["1.png", "1.png left", "1.png nan", "1.png NaN", "1.png inf", "1.png -inf", "1.png 1.5;2018-07-01", f",{TIMED}"],
)
def test_malformed_line_is_named_and_the_others_are_kept(tmp_path, line):
    write_drive(tmp_path, [GOOD[0], "", line, GOOD[2]])
    expected = r"data\.txt: 1 of 3 labels skipped, since they are not '200\.jpg -1\.21'.*' in line 3\)"
    with pytest.warns(UserWarning, match=expected) as warned:
        drive = load_drive(tmp_path)
    assert len(warned) == 1 and drive.angles.tolist() == [1.5, 3] and drive.names.tolist() == ["0.png", "2.png"]
    write_drive(tmp_path, ["", line, line])
    with pytest.raises(ValueError, match=r"data\.txt, line 2: expected '200\.jpg -1\.21'.*; found '"):
        load_drive(tmp_path)


@pytest.mark.parametrize("time", [",", ",17:09:55:179", ",2018-13-01 17:09:55:179", ",2018-07-01 17:09:61:179"])
def test_malformed_time_is_named(tmp_path, time):
    write_drive(tmp_path, [f"0.png 1,{TIMED}", f"1.png 1{time}"])
    with pytest.warns(UserWarning, match=r"data\.txt: 1 of 2 labels skipped.*in line 2\)"):
        assert load_drive(tmp_path).timestamps.tolist() == [0]


def test_without_a_time_in_every_line_there_are_none(tmp_path):
    drive = load_drive(write_drive(tmp_path, [f"0.png 1,{TIMED}", "1.png 2"]))
    assert drive.angles.tolist() == [1, 2] and drive.timestamps is None


def test_frames_with_several_labels_are_told_and_stay(tmp_path):
    write_drive(tmp_path, [*GOOD, "1.png 7"])
    with pytest.warns(UserWarning, match=r"data\.txt: 1 of 4 labels are of frames that have another"):
        assert load_drive(tmp_path).angles.tolist() == [1.5, -2.25, 3, 7]


@pytest.mark.parametrize(
    "row",
    [
        "IMG/center_0.png",
        "IMG/center_0.png,0,0,0,0",
        "IMG/center_0.png,l,r,left,0,0,0",
        "IMG/center_0.png,l,r,nan,0,0,0",
        "IMG/center_0.png,l,r,,0,0,0",
        "IMG/center_0.png,l,r,0,5,0,0,0",
        "IMG/center_0.png,l,r,-12.5,0,0,0",
    ],
)
@pytest.mark.parametrize("header", [[], ["center,left,right,steering,throttle,brake,speed"]])
def test_malformed_row_is_named_and_the_others_are_kept(tmp_path, row, header):
    write_log(tmp_path, [*header, "IMG/center_0.png,l,r,0,0,0,0", row])
    expected = rf"driving_log\.csv: 1 of 2 labels skipped, since they are not center, left.*line {2 + len(header)}\)"
    with pytest.warns(UserWarning, match=expected):
        assert load_drive(tmp_path).angles.tolist() == [0]


def test_nothing_to_load(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not there"):
        load_drive(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no data\.txt or driving_log\.csv in"):
        load_drive(tmp_path)
    write_drive(tmp_path / "a", GOOD, frames=0)
    with pytest.raises(FileNotFoundError, match=r"none of its 3 frames is there \(the first is '0\.png' in line 1\)"):
        load_drive(tmp_path / "a")
    for name in ("data.txt", "driving_log.csv"):
        empty = tmp_path / name[:4] / name
        empty.parent.mkdir()
        empty.write_text("\n")
        with pytest.raises(ValueError, match=f"{name} has no labels"):
            load_drive(empty)
    write_log(tmp_path / "b", ["center,left,right,steering,throttle,brake,speed"])
    with pytest.raises(ValueError, match="has no labels"):
        load_drive(tmp_path / "b")
    with pytest.raises(ValueError, match="holds 4 drives"):
        load_drive(tmp_path)


def jpeg(progressive=False):
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)])[1].tobytes()


def with_thumbnail(data):
    """Insert a whole JPEG into the header of another, as cameras do."""
    inner = jpeg()
    return data[:2] + b"\xff\xe1" + (len(inner) + 8).to_bytes(2, "big") + b"Exif\0\0" + inner + data[2:]


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg(progressive=True),
        with_thumbnail(jpeg()),
        cv2.imencode(".png", np.eye(60, dtype=np.uint8))[1].tobytes(),
    ],
    ids=["jpeg", "progressive", "thumbnail", "png"],
)
def test_every_truncation_is_noticed(tmp_path, data):
    lengths = range(0, len(data) - 1, 41)
    write_drive(tmp_path, [f"{length}.jpg 1" for length in lengths] + ["whole.jpg 1", "padded.jpg 1"], frames=0)
    for length in lengths:
        (tmp_path / f"{length}.jpg").write_bytes(data[:length])
    (tmp_path / "whole.jpg").write_bytes(data)
    (tmp_path / "padded.jpg").write_bytes(data + bytes(100))
    drive = load_drive(tmp_path)
    for i, length in enumerate(lengths):
        with pytest.raises(ValueError, match=rf"{length}\.jpg is not a complete picture"):
            drive.frame(i)
    with pytest.warns(UserWarning, match=f"{len(lengths)} of {len(drive)} frames cannot be read"):
        assert list(drive.readable().names) == ["whole.jpg", "padded.jpg"]


def test_truncated_frame_can_be_skipped(tmp_path):
    write_drive(tmp_path, GOOD)
    truncated = tmp_path / "1.png"
    truncated.write_bytes(truncated.read_bytes()[:50])
    for path in (tmp_path, zipped(tmp_path, tmp_path.with_suffix(".zip"))):
        drive = load_drive(path)
        assert "3 frames of 40 × 24" in repr(drive)
        assert "the first is unreadable" in repr(drive.subset([1, 2]))
        with pytest.raises(ValueError, match=r"1\.png is not a complete picture.*readable"):
            drive.images()
        assert drive.images([0, 2]).shape == (2, 66, 200, 3)
        with pytest.warns(UserWarning, match=r"1 of 3 frames cannot be read, left out: 1\.png") as warned:
            kept = drive.readable()
        assert len(warned) == 1
        assert kept.angles.tolist() == [1.5, 3] and colors_of(kept) == [color(0), color(2)]
        assert kept.readable() is kept
        with pytest.raises(ValueError, match="no frame can be read"):
            drive.subset([1]).readable()


def test_any_picture_becomes_uint8_rgb(tmp_path):
    write_drive(tmp_path, [f"{name} 0" for name in ("gray.png", "deep.png", "alpha.png", "palette.png")], frames=0)
    Image.new("L", (40, 24), 90).save(tmp_path / "gray.png")
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((24, 40), 90 * 256, np.uint16))
    Image.new("RGBA", (30, 20), (*color(3), 255)).save(tmp_path / "alpha.png")
    Image.new("RGB", (40, 24), color(4)).quantize(4).save(tmp_path / "palette.png")
    drive = load_drive(tmp_path)
    assert colors_of(drive) == [(90, 90, 90), (90, 90, 90), color(3), color(4)]
    assert all(drive.frame(i).dtype == np.uint8 for i in range(4))
    assert drive.frame(2).shape == (20, 30, 3)
    assert drive.pixels().shape == (4, 66, 200, 3)


# No way out of the folder


NAMES_OUTSIDE = ["../out.png", "..\\out.png", "data/../../out.png", "{outside}/out.png", "C:\\out.png"]


@pytest.mark.parametrize(
    "name, archive",
    [(name, archive) for name in NAMES_OUTSIDE for archive in (False, True)]
    + [("link.png", False), ("links/out.png", False)],
)
def test_label_file_cannot_reach_out(tmp_path, name, archive):
    outside = tmp_path / "outside"
    for number, place in enumerate((outside, tmp_path)):
        write_frame(place / "out.png", number)
    folder = write_drive(tmp_path / "inside", [GOOD[0], name.format(outside=outside) + " 1"])
    if not archive:
        (folder / "link.png").symlink_to(outside / "out.png")
        (folder / "links").symlink_to(outside)
    with pytest.raises(ValueError, match=r"data\.txt, line 2: .* leads out of the folder"):
        load_drive(zipped(folder, tmp_path / "inside.zip") if archive else folder)


def test_links_inside_the_folder_are_fine(tmp_path):
    folder = write_drive(tmp_path / "inside", [*GOOD, "again.png 4"])
    (folder / "again.png").symlink_to("1.png")
    (tmp_path / "shortcut").symlink_to(folder)
    for path in (folder, tmp_path / "shortcut"):
        drive = load_drive(path)
        assert drive.name == "inside"
        assert colors_of(drive) == [color(0), color(1), color(2), color(1)]


def test_linked_label_file_is_refused(tmp_path):
    folder = write_drive(tmp_path / "inside", GOOD)
    (folder / "data.txt").rename(tmp_path / "labels.txt")
    (folder / "data.txt").symlink_to(tmp_path / "labels.txt")
    for path in (folder, folder / "data.txt"):
        with pytest.raises(ValueError, match=r"data\.txt is a link that leads out"):
            load_drive(path)


def test_absolute_paths_in_logs_are_not_opened(tmp_path):
    """They belong to another machine, even if such a file happens to be here."""
    write_frame(tmp_path / "other" / "center_0.png", 9)
    row = f"{tmp_path}/other/center_0.png,l,r,0,0,0,0"
    drive = load_drive(write_log(tmp_path / "log", [row]))
    assert colors_of(drive) == [color(0)]
    write_log(tmp_path / "log", ["../other/center_0.png,l,r,0,0,0,0"])
    with pytest.raises(ValueError, match=r"driving_log\.csv, line 1: .* leads out of the folder"):
        load_drive(tmp_path / "log")


def test_members_that_leave_the_archive_do_not_exist(tmp_path):
    write_drive(tmp_path / "drive", GOOD)
    archive = zipped(tmp_path / "drive", tmp_path / "drive.zip")
    evil = ("../data.txt", "/data.txt", "../0.png", "inner/../../data.txt", "C:\\data.txt", "..\\data.txt")
    with zipfile.ZipFile(archive, "a") as file:
        for name in evil:
            file.writestr(name, "0.png 99")
    before = sorted(tmp_path.rglob("*"))
    drive = load_drive(archive)
    assert drive.angles.tolist() == [1.5, -2.25, 3]
    assert colors_of(drive) == [color(0), color(1), color(2)]
    assert sorted(tmp_path.rglob("*")) == before
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        for name in evil:
            file.writestr(name, "0.png 99")
    with pytest.raises(FileNotFoundError, match=r"no data\.txt"):
        load_drive(tmp_path / "evil.zip")


def test_damaged_archives_are_named(tmp_path):
    write_drive(tmp_path / "drive", GOOD)
    archive = zipped(tmp_path / "drive", tmp_path / "drive.zip")
    data = archive.read_bytes()
    (tmp_path / "half.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"half\.zip is no zip archive, or only a part"):
        load_drive(tmp_path / "half.zip")
    frame = (tmp_path / "drive" / "1.png").read_bytes()
    archive.write_bytes(data.replace(frame, bytes(len(frame))))
    drive = load_drive(archive)
    assert colors_of(drive.subset([0, 2])) == [color(0), color(2)]
    with pytest.raises(ValueError, match=r"1\.png cannot be unpacked"):
        drive.frame(1)
    with pytest.warns(UserWarning, match=r"1 of 3 .* 1\.png"):
        assert len(drive.readable()) == 2


# Drives


def test_pixels_are_decoded_once_and_shared(tmp_path):
    drive = load_drive(write_drive(tmp_path, GOOD))
    last_two = drive.subset([1, 2])
    first = drive.pixels(1)
    assert first.shape == (1, 66, 200, 3) and first.dtype == np.uint8
    assert tuple(first[0, 30, 100]) == color(1)
    (tmp_path / "1.png").unlink()
    np.testing.assert_array_equal(last_two.pixels([0]), first)
    with pytest.raises(FileNotFoundError, match=r"1\.png"):
        drive.frame(1)
    (tmp_path / "2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"2\.png"):
        last_two.pixels()
    with pytest.raises(ValueError, match="read-only"):
        first[:] = 0


def test_indices_of_every_kind():
    frames = np.stack([np.full((8, 8, 3), i, np.uint8) for i in range(6)])
    drive = Drive.from_arrays("gray", frames, range(6), timestamps=np.arange(6) / 20, crop=WHOLE).subset(
        slice(5, 0, -1)
    )
    cases = {
        "all": (None, [5, 4, 3, 2, 1]),
        "one": (1, [4]),
        "negative": ([-1, 0], [1, 5]),
        "slice": (slice(1, 3), [4, 3]),
        "range": (range(2), [5, 4]),
        "mask": (np.array([True, False, False, False, True]), [5, 1]),
        "none": ([], []),
        "twice": (np.array([2, 2]), [3, 3]),
    }
    for name, (indices, expected) in cases.items():
        assert drive.pixels(indices)[:, 0, 0, 0].tolist() == expected, name
        if indices is not None:
            part = drive.subset(indices, name="part")
            assert part.angles.tolist() == part.names.astype(int).tolist() == expected, name
            assert [int(part.frame(i)[0, 0, 0]) for i in range(len(part))] == expected, name
            np.testing.assert_allclose(part.timestamps, np.array(expected) / 20)
            assert part.name == "part" and drive.name == "gray"
    for wrong in (5, [-6], 99):
        with pytest.raises(IndexError):
            drive.pixels(wrong)
    with pytest.raises(IndexError):
        drive.frame(5)


def test_drive_in_memory():
    frames = np.zeros((2, 256, 455, 3), np.uint8)
    labels = np.arange(2, dtype=np.uint8)[:, None, None] + np.zeros((2, 256, 455), np.uint8)
    drive = Drive.from_arrays("rendered", frames, [1, -1], labels=labels)
    assert drive.view(0).shape == (150, 455, 3)
    assert drive.labels(1).shape == (256, 455) and drive.labels(1)[0, 0] == 1
    drive.frame(0)[:] = 255
    assert not frames.any() and not drive.frame(0).any()
    assert Drive.from_arrays("bare", frames, [1, -1]).labels(0) is None
    with pytest.raises(ValueError, match="3 angles for 2 frames"):
        Drive.from_arrays("bad", frames, [0, 0, 0])
    with pytest.raises(ValueError, match="angle 1 is not a finite number"):
        Drive.from_arrays("bad", frames, [0, np.nan])
    with pytest.raises(ValueError, match="float64"):
        Drive.from_arrays("bad", frames / 255, [0, 0])


def test_label_pictures_lie_beside_the_frames(tmp_path):
    write_drive(tmp_path / "drive", GOOD)
    picture = np.arange(24 * 40, dtype=np.uint16).astype(np.uint8).reshape(24, 40)
    (tmp_path / "drive" / "labels").mkdir()
    Image.fromarray(picture).save(tmp_path / "drive" / "labels" / "1.png")
    write_frame(tmp_path / "drive" / "labels" / "2.png", 0)
    for path in (tmp_path / "drive", zipped(tmp_path / "drive", tmp_path / "drive.zip")):
        drive = load_drive(path)
        assert drive.labels(0) is None
        np.testing.assert_array_equal(drive.labels(1), picture)
        with pytest.raises(ValueError, match=r"labels.2\.png is no label picture"):
            drive.labels(2)


def test_repr_tells_what_the_drive_is(tmp_path):
    lines = [f"{line},2018-07-01 17:09:{second:02}:0" for line, second in zip(GOOD, (0, 20, 59))]
    drive = load_drive(write_drive(tmp_path / "hills", lines))
    assert repr(drive) == "Drive 'hills': 3 frames of 40 × 24, angles from -2.2° to +3.0° (+ is right), 59.0 s"
    assert repr(drive.subset([])) == "Drive 'hills': no frames"


# Splits


def small_drive(count, angles=None):
    return Drive.from_arrays(
        "small", np.zeros((count, 2, 2, 3), np.uint8), np.arange(count) if angles is None else angles
    )


@pytest.mark.parametrize("by", ["block", "shuffle"])
@pytest.mark.parametrize("count, validation", [(700, 0.2), (350, 0.5), (36, 0.01), (71, 0.99)])
def test_split_divides_every_frame_once(by, count, validation):
    drive = small_drive(count)
    training, held_out = split(drive, validation, by=by)
    assert len(training) and len(held_out)
    assert sorted([*training.angles, *held_out.angles]) == list(range(count))
    assert (np.diff(training.angles) > 0).all() and (np.diff(held_out.angles) > 0).all()
    assert training.name == held_out.name == "small"
    again = split(drive, validation, by=by)[1]
    np.testing.assert_array_equal(again.angles, held_out.angles)


def test_blocks_stay_together_and_shuffled_frames_do_not():
    drive = small_drive(700)
    _, blocks = split(drive, 0.2, by="block", block=35)
    assert len(blocks) == 140
    numbers, sizes = np.unique(blocks.angles // 35, return_counts=True)
    assert len(numbers) == 4 and (sizes == 35).all()
    _, frames = split(drive, 0.2, by="shuffle")
    assert len(frames) == 140
    assert len(np.unique(frames.angles // 35)) > 15
    other = split(drive, 0.2, by="block", seed=1)[1]
    assert other.angles.tolist() != blocks.angles.tolist()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"by": "frame"}, "'block' or 'shuffle'"),
        ({"validation": 0}, "between 0 and 1"),
        ({"validation": 1}, "between 0 and 1"),
        ({"block": 0}, "at least one frame"),
        ({"block": 50}, "1 block of 50"),
    ],
)
def test_split_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        split(small_drive(40), **arguments)


# Suspect labels


def suspects_one_by_one(angles, threshold=2):
    return [
        i
        for i in range(1, len(angles) - 1)
        if angles[i] == 0
        and (min(angles[i - 1], angles[i + 1]) > threshold or max(angles[i - 1], angles[i + 1]) < -threshold)
    ]


def test_suspects_are_single_zeros_between_large_neighbors():
    angles = [0, 9, 0, 9, -9, 0, -9, 0, 9, 0, 0, 9, 0, 1, 9, 0, 2, 9, 0.1, 9, 0]
    assert suspect_labels(small_drive(len(angles), angles)).tolist() == [2, 5]
    assert suspect_labels(small_drive(len(angles), angles), threshold=0.5).tolist() == [2, 5, 12, 15]
    assert suspect_labels(small_drive(1, [0])).tolist() == []


def test_suspects_of_the_real_drive(sullychen, real_drives):
    found = suspect_labels(sullychen)
    assert "680.jpg" in sullychen.names[found]
    words = (real_drives / "sullychen-2018" / "data.txt").read_text().replace(",", " ").split()
    angles = [float(word) for word in words[1::4]]
    expected = suspects_one_by_one(angles)
    assert [f"{i}.jpg" for i in expected if 200 <= i < 900] == sullychen.names[found].tolist()
    # The neighbors are those of the recording, whatever frames a drive is left with.
    shuffled = sullychen.subset(np.random.default_rng(0).permutation(700)[:300])
    assert set(shuffled.names[suspect_labels(shuffled)]) == set(sullychen.names[found]) & set(shuffled.names)
    frames = np.broadcast_to(np.zeros((1, 2, 2, 3), np.uint8), (len(angles), 2, 2, 3))
    assert suspect_labels(Drive.from_arrays("all labels", frames, angles)).tolist() == expected
    assert len(expected) == 1370


def test_suspects_do_not_span_missing_frames(tmp_path):
    # In the recording 9, 0, 0, 9 and 9, 0, 9: without the missing frames it would seem the other way round.
    lines = ["0.png 9", "1.png 0", "gone.png 0", "2.png 9", "gone.png 9", "3.png 0", "gone.png 9", "4.png 1"]
    write_drive(tmp_path, lines, frames=5)
    with pytest.warns(UserWarning, match="3 of 8"):
        drive = load_drive(tmp_path)
    assert drive.names[suspect_labels(drive)].tolist() == ["3.png"]


def test_repaired_labels_are_not_suspect():
    drive = small_drive(3, [9, 0, 9])
    drive.angles[1] = 9
    assert suspect_labels(drive).tolist() == []
    assert drive.subset([1]).angles.tolist() == [9]
