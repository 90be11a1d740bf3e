"""Pictures of trees, signs, poles and walls, which are pasted into a rendered view.

Notebook 01 shows what comes out; nobody needs to read this file to follow the notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from steerlib.world.textures import mipmaps, noise_tile


def _finish(canvas: np.ndarray, alpha: np.ndarray, levels: int = 6) -> list[np.ndarray]:
    """Turn a drawn picture (H, W, 3) and its coverage into a pyramid of premultiplied RGBA."""
    return mipmaps(np.dstack([canvas * alpha[..., None], alpha]), levels)


def _foliage(rng: np.random.Generator, crown: np.ndarray, count: int, size: tuple[float, float]) -> tuple:
    """Cover a crown (H, W), drawn as a mask, with clumps of leaves lit from above."""
    height, width = crown.shape
    canvas, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    inside = np.argwhere(crown > 0)
    depth = cv2.GaussianBlur(crown.astype(np.float32), None, width / 14)
    chosen = inside[rng.integers(len(inside), size=count)]
    # Dark clumps first: the lit ones lie on top, towards the light.
    light = 0.45 + 0.35 * (1 - chosen[:, 0] / height) - 0.3 * (depth[tuple(chosen.T)] - 0.5)
    light += 0.14 * rng.standard_normal(count)
    hue = rng.uniform(0.85, 1.15, (count, 3)) * np.array([0.44, 0.53, 0.25])
    for i in np.argsort(light):
        center, radius = (int(chosen[i, 1]), int(chosen[i, 0])), int(max(1, rng.uniform(*size)))
        cv2.circle(canvas, center, radius, tuple(map(float, hue[i] * np.clip(light[i], 0.1, 1.2))), -1)
        cv2.circle(alpha, center, radius, 1.0, -1)
    return canvas, alpha


@cache
def tree_sprite(kind: str, seed: int) -> list[np.ndarray]:
    """Grow a tree ("broadleaf", "conifer" or "bush") as a sprite of 192 × 128 pixels."""
    rng = np.random.default_rng([seed, len(kind)])
    height, width = 192, 128
    crown = np.zeros((height, width), np.uint8)
    if kind == "conifer":
        tips = np.linspace(8, 165, 15)
        for tip in tips:
            half = (4 + 50 * (tip / 165) ** 0.9) * rng.uniform(0.7, 1.1, 2)
            low = tip + 22 + rng.uniform(-3, 3, 2)
            points = [[64, tip - 6], [64 + half[0], low[0]], [64, tip + 16], [64 - half[1], low[1]]]
            cv2.fillPoly(crown, [np.rint(points).astype(np.int32)], 1)
        canvas, alpha = _foliage(rng, crown, 1500, (1, 3.4))
        canvas *= np.array([0.72, 0.86, 0.95], np.float32)
        trunk_top, trunk_half = 170, 3
    else:
        bush = kind == "bush"
        middle, reach = ((64, 135), (38, 36)) if bush else ((64, 84), (36, 56))
        for _ in range(26):
            angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform())
            center = (
                middle[0] + reach[0] * radius * np.cos(angle) * (0.7 + 0.3 * np.sin(angle)),
                middle[1] + reach[1] * radius * np.sin(angle),
            )
            axes = rng.uniform(9, 20, 2)
            cv2.ellipse(crown, tuple(map(int, center)), tuple(map(int, axes)), rng.uniform(0, 180), 0, 360, 1, -1)
        canvas, alpha = _foliage(rng, crown, 2600, (1.0, 3.4))
        trunk_top, trunk_half = (190, 1) if bush else (110, int(rng.integers(2, 5)))
    trunk = np.zeros_like(alpha)
    cv2.rectangle(trunk, (64 - trunk_half, trunk_top), (64 + trunk_half, height - 1), 1.0, -1)
    shade = np.linspace(0.32, 0.16, width, dtype=np.float32)[None, :, None] * np.array([1, 0.86, 0.72], np.float32)
    canvas = np.where(((trunk > 0) & (alpha == 0))[..., None], shade, canvas)
    return _finish(canvas, np.maximum(alpha, trunk))


@cache
def post_sprite(kind: str) -> list[np.ndarray]:
    """Draw a "pole", a "delineator", a warning sign ("bend") or a speed limit ("limit") as a sprite."""
    height, width = (384, 96) if kind == "pole" else (256, 96)
    canvas, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)

    def fill(points: Sequence[Sequence[float]], color: Sequence[float]) -> None:
        polygon = np.asarray(points, np.int32)
        cv2.fillConvexPoly(canvas, polygon, tuple(map(float, color)))
        cv2.fillConvexPoly(alpha, polygon, 1.0)

    def box(left: int, top: int, right: int, bottom: int, color: Sequence[float]) -> None:
        fill([(left, top), (right, top), (right, bottom), (left, bottom)], color)

    if kind == "pole":
        box(45, 0, 50, 383, (0.27, 0.22, 0.18))
        box(18, 26, 77, 31, (0.25, 0.2, 0.17))
        for x in (21, 36, 58, 73):
            box(x - 1, 16, x + 1, 26, (0.5, 0.5, 0.5))
    elif kind == "delineator":
        box(36, 0, 60, 255, (0.82, 0.82, 0.8))
        box(36, 34, 60, 84, (0.12, 0.12, 0.12))
        box(42, 44, 54, 74, (0.85, 0.3, 0.12))
    else:
        box(45, 90, 50, 255, (0.45, 0.46, 0.46))
        if kind == "bend":
            fill([(48, 0), (95, 48), (48, 95), (0, 48)], (0.1, 0.09, 0.05))
            fill([(48, 6), (89, 48), (48, 89), (6, 48)], (0.93, 0.68, 0.08))
            for a, b in (
                ((40, 70), (40, 46)),
                ((40, 46), (60, 30)),
                ((60, 30), (48, 30)),
                ((60, 30), (60, 42)),
            ):
                cv2.line(canvas, a, b, (0.08, 0.08, 0.06), 7)
        else:
            box(14, 0, 82, 92, (0.1, 0.1, 0.1))
            box(17, 3, 79, 89, (0.88, 0.88, 0.86))
            for x in (24, 52):
                cv2.rectangle(canvas, (x, 38), (x + 18, 78), (0.1, 0.1, 0.1), 6)
            cv2.line(canvas, (28, 18), (68, 18), (0.1, 0.1, 0.1), 6)
    return _finish(canvas, alpha)


WALL_TEXELS = 32  # texels for each meter along a wall; a wall texture is 128 texels high


@cache
def wall_texture(kind: str, seed: int) -> list[np.ndarray]:
    """Draw a wall (128, 512) that repeats.

    It is a "hedge", "forest", "guard_rail", "fence" or "building", or, where roads are varied, "concrete" or "rough".
    """
    rng = np.random.default_rng([seed, len(kind), 7])
    height, width = 128, 512
    canvas, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    columns = np.arange(width)
    if kind in ("hedge", "forest"):
        crown = np.zeros((height, width), np.uint8)
        count = 26 if kind == "forest" else 34
        for center in np.linspace(0, width, count, endpoint=False) + rng.uniform(-9, 9, count):
            top, half = rng.uniform(4, 52 if kind == "forest" else 22), rng.uniform(13, 24)
            for shift in (-width, 0, width):
                middle = (int(center + shift), int(top + half))
                cv2.ellipse(crown, middle, (int(half), int(half)), 0, 0, 360, 1, -1)
                cv2.rectangle(crown, (middle[0] - int(half), middle[1]), (middle[0] + int(half), height), 1, -1)
        canvas, alpha = _foliage(rng, crown, 5200, (1.5, 4.5))
        # Under the crowns it is dark; between the trunks of a forest, darker still.
        low = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        canvas *= (1.05 - 0.75 * low ** (1.2 if kind == "forest" else 2.5))[..., None]
        alpha = np.maximum(alpha, (crown > 0).astype(np.float32) * (low > 0.3))
    elif kind == "guard_rail":
        rail = slice(8, 62)
        wave = 0.62 + 0.16 * np.cos(np.linspace(0, 4 * np.pi, 54, dtype=np.float32))
        canvas[rail] = wave[:, None, None] * np.array([0.98, 1.0, 1.02], np.float32)
        alpha[rail] = 1
        post = (columns % 64) < 5
        canvas[:, post] = np.where(alpha[:, post, None] > 0, canvas[:, post] * 0.9, 0.3)
        alpha[8:, post] = 1
    elif kind == "fence":
        for top in (10, 62):
            canvas[top : top + 20] = np.array([0.5, 0.44, 0.36], np.float32) * rng.uniform(0.8, 1.1, (20, 1, 1))
            alpha[top : top + 20] = 1
        post = (columns % 64) < 7
        canvas[:, post], alpha[:, post] = np.array([0.36, 0.31, 0.25], np.float32), 1
    elif kind in ("concrete", "rough"):
        tile = noise_tile(61 + seed, 0.6 if kind == "concrete" else 1.0)[:height, :width, None]
        canvas[:] = 0.62 * np.clip(1 + (0.06 if kind == "concrete" else 0.3) * tile, 0.2, 1.6)
        if kind == "concrete":
            canvas[:, columns % 128 < 2] *= 0.6
        alpha[:] = 1
    else:
        wall_color = rng.choice([[0.72, 0.68, 0.6], [0.66, 0.5, 0.4], [0.75, 0.74, 0.72], [0.55, 0.36, 0.3]])
        canvas[:] = wall_color
        canvas[:46] = np.array([0.36, 0.24, 0.2]) * rng.uniform(0.7, 1.2) * rng.uniform(0.92, 1.05, (46, width, 1))
        canvas[46:50] *= 0.5  # the shadow under the eaves
        for left in range(24, width, 96):
            cv2.rectangle(canvas, (left, 66), (left + 40, 100), (0.85, 0.85, 0.84), -1)
            cv2.rectangle(canvas, (left + 4, 70), (left + 36, 96), (0.12, 0.15, 0.19), -1)
        alpha[:] = 1
    return _finish(canvas, alpha, levels=6)
