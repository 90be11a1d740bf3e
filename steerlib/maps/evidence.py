"""A signed map in two numbers (notebook 07)."""

import numpy as np


def evidence(map: np.ndarray) -> tuple[float, float]:
    """Sum up a signed map: what speaks for left and what for right.

    Introduced in notebook 07.

    Parameters
    ----------
    map : (h, w) float32
        Positive where a pixel steers right.

    Returns
    -------
    left, right : float
        Mean over all pixels of the negative and of the positive part, both not negative, in the map's unit.
    """
    return float(-np.minimum(map, 0).mean()), float(np.maximum(map, 0).mean())
