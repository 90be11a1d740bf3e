"""Scores that change the picture and ask the network again: deletion, the shift test (notebook 08)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from steerlib.maps.fill import fill_image
from steerlib.maps.method import with_network
from steerlib.networks.network import Network
from steerlib.trust.numbers import grown, magnitude_of

TINY = 2.0  # degrees: where the blank picture changes the angle by less, deletion is not defined
STILL = 0.1  # degrees for each pixel: where the whole frame's shift turns the wheel by less, the shift test is not


class Curve(NamedTuple):
    """What becomes of an angle while more and more pixels are hidden."""

    shares: np.ndarray  # (steps + 1,) of the pixels that were hidden, from 0 to 1
    angles: np.ndarray  # (steps + 1,) degrees
    change: np.ndarray  # (steps + 1,) |f(x_i) − f(x)| / |f(x) − f(blank)|; NaN where the blank does next to nothing
    area: float  # under `change`, by trapezoids


@with_network
def deletion(
    network: Network,
    image: np.ndarray,
    map: np.ndarray,
    fill: float | str | np.ndarray = "blur",
    steps: int = 16,
) -> Curve:
    """Hide the pixels from the most to the least important one, and watch the angle leave.

    Introduced in notebook 08. Petsiuk et al. (RISE, arXiv 1806.07421), with an angle in place of a probability. Takes
    the magnitude. The curve goes from 0, nothing hidden, to 1, everything hidden, and may go beyond 1 on its way. If
    the first pixels matter most it rises at once: **a large area is good**. Pixels of equal value come in random
    order, so a constant map is the random order, and `center_map` the one from the center outward: controls like any
    other map.

    Parameters
    ----------
    network : Network
    image : (h, w, 3) float32 in [0, 1]
    map : (h, w) float
    fill : float in [0, 1], str, or (h, w, 3) float32 in [0, 1]
        What hidden pixels become, see `steerlib.fill_image`; all of it is the blank picture.
    steps : int
        In how many equal portions the pixels are hidden.

    Returns
    -------
    Curve
        Change and area are NaN where the blank changes the angle by less than `TINY` degrees: dividing by next to
        nothing would let such a frame outweigh all others.

    Raises
    ------
    ValueError
        If the image, the map, the fill or the steps are not those described.
    """
    magnitude, blank = magnitude_of(map, image[..., 0]), fill_image(image, fill)
    if not 1 <= steps <= magnitude.size:
        raise ValueError(f"steps={steps}: expected 1 to {magnitude.size}")
    order = np.lexsort((np.random.default_rng(0).random(magnitude.size), -magnitude.ravel()))
    place = np.empty(magnitude.size, int)
    place[order] = np.arange(magnitude.size)
    shares = np.linspace(0, 1, steps + 1)
    hidden = place.reshape(magnitude.shape) < np.rint(shares * magnitude.size)[:, np.newaxis, np.newaxis]
    angles = network.angles(np.where(hidden[..., np.newaxis], blank, image))
    apart = abs(float(angles[0]) - float(angles[-1]))
    change = np.abs(angles - angles[0]) / apart if apart >= TINY else np.full(steps + 1, np.nan)
    return Curve(shares, angles, change, float(np.trapezoid(change, shares)))


class Shift(NamedTuple):
    """What the angle does when parts of a picture move sideways."""

    shifts: np.ndarray  # (n,) pixels to the right
    important: np.ndarray  # (n,) degrees: only the important pixels move
    others: np.ndarray  # (n,) degrees: only the others move
    whole: np.ndarray  # (n,) degrees: the whole frame moves
    slopes: tuple[float, float]  # of the first two, as shares of the third's; NaN where that is next to nothing


@with_network
def shift_test(
    network: Network,
    image: np.ndarray,
    map: np.ndarray,
    shifts: Sequence[int] = (-9, -6, -3, 0, 3, 6, 9),
    share: float = 0.2,
    dilation: int = 3,
    fill: float | str | np.ndarray = "blur",
) -> Shift:
    """Move the pixels that a map calls important sideways, then only the others, then the whole frame.

    Introduced in notebook 08. Bojarski et al. (arXiv 1704.07911, section 5). If the map is right, the wheel follows the
    important pixels as it follows the whole frame, and hardly minds the others. Takes the magnitude.

    The important pixels lie on top in both cases. **Holes**, where pixels have left and none have come, show the fill
    of the unmoved image. What comes in over the border repeats the border's pixels.

    Parameters
    ----------
    network : Network
    image : (h, w, 3) float32 in [0, 1]
    map : (h, w) float
    shifts : sequence of int
        Pixels to the right; at least two different ones.
    share, dilation
        Of `important`.
    fill : float in [0, 1], str, or (h, w, 3) float32 in [0, 1]
        See `steerlib.fill_image`.

    Returns
    -------
    Shift
        The slopes of the lines that fit best (least squares), of the important and of the other pixels, divided by that
        of the whole frame: a good map has about 1 and about 0. NaN where the whole frame's is below `STILL` degrees for
        each pixel, and for a map of zeros, which calls nothing important.

    Raises
    ------
    ValueError
        If the image, the map or a setting is not one of those described.
    """
    shifts = np.asarray(shifts, int)
    if len(np.unique(shifts)) < 2 or np.abs(shifts).max() >= image.shape[1]:
        raise ValueError(f"shifts={shifts.tolist()}: expected at least two, of less than {image.shape[1]} pixels")
    mask, filler = important(map, share, dilation), fill_image(image, fill)
    frames = []
    for shift in shifts:
        columns = np.clip(np.arange(image.shape[1]) - shift, 0, image.shape[1] - 1)
        # Over the border nothing comes that is important, and more of what is not.
        inside = np.arange(image.shape[1]) - shift == columns
        whole, came = image[:, columns], mask[:, columns] & inside
        came, left, stays = came[..., np.newaxis], mask[..., np.newaxis], ~mask[:, columns][..., np.newaxis]
        frames.append(np.where(came, whole, np.where(left, filler, image)))
        frames.append(np.where(left, image, np.where(stays, whole, filler)))
        frames.append(whole)
    lines = network.angles(np.stack(frames)).reshape(len(shifts), 3).T
    slopes = np.polyfit(shifts, lines.T, 1)[0]
    defined = abs(slopes[2]) >= STILL and mask.any()
    relative = (slopes[:2] / slopes[2]).tolist() if defined else [np.nan, np.nan]
    return Shift(shifts, *lines, tuple(relative))


def important(map: np.ndarray, share: float = 0.2, dilation: int = 3) -> np.ndarray:
    """Tell which pixels a map calls important, dilated, so that all maps call the same area important.

    Introduced in notebook 08. Takes the magnitude. The maximum over a disk comes first, the threshold second: the same
    as to dilate what is above the threshold, but the area is known.

    Parameters
    ----------
    map : (h, w) float
    share : float in (0, 1)
        Of the area. A few pixels more where many are equal.
    dilation : int
        Radius of the disk in pixels.

    Returns
    -------
    (h, w) bool
        Nothing of a map of zeros.

    Raises
    ------
    ValueError
        If the map is not finite or a number is out of its range.
    """
    if not 0 < share < 1 or dilation < 0:
        raise ValueError(f"share={share}, dilation={dilation}: expected a share between 0 and 1, at least 0 pixels")
    magnitude = grown(magnitude_of(map, map), dilation)
    return (magnitude > 0) & (magnitude >= np.quantile(magnitude, 1 - share))
