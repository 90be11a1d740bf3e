"""Decoding, cutting and making small."""

import cv2
import numpy as np
import pytest
from made import PILOTNET, color, colors_of, write_drive
from PIL import Image

from steerlib.drives import ROAD, WHOLE, Drive, crop_road, load_drive, preprocess


def test_road_is_the_lower_150_of_256_rows():
    frame = np.arange(256, dtype=np.uint8)[:, None, None] + np.zeros((256, 455, 3), np.uint8)
    road = crop_road(frame)
    assert road.shape == (150, 455, 3)
    assert road[0, 0, 0] == 106 and road[-1, 0, 0] == 255
    assert crop_road(frame, WHOLE).shape == frame.shape


@pytest.mark.parametrize("crop", [(0.5, 0.5), (0.8, 0.2), (-0.1, 1.0), (0.0, 1.1), (0.999, 1.0)])
def test_crop_that_leaves_nothing_is_refused(crop):
    with pytest.raises(ValueError, match=r"crop=.* 100 rows|crop=.*: expected \(top, bottom\)"):
        crop_road(np.zeros((100, 10, 3), np.uint8), crop)


def test_preprocess_averages_areas_and_keeps_rgb():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (3 * 66, 2 * 200, 3), dtype=np.uint8)
    averages = frame.reshape(66, 3, 200, 2, 3).mean(axis=(1, 3)) / 255
    image = preprocess(frame, WHOLE)
    assert image.shape == (66, 200, 3) and image.dtype == np.float32
    np.testing.assert_allclose(image, averages, atol=0.51 / 255)


def test_images_are_exactly_what_preprocess_gives():
    frames = np.random.default_rng(1).integers(0, 256, (2, 256, 455, 3), dtype=np.uint8)
    for crop in (ROAD, WHOLE):
        drive = Drive.from_arrays("noise", frames, [0, 0], crop=crop)
        np.testing.assert_array_equal(drive.pictures(PILOTNET), [preprocess(frame, crop) for frame in frames])


@pytest.mark.parametrize(
    "frame",
    [np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), None],
)
def test_preprocess_refuses_what_is_no_frame(frame):
    with pytest.raises(ValueError, match="uint8 RGB"):
        preprocess(frame)


def jpeg(progressive=False):
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)])[1].tobytes()


def with_thumbnail(data):
    """Insert a whole JPEG into the header of another, as cameras do."""
    inner = jpeg()
    return data[:2] + b"\xff\xe1" + (len(inner) + 8).to_bytes(2, "big") + b"Exif\0\0" + inner + data[2:]


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg(progressive=True),
        with_thumbnail(jpeg()),
        cv2.imencode(".png", np.eye(60, dtype=np.uint8))[1].tobytes(),
    ],
    ids=["jpeg", "progressive", "thumbnail", "png"],
)
def test_every_truncation_is_noticed(tmp_path, data):
    lengths = range(0, len(data) - 1, 41)
    write_drive(
        tmp_path, [f"{length}.jpg {length % 7}" for length in lengths] + ["whole.jpg 1", "padded.jpg 1"], frames=0
    )
    for length in lengths:
        (tmp_path / f"{length}.jpg").write_bytes(data[:length])
    (tmp_path / "whole.jpg").write_bytes(data)
    (tmp_path / "padded.jpg").write_bytes(data + bytes(100))
    drive = load_drive(tmp_path)
    for i, length in enumerate(lengths):
        with pytest.raises(ValueError, match=rf"{length}\.jpg is not a complete picture"):
            drive.frame(i)
    with pytest.warns(UserWarning, match=f"{len(lengths)} of {len(drive)} frames cannot be read"):
        assert list(drive.readable().names) == ["whole.jpg", "padded.jpg"]


def test_any_picture_becomes_uint8_rgb(tmp_path):
    write_drive(tmp_path, [f"{name} 0" for name in ("gray.png", "deep.png", "alpha.png", "palette.png")], frames=0)
    Image.new("L", (40, 24), 90).save(tmp_path / "gray.png")
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((24, 40), 90 * 256, np.uint16))
    Image.new("RGBA", (30, 20), (*color(3), 255)).save(tmp_path / "alpha.png")
    Image.new("RGB", (40, 24), color(4)).quantize(4).save(tmp_path / "palette.png")
    drive = load_drive(tmp_path)
    assert colors_of(drive) == [(90, 90, 90), (90, 90, 90), color(3), color(4)]
    assert all(drive.frame(i).dtype == np.uint8 for i in range(4))
    assert drive.frame(2).shape == (20, 30, 3)
    assert drive.pixels().shape == (4, 66, 200, 3)
