"""What is declared of a network: OpenCV's colors, classes, further inputs, sequences, and the file beside it."""

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from steerlib.drives import Drive, preprocess
from steerlib.maps import METHODS, explain
from steerlib.maps.gradients import image_gradients
from steerlib.networks.colors import COLORS, SWAPPED, channels_of, pixels_to_color, to_color
from steerlib.networks.description import RANGES, Description, described, read_description, write_description
from steerlib.networks.files import load_network, save_network
from steerlib.networks.network import as_network

SMALL = (24, 40)
PICTURES = np.random.default_rng(0).random((5, *SMALL, 3), np.float32)
OPENCV = {
    "RGB": lambda rgb: rgb,
    "BGR": lambda rgb: rgb[..., ::-1],
    "YUV": lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV),
    "YCrCb": lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb),
    "HSV": lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV),
    "HLS": lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2HLS),
    "Lab": lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab),
    "gray": lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., np.newaxis],
    "saturation": lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)[..., 1:2],
}


def linear(channels: int = 3, size: tuple = SMALL, **first) -> keras.Model:
    """The mean of the right half of the first channel less that of its left half, through a convolution."""
    image = keras.Input((*size, channels))
    x = layers.Conv2D(1, 1, use_bias=False, name="conv1")(image)
    x = layers.Flatten()(x)
    model = keras.Model(image, layers.Dense(1, use_bias=False, name="angle")(x))
    model.get_layer("conv1").set_weights([np.eye(channels, 1)[None, None]])
    side = np.sign(np.arange(size[1]) - size[1] / 2 + 0.5) / np.prod(size)
    model.get_layer("angle").set_weights([np.tile(side, size[0])[:, None]])
    return model


def bins(count: int = 15, activation: str | None = "softmax") -> keras.Model:
    image = keras.Input((*SMALL, 3))
    start = keras.initializers.RandomNormal(0, 0.3, seed=1)
    x = layers.Conv2D(2, 3, name="conv1", kernel_initializer=start)(image)
    return keras.Model(image, layers.Dense(count, activation=activation, kernel_initializer=start)(layers.Flatten()(x)))


@pytest.mark.parametrize("color", COLORS)
def test_colors_are_opencvs_up_to_rounding(color):
    """All corners of the cube of colors, and many colors between; gray ones among them."""
    rng = np.random.default_rng(0)
    corners = np.stack(np.meshgrid([0, 255], [0, 255], [0, 255]), -1).reshape(1, -1, 3)
    grays = np.repeat(np.arange(0, 256, 5)[None, :, None], 3, axis=2)
    rgb = np.concatenate([corners, grays, rng.integers(0, 256, (1, 5000, 3))], axis=1).astype(np.uint8)
    given = rgb[..., ::-1].copy() if color.endswith(SWAPPED) else rgb
    expected = OPENCV[color.removesuffix(SWAPPED)](given).astype(float)
    found = 255 * to_color(rgb / np.float32(255), color, np)
    np.testing.assert_array_equal(pixels_to_color(rgb[np.newaxis], color)[0], expected)
    apart = np.abs(found - expected)
    if color.startswith(("HSV", "HLS")):  # a circle
        apart[..., 0] = np.minimum(apart[..., 0], 180 - apart[..., 0])
    if color.startswith("HLS"):  # its 8 bits are made of floating-point numbers, of lightness that is not rounded
        assert np.quantile(apart, 0.999) <= 1.01
    assert apart.max() <= (2.5 if color.startswith("Lab") else 1.01)  # OpenCV reads Lab of 8 bits off coarse tables
    inside = keras.ops.convert_to_numpy(to_color(keras.ops.convert_to_tensor(rgb / np.float32(255)), color, keras.ops))
    np.testing.assert_allclose(255 * inside, found, atol=1e-2)


