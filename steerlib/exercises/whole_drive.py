"""Checks of the exercises of notebook 11: a whole drive in one table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steerlib.exercises.verdict import Verdict, call, check, compare


@check
def check_mean_where(mean_where: Callable) -> Verdict:
    """Check ``mean_where(maps, angles, low, high)``: the mean map of the frames with angles in [low, high)."""
    random = np.random.default_rng(0)
    maps = random.normal(size=(9, 4, 6)).astype(np.float32)
    angles = np.array([-30.0, -12, -5, 0, 3, 5, 14, np.nan, 40])
    low, high = -5.0, 5.0
    chosen = (angles >= low) & (angles < high)
    expected = maps[chosen].mean(axis=0)
    mistakes = {
        "this is the mean over all frames, whatever their angle": maps.mean(axis=0),
        "these are the frames outside of the two angles": maps[~chosen].mean(axis=0),
        "the upper end belongs to the next group": maps[(angles >= low) & (angles <= high)].mean(axis=0),
        "the lower end belongs to the group": maps[(angles > low) & (angles < high)].mean(axis=0),
        "these are sums, expected a mean over the chosen frames": maps[chosen].sum(axis=0),
        "this is a sum over the chosen frames, divided by the number of all": maps[chosen].sum(axis=0) / len(maps),
        "this is the mean magnitude: the sign is lost": np.abs(maps[chosen]).mean(axis=0),
        "this is the magnitude of the mean: the sign is lost": np.abs(expected),
        "this is the median": np.median(maps[chosen], axis=0),
        "this is a number for each frame: which axis are the frames?": maps[chosen].mean(axis=(1, 2)),
    }
    compare(call(mean_where, maps, angles, low, high), expected, mistakes, tolerance=1e-4)
    return Verdict(True, "a map of no frame in particular")


@check
def check_same_side(same_side: Callable) -> Verdict:
    """Check ``same_side(maps)``: for each pixel the share of frames whose value has the sign of the mean map."""
    random = np.random.default_rng(1)
    maps = random.normal(-0.3, 1, size=(11, 4, 6)).astype(np.float32)
    maps[:, 0] *= -1
    mean = maps.mean(axis=0)
    agree = np.sign(maps) == np.sign(mean)
    mistakes = {
        "this is the share of frames in which the pixel steers right": (maps > 0).mean(axis=0),
        "this is the share with the other sign": 1 - agree.mean(axis=0),
        "this is one number for each frame: expected one for each pixel": agree.mean(axis=(1, 2)),
        "this is one number for all: expected one for each pixel": agree.mean(),
        "this is a count, expected a share": agree.sum(axis=0),
        "the sign of the median is asked, expected that of the mean": (
            np.sign(maps) == np.sign(np.median(maps, axis=0))
        ).mean(axis=0),
        "each pixel is compared with the mean over the picture: expected its own mean": (
            np.sign(maps) == np.sign(mean.mean())
        ).mean(axis=0),
    }
    compare(call(same_side, maps), agree.mean(axis=0), mistakes, tolerance=1e-4)
    return Verdict(True, "now it shows where the mean speaks for most frames, and where for a few strong ones")


@check
def check_loneliness(loneliness: Callable) -> Verdict:
    """Check ``loneliness(features, k)``: the distance of each row to its k-th nearest other row."""
    features, k = np.random.default_rng(2).normal(size=(12, 5)), 3
    apart = np.linalg.norm(features[:, np.newaxis] - features, axis=-1)
    ordered = np.sort(apart, axis=1)  # the first is the row itself
    mistakes = {
        "each frame is its own nearest neighbor: leave it out": ordered[:, k - 1],
        "it is one neighbor too far": ordered[:, k + 1],
        "this is the distance to the farthest": ordered[:, -1],
        "this is the distance to the nearest other, whatever k is": ordered[:, 1],
        "this is a mean over the nearest, expected the distance to the k-th": ordered[:, 1 : k + 1].mean(axis=1),
        "this is the distance to the mean of all": np.linalg.norm(features - features.mean(axis=0), axis=1),
        "these are squared distances": ordered[:, k] ** 2,
        "these are the numbers of the neighbors, expected distances": np.argsort(apart, axis=1)[:, k],
        "a row is a frame: one distance is expected for each": ordered[:, 1 : k + 1],
    }
    compare(call(loneliness, features, k), ordered[:, k], mistakes, tolerance=1e-4)
    return Verdict(True, "the largest of these are the frames to look at")
