"""Angles that cannot be what they are taken for: on drives made by hand, on rendered roads, and on every real one."""

import csv
import json
import warnings
from functools import cache

import cv2
import numpy as np
import pytest
from made import small_drive, write_drive

from steerlib import __main__ as command
from steerlib.drives import AngleWarning, Drive, check_angles, load_drive, picture_sign, read_frame, suspect_labels

CURVE = np.round(30 * np.sin(np.arange(60) / 9), 2)


def doubts(angles, **more):
    return {doubt.what: doubt for doubt in check_angles(made(angles, **more))}


def made(angles, **more):
    return Drive.from_arrays("made", np.zeros((len(angles), 2, 2, 3), np.uint8), angles, **more)


def replaced(angles, places):
    angles = np.array(angles, float)
    for place, value in places.items():
        angles[place] = value
    return angles


def flipped(drive):
    other = drive.subset(slice(None))
    other.angles = -other.angles
    return other


def test_nothing_is_said_of_a_plausible_drive():
    assert doubts(CURVE) == doubts(CURVE + 100) == doubts(-4 * CURVE) == {}
    assert doubts([]) == doubts([1.0]) == doubts([0, 0, 0]) == doubts([0.5, 1, -1, 0.2]) == {}


def test_all_within_a_half_circle_of_radians():
    found = doubts(np.radians(CURVE))
    assert set(found) == {"unit"}
    assert "between -0.523 and 0.524" in found["unit"].sentence and "radians, or fractions" in found["unit"].sentence
    assert found["unit"].frames.tolist() == list(range(60))
    assert "fractions" not in doubts(np.radians(4 * CURVE))["unit"].sentence  # up to 2.1: no fractions
    assert doubts(np.radians(6.1 * CURVE)) == {}  # up to 3.19, beyond any radians of ±180°


def test_angles_counted_from_0_to_360():
    found = doubts(CURVE % 360)
    assert set(found) == {"wrap"}
    jumps = 1 + np.flatnonzero(np.sign(CURVE[1:]) * np.sign(CURVE[:-1]) < 0)
    assert found["wrap"].frames.tolist() == jumps.tolist() and len(jumps)
    assert f"{len(jumps)} jump" in found["wrap"].sentence and "0 to 360" in found["wrap"].sentence
    drive = made(CURVE % 360)
    drive.angles = (drive.angles + 180) % 360 - 180  # what the sentence says
    np.testing.assert_allclose(drive.angles, CURVE, atol=1e-4)
    # A wheel that is turned more than once round leaves the circle: a leap there is no wrap.
    assert "wrap" not in doubts(np.append(13 * CURVE, [-170, 170]))


def test_constant_and_keyboard():
    found = doubts(np.zeros(40))
    assert set(found) == {"constant"} and "all 40 angles are 0°" in found["constant"].sentence
    keys = np.repeat([0, -25, 0, 25, 0, 25, 0], 7)
    found = doubts(replaced(keys, {24: 0}))  # a key is let go for one frame: no sensor's dropout
    assert set(found) == {"keyboard"} and "(-25°, 0°, 25°)" in found["keyboard"].sentence
    assert doubts(replaced(keys, {0: 1.25})) == {}  # four values
    assert doubts(keys[:29]) == {}  # too few frames to tell


def test_beyond_what_the_network_can_answer():
    found = doubts(np.append(CURVE, [100, 150, 181, 190, 185, 180, 150]))
    assert set(found) == {"beyond"}
    assert found["beyond"].frames.tolist() == [62, 63, 64]
    assert "3 angles are beyond ±180°, up to +190.0° (62: +181.0°, 63:" in found["beyond"].sentence


def test_leaps_to_any_value_and_dropouts_to_zero():
    spikes = {10: 95.0, 30: -70.0, 50: 170.0}
    assert suspect_labels(made(replaced(CURVE, spikes))).tolist() == list(spikes)
    found = doubts(replaced(CURVE, spikes | {15: 0.0}))
    assert set(found) == {"spikes", "dropouts"}
    assert found["spikes"].frames.tolist() == list(spikes) and found["dropouts"].frames.tolist() == [15]
    assert "3 angles leap" in found["spikes"].sentence and "(10: +95.0°, " in found["spikes"].sentence
    assert "1 angle drops" in found["dropouts"].sentence
    # None: 29 degrees, two frames, a step that stays, a turn that is sharp but in one direction.
    for places in ({10: CURVE[9] + 29}, {10: 90, 11: 90}, {k: 90 for k in range(10, 60)}, {58: 40, 59: 90}):
        assert suspect_labels(made(replaced(CURVE, places))).tolist() == [], places
    # A true angle between two dropouts is none; nor are frames at the ends, which have only one neighbor.
    assert suspect_labels(made([45, 45, 0, 45, 0, 45, 45])).tolist() == [2, 4]
    assert suspect_labels(made([90, 1, 2, 1, 90])).tolist() == []
    assert suspect_labels(made([1, 90, 2, 1])).tolist() == [1]


