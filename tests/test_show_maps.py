"""Maps in a notebook's cell: which scale they share, and what is drawn."""

import numpy as np
import pytest

from steerlib import overlay, show_maps
from steerlib.show import notebook

VIEW = np.random.default_rng(0).integers(0, 256, (33, 100, 3), np.uint8)
RIGHT, LEFT, WEAK = (np.zeros((66, 200), np.float32) for _ in range(3))
RIGHT[20:40, 20:60], LEFT[20:40, 120:160], WEAK[20:40, 20:60] = 4, -2, 0.01


@pytest.fixture
def shown(monkeypatch):
    """What is handed on to be shown: pictures, titles, columns, color bars, width."""
    found = []
    monkeypatch.setattr(notebook, "show_pictures", lambda *given: found.extend(given))
    return found


def drawn(map, limit, signed):
    picture = overlay.overlay(overlay.enlarge(VIEW, 600), map, limit, signed)
    return overlay.mark_peaks(picture, map, limit) if signed else picture


def test_all_maps_share_one_scale_and_one_bar(shown):
    show_maps([VIEW] * 3, [None, RIGHT, LEFT], ["a", "b", "c"], 3, "degrees")
    expected = [overlay.enlarge(VIEW, 600), drawn(RIGHT, 4, True), drawn(LEFT, 4, True)]
    assert all(np.array_equal(*pair) for pair in zip(shown[0], expected))
    assert shown[1:3] == [["a", "b", "c"], 3] and shown[4] == 10
    assert len(shown[3]) == 1 and np.array_equal(shown[3][0], overlay.colorbar(480, 4, True, "degrees"))


def test_columns_have_scales_of_their_own(shown):
    maps = [None, RIGHT, WEAK, None, LEFT, WEAK]
    show_maps([VIEW] * 6, maps, list("abcdef"), 3, ["", "degrees", "shares"], signed=None)
    expected = [(RIGHT, 4, True), (WEAK, 0.01, False), (LEFT, 4, True), (WEAK, 0.01, False)]
    assert all(np.array_equal(shown[0][k], drawn(*each)) for k, each in zip((1, 2, 4, 5), expected))
    empty, signed, unsigned = shown[3]
    assert (empty == 255).all()
    assert np.array_equal(signed, overlay.colorbar(330, 4, True, "degrees"))
    assert np.array_equal(unsigned, overlay.colorbar(330, 0.01, False, "shares"))


def test_a_scale_can_be_given(shown):
    show_maps([VIEW], [RIGHT], ["a"], 1, "degrees", signed=False, limit=8)
    assert np.array_equal(shown[0][0], drawn(RIGHT, 8, False))


def test_maps_of_zeros_are_drawn_as_what_they_are(shown):
    show_maps([VIEW], [0 * RIGHT], ["a"], 1, "degrees")
    assert np.array_equal(shown[0][0], drawn(0 * RIGHT, 0, True))
    assert np.array_equal(shown[3][0], overlay.colorbar(480, 0, True, "degrees"))


def test_it_is_shown_with_its_titles_as_words(monkeypatch):
    words = []
    monkeypatch.setattr("IPython.display.display", lambda image: words.append(image.alt))
    show_maps([VIEW] * 2, [RIGHT, LEFT], ["one", "other"], 2, "degrees")
    assert words == ["one; other"]
