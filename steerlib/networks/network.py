"""One form for all networks: what a network wants to see, and its answer in degrees (notebook 02).

Whatever comes in, a Keras model of any shape or a function, is brought into one form once, by `as_network`. From
then on a method gets a `Network` and a picture that is known to fit, and nothing checks again.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    import keras

    from steerlib.drives import Drive
    from steerlib.networks.description import Description

BATCH = 256  # pictures that go through a network at once


class Network:
    """A steering network: the picture that it takes, its answer in degrees, its layers. Made by `as_network`.

    Attributes
    ----------
    name : str
    size : (height, width)
        Of its picture in pixels.
    crop : (top, bottom) or None
        The part of a frame's height that the picture shows, in fractions. None: as the drive says.
    resize, blur, blur_after : str, int, int
        How that part becomes its picture, see `steerlib.drives.preprocess`.
    description : Description or None
        What was declared of it; None for one that needs none.
    model : keras.Model or None
        From (n, h, w, 3) float32 RGB in [0, 1] to (n, 1) float32 radians, positive to the right; see
        `steerlib.networks.one_form`. None for a black box, whose gradients and layers are not known.
    layers : tuple of str
        The names of its convolutions, the first one first.
    source : Path or None
        The file that it was loaded from.
    doubts : mapping
        What is known of its answers to drives: see `steerlib.networks.plausibility`.
    """

    source: Path | None = None

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        crop: tuple[float, float] | None = None,
        model: keras.Model | None = None,
        ask: Callable[[np.ndarray], np.ndarray] | None = None,
        description: Description | None = None,
    ) -> None:
        self.name, self.size, self.crop, self.model, self._ask = name, tuple(size), crop, model, ask
        self.description = description
        told = {} if description is None else description.before_color()
        self.resize, self.blur, self.blur_after = (
            told.get("resize", "area"),
            told.get("blur", 1),
            told.get("blur_after", 1),
        )
        self.layers: tuple[str, ...] = () if model is None else _convolutions(model)
        self.doubts: WeakKeyDictionary[Drive, tuple[tuple[int, int], list[str]]] = WeakKeyDictionary()
        self._functions: dict[Hashable, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Give what travels to another process: all but what is traced here, and what is known of drives here."""
        return {name: value for name, value in vars(self).items() if name not in ("_functions", "doubts")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in another process."""
        vars(self).update(state, _functions={}, doubts=WeakKeyDictionary())

    def __repr__(self) -> str:
        height, width = self.size
        part = "the part of the frame that the drive says" if self.crop is None else "the whole frame"
        if self.crop not in (None, (0.0, 1.0)):
            part = f"{self.crop[0]:.0%} to {self.crop[1]:.0%} of the frame's height"
        if (self.blur, self.blur_after) != (1, 1):
            part += ", blurred,"
        inside = "a black box" if self.model is None else f"convolutions {', '.join(self.layers) or '(none)'}"
        return f"Network {self.name!r}: sees {part} as {width} × {height} pixels; {inside}"

    def angles(self, pictures: np.ndarray, batch_size: int = BATCH) -> np.ndarray:
        """Ask for the angle of each picture.

        Parameters
        ----------
        pictures : (n, h, w, 3) float32 RGB in [0, 1]
        batch_size : int
            How many go through the network at once.

        Returns
        -------
        (n,) float32
            Degrees of the steering wheel, positive to the right.

        Raises
        ------
        ValueError
            If the pictures are not what the network takes.
        """
        return self._angles(self.check_pictures(pictures), batch_size)

    def angle(self, picture: np.ndarray) -> float:
        """Ask for the angle of one picture that is known to fit: degrees, positive to the right."""
        return float(self._angles(picture[np.newaxis], 1)[0])

    def check_pictures(self, pictures: np.ndarray) -> np.ndarray:
        """Give many pictures as float32; where they do not fit, raise a ValueError that says what to do."""
        pictures, size = as_numbers(pictures), (*self.size, 3)
        if pictures.shape == size:
            raise ValueError(f"expected a batch of images, got one of shape {size}: add an axis, image[np.newaxis]")
        if pictures.shape[1:] != size:
            raise ValueError(f"expected images (n, {size}), got {pictures.shape}: see steerlib.preprocess")
        # Half a unit is left for noise. NaN is not between any two numbers.
        if pictures.dtype == np.uint8 or (pictures.size and not (pictures.min() >= -0.5 and pictures.max() <= 1.5)):
            found = f"{pictures.dtype} from {pictures.min():.3g} to {pictures.max():.3g}"
            raise ValueError(f"expected values in [0, 1], got {found}: see steerlib.preprocess")
        return pictures.astype(np.float32, copy=False)

    def check_picture(self, picture: np.ndarray) -> np.ndarray:
        """Give one picture as float32; where it does not fit, raise a ValueError that says what to do."""
        picture, size = as_numbers(picture), (*self.size, 3)
        if picture.shape != size:
            raise ValueError(f"expected one image {size}, got {picture.shape}: see steerlib.preprocess")
        return self.check_pictures(picture[np.newaxis])[0]

    def look(self, frame: np.ndarray, drive: Drive) -> np.ndarray:
        """Give what the network sees of a frame of a drive: (h, w, 3) float32 in [0, 1] of (H, W, 3) uint8 RGB."""
        from steerlib.drives.pictures import preprocess

        return preprocess(frame, drive.part_for(self), self.size, self.resize, self.blur, self.blur_after)

    def winners(self, pictures: np.ndarray) -> np.ndarray:
        """Give the angle of the likeliest class for each picture: see `steerlib.networks.several.winners`."""
        from steerlib.networks.several import winners

        return winners(self, pictures)

    def among(self, pictures: np.ndarray, moment: int) -> AbstractContextManager[None]:
        """Ask about one moment of a sequence within a ``with`` block: see `steerlib.networks.several.among`."""
        from steerlib.networks.several import among

        return among(self, pictures, moment)

    def check_layer(self, layer: str | None) -> str:
        """Return the name of a convolution, of the middle one for None; any other raises an error with the choices."""
        layers = self.check_convolutions()
        if layer is None:
            return layers[len(layers) // 2]
        if layer not in layers:
            raise ValueError(f"layer={layer!r}: expected a convolution of {self.name!r}, one of {', '.join(layers)}")
        return layer

    def check_convolutions(self) -> tuple[str, ...]:
        """Return the names of the convolutions; where there are none, raise a ValueError."""
        if not self.layers:
            if self.model is not None:
                raise ValueError(f"network {self.name!r} has no convolutions")
            raise ValueError(f"of the black box {self.name!r} only answers are known: expected a network with layers")
        return self.layers

    def function(self, key: Hashable, build: Callable[[Network], Any]) -> Any:  # noqa: ANN401
        """Give ``build(self)``, built once, and traced then and there if it is a function of TensorFlow."""
        if key not in self._functions:
            made = build(self)
            if hasattr(made, "get_concrete_function"):
                # TensorFlow takes traces at first calls, one for each network and layer, for needless ones.
                made.get_concrete_function()
            self._functions[key] = made
        return self._functions[key]

    def run(self, key: Hashable, build: Callable[[Network], Any], pictures: np.ndarray, batch_size: int = BATCH) -> Any:  # noqa: ANN401
        """Send pictures through a function that `build` makes, a batch at a time; no pictures give no answers.

        Every call of a network with many pictures goes through here. On some processors a convolution of an empty
        batch fails, so none is ever made.

        Parameters
        ----------
        key : hashable
            Under which the function is kept.
        build : function
            From this network to a ``tf.function`` of pictures, with an input signature.
        pictures : (n, h, w, 3) float32
        batch_size : int

        Returns
        -------
        What the function gives, each tensor as an array with n entries.
        """
        from tensorflow import nest

        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: expected at least 1")
        function = self.function(key, build)
        if not len(pictures):
            none = function.get_concrete_function().structured_outputs
            return nest.map_structure(
                lambda tensor: np.zeros((0, *tensor.shape[1:]), tensor.dtype.as_numpy_dtype), none
            )
        parts = [function(pictures[start : start + batch_size]) for start in range(0, len(pictures), batch_size)]
        return nest.map_structure(lambda *tensors: np.concatenate(tensors), *parts)

    def _angles(self, pictures: np.ndarray, batch_size: int = BATCH) -> np.ndarray:
        """Do the work of `angles`, also for pictures that noise has carried beyond [0, 1]."""
        if self.model is not None:
            return self.run("angles", _angles, pictures, batch_size)
        answers = [self._ask(pictures[start : start + batch_size]) for start in range(0, len(pictures), batch_size)]
        found = np.concatenate([np.zeros(0, np.float32), *(np.ravel(np.asarray(answer)) for answer in answers)])
        if len(found) != len(pictures) or not np.isfinite(found).all():
            raise ValueError(f"network {self.name!r}: expected a finite angle for each of {len(pictures)} pictures")
        return found.astype(np.float32)


def as_network(
    network: Network | keras.Model | Callable[[np.ndarray], np.ndarray],
    name: str | None = None,
    size: tuple[int, int] | None = None,
    crop: tuple[float, float] | None = None,
    **description: Any,  # noqa: ANN401
) -> Network:
    """Bring a network into the form that all methods take (notebook 02).

    Parameters
    ----------
    network : Network, keras.Model, function, or what reads a file without layers
        A Keras model: see `steerlib.networks.one_form`. Its weights are copied, unless it has the form already, as
        `pilotnet` has: then what is trained later is seen. A function: from pictures (n, h, w, 3) float32 RGB in
        [0, 1] to (n,) degrees, positive to the right. A black box suits the methods that only ask; one that is made of
        a file (it has an ``input_shape`` and ``ask``, `steerlib.networks.black_box`) is described as a Keras model is.
    name : str, optional
        What to call it. None: as the model or the function is called.
    size : (height, width), optional
        Of the picture: needed for a function, and for a model that does not say it.
    crop : (top, bottom), optional
        The part of a frame's height that the picture shows, in fractions. None: what the drive says, where the picture
        has PilotNet's size; the whole frame where the network takes pictures of another size, or cuts them itself.
    **description
        What it wants and means: ``color``, ``range``, ``output``, ``classes``, ``unit``, ``sign``, ``full_lock``,
        ``state``, ``resize``, ``blur`` and what else `steerlib.networks.description.Description` lists.

    Returns
    -------
    Network
        For a Keras model without any description the same one at each call, until a model that was copied is trained.

    Raises
    ------
    ValueError
        Where something is no network, or what it wants or means is not known: says what to declare.
    """
    from steerlib.networks.description import Description
    from steerlib.networks.pilotnet import SIZE

    told = {"name": name, "size": size, "crop": crop, **description}
    told = {key: value for key, value in told.items() if value is not None}
    if isinstance(network, Network):
        if told:
            raise ValueError(f"network {network.name!r} is described already: give {', '.join(told)} where it is made")
        return network
    told.pop("name", None)
    known = [field.name for field in dataclasses.fields(Description)]
    if unknown := sorted(set(told) - set(known)):
        raise ValueError(f"unknown description {unknown[0]!r}: expected some of {', '.join(known)}")
    declared = Description(**told)
    size, crop = declared.size, declared.crop
    if is_keras_model(network):
        plain = not told and name is None
        kept, copied = vars(network).get("_steerlib", (None, 0))
        # What was copied may have been trained since.
        if kept is not None and plain and (kept.model is network or copied == checksum(network)):
            return kept
        from steerlib.networks.one_form import one_form

        model = one_form(network, declared)
        size = tuple(model.input_shape[1:3])
        if crop is None and (size != SIZE or _cuts(model)):
            crop = (0.0, 1.0)
        if declared.unit is None and _is_bounded(network):
            warnings.warn(
                f"network {network.name!r} answers between -1 and 1, taken for radians: say unit='fraction' if 1 means "
                "full lock",
                stacklevel=2,
            )
        made = Network(name or model.name, size, crop, model, description=declared)
        if plain:
            # Past Keras, which would take it for a part of the model.
            vars(network)["_steerlib"] = made, 0 if model is network else checksum(network)
        return made
    if hasattr(network, "ask") and hasattr(network, "input_shape"):
        from steerlib.networks.black_box import described_function

        size, ask = described_function(network, declared)
        if crop is None and size != SIZE:
            crop = (0.0, 1.0)
        return Network(name or network.name, size, crop, None, ask, declared)
    if not callable(network):
        raise ValueError(
            f"expected a Keras model, got {type(network).__name__}: steerlib.load_network gives a network, and a "
            "function from pictures to degrees is one, too"
        )
    if size is None:
        raise ValueError("a function does not say which pictures it takes: say size=(height, width)")
    if meant := sorted(set(told) - {"size", "crop", "resize", "blur", "blur_after"}):
        raise ValueError(f"a function from pictures to degrees takes no {', '.join(meant)}")
    return Network(name or getattr(network, "__name__", "function"), size, crop or (0.0, 1.0), None, network, declared)


def as_numbers(values: object) -> np.ndarray:
    """Give real numbers as an array; what is none raises a ValueError."""
    try:
        values = np.asarray(values)
    except ValueError:
        raise ValueError("expected an array of images, got a list of arrays of several shapes") from None
    if values.dtype.kind not in "fiub":
        raise ValueError(f"expected an array of numbers, got {values.dtype} {values.shape}: see steerlib.preprocess")
    return values


def is_keras_model(network: object) -> bool:
    """Tell a Keras model without loading Keras: where it was not loaded, nothing is one."""
    import sys

    keras = sys.modules.get("keras")
    return keras is not None and isinstance(network, keras.Model)


def checksum(model: keras.Model) -> int:
    """Tell by a number whether the weights of a model are still the same."""
    found = 0
    for weights in model.get_weights():
        found = crc32(np.ascontiguousarray(weights), found)
    return found


def _convolutions(model: keras.Model) -> tuple[str, ...]:
    """List the names of a model's convolutions."""
    from keras import layers

    return tuple(layer.name for layer in model.layers if isinstance(layer, layers.Conv2D))


def _cuts(model: keras.Model) -> bool:
    """Tell whether a model cuts its pictures itself."""
    from keras import layers

    return any(isinstance(layer, layers.Cropping2D) for layer in model.layers)


def _is_bounded(model: keras.Model) -> bool:
    """Tell whether the last thing that a model does to its answer is to keep it between -1 and 1."""
    activation = getattr(model.layers[-1], "activation", None)
    return getattr(activation, "__name__", "") in ("tanh", "softsign")


def _angles(network: Network) -> Any:  # noqa: ANN401
    """Build the function behind `Network.angles`; it is traced once, whatever the number of pictures."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec(network.model.input_shape, tf.float32)])
    def angles(pictures: tf.Tensor) -> tf.Tensor:
        return tf.reshape(network.model(pictures, training=False), [-1]) * (180 / math.pi)

    return angles
