"""What stands below the pictures of a film: a wheel, the last seconds of angles and evidence (notebook 07)."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from steerlib.drives import crop_road
from steerlib.maps import METHODS
from steerlib.maps.method import Explanation
from steerlib.show import overlay
from steerlib.show.explanation import draw_map

SAMPLE = 24  # frames, spread over the drive, that decide on the one scale of all its frames
SECONDS = 15.0  # of the drive that the strip below the pictures shows
GRAPH, EVIDENCE, WHEEL = 130, 66, 200  # pixels: height of the strip's parts, width of the steering wheel beside it
RED, BLUE, GRAY = (178, 24, 43), (33, 102, 172), (150, 150, 150)


class Moment(NamedTuple):
    """What the strip below the pictures remembers of a frame; angles in degrees, positive = right."""

    recorded: float
    predicted: float | None  # None where the frame cannot be read
    evidence: dict[str, tuple[float, float]]  # for left and for right, of each method that has a sign
    bend: str = ""  # in words, shown where nothing was recorded


def even(picture: np.ndarray) -> np.ndarray:
    """Make both sides of a picture even, as the encoders want them."""
    return np.pad(picture, [(0, size % 2) for size in picture.shape[:2]] + [(0, 0)], constant_values=255)


def over(frame: np.ndarray, crop: tuple[float, float], explanation: Explanation, limit: float) -> np.ndarray:
    """Lay a map over the part of a frame that the network sees; the rest becomes dark."""
    result = frame // 3
    crop_road(result, crop)[:] = draw_map(crop_road(frame, crop), explanation, limit)
    return result


def draw_strip(
    width: int,
    past: Sequence[Moment],
    ruler: float,
    most: dict[str, float],
    fps: float,
    other: str = "recorded",
    network: str = "network",
) -> np.ndarray:
    """Draw the steering wheel, and beside it the angles and the evidence of the last seconds."""
    height = max(WHEEL + 40, GRAPH + EVIDENCE * len(most) + 24)
    strip = np.full((height, width, 3), overlay.PAPER, np.uint8)
    _draw_wheel(strip[:, : WHEEL + 60], past[-1], other, network)
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
    axis(
        4,
        high,
        f"right {ruler:.0f}",
        f"left {ruler:.0f}",
        "degrees",
        f"black: {network}",
        *([f"gray: {other}"] if other else []),
    )
    plot([moment.recorded for moment in past], 4, high, ruler, GRAY, 5)
    plot([moment.predicted for moment in past], 4, high, ruler, overlay.INK, 2)
    for k, (name, limit) in enumerate(most.items()):
        top, high = GRAPH + EVIDENCE * k, EVIDENCE - 8
        axis(top, high, "right", "left", METHODS[name].title, "evidence")
        sums = [moment.evidence.get(name, (None, None)) for moment in past]
        for side, color, sign in ((0, BLUE, -1), (1, RED, 1)):
            plot([None if pair[side] is None else sign * pair[side] for pair in sums], top, high, limit, color, 0)
    overlay.write(
        strip, f"the last {capacity / fps:.0f} s", ((left + right) // 2, GRAPH + EVIDENCE * len(most) + 6), 200
    )
    return strip


def _draw_wheel(area: np.ndarray, moment: Moment, other: str, network: str = "network") -> None:
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
    known = np.isfinite(moment.recorded)
    if known:
        tip = [at(moment.recorded + turn, radius + out) for turn, out in ((0, 8), (-6, 20), (6, 20))]
        cv2.fillPoly(area, [np.array(tip)], GRAY, cv2.LINE_AA, 3)
    answer = "unknown" if moment.predicted is None else f"{moment.predicted:+.1f} deg"
    overlay.write(area, f"{network} {answer}", (area.shape[1] // 2, WHEEL + 14), area.shape[1] - 10)
    angle = f"{other} {moment.recorded:+.1f} deg" if known else moment.bend or f"not {other or 'recorded'}"
    overlay.write(area, angle, (area.shape[1] // 2, WHEEL + 32), area.shape[1] - 10)
