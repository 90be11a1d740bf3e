"""The recipe of a network for recorded roads, on a few views."""

import numpy as np
import pytest

from steerlib.drives import WHOLE, Drive
from steerlib.networks import varied
from steerlib.networks.files import load_network


def test_the_recipe_runs_on_a_few_views(tmp_path, monkeypatch, capsys):
    for name, value in {
        "PLAIN_VIEWS": 8,
        "VARIED_ROADS": range(2),
        "VARIED_VIEWS": 12,
        "VALIDATION": [(range(1000, 1001), 4, False), (range(9000, 9001), 4, True)],
        "UNSEEN": [(range(2000, 2001), 4, False), (range(9500, 9501), 4, True)],
        "EPOCHS": 1,
        "PLAIN_ROADS": range(2),
    }.items():
        monkeypatch.setattr(varied, name, value)
    learned, given = [], varied.train

    def watched(model, drive, *arguments, augmented, **settings):
        learned.append((len(drive), augmented))
        return given(model, drive, *arguments, augmented=augmented, **settings)

    monkeypatch.setattr(varied, "train", watched)
    monkeypatch.setattr("sys.argv", ["varied", str(tmp_path)])
    varied.main()
    count, augmented = learned[0]
    assert count == 20 and augmented.tolist() == [False] * 8 + [True] * 12  # plain views stay as they are
    assert load_network(tmp_path / f"{varied.NAME}.keras").size == (66, 200)
    printed = capsys.readouterr().out
    assert "views of unseen plain roads: r2" in printed and "views of unseen varied roads: r2" in printed


def test_together_keeps_order_and_angles():
    one, other = (
        Drive.from_arrays("d", np.full((2, 6, 8, 3), value, np.uint8), [value, value + 1.0], crop=WHOLE, cut=True)
        for value in (10, 20)
    )
    both = varied.together(one, other)
    assert both.angles.tolist() == [10, 11, 20, 21] and both.frame(3).max() == 20
    with pytest.raises(ValueError, match=r"shape|size|dimension"):
        varied.together(one, Drive.from_arrays("e", np.zeros((1, 5, 8, 3), np.uint8), [0.0], crop=WHOLE, cut=True))
