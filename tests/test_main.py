"""The command line: what it prints and writes, and one line for each thing that can be wrong."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from steerlib import __main__ as command
from steerlib.drives import load_drive, read_frame
from steerlib.maps import METHODS, explain
from steerlib.networks import files
from steerlib.show import overlay
from steerlib.show.explanation import draw_map
from steerlib.show.film import write_film

FRAME = Path(__file__).resolve().parents[1] / "data" / "sample_drive" / "120.jpg"


@pytest.fixture(autouse=True)
def once(shipped_network, monkeypatch):
    """A command loads and traces no network that another did; `test_quiet` has one in a process of its own."""

    load_network = files.load_network

    def load(name=None, drive=None):
        if drive is None and (name is None or name in files.SHIPPED):
            return shipped_network(name or "pilotnet")
        return load_network(name, drive)

    monkeypatch.setattr(files, "load_network", load)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capfd, *arguments):
    """Status, standard output and standard error of a command."""
    try:
        status = command.main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        status = leaving.code
    return status, *capfd.readouterr()


def test_the_choices_are_those_of_the_package():
    from steerlib.maps.grad_cam import TARGETS

    commands = command._parser()._subparsers._group_actions[0].choices
    one, whole = (commands[name]._option_string_actions for name in ("explain", "film"))
    assert tuple(one["--method"].choices) == tuple(whole["--method"].choices) == tuple(METHODS)
    assert set(one["--target"].choices) == set(TARGETS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("focus", [(), ("--focus",)], ids=["colors", "focus"])
def test_explain_writes_a_picture_and_tells_the_angle(method, focus, here, capfd, shipped_network):
    arguments = ("--stride", 8) if method == "occlusion" else ()
    status, out, err = run(capfd, "explain", FRAME, "--method", method, *arguments, *focus)
    assert (status, err) == (0, "")
    drive = load_drive(FRAME.parent)
    network = shipped_network("pilotnet_gap" if method == "cam" else "pilotnet")
    image = drive.pictures(network, [120])
    angle = network.angles(image)[0]
    assert f"{angle:+.1f}°" in out and f"120_{method}.png" in out
    picture = read_frame(here / f"120_{method}.png")
    assert picture.shape == (357, 900, 3)
    found = explain(network, image[0], method, stride=8 if arguments else 2)
    view = overlay.enlarge(drive.view(120), 900)
    expected = overlay.focus(view, found.map) if focus else draw_map(view, found.density())
    assert np.abs(picture[:297].astype(float) - expected).mean() < 0.1
    assert (picture[300:] < 100).all(axis=2).any()  # the ruler with the angle
    assert [path.name for path in here.iterdir()] == [f"120_{method}.png"]  # nothing else is left behind


def test_options_reach_the_method(here, capfd, shipped_network):
    drive, network = load_drive(FRAME.parent), shipped_network("pilotnet")
    for k, (options, settings) in enumerate(
        [
            (["--method", "grad-cam", "--target", "left", "--layer", "conv4"], {"target": "left", "layer": "conv4"}),
            (["--method", "hires-cam", "--signed"], {"signed": True}),
            (["--size", "15", "--size", "31", "--stride", "9"], {"sizes": (15, 31), "stride": 9}),
            (["--size", "21", "--stride", "9", "--fill", "black"], {"sizes": (21,), "stride": 9, "fill": 0.0}),
        ]
    ):
        method = options[1] if options[0] == "--method" else "occlusion"
        found = explain(network, drive.pictures(network, [120])[0], method, **settings)
        status, out, _ = run(capfd, "explain", FRAME, *options, "-o", f"{k}.png")
        assert status == 0 and found.words in out
        picture = read_frame(f"{k}.png")[:297].astype(float)
        # Where the map is strong the picture is colored, elsewhere it is gray.
        colored = cv2.resize(np.ptp(picture, axis=2), (200, 66), interpolation=cv2.INTER_AREA)
        assert np.corrcoef(colored.ravel(), np.abs(found.map).ravel())[0, 1] > 0.6


def test_gray_and_transparent_pictures_are_converted(here, capfd):
    pixels = cv2.imread(str(FRAME))
    cv2.imwrite("gray.png", cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    cv2.imwrite("alpha.png", cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA))
    cv2.imwrite("deep.png", pixels.astype(np.uint16) * 257)
    status, out, err = run(capfd, "predict", FRAME, "gray.png", "alpha.png", "deep.png")
    assert (status, err) == (0, "")
    angles = dict(line.split(": ") for line in out.splitlines())
    assert angles["alpha.png"] == angles["deep.png"]
    assert len(angles) == 4
    status, _, err = run(capfd, "explain", "gray.png", "--method", "grad-cam")
    assert (status, err) == (0, "") and (here / "gray_grad-cam.png").exists()


def test_predict_goes_on_after_a_bad_frame(here, capfd):
    (here / "cut.jpg").write_bytes(FRAME.read_bytes()[:5000])
    status, out, err = run(capfd, "predict", "none.jpg", FRAME, "cut.jpg", FRAME.with_name("121.jpg"))
    assert status == 2
    assert [line.split(": ")[0] for line in out.splitlines()] == [str(FRAME), str(FRAME.with_name("121.jpg"))]
    first, second = err.splitlines()
    assert "none.jpg" in first and "cut.jpg" in second


def test_an_older_picture_is_replaced_only_by_a_complete_one(here, capfd, monkeypatch):
    (here / "out.png").write_bytes(b"older")

    def fail(*_arguments):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        status, _, err = run(capfd, "explain", FRAME, "--method", "grad-cam", "-o", "out.png")
    assert status == 2 and "no space left" in err
    assert (here / "out.png").read_bytes() == b"older"
    assert run(capfd, "explain", FRAME, "--method", "grad-cam", "-o", "out.png")[0] == 0
    assert read_frame("out.png").shape == (357, 900, 3)
    assert [path.name for path in here.iterdir()] == ["out.png"]


def test_film_of_a_phone(here, capfd):
    drive = load_drive(FRAME.parent)
    frames = (drive.frame(i)[:, :454] for i in range(60))
    write_film(frames, "phone.mp4", 10)
    status, out, err = run(capfd, "film", "phone.mp4", "--draw-crop", "crop.png")
    assert (status, err) == (0, "")
    row, top, bottom = map(float, re.search(r"horizon at ([\d.]+)%.* network sees ([\d.]+):([\d.]+) of", out).groups())
    assert row == pytest.approx(45.4, abs=1.5) and bottom == 1  # the camera of this road is pitched by 0.005
    assert (row / 100 - top) / (1 - top) == pytest.approx(9 / 150, abs=0.01)
    picture = read_frame("crop.png")
    assert picture.shape[1] == 3 * (420 + 8) and (picture == (230, 60, 60)).all(axis=2).sum() > 6 * 300
    assert sorted(path.name for path in here.iterdir()) == ["crop.png", "phone.mp4"]
    film = ("film", "phone.mp4", "-o", "why.mp4", "--frames", "0:3", "--method", "hires-cam")
    status, out, _ = run(capfd, *film, "--horizon", "0.2")
    assert status == 0 and "horizon at 20.0% of the height, as said" in out and "standard car" in out
    with av.open("why.mp4") as written:
        pictures = [picture.to_ndarray(format="rgb24") for picture in written.decode(video=0)]
        assert len(pictures) == 3 and len(written.streams) == 1
    # The network sees 15 to 94 % of the height: the rest of the map's panel is dark.
    for top, bottom, dark in ((0.03, 0.13, True), (0.18, 0.3, False), (0.8, 0.92, False), (0.96, 1, True)):
        rows = slice(24 + round(top * 361), 24 + round(bottom * 361))
        assert bool(pictures[1][rows, 652:1292].mean() < 0.5 * pictures[1][rows, 4:644].mean()) is dark
    status, out, err = run(capfd, "film", "phone.mp4", "-o", "x.mp4", "--frames", "0:3", "--horizon", "0.9")
    assert status == 2 and "turn the camera down" in err and "--crop TOP:BOTTOM" in err


def test_film_of_a_standing_car_asks_where_the_horizon_is(here, capfd):
    frame = load_drive(FRAME.parent).frame(0)[:, :454]
    write_film([frame] * 40, "phone.mp4", 10)
    status, out, err = run(capfd, "film", "phone.mp4", "-o", "why.mp4")
    assert (status, out) == (2, "") and "the camera moves on in 0 of" in err and "--horizon 0.45" in err
    assert [path.name for path in here.iterdir()] == ["phone.mp4"]


def test_film_says_the_factor_of_the_car(here, capfd, monkeypatch):
    shown = []

    def render(drive, network, methods, path, *_, factor, bends, **__):
        shown.append((factor, bends))
        return path

    monkeypatch.setattr("steerlib.show.film.render_video", render)
    drive = load_drive(FRAME.parent)
    for factor in (1, 2):
        lines = [f"{i}.jpg {factor * drive.angles[i]:.2f}" for i in reversed(range(300))]  # begins in a bend
        (here / f"car{factor}").mkdir()
        (here / f"car{factor}" / "data.txt").write_text("\n".join(lines))
        for i in range(300):
            shutil.copy(FRAME.parent / f"{i}.jpg", here / f"car{factor}")
        status, out, err = run(capfd, "film", f"car{factor}", "-o", "why.mp4", "--model", "pilotnet")
        assert (status, err) == (0, "") and re.match(r"factor \d", out)
        assert ("not applied" in out) is (factor == 1)
    (one, _), (other, bends) = shown
    assert one == 1 and other == pytest.approx(2, abs=0.3) and not bends
    run(capfd, "film", "car2", "-o", "why.mp4", "--factor", "3")
    assert shown[-1] == (3, False)


WRONG = {
    "no command": ([], "command"),
    "unknown command": (["explian"], "explian"),
    "no frame": (["explain"], "frame"),
    "missing file": (["explain", "nowhere.jpg"], "nowhere.jpg"),
    "no picture": (["explain", "text.jpg"], "text.jpg is not a complete picture"),
    "empty file": (["explain", "empty.jpg"], "empty.jpg is not a complete picture"),
    "truncated": (["explain", "cut.jpg"], "cut.jpg is not a complete picture"),
    "folder as frame": (["explain", "folder"], "folder"),
    "folder as output": (["explain", FRAME, "-o", "folder"], "folder is a folder"),
    "output nowhere": (["explain", FRAME, "-o", "nowhere/x.png"], "nowhere"),
    "output of another kind": (["explain", FRAME, "-o", "x.txt"], ".png"),
    "unknown method": (["explain", FRAME, "--method", "gradcam"], "gradcam"),
    "unknown layer": (["explain", FRAME, "--method", "grad-cam", "--layer", "conv9"], "conv1, conv2"),
    "unknown target": (["explain", FRAME, "--target", "up"], "up"),
    "size of 0": (["explain", FRAME, "--size", "0"], "sizes=(0,)"),
    "size in words": (["explain", FRAME, "--size", "big"], "big"),
    "stride of 0": (["explain", FRAME, "--stride", "0"], "stride=0"),
    "unknown network": (["explain", FRAME, "--model", "alexnet"], "alexnet"),
    "network without an average": (["explain", FRAME, "--method", "cam", "--model", "pilotnet"], "GlobalAverage"),
    "network that is none": (["predict", FRAME, "--model", "text.keras"], "text.keras"),
    "missing frame to predict": (["predict", "nowhere.jpg"], "nowhere.jpg"),
    "missing drive": (["film", "nowhere", "-o", "x.mp4"], "nowhere"),
    "film without an output": (["film", FRAME.parent], "-o"),
    "film of another kind": (["film", FRAME.parent, "-o", "x.avi"], ".mp4"),
    "film into a folder": (["film", FRAME.parent, "-o", "folder"], "folder is a folder"),
    "frames in words": (["film", FRAME.parent, "-o", "x.mp4", "--frames", "some"], "FIRST:LAST"),
    "no frames left": (["film", FRAME.parent, "-o", "x.mp4", "--frames", "500:600"], "0 frames"),
    "factor of 0": (["film", FRAME.parent, "-o", "x.mp4", "--factor", "0"], "above 0"),
    "horizon in percent": (["film", FRAME.parent, "-o", "x.mp4", "--horizon", "45"], "a share of the height"),
    "rate of 0": (["film", FRAME.parent, "-o", "x.mp4", "--fps", "0"], "0"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_in_one_line(wrong, here, capfd):
    (here / "text.jpg").write_text("not a picture")
    (here / "text.keras").write_text("not a network")
    (here / "empty.jpg").touch()
    (here / "cut.jpg").write_bytes(FRAME.read_bytes()[:5000])
    (here / "folder").mkdir()
    before = sorted(path.name for path in here.rglob("*"))
    arguments, expected = WRONG[wrong]
    status, out, err = run(capfd, *arguments)
    assert status == 2 and out == ""
    assert len(err.splitlines()) == 1 and expected in err and "Traceback" not in err
    assert sorted(path.name for path in here.rglob("*")) == before


@pytest.mark.parametrize("arguments", [(FRAME, "--model", "alexnet"), ("nowhere.jpg",)], ids=["network", "frame"])
def test_a_process_of_its_own_says_what_is_wrong_and_no_more(arguments, here):
    command = [sys.executable, "-m", "steerlib", "predict", *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 2 and finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 1


def test_maps_keeps_a_drive_and_film_takes_it_from_there(here, capfd, monkeypatch):
    """Three frames and one that is none; the second time nothing is made; another setting is refused in one line."""
    monkeypatch.setattr("steerlib.chunks.take_share", lambda *_: None)  # it is for a process of its own
    monkeypatch.setenv("TQDM_DISABLE", "1")
    (folder := here / "drive").mkdir()
    for name in ("120", "121", "122"):
        (folder / f"{name}.jpg").write_bytes((FRAME.parent / f"{name}.jpg").read_bytes())
    (folder / "123.jpg").write_bytes(b"no picture")
    (folder / "data.txt").write_text("".join(f"{name}.jpg 1.5\n" for name in (120, 121, 122, 123)))
    command = ("maps", folder, "--model", "pilotnet", "--method", "hires-cam", "-o", "maps.zarr")
    for _ in range(2):
        status, out, err = run(capfd, *command)
        assert status == 0, err
        assert "hires-cam; 3 of 4 frames" in out and "maps.zarr: 1 without maps: frame cannot be read" in out
    status, out, err = run(capfd, *command, "--layer", "conv1")
    assert (status, out) == (2, "") and err.count("\n") == 1 and "was made with methods" in err
    film = ("film", folder, "--model", "pilotnet", "--method", "hires-cam", "-o", "film.mp4", "--maps", "maps.zarr")
    status, out, err = run(capfd, *film)
    assert status == 0 and "4 frames" in out
    assert run(capfd, *film[:-1], "drive")[0] == 2
    assert run(capfd, *command, "--workers", "1", "--scheduler", "tcp://x")[0] == 2
