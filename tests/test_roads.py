import hashlib
import os
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from steerlib import world
from steerlib.drives import ROAD, WHOLE, Drive, load_drive, preprocess
from steerlib.networks.pilotnet import SIZE
from steerlib.world import (
    ELEMENTS,
    LABELS,
    SHADOW,
    NearbyRoad,
    Pose,
    Scene,
    advance,
    camera,
    processes,
    render_counterfactuals,
    render_drive,
    render_views,
    sample_drive,
    textures,
    things,
)

FOCAL = 455 / 2 / np.tan(np.radians(30))  # pixels, of a frame 455 wide: 60° from the left border to the right
GROUND = ("grass", "shoulder", "asphalt", "edge", "marking")
SMALL = (128, 228)


def is_one_of(labels, names):
    return np.isin(labels & ~np.uint8(SHADOW), [LABELS[name] for name in names])


def grown(mask, pixels):
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1))) > 0


def changed(one, other):
    return (one != other).any(axis=-1)


# Hand-made roads and scenes, whose geometry is known


def hand_made_road(curvature=0.0, length=300.0, elevation=None, lane_width=3.5, paved=4.7, end=None):
    """A straight line or a circle that starts in the origin in the direction of x; right is +y."""
    distance = np.arange(-world.BEFORE, length + world.AFTER if end is None else end, world.STEP)
    if curvature:
        x, y = np.sin(curvature * distance) / curvature, (1 - np.cos(curvature * distance)) / curvature
    else:
        x, y = distance, 0 * distance
    profiles = {
        "distance": distance,
        "x": x,
        "y": y,
        "heading": curvature * distance,
        "curvature": np.full_like(distance, curvature),
        "elevation": 0 * distance if elevation is None else elevation(distance),
        "lane_width": np.full_like(distance, lane_width),
        "paved_left": np.full_like(distance, paved),
        "paved_right": np.full_like(distance, paved),
    }
    return world.Road(length, **{name: values.astype(np.float32) for name, values in profiles.items()})


def hand_made_object(element, label, kind, distance, offset, width, height):
    ones = np.ones(3, np.float32)
    return world.Object(element, label, kind, 0, distance, offset, distance, offset, width, height, ones, False)


def hand_made_wall(element, label, kind, start, stop, offset, height):
    distance = np.arange(start, stop + 1.0, 2.0, dtype=np.float32)
    same = np.ones_like(distance)
    along = distance - start
    return world.Wall(
        element, label, kind, 0, along, distance, offset * same, distance, offset * same, height * same, np.ones(3)
    )


