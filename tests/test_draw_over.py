"""A map over the network's own picture, compared with what the drawing functions make of a uint8 picture."""

import numpy as np
import pytest

from steerlib import draw_over, overlay

PICTURE = np.random.default_rng(0).integers(0, 256, (33, 80, 3)).astype(np.uint8)
SIGNED = np.linspace(-1, 2, 33 * 80, dtype=np.float32).reshape(33, 80)


@pytest.mark.parametrize("map, signed", [(SIGNED, True), (SIGNED + 1, False)])
@pytest.mark.parametrize("limit", [None, 0.5])
def test_it_is_the_overlay_of_the_enlarged_picture(map, signed, limit):
    drawn = draw_over(PICTURE / np.float32(255), map, limit, width=160)
    largest = np.percentile(np.abs(map), 99.5) if limit is None else limit
    expected = overlay.overlay(overlay.enlarge(PICTURE, 160), map, largest, signed)
    assert drawn.shape == (66, 160, 3) and drawn.dtype == np.uint8
    assert np.abs(drawn.astype(int) - expected).max() <= 1
    assert np.abs(np.diff(drawn.astype(int), axis=-1)).max() > 20, "no color"


def test_a_map_of_zeros_has_no_color():
    drawn = draw_over(PICTURE / np.float32(255), np.zeros((33, 80)))
    assert np.ptp(drawn, axis=-1).max() <= 1
