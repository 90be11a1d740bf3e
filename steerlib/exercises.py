"""Checks of the notebooks' exercises: what is wrong with an answer, without giving the solution away.

Each ``check_<name>(answer, ...)`` takes what the reader wrote and, from the notebook, what it was made of (model, drive
...), and returns a `Verdict`; none of them raises. Nothing is compared with a stored number, so the checks hold on any
drive. An answer that is still ``...`` is not answered yet.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from steerlib.data import Drive, crop_road, preprocess

# The checks of notebooks 02 to 08 import the modules that need TensorFlow themselves: notebook 01 does without it.
if TYPE_CHECKING:
    import keras

    from steerlib.driving import Log

DEGREES = 0.1  # effects are compared with at least so many degrees, below which rounding may be all there is
NOT_YET = "not answered yet: replace each ... above"


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer; a notebook shows it as one line.

    Attributes
    ----------
    right : bool or None
        None: not answered yet.
    message : str
        If the answer is wrong, a hint.
    """

    right: bool | None
    message: str

    def __repr__(self) -> str:
        mark = {None: "…", True: "✓", False: "✗"}[self.right]
        return f"{mark} {self.message}"


class _Hint(Exception):
    """Ends a check: the answer is wrong, and this is the hint."""


class _NotYet(Exception):
    """Ends a check: there is no answer yet."""


def _check(check: Callable[..., Verdict]) -> Callable[..., Verdict]:
    """Turn whatever happens in a check into a verdict; a reader's mistake must not look like one of the notebook."""

    @functools.wraps(check)
    def verdict(*arguments: Any) -> Verdict:  # noqa: ANN401
        try:
            for argument in arguments:
                _answered(argument)
            return check(*arguments)
        except _NotYet:
            return Verdict(None, NOT_YET)
        except _Hint as hint:
            return Verdict(False, str(hint))
        except Exception as error:
            return Verdict(False, f"the answer could not be read: {_one_line(error)}")

    return verdict


def _answered(answer: Any) -> None:  # noqa: ANN401
    """End the check where an answer, or a part of it, is still the ``...`` of the stub."""
    parts = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, (tuple, list)) else [answer]
    if any(part is ... for part in parts):
        raise _NotYet


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _call(function: Callable, *inputs: Any) -> Any:  # noqa: ANN401
    """Call an answer that is a function; its inputs are copies, and it must leave them as they are."""
    if not callable(function):
        raise _Hint(f"expected a function, this is a {type(function).__name__}")
    copies = [one.copy() if isinstance(one, np.ndarray) else one for one in inputs]
    try:
        answer = function(*copies)
    except Exception as error:
        raise _Hint(f"{getattr(function, '__name__', 'the function')} raised {_one_line(error)}") from error
    if answer is None:
        raise _Hint("the function returns None: is a return missing?")
    _answered(answer)
    for one, copy in zip(inputs, copies):
        if isinstance(one, np.ndarray) and not np.array_equal(one, copy):
            raise _Hint("the function changes the array that it is given: work on a copy")
    return answer


def _parts(answer: Any, count: int) -> tuple:  # noqa: ANN401
    """Take an answer of several parts apart."""
    try:
        parts = tuple(answer)
    except TypeError:
        raise _Hint(f"expected {count} values, this is a {type(answer).__name__}") from None
    if len(parts) != count:
        raise _Hint(f"expected {count} values, these are {len(parts)}")
    return parts


def _close(answer: np.ndarray, expected: ArrayLike, tolerance: float, least: float = 1e-9) -> bool:
    expected = np.asarray(expected, float)
    if answer.shape != expected.shape or not np.isfinite(answer).all():
        return False
    return bool(np.abs(answer - expected).max(initial=0) <= tolerance * np.abs(expected).max(initial=least))


def _compare(
    answer: Any,  # noqa: ANN401
    expected: ArrayLike,
    mistakes: Mapping[str, ArrayLike] | None = None,
    what: str = "",
    tolerance: float = 2e-3,
    least: float = 1e-9,
) -> None:
    """End the check with a hint unless an answer is what is expected.

    Parameters
    ----------
    answer
        Anything; numbers are expected.
    expected : array
    mistakes : dict of str to array, optional
        Hint -> the answer that it belongs to. A mistake that gives what is expected is none.
    what : str
        What the answer is, to begin the hint with, where an exercise has several.
    tolerance : float
        Share of the largest expected value by which the answer may be off.
    least : float
        What the largest expected value counts as at least: a network that hardly answers gives only rounding errors.
    """
    start, expected = f"{what}: " if what else "", np.asarray(expected, float)
    try:
        answer = np.asarray(answer, float)
    except (TypeError, ValueError):
        raise _Hint(f"{start}expected numbers, this is a {type(answer).__name__}") from None
    if _close(answer, expected, tolerance, least):
        return
    for hint, mistake in (mistakes or {}).items():
        if _close(answer, mistake, tolerance):
            raise _Hint(start + hint)
    if answer.shape != expected.shape:
        swapped = answer.ndim > 1 and answer.shape == expected.shape[::-1]
        reason = ": the axes are in the wrong order" if swapped else ""
        raise _Hint(f"{start}shape {answer.shape}, expected {expected.shape}{reason}")
    if not np.isfinite(answer).all():
        raise _Hint(f"{start}it holds NaN or infinity")
    if _close(-answer, expected, tolerance):
        raise _Hint(f"{start}the sign is the wrong way round; an angle is positive to the right")
    if _close(np.degrees(answer), expected, tolerance):
        raise _Hint(f"{start}these are radians, expected degrees")
    if _close(answer / 100, expected, tolerance):
        raise _Hint(f"{start}this is in percent, expected a share from 0 to 1")
    if expected.size > 1 and answer.any():
        factor = np.vdot(answer, expected) / np.vdot(answer, answer)
        if _close(factor * answer, expected, tolerance):
            raise _Hint(f"{start}right up to one factor for all values: what is it divided by?")
        off = np.abs(answer - expected) > tolerance * np.abs(expected).max()
        raise _Hint(f"{start}{off.sum():,} of {off.size:,} values are off, the first at index {_first(off)}")
    size = "small" if answer.sum() < expected.sum() else "large"
    raise _Hint(f"{start}too {size}")


