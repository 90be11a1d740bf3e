"""A whole drive with its maps as a film (notebook 07), and one in closed loop (notebook 09)."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from inspect import signature
from pathlib import Path
from typing import NamedTuple

import cv2
import imageio_ffmpeg
import keras
import numpy as np
from tqdm.auto import tqdm

from steerlib import overlay
from steerlib.data import ROAD, Drive, check_output, crop_road, preprocess, replacing
from steerlib.driving import INTERVAL, OFF_LANE, Log, look_back
from steerlib.explain import METHODS, Explanation, draw, explain, sample_frames

ENDINGS = (".mp4", ".webm")
SAMPLE = 24  # frames, spread over the drive, that decide on the one scale of all its frames
SECONDS = 15.0  # of the drive that the strip below the pictures shows
GRAPH, EVIDENCE, WHEEL = 130, 66, 200  # pixels: height of the strip's parts, width of the steering wheel beside it
ABOVE = 45.0  # m of road that the picture from above shows
RED, BLUE, GRAY = (178, 24, 43), (33, 102, 172), (150, 150, 150)


class Moment(NamedTuple):
    """What the strip below the pictures remembers of a frame; angles in degrees, positive = right."""

    recorded: float
    predicted: float | None  # None where the frame cannot be read
    evidence: dict[str, tuple[float, float]]  # for left and for right, of each method that has a sign


def render_video(
    drive: Drive,
    model: keras.Model,
    method: str | Sequence[str],
    path: str | Path,
    fps: float | None = None,
    width: int = 640,
    crf: int = 23,
    progress: bool = True,
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
    model : keras.Model
    method : str or sequence of str
        Of `steerlib.explain.METHODS`. Grad-CAM and HiResCAM are signed here, red for right.
    path : str or Path
        Ends in ``.mp4`` (H.264) or ``.webm`` (VP9). An existing file is replaced once the new one is complete.
    fps : float, optional
        Frames per second. None: as recorded where the drive has time stamps, else 10.
    width : int
        Of each picture, in pixels.
    crf : int
        The encoder's constant rate factor, 0 to 51: larger is a smaller file and a worse picture.
    progress : bool
        Show a bar with the time left.
    **settings
        For `steerlib.explain.explain`: layer, sizes, stride, fill ...

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
    fps = _recorded_fps(drive) if fps is None else fps
    if unknown := set(settings) - set(signature(explain).parameters):
        raise ValueError(f"setting {sorted(unknown)[0]!r}: expected one of {', '.join(signature(explain).parameters)}")
    frames = film_frames(drive, model, methods, fps, width, **settings)
    return write_film(tqdm(frames, path.name, len(drive), unit="frame", disable=not progress), path, fps, crf)


def write_film(frames: Iterable[np.ndarray], path: str | Path, fps: float, crf: int = 23) -> Path:
    """Write pictures as a film, one by one.

    Introduced in notebook 07.

    Parameters
    ----------
    frames : iterable of (H, W, 3) uint8 RGB
        All of the same size, both sides even; at least one.
    path, fps, crf
        As for `render_video`.

    Returns
    -------
    Path
        The film.

    Raises
    ------
    ValueError
        If the file's ending, the frames per second or the rate factor is none of those.
    OSError
        If the film cannot be written. No half film is left under its name.
    """
    path = Path(path)
    check_output(path, ENDINGS)
    if not 0 < fps <= 240 or not 0 <= crf <= 51:
        raise ValueError(f"fps={fps}, crf={crf}: expected 0 to 240 frames a second, without 0, and a crf of 0 to 51")
    with replacing(path) as unfinished:
        writer, count = None, 0
        try:
            for picture in frames:
                if writer is None:
                    writer = _writer(unfinished, picture.shape[1::-1], fps, crf)
                writer.send(np.ascontiguousarray(picture))
                count += 1
        finally:
            if writer is not None:
                writer.close()
        _check_whole(unfinished, path, count)
    return path


def film_frames(
    drive: Drive, model: keras.Model, methods: Sequence[str], fps: float = 10.0, width: int = 640, **settings: object
) -> Iterator[np.ndarray]:
    """Draw the pictures of a film one by one: what `render_video` writes.

    Introduced in notebook 07.

    Parameters
    ----------
    drive, model, fps, width
        As for `render_video`.
    methods : sequence of str
        Of `steerlib.explain.METHODS`.
    **settings
        For `steerlib.explain.explain`.

    Yields
    ------
    (H, W, 3) uint8 RGB
        All of the same size, both sides even.

    Raises
    ------
    ValueError
        If no frame of the drive can be read, or a method or a setting is none of these.
    """
    settings = {"target": "right", "signed": True} | settings
    samples = sample_frames(drive, SAMPLE)
    if not samples:
        raise ValueError(f"drive {drive.name!r}: none of its frames can be read")
    height = round(width * samples[0].shape[0] / samples[0].shape[1])
    limits, bars, most = {}, {}, {}
    for name in methods:
        found = [explain(model, preprocess(frame, drive.crop), name, **settings) for frame in samples]
        _, signed, unit, ends, *_ = found[0]
        limits[name] = overlay.common_limit([one.map for one in found])
        bars[name] = overlay.colorbar(width, limits[name], signed, unit, ends)
        if signed:
            most[name] = 1.5 * max(max(evidence(one.map)) for one in found) or 1.0
    ruler = 5 * float(np.ceil(max(1, np.abs(drive.angles).max()) / 5))
    past: deque[Moment] = deque(maxlen=max(2, round(SECONDS * fps)))
    for i in range(len(drive)):
        recorded, predicted, sums = float(drive.angles[i]), None, {}
        try:
            frame = drive.frame(i)
        except (ValueError, OSError):
            panels = [np.full((height + 60, width, 3), GRAY, np.uint8)] * max(2, len(methods))
            overlay.write(panels[0], f"{drive.names[i]} cannot be read", (width // 2, height // 2), width - 20)
        else:
            image = preprocess(frame, drive.crop)
            found = {name: explain(model, image, name, **settings) for name in methods}
            predicted = found[methods[0]].angle
            sums = {name: evidence(found[name].map) for name in most}
            frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            panels = [
                np.vstack([_over(frame, drive.crop, one, limits[name]), bars[name]]) for name, one in found.items()
            ]
            if len(methods) == 1:
                panels.insert(0, np.vstack([frame, np.full((60, width, 3), overlay.PAPER, np.uint8)]))
        past.append(Moment(recorded, predicted, sums))
        captions = [f"camera, frame {i} of 0 to {len(drive) - 1}"] * (len(methods) == 1) + [METHODS[n] for n in methods]
        picture = overlay.side_by_side(panels, captions)
        strip = _strip(picture.shape[1], past, ruler, most, fps)
        picture = np.vstack([picture, strip])
        yield _even(picture)


def closed_loop_frames(
    log: Log,
    model: keras.Model,
    method: str,
    start: int = 0,
    stop: int | None = None,
    width: int = 640,
    **settings: object,
) -> Iterator[np.ndarray]:
    """Draw a drive in closed loop picture by picture: the camera with the map, the road from above, the wheel.

    Introduced in notebook 09. From above, the car is the black box, its way so far the line behind it; the green band
    reaches one meter to each side of the lane's center. The map has one color scale for all pictures.

    Parameters
    ----------
    log : Log
        Of `steerlib.driving.drive_roads`.
    model : keras.Model
        Who drove.
    method : str
        Of `steerlib.explain.METHODS`.
    start, stop : int
        From which picture of the log to which, as in `range`.
    width : int
        Of the camera's picture, in pixels.
    **settings
        For `steerlib.explain.explain`.

    Yields
    ------
    (H, W, 3) uint8 RGB
        All of the same size, both sides even.

    Raises
    ------
    ValueError
        If a method or a setting is none of these, or the log has no such pictures.
    """
    settings, pictures = {"target": "right", "signed": True} | settings, range(len(log.offset))[start:stop]
    if not pictures:
        raise ValueError(f"pictures {start} to {stop}: the log has {len(log.offset)}")

    def explained(frame: np.ndarray) -> Explanation:
        return explain(model, frame / np.float32(255), method, **settings)

    some = np.unique(np.linspace(pictures[0], pictures[-1], min(SAMPLE, len(pictures))).astype(int))
    found = [explained(frame) for frame in look_back(log, some)]
    _, signed, unit, ends, *_ = found[0]
    limit = overlay.common_limit([one.map for one in found])
    bar = overlay.colorbar(width, limit, signed, unit, ends)
    most = {method: 1.5 * max(max(evidence(one.map)) for one in found) or 1.0} if signed else {}
    ruler = 5 * float(np.ceil(max(1, np.abs([log.angle, log.reference]).max()) / 5))
    fps, past = 1 / INTERVAL, deque(maxlen=round(SECONDS / INTERVAL))
    for k in pictures:
        (camera,), (seen,) = look_back(log, [k], whole=True), look_back(log, [k])
        one = explained(seen)
        height = round(width * len(camera) / camera.shape[1])
        camera = cv2.resize(camera, (width, height), interpolation=cv2.INTER_AREA)
        picture = np.vstack([_over(camera, ROAD, one, limit), bar])
        picture = overlay.side_by_side(
            [picture, _above(log, k, len(picture), width * 5 // 8)], ["camera", "from above"]
        )
        past.append(Moment(float(log.reference[k]), one.angle, {method: evidence(one.map)} if signed else {}))
        picture = np.vstack([picture, _strip(picture.shape[1], past, ruler, most, fps, "reference")])
        yield _even(picture)


def _above(log: Log, k: int, height: int, width: int) -> np.ndarray:
    """Draw the road from above, its direction at the car being up: (height, width, 3) uint8."""
    scene, pose = log.scene(), log.pose(k)
    road, scale = scene.road, height / ABOVE
    picture = np.full((height, width, 3), (176, 196, 150), np.uint8)
    turn = float(road.at("heading", pose.distance))
    origin = road.to_world(pose.distance, float(road.at("lane_width", pose.distance)) / 2)

    def pixels(distance: np.ndarray | float, offset: np.ndarray | float) -> np.ndarray:
        """Place points of the road, offsets counted from its center line, in eighths of a pixel."""
        x, y = road.to_world(distance, offset)
        x, y = x - origin[0], y - origin[1]
        forward, right = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        return np.rint(8 * np.stack([width / 2 + scale * right, 0.75 * height - scale * forward], -1)).astype(np.int32)

    along = np.arange(max(pose.distance - 0.5 * ABOVE, 0), pose.distance + ABOVE)
    lane = road.at("lane_width", along)

    def band(left: np.ndarray, right: np.ndarray, color: tuple) -> None:
        corners = np.concatenate([pixels(along, left), pixels(along, right)[::-1]])
        cv2.fillPoly(picture, [corners], color, cv2.LINE_AA, 3)

    def line(distance: np.ndarray, offset: np.ndarray | float, color: tuple, thickness: int) -> None:
        cv2.polylines(picture, [pixels(distance, offset)], False, color, thickness, cv2.LINE_AA, 3)

    band(-lane - 0.3, lane + 0.3, (120, 120, 120))
    band(lane / 2 - OFF_LANE, lane / 2 + OFF_LANE, (130, 158, 120))
    line(along, 0 * along, (240, 190, 40), 2)
    for side in (-1, 1):
        line(along, side * lane, overlay.PAPER, 2)
    last = max([0, *log.interventions[log.interventions <= k]])  # the way ends where the car was put back
    distance = log.distance[last : k + 1]
    line(distance, road.at("lane_width", distance) / 2 + log.offset[last : k + 1], overlay.INK, 2)
    place = pixels(pose.distance, float(road.at("lane_width", pose.distance)) / 2 + pose.offset)
    cos, sin = np.cos(pose.heading), np.sin(pose.heading)
    corners = [(x * sin + y * cos, y * sin - x * cos) for x, y in ((-2.2, -0.9), (2.2, -0.9), (2.2, 0.9), (-2.2, 0.9))]
    car = place + np.rint(8 * scale * np.array(corners)).astype(np.int32)
    cv2.fillPoly(picture, [car], overlay.INK, cv2.LINE_AA, 3)
    words = [f"{abs(pose.offset):.2f} m {'right' if pose.offset > 0 else 'left'} of the lane's center"]
    count = int(np.sum(log.interventions <= k))
    put_back = any(0 <= k - back < 1 / INTERVAL for back in log.interventions)
    words += [f"{k * INTERVAL:.1f} s, {count} intervention{'s' * (count != 1)} so far" + ": put back" * put_back]
    for row, text in enumerate(words):
        cv2.rectangle(picture, (0, 22 * row), (width, 22 * row + 22), overlay.PAPER, cv2.FILLED)
        overlay.write(picture, text, (width // 2, 22 * row + 11), width - 10)
    if put_back:
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), RED, 12)
    return picture


def evidence(map: np.ndarray) -> tuple[float, float]:
    """Sum up a signed map: what speaks for left and what for right.

    Introduced in notebook 07.

    Parameters
    ----------
    map : (66, 200) float32
        Positive where a pixel steers right.

    Returns
    -------
    left, right : float
        Mean over all pixels of the negative and of the positive part, both not negative, in the map's unit.
    """
    return float(-np.minimum(map, 0).mean()), float(np.maximum(map, 0).mean())


def _even(picture: np.ndarray) -> np.ndarray:
    """Make both sides of a picture even, as the encoders want them."""
    return np.pad(picture, [(0, size % 2) for size in picture.shape[:2]] + [(0, 0)], constant_values=255)


def _over(frame: np.ndarray, crop: tuple[float, float], explanation: Explanation, limit: float) -> np.ndarray:
    """Lay a map over the part of a frame that the network sees; the rest becomes dark."""
    result = frame // 3
    crop_road(result, crop)[:] = draw(crop_road(frame, crop), explanation, limit)
    return result


def _strip(
    width: int, past: Sequence[Moment], ruler: float, most: dict[str, float], fps: float, other: str = "recorded"
) -> np.ndarray:
    """Draw the steering wheel, and beside it the angles and the evidence of the last seconds."""
    height = max(WHEEL + 40, GRAPH + EVIDENCE * len(most) + 24)
    strip = np.full((height, width, 3), overlay.PAPER, np.uint8)
    _draw_wheel(strip[:, : WHEEL + 60], past[-1], other)
    left, right, capacity = WHEEL + 130, width - 108, past.maxlen
    times = np.arange(len(past)) - len(past) + 1

    def x_of(time: np.ndarray) -> np.ndarray:
        return right + (right - left) * time / (capacity - 1)

    def plot(values: Sequence[float | None], top: int, high: int, most: float, color: tuple, thickness: int) -> None:
        """Draw a line; thickness 0 fills the area between it and the middle instead."""
        middle = top + high / 2
        y = middle - high / 2 * np.clip(np.array(values, np.float64) / most, -1, 1)  # None becomes NaN: a gap
        points = np.stack([x_of(times), y], axis=1)
        for known in np.ma.clump_unmasked(np.ma.masked_invalid(y)):
            line = points[known]
            if thickness:
                cv2.polylines(strip, [np.rint(8 * line).astype(np.int32)], False, color, thickness, cv2.LINE_AA, 3)
            else:
                line = np.vstack([(line[0, 0], middle), line, (line[-1, 0], middle)])
                cv2.fillPoly(strip, [np.rint(8 * line).astype(np.int32)], color, cv2.LINE_AA, 3)

    def axis(top: int, high: int, upper: str, lower: str, *name: str) -> None:
        cv2.rectangle(strip, (left, top), (right, top + high), (215, 215, 215), 1)
        cv2.line(strip, (left, top + high // 2), (right, top + high // 2), (190, 190, 190), 1)
        overlay.write(strip, upper, (left - 34, top + 8), 62)
        overlay.write(strip, lower, (left - 34, top + high - 8), 62)
        for k, line in enumerate(name):
            overlay.write(strip, line, (right + 52, top + high // 2 + 18 * k - 9 * (len(name) - 1)), 98)

    high = GRAPH - 12
    axis(4, high, f"right {ruler:.0f}", f"left {ruler:.0f}", "degrees", "black: network", f"gray: {other}")
    plot([moment.recorded for moment in past], 4, high, ruler, GRAY, 5)
    plot([moment.predicted for moment in past], 4, high, ruler, overlay.INK, 2)
    for k, (name, limit) in enumerate(most.items()):
        top, high = GRAPH + EVIDENCE * k, EVIDENCE - 8
        axis(top, high, "right", "left", METHODS[name], "evidence")
        sums = [moment.evidence.get(name, (None, None)) for moment in past]
        for side, color, sign in ((0, BLUE, -1), (1, RED, 1)):
            plot([None if pair[side] is None else sign * pair[side] for pair in sums], top, high, limit, color, 0)
    overlay.write(
        strip, f"the last {capacity / fps:.0f} s", ((left + right) // 2, GRAPH + EVIDENCE * len(most) + 6), 200
    )
    return strip


def _draw_wheel(area: np.ndarray, moment: Moment, other: str) -> None:
    """Draw a steering wheel at the network's angle; a triangle outside its rim is the other one."""
    center, radius = np.array([area.shape[1] / 2, WHEEL / 2 + 4]), WHEEL / 2 - 22

    def at(degrees: float, distance: float) -> np.ndarray:
        """Return the point at an angle clockwise from the top, in eighths of a pixel."""
        radians = np.radians(degrees)
        return np.rint(8 * (center + distance * np.array([np.sin(radians), -np.cos(radians)]))).astype(np.int32)

    if moment.predicted is not None:
        color = overlay.INK
        cv2.circle(area, at(0, 0).tolist(), round(8 * radius), color, 9, cv2.LINE_AA, 3)
        for spoke in (90, 180, 270):
            cv2.line(area, at(0, 0).tolist(), at(moment.predicted + spoke, radius).tolist(), color, 7, cv2.LINE_AA, 3)
        top = (at(moment.predicted, radius - 7).tolist(), at(moment.predicted, radius + 7).tolist())
        cv2.line(area, *top, (240, 170, 0), 7, cv2.LINE_AA, 3)
    tip = [at(moment.recorded + turn, radius + out) for turn, out in ((0, 8), (-6, 20), (6, 20))]
    cv2.fillPoly(area, [np.array(tip)], GRAY, cv2.LINE_AA, 3)
    network = "unknown" if moment.predicted is None else f"{moment.predicted:+.1f} deg"
    overlay.write(area, f"network {network}", (area.shape[1] // 2, WHEEL + 14), area.shape[1] - 10)
    overlay.write(area, f"{other} {moment.recorded:+.1f} deg", (area.shape[1] // 2, WHEEL + 32), area.shape[1] - 10)


def _recorded_fps(drive: Drive) -> float:
    """Frames per second as the time stamps tell, else 10."""
    if drive.timestamps is None or len(drive) < 2:
        return 10.0
    seconds = float(np.median(np.diff(drive.timestamps)))
    return float(np.clip(1 / seconds, 1, 60)) if seconds > 0 else 10.0


def _check_whole(unfinished: Path, path: Path, frames: int) -> None:
    """Refuse a film that lacks frames or its index: where the disk is full ffmpeg may end without a word."""
    try:
        found = imageio_ffmpeg.count_frames_and_secs(unfinished)[0]
    except (RuntimeError, OSError):
        found = 0
    if found != frames:
        raise OSError(f"{path}: {found} of {frames} frames were written: is the disk full?")


def _writer(path: Path, size: tuple[int, int], fps: float, crf: int) -> Generator[None, np.ndarray, None]:
    """Start ffmpeg; pictures are sent to what this returns."""
    # yuv420p and a file whose index comes first play in every browser, and while they are being loaded.
    options = {
        ".mp4": ("libx264", ["-crf", str(crf), "-movflags", "+faststart"]),
        ".webm": ("libvpx-vp9", ["-crf", str(crf + 8), "-b:v", "0", "-deadline", "realtime", "-cpu-used", "8"]),
    }
    codec, parameters = options[path.suffix.lower()]
    writer = imageio_ffmpeg.write_frames(
        path, size, fps=fps, codec=codec, quality=None, macro_block_size=2, output_params=parameters
    )
    writer.send(None)
    return writer
