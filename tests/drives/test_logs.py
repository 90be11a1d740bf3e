"""Logs as people have them: the true angles, or a refusal that a user can act on."""

import csv

import numpy as np
import pytest
from made import GOOD, TIMED, color, colors_of, write_drive, write_frame, write_log

from steerlib.drives import AngleWarning, load_drive, split, suspect_labels
from steerlib.drives.tables import with_points

TRUE = [-2.145, -6.25, 10, 0, 0, 3.75, -15, 7.5, 0, 1.25, -23.75, 17.5]
READ_AS_THEY_ARE = [
    "d01_decimal_comma",
    "d02_decimal_comma_one_camera",
    "d04_semicolon",
    "d06_header_steering_angle",
    "d07_header_other_order",
    "d09_uppercase_ext",
    "d10_lowercase_img_folder",
    "d14b_comma_in_path_quoted",
    "d17_img_img",
    "d35_prefix_of_own_folder",
]


@pytest.mark.parametrize("name", READ_AS_THEY_ARE)
def test_odd_log_gives_the_true_angles(real_drives, recwarn, name):
    drive = load_drive(real_drives / "odd-logs" / name)
    np.testing.assert_allclose(drive.angles, TRUE, atol=1e-5)
    assert not len(recwarn) and set(drive.runs) == {0}
    assert drive.frame(11).ndim == 3


def test_degrees_in_a_log_of_fractions(real_drives):
    folder = real_drives / "odd-logs" / "d08_steering_in_degrees"
    with pytest.raises(ValueError, match=r"driving_log\.csv, line 6: steering is 4\.5.*from -1 to 1.*unit='degrees'"):
        load_drive(folder)
    degrees = [-0.4, 0.8, -0.9, 0.2, 0, 4.5, 9, 14, -7, -12, -22, 25]
    np.testing.assert_allclose(load_drive(folder, unit="degrees").angles, degrees, atol=1e-5)


def test_an_appended_recording_is_a_run_of_its_own(real_drives, recwarn):
    drive = load_drive(real_drives / "odd-logs" / "d13_appended")
    np.testing.assert_allclose(drive.angles, TRUE + TRUE, atol=1e-5)
    assert drive.runs.tolist() == [0] * 12 + [1] * 12 and not len(recwarn)
    assert repr(drive).endswith("(+ is right), 2.2 s, 2 runs")


def test_two_drives_in_one_folder_are_two_runs(real_drives, recwarn):
    folder = real_drives / "odd-logs" / "d18_two_tracks"
    for path in (folder, [folder / "track1", folder / "track2"]):
        drive = load_drive(path)
        np.testing.assert_allclose(drive.angles, TRUE + TRUE, atol=1e-5)
        assert drive.runs.tolist() == [0] * 12 + [1] * 12 and not len(recwarn)
        assert drive.names[0] != drive.names[12] and drive.frame(12).ndim == 3
    assert load_drive(folder).name == "d18_two_tracks" and drive.name == "track1 + track2"


def test_iso_times(real_drives, recwarn):
    drive = load_drive(real_drives / "odd-logs" / "d26_time_iso")
    np.testing.assert_allclose(drive.angles, TRUE, atol=1e-5)
    np.testing.assert_allclose(drive.timestamps, np.arange(12) / 10, atol=1e-6)


def test_radians_where_degrees_are_expected(real_drives):
    folder = real_drives / "odd-logs" / "d28_radians"
    with pytest.warns(UserWarning, match=r"between -0\.415 and 0\.305: are they radians.*unit='radians'"):
        np.testing.assert_allclose(load_drive(folder).angles, np.radians(TRUE), atol=1e-5)
    np.testing.assert_allclose(load_drive(folder, unit="radians").angles, TRUE, atol=1e-4)


def test_a_third_column(real_drives):
    with pytest.warns(UserWarning, match=r"of the 2 numbers in a line, number 1 is taken for the angle") as warned:
        drive = load_drive(real_drives / "odd-logs" / "d30_speed_column")
    np.testing.assert_allclose(drive.angles, TRUE, atol=1e-5)
    assert len(warned) == 1


