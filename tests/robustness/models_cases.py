"""Files that are given as a network."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import h5py
import keras
import numpy as np
from table import Case
from tools import image, network, shared

from steerlib.networks.files import load_network, save_network
from steerlib.networks.training import predict

LAYERS = keras.layers


def cases() -> Iterator[Case]:
    """Give the cases."""
    yield Case("a network that was saved", lambda folder: asked(saved(folder)))
    yield Case("a network saved under a name with spaces and umlauts", strange_name)
    yield Case("zero bytes", lambda folder: asked(written(folder, b"")), "net.keras: expected a Keras model")
    yield Case("text", lambda folder: asked(written(folder, b"text")), "net.keras: expected a Keras model")
    yield Case("a zip archive of other things", other_zip, "net.keras: expected a Keras model")
    for share in (0.1, 0.5, 0.9, 0.999):
        yield Case(f"cut off after {share:.1%}", partial(cut_off, share), "net.keras: expected a Keras model")
    yield Case("a changed byte in the weights", changed, "net.keras: expected a Keras model")
    yield Case("an archive that unpacks to 600 MB", bomb, "unpacks to .* MB: expected at most 512 MB")
    yield Case("an HDF5 file of weights alone", partial(old, "net.h5"), "net.h5 has weights and no description")
    yield Case("an HDF5 file with the ending .hdf5", partial(old, "net.hdf5"), "net.hdf5 has weights and no desc")
    yield Case("an HDF5 file that is called .keras", partial(old, "net.keras"), "net.keras has weights and no desc")
    yield Case("a saved TensorFlow model (a folder)", folder_as_model, "no network .*net.keras")
    told = {".tflite": "expected a TensorFlow Lite model", ".onnx": "expected an ONNX network"}
    for ending in (".pb", ".tflite", ".onnx", ".pt", ".pkl"):
        expected = told.get(ending, "expected a network in a file that ends in")
        yield Case(f"a file that ends in {ending}", partial(named, ending), f"net{ending}: {expected}")
    yield Case(
        "a network that does not exist",
        lambda _: load_network("nobody"),
        "no network.*nobody.*expected a file, or one of",
    )
    yield Case("a path that does not exist", lambda folder: load_network(folder / "a.keras"), "no network .*a.keras")
    yield Case("a name that climbs", lambda _: load_network("../../net"), "no network")
    yield Case("a number", lambda _: load_network(3), "no network")
    yield Case("an empty name", lambda _: load_network(""), "no network")
    for name, (build, description, ask) in OTHERS.items():
        yield Case(name, partial(other, build, description, ask))
    told = r"net.keras: network 'net' takes \(None, .*: expected pictures"
    yield Case("input of channels first", lambda folder: loaded(folder, averaging((3, 66, 200))), told)
    yield Case("input of one channel", lambda folder: loaded(folder, averaging((66, 200, 1))))
    yield Case("input of three pictures at once", lambda folder: loaded(folder, flat((3, 66, 200, 3))))
    yield Case(
        "input of any size",
        lambda folder: loaded(folder, averaging((None, None, 3))),
        r"takes pictures of any size .*: say size=\(height, width\)",
    )
    yield Case(
        "input of another size than is said",
        lambda folder: loaded(folder, averaging((64, 64, 3)), size=(66, 200)),
        r"size=\(66, 200\): network 'net' takes pictures of \(64, 64\)",
    )
    yield Case(
        "two outputs", lambda folder: loaded(folder, network(outputs=2)), r"answers \(None, 2\): expected \(None, 1\)"
    )
    yield Case(
        "an angle in 15 bins", lambda folder: loaded(folder, network(outputs=15)), r"answers \(None, 15\): expected"
    )
    yield Case(
        "an angle and a throttle",
        lambda folder: loaded(folder, two_heads()),
        r"has the outputs .*wheel \(None, 1\).*: say which is the angle",
    )
    yield Case(
        "an angle that is not among the outputs",
        lambda folder: loaded(folder, two_heads(), output="brake"),
        "say which is the angle by its name, not output='brake'",
    )
    yield Case("two inputs", two_inputs, r"takes 2 inputs \(left .*, right .*\): expected one picture among them")
    yield Case("an output for each pixel", per_pixel, r"answers \(None, 66, 200, 1\): expected \(None, 1\)")
    yield Case(
        "a convolution with channels first", channels_first, "layer seen takes channels first: expected them last"
    )
    yield Case(
        "a brightness that is neither 0...1 nor 0...255",
        lambda folder: loaded(folder, rescaling(0.1)),
        r"layer brightness multiplies by 0.1, which fits neither .*range=\(0, 255\)",
    )
    yield Case("a class of the writer's own", own_class, "net.keras: expected a Keras model")
    yield Case("NaN in a weight", partial(broken_weight, np.nan), "not finite numbers: training diverged")
    yield Case("an infinite weight", partial(broken_weight, np.inf), "not finite numbers: training diverged")
    yield Case("NaN in a weight, before saving", save_nan, "not finite numbers: training diverged")
    yield Case("a Lambda layer", lambda_layer, "net.keras: a Lambda, code that is never run: .*--replace")
    yield Case("a Lambda layer, hidden in a submodel", hidden_lambda, "net.keras: a Lambda, code that is never run")
    for name, config in PAYLOADS.items():
        yield Case(f"a configuration that names {name}", partial(payload, config), "net.keras: expected a Keras model")
    yield Case("a layer of the writer's own", own_layer, "net.keras: expected a Keras model")
    yield Case("weights that are a link to another HDF5 file", linked_weights, "net.keras: expected a Keras model")
    yield Case("weights in a pickle", pickled_weights, "net.keras: expected a Keras model")
    for name in ("", "..", "???", "pilotnet", "pilotnet_gap"):
        yield Case(f"saved as `{name}`", partial(save_as, name), "expected letters or digits|comes with the project")
    yield Case("saved as `../../x`", save_outside)


PAYLOADS = {
    "os.system": {"module": "os", "class_name": "system", "config": {"command": "touch pwned"}},
    "builtins.exec": {"module": "builtins", "class_name": "exec", "config": {"source": "open('pwned', 'w')"}},
    "subprocess.Popen": {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", "pwned"]}},
    "pathlib.Path.touch": {"module": "pathlib", "class_name": "Path.touch", "config": {"self": "pwned"}},
    "keras.utils.get_file": {
        "module": "keras.utils",
        "class_name": "get_file",
        "config": {"fname": "pwned", "origin": "file:///etc/hostname", "cache_dir": ".", "cache_subdir": "."},
    },
    "a function that is nowhere": {"module": "nowhere", "class_name": "nothing", "config": {}},
    "an unknown layer": {"module": "keras.layers", "class_name": "Nothing", "config": {}},
    "nothing": {},
}


def saved(folder: Path, model: keras.Model | None = None) -> Path:
    """Save a network as Keras does."""
    (model or shared()).save(folder / "net.keras")
    return folder / "net.keras"


def written(folder: Path, data: bytes) -> Path:
    """Write a file."""
    (folder / "net.keras").write_bytes(data)
    return folder / "net.keras"


def asked(path: Path) -> str:
    """Load a network, in its folder, and ask it; nothing has been written there."""
    before, here = sorted(path.parent.iterdir()), Path.cwd()
    os.chdir(path.parent)
    try:
        model = load_network(path)
        np.testing.assert_allclose(predict(model, image()[None]), predict(shared(), image()[None]), rtol=1e-4)
        return f"{model.name}, the same angle as before it was saved"
    finally:
        os.chdir(here)
        assert sorted(path.parent.iterdir()) == before, "a file was written"


def strange_name(folder: Path) -> str:
    """Save under a name that suits no file."""
    path = save_network(shared(), "meine Fahrt (ü) 日本/1")
    assert load_network("meine Fahrt (ü) 日本/1").name
    return path.name


def members(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Change the members of a saved network."""
    with zipfile.ZipFile(path) as file:
        data = {name: change(name, file.read(name)) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in data.items():
            file.writestr(name, content)
    return path


def other_zip(folder: Path) -> str:
    """Load an archive that is no network."""
    with zipfile.ZipFile(folder / "net.keras", "w") as file:
        file.writestr("data.txt", "0.png 1.5")
    return asked(folder / "net.keras")


def cut_off(share: float, folder: Path) -> str:
    """Load a download that ended early."""
    path = saved(folder)
    os.truncate(path, int(share * path.stat().st_size))
    return asked(path)


def changed(folder: Path) -> str:
    """Load a network that has changed on its way."""
    path = saved(folder)
    data = bytearray(path.read_bytes())
    place = data.rfind(b"\x89HDF") + 4000
    data[place] ^= 0xFF
    return asked(written(folder, bytes(data)))


def bomb(folder: Path) -> str:
    """Load a network that is small on the disk only."""
    path = saved(folder)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("more", bytes(1000))
        file.getinfo("more").file_size = 600 * 2**20
    return asked(path)


def old(name: str, folder: Path) -> str:
    """Load what Keras wrote until version 2."""
    shared().save_weights(folder / "net.weights.h5")
    (folder / "net.weights.h5").rename(folder / name)
    return asked(folder / name)


def folder_as_model(folder: Path) -> str:
    """Load a folder."""
    (folder / "net.keras").mkdir()
    return asked(folder / "net.keras")


def named(ending: str, folder: Path) -> str:
    """Load a file of another kind."""
    (folder / f"net{ending}").write_bytes(b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.")
    return asked(folder / f"net{ending}")


def averaging(size: tuple[int | None, ...]) -> keras.Model:
    """Build a network that sees the mean color."""
    picture = keras.Input(size, name="picture")
    x = LAYERS.GlobalAveragePooling2D(name="average")(picture)
    return keras.Model(picture, LAYERS.Dense(1, name="angle")(x), name="averaging")


def flat(size: tuple[int, ...]) -> keras.Model:
    """Build a network without convolutions."""
    picture = keras.Input(size, name="picture")
    return keras.Model(picture, LAYERS.Dense(1, name="angle")(LAYERS.Flatten(name="flatten")(picture)), name="flat")


def rescaling(scale: float) -> keras.Model:
    """Build a network that rescales its pictures itself."""
    picture = keras.Input((66, 200, 3), name="picture")
    return keras.Model(picture, averaging((66, 200, 3))(LAYERS.Rescaling(scale, name="brightness")(picture)))


def udacity() -> keras.Model:
    """Build a network that cuts sky and hood off, as those of Udacity's course do."""
    layers = [
        keras.Input((160, 320, 3)),
        LAYERS.Rescaling(1 / 255, -0.5),
        LAYERS.Cropping2D(((70, 25), (0, 0))),
        LAYERS.Conv2D(2, 5, 4, activation="elu"),
        LAYERS.Flatten(),
        LAYERS.Dense(1),
    ]
    return keras.Sequential(layers)


def two_heads(nested: Callable = dict) -> keras.Model:
    """Build a network that answers with an angle and a throttle, in a dictionary or a list."""
    picture = keras.Input((120, 160, 3), name="camera")
    x = LAYERS.Flatten()(LAYERS.Conv2D(2, 5, 4, activation="relu")(picture))
    heads = {name: LAYERS.Dense(1, name=name)(x) for name in ("wheel", "pedal")}
    return keras.Model([picture], heads if nested is dict else list(heads.values()), name="two_heads")


def bounded() -> keras.Model:
    """Build a network that answers between -1 and 1."""
    picture = keras.Input((66, 200, 3))
    return keras.Model(picture, LAYERS.Dense(1, activation="tanh")(LAYERS.GlobalAveragePooling2D()(picture)))


def half() -> keras.Model:
    """Build a network that computes in half precision."""
    picture = keras.Input((66, 200, 3))
    x = LAYERS.Conv2D(2, 5, 4, activation="relu", dtype="mixed_float16")(picture)
    return keras.Model(picture, LAYERS.Dense(1)(LAYERS.GlobalAveragePooling2D()(x)))


def sequential() -> keras.Model:
    """Build a chain of layers."""
    layers = [keras.Input((66, 200, 3)), LAYERS.Conv2D(2, 5, 4), LAYERS.GlobalAveragePooling2D(), LAYERS.Dense(1)]
    return keras.Sequential(layers)


# What is built, how it is described, and what Keras is asked for its answer in radians.
OTHERS: dict[str, tuple[Callable, dict, Callable]] = {
    "input of 64 × 64 pixels": (partial(averaging, (64, 64, 3)), {}, lambda model, x: model(x)),
    "input of 160 × 320 pixels, cut by the network": (udacity, {}, lambda model, x: model(255 * x)),
    "input of any size, which is said": (
        partial(averaging, (None, None, 3)),
        {"size": (50, 60)},
        lambda model, x: model(x),
    ),
    "a Sequential model": (sequential, {}, lambda model, x: model(x)),
    "a network inside a network, in 0...255": (partial(rescaling, 1 / 255), {}, lambda model, x: model(255 * x)),
    "half precision": (half, {}, lambda model, x: model(x)),
    "an angle and a throttle, of which one is named": (
        two_heads,
        {"output": "wheel", "unit": "degrees", "sign": -1},
        lambda model, x: -np.radians(model([x])["wheel"]),
    ),
    "an angle and a throttle in a list": (
        partial(two_heads, list),
        {"output": 0, "range": (0, 255), "color": "BGR"},
        lambda model, x: model([255 * x[..., ::-1]])[0],
    ),
    "an answer between -1 and 1": (bounded, {}, lambda model, x: model(x)),
    "an answer in fractions of full lock": (
        bounded,
        {"unit": "fraction", "full_lock": 30},
        lambda model, x: np.radians(30 * model(x)),
    ),
}


def other(build: Callable, description: dict, ask: Callable, folder: Path) -> str:
    """Load a network of another form, and ask it what Keras is asked, too."""
    keras.utils.set_random_seed(0)
    found = load_network(saved(folder, model := build()), **description)
    pictures = np.random.default_rng(0).random((2, *found.size, 3), np.float32)
    expected = np.degrees(ask(model, pictures)).ravel()
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(found.angles(pictures), expected, rtol=0.02 if build is half else 1e-3, atol=1e-3)
    return f"sees {found.size[0]} × {found.size[1]} pixels, the angle that Keras gives"


def loaded(folder: Path, model: keras.Model, **description: object) -> str:
    """Load a network."""
    return load_network(saved(folder, model), **description).name


@keras.saving.register_keras_serializable("writer")
class Whole(keras.Model):
    """A network that only its writer has."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Nothing is to be built."""

    def call(self, pictures: object) -> object:
        """Answer with the mean brightness."""
        return keras.ops.mean(pictures, axis=(1, 2, 3))[:, None]


def own_class(folder: Path) -> str:
    """Load a network whose class is not Keras's."""
    model = Whole(name="whole")
    model(np.zeros((1, 66, 200, 3), np.float32))
    path = saved(folder, model)
    known = keras.saving.get_custom_objects()
    kept = known.pop("writer>Whole")
    try:
        return asked(path)
    finally:
        known["writer>Whole"] = kept


def two_inputs(folder: Path) -> str:
    """Load a network that wants two pictures."""
    pictures = [keras.Input((66, 200, 3), name=name) for name in ("left", "right")]
    x = LAYERS.GlobalAveragePooling2D()(LAYERS.Add()(pictures))
    return asked(saved(folder, keras.Model(pictures, LAYERS.Dense(1)(x))))


def per_pixel(folder: Path) -> str:
    """Load a network that answers with a picture."""
    picture = keras.Input((66, 200, 3))
    return asked(saved(folder, keras.Model(picture, LAYERS.Conv2D(1, 1)(picture))))


def channels_first(folder: Path) -> str:
    """Load a network that exchanges the axes itself; no such convolution runs without a graphics card."""
    picture = keras.Input((66, 200, 3))
    x = LAYERS.Conv2D(2, 3, 4, data_format="channels_first", name="seen")(LAYERS.Permute((3, 1, 2))(picture))
    x = LAYERS.GlobalAveragePooling2D(data_format="channels_first")(x)
    return asked(saved(folder, keras.Model(picture, LAYERS.Dense(1)(x))))


def with_weight(value: float) -> keras.Model:
    """Build a network with one such weight."""
    model = network()
    kernel, bias = model.get_layer("conv2").get_weights()
    kernel.flat[3] = value
    model.get_layer("conv2").set_weights([kernel, bias])
    return model


def broken_weight(value: float, folder: Path) -> str:
    """Load a network after a training that diverged."""
    return asked(saved(folder, with_weight(value)))


def save_nan(folder: Path) -> str:
    """Save a network after a training that diverged."""
    return str(save_network(with_weight(np.nan), "diverged"))


def lambda_layer(folder: Path) -> str:
    """Load a network with code in it."""
    picture = keras.Input((66, 200, 3), name="picture")
    x = LAYERS.Lambda(lambda x: (open("pwned", "w"), x)[1], name="code")(picture)
    (folder / "pwned").unlink(missing_ok=True)
    path = saved(folder, keras.Model(picture, LAYERS.Dense(1)(LAYERS.Flatten(name="flat")(x))))
    Path("pwned").unlink(missing_ok=True)
    return asked(path)


def hidden_lambda(folder: Path) -> str:
    """Load a network with code in a network inside it."""
    inner = keras.Sequential([keras.Input((66, 200, 3), name="picture"), LAYERS.Lambda(lambda x: x, name="code")])
    picture = keras.Input((66, 200, 3))
    return asked(saved(folder, keras.Model(picture, LAYERS.Dense(1)(LAYERS.Flatten()(inner(picture))))))


def payload(config: dict, folder: Path) -> str:
    """Load a network whose configuration calls for something else."""

    def change(name: str, data: bytes) -> bytes:
        if name != "config.json":
            return data
        whole = json.loads(data)
        whole["config"]["layers"][1] = {**whole["config"]["layers"][1], **config, "registered_name": None}
        return json.dumps(whole if config else {}).encode()

    return asked(members(saved(folder), change))


@keras.saving.register_keras_serializable("writer")
class Own(LAYERS.Layer):
    """A layer that only its writer has."""

    def call(self, x: object) -> object:
        """Do nothing."""
        return x


def own_layer(folder: Path) -> str:
    """Load a network with a layer that is not Keras's."""
    picture = keras.Input((66, 200, 3))
    path = saved(folder, keras.Model(picture, LAYERS.Dense(1)(LAYERS.Flatten()(Own()(picture)))))
    known = keras.saving.get_custom_objects()
    kept = known.pop("writer>Own")
    try:
        return asked(path)
    finally:
        known["writer>Own"] = kept


def linked_weights(folder: Path) -> str:
    """Load weights that are read from another file."""
    secret = folder / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = np.ones((3, 3, 3, 2), np.float32)

    def change(name: str, data: bytes) -> bytes:
        if not name.endswith(".h5"):
            return data
        with h5py.File(stream := BytesIO(data), "r+") as file:
            place = file["layers/conv2d/vars"]
            del place["0"]
            place["0"] = h5py.ExternalLink(str(secret), "kernel")
        return stream.getvalue()

    return asked(members(saved(folder), change))


def pickled_weights(folder: Path) -> str:
    """Load weights that are a pickle."""
    code = b"\x80\x04cposix\nsystem\n(S'touch pwned'\ntR."
    return asked(members(saved(folder), lambda name, data: code if name.endswith(".h5") else data))


def save_as(name: str, folder: Path) -> str:
    """Save under a name that is none, or taken."""
    return str(save_network(shared(), name))


def save_outside(folder: Path) -> str:
    """Save under a name that climbs: it does not."""
    path = save_network(shared(), "../../x")
    assert path.parent == Path(os.environ["STEERLIB_MODELS"]) and path.is_file()
    return path.name
