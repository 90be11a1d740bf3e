"""Films: decoded again, one scale, bad frames, interruptions, memory."""

import tracemalloc

import av
import cv2
import numpy as np
import pytest

from steerlib.drives import Drive, load_drive, preprocess
from steerlib.maps import explain
from steerlib.maps.evidence import evidence
from steerlib.show import closed_loop, film, overlay, strip
from steerlib.show.explanation import sample_frames
from steerlib.world.driving import constant, drive_roads

SIZE = (684, 1296)  # of a film with one method, 640 pixels wide


@pytest.fixture(scope="module")
def model(shipped_network):
    return shipped_network("pilotnet")


@pytest.fixture(scope="module")
def drive():
    return load_drive()


def decode(path):
    """What PyAV tells about a film, and its frames as (n, H, W, 3) uint8."""
    with av.open(path) as file:
        stream = file.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
        about = {
            "codec": stream.codec_context.name,
            "size": (stream.width, stream.height),
            "pix_fmt": stream.pix_fmt,
            "fps": float(stream.average_rate),
            "duration": file.duration / av.time_base,
        }
    return about, np.stack(frames)


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "h264"), (".webm", "vp9")])
def test_a_film_decodes_to_what_was_drawn(ending, codec, model, drive, tmp_path):
    part = drive.subset(range(100, 112))
    path = film.render_video(part, model, "hires-cam", tmp_path / f"film{ending}", progress=False)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    about, frames = decode(path)
    assert about["codec"] == codec and about["size"] == SIZE[::-1]
    assert "yuv420p" in about["pix_fmt"]
    assert len(frames) == 12
    assert about["fps"] == pytest.approx(10, abs=0.1)  # as recorded
    assert about["duration"] == pytest.approx(1.2, abs=0.15)
    for found, drawn in zip(frames, film.film_frames(part, model, ["hires-cam"])):
        assert drawn.shape == (*SIZE, 3) and drawn.dtype == np.uint8
        assert np.abs(found.astype(int) - drawn).mean() < 6


def test_an_index_at_the_start_lets_a_browser_begin_at_once(model, drive, tmp_path):
    data = film.render_video(
        drive.subset(range(3)), model, "hypercolumns", tmp_path / "film.mp4", progress=False
    ).read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def apart(picture, other):
    """The mean difference of two pictures; maps differ in their last digits, and with them some colors."""
    return np.abs(picture.astype(float) - other).mean()


def test_several_methods_stand_side_by_side(model, drive):
    part = drive.subset(range(4))
    both = next(film.film_frames(part, model, ["hypercolumns", "hires-cam"], width=480))
    one = next(film.film_frames(part, model, ["hires-cam"], width=480))
    assert both.shape[1] == one.shape[1] == 2 * (480 + 8)
    assert apart(both[:300, 488:], one[:300, 488:]) < 0.1 < 1 < apart(both[:300, :488], one[:300, :488])
    three = next(film.film_frames(part, model, ["hypercolumns", "hires-cam", "grad-cam"], width=480))
    assert three.shape[1] == 3 * (480 + 8)


def test_the_whole_drive_has_one_scale(model, drive):
    """The same picture in two films is drawn alike only if the films have the same scale; in one film, always."""
    quiet, loud = 20, int(np.abs(drive.angles).argmax())
    part = drive.subset([quiet, loud])
    limit = overlay.common_limit(
        [explain(model, image, "hires-cam", target="right", signed=True).map for image in part.pictures(model)]
    )
    height = round(640 * 256 / 455)
    top = round(part.crop[0] * height)
    for i, picture in enumerate(film.film_frames(part, model, ["hires-cam"])):
        found = explain(model, part.pictures(model, [i])[0], "hires-cam", target="right", signed=True)
        frame = cv2.resize(part.frame(i), (640, height), interpolation=cv2.INTER_AREA)
        expected = overlay.mark_peaks(overlay.overlay(frame[top:], found.map, limit, True), found.map, limit)
        shown = picture[24 + top : 24 + height, 652 : 652 + 640]
        assert apart(shown, expected) < 0.1


