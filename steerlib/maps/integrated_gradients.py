"""The gradient, added up on the way from a baseline to the picture (notebook 08)."""

from __future__ import annotations

import numpy as np

from steerlib.maps.fill import fill_image
from steerlib.maps.gradients import gradients
from steerlib.maps.method import Method, with_network
from steerlib.networks.network import Network


@with_network
def integrated_gradients(
    network: Network, picture: np.ndarray, steps: int = 32, baseline: float | str | np.ndarray = "blur"
) -> np.ndarray:
    """Add up the gradient on the way from a baseline to the picture (integrated gradients).

    Introduced in notebook 08. Sundararajan et al. (arXiv 1703.01365), with the midpoint rule:
    (x − x') · mean over k of ∇f(x' + (k + ½) / steps · (x − x')). A gradient at the picture misses what changes late;
    this passes all of the way. *Completeness*: the sum of the map is f(x) − f(x'), up to the rule's error. With 32
    steps from the blurred picture that is within half a degree; the way from black is wilder and takes hundreds of
    steps.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
        What it sees, as `Drive.pictures` gives it.
    steps : int
        How many gradients are averaged, at least 1; all in one batch.
    baseline : float in [0, 1], str, or (h, w, 3) float32 in [0, 1]
        x', the picture that is meant by "nothing there": see `steerlib.fill_image`.

    Returns
    -------
    (h, w) float32
        Degrees for each pixel, the channels added up; positive where the pixel, compared with the baseline, steers
        right.

    Raises
    ------
    ValueError
        If there is no step, or the picture or the baseline is not one of those described.
    """
    return from_baselines(network, picture, fill_image(picture, baseline)[np.newaxis], steps)[0]


def from_baselines(network: Network, picture: np.ndarray, baselines: np.ndarray, steps: int) -> np.ndarray:
    """Do the work of `integrated_gradients` for several baselines (k, h, w, 3) at once: (k, h, w) degrees."""
    if steps < 1:
        raise ValueError(f"steps={steps}: expected at least 1")
    shares = (np.arange(steps, dtype=np.float32) + 0.5) / steps
    changes = picture - baselines
    on_the_way = baselines[:, np.newaxis] + shares[:, np.newaxis, np.newaxis, np.newaxis] * changes[:, np.newaxis]
    found = gradients(network, on_the_way.reshape(-1, *picture.shape)).reshape(on_the_way.shape)
    return (found.mean(axis=1) * changes).sum(axis=-1)


METHOD = Method(
    name="integrated-gradients",
    title="Integrated gradients",
    make=integrated_gradients,
    unit="degrees for each pixel",
    signed=True,
    pixelwise=True,
    words="Red pixels steer right, blue ones left.",
    needs="gradients",
    notebook=8,
    scored={
        "integrated gradients, blurred": {"steps": 16, "baseline": "blur"},
        "integrated gradients, median": {"steps": 16, "baseline": "median"},
    },
)
