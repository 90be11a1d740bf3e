"""A map over a frame: color, blend, scale, color bar, angles, labels. Introduced in notebook 03.

Notebooks (through ``plt.imshow``), explorers and films draw with these functions, so that a color means
the same everywhere: it is laid over a gray photograph with an opacity that grows with the value. Where a map
is zero only the photograph is seen, whose own colors cannot be mistaken for the map's. A *picture* is
(H, W, 3) uint8 RGB; a *map* is (h, w), positive where a pixel steers right if it is signed. What is neither
raises ValueError.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache

import cv2
import numpy as np
from matplotlib import colormaps, colors
from numpy.typing import ArrayLike

from steerlib.data import LARGEST_PICTURE

INK, PAPER = (30, 30, 30), (255, 255, 255)
SHADOW = 128  # the bit of a label that says: in a cast shadow
STRENGTH = 0.8  # opacity of the strongest color: the road stays visible below it
LABEL_COLORS = {
    "sky": "lightskyblue", "hill": "darkkhaki", "vegetation": "darkgreen", "grass": "yellowgreen", "sign": "orchid",
    "shoulder": "burlywood", "asphalt": "dimgray", "edge": "darkorange", "marking": "yellow", "vehicle": "crimson",
    "pole": "indigo", "guard_rail": "darkturquoise", "building": "sienna", "hood": "midnightblue",
}  # fmt: skip


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
    return _blend(np.full(values.shape, 110, np.uint8), values, limit, signed, STRENGTH)


def overlay(
    view: np.ndarray, map: ArrayLike, limit: float | None = None, signed: bool | None = None, strength: float = STRENGTH
) -> np.ndarray:
    """Lay a map (see `colorize`) over a picture of what its network saw, at the size of the picture.

    The map is resized smoothly to cover the whole view: ``drive.view(i)``, or an enlarged one. `strength` in
    [0, 1] is the opacity where the map reaches its limit; below, opacity is proportional to the magnitude.
    """
    values, limit, signed = _checked_map(map, limit, signed)
    gray = cv2.cvtColor(_checked_picture(view), cv2.COLOR_RGB2GRAY)
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in [0, 1], got {strength}")
    return _blend(gray, _resized(values, gray.shape), limit, signed, strength)


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
    view, mask = _checked_picture(view), attended(map, percentile, smooth)
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
    result = _checked_picture(picture).copy()
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
        write(strip, f"{share * limit:{'+' if plus else ''}.3g}", (x, 35), width // 6)
    write(strip, unit if limit else "zero everywhere", (width // 2, 51), width - 8)
    return strip


def with_colorbar(
    picture: np.ndarray, limit: float, signed: bool, unit: str = "", ends: Sequence[str] = ("left", "right")
) -> np.ndarray:
    """Put a `colorbar` below a picture; both together are a picture (H + 60, W, 3)."""
    return np.vstack([_checked_picture(picture), colorbar(picture.shape[1], limit, signed, unit, ends)])


def side_by_side(pictures: Sequence[np.ndarray], captions: Sequence[str]) -> np.ndarray:
    """Join pictures of one height from left to right, each below its caption (ASCII), as one picture."""
    columns = []
    for picture, caption in zip(pictures, captions, strict=True):
        column = cv2.copyMakeBorder(_checked_picture(picture), 24, 0, 4, 4, cv2.BORDER_CONSTANT, value=PAPER)
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


def draw_angles(
    picture: np.ndarray,
    predicted: float | None = None,
    recorded: float | None = None,
    limit: float = 45.0,
    names: Sequence[str] = ("predicted", "recorded"),
) -> np.ndarray:
    """Draw steering angles as pointers on a ruler at the middle of a picture's lower edge; return a copy.

    Degrees of the steering wheel, positive = right. Predicted is the filled pointer above the ruler, recorded
    the hollow one below; None leaves one out. A pointer beyond `limit`, where the ruler ends, stops there, but
    its number does not. A picture smaller than 60 by 240 pixels raises ValueError.
    """
    result = _checked_picture(picture).copy()
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
        if angle is not None:
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
    ruler = angles_strip(max(0, _checked_picture(picture).shape[1] - bar.shape[1]), *angles)
    return np.vstack([picture, np.hstack([bar, ruler])])


def fit(picture: np.ndarray, height: int, width: int = 900) -> np.ndarray:
    """Fit a picture into (height, width, 3), its proportions kept; what it does not fill stays white."""
    if picture.shape[:2] == (height, width):
        return picture
    fitted = enlarge(picture, min(width, round(picture.shape[1] * height / len(picture))))[:height]
    below, left = height - len(fitted), (width - fitted.shape[1]) // 2
    right = width - fitted.shape[1] - left
    return cv2.copyMakeBorder(fitted, 0, below, left, right, cv2.BORDER_CONSTANT, value=PAPER)


def mark_window(view: np.ndarray, hidden: np.ndarray, center: tuple[int, int], size: int) -> np.ndarray:
    """Put one window of a network's image into the view of it, in a frame that is seen on any ground.

    Parameters
    ----------
    view : (H, W, 3) uint8
    hidden : (h, w, 3) float32 in [0, 1]
        What `steerlib.occlusion.occlude` gives.
    center, size
        The window in pixels of `hidden`, as for `steerlib.occlusion.occlude`.

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


