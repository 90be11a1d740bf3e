"""Frames of HDR videos, as phones record them, as a screen shows them: 8-bit sRGB (notebook 07).

HLG and PQ: ITU-R BT.2100-2. Where white lies, 203 cd/m²: ITU-R BT.2408. Primaries: BT.2020, which both go with.
FFmpeg's own conversion cuts off what is brighter than white, the sky above most roads, and takes seconds to begin.
"""

from functools import cache

import cv2
import numpy as np

HLG, PQ = 18, 16  # FFmpeg's numbers of the transfer characteristics
WHITE = 203.0  # cd/m² that become 1
KNEE = 0.6  # of white: what is darker stays as it is, what is brighter is pressed together below 1
PEAK = 1000.0  # cd/m² of the screen that HLG is shown on
# Linear light, from the primaries of BT.2020 to those of sRGB: ITU-R BT.2087 backward.
PRIMARIES = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
LUMINANCE = np.array([[0.2627, 0.6780, 0.0593]], np.float32)  # of BT.2020


def to_standard_range(signal: np.ndarray, transfer: int) -> np.ndarray:
    """Give an HDR frame the look that it has on a usual screen.

    Parameters
    ----------
    signal : (H, W, 3) uint16 RGB
        As encoded, 0 to 65535.
    transfer : int
        `HLG` or `PQ`.

    Returns
    -------
    (H, W, 3) uint8 RGB
        What is darker than `KNEE` of white is shown as bright as it is, what is brighter keeps its hue.
    """
    light = _light(transfer)[signal]
    if transfer == HLG:  # from the light of the scene to that of the screen
        luminance = cv2.transform(light, LUMINANCE)
        light *= (PEAK / WHITE) * cv2.pow(np.maximum(luminance, 1e-6), 0.2)[..., None]
    light = np.maximum(cv2.transform(light, PRIMARIES), 0)
    most = light.max(axis=2)
    pressed = 1 - (1 - KNEE) ** 2 / np.maximum(most - KNEE + 1 - KNEE, 1 - KNEE)
    light *= np.where(most > KNEE, pressed / np.maximum(most, KNEE), 1)[..., None]
    return _screen()[np.rint(light * 65535).astype(np.uint16)]


@cache
def _light(transfer: int) -> np.ndarray:
    """Give the light for each signal: for PQ that of the screen, white being 1, for HLG that of the scene."""
    signal = np.arange(65536) / 65535
    if transfer == PQ:
        root = signal ** (1 / 78.84375)
        nits = 10000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        return (nits / WHITE).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)


@cache
def _screen() -> np.ndarray:
    """Give sRGB's number, uint8, for each light of 0 to 1 in 65,536 steps."""
    light = np.arange(65536) / 65535
    return np.rint(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )
