"""What inspect finds out of networks whose preparation is known, because they were made so."""

import dataclasses
import json
import warnings

import keras
import numpy as np
import pytest
from keras import layers

from steerlib.__main__ import main
from steerlib.drives import Drive, load_drive, read_frame
from steerlib.networks.black_box import RawModel
from steerlib.networks.description import Description, read_description
from steerlib.networks.inspect import failed, inspect_file, inspect_on, report, suggestion
from steerlib.networks.network import as_network
from steerlib.networks.plausibility import doubts_about, plausible_answers
from steerlib.networks.preparations import RANGES, find_preparation, rivals

COUNT, SIZE = 60, (24, 40)


def drives(seed: int = 0) -> tuple[Drive, Drive, Drive]:
    """Frames of 48 x 80 with a light on dark ground, whose column is the angle; decoys of another color elsewhere.

    From the left camera the light stands further right. The light is yellow and low, a blue and a green one, which mean
    nothing, jump about at the same height, a yellow one jumps about above.
    """
    rng = np.random.default_rng(seed)
    path = 12 * np.sin(np.arange(COUNT) / 7) + rng.normal(0, 1, COUNT)
    made = []
    decoys = rng.integers(5, 75, (3, COUNT))
    for shift in (0, 8, -8):
        frames = rng.integers(0, 30, (COUNT, 48, 80, 3), dtype=np.uint8)
        for frame, place, (blue, green, high) in zip(frames, 40 + path + shift, decoys.T):
            frame[4:12, high - 3 : high + 3] = 230, 60, 0
            frame[30:38, blue - 3 : blue + 3] = 0, 0, 250
            frame[38:46, green - 3 : green + 3] = 0, 180, 40
            at = round(float(place))
            frame[30:40, at - 3 : at + 3] = 230, 60, 0
        made.append(Drive.from_arrays("lights", frames, path, crop=(0.5, 1.0)))
    return tuple(made)


def red_reader(channel: int, gain: float = 1.0) -> keras.Model:
    """Where the strong red of a picture lies, read from one channel: a network that must be given RGB, or BGR."""
    image = keras.Input((*SIZE, 3))
    x = layers.Conv2D(1, 1, activation="relu", name="conv1")(image)
    x = layers.Flatten()(x)
    model = keras.Model(image, layers.Dense(1, use_bias=False, name="angle")(x))
    kernel = np.zeros((1, 1, 3, 1))
    kernel[0, 0, channel] = gain
    model.get_layer("conv1").set_weights([kernel, np.array([-0.4])])
    side = (np.arange(SIZE[1]) - SIZE[1] / 2 + 0.5) / 500
    model.get_layer("angle").set_weights([np.tile(side, SIZE[0])[:, None]])
    return model


@pytest.mark.parametrize(("channel", "color"), [(0, "RGB"), (2, "BGR")])
def test_color_and_crop_of_a_network_that_reads_one_channel_are_found(channel, color):
    found = find_preparation(RawModel(red_reader(channel), Description()), *drives(), ranges=[(0.0, 1.0)])
    best = found[0]
    assert (best.description.color, best.description.crop) == (color, (0.5, 1.0))
    assert best.mirror < -0.9 and best.cameras > 0.9 and best.smoothed > 0.9
    assert best.may_be_best and best.order_95[0] > 0
    lines = "\n".join(report(found, drives()[0]))
    # 60 frames are four blocks, too few to be sure of all.
    assert next(iter(rivals(found, "color"))) == color and "clear: a positive answer steers right" in lines
    assert suggestion(found).sign == 1


def test_a_range_is_found_and_what_is_known_is_not_tried():
    model = red_reader(0, 1 / 255)  # what is below 0.4 · 255 counts nothing: at 0 to 1 nothing does
    told = Description(color="RGB", crop=(0.5, 1.0), resize="area")
    found = find_preparation(RawModel(model, told), *drives(), told, RANGES)
    assert len(found) == len(RANGES) and found[0].description.range == (0.0, 255.0)
    assert all(one.description.color == "RGB" and one.description.crop == (0.5, 1.0) for one in found)
    assert found[-1].constant and found[-1].spread == pytest.approx(0, abs=1e-9)


def test_without_side_cameras_and_angles_the_mirrored_picture_decides():
    center = drives()[0]
    center = Drive.from_arrays("bare", [center.frame(i) for i in range(COUNT)], np.full(COUNT, np.nan), crop=(0.5, 1.0))
    found = find_preparation(RawModel(red_reader(0), Description()), center, ranges=[(0.0, 1.0)])
    best = found[0]
    assert np.isnan(best.cameras) and np.isnan(best.agreement) and np.isnan(best.smoothed)
    assert best.mirror < -0.9
    assert "the recorded angles" not in "\n".join(report(found, center)[-2:])


