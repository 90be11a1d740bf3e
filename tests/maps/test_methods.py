"""A method in one file, the one that CONTRIBUTING.md shows, is found by all that offer methods."""

import importlib
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

import steerlib
from steerlib import __main__ as command
from steerlib import maps, trust
from steerlib.drives import Drive, load_drive
from steerlib.maps.fill import fill_image
from steerlib.show import film
from steerlib.show.explorers import compare

ROOT = Path(__file__).resolve().parents[2]
FRAME = ROOT / "data" / "sample_drive" / "120.jpg"
MODULE, NAME, TITLE = "gradient_times_contrast", "gradient-times-contrast", "Gradient x contrast"


@contextmanager
def one_more_method(folder):
    """Write the file of CONTRIBUTING.md, as if it lay beside those of the package, and forget it afterwards."""
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("## Add a method\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert len(code.splitlines()) <= 30
    (folder / f"{MODULE}.py").write_text(code, "utf-8")
    maps.__path__.append(str(folder))
    maps.methods.cache_clear()
    importlib.invalidate_caches()
    try:
        yield
    finally:
        maps.__path__.remove(str(folder))
        maps.methods.cache_clear()
        sys.modules.pop(f"steerlib.maps.{MODULE}", None)
        vars(maps).pop(MODULE, None)


@pytest.fixture
def added(tmp_path):
    with one_more_method(tmp_path):
        yield


@pytest.fixture(scope="module")
def network():
    return steerlib.as_network(trust.known_network())


@pytest.fixture(scope="module")
def picture():
    """Nowhere black: in the dark the known network's ReLUs are at their kink, where no gradient passes."""
    return 0.2 + 0.7 * trust.known_image()[0]


def expected(picture, fill="blur"):
    """What the known network makes of a picture is known by hand, also of what stands out of its surroundings."""
    return trust.known_map(picture) - trust.known_map(fill_image(picture, fill))


def test_it_is_listed_while_it_is_there(tmp_path):
    before = list(maps.METHODS)
    with one_more_method(tmp_path):
        assert list(steerlib.METHODS) == [*before, NAME]  # no notebook introduces it, so it stands at the end
        method = steerlib.METHODS[NAME]
        assert (method.title, method.needs, method.settings) == (TITLE, "gradients", ("fill",))
    assert list(steerlib.METHODS) == before and NAME not in maps.METHODS
    with pytest.raises(ValueError, match=f"method='{NAME}'"):
        maps.explain(None, None, NAME)


def test_it_is_explained(added, network, picture):
    found = steerlib.explain(network, picture, NAME)
    np.testing.assert_allclose(found.map, expected(picture), atol=1e-5)
    assert found.signed and found.unit == "degrees for each pixel" and np.abs(found.map).max() > 1e-3
    black = steerlib.explain(network, picture, NAME, fill="black", layer="conv1")  # of other methods: left out
    np.testing.assert_allclose(black.map, trust.known_map(picture), atol=1e-5)
    with pytest.raises(ValueError, match="needs gradients; of the black box"):
        steerlib.explain(steerlib.as_network(lambda pictures: pictures[:, 0, 0, 0], size=(66, 200)), picture, NAME)


def test_the_command_line_offers_it(added, tmp_path, capsys, shipped_network, monkeypatch):
    monkeypatch.setattr(
        "steerlib.networks.files.load_network", lambda name=None, drive=None: shipped_network("pilotnet")
    )
    pictures = {}
    for method in (NAME, "gradient-times-input"):
        path = tmp_path / f"{method}.png"
        assert command.main(["explain", str(FRAME), "--method", method, "-o", str(path)]) == 0
        pictures[method] = cv2.imread(str(path)).astype(float)
    assert "what stands out here steers right" in capsys.readouterr().out
    assert np.abs(pictures[NAME] - pictures["gradient-times-input"]).mean() > 0.1
    with pytest.raises(SystemExit):
        command.main(["film", "--help"])
    assert NAME in capsys.readouterr().out


def test_a_film_shows_it(added, shipped_network):
    part, network = load_drive().subset(range(2)), shipped_network("pilotnet")
    new = list(film.film_frames(part, network, [NAME], width=320))
    other = next(film.film_frames(part, network, ["gradient-times-input"], width=320))
    assert len(new) == 2 and new[0].shape == other.shape
    assert np.abs(new[0].astype(float) - other).mean() > 0.1


def test_the_explorer_compares_it(added, network, picture):
    drive = Drive.from_arrays("lamps", [np.rint(255 * picture).astype(np.uint8)], [0.0])
    explorer = compare(network, drive)
    assert explorer.error.value == "" and list(explorer.map)[-1] == NAME
    seen = drive.pictures(network, [0])[0]
    np.testing.assert_allclose(explorer.map[NAME], expected(seen), atol=1e-5)
    explorer.close()


def test_it_is_scored(added, network, picture):
    np.testing.assert_allclose(trust.methods()[TITLE](network, picture), expected(picture), atol=1e-5)
    black = trust.methods(network, fill="black")[TITLE]
    np.testing.assert_allclose(black(network, picture), trust.known_map(picture), atol=1e-5)


def test_a_mistake_on_the_command_line_is_answered_before_tensorflow_loads():
    mistake = """
import sys
sys.argv = ["steerlib", "explain", "x.png", "--method", "nonsense"]
try:
    from steerlib.__main__ import main
    sys.exit(main())
finally:
    print(*sys.modules)
"""
    found = subprocess.run(
        [sys.executable, "-c", mistake],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2 and "invalid choice: 'nonsense'" in found.stderr and "smooth-grad" in found.stderr
    imported = set(found.stdout.split())
    assert "steerlib.maps.smooth_grad" in imported
    assert not {"tensorflow", "keras", "matplotlib"} & {name.partition(".")[0] for name in imported}
