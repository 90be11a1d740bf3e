"""Files of other people's networks, made as old Keras wrote them."""

import base64
import json
import marshal
from pathlib import Path

import h5py
import keras
import numpy as np

PICTURE = (12, 20, 3)


def write_h5(path, description, weights, version="2.2.4", backend="tensorflow", alone=False):
    """Write an HDF5 file: the description of a network, and {layer: {weight: array}}."""
    with h5py.File(path, "w") as file:
        root = file if alone else file.create_group("model_weights")
        if description is not None and not alone:
            file.attrs["model_config"] = (
                description if isinstance(description, str | bytes) else json.dumps(description).encode()
            )
        for group in {file, root}:
            group.attrs["keras_version"] = version.encode()
            if backend:
                group.attrs["backend"] = backend.encode()
        root.attrs["layer_names"] = np.array([name.encode() for name in weights])
        for name, arrays in weights.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = np.array([key.encode() for key in arrays])
            for key, array in arrays.items():
                group[key] = array
    return Path(path)


def chain(*layers, name="net"):
    """Describe a Sequential model of (class, settings)."""
    return {"class_name": "Sequential", "config": {"name": name, "layers": specs(*layers)}}


def specs(*layers):
    return [
        {"class_name": kind, "config": {"name": f"{kind.lower()}_{place}"} | config}
        for place, (kind, config) in enumerate(layers)
    ]


def dense(rows, columns=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, (rows, columns)).astype(np.float32), rng.normal(0, 1, columns).astype(np.float32)


def evil(path):
    """Code that would write a file, as Keras put a function into a file: a text of characters, and base64."""
    code = compile(f"lambda x: (open({str(path)!r}, 'w'), x / 127.5 - 1.0)[1]", "model.py", "eval").co_consts[0]
    data = marshal.dumps(code)
    return {"latin-1": data.decode("latin-1"), "base64": base64.b64encode(data).decode()}


def lambda_file(path, code, shape=PICTURE):
    """Write a network with a Lambda in front."""
    kernel, bias = dense(int(np.prod(shape)))
    description = chain(
        (
            "Lambda",
            {
                "name": "lambda_1",
                "function": [code, None, None],
                "function_type": "lambda",
                "output_shape": None,
                "output_shape_type": "raw",
                "arguments": {},
                "trainable": True,
                "batch_input_shape": [None, *shape],
            },
        ),
        ("Flatten", {"name": "flat"}),
        ("Dense", {"name": "angle", "units": 1, "activation": "linear", "use_bias": True}),
    )
    weights = {"angle": {"angle/kernel:0": kernel, "angle/bias:0": bias}}
    return write_h5(path, description, weights), kernel, bias


def pictures(n=3, shape=PICTURE, seed=0):
    return np.random.default_rng(seed).random((n, *shape), np.float32)


def answers(model, given):
    return [np.asarray(one) for one in keras.tree.flatten(model(given, training=False))]


# An ONNX file, byte by byte: https://protobuf.dev/programming-guides/encoding
def varint(value):
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx_bytes(shape=("n", 3, 6, 5), kernel=None, external=None):
    """Make a network that flattens a picture and multiplies it by a matrix."""

    def tensor(name, array):
        head = b"".join(field(1, side) for side in array.shape) + field(2, 1) + field(8, name)
        if external is not None:
            return head + field(13, field(1, "location") + field(2, external)) + field(14, 1)
        return head + field(9, array.astype("<f4").tobytes())

    def value(name, sides):
        dims = b"".join(field(1, field(1, side) if isinstance(side, int) else field(2, side)) for side in sides)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))

    nodes = [
        field(1, "input") + field(2, "flat") + field(4, "Flatten"),
        field(1, "flat") + field(1, "w") + field(2, "angle") + field(4, "MatMul"),
    ]
    graph = b"".join(field(1, node) for node in nodes) + field(2, "g") + field(5, tensor("w", kernel))
    graph += field(11, value("input", shape)) + field(12, value("angle", ("n", kernel.shape[1])))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


L = keras.layers


def sequential():
    return keras.Sequential(
        [
            keras.Input(PICTURE),
            L.Rescaling(2, -1),
            L.ZeroPadding2D(((1, 0), (2, 1))),
            L.Conv2D(4, 3, 2, activation="elu"),
            L.BatchNormalization(),
            L.LeakyReLU(0.2),
            L.MaxPooling2D(),
            L.SpatialDropout2D(0.2),
            L.Flatten(),
            L.Dense(5, activation="relu"),
            L.Dropout(0.5),
            L.Dense(1),
        ]
    )


def branching():
    picture = keras.Input(PICTURE, name="img_in")
    a = L.Conv2D(3, 3, padding="same", activation="relu")(picture)
    b = L.SeparableConv2D(3, 3, padding="same")(picture)
    x = L.Concatenate()([L.Add()([a, b]), a])
    shared = L.Dense(4, activation="tanh", name="shared")
    x = L.GlobalAveragePooling2D()(x)
    x = L.Concatenate()([shared(x), shared(L.Activation("softsign")(x))])
    return keras.Model(picture, [L.Dense(1, name="angle")(x), L.Dense(1, name="throttle")(x)])


def nested():
    inner = keras.Sequential(
        [keras.Input(PICTURE), L.Conv2D(2, 3, 2), L.BatchNormalization(), L.Flatten()], name="inner"
    )
    picture = keras.Input(PICTURE)
    return keras.Model(picture, L.Dense(1)(inner(picture)))


def frozen():
    model = nested()
    model.get_layer("inner").layers[0].trainable = False
    return model


def sequence():
    frames = keras.Input((3, *PICTURE))
    x = L.TimeDistributed(L.Conv2D(2, 3, 2, activation="relu"))(frames)
    return keras.Model(frames, L.Dense(1)(L.LSTM(4)(L.TimeDistributed(L.Flatten())(x))))


def gated():
    frames = keras.Input((3, *PICTURE))
    x = L.TimeDistributed(L.GlobalAveragePooling2D())(frames)
    return keras.Model(frames, L.Dense(1)(L.Bidirectional(L.GRU(3))(x)))
