"""A map over a frame: color, blend, scale, color bar, angles, labels. Introduced in notebook 03.

Notebooks (through ``plt.imshow``), explorers and films draw with these functions, so that a color means
the same everywhere: it lies on the frame, which is a little darker, nearly clear where the map is weak and opaque where
it is strong. Where a map is zero only the road is seen. A line goes around what reaches half of the map's peak: whole
where the map is positive, dashed where it is negative, so that the sides are told apart in gray print, too. A *picture*
is (H, W, 3) uint8 RGB; a *map* is (h, w), positive where a pixel steers right if it is signed. What is neither raises
ValueError.
"""

from collections.abc import Iterable, Sequence
from functools import cache

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import ArrayLike

from steerlib.show.labels import LABEL_COLORS, SHADOW, colorize_labels, label_legend
from steerlib.show.pictures import INK, PAPER, checked_picture, enlarge, fit, grid, side_by_side, write
from steerlib.show.rulers import angle_histogram, angles_strip, draw_angles, with_angles

__all__ = [
    "GROUND",
    "INK",
    "LABEL_COLORS",
    "PAPER",
    "SHADOW",
    "STRENGTH",
    "angle_histogram",
    "angles_strip",
    "attended",
    "colorbar",
    "colorize",
    "colorize_labels",
    "common_limit",
    "contours",
    "draw_angles",
    "enlarge",
    "fit",
    "focus",
    "grid",
    "label_legend",
    "mark_peaks",
    "mark_window",
    "overlay",
    "palette",
    "side_by_side",
    "with_angles",
    "with_colorbar",
    "write",
]

STRENGTH = 0.8  # opacity of the strongest color: the road stays visible below it
GROUND = 0.8  # of the brightness of the frame is left below a map
FULL = 0.8  # share of the limit from where on a map is as opaque as at the limit
SMALLEST = 1 / 1000  # of the picture: a smaller region gets no line around it
DASH, GAP = 9, 6  # pixels


def colorize(map: ArrayLike, limit: float | None = None, signed: bool | None = None) -> np.ndarray:
    """Draw a map by itself, in the colors that `overlay` lays over a photograph.

    Parameters
    ----------
    map : (h, w) array, finite, of any unit
    limit : float, optional
        The value drawn in the strongest color; larger ones look the same. None: the largest magnitude of this
        map. Maps that are compared need a common one: `common_limit`.
    signed : bool, optional
        True: blue is negative (left), red positive (right), gray zero, one scale for both sides. False:
        gray is zero, yellow the limit. None: signed if a value is negative; say it for a map that is signed
        by its nature, since one frame's may happen to be positive everywhere.

    Returns
    -------
    (h, w, 3) uint8 picture. A map of zeros is gray, any other constant one color.

    Raises
    ------
    ValueError
        The map is not (h, w), holds NaN or infinity, or is negative somewhere though ``signed=False``.
    """
    values, limit, signed = _checked_map(map, limit, signed)
    return _blend(np.full((*values.shape, 3), 110, np.uint8), values, limit, signed, STRENGTH)


def overlay(
    view: np.ndarray,
    map: ArrayLike,
    limit: float | None = None,
    signed: bool | None = None,
    strength: float = STRENGTH,
    lines: bool = True,
) -> np.ndarray:
    """Lay a map (see `colorize`) over a picture of what its network saw, at the size of the picture.

    The map is resized smoothly to cover the whole view: ``drive.view(i)``, or an enlarged one. `strength` in
    [0, 1] is the opacity where the map reaches four fifths of its limit; toward zero it falls smoothly, and faster than
    the map. `lines` go around what reaches half of the map's peak (`contours`), unless it is below a tenth of the
    limit.
    """
    values, limit, signed = _checked_map(map, limit, signed)
    view = checked_picture(view)
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in [0, 1], got {strength}")
    picture = _blend(view, _resized(values, view.shape), limit, signed, strength)
    seen = np.abs(values).max() >= limit / 10 > 0  # else a line would go around what is hardly more than nothing
    for side, line in contours(values, view.shape[:2], signed) if lines and seen else ():
        steps = [line] if side > 0 else [line[k : k + DASH] for k in range(0, len(line), DASH + GAP)]
        for color, thickness in ((INK, 3), (PAPER, 1)):
            cv2.polylines(picture, steps, side > 0, color, thickness, cv2.LINE_AA)
    return picture


