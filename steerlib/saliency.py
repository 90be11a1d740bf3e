"""What each single pixel does to the angle, from gradients with respect to the image (notebook 08)."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from steerlib.model import cached_function, check_image, check_images, in_batches
from steerlib.occlusion import fill_image


def gradient_times_input(model: keras.Model, image: np.ndarray) -> np.ndarray:
    """Multiply each pixel by the angle's gradient with respect to it.

    Introduced in notebook 08. Shrikumar et al. (arXiv 1605.01713). Exact for a linear network, where it says what is
    lost if the pixel turns black; elsewhere it says what the network, linearized at this image, makes of the pixel.

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1]

    Returns
    -------
    (66, 200) float32
        Degrees for each pixel, the channels added up; positive where the pixel steers right. Zero where it is black.

    Raises
    ------
    ValueError
        If the image is not what the network takes.
    """
    image = check_image(model, image)
    return (image_gradients(model, image[np.newaxis])[0] * image).sum(axis=-1)


def integrated_gradients(
    model: keras.Model, image: np.ndarray, steps: int = 32, baseline: float | str = "blur"
) -> np.ndarray:
    """Add up the gradient on the way from a baseline to the image (integrated gradients).

    Introduced in notebook 08. Sundararajan et al. (arXiv 1703.01365), with the midpoint rule:
    (x − x') · mean over k of ∇f(x' + (k + ½) / steps · (x − x')). A gradient at the image misses what changes late;
    this passes all of the way. *Completeness*: the sum of the map is f(x) − f(x'), up to the rule's error. With 32
    steps from the blurred image that is within half a degree; the way from black is wilder and takes hundreds of steps.

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1]
    steps : int
        How many gradients are averaged, at least 1.
    baseline : float in [0, 1], "mean" or "blur"
        x', the picture that is meant by "nothing there": see `steerlib.occlusion.fill_image`.

    Returns
    -------
    (66, 200) float32
        Degrees for each pixel, the channels added up; positive where the pixel, compared with the baseline, steers
        right.

    Raises
    ------
    ValueError
        If there is no step, or the image or the baseline is not one of those described.
    """
    image = check_image(model, image)
    start = fill_image(image, baseline)
    if steps < 1:
        raise ValueError(f"steps={steps}: expected at least 1")
    shares = (np.arange(steps, dtype=np.float32) + 0.5) / steps
    on_the_way = start + shares[:, np.newaxis, np.newaxis, np.newaxis] * (image - start)
    return (image_gradients(model, on_the_way).mean(axis=0) * (image - start)).sum(axis=-1)


def smooth_grad(
    model: keras.Model, image: np.ndarray, samples: int = 16, noise: float = 0.1, seed: int = 0
) -> np.ndarray:
    """Average the gradient over noisy copies of the image (SmoothGrad).

    Introduced in notebook 08. Smilkov et al. (arXiv 1706.03825). It is a gradient, not multiplied by the image: what a
    slightly brighter pixel *would* do, not what this pixel does. The channels are added up with their signs, where the
    paper takes magnitudes, so that the side is kept.

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1]
    samples : int
        How many noisy copies, at least 1.
    noise : float
        Standard deviation of the noise as a share of the image's range (maximum − minimum), at least 0.
    seed : int
        Of the noise.

    Returns
    -------
    (66, 200) float32
        Degrees for each unit of brightness by which all channels of a pixel grow; positive where brighter is further
        right.

    Raises
    ------
    ValueError
        If there is no sample, the noise is negative, or the image is not what the network takes.
    """
    image = check_image(model, image)
    if samples < 1 or not 0 <= noise < np.inf:
        raise ValueError(f"samples={samples}, noise={noise}: expected at least 1 sample and noise of at least 0")
    grain = np.random.default_rng(seed).standard_normal((samples, *image.shape), np.float32)
    return _gradients(model, image + np.float32(noise * np.ptp(image)) * grain).mean(axis=0).sum(axis=-1)


def image_gradients(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Give the angle's gradient with respect to the pixels, for each image of a batch.

    Introduced in notebook 08.

    Parameters
    ----------
    model : keras.Model
    images : (n, 66, 200, 3) float32 in [0, 1]

    Returns
    -------
    (n, 66, 200, 3) float32
        Degrees to the right for each unit of brightness; empty for no image.

    Raises
    ------
    ValueError
        If the images are not what the network takes.
    """
    return _gradients(model, check_images(model, images))


def _gradients(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Do the work of `image_gradients` for images that noise may have carried beyond [0, 1]."""
    return in_batches(cached_function(model, "image_gradients", _image_gradients), images)


def _image_gradients(model: keras.Model) -> Callable:
    """Build the function behind `image_gradients`; it is traced once, whatever the number of images."""

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def run(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(images)
            degrees = model(images, training=False) * (180 / np.pi)
        # Of the sum, in which no image sees another. Its shape is told, since not every trace knows it.
        return tf.ensure_shape(tape.gradient(degrees, images), images.shape)

    return run
