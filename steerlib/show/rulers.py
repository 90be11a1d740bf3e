"""Steering angles as strips below a picture: pointers on a ruler, and a histogram; introduced in notebook 01."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from steerlib.show.pictures import INK, PAPER, checked_picture, write


def ruler_end(angles: ArrayLike) -> float:
    """Choose where a ruler ends that some angles (n,) in degrees fit on: a multiple of 5; NaN and infinity are none."""
    angles = np.abs(np.asarray(angles, float))
    return 5 * float(np.ceil(np.max(angles, initial=1, where=np.isfinite(angles)) / 5))


def draw_angles(
    picture: np.ndarray,
    predicted: float | None = None,
    recorded: float | None = None,
    limit: float = 45.0,
    names: Sequence[str] = ("predicted", "recorded"),
) -> np.ndarray:
    """Draw steering angles as pointers on a ruler at the middle of a picture's lower edge; return a copy.

    Degrees of the steering wheel, positive = right. Predicted is the filled pointer above the ruler, recorded
    the hollow one below; None and NaN leave one out. A pointer beyond `limit`, where the ruler ends, stops there, but
    its number does not. A picture smaller than 60 by 240 pixels raises ValueError.
    """
    result = checked_picture(picture).copy()
    if result.shape[0] < 60 or result.shape[1] < 240:
        raise ValueError(f"angles need a picture of at least 60 by 240 pixels, got {result.shape[:2]}")
    width = min(result.shape[1], 420)
    panel, ends = result[-60:, (result.shape[1] - width) // 2 :][:, :width], (56, width - 56)
    panel[:] = PAPER
    cv2.line(panel, (ends[0], 20), (ends[1], 20), INK, 1)
    for share in np.linspace(-1, 1, 9):
        x, length = round(np.interp(share, (-1, 1), ends)), 6 if share in (-1, 0, 1) else 3
        cv2.line(panel, (x, 20 - length), (x, 20 + length), INK, 1)
    for word, x in (("left", 28), ("right", width - 28)):
        write(panel, word, (x, 12), 48)
        write(panel, f"{limit:.3g}", (x, 28), 48)
    for name, angle, up, center in zip(names, (predicted, recorded), (-1, 1), (width * 2 // 7, width * 5 // 7)):
        if angle is not None and np.isfinite(angle):
            _pointer(panel, round(np.interp(angle, (-limit, limit), ends)), 20 + 2 * up, up)
            left = write(panel, f"{name} {angle:+.1f} deg", (center + 8, 50), width * 2 // 5)
            _pointer(panel, left - 12, 50 - 5 * up, up)
    return result


def angles_strip(width: int, *angles: object) -> np.ndarray:
    """Draw the ruler of `draw_angles`, whose arguments `angles` are, as a strip (60, width, 3) uint8."""
    return draw_angles(np.full((60, width, 3), PAPER, np.uint8), *angles)


def angle_histogram(width: int, angles: ArrayLike, angle: float, limit: float = 45.0) -> np.ndarray:
    """Draw how often each angle occurs in a drive and where one of them stands, as a strip (60, width, 3) uint8.

    `angles` (n,) are degrees, positive = right; the ruler reaches to `limit` on both sides, as in `draw_angles`.
    Fewer than 240 pixels are hard to read.
    """
    strip, ends, angles = np.full((60, width, 3), PAPER, np.uint8), (56, width - 56), np.asarray(angles)
    angles = angles[np.isfinite(angles)]
    counts, edges = np.histogram(np.clip(angles, -limit, limit), bins=45, range=(-limit, limit))
    columns = np.rint(np.interp(edges, (-limit, limit), ends)).astype(int).tolist()
    for count, left, right in zip(counts.tolist(), columns, columns[1:]):
        if count:
            top = 30 - max(2, round(28 * count / counts.max()))
            cv2.rectangle(strip, (left, top), (max(left, right - 2), 30), (150, 150, 150), cv2.FILLED)
    cv2.line(strip, (ends[0], 30), (ends[1], 30), INK, 1)
    for word, x in (("left", 28), ("right", width - 28)):
        write(strip, word, (x, 20), 48)
        write(strip, f"{limit:.3g}", (x, 36), 48)
    if not np.isfinite(angle):
        write(strip, "no angle was recorded", (width // 2, 51), width - 8)
        return strip
    _pointer(strip, round(np.interp(angle, (-limit, limit), ends)), 32, 1)
    side = "left" if angle < 0 else "right"
    further = np.mean(angles < angle if angle < 0 else angles > angle)
    write(strip, f"this frame among all: {100 * further:.0f} % are further {side}", (width // 2, 51), width - 8)
    return strip


def with_angles(picture: np.ndarray, bar: np.ndarray | None, *angles: object) -> np.ndarray:
    """Put a color bar, if there is one, and beside it the ruler of `draw_angles`, below a picture.

    Both together are a picture (H + 60, W, 3); the ruler gets the width that the bar (60, w, 3) leaves, at least
    240 pixels, and `angles` are the arguments of `draw_angles`.
    """
    bar = np.zeros((60, 0, 3), np.uint8) if bar is None else bar
    ruler = angles_strip(max(0, checked_picture(picture).shape[1] - bar.shape[1]), *angles)
    return np.vstack([picture, np.hstack([bar, ruler])])


def _pointer(picture: np.ndarray, x: int, y: int, up: int) -> None:
    """Draw a triangle with its tip at a point: filled above it (up = -1) or hollow below it (up = 1)."""
    corners = np.array([[(x, y), (x - 6, y + 11 * up), (x + 6, y + 11 * up)]], np.int32)
    cv2.fillPoly(picture, corners, INK if up < 0 else PAPER, cv2.LINE_AA)
    cv2.polylines(picture, corners, True, INK, 1, cv2.LINE_AA)
