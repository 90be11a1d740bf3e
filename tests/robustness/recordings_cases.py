"""Recordings of other formats than S. Chen's, videos, and tables whose columns are declared."""

import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
from table import Case
from tools import LOG, encoded, picture, write_drive

from steerlib.drives import load_drive, read_table

LOCK = 25  # degrees, said, so that no case tells that they are assumed
FRAME = "frame_id,steering_angle,public"
RECORD = {"_index": 0, "cam/image_array": "0.png", "user/angle": 0.5, "user/mode": "user"}
DUMP = "timestamp,width,height,frame_id,filename,angle,torque,speed"
AIRSIM = "TimeStamp\tSteering\tImageFile"


def cases() -> Iterator[Case]:
    """Give the cases."""
    for name, (rows, told) in LOGS.items():
        yield Case(f"log: {name}", partial(log, rows), told)
    yield Case("log: degrees that are declared", lambda folder: log(["0.png,l,r,12.5,0,0,0"], folder, unit="degrees"))
    yield Case("log: a unit that there is not", lambda folder: log([], folder, unit="turns"), "unit='turns': expected")
    yield Case("a full lock of 0°", lambda folder: log([], folder, full_lock=0), "full_lock=0: expected degrees")
    yield Case("two drives beside each other", lambda folder: runs(folder, "a", "b"))
    yield Case("an empty list of drives", lambda _: load_drive([]), "at least one drive")
    for name, (lines, told) in TUBS.items():
        yield Case(f"tub: {name}", partial(tub, lines), told)
    yield Case("tub: a manifest that is none", partial(manifest, "[]"), "is no manifest of a tub")
    yield Case("tub: a catalog out of the folder", partial(manifest, '{"paths": ["../c"]}'), "leads out of the folder")
    yield Case("tub: a catalog that is not there", partial(manifest, '{"paths": ["c.catalog"]}'), "has no labels")
    for name, (files, told) in FOLDERS.items():
        yield Case(name, partial(folder_of, files), told)
    yield Case("comma2k19: no video", partial(segment, 5), r"video\.hevc is not there: expected the video of 5 frames")
    yield Case("comma2k19: a pickle in place of times", pickle, "is no NumPy file of numbers")
    yield Case("a video alone", partial(video, whole))
    yield Case("a video that is cut off", partial(video, lambda data: data[: len(data) // 2]), "is no video|decoded")
    yield Case("a video that is text", partial(video, lambda _: b"#EXTM3U\nfile:///etc/passwd\n"), "is no video")
    yield Case("a video of 0 bytes", partial(video, lambda _: b""), "is no video")
    yield Case("a video in an archive", video_in_archive)
    for name, (given, told) in TABLES.items():
        yield Case(f"table: {name}", partial(table, given), told)


LOGS: dict[str, tuple[list[str], str | None]] = {
    "a header of other names": (["center,left,right,servo", "0.png,l,r,0.5"], "no column 'steering'.*'servo'"),
    "two columns of the angle": (["center,angle,steering", "0.png,0,1"], "more than one column 'steering'"),
    "numbers without a name": (["0,0,0,0.5,0,0,0"], "line 1.*found "),
    "one value in degrees": (["0.png,l,r,0.5,0,0,0", "1.png,l,r,12,0,0,0"], "line 2: steering is 12.*unit='degrees'"),
    "a value that no unit has": (["0.png,l,r,0.5,0,0,0", "1.png,l,r,1e6,0,0,0", "2.png,l,r,0,0,0,0"], None),
    "decimal commas and points": (["0.png;0,5;0;0;0", "1.png;0.25;0;0;0", "2.png;0.5;0;0;0"], None),
    "decimal commas between commas": (["0.png,0,5,0,0,9,5", "1.png,-0,25,0,0,3,25", "2.png,0,0,0,7,75"], None),
    "most rows malformed": ([LOG, "0.png,l,r,0,0,0,0", "1.png,l", "2.png,l"], "line 3.*so are 2 of 3"),
    "the header again in the middle": ([LOG, "0.png,l,r,0,0,0,0", LOG, "1.png,l,r,1,0,0,0"], None),
    "another header in the middle": ([LOG, "0.png,l,r,0,0,0,0", "center,steering", "1.png,1"], "another header"),
    "capitals and a folder that is not there": (["D:\\IMG\\0.PNG,l,r,0.5,0,0,0"], None),
}
TUBS: dict[str, tuple[list[str], str | None]] = {
    "a record": ([json.dumps(RECORD)], None),
    "NUL bytes and a line cut off": ([json.dumps(RECORD)] * 3 + ["\0" * 40, json.dumps(RECORD)[:30]], None),
    "most lines are no record": ([json.dumps(RECORD), "x", "[]"], "expected a record.*so are 2 of 3"),
    "an angle that is text": ([json.dumps(RECORD | {"user/angle": "left"})], "found 'left'"),
    "an angle of 30": ([json.dumps(RECORD | {"user/angle": 30})], "steering is 30.*unit='degrees'"),
    "a frame that climbs": ([json.dumps(RECORD | {"cam/image_array": "../../x.png"})], "leads out of the folder"),
    "no frame": ([json.dumps(RECORD | {"cam/image_array": None})], "found 'None'"),
}
FOLDERS: dict[str, tuple[dict[str, str], str]] = {
    "challenge 2: the template": ({"final_example.csv": "frame_id,steering_angle\n1,0.1"}, "angles are random numbers"),
    "challenge 2: numbers of frames that a spreadsheet spoiled": (
        {"CH2_final_evaluation.csv": f"{FRAME}\n1.47943E+18,0.1,1"},
        r"found '1\.47943E\+18'",
    ),
    "challenge 2: degrees": (
        {"CH2_final_evaluation.csv": f"{FRAME}\n1479425441182877835,20.5,1"},
        "steering is 20.5: expected steering in radians",
    ),
    "challenge 2: only zeros": (
        {"interpolated.csv": f"{DUMP}\n1479425441182877835,9,9,center_camera,center/1.jpg,0.0,0.0,0.0"},
        r"none of its 1 frames lies in the time of steering\.csv",
    ),
    "AirSim: no steering": ({"airsim_rec.txt": "TimeStamp\tImageFile\n1\ta.png"}, "no column 'steering'"),
    "AirSim: a frame that climbs": ({"airsim_rec.txt": f"{AIRSIM}\n1\t0\t../x.png"}, "none of its 1 frames"),
    "AirSim: beyond full lock": ({"airsim_rec.txt": f"{AIRSIM}\n1\t7\tx.png"}, "steering is 7: expected"),
    "DeepTesla: no video": ({"epoch01_steering.csv": "ts_micro,frame,wheel\n1,0,2"}, "epoch01_front.mkv is not there"),
    "a video beside an unknown table": ({"a.mp4": "", "a.csv": "x,y"}, "read_table reads both"),
    "a bag that is none": ({"a.bag": "#ROSBAG V2.0\n"}, "a.bag is no bag, or only a part of one|expected rosbags"),
    "nothing but an archive": ({"drive.tar.gz": ""}, r"found an archive 'drive\.tar\.gz'"),
}
DECLARED = {"frame": "f", "angle": "a", "unit": "degrees", "sign": 1}
TABLES: dict[str, tuple[dict[str, object], str | None]] = {
    "all is declared": (DECLARED, None),
    "no unit": (DECLARED | {"unit": None}, "unit=None: expected what 'a' is written in"),
    "no sign": (DECLARED | {"sign": None}, "sign=None: expected 1 where positive is right"),
    "a sign of 0": (DECLARED | {"sign": 0}, "sign=0: expected 1"),
    "a fraction of nothing": (DECLARED | {"unit": "fraction"}, "full_lock=None: expected degrees"),
    "a column that is not there": (DECLARED | {"angle": "b"}, "angle='b' is no column: expected 'f', 'a'"),
    "a column beyond the last": (DECLARED | {"angle": 9}, "angle=9 is no column"),
    "no frames": ({"angle": "a", "unit": "degrees", "sign": 1}, "frame=None: expected the column"),
    "a video that is not there": (DECLARED | {"video": "x.mp4"}, r"x\.mp4 is no video"),
    "no angles": ({"frame": "f"}, None),
}


def told_of(drive: object) -> str:
    """Read all frames of a drive; tell the angles and runs."""
    assert drive.pixels().shape == (len(drive), 66, 200, 3)
    return f"{', '.join(f'{angle:g}°' for angle in drive.angles.tolist())}; {len(set(drive.runs.tolist()))} run(s)"


def log(rows: list[str], folder: Path, **settings: object) -> str:
    """Load a log of the simulator."""
    write_drive(folder, "\n".join(rows).encode(), name="driving_log.csv")
    return told_of(load_drive(folder, **settings))


def runs(folder: Path, *names: str) -> str:
    """Load a folder of drives."""
    for name in names:
        write_drive(folder / name)
    return told_of(load_drive(folder))


def tub(lines: list[str], folder: Path) -> str:
    """Load a tub with such a catalog."""
    return manifest('{"paths": ["c"]}', folder, lines)


def manifest(text: str, folder: Path, lines: list[str] | None = None) -> str:
    """Load a tub with such a manifest."""
    write_drive(folder / "images")
    (folder / "manifest.json").write_text(text)
    if lines:
        (folder / "c").write_text("\n".join(lines))
    return told_of(load_drive(folder, full_lock=LOCK))


def folder_of(files: dict[str, str], folder: Path) -> str:
    """Load a folder with these files."""
    for name, text in files.items():
        (folder / name).write_text(text)
    given = {"full_lock": LOCK} if "airsim_rec.txt" in files else {}
    return told_of(load_drive(folder, **given))


def segment(count: int, folder: Path) -> str:
    """Load a segment of comma2k19 without its video."""
    for name in (
        "global_pose/frame_times",
        "processed_log/CAN/steering_angle/t",
        "processed_log/CAN/steering_angle/value",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with open(folder / name, "wb") as file:
            np.save(file, np.arange(float(count)))
    return told_of(load_drive(folder))


def pickle(folder: Path) -> str:
    """Load a segment whose times are objects, which could run anything."""
    (folder / "global_pose").mkdir()
    with open(folder / "global_pose" / "frame_times", "wb") as file:
        np.save(file, np.array([{}], object), allow_pickle=True)
    return told_of(load_drive(folder))


def film(path: Path) -> bytes:
    """Encode three frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10)
        stream.height, stream.width, stream.pix_fmt = 64, 100, "yuv420p"
        for number in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number))))
        container.mux(stream.encode())
    return path.read_bytes()


def whole(data: bytes) -> bytes:
    """Leave a video as it is."""
    return data


def video(change: Callable[[bytes], bytes], folder: Path) -> str:
    """Load a video in which something is changed."""
    data = film(folder / "drive.mp4")
    (folder / "drive.mp4").write_bytes(change(data))
    return told_of(load_drive(folder))


def video_in_archive(folder: Path) -> str:
    """Load a video from a zip archive."""
    film(folder / "drive.mp4")
    with zipfile.ZipFile(folder / "drive.zip", "w") as archive:
        archive.write(folder / "drive.mp4", "drive.mp4")
    return told_of(load_drive(folder / "drive.zip"))


def table(given: dict[str, object], folder: Path) -> str:
    """Load a table with two pictures."""
    for number in range(2):
        (folder / f"{number}.png").write_bytes(encoded(picture(number)))
    (folder / "t.csv").write_text("f;a\n0.png;1,5\n1.png;-2\n")
    return told_of(read_table(folder / "t.csv", **given))
