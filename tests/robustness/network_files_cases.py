"""Files of other people's networks that are damaged, or made to do harm."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from table import Case

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "networks"))
from files_made import PICTURE, chain, dense, evil, lambda_file, onnx_bytes, pictures, specs, write_h5

from steerlib.networks.files import load_network

KERNEL, BIAS = dense(720)
FIRST = {"name": "flat", "batch_input_shape": [None, *PICTURE]}
LAYERS = (("Flatten", FIRST), ("Dense", {"name": "d", "units": 1}))
WEIGHTS = {"d": {"d/kernel:0": KERNEL, "d/bias:0": BIAS}}
GOOD = chain(*LAYERS)


def cases() -> Iterator[Case]:
    """Give the cases."""
    yield Case("HDF5 of Keras 2", lambda folder: asked(write_h5(folder / "net.h5", GOOD, WEIGHTS)))
    yield Case("HDF5 whose description is JSON inside JSON", partial(described, json.dumps(json.dumps(GOOD))))
    yield Case("HDF5 whose layers have paths for names", climbing)
    yield Case("HDF5 with a Lambda, which is replaced", replaced)
    for form in ("latin-1", "base64"):
        yield Case(f"HDF5 with code that writes a file ({form})", partial(code, form, None), "code that is never run")
    yield Case(
        "HDF5 with code, a replacement that is code", partial(code, "base64", "open('pwned', 'w')"), "replace lam"
    )
    yield Case(
        "HDF5 with code, a replacement that is no number", partial(code, "base64", "x*1e999"), "replace lambda_1"
    )
    for share in (0.05, 0.5, 0.9, 0.999):
        yield Case(
            f"HDF5, cut off after {share:.1%}", partial(cut_off, share), "net.h5: expected an HDF5 file of Keras"
        )
    for name, (change, told) in INSIDE.items():
        yield Case(f"HDF5 {name}", partial(inside, change), told)
    for name, (description, told) in DESCRIPTIONS.items():
        yield Case(f"HDF5 whose description {name}", partial(described, description), told)
    yield Case("a description of 200 MB", long_text, "model.json has 200,000,000 bytes: expected at most")
    yield Case("a description beside another network", another, "net.toml: was written for another net.h5")
    yield Case("a description without weights", lonely, "expected its weights beside it, model.h5")
    yield Case("an ONNX file", good_onnx)
    outside = onnx_bytes(kernel=dense(90)[0], external="../../etc/passwd")
    yield Case(
        "ONNX with weights elsewhere", lambda folder: onnx(folder, outside), "expected a file in the same folder"
    )
    half = onnx_bytes(kernel=dense(90)[0])[:200]
    yield Case("ONNX, cut off", lambda folder: onnx(folder, half), "net.onnx: expected an ONNX network; it ends early")
    yield Case("TensorFlow Lite of zeros", lite, "net.tflite: expected a TensorFlow Lite model")
    yield Case("a SavedModel that nobody trusts", program, "holds a program, .*trust_program=True")


def asked(path: Path, **choices: object) -> str:
    """Load a network and ask it: nothing was written."""
    before = sorted(path.parent.iterdir())
    try:
        found = load_network(path, **choices).angles(pictures())
        scale = 127.5 if choices else 1
        expected = np.degrees((pictures() / scale - (scale > 1)).reshape(3, -1) @ KERNEL + BIAS)
        np.testing.assert_allclose(found, expected.ravel(), rtol=1e-3, atol=1e-2)
        return "the angle that its weights give"
    finally:
        assert sorted(path.parent.iterdir()) == before, "a file was written"


def described(description: object, folder: Path) -> str:
    """Load a network of this description."""
    return asked(write_h5(folder / "net.h5", description, WEIGHTS))


def climbing(folder: Path) -> str:
    """Load a network whose names lead out of a folder, if somebody follows them."""
    layers = (("Flatten", FIRST), ("Dense", {"name": "../../d", "units": 1}))
    return asked(write_h5(folder / "net.h5", chain(*layers), {"../../d": WEIGHTS["d"]}))


def replaced(folder: Path) -> str:
    """Say what stands in the place of a Lambda."""
    path, kernel, bias = lambda_file(folder / "net.h5", evil(folder / "pwned")["latin-1"])
    found = load_network(path, replace={"lambda_1": "x/127.5-1"}).angles(pictures())
    expected = np.degrees((2 * pictures() - 1).reshape(3, -1) @ kernel + bias).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
    assert sorted(folder.iterdir()) == [path]
    return "the angle that its weights give, and nothing was written"


def code(form: str, text: str | None, folder: Path) -> str:
    """Load a network with a program in it."""
    path, _, _ = lambda_file(folder / "net.h5", evil(folder / "pwned")[form])
    return asked(path, **({"replace": {"lambda_1": text}} if text else {}))


def cut_off(share: float, folder: Path) -> str:
    """Load a download that ended early."""
    path = write_h5(folder / "net.h5", GOOD, WEIGHTS)
    os.truncate(path, int(share * path.stat().st_size))
    return asked(path)


def inside(change: Callable[[h5py.File, Path], None], folder: Path) -> str:
    """Load a file in which something was changed."""
    path = write_h5(folder / "net.h5", GOOD, WEIGHTS)
    (folder / "secret").mkdir()
    with h5py.File(folder / "secret" / "secret.h5", "w") as secret:
        secret["kernel"] = KERNEL
    with h5py.File(path, "r+") as file:
        change(file, folder)
    return asked(path)


def _instead(make: Callable[[h5py.Group, Path], None]) -> Callable[[h5py.File, Path], None]:
    def change(file: h5py.File, folder: Path) -> None:
        group = file["model_weights/d/d"]
        del group["kernel:0"]
        make(group, folder)

    return change


def _virtual(group: h5py.Group, folder: Path) -> None:
    layout = h5py.VirtualLayout(KERNEL.shape, "f4")
    layout[:] = h5py.VirtualSource(str(folder / "secret" / "secret.h5"), "kernel", KERNEL.shape)
    group.create_virtual_dataset("kernel:0", layout)


def _kept_outside(group: h5py.Group, folder: Path) -> None:
    path = str(folder / "secret" / "secret.h5")
    group.create_dataset("kernel:0", KERNEL.shape, "f4", external=[(path, 0, KERNEL.nbytes)])


def _link(target: str) -> Callable[[h5py.Group, Path], None]:
    def make(group: h5py.Group, folder: Path) -> None:
        secret = str(folder / "secret" / "secret.h5")
        own = f"{group.name}/kernel:0"
        links = {"soft": h5py.SoftLink("/nowhere"), "external": h5py.ExternalLink(secret, "kernel")}
        links |= {"itself": h5py.SoftLink(own), "itself, by its file": h5py.ExternalLink(group.file.filename, own)}
        group["kernel:0"] = links[target]

    return make


def _group_link(file: h5py.File, folder: Path) -> None:
    del file["model_weights"]
    file["model_weights"] = h5py.ExternalLink(str(folder / "secret" / "secret.h5"), "/")


def _circle(group: h5py.Group, folder: Path) -> None:
    group["kernel:0"] = group  # a hard link to itself: whoever walks through everything never ends


def _round(file: h5py.File, folder: Path) -> None:
    group = file["model_weights/d/d"]
    group["d"] = group
    file["model_weights/d"].attrs["weight_names"] = np.array([b"d/" * 500 + b"kernel:0", b"d/bias:0"])


def _bomb(group: h5py.Group, folder: Path) -> None:
    group.create_dataset("kernel:0", (10**6, 10**5), "f4", chunks=(1000, 1000), compression="gzip")


def _set(value: object) -> Callable[[h5py.Group, Path], None]:
    return lambda group, folder: group.__setitem__("kernel:0", value)


def _names(name: str, value: object) -> Callable[[h5py.File, Path], None]:
    return lambda file, folder: file["model_weights"].attrs.__setitem__(name, value)


INSIDE: dict[str, tuple[Callable, str]] = {
    "with a link to another file": (_instead(_link("external")), "is a link to somewhere else"),
    "with a link to nowhere": (_instead(_link("soft")), "is a link to somewhere else"),
    "with a link to itself": (_instead(_link("itself")), "is a link to somewhere else"),
    "with a link to itself by the name of its file": (
        _instead(_link("itself, by its file")),
        "is a link to somewhere else",
    ),
    "whose weights are a link": (_group_link, "'model_weights' is a link to somewhere else"),
    "with weights of several files": (_instead(_virtual), "its weights lie outside of the file"),
    "with weights in another file": (_instead(_kept_outside), "its weights lie outside of the file"),
    "with a group inside of itself": (_instead(_circle), "layer d: expected weights that are numbers"),
    "with a way round in circles": (_round, "layer d: expected weights that are numbers|there is no"),
    "that unpacks to 400 GB": (_instead(_bomb), "unpacks to .* MB: expected at most 512 MB"),
    "with weights of another shape": (_instead(_set(KERNEL[:5])), r"has weights \(5, 1\), \(1,\), expected \(720, 1\)"),
    "with weights that are text": (_instead(_set("text")), "layer d: expected weights that are numbers"),
    "with weights that are NaN": (_instead(_set(KERNEL * np.nan)), "not finite numbers: training diverged"),
    "without a weight": (_instead(lambda group, folder: None), "there is no 'd/kernel:0' in the file"),
    "without the list of its layers": (_names("layer_names", np.array([b""])), "no weights for its layer d"),
    "with a list of layers that are not there": (
        _names("layer_names", np.array([b"gone"])),
        "there is no 'gone' in the",
    ),
}


def _graph(*nodes: tuple[str, str]) -> dict:
    layers = [{"class_name": "InputLayer", "config": FIRST | {"name": "a"}, "inbound_nodes": []}]
    layers += [
        {"class_name": "Flatten", "config": {"name": name}, "inbound_nodes": [[[before, 0, 0]]]}
        for name, before in nodes
    ]
    ends = {"input_layers": [["a", 0, 0]], "output_layers": [[nodes[-1][0], 0, 0]]}
    return {
        "class_name": "Model",
        "config": {"name": "m", "layers": [one | {"name": one["config"]["name"]} for one in layers]} | ends,
    }


def _deep(times: int) -> dict:
    found = GOOD
    for _ in range(times):
        found = {"class_name": "Sequential", "config": [found]}
    return found


DESCRIPTIONS: dict[str, tuple[object, str]] = {
    "is no JSON": (b"{class_name", "is no JSON"),
    "is a number": (b"3", "is not that of a Keras model"),
    "is nested 100,000 deep": (b"[" * 100_000, "nested too deep|is no JSON"),
    "is nested 100,000 deep and ends": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deep"),
    "has 17 million characters": (b" " * 17_000_000, "has 17,000,000 characters: expected at most"),
    "has 3,000 layers": (chain(*LAYERS[:1], *[("Dropout", {"rate": 0.1})] * 3000), "more than 2000 layers"),
    "has 20 models inside of models": (_deep(20), "more than 8 models inside of models|does not say the size"),
    "has a billion units": (
        chain(LAYERS[0], ("Dense", {"name": "d", "units": 10**9})),
        "layer d has 720×1000000000 weigh",
    ),
    "has 10¹² weights": (
        chain(LAYERS[0], ("Dense", {"units": 10**6}), ("Dense", {"name": "d", "units": 10**6})),
        "weights: expected a network of at most 512 MB",
    ),
    "has pictures of a million pixels a side": (
        chain(("Flatten", FIRST | {"batch_input_shape": [None, 10**6, 10**6, 3]})),
        "it takes .*: expected pictures",
    ),
    "has layers that wait for each other": (_graph(("b", "c"), ("c", "b")), "layers b, c wait for each other"),
    "has a layer that waits for nothing": (
        _graph(("b", "gone")),
        "layers b wait for each other, or for one that is not",
    ),
    "names a function of Python": (
        chain(("Flatten", FIRST), ("os.system", {})),
        "class 'os.system', which is not known",
    ),
    "names a module": (
        {"class_name": "Sequential", "config": [{"module": "os", "class_name": "system", "config": FIRST}]},
        "class 'system', which is not known",
    ),
    "is of another class": (
        {"class_name": "Popen", "config": {"layers": specs(*LAYERS)}},
        r"a class of its own \(Popen\)",
    ),
    "has settings that are a list": (
        {"class_name": "Sequential", "config": [*specs(("Flatten", FIRST)), {"class_name": "Dense", "config": [1]}]},
        "expected a class and its settings",
    ),
}


def long_text(folder: Path) -> str:
    """Load a description that fills the memory."""
    write_h5(folder / "model.h5", None, WEIGHTS, alone=True)
    with (folder / "model.json").open("wb") as file:
        file.truncate(200_000_000)
    return asked(folder / "model.h5")


def another(folder: Path) -> str:
    """Load a network beside which the description of an older one of its name was left."""
    path = write_h5(folder / "net.h5", GOOD, WEIGHTS)
    (folder / "net.toml").write_text(f'sha256 = "{"0" * 64}"\nsign = -1\n')
    return asked(path)


def lonely(folder: Path) -> str:
    """Load a description of a network that is not there."""
    (folder / "model.json").write_text(json.dumps(GOOD))
    return asked(folder / "model.json")


def onnx(folder: Path, content: bytes) -> str:
    """Load an ONNX file."""
    (folder / "net.onnx").write_bytes(content)
    return asked(folder / "net.onnx")


def good_onnx(folder: Path) -> str:
    """Load an ONNX file, which takes channels first, and ask it."""
    kernel = dense(90)[0]
    (folder / "net.onnx").write_bytes(onnx_bytes(kernel=kernel))
    seen = np.random.default_rng(0).random((3, 6, 5, 3), np.float32)
    expected = np.degrees(seen.transpose(0, 3, 1, 2).reshape(3, -1) @ kernel)
    np.testing.assert_allclose(load_network(folder / "net.onnx").angles(seen), expected.ravel(), rtol=1e-3, atol=1e-2)
    return "the angle that its weights give"


def lite(folder: Path) -> str:
    """Load a file that only says that it is TensorFlow Lite."""
    (folder / "net.tflite").write_bytes(b"\0\0\0\0TFL3" + bytes(1000))
    return asked(folder / "net.tflite")


def program(folder: Path) -> str:
    """Load a folder that TensorFlow would run."""
    (folder / "net").mkdir()
    (folder / "net" / "saved_model.pb").write_bytes(b"\x08\x01")
    return load_network(folder / "net").name
