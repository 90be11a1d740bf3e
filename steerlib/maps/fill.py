"""What shows through where a picture is hidden (notebook 03)."""

from __future__ import annotations

import cv2
import numpy as np

FILLS = ("black", "mean", "blur")  # those that have a name
BLUR = 10.0  # standard deviation of the "blur" fill in pixels of the picture: markings vanish, sky and road stay


def fill_image(picture: np.ndarray, fill: float | str) -> np.ndarray:
    """Make the picture that shows through a hidden window.

    Introduced in notebook 03.

    Parameters
    ----------
    picture : (h, w, 3) float32 in [0, 1]
    fill : float in [0, 1], "black", "mean" or "blur"
        A gray (0 is black), the picture's mean color, or the picture so blurred that no line is left.

    Returns
    -------
    (h, w, 3) float32 in [0, 1]

    Raises
    ------
    ValueError
        If the fill is none of these.
    """
    if isinstance(fill, str):
        if fill == "black":
            return np.zeros_like(picture)
        if fill == "mean":
            return np.broadcast_to(picture.mean(axis=(0, 1)), picture.shape)
        if fill == "blur":
            return cv2.GaussianBlur(picture, (0, 0), sigmaX=BLUR, borderType=cv2.BORDER_REFLECT)
    elif np.asarray(fill).dtype.kind in "fiu" and 0 <= fill <= 1:
        return np.full_like(picture, fill)
    raise ValueError(f"fill={fill!r}: expected a number from 0 to 1, 'black', 'mean' or 'blur'")
