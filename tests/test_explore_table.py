"""The explorers that read a store of maps: from a point to its picture, and all methods side by side."""

import numpy as np
import pytest

from steerlib.drives import Drive, load_drive
from steerlib.maps import of_drive
from steerlib.show import explorers


@pytest.fixture(scope="module")
def model(shipped_network):
    return shipped_network("pilotnet")


@pytest.fixture(scope="module")
def drive():
    return load_drive().subset(range(100, 109))


@pytest.fixture(scope="module")
def maps(drive, model, tmp_path_factory):
    path = tmp_path_factory.mktemp("maps") / "maps.zarr"
    return of_drive(drive, model, ["hires-cam", "gradient-times-input"], path, progress=False)


def columns():
    """Nine points on a grid: frame 3 k + j stands at (j, k); frame 4, in the middle, is nowhere."""
    across, up = np.tile([0.0, 1, 2], 3), np.repeat([0.0, 10, 20], 3)
    across[4] = np.nan
    return {"across": across, "up": up, "other": np.arange(9.0)}


def test_a_cross_leads_to_the_nearest_point_and_its_map(model, drive, maps):
    explorer = explorers.table(model, drive, maps, columns(), frame=7)
    assert explorer.error.value == "" and explorer.frame.value == 7
    np.testing.assert_array_equal(explorer.map, maps.map("hires-cam", 7))
    explorer.right.value, explorer.high.value = 98, 4
    assert explorer.frame.value == 2 and "across 2, up 0" in explorer.readout.value
    np.testing.assert_array_equal(explorer.map, maps.map("hires-cam", 2))
    explorer.right.value, explorer.high.value = 45, 52  # nobody is in the middle
    assert explorer.frame.value in (1, 3, 5, 7)
    explorer.up.value = "other"
    explorer.right.value, explorer.high.value = 100, 100
    assert explorer.frame.value == 8
    explorer.method.value = "gradient-times-input"
    np.testing.assert_array_equal(explorer.map, maps.map("gradient-times-input", 8))
    assert explorer.error.value == ""
    explorer.close()


def test_the_lines_to_copy_draw_the_map_of_the_store(model, drive, maps):
    import re
    from html import unescape

    import matplotlib.pyplot as plt

    for explorer in (explorers.table(model, drive, maps, columns()), explorers.compare(model, drive, maps)):
        code = unescape(re.search(r"<pre[^>]*>(.*)</pre>", explorer.code.value, re.DOTALL)[1])
        assert "maps.explain(" in code
        exec(code, {"network": model, "drive": drive, "maps": maps})
        plt.close("all")


def test_all_methods_of_a_store_are_compared(model, drive, maps):
    explorer = explorers.compare(model, drive, maps)
    assert list(explorer.map) == ["gradient-times-input", "hires-cam"] or set(explorer.map) == set(maps.methods)
    np.testing.assert_array_equal(explorer.map["hires-cam"], maps.map("hires-cam", 0))
    explorer.frame.value = 5
    np.testing.assert_array_equal(explorer.map["hires-cam"], maps.map("hires-cam", 5))
    assert explorer.error.value == ""


def test_another_network_drive_or_table_is_refused(model, drive, maps, shipped_network):
    for make in (explorers.compare, lambda *given: explorers.table(*given, columns())):
        with pytest.raises(ValueError, match="was made by network 'pilotnet'"):
            make(shipped_network("pilotnet_gap"), drive, maps)
    other = Drive.from_arrays("other", np.zeros((9, 66, 200, 3), np.uint8), np.zeros(9))
    assert "has no map of this picture" in explorers.table(model, other, maps, columns()).error.value
    with pytest.raises(ValueError, match="two or more columns"):
        explorers.table(model, drive, maps, {"one": np.zeros(9)})
    with pytest.raises(ValueError, match="a number for each of 9 frames"):
        explorers.table(model, drive, maps, columns() | {"short": np.zeros(8)})