def compose(road, walls=(), objects=(), vehicles=(), **light):
    """A scene of these things only, with a single center line; at distance 0 its camera looks straight ahead."""
    day = world.make_day(np.random.default_rng(0))
    sun, ambient = np.full((2, 3), 0.5, np.float32)
    day = replace(day, **{"sun": sun, "ambient": ambient, "exposure": 1.0, "camera_pitch": 0.0, **light})
    far = 330.0  # too far to be seen
    walls = [*walls, hand_made_wall("hedges", "vegetation", "hedge", far, far + 20, 9.0, 1.0)]
    objects = [*objects, hand_made_object("trees", "vegetation", "bush", far, 9.0, 1.0, 1.0)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(camera, "make_road", lambda seed, length: road)
        patch.setattr(camera, "make_day", lambda rng: day)
        patch.setattr(camera, "furnish", lambda road, rng: (walls, objects))
        patch.setattr(camera, "place_vehicles", lambda length, rng: list(vehicles))
        patch.setattr(camera, "smooth_noise", lambda rng, n, scale: np.zeros(n, np.float32))
        patch.setattr(camera, "stretches", lambda rng, n, length, weights: np.full(n, 2 if len(weights) == 4 else 1))
        return Scene(0, road.length)


def pinhole(size=(256, 455), crop=WHOLE):
    """Focal lengths, column of the center and row of the horizon of a camera that frames 455 × 256 pixels."""
    height, width = size
    rows = height / (crop[1] - crop[0])  # of the whole frame
    return FOCAL * width / 455, FOCAL * rows / 256, width / 2, (115 / 256 - crop[0]) * rows


def project(forward, right, up):
    """Column and row, in a frame 455 × 256, of points in front of a camera 1.3 m above level ground."""
    focal_x, focal_y, column, row = pinhole()
    forward = np.asarray(forward, float)
    return column + focal_x * right / forward, row + focal_y * (1.3 - np.asarray(up)) / forward


def ground_points(size, crop, shift):
    """Meters forward and to the right at which the rays through shifted pixel centers meet level ground."""
    focal_x, focal_y, column, row = pinhole(size, crop)
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5 + np.reshape(shift, (2, 1, 1))
    with np.errstate(divide="ignore"):
        forward = np.where(rows > row, focal_y * 1.3 / (rows - row), np.nan)
    return forward, forward * (columns - column) / focal_x


def material(offset, lane_width=3.5, paved=4.7):
    """What lies at an offset from the center line of a hand-made road: 0 none, 1 beyond, 2 edge, 3 asphalt, 4 paint."""
    offset = np.abs(offset)
    where = np.select([offset < paved - 0.12, offset < paved + 0.12, offset >= paved + 0.12], [3, 2, 1], 0)
    return np.where((offset < 0.07) | (np.abs(offset - lane_width) < 0.065), 4, where)


def offset_on_circle(x, y, curvature):
    if not curvature:
        return y
    radius = 1 / abs(curvature)
    return np.sign(curvature) * (radius - np.hypot(x, radius - np.sign(curvature) * y))


@pytest.mark.parametrize(
    "curvature, pose, size, crop",
    [
        (0, Pose(0), (256, 455), WHOLE),
        (0, Pose(0, 1.5, np.radians(8)), (256, 455), WHOLE),
        (0, Pose(0, -1, np.radians(-5)), SIZE, ROAD),
        (1 / 40, Pose(0), (256, 455), WHOLE),
        (-1 / 30, Pose(0, 0.5), (160, 300), WHOLE),
        (1 / 90, Pose(0, 0.8, np.radians(-6)), (256, 455), ROAD),
    ],
)
def test_labels_of_the_ground_are_those_of_a_pinhole_camera(curvature, pose, size, crop):
    _, labels = compose(hand_made_road(curvature)).render(pose, size, crop=crop)
    classes = []
    for shift in np.mgrid[-1:2, -1:2].reshape(2, 9).T:  # where a pixel's neighbors agree, it has only one material
        forward, right = ground_points(size, crop, shift)
        x = forward * np.cos(pose.heading) - right * np.sin(pose.heading)
        y = 3.5 / 2 + pose.offset + forward * np.sin(pose.heading) + right * np.cos(pose.heading)
        classes.append(np.where(forward < 150, material(offset_on_circle(x, y, curvature)), 0))
    clear = (np.ptp(classes, axis=0) == 0) & (classes[0] > 0)
    hood = is_one_of(labels, ["hood"])
    assert hood[-1].any() and not hood[: int(0.93 * size[0])].any()
    clear &= ~grown(hood, 1)
    assert clear.sum() > 0.8 * (classes[4] > 0).sum()
    for number, names in ((1, ("shoulder", "grass")), (2, ("edge",)), (3, ("asphalt",)), (4, ("marking",))):
        pixels = clear & (classes[4] == number)
        if size != SIZE or number > 2:  # in the small picture a pixel is wider than the edge
            assert pixels.sum() > (100 if number != 2 else 20) * size[1] / 455
        missed = (~is_one_of(labels, names))[pixels].sum()
        assert missed <= (0.03 if number == 4 else 0.002) * pixels.sum(), names  # worn paint has holes


def test_center_line_is_yellow_and_edge_lines_are_white():
    frame, labels = compose(hand_made_road()).render(Pose(0))
    forward, right = ground_points((256, 455), WHOLE, (0, 0))
    offset = np.where(forward < 15, right + 3.5 / 2, np.nan)
    marking = labels == LABELS["marking"]
    red, green, blue = np.median(frame[marking & (np.abs(offset) < 0.05)], axis=0)
    assert red > green + 15 > blue + 60
    white = np.median(frame[marking & (np.abs(offset - 3.5) < 0.05)], axis=0)
    assert np.ptp(white) < 25 and white.min() > np.median(frame[labels == LABELS["asphalt"]]) + 30


def test_camera_tilts_with_the_road():
    pose, hidden = Pose(0, 0.4), ("hills", "hedges")
    _, level = compose(hand_made_road()).render(pose, without=hidden)
    _, uphill = compose(hand_made_road(elevation=lambda s: 0.06 * s)).render(pose, without=hidden)
    ground = is_one_of(level, GROUND)
    assert (uphill == level)[ground].mean() > 0.999


@pytest.mark.parametrize("radius", [300, 900])
def test_crest_hides_the_ground_behind_it(radius):
    # Height −s²/2R: the line of sight that touches the ground does so at s = √(2 · 1.3 m · R).
    _, labels = compose(hand_made_road(elevation=lambda s: -(s**2) / (2 * radius))).render(Pose(0))
    touch = np.sqrt(2 * 1.3 * radius)
    expected = 115 + FOCAL * 2 * 1.3 / touch
    ground = is_one_of(labels, GROUND)
    assert abs(np.flatnonzero(ground.any(axis=1))[0] - expected) < 1.5
    # In front of the crest a row sees the nearer of the two places where its ray meets the parabola.
    rows, columns = np.mgrid[:256, :455] + 0.5
    tangent = (rows - 115) / FOCAL
    with np.errstate(invalid="ignore"):
        forward = radius * (tangent - np.sqrt(tangent**2 - 2 * 1.3 / radius))
    offset = np.abs(3.5 / 2 + forward * (columns - 455 / 2) / FOCAL)
    seen = ground & (forward < 0.8 * touch) & (np.abs(offset - 4.7) > 0.4)
    assert (is_one_of(labels, ["asphalt", "marking"]) == (offset < 4.7))[seen].all() and seen.sum() > 30000


# Road coordinates


@pytest.mark.parametrize("curvature", [1 / 30, -1 / 30, 1 / 150, -1 / 400])
def test_road_coordinates_on_a_circle(curvature):
    road = hand_made_road(curvature, end=60.0)
    radius = 1 / curvature
    near = NearbyRoad(road, 20.0)
    distance, offset = np.mgrid[0:50:0.2, -9:9:0.25]
    x, y = (radius - offset) * np.sin(distance / radius), radius - (radius - offset) * np.cos(distance / radius)
    world_x, world_y = road.to_world(distance, offset)
    assert np.abs(world_x - x).max() < 2e-3 and np.abs(world_y - y).max() < 2e-3
    found = near.to_road((x - near.x0).astype(np.float32), (y - near.y0).astype(np.float32))
    assert np.abs(found[0] + near.start - distance).max() < 1e-3
    assert np.abs(found[1] - offset).max() < 5e-4


@pytest.mark.parametrize("seed", [1, 7])
def test_road_coordinates_of_what_a_camera_sees_are_those_of_the_nearest_point(seed):
    road = world.make_road(seed, 400.0)
    bend = np.abs(road.curvature[road.index(30) : road.index(370)]).argmax() * world.STEP + 30
    forward, right = ground_points((256, 455), WHOLE, (0, 0))
    forward, right = (array[118:250] for array in (forward, right))
    fine = np.arange(-30, 330, 0.02) + bend - 15
    line_x, line_y = road.to_world(fine, 0.0)
    for angle in (-8, 0, 10):
        direction = float(road.at("heading", bend - 15)) + np.radians(angle)
        camera = [float(value) for value in road.to_world(bend - 15, 1.7)]
        x = camera[0] + forward * np.cos(direction) - right * np.sin(direction)
        y = camera[1] + forward * np.sin(direction) + right * np.cos(direction)
        near = NearbyRoad(road, bend - 15)
        distance, offset = near.to_road(np.float32(x - near.x0), np.float32(y - near.y0))
        rng = np.random.default_rng(angle + 10)
        rows, columns = (rng.integers(0, size, 500) for size in x.shape)
        x, y, distance, offset = (array[rows, columns] for array in (x, y, distance, offset))
        squared = [(line_x - px) ** 2 + (line_y - py) ** 2 for px, py in zip(x, y)]
        nearest, index = np.sqrt(np.min(squared, axis=1)), np.argmin(squared, axis=1)
        paved = (nearest < 8) & (forward[rows, 0] < 120)
        assert paved.sum() > 100
        assert np.abs(np.abs(offset) - nearest)[paved].max() < 0.03
        assert np.abs(distance + near.start - fine[index])[paved].max() < 0.1
        # And back to the world, farther out too.
        back_x, back_y = road.to_world(distance + near.start, offset)
        inside = nearest < 14
        assert np.hypot(back_x - x, back_y - y)[inside].max() < 0.15


def test_positions_between_the_samples_are_interpolated():
    road = hand_made_road()
    assert road.at("x", 12.34) == pytest.approx(12.34, abs=1e-4)
    assert road.index(12.3) == 2 * (60 + 12.5) and road.index(-1e6) == 0 and road.index(1e6) == len(road.x) - 1


# Roads and what stands beside them


@pytest.mark.parametrize("seed", range(6))
def test_road_is_its_own_integral(seed):
    road = world.make_road(seed, 600.0)
    assert road.distance[0] == -world.BEFORE and road.distance[-1] == 600 + world.AFTER
    step = world.STEP
    middle = (road.heading[1:] + road.heading[:-1]) / 2
    assert np.abs(np.diff(road.heading) / step - road.curvature[1:]).max() < 1e-4
    assert np.abs(np.diff(road.x.astype(float)) / step - np.cos(middle)).max() < 2e-3
    assert np.abs(np.diff(road.y.astype(float)) / step - np.sin(middle)).max() < 2e-3
    assert 1 / np.abs(road.curvature).max() > 27
    assert np.abs(np.diff(road.curvature)).max() < 0.003  # eased into bends
    for paved in (road.paved_left, road.paved_right):
        beyond = paved - road.lane_width
        assert beyond.min() > 0.1 and beyond.max() < 3 and beyond.std() > 0.25
    assert 2.9 < road.lane_width.min() <= road.lane_width.max() < 3.7


def test_roads_bend_to_both_sides_and_never_meet_themselves():
    tightest, sides = [], []
    for seed in range(12):
        road = world.make_road(seed)
        x, y, s = road.x[::4], road.y[::4], road.distance[::4]
        apart = np.hypot(x[:, None] - x, y[:, None] - y)[np.abs(s[:, None] - s) > 60]
        assert apart.min() > 35
        tightest.append(1 / np.abs(road.curvature).max())
        sides.append(np.sign(road.curvature[np.abs(road.curvature) > 1 / 200]).mean())
    assert min(tightest) < 36
    assert abs(np.mean(sides)) < 0.3


@pytest.mark.parametrize("seed", [0, 5, 3088])
def test_nothing_stands_on_the_asphalt(seed):
    road = world.make_road(seed)
    walls, objects = world.furnish(road, np.random.default_rng(seed))
    places = [(thing.x, thing.y) for thing in objects]
    for wall in walls:
        finer = np.linspace(0, len(wall.x) - 1, 4 * len(wall.x))
        places += zip(*(np.interp(finer, np.arange(len(wall.x)), values) for values in (wall.x, wall.y)))
    assert len(objects) > 100 and len(walls) > 5
    for x, y in places:
        dx, dy = x - road.x, y - road.y
        nearest = np.hypot(dx, dy).argmin()
        offset = dy[nearest] * np.cos(road.heading[nearest]) - dx[nearest] * np.sin(road.heading[nearest])
        paved = road.paved_right[nearest] if offset > 0 else road.paved_left[nearest]
        assert abs(offset) > paved, (x, y)


def test_warning_signs_point_into_the_bend():
    signs, mirrored = 0, 0
    for seed in range(8):
        road = world.make_road(seed)
        _, objects = world.furnish(road, np.random.default_rng(seed))
        for sign in (thing for thing in objects if thing.kind == "bend"):
            ahead = road.curvature[road.index(sign.distance + 15) : road.index(sign.distance + 60)]
            to_the_left = ahead[np.abs(ahead).argmax()] < 0
            assert sign.mirrored == to_the_left, (seed, sign.distance)
            signs, mirrored = signs + 1, mirrored + to_the_left
    assert 3 < mirrored < signs - 3


# The picture


@pytest.fixture(scope="module")
def scenes():
    return {seed: Scene(seed, 700.0) for seed in (0, 4, 7)}


VIEWS = [(0, Pose(230)), (0, Pose(480, 0.5, 0.05)), (4, Pose(90)), (4, Pose(330)), (7, Pose(60)), (7, Pose(690, -1))]


def test_same_seed_same_picture():
    pose = Pose(120.0, 0.3, 0.02, 9.0)
    frame, labels = Scene(5, 300.0).render(pose)
    assert frame.shape == (256, 455, 3) and labels.shape == (256, 455)
    assert frame.dtype == labels.dtype == np.uint8
    scene = Scene(5, 300.0)
    scene.render(Pose(10))  # what was looked at before makes no difference
    again, labels_again = scene.render(pose)
    assert (again == frame).all() and (labels_again == labels).all()
    other, other_labels = Scene(6, 300.0).render(pose)
    assert changed(other, frame).mean() > 0.9 and (other_labels != labels).mean() > 0.05


@pytest.mark.parametrize(
    "size, crop", [((256, 455), WHOLE), ((66, 200), ROAD), ((50, 90), (0.3, 0.9)), ((3, 5), WHOLE)]
)
def test_any_size_and_crop(scenes, size, crop):
    frame, labels = scenes[4].render(Pose(300), size, crop=crop)
    assert frame.shape == (*size, 3) and labels.shape == size


def test_every_pixel_has_a_label_and_shadows_are_a_bit_on_the_ground(scenes):
    seen = set()
    for seed, pose in VIEWS:
        _, labels = scenes[seed].render(pose)
        values, counts = np.unique(labels & ~np.uint8(SHADOW), return_counts=True)
        assert set(values) <= set(LABELS.values())
        seen |= set(values[counts > 20])
        assert is_one_of(labels, GROUND)[(labels & SHADOW) > 0].all()
    assert seen == set(LABELS.values())
    assert len(set(LABELS.values())) == len(LABELS) and max(LABELS.values()) < SHADOW


def test_view_is_what_preprocessing_makes_of_the_frame(scenes):
    for seed, pose in VIEWS:
        frame, labels = scenes[seed].render(pose)
        view, view_labels = scenes[seed].render(pose, SIZE, crop=ROAD)
        difference = np.abs(preprocess(frame) - view / 255)
        assert difference.mean() < 0.02
        shrunk = cv2.resize(labels[106:], (200, 66), interpolation=cv2.INTER_NEAREST)
        assert (shrunk == view_labels).mean() > 0.9


def test_exposure_is_that_of_a_photograph(scenes):
    for seed, pose in VIEWS:
        frame, _ = scenes[seed].render(pose)
        assert 60 < frame.mean() < 190
        assert (frame.max(axis=-1) == 255).mean() < 0.15 and (frame.max(axis=-1) < 5).mean() < 0.02


def test_sensor_noise_changes_from_picture_to_picture():
    scene = compose(hand_made_road())
    pictures = [scene.render(Pose(0, 1e-3 * k), without=("hedges", "hills", "clouds"))[0] for k in range(4)]
    sky = np.array(pictures, float)[:, :80]  # without clouds the sky does not depend on the place
    noise = (sky - sky.mean(axis=0)).std() / np.sqrt(3 / 4)
    assert 1 < noise < 8
    correlation = np.corrcoef((sky[0] - sky[1]).ravel(), (sky[2] - sky[3]).ravel())[0, 1]
    assert abs(correlation) < 0.1


@pytest.mark.parametrize("distance", [-31, 721, np.nan])
def test_pose_off_the_road(scenes, distance):
    with pytest.raises(ValueError, match="from 0 to 700 m"):
        scenes[0].render(Pose(distance))


def test_unknown_element(scenes):
    with pytest.raises(ValueError, match=r"'moose'.*markings, center_line.*buildings"):
        scenes[0].render(Pose(0), without=("moose", "trees"))
    with pytest.raises(ValueError, match="'tree'"):
        scenes[0].render(Pose(0), without="tree")


# Scene elements left out

LABELS_OF = {
    "markings": ["marking"],
    "center_line": ["marking"],
    "edge_lines": ["marking"],
    "vehicles": ["vehicle"],
    "shadows": [],
    "trees": ["vegetation"],
    "hedges": ["vegetation"],
    "hills": ["hill"],
    "clouds": [],
    "signs": ["sign"],
    "poles": ["pole"],
    "guard_rails": ["guard_rail"],
    "buildings": ["building"],
}


def test_left_out_elements_change_only_their_own_labels(scenes):
    assert set(LABELS_OF) == set(ELEMENTS)
    visible = dict.fromkeys(ELEMENTS, 0)
    for seed, pose in VIEWS:
        frame, labels = scenes[seed].render(pose, SMALL)
        pictures = {}
        for element in ELEMENTS:
            pictures[element] = scenes[seed].render(pose, SMALL, without=(element,))
            other, other_labels = pictures[element]
            visible[element] += changed(frame, other).sum()
            differ = (labels ^ other_labels) & ~np.uint8(SHADOW) > 0
            assert is_one_of(labels, LABELS_OF[element])[differ].all(), element
            if element in ("markings", "center_line", "edge_lines", "shadows"):
                # Ground is also seen through leaves, but never above its highest row.
                highest = np.flatnonzero(is_one_of(labels, GROUND).any(axis=1))[0]
                assert not changed(frame, other)[: highest - 3].any(), element
            if element == "clouds":
                assert grown(~is_one_of(labels, GROUND), 3)[changed(frame, other)].all()
        assert not is_one_of(pictures["markings"][1], ["marking"]).any()
        assert not (pictures["shadows"][1] & SHADOW).any()
        for name in ("vehicle", "building", "pole"):
            assert not is_one_of(pictures[f"{name}s"][1], [name]).any()
        both, _ = scenes[seed].render(pose, SMALL, without=("center_line", "edge_lines"))
        assert (both == pictures["markings"][0]).all()
        alone, _ = scenes[seed].render(pose, SMALL, without="trees")
        assert (alone == pictures["trees"][0]).all()
    assert min(visible.values()) > 50, visible


def test_without_edge_lines_the_center_line_stays():
    scene = compose(hand_made_road())
    _, full = scene.render(Pose(0))
    _, inner = scene.render(Pose(0), without=("edge_lines",))
    _, outer = scene.render(Pose(0), without=("center_line",))
    forward, right = ground_points((256, 455), WHOLE, (0, 0))
    middle = (np.abs(right + 3.5 / 2) < 1) & (forward < 100)
    marking = [is_one_of(labels, ["marking"]) for labels in (full, inner, outer)]
    assert marking[1][middle].sum() == marking[0][middle].sum() > 500
    assert not marking[2][middle].any()
    near = forward < 30  # farther away one pixel sees both lines
    assert not marking[1][near & ~middle].any() and marking[2][near & ~middle].sum() > 500


def corners_of_wall(start, stop, offset, height):
    return [(s, offset, up) for s in (start, stop) for up in (0, height)]


def corners_of_object(distance, offset, width, height):
    return [(distance, offset + side * width / 2, up) for side in (-1, 1) for up in (0, height)]


def corners_of_car(distance, offset, height):
    return [(distance + a, offset + b, up) for a in (-2.4, 2.4) for b in (-1, 1) for up in (0, height)]


def outline(corners):
    """Mask of the convex hull of projected corners; the camera is at offset 1.75 m."""
    forward, offset, up = np.array(corners, float).T
    points = np.stack(project(forward, offset - 3.5 / 2, up), axis=-1)
    mask = np.zeros((256, 455), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint((points - 0.5) * 16).astype(np.int32)), 1, cv2.LINE_8, 4)
    return mask > 0


