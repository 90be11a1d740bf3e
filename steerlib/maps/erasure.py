"""Integrated gradients from the picture as it would be without each kind of thing in it (notebook 08)."""

from __future__ import annotations

import numpy as np

from steerlib.maps.eraser import erase_elements
from steerlib.maps.integrated_gradients import from_baselines
from steerlib.maps.method import Method, with_network
from steerlib.networks.network import Network


@with_network
def erasure_map(network: Network, picture: np.ndarray, steps: int = 8) -> np.ndarray:
    """Erase each kind of thing from the picture, and add up the gradient on the way back.

    Introduced in notebook 08. *Why there, and not as on the same road without this line?* For each element e that the
    eraser finds (`steerlib.erase_elements`), the integrated gradients from the picture without it, x₋ₑ, to the picture
    x (Sundararajan et al., arXiv 1703.01365, with the midpoint rule); all of them added up:
    Σ over e of (x − x₋ₑ) · mean over k of ∇f(x₋ₑ + (k + ½) / steps · (x − x₋ₑ)). What the rule misses is spread over
    the pixels by how much they change, so that *completeness* is exact: of each element the sum is f(x) − f(x₋ₑ), what
    the element does, as far as it is erased well.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
        What it sees, as `Drive.pictures` gives it: a road like those from which the eraser learned.
    steps : int
        How many gradients are averaged on each way, at least 1; all in one batch.

    Returns
    -------
    (h, w) float32
        Degrees for each pixel, the channels added up; positive where the pixel steers right. Zero where the eraser
        changes nothing.

    Raises
    ------
    ValueError
        If there is no step, or the picture is not one of those described.
    """
    without = erase_elements(picture)
    without = without[(without != picture).any(axis=(1, 2, 3))]
    maps = from_baselines(network, picture, without, steps)
    missed = network.angle(picture) - network.angles(without) - maps.sum(axis=(1, 2))
    shares = np.abs(picture - without).sum(axis=-1)
    shares /= shares.sum(axis=(1, 2), keepdims=True)
    return (maps + missed[:, np.newaxis, np.newaxis] * shares).sum(axis=0)


METHOD = Method(
    name="erasure",
    title="Erasure",
    make=erasure_map,
    unit="degrees for each pixel",
    signed=True,
    pixelwise=True,
    words="Red pixels steer right, blue ones left, compared with the same road without them.",
    needs="gradients",
    notebook=8,
    scored={"erasure": {"steps": 8}},
)
