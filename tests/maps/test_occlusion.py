"""Occlusion maps against loops over every window and pixel, and against networks whose map is known by hand."""

import gc
import weakref

import keras
import numpy as np
import pytest
from by_hand import linear_network

from steerlib.maps import occlusion
from steerlib.maps.fill import fill_image, hide_regions
from steerlib.maps.occlusion import occlude, occlude_regions, occlusion_map, occlusion_steps, window_centers
from steerlib.networks.network import Network, as_network
from steerlib.networks.training import predict

SMALL = (13, 21, 3)
WIDE = (20, 200, 3)
FULL = (66, 200, 3)
EXACT = np.degrees(2.0**-14)  # as radians float32 adds up thousands of these without rounding

# Most networks here have no convolutions whose work could be shared, which a reader is told.
pytestmark = pytest.mark.filterwarnings("ignore:network .*computed without shortcuts:UserWarning")


def curved_network(shape: tuple[int, int, int] = SMALL) -> keras.Model:
    """A network without any simple map."""
    image = keras.Input(shape)
    x = keras.layers.Conv2D(6, 3, activation="relu", kernel_initializer=keras.initializers.HeNormal(1))(image)
    x = keras.layers.Dense(8, activation="tanh", kernel_initializer=keras.initializers.HeNormal(2))(
        keras.layers.Flatten()(x)
    )
    return keras.Model(image, keras.layers.Dense(1, kernel_initializer=keras.initializers.HeNormal(3))(x))


