"""Which part of a frame a network sees, and how: checked without loading what decodes pictures (notebook 01)."""

import numpy as np

RESIZINGS = ("area", "linear")  # how a part of a frame becomes as small as a network's picture
WIDEST_BLUR = 99  # pixels


def check_crop(crop: tuple[float, float]) -> None:
    """Refuse what is no part of a frame."""
    parts = np.asarray(crop)
    if parts.shape != (2,) or parts.dtype.kind not in "fiu" or not 0 <= parts[0] < parts[1] <= 1:
        raise ValueError(f"crop={crop}: expected (top, bottom) as fractions of the height, 0 <= top < bottom <= 1")


def check_blur(side: int, name: str = "blur") -> None:
    """Refuse what is no side of a Gaussian window."""
    if (
        isinstance(side, bool)
        or not isinstance(side, int | np.integer)
        or side % 2 == 0
        or not 1 <= side <= WIDEST_BLUR
    ):
        raise ValueError(f"{name}={side!r}: expected an odd number of pixels, 1 to {WIDEST_BLUR}")
