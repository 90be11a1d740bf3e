"""ROS 1 bags of Udacity's challenge 2, github.com/udacity/self-driving-car.

Label file: `HMB_1.bag`; of a folder all bags, which may divide a drive by time or by topic. They need the library
`rosbags`: `pip install "steerlib[bags]"`.
Frames: messages of `/center_camera/image_color/compressed` or, not compressed, `/center_camera/image_color`; so `left`
and `right`. In bags of 2016-10-25 the left and the center camera are exchanged.
Unit: radians of the steering wheel, `steering_wheel_angle` of `/vehicle/steering_report`, interpolated at a frame's
time. Sign: positive = left.
Clock: Unix time in the header of each message.
"""

import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from steerlib.drives.files import Archive, Files
from steerlib.drives.pictures import check_sides, decode_rgb
from steerlib.drives.recording import Recording, check_lines, runs_of

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader
    from rosbags.interfaces import Connection

TITLE = "Udacity's bags"
LABEL_FILE = "HMB_1.bag"
CAMERAS = ("center", "left", "right")
STEERING = "/vehicle/steering_report"
EXCHANGED = "2016-10-25"
# What the pixels of a picture that is not compressed are, and how they become RGB.
ENCODINGS = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    # OpenCV calls a mosaic after its second row, ROS after its first one.
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
}


def recognize(files: Files) -> str | None:
    """Take a bag that the user named, or the first of a folder."""
    if files.named:
        return files.named if files.named.lower().endswith(".bag") else None
    return next((name for name in files.names("file") if name.lower().endswith(".bag")), None)


def read(files: Files, label_file: str, camera: str) -> Recording:
    """Read the times and angles of all frames of one camera; the frames are read when they are asked for."""
    where = files.where(label_file)
    if isinstance(files, Archive):
        raise ValueError(f"{where}: a bag is read piece by piece: expected one that is unpacked")
    names = [label_file] if files.named else [name for name in files.names("file") if name.lower().endswith(".bag")]
    reader = _open([Path(files.stream(name)) for name in names], where)
    try:
        recorded = _recorded(reader, label_file, camera, where)
    except Exception:
        reader.close()
        raise
    weakref.finalize(recorded.read, reader.close)  # open as long as somebody may ask for a frame
    return recorded


def _recorded(reader: "AnyReader", label_file: str, camera: str, where: str) -> Recording:
    """Read the messages of one camera and of the steering."""
    notes, wanted = [], camera
    if label_file.startswith(EXCHANGED) and camera in CAMERAS[:2]:
        wanted = {"center": "left", "left": "center"}[camera]
        notes.append("in bags of that day the left and the center camera are exchanged, which is set right")
    cameras = {name: found for name in CAMERAS if (found := _of_camera(reader, name))}
    if not cameras:
        raise ValueError(f"{where} has no pictures: expected messages of /center_camera/image_color/compressed")
    check_lines([(1, "")], "messages", wanted, cameras, where)
    steering = [one for one in reader.connections if one.topic == STEERING]
    at = [(_stamp(message), float(message.steering_wheel_angle)) for _, _, message in _messages(reader, steering)]
    if not at:
        raise ValueError(f"{where} has no messages of {STEERING}: give the folder where all bags of the drive lie")
    at.sort()
    seconds, radians = np.array(at).T
    frames = [(_stamp(message), one, time) for one, time, message in _messages(reader, cameras[wanted])]
    frames.sort(key=lambda frame: frame[0])
    inner = [frame for frame in frames if seconds[0] <= frame[0] <= seconds[-1]]
    if not inner:
        raise ValueError(f"{where}: none of its {len(frames):,} frames lies in the time of its steering messages")
    if len(inner) < len(frames):
        outside = f"{len(frames) - len(inner):,} of {len(frames):,} frames"
        notes.append(f"{outside} lie outside the time in which the steering was recorded")
    times = np.array([stamp for stamp, _, _ in inner])
    lock = threading.Lock()

    def read_frame(i: int) -> np.ndarray:
        stamp, one, time = inner[i]
        with lock:
            for _, _, message in _messages(reader, [one], time, time + 1):
                if _stamp(message) == stamp:
                    return _picture(message, f"{where}, frame {i}")
        raise ValueError(f"{where}: frame {i} is not there any more")

    return Recording(
        lines=list(range(1, len(inner) + 1)),
        names=[f"{round(stamp * 1e6)}" for stamp in times],
        angles=-np.degrees(np.interp(times, seconds, radians)),
        times=np.round(times - times[0], 6),
        problems={},
        expected="a message",
        places=lambda name: (),
        frames_in="",
        runs=runs_of(times),
        notes=notes,
        read=read_frame,
    )


def _open(paths: list[Path], where: str) -> "AnyReader":
    """Open bags as one."""
    try:
        from rosbags.highlevel import AnyReader, AnyReaderError
    except ImportError as error:
        raise ValueError(f'{where}: to read bags, expected rosbags: pip install "steerlib[bags]"') from error
    try:
        reader = AnyReader(paths)
        reader.open()
    except (AnyReaderError, OSError, ValueError) as error:
        raise ValueError(f"{where} is no bag, or only a part of one: {error}") from error
    return reader


def _of_camera(reader: "AnyReader", camera: str) -> list["Connection"]:
    """Find what a camera's messages came by, compressed ones before others."""
    for topic in (f"/{camera}_camera/image_color/compressed", f"/{camera}_camera/image_color"):
        if found := [one for one in reader.connections if one.topic == topic]:
            return found
    return []


def _messages(
    reader: "AnyReader", connections: list["Connection"], start: int | None = None, stop: int | None = None
) -> "Iterator[tuple[Connection, int, Any]]":
    """Give messages, what they came by, and the time in nanoseconds by which the bag finds them."""
    if connections:  # the library takes none for all
        for one, time, raw in reader.messages(connections, start, stop):
            yield one, time, reader.deserialize(raw, one.msgtype)


def _stamp(message: Any) -> float:  # noqa: ANN401
    """Give the Unix time in a message's header."""
    return message.header.stamp.sec + message.header.stamp.nanosec / 1e9


def _picture(message: Any, where: str) -> np.ndarray:  # noqa: ANN401
    """Decode a message to uint8 RGB."""
    if not hasattr(message, "encoding"):
        return decode_rgb(message.data.tobytes(), where)
    if message.encoding not in ENCODINGS:
        raise ValueError(f"{where} is {message.encoding!r}: expected one of {', '.join(ENCODINGS)}")
    channels, conversion = ENCODINGS[message.encoding]
    check_sides(message.width, message.height, where)
    if message.step < message.width * channels or message.data.size < message.step * message.height:
        raise ValueError(f"{where} is not complete: {message.data.size:,} bytes for {message.height} rows")
    rows = message.data[: message.step * message.height].reshape(message.height, message.step)
    pixels = rows[:, : message.width * channels].reshape(message.height, message.width, channels)
    return pixels.copy() if conversion is None else cv2.cvtColor(np.ascontiguousarray(pixels), conversion)
