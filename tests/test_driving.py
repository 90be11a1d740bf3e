"""The car against the closed form of a circle, the measure against logs made by hand, known drivers in closed loop."""

import multiprocessing
from concurrent.futures.process import BrokenProcessPool

import keras
import numpy as np
import pytest

from steerlib.drives import ROAD, preprocess
from steerlib.networks.files import load_network
from steerlib.world import (
    FRAME_SIZE,
    MAX_STEERING,
    SPEED,
    STEERING_RATIO,
    WHEEL_BASE,
    Pose,
    Scene,
    display_place,
    driving,
    processes,
    show_wheel,
)
from steerlib.world.driving import (
    Log,
    autonomy,
    constant,
    drive_roads,
    judge,
    load_logs,
    look_back,
    network,
    reference,
    save_logs,
)

SEED = 2000


def log(offsets, angles=None, interventions=()):
    """A log made by hand."""
    offsets = np.array(offsets, float)
    angles = np.zeros(len(offsets)) if angles is None else np.array(angles, float)
    other = np.zeros(len(offsets))
    return Log(1, other, offsets, other, angles, other, np.array(interventions, int))


def test_autonomy_is_nvidias_formula():
    # 10 interventions in 600 s are the example of their section 7: 90 %.
    roads_driven = [log(np.full(600, 0.2), interventions=[5])] * 10
    found = judge(roads_driven)
    assert found.interventions == 10 and found.seconds == pytest.approx(600)
    assert found.autonomy == pytest.approx(90.0)
    assert judge([log(np.zeros(600))]).autonomy == 100
    assert judge([log(np.zeros(100), interventions=range(5))]).autonomy == 0  # not below zero


def test_offsets_and_comfort_by_hand():
    found = judge([log([0.1, -0.3, 0.2], [0, 2, -2]), log([-0.4], [50])])
    assert found.mean_offset == pytest.approx(0.25) and found.largest_offset == pytest.approx(0.4)
    assert found.spread == pytest.approx(np.sqrt((0.2**2 + 0.2**2 + 0.3**2 + 0.3**2) / 4))  # their mean is −0.1
    assert found.steering_rate == pytest.approx((2 + 4) / 2 / driving.INTERVAL)  # no step from one road to the next
    with pytest.raises(ValueError, match="nothing was driven"):
        judge([])


@pytest.mark.parametrize("angle", [-40.0, 25.0, 90.0])
def test_a_held_wheel_drives_a_circle(monkeypatch, angle):
    """On the plane, whatever the road: the car's path is a circle of radius 2.7 m / tan(angle / 15)."""
    monkeypatch.setattr(driving, "OFF_LANE", np.inf)
    (driven,) = drive_roads(constant(angle), SEED, 3.0, False)
    start = round(abs(angle) / (driving.MAX_RATE * driving.INTERVAL) + 0.5)  # until then the wheel is still turning
    assert np.allclose(driven.angle[start:], angle)
    scene = Scene(SEED)
    center = scene.road.at("lane_width", driven.distance) / 2
    x, y = scene.road.to_world(driven.distance, center + driven.offset)
    radius = WHEEL_BASE / np.tan(np.radians(angle / STEERING_RATIO))
    heading = scene.road.at("heading", driven.distance[start]) + np.radians(driven.heading[start])
    middle = x[start] - radius * np.sin(heading), y[start] + radius * np.cos(heading)
    distances = np.hypot(x[start:] - middle[0], y[start:] - middle[1])
    assert np.allclose(distances, abs(radius), rtol=0.01)
    turned = np.unwrap(np.arctan2(y[start:] - middle[1], x[start:] - middle[0]))
    seconds = driving.INTERVAL * (len(turned) - 1)
    assert (turned[-1] - turned[0]) * radius == pytest.approx(SPEED * seconds, rel=0.01)


def test_the_reference_driver_needs_nobody_and_who_sleeps_does():
    best, asleep = (autonomy(policy, range(SEED, SEED + 3), 20.0, False) for policy in (reference, constant(0.0)))
    assert best.autonomy == 100 and best.interventions == 0 and best.largest_offset < 0.6
    assert asleep.interventions > 3 and asleep.autonomy < 70
    assert len(asleep.places) == asleep.interventions and {seed for seed, _ in asleep.places} <= {2000, 2001, 2002}
    for driven in asleep.logs:
        assert [meters for seed, meters in asleep.places if seed == driven.seed] == list(
            driven.distance[driven.interventions]
        )
        assert np.all(np.abs(driven.offset) <= driving.OFF_LANE)  # a car further away was put back before its picture
        assert np.all(driven.offset[driven.interventions] == 0) and np.all(driven.heading[driven.interventions] == 0)