THINGS = {
    "trees": ("vegetation", corners_of_object(30, 9.0, 5.0, 7.0)),
    "poles": ("pole", corners_of_object(22, 6.5, 2.3, 5.0)),
    "signs": ("sign", corners_of_object(20, 4.9, 0.8, 2.3)),
    "hedges": ("vegetation", corners_of_wall(40, 70, -9.0, 8.0)),
    "guard_rails": ("guard_rail", corners_of_wall(14, 24, -5.6, 0.78)),
    "buildings": ("building", corners_of_wall(50, 70, 14.0, 6.0)),
    "vehicles": ("vehicle", corners_of_car(15, 1.75, 1.95)),
}


def furnished_scene():
    walls = [
        hand_made_wall("hedges", "vegetation", "forest", 40, 70, -9.0, 8.0),
        hand_made_wall("guard_rails", "guard_rail", "guard_rail", 14, 24, -5.6, 0.78),
        hand_made_wall("buildings", "building", "building", 50, 70, 14.0, 6.0),
    ]
    objects = [
        hand_made_object("trees", "vegetation", "conifer", 30.0, 9.0, 5.0, 7.0),
        hand_made_object("poles", "pole", "pole", 22.0, 6.5, 2.3, 5.0),
        hand_made_object("signs", "sign", "limit", 20.0, 4.9, 0.8, 2.3),
        hand_made_object("trees", "vegetation", "bush", 62.0, 18.0, 1.0, 2.0),  # behind the building
    ]
    van = world.Vehicle(15.0, 12.0, np.array((0.85, 0.85, 0.85)), True)
    return compose(hand_made_road(), walls, objects, [van])


