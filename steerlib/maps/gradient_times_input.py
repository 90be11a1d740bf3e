"""Each pixel times the angle's gradient with respect to it (notebook 08)."""

from __future__ import annotations

import numpy as np

from steerlib.maps.gradients import image_gradients
from steerlib.maps.method import Method, with_network
from steerlib.networks.network import Network


@with_network
def gradient_times_input(network: Network, picture: np.ndarray) -> np.ndarray:
    """Multiply each pixel by the angle's gradient with respect to it.

    Introduced in notebook 08. Shrikumar et al. (arXiv 1605.01713). Exact for a linear network, where it says what is
    lost if the pixel turns black; elsewhere it says what the network, linearized at this picture, makes of the pixel.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
        What it sees, as `Drive.pictures` gives it.

    Returns
    -------
    (h, w) float32
        Degrees for each pixel, the channels added up; positive where the pixel steers right. Zero where it is black.

    Raises
    ------
    ValueError
        If the picture is not what the network takes.
    """
    return (image_gradients(network, picture) * picture).sum(axis=-1)


METHOD = Method(
    name="gradient-times-input",
    title="Gradient x input",
    make=gradient_times_input,
    unit="degrees for each pixel",
    signed=True,
    pixelwise=True,
    words="Red pixels steer right, blue ones left.",
    needs="gradients",
    notebook=8,
    scored={"gradient × input": {}},
)
