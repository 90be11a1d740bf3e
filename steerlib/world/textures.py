"""Noise and textures of the rendered world, from random generators: a seed gives the same ones again.

Notebook 01 shows what comes out; nobody needs to read this file to follow the notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

STEP = 0.5  # m between the samples of a road's profiles


def smooth_noise(rng: np.random.Generator, n: int, scale: float) -> np.ndarray:
    """Gaussian noise of unit variance (n,), smooth over `scale` samples."""
    radius = int(4 * scale) + 1
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / scale) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    return np.convolve(rng.standard_normal(n + 2 * radius), kernel, "valid").astype(np.float32)


def stretches(rng: np.random.Generator, n: int, mean_length: float, weights: Sequence[float]) -> np.ndarray:
    """Choose for each of n samples a number 0, 1, …, constant over stretches of random length."""
    values = np.empty(n, np.int64)
    start = 0
    while start < n:
        end = start + max(1, int(rng.uniform(0.5, 1.5) * mean_length / STEP))
        values[start:end] = rng.choice(len(weights), p=np.asarray(weights) / np.sum(weights))
        start = end
    return values


@cache
def noise_tile(seed: int, slope: float, channels: int = 1) -> np.ndarray:
    """Make a tile (512, 512[, channels]) of noise without a seam, of zero mean and unit variance.

    Its amplitude falls with the spatial frequency f as f^-slope: 0 is white, 1 is cloudy.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((channels, 512, 512))) / frequency**slope
    tile = np.moveaxis(np.fft.irfft2(spectrum), 0, -1)
    tile = np.ascontiguousarray(tile / tile.std(), np.float32)
    return tile[..., 0] if channels == 1 else tile


def mipmaps(texture: np.ndarray, levels: int) -> list[np.ndarray]:
    """Stack the texture with its halves, quarters, …: far things are looked up in the smaller ones."""
    result = [np.ascontiguousarray(texture, np.float32)]
    for _ in range(levels - 1):
        height, width = (max(1, size // 2) for size in result[-1].shape[:2])
        result.append(cv2.resize(result[-1], (width, height), interpolation=cv2.INTER_AREA))
    return result


def sample(pyramid: list[np.ndarray], x: np.ndarray, y: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Look up a texture at texel coordinates (H, W), each blurred to its level in the pyramid."""
    level = np.clip(level, 0, len(pyramid) - 1)
    height, width = np.float32(pyramid[0].shape[:2])
    # OpenCV wraps too, but slowly: coordinates inside the tile take an eighth of the time.
    x, y = x - width * np.floor(x / width), y - height * np.floor(y / height)
    result = np.zeros(x.shape + pyramid[0].shape[2:], np.float32)
    for k, texture in enumerate(pyramid):
        weight = np.maximum(1 - np.abs(level - k), 0)
        rows = np.flatnonzero(weight.any(axis=1))
        if not len(rows):
            continue
        part, scale = slice(rows[0], rows[-1] + 1), np.float32(0.5**k)
        u, v = x[part] * scale - 0.5, y[part] * scale - 0.5
        value = cv2.remap(texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        result[part] += value * weight[part].reshape(weight[part].shape + (1,) * (value.ndim - 2))
    return result
