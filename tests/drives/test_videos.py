"""Videos: each frame is the one with its number, however it is asked for; tables beside them."""

import shutil
import struct

import numpy as np
import pytest
from made import PILOTNET, color, colors_of, write_frame, write_log, zipped
from videos import number_of, write_video

from steerlib.drives import AngleWarning, load_drive, read_table
from steerlib.drives.files import Files
from steerlib.drives.formats import comma2k19, deeptesla
from steerlib.drives.videos import Video

X265 = {"x265-params": "log-level=none:keyint=25:bframes=3"}
CODECS = [
    (".mp4", "libx264", None),
    (".mov", "libx264", {"g": "250", "bf": "3"}),
    (".mkv", "libx264", {"g": "1"}),
    (".avi", "mpeg4", {"g": "12"}),
    (".webm", "libvpx", {"g": "12"}),
    (".hevc", "libx265", X265),
    (".mkv", "libx265", X265),
]


def opened(path):
    return Video(lambda: str(path), str(path))


@pytest.mark.parametrize("ending, codec, options", CODECS)
def test_every_frame_is_the_one_with_its_number(tmp_path, ending, codec, options):
    video = opened(write_video(tmp_path / f"drive{ending}", 80, codec, options=options))
    assert len(video) == 80
    order = [*range(80), *np.random.default_rng(0).integers(0, 80, 40), 79, 0, 78, 1]
    assert [number_of(video.frame(i)) for i in order] == order
    if ending != ".hevc":
        np.testing.assert_allclose(video.times, np.arange(80) / 30, atol=1e-3)


def test_times_of_a_variable_rate(tmp_path):
    stamps = np.cumsum([0, 33, 33, 100, 20, 33, 2500, 33, 33, 33])
    drive = load_drive(write_video(tmp_path / "phone.mkv", 10, stamps=[int(stamp) for stamp in stamps]))
    np.testing.assert_allclose(drive.timestamps, stamps / 1000, atol=1e-6)
    assert drive.runs.tolist() == [0] * 6 + [1] * 4
    assert [number_of(drive.frame(i)) for i in (9, 3, 0)] == [9, 3, 0]


@pytest.mark.parametrize("matrix, turns", [((-1, 0, 0, -1), 2), ((0, 1, -1, 0), -1), ((0, -1, 1, 0), 1)])
def test_a_phone_held_otherwise(tmp_path, matrix, turns):
    data = bytearray(write_video(tmp_path / "phone.mp4", 5).read_bytes())
    start = data.index(b"tkhd") + 44  # the nine numbers by which the track is turned, fixed-point
    a, b, c, d = (value * 65536 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "phone.mp4").write_bytes(data)
    frame = load_drive(tmp_path).frame(3)
    assert frame.shape == ((48, 72, 3) if turns == 2 else (72, 48, 3)) and number_of(np.rot90(frame, -turns)) == 3


def test_a_video_alone_has_no_angles(tmp_path, recwarn):
    (tmp_path / "phone").mkdir()
    write_video(tmp_path / "phone" / "ride.mp4", 30)
    for path in (tmp_path / "phone", tmp_path / "phone" / "ride.mp4", zipped(tmp_path / "phone", tmp_path / "p.zip")):
        drive = load_drive(path)
        assert len(drive) == 30 and np.isnan(drive.angles).all() and not len(recwarn)
        assert "30 frames of 72 × 48, no angles, 1.0 s" in repr(drive)
        assert [number_of(drive.frame(i)) for i in (20, 4)] == [20, 4]
        assert drive.names[4] == "ride_000004" and drive.labels(0) is None
    pictures = drive.pictures(PILOTNET, [29, 3])
    np.testing.assert_array_equal(pictures, drive.pictures(PILOTNET)[[29, 3]])


def test_several_videos_are_several_runs(tmp_path):
    for name in ("b10", "b9"):
        write_video(tmp_path / f"{name}.mp4", 5)
    drive = load_drive(tmp_path)
    assert drive.runs.tolist() == [0] * 5 + [1] * 5 and drive.names[0] == "b9_000000"
    assert [number_of(drive.frame(i)) for i in (9, 0, 4)] == [4, 0, 4]


def test_a_video_beside_an_unknown_table_asks_for_its_columns(tmp_path):
    write_video(tmp_path / "ride.mp4", 3)
    (tmp_path / "can.csv").write_text("t,wheel\n0,1\n")
    with pytest.raises(ValueError, match=r"ride\.mp4 lies beside 'can\.csv': read_table reads both"):
        load_drive(tmp_path)
    assert len(load_drive(tmp_path / "ride.mp4")) == 3


def test_a_video_beside_a_known_recording_is_not_taken_for_it(tmp_path):
    write_video(tmp_path / "result.mp4", 3)
    (tmp_path / "requirements.txt").write_text("keras\n")
    write_log(tmp_path / "data", ["IMG/center_0.png,l,r,0.5,0,0,0"])
    write_video(tmp_path / "data" / "run.mp4", 3)
    drive = load_drive(tmp_path)
    assert drive.angles.tolist() == [12.5] and drive.name == "data"