def _first(where: np.ndarray) -> str:
    return str(tuple(int(i) for i in np.argwhere(where)[0])).replace(",)", ")")


# Notebook 01


@_check
def check_bends(frames: int, share: float, drive: Drive) -> Verdict:
    """Check how many frames are in bends, and their share of the constant driver's squared error (0 to 1)."""
    angles = drive.angles.astype(float)
    limit = 20 if np.abs(angles).max() > 20 else 8
    bends, deviation = np.abs(angles) > limit, angles - angles.mean()
    mistakes = {
        "these are only the bends to the right": (angles > limit).sum(),
        "these are only the bends to the left": (angles < -limit).sum(),
        "these are the frames that are not in bends": (~bends).sum(),
    }
    _compare(frames, bends.sum(), mistakes, "frames in bends", tolerance=1e-6)
    mistakes = {
        "this is their share of the frames, not of the error": bends.mean(),
        "the constant driver holds the mean angle, not zero": (angles[bends] ** 2).sum() / (angles**2).sum(),
        "the error is to be squared": np.abs(deviation[bends]).sum() / np.abs(deviation).sum(),
        "this is a sum of squares, not yet a share of all": (deviation[bends] ** 2).sum(),
        "this is a mean of squares; a share compares sums": (deviation[bends] ** 2).mean(),
    }
    _compare(share, (deviation[bends] ** 2).sum() / (deviation**2).sum(), mistakes, "share", tolerance=0.01)
    return Verdict(True, "few frames, most of the error")


@_check
def check_repair(repair: Callable) -> Verdict:
    """Check ``repair(angles, suspects)``: (n,) degrees with each suspicious one replaced by its neighbors' mean."""
    angles, suspects = np.array([4.0, 6.0, 9.0, 0.0, 14.0, 15.0, 13.0, 0.0, 8.0, 3.0]), np.array([3, 7])
    before, after = angles[suspects - 1], angles[suspects + 1]

    def replaced(values: ArrayLike) -> np.ndarray:
        repaired = angles.copy()
        repaired[suspects] = values
        return repaired

    mistakes = {
        "nothing is replaced yet": angles,
        "both neighbors count, not only the one before": replaced(before),
        "both neighbors count, not only the one after": replaced(after),
        "a mean of two is half of their sum": replaced(before + after),
        "the suspicious angle itself must not be in the mean": replaced((before + after) / 3),
        "only its two neighbors count, not the whole drive": replaced(angles.mean()),
        "the suspicious frames are left out; they are to stay, with another angle": np.delete(angles, suspects),
    }
    _compare(_call(repair, angles, suspects), replaced((before + after) / 2), mistakes)
    return Verdict(True, "only the suspicious angles have changed, and they fit")


@_check
def check_mirror(mirror: Callable) -> Verdict:
    """Check ``mirror(frame, angle)``: the mirrored (H, W, 3) frame and its angle in degrees."""
    frame = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    mirrored, angle = _parts(_call(mirror, frame, 12.5), 2)
    mistakes = {
        "it is as it was": frame,
        "up and down are exchanged: which axis are the columns?": frame[::-1],
        "up and down are exchanged, too: it is turned, not mirrored": frame[::-1, ::-1],
        "the colors are exchanged (BGR), not left and right": frame[..., ::-1],
        "the colors are exchanged, too (BGR)": frame[:, ::-1, ::-1],
    }
    _compare(mirrored, frame[:, ::-1], mistakes, "the frame")
    _compare(angle, -12.5, {"a left bend becomes a right one, so its sign must change": 12.5}, "the angle")
    return Verdict(True, "left is right now, in the picture and in the angle")


