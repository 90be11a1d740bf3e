"""Recordings of Udacity's challenge, donkeycar and AirSim: the real ones, and what else their recorders write."""

import json
import shutil
from io import BytesIO

import numpy as np
import pytest
from made import color, colors_of, write_frame, zipped
from PIL import Image

from steerlib.drives import AngleWarning, load_drive
from steerlib.drives.files import Files
from steerlib.drives.formats import udacity_challenge

ASSUMED = "ignore:.*25° are assumed"


def table(path, skip=1):
    """Read a CSV or a table between tabulators, without our reader."""
    mark = "\t" if "\t" in path.read_text().partition("\n")[0] else ","
    return [line.split(mark) for line in path.read_text().splitlines()[skip:]]


# Udacity's challenge 2


def test_published_test_drive(real_drives):
    with pytest.warns(UserWarning, match="3,614 of 5,614 labels skipped, since their frames are missing") as warned:
        drive = load_drive(real_drives / "udacity-ch2")
    assert len(warned) == 1 and len(drive) == 2000 and set(drive.runs) == {0}
    rows = table(real_drives / "udacity-ch2" / "CH2_final_evaluation.csv")
    radians = {f"{frame}.jpg": float(angle) for frame, angle, _ in rows}
    assert drive.names.tolist() == [name for name in radians][:4000:2]
    np.testing.assert_allclose(np.radians(drive.angles), [-radians[name] for name in drive.names], atol=1e-6)
    assert drive.angles.min() == pytest.approx(-33.4, abs=0.1) and drive.angles.max() == pytest.approx(44.9, abs=0.1)
    np.testing.assert_allclose(np.diff(drive.timestamps), 0.1, atol=0.01)
    assert drive.frame(1999).shape == (240, 320, 3)
    # Always 0° scores 0.2068 on the rows with `public` 1, as the board of 2016 says.
    public = np.array([row[2] == "1" for row in rows])
    assert np.sqrt(np.mean(np.radians(drive._film.recorded[public]) ** 2)) == pytest.approx(0.2068, abs=1e-4)


def test_the_template_is_no_label(real_drives, tmp_path):
    shutil.copy(real_drives / "udacity-ch2" / "final_example.csv", tmp_path)
    for path in (tmp_path, tmp_path / "final_example.csv", real_drives / "udacity-ch2" / "final_example.csv"):
        with pytest.raises(ValueError, match=r"final_example\.csv is the challenge's template: its angles are random"):
            load_drive(path)


def test_numbers_of_frames_that_a_spreadsheet_spoiled(tmp_path):
    rows = ["frame_id,steering_angle,public", "1.47943E+18,0.1,1", "1.47943E+18,0.2,0"]
    (tmp_path / "CH2_final_evaluation.csv").write_text("\n".join(rows))
    with pytest.raises(ValueError, match=r"line 2: expected frame_id and .*; found '1\.47943E\+18'; so are 2 of 2"):
        load_drive(tmp_path)
    with pytest.raises(ValueError, match="only center"):
        load_drive(tmp_path, camera="left")


def test_a_published_list_in_degrees(tmp_path):
    write_frame(tmp_path / "center" / f"{START}.png", 0)
    (tmp_path / "CH2_final_evaluation.csv").write_text(f"frame_id,steering_angle,public\n{START},20.5,1\n")
    with pytest.raises(
        ValueError, match=r"steering is 20\.5: expected steering in radians.*unit='degrees' reads them so"
    ):
        load_drive(tmp_path)
    assert load_drive(tmp_path, unit="degrees").angles.tolist() == [-20.5]


