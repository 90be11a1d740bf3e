"""The maps that are scored: each method's, and controls that a good map must beat (notebook 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

import cv2
import numpy as np
from tqdm.auto import tqdm

from steerlib.drives.pictures import to_unit
from steerlib.maps import METHODS
from steerlib.maps.integrated_gradients import integrated_gradients
from steerlib.networks.network import Network, as_network

if TYPE_CHECKING:
    import keras

Method = Callable[[Network, np.ndarray], np.ndarray]
CONTROLS = ("random map", "edge detector", "center blob", "blob × edges")
ORACLE = "oracle"


def methods(network: Network | keras.Model | None = None, **settings: Any) -> dict[str, Method]:  # noqa: ANN401
    """Give the methods that are scored under their names, as functions of network and picture.

    Introduced in notebook 08. Those of `steerlib.METHODS`, some of them several times with other settings. Windows have
    15 pixels and stand 4 apart, Grad-CAM and HiResCAM are signed and speak for right, integrated gradients and
    SmoothGrad average 16 gradients.

    Parameters
    ----------
    network : Network, optional
        Only the methods that suit it. None: those that suit PilotNet.
    **settings
        In place of these: ``sizes``, ``stride``, ``steps``, ``samples``, ``layer``, ..., for those that know them.

    Returns
    -------
    dict of str to function
        ``method(network, picture)`` gives a float32 map of the picture's height and width; signed, unless its name is
        in `UNSIGNED`.
    """
    network = None if network is None else as_network(network)
    return {
        name: partial(method, **own | {key: settings[key] for key in method.settings if key in settings})
        for method, name, own in _scored()
        if not (method.problem(network) if network else method.needs == "global average pooling")
    }


def _scored() -> list[tuple]:
    """List what is scored: each method with a name and settings, perhaps several times."""
    scored = [(method, {method.title: {}} if method.scored is None else method.scored) for method in METHODS.values()]
    return [(method, name, dict(own)) for method, names in scored for name, own in names.items()]


# Maps without a side.
UNSIGNED = (*(name for method, name, own in _scored() if not (method.signed or own.get("signed"))), *CONTROLS)


def controls() -> dict[str, Method]:
    """Give maps that do not ask the network, as functions like those of `methods`.

    Introduced in notebook 08. A method that does no better than these has not shown that it knows the network.

    Returns
    -------
    dict of str to function
        ``control(network, picture)`` gives a float32 map >= 0 and takes no notice of the network.
    """
    maps = random_map, edge_map, center_map, lambda picture: center_map(picture) * edge_map(picture)
    return {name: lambda _, picture, map=map: map(picture) for name, map in zip(CONTROLS, maps)}


def oracle(
    network: Network | keras.Model, images: np.ndarray, without: Mapping[str, np.ndarray], steps: int = 16
) -> np.ndarray:
    """Make the maps that a score must praise: from the truth, which no method knows.

    Introduced in notebook 08. For each element the integrated gradients from the picture rendered without it to the
    picture; added up. By completeness each of these maps sums to what its element does. A score that does not set the
    oracle apart from controls cannot tell a true map from a wrong one.

    Parameters
    ----------
    network : Network
    images : (n, h, w, 3) float32 in [0, 1]
    without : mapping of str to (n, h, w, 3) uint8
        The same views without one element, see `steerlib.world.render_counterfactuals`.
    steps : int
        How many gradients are averaged on each way.

    Returns
    -------
    (n, h, w) float32
        Degrees for each pixel, positive where the pixel steers right.
    """
    maps = np.zeros(np.shape(images)[:3], np.float32)
    for k, image in enumerate(images):
        for pixels in without.values():
            bare = to_unit(pixels[k])
            if (bare != image).any():
                maps[k] += integrated_gradients(network, image, steps, bare)
    return maps


def random_map(image: np.ndarray) -> np.ndarray:
    """Draw each pixel from [0, 1), independently. Introduced in notebook 08.

    The seed is a checksum of the image: another map for each frame, the same one for the same frame.
    """
    seed = crc32(np.ascontiguousarray(image).tobytes())
    return np.random.default_rng(seed).random(image.shape[:2], np.float32)


def edge_map(image: np.ndarray) -> np.ndarray:
    """Give the strength of the edges: the length of the Sobel gradient of the gray image. Introduced in notebook 08."""
    gray = cv2.cvtColor(np.asarray(image, np.float32), cv2.COLOR_RGB2GRAY)
    return cv2.magnitude(*(cv2.Sobel(gray, cv2.CV_32F, *order) for order in ((1, 0), (0, 1))))


def center_map(image: np.ndarray) -> np.ndarray:
    """Give a blob in the middle: a Gaussian, a quarter of each side wide. Introduced in notebook 08."""
    sides = [np.exp(-(np.linspace(-2, 2, length) ** 2) / 2) for length in image.shape[:2]]
    return np.outer(*sides).astype(np.float32)


def make_maps(
    network: Network | keras.Model, images: np.ndarray, makers: Mapping[str, Method], progress: bool = True
) -> dict[str, np.ndarray]:
    """Make the maps of several methods for many frames, with a progress bar.

    Introduced in notebook 08.

    Parameters
    ----------
    network : Network
    images : (n, h, w, 3) float32 in [0, 1]
    makers : mapping of str to function
        Such as `methods` and `controls`.
    progress : bool
        Show the bar.

    Returns
    -------
    dict of str to (n, h, w) float32
    """
    bar = tqdm(total=len(makers) * len(images), desc="maps", unit="map", disable=not progress)
    made = {}
    with bar:
        for name, maker in makers.items():
            maps = np.zeros((len(images), *images.shape[1:3]), np.float32)
            for map, image in zip(maps, images):
                map[:] = maker(network, image)
                bar.update()
            made[name] = maps
    return made