def test_leaps_in_a_recording_of_few_frames_a_second_are_crossings():
    angles = replaced(np.ones(20), {10: 90})
    assert suspect_labels(made(angles, timestamps=0.1 * np.arange(20))).tolist() == [10]
    assert suspect_labels(made(angles, timestamps=1.0 * np.arange(20))).tolist() == []
    assert suspect_labels(made(replaced(angles, {10: 0}) + 0, timestamps=1.0 * np.arange(20))).tolist() == []
    assert suspect_labels(made(replaced(9 * angles, {10: 0}), timestamps=1.0 * np.arange(20))).tolist() == [10]


def test_repaired_leaps_are_not_suspect():
    drive = made(replaced(CURVE, {10: 95.0}))
    drive.angles[10] = CURVE[10]
    assert suspect_labels(drive).tolist() == [] and check_angles(drive) == []


def test_loading_asks_once_and_for_all_reasons(tmp_path):
    angles = replaced(CURVE, {10: 250.0, 15: 0.0})
    folder = write_drive(tmp_path / "odd", [f"{k}.png {angle}" for k, angle in enumerate(angles)], frames=20)
    with pytest.warns(UserWarning) as warned:
        load_drive(folder)
    assert [type(warning.message) for warning in warned] == [UserWarning, AngleWarning]  # frames are missing, too
    message = str(warned[1].message)
    assert message.startswith("drive 'odd': 1 angle leaps") and "beyond ±180°, up to +250.0° (10.png" in message
    assert "zero" not in message  # usual in recordings, and no reason to doubt the drive
    assert warned[1].filename == __file__


def test_the_odd_logs(real_drives):
    with pytest.warns(AngleWarning, match=r"2 angles leap .*3\.jpg: \+250\.0°, 6\.jpg: -180\.0°") as warned:
        drive = load_drive(next(real_drives.glob("odd-logs/d41*")))
    assert len(warned) == 1 and suspect_labels(drive).tolist() == [3, 6]
    with pytest.warns(AngleWarning, match=r"radians") as warned:
        load_drive(next(real_drives.glob("odd-logs/d28*")))
    assert len(warned) == 1


def test_the_whole_drive_of_2018(real_drives):
    words = (real_drives / "sullychen-2018" / "data.txt").read_text().replace(",", " ").split()
    found = doubts([float(word) for word in words[1::4]])
    assert set(found) == {"beyond", "dropouts"}
    assert len(found["beyond"].frames) == 234 and len(found["dropouts"].frames) == 1370


# The sign.


def udacity_challenge(folder):
    rows = csv.DictReader((folder / "CH2_final_evaluation.csv").read_text().splitlines())
    angles = {row["frame_id"]: -np.degrees(float(row["steering_angle"])) for row in rows}
    paths = sorted((folder / "center").glob("*.jpg"))
    return paths, [angles[path.stem] for path in paths]


def donkeycar_2(folder):
    records = [json.loads(line) for line in (folder / "catalog_0.catalog").read_text().splitlines()]
    return [folder / "images" / one["cam/image_array"] for one in records], [25 * one["user/angle"] for one in records]


def donkeycar_1(folder):
    paths = sorted(folder.glob("record_*.json"), key=lambda path: int(path.stem[7:]))
    records = [json.loads(path.read_text()) for path in paths]
    return [folder / one["cam/image_array"] for one in records], [25 * one["user/angle"] for one in records]


def airsim(folder):
    log = next(folder.rglob("airsim_rec.txt"))
    rows = list(csv.DictReader(log.read_text().splitlines(), delimiter="\t"))
    return [log.parent / "images" / row["ImageFile"] for row in rows], [25 * float(row["Steering"]) for row in rows]


REAL = {
    "sullychen-2018": None,
    "udacity-sim": None,
    "udacity-ch2": udacity_challenge,
    "donkeycar-v2": donkeycar_2,
    "donkeycar-v1": donkeycar_1,
    "airsim": airsim,
}


@pytest.fixture(scope="module")
def read(real_drives):
    """Give a real drive."""

    @cache
    def real_drive(name):
        if reader := REAL[name]:
            paths, angles = reader(real_drives / name)
            return Drive.from_arrays(name, [read_frame(path) for path in paths], angles)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            drive = load_drive(real_drives / name)
        assert not [warning for warning in warned if warning.category is AngleWarning]
        return drive

    return real_drive


@pytest.mark.parametrize("name", REAL)
def test_the_sign_of_each_real_drive_is_seen(name, read):
    drive = read(name)
    sign = picture_sign(drive)
    assert sign.clear and not sign.wrong and sign.correlation < -0.45 and 100 <= sign.pairs <= 400
    wrong = picture_sign(flipped(drive))
    assert wrong.wrong and wrong.pairs == sign.pairs
    np.testing.assert_allclose(wrong.correlation, -sign.correlation)
    usual = {"sullychen-2018": {"dropouts"}, "donkeycar-v1": {"dropouts"}, "airsim": {"keyboard"}}.get(name, set())
    assert {doubt.what for doubt in check_angles(drive, pictures=True)} == usual
    assert {doubt.what for doubt in check_angles(flipped(drive), pictures=True)} == usual | {"sign"}