def test_labels_written_from_real_bags(real_drives):
    folder = real_drives / "udacity-bagdump"
    files = Files(folder, "HMB_1_interpolated.csv")
    assert udacity_challenge.recognize(files) == files.named
    rows = [row for row in table(folder / "HMB_1_interpolated.csv")]
    assert len(rows) == 13_203
    for camera in ("center", "left", "right"):
        recorded = udacity_challenge.read(files, files.named, camera)
        mine = [row for row in rows if row[4] == f"{camera}_camera"]
        assert recorded.names == [row[5] for row in mine] and not recorded.notes and not recorded.problems
        np.testing.assert_allclose(np.radians(recorded.angles), [-float(row[6]) for row in mine], atol=1e-6)
        nanoseconds = np.array([int(row[1]) for row in mine])
        np.testing.assert_allclose(recorded.times, (nanoseconds - nanoseconds[0]) / 1e9, atol=2e-6)
    # Of these, steering.csv is only the beginning, in which no frame lies.
    recorded = udacity_challenge.read(Files(folder), "interpolated.csv", "left")
    mine = [row for row in table(folder / "interpolated.csv") if row[4] == "left_camera"]
    assert 10 < len(mine) < 25 and recorded.names == [row[5] for row in mine]
    np.testing.assert_allclose(np.radians(recorded.angles), [-float(row[6]) for row in mine], atol=1e-6)
    with pytest.raises(ValueError, match=r"camera\.csv: none of its 17 frames lies in the time of steering\.csv"):
        udacity_challenge.read(Files(folder), "camera.csv", "center")
    with pytest.raises(FileNotFoundError, match="none of its 17 frames is there"):
        load_drive(folder)


HEADER = "index,timestamp,width,height,frame_id,filename,angle,torque,speed,lat,long,alt"
START = 1_479_425_729_000_000_000


def dump(folder, header, picked, ending="jpg", steering=True):
    """Write what a bag's reader writes: 20 frames a second of three cameras, outside of the steering zeros."""
    rows = []
    for i in range(12):
        at = START + i * 50_000_000
        angle = 0.01 * i if 2 <= i < 10 else 0.0
        moved = 0.5 if 2 <= i < 10 else 0.0
        for shift, camera in enumerate(("center", "left", "right")):
            name = f"{camera}/{at + shift}.jpg"
            full = ["2016-11-17", at + shift, 640, 480, f"{camera}_camera", name, angle, moved, moved, 37.5, -122.3, 8]
            rows.append(",".join(str(full[place]) for place in picked))
            write_frame((folder / name).with_suffix(f".{ending}"), i + 5 * shift)
    (folder / "interpolated.csv").write_text("\n".join([*header, *rows]) + "\n")
    if steering:
        at = [START + i * 10_000_000 for i in range(9, 49)]
        lines = [f"{time},{0.01 * (time - START) / 50_000_000},0.5,0.5" for time in at]
        (folder / "steering.csv").write_text("\n".join(["timestamp,angle,torque,speed", *lines]) + "\n")


ALL = range(12)
VARIANTS = {
    "as it is": ([HEADER], ALL),
    "eight columns": (["index,timestamp,width,height,frame_id,filename,angle,speed"], [*range(7), 8]),
    "without a header": ([], ALL),
    "seven columns without a header": ([], [*range(1, 7), 8]),
    "seq first": (["seq," + HEADER.removeprefix("index,")], ALL),
}


@pytest.mark.parametrize("steering", [True, False])
@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("name", VARIANTS)
def test_folders_written_from_bags(tmp_path, name, ending, steering):
    dump(tmp_path, *VARIANTS[name], ending, steering)
    for shift, camera in enumerate(("center", "left", "right")):
        with pytest.warns(UserWarning, match=r"\d+ of 12 frames (lie outside the time|at both ends have only zeros)"):
            drive = load_drive(tmp_path, camera=camera)
        inside = np.arange(2, 10)
        np.testing.assert_allclose(drive.angles, -np.degrees(0.01 * inside), atol=1e-4)
        np.testing.assert_allclose(drive.timestamps, (inside - 2) / 20, atol=1e-6)
        assert drive.names.tolist() == [f"{START + i * 50_000_000 + shift}.{ending}" for i in inside]
        np.testing.assert_allclose(colors_of(drive)[0], color(2 + 5 * shift), atol=4)


def test_a_dump_without_interpolated_angles(tmp_path):
    dump(tmp_path, *VARIANTS["as it is"])
    rows = [",".join(row[1:6]) for row in table(tmp_path / "interpolated.csv")]
    (tmp_path / "camera.csv").write_text("\n".join(["timestamp,width,height,frame_id,filename", *rows]) + "\n")
    (tmp_path / "interpolated.csv").unlink()
    with pytest.warns(UserWarning, match="4 of 12 frames lie outside the time in which the steering was recorded"):
        drive = load_drive(tmp_path, camera="right")
    np.testing.assert_allclose(drive.angles, -np.degrees(0.01 * np.arange(2, 10)), atol=1e-4)