def contours(map: ArrayLike, size: tuple[int, int], signed: bool | None = None) -> list[tuple[int, np.ndarray]]:
    """Find the lines around what reaches half of a map's largest magnitude.

    The map is smoothed for it, by a hundredth of its width, so that single pixels do not fill it with lines.

    Parameters
    ----------
    map : (h, w) array, finite, of any unit
    size : (int, int)
        Height and width of the picture that the map covers, in pixels.
    signed : bool, optional
        See `colorize`.

    Returns
    -------
    list of (side, line)
        The side is 1 around positive values and -1 around negative ones; the line is (n, 2) int32, closed, of
        neighboring pixels (x, y) of the picture. Regions of less than a thousandth of the picture have none.

    Raises
    ------
    ValueError
        As `colorize`.
    """
    values, _, signed = _checked_map(map, None, signed)
    values = _resized(cv2.GaussianBlur(values, (0, 0), values.shape[1] / 100), size)
    half, found = np.abs(values).max() / 2, []
    for side in (1, -1) if signed else (1,):
        region = (side * values >= half).astype(np.uint8) if half else np.zeros(size, np.uint8)
        if region.all():  # there is nothing else that it could be told from
            continue
        lines, _ = cv2.findContours(region, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        found += [(side, line[:, 0]) for line in lines if cv2.contourArea(line) >= SMALLEST * region.size]
    return found


def attended(map: ArrayLike, percentile: float = 90.0, smooth: float = 2.0) -> np.ndarray:
    """Filter a map: where its smoothed magnitude is among the largest.

    Parameters
    ----------
    map : (h, w) array, finite, of any unit
    percentile : float
        Share of the pixels, in percent, that is left out: 90 keeps the strongest tenth.
    smooth : float
        Standard deviation of the Gaussian, in the map's pixels; 0 does not smooth.

    Returns
    -------
    (h, w) bool. Nothing of a map of zeros; all of any other constant one.

    Raises
    ------
    ValueError
        The map is not (h, w) or not finite, or a number is out of its range.
    """
    values = np.abs(_checked_map(map, None, None)[0])
    if not 0 <= percentile <= 100 or not 0 <= smooth < np.inf:
        raise ValueError(f"expected percentile in [0, 100] and smooth >= 0, got {percentile} and {smooth}")
    if smooth:
        values = cv2.GaussianBlur(values, (0, 0), smooth, borderType=cv2.BORDER_REFLECT)
    # The tolerance is for rounding: what is equal on both sides of the threshold belongs together.
    return (values > 0) & (values >= (1 - 1e-5) * np.percentile(values, percentile))


def focus(
    view: np.ndarray,
    map: ArrayLike,
    percentile: float = 90.0,
    blur: float = 10.0,
    alone: bool = False,
    smooth: float = 2.0,
) -> np.ndarray:
    """Show what is `attended` sharp over the blurred and darkened rest of a picture, or alone on black.

    After the "nice effects" of J. Gildenblat's article (2016). Nothing is laid over the pixels that matter; but
    degrees, sign and all that lies below the percentile are lost.

    Parameters
    ----------
    view : (H, W, 3) uint8 picture
    map, percentile, smooth
        See `attended`; the map is resized to cover the view.
    blur : float
        Standard deviation of the rest's Gaussian, in pixels of the view; 0 only darkens.
    alone : bool
        True: the rest is black.

    Returns
    -------
    (H, W, 3) uint8 picture

    Raises
    ------
    ValueError
        As `attended`, and where the view is no picture or the blur is negative.
    """
    view, mask = checked_picture(view), attended(map, percentile, smooth)
    if not 0 <= blur < np.inf:
        raise ValueError(f"blur must be finite and not negative, got {blur}")
    # Blurred a little, or the squares of the map's pixels would show along the border.
    share = cv2.GaussianBlur(_resized(mask.astype(np.float32), view.shape), (0, 0), view.shape[1] / 300)[..., None]
    rest = np.zeros(view.shape, np.float32)
    if not alone:
        rest = np.float32(0.6) * (cv2.GaussianBlur(view, (0, 0), blur) if blur else view)
    return np.rint(rest + share * (view - rest)).astype(np.uint8)


def mark_peaks(picture: np.ndarray, map: ArrayLike, limit: float) -> np.ndarray:
    """Mark a signed map's strongest pixel to each side by an arrow that points to this side; return a copy.

    So a shape tells the side too, not color alone. A peak below half the limit is not marked.
    """
    values, limit, _ = _checked_map(map, limit, True)
    result = checked_picture(picture).copy()
    size = np.array(result.shape[1::-1])
    for side in (-1, 1):
        y, x = np.unravel_index(np.argmax(side * values), values.shape)
        if side * values[y, x] >= limit / 2 > 0:
            center = np.clip((x + 0.5, y + 0.5) * size / values.shape[::-1], 12, size - 12)
            arrow = np.rint([center + np.multiply(corner, (9, 8)) for corner in ((-side, -1), (-side, 1), (side, 0))])
            cv2.fillPoly(result, [arrow.astype(np.int32)], PAPER, cv2.LINE_AA)
            cv2.polylines(result, [arrow.astype(np.int32)], True, INK, 2, cv2.LINE_AA)
    return result


def common_limit(maps: Iterable[ArrayLike], percentile: float = 99.5) -> float:
    """One scale for maps that are compared, side by side or from frame to frame.

    The percentile of all their magnitudes together, so that a few outliers do not make the rest invisible;
    where that is zero, the largest magnitude. Zero only if every map is. ValueError if there is no map.
    """
    values = [np.abs(_checked_map(map, None, None)[0]).ravel() for map in maps]
    if not values:
        raise ValueError("common_limit needs at least one map, got none")
    values = np.concatenate(values)
    return float(np.percentile(values, percentile)) or float(values.max())


def colorbar(
    width: int, limit: float, signed: bool, unit: str = "", ends: Sequence[str] = ("left", "right")
) -> np.ndarray:
    """Draw the colors of `overlay` from -limit (signed) or 0 to limit, as a strip (60, width, 3) uint8.

    `unit` stands below the numbers, `ends` say what negative and positive mean: in ASCII, as not every
    OpenCV can write more. Fewer than 240 pixels are hard to read. A limit of zero, which `common_limit` gives where
    every map is zero, is said in place of the unit.
    """
    strip, left = np.full((60, width, 3), PAPER, np.uint8), min(80, width // 5) if signed else 40
    ramp = np.linspace(-limit if signed else 0, limit, width - 2 * left)
    strip[6:24, left : width - left] = colorize(np.tile(ramp, (18, 1)), limit, signed)
    cv2.rectangle(strip, (left - 1, 5), (width - left, 24), INK, 1)
    for word, x in zip(ends if signed else (), (left // 2, width - left // 2)):
        write(strip, word, (x, 15), left - 8)
    halves = (-1, -0.5, 0, 0.5, 1) if width >= 400 else (-1, 0, 1)  # numbers must not run into each other
    for share in halves if signed else (0, 0.5, 1):
        x, plus = round(np.interp(share, (-signed, 1), (left, width - left - 1))), signed and share * limit
        cv2.line(strip, (x, 24), (x, 27), INK, 1)
        write(strip, f"{share * limit + 0.0:{'+' if plus else ''}.3g}", (x, 35), width // 6)
    write(strip, unit if limit else "zero everywhere", (width // 2, 51), width - 8)
    return strip


def with_colorbar(
    picture: np.ndarray, limit: float, signed: bool, unit: str = "", ends: Sequence[str] = ("left", "right")
) -> np.ndarray:
    """Put a `colorbar` below a picture; both together are a picture (H + 60, W, 3)."""
    return np.vstack([checked_picture(picture), colorbar(picture.shape[1], limit, signed, unit, ends)])


def mark_window(view: np.ndarray, hidden: np.ndarray, center: tuple[int, int], size: int) -> np.ndarray:
    """Put one window of a network's image into the view of it, in a frame that is seen on any ground.

    Parameters
    ----------
    view : (H, W, 3) uint8
    hidden : (h, w, 3) float32 in [0, 1]
        What `steerlib.occlude` gives.
    center, size
        The window in pixels of `hidden`, as for `steerlib.occlude`.

    Returns
    -------
    (H, W, 3) uint8
    """
    scale, first = np.divide(view.shape[:2], hidden.shape[:2]), np.array(center) - size // 2
    corners = np.clip([first, first + size], 0, hidden.shape[:2]) * scale
    (top, left), (bottom, right) = np.rint(corners).astype(int).tolist()
    result, small = view.copy(), np.rint(255 * hidden).astype(np.uint8)
    enlarged = cv2.resize(small, view.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    result[top:bottom, left:right] = enlarged[top:bottom, left:right]
    for color, thickness in ((PAPER, 5), (INK, 2)):
        cv2.rectangle(result, (left, top), (right - 1, bottom - 1), color, thickness)
    return result


def _checked_map(map: ArrayLike, limit: float | None, signed: bool | None) -> tuple[np.ndarray, float, bool]:
    """Return a map as float32 with its limit and sign, which come from its values where they are None."""
    values = np.asarray(map, np.float32)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"a map must be (height, width), got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"the map has {np.sum(~np.isfinite(values))} values that are NaN or infinite")
    if signed is False and values.min() < 0:
        raise ValueError(f"an unsigned map cannot be negative, but its minimum is {values.min():.3g}")
    limit = float(np.abs(values).max() if limit is None else limit)
    if not 0 <= limit < np.inf:
        raise ValueError(f"limit must be finite and not negative, got {limit}")
    return values, limit, bool(values.min() < 0 if signed is None else signed)


def _resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resize a map by cubic interpolation (linear draws diamonds), without its overshoot."""
    return np.clip(cv2.resize(values, shape[1::-1], interpolation=cv2.INTER_CUBIC), values.min(), values.max())


def _share(values: np.ndarray, limit: float) -> np.ndarray:
    """Values as shares of the limit, clipped to [-1, 1]; anything but zero is beyond a limit of zero."""
    return np.clip(values / limit, -1, 1) if limit > 0 else np.sign(values)


@cache
def palette(signed: bool) -> np.ndarray:
    """Give the colors of a map, (511, 4) float32, for the shares -1 to 1 of its limit.

    Red, green and blue go from 0 to 255, opacity from 0 to 1. Without pale or dark middles, as opacity is zero there.
    Left is blue; right is a red that is orange enough for those who see pure red as black. The explorers' page draws
    with these colors, too.
    """
    share = np.linspace(-1, 1, 511)[:, None]
    size = np.abs(share)
    if signed:
        right = (1 - size) * (255, 120, 45) + size * (238, 50, 22)
        left = (1 - size) * (60, 150, 255) + size * (0, 76, 235)
        color = np.where(share > 0, right, left)
    else:
        color = 255 * colormaps["viridis"](0.4 + 0.6 * size[:, 0])[:, :3]
    near = np.clip(size / FULL, 0, 1)
    return np.hstack([color, near**2 * (3 - 2 * near)]).astype(np.float32)


def _blend(view: np.ndarray, values: np.ndarray, limit: float, signed: bool, strength: float) -> np.ndarray:
    """Lay a map over a picture of its size."""
    colors = palette(signed)
    places = np.rint(255 * _share(values, limit) + 255).astype(np.int32)
    opacity = strength * colors[:, 3].take(places)
    color = np.rint(colors[:, :3]).astype(np.uint8).take(places, axis=0)  # four times as fast as [places]
    return cv2.blendLinear(color, cv2.convertScaleAbs(view, alpha=GROUND), opacity, 1 - opacity)
