"""Pictures side by side, at another size, with words in them; introduced in notebook 03.

A *picture* is (H, W, 3) uint8 RGB. What is none raises ValueError.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from steerlib.drives import LARGEST_PICTURE

INK, PAPER = (30, 30, 30), (255, 255, 255)


def side_by_side(pictures: Sequence[np.ndarray], captions: Sequence[str]) -> np.ndarray:
    """Join pictures of one height from left to right, each below its caption (ASCII), as one picture."""
    columns = []
    for picture, caption in zip(pictures, captions, strict=True):
        column = cv2.copyMakeBorder(checked_picture(picture), 24, 0, 4, 4, cv2.BORDER_CONSTANT, value=PAPER)
        write(column, caption, (column.shape[1] // 2, 12), picture.shape[1])
        columns.append(column)
    return np.hstack(columns)


def grid(pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int) -> np.ndarray:
    """Join pictures of one size in rows of so many columns, see `side_by_side`; what is left over stays white."""
    rows = []
    for start in range(0, len(pictures), columns):
        row = side_by_side(pictures[start : start + columns], captions[start : start + columns])
        missing = columns * (pictures[0].shape[1] + 8) - row.shape[1]
        rows.append(cv2.copyMakeBorder(row, 0, 0, 0, missing, cv2.BORDER_CONSTANT, value=PAPER))
    return np.vstack(rows)


def fit(picture: np.ndarray, height: int, width: int = 900) -> np.ndarray:
    """Fit a picture into (height, width, 3), its proportions kept; what it does not fill stays white."""
    if picture.shape[:2] == (height, width):
        return picture
    fitted = enlarge(picture, min(width, round(picture.shape[1] * height / len(picture))))[:height]
    below, left = height - len(fitted), (width - fitted.shape[1]) // 2
    right = width - fitted.shape[1] - left
    return cv2.copyMakeBorder(fitted, 0, below, left, right, cv2.BORDER_CONSTANT, value=PAPER)


def enlarge(picture: np.ndarray, width: int = 900, smooth: bool = True) -> np.ndarray:
    """Resize a picture to a width in pixels, its proportions kept; not smooth, its pixels stay squares."""
    height = max(1, round(checked_picture(picture).shape[0] * width / picture.shape[1]))
    if not 1 <= width or width * height > LARGEST_PICTURE:
        raise ValueError(
            f"width={width}: expected at least 1, and at most {LARGEST_PICTURE:,} pixels in all; got {height} rows"
        )
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST)


def write(picture: np.ndarray, text: str, at: tuple[int, int], width: int, centered: bool = True) -> int:
    """Write ASCII text into a picture, around or from `at` (x, y), at most `width` long; return its left x."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    size *= min(1, width / max(1, cv2.getTextSize(text, font, size, 1)[0][0]))
    (length, height), _ = cv2.getTextSize(text, font, size, 1)
    x = at[0] - length // 2 if centered else at[0]
    cv2.putText(picture, text, (x, at[1] + height // 2), font, size, INK, 1, cv2.LINE_AA)
    return x


def checked_picture(picture: np.ndarray) -> np.ndarray:
    """Return an RGB picture, or raise ValueError."""
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"a picture must be (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
    return picture