def test_what_is_no_video(tmp_path):
    (tmp_path / "ride.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    with pytest.raises(ValueError, match=r"ride\.mp4 is no video"):
        load_drive(tmp_path / "ride.mp4")
    whole = write_video(tmp_path / "whole.mkv", 60).read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    video = opened(tmp_path / "half.mkv")
    assert 10 < len(video) < 60 and number_of(video.frame(5)) == 5


def table(folder, rows, name="can.csv"):
    (folder / name).write_text("\n".join(rows) + "\n")
    return folder / name


def test_a_table_with_the_numbers_of_frames(tmp_path):
    write_video(tmp_path / "ride.mp4", 10)
    path = table(tmp_path, ["n;wheel", *(f"{i};{i / 4:.2f}".replace(".", ",") for i in (0, 1, 2, 5, 7, 12))])
    with pytest.warns(UserWarning) as warned:
        drive = read_table(path, frame="n", angle="wheel", unit="degrees", sign=-1)
    assert [str(one.message).partition(": ")[2] for one in warned] == [
        "1 rows have numbers of no frame, which are 0 to 9",
        "5 of 10 frames have no angle",
    ]
    expected = np.full(10, np.nan)
    expected[[0, 1, 2, 5, 7]] = [0, -0.25, -0.5, -1.25, -1.75]
    np.testing.assert_allclose(drive.angles, expected, atol=1e-6)
    assert number_of(drive.frame(7)) == 7


def test_a_table_with_times_is_interpolated(tmp_path):
    write_video(tmp_path / "ride.mp4", 61)
    path = table(tmp_path, ["second,wheel", "0,0", "0.5,0.1", "1,0.3", "1.6,0"])
    with pytest.warns(UserWarning, match="9 of 61 frames have no angle"):
        drive = read_table(path, time="second", angle="wheel", unit="radians", sign=1)
    at = np.arange(61) / 30
    np.testing.assert_allclose(
        drive.angles[:51], np.degrees(np.interp(at, [0, 0.5, 1, 1.6], [0, 0.1, 0.3, 0]))[:51], atol=1e-3
    )
    assert np.isnan(drive.angles[52:]).all()
    table(tmp_path, ["second,wheel", "1530465000,0", "1530465001,0.1"])
    with pytest.raises(ValueError, match="seconds since the first frame"):
        read_table(path, time="second", angle="wheel", unit="radians", sign=1)


@pytest.mark.parametrize(
    "given, wrong",
    [
        ({"frame": "file", "angle": "wheel", "sign": 1}, r"unit=None: expected what 'wheel' is written in"),
        ({"frame": "file", "angle": "wheel", "unit": "turns", "sign": 1}, r"unit='turns'"),
        ({"frame": "file", "angle": "wheel", "unit": "degrees"}, r"sign=None: expected 1 where positive is right"),
        ({"frame": "file", "angle": "wheel", "unit": "fraction", "sign": 1}, r"full_lock=None"),
        (
            {"frame": "file", "angle": "angle", "unit": "degrees", "sign": 1},
            r"angle='angle' is no column: expected 'file', 'wh",
        ),
        ({"frame": 7}, r"frame=7 is no column"),
        ({"angle": "wheel", "unit": "degrees", "sign": 1}, r"frame=None: expected the column"),
    ],
)
def test_what_is_not_declared_is_not_guessed(tmp_path, given, wrong):
    path = table(tmp_path, ["file,wheel,at", "a.png,0.5,1"])
    with pytest.raises(ValueError, match=wrong):
        read_table(path, **given)


def test_a_table_with_pictures(tmp_path):
    for number in range(4):
        write_frame(tmp_path / "shots" / f"{number}.png", number)
    path = table(tmp_path, ["at\tfile\tlock", *(f"{10 + i / 2}\tshots/{i}.png\t{(i - 1) / 4}" for i in range(4))])
    drive = read_table(path, frame="file", angle="lock", unit="fraction", sign=-1, full_lock=400, time="at")
    assert drive.angles.tolist() == [100, 0, -100, -200] and drive.name == "can"
    np.testing.assert_allclose(drive.timestamps, [0, 0.5, 1, 1.5])
    assert colors_of(drive) == [color(number) for number in range(4)]
    bare = table(tmp_path, ["shots/2.png,3", "shots/0.png,4"], "bare.csv")
    assert read_table(bare, frame=0, angle=1, unit="degrees", sign=1).angles.tolist() == [3, 4]
    assert np.isnan(read_table(bare, frame=0).angles).all()
    with pytest.raises(ValueError, match="steering is 3: expected steering from -1 to 1"):
        read_table(bare, frame=0, angle=1, unit="fraction", sign=1, full_lock=25)


def test_comma2k19(real_drives, tmp_path):
    segment = next((real_drives / "comma2k19").glob("*/*/40"))
    route = tmp_path / "comma2k19" / "chunk" / "b0c9d2329ad1606b_2018-08-02--08-34-47"
    for number in (40, 9):
        for name in (
            "global_pose/frame_times",
            "processed_log/CAN/steering_angle/t",
            "processed_log/CAN/steering_angle/value",
        ):
            (route / str(number) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(segment / name, route / str(number) / name)
    with pytest.raises(FileNotFoundError, match=r"video\.hevc is not there: expected the video of 1,200 frames"):
        load_drive(route / "40")
    write_video(route / "40" / "video.hevc", 1200, "libx265", options={"x265-params": "log-level=none"})
    # By hand, without our reader: linear interpolation, the other sign.
    times = np.load(segment / "global_pose" / "frame_times")
    at, value = (np.load(segment / "processed_log" / "CAN" / "steering_angle" / name) for name in ("t", "value"))
    drive = load_drive(route / "40")
    assert len(drive) == 1200
    after = np.searchsorted(at, times[1:-1])
    share = (times[1:-1] - at[after - 1]) / (at[after] - at[after - 1])
    np.testing.assert_allclose(drive.angles[1:-1], -(value[after - 1] * (1 - share) + value[after] * share), atol=1e-4)
    assert drive.angles.min() == pytest.approx(-2.4, abs=0.05) and drive.angles.max() == pytest.approx(4.6, abs=0.05)
    np.testing.assert_allclose(drive.timestamps, times - times[0], atol=1e-6)
    assert [number_of(drive.frame(i)) for i in (0, 700, 1199)] == [0, 700, 1199]
    shutil.copy(route / "40" / "video.hevc", route / "9" / "video.hevc")
    for path in (route, route.parent, route.parents[1]):
        drive = load_drive(path)
        assert len(drive) == 2400 and drive.runs.tolist() == [0] * 1200 + [1] * 1200
    write_video(route / "9" / "video.hevc", 50, "libx265", options={"x265-params": "log-level=none"})
    with pytest.raises(ValueError, match=r"video\.hevc has 50 frames, .*frame_times 1,200 times"):
        load_drive(route)


def test_comma2k19_without_angles_near(tmp_path):
    for name, numbers in (
        ("global_pose/frame_times", np.arange(5.0)),
        (f"{comma2k19.ANGLES}/t", [1, 1.5, 2.95]),
        (f"{comma2k19.ANGLES}/value", [[1.0], [2], [3]]),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with open(tmp_path / name, "wb") as file:
            np.save(file, np.array(numbers, float))
    angles = comma2k19.angles_at_frames(Files(tmp_path))[1]
    assert np.isnan(angles[[0, 4]]).all() and angles[1] == -1 and angles[3] == -3
    (tmp_path / "global_pose" / "frame_times").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(ValueError, match="frame_times is no NumPy file"):
        comma2k19.angles_at_frames(Files(tmp_path))


@pytest.mark.parametrize("number", range(1, 11))
def test_logs_of_deeptesla(real_drives, number):
    files = Files(real_drives / "deeptesla" / "epochs")
    name = f"epoch{number:02}_steering.csv"
    recorded = deeptesla.read_log(files, name)
    rows = np.loadtxt(files.path / name, delimiter=",", skiprows=1)
    assert len(rows) == {1: 1500, 2: 3900}.get(number, 2700) and not recorded.problems
    assert [int(frame) for frame in recorded.names] == rows[:, 1].astype(int).tolist()
    np.testing.assert_allclose(recorded.angles, rows[:, 2])


def test_deeptesla_with_its_video(real_drives, tmp_path):
    shutil.copy(real_drives / "deeptesla" / "excel_damaged" / "epoch03_steering.csv", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"epoch03_front\.mkv is not there"):
        load_drive(tmp_path)
    write_video(tmp_path / "epoch03_front.mkv", 2700)
    rows = np.loadtxt(tmp_path / "epoch03_steering.csv", delimiter=",", skiprows=1)
    for path in (tmp_path, tmp_path / "epoch03_steering.csv"):
        drive = load_drive(path)
        np.testing.assert_allclose(drive.angles, rows[:, 2])
        assert set(drive.runs) == {0} and drive.timestamps[-1] == pytest.approx(2699 / 30, abs=0.01)
    assert [number_of(drive.frame(i)) for i in (2000, 5)] == [2000, 5]
    write_video(tmp_path / "epoch03_front.mkv", 100)
    with (
        pytest.warns(
            UserWarning, match="the video has 100 frames; 0 of them have no row, and 2,600 rows have no frame"
        ),
        pytest.warns(AngleWarning, match="are they radians"),
    ):
        assert len(load_drive(tmp_path)) == 100
