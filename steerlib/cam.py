"""The class activation map of a network that averages its last convolution: an exact account (notebook 06)."""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from steerlib.hypercolumns import activations, cells_to_pixels
from steerlib.model import check_model, predict


class Ledger(NamedTuple):
    """What made up an angle: three parts in degrees, positive to the right, whose sum is the angle."""

    left: float  # of all cells that steer left; at most 0
    right: float  # of all cells that steer right; at least 0
    bias: float  # of the last layer, whatever is seen
    angle: float


def cam(model: keras.Model, image: np.ndarray, enlarged: bool = True) -> np.ndarray:
    """Account for the angle of a network with global average pooling, cell by cell (CAM).

    Introduced in notebook 06. Zhou et al. (arXiv 1512.04150), for an angle in place of a class. With the activations
    A of the last convolution, and the weights w and the bias b of the one unit behind the average,
    x = mean over the cells (Σ_c w_c A_c) + b. What is averaged is the map. This is no approximation: the mean of the
    cells plus b is x, from which the angle 2·atan(x) is made.

    Parameters
    ----------
    model : keras.Model
        As `steerlib.model.pilotnet_gap`: a convolution, GlobalAveragePooling2D, Dense(1), then what makes an angle
        of x.
    image : (66, 200, 3) float32 in [0, 1]
    enlarged : bool
        Spread the map over the image (`cells_to_pixels`, fading at the border). False: the last convolution's own
        cells, whose mean counts.

    Returns
    -------
    (66, 200) float32, or (h, w) of the cells
        Signed, positive where the picture steers right, in the unit of x, the output before 2·atan. `degrees_of`
        turns it into degrees.

    Raises
    ------
    ValueError
        If the model has another head, or the image is not what it takes.
    """
    convolution, unit = _head(model)
    cells = activations(model, image)[convolution.name] @ unit.get_weights()[0][:, 0]
    return cells_to_pixels(cells, model, convolution.name, fade=True) if enlarged else cells


def ledger(model: keras.Model, image: np.ndarray) -> Ledger:
    """Sum up the cells of `cam`: what steered left, what right, and the bias.

    Introduced in notebook 06.

    Parameters
    ----------
    model, image
        As for `cam`.

    Returns
    -------
    Ledger
        In degrees; ``left + right + bias`` is ``angle``, the network's answer.

    Raises
    ------
    ValueError
        As `cam`, and if the network does not make its angle by 2·atan(x).
    """
    cells = cam(model, image, enlarged=False).astype(np.float64)
    bias = float(_head(model)[1].get_weights()[1][0])
    output = float(cells.mean()) + bias
    angle = float(predict(model, image[np.newaxis])[0])
    if abs(output * degrees_of(output) - angle) > 0.01:
        raise ValueError(f"the network {model.name!r} makes {angle:.2f}° of x = {output:.4f}; expected 2·atan(x)")
    parts = np.minimum(cells, 0).mean(), np.maximum(cells, 0).mean(), bias, output
    return Ledger(*(float(part * degrees_of(output)) for part in parts))


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


def _head(model: keras.Model) -> tuple[keras.Layer, keras.Layer]:
    """Find the last convolution and the one unit that sees its average."""
    head = [layer for layer in check_model(model).layers if not isinstance(layer, keras.layers.InputLayer)]
    kinds = [type(layer) for layer in head]
    if layers.GlobalAveragePooling2D in kinds:
        place = kinds.index(layers.GlobalAveragePooling2D)
        convolution, unit = head[place - 1], [*head, None][place + 1]
        if isinstance(convolution, layers.Conv2D) and isinstance(unit, layers.Dense) and unit.units == 1:
            if unit.activation is keras.activations.linear and not any(layer.weights for layer in head[place + 2 :]):
                return convolution, unit
    raise ValueError(
        f"the network {model.name!r} ends in {' > '.join(kind.__name__ for kind in kinds[-5:])}; CAM needs a Conv2D, "
        "then GlobalAveragePooling2D, then a linear Dense(1), then at most 2·atan: see steerlib.model.pilotnet_gap"
    )
