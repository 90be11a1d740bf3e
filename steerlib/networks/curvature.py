"""From an angle of the steering wheel to a bend of the road, and from one car's angles to another's (notebook 07).

The networks that come with the project steer the standard car of the rendered world. What such a network reads in a
picture is the curvature of the road; another car turns its wheel by another angle in the same bend. Between the two
lies one factor, the quotient of their steering ratios times their wheel bases.
"""

from typing import NamedTuple

import numpy as np

from steerlib.world.canvas import STEERING_RATIO, WHEEL_BASE

STRAIGHT = 1000.0  # m: a wider bend takes less than 2.4° of the standard car's wheel, which is a network's usual error
SHARE = 0.1  # of a drive, its first part, on which the factor is fitted
FEWEST = 30  # frames in that part
LEAST = 5.0  # degrees between its leftmost and its rightmost angle, or it is straight
CLEAR = 2.0  # standard deviations by which the factor must differ from 1 to be another
FOLLOWS = 0.5  # correlation of answers and angles, around zero: below it, errors of the answers make the factor small


class Factor(NamedTuple):
    """Recorded angles are about `value` times those that a network answers."""

    value: float
    deviation: float  # its standard deviation
    correlation: float  # of both, around zero
    frames: int  # on which it was fitted

    @property
    def differs(self) -> bool:
        """Whether it is clearly another than 1."""
        return abs(self.value - 1) > CLEAR * self.deviation

    def __str__(self) -> str:
        fitted = f"fitted on the first {self.frames:,} frames with an angle"
        return f"{self.value:.2f} ± {self.deviation:.2f}, {fitted}, with a correlation of {self.correlation:.2f}"


def curvature(angles: np.ndarray | float) -> np.ndarray:
    """Give the curvature of the bend that the standard car takes at an angle of its steering wheel.

    κ = tan(angle / 15) / 2.7 m, the front wheels turning by a fifteenth of the wheel (`steerlib.world.canvas`).

    Parameters
    ----------
    angles : (...) degrees of the steering wheel, positive = right

    Returns
    -------
    (...) float64
        1/m, positive where the road bends to the right; NaN where the angle is.

    Raises
    ------
    ValueError
        Where the front wheels would stand across: 1,350° and more.
    """
    angles = np.asarray(angles, np.float64)
    if (np.abs(angles) >= 90 * STEERING_RATIO).any():
        raise ValueError(
            f"angle {np.nanmax(np.abs(angles)):.0f}°: expected degrees within ±{90 * STEERING_RATIO:.0f}, at which the "
            "standard car's front wheels would stand across"
        )
    return np.tan(np.radians(angles / STEERING_RATIO)) / WHEEL_BASE


def bend_in_words(angle: float) -> str:
    """Say which bend the standard car takes at an angle (degrees, positive = right): its side and its radius.

    ASCII, two digits of the radius: `bend to the right, radius 120 m`; `nearly straight` from `STRAIGHT` on.
    """
    if abs(angle) >= 90 * STEERING_RATIO:
        return "no bend: the wheel is turned too far"
    bend = float(curvature(angle))
    if np.isnan(bend):
        return "unknown"
    if abs(bend) * STRAIGHT <= 1:
        return "nearly straight"
    return f"bend to the {'right' if bend > 0 else 'left'}, radius {float(f'{1 / abs(bend):.2g}'):.0f} m"


def fit_factor(recorded: np.ndarray, answered: np.ndarray, share: float = SHARE) -> Factor:
    """Fit the one factor between recorded angles and a network's answers, on the first part of a drive.

    Least squares without a constant: recorded ≈ factor × answered. Frames that follow each other err alike, so the
    factor's standard deviation counts the residuals by their correlation from one frame to the next. Where answers err
    a lot, least squares makes the factor too small, by the square of their correlation with the angles.

    Parameters
    ----------
    recorded : (n,) degrees, positive = right
        In the drive's order; NaN where none was recorded: such frames are left out.
    answered : (n,) degrees, positive = right
        NaN where a frame cannot be read. Only those of the first part are looked at.
    share : float
        Of the n frames, which part at the beginning.

    Returns
    -------
    Factor

    Raises
    ------
    ValueError
        Where that part has fewer than `FEWEST` angles or is straight, or where the answers do not follow it.
    """
    recorded, answered = np.asarray(recorded, np.float64), np.asarray(answered, np.float64)
    if recorded.ndim != 1 or recorded.shape != answered.shape or not 0 < share <= 1:
        raise ValueError(
            f"{recorded.shape} recorded, {answered.shape} answers, share={share}: expected n, n, and 0 to 1"
        )
    first = slice(0, int(np.ceil(share * len(recorded))))
    known = np.isfinite(recorded[first]) & np.isfinite(answered[first])
    recorded, answered = recorded[first][known], answered[first][known]
    part = f"the first {share:.0%} of the drive"
    if len(recorded) < FEWEST:
        raise ValueError(f"no factor can be fitted: {part} has {len(recorded)} angles, {FEWEST} are needed")
    if np.ptp(recorded) < LEAST:
        raise ValueError(f"no factor can be fitted: {part} is straight, its angles differ by {np.ptp(recorded):.1f}°")
    power = float((answered**2).sum())
    value = float((recorded * answered).sum()) / power if power > 0 else 0.0
    left = recorded - value * answered
    alike = float(np.clip((left[1:] * left[:-1]).sum() / max((left**2).sum(), 1e-12), 0, 0.99))
    variance = (left**2).sum() / (len(left) - 1) * (1 + alike) / (1 - alike)
    deviation = float(np.sqrt(variance / power)) if power > 0 else np.inf
    correlation = float((recorded * answered).sum() / np.sqrt(power * (recorded**2).sum())) if power > 0 else 0.0
    if correlation < FOLLOWS:
        raise ValueError(
            f"no factor can be fitted: in {part} the answers do not follow the recorded angles, their correlation is "
            f"{correlation:+.2f}"
        )
    return Factor(value, deviation, correlation, len(recorded))
