"""Roads as different as real ones, and pictures changed while a network learns."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steerlib import world
from steerlib.drives import ROAD
from steerlib.networks.augmentation import augment, mirror, photograph_anew
from steerlib.networks.pilotnet import SIZE
from steerlib.world import Pose, VariedScene, advance, render_views, vary_camera
from steerlib.world.canvas import Camera
from steerlib.world.ground import Line

sys.path.insert(0, str(Path(__file__).parent))
from test_roads import compose, hand_made_road

MARKING = world.LABELS["marking"]


def marked_columns(labels, row):
    """Where the stripes of paint in a row begin and end: their middles."""
    marked = np.flatnonzero(np.diff(np.r_[0, (labels[row] & 127) == MARKING, 0]))
    return marked.reshape(-1, 2).mean(axis=1)


@pytest.mark.parametrize(
    "camera",
    [
        Camera(),
        Camera(height=1.8, field_of_view=np.radians(80)),
        Camera(height=1.1, field_of_view=np.radians(45), pitch=np.radians(-1.5)),
        Camera(pitch=np.radians(2), stretch=1.25),
    ],
)
def test_paint_lies_where_another_camera_sees_it(camera):
    scene = compose(hand_made_road())
    n = len(scene.road.x)
    scene.lines = [Line("center_line", offset, 0.12, np.ones(3), np.ones(n)) for offset in (-1.5, 1.0, 3.2)]
    scene.wear = np.zeros(n)
    labels = scene.render(Pose(20.0), camera=camera)[1]
    focal = 455 / 2 / np.tan(camera.field_of_view / 2)
    for ahead in (6.0, 9.0, 14.0):
        horizon = 115 - camera.pitch * focal / camera.stretch
        seen = int(horizon + focal / camera.stretch * camera.height / ahead)
        forward = focal / camera.stretch * camera.height / (seen + 0.5 - horizon)
        expected = 455 / 2 + focal * (np.array([-1.5, 1.0, 3.2]) - 3.5 / 2) / forward
        found = marked_columns(labels, seen)
        inside = (expected > 3) & (expected < 452)
        assert inside.sum() >= 2
        # The car rocks by less than 0.3° on its springs.
        assert np.allclose(found, expected[inside], atol=0.06 * focal / forward + 1.5)


def test_a_camera_that_is_turned_turns_the_picture_and_its_labels():
    scene = compose(hand_made_road())
    level, turned = (scene.render(Pose(20.0), camera=Camera(roll=np.radians(roll))) for roll in (0, 3))
    drop = [int(np.flatnonzero(turned[1][:, column] == world.LABELS["asphalt"])[0]) for column in (150, 300)]
    flat = [int(np.flatnonzero(level[1][:, column] == world.LABELS["asphalt"])[0]) for column in (150, 300)]
    # To the right the horizon falls by tan 3° for each pixel.
    assert (drop[1] - flat[1]) - (drop[0] - flat[0]) == pytest.approx(150 * np.tan(np.radians(3)), abs=2.5)
    assert turned[0].shape == level[0].shape and turned[1].shape == level[1].shape


@pytest.mark.parametrize("curvature", [1 / 60, -1 / 60])
@pytest.mark.parametrize("own", [0, 2])
def test_the_reference_driver_keeps_to_his_own_lane_of_several(curvature, own):
    scene = compose(replace(hand_made_road(curvature), lanes=(2, 3), own=own))
    center = 3.5 * (own + 0.5)
    assert scene.road.lane_center(40.0) == pytest.approx(center)
    angle = scene.steering(Pose(40))
    assert angle == pytest.approx(15 * np.degrees(np.arctan(2.7 * curvature / (1 - curvature * center))), rel=1e-3)
    pose = advance(scene, Pose(0.0), angle, 4.0)
    assert abs(pose.offset) < 0.02 and abs(pose.heading) < 1e-3


def test_the_picture_is_taken_from_the_own_lane():
    road = replace(hand_made_road(paved=12.0), lanes=(3, 3), own=1)
    scene = compose(road)
    n = len(road.x)
    scene.lines, scene.wear = [Line("edge_lines", 1.5 * 3.5, 0.2, np.ones(3), np.ones(n))], np.zeros(n)
    assert marked_columns(scene.render(Pose(20.0))[1], 200) == pytest.approx([455 / 2], abs=1)


def test_a_camera_beside_the_middle_sees_what_a_car_there_would_see_and_steers_for_its_car():
    scene = compose(hand_made_road())
    mounted = scene.render(Pose(20.0), camera=Camera(right=0.4, yaw=np.radians(2)))
    driven = scene.render(Pose(20.0, 0.4, np.radians(2)))
    assert (mounted[1] == driven[1]).mean() > 0.999
    assert np.abs(mounted[0].astype(int) - driven[0]).mean() < 6  # but for the sensor's noise


def test_only_what_is_painted_is_a_marking():
    scene = compose(hand_made_road())
    n = len(scene.road.x)
    seam = Line("", 1.0, 0.3, np.zeros(3), np.ones(n))
    scene.lines = [seam]
    frame, labels = scene.render(Pose(20.0))
    bare, _ = scene.render(Pose(20.0), without=("markings",))
    assert not (labels & 127 == MARKING).any()
    assert (frame == bare).all()
    scene.lines = []
    without, _ = scene.render(Pose(20.0))
    changed = (frame != without).any(axis=-1)
    assert changed.any() and frame[changed].mean() < without[changed].mean()


@pytest.mark.parametrize("seed", range(6))
def test_a_varied_road_is_whole(seed):
    scene = VariedScene(seed)
    for distance in (10.0, 150.0, 290.0):
        frame, labels = scene.render(Pose(distance), SIZE, crop=ROAD)
        assert frame.shape == (*SIZE, 3) and frame.dtype == np.uint8 and frame.std() > 5
        assert set(np.unique(labels & 127)) <= set(world.LABELS.values())
        assert (labels & 127 == world.LABELS["asphalt"]).mean() > 0.1  # the car is on it
    assert 0 <= scene.road.own < scene.road.lanes[1] <= 3
    pose = Pose(10.0, time=0.0)
    while pose.distance < 280:
        pose = advance(scene, pose, scene.steering(pose), 0.1)
        assert abs(pose.offset) < 1.2


def test_same_seed_same_varied_road():
    first, again, other = (VariedScene(seed).render(Pose(50.0), SIZE, crop=ROAD)[0] for seed in (3, 3, 4))
    assert (first == again).all() and (first != other).mean() > 0.5
    cameras = [vary_camera(np.random.default_rng(seed)) for seed in range(200)]
    assert cameras[0] == vary_camera(np.random.default_rng(0))
    heights, fields, _, rolls, *_ = np.array(cameras).T
    assert np.ptp(heights) > 0.6 and np.degrees(np.ptp(fields)) > 30 and np.abs(np.degrees(rolls)).max() < 3.01


def test_how_far_a_camera_looks_aside_is_a_share_of_what_it_may():
    straight, less, more = (
        np.array([vary_camera(np.random.default_rng(seed), askew) for seed in range(50)]).T for askew in (0.0, 0.4, 1.0)
    )
    yaw = world.Camera._fields.index("yaw")
    assert np.abs(more[yaw]).max() > np.radians(2) and not straight[yaw].any()
    np.testing.assert_allclose(less[yaw], 0.4 * more[yaw])
    assert (np.delete(less, yaw, axis=0) == np.delete(more, yaw, axis=0)).all()
    middle = render_views(range(2), 6, askew=0.0, varied=True)
    _, curvature = world.render_bends(range(2), 6, askew=0.0, varied=True)
    # Without a way back into the lane the angle is that of the bend, 2 to 5 m ahead and not where the rear axle is.
    assert np.abs(middle.angles - world.wheel_angle(curvature)).max() < 15


def test_shadows_have_harder_borders_and_are_where_they_were():
    scene, asphalt = VariedScene(13), world.LABELS["asphalt"]
    found = []
    for scene.hardness, scene.leaves in ((0.0, 0.0), (5.0, 0.0)):
        scene.sharpening = 0.0
        frame, labels = scene.render(Pose(120.0), (132, 400), crop=ROAD)
        light = frame.mean(axis=2)
        shaded, lit = labels == asphalt + 128, labels == asphalt  # 128: in a cast shadow
        assert shaded.sum() > 500 and lit.sum() > 500
        found.append((light[lit].mean() / light[shaded].mean(), labels))
    (soft, before), (hard, after) = found
    assert hard > soft > 1.1 and (before == after).mean() > 0.98


def test_varied_views_are_spread_over_their_roads():
    drive = render_views(range(5), 20, varied=True)
    plain = render_views(range(5), 20)
    assert len(drive) == 20 and drive.frame(0).shape == plain.frame(0).shape
    again = render_views(range(5), 20, varied=True)
    assert all((drive.frame(i) == again.frame(i)).all() for i in range(20)) and (drive.angles == again.angles).all()
    assert not any((drive.frame(i) == plain.frame(i)).all() for i in range(20))
    assert np.abs(drive.angles).max() <= 120 and drive.angles.std() > 3


# Pictures changed while a network learns


def pictures(n=8, size=(66, 200)):
    return np.random.default_rng(5).uniform(0, 1, (n, *size, 3)).astype(np.float32)


def test_mirrored_pictures_have_the_opposite_angle():
    before, angles = pictures(64), np.linspace(1, 2, 64, dtype=np.float32)[:, None]
    kept = before.copy()
    after, turned = mirror(before, angles, np.random.default_rng(0))
    assert (before == kept).all()
    assert 10 < (turned < 0).sum() < 54
    for picture, angle, changed, sign in zip(before, angles, after, np.sign(turned)):
        assert (changed == (picture[:, ::-1] if sign < 0 else picture)).all()
        assert abs(turned).min() > 0 and angle > 0
    assert (np.abs(turned) == angles).all()


def test_changed_pictures_are_pictures():
    before = pictures(40)
    after = augment(before, np.random.default_rng(1))
    assert after.shape == before.shape and after.dtype == np.float32
    assert np.isfinite(after).all() and after.min() >= 0 and after.max() <= 1
    assert (after == augment(before, np.random.default_rng(1))).all()
    assert (after != augment(before, np.random.default_rng(2))).any()
    assert augment(before[:0], np.random.default_rng(1)).shape == (0, 66, 200, 3)
    assert augment(pictures(2, (160, 320)), np.random.default_rng(1)).shape == (2, 160, 320, 3)


def test_the_road_stays_where_it_is():
    """A bright bar in the middle of a gray picture moves by no more than the shift, zoom and turn that are promised."""
    before = np.full((200, 66, 200, 3), 0.3, np.float32)
    before[:, 20:46, 95:105] = 0.9
    after = augment(before, np.random.default_rng(3))
    middles = []
    for picture in after.mean(axis=-1):
        contrast = np.maximum(picture[28:38].mean(axis=0) - np.median(picture[28:38]), 0)[60:140]
        middles.append((contrast**4 * np.arange(60, 140)).sum() / max((contrast**4).sum(), 1e-9))
    apart = np.abs(np.array(middles) - 99.5)
    assert np.median(apart) < 5 and np.quantile(apart, 0.9) < 16


def test_photographed_anew_is_mirrored_too():
    before, angles = pictures(64), np.full((64, 1), 0.2, np.float32)
    after, turned = photograph_anew(before, angles, np.random.default_rng(0))
    assert after.shape == before.shape and set(np.unique(turned)) == {np.float32(-0.2), np.float32(0.2)}


def test_views_of_varied_roads_can_lack_an_element():
    views, without = world.render_counterfactuals(range(3), 12, ("markings",), varied=True)
    same = np.array([(views.frame(i) == without["markings"][i]).all() for i in range(12)])
    marked = np.array([(views.labels(i) & 127 == MARKING).sum() > 40 for i in range(12)])
    assert marked.any() and not same[marked].any()
