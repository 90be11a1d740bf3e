"""Scores of views road by road, and bends: against all views at once, and the road's own geometry."""

import numpy as np
import pytest

from steerlib import trust
from steerlib.networks.network import as_network
from steerlib.world import STEP, Scene, render_bends, render_counterfactuals, render_views


def brightness(network, views, without):
    """What each view and each view without its trees gives: numbers that differ from view to view."""
    pictures = views.pictures(network)
    return {
        "answer": network.angles(pictures),
        "trees": np.abs(pictures - without["trees"] / np.float32(255)).mean(axis=(1, 2, 3)),
        "recorded": views.angles,
    }


@pytest.fixture(scope="module")
def mean_gray():
    return as_network(lambda pictures: 100 * pictures.mean(axis=(1, 2, 3)), "mean gray", (66, 200))


def test_scores_road_by_road_are_those_of_all_views_at_once(mean_gray):
    found = trust.score_views(mean_gray, brightness, [5, 6, 7], 8, ("trees",), progress=False)
    views, without = render_counterfactuals([5, 6, 7], 8, ("trees",), network=mean_gray)
    expected = brightness(mean_gray, views, without)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5)
    assert found["trees"].max() > 0


def test_a_score_gives_one_number_for_each_view(mean_gray):
    with pytest.raises(ValueError, match="expected a number for each of 2 views"):
        trust.score_views(mean_gray, lambda *_: {"all": np.zeros(3)}, 5, 2, progress=False)
    with pytest.raises(ValueError, match="0 seeds"):
        trust.score_views(mean_gray, brightness, [], 2, progress=False)


def test_bends_are_the_views_with_the_curvature_of_the_lane():
    views, curvature = render_bends([5, 6], 10)
    same = render_views([5, 6], 10)
    assert (views.pixels() == same.pixels()).all() and (views.angles == same.angles).all()
    assert views.runs.tolist() == [0] * 5 + [1] * 5
    turns = []
    for seed in (5, 6):
        road, rng = Scene(seed).road, np.random.default_rng([seed, 4])
        for _ in range(5):  # a curvature is the change of direction with every meter, here of the lane
            place = road.distance[road.index(rng.uniform(5, road.length))]
            rng.uniform(-4, 4), rng.standard_normal(2)
            ends = place + np.array([-3, 3]) * STEP
            middle = np.stack(road.to_world(ends, road.lane_center(ends)))
            turns.append(np.diff(road.at("heading", ends))[0] / np.linalg.norm(middle[:, 1] - middle[:, 0]))
    np.testing.assert_allclose(curvature, turns, atol=0.05 * np.abs(turns).max())
