"""Grad-CAM for a network that turns a wheel: what speaks for right, left or center (notebook 05)."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from steerlib.hypercolumns import cells_to_pixels, check_layer
from steerlib.model import as_numbers, cached_function, check_image, check_images, in_batches

TARGETS = ("right", "left", "center", "auto")
STRAIGHT = 5.0  # degrees: up to this angle "auto" asks for what keeps the wheel in the middle, as in the article


def grad_cam(
    model: keras.Model,
    image: np.ndarray,
    layer: str = "conv3",
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
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1], or (n, 66, 200, 3)
        One image, or many, which take less time each.
    layer : str
        A convolution of the model; its output after the ReLU is used.
    target : {"right", "left", "center", "auto"}
        What a positive value speaks for.
    signed : bool
        Keep the negative values, which speak against the target, in place of cutting them off at zero (ReLU).
    enlarged : bool
        Spread the map over the image (`cells_to_pixels`, fading at the border). False: the layer's own cells.

    Returns
    -------
    (66, 200) float32, or (h, w) of the layer's cells; for many images (n, 66, 200) or (n, h, w)
        In degrees of the steering wheel for each cell: the gradient in degrees for each unit of activation
        times the activation, summed over the channels. Not negative unless ``signed``. Not scaled. With the
        target "right" a signed map is positive where a pixel steers right; with "left" and "center", where
        it speaks for these.

    Raises
    ------
    ValueError
        If the layer, the target or the image is not one of those described.
    """
    activation, gradient, angle = layer_gradient(model, image, layer)
    cells = (activation * gradient.mean(axis=(-3, -2), keepdims=True)).sum(axis=-1)
    return _finish(cells, target, angle, model, layer, signed, enlarged)


def hires_cam(
    model: keras.Model,
    image: np.ndarray,
    layer: str = "conv3",
    target: str = "auto",
    signed: bool = False,
    enlarged: bool = True,
) -> np.ndarray:
    """Multiply the activation by the gradient of a steering target, cell by cell (HiResCAM).

    Introduced in notebook 05. Draelos and Carin (arXiv 2011.08891): as `grad_cam`, but the gradient is not
    averaged over the cells first. A cell therefore shows what the network, linearized at this image, makes of
    this very cell. Where all that follows the layer is linear, the sum of the signed cells for "right" is the
    angle without what the biases add.

    Parameters, the returned map and the errors are those of `grad_cam`.
    """
    activation, gradient, angle = layer_gradient(model, image, layer)
    cells = (activation * gradient).sum(axis=-1)
    return _finish(cells, target, angle, model, layer, signed, enlarged)


def layer_gradient(
    model: keras.Model, image: np.ndarray, layer: str = "conv3"
) -> tuple[np.ndarray, np.ndarray, float | np.ndarray]:
    """Give a layer's activation, the angle's gradient with respect to it, and the angle.

    Introduced in notebook 05.

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1], or (n, 66, 200, 3)
        One image, or many.
    layer : str
        A convolution of the model.

    Returns
    -------
    activation : (h, w, c) float32
        After the ReLU.
    gradient : (h, w, c) float32
        Degrees to the right for each unit of activation.
    angle : float
        The network's answer in degrees, positive to the right.

    For many images the arrays are (n, h, w, c), and `angle` is (n,) float32; for none they are empty.

    Raises
    ------
    ValueError
        If the layer is not a convolution of the model or the image is not what it takes.
    """
    check_layer(model, layer)
    function = cached_function(model, ("gradient", layer), lambda model: _layer_gradient(model, layer))
    image = as_numbers(image)
    if image.ndim >= 4:
        return in_batches(function, check_images(model, image))
    (activation,), (gradient,), (angle,) = in_batches(function, check_image(model, image)[np.newaxis])
    return activation, gradient, float(angle)


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


def _finish(
    cells: np.ndarray,
    target: str,
    angle: float | np.ndarray,
    model: keras.Model,
    layer: str,
    signed: bool,
    enlarged: bool,
) -> np.ndarray:
    """Do what both maps end with: the target's sign, the ReLU and the way from cells to pixels."""
    slopes = [{"right": 1, "left": -1, "center": -np.sign(a)}[steering_target(target, a)] for a in np.ravel(angle)]
    cells = cells * np.reshape(np.array(slopes, np.float32), (*np.shape(angle), 1, 1))
    cells = cells if signed else np.maximum(cells, 0)
    return cells_to_pixels(cells, model, layer, fade=True) if enlarged else cells


def _layer_gradient(model: keras.Model, layer: str) -> Callable:
    """Build the function behind `layer_gradient`."""
    inner = keras.Model(model.input, [model.get_layer(layer).output, model.output])

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def run(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            activation, radians = inner(images, training=False)
            angle = radians[:, 0] * (180 / np.pi)
        # The shape is told, since that of a gradient is not known to every trace.
        return activation, tf.ensure_shape(tape.gradient(angle, activation), activation.shape), angle

    return run
