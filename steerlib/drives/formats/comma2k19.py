"""comma2k19, 33 hours of a highway, github.com/commaai/comma2k19.

Label file: `global_pose/frame_times` of a segment of a minute, with the angles in
`processed_log/CAN/steering_angle/t` and `value`: NumPy files without `.npy`. A route is a folder of segments, a chunk a
folder of routes, and the data set a folder of chunks: each segment is a run of its own.
Frames: `video.hevc`, raw HEVC without time stamps: frame by frame, in the order of `frame_times`.
Unit: degrees of the steering wheel; at a frame's time they are interpolated. Sign: positive = left.
Clock: seconds since the device started.
"""

from io import BytesIO

import numpy as np

from steerlib.drives.files import Files
from steerlib.drives.recording import Recording, check_lines
from steerlib.drives.videos import Video, of_video

TITLE = "comma2k19"
LABEL_FILE = "global_pose/frame_times"
ANGLES = "processed_log/CAN/steering_angle"
VIDEO = "video.hevc"
NEAR = 0.1  # seconds before the first angle, and after the last, for which these hold


def recognize(files: Files) -> str | None:
    """Take a folder with the times of frames, also where the user named its video."""
    here = files.kind(LABEL_FILE) == "file" and files.named in (None, VIDEO)
    return LABEL_FILE if here else None


def read(files: Files, label_file: str, camera: str) -> Recording:
    """Read a segment."""
    check_lines([(1, "")], "", camera, ("center",), files.where(label_file))
    times, angles = angles_at_frames(files)
    if files.kind(VIDEO) != "file":
        raise FileNotFoundError(f"{files.where(VIDEO)} is not there: expected the video of {len(times):,} frames")
    video = Video(lambda: files.stream(VIDEO), files.where(VIDEO))
    if len(video) != len(times):
        raise ValueError(
            f"{files.where(VIDEO)} has {len(video):,} frames, {files.where(LABEL_FILE)} {len(times):,} times: nobody "
            "knows which belong together; fetch both again"
        )
    return of_video(video, angles, times - times[0])


def angles_at_frames(files: Files) -> tuple[np.ndarray, np.ndarray]:
    """Give the times of frames in seconds, and the angles at them in degrees, positive = right; NaN where none is."""
    times, at, value = (_load(files, name) for name in (LABEL_FILE, f"{ANGLES}/t", f"{ANGLES}/value"))
    if len(at) != len(value) or not len(at):
        raise ValueError(f"{files.where(ANGLES)}: {len(value):,} angles for {len(at):,} times: expected one for each")
    if (np.diff(at) < 0).any():
        raise ValueError(f"{files.where(ANGLES)}/t: time {np.diff(at).argmin() + 1} is earlier than the one before")
    angles = 0.0 - np.interp(times, at, value)
    angles[(times < at[0] - NEAR) | (times > at[-1] + NEAR)] = np.nan
    return times, angles


def _load(files: Files, name: str) -> np.ndarray:
    """Read a NumPy file of numbers, (n,) or (n, 1)."""
    if files.kind(name) != "file":
        raise FileNotFoundError(f"{files.where(name)} is not there: expected a segment of comma2k19")
    try:
        found = np.load(BytesIO(files.read(name)), allow_pickle=False).astype(np.float64)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{files.where(name)} is no NumPy file of numbers, or only a part of one") from error
    if found.size != len(np.atleast_1d(found)) or not found.size or not np.isfinite(found).all():
        raise ValueError(f"{files.where(name)} has the shape {found.shape}: expected finite numbers (n,)")
    return found.ravel()