def test_no_map_of_a_film_is_made_twice(model, drive, monkeypatch):
    asked = []
    monkeypatch.setattr(film, "explain", lambda *args, **settings: asked.append(args[2]) or explain(*args, **settings))
    part = drive.subset(range(film.SAMPLE + 3))
    pictures = list(film.film_frames(part, model, ["hires-cam", "grad-cam"], width=320))
    assert len(pictures) == film.SAMPLE + 3
    assert sorted(asked) == ["grad-cam"] * len(pictures) + ["hires-cam"] * len(pictures)


def test_a_frame_that_cannot_be_read_does_not_end_the_film(model, drive, tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.jpg").write_bytes(b"" if i in (0, 2) else cv2.imencode(".jpg", drive.frame(i))[1].tobytes())
    (tmp_path / "data.txt").write_text("".join(f"{i}.jpg {i}.0\n" for i in range(5)))
    broken = load_drive(tmp_path)
    path = film.render_video(broken, model, ["hires-cam", "hypercolumns"], tmp_path / "film.mp4", progress=False)
    _, frames = decode(path)
    assert len(frames) == 5
    colors = [np.ptp(frame[60:300, 300:600].astype(int), axis=2).max() for frame in frames]
    assert max(colors[0], colors[2]) < 10 < min(colors[1], colors[3], colors[4])


def test_a_drive_of_which_nothing_can_be_read(model, tmp_path):
    (tmp_path / "0.jpg").touch()
    (tmp_path / "data.txt").write_text("0.jpg 1.0\n")
    with pytest.raises(ValueError, match="none of its frames can be read"):
        film.render_video(load_drive(tmp_path), model, "hires-cam", tmp_path / "film.mp4", progress=False)
    assert not (tmp_path / "film.mp4").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_film_leaves_the_older_one(error, model, drive, tmp_path, monkeypatch):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"older")

    def interrupted(*arguments, **settings):
        frames = film_frames(*arguments, **settings)
        yield next(frames)
        yield next(frames)
        raise error

    film_frames = film.film_frames
    monkeypatch.setattr(film, "film_frames", interrupted)
    with pytest.raises(error):
        film.render_video(drive.subset(range(9)), model, "hypercolumns", path, progress=False)
    assert path.read_bytes() == b"older"
    assert [found.name for found in tmp_path.iterdir()] == ["film.mp4"]


def test_memory_does_not_grow_with_the_drive(model):
    """Twice as many frames of a drive that is never in memory as a whole."""

    def peak(n):
        frames = np.zeros((1, 256, 455, 3), np.uint8)
        long = Drive.from_arrays("long", np.broadcast_to(frames, (n, *frames.shape[1:])), np.zeros(n))
        for _ in film.film_frames(long.subset(range(2)), model, ["hypercolumns"]):
            pass
        tracemalloc.start()
        for _ in film.film_frames(long, model, ["hypercolumns"]):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(40) < 1.15 * peak(20)


def test_evidence_is_the_mean_of_each_side():
    map = np.zeros((66, 200), np.float32)
    map[0, 0], map[1, 1], map[2, 2] = -3, 1, 1
    left, right = evidence(map)
    assert left == pytest.approx(3 / 13200) and right == pytest.approx(2 / 13200)


def test_the_wheel_turns_with_the_network_and_the_triangle_with_the_record():
    def drawn(recorded, predicted):
        area = np.full((240, 260, 3), 255, np.uint8)
        strip._draw_wheel(area, strip.Moment(recorded, predicted, {}), "recorded")
        orange = np.argwhere((area[..., 0] > 200) & (area[..., 2] < 80))
        gray = np.argwhere((area[:200] == 150).all(axis=2))
        return orange.mean(axis=0) if len(orange) else None, gray.mean(axis=0)

    mark, triangle = drawn(0, 0)
    assert mark[1] == pytest.approx(130, abs=2) and triangle[1] == pytest.approx(130, abs=2)
    assert triangle[0] < mark[0] < 60
    mark, triangle = drawn(-90, 45)
    assert mark[1] > 160 and triangle[1] < 50
    assert drawn(10, None)[0] is None


