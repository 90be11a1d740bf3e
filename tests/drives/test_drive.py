"""What a drive gives."""

import numpy as np
import pytest
from made import GOOD, color, write_drive, write_frame, zipped
from PIL import Image

from steerlib.drives import WHOLE, Drive, load_drive


def test_a_subset_sees_what_its_drive_sees():
    drive = Drive.from_arrays("made", np.zeros((4, 20, 30, 3), np.uint8), np.zeros(4))
    drive.crop = (0.2, 0.9)
    assert drive.subset([1, 2]).crop == drive.subset([1, 2]).part_for() == (0.2, 0.9)
    assert drive.subset([3]).view(0).shape == (14, 30, 3)


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
        Drive.from_arrays("bad", frames, [0, np.inf])
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