def enlarge(picture: np.ndarray, width: int = 900, smooth: bool = True) -> np.ndarray:
    """Resize a picture to a width in pixels, its proportions kept; not smooth, its pixels stay squares."""
    height = max(1, round(_checked_picture(picture).shape[0] * width / picture.shape[1]))
    if not 1 <= width or width * height > LARGEST_PICTURE:
        raise ValueError(
            f"width={width}: expected at least 1, and at most {LARGEST_PICTURE:,} pixels in all; got {height} rows"
        )
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST)


def colorize_labels(labels: np.ndarray, names: Mapping[str, int]) -> np.ndarray:
    """Give each pixel the color of what it is, darker where it lies in a cast shadow (notebook 01).

    `labels` is a drive's label picture (H, W) uint8; `names` is ``roads.LABELS``, name to value, to which 128
    is added in a shadow. `label_legend` tells the colors. ValueError names the values that have no name.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels must be (H, W) uint8, got {labels.shape} {labels.dtype}")
    table, known = np.zeros((256, 3), np.uint8), np.zeros(256, bool)
    for name, color in _label_colors(names).items():
        for value, brightness in ((names[name], 1), (names[name] | SHADOW, 0.55)):
            table[value], known[value] = np.multiply(color, brightness), True
    if not known[labels].all():
        raise ValueError(f"labels {np.unique(labels[~known[labels]]).tolist()} are not among {dict(names)}")
    return table[labels]


def label_legend(names: Mapping[str, int], width: int = 900) -> np.ndarray:
    """Draw the colors of `colorize_labels` beside their names: a picture (24 * rows, width, 3)."""
    entries, columns = list(_label_colors(names).items()), max(1, width // 125)
    legend = np.full((24 * -(-len(entries) // columns), width, 3), PAPER, np.uint8)
    for place, (name, color) in enumerate(entries):
        x, y = width // columns * (place % columns), 24 * (place // columns)
        cv2.rectangle(legend, (x + 4, y + 4), (x + 22, y + 20), color, cv2.FILLED)
        cv2.rectangle(legend, (x + 4, y + 4), (x + 22, y + 20), INK, 1)
        write(legend, name.replace("_", " "), (x + 30, y + 12), width // columns - 34, centered=False)
    return legend


def write(picture: np.ndarray, text: str, at: tuple[int, int], width: int, centered: bool = True) -> int:
    """Write ASCII text into a picture, around or from `at` (x, y), at most `width` long; return its left x."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    size *= min(1, width / max(1, cv2.getTextSize(text, font, size, 1)[0][0]))
    (length, height), _ = cv2.getTextSize(text, font, size, 1)
    x = at[0] - length // 2 if centered else at[0]
    cv2.putText(picture, text, (x, at[1] + height // 2), font, size, INK, 1, cv2.LINE_AA)
    return x


def _checked_picture(picture: np.ndarray) -> np.ndarray:
    """Return an RGB picture, or raise ValueError."""
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"a picture must be (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
    return picture


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
def _palette(signed: bool) -> np.ndarray:
    """Colors (0-255) of the shares -1 to 1: without pale or dark middles, as opacity fades to zero already."""
    share = np.linspace(-1, 1, 511)
    if signed:
        rgba = colormaps["RdBu_r"](0.5 + np.sign(share) * (0.25 + 0.17 * np.abs(share)))
    else:
        rgba = colormaps["viridis"](0.25 + 0.75 * np.abs(share))
    return 255 * rgba[:, :3].astype(np.float32)


@lru_cache(maxsize=8)
def _blends(signed: bool, strength: float) -> np.ndarray:
    """Blend every color of `_palette` with every gray, (511 * 256,) uint32 of red, green, blue and an unused byte.

    A signed map lies over a bright gray, since its ends are dark, another one over a dim gray below viridis's yellow.
    """
    gray, share = np.arange(256, dtype=np.float32), np.abs(np.linspace(-1, 1, 511, dtype=np.float32))
    ground = (gray * np.float32(0.5) + 90 if signed else gray * np.float32(0.45) + 40)[:, None]
    blended = ground + strength * share[:, None, None] * (_palette(signed)[:, None] - ground)
    return np.pad(np.rint(blended).astype(np.uint8), [(0, 0), (0, 0), (0, 1)]).view(np.uint32).ravel()


def _blend(gray: np.ndarray, values: np.ndarray, limit: float, signed: bool, strength: float) -> np.ndarray:
    """Lay a map over a gray picture: looked up, several times faster than blending each pixel anew."""
    places = np.rint(255 * _share(values, limit) + 255).astype(np.int32) * 256 + gray
    colors = _blends(signed, float(strength))[places]
    return np.ascontiguousarray(colors.view(np.uint8).reshape(*gray.shape, 4)[..., :3])


def _pointer(picture: np.ndarray, x: int, y: int, up: int) -> None:
    """Draw a triangle with its tip at a point: filled above it (up = -1) or hollow below it (up = 1)."""
    corners = np.array([[(x, y), (x - 6, y + 11 * up), (x + 6, y + 11 * up)]], np.int32)
    cv2.fillPoly(picture, corners, INK if up < 0 else PAPER, cv2.LINE_AA)
    cv2.polylines(picture, corners, True, INK, 1, cv2.LINE_AA)


def _label_colors(names: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """One color (0-255) for each name, from Matplotlib's tab20 if it is not one of the rendered world."""
    chosen = {name: LABEL_COLORS.get(name, colormaps["tab20"](i % 20)) for i, name in enumerate(names)}
    return {name: tuple(round(255 * part) for part in colors.to_rgb(color)) for name, color in chosen.items()}
