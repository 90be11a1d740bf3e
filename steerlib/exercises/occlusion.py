"""Checks of the exercises of notebook 03: occlusion."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from steerlib.exercises.verdict import DEGREES, Verdict, call, check, compare

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network


def _effects(
    model: Network | keras.Model, image: np.ndarray, hidden: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Give the effects of hiding in degrees, and the angles with it hidden."""
    from steerlib.networks.training import predict

    angle, *angles = predict(model, np.stack([image, *hidden]))
    return angle - np.array(angles), np.array(angles)


@check
def check_blurred_row(
    effects: np.ndarray, model: Network | keras.Model, image: np.ndarray, places: np.ndarray
) -> Verdict:
    """Check effects in degrees of blurred windows of 15 pixels along row 25, one for each column of ``places``."""
    from steerlib.maps.occlusion import occlude

    found = {
        fill: _effects(model, image, [occlude(image, (25, column), 15, fill) for column in places])
        for fill in ("blur", "mean", 0.0)
    }
    mistakes = {
        "these are the black windows": found[0.0][0],
        "these windows have the image's mean color; asked is the blurred image": found["mean"][0],
        "these are the angles with the window hidden, expected the change": found["blur"][1],
    }
    compare(effects, found["blur"][0], mistakes, tolerance=0.01, least=DEGREES)
    return Verdict(True, "now compare the two rows")


@check
def check_band_effects(band_effects: Callable, model: Network | keras.Model, image: np.ndarray) -> Verdict:
    """Check ``band_effects(image)``: (11,) degrees, of hiding rows 0 to 5, 6 to 11 ... behind the blurred image."""
    from steerlib.maps.fill import fill_image

    def hidden(fill: float | str, axis: int = 0, start: int | None = None) -> list[np.ndarray]:
        blank, made = fill_image(image, fill), []
        for first in range(0, image.shape[axis] - 5, 6):
            place = np.arange(image.shape[axis])
            inside = ((place >= (first if start is None else start)) & (place < first + 6))[:, np.newaxis]
            made.append(np.where(inside[..., np.newaxis] if axis == 0 else inside, blank, image))
        return made

    expected, angles = _effects(model, image, hidden("blur"))
    mistakes = {
        "these are the angles with a band hidden, expected the change": angles,
        "the bands are black; asked is the blurred image": _effects(model, image, hidden(0.0))[0],
        "the bands have the image's mean color; asked is the blurred image": _effects(model, image, hidden("mean"))[0],
        "these bands are columns: wrong axis": _effects(model, image, hidden("blur", axis=1))[0],
        "each band begins at the top: only six rows are to be hidden": _effects(model, image, hidden("blur", 0, 0))[0],
    }
    compare(call(band_effects, image), expected, mistakes, tolerance=0.01, least=DEGREES)
    return Verdict(True, "a profile of the road, from far to near")


@check
def check_halves(halves: Callable, model: Network | keras.Model, image: np.ndarray) -> Verdict:
    """Check ``halves(image)``: the effects in degrees of hiding the left half, the right one, and both, blurred."""
    from steerlib.maps.fill import fill_image

    def hidden(fill: float | str, axis: int = 1) -> list[np.ndarray]:
        blank, shape = fill_image(image, fill), [1, 1, 1]
        shape[axis] = -1
        first = (np.arange(image.shape[axis]) < image.shape[axis] // 2).reshape(shape)
        return [np.where(first, blank, image), np.where(first, image, blank), blank]

    expected, angles = _effects(model, image, hidden("blur"))
    mistakes = {
        "left and right are exchanged: columns count from the left": expected[[1, 0, 2]],
        "the third is to be measured, not to be added up: that is the question": [*expected[:2], expected[:2].sum()],
        "these are the angles with a half hidden, expected the change": angles,
        "these are the upper and the lower half: wrong axis": _effects(model, image, hidden("blur", 0))[0],
        "the halves are black; asked is the blurred image": _effects(model, image, hidden(0.0))[0],
    }
    compare(call(halves, image), expected, mistakes, tolerance=0.01, least=DEGREES)
    return Verdict(True, "do they add up?")
