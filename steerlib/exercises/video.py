"""Checks of the exercises of notebook 07: films."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from steerlib.exercises.verdict import Verdict, call, check, compare, parts

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network


@check
def check_saturated(saturated: Callable, maps: np.ndarray) -> Verdict:
    """Check ``saturated(limit)``: the share of all pixels of ``maps`` beyond a limit, and of frames that have one."""
    limit = float(np.percentile(np.abs(maps), 99.7))
    pixels, frames = parts(call(saturated, limit), 2)
    beyond = np.abs(maps) >= limit
    red, blue = maps >= limit, maps <= -limit
    mistakes = {
        "only red is counted; blue saturates, too": red.mean(),
        "only blue is counted; red saturates, too": blue.mean(),
        "these are the pixels within the limit": 1 - beyond.mean(),
        "this is a count, expected a share": beyond.sum(),
        "the two answers are exchanged": beyond.any(axis=(1, 2)).mean(),
    }
    compare(pixels, beyond.mean(), mistakes, "pixels", tolerance=0.01)
    mistakes = {
        "only red is counted; blue saturates, too": red.any(axis=(1, 2)).mean(),
        "only blue is counted; red saturates, too": blue.any(axis=(1, 2)).mean(),
        "this is a share of the places in the picture: which axis are the frames?": beyond.any(axis=0).mean(),
        "this is the share of frames with nothing but such pixels": beyond.all(axis=(1, 2)).mean(),
        "this is a count, expected a share": beyond.any(axis=(1, 2)).sum(),
    }
    compare(frames, beyond.any(axis=(1, 2)).mean(), mistakes, "frames", tolerance=0.01)
    return Verdict(True, "few pixels, but on many frames")


@check
def check_running_mean(running_mean: Callable) -> Verdict:
    """Check ``running_mean(values, width)``: the mean of the last ``width`` values, of fewer at the start."""
    values, width = np.array([3.0, -1.0, 4.0, 8.0, -5.0, 9.0, 2.0, 6.0, -7.0, 1.0]), 4
    n = len(values)

    def mean(first: int, last: int) -> np.ndarray:
        return np.array([values[max(i + first, 0) : min(i + last, n)].mean() for i in range(n)])

    mistakes = {
        "nothing is smoothed yet": values,
        "it looks into the future: take only what was": mean(0, width),
        "it looks to both sides, and so into the future": mean(-2, 2),
        "it looks to both sides, as np.convolve does with same": np.convolve(values, np.ones(4) / 4, "same"),
        "at the start there are fewer values: divide by their number": np.convolve(values, np.ones(4) / 4)[:n],
        "the start is missing: there the mean is over fewer values": np.convolve(values, np.ones(4) / 4, "valid"),
        "the present value is left out": np.array([values[max(i - width, 0) : max(i, 1)].mean() for i in range(n)]),
        "it is one value too long": mean(-width, 1),
        "these are all values so far, expected the last ones": np.cumsum(values) / np.arange(1, n + 1),
        "these are sums, expected means": mean(1 - width, 1) * np.minimum(np.arange(1, n + 1), width),
    }
    compare(call(running_mean, values, width), mean(1 - width, 1), mistakes, tolerance=1e-6)
    return Verdict(True, "only the past, and as many values as there are")


@check
def check_evidence_of(evidence_of: Callable, model: Network | keras.Model, images: np.ndarray) -> Verdict:
    """Check ``evidence_of(method, chosen)``: (n, 2) evidence for left and right, both at least 0."""
    from steerlib.maps import explain

    chosen = np.array([0, len(images) // 2, len(images) - 1])
    for method in ("hires-cam", "grad-cam"):
        answer = call(evidence_of, method, chosen)
        maps = np.stack([explain(model, images[i], method, target="right", signed=True).map for i in chosen])
        cut = np.stack([explain(model, images[i], method, target="right").map for i in chosen])
        left, right = -np.minimum(maps, 0).mean(axis=(1, 2)), np.maximum(maps, 0).mean(axis=(1, 2))
        size = maps[0].size
        mistakes = {
            "left and right are exchanged": np.stack([right, left], axis=1),
            "left is negative; both are sizes": np.stack([-left, right], axis=1),
            "nothing speaks for left: the map has lost its sign": np.stack([0 * left, cut.mean(axis=(1, 2))], axis=1),
            "these are sums over the pixels, expected means": np.stack([left, right], axis=1) * size,
            "a row is a frame, a column a side: the axes are exchanged": np.stack([left, right]),
            "these are means over the pixels of one sign, expected over all pixels": np.stack(
                [
                    part * size / np.maximum((side * maps > 0).sum(axis=(1, 2)), 1)
                    for side, part in ((-1, left), (1, right))
                ],
                axis=1,
            ),
        }
        compare(answer, np.stack([left, right], axis=1), mistakes, method, tolerance=5e-3)
    return Verdict(True, "now compare the three methods")
