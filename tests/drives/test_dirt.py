"""What is missing, malformed or damaged."""

import pytest
from made import GOOD, PILOTNET, TIMED, color, colors_of, write_drive, write_log, zipped

from steerlib.drives import load_drive


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
def test_malformed_time_costs_the_times_and_no_angle(tmp_path, time):
    write_drive(tmp_path, [f"0.png 1,{TIMED}", f"1.png 2{time}"])
    with pytest.warns(UserWarning, match=r"data\.txt: 1 of 2 times are not understood.*in line 2\)"):
        drive = load_drive(tmp_path)
    assert drive.angles.tolist() == [1, 2] and drive.timestamps is None


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
        "IMG/center_0.png,l,r,-12345.5,0,0,0",
        "IMG/center_0.png,l,r,0,12.5,0,0",
        "l,r,IMG/center_0.png,0,0,0,0",
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
    with pytest.raises(
        FileNotFoundError, match=r"no recording in .*: found no files; known formats: .*S\. Chen's drives"
    ):
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


def test_truncated_frame_can_be_skipped(tmp_path):
    write_drive(tmp_path, GOOD)
    truncated = tmp_path / "1.png"
    truncated.write_bytes(truncated.read_bytes()[:50])
    for path in (tmp_path, zipped(tmp_path, tmp_path.with_suffix(".zip"))):
        drive = load_drive(path)
        assert "3 frames of 40 × 24" in repr(drive)
        assert "the first is unreadable" in repr(drive.subset([1, 2]))
        with pytest.raises(ValueError, match=r"1\.png is not a complete picture.*readable"):
            drive.pictures(PILOTNET)
        assert drive.pictures(PILOTNET, [0, 2]).shape == (2, 66, 200, 3)
        with pytest.warns(UserWarning, match=r"1 of 3 frames cannot be read, left out: 1\.png") as warned:
            kept = drive.readable()
        assert len(warned) == 1
        assert kept.angles.tolist() == [1.5, 3] and colors_of(kept) == [color(0), color(2)]
        assert kept.readable() is kept
        with pytest.raises(ValueError, match="no frame can be read"):
            drive.subset([1]).readable()