def test_things_stand_where_a_pinhole_camera_sees_them_and_nothing_else_changes_without_them():
    scene, pose = furnished_scene(), Pose(0)
    frame, labels = scene.render(pose, without=("hills",))
    for element, (name, corners) in THINGS.items():
        other, other_labels = scene.render(pose, without=("hills", element))
        inside = outline(corners)
        touched = changed(frame, other)
        if element == "hedges":  # to which the distant line of trees belongs
            touched[80:121] &= grown(inside, 3)[80:121]
        assert not touched[~grown(inside, 3)].any(), element
        differ = (labels != other_labels) & grown(inside, 3)
        assert differ.any() and (labels[differ] == LABELS[name]).all(), element
        rows = np.flatnonzero((differ & grown(inside, 2)).any(axis=1))
        expected = np.flatnonzero(inside.any(axis=1))
        tall = len(expected)
        assert abs(rows[0] - expected[0]) <= max(2, 0.12 * tall), element
        assert abs(rows[-1] - expected[-1]) <= max(2, 0.06 * tall), element
        assert (differ & inside).sum() > 0.05 * inside.sum(), element


def test_what_stands_behind_a_building_is_hidden():
    building = hand_made_wall("buildings", "building", "building", 30, 60, 8.0, 6.0)
    tree = hand_made_object("trees", "vegetation", "broadleaf", 80.0, 14.0, 2.0, 3.0)
    scene = compose(hand_made_road(), [building], [tree])
    full, without_tree = scene.render(Pose(0)), scene.render(Pose(0), without=("trees",))
    assert (full[0] == without_tree[0]).all()
    without_building = [scene.render(Pose(0), without=("buildings", *more))[0] for more in ((), ("trees",))]
    assert changed(*without_building).sum() > 50


