"""Checks of the exercises of notebook 02: training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from steerlib.exercises.verdict import Verdict, call, check, compare

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network


@check
def check_multiplications(multiplications: Callable, model: Network | keras.Model) -> Verdict:
    """Check ``multiplications(layer)``: how many a convolution or a dense layer needs for one image."""
    from steerlib.networks.network import as_network

    weighted = [layer for layer in as_network(model).model.layers if layer.weights]
    answer = [call(multiplications, layer) for layer in weighted]
    kernels = np.array([np.prod(layer.kernel.shape) for layer in weighted])
    convolution = np.array([len(layer.kernel.shape) == 4 for layer in weighted])
    places = np.array([np.prod(layer.output.shape[1:-1], dtype=int) for layer in weighted])
    before = np.array([np.prod(layer.input.shape[1:-1], dtype=int) for layer in weighted])
    inputs, filters = (np.array([layer.kernel.shape[axis] for layer in weighted]) for axis in (-2, -1))
    parameters = np.array([layer.count_params() for layer in weighted])
    mistakes = {
        "these are the layer's parameters; a convolution uses each of them at many places": parameters,
        "these are the kernel's weights; a convolution uses each of them at many places": kernels,
        "a bias is added, not multiplied": places * parameters,
        "a kernel reaches over all channels of its input": places * kernels // np.where(convolution, inputs, 1),
        "this is one filter; a convolution has as many as its output has channels": places
        * kernels
        // np.where(convolution, filters, 1),
        "the places are those of the output: the stride leaves some of the input's out": before * kernels,
    }
    compare(answer, places * kernels, mistakes, tolerance=1e-6)
    return Verdict(True, "weights times places")


@check
def check_colors(bgr: np.ndarray, gray: np.ndarray, images: np.ndarray) -> Verdict:
    """Check images in BGR and in gray, (n, 66, 200, 3) each, made of ``images`` in RGB."""
    bgr, gray, images = (np.asarray(pictures)[:4] for pictures in (bgr, gray, images))
    mistakes = {
        "these are still RGB": images,
        "left and right are exchanged, not the colors: which axis are the channels?": images[:, :, ::-1],
        "up and down are exchanged, not the colors: which axis are the channels?": images[:, ::-1],
        "the colors are turned by one place; BGR is RGB from behind": np.roll(images, 1, axis=-1),
    }
    compare(bgr, images[..., ::-1], mistakes, "BGR")
    mean = images.mean(axis=-1, keepdims=True)
    by_eye = images @ np.array([0.299, 0.587, 0.114])
    mistakes = {
        "these have one channel; the network expects three, all alike": mean,
        "these have no channels; the network expects three, all alike": mean[..., 0],
        "this is a sum over the channels, not a mean": np.repeat(3 * mean, 3, axis=-1),
        "this weighs the channels as an eye does; asked is their mean": np.repeat(by_eye[..., np.newaxis], 3, axis=-1),
        "this is a mean over the columns: wrong axis": images.mean(axis=2, keepdims=True) + 0 * images,
        "this is a mean over the rows: wrong axis": images.mean(axis=1, keepdims=True) + 0 * images,
    }
    compare(gray, np.repeat(mean, 3, axis=-1), mistakes, "gray")
    return Verdict(True, "both are what they should be; now ask the network")


@check
def check_cross_validate(cross_validate: Callable) -> Verdict:
    """Check ``cross_validate(images, angles, block)``: (n,) angles, each copied from outside of its frame's block."""
    random, block = np.random.default_rng(0), 4
    images = np.cumsum(random.normal(size=(14, 4, 5, 3)), axis=0).astype(np.float32)  # neighbors look alike
    angles = random.uniform(-30, 30, 14)
    apart = ((images[:, np.newaxis] - images) ** 2).sum(axis=(2, 3, 4))
    numbers = np.arange(14)
    together = numbers[:, np.newaxis] // block == numbers // block

    def copied(forbidden: np.ndarray, sign: int = 1) -> np.ndarray:
        return np.where(forbidden, np.inf, sign * apart).argmin(axis=1)

    mistakes = {
        "each frame copies from itself: no block is left out": angles,
        "only the frame itself is left out; its neighbors in the block are its twins": angles[copied(np.eye(14) > 0)],
        "it copies from the frame's own block; all others are to be used": angles[copied(~together | (np.eye(14) > 0))],
        "it takes the picture that is least alike": angles[copied(together, -1)],
        "these are indices of frames, expected their angles": copied(together),
        "a copycat takes one angle, that of the most similar picture, no mean": [
            angles[~row].mean() for row in together
        ],
    }
    compare(call(cross_validate, images, angles, block), angles[copied(together)], mistakes, tolerance=1e-5)
    return Verdict(True, "every frame is asked, and none of its block was learned")
