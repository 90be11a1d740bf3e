"""A map over the network's own picture, compared with what the drawing functions make of a uint8 picture."""

import numpy as np
import pytest

from steerlib import draw_over, overlay
from steerlib.maps.method import density

PICTURE = np.random.default_rng(0).integers(0, 256, (33, 80, 3)).astype(np.uint8)
SIGNED = np.linspace(-1, 2, 33 * 80, dtype=np.float32).reshape(33, 80)


@pytest.mark.parametrize("map, signed", [(SIGNED, True), (SIGNED + 1, False)])
@pytest.mark.parametrize("limit", [None, 0.5])
@pytest.mark.parametrize("points", [True, False])
def test_it_is_the_overlay_of_the_enlarged_picture(map, signed, limit, points):
    drawn = draw_over(PICTURE / np.float32(255), map, limit, 160, points)
    map = map if points else density(map)
    largest = np.percentile(np.abs(map), 99.5) if limit is None else limit
    expected = overlay.overlay(overlay.enlarge(PICTURE, 160), map, largest, signed)
    assert drawn.shape == (66, 160, 3) and drawn.dtype == np.uint8
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_a_map_of_zeros_has_no_color():
    drawn = draw_over(PICTURE / np.float32(255), np.zeros((33, 80)))
    assert np.abs(drawn - 0.8 * overlay.enlarge(PICTURE, 600)).max() <= 1


def test_a_density_keeps_the_sums_of_regions():
    map = np.random.default_rng(1).normal(size=(66, 200)).astype(np.float32)
    assert density(map).sum() == pytest.approx(map.sum(), abs=0.5)
    one = np.zeros((66, 200), np.float32)
    one[30, 90] = 5
    smooth = density(one)
    assert smooth[20:41, 80:101].sum() == pytest.approx(5, rel=0.01) and 0.05 < smooth.max() < 0.12
