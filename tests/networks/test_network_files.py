"""HDF5 files of Keras 1, 2 and 3: read as their writer meant them, and refused by name where they are not known."""

import json
import zipfile

import keras
import numpy as np
import pytest
from files_made import (
    PICTURE,
    answers,
    branching,
    chain,
    dense,
    frozen,
    gated,
    nested,
    pictures,
    sequence,
    sequential,
    specs,
    write_h5,
)
from scipy.signal import correlate

from steerlib.networks.cells_to_pixels import cell_centers
from steerlib.networks.formats import Choices, read
from steerlib.networks.network import as_network


@pytest.mark.parametrize("build", [sequential, branching, nested, frozen, sequence, gated])
def test_hdf5_as_keras_3_writes_it(build, tmp_path):
    keras.utils.set_random_seed(3)
    model = build()
    rng = np.random.default_rng(0)
    for variable in model.weights:
        values = rng.normal(0.05, 0.3, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    model.save(path := tmp_path / "net.h5")
    seen = pictures(shape=model.input_shape[1:])
    for mine, theirs in zip(answers(read(path), seen), answers(model, seen), strict=True):
        assert np.ptp(theirs) > 1e-6
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_weights_alone_with_the_description_beside_them(tmp_path):
    model = sequential()
    model.save(whole := tmp_path / "whole.h5")
    import h5py

    with h5py.File(whole) as old, h5py.File(tmp_path / "mine.h5", "w") as new:
        for name in old["model_weights"]:
            old.copy(f"model_weights/{name}", new)
        new.attrs.update(old["model_weights"].attrs)
    with pytest.raises(ValueError, match=r"weights and no description of its layers.*model.json"):
        read(tmp_path / "mine.h5")
    text = model.to_json()
    for name, content in (("model.json", text), ("mine.json", json.dumps(text))):  # JSON inside JSON, too
        (tmp_path / name).write_text(content)
        seen = pictures()
        np.testing.assert_allclose(read(tmp_path / "mine.h5")(seen), model(seen), rtol=1e-4, atol=1e-5)
        (tmp_path / name).rename(tmp_path / "mine.json")
    np.testing.assert_allclose(read(tmp_path / "mine.json")(seen), model(seen), rtol=1e-4, atol=1e-5)
    whole.rename(tmp_path / "other.h5")
    (tmp_path / "mine.h5").rename(tmp_path / "another.h5")
    with pytest.raises(ValueError, match=r"expected its weights beside it, mine.h5, found 2 others"):
        read(tmp_path / "mine.json")


def old_convolution(order, **more):
    return {
        "nb_filter": 4,
        "nb_row": 3,
        "nb_col": 2,
        "subsample": [2, 1],
        "border_mode": "valid",
        "dim_ordering": order,
        "init": "glorot_uniform",
        "W_regularizer": {"name": "WeightRegularizer", "l2": 0.01},
        "b_constraint": None,
        "bias": True,
        "activation": "relu",
    } | more


def by_hand(seen, kernel, bias, turned=False):
    """A convolution, rectified, by scipy: kernel (rows, columns, in, out), steps (2, 1)."""
    kernel = kernel[::-1, ::-1] if turned else kernel
    found = [
        sum(correlate(one[..., c], kernel[..., c, f], "valid") for c in range(one.shape[-1])) + bias[f]
        for one in seen
        for f in range(kernel.shape[-1])
    ]
    found = np.reshape(found, (len(seen), kernel.shape[-1], *found[0].shape)).transpose(0, 2, 3, 1)
    return np.maximum(found[:, ::2], 0)


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
@pytest.mark.parametrize("order", ["tf", "th"])
def test_a_convolution_of_keras_1_wherever_its_channels_are(order, backend, tmp_path):
    """Against scipy. Theano's kernels are turned; with channels first they are (filters, channels, rows, columns)."""
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(size=(3, 2, 3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    matrix, offset = dense(5 * 19 * 4)
    shape = [None, 3, 12, 20] if order == "th" else [None, 12, 20, 3]
    description = chain(
        ("Convolution2D", old_convolution(order, name="c", batch_input_shape=shape)),
        ("Flatten", {"name": "f"}),
        ("Dropout", {"p": 0.5}),
        ("Dense", {"name": "d", "output_dim": 1, "init": "normal", "bias": True, "input_dim": None}),
    )
    stored = kernel.transpose(3, 2, 0, 1) if order == "th" else kernel
    weights = {"c": {"c_W": stored, "c_b": bias}, "d": {"d_W": matrix, "d_b": offset}}
    path = write_h5(
        tmp_path / "net.h5",
        {"class_name": "Sequential", "config": description["config"]["layers"]},
        weights,
        "1.2.1",
        None,
    )
    if order == "th":
        with pytest.raises(ValueError, match="does not say what trained it: say backend='theano'"):
            read(path)
    seen = pictures()
    cells = by_hand(seen, kernel, bias, backend == "theano")
    flat = cells.transpose(0, 3, 1, 2) if order == "th" else cells
    expected = flat.reshape(3, -1) @ matrix + offset
    model = read(path, Choices(backend=backend))
    assert model.input_shape == (None, 12, 20, 3)
    np.testing.assert_allclose(model(seen), expected, rtol=1e-3, atol=1e-4)


def test_channels_first_of_keras_2_with_what_depends_on_the_axes(tmp_path):
    rng = np.random.default_rng(2)
    kernel, bias = rng.normal(size=(3, 2, 3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    gamma, beta, mean, variance = (rng.random(4).astype(np.float32) + 0.5 for _ in range(4))
    matrix, offset = dense(5 * 19 * 4)
    for own in (False, True):
        first = {"data_format": "channels_first"}
        description = chain(
            (
                "Conv2D",
                {
                    "name": "c",
                    "filters": 4,
                    "kernel_size": [3, 2],
                    "strides": [2, 1],
                    "activation": "relu",
                    "batch_input_shape": [None, 3, 12, 20],
                    "padding": "valid",
                }
                | first,
            ),
            (
                "BatchNormalization",
                {"name": "b", "axis": 1, "epsilon": 0.01, "momentum": 0.99, "center": True, "scale": True},
            ),
            ("Flatten", {"name": "f"} | (first if own else {})),
            ("Dense", {"name": "d", "units": 1}),
        )
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        weights = {
            "c": {"c/kernel:0": kernel, "c/bias:0": bias},
            "b": {f"b/{name}:0": array for name, array in zip(names, (gamma, beta, mean, variance))},
            "d": {"d/kernel:0": matrix, "d/bias:0": offset},
        }
        model = read(write_h5(tmp_path / f"{own}.h5", description, weights, "2.2.4"))
        cells = (by_hand(pictures(), kernel, bias) - mean) / np.sqrt(variance + 0.01) * gamma + beta
        # A Flatten that knows of channels first put them last in Keras 2 before it flattened.
        flat = cells if own else cells.transpose(0, 3, 1, 2)
        np.testing.assert_allclose(model(pictures()), flat.reshape(3, -1) @ matrix + offset, rtol=1e-3, atol=1e-4)
        assert len(cell_centers(as_network(model), "c")[0]) == 5  # its maps lie where they belong


def test_a_model_inside_a_model_of_keras_1_whose_layers_are_listed_alone(tmp_path):
    rng = np.random.default_rng(3)
    kernel, bias = rng.normal(size=(3, 2, 3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    matrix, offset = dense(5 * 19 * 4)
    inner = specs(
        ("Convolution2D", old_convolution("tf", name="c", batch_input_shape=[None, *PICTURE])), ("Flatten", {})
    )
    layers = [
        {"class_name": "Sequential", "config": inner},
        *specs(("Dense", {"name": "d", "output_dim": 1})),
    ]
    weights = {"c": {"c_W": kernel, "c_b": bias}, "d": {"d_W": matrix, "d_b": offset}}
    path = write_h5(tmp_path / "net.h5", {"class_name": "Sequential", "config": layers}, weights, "1.1.0", None)
    expected = by_hand(pictures(), kernel, bias).reshape(3, -1) @ matrix + offset
    np.testing.assert_allclose(read(path)(pictures()), expected, rtol=1e-3, atol=1e-4)


def test_the_lstm_of_keras_1_has_twelve_weights_and_another_sigmoid(tmp_path):
    """Against its equations, with hard_sigmoid(x) = clip(0.2 x + 0.5), which Keras 3 no longer has."""
    rng = np.random.default_rng(4)
    gates = {gate: (rng.normal(size=(3, 2)), rng.normal(size=(2, 2)), rng.normal(size=2)) for gate in "icfo"}
    description = chain(
        (
            "TimeDistributed",
            {
                "name": "t",
                "batch_input_shape": [None, 4, 6, 6, 3],
                "layer": {"class_name": "GlobalAveragePooling2D", "config": {"name": "g", "dim_ordering": "tf"}},
            },
        ),
        (
            "LSTM",
            {
                "name": "l",
                "output_dim": 2,
                "inner_activation": "hard_sigmoid",
                "activation": "tanh",
                "inner_init": "orthogonal",
                "forget_bias_init": "one",
                "consume_less": "cpu",
                "stateful": False,
                "dropout_W": 0.0,
                "go_backwards": False,
                "return_sequences": False,
                "unroll": False,
                "input_dim": 3,
                "input_length": None,
            },
        ),
    )
    weights = {
        "l": {
            f"l_{kind}_{gate}": array.astype(np.float32) for gate in "icfo" for kind, array in zip("WUb", gates[gate])
        }
    }
    seen = pictures(2, (4, 6, 6, 3))
    hidden = cell = np.zeros((2, 2))
    for x in seen.mean((2, 3)).transpose(1, 0, 2):
        z = {gate: x @ w + hidden @ u + b for gate, (w, u, b) in gates.items()}
        i, f, o = (np.clip(0.2 * z[gate] + 0.5, 0, 1) for gate in "ifo")
        cell = f * cell + i * np.tanh(z["c"])
        hidden = o * np.tanh(cell)
    model = read(write_h5(tmp_path / "net.h5", description, weights, "1.2.2", None))
    np.testing.assert_allclose(model(seen), hidden, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "again.keras")
    np.testing.assert_allclose(read(tmp_path / "again.keras")(seen), hidden, rtol=1e-4, atol=1e-5)


def functional(layer, *more):
    """A description as tf.keras 2.2 wrote it, with initializers that Keras 3 does not take."""
    odd = {"class_name": "GlorotUniform", "config": {"seed": None, "dtype": "float32"}}
    layers = [
        {
            "name": "img",
            "class_name": "InputLayer",
            "config": {"batch_input_shape": [None, *PICTURE], "dtype": "float32", "sparse": False, "name": "img"},
            "inbound_nodes": [],
        },
        layer,
        {
            "name": "flat",
            "class_name": "Flatten",
            "config": {"name": "flat"},
            "inbound_nodes": [[[layer["name"], 0, 0, {}]]],
        },
        *more,
        {
            "name": "d",
            "class_name": "Dense",
            "config": {"name": "d", "units": 1, "kernel_initializer": odd},
            "inbound_nodes": [[["flat", 0, 0, {}]]],
        },
    ]
    return {
        "class_name": "Model",
        "config": {"name": "m", "layers": layers, "input_layers": [["img", 0, 0]], "output_layers": [["d", 0, 0]]},
    }


def with_dense(path, description, rows=720, **options):
    matrix, offset = dense(rows)
    return write_h5(path, description, {"d": {"d/kernel:0": matrix, "d/bias:0": offset}}, **options)


REFUSED = {
    "a class of the writer's": ("MyLayer", {}, "layer x is of the class 'MyLayer', which is not known"),
    "a class of another module": ("os.system", {}, "class 'os.system', which is not known"),
    "an activation of the writer's": ("Activation", {"activation": "atan"}, "activation 'atan' is not known"),
    "an activation that is a program": (
        "Activation",
        {"activation": {"class_name": "exec", "config": "1"}},
        "is not known",
    ),
    "a setting from nowhere": ("Dropout", {"rate": 0.5, "magic": 3}, "setting 'magic' = 3 is not known for Dropout"),
    "a setting that is an object": ("Dropout", {"rate": {"module": "os"}}, "'rate' is an object of its own"),
    "settings that fit nothing": ("Dropout", {"rate": "much"}, "its settings are not those of Dropout"),
    "another kind of normalization": ("BatchNormalization", {"mode": 2}, "normalizes each batch by itself"),
    "a crop larger than the picture": (
        "Cropping2D",
        {"cropping": [[9, 9], [0, 0]]},
        r"layer x does not take \(12, 20, 3\)",
    ),
    "too much of a picture": ("UpSampling2D", {"size": [3000, 3000]}, "layer x makes .* of a picture"),
    "a merge by code": ("Merge", {"mode": "dot"}, "merges by 'dot'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_known_is_refused_by_its_name(what, tmp_path):
    kind, config, told = REFUSED[what]
    layer = {"name": "x", "class_name": kind, "config": {"name": "x"} | config, "inbound_nodes": [[["img", 0, 0, {}]]]}
    with pytest.raises(ValueError, match=told) as error:
        read(with_dense(tmp_path / "net.h5", functional(layer)))
    assert "net.h5" in str(error.value) and len(str(error.value).replace(str(tmp_path), "")) < 400


def test_weights_that_do_not_fit_are_named_with_both_shapes(tmp_path):
    layer = {
        "name": "x",
        "class_name": "Dropout",
        "config": {"name": "x", "rate": 0.1},
        "inbound_nodes": [[["img", 0, 0, {}]]],
    }
    assert read(with_dense(tmp_path / "good.h5", functional(layer))).output_shape == (None, 1)
    told = r"layer d has weights \(700, 1\), \(1,\), expected \(720, 1\), \(1,\)"
    with pytest.raises(ValueError, match=told):
        read(with_dense(tmp_path / "net.h5", functional(layer), 700))
    more = {"d": {"a": np.ones((720, 1)), "b": np.ones(1)}, "e": {"a": np.ones(3)}}
    with pytest.raises(ValueError, match="weights for e, which is no layer of it"):
        read(write_h5(tmp_path / "net.h5", functional(layer), more))
    with pytest.raises(ValueError, match="no weights for its layer d"):
        read(write_h5(tmp_path / "net.h5", functional(layer), {}))


def test_a_zip_that_is_called_h5_is_not_keras(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.h5", "w") as file:
        file.writestr("a", "b")
    with pytest.raises(ValueError, match=r"net.h5: expected an HDF5 file of Keras"):
        read(tmp_path / "net.h5")
