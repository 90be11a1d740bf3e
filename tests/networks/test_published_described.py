"""Networks that others published repeat, through their descriptions, what their own preparation gives.

The numbers are those of SOURCE.txt beside each file; all agree to two thousandths of full lock.
"""

import json

import numpy as np
import pytest

from steerlib.drives import Drive, load_drive, read_frame
from steerlib.networks.files import load_network

SIMULATOR = {"crop": "60:135/160", "unit": "fraction"}
# That part was converted, not the small picture.
CONVERTED_FIRST = {"color_at": (75, 320), "resize": "linear", "blur": 3, **SIMULATOR}
ROWS = [20, 100, 150]
# folder -> file, description, answers to three frames in fractions of full lock
SIMULATED = {
    "dventimiglia_k231_weights_json": ("model.h5", {}, (-0.053236, 0.0, 0.088947)),
    "eljefec_k1_crop_lambda_1x1": (
        "model.h5",
        {"replace": {"lambda_5": "x/255-0.5"}, "color": "BGR"},
        (-0.200037, -0.010856, 0.019958),
    ),
    "marcomarasca_k1_functional_bn": (
        "model.h5",
        {"replace": {"lambda_1": "x/255-0.5"}, "color": "YUV-swapped", **CONVERTED_FIRST}
        | {"resize": "area", "blur": 1, "blur_after": 3},
        (-0.212741, -0.071296, 0.096469),
    ),
    "naoki_k1_yuv": (
        "model.h5",
        {"replace": {"lambda_1": "x/127.5-1"}, "color": "YUV-swapped", "resize": "linear", **SIMULATOR},
        (-0.260843, -0.223560, -0.083425),
    ),
    "ninoxing_k224_nolambda": (
        "model.h5",
        {"color": "YUV", **CONVERTED_FIRST},
        (-0.246353, -0.175160, 0.074907),
    ),
    "saad_h5_by_keras333": (
        "nvidia_model.h5",
        {"color": "YUV", **CONVERTED_FIRST},
        (-0.400486, -0.060786, -0.007057),
    ),
    "sgalkin_k208_160x320_yuv": (
        "model.h5",
        {"replace": {"lambda_19": "x", "lambda_20": "2*x/255-1"}, "color": "YUV-swapped"},
        (-0.184791, -0.152678, 0.058167),
    ),
    "sunchit_keras_v3": (
        "self_driving_model.keras",
        {"color": "YUV", "range": (0, 1), **CONVERTED_FIRST},
        (-0.170291, -0.031312, -0.010105),
    ),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_networks_of_the_simulator_repeat_their_numbers(name, real_drives):
    file, description, expected = SIMULATED[name]
    network = load_network(real_drives / "networks" / name / file, **{"unit": "fraction"} | description)
    drive = load_drive(real_drives / "udacity-sim")
    found = network.angles(drive.pictures(network, ROWS)) / 25
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_two_outputs_of_a_donkey_repeat_their_numbers(real_drives):
    folder = real_drives / "networks" / "donkey_linear_palevich"
    rows = json.loads((folder / "drive" / "labels.json").read_text())
    frames = [read_frame(folder / "drive" / rows[i][0]) for i in (0, 100, 200)]
    network = load_network(folder / "mypilot.h5", output="n_outputs0", unit="fraction", full_lock=16)
    drive = Drive.from_arrays("donkey", frames, np.zeros(3))
    found = network.angles(drive.pictures(network)) / 16
    np.testing.assert_allclose(found, [0.286688, 0.037268, 0.901452], atol=2e-3)


@pytest.mark.filterwarnings("ignore:.*time stamps are those of a conversion", "ignore:.*25° are assumed")
def test_the_classes_of_a_donkey_repeat_their_numbers(real_drives):
    folder, drive = real_drives / "networks" / "donkey_cat_circuit", load_drive(real_drives / "donkeycar-v2")
    wants = {"classes": (-1, 1), "full_lock": 20}
    network = load_network(folder / "pilot_21-08-12_5.h5", output="angle_out", **wants)
    pictures = drive.pictures(network, [0, 100, 200])
    np.testing.assert_allclose(network.winners(pictures) / 20, [1.0, 0.428571, 0.0], atol=1e-5)
    other = load_network(folder / "pilot_21-08-12_5.tflite", output=0, **wants)
    np.testing.assert_allclose(other.angles(pictures), network.angles(pictures), atol=1e-3)


def test_a_gray_onnx_network_repeats_its_numbers(real_drives):
    pytest.importorskip("onnxruntime")
    folder = real_drives / "networks" / "onnx_pilotnet_gray"
    frames = [read_frame(folder / f"frame_{number:05d}.png") for number in (10, 29)]
    network = load_network(folder / "nvidia_pilotnet.onnx", range=(-1, 1), crop=(0, 1), unit="degrees")
    drive = Drive.from_arrays("lanes", frames, np.zeros(2))
    np.testing.assert_allclose(network.angles(drive.pictures(network)), [0.247467, 0.582931], atol=2e-3)
