"""A whole drive with its maps as a film (notebook 07)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from tqdm.auto import tqdm

from steerlib.drives import Drive
from steerlib.maps import METHODS, check_settings, explain
from steerlib.maps.evidence import evidence
from steerlib.networks.curvature import bend_in_words
from steerlib.networks.network import Network, as_network
from steerlib.networks.plausibility import warn_of_doubts
from steerlib.show import overlay
from steerlib.show.rulers import ruler_end
from steerlib.show.strip import GRAY, SAMPLE, SECONDS, Moment, draw_strip, even, over
from steerlib.writing import check_output, replacing

if TYPE_CHECKING:
    import keras

    from steerlib.maps.whole_drive import Maps

ENDINGS = (".mp4", ".webm")
CLOCK = 90_000  # ticks a second, in which the times of a film's frames are written
SHORTEST, LONGEST = 1 / 240, 1.0  # seconds that a frame may be shown where the recording's times vary


def render_video(
    drive: Drive,
    network: Network | keras.Model,
    method: str | Sequence[str],
    path: str | Path,
    fps: float | None = None,
    width: int = 640,
    crf: int = 23,
    progress: bool = True,
    maps: Maps | None = None,
    factor: float = 1.0,
    bends: bool = False,
    **settings: object,
) -> Path:
    """Film a drive with the maps of one or more methods side by side.

    Introduced in notebook 07. Below the pictures: a steering wheel with the network's angle (a triangle outside the
    rim is the recorded one), and the last seconds of angles and evidence. **Each method has one color scale for the
    whole drive**, found on 24 frames of it, or a film would flicker; hypercolumns and VisualBackProp do all the same,
    since each of their maps comes scaled to its own maximum. Frames are read, drawn and written one by one. A frame
    that cannot be read is shown as a gray picture that says so.

    Parameters
    ----------
    drive : Drive
    network : Network
    method : str or sequence of str
        Of `steerlib.METHODS`. Grad-CAM and HiResCAM are signed here, red for right.
    path : str or Path
        Ends in ``.mp4`` (H.264) or ``.webm`` (VP9). An existing file is replaced once the new one is complete.
    fps : float, optional
        Frames per second. None: as recorded where the drive has time stamps, also where their steps vary; else 10.
    width : int
        Of each picture, in pixels.
    crf : int
        The encoder's constant rate factor, 0 to 51: larger is a smaller file and a worse picture.
    progress : bool
        Show a bar with the time left.
    maps : Maps, optional
        A store from which the maps are taken in place of making them, see `steerlib.maps.of_drive`. It must be of this
        network, and have the frames of this drive.
    factor : float
        By which the network's angles are multiplied where they are shown, beside those that another car recorded: see
        `steerlib.networks.curvature.fit_factor`. Maps and evidence stay in the network's own degrees.
    bends : bool
        Where no angle was recorded, say which bend the standard car takes at the network's. Only for a network that
        steers the standard car, as those that come with the project do.
    **settings
        For `steerlib.explain`: layer, sizes, stride, fill ... With `maps`: what they must have been made with.

    Returns
    -------
    Path
        The film.

    Raises
    ------
    ValueError
        If the drive has no frame that can be read, or a method, a setting or the file's ending is none of these.
    OSError
        If the film cannot be written. No half film is left under its name.
    """
    path = Path(path)
    methods = [method] if isinstance(method, str) else list(method)
    check_output(path, ENDINGS)
    if not methods or not len(drive):
        raise ValueError(f"drive {drive.name!r} has {len(drive)} frames, {len(methods)} methods: expected one or more")
    if width < 320 or width % 2:
        raise ValueError(f"width={width}: expected an even number of at least 320")
    if not 0 < factor < np.inf:
        raise ValueError(f"factor={factor}: expected a number above 0")
    times = recorded_times(drive) if fps is None else None
    fps = _recorded_fps(drive) if fps is None else fps
    check_settings(settings)
    network = as_network(network)
    warn_of_doubts(network, drive)
    frames = film_frames(drive, network, methods, fps, width, maps, factor=factor, bends=bends, **settings)
    return write_film(tqdm(frames, path.name, len(drive), unit="frame", disable=not progress), path, fps, crf, times)


def write_film(
    frames: Iterable[np.ndarray], path: str | Path, fps: float, crf: int = 23, times: np.ndarray | None = None
) -> Path:
    """Write pictures as a film, one by one.

    Introduced in notebook 07.

    Parameters
    ----------
    frames : iterable of (H, W, 3) uint8 RGB
        All of the same size, both sides even; at least one.
    path, fps, crf
        As for `render_video`.
    times : (n,) seconds, optional
        When each picture is shown, rising. None: at the even steps of `fps`.

    Returns
    -------
    Path
        The film.

    Raises
    ------
    ValueError
        If the file's ending, the frames per second or the rate factor is none of those, or there is no picture.
    OSError
        If the film cannot be written. No half film is left under its name.
    """
    path = Path(path)
    check_output(path, ENDINGS)
    if not 0 < fps <= 240 or not 0 <= crf <= 51:
        raise ValueError(f"fps={fps}, crf={crf}: expected 0 to 240 frames a second, without 0, and a crf of 0 to 51")
    with replacing(path) as unfinished:
        try:
            count = _encode(frames, unfinished, fps, crf, times)
            if not count:
                raise ValueError(f"{path}: there is no picture to write")
            _check_whole(unfinished, path, count)
        except av.FFmpegError as error:
            raise OSError(f"{path} could not be written: {error}") from error
    return path


def film_frames(
    drive: Drive,
    network: Network | keras.Model,
    methods: Sequence[str],
    fps: float = 10.0,
    width: int = 640,
    maps: Maps | None = None,
    factor: float = 1.0,
    bends: bool = False,
    **settings: object,
) -> Iterator[np.ndarray]:
    """Draw the pictures of a film one by one: what `render_video` writes.

    Introduced in notebook 07.

    Parameters
    ----------
    drive, network, fps, width, maps, factor, bends
        As for `render_video`.
    methods : sequence of str
        Of `steerlib.METHODS`.
    **settings
        For `steerlib.explain`.

    Yields
    ------
    (H, W, 3) uint8 RGB
        All of the same size, both sides even.

    Raises
    ------
    ValueError
        If no frame of the drive can be read, a method or a setting is none of these, or `maps` are of another network,
        drive or setting.
    """
    settings = {"target": "right", "signed": True} | settings
    network = as_network(network)
    make = explain if maps is None else maps.of_network(network, methods)
    crop, samples = drive.part_for(network), dict(drive.spread(SAMPLE))
    if not samples:
        raise ValueError(f"drive {drive.name!r}: none of its frames can be read")
    rows, columns, _ = next(iter(samples.values())).shape
    height = round(width * rows / columns)
    limits, bars, most, made = {}, {}, {}, {}
    for name in methods:
        # Kept until the film comes to them: of a short film they are a good part.
        made[name] = {i: make(network, network.look(frame, drive), name, **settings) for i, frame in samples.items()}
        found = list(made[name].values())
        _, signed, unit, ends, *_ = found[0]
        limits[name] = overlay.common_limit([one.density().map for one in found])
        bars[name] = overlay.colorbar(width, limits[name], signed, unit, ends)
        if signed:
            most[name] = 1.5 * max(max(evidence(one.map)) for one in found) or 1.0
    del samples  # whole frames, which may be large
    # Where nothing was recorded, what the network answers to the samples decides how far the ruler of angles goes.
    shown = drive.angles if np.isfinite(drive.angles).any() else [factor * one.angle for one in found]
    ruler = ruler_end(shown)
    other = "recorded" if np.isfinite(drive.angles).any() else ""
    label = f"network x {factor:.2f}" if factor != 1 else "standard car" if bends else "network"
    past: deque[Moment] = deque(maxlen=max(2, round(SECONDS * fps)))
    for i in range(len(drive)):
        recorded, predicted, sums, bend = float(drive.angles[i]), None, {}, ""
        try:
            frame = drive.frame(i)
        except (ValueError, OSError):
            panels = [np.full((height + 60, width, 3), GRAY, np.uint8)] * max(2, len(methods))
            overlay.write(panels[0], f"{drive.names[i]} cannot be read", (width // 2, height // 2), width - 20)
        else:
            picture = network.look(frame, drive)
            found = {name: made[name].pop(i, None) or make(network, picture, name, **settings) for name in methods}
            predicted = factor * found[methods[0]].angle
            bend = bend_in_words(found[methods[0]].angle) if bends else ""
            sums = {name: evidence(found[name].map) for name in most}
            frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            drawn = {name: over(frame, crop, one.density(), limits[name]) for name, one in found.items()}
            panels = [np.vstack([drawn[name], bars[name]]) for name in methods]
            if len(methods) == 1:
                panels.insert(0, np.vstack([frame, np.full((60, width, 3), overlay.PAPER, np.uint8)]))
        if i and drive.runs[i] != drive.runs[i - 1]:
            past.clear()
        past.append(Moment(recorded, predicted, sums, bend))
        captions = [f"camera, frame {i} of 0 to {len(drive) - 1}"] * (len(methods) == 1) + [
            METHODS[n].title for n in methods
        ]
        picture = overlay.side_by_side(panels, captions)
        strip = draw_strip(picture.shape[1], past, ruler, most, fps, other, label)
        picture = np.vstack([picture, strip])
        yield even(picture)


def recorded_times(drive: Drive) -> np.ndarray | None:
    """Say when each frame of a film is shown, (n,) seconds, where a drive was not recorded at even steps.

    None where its steps are even to a tenth, and where it knows no times. What lies between two runs is not waited for.
    """
    if drive.timestamps is None or len(drive) < 2:
        return None
    usual = 1 / _recorded_fps(drive)
    steps = np.where(drive.runs[1:] == drive.runs[:-1], np.diff(drive.timestamps), usual)
    if (np.abs(steps - usual) <= 0.1 * usual).all() or not (steps > 0).all():
        return None
    return np.concatenate([[0.0], np.cumsum(np.clip(steps, SHORTEST, LONGEST))])


def _recorded_fps(drive: Drive) -> float:
    """Frames per second as the time stamps tell, else 10."""
    if drive.timestamps is None or len(drive) < 2:
        return 10.0
    steps = np.diff(drive.timestamps)[drive.runs[1:] == drive.runs[:-1]]
    seconds = float(np.median(steps)) if len(steps) else 0.0
    return float(np.clip(1 / seconds, 1, 60)) if seconds > 0 else 10.0


def _encode(frames: Iterable[np.ndarray], path: Path, fps: float, crf: int, times: np.ndarray | None = None) -> int:
    """Encode pictures one by one; give their number."""
    # yuv420p and a file whose index comes first play in every browser, and while they are being loaded.
    codec, options, of_file = {
        ".mp4": ("libx264", {"crf": str(crf)}, {"movflags": "+faststart"}),
        ".webm": ("libvpx-vp9", {"crf": str(crf + 8), "b": "0", "deadline": "realtime", "cpu-used": "8"}, {}),
    }[path.suffix.lower()]
    count = 0
    with av.open(path, "w", container_options=of_file) as film:
        for picture in frames:
            if not count:
                stream = film.add_stream(codec, Fraction(fps).limit_denominator(1001), options=options)
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
                if times is not None:
                    stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(float(times[count]) * CLOCK), Fraction(1, CLOCK)
            film.mux(stream.encode(frame))
            count += 1
        if count:
            film.mux(stream.encode())  # what the encoder still holds
    return count


def _check_whole(unfinished: Path, path: Path, frames: int) -> None:
    """Refuse a film that lacks frames or its index: a full disk is not always noticed while it is written."""
    try:
        with av.open(unfinished) as film:
            found = sum(packet.size > 0 for packet in film.demux(video=0))
    except (av.FFmpegError, IndexError):
        found = 0
    if found != frames:
        raise OSError(f"{path}: {found} of {frames} frames were written: is the disk full?")
