"""The methods: one file each, and the list of them (notebook 07).

To add one, add a file here that ends in ``METHOD = Method(...)``, see `steerlib.maps.method`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import numpy as np

from steerlib.maps.grad_cam import steering_target
from steerlib.maps.method import Explanation, Method
from steerlib.networks.network import Network, as_network

if TYPE_CHECKING:
    import keras


class Methods(Mapping[str, Method]):
    """The methods by their names, in the order of the notebooks; collected when they are first asked for."""

    def __getitem__(self, name: str) -> Method:
        return methods()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(methods())

    def __len__(self) -> int:
        return len(methods())


METHODS = Methods()


@cache
def methods() -> dict[str, Method]:
    """Collect the methods from the files of this folder, by their names, in the order of the notebooks."""
    files = sorted(f"{__name__}.{file.name}" for file in iter_modules(__path__) if not file.ispkg)
    found = [module.METHOD for module in map(import_module, files) if hasattr(module, "METHOD")]
    return {method.name: method for method in sorted(found, key=lambda method: (method.notebook, method.name))}


def explain(network: Network | keras.Model, picture: np.ndarray, method: str, **settings: Any) -> Explanation:  # noqa: ANN401
    """Make the map of a method, and say how it is to be read (introduced in notebook 07).

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
        What it sees, as `Drive.pictures` gives it.
    method : str
        The name of one of `steerlib.METHODS`.
    **settings
        Of the methods: ``target``, ``layer``, ``signed``, ``sizes``, ``stride``, ``fill``, ``layers``, ...; one that
        this method does not know, but another does, is left out. The fill is the baseline of integrated gradients,
        too. A signed map is positive where a pixel steers right with the target "left", too.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        If there is no such method or setting, the method does not suit the network, or what it is given does not suit
        it.
    """
    known = methods()
    if method not in known:
        raise ValueError(f"method={method!r}: expected one of {', '.join(known)}")
    check_settings(settings)
    steering_target(settings.get("target", "auto"), 0.0)  # a wrong target is an error whatever the method
    if "fill" in settings:
        settings.setdefault("baseline", settings["fill"])
    network = as_network(network)
    if problem := known[method].problem(network):
        raise ValueError(problem)
    return known[method].explain(network, network.check_picture(picture), settings)


def check_settings(names: Iterable[str]) -> None:
    """Refuse the name of a setting that no method knows."""
    known = sorted({name for method in methods().values() for name in method.settings})
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"setting {unknown[0]!r}: expected one of {', '.join(known)}")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load what makes and opens the maps of whole drives when it is asked for: the core does without."""
    if name in ("Maps", "of_drive", "open_maps"):
        return getattr(import_module(f"{__name__}.whole_drive"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
