"""Elements that are taken away from rendered views, and what maps promise of them (notebook 08)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from steerlib import checkout
from steerlib.drives.pictures import to_unit
from steerlib.maps.eraser import ELEMENTS
from steerlib.maps.fill import FILLS
from steerlib.maps.occlusion import occlude_regions
from steerlib.networks.network import Network, as_network
from steerlib.trust.maps import ORACLE, controls, make_maps, methods, oracle
from steerlib.trust.numbers import grown
from steerlib.trust.scores import changed, promises
from steerlib.world import render_counterfactuals

if TYPE_CHECKING:
    import keras

ROADS, VIEWS = range(2000, 2020), 200  # neither the shipped networks nor the eraser have seen these roads
FILE = checkout.DATA / "trust.npz"


class Promises(NamedTuple):
    """Of one network: what is true of the elements of some views, and what maps say of them."""

    effects: np.ndarray  # (n, k) degrees: the angle with the element minus the angle without it
    promised: dict[str, np.ndarray]  # for each kind of map (n, k), see `steerlib.trust.promises`
    hidden: dict[str, np.ndarray]  # for each fill (n, k) degrees: the effect of hiding just the element's pixels


def load_promises(file: Path = FILE) -> dict[str, Promises]:
    """Read the promises of several networks, under their names. Introduced in notebook 08.

    Raises
    ------
    FileNotFoundError
        Where the file is not there; it comes with the project's data.
    """
    if file == FILE and not file.is_file():
        raise checkout.missing(file, "the table of promises of notebook 08")
    found: dict[str, Promises] = {}
    with np.load(file) as stored:
        for key in stored.files:
            name, what, *kind = key.split("/")
            one = found.setdefault(name, Promises(np.empty(0), {}, {}))
            values = stored[key].astype(np.float64)
            if kind:
                getattr(one, what)[kind[0]] = values
            else:
                found[name] = one._replace(effects=values)
    return found


def take_away(
    network: Network | keras.Model, pictures: np.ndarray, without: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Tell what elements do, and where they are.

    Introduced in notebook 08.

    Parameters
    ----------
    network : Network
    pictures : (n, h, w, 3) float32 in [0, 1]
    without : mapping of str to (n, h, w, 3) uint8
        The same views without one element, see `steerlib.world.render_counterfactuals`.

    Returns
    -------
    effects : (n, k) float32
        Degrees: the angle with the element minus the angle without it.
    regions : (n, k, h, w) bool
        See `changed`.
    """
    network = as_network(network)
    bare, angles = [to_unit(pixels) for pixels in without.values()], network.angles(pictures)
    effects = [angles - network.angles(one) for one in bare]
    return np.stack(effects, axis=1), np.stack([changed(pictures, one) for one in bare], axis=1)


def hide_elements(
    network: Network | keras.Model, pictures: np.ndarray, regions: np.ndarray, fill: float | str
) -> np.ndarray:
    """Hide each element by windows of its own shape, a pixel wider, and tell what that does: (n, k) degrees.

    Introduced in notebook 08. NaN where the element is not in the picture. What occlusion promises is the effect of a
    window, so these are the windows by which it has to keep its promise.
    """
    found = np.full(regions.shape[:2], np.nan)
    for k, (picture, places) in enumerate(zip(pictures, regions)):
        there = places.any(axis=(1, 2))
        wider = np.array([grown(one.astype(np.uint8), 1) for one in places[there]], bool).reshape(-1, *places.shape[1:])
        found[k, there] = occlude_regions(network, picture, wider, fill)
    return found


def promise(
    network: Network, roads: int | Iterable[int] = ROADS, views: int = VIEWS, progress: bool = True
) -> Promises:
    """Make all maps of some rendered views, and add them up over the elements. See notebook 08."""
    drive, without = render_counterfactuals(roads, views, ELEMENTS, network=network)
    pictures = drive.pictures(network)
    effects, regions = take_away(network, pictures, without)
    maps = make_maps(network, pictures, methods(network) | controls(), progress)
    maps[ORACLE] = oracle(network, pictures, without)
    hidden = {fill: hide_elements(network, pictures, regions, fill) for fill in FILLS}
    return Promises(effects, promises(maps, regions), hidden)
