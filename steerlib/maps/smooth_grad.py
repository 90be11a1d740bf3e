"""The gradient, averaged over noisy copies of the picture (notebook 08)."""

from __future__ import annotations

import numpy as np

from steerlib.maps.gradients import gradients
from steerlib.maps.method import Method, with_network
from steerlib.networks.network import Network


@with_network
def smooth_grad(
    network: Network, picture: np.ndarray, samples: int = 16, noise: float = 0.1, seed: int = 0
) -> np.ndarray:
    """Average the gradient over noisy copies of the picture (SmoothGrad).

    Introduced in notebook 08. Smilkov et al. (arXiv 1706.03825). It is a gradient, not multiplied by the picture: what
    a slightly brighter pixel *would* do, not what this pixel does. The channels are added up with their signs, where
    the paper takes magnitudes, so that the side is kept.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
        What it sees, as `Drive.pictures` gives it.
    samples : int
        How many noisy copies, at least 1; all in one batch.
    noise : float
        Standard deviation of the noise as a share of the picture's range (maximum − minimum), at least 0.
    seed : int
        Of the noise.

    Returns
    -------
    (h, w) float32
        Degrees for each unit of brightness by which all channels of a pixel grow; positive where brighter is further
        right.

    Raises
    ------
    ValueError
        If there is no sample, the noise is negative, or the picture is not what the network takes.
    """
    if samples < 1 or not 0 <= noise < np.inf:
        raise ValueError(f"samples={samples}, noise={noise}: expected at least 1 sample and noise of at least 0")
    grain = np.random.default_rng(seed).standard_normal((samples, *picture.shape), np.float32)
    return gradients(network, picture + np.float32(noise * np.ptp(picture)) * grain).mean(axis=0).sum(axis=-1)


METHOD = Method(
    name="smooth-grad",
    title="SmoothGrad",
    make=smooth_grad,
    unit="degrees for each unit of brightness",
    signed=True,
    pixelwise=True,
    words="Red: brighter would steer further right. Blue: further left.",
    needs="gradients",
    notebook=8,
    scored={"SmoothGrad": {"samples": 16}},
)
