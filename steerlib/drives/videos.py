"""Frames of a video by their number: MP4, MOV, MKV, WebM, AVI, and raw HEVC."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from io import BytesIO

import av
import numpy as np
from av.video.reformatter import Interpolation

from steerlib.drives.high_dynamic_range import HLG, PQ, to_standard_range
from steerlib.drives.pictures import check_sides
from steerlib.drives.recording import Recording, runs_of

# By the ending, and never by the content: FFmpeg takes a list of addresses for a video, too, and would open them.
FORMATS = {
    ".avi": "avi",
    ".hevc": "hevc",
    ".m4v": "mp4",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp4": "mp4",
    ".webm": "matroska",
}
KEPT = 8  # decoded frames: an explorer goes back and forth
LONGEST = 1280  # pixels: a frame with a longer side is made smaller, since nothing that is drawn of it is larger


class Video:
    """A video, of which any frame can be asked for; it is decoded in order, from the key frame before.

    Raw HEVC has no time stamps, and some AVI neither: whoever goes back there begins again at the first frame. A frame
    is given as a player shows it: turned or mirrored as the file says, with square pixels, HDR as sRGB. It is made
    smaller as it is decoded where a side is longer than `LONGEST`. Sound and other tracks are not looked at.

    Parameters
    ----------
    stream : callable
        Opens the file: gives its path or its content.
    where : str
        Its path for messages, which ends as the file does.

    Attributes
    ----------
    times : (n,) float64 or None
        Seconds since the first frame.

    Raises
    ------
    ValueError
        Where it is no video, or has no frame.
    """

    def __init__(self, stream: Callable[[], str | BytesIO], where: str) -> None:
        self._stream, self.where = stream, where
        self._lock, self._kept = threading.Lock(), OrderedDict()
        self._frames: Iterator[tuple[int | None, av.VideoFrame]] = iter(())
        self._next = -1  # the number of the frame that the iterator gives next; -1: not opened
        self._begun_inside = False  # not at the first frame
        with self._open() as container:
            video = container.streams.video[0]
            check_sides(video.width, video.height, where)
            self._size = _shown_size(video)
            self._transfer = int(video.codec_context.color_trc)
            # Without decoding: a packet holds a frame. What an editor has cut off is there, but is not shown.
            packets = [
                (packet.pts, packet.is_keyframe)
                for packet in container.demux(video)
                if packet.size and not packet.is_discard
            ]
            step = video.time_base
        if not packets:
            raise ValueError(f"{where} has no frame")
        stamps = [stamp for stamp, _ in packets]
        self._count, self._places, self._keys, self.times = len(packets), None, [], None
        if None not in stamps and len(set(stamps)) == len(stamps) and not where.lower().endswith(".hevc"):
            ordered = sorted(stamps)
            self._places = {stamp: place for place, stamp in enumerate(ordered)}
            self._keys = sorted((self._places[stamp], stamp) for stamp, is_key in packets if is_key)
            self.times = np.array([float((stamp - ordered[0]) * step) for stamp in ordered])

    def __len__(self) -> int:
        return self._count

    def frame(self, i: int) -> np.ndarray:
        """Decode frame `i`: (H, W, 3) uint8 RGB."""
        with self._lock:
            if i not in self._kept:
                found = self._decode(i)
                if found is None:
                    raise ValueError(f"{self.where}: frame {i} of {len(self):,} cannot be decoded")
                self._kept[i] = self._picture(found)
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return self._kept[i].copy()

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        """Give a decoded frame as it is shown: (H, W, 3) uint8 RGB."""
        deep = self._transfer in (HLG, PQ)
        width, height = self._size
        smaller = (width, height) != (frame.width, frame.height)
        frame_of_size = frame.reformat(
            width,
            height,
            format="rgb48le" if deep else "rgb24",
            interpolation=Interpolation.AREA if smaller else Interpolation.BILINEAR,
        )
        picture = frame_of_size.to_ndarray()
        picture = to_standard_range(picture, self._transfer) if deep else picture
        return np.ascontiguousarray(_turned(picture, frame))

    def _open(self) -> av.container.InputContainer:
        """Open the file."""
        ending = "." + self.where.rpartition(".")[2].lower()
        try:
            container = av.open(self._stream(), format=FORMATS[ending])
        except av.FFmpegError as error:
            raise ValueError(f"{self.where} is no video that can be read: {error.strerror}") from error
        if not container.streams.video:
            container.close()
            raise ValueError(f"{self.where} has no pictures")
        container.streams.video[0].thread_type = "AUTO"
        return container

    def _decode(self, i: int) -> av.VideoFrame | None:
        """Go on to a frame, or begin at the key frame before it; where that fails, at the first frame."""
        key = max((key for key in self._keys if key[0] <= i), default=None)
        if not 0 <= self._next <= i or (key and key[0] > self._next):
            self._begin(key)
        found = self._walk(i)
        if found is None and self._begun_inside:
            self._begin(None)
            found = self._walk(i)
        return found

    def _begin(self, key: tuple[int, int] | None) -> None:
        """Begin at a key frame or, without one, at the first frame."""
        container = self._open()
        video = container.streams.video[0]
        self._begun_inside = key is not None and key[0] > 0
        if self._begun_inside:
            container.seek(key[1], stream=video)
        self._next = key[0] if self._begun_inside else 0
        self._frames = self._numbered(container, self._next)

    def _numbered(self, container: av.container.InputContainer, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Give frames and their numbers, by their time stamps where there are."""
        with container:
            for count, frame in enumerate(container.decode(video=0)):
                place = count if self._places is None else self._places.get(frame.pts, -1)
                if place >= first:  # those before a key frame cannot be decoded well from there
                    yield place, frame

    def _walk(self, i: int) -> av.VideoFrame | None:
        """Decode until a frame; None where it does not come."""
        try:
            for place, frame in self._frames:
                self._next = place + 1
                if place >= i:
                    return frame if place == i else None
        except av.FFmpegError:
            pass
        self._next = -1
        return None


def _shown_size(video: av.VideoStream) -> tuple[int, int]:
    """Give width and height of a track's frames before they are turned: pixels square, no side above `LONGEST`."""
    width, height = float(video.width), float(video.height)
    ratio = float(video.sample_aspect_ratio or 1)
    width, height = (width * ratio, height) if ratio >= 1 else (width, height / ratio)
    scale = min(1.0, LONGEST / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _turned(picture: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Turn a picture as the phone was held when it was taken: its matrix says which way columns and rows go."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return picture
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32)  # x' = a x + c y, y' = b x + d y
    across, down = (a, d) if abs(a) >= abs(b) else (c, b)
    picture = picture if abs(a) >= abs(b) else picture.swapaxes(0, 1)
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def of_video(video: Video, angles: np.ndarray, times: np.ndarray | None = None) -> Recording:
    """Give a recording whose frames are those of a video.

    Parameters
    ----------
    video : Video
    angles : (n,) degrees, positive = right
    times : (n,) seconds, optional
        None: those of the video.
    """
    stem = video.where.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    count, times = len(video), video.times if times is None else times
    return Recording(
        lines=list(range(1, count + 1)),
        names=[f"{stem}_{number:06d}" for number in range(count)],
        angles=np.asarray(angles, np.float64),
        times=times,
        problems={},
        expected="a frame",
        places=lambda name: (),
        frames_in="",
        runs=runs_of(np.full(count, np.nan) if times is None else times),
        read=video.frame,
    )
