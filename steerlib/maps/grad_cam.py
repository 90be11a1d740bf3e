"""Grad-CAM for a network that turns a wheel: what speaks for right, left or center (notebook 05)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from steerlib.maps.method import Explanation, Method, with_network
from steerlib.networks.cells_to_pixels import cells_to_pixels
from steerlib.networks.network import Network

if TYPE_CHECKING:
    import tensorflow as tf


TARGETS = ("right", "left", "center", "auto")
STRAIGHT = 5.0  # degrees: up to this angle "auto" asks for what keeps the wheel in the middle, as in the article


@with_network
def grad_cam(
    network: Network,
    pictures: np.ndarray,
    layer: str | None = None,
    target: str = "auto",
    signed: bool = False,
    enlarged: bool = True,
) -> np.ndarray:
    """Weigh the channels of a layer by the gradient of a steering target (Grad-CAM).

    Introduced in notebook 05. Selvaraju et al. (arXiv 1610.02391), with a target in place of a class: see
    `steering_target`. The gradient is averaged over all cells of a channel, so where in the picture it
    was large is forgotten; `hires_cam` keeps it.

    Parameters
    ----------
    network : Network
    pictures : (h, w, 3) float32 in [0, 1], or (n, h, w, 3)
        One picture, or many, which take less time each.
    layer : str, optional
        A convolution of the network; None: the middle one, of PilotNet conv3. Its output after the ReLU is used.
    target : {"right", "left", "center", "auto"}
        What a positive value speaks for.
    signed : bool
        Keep the negative values, which speak against the target, in place of cutting them off at zero (ReLU).
    enlarged : bool
        Spread the map over the picture (`cells_to_pixels`, fading at the border). False: the layer's own cells.

    Returns
    -------
    (h, w) float32, of the picture or of the layer's cells; for many pictures (n, h, w)
        In degrees of the steering wheel for each cell: the gradient in degrees for each unit of activation
        times the activation, summed over the channels. Not negative unless ``signed``. Not scaled. With the
        target "right" a signed map is positive where a pixel steers right; with "left" and "center", where
        it speaks for these.

    Raises
    ------
    ValueError
        If the layer, the target or the picture is not one of those described.
    """
    activation, gradient, angle = layer_gradient(network, pictures, layer)
    cells = (activation * gradient.mean(axis=(-3, -2), keepdims=True)).sum(axis=-1)
    return finish(cells, target, angle, network, layer, signed, enlarged)


@with_network
def layer_gradient(
    network: Network, pictures: np.ndarray, layer: str | None = None
) -> tuple[np.ndarray, np.ndarray, float | np.ndarray]:
    """Give a layer's activation, the angle's gradient with respect to it, and the angle.

    Introduced in notebook 05.

    Parameters
    ----------
    network : Network
    pictures : (h, w, 3) float32 in [0, 1], or (n, h, w, 3)
        One picture, or many, which take less time each.
    layer : str, optional
        A convolution of the network; None: the middle one.

    Returns
    -------
    activation : (h, w, c) float32
        After the ReLU.
    gradient : (h, w, c) float32
        Degrees to the right for each unit of activation.
    angle : float
        The network's answer in degrees, positive to the right.

    For many pictures the arrays are (n, h, w, c), and `angle` is (n,) float32.

    Raises
    ------
    ValueError
        If the layer is not a convolution of the network or the pictures are not what it takes.
    """
    layer = network.check_layer(layer)
    many = pictures if pictures.ndim == 4 else pictures[np.newaxis]
    activation, gradient, angle = network.run(
        ("gradient", layer), lambda network: _layer_gradient(network, layer), many
    )
    return (activation, gradient, angle) if pictures.ndim == 4 else (activation[0], gradient[0], float(angle[0]))


def steering_target(target: str, angle: float) -> str:
    """Resolve the target "auto" for an angle; the others stay what they are.

    Introduced in notebook 05. "right" asks what makes the angle larger, "left" what makes it smaller, and
    "center" what makes ``-abs(angle)`` larger: the wheel nearer to its middle. At exactly 0 nothing does, and
    the map is zero. The article's ``1 / angle`` for the center has a pole there, and elsewhere gives the same
    map up to a factor.

    Parameters
    ----------
    target : {"right", "left", "center", "auto"}
    angle : float
        Degrees, positive to the right.

    Returns
    -------
    {"right", "left", "center"}
        For "auto": right above 5 degrees, left below -5, else center.

    Raises
    ------
    ValueError
        If there is no such target.
    """
    if target not in TARGETS:
        raise ValueError(f"target={target!r}: expected one of {', '.join(TARGETS)}")
    if target != "auto":
        return target
    return "right" if angle > STRAIGHT else "left" if angle < -STRAIGHT else "center"


def finish(
    cells: np.ndarray,
    target: str,
    angle: float | np.ndarray,
    network: Network,
    layer: str | None,
    signed: bool,
    enlarged: bool,
) -> np.ndarray:
    """Do what both maps end with: the target's sign, the ReLU and the way from cells to pixels."""
    slopes = [{"right": 1, "left": -1, "center": -np.sign(a)}[steering_target(target, a)] for a in np.ravel(angle)]
    cells = cells * np.reshape(np.array(slopes, np.float32), (*np.shape(angle), 1, 1))
    cells = cells if signed else np.maximum(cells, 0)
    return cells_to_pixels(cells, network, network.check_layer(layer), fade=True) if enlarged else cells


def _layer_gradient(network: Network, layer: str) -> Callable:
    """Build the function behind `layer_gradient`."""
    import keras
    import tensorflow as tf

    model = network.model
    inner = keras.Model(model.input, [model.get_layer(layer).output, model.output])

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def run(pictures: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            activation, radians = inner(pictures, training=False)
            angle = radians[:, 0] * (180 / np.pi)
        # The shape is told, since that of a gradient is not known to every trace.
        return activation, tf.ensure_shape(tape.gradient(angle, activation), activation.shape), angle

    return run


def read(found: Explanation, network: Network, picture: np.ndarray, settings: Mapping[str, Any]) -> Explanation:
    """Say what a map of `grad_cam` or `hires_cam` speaks for; a signed one is turned so that red stays right."""
    layer = network.check_layer(settings.get("layer"))
    target, signed = settings.get("target", "auto"), settings.get("signed", False)
    used = steering_target(target, found.angle)
    words = f"Target {used}{' (auto)' if target == 'auto' else ''}. "
    sides = ("away", "center") if used == "center" else found.ends
    if not found.map.any():
        words += "The map is zero: nothing in this layer speaks for it."
    elif signed:
        words += f"Red speaks for {sides[1]}, blue for {sides[0]}."
    else:
        words += f"Yellow speaks most for {used}; what speaks against it is cut off."
    unit = f"degrees for each cell of {layer}" + ("" if signed else f" that speaks for {used}")
    map = -found.map if signed and used == "left" else found.map
    return found._replace(map=map, signed=signed, unit=unit, ends=sides, words=words)


METHOD = Method(
    name="grad-cam",
    title="Grad-CAM",
    make=grad_cam,
    unit="degrees for each cell",
    signed=False,
    words="Yellow speaks most for the target.",
    needs="convolutions",
    notebook=5,
    read=read,
    scored={"Grad-CAM": {"target": "right", "signed": True}},
)