# Bags


def test_a_real_bag(real_drives):
    pytest.importorskip("rosbags")
    drive = load_drive(real_drives / "udacity-bag")
    published = table(real_drives / "udacity-ch2" / "CH2_final_evaluation.csv")
    assert len(drive) == 55 and drive.frame(54).shape == (480, 640, 3)
    np.testing.assert_allclose(np.diff(drive.timestamps), 0.05, atol=0.01)
    assert drive.angles.min() == pytest.approx(19.2, abs=0.1) and drive.angles.max() == pytest.approx(44.9, abs=0.1)
    # The list of the whole drive has the same frames, with angles that the challenge interpolated.
    nanoseconds = np.array([int(row[0]) for row in published]) / 1e9
    first = 1479425532.198492040
    near = np.interp(first + drive.timestamps, nanoseconds, [-np.degrees(float(row[1])) for row in published])
    np.testing.assert_allclose(drive.angles, near, atol=1.0)
    with pytest.raises(ValueError, match="has only center"):
        load_drive(real_drives / "udacity-bag", camera="left")


def write_bag(path, messages, typestore_name="ROS1_NOETIC"):
    """Write a bag of (topic, seconds, message type, message's fields)."""
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores[typestore_name])
    report = "std_msgs/Header header\nfloat32 steering_wheel_angle\n"
    store.register(get_types_from_msg(report, "dbw_mkz_msgs/msg/SteeringReport"))
    types, connections = store.types, {}
    with Writer(path) as bag:
        for number, (topic, at, kind, fields) in enumerate(messages):
            nanoseconds = round(at * 1e9)
            stamp = types["builtin_interfaces/msg/Time"](nanoseconds // 10**9, nanoseconds % 10**9)
            header = types["std_msgs/msg/Header"](number, stamp, "")
            if topic not in connections:
                connections[topic] = bag.add_connection(topic, kind, typestore=store)
            # As in real bags, a message arrives later than it was made.
            raw = store.serialize_ros1(types[kind](header, **fields), kind)
            bag.write(connections[topic], nanoseconds + 3_000_000, raw)
    return path


def pictures_of(camera, times, encoding="rgb8", padding=4):
    for i, at in enumerate(times):
        rgb = np.broadcast_to(np.array(color(i), np.uint8), (24, 40, 3))
        pixels = {"rgb8": rgb, "bgr8": rgb[..., ::-1], "mono8": rgb[..., :1]}[encoding]
        rows = np.pad(np.ascontiguousarray(pixels).reshape(24, -1), ((0, 0), (0, padding)))
        fields = {"height": 24, "width": 40, "encoding": encoding, "is_bigendian": 0}
        fields |= {"step": rows.shape[1], "data": rows.ravel()}
        yield f"/{camera}_camera/image_color", at, "sensor_msgs/msg/Image", fields


def steering_of(times):
    for at in times:
        fields = {"steering_wheel_angle": 0.1 * (at - 1000)}
        yield "/vehicle/steering_report", at, "dbw_mkz_msgs/msg/SteeringReport", fields


def in_time(*messages):
    return sorted((message for several in messages for message in several), key=lambda message: message[1])


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8"])
def test_raw_pictures_of_a_bag(tmp_path, encoding):
    pytest.importorskip("rosbags")
    times = 1000.5 + np.arange(6) / 20
    write_bag(
        tmp_path / "HMB_9.bag", in_time(pictures_of("left", times, encoding), steering_of(1000.57 + np.arange(60) / 50))
    )
    with pytest.warns(UserWarning, match="2 of 6 frames lie outside the time"):
        drive = load_drive(tmp_path / "HMB_9.bag", camera="left")
    np.testing.assert_allclose(drive.angles, -np.degrees(0.1 * (times[2:] - 1000)), atol=1e-3)
    expected = [color(i) if encoding != "mono8" else (color(i)[0],) * 3 for i in range(2, 6)]
    assert colors_of(drive) == expected


def test_bags_that_divide_a_drive(tmp_path):
    pytest.importorskip("rosbags")
    for part, start in enumerate((1001, 1003)):
        write_bag(tmp_path / f"part_{part}.bag", pictures_of("center", start + np.arange(3) / 20))
    write_bag(tmp_path / "vehicle.bag", steering_of(1000 + np.arange(400) / 50))
    drive = load_drive(tmp_path)
    assert len(drive) == 6 and drive.runs.tolist() == [0, 0, 0, 1, 1, 1]
    assert colors_of(drive) == [color(i) for i in (0, 1, 2, 0, 1, 2)]
    with pytest.raises(ValueError, match=r"part_0\.bag has no messages of /vehicle/steering_report: give the folder"):
        load_drive(tmp_path / "part_0.bag")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "x.bag").write_bytes((tmp_path / "vehicle.bag").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"x\.bag is no bag, or only a part of one"):
        load_drive(tmp_path / "damaged")