@pytest.mark.parametrize("start", [20, 60, 100])
def test_wall_with_a_transparent_upper_half(monkeypatch, start):
    # A texture repeats along a wall, but its bottom must not shine through at the top, near or far.
    texture = np.zeros((128, 512, 4), np.float32)
    texture[64:, :, 3] = 1
    monkeypatch.setattr(things, "wall_texture", lambda kind, seed: textures.mipmaps(texture, 6))
    wall = hand_made_wall("buildings", "building", "building", start, start + 30, -9.0, 8.0)
    scene = compose(hand_made_road(), [wall])
    touched = changed(*(scene.render(Pose(0), without=without)[0] for without in ((), ("buildings",))))
    upper, lower = (
        outline([(s, -9.0, share * 8.0) for s in (start + 1, start + 29) for share in shares])
        for shares in ((0.8, 1.02), (0.02, 0.35))
    )
    assert not touched[upper].any() and touched[lower].mean() > 0.99


def test_shadows_fall_away_from_the_sun():
    tree = hand_made_object("trees", "vegetation", "broadleaf", 12.0, -7.0, 4.0, 8.0)
    # The sun stands at the left, 45° high: from 7 m left of the center line the shadow reaches 1 m to the right of it.
    lit = {"sun_slope": 1.0, "sun_azimuth": -np.pi / 2}
    scene = compose(hand_made_road(), objects=[tree], **lit)
    frame, labels = scene.render(Pose(0))
    forward, right = ground_points((256, 455), WHOLE, (0, 0))
    cast = (labels & SHADOW) > 0
    offset = right[cast] + 3.5 / 2
    assert all(is_one_of(labels, [name])[cast].sum() > 10 for name in ("shoulder", "edge", "asphalt", "marking"))
    assert np.abs(forward[cast] - 12).max() < 2.8 and abs(np.median(forward[cast]) - 12) < 0.7
    assert offset.min() > -7.6 and 0 < offset.max() < 2.6
    bright, bright_labels = scene.render(Pose(0), without=("shadows",))
    assert (bright_labels == labels & ~np.uint8(SHADOW)).all()
    ratio = frame[cast].mean() / bright[cast].mean()
    assert 0.4 < ratio < 0.75  # half of the light comes from the sun
    touched = changed(frame, bright)
    assert 8 < forward[touched].min() < forward[touched].max() < 16
    assert -8.5 < right[touched].min() + 3.5 / 2 < right[touched].max() + 3.5 / 2 < 4
    scene = compose(hand_made_road(), objects=[tree], sun_slope=1.0, sun_azimuth=np.pi / 2)
    assert not (scene.render(Pose(0))[1][:, 200:] & SHADOW).any()  # now it falls away from the road


# Films


def differences(one, other):
    """Change of each pixel, smoothed over 9 × 9 pixels so that the sensor's noise hardly counts."""
    return np.abs(cv2.blur(one.astype(np.float32) - other, (9, 9))).max(axis=-1)


@pytest.mark.parametrize("seed", [7, 3088])
def test_two_centimeters_on_the_picture_is_nearly_the_same(seed):
    scene = Scene(seed, 500.0)
    curvature = np.abs(scene.road.curvature[scene.road.index(10) : scene.road.index(490)])
    bend = 10 + world.STEP * int(curvature.argmax())
    # Anywhere, and in the tightest bend, where a camera that turns in steps would be noticed.
    places = [*np.arange(20.0, 480.0, 31.1), *(np.floor(bend) + np.arange(0.2, 0.3, 0.02))]
    for distance in places:
        (frame, labels), (later, labels_later) = (
            scene.render(Pose(d, 0, 0, distance / 12), SMALL) for d in (distance, distance + 0.02)
        )
        assert differences(frame, later).max() < 25, distance
        assert ((labels ^ labels_later) & ~np.uint8(SHADOW) > 0).mean() < 0.025, distance


PASSED = {
    "trees": dict(objects=[hand_made_object("trees", "vegetation", "broadleaf", 200.0, 9.0, 7.0, 10.0)]),
    "buildings": dict(walls=[hand_made_wall("buildings", "building", "building", 200, 212, 8.0, 6.0)]),
    "vehicles": dict(vehicles=[world.Vehicle(200.0, -1e-3, np.array((0.9, 0.1, 0.1)), False)]),
}


