"""Explorers with sliders for the notebooks: choose a frame and settings, and see the picture at once.

One file an explorer; in each stands a function of the file's name, which is found here. `Explorer` is what they share.
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from steerlib.show.explorers.explorer import WIDTH, Drawing, Explorer, Scene


def collect() -> dict[str, Callable[..., Explorer]]:
    """Give the explorers by their names, from the files of this folder."""
    modules = {file.name: import_module(f"{__name__}.{file.name}") for file in iter_modules(__path__)}
    return {name: getattr(module, name) for name, module in modules.items() if hasattr(module, name)}


globals().update(collect())  # in place of the modules, which have the same names

__all__ = ["WIDTH", "Drawing", "Explorer", "Scene", *collect()]
