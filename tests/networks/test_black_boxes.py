"""Networks of which only answers are known: TensorFlow Lite, ONNX, SavedModel."""

import numpy as np
import pytest
from files_made import (
    PICTURE,
    answers,
    branching,
    dense,
    onnx_bytes,
    pictures,
    sequential,
)

from steerlib.networks.files import load_network
from steerlib.networks.formats import Choices, read


def test_tensorflow_lite_answers_as_the_network_did(tmp_path):
    import tensorflow as tf

    model = branching()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    network = read(tmp_path / "net.tflite")
    assert network.input_shape == (None, *PICTURE) and len(network.outputs) == 2
    for n in (0, 1, 3):
        found = network.ask(pictures(n))
        assert all(len(answer) == n for answer in found.values())
    for mine, theirs in zip(found.values(), answers(model, pictures())):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match=r"takes pictures \(None, 12, 20, 3\), got \(1, 12, 20, 1\)"):
        network.ask(pictures(1, (12, 20, 1)))


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_a_quantized_network_is_asked_in_its_real_numbers(tmp_path):
    import tensorflow as tf

    model = sequential()
    model.get_layer(index=-1).set_weights(dense(5, seed=3))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([255 * one[None]] for one in pictures(5))
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    (found,) = read(tmp_path / "net.tflite").ask(255 * pictures(5)).values()
    expected = np.asarray(model(255 * pictures(5)))
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_tensorflow_lite_does_not_run_tensorflows_own_operations(tmp_path):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, *PICTURE))])
    def program(x):
        tf.io.write_file(str(tmp_path / "pwned"), "x")
        return tf.reduce_mean(x, (1, 2, 3))[:, None] * tf.strings.to_number(tf.strings.as_string(1.0))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([program.get_concrete_function()])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    with pytest.raises(ValueError, match=r"net.tflite: expected a TensorFlow Lite model of its own operations"):
        read(tmp_path / "net.tflite").ask(pictures(1))
    assert not (tmp_path / "pwned").exists()


def test_onnx_with_channels_first_and_last(tmp_path):
    pytest.importorskip("onnxruntime")
    kernel, _ = dense(90, 2)
    seen = pictures(4, (6, 5, 3))
    for name, shape in {"first": ("n", 3, 6, 5), "last": ("n", 6, 5, 3), "one": (1, 3, 6, 5)}.items():
        (tmp_path / f"{name}.onnx").write_bytes(onnx_bytes(shape, kernel))
        network = read(tmp_path / f"{name}.onnx")
        assert (network.name, network.input_shape) == (name, (None, 6, 5, 3))
        flat = seen.reshape(4, -1) if name == "last" else seen.transpose(0, 3, 1, 2).reshape(4, -1)
        np.testing.assert_allclose(network.ask(seen)["angle"], flat @ kernel, rtol=1e-4, atol=1e-5)
        assert network.ask(seen[:0])["angle"].shape == (0, 2)
    (tmp_path / "odd.onnx").write_bytes(onnx_bytes(("n", 3, 6, 3), dense(54)[0]))
    with pytest.raises(ValueError, match=r"odd.onnx: it takes .*where its channels are, first or last, is not clear"):
        read(tmp_path / "odd.onnx")
    with pytest.raises(ValueError, match="there is no Lambda"):
        read(tmp_path / "one.onnx", Choices({"a": "x"}))


@pytest.mark.parametrize("place", ["/etc/passwd", "../secret", "folder/secret", "link", ".."])
def test_onnx_reads_no_weights_from_elsewhere(place, tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "secret").write_bytes(bytes(240))
    (folder := tmp_path / "net").mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "net.onnx").write_bytes(onnx_bytes(kernel=dense(90)[0], external=place))
    with pytest.raises(ValueError, match=r"its weights lie in .*: expected a file in the same folder"):
        read(folder / "net.onnx")


def test_onnx_reads_weights_beside_it(tmp_path):
    pytest.importorskip("onnxruntime")
    kernel, _ = dense(90)
    (tmp_path / "net.onnx").write_bytes(onnx_bytes(kernel=kernel, external="net.onnx.data"))
    with pytest.raises(ValueError, match=r"net.onnx.data' beside it"):
        read(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.data").write_bytes(kernel.astype("<f4").tobytes())
    seen = pictures(2, (6, 5, 3))
    flat = seen.transpose(0, 3, 1, 2).reshape(2, -1)
    np.testing.assert_allclose(read(tmp_path / "net.onnx").ask(seen)["angle"], flat @ kernel, rtol=1e-4, atol=1e-5)


def test_onnx_without_its_runtime_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r'net.onnx: ONNX needs its runtime: pip install "steerlib\[onnx\]"'):
        read(tmp_path / "net.onnx")


def test_a_saved_model_is_run_only_when_it_is_trusted(tmp_path):
    model = branching()
    model.export(tmp_path / "net", verbose=False)
    with pytest.raises(ValueError, match=r"net: a SavedModel holds a program, .*trust_program=True"):
        load_network(tmp_path / "net")
    network = read(tmp_path / "net", Choices(trust_program=True))
    assert network.input_shape == (None, *PICTURE) and len(network.outputs) == 2
    for mine, theirs in zip(network.ask(pictures()).values(), answers(model, pictures())):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="net: expected a SavedModel"):
        read(tmp_path / "net", Choices(trust_program=True))