@pytest.mark.parametrize("element", PASSED)
def test_nothing_pops_up_or_vanishes_in_the_picture(element):
    scene = compose(hand_made_road(), haze=1e5, **PASSED[element])

    def both(away):
        return [scene.render(Pose(200 - away, 0, 0, 0.0), SMALL, without=out)[0] for out in ((), (element,))]

    coming = [np.abs(np.subtract(*both(away), dtype=float)).mean() for away in np.arange(180, 105, -5)]
    first = np.flatnonzero(coming)[0]
    assert first > 0 and coming[first] < 0.3 * max(coming)
    going = [
        (differences(*both(away)) > 12).mean()
        for away in np.arange(14, -11 if "walls" in PASSED[element] else -2, -0.5)
    ]
    assert going[0] > 0.003 and going[-1] == 0
    assert np.abs(np.diff(going)).max() < 0.035


# The right angle, and driving


def in_a_bend(curvature, center=3.5 / 2):
    """A driver may follow the bend of the center line or that of the lane, which lies beside it."""
    candidates = curvature, curvature / (1 - curvature * center)
    return sorted(15 * np.degrees(np.arctan(2.7 * k)) for k in candidates)


@pytest.mark.parametrize("curvature", [1 / 50, -1 / 50, 1 / 200, -1 / 900])
def test_steering_in_a_bend(curvature):
    scene = compose(hand_made_road(curvature))
    low, high = in_a_bend(curvature)
    angle = scene.steering(Pose(40))
    assert low - 1e-3 < angle < high + 1e-3
    assert np.sign(angle) == np.sign(curvature)


def test_steering_on_a_straight_road_leads_back_to_the_lane():
    scene = compose(hand_made_road())
    assert scene.steering(Pose(50)) == 0
    assert isinstance(scene.steering(Pose(50, 0.5)), float)
    for pose in (Pose(50, 0.5), Pose(50, 0, 0.05), Pose(50, 1.5, 0.1)):
        angle = scene.steering(pose)
        assert -120 < angle < -0.5  # to the right of the lane, or pointing to its right: steer left
        assert scene.steering(Pose(50, -pose.offset, -pose.heading)) == pytest.approx(-angle)
    assert scene.steering(Pose(50, 1.0)) < scene.steering(Pose(50, 0.5))


@pytest.mark.parametrize("side", [-1, 1])
def test_steering_has_a_limit(side):
    assert compose(hand_made_road(side / 8, end=100.0)).steering(Pose(0)) == side * 120


@pytest.mark.parametrize("angle", [-120.0, -30.0, 45.0])
def test_a_held_wheel_draws_a_circle(angle):
    scene, start = compose(hand_made_road(lane_width=4.0)), Pose(20.0, 0.5, 0.0, 3.0)
    radius = 2.7 / np.tan(np.radians(angle / 15))
    for seconds in (0.1, 1.0, min(2.5, abs(radius) / 12)):
        pose = advance(scene, start, angle, seconds)
        turned = 12 * seconds / radius
        assert pose.heading == pytest.approx(turned, abs=1e-3)
        assert pose.distance == pytest.approx(20 + radius * np.sin(turned), abs=0.16)
        assert pose.offset == pytest.approx(0.5 + radius * (1 - np.cos(turned)), abs=0.16)
        assert pose.time == pytest.approx(3 + seconds)
    assert advance(scene, Pose(20.0), angle, 0.1).time is None
    half = advance(scene, advance(scene, start, angle, 0.5), angle, 0.5)
    assert np.allclose(half, advance(scene, start, angle, 1.0))


@pytest.mark.parametrize("curvature", [1 / 40, -1 / 40])
def test_a_car_beside_the_center_line_makes_its_own_circle(curvature):
    scene, offset = compose(hand_made_road(curvature)), 3.5 / 2 + 0.4
    angle = 15 * np.degrees(np.arctan(2.7 * curvature / (1 - curvature * offset)))
    pose = advance(scene, Pose(0.0, 0.4), angle, 4.0)
    assert abs(pose.offset - 0.4) < 0.02 and abs(pose.heading) < 1e-3
    assert pose.distance == pytest.approx(48 / (1 - curvature * offset), rel=1e-3)


@pytest.mark.parametrize("side", [-1, 1])
def test_reference_driver_comes_back_as_a_damped_oscillator(side):
    scene = compose(hand_made_road())

    def curvature(pose):
        return np.tan(np.radians(scene.steering(pose) / 15)) / 2.7

    # For small angles e" = −a e' − b e, which has a solution in closed form. Hardly any overshoot: a² ≈ 4 b.
    a, b = -curvature(Pose(10, 0, 1e-3)) / 1e-3, -curvature(Pose(10, 1e-2)) / 1e-2
    assert 0.85 < a**2 / (4 * b) < 1.3
    roots = np.roots([1, a, b]).astype(complex)
    parts = np.linalg.solve([[1, 1], roots], [1.5, np.tan(np.radians(8))])
    pose = Pose(10.0, side * 1.5, side * np.radians(8), 0.0)
    while pose.distance < 110:
        pose = advance(scene, pose, scene.steering(pose), 0.1)
        expected = side * (parts * np.exp(roots * (pose.distance - 10))).sum().real
        assert abs(pose.offset - expected) < 0.2
        if pose.distance > 10 + 60:
            assert abs(pose.offset) < 0.1 and abs(pose.heading) < 0.02


@pytest.mark.parametrize("seed", [1, 7, 3088])
def test_reference_driver_stays_within_a_meter_of_the_lane_center(seed):
    road = world.make_road(seed, 900.0)
    scene, pose = compose(road), Pose(10.0, 0, 0, 0.0)
    while pose.distance < 890:
        pose = advance(scene, pose, scene.steering(pose), 0.1)
        # He looks ahead and cuts corners a little; a meter is where NVIDIA would have taken the wheel.
        assert abs(pose.offset) < 1


# Drives


@pytest.fixture
def poses(monkeypatch):
    """The poses from which pictures are asked for; the pictures are black."""
    asked = []

    def render(scene, pose, size=(256, 455), without=(), crop=WHOLE):
        asked.append((scene.seed, pose))
        return np.zeros((*size, 3), np.uint8), np.ones(size, np.uint8)

    monkeypatch.setattr(Scene, "render", render)
    return asked


