"""Scores of a map against what matters and what really steers (notebook 08).

The pixels by which a driver steers, elements that were left out, a mirrored frame, another method as a witness.
"""

from collections.abc import Sequence

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


def counterfactual(map: np.ndarray, regions: np.ndarray, effects: ArrayLike) -> float:
    """Compare what a map gives to the elements of a scene with what they really do.

    Introduced in notebook 08. Spearman's rank correlation, over the elements of one frame, between the size of the
    element's effect and the map's mass in its pixels. It is the one score with a causal ground truth: the element was
    really left out. Takes the magnitude. An element that covers more pixels mostly does more, so chance is not 0 but
    what a constant map scores.

    Parameters
    ----------
    map : (h, w) float
    regions : (k, h, w) bool
        Where each element is, see `changed`. Elements that are nowhere are left out.
    effects : (k,) float
        Degrees: the angle with the element minus the angle without it.

    Returns
    -------
    float in [-1, 1]
        NaN with fewer than three elements, or where all effects are of one size. 0 for a map of zeros.

    Raises
    ------
    ValueError
        If there is not one effect for each region.
    """
    regions, effects = _visible(regions, effects)
    sizes = np.abs(effects)
    if len(sizes) < 3 or np.ptp(sizes) == 0:
        return np.nan
    return rank_correlation(_sums(np.abs(map), regions), sizes)


def counterfactual_side(map: np.ndarray, regions: np.ndarray, effects: ArrayLike, least: float = 1.0) -> float:
    """Give the share of the elements to which a signed map gives the side to which they really steer.

    Introduced in notebook 08. Takes the signed map: its sum over the element's pixels. Chance is a half.

    Parameters
    ----------
    map, regions, effects
        As for `counterfactual`; positive is right.
    least : float
        Elements with an effect of fewer degrees are left out.

    Returns
    -------
    float in [0, 1]
        NaN where no element is left. A sum of exactly zero counts as half right.

    Raises
    ------
    ValueError
        If there is not one effect for each region.
    """
    regions, effects = _visible(regions, effects)
    strong = np.abs(effects) >= least
    if not strong.any():
        return np.nan
    agree = np.sign(_sums(map, regions[strong])) * np.sign(effects[strong])
    return float((1 + agree.mean()) / 2)


def _visible(regions: np.ndarray, effects: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the elements that are in no pixel."""
    regions, effects = np.asarray(regions, bool), np.asarray(effects, np.float64)
    if regions.ndim != 3 or len(regions) != len(effects):
        raise ValueError(f"{regions.shape} regions and {effects.shape} effects: expected (k, h, w) and (k,)")
    seen = regions.any(axis=(1, 2))
    return regions[seen], effects[seen]


def _sums(map: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Add a map up over each region."""
    return np.array([map[region].sum(dtype=np.float64) for region in regions])


def mirror(map: np.ndarray, signed: bool) -> np.ndarray:
    """Give the map that the mirrored frame should have: left and right exchanged, in place and in sign.

    Introduced in notebook 08. A network that steers the mirrored road by the mirrored angle, f(mirrored x) = −f(x), has
    a map whose "right" becomes "left". An unsigned map is mirrored in place only.

    Parameters
    ----------
    map : (h, w) float
    signed : bool

    Returns
    -------
    (h, w) float
    """
    return -map[:, ::-1] if signed else map[:, ::-1]


def agreement(map: np.ndarray, witness: np.ndarray) -> float:
    """Give the rank correlation of the magnitudes of two maps. Introduced in notebook 08; chance is 0."""
    return rank_correlation(np.abs(map), np.abs(witness))


def sign_agreement(map: np.ndarray, witness: np.ndarray, share: float = 0.1) -> float:
    """Give the share of the witness's strongest pixels on which two signed maps name the same side.

    Introduced in notebook 08. Chance is a half, if the map does not know the frame. Where the map is zero it is half
    right.

    Parameters
    ----------
    map, witness : (h, w) float
        Signed, positive for right.
    share : float in (0, 1]
        Of the area, where the magnitude of the witness is largest.

    Returns
    -------
    float in [0, 1]
        NaN where the witness is zero everywhere.
    """
    magnitude = magnitude_of(witness, map)
    strong = (magnitude > 0) & (magnitude >= np.quantile(magnitude, 1 - share))
    if not strong.any():
        return np.nan
    return float((1 + (np.sign(map[strong]) * np.sign(witness[strong])).mean()) / 2)
