"""Scores by hand, scores of wrong maps and of random ones, and a network whose true map is known."""

from itertools import pairwise
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from scipy import stats

from steerlib import trust
from steerlib.drives import load_drive
from steerlib.maps.hires_cam import hires_cam
from steerlib.maps.hypercolumns import hypercolumns
from steerlib.maps.occlusion import occlusion_map
from steerlib.maps.visual_backprop import visual_backprop
from steerlib.networks.network import Network
from steerlib.networks.training import predict
from steerlib.trust.elements import ELEMENTS, ROADS, VIEWS
from steerlib.world import LABELS, SHADOW, render_counterfactuals

OF_ROADS = "erasure"  # knows the elements of roads, and no lamps
KINDS = [name for name in trust.methods() if name != OF_ROADS]
SIGNED = [name for name in KINDS if name not in trust.UNSIGNED]
LAMPS = ("right", "left", "above")


def quarter(rows=slice(0, 33), columns=slice(0, 100)):
    map = np.zeros((66, 200), np.float32)
    map[rows, columns] = 1
    return map


def linear(weights):
    """A network that adds up pixels: weights (66, 200) in degrees for each unit of brightness."""
    image = keras.Input((66, 200, 3))
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
    kernel = np.radians(np.repeat(weights[..., np.newaxis] / 3, 3, axis=2)).reshape(-1, 1)
    model.layers[-1].set_weights([kernel, np.zeros(1)])
    return model


def random_maps(count, shape=(66, 200)):
    return np.random.default_rng(7).random((count, *shape))


def holds(score, value):
    return score.low <= value <= score.high


@pytest.fixture(scope="module")
def shipped(shipped_network):
    return shipped_network("pilotnet"), load_drive().pictures(shipped_network("pilotnet"), [30, 150, 290])


@pytest.fixture(scope="module")
def known():
    """The known network, its picture, the lamps, the true map, and the network's maps by all methods."""
    model, (image, regions) = trust.known_network(), trust.known_image()
    makers = trust.methods(stride=3, layer="conv3") | trust.controls()
    makers.pop(OF_ROADS)
    made = trust.make_maps(model, image[np.newaxis], makers, progress=False)
    return model, image, regions, trust.known_map(image), {name: maps[0] for name, maps in made.items()}


@pytest.fixture
def calls(monkeypatch):
    """How many images the network was asked for, each time."""
    made = []

    def counted(network, images, *rest):
        made.append(len(images))
        return angles(network, images, *rest)

    angles = Network.angles
    monkeypatch.setattr(Network, "angles", counted)
    return made


# Numbers of many frames


