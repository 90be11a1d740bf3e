"""Whatever stands in the files of a recording: a drive, or an error of ours that names a file."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made import write_frame
from videos import write_video

from steerlib.drives import load_drive, read_table

SOME = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = [
    "0.png", "center/1.jpg", ",", ", ", "\t", ";", '"', "\n", "\r\n", "1.5", "-0", "0,5", "nan", "1e400", "-7", "\0",
    "1479425441182877835", "1.47E+18", "2018-07-01T17:09:44.0", "center_camera", "frame_id,steering_angle,public\n",
    "timestamp,frame_id,filename,angle\n", "timestamp,angle\n", "ts_micro,frame,wheel\n", "center,steering\n",
    "../x.png", "TimeStamp\tSteering\tImageFile\n", '{"_index": 1, "cam/image_array": "0.png", "user/angle": 0.5}', "{",
    "}", "[", '{"paths": ["c"], "deleted_indexes": [1]}', '{"paths": [["c"]], "deleted_indexes": "x"}', '"user/mode":',
]  # fmt: skip
CONTENT = st.one_of(
    st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=30).map(lambda parts: "".join(parts).encode())
)
# What lies there, and what is loaded; the last file gets any content, those before are as they should be.
MANIFEST = b'{"paths": ["c"]}'
NUMBERS = np.lib.format.magic(1, 0)
CASES = {
    "data.txt": ["data.txt"],
    "log": ["driving_log.csv"],
    "manifest": ["manifest.json"],
    "catalog": [("manifest.json", MANIFEST), "c"],
    "record": [("meta.json", b"{}"), "record_1.json"],
    "excluded": [
        ("meta.json", b"{}"),
        ("record_1.json", b'{"cam/image_array": "0.png", "user/angle": 0.5}'),
        "exclude.json",
    ],
    "published": ["CH2_final_evaluation.csv"],
    "interpolated": ["interpolated.csv"],
    "camera": [("steering.csv", b"timestamp,angle\n1479425441182877835,0.5\n"), "camera.csv"],
    "steering": [
        ("camera.csv", b"timestamp,frame_id,filename\n1479425441182877835,center_camera,center/1.jpg\n"),
        "steering.csv",
    ],
    "AirSim": ["airsim_rec.txt"],
    "times": ["global_pose/frame_times"],
    "video": ["drive.mp4"],
    "bag": ["drive.bag"],
    "DeepTesla": ["a_steering.csv"],
}


@pytest.fixture
def folder(tmp_path):
    for name in ("0.png", "center/1.jpg", "images/0.png"):
        write_frame(tmp_path / name, 0)
    write_video(tmp_path / "film" / "a_front.mkv", 3) if not (tmp_path / "film").mkdir() else None
    return tmp_path


def outcome(load, where):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            drive = load()
        except (ValueError, FileNotFoundError) as error:
            assert type(error) in (ValueError, FileNotFoundError) and str(where) in str(error), repr(error)
            assert "\n" not in str(error)
            return
    assert not np.isinf(drive.angles).any() and len(drive) == len(drive.names) == len(drive.runs) > 0
    assert np.nanmax(np.abs(drive.angles), initial=0) <= 2000
    assert drive.frame(0).shape[2] == 3


@pytest.mark.parametrize("name", CASES)
@SOME
@given(data=CONTENT)
@example(data=b"")
@example(data=b"\n")
@example(data=b"[" * 5_000)
@example(data=b"[]")
@example(
    data=b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
    + b" " * 40
    + b"\n"
)
def test_any_content_is_a_drive_or_an_error_of_ours(folder, name, data):
    *others, last = CASES[name]
    inner = folder / "film" if name == "DeepTesla" else folder
    for other, content in [*others, (last, data)]:
        (inner / other).parent.mkdir(exist_ok=True)
        (inner / other).write_bytes(content)
    outcome(lambda: load_drive(inner), folder)


@SOME
@given(CONTENT, st.sampled_from([None, "frame", 0]), st.sampled_from([None, "angle", 1]), st.sampled_from([None, 2]))
@example(b"frame;angle\n0.png;0,5\n", "frame", "angle", None)
def test_any_table_is_a_drive_or_an_error_of_ours(folder, data, frame, angle, time):
    if frame is None and time is None:
        return
    for inner in (folder, folder / "film"):
        (inner / "t.csv").write_bytes(data)
        outcome(lambda: read_table(inner / "t.csv", frame, angle, "degrees", 1, time), folder)  # noqa: B023


@SOME
@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just("0.png"), st.lists),
    st.sampled_from(["_index", "_session_id", "_timestamp_ms", "cam/image_array", "user/angle", "user/mode"]),
)
def test_any_value_in_a_record(folder, value, key):
    good = {
        "_index": 0,
        "_timestamp_ms": 1_600_000_000_000,
        "cam/image_array": "0.png",
        "user/angle": 0.5,
        "user/mode": "user",
    }
    (folder / "manifest.json").write_bytes(MANIFEST)
    (folder / "c").write_text("\n".join(json.dumps(record) for record in (good, good | {key: value}, good)))
    outcome(lambda: load_drive(folder), folder)
