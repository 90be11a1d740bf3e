"""Explorers, films, scores and the rendered road with networks of other sizes than PilotNet's, untrained.

Each frame is dark but for one light. A network without biases sees nothing in the dark, so its maps lie on the light;
where they are drawn is compared with where the light stands in the frame.
"""

import cv2
import keras
import numpy as np
import pytest
from test_explore import copied, seen

from steerlib import trust, world
from steerlib.drives import Drive, crop_road, preprocess
from steerlib.networks.network import as_network
from steerlib.show import explorers, overlay
from steerlib.show.closed_loop import closed_loop_frames
from steerlib.show.film import film_frames
from steerlib.world import LABELS, Pose, Scene, driving

HEIGHT, WIDTH = 200, 400  # of a frame
LIGHTS = [(124, 260), (140, 110)]  # row and column of the light in each frame
NETWORKS = {"160 x 320": (0.0, 1.0), "120 x 160": (0.0, 1.0), "120 x 160, road": (0.3, 0.9)}


def layers_above(x):
    """Three convolutions and a sum. No weight is negative, so that no part of a light outweighs another."""
    for number in (1, 2, 3):
        start = keras.initializers.RandomUniform(0, 2 / (25 * x.shape[-1]), seed=number)
        x = keras.layers.Conv2D(4, 5, 2, activation="relu", kernel_initializer=start, name=f"conv{number}")(x)
    x = keras.layers.Flatten()(x)
    return keras.layers.Dense(1, kernel_initializer=keras.initializers.RandomUniform(0, 4 / x.shape[-1], seed=0))(x)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """One as a course wants it, which scales 0...255 and cuts itself; one that sees all; one that sees a part."""
    if request.param == "160 x 320":
        picture = keras.Input((160, 320, 3))
        x = keras.layers.Rescaling(1 / 255)(picture)
        model = keras.Model(picture, layers_above(keras.layers.Cropping2D(((60, 20), (0, 0)))(x)))
    else:
        picture = keras.Input((120, 160, 3))
        model = keras.Model(picture, layers_above(picture))
    made = as_network(model, crop=(0.3, 0.9)) if "road" in request.param else as_network(model)
    assert made.crop == NETWORKS[request.param] and made.size == picture.shape[1:3]
    return made


@pytest.fixture(scope="module")
def drive():
    frames = np.zeros((len(LIGHTS), HEIGHT, WIDTH, 3), np.uint8)
    for frame, (row, column) in zip(frames, LIGHTS):
        frame[row - 8 : row + 8, column - 8 : column + 8] = 255
    labels = np.where(frames[..., 0] > 0, LABELS["marking"], LABELS["asphalt"]).astype(np.uint8)
    return Drive.from_arrays("lights", frames, [9.0, -9.0], labels)


def colored(picture):
    """Where a picture is colored: the center (row, column) in shares of its size, and the farthest distance to it."""
    strength = np.ptp(picture.astype(float), axis=-1)
    strong = strength > 0.5 * strength.max()
    assert strength.max() > 60
    places = (np.argwhere(strong) + 0.5) / picture.shape[:2]
    return np.average(places, axis=0, weights=strength[strong]), places


def light_in(network, index):
    """Where the light stands in the part of the frame that a network sees, in shares of its size."""
    (top, bottom), (row, column) = network.crop, LIGHTS[index]
    return np.array([(row / HEIGHT - top) / (bottom - top), column / WIDTH])


def check_on_the_light(picture, network, index, reach=0.15):
    """Colors lie around the light, and the window and the receptive field that saw it reach no further."""
    center, places = colored(picture)
    light = light_in(network, index)
    assert center == pytest.approx(light, abs=0.04)
    assert np.abs(places - light).max() < reach


def shape_of_view(network):
    top, bottom = network.crop
    return round((bottom - top) * HEIGHT * 900 / WIDTH), 900


@pytest.mark.parametrize("index", [0, 1])
def test_occlusion_is_explored_over_what_the_network_sees(index, network, drive):
    explorer = explorers.occlusion(network, drive.subset([index]))
    for control, value in {"scale": "this frame", "stride": 8, "pair": False}.items():
        getattr(explorer, control).value = value
    assert explorer.error.value == "" and explorer.map.shape == network.size
    height, width = shape_of_view(network)
    assert seen(explorer).shape == (height + 60, width, 3)
    check_on_the_light(seen(explorer)[:height], network, index)
    assert (explorer.row.max, explorer.column.max) == (network.size[0] - 1, network.size[1] - 1)
    names, (picture,) = copied(explorer, network=network, drive=drive.subset([index]))
    np.testing.assert_allclose(names["shown"].map, explorer.map, atol=1e-3)
    check_on_the_light(picture, network, index)

    # The light is hidden where it stands.
    row, column = np.rint(light_in(network, index) * network.size - 0.5).astype(int)
    for control, value in {"show": "one window", "size": 31, "row": row, "column": column}.items():
        getattr(explorer, control).value = value
    before, after = (network.angles(pictures)[0] for pictures in (drive.pictures(network, [index]), dark(network)))
    assert f"{abs(before - after):.2f}° to the" in explorer.readout.value and not explorer.error.value
    _, (picture,) = copied(explorer, network=network, drive=drive.subset([index]))
    assert picture.shape == (height, width, 3)