def test_the_wheel_turns_no_faster_than_its_motor_and_no_further_than_its_stop(monkeypatch):
    monkeypatch.setattr(driving, "OFF_LANE", np.inf)

    def wild(images, scenes, poses):
        wild.calls += 1
        return np.full(len(poses), 300.0 if wild.calls < 10 else -300.0)

    wild.sees, wild.calls = False, 0
    (driven,) = drive_roads(wild, SEED, 2.0, False)
    step = driving.MAX_RATE * driving.INTERVAL
    assert driven.angle[0] == step and np.abs(np.diff(driven.angle)).max() <= step + 1e-9
    assert driven.angle.max() == MAX_STEERING and driven.angle.min() >= -MAX_STEERING


def test_a_policy_sees_what_the_camera_sees():
    seen = []

    def watcher(images, scenes, poses):
        seen.append((images, list(poses)))
        return reference(None, scenes, poses)

    drive_roads(watcher, [SEED, SEED + 1, SEED + 2], 0.3, False)
    assert len(seen) == 3
    images, poses = seen[-1]
    assert images.shape == (3, 66, 200, 3) and images.dtype == np.float32
    for image, seed, pose in zip(images, (SEED, SEED + 1, SEED + 2), poses):
        expected = Scene(seed).render(pose, (66, 200), crop=ROAD)[0]
        assert np.array_equal(np.rint(255 * image), expected)
        assert pose.distance == pytest.approx(driving.START + 2 * driving.INTERVAL * SPEED, abs=0.2)


def test_a_process_that_dies_on_the_way_is_told_and_replaced(monkeypatch):
    monkeypatch.setattr(processes, "cpu_count", lambda: 2)

    def killer(images, scenes, poses):
        for child in multiprocessing.active_children():
            child.terminate()
        return np.zeros(len(poses))

    with pytest.raises(BrokenProcessPool, match="terminated"):
        drive_roads(killer, [SEED, SEED + 1], 0.5, False)
    assert len(drive_roads(lambda images, scenes, poses: np.zeros(2), [SEED, SEED + 1], 0.2, False)) == 2


def test_a_network_drives_and_the_same_roads_give_the_same_drive():
    image = keras.Input((66, 200, 3))
    x = keras.layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(0, 0.02, seed=0))(
        keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 5, 4)(image))
    )
    model = keras.Model(image, x)
    first, again = (drive_roads(model, [SEED, SEED + 1], 0.5, False) for _ in range(2))
    for one, other in zip(first, again):
        assert all(np.array_equal(a, b) for a, b in zip(one, other))
    assert np.abs(first[0].angle).max() > 0  # it did steer
    alone = drive_roads(network(model), SEED, 0.5, False)
    assert np.allclose(alone[0].angle, first[0].angle, atol=1e-4)


@pytest.mark.parametrize("answer", [np.zeros(3), [np.nan], "left", [[0.0]]])
def test_an_answer_that_is_no_angle_is_refused(answer):
    def strange(images, scenes, poses):
        return answer

    strange.sees = False
    with pytest.raises(ValueError):
        drive_roads(strange, SEED, 1.0, False)


@pytest.mark.parametrize(("seeds", "seconds"), [([], 10), ([1], 0), ([1], -3)])
def test_nothing_to_drive_is_said(seeds, seconds):
    with pytest.raises(ValueError, match="expected one or more"):
        drive_roads(reference, seeds, seconds, False)


def test_the_log_says_where_the_car_was():
    (driven,) = drive_roads(reference, SEED, 2.0, False)
    scene, pose = Scene(SEED), Pose(driving.START, time=0.0)
    assert len(driven.offset) == 20 and driven.distance[0] == driving.START and driven.offset[0] == 0
    assert driven.reference[0] == pytest.approx(scene.steering(pose))
    assert np.allclose(driven.angle, driven.reference)


def test_pictures_of_a_log_can_be_taken_again_with_what_the_display_showed():
    seen = []

    def watcher(images, scenes, poses):
        seen.append(np.rint(255 * images).astype(np.uint8))
        return np.array([40.0 if len(seen) < 30 else -60.0])

    (driven,) = drive_roads(watcher, SEED, 4.0, False, display=True)
    assert len(driven.interventions) and driven.display
    chosen = [0, 1, int(driven.interventions[0]), len(seen) - 1]
    again = look_back(driven, chosen)
    assert all(np.array_equal(again[i], seen[k][0]) for i, k in enumerate(chosen))
    assert np.array_equal(driven.standing[1:3], driven.angle[:2])
    whole = look_back(driven, [1], whole=True)
    assert whole.shape == (1, *FRAME_SIZE, 3)
    # On the whole picture the display stands where the network sees it.
    small = preprocess(whole[0])
    assert np.abs(small - seen[1][0] / 255).mean() < 0.02
    rows, columns = display_place(66, 200)
    assert np.abs(small - seen[1][0] / 255)[rows, columns][2:-2].mean() < 0.02


