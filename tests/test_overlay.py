"""Colors of known values, places of known pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from steerlib.drives import load_drive
from steerlib.show import overlay as o
from steerlib.world import LABELS

# What a person without red, green or blue cones sees of linear RGB: Machado, Oliveira and Fernandes, 2009, table 1.
BLIND = {
    "red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def photograph(height=150, width=455, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def linear(color):
    return (np.asarray(color) / 255.0) ** 2.2


def luminance(color):
    return linear(color) @ [0.2126, 0.7152, 0.0722]


def spread(picture):
    """How far each pixel is from gray."""
    return np.ptp(picture.astype(int), axis=-1)


@pytest.fixture(autouse=True)
def no_silent_division():
    with np.errstate(all="raise"):
        yield


def test_signed_colors_of_known_values():
    left, zero, right = o.colorize([[-3.0, 0.0, 3.0]], limit=3, signed=True)[0].astype(int)
    assert zero[0] == zero[1] == zero[2]
    assert right[0] > right[1] + 80 and right[0] > right[2] + 80  # red
    assert left[2] > left[0] + 80 and left[2] > left[1] + 40  # blue
    assert abs(luminance(left) - luminance(right)) < 0.08  # neither side shouts louder


def lab(pictures, blind=None):
    """CIELAB, in which a distance of about 2.3 is just seen."""
    light = linear(pictures) @ np.transpose(BLIND[blind] if blind else np.eye(3))
    shown = np.clip(light, 0, 1) ** (1 / 2.2)
    return cv2.cvtColor(np.float32(shown).reshape(1, -1, 3), cv2.COLOR_RGB2LAB).reshape(np.shape(pictures))


@pytest.mark.parametrize("blind", [None, *BLIND])
def test_left_right_and_the_road_are_told_apart_with_any_color_blindness(blind):
    """At the limit, and at half of it, over 24 frames; a distance of ten is seen at a glance."""
    drive = load_drive(Path(__file__).resolve().parents[1] / "data" / "sample_drive")
    worst = {}
    for i in np.linspace(0, len(drive) - 1, 24).astype(int):
        view = drive.view(i, None)
        seen = {
            share: lab(o.overlay(view, np.full(view.shape[:2], share), 1, True, lines=False), blind)
            for share in (-1.0, -0.5, 0.0, 0.5, 1.0)
        }
        for one, other in ((-1.0, 1.0), (-0.5, 0.5), (0.0, 1.0), (0.0, -1.0), (0.0, 0.5), (0.0, -0.5)):
            distance = np.percentile(np.linalg.norm(seen[one] - seen[other], axis=-1), 5)
            worst[one, other] = min(distance, worst.get((one, other), np.inf))
    assert min(worst[-1, 1], worst[-0.5, 0.5]) > 55 and min(worst.values()) > 9, worst


def test_lines_tell_the_side_without_color():
    view = np.full((297, 900, 3), 128, np.uint8)
    y, x = np.mgrid[:66, :200]
    blob = np.exp(-((x - 100) ** 2 + (y - 33) ** 2) / 300)
    (one,) = o.contours(blob, (297, 900))
    assert one[0] == 1 and (np.abs(one[1] - (452, 150)).max(0) < (75, 75)).all()
    assert [side for side, _ in o.contours(-blob, (297, 900))] == [-1]
    drawn = [o.overlay(view, sign * blob, 1, True).astype(int) for sign in (1, -1)]
    plain = [o.overlay(view, sign * blob, 1, True, lines=False) for sign in (1, -1)]
    whole, dashed = (np.abs(a - b).max(-1) > 60 for a, b in zip(drawn, plain))
    assert 0.45 < dashed.sum() / whole.sum() < 0.85


def test_no_line_around_what_is_not_seen_on_a_scale_or_is_everywhere():
    view, map = np.full((297, 900, 3), 128, np.uint8), np.zeros((66, 200))
    map[20:40, 50:100] = 1
    for limit, there in ((1, True), (9, True), (11, False)):
        differs = (o.overlay(view, map, limit, True) != o.overlay(view, map, limit, True, lines=False)).any()
        assert differs == there
    for none in (np.zeros((66, 200)), np.ones((66, 200))):
        assert o.contours(none, (297, 900), True) == []


def test_signed_colors_grow_evenly_to_both_sides():
    ramp = o.colorize([np.linspace(-1, 1, 201)], limit=1, signed=True)[0].astype(float)
    distance = np.linalg.norm(ramp - ramp[100], axis=1)
    assert (np.diff(distance[100:]) > -1.8).all() and (np.diff(distance[100::-1]) > -1.8).all()
    assert distance[[0, 50, 150, 200]] == pytest.approx(distance[[200, 150, 50, 0]], rel=0.3)
    assert distance[[25, 175]].min() > 2 * distance[[75, 125]].max()


def test_unsigned_colors_grow_brighter_from_gray_to_yellow():
    ramp = o.colorize([np.linspace(0, 1, 101)], limit=1, signed=False)[0]
    assert spread(ramp[0]) == 0
    assert (np.diff(luminance(ramp)) > -0.004).all() and luminance(ramp[-1]) > 5 * luminance(ramp[0])
    assert ramp[-1, :2].min() > ramp[-1, 2].astype(int) + 80


def test_values_beyond_the_limit_look_like_the_limit():
    a = o.colorize([[-9.0, -2.0, 2.0, 9.0]], limit=2)
    assert (a[0, 0] == a[0, 1]).all() and (a[0, 2] == a[0, 3]).all() and (a[0, 1] != a[0, 2]).any()


def test_without_a_limit_the_largest_magnitude_is_the_limit():
    values = np.array([[-4.0, 1.0, 2.0]])
    assert (o.colorize(values) == o.colorize(values, limit=4, signed=True)).all()
    assert (o.colorize(-values) == o.colorize(-values, limit=4, signed=True)).all()
    assert (o.colorize(abs(values)) == o.colorize(abs(values), limit=4, signed=False)).all()


@pytest.mark.parametrize("signed", [True, False, None])
@pytest.mark.parametrize("limit", [None, 0.0, 2.0])
def test_a_map_of_zeros_is_gray(signed, limit):
    picture = o.colorize(np.zeros((66, 200)), limit, signed)
    assert (picture == picture[0, 0]).all() and spread(picture).max() == 0


@pytest.mark.parametrize("value", [-0.7, 0.7])
@pytest.mark.parametrize("limit", [None, 1.0])
def test_a_constant_map_is_one_color_and_not_gray(value, limit):
    picture = o.colorize(np.full((66, 200), value), limit, signed=True)
    assert (picture == picture[0, 0]).all()
    assert np.sign(int(picture[0, 0, 0]) - int(picture[0, 0, 2])) == np.sign(value)
    over = o.overlay(np.full((150, 455, 3), 90, np.uint8), np.full((66, 200), value), limit, True)
    assert (over == over[0, 0]).all()


def test_tiny_values_are_drawn_on_their_own_scale():
    values = np.random.default_rng(1).normal(size=(66, 200)).astype(np.float32)
    assert (o.colorize(values * np.float32(2**-60)) == o.colorize(values)).all()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros(5), "height, width"),
        (np.zeros((66, 200, 1)), "height, width"),
        (np.zeros((0, 200)), "height, width"),
        (np.full((66, 200), np.nan), "13200 values"),
        (np.array([[0, np.inf]]), "1 values"),
    ],
)
def test_bad_maps_are_refused(bad, message):
    view = photograph()
    for call in (
        lambda: o.colorize(bad),
        lambda: o.overlay(view, bad),
        lambda: o.focus(view, bad),
        lambda: o.common_limit([bad]),
        lambda: o.mark_peaks(view, bad, 1.0),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_bad_limits_are_refused(bad):
    with pytest.raises(ValueError, match="limit"):
        o.overlay(photograph(), np.ones((66, 200)), limit=bad)


def test_a_negative_value_in_an_unsigned_map_is_refused():
    with pytest.raises(ValueError, match=r"minimum is -0\.5"):
        o.colorize([[-0.5, 1.0]], signed=False)


@pytest.mark.parametrize(
    "bad", [np.zeros((150, 455), np.uint8), np.zeros((150, 455, 3)), np.zeros((0, 9, 3), np.uint8)]
)
def test_bad_pictures_are_refused(bad):
    for call in (
        lambda: o.overlay(bad, np.ones((66, 200))),
        lambda: o.focus(bad, np.ones((66, 200))),
        lambda: o.enlarge(bad),
        lambda: o.draw_angles(bad, 1.0),
        lambda: o.with_colorbar(bad, 1.0, True),
        lambda: o.side_by_side([bad], ["x"]),
        lambda: o.mark_peaks(bad, np.ones((66, 200)), 1.0),
    ):
        with pytest.raises(ValueError, match="uint8"):
            call()


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("size", [(150, 455), (297, 900), (66, 200), (94, 320)])
@pytest.mark.parametrize("hot", [(33, 100), (10, 183), (60, 5)])
def test_a_hot_pixel_lands_on_its_place_in_the_view(signed, size, hot):
    values = np.zeros((66, 200))
    values[hot] = 1
    picture = o.overlay(np.full((*size, 3), 128, np.uint8), values, 1.0, signed, lines=False)
    weight = np.abs(picture.astype(float) - picture[0, -1 if hot[1] < 100 else 0]).sum(axis=-1)
    place = [np.average(axis, weights=weight) for axis in np.mgrid[: size[0], : size[1]]]
    expected = [(hot[i] + 0.5) * size[i] / (66, 200)[i] - 0.5 for i in (0, 1)]
    assert place == pytest.approx(expected, abs=0.6)
    reach = np.argwhere(weight > 0) - expected
    assert np.abs(reach).max() <= 2 * size[0] / 66 + 2  # and nowhere else


def test_enlarging_a_map_does_not_invent_the_other_sign():
    values = np.zeros((66, 200))
    values[30, 90:110] = 1
    picture = o.overlay(np.full((297, 900, 3), 128, np.uint8), values, 1.0, True).astype(int)
    assert (picture[..., 0] >= picture[..., 2]).all() and (picture[..., 0] > picture[..., 2]).any()


@pytest.mark.parametrize("signed", [True, False])
def test_where_the_map_is_zero_the_road_is_seen_a_little_darker(signed):
    view = photograph()
    before = view.copy()
    picture = o.overlay(view, np.zeros((66, 200)), 1.0, signed)
    assert picture.shape == view.shape and picture.dtype == np.uint8
    assert np.abs(picture - 0.8 * view).max() <= 1
    assert (view == before).all()


def test_strength_is_the_opacity_at_the_limit():
    dark, bright = np.zeros((60, 90, 3), np.uint8), np.full((60, 90, 3), 255, np.uint8)
    ones = np.ones((66, 200))
    assert np.abs(o.overlay(dark, ones, 1, True, 1.0) - o.overlay(bright, ones, 1, True, 1.0).astype(int)).max() <= 1
    assert (o.overlay(dark, ones, 1, True, 0.0) == o.overlay(dark, 0 * ones, 1, True)).all()
    contrast = [
        int(o.overlay(bright, ones, 1, True, s)[0, 0, 1]) - o.overlay(dark, ones, 1, True, s)[0, 0, 1] for s in (0, 0.5)
    ]
    assert contrast[1] == pytest.approx(contrast[0] / 2, abs=1)
    with pytest.raises(ValueError, match="strength"):
        o.overlay(dark, ones, strength=1.1)


def test_one_scale_makes_maps_comparable():
    rng = np.random.default_rng(2)
    weak, strong = rng.normal(size=(66, 200)), 10 * rng.normal(size=(66, 200))
    limit = o.common_limit([weak, strong])
    magnitudes = np.sort(np.abs(np.concatenate([weak, strong]).ravel()))
    assert np.mean(magnitudes <= limit) == pytest.approx(0.995, abs=1e-4)
    assert o.common_limit(iter([weak, strong])) == limit == o.common_limit([strong, -weak])
    assert o.common_limit([weak, strong], 100) == pytest.approx(magnitudes[-1])
    view = np.full((150, 455, 3), 128, np.uint8)
    assert spread(o.overlay(view, weak, limit, True)).mean() < spread(o.overlay(view, strong, limit, True)).mean() / 3


def test_the_common_limit_of_nothing_and_of_nearly_nothing():
    sparse = np.zeros((66, 200))
    assert o.common_limit([sparse, sparse]) == 0
    sparse[0, 0] = -2
    assert o.common_limit([sparse]) == 2
    with pytest.raises(ValueError, match="at least one"):
        o.common_limit([])


def test_focus_keeps_what_matters_and_darkens_the_rest():
    view, values = photograph(), np.zeros((66, 200))
    values[:, 100:] = -1
    picture = o.focus(view, values, percentile=50).astype(float)
    assert (picture[:, 240:] == view[:, 240:]).all()
    assert picture[:, :210].mean() < 0.7 * view[:, :210].mean()
    assert picture[:, :210].std() < 0.3 * view[:, :210].std()
    sharper = o.focus(view, values, percentile=50, blur=0).astype(float)
    np.testing.assert_allclose(sharper[:, :210], 0.6 * view[:, :210], atol=1)
    alone = o.focus(view, values, percentile=50, alone=True)
    assert (alone[:, 240:] == view[:, 240:]).all() and alone[:, :210].max() == 0


@pytest.mark.parametrize("percentile", [0, 50, 90, 99])
def test_the_percentile_is_the_share_that_is_left_out(percentile):
    values = np.random.default_rng(0).normal(size=(66, 200))
    share = o.attended(values, percentile, smooth=0).mean()
    assert share == pytest.approx(1 - percentile / 100, abs=1e-3)
    values[:, :100] *= 0.01  # weak, whatever its sign
    if percentile >= 50:
        assert o.attended(values, percentile, smooth=0)[:, :100].sum() < 200


def test_smoothing_prefers_areas_to_specks():
    values = np.zeros((66, 200))
    values[10, 20], values[40:50, 150:160] = 3, 1
    assert o.attended(values, 99.5, smooth=0)[10, 20]
    assert not o.attended(values, 99.5, smooth=2)[10, 20] and o.attended(values, 99.5, smooth=2)[45, 155]


def test_nothing_of_zeros_is_attended_and_all_of_any_other_constant():
    assert not o.attended(np.zeros((66, 200)), 0).any()
    for value in (1e-6, 0.3, -7):
        assert o.attended(np.full((66, 200), value), 95).all()


@pytest.mark.parametrize(
    "wrong", [{"percentile": 101}, {"percentile": -1}, {"smooth": -1}, {"blur": -1}, {"blur": np.nan}]
)
def test_focus_refuses_numbers_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        o.focus(photograph(), np.ones((66, 200)), **wrong)


def test_arrows_mark_the_peaks_of_both_sides():
    view, values = np.full((297, 900, 3), 128, np.uint8), np.zeros((66, 200))
    values[20, 40], values[50, 150] = -1, 0.8
    changed = (o.mark_peaks(view, values, 1.0) != view).any(axis=-1)
    for (row, column), side in (((20, 40), -1), ((50, 150), 1)):
        y, x = round((row + 0.5) * 4.5), round((column + 0.5) * 4.5)
        arrow = changed[y - 15 : y + 16, x - 15 : x + 16]
        assert arrow.any()
        height = arrow.sum(axis=0)
        tip, base = (height[10], height[20]) if side < 0 else (height[20], height[10])
        assert tip < base  # it is a triangle that points to its side
        changed[y - 15 : y + 16, x - 15 : x + 16] = False
    assert not changed.any()


def test_arrows_stay_in_the_picture_and_leave_out_weak_peaks():
    view, values = np.full((297, 900, 3), 128, np.uint8), np.zeros((66, 200))
    values[0, 0] = 1
    corner = (o.mark_peaks(view, values, 1.0) != view).any(axis=-1).sum()
    middle = (o.mark_peaks(view, np.roll(values, (30, 90), (0, 1)), 1.0) != view).any(axis=-1).sum()
    assert corner == pytest.approx(middle, rel=0.1)
    assert (o.mark_peaks(view, values, 2.5) == view).all()
    assert (o.mark_peaks(view, 0 * values, 0.0) == view).all()


def test_the_color_bar_shows_the_colors_of_its_limit_and_names_its_ends():
    bar = o.colorbar(480, 3.1, True, "degrees", ("left", "right"))
    assert bar.shape == (60, 480, 3) and bar.dtype == np.uint8
    inside = bar[15, 80:400]
    ends = o.colorize([[-3.1, 3.1]], 3.1, True)[0]
    assert (inside[[0, -1]] == ends).all()
    assert spread(inside[155:165]).max() <= 3
    for words in (bar[:28, :75], bar[:28, 405:], bar[28:44], bar[44:]):  # two ends, numbers, unit
        assert (words < 100).any()
    assert (o.colorbar(480, 3.1, True, "degrees", ("away", "center")) != bar).any()
    assert (o.colorbar(480, 6.2, True, "degrees")[28:44] != bar[28:44]).any()
    assert (o.colorbar(480, 6.2, True, "degrees")[:24] == bar[:24]).all()


def test_an_unsigned_color_bar_starts_at_zero():
    bar = o.colorbar(480, 1.0, False, "share")
    assert (bar[15, [40, 439]] == o.colorize([[0.0, 1.0]], 1.0, False)[0]).all()
    assert (bar[10:20, :30] == 255).all() and (bar[10:20, 450:] == 255).all()


@pytest.mark.parametrize("width", [200, 455, 1500])
@pytest.mark.parametrize("signed", [True, False])
def test_color_bars_of_all_sizes_and_of_a_zero_limit(width, signed):
    bar = o.colorbar(width, 0.0, signed, "a unit that is far too long for such a narrow strip " * 3)
    assert bar.shape == (60, width, 3)
    assert spread(bar).max() == 0
    assert (bar[:, [0, -1]] == 255).all()  # no text runs over the edge
    # A unit would mean nothing: it says that all is zero.
    assert (bar == o.colorbar(width, 0.0, signed, "degrees")).all() and (bar[44:] < 255).any()


def test_a_picture_with_its_color_bar():
    view = photograph()
    both = o.with_colorbar(view, 2.0, False, "degrees")
    assert (both[:150] == view).all() and (both[150:] == o.colorbar(455, 2.0, False, "degrees")).all()


def test_pictures_side_by_side():
    pictures = [photograph(seed=1), photograph(seed=2)]
    row = o.side_by_side(pictures, ["Grad-CAM", "HiResCAM"])
    assert row.shape == (150 + 24, 2 * (455 + 8), 3)
    assert (row[24:, 4:459] == pictures[0]).all() and (row[24:, 467:922] == pictures[1]).all()
    assert (row[:24, :463] < 100).any() and (row[:24, 463:] < 100).any()
    with pytest.raises(ValueError, match="argument 2"):
        o.side_by_side(pictures, ["one"])


def pointer_of(picture, empty, rows):
    """Mean column of what was drawn into some rows of the ruler."""
    return np.argwhere((picture != empty).any(axis=-1)[rows])[:, 1].mean()


@pytest.mark.parametrize("angle", [-60, -15, 0, 22.5, 44])
def test_pointers_stand_at_their_angle(angle):
    blank = np.full((60, 420, 3), 255, np.uint8)
    empty = o.draw_angles(blank)
    expected = 210 + np.clip(angle / 45, -1, 1) * 154
    above, below = slice(7, 17), slice(24, 33)
    predicted, recorded = o.draw_angles(blank, predicted=angle), o.draw_angles(blank, recorded=angle)
    assert pointer_of(predicted, empty, above) == pytest.approx(expected, abs=1)
    assert (predicted[below] == empty[below]).all()
    assert pointer_of(recorded, empty, below) == pytest.approx(expected, abs=1)
    assert (recorded[above] == empty[above]).all()
    # Filled and hollow: told apart without color.
    assert (predicted[above] < 100).sum() > 1.5 * (recorded[below] < 100).sum()


def test_angles_are_drawn_on_a_copy_at_the_lower_edge():
    view = photograph(297, 900)
    before = view.copy()
    picture = o.draw_angles(view, 3.0, -4.0)
    assert (view == before).all() and (picture[:237] == view[:237]).all() and (picture[237:] != view[237:]).any()
    assert (o.draw_angles(view, 3.04, -4.0) == picture).all() and (o.draw_angles(view, 3.4, -4.0) != picture).any()
    assert (o.draw_angles(view, 3.0, -4.0, names=("hidden", "seen")) != picture).any()
    with pytest.raises(ValueError, match="60 by 240"):
        o.draw_angles(view[:59], 1.0)


def test_enlarging_keeps_proportions_and_if_asked_squares():
    view = photograph()
    assert o.enlarge(view).shape == (297, 900, 3)
    assert (o.enlarge(view, 910, smooth=False) == view.repeat(2, axis=0).repeat(2, axis=1)).all()


def test_labels_have_colors_of_their_own_and_shadows_are_darker():
    values = np.array([*LABELS.values()], np.uint8)
    sunny, shady = o.colorize_labels(values[None], LABELS)[0], o.colorize_labels(values[None] | 128, LABELS)[0]
    colors = np.vstack([sunny, shady]).astype(int)
    distance = np.abs(colors[:, None] - colors).sum(axis=-1) + 999 * np.eye(len(colors), dtype=int)
    assert distance.min() >= 20
    assert (luminance(shady) < luminance(sunny)).all()
    legend = o.label_legend(LABELS)
    assert legend.shape[1:] == (900, 3)
    for color in sunny:
        assert (legend == color).all(axis=-1).sum() > 100


def test_labels_without_a_name_are_refused():
    with pytest.raises(ValueError, match=r"\[77\]"):
        o.colorize_labels(np.array([[1, 77]], np.uint8), LABELS)
    for bad in (np.ones((2, 2)), np.ones((2, 2, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            o.colorize_labels(bad, LABELS)


def test_unknown_names_get_colors_too():
    names = {"road": 3, "moose": 9}
    picture = o.colorize_labels(np.array([[3, 9, 3 | 128]], np.uint8), names)[0]
    assert len(np.unique(picture, axis=0)) == 3
    assert o.label_legend(names, 200).shape == (48, 200, 3)