def test_a_sign_to_the_left_is_told():
    model = red_reader(0)
    model.get_layer("angle").set_weights([-model.get_layer("angle").get_weights()[0]])
    told = Description(color="RGB", crop=(0.5, 1.0), resize="area", range=(0, 1))
    found = find_preparation(RawModel(model, told), *drives(), told)
    assert any("steers left: sign = -1" in line for line in report(found, drives()[0]))
    assert suggestion(found).sign == -1


def test_ties_are_told_as_ties():
    """A network that sees all channels alike: no drive tells RGB from BGR."""
    model = red_reader(0)
    kernel, bias = model.get_layer("conv1").get_weights()
    model.get_layer("conv1").set_weights([np.full_like(kernel, 1 / 3), bias / 2])
    found = find_preparation(RawModel(model, Description()), *drives(), ranges=[(0.0, 1.0)])
    assert {"RGB", "BGR"} <= set(rivals(found, "color"))
    assert any(line.startswith("not clear: color") for line in report(found, drives()[0]))


def test_a_dead_network_is_called_dead():
    model = red_reader(0)
    model.get_layer("angle").set_weights([np.zeros((np.prod(SIZE), 1))])
    found = find_preparation(RawModel(model, Description()), *drives(), ranges=[(0.0, 1.0)])
    assert "the network learned nothing" in report(found, drives()[0])[-1]
    doubt = plausible_answers(as_network(model), drives()[0])[0]
    assert "it learned nothing, or its pictures are prepared wrongly" in doubt


def test_doubts_about_answers_are_told_one_by_one():
    recorded = 10 * np.sin(np.arange(64) / 5)
    assert doubts_about(recorded + 1, recorded) == []
    assert "larger than that of a constant" in doubts_about(-recorded, recorded)[0]
    half = np.where(np.arange(64) % 4 == 0, 0.0, recorded + 0.1)
    assert "exactly +0.00° to 16 of 64 frames" in doubts_about(half, recorded)[0]
    assert any("unit is another" in doubt for doubt in doubts_about(1000 + recorded, np.full(64, np.nan)))


def test_too_short_a_drive_is_refused():
    with pytest.raises(ValueError, match="has 5 frames: to find out anything 20 are needed"):
        find_preparation(RawModel(red_reader(0), Description()), drives()[0].subset(range(5)))


def test_the_command_line_tells_and_keeps(tmp_path, capsys, monkeypatch):
    model = red_reader(0)
    model.save(tmp_path / "mine.keras")
    assert main(["inspect", str(tmp_path / "mine.keras")]) == 0
    told = capsys.readouterr().out
    for part in ("of Keras 3", "conv1", "24 × 40 × 1", "takes 24 × 40 × 3; answers angle (1)", "told: nothing"):
        assert part in told
    assert main(["inspect", str(tmp_path / "mine.keras"), "--keep"]) == 2
    assert "none is given" in capsys.readouterr().err

    monkeypatch.setattr("steerlib.drives.load_drive", lambda path, camera="center": drives()[0])
    monkeypatch.chdir(tmp_path)
    assert (
        main(["inspect", "mine.keras", "drive", "--keep", "-o", "seen.png", "--unit", "fraction", "--scale", "0:1"])
        == 0
    )
    told = capsys.readouterr().out
    assert "RGB, 0...1, 50.0% to 100.0% of the height" in told and (tmp_path / "seen.png").stat().st_size > 1000
    kept = read_description(tmp_path / "mine.toml")
    assert (kept["color"], kept["crop"], kept["unit"], kept["sign"]) == ("RGB", (0.5, 1.0), "fraction", 1)
    assert main(["inspect", "mine.keras"]) == 0
    assert "color='RGB'" in capsys.readouterr().out


def test_doubts_are_said_once_by_every_way_to_an_explanation(tmp_path):
    """Asked as it must not be: a network that wants BGR, given the blue decoys."""
    from steerlib.show.explorers import compare, frames, occlusion
    from steerlib.show.film import render_video

    network, drive = as_network(red_reader(2), crop=(0.5, 1.0), size=SIZE), drives()[0].subset(range(30))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            render_video(drive, network, "grad-cam", tmp_path / "film.mp4", progress=False)
    assert len([one for one in caught if "Maps explain these answers" in str(one.message)]) == 1
    for explore in (occlusion, compare):
        explorer = explore(network, drive)
        assert "Doubtful answers." in explorer.doubt.value and "larger than that of a constant" in explorer.doubt.value
        explorer.close()
    right = as_network(red_reader(0), crop=(0.5, 1.0), size=SIZE)
    for explorer in (frames(drive), frames(drive, right)):
        assert "larger than that of a constant" not in explorer.doubt.value
        explorer.close()


def test_doubts_are_asked_for_anew_where_something_changed():
    drive, model = drives()[0], red_reader(0)
    network = as_network(model, crop=(0.5, 1.0), size=SIZE)
    assert not any("larger than" in doubt for doubt in plausible_answers(network, drive))
    drive.angles = -drive.angles
    assert "larger than that of a constant" in plausible_answers(network, drive)[-1]
    network.model.get_layer("angle").set_weights([np.zeros((np.prod(SIZE), 1))])
    assert "it learned nothing" in plausible_answers(network, drive)[0]