def test_logs_come_back_from_a_file_to_the_last_bit(tmp_path):
    drives = {"asleep": drive_roads(constant(5.0), [SEED, SEED + 1], 3.0, False), "best, of all": [log([0.1])]}
    save_logs(tmp_path / "logs.npz", drives)
    found = load_logs(tmp_path / "logs.npz")
    assert list(found) == list(drives)
    for name, logs in drives.items():
        for one, other in zip(logs, found[name], strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other))
    assert judge(found["asleep"])[:7] == judge(drives["asleep"])[:7]


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_file_without_logs_is_refused(tmp_path, content):
    path = tmp_path / "logs.npz"
    if content is None:
        np.savez(path, angles=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"logs.npz: expected logs"):
        load_logs(path)
    np.savez(path, **{"a/1/offset": np.array([object()])})
    with pytest.raises(ValueError, match=r"logs.npz: expected logs"):
        load_logs(path)  # nothing is unpickled


def test_the_display_shows_the_angle_and_nothing_else_changes():
    images = np.random.default_rng(0).random((3, 66, 200, 3)).astype(np.float32)
    shown = show_wheel(images, np.array([-60.0, 0.0, 400.0]))
    rows, columns = display_place(66, 200)
    outside = np.ones((66, 200), bool)
    outside[rows, columns] = False
    assert np.array_equal(shown[:, outside], images[:, outside])
    light = columns.start + 0.5 + shown[:, rows, columns, 1].mean(axis=1).argmax(axis=1)
    assert np.allclose(
        light, [100 - 30, 100, 160], atol=1
    )  # 60° are half of the 60 pixels to one side; 120° is the end
    off = show_wheel(images, None)
    assert off[:, rows, columns].max() < 0.1
    again = show_wheel(np.rint(255 * images).astype(np.uint8), np.array([-60.0, 0.0, 400.0]))
    assert again.dtype == np.uint8 and np.abs(again / 255 - shown).max() < 0.003
    with pytest.raises(ValueError, match="expected"):
        show_wheel(images, np.zeros(2))


def test_gusts_push_every_driver_alike_and_leave_nobody_outside():
    pushed = {}
    for angle in (0.0, 3.0):
        (driven,) = drive_roads(constant(angle), SEED, 9.0, False, gusts=True)
        assert driven.gusts.tolist() == [20, 60]
        pushed[angle] = driven
        # At a push the car moves by more than it can in a tenth of a second, and stays in its lane.
        steps = np.abs(np.diff(driven.offset))
        assert np.abs(driven.offset[driven.gusts]).max() <= driving.GUST_OFFSET
        assert steps[19] > 3 * np.median(steps)
        headings = np.diff(driven.heading)[driven.gusts - 1]
        assert np.abs(headings).max() <= driving.GUST_HEADING + 5
    # Both were pushed by the same amount, where the limit did not cut it off.
    moved = [driven.offset[20] - driven.offset[19] for driven in pushed.values()]
    assert moved[0] == pytest.approx(moved[1], abs=0.3)
    assert len(drive_roads(reference, SEED, 9.0, False)[0].gusts) == 0


def test_the_reference_driver_needs_nobody_in_gusts_either():
    assert autonomy(reference, range(SEED, SEED + 5), 30.0, False, gusts=True).interventions == 0


def test_the_logs_that_come_with_the_project_are_those_of_its_networks():
    """A stretch driven again gives what the file says: networks and world are still those of the log."""
    drives = load_logs()
    assert list(drives) == [name + gusts for name in driving.DRIVERS for gusts in ("", ", gusts")]
    assert all([log.seed for log in logs] == list(driving.ROADS) for logs in drives.values())
    assert judge(drives["pilotnet"]).autonomy >= 99 and judge(drives["reference"]).interventions == 0
    for name in ("pilotnet", "pilotnet_confused, gusts"):
        policy, display = driving.DRIVERS[name.split(",")[0]]
        (again,) = drive_roads(load_network(policy), driving.ROADS[4], 2.5, False, display, "gusts" in name)
        logged = drives[name][4]
        assert np.abs(again.offset - logged.offset[:25]).max() < 0.03
        assert np.abs(again.angle - logged.angle[:25]).max() < 3
