"""The colors in which networks were trained: OpenCV's conversions, so that gradients pass through them.

Each is OpenCV's formula for 8-bit pictures, and rounds as it does: the networks of others were trained on what
``cv2.cvtColor`` gave them (docs.opencv.org, "Color conversions"), and one unit of 255 in a whole picture's U moves some
by a hundredth of full lock. Gradients are those of the formula without the rounding. The same lines compute with NumPy,
for black boxes, and with Keras, inside of a model.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

ROUNDING = 1e-3  # white is not cut off, and with it its gradient, where its channels add up to 255.00001
SWAPPED = "-swapped"  # red and blue were exchanged before: OpenCV reads BGR, and much code did not know


def _luma(red: Any, green: Any, blue: Any) -> Any:  # noqa: ANN401
    return 0.299 * red + 0.587 * green + 0.114 * blue


def rounded(ops: ModuleType, value: Any) -> Any:  # noqa: ANN401
    """Round to whole numbers; the gradient passes as if it were not."""
    return np.round(value) if ops is np else value + ops.stop_gradient(ops.round(value) - value)


def _gray(ops: ModuleType, red: Any, green: Any, blue: Any) -> list:  # noqa: ANN401
    return [_luma(red, green, blue)]


def _yuv(ops: ModuleType, red: Any, green: Any, blue: Any) -> list:  # noqa: ANN401
    luma = rounded(ops, _luma(red, green, blue))
    return [luma, 0.492 * (blue - luma) + 128, 0.877 * (red - luma) + 128]


def _ycrcb(ops: ModuleType, red: Any, green: Any, blue: Any) -> list:  # noqa: ANN401
    luma = rounded(ops, _luma(red, green, blue))
    return [luma, 0.713 * (red - luma) + 128, 0.564 * (blue - luma) + 128]


def _hue(ops: ModuleType, red: Any, green: Any, blue: Any, most: Any, range: Any) -> Any:  # noqa: ANN401
    """Give half of the degrees on the color circle: 0 to 180, as 8 bits hold them."""
    below = ops.where(range > 0, range, 1.0)  # gray has no hue, and its gradient must be a number
    hue = ops.where(
        most == red,
        (green - blue) / below,
        ops.where(most == green, 2 + (blue - red) / below, 4 + (red - green) / below),
    )
    return 30 * ops.where(hue < 0, hue + 6, hue)


def _hsv(ops: ModuleType, red: Any, green: Any, blue: Any) -> list:  # noqa: ANN401
    most, least = _ends(ops, red, green, blue)
    saturation = 255 * (most - least) / ops.where(most > 0, most, 1.0)
    return [_hue(ops, red, green, blue, most, most - least), saturation, most]


def _hls(ops: ModuleType, red: Any, green: Any, blue: Any) -> list:  # noqa: ANN401
    most, least = _ends(ops, red, green, blue)
    both = most + least
    possible = ops.where(both < 255, both, 510 - both)
    saturation = 255 * (most - least) / ops.where(possible > 0, possible, 1.0)
    return [_hue(ops, red, green, blue, most, most - least), both / 2, saturation]


def _lab(ops: ModuleType, red: Any, green: Any, blue: Any) -> list:  # noqa: ANN401
    def linear(value: Any) -> Any:  # noqa: ANN401
        share = value / 255  # sRGB's curve
        return ops.where(share > 0.04045, ((ops.maximum(share, 0.04045) + 0.055) / 1.055) ** 2.4, share / 12.92)

    def curve(value: Any) -> Any:  # noqa: ANN401
        return ops.where(value > 0.008856, ops.maximum(value, 0.008856) ** (1 / 3), 7.787 * value + 16 / 116)

    red, green, blue = linear(red), linear(green), linear(blue)
    x = curve((0.412453 * red + 0.357580 * green + 0.180423 * blue) / 0.950456)
    y = curve(0.212671 * red + 0.715160 * green + 0.072169 * blue)
    z = curve((0.019334 * red + 0.119193 * green + 0.950227 * blue) / 1.088754)
    return [(116 * y - 16) * 2.55, 500 * (x - y) + 128, 200 * (y - z) + 128]


def _ends(ops: ModuleType, red: Any, green: Any, blue: Any) -> tuple:  # noqa: ANN401
    """Give the largest and the smallest of three channels."""
    return ops.maximum(ops.maximum(red, green), blue), ops.minimum(ops.minimum(red, green), blue)


CONVERSIONS: dict[str, Callable[..., list]] = {
    "YUV": _yuv,
    "YCrCb": _ycrcb,
    "HSV": _hsv,
    "HLS": _hls,
    "Lab": _lab,
    "gray": _gray,
    "saturation": lambda ops, *channels: _hsv(ops, *channels)[1:2],
}
OPENCV = {"YUV": "YUV", "YCrCb": "YCrCb", "HSV": "HSV", "HLS": "HLS", "Lab": "Lab", "gray": "GRAY", "saturation": "HSV"}
# YUV-swapped is also what RGB2YUV gave in OpenCV before 3.2 (its issue 4946): U of red, V of blue.
COLORS = ("RGB", "BGR", *CONVERSIONS, *(f"{name}{SWAPPED}" for name in CONVERSIONS if name != "saturation"))


def channels_of(color: str) -> int:
    """Give the number of channels of one of `COLORS`."""
    return 1 if color.removesuffix(SWAPPED) in ("gray", "saturation") else 3


def to_color(pictures: Any, color: str, ops: ModuleType) -> Any:  # noqa: ANN401
    """Convert RGB pictures to the colors that a network was trained on.

    Parameters
    ----------
    pictures : (..., 3) array or tensor in [0, 1]
        RGB.
    color : str
        One of `COLORS`.
    ops : module
        ``numpy`` for arrays, ``keras.ops`` for tensors.

    Returns
    -------
    (..., 3) or (..., 1) in [0, 1]
        A 255th of what ``cv2.cvtColor`` gives for 8 bits, here and there a unit beside it; so a hue reaches 180 / 255.
        What 8 bits cannot hold is cut off, as there.
    """
    if color in ("RGB", "BGR"):
        return ops.flip(pictures, axis=-1) if color == "BGR" else pictures
    red, green, blue = (255 * pictures[..., channel] for channel in (0, 1, 2))
    if color.endswith(SWAPPED):
        red, blue = blue, red
    made = ops.stack(CONVERSIONS[color.removesuffix(SWAPPED)](ops, red, green, blue), axis=-1)
    return rounded(ops, ops.clip(made, -ROUNDING, 255 + ROUNDING)) / 255


def pixels_to_color(pixels: np.ndarray, color: str) -> np.ndarray:
    """Do the same to (n, h, w, 3) uint8 RGB by OpenCV itself, which is faster: (n, h, w, 3 or 1) uint8."""
    import cv2

    if color in ("RGB", "BGR"):
        return pixels[..., ::-1] if color == "BGR" else pixels
    name = OPENCV[color.removesuffix(SWAPPED)]
    code = getattr(cv2, f"COLOR_{'BGR' if color.endswith(SWAPPED) else 'RGB'}2{name}")
    # One tall picture, since each pixel is converted alone.
    flat = np.ascontiguousarray(pixels).reshape(-1, pixels.shape[2], 3)
    made = cv2.cvtColor(flat, code).reshape(*pixels.shape[:3], -1)
    return made[..., 1:2] if color == "saturation" else made