def test_time_stamps_give_the_rate():
    frames = np.zeros((4, 256, 455, 3), np.uint8)
    for timestamps, rate in (([0, 0.05, 0.1, 0.15], 20), ([0, 0, 0, 0], 10), (None, 10), ([0, 100, 200, 300], 1)):
        made = Drive.from_arrays("made", frames, np.zeros(4), None, timestamps and np.array(timestamps))
        assert film._recorded_fps(made) == pytest.approx(rate)


def test_a_film_keeps_the_times_of_a_recording_whose_steps_vary(model, drive, tmp_path):
    steps = np.array([0.033, 0.034, 0.1, 0.033, 7.0, 0.033, 0.25, 0.033, 0.033])
    runs = np.repeat([0, 1], 5)  # what lies between them is not waited for
    made = Drive.from_arrays(
        "phone",
        [drive.frame(i) for i in range(10)],
        np.full(10, np.nan),
        timestamps=np.concatenate([[3.0], 3 + np.cumsum(steps)]),
        runs=runs,
    )
    expected = np.concatenate([[0], np.cumsum(np.where(np.arange(9) == 4, 0.033, steps))])
    np.testing.assert_allclose(film.recorded_times(made), expected, atol=1e-3)
    for ending in (".mp4", ".webm"):
        path = film.render_video(made, model, "hires-cam", tmp_path / f"film{ending}", width=320, progress=False)
        with av.open(path) as file:
            assert [stream.type for stream in file.streams] == ["video"]
            times = [frame.time for frame in file.decode(video=0)]
        np.testing.assert_allclose(times, expected, atol=2e-3)
    even = film.render_video(made, model, "hires-cam", tmp_path / "even.mp4", fps=5, width=320, progress=False)
    with av.open(even) as file:
        np.testing.assert_allclose([frame.time for frame in file.decode(video=0)], np.arange(10) / 5, atol=1e-3)


def test_even_steps_need_no_times_of_their_own(drive):
    assert film.recorded_times(drive) is None
    frames = np.zeros((4, 256, 455, 3), np.uint8)
    for timestamps in (None, [0, 0.1, 0.2, 0.301], [0, 0.1, 0.1, 0.5], [0, 0, 0, 0]):
        made = Drive.from_arrays("made", frames, np.zeros(4), timestamps=timestamps)
        assert film.recorded_times(made) is None