def test_cameras_that_a_day_exchanged(tmp_path):
    pytest.importorskip("rosbags")
    times = 1001 + np.arange(3) / 20
    path = tmp_path / "2016-10-25-11-41-32_example.bag"
    write_bag(path, in_time(pictures_of("center", times), pictures_of("left", times + 0.3), steering_of([1000, 1005])))
    with pytest.warns(UserWarning, match="left and the center camera are exchanged"):
        drive = load_drive(path)
    np.testing.assert_allclose(drive.angles, -np.degrees(0.1 * (times + 0.3 - 1000)), atol=1e-3)


# donkeycar


@pytest.mark.filterwarnings(ASSUMED)
def test_a_real_tub(real_drives):
    folder = real_drives / "donkeycar-v2"
    with pytest.warns(UserWarning, match="the time stamps are those of a conversion"):
        drive = load_drive(folder)
    records = [json.loads(line) for line in (folder / "catalog_0.catalog").read_text().splitlines()]
    assert len(drive) == 1000 and drive.timestamps is None and set(drive.runs) == {0}
    assert drive.names.tolist() == [record["cam/image_array"] for record in records]
    np.testing.assert_allclose(drive.angles, [25 * record["user/angle"] for record in records], atol=1e-5)
    assert drive.frame(999).shape == (120, 160, 3)


@pytest.mark.filterwarnings(ASSUMED)
def test_a_real_tub_of_the_first_version(real_drives):
    folder = real_drives / "donkeycar-v1"
    drive = load_drive(folder)
    assert drive.names.tolist() == [f"{number}_cam-image_array_.jpg" for number in range(4000, 4400)]
    records = [json.loads((folder / f"record_{number}.json").read_text()) for number in range(4000, 4400)]
    np.testing.assert_allclose(drive.angles, [25 * record["user/angle"] for record in records], atol=1e-5)
    assert drive.timestamps is None and set(drive.runs) == {0} and drive.frame(0).shape == (120, 160, 3)


def record(index, angle=None, **others):
    return {
        "_index": index,
        "_session_id": "a",
        "_timestamp_ms": 1_600_000_000_000 + 50 * index,
        "cam/image_array": f"{index}_cam_image_array_.jpg",
        "user/angle": index / 100 if angle is None else angle,
        "user/mode": "user",
    } | others


def tub(folder, catalogs, deleted=()):
    """Write a tub: each catalog is a list of records, or of lines."""
    names = [f"catalog_{number}.catalog" for number in range(len(catalogs))]
    for name, lines in zip(names, catalogs):
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("\n".join(texts) + "\n")
        for line in lines:
            if isinstance(line, dict):
                write_frame(folder / "images" / line["cam/image_array"], line["_index"])
    last = {"paths": names[::-1], "current_index": 9, "max_len": 1000, "deleted_indexes": list(deleted)}
    lines = [["cam/image_array", "user/angle"], ["image_array", "float"], {}, {"created_at": 1.0}, last]
    (folder / "manifest.json").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return folder


