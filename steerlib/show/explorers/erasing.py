"""What something in a picture was worth, asked by hiding it, beside what a map had said; introduced in notebook 03."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from steerlib.maps.fill import REGION_FILLS, hide_regions
from steerlib.maps.method import Explanation
from steerlib.maps.occlusion import occlude_regions
from steerlib.networks.network import Network

PROMISES = "degrees for each pixel"  # the unit of maps whose sum over a region is a change of the angle
LEAST = 0.005  # degrees; what is less is no number with two digits
NAMES = dict(
    zip(
        REGION_FILLS,
        ("black", "the mean color", "the blurred picture", "the median", "the erased road", "what surrounds it"),
    )
)


def worth(
    network: Network,
    picture: np.ndarray,
    region: np.ndarray,
    fill: str = "blur",
    found: Sequence[tuple[str, Explanation]] = (),
) -> tuple[float, str]:
    """Hide a region and say in degrees what was there, beside what maps say of it.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
    region : (h, w) bool
        What is hidden.
    fill : str
        What shows through, see `steerlib.maps.fill.hide_regions`.
    found : sequence of (name, Explanation)
        Maps of this picture.

    Returns
    -------
    effect : float
        Degrees: the angle minus that with the region hidden.
    words : str
        The same in sentences. Only a map in degrees for each pixel promises a sum.

    Raises
    ------
    ValueError
        If the region is empty or does not fit, or the fill is none of those that have a name.
    """
    if fill not in REGION_FILLS:
        raise ValueError(f"fill={fill!r}: expected one of {', '.join(REGION_FILLS)}")
    if not np.any(region):
        raise ValueError("nothing is painted: there is nothing to hide")
    effect = float(occlude_regions(network, picture, np.asarray(region)[np.newaxis], fill)[0])
    angle = network.angle(picture)
    change = f"the angle goes from {angle:+.2f}° to {angle - effect:+.2f}°"
    said = [f"Hidden by {NAMES[fill]}, {change}: what was there {steers(effect)}."]
    said += [_said(name, one, one.map[region]) for name, one in found]
    if any(one.unit == PROMISES for _, one in found):
        said.append("A map's sum is for its own baseline, which may be another than this fill.")
    return effect, " ".join(said)


def without(view: np.ndarray, picture: np.ndarray, region: np.ndarray, fill: str) -> np.ndarray:
    """Draw what the network sees with a region hidden: the view (H, W, 3) uint8, and the fill in the region alone."""
    filler = np.rint(255 * hide_regions(picture, region[np.newaxis], fill)[0]).astype(np.uint8)
    filler = cv2.resize(filler, view.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    hidden = cv2.resize(region.astype(np.uint8), view.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.where(hidden[..., np.newaxis] > 0, filler, view)


def steers(effect: float) -> str:
    """Say to which side something steers that was worth so many degrees, positive to the right."""
    if abs(effect) < LEAST:
        return "made no difference"
    return f"steers {abs(effect):.2f}° to the {'right' if effect > 0 else 'left'}"


def _said(name: str, found: Explanation, values: np.ndarray) -> str:
    """Say what a map says of the pixels that have these values."""
    of = f"The map {name}" if name else "The map"
    if found.unit == PROMISES:
        return f"{of} had promised, summed over these pixels, {float(values.sum(dtype=float)):+.2f}° (+ is right)."
    sign = "+" if found.signed else ""
    numbers = f"{of} says there {values.mean(dtype=float):{sign}.3g} on average, {values.min():{sign}.3g} to "
    return f"{numbers}{values.max():{sign}.3g} ({found.unit}); that promises no sum."