def dark(network):
    return np.zeros((1, *network.size, 3), np.float32)


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam"])
def test_gradient_maps_are_explored_over_what_the_network_sees(method, network, drive):
    explorer = explorers.grad_cam(network, drive, frame=1)
    for control, value in {"method": method, "layer": "conv1", "signed": True, "target": "right"}.items():
        getattr(explorer, control).value = value
    height, width = shape_of_view(network)
    assert explorer.error.value == "" and explorer.map.shape == network.size
    assert seen(explorer).shape == (height + 60, width, 3)
    check_on_the_light(seen(explorer)[:height], network, 1)
    names, (picture,) = copied(explorer, network=network, drive=drive)
    np.testing.assert_allclose(names["shown"].map, explorer.map, atol=1e-3)
    check_on_the_light(picture, network, 1)


def test_methods_are_compared_over_what_the_network_sees(network, drive):
    explorer = explorers.compare(network, drive.subset([1]))
    explorer.layer.value = "conv1"
    assert explorer.error.value == ""
    assert {"occlusion", "hypercolumns", "hires-cam", "integrated-gradients"} < set(explorer.map)
    assert {map.shape for map in explorer.map.values()} == {network.size}
    # Three tiles side by side, below the frame, its labels and their legend; each below its caption.
    (high, wide), width = shape_of_view(network), 292
    height = round(width * high / wide)
    first = 24 + round(442 * high / wide) + 48
    place = list(explorer.map).index("occlusion")
    top, left = first + (24 + height + 60) * (place // 3) + 24, 300 * (place % 3) + 4
    tile, map = seen(explorer)[top : top + height, left : left + width], explorer.map["occlusion"]
    view = cv2.resize(drive.view(1, network), (width, height), interpolation=cv2.INTER_AREA)
    limit = overlay.common_limit([map])
    # An arrow and a line, which have no color, cover much of what lies around the light in a small tile.
    check_on_the_light(overlay.overlay(view, map, limit, True, lines=False), network, 1, 0.2)
    drawn = overlay.mark_peaks(overlay.overlay(view, map, limit, True), map, limit)
    there, beside = (np.abs(tile - np.roll(drawn, by, axis=(0, 1)).astype(int)).mean() for by in (0, 4))
    assert there < 3 and there < beside / 2
    _, pictures = copied(explorer, network=network, drive=drive.subset([1]))
    assert len(pictures) == len(explorer.map)
    assert all(picture.shape[:2] == shape_of_view(network) for picture in pictures)


@pytest.mark.parametrize("name", ["frames", "hypercolumns"])
def test_the_copied_lines_of_other_explorers_run(name, network, drive):
    explorer = explorers.frames(drive, network) if name == "frames" else explorers.hypercolumns(network, drive)
    if name == "frames":
        explorer.show.value = "network's input"
    _, (picture,) = copied(explorer, network=network, drive=drive)
    assert picture.shape[:2] == (network.size if name == "frames" else shape_of_view(network))
    if name == "frames":
        np.testing.assert_allclose(picture, drive.pictures(network, [0])[0], atol=1e-6)


def test_a_film_draws_maps_where_the_network_looks(network, drive):
    settings = {"layer": "conv1", "sizes": (15,), "stride": 8}
    pictures = list(film_frames(drive, network, ["occlusion", "hires-cam"], width=400, **settings))
    assert len(pictures) == len(drive)
    top, bottom = (round(share * HEIGHT) for share in network.crop)
    for index, picture in enumerate(pictures):
        assert not picture.shape[0] % 2 and picture.shape[1] == 2 * (400 + 8)
        for left in (4, 412):
            panel = picture[24 : 24 + HEIGHT, left : left + WIDTH]
            check_on_the_light(panel[top:bottom], network, index)
            np.testing.assert_array_equal(panel[:top], drive.frame(index)[:top] // 3)
            np.testing.assert_array_equal(panel[bottom:], drive.frame(index)[bottom:] // 3)


def test_all_methods_are_scored(network, drive):
    makers = trust.methods(network, sizes=(15,), stride=15, steps=2, samples=2) | trust.controls()
    assert {"Grad-CAM", "HiResCAM", "SmoothGrad", "hypercolumns", "center blob"} < set(makers) and "CAM" not in makers
    images = drive.pictures(network)
    made = trust.make_maps(network, images, makers, progress=False)
    for name, maps in made.items():
        assert maps.shape == (2, *network.size) and maps.dtype == np.float32 and np.isfinite(maps).all(), name
    for index in (0, 1):
        matters = trust.matter(crop_road(drive.labels(index), drive.part_for(network)), size=network.size)
        assert matters.shape == network.size
        center = (np.argwhere(matters).mean(axis=0) + 0.5) / network.size
        assert center == pytest.approx(light_in(network, index), abs=0.01)
        # Of the methods whose maps are sharp, the strongest pixels are those of the light.
        assert trust.mass_accuracy(made["gradient × input"][index], matters) > 0.99
        assert trust.mass_accuracy(made["center blob"][index], matters) < 0.1
    curve = trust.deletion(network, images[0], made["gradient × input"][0], 0.0, 4)
    assert curve.angles[-1] == pytest.approx(network.angles(dark(network))[0], abs=1e-3)


def test_the_road_is_photographed_as_the_network_sees_it(network):
    views, without = world.render_counterfactuals([1, 2], 4, ["center_line"], network=network)
    assert views.frame(0).shape == (*network.size, 3) and without["center_line"].shape == (4, *network.size, 3)
    assert views.labels(0).shape == network.size
    images = views.pictures(network)  # nothing more is cut off, nor resized
    np.testing.assert_allclose(images, np.stack([views.frame(i) for i in range(4)]) / 255, atol=1e-6)
    lines = [trust.matter(views.labels(i), 1, ["marking"], network.size) for i in range(4)]
    gone = [trust.changed(image, one / np.float32(255)) for image, one in zip(images, without["center_line"])]
    assert sum(one.sum() for one in gone) > 0
    assert np.mean(np.concatenate(lines)[np.concatenate(gone)]) > 0.8
    scene, pose = Scene(1), Pose(60.0)
    expected = preprocess(scene.render(pose)[0], network.crop, network.size)
    other = preprocess(scene.render(pose)[0], (0.4, 0.8), network.size)
    found = world.look(scene, pose, network=network) / 255
    assert np.abs(found - expected).mean() < 0.03 < 0.05 < np.abs(found - other).mean()


def test_a_network_drives_and_is_filmed(network):
    asked = []

    def watched(pictures):
        asked.append(pictures)
        return network.angles(pictures)

    watcher = as_network(watched, size=network.size, crop=network.crop)
    logs = driving.drive_roads(watcher, [1, 2], 0.5, progress=False)
    assert [len(log.angle) for log in logs] == [5, 5] and np.isfinite([log.angle for log in logs]).all()
    for k, pictures in enumerate(asked):
        assert pictures.shape == (2, *network.size, 3)
        for log, picture in zip(logs, pictures):
            np.testing.assert_allclose(picture, driving.look_back(log, [k], network=network)[0] / 255, atol=1e-6)
    (again, _) = driving.drive_roads(network, [1, 2], 0.5, progress=False)
    np.testing.assert_allclose(again.angle, logs[0].angle, atol=0.1)
    (picture,) = closed_loop_frames(logs[0], network, "hires-cam", 0, 1, width=400, layer="conv1")
    whole = driving.look_back(logs[0], [0], True, network)[0]
    high = round(400 * len(whole) / whole.shape[1])
    top = round(network.crop[0] * high)
    camera = picture[24 : 24 + high, 4:404].astype(float)
    assert not any(size % 2 for size in picture.shape[:2])
    if top:  # what the network does not see is dark
        assert camera[: top - 2].mean() < 90 < camera[top + 2 : top + 20].mean()


def test_the_road_is_explored_as_the_network_sees_it(network):
    road = Scene(2003)
    explorer = explorers.driving({"mine": network}, road)
    explorer.frame.value, explorer.center_line.value = 60, False
    assert explorer.error.value == "" and explorer.map.shape == network.size
    high = len(crop_road(road.render(Pose(130.0))[0], network.crop))
    assert seen(explorer).shape == (2 * round(900 * high / 455) + 60, 900, 3)
    everything = world.look(road, Pose(130.0), network=network) / np.float32(255)
    angle = network.angles(everything[np.newaxis])[0]
    assert f"the network says {angle:+.1f}°" in explorer.readout.value
    names, (picture,) = copied(explorer, network=network)
    np.testing.assert_allclose(names["shown"].map, explorer.map, atol=1e-3)
    assert picture.shape == (round(900 * network.size[0] / network.size[1]), 900, 3)
    # Below stands what the network sees now, at full resolution.
    frame = road.render(Pose(130.0), without=["center_line"])[0]
    now = overlay.enlarge(crop_road(frame, network.crop), 900).astype(int)
    assert np.abs(seen(explorer)[len(now) : 2 * len(now)] - now).mean() < 3


def test_a_keras_model_need_not_be_brought_in_first(drive):
    picture = keras.Input((120, 160, 3))
    model = keras.Model(picture, layers_above(picture))
    network = as_network(model)
    np.testing.assert_array_equal(drive.pictures(model), drive.pictures(network))
    np.testing.assert_array_equal(drive.view(0, model), drive.view(0, network))
    assert set(trust.methods(model)) == set(trust.methods(network))
    views, _ = world.render_counterfactuals(1, 1, ["trees"], network=model)
    np.testing.assert_array_equal(views.frame(0), world.render_views(1, 1, network=network).frame(0))
