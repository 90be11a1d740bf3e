"""The horizon: against points in space, rendered roads where it is known, real ones where it was seen by eye."""

import cv2
import numpy as np
import pytest

from steerlib.drives import ROAD, Drive, load_drive
from steerlib.drives.horizon import COLUMNS, ROWS, expansion_cost, find_horizon, follow, parallax, still_places
from steerlib.networks.standard_camera import part_for_horizon
from steerlib.world import FIELD_OF_VIEW, FRAME_SIZE, HORIZON, Pose, Scene, render_drive

FRAMES = 50


def made(frames, interval=0.1):
    return Drive.from_arrays("made", frames, np.full(len(frames), np.nan), timestamps=interval * np.arange(len(frames)))


def road_of(seed):
    """Frames of a rendered road, and the row of the horizon in pixels: the camera is pitched a little on each."""
    drive, day = render_drive(seed, FRAMES), Scene(seed).day
    focal = FRAME_SIZE[1] / 2 / np.tan(FIELD_OF_VIEW / 2)
    return [drive.frame(i) for i in range(FRAMES)], HORIZON * 256 + day.camera_pitch * focal


@pytest.fixture(scope="module")
def road():
    return road_of(5)


def seen_moving(rng, shape, focal, place, turn, count=150):
    """The flow of points in space, in a camera that moves to a place in the picture and turns, by its projection."""
    height, width = shape
    points = np.stack([rng.uniform(-20, 20, count), rng.uniform(-5, 3, count), rng.uniform(6, 60, count)])
    middle = np.array([[width / 2], [height / 2]])
    ahead = np.array([(place[1] * width - width / 2) / focal, (place[0] * height - height / 2) / focal, 1.0])
    before = focal * points[:2] / points[2] + middle
    moved = cv2.Rodrigues(np.array(turn, float))[0] @ (points - 0.8 * ahead[:, None])
    after = focal * moved[:2] / moved[2] + middle
    inside = (np.abs(before - middle) < middle).all(axis=0)
    return np.vstack([before, after - before]).T[inside]


@pytest.mark.parametrize("focal", [300, 420, 600])
@pytest.mark.parametrize("turn", [(0, 0, 0), (0, 0.04, 0), (0.01, -0.03, 0.01)])
def test_points_in_space_move_away_from_where_the_camera_goes(focal, turn):
    rng = np.random.default_rng(0)
    for place in ((0.45, 0.5), (0.3, 0.625), (0.62, 0.4)):
        flow = seen_moving(rng, (270, 480), focal, place, turn)
        flow[::6, 2:] = rng.uniform(-5, 5, flow[::6, 2:].shape)  # others have a motion of their own
        cost = expansion_cost(flow + rng.normal(0, 0.1, flow.shape) * [0, 0, 1, 1], (270, 480))
        assert cost.shape == (len(ROWS), len(COLUMNS)) and 0 <= cost.min() and cost.max() <= 1
        row, column = np.unravel_index(cost.argmin(), cost.shape)
        assert ROWS[row] == pytest.approx(place[0], abs=0.03)
        if focal == 420:  # as assumed; else a turn is taken for a little of a motion to the side
            assert COLUMNS[column] == pytest.approx(place[1], abs=0.051)


def test_a_turn_alone_has_no_parallax():
    rng = np.random.default_rng(1)
    moving = seen_moving(rng, (270, 480), 420, (0.5, 0.5), (0, 0.03, 0))
    still = moving.copy()
    x, y = (moving[:, :2] - [240, 135]).T
    there = cv2.Rodrigues(np.array([0.01, 0.03, 0.02]))[0] @ np.stack([x / 420, y / 420, np.ones_like(x)])
    still[:, 2:] = 420 * (there[:2] / there[2]).T - np.stack([x, y], axis=1)
    assert parallax(still, (270, 480)) < 0.3 < 1 < parallax(moving, (270, 480))
    assert np.median(np.hypot(*still[:, 2:].T)) > 10


def test_points_are_followed():
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8), (0, 0), 2)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    still = np.zeros(picture.shape, bool)
    still[:, :150] = True
    flow = follow(picture, np.roll(picture, (3, -4), (0, 1)), still)
    assert len(flow) > 50 and flow[:, 0].min() >= 150
    np.testing.assert_allclose(np.median(flow[:, 2:], axis=0), [-4, 3], atol=0.05)
    assert follow(np.zeros_like(picture), picture, still).shape == (0, 4)


@pytest.mark.parametrize("seed", [5, 2001])
def test_the_horizon_of_a_rendered_road(seed, road):
    frames, row = road if seed == 5 else road_of(seed)
    found = find_horizon(made(frames))
    assert found.row == pytest.approx(row / 256, abs=0.015) and found.column == pytest.approx(0.5, abs=0.04)
    assert found.deviation < 0.01 and found.pairs > 40
    assert f"{found.row:.1%} of the height" in str(found)


@pytest.mark.parametrize("top, bottom", [(40, 256), (0, 190)])
def test_the_horizon_of_a_camera_that_looks_up_or_down(road, top, bottom):
    frames, row = road
    found = find_horizon(made([frame[top:bottom] for frame in frames]))
    assert found.row == pytest.approx((row - top) / (bottom - top), abs=0.015)


