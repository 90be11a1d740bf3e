"""The recipe of a network for recorded roads, on a few views."""

import numpy as np
import pytest

from steerlib.networks import varied
from steerlib.networks.files import load_network
from steerlib.world import Scene, render_views


def test_the_recipe_runs_on_a_few_views(tmp_path, monkeypatch, capsys):
    for name, value in {
        "PLAIN_VIEWS": 8,
        "STAGES": [(range(2), 12, 1.0, 1, 7e-4), (range(2, 4), 12, 0.4, 1, 5e-4)],
        "VALIDATION": [(range(1000, 1001), 4, False), (range(9000, 9001), 4, True)],
        "UNSEEN": [(range(2000, 2001), 4, False), (range(9500, 9501), 4, True)],
        "PLAIN_ROADS": range(2),
    }.items():
        monkeypatch.setattr(varied, name, value)
    monkeypatch.setattr("sys.argv", ["varied", str(tmp_path)])
    varied.main()
    assert load_network(tmp_path / f"{varied.NAME}.keras").size == (66, 200)
    printed = capsys.readouterr().out
    assert "views of unseen plain roads: r2" in printed and "views of unseen varied roads: r2" in printed


def test_what_is_learned_is_the_bend_and_not_the_way_back():
    drive = varied.bends([(range(2), 4, False), (range(3), 6, True)])
    views = render_views(range(2), 4), render_views(range(3), 6, varied=True)
    assert len(drive) == 10 and (drive.frame(9) == views[1].frame(5)).all()
    assert not np.allclose(drive.angles[:4], views[0].angles, atol=1)
    road, rng = Scene(1).road, np.random.default_rng([1, 4])
    place = rng.uniform(5, road.length)
    assert drive.angles[2] == pytest.approx(15 * np.degrees(np.arctan(2.7 * road.lane_curvature(place))), abs=1e-3)
