"""Training on two devices, virtual ones of the CPU, in a process of its own: they must be there before TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from networks_made import bars, small_network

from steerlib.networks.training import train

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from networks_made import bars, small_network
from steerlib.networks.training import train

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
# 44 frames: the last of six batches has four, two for each device; of 21 to validate on, 20 can be shared.
first, histories, weights = None, [], []
for devices in (None, strategy):
    model = small_network()
    first = model.get_weights() if first is None else first
    model.set_weights(first)
    history = train(model, bars(44, 0), bars(20, 1), 3, 8, seed=3, verbose=0, strategy=devices).history
    histories.append(history)
    weights.append(model.get_weights())
for name in ("loss", "val_loss", "degrees"):
    print(name, *(history[name] for history in histories))
    np.testing.assert_allclose(*(history[name] for history in histories), rtol=1e-4)
assert histories[0]["loss"][-1] < histories[0]["loss"][0]
for one, two, start in zip(*weights, first):
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)
assert not np.allclose(weights[1][0], first[0])
odd = train(small_network(), bars(43, 0), bars(21, 1), 1, 8, verbose=0, strategy=strategy).history
assert np.isfinite(odd["loss"]).all() and np.isfinite(odd["val_loss"]).all()
print("equal")
"""


def test_two_devices_learn_what_one_learns():
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "networks")])
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert run.returncode == 0 and run.stdout.endswith("equal\n"), run.stdout + run.stderr


def test_a_strategy_that_keras_does_not_support_is_refused():
    with pytest.raises(ValueError, match=r"strategy=OneDeviceStrategy.*expected tf\.distribute\.MirroredStrategy"):
        train(small_network(), bars(8, 0), strategy=tf.distribute.OneDeviceStrategy("CPU:0"))


def test_a_batch_must_be_shared_evenly():
    class Two(tf.distribute.MirroredStrategy):
        num_replicas_in_sync = 2

    with pytest.raises(ValueError, match="batch_size=7: expected a multiple of the 2 devices"):
        train(small_network(), bars(8, 0), batch_size=7, strategy=Two(["CPU:0"]))