@pytest.mark.filterwarnings(ASSUMED)
def test_a_tub_as_the_car_leaves_it(tmp_path):
    torn = json.dumps(record(8))[:40] + json.dumps(record(9))
    first = [record(i) for i in range(8)] + ["\0" * 30, torn, record(10)]
    second = [record(i, _session_id="b") for i in range(20, 26)]
    second[3]["user/mode"] = "local_angle"
    folder = tub(tmp_path / "tub", [second, first], deleted=[2, 3])
    (folder / "._catalog_0.catalog").write_bytes(b"\0Mac OS X")
    for path in (folder, folder / "manifest.json", zipped(folder, tmp_path / "tub.zip")):
        with pytest.warns(UserWarning) as warned:
            drive = load_drive(path)
        said = [str(one.message).partition(": ")[2] for one in warned if "assumed" not in str(one.message)]
        assert said[0].startswith("2 of 15 labels skipped, since they are not a record") and "of catalog_1" in said[0]
        assert said[1] == "in 1 of 15 records the model drove (user/mode): they have no angle" and len(said) == 2
        kept = [0, 1, 4, 5, 6, 7, 10, *range(20, 26)]
        assert drive.names.tolist() == [f"{i}_cam_image_array_.jpg" for i in kept]
        expected = [25 * i / 100 if i != 23 else np.nan for i in kept]
        np.testing.assert_allclose(drive.angles, expected, atol=1e-5)
        assert drive.runs.tolist() == [0, 0, *[1] * 5, *[2] * 6]
        np.testing.assert_allclose(drive.timestamps, np.array(kept) / 20, atol=1e-6)
        np.testing.assert_allclose(colors_of(drive)[3], color(5), atol=4)


@pytest.mark.filterwarnings(ASSUMED)
def test_a_clock_that_jumps_back_ends_a_run(tmp_path):
    records = [record(i, _timestamp_ms=1_600_000_000_000 + 50 * (i if i < 3 else i - 100)) for i in range(6)]
    assert load_drive(tub(tmp_path, [records])).runs.tolist() == [0, 0, 0, 1, 1, 1]


def test_full_lock_of_a_model_car(tmp_path, monkeypatch):
    tub(tmp_path, [[record(0, 0.5), record(1, -1)]])
    with pytest.warns(
        UserWarning, match=r"full lock, which is not recorded: 25° are assumed; full_lock=\.\.\. or \$S"
    ) as warned:
        assert load_drive(tmp_path).angles.tolist() == [12.5, -25]
    assert len(warned) == 1
    assert load_drive(tmp_path, full_lock=30).angles.tolist() == [15, -30]
    monkeypatch.setenv("STEERLIB_FULL_LOCK", "40")
    assert load_drive(tmp_path).angles.tolist() == [20, -40]
    assert load_drive(tmp_path, full_lock=30).angles.tolist() == [15, -30]
    assert load_drive(tmp_path, unit="radians").angles[0] == pytest.approx(np.degrees(0.5))
    monkeypatch.setenv("STEERLIB_FULL_LOCK", "wide")
    with pytest.raises(ValueError, match="STEERLIB_FULL_LOCK='wide': expected degrees"):
        load_drive(tmp_path)


@pytest.mark.filterwarnings(ASSUMED)
def test_tubs_that_are_none(tmp_path):
    tub(tmp_path / "a", [[record(0, 12)]])
    with pytest.raises(ValueError, match=r"manifest\.json, line 1: steering is 12: .*unit='radians' or unit='degrees'"):
        load_drive(tmp_path / "a")
    (tmp_path / "a" / "manifest.json").write_text("{}\n")
    with pytest.raises(ValueError, match=r"manifest\.json is no manifest of a tub"):
        load_drive(tmp_path / "a")
    (tmp_path / "a" / "manifest.json").write_text('{"paths": ["../b.catalog"]}\n')
    with pytest.raises(ValueError, match="leads out of the folder"):
        load_drive(tmp_path / "a")
    tub(tmp_path / "b", [[record(0, angle) for angle in ("0.5", True)]])
    with pytest.raises(ValueError, match=r"expected a record with .*; found '0\.5'"):
        load_drive(tmp_path / "b")


@pytest.mark.filterwarnings(ASSUMED)
def test_a_first_tub_as_the_car_leaves_it(tmp_path):
    for index in (2, 10, 9, 11, 12, 100):
        found = {key: value for key, value in record(index).items() if not key.startswith("_")}
        (tmp_path / f"record_{index}.json").write_text(
            json.dumps(found | {"timestamp": f"2018-07-01 10:00:{index % 60:02}.5"})
        )
        write_frame(tmp_path / f"{index}_cam_image_array_.jpg", index)
    (tmp_path / "record_11.json").write_text('{"user/angle": 0.')
    (tmp_path / "meta.json").write_text('{"inputs": [], "types": []}')
    (tmp_path / "exclude.json").write_text("[100]")
    with pytest.warns(
        UserWarning, match=r"1 of 5 labels skipped.*\"user/angle\": 0\.' of record_11\.json in line 11\)"
    ):
        drive = load_drive(tmp_path)
    assert [name.partition("_")[0] for name in drive.names] == ["2", "9", "10", "12"]
    assert drive.runs.tolist() == [0, 1, 1, 1]
    np.testing.assert_allclose(drive.angles, [0.5, 2.25, 2.5, 3], atol=1e-5)


