"""Checks of the exercises of notebook 08: which map to trust."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from steerlib.exercises.verdict import DEGREES, Hint, Verdict, call, check, compare
from steerlib.networks.pilotnet import SIZE

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network


@check
def check_smoothed(smoothed: Callable) -> Verdict:
    """Check ``smoothed(map)``: the magnitude of a (66, 200) map, blurred by a Gaussian of 3 pixels."""
    map = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
    inner = slice(12, -12), slice(12, -12)  # how the border is treated is left to the reader

    def blurred(values: np.ndarray, size: int = 0, sigma: float = 3) -> np.ndarray:
        return cv2.GaussianBlur(values, (size, size), sigma)[inner]

    answer = np.asarray(call(smoothed, map), float)
    if answer.shape != map.shape:
        raise Hint(f"shape {answer.shape}, expected {map.shape}")
    mistakes = {
        "the map is blurred with its sign, so red and blue cancel": blurred(map),
        "the magnitude comes first: blurred with their sign, red and blue cancel": np.abs(blurred(map)),
        "3 is the Gaussian's standard deviation, here it is the size of the window": blurred(np.abs(map), 3, 0),
        "nothing is blurred yet": np.abs(map)[inner],
        "nothing is done yet": map[inner],
        "this is a mean over a window, expected a Gaussian": cv2.blur(np.abs(map), (3, 3))[inner],
    }
    compare(answer[inner], blurred(np.abs(map)), mistakes, tolerance=0.01)
    return Verdict(True, "the magnitude, smooth")


@check
def check_worth(worth: Callable, network: Network | keras.Model, image: np.ndarray, region: np.ndarray) -> Verdict:
    """Check ``worth(network, image, region)``: the degrees that a region, widened by a pixel, is worth; median fill."""
    from steerlib.maps.occlusion import occlude_regions
    from steerlib.networks.network import as_network

    network = as_network(network)

    def effect(pixels: int = 1, fill: str = "median") -> float:
        wider = cv2.dilate(region.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0
        return float(occlude_regions(network, image, wider[np.newaxis], fill)[0])

    mistakes = {
        "left and right are exchanged: the angle with the region comes first": -effect(),
        "this is the angle without the region, expected the change": network.angle(image) - effect(),
        "the region is not widened: its border still shows what was there": effect(0),
        "the region is widened by more than one pixel": effect(2),
        "the fill is the blurred picture; asked is the median": effect(1, "blur"),
        "this is the whole picture's median, expected the region only": effect(max(image.shape)),
    }
    compare(call(worth, network, image, region), effect(), mistakes, tolerance=0.05, least=DEGREES)
    return Verdict(True, "no map, and an answer in degrees")