def test_the_interval_is_that_of_scipy():
    values = np.random.default_rng(0).gamma(2.0, size=80)
    score = trust.summarize(values, resamples=20_000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert score.mean == pytest.approx(values.mean()) and score.frames == 80
    assert (score.low, score.high) == pytest.approx(tuple(theirs), abs=0.01)
    assert trust.summarize(values) == trust.summarize(values) != trust.summarize(values, seed=1)


def test_a_coin_by_hand():
    score = trust.summarize([0, 1] * 50)
    assert score.mean == 0.5
    assert (score.low, score.high) == pytest.approx((0.5 - 1.96 * 0.05, 0.5 + 1.96 * 0.05), abs=0.015)


def test_frames_without_a_score_are_left_out():
    assert trust.summarize([np.nan, 2.0, 4.0, np.nan])[::3] == (3.0, 2)
    assert trust.summarize([np.nan, 2.0]) == (2.0, 2.0, 2.0, 1)
    nothing = trust.summarize([np.nan])
    assert np.isnan(nothing[:3]).all() and nothing.frames == 0


# Ground truth


def test_what_matters_by_hand():
    labels = np.full((132, 400), LABELS["asphalt"], np.uint8)
    labels[:, 100:102] = LABELS["marking"]  # one of the network's pixels wide
    labels[:, 300:302] = LABELS["edge"] + SHADOW
    labels[:, 350:352] = LABELS["vehicle"]
    assert np.flatnonzero(trust.matter(labels, 0)[33]).tolist() == [50, 150]
    assert np.flatnonzero(trust.matter(labels)[33]).tolist() == [48, 49, 50, 51, 52, 148, 149, 150, 151, 152]
    assert np.flatnonzero(trust.matter(labels, 0, ["vehicle"])[33]).tolist() == [175]
    assert not trust.matter(labels, names=[]).any()


def test_accuracies_by_hand():
    map = np.array([[1.0, -3.0], [0.0, 4.0]])
    first, second = np.array([[True, True], [False, False]]), np.array([[False, False], [True, True]])
    assert trust.mass_accuracy(map, first) == 0.5
    assert trust.mass_accuracy(map, second) == 0.5
    assert trust.rank_accuracy(map, first) == 0.5  # the strongest two are 4 and −3
    assert trust.pointing_game(map, first) == 0 and trust.pointing_game(map, second) == 1
    assert trust.pointing_game(np.abs(map) > 2, first) == 0.5
    assert trust.rank_accuracy(np.array([[0, 0], [2, 3]]), first) == 0
    assert trust.mass_accuracy(np.array([[0, 0], [2, 3]]), first) == 0


@pytest.mark.parametrize("function", [trust.mass_accuracy, trust.rank_accuracy, trust.pointing_game])
def test_ground_truth_is_kind_to_the_right_map_only(function):
    pixels = quarter().astype(bool)
    assert function(quarter(), pixels) == 1 == function(-quarter(), pixels)
    assert function(quarter()[:, ::-1], pixels) == 0
    assert function(np.ones((66, 200)), pixels) == pytest.approx(pixels.mean())
    chances = trust.summarize([function(map, pixels) for map in random_maps(200)])
    assert holds(chances, pixels.mean())


def test_maps_and_truths_of_nothing():
    nothing, pixels = np.zeros((66, 200)), quarter().astype(bool)
    assert np.isnan(trust.mass_accuracy(nothing, pixels))
    assert trust.rank_accuracy(nothing, pixels) == trust.pointing_game(nothing, pixels) == 0.25
    assert np.isnan(trust.rank_accuracy(quarter(), np.zeros((66, 200), bool)))
    assert trust.mass_accuracy(quarter(), np.zeros((66, 200), bool)) == 0


# Counterfactuals


def test_changed():
    image = np.zeros((2, 3, 3), np.float32)
    without = image.copy()
    without[0, 1, 2], without[1, 2] = 0.5, 0.01
    assert np.argwhere(trust.changed(image, without)).tolist() == [[0, 1]]


CORNERS = np.eye(4).reshape(4, 2, 2) > 0  # four elements of one pixel each


def promised(map, regions=CORNERS):
    return trust.promises({"one": np.array([map], float)}, regions[np.newaxis])["one"]


def test_what_a_map_promises_is_its_signed_sum():
    regions = np.array([[[True, True], [False, False]], [[False, True], [False, True]], [[False, False]] * 2])
    maps = np.array([[[1.0, -3], [0, 4]], [[np.nan, np.nan]] * 2])
    found = trust.promises({"map": maps}, np.stack([regions, regions]))["map"]
    np.testing.assert_array_equal(found, [[-2, 1, np.nan], [np.nan] * 3])


def test_counterfactual_by_hand():
    effects = [[8.0, -4.0, 2.0, -0.5]]
    assert trust.counterfactual(promised([[9, 7], [3, 1]]), effects) == pytest.approx(1)
    assert trust.counterfactual(promised([[-9, 7], [-3, 1]]), effects) == pytest.approx(1)
    assert trust.counterfactual(promised([[1, 3], [7, 9]]), effects) == pytest.approx(-1)
    assert trust.counterfactual(promised([[9, 7], [1, 3]]), effects) == pytest.approx(0.8)
    assert trust.counterfactual(promised([[0, 0], [0, 0]]), effects) == 0
    # Below 3 degrees nothing counts: the last two share a rank, whatever a map gives to them.
    assert trust.counterfactual(promised([[9, 7], [0, 0]]), effects, 3) == pytest.approx(1)
    assert trust.counterfactual_side(promised([[1, -3], [7, 9]]), effects) == 1
    assert trust.counterfactual_side(promised([[-1, 3], [-7, 9]]), effects) == 0
    assert trust.counterfactual_side(promised([[1, 3], [0, 9]]), effects) == pytest.approx(0.5)
    assert trust.counterfactual_side(promised([[1, -3], [7, 9]]), effects, 0.1) == 0.75


def test_signs_that_cancel_are_no_mass():
    """Of a line whose pixels point to both sides a map promises their sum; the magnitudes would call it strong."""
    regions = np.zeros((3, 2, 4), bool)
    regions[0, 0], regions[1, 1, :2], regions[2, 1, 2:] = True, True, True
    map = [[5, -5, 5, -4.9], [1, 1, 0.2, 0.2]]
    effects = [[0.1, 2.0, 0.4]]
    assert trust.counterfactual(promised(map, regions), effects, 0) == pytest.approx(1)
    assert trust.counterfactual(promised(np.abs(map), regions), effects, 0) == pytest.approx(-0.5)


def test_degrees_explained_by_hand():
    effects = np.array([[3.0, -1.0], [0.0, 0.0]])  # squares 10 and 0: a frame has 5 on average
    assert trust.degrees_explained(effects, effects).tolist() == [1, 1]
    assert trust.degrees_explained(0 * effects, effects).mean() == 0
    np.testing.assert_allclose(
        trust.degrees_explained(np.add(effects, [[1, 0], [0, 2]]), effects), [1 - 1 / 5, 1 - 4 / 5]
    )
    assert trust.degrees_explained(-effects, effects).mean() == pytest.approx(1 - 4)
    # An element that is not in the picture promises nothing, and counts nowhere.
    unseen = np.array([[3.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(trust.degrees_explained(unseen, [[3.0, 9.0], [9.0, 9.0]]), [1, np.nan])
    assert np.isnan(trust.degrees_explained(effects, 0 * effects)).all()


def test_elements_that_are_not_there_do_not_count():
    regions = CORNERS.copy()
    regions[3] = False
    given = promised([[9, 7], [3, 100]], regions)
    assert trust.counterfactual(given, [[8.0, -4.0, 2.0, 0.0]]) == pytest.approx(1)
    assert np.isnan(trust.counterfactual(given[:, 1:], [[-4.0, 2.0, 0.0]]))
    assert np.isnan(trust.counterfactual(given, [[2.0, -2.0, 2.0, 0.0]]))
    assert np.isnan(trust.counterfactual_side(given, [[0.1, 0.2, 0.3, 0.0]]))


def test_random_maps_know_no_side():
    regions = np.random.default_rng(0).random((6, 66, 200)) > 0.7
    effects = np.random.default_rng(1).normal(size=(300, 6)) * 5
    given = trust.promises({"": random_maps(300) - 0.5}, np.broadcast_to(regions, (300, *regions.shape)))[""]
    assert holds(trust.summarize(trust.counterfactual_side(given, effects)), 0.5)
    assert holds(trust.summarize(trust.counterfactual(given, effects)), 0)
    assert trust.degrees_explained(given, effects).mean() < 0


# Deletion


def test_deletion_by_hand():
    """20 degrees come from a quarter of the pixels; each step hides a quarter."""
    map, image = quarter(), np.full((66, 200, 3), 0.5, np.float32)
    model = linear(40 * map / map.sum())
    curve = trust.deletion(model, image, map, 0.0, steps=4)
    np.testing.assert_allclose(curve.shares, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.angles, [20, 0, 0, 0, 0], atol=1e-3)
    np.testing.assert_allclose(curve.change, [0, 1, 1, 1, 1], atol=1e-4)
    assert trust.deletion(model, image, -map, 0.0, 4).area == pytest.approx(0.875, abs=1e-4)
    assert trust.deletion(model, image, 1 - map, 0.0, 4).area == pytest.approx(0.125, abs=1e-4)


def test_a_random_order_is_halfway():
    image = np.full((66, 200, 3), 0.5, np.float32)
    model = linear(40 * quarter() / quarter().sum())
    assert trust.deletion(model, image, np.ones((66, 200)), 0.0).area == pytest.approx(0.5, abs=0.02)
    areas = trust.summarize([trust.deletion(model, image, map, 0.0).area for map in random_maps(40)])
    assert holds(areas, 0.5) and areas.high - areas.low < 0.01


def test_the_order_of_equal_pixels_is_no_direction():
    """A map that is zero nearly everywhere must not hide the sky first, or last."""
    image = np.full((66, 200, 3), 0.5, np.float32)
    for rows in (slice(0, 33), slice(33, 66)):
        half = quarter(rows, slice(None))
        curve = trust.deletion(linear(40 * half / half.sum()), image, np.zeros((66, 200)), 0.0)
        assert curve.area == pytest.approx(0.5, abs=0.02)


def test_where_the_blank_does_nothing_there_is_no_score():
    image = np.full((66, 200, 3), 0.5, np.float32)
    for degrees, defined in ((1.9, False), (2.1, True)):
        model = linear(2 * degrees * quarter() / quarter().sum())
        curve = trust.deletion(model, image, quarter(), 0.0)
        assert np.isfinite(curve.area) == defined and np.isfinite(curve.angles).all()


def test_fills_differ(shipped):
    model, images = shipped
    map = trust.center_map(images[2])
    assert len({round(trust.deletion(model, images[2], map, fill).area, 4) for fill in (0.0, "mean", "blur")}) == 3


def test_a_score_asks_the_network_once(calls, shipped):
    model, images = shipped
    map = trust.center_map(images[0])
    trust.deletion(model, images[0], map, steps=8)
    trust.shift_test(model, images[0], map, (-2, 0, 2))
    assert calls == [9, 9]


# Sanity checks


def test_what_is_forgotten(shipped):
    trained, model = shipped[0], shipped[0].model
    before = model.get_weights()
    names = trust.weighted(trained)
    assert names == [*(f"conv{i}" for i in range(1, 6)), *(f"dense{i}" for i in range(1, 5)), "steering"]
    assert trust.cascade(trained)[0] == ("steering",) and trust.cascade(trained)[-1] == tuple(names)
    kernels, networks = {}, []
    for layers, network in trust.randomizations(trained, [("conv2",), ("steering", "dense4"), ("dense4",)], seed=4):
        networks.append(network)
        for name in names:
            mine, theirs = network.model.get_layer(name).get_weights(), model.get_layer(name).get_weights()
            assert (mine[0] == theirs[0]).all() == (name not in layers)
            assert not mine[1].any() if name in layers else (mine[1] == theirs[1]).all()
        kernels[layers] = network.model.get_layer("dense4").get_weights()[0]
    assert networks[0] is networks[1] is networks[2] is not trained and networks[0].model is not model
    np.testing.assert_array_equal(kernels["dense4",], kernels["steering", "dense4"])
    spread = np.std(kernels["dense4",])
    assert spread == pytest.approx(np.sqrt(2 / 50), rel=0.2)  # as He et al. start a layer with 50 inputs
    assert all((one == other).all() for one, other in zip(before, model.get_weights()))
    other_seed = (
        next(trust.randomizations(trained, [("dense4",)], seed=5))[1].model.get_layer("dense4").get_weights()[0]
    )
    assert (other_seed != kernels["dense4",]).any()


def test_maps_of_a_network_that_forgot_are_those_of_a_fresh_one(shipped):
    """What is cached with a network for speed must follow its weights."""
    model, images = shipped
    stages = [("conv1", "dense2"), ("conv3", "steering")]
    for _, network in trust.randomizations(model, stages):
        fresh = keras.models.clone_model(network.model)
        fresh.set_weights(network.model.get_weights())
        for name, method in trust.methods(stride=14).items():
            expected = method(fresh, images[0])
            tolerance = 1e-3 * np.abs(expected).max()
            np.testing.assert_allclose(method(network, images[0]), expected, atol=tolerance, err_msg=name)


def test_activations_do_not_ask_the_dense_layers(shipped):
    model, images = shipped
    dense = tuple(name for name in trust.weighted(model) if not name.startswith("conv"))
    (_, network), *_ = trust.randomizations(model, [dense])
    for method in (hypercolumns, visual_backprop):
        assert trust.similarity(method(model, images[0]), method(network, images[0])) == pytest.approx((1, 1), abs=1e-4)
    for method in (hires_cam, lambda model, image: occlusion_map(model, image, (15,), 10, "blur")):
        assert trust.similarity(method(model, images[0]), method(network, images[0])).rank < 0.7
    (_, network), *_ = trust.randomizations(model, [("conv1",)])
    assert trust.similarity(visual_backprop(model, images[0]), visual_backprop(network, images[0])).rank < 0.99


def test_similarity_by_hand():
    map = np.random.default_rng(0).normal(size=(7, 7))  # a single window of SSIM
    other = np.random.default_rng(1).normal(size=(7, 7))
    assert trust.similarity(map, map) == (1, 1)
    assert trust.similarity(map, -map).rank == pytest.approx(-1)
    x, y = map / np.abs(map).max(), other / np.abs(other).max()
    covariance = np.cov(x.ravel(), y.ravel())
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    expected = (2 * x.mean() * y.mean() + c1) * (2 * covariance[0, 1] + c2)
    expected /= (x.mean() ** 2 + y.mean() ** 2 + c1) * (covariance[0, 0] + covariance[1, 1] + c2)
    assert trust.similarity(map, other).structure == pytest.approx(expected)
    assert trust.similarity(5 * map, other) == pytest.approx(trust.similarity(map, other))
    assert trust.similarity(np.zeros((7, 7)), map).rank == 0


def test_random_maps_are_not_alike():
    maps = random_maps(101)
    pairs = [trust.similarity(one, other) for one, other in pairwise(maps)]
    assert holds(trust.summarize([pair.rank for pair in pairs]), 0)
    assert np.abs([pair.structure for pair in pairs]).max() < 0.05


def test_rank_correlation_is_spearmans():
    one, other = np.round(random_maps(2, (9, 9)), 1)  # with ties
    assert trust.rank_correlation(one, other) == pytest.approx(stats.spearmanr(one, other, axis=None).statistic)
    assert trust.rank_correlation([1, 2, 3], [1, 10, 100]) == pytest.approx(1)
    assert trust.rank_correlation([1, 1, 1], [1, 10, 100]) == 0
    ties = [0.0, 0.0, 0.0, 1.0, 2.0], [3.0, 1.0, 2.0, 1.0, 1.0]
    assert trust.rank_correlation(*ties) == pytest.approx(stats.spearmanr(*ties).statistic)


def test_correlation_is_pearsons():
    one, other = np.random.default_rng(0).random((2, 66, 200))
    assert trust.correlation(one, other + one) == pytest.approx(stats.pearsonr(one.ravel(), (other + one).ravel())[0])
    assert trust.correlation([1, 2, 3], [-1, -2, -3]) == pytest.approx(-1)
    assert trust.correlation([1, 1, 1], [1, 10, 100]) == 0 == trust.correlation([1, 10, 100], [0, 0, 0])


# The shift test


def test_shifts_by_hand(known):
    """Black background: what moves is a lamp, and every picture can be painted by hand."""
    model, image, regions, _, _ = known
    map = regions["right"].astype(float)
    found = trust.shift_test(model, image, map, (-4, 0, 4), share=0.01, dilation=2, fill=0.0)
    alone = {name: image * region[..., np.newaxis] for name, region in regions.items()}
    for column, shift in enumerate((-4, 0, 4)):
        moved = {name: np.roll(picture, shift, axis=1) for name, picture in alone.items()}
        pictures = [
            moved["right"] + alone["left"] + alone["above"],
            alone["right"] + moved["left"] + moved["above"],
            moved["right"] + moved["left"] + moved["above"],
        ]
        expected = predict(model, np.stack(pictures))
        lines = found.important[column], found.others[column], found.whole[column]
        np.testing.assert_allclose(lines, expected, atol=1e-3)
    assert sum(found.slopes) == pytest.approx(1, abs=0.01)  # the network is linear
    assert found.slopes[0] == pytest.approx(0.8 / (0.8 + 0.5), abs=0.03)  # the lamps' brightness


def test_the_wheel_follows_the_right_map_only(known):
    model, image, regions, truth, _ = known
    right = trust.shift_test(model, image, truth, share=0.03, fill=0.0)
    assert right.slopes == pytest.approx((1, 0), abs=0.02)
    wrong = trust.shift_test(model, image, regions["above"].astype(float), share=0.015, fill=0.0)
    assert wrong.slopes == pytest.approx((0, 1), abs=0.02)
    mirrored = trust.shift_test(model, image, truth[:, ::-1], share=0.03, fill=0.0)
    assert mirrored.slopes[0] < 0.5
    assert np.isnan(trust.shift_test(model, image, np.zeros((66, 200))).slopes).all()
    assert np.isnan(trust.shift_test(linear(np.zeros((66, 200))), image, truth).slopes).all()


def test_holes_show_the_fill_and_the_border_repeats():
    """A network that looks at one pixel tells what is there."""
    image = np.random.default_rng(0).random((66, 200, 3), np.float32)
    map = quarter(slice(20, 40), slice(50, 70))
    share = map.mean()

    def seen(row, column, which, shift):
        weights = np.zeros((66, 200))
        weights[row, column] = 100
        lines = trust.shift_test(linear(weights), image, map, (0, shift), share, 0, fill=0.25)
        return getattr(lines, which)[1] / 100

    value = image.mean(axis=2)
    assert seen(30, 52, "important", 5) == pytest.approx(0.25, abs=1e-3)  # left behind
    assert seen(30, 72, "important", 5) == pytest.approx(value[30, 67], abs=1e-3)  # covers
    assert seen(30, 100, "important", 5) == pytest.approx(value[30, 100], abs=1e-3)
    assert seen(30, 60, "others", 5) == pytest.approx(value[30, 60], abs=1e-3)  # stays on top
    assert seen(30, 72, "others", 5) == pytest.approx(0.25, abs=1e-3)  # nothing has come
    assert seen(30, 100, "others", 5) == pytest.approx(value[30, 95], abs=1e-3)
    assert seen(30, 2, "others", 5) == pytest.approx(value[30, 0], abs=1e-3)
    assert seen(30, 198, "whole", -5) == pytest.approx(value[30, 199], abs=1e-3)


def test_all_maps_call_the_same_area_important():
    for map in (*random_maps(3), trust.center_map(np.zeros((66, 200, 3))), -random_maps(1)[0]):
        assert trust.important(map, 0.2).mean() == pytest.approx(0.2, abs=0.02)
    point = np.zeros((66, 200))
    point[30, 100] = -1
    assert trust.important(point, 0.2, 0).sum() == 1
    distance = np.hypot(*np.mgrid[-30:36, -100:100])
    disk = trust.important(point, 0.2, 3)
    assert disk[distance < 3].all() and not disk[distance > 3.2].any()
    assert not trust.important(np.zeros((66, 200))).any()


# The network whose evidence is known


def test_the_truth_is_what_hiding_a_pixel_does(known):
    model, image, _, _, _ = known
    image = np.random.default_rng(0).random(image.shape, np.float32)
    truth = trust.known_map(image)
    assert truth.sum() == pytest.approx(predict(model, image[np.newaxis])[0], abs=1e-3)
    places = [(r, c) for r in (5, 27, 33, 48, 60) for c in (0, 31, 100, 140, 197)]
    hidden = np.repeat(image[np.newaxis], len(places), axis=0)
    for one, place in zip(hidden, places):
        one[place] = 0
    effects = predict(model, image[np.newaxis])[0] - predict(model, hidden)
    np.testing.assert_allclose([truth[place] for place in places], effects, atol=2e-4)
    assert not truth[:20].any()  # what is above does not steer


@pytest.mark.parametrize("name", SIGNED)
def test_each_method_on_the_known_network(known, name):
    """Right is red, left is blue, above is nothing, and right counts more than left. Grad-CAM sees nothing at all."""
    _, _, regions, _, maps = known
    if name == "Grad-CAM":  # the weights to both sides cancel in its average
        assert np.abs(maps[name]).max() < 1e-3 * np.abs(maps["HiResCAM"]).max()
        return
    right, left, above = (float(maps[name][regions[lamp]].sum()) for lamp in LAMPS)
    assert right > -left > 0
    assert abs(above) < 0.01 * right


@pytest.mark.parametrize("name", ["hypercolumns", "VisualBackProp", "edge detector"])
def test_what_shines_is_not_what_steers(known, name):
    _, _, regions, _, maps = known
    right, left, above = (float(maps[name][regions[lamp]].sum()) for lamp in LAMPS)
    assert above > right > left


@pytest.mark.parametrize("name", [*KINDS, *trust.controls(), "truth"])
def test_each_score_on_the_known_network(known, name):
    _, image, regions, truth, maps = known
    map = truth if name == "truth" else maps[name]
    lamps = np.stack([regions[lamp] for lamp in LAMPS])
    effects = [float(trust.known_map(image)[region].sum()) for region in lamps]
    steers = regions["right"] | regions["left"]
    good = name in {"truth", *SIGNED} - {"Grad-CAM"}
    given = promised(map, lamps)
    rank, side = trust.counterfactual(given, [effects]), trust.counterfactual_side(given, [effects])
    assert (rank > 0.9) == good
    assert side == 1 if good else side == 0.5
    if name != "Grad-CAM":
        inside = np.abs(map) * lamps.any(axis=0)  # windows smear: only which lamp is asked
        assert (trust.mass_accuracy(inside, steers) > 0.98) == good


def test_wrong_maps_of_the_known_network_score_badly(known):
    model, image, regions, truth, _ = known
    lamps = np.stack([regions[lamp] for lamp in LAMPS])
    effects, steers = [float(truth[region].sum()) for region in lamps], regions["right"] | regions["left"]
    wrong = {"upside down": truth[::-1], "shifted": np.roll(truth, 40, axis=1), "random": random_maps(1)[0]}
    for name, map in wrong.items():
        assert trust.mass_accuracy(map, steers) < 0.2 < 0.99 < trust.mass_accuracy(truth, steers), name
        assert trust.rank_accuracy(map, steers) < 0.2 < 0.99 < trust.rank_accuracy(truth, steers), name
        assert trust.pointing_game(map, steers) == 0 < 1 == trust.pointing_game(truth, steers), name
        assert trust.counterfactual(promised(map, lamps), [effects]) < 0.9, name
        assert trust.degrees_explained(promised(map, lamps), [effects]) < 0.6, name
        areas = trust.deletion(model, image, map, 0.0).area, trust.deletion(model, image, truth, 0.0).area
        assert areas[0] < areas[1] - 0.1, name
    assert trust.degrees_explained(promised(truth, lamps), [effects]) == pytest.approx(1)
    assert trust.counterfactual_side(promised(truth[:, ::-1], lamps), [effects]) <= 0.5
    assert trust.counterfactual_side(promised(-truth, lamps), [effects]) == 0


# Controls and tables


def test_controls_do_not_know_the_network():
    image, other = np.random.default_rng(0).random((2, 66, 200, 3), np.float32)
    for name, control in trust.controls().items():
        map = control(None, image)
        assert map.shape == (66, 200) and map.dtype == np.float32 and map.min() >= 0, name
        np.testing.assert_allclose(map, control(None, image.copy()), atol=1e-6)
    assert (trust.random_map(image) != trust.random_map(other)).any()
    assert np.unravel_index(trust.center_map(image).argmax(), (66, 200)) in [(32, 99), (32, 100), (33, 99), (33, 100)]
    step = np.zeros((66, 200, 3), np.float32)
    step[:, 100:] = 1
    assert np.flatnonzero(trust.edge_map(step)[30]).tolist() == [99, 100]


def test_make_maps(shipped, capfd):
    model, images = shipped
    makers = {"HiResCAM": trust.methods(layer="conv5")["HiResCAM"], "edges": trust.controls()["edge detector"]}
    made = trust.make_maps(model, images, makers)
    assert list(made) == list(makers) and "6/6" in capfd.readouterr().err
    for map, image in zip(made["HiResCAM"], images):
        np.testing.assert_allclose(map, hires_cam(model, image, "conv5", "right", signed=True), atol=1e-5)
    assert made["edges"].shape == (3, 66, 200) and made["edges"].dtype == np.float32
    trust.make_maps(model, images[:1], makers, progress=False)
    assert capfd.readouterr().err == ""


def test_which_maps_have_a_side(shipped):
    model, images = shipped
    makers = trust.methods(stride=14) | trust.controls()
    assert set(trust.UNSIGNED) < set(makers)
    for name, maps in trust.make_maps(model, images[:2], makers, progress=False).items():
        assert (maps.min() < 0 < maps.max()) == (name not in trust.UNSIGNED), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, image, map: trust.matter(image), "labels must be"),
        (lambda model, image, map: trust.matter(np.zeros((9, 9), np.uint8), names=["paint"]), "paint.*marking"),
        (lambda model, image, map: trust.matter(np.zeros((9, 9), np.uint8), -1), "tolerance=-1"),
        (lambda model, image, map: trust.mass_accuracy(map, map[:9] > 0), "expected a map"),
        (lambda model, image, map: trust.rank_accuracy(map * np.nan, map > 0), "13200 values that are NaN"),
        (lambda model, image, map: trust.promises({"it": map}, map[np.newaxis] > 0), "it: maps.*regions"),
        (lambda model, image, map: trust.counterfactual([[1, 2]], [[1, 2, 3]]), "promises and"),
        (lambda model, image, map: trust.degrees_explained([1, 2], [1, 2]), "promises and"),
        (lambda model, image, map: trust.deletion(model, image, map[:9]), "expected a map"),
        (lambda model, image, map: trust.deletion(model, image, map, "white"), "fill='white'"),
        (lambda model, image, map: trust.deletion(model, image, map, steps=0), "steps=0"),
        (lambda model, image, map: trust.deletion(model, image[np.newaxis], map), "expected one image"),
        (lambda model, image, map: next(trust.randomizations(model, [("flatten",)])), "'flatten'.*conv1, conv2"),
        (lambda model, image, map: trust.shift_test(model, image, map, (3, 3)), r"shifts=\[3, 3\]"),
        (lambda model, image, map: trust.shift_test(model, image, map, (0, 200)), "less than 200"),
        (lambda model, image, map: trust.shift_test(model, image, map, share=0), "share=0"),
        (lambda model, image, map: trust.important(map, 0.2, -1), "dilation=-1"),
    ],
)
def test_what_is_wrong_is_named(known, call, message):
    with pytest.raises(ValueError, match=message):
        call(known[0], known[1], np.ones((66, 200)))


@pytest.fixture(scope="module")
def taken_away(shipped):
    """The 200 views of notebook 08: what their elements do, and what maps that are quickly made promise of them."""
    network = shipped[0]
    views, without = render_counterfactuals(ROADS, VIEWS, ELEMENTS)
    pictures = views.pictures(network)
    effects, regions = trust.take_away(network, pictures, without)
    makers = {kind: trust.methods()[kind] for kind in ("VisualBackProp", "Grad-CAM", "HiResCAM", "gradient × input")}
    maps = trust.make_maps(network, pictures, makers | trust.controls(), progress=False)
    return effects, trust.promises(maps, regions), trust.hide_elements(network, pictures[:20], regions[:20], "blur")


def test_the_committed_table_comes_from_the_shipped_network(taken_away):
    """For the maps that are quickly made, the scores are computed again."""
    notebook = nbformat.read(Path(__file__).resolve().parents[1] / "notebooks" / "08_trust.ipynb", as_version=4)
    shown = [
        output.get("data", {}).get("text/markdown", "") for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    table = next(text for text in shown if "forgotten ↓" in text)
    head, _, *rows = ([entry.strip() for entry in line.strip("|").split(" | ")] for line in table.splitlines())
    effects, promised, _ = taken_away
    for kind, given in promised.items():
        row = next(row for row in rows if row[0] == kind)
        for column, function in (("counterfactual", trust.counterfactual), ("its side", trust.counterfactual_side)):
            score = trust.summarize(function(given, effects))
            stored = next(entry for name, entry in zip(head, row) if name.startswith(column)).strip("*")
            if kind in trust.UNSIGNED and column == "its side":
                assert stored == "–"
                continue
            mean, interval = stored.split()[:2]
            assert float(mean) == pytest.approx(score.mean, abs=0.011), (kind, column)
            assert float(interval[1:]) == pytest.approx((score.high - score.low) / 2, abs=0.011), (kind, column)


def test_the_committed_promises_are_those_of_the_shipped_network(taken_away):
    effects, promised, hidden = taken_away
    networks = trust.load_promises()
    assert list(networks) == ["pilotnet", "another seed", "pilotnet_gap"]
    stored = networks["pilotnet"]
    np.testing.assert_allclose(stored.effects, effects, atol=0.02)
    for kind, given in promised.items():
        scale = np.nanstd(given)
        np.testing.assert_allclose(stored.promised[kind] / scale, given / scale, atol=0.02, err_msg=kind)
    np.testing.assert_allclose(stored.hidden["blur"][:20], hidden, atol=0.02)
    for one in networks.values():
        true, oracle = one.effects, one.promised[trust.ORACLE]
        best = trust.summarize(trust.degrees_explained(oracle, true))
        floor = [trust.summarize(trust.counterfactual(one.promised[kind], true)).mean for kind in trust.CONTROLS]
        assert best.mean > 0.6 and trust.summarize(trust.counterfactual(oracle, true)).mean > max(floor) + 0.1


def test_hidden_elements_by_hand():
    weights, picture = quarter() / quarter().sum() * 40, np.full((66, 200, 3), 0.5, np.float32)
    regions = np.zeros((1, 3, 66, 200), bool)
    regions[0, 0, 10:20, 10:30] = True
    regions[0, 1, 40:50] = True
    found = trust.hide_elements(linear(weights), picture[np.newaxis], regions, "black")
    # Hidden are 12 x 22 pixels, of which each is worth 40 / 3300 degrees times a half.
    np.testing.assert_allclose(found, [[(12 * 22 - 4) * 20 / 3300, 0, np.nan]], atol=5e-3)
    assert np.isnan(trust.hide_elements(linear(weights), picture[np.newaxis], regions[:, 2:], "black")).all()