# AirSim


@pytest.mark.filterwarnings(ASSUMED)
def test_a_real_recording_of_airsim(real_drives):
    with pytest.warns(AngleWarning, match="only 3 angles occur"):
        drive = load_drive(real_drives / "airsim")
    rows = table(real_drives / "airsim" / "2020-08-16_neighbourhood" / "airsim_rec.txt")
    assert len(drive) == len(rows) == 300 and set(drive.runs) == {0}
    np.testing.assert_allclose(drive.angles, [25 * float(row[9]) for row in rows], atol=1e-5)
    seconds = [(int(row[0]) - int(rows[0][0])) / 1000 for row in rows]
    np.testing.assert_allclose(drive.timestamps, seconds, atol=1e-6)
    assert drive.names.tolist() == [row[-1] for row in rows] and drive.frame(299).shape == (144, 256, 3)


def airsim(folder, header, rows):
    folder.mkdir(exist_ok=True)
    (folder / "airsim_rec.txt").write_text("\n".join("\t".join(map(str, row)) for row in [header, *rows]) + "\n")


@pytest.mark.filterwarnings(ASSUMED)
def test_both_generations_and_several_cameras_of_airsim(tmp_path):
    at = 1_597_551_212_524
    old = ["Timestamp", "Speed (kmph)", "Throttle", "Steering", "Brake", "Gear", "ImageName"]
    airsim(
        tmp_path / "old", old, [[(at + 50 * i) * 1_000_000, 0, 1, i / 2 - 1, 0, 1, f"img_{i}.png"] for i in range(3)]
    )
    kinds = ("front_center_0", "front_left_0", "front_left_3", "2_0")
    names = ";".join(f"img_Car1_{kind}_{{0}}.png" for kind in kinds)
    new = ["VehicleName", "TimeStamp", "POS_X", "Steering", "ImageFile"]
    airsim(tmp_path / "new", new, [["Car1", at + 50 * i, 0, [1.25, 0, -0.5][i], names.format(i)] for i in range(3)])
    for i in range(3):
        write_frame(tmp_path / "old" / "images" / f"img_{i}.png", i)
        for shift, name in enumerate(names.format(i).split(";")):
            write_frame(tmp_path / "new" / "images" / name, i + 3 * shift)
    drive = load_drive(tmp_path / "old")
    assert drive.angles.tolist() == [-25, -12.5, 0] and colors_of(drive) == [color(i) for i in range(3)]
    np.testing.assert_allclose(drive.timestamps, [0, 0.05, 0.1], atol=1e-6)
    for camera, shift in (("center", 0), ("left", 1)):
        drive = load_drive(tmp_path / "new" / "airsim_rec.txt", camera=camera, full_lock=40)
        assert drive.angles.tolist() == [50, 0, -20] and colors_of(drive) == [color(i + 3 * shift) for i in range(3)]
    with pytest.raises(ValueError, match="only center, left"):
        load_drive(tmp_path / "new", camera="right")
    assert load_drive(tmp_path).runs.tolist() == [0] * 3 + [1] * 3


def test_other_headers_of_airsim(tmp_path):
    airsim(tmp_path, ["VehicleName", "TimeStamp", "POS_X", "ImageFile"], [["", 1, 2, "a.png"]])
    with pytest.raises(ValueError, match=r"no column 'steering'.*'VehicleName', 'TimeStamp', 'POS_X', 'ImageFile'"):
        load_drive(tmp_path)


def test_pictures_of_a_published_drive_are_rgb(real_drives):
    folder = real_drives / "udacity-ch2" / "center"
    first = sorted(folder.iterdir())[0]
    with pytest.warns(UserWarning, match="3,614"):
        drive = load_drive(folder.parent)
    other = np.array(Image.open(BytesIO(first.read_bytes())), int)
    assert np.abs(drive.frame(0) - other).mean() < 1
