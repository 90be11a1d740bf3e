"""What is done to pictures after their color was converted: blurred, resized, blurred, as OpenCV does to 8 bits.

Many convert the part of a frame first. Each step rounds, so the order counts: in another order two published networks
answer 0.5 and 0.8 % of full lock beside the right angle. So these steps belong to the network, whose picture is the
part of the frame in RGB, and maps lie there. Introduced in notebook 10.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import cv2
import numpy as np

from steerlib.drives.pictures import RESIZING

TABLE = 2048  # OpenCV's bilinear weights are multiples of a 2048th
NOISE = 1e-3  # what float32 leaves below a number counts as that number
BY_COLUMNS, BY_ROWS = 128, 4  # it cuts off what is below a 128th after the columns, and below a 4th of each row's share


class Step(NamedTuple):
    """What a channel is multiplied by: the columns first, then the rows, of which several are added up."""

    columns: np.ndarray  # (w, new w) float32
    rows: list[np.ndarray]  # (new h, h) float32 each
    kind: str  # "blur", "area" or "linear", each of which OpenCV rounds in its own way


def steps_after_color(
    before: tuple[int, int], after: tuple[int, int], resize: str = "area", blur: int = 1, blur_after: int = 1
) -> list[Step]:
    """Give what is done after the color: steps that are linear but for their rounding.

    Their numbers are what OpenCV makes of pictures in which a single row, or column, is bright.

    Parameters
    ----------
    before, after : (height, width)
        Of the part of the frame, and of the network's own picture, in pixels.
    resize, blur, blur_after
        As for `steerlib.preprocess`.

    Raises
    ------
    ValueError
        Where a side becomes larger by area: OpenCV mixes two ways then.
    """
    if resize == "area" and (before[0] < after[0] or before[1] < after[1]):
        raise ValueError(f"color_at={before}: expected no less than the network's {after}, to be resized by area")

    def blurred(size: tuple[int, int], side: int) -> list[Step]:
        rows, columns = (cv2.GaussianBlur(np.eye(count, dtype=np.float32), (1, side), 0) for count in size)
        return [Step(columns.T, [rows], "blur")] if side > 1 else []

    def resized() -> list[Step]:
        rows, columns = (
            cv2.resize(np.eye(old, dtype=np.float32), (old, new), interpolation=RESIZING[resize])
            for old, new in zip(before, after)
        )
        if resize == "area":
            return [Step(columns.T, [rows], "area")]
        rows, columns = (np.rint(part * TABLE) / TABLE for part in (rows, columns))
        upper = rows * (np.arange(before[0]) == (rows > 0).argmax(axis=1)[:, np.newaxis])
        return [Step(columns.T, [upper, rows - upper], "linear")]

    made_small = [] if tuple(before) == tuple(after) else resized()
    return [*blurred(before, blur), *made_small, *blurred(after, blur_after)]


def apply_steps(pictures: Any, steps: list[Step], ops: ModuleType) -> Any:  # noqa: ANN401
    """Do steps to pictures (..., h, w, c) in [0, 1], each to 8 bits; gradients are those without the rounding.

    Parameters
    ----------
    pictures : (..., h, w, c) array or tensor in [0, 1]
        255ths.
    steps : list of Step
    ops : module
        ``numpy`` for arrays, ``keras.ops`` for tensors.

    Returns
    -------
    (..., height, width, c) in [0, 1]
        255ths; here and there one beside what OpenCV gives.
    """

    def exact(whole: Callable, values: Any) -> Any:  # noqa: ANN401
        return whole(values) if ops is np else values + ops.stop_gradient(whole(values) - values)

    seen = 255 * pictures
    for columns, rows, kind in steps:
        seen = ops.einsum("...hwc,wj->...hjc", seen, columns)
        if kind == "linear":
            seen = exact(ops.floor, BY_COLUMNS * seen + NOISE) / BY_COLUMNS
        shares = [ops.einsum("ih,...hjc->...ijc", share, seen) for share in rows]
        if kind == "linear":
            shares = [exact(ops.floor, BY_ROWS * share + NOISE) / BY_ROWS for share in shares]
        seen = exact(ops.round, sum(shares)) if kind == "area" else exact(ops.floor, sum(shares) + 0.5 + NOISE)
    return seen / 255