def picture(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def hidden_at(row: int, column: int, size: int, shape: tuple[int, ...]) -> np.ndarray:
    """Which pixels the window at a center hides, pixel by pixel."""
    hidden = np.zeros(shape[:2], bool)
    for r in range(row - size // 2, row - size // 2 + size):
        for c in range(column - size // 2, column - size // 2 + size):
            if 0 <= r < shape[0] and 0 <= c < shape[1]:
                hidden[r, c] = True
    return hidden


def brute_force(model: keras.Model, image: np.ndarray, size: int, stride: int, fill: float) -> np.ndarray:
    """The definition, window by window: a mean over the windows that hide a pixel."""
    height, width = image.shape[:2]
    whole = predict(model, image[np.newaxis])[0]

    def effect(row: int, column: int) -> float:
        hidden = np.where(hidden_at(row, column, size, image.shape)[..., np.newaxis], np.float32(fill), image)
        return float(whole - predict(model, hidden[np.newaxis])[0])

    def neighbors(place: int, length: int) -> list[tuple[int, float]]:
        """The asked places before and behind a place, and how near they are."""
        low = place // stride * stride
        high = min(low + stride, length - 1)
        share = (place - low) / (high - low) if high > low else 0.0
        return [(low, 1 - share), (high, share)]

    asked, total, count = {}, np.zeros((height, width)), np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            value = 0.0
            for r, down in neighbors(row, height):
                for c, across in neighbors(column, width):
                    if down * across:
                        if (r, c) not in asked:
                            asked[r, c] = effect(r, c)
                        value += down * across * asked[r, c]
            hidden = hidden_at(row, column, size, image.shape)
            total[hidden] += value
            count[hidden] += 1
    assert count.min() > 0
    return total / count


@pytest.mark.parametrize(("size", "stride"), [(5, 1), (4, 1), (1, 1), (30, 1), (5, 2), (4, 3), (7, 5)])
@pytest.mark.kernels
def test_loops_over_every_window_give_the_same(size, stride):
    model, image = curved_network(), picture(SMALL)
    expected = brute_force(model, image, size, stride, fill=0.25)
    assert np.abs(expected).max() > 1
    found = occlusion_map(model, image, sizes=(size,), stride=stride, fill=0.25)
    assert found.shape == SMALL[:2] and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("size", [15, 14])
@pytest.mark.kernels
def test_a_single_pixel_that_steers_right(size):
    """Its map is a pyramid: the share of windows over a pixel that hide the one that matters, times its effect."""
    weights = np.zeros((50, 60, 3))
    weights[24, 31] = 4.0, 2.0, -1.0
    found = occlusion_map(linear_network(weights), np.ones((50, 60, 3), np.float32), sizes=(size,), stride=1)
    rows, columns = np.abs(np.arange(50) - 24), np.abs(np.arange(60) - 31)
    expected = np.outer(np.maximum(size - rows, 0), np.maximum(size - columns, 0)) / size**2 * 5.0
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.kernels
def test_the_sign_and_the_fill():
    """Hiding a pixel that steers right costs its weight times what it was brighter than the window."""
    weights = np.zeros(SMALL)
    weights[6, 5], weights[6, 15] = 1.0, -1.0
    image = np.full(SMALL, 0.75, np.float32)
    for fill, step in ((0.0, 0.75), (0.5, 0.25), (1, -0.25), ("mean", 0.0), ("blur", 0.0)):
        found = occlusion_map(linear_network(weights), image, sizes=(3,), stride=1, fill=fill)
        assert found[6, 5] == pytest.approx(3 * step, abs=1e-4)
        assert found[6, 15] == pytest.approx(-3 * step, abs=1e-4)


@pytest.mark.parametrize(("size", "stride"), [(15, 1), (15, 2), (15, 4), (15, 8), (50, 2), (50, 4), (50, 8)])
def test_a_constant_effect_gives_a_constant_map(size, stride):
    image = keras.Input(WIDE)
    darkest = keras.layers.Flatten()(keras.layers.Rescaling(np.radians(7.0))(image))
    model = keras.Model(image, keras.ops.min(darkest, axis=1, keepdims=True))
    network = as_network(model, range=(0, 1))  # its factor is for degrees, not for brightness
    found = occlusion_map(network, np.ones(WIDE, np.float32), sizes=(size,), stride=stride)
    np.testing.assert_allclose(found, 7.0, rtol=1e-5)


@pytest.mark.parametrize("stride", [2, 4, 8])
@pytest.mark.parametrize("size", [15, 50])
def test_no_stride_shows(size, stride):
    """Where no window is cut off, even weights give an even map and rising ones an evenly rising map."""
    image, inner = np.ones(WIDE, np.float32), slice(size + stride, 200 - size - stride)
    even = occlusion_map(linear_network(np.full(WIDE, 200 * EXACT)), image, sizes=(size,), stride=stride)[:, inner]
    assert even.min() > 1
    np.testing.assert_allclose(even, even[:, :1].repeat(even.shape[1], axis=1), rtol=1e-5)
    rising = np.broadcast_to(np.arange(200)[:, np.newaxis] * EXACT, WIDE)
    ramp = occlusion_map(linear_network(rising), image, sizes=(size,), stride=stride)[:, inner]
    np.testing.assert_allclose(ramp, even * np.arange(200)[inner] / 200, rtol=1e-4)


def test_no_stride_shows_in_both_directions():
    weights, image = np.full((66, 70, 3), EXACT), np.ones((66, 70, 3), np.float32)
    inner = occlusion_map(linear_network(weights), image, sizes=(15,), stride=4)[19:-19, 19:-19]
    assert inner.size > 800
    np.testing.assert_allclose(inner, 3 * 15 * 15 * EXACT, rtol=1e-5)


def test_several_sizes_are_averaged():
    model, image = curved_network(), picture(SMALL)
    apart = [occlusion_map(model, image, sizes=(size,), stride=2) for size in (3, 8)]
    np.testing.assert_allclose(occlusion_map(model, image, sizes=[3, 8], stride=2), np.mean(apart, 0), atol=1e-5)


def test_the_batches_do_not_matter_and_are_never_exceeded(monkeypatch):
    model, image = curved_network(), picture(SMALL)
    expected = occlusion_map(model, image, sizes=(4,), stride=1)
    asked, angles = [], Network._angles

    def counted(network, pictures, *args):
        asked.append(len(pictures))
        return angles(network, pictures, *args)

    monkeypatch.setattr(Network, "_angles", counted)
    monkeypatch.setattr(occlusion, "_shortcuts", lambda *_: None)  # whole hidden images
    for size in (1, 7, 100, 1000):
        asked.clear()
        found = occlusion_map(model, image, sizes=(4,), stride=1, batch_size=size)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert sum(asked) == 13 * 21 + 1 and max(asked) == min(size, 13 * 21)
    assert as_network(model)._functions["angles"].experimental_get_tracing_count() == 1


def test_steps_end_with_the_map_and_compute_only_what_is_asked_for(monkeypatch):
    model, image = curved_network(), picture(SMALL)
    *between, last = occlusion_steps(model, image, sizes=(4, 9), stride=2, batch_size=20)
    np.testing.assert_allclose(last, occlusion_map(model, image, sizes=(4, 9), stride=2), atol=1e-4)
    assert len(between) > 4 and all(step is None for step in between)
    asked, angles = [], Network._angles

    def counted(network, pictures, *args):
        asked.append(len(pictures))
        return angles(network, pictures, *args)

    monkeypatch.setattr(Network, "_angles", counted)
    monkeypatch.setattr(occlusion, "_shortcuts", lambda *_: None)  # whole hidden images
    steps = occlusion_steps(model, image, sizes=(4,), stride=1, batch_size=7)
    next(steps)
    assert asked == [1, 7]


def test_a_model_that_was_asked_is_freed():
    model = curved_network()
    occlusion_map(model, picture(SMALL), sizes=(5,), stride=5)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_the_image_is_left_alone():
    image = picture(SMALL)
    image.flags.writeable = False
    occlusion_map(curved_network(), image, sizes=(5,), stride=2)
    occlude(image, (3, 3), 5)


def test_occlude_by_hand():
    image = picture((10, 12, 3))
    odd, even, corner = occlude(image, (4, 5), 3), occlude(image, (4, 5), 4, fill=0.5), occlude(image, (0, 11), 5)
    assert (odd[3:6, 4:7] == 0).all() and (even[2:6, 3:7] == 0.5).all() and (corner[:3, 9:] == 0).all()
    for hidden, pixels in ((odd, 9), (even, 16), (corner, 9)):
        assert (hidden != image).any(axis=2).sum() == pixels


def test_fills():
    image = picture((40, 60, 3))
    np.testing.assert_array_equal(fill_image(image, 0.5), np.full(image.shape, 0.5))
    np.testing.assert_array_equal(fill_image(image, "black"), np.zeros(image.shape))
    np.testing.assert_allclose(fill_image(image, "mean")[7, 7], image.reshape(-1, 3).mean(axis=0), rtol=1e-5)
    road = np.zeros(FULL, np.float32)
    road[:33], road[40:, 98:102] = 0.8, 1.0
    blurred = fill_image(road, "blur")
    assert blurred[60, 100].max() < 0.2  # a marking has gone
    assert blurred[5].mean() > 0.7 and blurred[60].mean() < 0.1  # the sky has not
    np.testing.assert_allclose(fill_image(np.full(FULL, 0.3, np.float32), "blur"), 0.3, rtol=1e-5)
    median = fill_image(road, "median")
    assert median.dtype == np.float32 and median[60, 100].max() == 0  # a marking has gone
    np.testing.assert_allclose(median[:30], 0.8, atol=1e-6)  # the sky's border has not moved
    assert fill_image(image, image[::-1]) is not image
    np.testing.assert_array_equal(fill_image(image, image[::-1]), image[::-1])
    with pytest.raises(ValueError, match=r"a picture \(66, 200, 3\), expected one of the shape \(40, 60, 3\)"):
        fill_image(image, road)


def test_regions_of_any_shape_are_hidden_one_at_a_time():
    weights = np.random.default_rng(1).normal(size=SMALL) * EXACT
    image, other = picture(SMALL), picture(SMALL, 1)
    regions = np.random.default_rng(2).random((4, *SMALL[:2])) > 0.7
    regions[3] = False
    expected = [(weights * (image - other))[region].sum() for region in regions]
    found = occlude_regions(linear_network(weights), image, regions, other)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert abs(found[3]) < 1e-5 and occlude_regions(linear_network(weights), image, regions[:0]).shape == (0,)
    for wrong in (regions[0], regions.astype(float), regions[:, :5]):
        with pytest.raises(ValueError, match=r"regions .*expected \(k, 13, 21\) bool"):
            occlude_regions(linear_network(weights), image, wrong)


def test_what_surrounds_a_region_goes_on_into_it():
    road = np.full(FULL, 0.5, np.float32)
    road[:30] = 0.8
    painted, line, wide = road.copy(), np.zeros((2, *FULL[:2]), bool), np.ones((1, *FULL[:2]), bool)
    line[0, 40:50, 100:104] = line[1, 10:20, 50:90] = True
    painted[line[0]] = 1.0
    hidden = hide_regions(painted, line, "inpaint")
    assert hidden.dtype == np.float32
    np.testing.assert_allclose(hidden[0], road, atol=4 / 255)
    np.testing.assert_array_equal(hidden[1][~line[1]], painted[~line[1]])
    np.testing.assert_allclose(hidden[1], painted, atol=4 / 255)
    assert hide_regions(painted, line[:0], "inpaint").shape == (0, *FULL)
    network = linear_network(np.ones(FULL) * EXACT)
    assert occlude_regions(network, painted, line[:1], "inpaint") == pytest.approx(0.5 * 40 * 3 * EXACT, rel=0.02)
    with pytest.raises(ValueError, match="the whole picture is hidden"):
        hide_regions(painted, wide, "inpaint")
    np.testing.assert_array_equal(hide_regions(painted, wide, 0.25)[0], np.full(FULL, 0.25, np.float32))
    with pytest.raises(ValueError, match="fill='inpaint'"):
        fill_image(painted, "inpaint")  # it knows no region


@pytest.mark.parametrize("stride", [1, 2, 3, 7, 70])
def test_windows_reach_both_borders(stride):
    centers = window_centers(66, stride)
    assert centers[0] == 0 and centers[-1] == 65
    assert np.diff(centers).max() <= stride and (np.diff(centers)[:-1] == stride).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": ()}, r"sizes=\(\)"),
        ({"sizes": 15}, "sizes=15"),
        ({"sizes": (0,)}, "at least 1 pixel"),
        ({"sizes": (9, 4), "stride": 5}, "stride=5: expected 1 to 4"),
        ({"stride": 0}, "stride=0"),
        ({"fill": "white"}, "fill='white'.*mean, blur, median, erased"),
        ({"fill": 255}, "fill=255"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"picture": np.zeros((1, *SMALL))}, r"expected one image \(13, 21, 3\)"),
        ({"picture": np.full(SMALL, 255.0)}, "in \\[0, 1\\]"),
    ],
)
def test_what_is_wrong_is_named(arguments, message):
    arguments = {"picture": picture(SMALL), "sizes": (5,), **arguments}
    with pytest.raises(ValueError, match=message):
        occlusion_map(curved_network(), **arguments)