@pytest.mark.parametrize("color", COLORS)
def test_gradients_exist_through_every_color_and_are_those_of_differences(color):
    network = as_network(linear(channels_of(color)), color=color, range=(0, 255))
    # Green is the strongest: a hue near red jumps from the end of the circle to its beginning.
    pictures = PICTURES * np.float32([0.4, 0.35, 0.4]) + np.float32([0.05, 0.55, 0.05])
    pictures[0] = 0.5  # gray has no hue, black no saturation: what has no gradient must not be no number
    pictures[1] = 0
    found = explain(network, pictures[2], "gradient-times-input").map
    assert np.isfinite(found).all() and np.abs(found).max() > 0
    for picture in pictures[:2]:
        assert np.isfinite(explain(network, picture, "gradient-times-input").map).all()
    # In units of 255 rounding stands in the way of small differences: of many pixels it is as often up as down.
    step, right = 0.04, (slice(None), slice(20, None), 0)  # of the red alone
    more, less = pictures[2:].copy(), pictures[2:].copy()
    for k in range(3):
        more[k][right] *= 1 + step
        less[k][right] *= 1 - step
    difference = (network.angles(more) - network.angles(less)).astype(float) / (2 * step)
    for picture, expected in zip(pictures[2:], difference):
        parts = image_gradients(network, picture)[right] * picture[right]
        tolerance = 0.15 if color.startswith("Lab") else 0.05  # its a is made of few units
        assert parts.sum() == pytest.approx(expected, rel=tolerance, abs=0.03 * float(np.abs(parts).sum()))


@pytest.mark.parametrize("color", COLORS)
def test_a_network_answers_what_it_would_to_opencvs_picture(color):
    model = linear(channels_of(color))
    rgb = np.rint(255 * PICTURES).astype(np.uint8)
    given = rgb[..., ::-1] if color.endswith(SWAPPED) else rgb
    numbers = np.stack([OPENCV[color.removesuffix(SWAPPED)](np.ascontiguousarray(one)) for one in given]) / 127.5 - 1
    expected = np.ravel(keras.ops.convert_to_numpy(model(numbers.astype(np.float32))))
    network = as_network(model, color=color, range=(-1, 1), unit="degrees")
    # OpenCV rounds a hue of 179.6 to 0, far from it.
    np.testing.assert_allclose(
        network.angles(rgb / np.float32(255)), expected, atol=1e-2 if color.startswith("H") else 2e-3
    )

    class Raw:
        name, input_shape = "raw", (None, *SMALL, channels_of(color))

        def ask(self, numbers):
            return {"only": keras.ops.convert_to_numpy(model(numbers))}

    black_box = as_network(Raw(), color=color, range=(-1, 1), unit="degrees")
    assert black_box.model is None and black_box.size == SMALL
    np.testing.assert_allclose(black_box.angles(PICTURES), network.angles(PICTURES), atol=1e-4)


def test_one_channel_is_gray_and_three_are_no_gray():
    assert as_network(linear(1)).angles(PICTURES).shape == (5,)
    with pytest.raises(ValueError, match="color='gray': has 1 channels, and the network takes 3"):
        as_network(linear(3), color="gray")


def test_a_light_in_the_dark_is_found_through_crop_blur_and_color():
    """A saturated light in frames of 100 x 200: the map's peak lies on it, in the part that the network sees."""
    frame = np.zeros((100, 200, 3), np.uint8)
    frame[60:64, 140:145] = 255, 40, 0
    network = as_network(linear(1), color="saturation", crop=(0.4, 0.9), blur=7, resize="linear")
    drive = Drive.from_arrays("light", [frame], [0.0])
    picture = drive.pictures(network)[0]
    np.testing.assert_allclose(picture, network.look(frame, drive), atol=1e-6)
    np.testing.assert_allclose(picture, preprocess(frame, (0.4, 0.9), SMALL, "linear", 7), atol=1e-6)
    assert np.abs(picture - preprocess(frame, (0.4, 0.9), SMALL)).max() > 0.02
    row, column = (62 / 100 - 0.4) / 0.5 * SMALL[0], 142 / 200 * SMALL[1]
    for method, settings in {
        "occlusion": {"sizes": (5,), "stride": 1, "fill": "black"},
        "gradient-times-input": {},
    }.items():
        map = explain(network, picture, method, **settings).map
        found = np.unravel_index(np.abs(map).argmax(), map.shape)
        assert np.abs(np.subtract(found, (row, column))).max() <= 3, method