# Of each published network whose road is known: what its SOURCE.txt states, and others, of which some did best when all
# were tried. "first": it does best. "tied": the drive cannot tell it from the best. "fails": it does not pass its own
# tests, and that is said. "behind": another one does clearly better, and the last line says what that means.
CROP, WHOLE = (60 / 160, 135 / 160), (0.0, 1.0)
NAMED = {
    "dventimiglia_k231_weights_json/model.h5": ({}, [("RGB", WHOLE), ("BGR", WHOLE)], "tied"),
    "eljefec_k1_crop_lambda_1x1/model.h5": (
        {"replace": {"lambda_5": "x/255-0.5"}},
        [("BGR", WHOLE), ("RGB", WHOLE)],
        "tied",
    ),
    "marcomarasca_k1_functional_bn/model.h5": (
        {"replace": {"lambda_1": "x/255-0.5"}},
        [("YUV-swapped", CROP), ("YUV-swapped", WHOLE), ("BGR", CROP)],
        "first",
    ),
    "naoki_k1_yuv/model.h5": (
        {"replace": {"lambda_1": "x/127.5-1"}},
        [("YUV-swapped", CROP), ("RGB", WHOLE)],
        "fails",
    ),
    "ninoxing_k224_nolambda/model.h5": ({}, [("YUV", CROP), ("BGR", WHOLE)], "behind"),
    "saad_h5_by_keras333/nvidia_model.h5": ({}, [("YUV", CROP), ("YUV-swapped", CROP)], "tied"),
    "sgalkin_k208_160x320_yuv/model.h5": (
        {"replace": {"lambda_19": "x", "lambda_20": "2*x/255-1"}},
        [("YUV-swapped", WHOLE), ("RGB", WHOLE)],
        "tied",
    ),
    "sunchit_keras_v3/self_driving_model.keras": ({}, [("YUV", CROP), ("YUV-swapped", CROP)], "tied"),
}


# Larger pictures, or much like others here: with ``make test-networks``.
SLOW = [name for name in NAMED if name.startswith(("eljefec", "sgalkin", "saad", "dventimiglia"))]


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NAMED])
def test_what_is_stated_of_a_published_network_is_first_or_the_verdict_says_why(name, real_drives, monkeypatch):
    known, ways, expected = NAMED[name]
    found = inspect_file(real_drives / "networks" / name, **known)
    told = dataclasses.replace(found.told, range=found.ranges[0], resize="linear", sign=1)
    ways = [dataclasses.replace(told, color=color, crop=crop) for color, crop in ways]
    monkeypatch.setattr("steerlib.networks.preparations.plausible", lambda *_: ways)
    views = [load_drive(real_drives / "udacity-sim", camera) for camera in ("center", "left", "right")]
    evidence = inspect_on(found._replace(told=told), *views)
    (stated,) = (one for one in evidence if one.description == ways[0])
    lines = report(evidence, views[0])
    if expected == "first":
        assert stated is evidence[0]
    if expected in ("first", "tied"):
        assert stated.may_be_best and not failed(stated)
        assert ways[0].color in rivals(evidence, "color") and ways[0].crop in rivals(evidence, "crop")
    if expected == "fails":
        assert "cameras in order" in failed(stated)[0] or "camera in order" in failed(stated)[0]
    if expected == "behind":
        assert stated.behind_95[0] > 0 and any(line.startswith("best: crop (0, 1)") for line in lines)
        assert "another part of the frame than its author states" in lines[-1]


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("name", ["donkey_linear_palevich/mypilot.h5", "onnx_pilotnet_gray/nvidia_pilotnet.onnx"])
def test_networks_of_one_camera_are_ranked_by_the_mirror_and_the_angles(name, real_drives):
    folder = real_drives / "networks" / name.split("/")[0]
    if name.endswith("onnx"):  # two pictures are no drive
        pytest.importorskip("onnxruntime")
        found = inspect_file(real_drives / "networks" / name)
        with pytest.raises(ValueError, match="to find out anything 20 are needed"):
            frames = [read_frame(path) for path in sorted(folder.glob("*.png"))]
            inspect_on(found, Drive.from_arrays("lanes", frames, np.zeros(len(frames))))
        return
    rows = json.loads((folder / "drive" / "labels.json").read_text())[::3]
    frames = [read_frame(folder / "drive" / row[0]) for row in rows]
    drive = Drive.from_arrays("donkey", frames, 16 * np.array([row[1] for row in rows]))
    found = inspect_file(real_drives / "networks" / name, range=(0, 1), output="n_outputs0")
    evidence = inspect_on(found, drive)
    assert "RGB" in rivals(evidence, "color") and evidence[0].smoothed > 0.8 and not failed(evidence[0])
