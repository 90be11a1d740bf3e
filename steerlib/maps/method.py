"""What a method is: a function from network and picture to a map, and a few facts beside it (notebook 07).

Each file beside this one that ends in ``METHOD = Method(...)`` is a method: `steerlib.maps.METHODS` collects them, and
the command line, films, explorers, scores and the reference go through that list.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from steerlib.networks.network import Network, as_network, as_numbers

if TYPE_CHECKING:
    import keras

SIDES = ("left", "right")
NEEDS = ("answers", "gradients", "convolutions", "global average pooling")


class Explanation(NamedTuple):
    """A map and how it is to be read."""

    map: np.ndarray  # float32 of the picture's height and width
    signed: bool  # negative values mean something: see `ends`
    unit: str  # of the values, in ASCII, for a color bar
    ends: tuple[str, str]  # what negative and positive values speak for
    words: str  # what to see, as a sentence
    angle: float  # the network's answer in degrees, positive to the right
    pixelwise: bool = False  # neighboring pixels differ so much that the eye sees but points

    def density(self) -> Explanation:
        """Average a pixel-wise map over neighboring pixels, as it is drawn; any other map stays as it is."""
        if not self.pixelwise:
            return self
        return self._replace(
            map=density(self.map), words=f"{self.words} Averaged over neighboring pixels.", pixelwise=False
        )


def density(map: np.ndarray) -> np.ndarray:
    """Average a map (h, w) float32 over neighboring pixels; sums over larger regions stay.

    The Gaussian's standard deviation is 1.5 % of the map's width: three pixels of PilotNet's 200.
    """
    return cv2.GaussianBlur(map, (0, 0), 0.015 * map.shape[1], borderType=cv2.BORDER_REFLECT)


@dataclass(frozen=True)
class Method:
    """A method: calling it makes a map.

    Attributes
    ----------
    name : str
        On the command line, such as "grad-cam".
    title : str
        In films and explorers; ASCII, since films know no other letters.
    make : function
        ``make(network, picture, **settings)`` gives the map: float32 of the picture's height and width.
    unit : str
        Of the map's values, in ASCII.
    signed : bool
        Whether a map is positive where the picture steers right and negative where it steers left.
    words : str
        How to read it, as a sentence.
    pixelwise : bool
        Whether neighboring pixels differ so much that it is drawn as a `Explanation.density`.
    needs : {"answers", "gradients", "convolutions", "global average pooling"}
        Of the network. What only asks for answers suits a black box, too.
    notebook : int
        That introduces it; the methods are listed in this order.
    defaults : mapping
        Settings with which it explains one picture, where they are not those of the function.
    read : function, optional
        ``read(explanation, network, picture, settings)`` gives another `Explanation`, where unit, sides or words depend
        on the settings or the picture.
    scored : mapping of str to mapping, optional
        Names and settings with which notebook 08 scores it. None: its title, and no settings.
    check : function, optional
        ``check(network)`` raises a ValueError with a sentence where the method does not suit a network, if `needs` does
        not say enough.
    """

    name: str
    title: str
    make: Callable[..., np.ndarray]
    unit: str
    signed: bool
    words: str
    needs: str = "answers"
    pixelwise: bool = False
    notebook: int = 99
    defaults: Mapping[str, Any] = field(default_factory=dict)
    read: Callable[..., Explanation] | None = None
    scored: Mapping[str, Mapping[str, Any]] | None = None
    check: Callable[[Network], Any] | None = None

    def __call__(self, network: Network | keras.Model, picture: np.ndarray, **settings: Any) -> np.ndarray:  # noqa: ANN401
        """Make a map."""
        return self.make(network, picture, **settings)

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of what can be set."""
        return tuple(inspect.signature(self.make).parameters)[2:]

    def problem(self, network: Network) -> str:
        """Say in a sentence why it does not suit a network; an empty text where it does."""
        if self.needs != "answers" and network.model is None:
            return f"{self.title} needs {self.needs}; of the black box {network.name!r} only answers are known"
        if self.needs == "convolutions" and not network.layers:
            return f"{self.title} needs convolutions; network {network.name!r} has none"
        try:
            if self.check is not None:
                self.check(network)
        except ValueError as error:
            return str(error)
        return ""

    def explain(
        self, network: Network, picture: np.ndarray, settings: Mapping[str, Any], made: np.ndarray | None = None
    ) -> Explanation:
        """Make a map of a picture that is known to fit, or take one made before, and say how it is to be read."""
        settings = {**self.defaults, **{name: settings[name] for name in self.settings if name in settings}}
        map = self.make(network, picture, **settings) if made is None else made
        found = Explanation(map, self.signed, self.unit, SIDES, self.words, network.angle(picture), self.pixelwise)
        return found if self.read is None else self.read(found, network, picture, settings)


def with_network(function: Callable) -> Callable:
    """Let a function of network and picture take whatever can be made into one; the function itself checks nothing.

    The first argument becomes a `Network` (`steerlib.networks.network.as_network`), the second a picture or several
    that fit it, as float32; what does not fit raises a ValueError that says what to do.
    """
    signature = inspect.signature(function)
    seen = tuple(signature.parameters)[1]  # "picture", or "pictures" where a function takes many, too

    @wraps(function)
    def checked(*arguments: Any, **settings: Any) -> Any:  # noqa: ANN401
        given = signature.bind(*arguments, **settings)  # either may be given by its name
        network, picture = as_network(given.arguments["network"]), as_numbers(given.arguments[seen])
        fits = network.check_pictures if seen == "pictures" and picture.ndim == 4 else network.check_picture
        given.arguments |= {"network": network, seen: fits(picture)}
        return function(*given.args, **given.kwargs)

    return checked
