"""Checks of the exercises of notebook 06: CAM."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from steerlib.drives import Drive
from steerlib.exercises.hypercolumns import before_relu
from steerlib.exercises.verdict import Hint, Verdict, call, check, compare, one_line

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network


@check
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
    compare(argument, expected, mistakes, "argument")
    mistakes = {
        "this is a correlation of values, expected of ranks": of_values(expected, np.abs(error)),
        "this is with the error's sign, expected its size": rank_correlation(expected, error),
        "this is with the size of the angle, expected of the error": rank_correlation(expected, np.abs(angle)),
    }
    if abs(float(correlation) - rank_correlation(expected, np.abs(error))) > 0.005:
        compare(correlation, rank_correlation(expected, np.abs(error)), mistakes, "correlation", tolerance=0.01)
    return Verdict(True, "is a loud argument a sign of an error?")


@check
def check_by_channel(by_channel: Callable, gap: Network | keras.Model, image: np.ndarray) -> Verdict:
    """Check ``by_channel(image)``: (64,) what each channel of the last convolution adds to x."""
    from steerlib.maps.cam import cam, degrees_of
    from steerlib.maps.hypercolumns import activations
    from steerlib.networks.network import as_network

    gap = as_network(gap).model
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
        "these activations are those before the ReLU": before_relu(gap, image)[name].mean(axis=(0, 1)) * weights[:, 0],
        "the bias belongs to no channel": expected + bias[0],
        "these are degrees, expected what is added to x": expected * worth,
        "these are sizes, expected with their sign": np.abs(expected),
    }
    compare(call(by_channel, image), expected, mistakes)
    return Verdict(True, "with the bias they add up to x")


@check
def check_with_columns(with_columns: Callable, image: np.ndarray) -> Verdict:
    """Check ``with_columns()``: an untrained network whose conv1 sees the columns, and for which CAM is exact."""
    import keras

    from steerlib.maps.cam import ledger
    from steerlib.networks.network import as_network
    from steerlib.networks.pilotnet import SIZE

    network = call(with_columns)
    if not isinstance(network, keras.Model):
        raise Hint(f"expected a keras.Model, this is a {type(network).__name__}")
    if tuple(network.input_shape[1:]) != (*SIZE, 3):
        raise Hint(
            f"its input has the shape {network.input_shape[1:]}, expected {(*SIZE, 3)}: the network adds the columns"
        )
    first = network.get_layer(as_network(network).layers[0])
    seen = np.asarray(keras.Model(network.input, first.input)(image[np.newaxis]))[0]
    if seen.shape[-1] == 3:
        raise Hint("the first convolution still sees three channels")
    rows, columns = np.linspace(-1, 1, seen.shape[0])[:, np.newaxis], np.linspace(-1, 1, seen.shape[1])
    flat = np.zeros(seen.shape[:2])
    mistakes = {
        "these are the pixels' rows, expected their columns": rows + flat,
        "the columns run from 0 to 1, expected from -1 to 1": (columns + 1) / 2 + flat,
        "the columns are counted in pixels, expected from -1 to 1": np.arange(seen.shape[1]) + flat,
        "the columns run from right to left": -columns + flat,
    }
    compare(seen[..., 3:], (columns + flat)[..., np.newaxis], {k: v[..., np.newaxis] for k, v in mistakes.items()})
    try:
        account = ledger(network, image)
    except ValueError as error:
        raise Hint(f"no account for it: {one_line(error)}") from error
    compare(account.left + account.right + account.bias, account.angle, {}, "left + right + bias", tolerance=0.01)
    return Verdict(True, "exact: the convolutions may see what they like")
