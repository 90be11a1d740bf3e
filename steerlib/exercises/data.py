"""Checks of the exercises of notebook 01: a drive."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import ArrayLike

from steerlib.drives import Drive, crop_road, preprocess
from steerlib.exercises.verdict import Verdict, call, check, compare, parts
from steerlib.networks.pilotnet import SIZE

if TYPE_CHECKING:
    pass


@check
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
    compare(frames, bends.sum(), mistakes, "frames in bends", tolerance=1e-6)
    mistakes = {
        "this is their share of the frames, not of the error": bends.mean(),
        "the constant driver holds the mean angle, not zero": (angles[bends] ** 2).sum() / (angles**2).sum(),
        "the error is to be squared": np.abs(deviation[bends]).sum() / np.abs(deviation).sum(),
        "this is a sum of squares, not yet a share of all": (deviation[bends] ** 2).sum(),
        "this is a mean of squares; a share compares sums": (deviation[bends] ** 2).mean(),
    }
    compare(share, (deviation[bends] ** 2).sum() / (deviation**2).sum(), mistakes, "share", tolerance=0.01)
    return Verdict(True, "few frames, most of the error")


@check
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
    compare(call(repair, angles, suspects), replaced((before + after) / 2), mistakes)
    return Verdict(True, "only the suspicious angles have changed, and they fit")


@check
def check_mirror(mirror: Callable) -> Verdict:
    """Check ``mirror(frame, angle)``: the mirrored (H, W, 3) frame and its angle in degrees."""
    frame = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    mirrored, angle = parts(call(mirror, frame, 12.5), 2)
    mistakes = {
        "it is as it was": frame,
        "up and down are exchanged: which axis are the columns?": frame[::-1],
        "up and down are exchanged, too: it is turned, not mirrored": frame[::-1, ::-1],
        "the colors are exchanged (BGR), not left and right": frame[..., ::-1],
        "the colors are exchanged, too (BGR)": frame[:, ::-1, ::-1],
    }
    compare(mirrored, frame[:, ::-1], mistakes, "the frame")
    compare(angle, -12.5, {"a left bend becomes a right one, so its sign must change": 12.5}, "the angle")
    return Verdict(True, "left is right now, in the picture and in the angle")


@check
def check_network_input(network_input: Callable) -> Verdict:
    """Check ``network_input(path)``: from an image file to the (66, 200, 3) RGB image in [0, 1] of the network."""
    frame = np.random.default_rng(0).integers(0, 256, (256, 455, 3), np.uint8)
    road, inverted = crop_road(frame), frame[::-1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.png"
        path.write_bytes(cv2.imencode(".png", frame[..., ::-1])[1].tobytes())
        answer = call(network_input, path)
    expected = preprocess(frame)
    mistakes = {
        "red and blue are exchanged: OpenCV reads BGR": expected[..., ::-1],
        "the values reach to 255, expected 0 to 1": 255 * expected,
        "the sky is still in it: only the lower part of the frame is used": preprocess(frame, (0, 1)),
        "this is the upper part of the frame, with the sky": preprocess(np.ascontiguousarray(inverted))[::-1],
        "rows and columns are exchanged: OpenCV's resize wants the width first": cv2.resize(
            road, SIZE, interpolation=cv2.INTER_AREA
        )
        / 255,
        "right, but for how the pixels are averaged: INTER_AREA takes all of them": cv2.resize(road, SIZE[::-1]) / 255,
    }
    compare(answer, expected, mistakes)
    return Verdict(True, "the same as preprocess gives")
