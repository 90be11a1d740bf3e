"""The class activation map of a network that averages its last convolution: an exact account (notebook 06)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from steerlib.maps.hypercolumns import activations
from steerlib.maps.method import Explanation, Method, with_network
from steerlib.networks.cells_to_pixels import cells_to_pixels
from steerlib.networks.network import Network

if TYPE_CHECKING:
    import keras


class Ledger(NamedTuple):
    """What made up an angle: three parts in degrees, positive to the right, whose sum is the angle."""

    left: float  # of all cells that steer left; at most 0
    right: float  # of all cells that steer right; at least 0
    bias: float  # of the last layer, whatever is seen
    angle: float


@with_network
def cam(network: Network, picture: np.ndarray, enlarged: bool = True) -> np.ndarray:
    """Account for the angle of a network with global average pooling, cell by cell (CAM).

    Introduced in notebook 06. Zhou et al. (arXiv 1512.04150), for an angle in place of a class. With the activations
    A of the last convolution, and the weights w and the bias b of the one unit behind the average,
    x = mean over the cells (Σ_c w_c A_c) + b. What is averaged is the map. This is no approximation: the mean of the
    cells plus b is x, from which the angle 2·atan(x) is made.

    Parameters
    ----------
    network : Network
        As `steerlib.pilotnet_gap`: a convolution, GlobalAveragePooling2D, Dense(1), then what makes an angle of x:
        2·atan there, anything without weights in other networks, or nothing.
    picture : (h, w, 3) float32 in [0, 1]
    enlarged : bool
        Spread the map over the picture (`cells_to_pixels`, fading at the border). False: the last convolution's own
        cells, whose mean counts.

    Returns
    -------
    (h, w) float32, of the picture or of the cells
        Signed, positive where the picture steers right, in the unit of x, the output before 2·atan. `degrees_of`
        turns it into degrees. Of a network whose x is positive to the left, the other way round.

    Raises
    ------
    ValueError
        If the model has another head, or the picture is not what it takes.
    """
    convolution, unit = head(network)
    cells = activations(network, picture)[convolution.name] @ unit.get_weights()[0][:, 0]
    return cells_to_pixels(cells, network, convolution.name, fade=True) if enlarged else cells


@with_network
def ledger(network: Network, picture: np.ndarray) -> Ledger:
    """Sum up the cells of `cam`: what steered left, what right, and the bias.

    Introduced in notebook 06.

    Parameters
    ----------
    network, picture
        As for `cam`.

    Returns
    -------
    Ledger
        In degrees; ``left + right + bias`` is ``angle``, the network's answer.

    Raises
    ------
    ValueError
        As `cam`.
    """
    cells = cam(network, picture, enlarged=False).astype(np.float64)
    weights = head(network)[1].get_weights()
    bias = float(weights[1][0]) if len(weights) > 1 else 0.0
    unit, straight = _degrees_of_unit(network, float(cells.mean()) + bias)
    left, right = np.minimum(cells, 0).mean() * unit, np.maximum(cells, 0).mean() * unit
    bias = bias * unit + straight
    return Ledger(float(left), float(right), bias, float(left + right + bias))


def _degrees_of_unit(network: Network, output: float) -> tuple[float, float]:
    """Give what each unit of x contributes in degrees, and the degrees of x = 0, whatever stands behind x.

    As `degrees_of` for 2·atan(x): from 0 to x the network's own last steps are taken for a straight line.
    """

    def ends(network: Network) -> Callable:
        import keras

        first, last = head(network)[1].output, network.model.output
        return keras.Model(first, last) if first is not last else lambda asked, training: asked

    step = output if abs(output) > 1e-4 else 1e-2  # what is left of a smaller difference are rounding errors
    asked = np.array([[0.0], [step], [-step]], np.float32)
    straight, there, back = np.degrees(
        np.ravel(network.function("tail", ends)(asked, training=False)).astype(np.float64)
    )
    return float((there - straight) / step if step == output else (there - back) / (2 * step)), float(straight)


def degrees_of(output: float) -> float:
    """Give the degrees that each unit of x contributes to an angle of 2·atan(x).

    Introduced in notebook 06. The arctangent bends, so a unit is worth fewer degrees the further the wheel is turned:
    114.6° at x = 0, 2·atan(x) / x elsewhere. All parts of one x are worth the same, so their proportions stay.

    Parameters
    ----------
    output : float
        x, the output of the last dense layer.

    Returns
    -------
    float
        Degrees for each unit.
    """
    return float(np.degrees(2 * np.arctan(output) / output)) if output else float(np.degrees(2))


def head(network: Network) -> tuple[keras.Layer, keras.Layer]:
    """Find the last convolution and the one unit that sees its average; raise a ValueError where there are none."""
    import keras
    from keras import layers

    if network.model is None:
        network.check_convolutions()  # raises
    passing = layers.InputLayer | layers.Dropout  # neither changes an answer
    found = [layer for layer in network.model.layers if not isinstance(layer, passing)]
    kinds = [type(layer) for layer in found]
    if layers.GlobalAveragePooling2D in kinds:
        place = kinds.index(layers.GlobalAveragePooling2D)
        convolution, unit = found[place - 1], [*found, None][place + 1]
        if isinstance(convolution, layers.Conv2D) and isinstance(unit, layers.Dense) and unit.units == 1:
            if unit.activation is keras.activations.linear and not any(layer.weights for layer in found[place + 2 :]):
                return convolution, unit
    raise ValueError(
        f"the network {network.name!r} ends in {' > '.join(kind.__name__ for kind in kinds[-5:])}; CAM needs a Conv2D, "
        "then GlobalAveragePooling2D, then a linear Dense(1), then nothing that has weights: see steerlib.pilotnet_gap"
    )


def _in_degrees(network: Network, picture: np.ndarray) -> np.ndarray:
    """Give the map of `cam` in degrees, as it is drawn beside those of other methods."""
    cells, weights = cam(network, picture, enlarged=False), head(network)[1].get_weights()
    unit, _ = _degrees_of_unit(network, float(cells.mean()) + (float(weights[1][0]) if len(weights) > 1 else 0.0))
    return cells_to_pixels(cells * np.float32(unit), network, head(network)[0].name, fade=True)


def _read(found: Explanation, network: Network, picture: np.ndarray, settings: Mapping[str, Any]) -> Explanation:
    """Say what the cells add up to."""
    account = ledger(network, picture)
    parts = f"{account.left:+.1f}° left, {account.right:+.1f}° right, {account.bias:+.1f}° bias."
    return found._replace(words=f"{found.words} {parts}")


METHOD = Method(
    name="cam",
    title="CAM",
    make=_in_degrees,
    unit="degrees; the cells' mean + bias = angle",
    signed=True,
    words="Red steers right, blue steers left.",
    needs="global average pooling",
    notebook=6,
    read=_read,
    check=head,
)
