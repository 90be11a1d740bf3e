"""Videos as phones write them: turned, mirrored, 4K, HDR, at a varying rate, with sound; made of real frames."""

import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
from videos import turn, write_frames

from steerlib.__main__ import main
from steerlib.drives import load_drive
from steerlib.drives.videos import KEPT, Video

X265 = {"x265-params": "log-level=none", "crf": "10"}
COUNT = 12


@pytest.fixture(scope="module")
def frames(real_drives):
    with pytest.warns(UserWarning, match="labels skipped, since their frames are missing"):
        drive = load_drive(real_drives / "udacity-ch2")
    return [drive.frame(1300 + i) for i in range(COUNT)]


def opened(path):
    return Video(lambda: str(path), str(path))


def apart(picture, other):
    assert picture.shape == other.shape and picture.dtype == other.dtype == np.uint8
    return np.abs(picture.astype(float) - other).mean()


# How the picture is stored, and the matrix that a player turns it back with.
TURNED = {
    "as it is": ((1, 0, 0, 1), lambda frame: frame),
    "upside down": ((-1, 0, 0, -1), lambda frame: frame[::-1, ::-1]),
    "turned to the right by the player": ((0, 1, -1, 0), lambda frame: np.rot90(frame, 1)),
    "turned to the left by the player": ((0, -1, 1, 0), lambda frame: np.rot90(frame, -1)),
    "mirrored": ((-1, 0, 0, 1), lambda frame: frame[:, ::-1]),
    "mirrored upside down": ((1, 0, 0, -1), lambda frame: frame[::-1]),
    "transposed": ((0, 1, 1, 0), lambda frame: frame.swapaxes(0, 1)),
}


@pytest.mark.parametrize("way", TURNED)
@pytest.mark.parametrize("upright", [False, True], ids=["landscape", "portrait"])
def test_a_picture_is_shown_as_a_player_does(frames, tmp_path, way, upright):
    matrix, stored = TURNED[way]
    frames = [np.ascontiguousarray(frame[:, 92:228]) for frame in frames] if upright else frames
    path = write_frames(tmp_path / "phone.mp4", [np.ascontiguousarray(stored(frame)) for frame in frames])
    drive = load_drive(turn(path, matrix))
    assert len(drive) == COUNT
    for i in (0, 7):
        shown = drive.frame(i)
        assert apart(shown, frames[i]) < 6
        assert min(apart(shown, frames[i][::-1]), apart(shown, frames[i][:, ::-1])) > 20


def test_frames_that_do_not_come_at_even_steps(frames, tmp_path):
    stamps = np.cumsum([0, 33, 34, 66, 33, 100, 33, 42, 33, 33, 250, 33]).tolist()
    drive = load_drive(write_frames(tmp_path / "phone.mp4", frames, stamps=stamps))
    np.testing.assert_allclose(drive.timestamps, np.array(stamps) / 1000, atol=1e-4)
    assert drive.runs.tolist() == [0] * COUNT
    for i in (11, 3, 0):
        assert apart(drive.frame(i), frames[i]) < 6 < apart(drive.frame(i), frames[(i + 5) % COUNT])


def test_4k_is_made_smaller_and_kept_small(frames, tmp_path):
    large = [cv2.resize(frame, (3840, 2160), interpolation=cv2.INTER_LINEAR) for frame in frames[:2]]
    path = write_frames(tmp_path / "phone.mp4", large * 7, options={"preset": "ultrafast", "g": "7"})
    video = opened(path)
    for i in range(2):
        assert apart(video.frame(i), cv2.resize(large[i], (1280, 720), interpolation=cv2.INTER_AREA)) < 5
    for i in range(len(video)):
        video.frame(i)
    assert len(video._kept) == KEPT and sum(kept.nbytes for kept in video._kept.values()) == KEPT * 1280 * 720 * 3
    tall = write_frames(tmp_path / "tall.mp4", [large[0].swapaxes(0, 1).copy()], options={"preset": "ultrafast"})
    assert opened(tall).frame(0).shape == (1280, 720, 3)
    code = f"""
import resource
from steerlib.drives.videos import Video
video = Video(lambda: {str(path)!r}, {str(path)!r})
most = []
for i in range(14):
    video.frame(i)
    most.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(most[13] - most[8])
"""
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert int(grown.stdout) < 50_000 * (1024 if sys.platform == "darwin" else 1)  # a 4K picture takes 25,000 kB