def test_spikes_are_loaded_as_they_are(real_drives):
    with pytest.warns(AngleWarning, match="2 angles leap out of a curve and back within one frame"):
        drive = load_drive(real_drives / "odd-logs" / "d41_spikes")
    assert drive.angles[3] == 250 and drive.angles[6] == -180


def logs(angles, one_camera):
    """Give rows of a simulator that drives with throttle, brake and speed of all kinds."""
    random = np.random.default_rng(0)
    for number, angle in enumerate(angles):
        names = [f"/rec/IMG/{camera}_{number % 3}.png" for camera in ("center", "left", "right")]
        others = [random.choice([0, 1, 0.35]), random.choice([0, 0.5]), round(random.uniform(0, 30), 4)]
        yield names[: 1 if one_camera else 3] + [f"{value:g}" for value in (angle, *others)]


@pytest.mark.filterwarnings("ignore:.*labels are of frames")
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("one_camera", [True, False])
@pytest.mark.parametrize("separator, decimal", [(",", "."), (", ", ","), (";", ","), (";", "."), ("\t", ",")])
def test_separators_and_decimal_commas(tmp_path, separator, decimal, one_camera, header):
    steering = np.round(np.random.default_rng(1).uniform(-1, 1, 60), 4)
    steering[::4] = 0
    rows = list(logs(steering, one_camera))
    names = ["center", *["left", "right"][: 0 if one_camera else 2], "steering", "throttle", "brake", "speed"]
    texts = [separator.join(cell if "/" in cell else cell.replace(".", decimal) for cell in row) for row in rows]
    write_log(tmp_path, [separator.join(names)] * header + texts)
    np.testing.assert_allclose(load_drive(tmp_path).angles, 25 * steering, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*labels")
def test_decimal_commas_between_commas_give_the_angle_or_none(tmp_path):
    steering = np.round(np.random.default_rng(2).uniform(-1, 1, 200), 3)
    rows = list(logs(steering, True))
    write_log(tmp_path, [",".join(cell if "/" in cell else cell.replace(".", ",") for cell in row) for row in rows])
    drive = load_drive(tmp_path)
    known = drive._film.recorded
    assert np.isfinite(known).mean() > 0.8
    np.testing.assert_allclose(known[np.isfinite(known)], 25 * steering[np.isfinite(known)], atol=1e-4)


def test_a_number_that_can_be_read_in_two_ways_is_none():
    rows = [(1, ["a", "0", "1", "0", "0", "5"]), (2, ["a", "-0", "25", "0", "9", "0", "12", "68"])]
    first, second = with_points(rows, [None, 1, 1, 1, 400], needed=1)
    # 0.1, 0, 0, 5 or 0, 1, 0, 0.5
    assert first[1][1] == "0 or 0.1" and second[1][:2] == ["a", "-0.25"] and len(second[1]) == 5


def test_a_spreadsheet_in_quotes(tmp_path):
    write_log(tmp_path, [])
    with open(tmp_path / "driving_log.csv", "w", newline="") as file:
        rows = [[f"C:\\Track 1, left\\IMG\\{name}_{i}.png" for name in ("center", "left", "right")] for i in range(3)]
        csv.writer(file).writerows([*row, "-0,5", "0,1", "0", "9,5"] for row in rows)
    assert load_drive(tmp_path).angles.tolist() == [-12.5] * 3


@pytest.mark.parametrize(
    "header, found",
    [
        ("center,left,right,servo,throttle,brake,speed", "no column 'steering'.*'center', 'left', 'right', 'servo'"),
        ("center,left,right,steering,steering_angle,brake,speed", "more than one column 'steering'"),
        ("a,b,c,steering,throttle,brake,speed", "no column 'center'.*'a', 'b', 'c'"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(tmp_path, header, found):
    write_log(tmp_path, [header, "IMG/center_0.png,l,r,0.1,0.2,0,0"])
    with pytest.raises(ValueError, match=rf"driving_log\.csv, line 1: the header has {found}"):
        load_drive(tmp_path)


def test_another_header_in_the_middle_is_refused(tmp_path):
    rows = ["IMG/center_0.png,l,r,0.1,0.2,0,0", "center,left,right,throttle,steering,brake,speed"]
    write_log(tmp_path, [*rows, "IMG/center_1.png,l,r,0.1,0.2,0,0"])
    with pytest.raises(ValueError, match=r"line 2: another header than before: expected center, left, right, steering"):
        load_drive(tmp_path)


def test_most_lines_malformed_is_an_error(tmp_path):
    write_drive(tmp_path / "a", [GOOD[0], "1.png", "2.png left"])
    expected = r"data\.txt, line 2: expected '200\.jpg -1\.21'.*; found '1\.png'; so are 2 of 3 lines"
    with pytest.raises(ValueError, match=expected):
        load_drive(tmp_path / "a")
    write_log(tmp_path / "b", ["IMG/center_0.png,l,r,0,0,0,0", "IMG/center_1.png,l,r,x,0,0,0", "IMG/center_2.png,l,r"])
    with pytest.raises(ValueError, match=r"line 2: expected center, left.*; found 'x'; so are 2 of 3 lines"):
        load_drive(tmp_path / "b")


@pytest.mark.parametrize("unit, largest", [("degrees", 16), ("radians", 1.5)])
def test_one_value_beyond_the_unit_puts_all_in_doubt(tmp_path, unit, largest):
    write_log(tmp_path, [f"IMG/center_{i}.png,l,r,{angle},0,0,0" for i, angle in enumerate((0.5, -1, largest))])
    with pytest.raises(ValueError, match=rf"line 3: steering is {largest}: expected .*unit='{unit}'.* reads them so"):
        load_drive(tmp_path)
    factor = 1 if unit == "degrees" else np.degrees(1)
    np.testing.assert_allclose(load_drive(tmp_path, unit=unit).angles, factor * np.array([0.5, -1, largest]), rtol=1e-6)
    with pytest.raises(ValueError, match="unit='percent': expected one of fraction, radians, degrees"):
        load_drive(tmp_path, unit="percent")


def test_full_lock_of_a_log(tmp_path, monkeypatch):
    write_log(tmp_path, ["IMG/center_0.png,l,r,0.5,0,0,0"])
    monkeypatch.setenv("STEERLIB_FULL_LOCK", "40")  # the simulator's is known
    assert load_drive(tmp_path).angles.tolist() == [12.5]
    assert load_drive(tmp_path, full_lock=40).angles.tolist() == [20]
    with pytest.raises(ValueError, match="full_lock=0: expected degrees"):
        load_drive(tmp_path, full_lock=0)


@pytest.mark.parametrize(
    "lines",
    [
        ["0.png 1,5", "1.png -2,25", "2.png 3"],
        [f"{line.replace('.5', ',5').replace('.25', ',25')},{TIMED}" for line in GOOD],
        ["0.png,1.5", "1.png,-2.25", "2.png,3"],
        ["0.png;1,5", "1.png;-2,25", "2.png;3"],
        [f"{line.replace(' ', ';')};{TIMED}" for line in GOOD],
        ["frame angle", *GOOD],
        ["filename;Steering_Angle;time", *(f"{line.replace(' ', ';')};1530465000" for line in GOOD)],
        ["0.png 1.5,1530465000.5", "1.png -2.25,1530465000600", "2.png 3,1530465000700000000"],
        ['"0.png" 1.5', '"1.png" -2.25', '"2.png" 3'],
    ],
)
def test_forms_of_data_txt(tmp_path, recwarn, lines):
    assert load_drive(write_drive(tmp_path, lines)).angles.tolist() == [1.5, -2.25, 3]
    assert not len(recwarn)


def test_a_comma_of_two_meanings_is_refused(tmp_path):
    write_drive(tmp_path, ["0.png,1,5", "1.png,-2,25", "2.png,3,1"])
    with pytest.raises(ValueError, match=r"line 1: .* found '1,5', in which a comma may be a decimal one or begin"):
        load_drive(tmp_path)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("header, first", [("frame speed angle", False), ("frame angle speed", True)])
def test_columns_of_data_txt_are_named_by_its_header(tmp_path, header, first, decimal):
    angles, speeds = ("1.5", "-2.25", "3"), ("9.5", "8", "7.25")
    pairs = zip(angles, speeds) if first else zip(speeds, angles)
    lines = [f"{i}.png {' '.join(pair).replace('.', decimal)}" for i, pair in enumerate(pairs)]
    with pytest.warns(
        UserWarning, match=f"of the 2 numbers in a line, number {1 if first else 2} is taken for the angle"
    ):
        assert load_drive(write_drive(tmp_path, [header, *lines])).angles.tolist() == [1.5, -2.25, 3]


def test_a_header_without_an_angle_is_refused(tmp_path):
    write_drive(tmp_path, ["frame throttle", *GOOD])
    with pytest.raises(ValueError, match=r"data\.txt, line 1: expected .* or a header .*; found 'frame throttle'"):
        load_drive(tmp_path)


def test_unix_times(tmp_path):
    lines = ["0.png 1,1530465000.5", "1.png 2,1530465000600", "2.png 3,1530465000700000000"]
    np.testing.assert_allclose(load_drive(write_drive(tmp_path, lines)).timestamps, [0, 0.1, 0.2], atol=1e-6)


def test_a_gap_or_a_jump_back_ends_a_run(tmp_path):
    seconds = [0, 0.1, 0.2, 8, 8.1, 2, 2.1, 2.2, 3.1]
    lines = [f"{i % 3}.png 9,{1530465000 + second:.1f}" for i, second in enumerate(seconds)]
    lines[4] = lines[4].replace(" 9", " 0")  # between two runs no zero is suspect
    with pytest.warns(UserWarning, match="of frames that have another"):
        drive = load_drive(write_drive(tmp_path, lines))
    assert drive.runs.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert suspect_labels(drive).tolist() == []
    drive._film.runs[:] = 0
    assert suspect_labels(load := drive.subset(range(9))).tolist() == [4], load


def test_no_block_reaches_across_the_end_of_a_run(tmp_path):
    lines = [f"0.png {i},{1530465000 + i / 10 + (60 if i >= 17 else 0):.1f}" for i in range(40)]
    with pytest.warns(UserWarning, match="of frames that have another"):
        drive = load_drive(write_drive(tmp_path, lines, frames=1))
    sizes = set()
    for seed in range(20):
        held_out = split(drive, 0.01, block=10, seed=seed)[1]
        sizes.add((int(held_out.angles[0]), len(held_out)))
        assert len(set(held_out.runs)) == 1
    assert sizes == {(0, 10), (10, 7), (17, 10), (27, 10), (37, 3)}


def test_frames_are_found_under_other_capitals_and_in_other_folders(tmp_path, recwarn):
    write_frame(tmp_path / "a" / "Pictures" / "ONE.PNG", 1)
    (tmp_path / "a" / "data.txt").write_text("pictures/one.png 1\n")
    assert colors_of(load_drive(tmp_path / "a")) == [color(1)]
    for number, folder in enumerate(("IMG", "track/IMG")):
        write_frame(tmp_path / "b" / folder / "0.png", number)
    (tmp_path / "b" / "driving_log.csv").write_text("C:\\me\\track\\IMG\\0.png,l,r,0,0,0,0\n")
    assert colors_of(load_drive(tmp_path / "b")) == [color(1)]  # not IMG/0.png
    assert not len(recwarn)


def test_what_is_there_in_place_of_the_frames_is_said(tmp_path):
    for name in ("0.Png", "0.PNG"):
        write_frame(tmp_path / "a" / name, 0)
    (tmp_path / "a" / "data.txt").write_text("0.png 1\n")
    with pytest.raises(FileNotFoundError, match=r"'0\.P(NG|ng)' is there, the label says '0\.png'"):
        load_drive(tmp_path / "a")
    write_frame(tmp_path / "b" / "0.jpg", 0)
    (tmp_path / "b" / "driving_log.csv").write_text("IMG/0.png,l,r,0,0,0,0\n")
    with pytest.raises(FileNotFoundError, match=r"'0\.jpg' is there, the label says '0\.png'"):
        load_drive(tmp_path / "b")
    write_frame(tmp_path / "c" / "other" / "x.jpg", 0)
    (tmp_path / "c" / "frames.tar.gz").touch()
    (tmp_path / "c" / "data.txt").write_text("0.png 1\n")
    found = r"found an archive 'frames\.tar\.gz', 'data\.txt'|found 'data\.txt', an archive 'frames\.tar\.gz'"
    with pytest.raises(FileNotFoundError, match=rf"({found}); 1 picture in other"):
        load_drive(tmp_path / "c")