@_check
def check_network_input(network_input: Callable) -> Verdict:
    """Check ``network_input(path)``: from an image file to the (66, 200, 3) RGB image in [0, 1] of the network."""
    frame = np.random.default_rng(0).integers(0, 256, (256, 455, 3), np.uint8)
    road, inverted = crop_road(frame), frame[::-1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.png"
        path.write_bytes(cv2.imencode(".png", frame[..., ::-1])[1].tobytes())
        answer = _call(network_input, path)
    expected = preprocess(frame)
    mistakes = {
        "red and blue are exchanged: OpenCV reads BGR": expected[..., ::-1],
        "the values reach to 255, expected 0 to 1": 255 * expected,
        "the sky is still in it: only the lower part of the frame is used": preprocess(frame, (0, 1)),
        "this is the upper part of the frame, with the sky": preprocess(np.ascontiguousarray(inverted))[::-1],
        "rows and columns are exchanged: OpenCV's resize wants the width first": cv2.resize(
            road, (66, 200), interpolation=cv2.INTER_AREA
        )
        / 255,
        "right, but for how the pixels are averaged: INTER_AREA takes all of them": cv2.resize(road, (200, 66)) / 255,
    }
    _compare(answer, expected, mistakes)
    return Verdict(True, "the same as preprocess gives")


# Notebook 02


@_check
def check_multiplications(multiplications: Callable, model: keras.Model) -> Verdict:
    """Check ``multiplications(layer)``: how many a convolution or a dense layer needs for one image."""
    weighted = [layer for layer in model.layers if layer.weights]
    answer = [_call(multiplications, layer) for layer in weighted]
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
    _compare(answer, places * kernels, mistakes, tolerance=1e-6)
    return Verdict(True, "weights times places")


@_check
def check_colors(bgr: np.ndarray, gray: np.ndarray, images: np.ndarray) -> Verdict:
    """Check images in BGR and in gray, (n, 66, 200, 3) each, made of ``images`` in RGB."""
    bgr, gray, images = (np.asarray(pictures)[:4] for pictures in (bgr, gray, images))
    mistakes = {
        "these are still RGB": images,
        "left and right are exchanged, not the colors: which axis are the channels?": images[:, :, ::-1],
        "up and down are exchanged, not the colors: which axis are the channels?": images[:, ::-1],
        "the colors are turned by one place; BGR is RGB from behind": np.roll(images, 1, axis=-1),
    }
    _compare(bgr, images[..., ::-1], mistakes, "BGR")
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
    _compare(gray, np.repeat(mean, 3, axis=-1), mistakes, "gray")
    return Verdict(True, "both are what they should be; now ask the network")


@_check
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
    _compare(_call(cross_validate, images, angles, block), angles[copied(together)], mistakes, tolerance=1e-5)
    return Verdict(True, "every frame is asked, and none of its block was learned")


# Notebook 03


def _effects(model: keras.Model, image: np.ndarray, hidden: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Give the effects of hiding in degrees, and the angles with it hidden."""
    from steerlib.model import predict

    angle, *angles = predict(model, np.stack([image, *hidden]))
    return angle - np.array(angles), np.array(angles)


@_check
def check_blurred_row(effects: np.ndarray, model: keras.Model, image: np.ndarray, places: np.ndarray) -> Verdict:
    """Check effects in degrees of blurred windows of 15 pixels along row 25, one for each column of ``places``."""
    from steerlib.occlusion import occlude

    found = {
        fill: _effects(model, image, [occlude(image, (25, column), 15, fill) for column in places])
        for fill in ("blur", "mean", 0.0)
    }
    mistakes = {
        "these are the black windows": found[0.0][0],
        "these windows have the image's mean color; asked is the blurred image": found["mean"][0],
        "these are the angles with the window hidden, expected the change": found["blur"][1],
    }
    _compare(effects, found["blur"][0], mistakes, tolerance=0.01, least=DEGREES)
    return Verdict(True, "now compare the two rows")


@_check
def check_band_effects(band_effects: Callable, model: keras.Model, image: np.ndarray) -> Verdict:
    """Check ``band_effects(image)``: (11,) degrees, of hiding rows 0 to 5, 6 to 11 ... behind the blurred image."""
    from steerlib.occlusion import fill_image

    def hidden(fill: float | str, axis: int = 0, start: int | None = None) -> list[np.ndarray]:
        blank, made = fill_image(image, fill), []
        for first in range(0, image.shape[axis] - 5, 6):
            place = np.arange(image.shape[axis])
            inside = ((place >= (first if start is None else start)) & (place < first + 6))[:, np.newaxis]
            made.append(np.where(inside[..., np.newaxis] if axis == 0 else inside, blank, image))
        return made

    expected, angles = _effects(model, image, hidden("blur"))
    mistakes = {
        "these are the angles with a band hidden, expected the change": angles,
        "the bands are black; asked is the blurred image": _effects(model, image, hidden(0.0))[0],
        "the bands have the image's mean color; asked is the blurred image": _effects(model, image, hidden("mean"))[0],
        "these bands are columns: wrong axis": _effects(model, image, hidden("blur", axis=1))[0],
        "each band begins at the top: only six rows are to be hidden": _effects(model, image, hidden("blur", 0, 0))[0],
    }
    _compare(_call(band_effects, image), expected, mistakes, tolerance=0.01, least=DEGREES)
    return Verdict(True, "a profile of the road, from far to near")


@_check
def check_halves(halves: Callable, model: keras.Model, image: np.ndarray) -> Verdict:
    """Check ``halves(image)``: the effects in degrees of hiding the left half, the right one, and both, blurred."""
    from steerlib.occlusion import fill_image

    def hidden(fill: float | str, axis: int = 1) -> list[np.ndarray]:
        blank, shape = fill_image(image, fill), [1, 1, 1]
        shape[axis] = -1
        first = (np.arange(image.shape[axis]) < image.shape[axis] // 2).reshape(shape)
        return [np.where(first, blank, image), np.where(first, image, blank), blank]

    expected, angles = _effects(model, image, hidden("blur"))
    mistakes = {
        "left and right are exchanged: columns count from the left": expected[[1, 0, 2]],
        "the third is to be measured, not to be added up: that is the question": [*expected[:2], expected[:2].sum()],
        "these are the angles with a half hidden, expected the change": angles,
        "these are the upper and the lower half: wrong axis": _effects(model, image, hidden("blur", 0))[0],
        "the halves are black; asked is the blurred image": _effects(model, image, hidden(0.0))[0],
    }
    _compare(_call(halves, image), expected, mistakes, tolerance=0.01, least=DEGREES)
    return Verdict(True, "do they add up?")


# Notebook 04


def _convolve(layer: keras.Layer, below: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Compute a convolution before its ReLU with other weights: (h, w, c)."""
    import keras

    return np.asarray(keras.ops.conv(below[np.newaxis], kernel, layer.strides, layer.padding) + bias)[0]


def _before_relu(model: keras.Model, image: np.ndarray) -> dict[str, np.ndarray]:
    """Give what each convolution computes before its ReLU, by its name: (h, w, c)."""
    from steerlib.hypercolumns import activations

    after = activations(model, image)
    layers = [model.get_layer(name) for name in after]
    belows = [image, *after.values()]
    return {layer.name: _convolve(layer, below, *layer.get_weights()) for layer, below in zip(layers, belows)}


def _stretched(cells: np.ndarray) -> np.ndarray:
    """Draw cells from border to border, as notebook 04 warns against."""
    return cv2.resize(np.asarray(cells, np.float32), (200, 66), interpolation=cv2.INTER_LINEAR)


@_check
def check_correlations(correlations: dict[str, float], model: keras.Model, image: np.ndarray) -> Verdict:
    """Check each layer's correlation with the product: layer -> -1 to 1, over the pixels of ``image``."""
    from steerlib.hypercolumns import LAYERS, activations, hypercolumns
    from steerlib.trust import correlation, rank_correlation

    if not isinstance(correlations, dict) or set(correlations) != set(LAYERS):
        raise _Hint(f"expected a dict with the layers {', '.join(LAYERS)}")
    product = hypercolumns(model, image)
    maps = [hypercolumns(model, image, (name,)) for name in LAYERS]
    means = [np.abs(activation).mean(axis=-1) for activation in activations(model, image).values()]

    def with_product(pictures: list[np.ndarray]) -> np.ndarray:
        return np.array([correlation(picture, product) for picture in pictures])

    expected = with_product(maps)
    mistakes = {
        "these are rank correlations": [rank_correlation(map, product) for map in maps],
        "these are squares of correlations": expected**2,
        "stretched from border to border: each cell belongs where it looks": with_product(
            [_stretched(cells) for cells in means]
        ),
        "these are with the last layer, expected with the product": [correlation(map, maps[-1]) for map in maps],
    }
    answer = [correlations[name] for name in LAYERS]
    if not product.any():  # there is nothing to correlate with: np.corrcoef gives NaN
        answer = [0.0 if isinstance(one, float) and np.isnan(one) else one for one in answer]
    _compare(answer, expected, mistakes, tolerance=0.01)
    return Verdict(True, "the largest one decides most")


@_check
def check_mean_of_layers(mean_of_layers: Callable, model: keras.Model, image: np.ndarray) -> Verdict:
    """Check ``mean_of_layers(image)``: (66, 200), the mean of the five layers' pictures, with a maximum of 1."""
    from steerlib.hypercolumns import activations, cells_to_pixels, hypercolumns

    def mean(layers: dict[str, np.ndarray], summary: Callable = np.mean, scaled: bool = True) -> np.ndarray:
        pictures = []
        for name, activation in layers.items():
            cells = summary(np.abs(activation), axis=-1)
            pictures.append(cells_to_pixels(cells / ((cells.max() if scaled else 0) or 1), model, name))
        return np.mean(pictures, axis=0) / (np.mean(pictures, axis=0).max() or 1)

    layers = activations(model, image)
    cells = {name: np.abs(activation).mean(axis=-1) for name, activation in layers.items()}
    stretched = np.mean([_stretched(one / (one.max() or 1)) for one in cells.values()], axis=0)
    mistakes = {
        "this is the product": hypercolumns(model, image),
        "scale each layer's picture before the mean: now the loudest one decides": mean(layers, scaled=False),
        "these are the values before the ReLU": mean(_before_relu(model, image)),
        "this is each layer's largest channel, expected the mean of all": mean(layers, np.max),
        "stretched from border to border: each cell belongs where it looks": stretched / (stretched.max() or 1),
    }
    _compare(_call(mean_of_layers, image), mean(layers), mistakes, tolerance=5e-3)
    return Verdict(True, "now compare it with the product")


@_check
def check_without_channel(without_channel: Callable, model: keras.Model, image: np.ndarray) -> Verdict:
    """Check ``without_channel(channel)``: a copy of the network in which this channel of conv5 gives 0."""
    from steerlib.hypercolumns import activations

    before, weights = activations(model, image), model.get_weights()
    channel, layer = int(before["conv5"].mean(axis=(0, 1)).argmax()), model.get_layer("conv5")
    network = _call(without_channel, channel)
    if any(not np.array_equal(*pair) for pair in zip(weights, model.get_weights())):
        model.set_weights(weights)
        raise _Hint("this changes the network itself (it has its weights back now): change those of the copy")
    kernel, bias = layer.get_weights()
    filters, inputs, nothing = kernel.copy(), kernel.copy(), bias.copy()
    filters[..., channel], inputs[:, :, channel], nothing[channel] = 0, 0, 0

    def seen(kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
        return np.maximum(_convolve(layer, before["conv4"], kernel, bias), 0)

    mistakes = {
        "nothing has changed": before["conv5"],
        "the filter is zero, but the channel still has its bias": seen(filters, bias),
        "the bias is zero, but the channel still has its filter": seen(kernel, nothing),
        "wrong axis of the kernel: conv5 is deaf to a channel of conv4": seen(inputs, bias),
        "wrong axis of the kernel: conv5 is deaf to a channel of conv4, and a bias is zero": seen(inputs, nothing),
        "all channels are silent, expected one": 0 * before["conv5"],
    }
    _compare(activations(network, image)["conv5"], seen(filters, nothing), mistakes, "conv5", tolerance=1e-4)
    return Verdict(True, "this channel is silent, whatever it sees")


# Notebook 05


@_check
def check_wrong_sides(grad_cam: int, hires_cam: int, missing: float, model: keras.Model, drive: Drive) -> Verdict:
    """Check how many sums of each method are on the wrong side, and the biases' degrees on HiResCAM's worst frame."""
    from steerlib.gradcam import layer_gradient
    from steerlib.hypercolumns import cells_to_pixels

    activation, gradient, angles = layer_gradient(model, drive.images(np.arange(0, len(drive), 5)), "conv3")
    beyond, sums = np.abs(angles) > 5, {}
    for name, weights in {"Grad-CAM": gradient.mean(axis=(1, 2), keepdims=True), "HiResCAM": gradient}.items():
        cells = (weights * activation).sum(axis=-1)
        for enlarged, map in ((False, cells), (True, cells_to_pixels(cells, model, "conv3", fade=True))):
            sums[name, enlarged] = map.sum(axis=(1, 2))
    # What rounding may make of a sum that is nearly zero, or of an angle of nearly 5°, is right either way.
    rounding = 1e-5 * np.abs(gradient * activation).sum(axis=(1, 2, 3))
    wrong = {key: np.sign(values) != np.sign(angles) for key, values in sums.items()}
    for (name, other), answer in zip((("Grad-CAM", "HiResCAM"), ("HiResCAM", "Grad-CAM")), (grad_cam, hires_cam)):
        mistakes = {
            "frames within 5° of straight ahead do not count": wrong[name, False].sum(),
            "this is the count of the other method": (wrong[other, False] & beyond).sum(),
            "add up the cells, not the pixels: enlarging counts cells at the border often": (
                wrong[name, True] & beyond
            ).sum(),
            "these are the sums on the angle's own side": (~wrong[name, False] & beyond).sum(),
            "this is a share, expected a count": (wrong[name, False] & beyond).sum() / max(beyond.sum(), 1),
        }
        expected = (wrong[name, False] & beyond).sum()
        close = (np.abs(np.abs(angles) - 5) < 1e-3) | ((np.abs(sums[name, False]) <= rounding) & (rounding > 0))
        _compare(answer, expected, mistakes, name, tolerance=1e-6, least=(close.sum() + 0.5) / 1e-6)
    own_side = np.where(beyond, sums["HiResCAM", False] * np.sign(angles), np.inf)
    worst = np.argmin(own_side)
    total, whole = sums["HiResCAM", False][worst], np.degrees(np.sin(np.radians(angles[worst])))
    mistakes = {
        "this is what is missing to the angle; map and biases make 57.3° sin θ": angles[worst] - total,
        "this is map and biases together, expected the biases": whole,
        "this is the sum of the map, expected what is missing": total,
    }
    _compare(missing, whole - total, mistakes, "missing", tolerance=5e-3, least=max(10.0, 100 * rounding[worst]))
    return Verdict(True, "the map alone is not the whole angle")


@_check
def check_against_blur(against_blur: Callable, model: keras.Model, images: np.ndarray) -> Verdict:
    """Check ``against_blur(image, layer)``: (h, w) signed degrees, activations counted from the blurred image's."""
    from steerlib.gradcam import layer_gradient
    from steerlib.occlusion import fill_image

    answer = [_call(against_blur, image, "conv3") for image in images]
    activation, gradient, _ = layer_gradient(model, images, "conv3")
    other, elsewhere, _ = layer_gradient(model, np.stack([fill_image(image, "blur") for image in images]), "conv3")
    each = gradient * (activation - other)
    mistakes = {
        "the activation still counts from zero": (gradient * activation).sum(axis=-1),
        "this is what the blurred image has, expected the difference to it": (gradient * other).sum(axis=-1),
        "the sign is the wrong way round: the image comes first, then the blurred one": -each.sum(axis=-1),
        "the gradient is that of the blurred image, expected of the image": (elsewhere * (activation - other)).sum(
            axis=-1
        ),
        "the gradient is averaged over the cells, as in Grad-CAM": (
            gradient.mean(axis=(1, 2), keepdims=True) * (activation - other)
        ).sum(axis=-1),
        "a ReLU is left in: both signs are wanted": np.maximum(each.sum(axis=-1), 0),
        "this is a mean over the channels, expected a sum": each.mean(axis=-1),
        "the channels are still there: add them up": each,
    }
    _compare(answer, each.sum(axis=-1), mistakes, tolerance=5e-3)
    return Verdict(True, "now ask occlusion")


@_check
def check_pooled(pooled: Callable) -> Verdict:
    """Check ``pooled()``: a network from (66, 200, 3) to an angle that ends in an average and one unit."""
    import keras

    from steerlib.gradcam import layer_gradient
    from steerlib.hypercolumns import convolutions

    network = _call(pooled)
    if not isinstance(network, keras.Model):
        raise _Hint(f"expected a keras.Model, this is a {type(network).__name__}")
    if tuple(network.input_shape[1:]) != (66, 200, 3):
        raise _Hint(f"its input has the shape {network.input_shape[1:]}, expected (66, 200, 3)")
    if tuple(network.output_shape[1:]) != (1,):
        raise _Hint(f"its output has the shape {network.output_shape[1:]}, expected one angle: (1,)")
    kinds, names = [type(layer).__name__ for layer in network.layers], convolutions(network)
    if not names:
        raise _Hint("it has no Conv2D, so there is nothing to make a map of")
    if "Flatten" in kinds:
        raise _Hint("it still flattens, so each cell keeps a weight of its own")
    if "GlobalMaxPooling2D" in kinds:
        raise _Hint("a maximum listens to one cell only, expected an average")
    if "GlobalAveragePooling2D" not in kinds:
        raise _Hint("GlobalAveragePooling2D is missing")
    if kinds.count("Dense") != 1:
        raise _Hint(f"it has {kinds.count('Dense')} dense layers, expected one behind the average")
    image = np.random.default_rng(0).random((66, 200, 3), np.float32)
    gradient = layer_gradient(network, image, names[-1])[1]
    if np.ptp(gradient, axis=(0, 1)).max() > 1e-3 * np.abs(gradient).max():
        raise _Hint(f"the gradient of {names[-1]} differs from cell to cell: what stands between it and the average?")
    return Verdict(True, "one gradient for all cells of a channel")


@_check
def check_grad_cam_left(grad_cam_left: Callable, model: keras.Model, images: np.ndarray) -> Verdict:
    """Check ``grad_cam_left(image, layer)``: the (h, w) cells of Grad-CAM for left, in degrees, at least 0."""
    from steerlib.gradcam import grad_cam, layer_gradient

    layer = "conv4"
    answer = [_call(grad_cam_left, image, layer) for image in images]
    activation, gradient, _ = layer_gradient(model, images, layer)
    before = np.stack([_before_relu(model, image)[layer] for image in images])
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    cells = -(weights * activation).sum(axis=-1)
    mistakes = {
        "the ReLU is missing: what speaks against left is still there": cells,
        "this is what speaks for right": np.maximum(-cells, 0),
        "these activations are those before the layer's own ReLU": np.maximum(-(weights * before).sum(axis=-1), 0),
        "the gradient is averaged over the channels, expected over the cells: wrong axis": np.maximum(
            -(gradient.mean(axis=-1, keepdims=True) * activation).sum(axis=-1), 0
        ),
        "the gradient is not averaged: this is HiResCAM": np.maximum(-(gradient * activation).sum(axis=-1), 0),
        "the ReLU comes last: add up the channels before it": np.maximum(-weights * activation, 0).sum(axis=-1),
        "the gradient is added up over the cells, expected its mean": np.maximum(cells, 0) * gradient[0, ..., 0].size,
        "this is a mean over the channels, expected a sum": np.maximum(cells, 0) / activation.shape[-1],
        "this is enlarged to pixels, expected the layer's cells": grad_cam(model, images, layer, "left"),
        "this is scaled by its maximum, so its degrees are gone": np.maximum(cells, 0)
        / np.maximum(cells.max(axis=(1, 2), keepdims=True), 1e-9),
    }
    _compare(answer, np.maximum(cells, 0), mistakes, tolerance=5e-3)
    return Verdict(True, "Grad-CAM for left")


# Notebook 06


@_check
def check_argument(argument: np.ndarray, correlation: float, accounts: np.ndarray, drive: Drive) -> Verdict:
    """Check the smaller side of each frame's ledger, (n,) degrees, and its rank correlation with the error's size."""
    from steerlib.trust import correlation as of_values
    from steerlib.trust import rank_correlation

    left, right, _, angle = np.transpose(accounts)
    expected, error = np.minimum(-left, right), angle - drive.angles
    mistakes = {
        "left is negative in the ledger: compare sizes": np.minimum(left, right),
        "this is the larger of the two sides": np.maximum(-left, right),
        "this is both sides together, expected the smaller one": right - left,
        "this is what is left when the two have argued, expected the smaller side": right + left,
    }
    _compare(argument, expected, mistakes, "argument")
    mistakes = {
        "this is a correlation of values, expected of ranks": of_values(expected, np.abs(error)),
        "this is with the error's sign, expected its size": rank_correlation(expected, error),
        "this is with the size of the angle, expected of the error": rank_correlation(expected, np.abs(angle)),
    }
    if abs(float(correlation) - rank_correlation(expected, np.abs(error))) > 0.005:
        _compare(correlation, rank_correlation(expected, np.abs(error)), mistakes, "correlation", tolerance=0.01)
    return Verdict(True, "is a loud argument a sign of an error?")


@_check
def check_by_channel(by_channel: Callable, gap: keras.Model, image: np.ndarray) -> Verdict:
    """Check ``by_channel(image)``: (64,) what each channel of the last convolution adds to x."""
    from steerlib.cam import cam, degrees_of
    from steerlib.hypercolumns import activations

    name, activation = list(activations(gap, image).items())[-1]
    weights, bias = gap.get_layer("steering").get_weights()
    means = activation.mean(axis=(0, 1))
    expected = means * weights[:, 0]
    cells = cam(gap, image, enlarged=False).ravel()
    worth = degrees_of(expected.sum() + bias[0])
    mistakes = {
        "the channels' weights are missing": means,
        "these are the weights alone: what do they weigh on this image?": weights[:, 0],
        "this is a sum over the cells, expected their mean": expected * cells.size,
        "this is one number for each cell, expected for each channel: wrong axis": cells,
        "this is each cell's share of the mean, expected each channel's: wrong axis": cells / cells.size,
        "these activations are those before the ReLU": _before_relu(gap, image)[name].mean(axis=(0, 1)) * weights[:, 0],
        "the bias belongs to no channel": expected + bias[0],
        "these are degrees, expected what is added to x": expected * worth,
        "these are sizes, expected with their sign": np.abs(expected),
    }
    _compare(_call(by_channel, image), expected, mistakes)
    return Verdict(True, "with the bias they add up to x")


@_check
def check_with_columns(with_columns: Callable, image: np.ndarray) -> Verdict:
    """Check ``with_columns()``: an untrained network whose conv1 sees the columns, and for which CAM is exact."""
    import keras

    from steerlib.cam import ledger
    from steerlib.hypercolumns import convolutions

    network = _call(with_columns)
    if not isinstance(network, keras.Model):
        raise _Hint(f"expected a keras.Model, this is a {type(network).__name__}")
    if tuple(network.input_shape[1:]) != (66, 200, 3):
        raise _Hint(
            f"its input has the shape {network.input_shape[1:]}, expected (66, 200, 3): the network adds the columns"
        )
    first = network.get_layer(convolutions(network)[0])
    seen = np.asarray(keras.Model(network.input, first.input)(image[np.newaxis]))[0]
    if seen.shape[-1] == 3:
        raise _Hint("the first convolution still sees three channels")
    rows, columns = np.linspace(-1, 1, seen.shape[0])[:, np.newaxis], np.linspace(-1, 1, seen.shape[1])
    flat = np.zeros(seen.shape[:2])
    mistakes = {
        "these are the pixels' rows, expected their columns": rows + flat,
        "the columns run from 0 to 1, expected from -1 to 1": (columns + 1) / 2 + flat,
        "the columns are counted in pixels, expected from -1 to 1": np.arange(seen.shape[1]) + flat,
        "the columns run from right to left": -columns + flat,
    }
    _compare(seen[..., 3:], (columns + flat)[..., np.newaxis], {k: v[..., np.newaxis] for k, v in mistakes.items()})
    try:
        account = ledger(network, image)
    except ValueError as error:
        raise _Hint(f"no account for it: {_one_line(error)}") from error
    _compare(account.left + account.right + account.bias, account.angle, {}, "left + right + bias", tolerance=0.01)
    return Verdict(True, "exact: the convolutions may see what they like")


# Notebook 07


@_check
def check_saturated(saturated: Callable, maps: np.ndarray) -> Verdict:
    """Check ``saturated(limit)``: the share of all pixels of ``maps`` beyond a limit, and of frames that have one."""
    limit = float(np.percentile(np.abs(maps), 99.7))
    pixels, frames = _parts(_call(saturated, limit), 2)
    beyond = np.abs(maps) >= limit
    red, blue = maps >= limit, maps <= -limit
    mistakes = {
        "only red is counted; blue saturates, too": red.mean(),
        "only blue is counted; red saturates, too": blue.mean(),
        "these are the pixels within the limit": 1 - beyond.mean(),
        "this is a count, expected a share": beyond.sum(),
        "the two answers are exchanged": beyond.any(axis=(1, 2)).mean(),
    }
    _compare(pixels, beyond.mean(), mistakes, "pixels", tolerance=0.01)
    mistakes = {
        "only red is counted; blue saturates, too": red.any(axis=(1, 2)).mean(),
        "only blue is counted; red saturates, too": blue.any(axis=(1, 2)).mean(),
        "this is a share of the places in the picture: which axis are the frames?": beyond.any(axis=0).mean(),
        "this is the share of frames with nothing but such pixels": beyond.all(axis=(1, 2)).mean(),
        "this is a count, expected a share": beyond.any(axis=(1, 2)).sum(),
    }
    _compare(frames, beyond.any(axis=(1, 2)).mean(), mistakes, "frames", tolerance=0.01)
    return Verdict(True, "few pixels, but on many frames")


@_check
def check_running_mean(running_mean: Callable) -> Verdict:
    """Check ``running_mean(values, width)``: the mean of the last ``width`` values, of fewer at the start."""
    values, width = np.array([3.0, -1.0, 4.0, 8.0, -5.0, 9.0, 2.0, 6.0, -7.0, 1.0]), 4
    n = len(values)

    def mean(first: int, last: int) -> np.ndarray:
        return np.array([values[max(i + first, 0) : min(i + last, n)].mean() for i in range(n)])

    mistakes = {
        "nothing is smoothed yet": values,
        "it looks into the future: take only what was": mean(0, width),
        "it looks to both sides, and so into the future": mean(-2, 2),
        "it looks to both sides, as np.convolve does with same": np.convolve(values, np.ones(4) / 4, "same"),
        "at the start there are fewer values: divide by their number": np.convolve(values, np.ones(4) / 4)[:n],
        "the start is missing: there the mean is over fewer values": np.convolve(values, np.ones(4) / 4, "valid"),
        "the present value is left out": np.array([values[max(i - width, 0) : max(i, 1)].mean() for i in range(n)]),
        "it is one value too long": mean(-width, 1),
        "these are all values so far, expected the last ones": np.cumsum(values) / np.arange(1, n + 1),
        "these are sums, expected means": mean(1 - width, 1) * np.minimum(np.arange(1, n + 1), width),
    }
    _compare(_call(running_mean, values, width), mean(1 - width, 1), mistakes, tolerance=1e-6)
    return Verdict(True, "only the past, and as many values as there are")


@_check
def check_evidence_of(evidence_of: Callable, model: keras.Model, images: np.ndarray) -> Verdict:
    """Check ``evidence_of(method, chosen)``: (n, 2) evidence for left and right, both at least 0."""
    from steerlib.explain import explain

    chosen = np.array([0, len(images) // 2, len(images) - 1])
    for method in ("hires-cam", "grad-cam"):
        answer = _call(evidence_of, method, chosen)
        maps = np.stack([explain(model, images[i], method, "right", signed=True).map for i in chosen])
        cut = np.stack([explain(model, images[i], method, "right").map for i in chosen])
        left, right = -np.minimum(maps, 0).mean(axis=(1, 2)), np.maximum(maps, 0).mean(axis=(1, 2))
        size = maps[0].size
        mistakes = {
            "left and right are exchanged": np.stack([right, left], axis=1),
            "left is negative; both are sizes": np.stack([-left, right], axis=1),
            "nothing speaks for left: the map has lost its sign": np.stack([0 * left, cut.mean(axis=(1, 2))], axis=1),
            "these are sums over the pixels, expected means": np.stack([left, right], axis=1) * size,
            "a row is a frame, a column a side: the axes are exchanged": np.stack([left, right]),
            "these are means over the pixels of one sign, expected over all pixels": np.stack(
                [
                    part * size / np.maximum((side * maps > 0).sum(axis=(1, 2)), 1)
                    for side, part in ((-1, left), (1, right))
                ],
                axis=1,
            ),
        }
        _compare(answer, np.stack([left, right], axis=1), mistakes, method, tolerance=5e-3)
    return Verdict(True, "now compare the three methods")


# Notebook 08


@_check
def check_smoothed(smoothed: Callable) -> Verdict:
    """Check ``smoothed(map)``: the magnitude of a (66, 200) map, blurred by a Gaussian of 3 pixels."""
    map = np.random.default_rng(0).normal(size=(66, 200)).astype(np.float32)
    inner = slice(12, -12), slice(12, -12)  # how the border is treated is left to the reader

    def blurred(values: np.ndarray, size: int = 0, sigma: float = 3) -> np.ndarray:
        return cv2.GaussianBlur(values, (size, size), sigma)[inner]

    answer = np.asarray(_call(smoothed, map), float)
    if answer.shape != map.shape:
        raise _Hint(f"shape {answer.shape}, expected {map.shape}")
    mistakes = {
        "the map is blurred with its sign, so red and blue cancel": blurred(map),
        "the magnitude comes first: blurred with their sign, red and blue cancel": np.abs(blurred(map)),
        "3 is the Gaussian's standard deviation, here it is the size of the window": blurred(np.abs(map), 3, 0),
        "nothing is blurred yet": np.abs(map)[inner],
        "nothing is done yet": map[inner],
        "this is a mean over a window, expected a Gaussian": cv2.blur(np.abs(map), (3, 3))[inner],
    }
    _compare(answer[inner], blurred(np.abs(map)), mistakes, tolerance=0.01)
    return Verdict(True, "the magnitude, smooth")


@_check
def check_harder_control(harder_control: Callable, image: np.ndarray) -> Verdict:
    """Check ``harder_control(network, image)``: (66, 200), the blob times the edges; its scale does not matter."""
    from steerlib.trust import center_map, edge_map

    def unasked(*_: Any) -> None:  # noqa: ANN401
        raise _Hint("it asks the network; a control must not")

    answer = np.asarray(_call(harder_control, unasked, image), float)
    blob, edges = center_map(image), edge_map(image)
    mistakes = {
        "this is the blob alone": blob,
        "these are the edges alone": edges,
        "this is a sum, expected a product": blob + edges,
        "this is a sum, expected a product (the edges scaled to 1)": blob + edges / edges.max(),
    }
    scaled = {hint: map / map.max() for hint, map in mistakes.items()}
    _compare(answer / (np.abs(answer).max() or 1), blob * edges / (blob * edges).max(), scaled)
    return Verdict(True, "a control that knows the frame and has not asked the network")


@_check
def check_black_blank(areas: Callable) -> Verdict:
    """Check ``areas(network, image, map)``: of deletion in 8 steps, with a blurred and with a black blank."""
    from steerlib import trust

    network, (image, _) = trust.known_network(), trust.known_image()
    map = trust.known_map(image)
    blurred, black = (trust.deletion(network, image, map, fill, steps=8).area for fill in ("blur", 0.0))
    mistakes = {
        "the two are exchanged: blurred comes first": [black, blurred],
        "both are of the blurred blank": [blurred, blurred],
        "both are of the black blank": [black, black],
        "this is insertion": [trust.insertion(network, image, map, fill, steps=8).area for fill in ("blur", 0.0)],
        "16 steps, expected 8": [trust.deletion(network, image, map, fill).area for fill in ("blur", 0.0)],
    }
    _compare(_parts(_call(areas, network, image, map), 2), [blurred, black], mistakes, tolerance=5e-3)
    return Verdict(True, "now the four maps")


# Notebook 09


@_check
def check_longest(longest: ArrayLike, logs: Sequence[Log]) -> Verdict:
    """Check the longest time in seconds that passed on each road (n,) without an intervention."""
    from steerlib.driving import INTERVAL

    ends = [np.concatenate([[0], log.interventions, [len(log.offset)]]) for log in logs]
    inner = [np.diff(each[:-1]) if len(each) > 2 else np.diff(each) for each in ends]
    mistakes = {
        "these are pictures, ten of which are a second": [np.diff(each).max() for each in ends],
        "the time from the last intervention to the end counts, too": [INTERVAL * each.max() for each in inner],
        "these are the shortest times": [INTERVAL * np.diff(each).min() for each in ends],
        "these are the mean times": [INTERVAL * np.diff(each).mean() for each in ends],
    }
    _compare(longest, [INTERVAL * np.diff(each).max() for each in ends], mistakes)
    return Verdict(True, "so long did each road go well")


@_check
def check_driver(driver: Callable, seeds: Sequence[int] = (2000, 2001, 2002)) -> Verdict:
    """Check ``driver(offset, heading)``: the wheel's angle from meters to the right and degrees askew to the right."""
    from steerlib.driving import autonomy

    for place, turned in (((0.5, 0.0), "half a meter to the right"), ((0.0, 3.0), "3° askew to the right")):
        angle = float(np.asarray(_call(driver, *place), float))
        if angle > 0:
            raise _Hint(f"the car stands {turned}, and it steers further right: the sign is the wrong way round")
        if angle == 0:
            raise _Hint(f"the car stands {turned}, and it does nothing about it")
    if float(np.asarray(_call(driver, 0.0, 0.0), float)):
        raise _Hint("in the middle of the lane and straight along it, it does not hold the wheel straight")
    if abs(float(np.asarray(_call(driver, 0.5, 0.0), float))) < 3:
        raise _Hint("it hardly moves the wheel: is its answer in degrees of the steering wheel, not radians?")

    def policy(images: None, scenes: Sequence, poses: Sequence) -> np.ndarray:
        return np.array([float(_call(driver, pose.offset, float(np.degrees(pose.heading)))) for pose in poses])

    policy.sees = False
    found = autonomy(policy, seeds, 30.0, progress=False)
    if found.interventions:
        swings = found.steering_rate > 30
        advice = "it swings: let the heading count more" if swings else "in bends it is too far out: let it steer more"
        raise _Hint(f"{found.interventions} interventions in {found.seconds:.0f} s; {advice}")
    return Verdict(True, f"nobody had to take over; at most {found.largest_offset:.2f} m from the lane's center")


@_check
def check_copies(copies: Callable, network: keras.Model, images: np.ndarray) -> Verdict:
    """Check ``copies(network, images)``: degrees of the answer for each degree that the display shows."""
    from steerlib.model import predict
    from steerlib.roads import show_wheel

    left, right = (predict(network, show_wheel(images, np.full(len(images), angle))) for angle in (-20.0, 20.0))
    change = right - left
    mistakes = {
        "this is the change; divide it by the degrees that the light was moved": change.mean(),
        "from -20° to +20° the light moves by 40°": change.mean() / 20,
    }
    _compare(_call(copies, network, images), change.mean() / 40, mistakes, tolerance=0.01)
    return Verdict(True, "1 is a copycat, 0 does not look at the display")
