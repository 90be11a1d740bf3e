"""Numbers of many frames, and what the scores share (notebook 08)."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike

from steerlib.networks.plausibility import correlation_or_nan


class Score(NamedTuple):
    """A mean over frames."""

    mean: float
    low: float  # of the 95 % interval
    high: float
    frames: int  # on which the score was defined


def summarize(values: ArrayLike, seed: int = 0, resamples: int = 2000) -> Score:
    """Average the scores of many frames, with a bootstrap interval.

    Introduced in notebook 08. Efron's percentile bootstrap: draw as many frames as there are, with replacement, take
    their mean, and do it again and again; 95 % of these means lie in the interval. It tells how much the mean hangs on
    which frames were drawn. Neighboring frames of a film are no independent draws, so there it is too narrow.

    Parameters
    ----------
    values : (n,) float
        A score for each frame; NaN where it is not defined.
    seed, resamples : int
        Of the draws.

    Returns
    -------
    Score
        In the unit of the values. All NaN where no value is defined; of a single value the interval has no width.
    """
    values = np.asarray(values, np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size < 2:
        return Score(*[values[0] if values.size else np.nan] * 3, values.size)
    drawn = np.random.default_rng(seed).integers(values.size, size=(resamples, values.size))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return Score(float(values.mean()), float(low), float(high), values.size)


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Give Spearman's rank correlation of two arrays of one shape; 0 where one is constant (notebook 04).

    Equal values share the mean of their ranks, so that the result does not depend on how ties are sorted.
    """
    from scipy import stats  # 50 MB, which a kernel that only shows explorers can spare

    return correlation(*(stats.rankdata(values) for values in (one, other)))


def correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Give Pearson's correlation of two arrays of one shape; 0 where one is constant (notebook 05)."""
    found = correlation_or_nan(*(np.asarray(values, np.float64).ravel() for values in (one, other)))
    return found if np.isfinite(found) else 0.0


def magnitude_of(map: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Give the magnitude of a map, or raise ValueError if it is none, or not of the same shape as something else."""
    map = np.asarray(map)
    if map.ndim != 2 or map.shape != np.shape(like):
        raise ValueError(f"expected a map {np.shape(like)[:2]}, got {map.shape}")
    if not np.isfinite(map).all():
        raise ValueError(f"the map has {np.sum(~np.isfinite(map))} values that are NaN or infinite")
    return np.abs(map)


def grown(values: np.ndarray, radius: int) -> np.ndarray:
    """Give the maximum over a disk around each pixel."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(values, disk) if radius else values
