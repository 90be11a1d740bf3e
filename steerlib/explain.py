"""Every method by its name: one map of one image, and how to read it. For the command line, films and explorers."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import keras
import numpy as np

from steerlib import overlay
from steerlib.cam import cam, degrees_of, ledger
from steerlib.data import Drive
from steerlib.gradcam import grad_cam, hires_cam, steering_target
from steerlib.hypercolumns import LAYERS, hypercolumns, visual_backprop
from steerlib.model import check_image, predict
from steerlib.occlusion import occlusion_map
from steerlib.saliency import gradient_times_input, integrated_gradients, smooth_grad

METHODS = {
    "occlusion": "Occlusion",
    "hypercolumns": "Hypercolumns",
    "visual-backprop": "VisualBackProp",
    "grad-cam": "Grad-CAM",
    "hires-cam": "HiResCAM",
    "cam": "CAM",
    "gradient-times-input": "Gradient x input",  # these names are written into films, which know ASCII only
    "integrated-gradients": "Integrated gradients",
    "smooth-grad": "SmoothGrad",
}


class Explanation(NamedTuple):
    """A map and how it is to be read."""

    map: np.ndarray  # (66, 200) float32
    signed: bool  # negative values mean something: see `ends`
    unit: str  # of the values, in ASCII, for a color bar
    ends: tuple[str, str]  # what negative and positive values speak for
    words: str  # what to see, as a sentence
    angle: float  # the network's answer in degrees, positive to the right


def explain(
    model: keras.Model,
    image: np.ndarray,
    method: str,
    target: str = "auto",
    layer: str = "conv3",
    sizes: Sequence[int] = (15, 50),
    stride: int = 2,
    fill: float | str = "blur",
    layers: Sequence[str] = LAYERS,
    signed: bool = False,
) -> Explanation:
    """Make the map of a method (introduced in notebook 07).

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1]
    method : str
        One of `METHODS`.
    target, layer, signed
        Of Grad-CAM and HiResCAM, see `steerlib.gradcam.grad_cam`. A signed map is positive where a pixel steers right
        with the target "left", too.
    sizes, stride, fill
        Of occlusion, see `steerlib.occlusion.occlusion_map`. The fill is the baseline of integrated gradients, too.
    layers
        Of hypercolumns, see `steerlib.hypercolumns.hypercolumns`.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        If there is no such method, or what it is given does not suit it.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(METHODS)}")
    steering_target(target, 0.0)  # a wrong target is an error whatever the method
    image = check_image(model, image)
    sides, angle = ("left", "right"), float(predict(model, image[np.newaxis])[0])
    if method == "occlusion":
        map, signed, unit = occlusion_map(model, image, sizes, stride, fill), True, "degrees lost when hidden"
        words = "Red steers right: without it the angle is further left. Blue steers left."
    elif method == "cam":
        account = ledger(model, image)
        map = cam(model, image) * np.float32(degrees_of(np.tan(np.radians(angle / 2))))
        signed, unit = True, "degrees; the cells' mean + bias = angle"
        words = "Red steers right, blue steers left. "
        words += f"{account.left:+.1f}° left, {account.right:+.1f}° right, {account.bias:+.1f}° bias."
    elif method in ("grad-cam", "hires-cam"):
        used = steering_target(target, angle)
        map = (grad_cam if method == "grad-cam" else hires_cam)(model, image, layer, used, signed)
        # A signed map is positive for its target; for the target left it is turned, so that red stays right.
        map = -map if signed and used == "left" else map
        sides = ("away", "center") if used == "center" else sides
        unit = f"degrees for each cell of {layer}" + ("" if signed else f" that speaks for {used}")
        words = f"Target {used}{' (auto)' if target == 'auto' else ''}. "
        if not map.any():
            words += "The map is zero: nothing in this layer speaks for it."
        elif signed:
            words += f"Red speaks for {sides[1]}, blue for {sides[0]}."
        else:
            words += f"Yellow speaks most for {used}; what speaks against it is cut off."
    elif method in ("gradient-times-input", "integrated-gradients"):
        if method == "gradient-times-input":
            map = gradient_times_input(model, image)
        else:
            map = integrated_gradients(model, image, baseline=fill)
        signed, unit = True, "degrees for each pixel"
        words = "Red pixels steer right, blue ones left."
    elif method == "smooth-grad":
        map, signed, unit = smooth_grad(model, image), True, "degrees for each unit of brightness"
        words = "Red: brighter would steer further right. Blue: further left."
    else:
        map = hypercolumns(model, image, layers) if method == "hypercolumns" else visual_backprop(model, image)
        signed, unit = False, "share of the strongest response"
        names = " × ".join(layers) if method == "hypercolumns" else "all convolutions"
        words = f"Yellow: where {names} respond most, whichever way that steers."
    return Explanation(map, signed, unit, sides, words, angle)


def draw(view: np.ndarray, explanation: Explanation, limit: float | None = None) -> np.ndarray:
    """Lay an explanation over a picture of what the network saw; arrows mark the peaks to the left and right.

    Parameters
    ----------
    view : (H, W, 3) uint8
    explanation : Explanation
    limit : float, optional
        The value drawn in the strongest color. None: of this map, see `steerlib.overlay.common_limit`.

    Returns
    -------
    (H, W, 3) uint8
    """
    map, signed = explanation.map, explanation.signed
    limit = overlay.common_limit([map]) if limit is None else limit
    picture = overlay.overlay(view, map, limit, signed)
    return overlay.mark_peaks(picture, map, limit) if signed and "left" in explanation.ends else picture


def sample_frames(drive: Drive, count: int) -> list[np.ndarray]:
    """Read frames that are spread over a drive: they decide on the scale which all its frames share.

    Parameters
    ----------
    drive : Drive
    count : int
        At most so many.

    Returns
    -------
    list of (H, W, 3) uint8
        Without those that cannot be read; these are reported where they are shown.
    """
    frames = []
    for i in np.unique(np.linspace(0, len(drive) - 1, min(count, len(drive))).astype(int)):
        with suppress(ValueError, OSError):
            frames.append(drive.frame(i))
    return frames