def test_a_dashboard_and_writing_do_not_count(road):
    frames, row = road
    noise = np.random.default_rng(0).integers(0, 256, (16, 57, 3), np.uint8)
    dashboard = cv2.resize(noise, (455, 128), interpolation=cv2.INTER_CUBIC)[:60]
    covered = []
    for frame in frames:
        covered.append(np.vstack([frame[:-60], dashboard]))
        cv2.putText(covered[-1], "2021-03-04 12:00 N 52.1 E 13.2", (5, 20), 0, 0.6, (255, 255, 255), 1)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in covered]
    still = still_places(gray)
    assert still[200:250].mean() > 0.9 and still[30:115].mean() < 0.3 and still[120:190].mean() < 0.5
    assert find_horizon(made(covered)).row == pytest.approx(row / 256, abs=0.015)


def test_what_does_not_tell_is_refused(road):
    frames, _ = road
    rng = np.random.default_rng(0)
    noisy = [np.clip(frames[0] + rng.normal(0, 4, frames[0].shape), 0, 255).astype(np.uint8) for _ in range(FRAMES)]
    with pytest.raises(ValueError, match="the camera moves on in 0 of 48 pairs of its frames, 12 are needed"):
        find_horizon(made(noisy))
    scene = Scene(5)
    turned = [scene.render(Pose(50, 0, 0.3 * np.sin(i / 6), 4.0))[0] for i in range(FRAMES)]
    with pytest.raises(ValueError, match=r"the camera moves on in \d of 48 pairs"):
        find_horizon(made(turned))
    snow = [rng.integers(0, 256, frames[0].shape, np.uint8) for _ in range(FRAMES)]
    with pytest.raises(ValueError, match="the motion of the picture does not tell"):
        find_horizon(made(snow))
    with pytest.raises(ValueError, match="4 pairs of its frames can be compared"):
        find_horizon(made(frames[:5]))
    with pytest.raises(ValueError, match="0 pairs"):
        find_horizon(made(frames[:1]))


def test_frames_that_cannot_be_read_are_left_out(road):
    frames, row = road
    drive = made(frames)
    read = drive._film.read

    def broken(i):
        if i % 5 == 0:
            raise ValueError("broken")
        return read(i)

    drive._film.read = broken
    found = find_horizon(drive)
    assert found.row == pytest.approx(row / 256, abs=0.015) and found.pairs < 40


@pytest.mark.parametrize(
    ("name", "by_eye", "column"),
    [("udacity-ch2", 0.45, 0.5), ("sullychen-2018", 0.485, 0.57)],  # where the lines of straight roads would meet
)
@pytest.mark.filterwarnings("ignore:.*labels:UserWarning")
def test_the_horizon_of_real_roads(real_drives, name, by_eye, column):
    drive = load_drive(real_drives / name)
    found = find_horizon(drive)
    assert found.row == pytest.approx(by_eye, abs=0.02) and found.column == pytest.approx(column, abs=0.051)


def test_the_part_of_the_standard_camera_is_its_own():
    part = part_for_horizon(HORIZON, 455, 256)
    assert part.crop == pytest.approx(ROAD, abs=1e-4) and part.stretch == pytest.approx(1, abs=1e-3)
    assert "drawn" not in str(part)


@pytest.mark.parametrize(
    ("horizon", "width", "height", "top", "bottom", "stretch"),
    [
        (0.4, 1920, 1080, 0.4 - 0.6 * 6 / 94, 1, 0.586 * 0.94 / 0.6),
        (0.45, 320, 240, 0.45 - 0.55 * 6 / 94, 1, 0.4396 * 0.94 / 0.55),  # down to the near road
        (0.5, 1080, 1920, 0.5 - 0.06 * 1.35 * 0.1854, 0.5 + 0.94 * 1.35 * 0.1854, 1 / 1.35),  # but not to the hood
        (0.55, 1920, 1080, 0.55 - 0.45 * 6 / 94, 1, 0.586 * 0.94 / 0.45),
        (0.02, 1920, 1080, 0, 0.02 + 0.94 * 1.35 * 0.586, 0.586 / (0.02 + 0.94 * 1.35 * 0.586)),
    ],
)
def test_the_part_of_another_camera(horizon, width, height, top, bottom, stretch):
    part = part_for_horizon(horizon, width, height)
    assert part.crop == pytest.approx((top, bottom), abs=5e-4) and part.stretch == pytest.approx(stretch, abs=5e-3)
    assert ("pressed together by" in str(part)) is (stretch < 0.98)
    if top > 0:
        assert (horizon - part.crop[0]) / (part.crop[1] - part.crop[0]) == pytest.approx(0.06, abs=1e-3)
    assert ("drawn out by" in str(part)) is (stretch > 1.02)


def test_a_camera_that_does_not_see_the_road():
    with pytest.raises(ValueError, match="turn the camera down"):
        part_for_horizon(0.75, 1920, 1080)
    with pytest.raises(ValueError, match="expected a share"):
        part_for_horizon(47, 1920, 1080)