def test_render_drive():
    drive = render_drive(2, 3, interval=0.5)
    assert len(drive) == 3 and drive.timestamps.tolist() == [0, 0.5, 1]
    assert drive.angles.dtype == np.float32
    longer = render_drive(2, 5, interval=0.5)
    for i in range(3):
        assert drive.frame(i).shape == (256, 455, 3)
        assert is_one_of(drive.labels(i), LABELS).all()
        assert (longer.frame(i) == drive.frame(i)).all() and longer.angles[i] == drive.angles[i]
    with pytest.raises(ValueError, match="n is 0"):
        render_drive(2, 0)


def test_drive_records_the_reference_driver(poses):
    drive = render_drive(11, 200)
    scene = Scene(11)
    assert drive.timestamps == pytest.approx(np.arange(200) / 10)
    assert drive.angles == pytest.approx([scene.steering(pose) for _, pose in poses], abs=1e-3)
    assert [pose.time for _, pose in poses] == pytest.approx(drive.timestamps)
    assert {seed for seed, _ in poses} == {11}
    for (_, before), (_, after) in pairwise(poses):
        x, y = np.array(
            [
                scene.road.to_world(p.distance, p.offset + scene.road.at("lane_width", p.distance) / 2)
                for p in (before, after)
            ]
        ).T
        assert np.hypot(np.diff(x), np.diff(y))[0] == pytest.approx(1.2, abs=0.02)  # 12 m/s
    offsets = np.array([pose.offset for _, pose in poses])
    assert 0.02 < offsets.std() and np.abs(offsets).max() < 1.2


def test_views_are_drawn_beside_and_askew_of_the_lane(poses):
    drive = render_views(range(3), 390)
    scenes = {seed: Scene(seed) for seed in range(3)}
    assert drive.angles == pytest.approx([scenes[seed].steering(pose) for seed, pose in poses], abs=1e-3)
    assert [seed for seed, _ in poses] == [*[0] * 130, *[1] * 130, *[2] * 130]
    distance, offset, heading, _ = np.array([pose for _, pose in poses]).T
    assert distance.min() >= 0 and distance.max() <= 1000 and np.histogram(distance, 5, (0, 1000))[0].min() > 40
    assert 1.2 < np.abs(offset).max() <= 1.8 and offset.min() < -1 and offset.max() > 1
    assert 6 < np.degrees(np.abs(heading)).max() <= 10.001
    assert np.abs(np.corrcoef([distance, offset, heading])[np.triu_indices(3, 1)]).max() < 0.15
    poses.clear()
    straight = render_views(4, 20, askew=False)
    assert len(straight) == 20 and {(pose.offset, pose.heading) for _, pose in poses} == {(0.0, 0.0)}


def test_render_views():
    drive = render_views([3, 8], 25)
    assert len(drive) == 25 and drive.crop == WHOLE
    assert drive.frame(0).shape == (66, 200, 3) and drive.labels(0).shape == (66, 200)
    assert (drive.pixels() == np.stack([drive.frame(i) for i in range(25)])).all()  # nothing is resized again
    assert is_one_of(np.stack([drive.labels(i) for i in range(25)]), LABELS).all()
    assert drive.angles.min() < -5 and drive.angles.max() > 5
    assert np.abs(drive.angles).max() <= 120
    again = render_views((seed for seed in (3, 8)), 25)
    assert (again.pixels() == drive.pixels()).all() and (again.angles == drive.angles).all()
    assert (render_views([8, 3], 25).angles[:12] == drive.angles[13:]).all()
    other = render_views(9, 13)
    assert len(other) == 13 and (other.angles != drive.angles[:13]).all()


def test_views_do_not_depend_on_the_number_of_processes(monkeypatch):
    monkeypatch.setattr(processes, "cpu_count", lambda: 2)
    monkeypatch.setattr(processes, "MANY", 60)
    drive = render_views([3, 8], 60)
    assert len(drive) == 60 and (drive.angles[:30] > 5).any() and (drive.angles[:30] < -5).any()
    for seed, start in ((3, 0), (8, 30)):
        alone = render_views(seed, 15)
        assert (alone.pixels() == drive.pixels(slice(start, start + 15))).all()
        assert (alone.angles == drive.angles[start : start + 15]).all()
        assert all((alone.labels(i) == drive.labels(start + i)).all() for i in range(15))


@pytest.mark.parametrize("seeds, n", [([], 5), (1, 0), ([1, 2], -3)])
def test_no_views(seeds, n):
    with pytest.raises(ValueError, match="at least one of each"):
        render_views(seeds, n)