def test_pictures_of_another_way_to_see_are_kept_apart():
    frames = np.random.default_rng(0).integers(0, 256, (3, 66, 200, 3), np.uint8)
    drive = Drive.from_arrays("noise", frames, np.zeros(3), crop=(0, 1))
    plain = drive.pixels(size=SMALL).copy()
    expected = cv2.resize(cv2.GaussianBlur(frames[1], (5, 5), 0), SMALL[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(drive.pixels(size=SMALL, blur=5)[1], expected)
    np.testing.assert_array_equal(drive.pixels(size=SMALL), plain)
    after = cv2.GaussianBlur(cv2.resize(frames[1], SMALL[::-1], interpolation=cv2.INTER_LINEAR), (3, 3), 0)
    np.testing.assert_array_equal(drive.pixels([1], SMALL, resize="linear", blur_after=3)[0], after)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_classes_are_averaged_and_the_winner_is_told(activation):
    model = bins(activation=activation)
    with pytest.raises(ValueError, match=r"answers \(None, 15\).*classes=\(-1, 1\)"):
        as_network(model)
    network = as_network(model, classes=(-1, 1), full_lock=20, sign=-1)
    scores = keras.ops.convert_to_numpy(model(PICTURES)).astype(float)
    shares = scores if activation else np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.angles(PICTURES), -20 * shares @ np.linspace(-1, 1, 15), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        network.winners(PICTURES), -20 * np.linspace(-1, 1, 15)[scores.argmax(axis=1)], rtol=1e-4
    )
    assert np.abs(explain(network, PICTURES[0], "gradient-times-input").map).max() > 0
    with pytest.raises(ValueError, match="expected 15 numbers, or two"):
        as_network(model, classes=(-1, 0, 1))
    with pytest.raises(ValueError, match="does not choose among classes"):
        as_network(linear()).winners(PICTURES)


def test_an_input_beside_the_picture_is_given_a_value(tmp_path, monkeypatch):
    image, speed = keras.Input((*SMALL, 3), name="image"), keras.Input((1,), name="speed")
    x = layers.Concatenate()([layers.Flatten()(layers.Conv2D(1, 3, name="conv1")(image)), speed])
    answer = layers.Dense(1, name="angle")(x)
    for inputs in ([image, speed], {"image": image, "speed": speed}):
        model = keras.Model(inputs, answer)
        with pytest.raises(ValueError, match=r"takes 2 inputs, and speed \(None, 1\) is no picture.*state="):
            as_network(model)
        with pytest.raises(ValueError, match="takes no 'gear' beside the picture, but speed"):
            as_network(model, state={"gear": 1})
        network = as_network(model, state={"speed": 0.7}, unit="degrees")
        given = [PICTURES, np.full((5, 1), 0.7, np.float32)]
        given = given if isinstance(inputs, list) else dict(zip(("image", "speed"), given))
        expected = np.ravel(keras.ops.convert_to_numpy(model(given)))
        np.testing.assert_allclose(network.angles(PICTURES), expected, rtol=1e-4, atol=1e-5)
        assert np.abs(as_network(model, state=0.1).angles(PICTURES) - network.angles(PICTURES)).min() > 0
    monkeypatch.setenv("STEERLIB_MODELS", str(tmp_path))
    again = load_network(save_network(network, "fast"))
    np.testing.assert_allclose(again.angles(PICTURES), network.angles(PICTURES), rtol=1e-4, atol=1e-5)


def test_each_moment_of_a_sequence_can_be_asked_about():
    moments = keras.Input((3, *SMALL, 3))
    x = layers.TimeDistributed(layers.Flatten())(moments)
    model = keras.Model(moments, layers.Dense(1, name="angle")(layers.LSTM(4, seed=1)(x)))
    network = as_network(model, unit="degrees")
    same = np.repeat(PICTURES[:, None], 3, axis=1)
    expected = np.ravel(keras.ops.convert_to_numpy(model(same)))
    np.testing.assert_allclose(network.angles(PICTURES), expected, rtol=1e-3, atol=1e-4)
    others, maps = PICTURES[:3], []
    for moment in range(3):
        given = np.repeat(others[None], 5, axis=0)
        given[:, moment] = PICTURES
        expected = np.ravel(keras.ops.convert_to_numpy(model(given)))
        with network.among(others, moment):
            np.testing.assert_allclose(network.angles(PICTURES), expected, rtol=1e-3, atol=1e-4)
            maps.append(explain(network, others[moment], "gradient-times-input").map)
    assert np.abs(maps[0] - maps[2]).max() > 0
    expected = np.ravel(keras.ops.convert_to_numpy(model(same)))
    np.testing.assert_allclose(network.angles(PICTURES), expected, rtol=1e-3, atol=1e-4)  # as before
    with (
        pytest.raises(ValueError, match=r"the moments 0 to 2: got 2 pictures"),
        network.among(others[:2], 0),
    ):
        pass
    with pytest.raises(ValueError, match="takes a single picture"), as_network(linear()).among(others, 0):
        pass


def test_a_description_goes_to_its_file_and_comes_back(tmp_path):
    every = Description(
        size=(66, 200),
        crop="60:135/160",
        resize="linear",
        blur=3,
        blur_after=5,
        color="YUV-swapped",
        color_at=(75, 320),
        range=(0, 1 / 255),
        output='an "odd" \\ näme\n',
        classes=(-1, 0.5, 1),
        unit="fraction",
        sign=-1,
        full_lock=25,
        replace={"lambda_1": "x/127.5-1"},
        state={"speed": 0.5, "more": (1, 2)},
    )
    assert every.crop == (60 / 160, 135 / 160)
    write_description(every, tmp_path / "net.toml")
    assert Description(**read_description(tmp_path / "net.toml")) == every
    found = described(tmp_path / "net.h5", {"color": "BGR", "unit": None})
    assert (found["color"], found["unit"], found["blur"]) == ("BGR", "fraction", 3)  # what is declared wins
    assert described(tmp_path / "other.h5", {"sign": 1}) == {"sign": 1}


BAD = {
    'colour = "RGB"': "unknown key 'colour': expected some of size, crop",
    'color = "CMYK"': "color='CMYK': expected one of RGB",
    "color = 3": "color=3: expected one of",
    "size = [66]": "size=.*expected",
    "size = 66": "size=66: expected",
    'crop = "135:60/160"': "crop='135:60/160': expected rows",
    'crop = "top"': "crop='top': expected rows",
    "crop = [0.9, 0.1]": r"crop=\[0.9, 0.1\]: expected",
    "blur = 4": "blur=4: expected an odd number",
    "blur_after = true": "blur_after=True: expected an odd number",
    "range = [0, 7]": r"range=\[0, 7\]: expected one of",
    'range = "0:255"': "range='0:255': expected one of",
    "sign = 2": "sign=2: expected one of 1, -1",
    "sign = true": "sign=True",
    "full_lock = nan": "full_lock=nan",
    "classes = [1]": r"classes=\[1\]: expected what the bins mean",
    'state = "fast"': "state='fast'",
    'replace = "x"': "replace='x'",
    "output = 1.5": "output=1.5",
    "size = ": "net.toml: expected TOML",
    "\x00": "net.toml: expected TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_description_is_told_with_its_file_and_key(text, tmp_path):
    (tmp_path / "net.toml").write_text(text)
    with pytest.raises(ValueError, match=BAD[text]) as error:
        read_description(tmp_path / "net.toml")
    assert str(tmp_path / "net.toml") in str(error.value)


def test_a_file_that_is_no_description_is_not_read_whole(tmp_path):
    (tmp_path / "net.toml").write_bytes(b"#" * 10**6)
    with pytest.raises(ValueError, match="over 100,000 bytes"):
        read_description(tmp_path / "net.toml")
    (tmp_path / "net.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="expected TOML"):
        read_description(tmp_path / "net.toml")


@pytest.mark.parametrize("range", RANGES)
def test_ranges_reach_the_network(range):
    low, high = range
    model = linear()
    expected = np.ravel(keras.ops.convert_to_numpy(model(low + (high - low) * PICTURES)))
    np.testing.assert_allclose(
        as_network(model, range=range, unit="degrees").angles(PICTURES), expected, rtol=1e-3, atol=1e-4
    )


def test_a_saved_network_sees_the_same_when_it_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("STEERLIB_MODELS", str(tmp_path))
    wants = {"crop": (0.4, 0.9), "blur": 3, "resize": "linear"}
    network = as_network(linear(), color="HSV", range=(0, 255), unit="degrees", sign=-1, **wants)
    path = save_network(network, "mine")
    again = load_network("mine")
    assert {name: getattr(again, name) for name in wants} == wants
    np.testing.assert_allclose(again.angles(PICTURES), network.angles(PICTURES), rtol=1e-4, atol=1e-3)
    assert load_network(path, crop=(0, 1)).crop == (0, 1)  # what is declared wins
    save_network(as_network(linear()), "mine")  # of the older network nothing stays
    assert load_network("mine").blur == 1 and not path.with_suffix(".toml").exists()
    path.with_suffix(".toml").write_text("blur = 2")
    with pytest.raises(ValueError, match=r"mine\.toml: blur=2: expected an odd number"):
        load_network("mine")


@pytest.mark.parametrize("color", ["YUV-swapped", "HSV", "gray"])
def test_every_method_suits_a_network_of_other_colors(color):
    network = as_network(linear(channels_of(color)), color=color, range=(-1, 1))
    for method in METHODS.values():
        if method.problem(network):
            continue
        settings = {"layer": "conv1", "sizes": (9,), "stride": 3, "target": "right", "signed": True}
        found = explain(network, PICTURES[0], method.name, **settings)
        assert found.map.shape == SMALL and np.isfinite(found.map).all(), method.name