def test_the_rendered_sample_drive_is_not_in_doubt():
    drive = load_drive()
    sign = picture_sign(drive)
    assert sign.clear and not sign.wrong and check_angles(drive, pictures=True) == []
    (doubt,) = check_angles(flipped(drive), pictures=True)
    assert doubt.what == "sign" and "positive is left" in doubt.sentence


def test_no_stretch_of_a_real_road_is_called_wrong(read):
    drive = read("udacity-ch2")
    signs = [picture_sign(drive.subset(slice(start, start + 150))) for start in range(0, 1900, 100)]
    assert not any(sign.wrong for sign in signs) and sum(sign.clear for sign in signs) >= 15
    # Angles of another drive, or of another moment, are none that the pictures say anything about.
    rng = np.random.default_rng(0)
    for _ in range(5):
        other = drive.subset(slice(None))
        other.angles = rng.permutation(other.angles)
        assert not picture_sign(other).clear


def moving_bars(shifts, size=(100, 160)):
    """Frames of vertical bars that each lie so many pixels further to the right than in the one before."""
    bars = cv2.GaussianBlur(np.random.default_rng(1).uniform(0, 255, (1, 4000)), (0, 0), 4)
    bars = np.clip(128 + 6 * (bars - bars.mean()), 0, 255)
    starts = 2000 - np.cumsum(shifts)
    rows = [np.repeat(bars[:, start : start + size[1]], size[0], axis=0) for start in starts.astype(int)]
    return np.repeat(np.array(rows)[..., None], 3, axis=-1).astype(np.uint8)


def test_shifts_known_by_hand():
    shifts = np.random.default_rng(2).integers(-9, 10, 140)
    frames = moving_bars(shifts)
    sign = picture_sign(Drive.from_arrays("bars", frames, -shifts))
    # The shift between two frames is that of the second, and is compared with the mean of both angles.
    between, means = shifts[1:], -(shifts[1:] + shifts[:-1]) / 2
    assert sign.pairs == np.count_nonzero(between)
    expected = np.corrcoef(between[between != 0], means[between != 0])[0, 1]
    np.testing.assert_allclose(sign.correlation, expected, atol=0.01)


def test_without_pairs_of_frames_the_pictures_say_nothing():
    shifts = np.where(np.arange(140) // 10 % 2, 4, -4)
    frames, angles = moving_bars(shifts), -5.0 * shifts
    drive = Drive.from_arrays("bars", frames, angles)
    assert picture_sign(drive).clear and picture_sign(drive.subset(slice(0, 120))).clear
    nothing = {
        "too few": drive.subset(slice(0, 90)),
        "every second frame": drive.subset(slice(0, None, 2)),
        "shuffled": drive.subset(np.random.default_rng(0).permutation(140)),
        "standing": Drive.from_arrays("bars", frames[:1].repeat(140, axis=0), angles),
        "no scene": Drive.from_arrays("bars", np.full_like(frames, 90), angles),
        "constant": Drive.from_arrays("bars", frames, np.ones(140)),
        "cut": Drive.from_arrays("bars", frames, angles, cut=True),
        "none": small_drive(0),
    }
    for name, one in nothing.items():
        sign = picture_sign(one)
        assert not sign.clear and not sign.wrong, name
        assert "do not say" in str(sign), name
    # Frames that cannot be read, and angles that are not known, are left out.
    other = drive.subset(slice(None))
    other.angles[20] = np.nan
    assert picture_sign(other).pairs == picture_sign(drive).pairs - 2


def test_frames_that_cannot_be_read_are_left_out(tmp_path):
    shifts = np.where(np.arange(140) // 10 % 2, 4, -4)
    for number, frame in enumerate(moving_bars(shifts)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame)
    lines = [f"{number}.png {-5.0 * shift}" for number, shift in enumerate(shifts)]
    (tmp_path / "data.txt").write_text("\n".join(lines))
    with pytest.warns(AngleWarning, match="only 2 angles"):
        drive = load_drive(tmp_path)
    pairs = picture_sign(drive).pairs
    (tmp_path / "50.png").write_bytes(b"no picture")
    sign = picture_sign(drive)
    assert sign.pairs == pairs - 2 and sign.clear


# The command.


def test_the_command_checks_a_drive(real_drives, tmp_path, capfd):
    assert command.main(["check", str(command.__file__.replace("steerlib/__main__.py", "data/sample_drive"))]) == 0
    out, err = capfd.readouterr()
    assert "300 frames" in out and "sign: in the pictures positive is right" in out and err == ""
    assert command.main(["check", str(next(real_drives.glob("odd-logs/d41*")))]) == 1
    out, err = capfd.readouterr()
    assert out.count("leap") == 1 and "spikes: 2 angles leap" in out and "beyond: " in out and err == ""
    assert command.main(["check", str(tmp_path / "none")]) == 2
    out, err = capfd.readouterr()
    assert out == "" and "none is not there" in err