def test_counterfactuals_are_the_same_views_without_an_element():
    views, without = render_counterfactuals([3, 8], 12, ["center_line", "vehicles"])
    plain = render_views([3, 8], 12)
    assert (views.pixels() == plain.pixels()).all() and (views.angles == plain.angles).all()
    assert list(without) == ["center_line", "vehicles"]
    for element, label in (("center_line", "marking"), ("vehicles", "vehicle")):
        assert without[element].shape == (12, 66, 200, 3) and without[element].dtype == np.uint8
        there = np.array([is_one_of(views.labels(i), [label]).any() for i in range(12)])
        differs = (without[element] != views.pixels()).any(axis=(1, 2, 3))
        assert there.any() and differs[there].any() and differs.any()
        for i in np.flatnonzero(differs):
            seen = grown(is_one_of(views.labels(i), [label]), 4)
            gone = changed(without[element][i].astype(int) // 4, views.pixels()[i].astype(int) // 4)
            assert (gone & seen).sum() >= 0.5 * gone.sum()
    assert render_counterfactuals(3, 2, [])[1] == {}


def test_counterfactuals_do_not_depend_on_the_number_of_processes(monkeypatch):
    monkeypatch.setattr(processes, "cpu_count", lambda: 2)
    monkeypatch.setattr(processes, "MANY", 60)
    views, without = render_counterfactuals([3, 8], 20, ["hills", "shadows"])
    alone, alone_without = render_counterfactuals(8, 5, ["hills", "shadows"])
    assert (views.pixels(slice(10, 15)) == alone.pixels()).all()
    assert all((without[element][10:15] == alone_without[element]).all() for element in without)


def test_no_such_element():
    with pytest.raises(ValueError, match=r"'paint'.*markings"):
        render_counterfactuals(3, 2, ["paint"])


# Drives on disk


def painted_drive(n=4, timestamps=None):
    rows, columns = np.mgrid[:60, :80]
    frames = [np.dstack([rows + 40 * k, columns + 100, 200 - rows]).astype(np.uint8) for k in range(n)]
    labels = [np.uint8((rows + k) % 13 + 1 + SHADOW * (columns > 40)) for k in range(n)]
    return Drive.from_arrays("painted", frames, [-1.23456, 0, 119.99, 7.5][:n], labels, timestamps, crop=WHOLE)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sums(folder):
    return dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_written_drive_reads_back(tmp_path):
    drive = painted_drive(timestamps=[0, 0.05, 59.9996, 3600.123])
    folder = tmp_path / "a" / "drive"
    world.write_drive(folder, drive, "The sums have the sum {digest}.")
    lines = (folder / "data.txt").read_text().splitlines()
    stamped = r"\d+\.jpg -?\d+\.\d+,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{1,3}"
    assert len(lines) == 4 and all(re.fullmatch(stamped, line) for line in lines)
    assert [line.rsplit(":", 1)[1] for line in lines] == ["0", "50", "0", "123"]
    back = load_drive(folder, crop=WHOLE)
    assert back.names.tolist() == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert back.angles == pytest.approx(drive.angles, abs=1e-4)
    assert back.timestamps == pytest.approx([0, 0.05, 60, 3600.123], abs=1e-6)
    for i in range(4):
        assert (back.labels(i) == drive.labels(i)).all()
        assert np.abs(back.frame(i).astype(int) - drive.frame(i)).mean() < 3
    files = {name.as_posix() for name in contents(folder)}
    assert files - set(sums(folder)) == {"SHA256SUMS", "README.md"}
    assert all(digest(folder / name) == value for name, value in sums(folder).items())
    assert (folder / "README.md").read_text() == f"The sums have the sum {digest(folder / 'SHA256SUMS')}."


def test_drive_without_times_and_labels_can_be_written(tmp_path):
    frames = np.zeros((2, 8, 12, 3), np.uint8)
    world.write_drive(tmp_path / "drive", Drive.from_arrays("plain", frames, [1, 2]))
    back = load_drive(tmp_path / "drive")
    assert back.timestamps == pytest.approx([0, 0.1]) and back.labels(0) is None
    assert not (tmp_path / "drive" / "README.md").exists()


def test_drive_replaces_a_drive_and_nothing_else(tmp_path):
    folder = tmp_path / "drive"
    folder.mkdir()
    world.write_drive(folder, painted_drive(4), "four")  # into an empty folder
    world.write_drive(folder, painted_drive(2), "two")
    assert len(load_drive(folder)) == 2
    assert {str(name) for name in contents(folder)} == {
        *("0.jpg", "1.jpg", "README.md", "SHA256SUMS", "data.txt"),
        *(os.path.join("labels", name) for name in ("0.png", "1.png")),
    }
    assert os.listdir(tmp_path) == ["drive"]
    for name in ("notes.txt", "labels/mine.png"):
        (folder / name).write_text("mine")
        before = contents(folder)
        with pytest.raises(FileExistsError, match="other files"):
            world.write_drive(folder, painted_drive(3))
        assert contents(folder) == before
        (folder / name).unlink()
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(FileExistsError, match="other files"):
        world.write_drive(folder, painted_drive(3))
    assert os.listdir(tmp_path) == ["drive"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("existing", [False, True])
def test_interrupted_writing_changes_nothing(tmp_path, monkeypatch, error, existing):
    folder = tmp_path / "drive"
    if existing:
        world.write_drive(folder, painted_drive(2), "before")
    before = contents(tmp_path)
    written, imwrite = [], cv2.imwrite

    def interrupted(path, *arguments):
        written.append(path)
        if len(written) == 5:
            raise error("disk full")
        return imwrite(path, *arguments)

    monkeypatch.setattr(cv2, "imwrite", interrupted)
    with pytest.raises(error, match="disk full"):
        world.write_drive(folder, painted_drive(4))
    assert len(written) == 5 and contents(tmp_path) == before
    assert os.listdir(tmp_path) == (["drive"] if existing else [])


def test_command_writes_the_sample_drive(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sample_drive, "SAMPLE_FRAMES", 2)
    monkeypatch.setattr("sys.argv", ["world", str(tmp_path / "sample")])
    sample_drive.main()
    assert "2 frames" in capsys.readouterr().out
    readme = (tmp_path / "sample" / "README.md").read_text()
    assert "{" not in readme and f"seed {world.SAMPLE_SEED}" in " ".join(readme.split()) and "MIT" in readme
    assert digest(tmp_path / "sample" / "SHA256SUMS") in readme


# The sample drive


@pytest.fixture(scope="module")
def sample():
    folder = Path(__file__).resolve().parents[1] / "data" / "sample_drive"
    if not folder.is_dir():
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("data/sample_drive is missing: run make drive")
    return folder


def test_sample_drive_is_complete(sample):
    assert all(digest(sample / name) == value for name, value in sums(sample).items())
    files = {name.as_posix(): len(data) for name, data in contents(sample).items()}
    assert set(files) - set(sums(sample)) == {"SHA256SUMS", "README.md"}
    assert sum(files.values()) < 10e6
    assert digest(sample / "SHA256SUMS") in (sample / "README.md").read_text()
    drive = load_drive(sample)
    assert len(drive) == 300 == sum(name.endswith(".jpg") for name in files)
    assert np.diff(drive.timestamps) == pytest.approx(np.full(299, 0.1), abs=1e-3)
    assert drive.frame(299).shape == (256, 455, 3)
    assert is_one_of(np.stack([drive.labels(i) for i in (0, 150, 299)]), LABELS).all()
    assert drive.angles.min() < -10 and drive.angles.max() > 10  # bends to both sides


def test_sample_drive_is_what_the_code_renders(sample, monkeypatch):
    drive, asked, render = load_drive(sample), [], Scene.render

    def note(scene, pose):
        asked.append(pose)
        return np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), np.uint8)

    with monkeypatch.context() as patch:  # the drive without its pictures
        patch.setattr(Scene, "render", note)
        again = render_drive(world.SAMPLE_SEED, len(drive))
    assert again.angles == pytest.approx(drive.angles, abs=1e-2)
    scene = Scene(world.SAMPLE_SEED)
    for i in (0, 1, 120, 299):
        frame, labels = render(scene, asked[i])
        difference = np.abs(frame.astype(int) - drive.frame(i))
        assert difference.mean() < 4 and np.quantile(difference, 0.999) < 40
        assert (labels == drive.labels(i)).mean() > 0.995
