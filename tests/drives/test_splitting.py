"""Splits and implausible labels."""

import numpy as np
import pytest
from made import small_drive, write_drive

from steerlib.drives import Drive, load_drive, split, suspect_labels


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
