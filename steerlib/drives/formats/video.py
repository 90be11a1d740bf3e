"""A video alone, of a phone behind the windshield for example: github.com/PyAV-Org/PyAV decodes it.

Label file: none; the video itself, MP4, MOV, MKV, WebM or AVI. Where a table with angles lies beside it, `read_table`
reads both, since only you know what its columns mean.
Frames: those of the video.
Unit: none, since no angle was recorded: all are NaN. Sign: none.
Clock: the time stamps in the video.
"""

import numpy as np

from steerlib.drives.files import Files
from steerlib.drives.recording import Recording, check_lines
from steerlib.drives.videos import FORMATS, Video, of_video

TITLE = "videos"
LABEL_FILE = "drive.mp4"
ENDINGS = tuple(ending for ending in FORMATS if ending != ".hevc")
TABLES = (".csv", ".tsv", ".txt")
LAST = True  # asked where no other format recognizes anything


def recognize(files: Files) -> list[str] | str | None:
    """Take the video that the user named, or those of a folder in which nothing else can hold angles."""
    if files.named:
        return files.named if files.named.lower().endswith(ENDINGS) else None
    names = files.names("file")
    videos = [name for name in names if name.lower().endswith(ENDINGS)]
    if videos and (tables := [name for name in names if name.lower().endswith(TABLES)]):
        raise ValueError(
            f"{files.where(videos[0])} lies beside {tables[0]!r}: read_table reads both, once you say what the columns "
            "mean; the path of the video itself gives a drive without angles"
        )
    return videos


def read(files: Files, label_file: str, camera: str) -> Recording:
    """Read the frames."""
    video = Video(lambda: files.stream(label_file), files.where(label_file))
    check_lines([(1, "")], "", camera, ("center",), files.where(label_file))
    return of_video(video, np.full(len(video), np.nan))
