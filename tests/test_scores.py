"""Scores of maps in a table and a figure, compared with what is known of made-up numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from steerlib import score_maps, score_rows, show_scores

NOISE = np.random.default_rng(0).normal(0, 0.01, 50)
SCORES = {
    "up": {
        "one": 0.7 + NOISE,
        "two": 0.5 + NOISE,
        "edge detector": 0.6 + 2 * NOISE,
        "center blob": 0.4 + 2 * NOISE,
    },
    "near": {"one": 1.5 + NOISE, "two": np.where(np.arange(50) < 20, 0.9 + NOISE, np.nan)},
    "never": {"one": np.full(50, np.nan), "two": np.full(50, np.nan), "edge detector": np.full(50, np.nan)},
}


def test_a_score_is_taken_where_there_is_a_map():
    maps = {"all": np.arange(24.0).reshape(3, 2, 4), "some": np.ones((3, 2, 4))}
    maps["some"][1] = np.nan
    found = score_maps(lambda map, factor, added: factor * map.sum() + added, maps, [1, 2, 3], (10, 0, 0))
    assert found["all"].tolist() == [38.0, 2 * 92.0, 3 * 156.0]
    np.testing.assert_array_equal(found["some"], [18, np.nan, 24])
    sides = {"HiResCAM": maps["all"], "hypercolumns": maps["all"], "edge detector": maps["all"]}
    assert list(score_maps(np.sum, sides)) == list(sides)
    assert list(score_maps(np.sum, sides, signed=True)) == ["HiResCAM"]


def test_the_table_says_what_is_best_and_what_no_better_than_a_control():
    rows = score_rows(SCORES, {"up": "↑", "near": "→ 1", "never": "↓"}, {"up": 0.25, "never": np.nan})
    head, one, two, edges, blob, chance = rows
    assert head == ["", "up ↑ (n = 50)", "near → 1 (n = 50)", "never ↓ (n = 0)"]
    assert one == ["one", "**0.70 ±0.00**", "1.50 ±0.00", "not defined"]
    assert two == ["two", "0.50 ±0.00 ~", "**0.90 ±0.00 (n = 20)**", "not defined"]
    assert edges == ["edge detector", "0.60 ±0.01", "–", "not defined"]
    assert blob == ["center blob", "0.40 ±0.01", "–", "–"]
    assert chance == ["chance", "0.25", "–", "not defined"]


def test_small_is_good_where_the_goal_says_so():
    rows = score_rows({"up": SCORES["up"]}, {"up": "↓"}, {})
    assert rows[1][1] == "0.70 ±0.00 ~ ∘" and rows[2][1] == "**0.50 ±0.00 ∘**"


def test_the_oracle_is_no_method():
    rows = score_rows({"up": SCORES["up"] | {"oracle": 0.9 + NOISE}}, {"up": "↑"}, {})
    assert rows[1][1].startswith("**") and rows[5] == ["oracle", "0.90 ±0.00"]


@pytest.fixture
def figure(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.switch_backend("agg")
    show_scores(SCORES, [0.25, 1])
    yield plt.gcf()
    plt.close("all")


def test_the_figure_has_a_panel_for_each_score(figure):
    assert [axis.get_title() for axis in figure.axes] == ["up (n ≤ 50)", "near (n ≤ 50)", "never: not defined"]
    first = figure.axes[0]
    assert [text.get_text() for text in first.get_yticklabels()] == ["one", "two", "edge detector", "center blob"]
    dots = [line for line in first.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([line.get_xdata()[0] for line in dots], [0.7, 0.5, 0.6, 0.4], atol=0.01)
    assert dots[0].get_color() == dots[1].get_color() != dots[2].get_color() == dots[3].get_color()
    assert [line.get_xdata()[0] for line in first.lines if line.get_linestyle() == ":"] == [0.25]