@pytest.mark.parametrize("kind", ["hlg", "pq"])
def test_hdr_looks_as_on_a_screen(frames, tmp_path, kind):
    path = write_frames(tmp_path / "phone.mp4", frames[:4], "libx265", options=X265, hdr=kind)
    video = opened(path)
    with av.open(path) as container:
        washed = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for i in range(4):
        dark = (frames[i].max(axis=2) < 200)[..., None]  # brighter ones are pressed together
        dark &= cv2.erode(dark.astype(np.uint8), np.ones((5, 5)))[..., None] > 0
        difference, without = (np.abs(shown.astype(float) - frames[i]) for shown in (video.frame(i), washed[i]))
        assert difference.mean(where=dark) < 4 < 6 < without.mean(where=dark)
        bias = (video.frame(i).astype(float) - frames[i]).mean(axis=(0, 1), where=dark)
        assert np.abs(bias).max() < 2.5


@pytest.mark.parametrize("kind", ["hlg", "pq"])
def test_the_sky_of_hdr_is_not_cut_off(tmp_path, kind):
    light = np.array([0, 1, 5, 20, 50, 100, 203, 300, 500, 900.0])
    picture = np.repeat(np.repeat(light, 16)[None, :, None], 64, axis=0) * np.ones(3)
    frame = opened(write_frames(tmp_path / "phone.mp4", [picture], "libx265", options=X265, hdr=kind)).frame(0)
    shown = frame[32, 8::16].astype(int)
    assert np.ptp(shown, axis=1).max() <= 2  # gray stays gray
    linear = light[:6] / 203
    expected = 255 * np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    np.testing.assert_allclose(shown[:6, 1], expected, atol=3)
    assert 225 < shown[6, 1] < 250 and (np.diff(shown[:, 1]) >= 1).all() and shown[-1, 1] <= 255


def test_sound_is_not_taken_for_pictures(frames, tmp_path):
    path = write_frames(tmp_path / "phone.mp4", frames, sound=True)
    with av.open(path) as container:
        assert [stream.type for stream in container.streams] == ["audio", "video"]
    drive = load_drive(path)
    assert len(drive) == COUNT and drive.timestamps[-1] == pytest.approx((COUNT - 1) / 10, abs=1e-3)
    assert apart(drive.frame(9), frames[9]) < 6


def test_pixels_that_are_not_square(frames, tmp_path):
    narrow = [cv2.resize(frame, (160, 240), interpolation=cv2.INTER_AREA) for frame in frames]
    for ending, codec in (("mp4", "libx264"), ("avi", "mpeg4")):
        drive = load_drive(write_frames(tmp_path / f"phone.{ending}", narrow, codec, ratio=2))
        assert apart(drive.frame(2), frames[2]) < 8


def test_check_says_what_there_is(frames, tmp_path, capsys):
    paths = [
        turn(write_frames(tmp_path / "turned.mp4", frames), (0, 1, -1, 0)),
        write_frames(tmp_path / "sound.mp4", frames, sound=True),
        write_frames(tmp_path / "hdr.mp4", frames[:3], "libx265", options=X265, hdr="hlg"),
    ]
    for path, told in zip(
        paths, ("12 frames of 240 × 320, no angles", "12 frames of 320 × 240", "3 frames of 320 × 240")
    ):
        assert main(["check", str(path)]) == 0
        out = capsys.readouterr().out
        assert told in out and "the pictures do not say which side is positive" in out
