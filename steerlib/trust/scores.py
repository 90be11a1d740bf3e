"""Scores of a map against what matters and what really steers (notebook 08).

The pixels by which a driver steers, and elements that were left out.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from steerlib.networks.pilotnet import SIZE
from steerlib.trust.numbers import grown, magnitude_of, rank_correlation
from steerlib.world import LABELS, SHADOW

LINES = ("marking", "edge")  # labels of the pixels by which a driver steers: lane markings and edges of the asphalt


def matter(
    labels: np.ndarray, tolerance: int = 2, names: Sequence[str] = LINES, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """Tell which pixels a driver steers by: lane markings and the edges of the asphalt.

    Introduced in notebook 08.

    Parameters
    ----------
    labels : (H, W) uint8
        What each pixel is, of the part that the network sees: ``crop_road(drive.labels(i), drive.part_for(network))``.
    tolerance : int
        By how many of the network's pixels what matters is widened to all sides, since no map is sharper.
    names : sequence of str
        Which of `steerlib.world.LABELS` matter.
    size : (height, width)
        Of the network's picture.

    Returns
    -------
    (h, w) bool
        A pixel matters if more than a tenth of it has one of the labels, or if one within the tolerance does.

    Raises
    ------
    ValueError
        If the labels are no picture, a name is unknown, or the tolerance is negative.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels must be (H, W) uint8, got {labels.shape} {labels.dtype}")
    if unknown := set(names) - set(LABELS):
        raise ValueError(f"unknown labels {sorted(unknown)}: expected some of {', '.join(LABELS)}")
    if tolerance < 0:
        raise ValueError(f"tolerance={tolerance}: expected at least 0 pixels")
    chosen = np.isin(labels & ~np.uint8(SHADOW), [LABELS[name] for name in names])
    share = cv2.resize(chosen.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return grown((share > 0.1).astype(np.uint8), tolerance) > 0


def mass_accuracy(map: np.ndarray, pixels: np.ndarray) -> float:
    """Give the share of the map's mass that lies on the pixels that matter (relevance mass accuracy).

    Introduced in notebook 08. Arras et al. (arXiv 2003.07258). Takes the magnitude. Chance is the pixels' share of the
    area.

    Parameters
    ----------
    map : (h, w) float
    pixels : (h, w) bool

    Returns
    -------
    float in [0, 1]
        NaN for a map of zeros: it puts its mass nowhere.

    Raises
    ------
    ValueError
        If the shapes differ or the map is not finite.
    """
    magnitude = magnitude_of(map, pixels)
    mass = magnitude.sum()
    return float(magnitude[pixels].sum() / mass) if mass else np.nan


def rank_accuracy(map: np.ndarray, pixels: np.ndarray) -> float:
    """Give the share of the N strongest pixels that matter, N being how many matter (relevance rank accuracy).

    Introduced in notebook 08. Arras et al. (arXiv 2003.07258). Takes the magnitude. Chance is the pixels' share of the
    area. Of pixels with equal values only some may belong to the N strongest: then what counts is the mean over all
    choices, so a constant map scores exactly chance.

    Parameters
    ----------
    map : (h, w) float
    pixels : (h, w) bool

    Returns
    -------
    float in [0, 1]
        NaN where no pixel matters.

    Raises
    ------
    ValueError
        If the shapes differ or the map is not finite.
    """
    magnitude, count = magnitude_of(map, pixels), int(np.sum(pixels))
    if not count:
        return np.nan
    threshold = np.partition(magnitude, -count, axis=None)[-count]
    above, equal = magnitude > threshold, magnitude == threshold
    hits = above[pixels].sum() + (count - above.sum()) * equal[pixels].sum() / equal.sum()
    return float(hits / count)


def pointing_game(map: np.ndarray, pixels: np.ndarray) -> float:
    """Tell whether the strongest pixel is one that matters (pointing game).

    Introduced in notebook 08. Zhang et al. (arXiv 1608.00507). Takes the magnitude. Chance is the pixels' share of the
    area.

    Parameters
    ----------
    map : (h, w) float
    pixels : (h, w) bool

    Returns
    -------
    float in [0, 1]
        1 or 0; where several pixels are the strongest, the share of them that matters.

    Raises
    ------
    ValueError
        If the shapes differ or the map is not finite.
    """
    magnitude = magnitude_of(map, pixels)
    return float(pixels[magnitude == magnitude.max()].mean())


def changed(image: np.ndarray, without: np.ndarray, least: float = 0.02) -> np.ndarray:
    """Tell in which pixels an element was visible: those that changed when it was left out.

    Introduced in notebook 08.

    Parameters
    ----------
    image, without : (h, w, 3) float32 in [0, 1]
        The same view with the element and without it, see `steerlib.world.render_counterfactuals`.
    least : float
        By how much brightness one of the channels must change.

    Returns
    -------
    (h, w) bool
    """
    return np.abs(image - without).max(axis=-1) > least


def promises(maps: Mapping[str, np.ndarray], regions: np.ndarray) -> dict[str, np.ndarray]:
    """Say what maps give to the elements of a scene: the sum of each map over the pixels of each element.

    Introduced in notebook 08. The signs are kept: in a map of degrees for each pixel those of one line may point to
    both sides, and what the map says of the line is their sum. Of a map without a side it is its mass there.

    Parameters
    ----------
    maps : mapping of str to (n, h, w) float
        NaN where a kind of map was not made.
    regions : (n, k, h, w) bool
        Where each element is on each frame, see `changed`.

    Returns
    -------
    dict of str to (n, k) float64
        In the unit of the map, times pixels: degrees for a map of degrees for each pixel. NaN where the element is not
        in the picture, or there is no map.

    Raises
    ------
    ValueError
        If the shapes do not belong together.
    """
    regions = np.asarray(regions, bool)
    found = {}
    for kind, made in maps.items():
        if regions.ndim != 4 or np.shape(made) != (len(regions), *regions.shape[2:]):
            raise ValueError(
                f"{kind}: maps {np.shape(made)} and regions {regions.shape}: expected (n, h, w), (n, k, h, w)"
            )
        sums = np.einsum("nkhw,nhw->nk", regions, np.asarray(made, np.float64))
        found[kind] = np.where(regions.any(axis=(2, 3)), sums, np.nan)
    return found


def counterfactual(promised: ArrayLike, effects: ArrayLike, least: float = 0.2) -> np.ndarray:
    """Compare the order of what a map gives to the elements of a scene with the order of what they really do.

    Introduced in notebook 08. Spearman's rank correlation, over the elements of one frame, between the size of the
    element's effect and the size of what the map gives to it. The ground truth is causal: the element was really left
    out. An element that covers more pixels mostly does more, so chance is not 0 but what a constant map scores.

    Parameters
    ----------
    promised : (n, k) float
        See `promises`; NaN where an element is not in the picture.
    effects : (n, k) float
        Degrees: the angle with the element minus the angle without it.
    least : float
        Effects of fewer degrees count as none: their order is noise.

    Returns
    -------
    (n,) float64 in [-1, 1]
        NaN with fewer than three elements, or where all effects are of one size. 0 where a map gives the same to all.

    Raises
    ------
    ValueError
        If there is not one effect for each promise.
    """
    promised, effects = _pairs(promised, effects)
    scores = np.full(len(effects), np.nan)
    for k, there in enumerate(np.isfinite(promised)):
        sizes = np.abs(effects[k, there])
        sizes[sizes < least] = 0
        if len(sizes) >= 3 and np.ptp(sizes):
            scores[k] = rank_correlation(np.abs(promised[k, there]), sizes)
    return scores


def counterfactual_side(promised: ArrayLike, effects: ArrayLike, least: float = 1.0) -> np.ndarray:
    """Give the share of the elements to which a signed map gives the side to which they really steer.

    Introduced in notebook 08. Chance is a half.

    Parameters
    ----------
    promised, effects
        As for `counterfactual`; positive is right.
    least : float
        Elements with an effect of fewer degrees are left out.

    Returns
    -------
    (n,) float64 in [0, 1]
        NaN where no element is left. A promise of exactly zero counts as half right.

    Raises
    ------
    ValueError
        If there is not one effect for each promise.
    """
    promised, effects = _pairs(promised, effects)
    counted = np.isfinite(promised) & (np.abs(effects) >= least)
    agree = np.where(counted, (1 + np.sign(promised) * np.sign(effects)) / 2, 0).sum(axis=1)
    return np.where(counted.any(axis=1), agree / np.maximum(counted.sum(axis=1), 1), np.nan)


def degrees_explained(promised: ArrayLike, effects: ArrayLike) -> np.ndarray:
    """Tell how much of what the elements really do a map in degrees foretells: whether it keeps its promise.

    Introduced in notebook 08. The share of the effects' squares that is explained, over all elements of all frames:
    1 − Σ (promise − effect)² / Σ effect². A map that promises nothing explains 0; one whose errors are larger than the
    effects explains less than nothing. Only a map of degrees for each pixel makes such promises.

    Parameters
    ----------
    promised, effects
        As for `counterfactual`, in degrees.

    Returns
    -------
    (n,) float64, at most 1
        For each frame 1 − Σ (promise − effect)² / s, where s is the mean over the frames of Σ effect²: the mean of
        these numbers is the share above, and `summarize` gives its interval. NaN where no element is in the picture,
        or none does anything on any frame.

    Raises
    ------
    ValueError
        If there is not one effect for each promise.
    """
    promised, effects = _pairs(promised, effects)
    there = np.isfinite(promised)
    squares = np.where(there, effects**2, 0).sum(axis=1)
    errors = np.where(there, promised - effects, 0)
    some = there.any(axis=1)
    scale = squares[some].mean() if some.any() else 0.0
    return np.where(some, 1 - (errors**2).sum(axis=1) / (scale or np.nan), np.nan)


def _pairs(promised: ArrayLike, effects: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Give both as (n, k) float64."""
    promised, effects = np.asarray(promised, np.float64), np.asarray(effects, np.float64)
    if promised.ndim != 2 or promised.shape != effects.shape:
        raise ValueError(f"{promised.shape} promises and {effects.shape} effects: expected (n, k) of both")
    return promised, effects