def test_another_car_s_angles_stand_beside_the_network_s_times_a_factor(model, drive, monkeypatch):
    written = []
    monkeypatch.setattr(overlay, "write", lambda _picture, text, *_: written.append(text))
    part = drive.subset([40, 41])
    angles = model.angles(part.pictures(model))
    list(film.film_frames(part, model, ["hires-cam"], factor=1.5))
    for recorded, angle in zip(part.angles, angles):
        assert f"network x 1.50 {1.5 * angle:+.1f} deg" in written and f"recorded {recorded:+.1f} deg" in written
    assert "black: network x 1.50" in written and "gray: recorded" in written
    written.clear()
    part.angles[:] = np.nan
    list(film.film_frames(part, model, ["hires-cam"], bends=True))
    for angle in angles:
        radius = abs(2.7 / np.tan(np.radians(angle / 15)))
        assert f"standard car {angle:+.1f} deg" in written
        assert any(text.startswith("bend to the ") and abs(float(text.split()[-2]) - radius) <= 5 for text in written)
    assert "gray: recorded" not in written
    right = 5 * np.ceil(np.abs(angles).max() / 5)
    assert f"right {right:.0f}" in written
    with pytest.raises(ValueError, match="factor=0"):
        film.render_video(part, model, "hires-cam", "film.mp4", factor=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "film.avi"}, r"\.mp4 or \.webm"),
        ({"path": "nowhere/film.mp4"}, "folder that exists"),
        ({"method": "guess"}, "guess"),
        ({"method": []}, "0 methods"),
        ({"width": 101}, "even number"),
        ({"layer": "conv9"}, "conv9"),
    ],
)
def test_a_wrong_argument_is_named(change, message, model, drive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {"method": "grad-cam", "path": "film.mp4", "progress": False} | change
    with pytest.raises((ValueError, OSError), match=message):
        film.render_video(drive.subset(range(2)), model, **arguments)
    assert not list(tmp_path.iterdir())


def test_samples_are_spread_over_the_drive_and_can_be_read(drive):
    frames = list(sample_frames(drive, 5))
    for frame, i in zip(frames, (0, 74, 149, 224, 299)):
        np.testing.assert_array_equal(frame, drive.frame(i))
    assert len(list(sample_frames(drive.subset([3]), 5))) == 1
    assert preprocess(frames[0], drive.crop).shape == (66, 200, 3)


@pytest.fixture(scope="module")
def driven():
    """A car that leaves its lane after some seconds and is put back."""
    (log,) = drive_roads(constant(0.0), 2003, 7.0, False)
    return log


def test_a_film_in_closed_loop_shows_camera_map_road_and_wheel(driven, model, tmp_path):
    back = int(driven.interventions[0])
    frames = list(closed_loop.closed_loop_frames(driven, model, "hires-cam", back - 1, back + 1))
    assert len(frames) == 2 and frames[0].shape == frames[1].shape and not any(size % 2 for size in frames[0].shape[:2])
    red = [np.mean((frame[24:444, 652:1052] == strip.RED).all(axis=2)) for frame in frames]
    assert red[0] == 0 and red[1] > 0.03  # a frame around the road from above says that it was put back
    path = film.write_film(iter(frames), tmp_path / "film.mp4", 10)
    assert len(decode(path)[1]) == 2
    with pytest.raises(ValueError, match="the log has 70"):
        next(closed_loop.closed_loop_frames(driven, model, "hires-cam", 70))


def test_from_above_the_car_stands_where_the_log_says(driven):
    def columns(color, k):
        return np.flatnonzero((closed_loop._above(driven, k, 420, 400)[315] == color).all(axis=-1))

    scale = 420 / closed_loop.ABOVE
    for k in (0, int(driven.interventions[0]) - 1):
        lane = float(driven.scene().road.at("lane_width", driven.distance[k]))
        assert columns(overlay.INK, k).mean() == pytest.approx(200 + scale * driven.offset[k], abs=1.5)
        assert columns((240, 190, 40), k).mean() == pytest.approx(200 - scale * lane / 2, abs=1.5)


def test_a_film_takes_its_maps_from_a_store(model, drive, tmp_path, monkeypatch):
    """The same pictures, but for the last digits of float16; nothing is made, and another drive is refused."""
    from steerlib.maps import of_drive

    part = drive.subset(range(100, 104))
    stored = of_drive(part, model, "hires-cam", tmp_path / "maps.zarr", progress=False)
    made = list(film.film_frames(part, model, ["hires-cam"], width=320))
    monkeypatch.setattr(film, "explain", None)
    taken = list(film.film_frames(part, model, ["hires-cam"], width=320, maps=stored))
    for one, other in zip(made, taken):
        assert np.abs(one.astype(int) - other).mean() < 0.5
    with pytest.raises(ValueError, match="has no map of this picture"):
        next(film.film_frames(drive.subset(range(110, 112)), model, ["hires-cam"], maps=stored))
    with pytest.raises(ValueError, match=r"made with layer='conv3', not 'conv1'"):
        next(film.film_frames(part, model, ["hires-cam"], maps=stored, layer="conv1"))
