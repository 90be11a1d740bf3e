"""Networks that people trained and published: all load without running anything, and repeat their stated answers."""

import csv
import json

import cv2
import keras
import numpy as np
import pytest

from steerlib.networks.formats import Choices, known, read

ROWS = (20, 100, 150)


def rgb(path):
    return cv2.imread(str(path))[..., ::-1].copy()


def udacity(folder):
    with open(folder / "udacity-sim" / "driving_log.csv", newline="") as file:
        names = [row[0].replace("\\", "/").split("/")[-1] for row in csv.reader(file)]
    found = {path.name: path for path in (folder / "udacity-sim").rglob("*.jpg")}
    return [rgb(found[names[row]]) for row in ROWS]


def old_yuv(frame):  # as OpenCV before 3.2 made it: red and blue exchanged
    return cv2.cvtColor(frame, cv2.COLOR_BGR2YUV)


def yuv(frame):
    return cv2.cvtColor(frame, cv2.COLOR_RGB2YUV)


def small(frame, how=cv2.INTER_LINEAR):
    return cv2.resize(frame, (200, 66), interpolation=how)


def blurred(frame):
    return cv2.GaussianBlur(frame, (3, 3), 0)


# File, what stands for its Lambdas, how a frame is prepared, and the answers: see each SOURCE.txt.
UDACITY = {
    "eljefec_k1_crop_lambda_1x1/model.h5": (
        {"lambda_5": "x/255-0.5"},
        lambda frame: frame[..., ::-1],
        (-0.200037, -0.010856, 0.019958),
    ),
    "marcomarasca_k1_functional_bn/model.h5": (
        {"lambda_1": "x/255-0.5"},
        lambda frame: blurred(small(old_yuv(frame)[60:-25], cv2.INTER_AREA)),
        (-0.212741, -0.071296, 0.096469),
    ),
    "naoki_k1_yuv/model.h5": (
        {"lambda_1": "x/127.5-1"},
        lambda frame: old_yuv(small(frame[60:-25])),
        (-0.260843, -0.223560, -0.083425),
    ),
    "ninoxing_k224_nolambda/model.h5": (
        {},
        lambda frame: small(blurred(yuv(frame[60:-25]))) / 255,
        (-0.246353, -0.175160, 0.074907),
    ),
    "saad_h5_by_keras333/nvidia_model.h5": (
        {},
        lambda frame: small(blurred(yuv(frame[60:-25]))) / 255,
        (-0.400486, -0.060786, -0.007057),
    ),
    "sgalkin_k208_160x320_yuv/model.h5": (
        {"lambda_19": "x", "lambda_20": "2*x/255-1"},
        old_yuv,
        (-0.184791, -0.152678, 0.058167),
    ),
    "sunchit_keras_v3/self_driving_model.keras": (
        {},
        lambda frame: small(blurred(yuv(frame[60:-25]))) / 255,
        (-0.170291, -0.031312, -0.010105),
    ),
    "dventimiglia_k231_weights_json/model.h5": ({}, lambda frame: frame, (-0.053236, 0.0, 0.088947)),
    "dventimiglia_k231_weights_json/model.json": ({}, lambda frame: frame, (-0.053236, 0.0, 0.088947)),
}
LAMBDAS = [name for name, (replace, _, _) in UDACITY.items() if replace]


@pytest.mark.parametrize("name", UDACITY)
def test_a_network_of_the_simulator_repeats_its_answers(name, real_drives):
    replace, prepare, expected = UDACITY[name]
    model = read(real_drives / "networks" / name, Choices(replace))
    numbers = np.stack([prepare(frame) for frame in udacity(real_drives)]).astype(np.float32)
    assert isinstance(model, keras.Model) and model.input_shape == (None, *numbers.shape[1:])
    np.testing.assert_allclose(np.ravel(model(numbers)), expected, atol=2e-3)


@pytest.mark.parametrize("name", LAMBDAS)
def test_what_the_error_proposes_is_what_the_network_wants(name, real_drives):
    """Its constants, which were read without running it, are those of its SOURCE.txt."""
    replace = UDACITY[name][0]
    with pytest.raises(ValueError, match="never run") as told:
        read(real_drives / "networks" / name)
    for lambda_, text in replace.items():
        assert f'--replace {lambda_}="{text}"' in str(told.value)
    assert len(str(told.value).replace(str(real_drives), "")) < 400


def tub(real_drives):
    folder = real_drives / "donkeycar-v2"
    manifest = [json.loads(line) for line in (folder / "manifest.json").read_text().splitlines()]
    records = [
        json.loads(line) for path in manifest[4]["paths"] for line in (folder / path).read_text().splitlines() if line
    ]
    kept = [one for one in records if one["_index"] not in set(manifest[4]["deleted_indexes"])]
    return [rgb(folder / "images" / kept[place]["cam/image_array"]) for place in (0, 100, 200)]


def test_a_categorical_pilot_repeats_its_bins(real_drives):
    folder = real_drives / "networks" / "donkey_cat_circuit"
    numbers = np.stack(tub(real_drives)).astype(np.float32) / 255
    angles, throttles = read(folder / "pilot_21-08-12_5.h5")(numbers)
    assert angles.shape == (3, 15) and throttles.shape == (3, 20)
    np.testing.assert_allclose(np.argmax(angles, 1) * 2 / 14 - 1, [1, 0.428571, 0], atol=2e-3)
    lite = read(folder / "pilot_21-08-12_5.tflite")
    assert lite.input_shape == (None, 120, 160, 3) and set(lite.outputs.values()) == {(None, 15), (None, 20)}
    found = {answer.shape[1]: answer for answer in lite.ask(numbers).values()}
    np.testing.assert_allclose(found[15], angles, atol=1e-4)
    np.testing.assert_allclose(found[20], throttles, atol=1e-4)


def test_a_linear_pilot_repeats_its_answers(real_drives):
    folder = real_drives / "networks" / "donkey_linear_palevich"
    model = read(folder / "mypilot.h5")
    frames = json.loads((folder / "drive" / "labels.json").read_text())
    own = np.stack([rgb(folder / "drive" / frames[place][0]) for place in (0, 100, 200)]).astype(np.float32) / 255
    np.testing.assert_allclose(np.ravel(model(own)[0]), [0.286688, 0.037268, 0.901452], atol=2e-3)
    other = np.stack(tub(real_drives)).astype(np.float32) / 255
    np.testing.assert_allclose(np.ravel(model(other)[0]), [-0.273805, -0.223979, 0.000838], atol=2e-3)


def test_a_network_of_pytorch_repeats_its_answers(real_drives):
    pytest.importorskip("onnxruntime")
    folder = real_drives / "networks" / "onnx_pilotnet_gray"
    network = read(folder / "nvidia_pilotnet.onnx")
    assert network.input_shape == (None, 66, 200, 1) and list(network.outputs.values()) == [(None, 1)]
    frames = [cv2.imread(str(folder / name)) for name in ("frame_00010.png", "frame_00029.png")]
    gray = [small(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.INTER_AREA) for frame in frames]
    (answers,) = network.ask(np.stack(gray)[..., None] / 127.5 - 1).values()
    np.testing.assert_allclose(np.ravel(answers), [0.247467, 0.582931], atol=2e-3)


def test_each_published_file_is_recognized_by_one_format(real_drives):
    endings = (".h5", ".keras", ".tflite", ".onnx", ".json")
    files = [path for path in (real_drives / "networks").glob("*/*") if path.suffix in endings]
    assert len(files) == 13
    for path in files:
        assert len([one for one in known() if one.recognize(path)]) == 1, path
