"""Arguments of the public functions: wrong shape, type, range or choice, and the extremes that work."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import keras
import numpy as np
from table import Case
from tools import PILOTNET, image, in_memory, network, picture, shared

from steerlib import trust, world
from steerlib.drives import (
    Drive,
    crop_road,
    load_drive,
    preprocess,
    read_frame,
    split,
    suspect_labels,
)
from steerlib.maps import METHODS, explain
from steerlib.maps.cam import cam, ledger
from steerlib.maps.grad_cam import grad_cam, layer_gradient
from steerlib.maps.gradient_times_input import gradient_times_input
from steerlib.maps.gradients import image_gradients
from steerlib.maps.hires_cam import hires_cam
from steerlib.maps.hypercolumns import activations, hypercolumns
from steerlib.maps.integrated_gradients import integrated_gradients
from steerlib.maps.occlusion import occlude, occlusion_map
from steerlib.maps.smooth_grad import smooth_grad
from steerlib.maps.visual_backprop import visual_backprop
from steerlib.networks.cells_to_pixels import cell_centers
from steerlib.networks.files import save_network
from steerlib.networks.network import Network, as_network
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import evaluate, predict, train
from steerlib.show import overlay
from steerlib.show.film import render_video
from steerlib.world import driving

MAKERS: dict[str, Callable] = {
    "occlusion_map": partial(occlusion_map, sizes=(30,), stride=20),
    "hypercolumns": partial(hypercolumns, layers=("conv1", "conv2", "conv3")),
    "visual_backprop": visual_backprop,
    "grad_cam": grad_cam,
    "hires_cam": hires_cam,
    "cam": cam,
    "ledger": ledger,
    "gradient_times_input": gradient_times_input,
    "integrated_gradients": partial(integrated_gradients, steps=2),
    "smooth_grad": partial(smooth_grad, samples=2),
    "activations": activations,
    "layer_gradient": layer_gradient,
    "deletion": lambda model, image: trust.deletion(model, image, np.ones((66, 200)), steps=2),
    "shift_test": lambda model, image: trust.shift_test(model, image, np.ones((66, 200))),
    "explain": lambda model, image: explain(model, image, "grad-cam"),
}
HINT = "steerlib.preprocess"
IMAGES: dict[str, tuple[Callable[[], object], str]] = {
    "values from 0 to 255": (lambda: image() * 255, r"expected values in \[0, 1\].*" + HINT),
    "uint8": (lambda: np.zeros((66, 200, 3), np.uint8), r"expected values in \[0, 1\].*" + HINT),
    "values from -1 to 1": (
        lambda: np.linspace(-1, 1, 39600).reshape(66, 200, 3),
        r"expected values in \[0, 1\].*" + HINT,
    ),
    "NaN": (lambda: image() * np.nan, r"expected values in \[0, 1\], got float32 from nan"),
    "one infinite value": (lambda: image() + np.where(image() == image().max(), np.inf, 0), "to inf"),
    "a frame as it was recorded": (picture, r"\(66, 200, 3\).*got \(64, 100, 3\).*" + HINT),
    "gray": (lambda: image()[..., 0], r"got \(66, 200\)"),
    "four channels": (lambda: np.zeros((66, 200, 4), np.float32), r"got \(66, 200, 4\)"),
    "channels first": (lambda: np.zeros((3, 66, 200), np.float32), r"got \(3, 66, 200\)"),
    "rows and columns exchanged": (lambda: np.zeros((200, 66, 3), np.float32), r"got \(200, 66, 3\)"),
    "nothing": (lambda: None, "expected an array of numbers, got object"),
    "text": (lambda: "frame.jpg", "expected an array of numbers, got <U9"),
    "complex numbers": (lambda: image().astype(complex), "expected an array of numbers, got complex128"),
    "objects": (lambda: image().astype(object), "expected an array of numbers, got object"),
    "no pixels": (lambda: np.zeros((0, 200, 3), np.float32), r"got \(0, 200, 3\)"),
    "a ragged list": (lambda: [[0.0], [0.0, 1.0]], "arrays of several shapes"),
}
FOR_ALL = ("values from 0 to 255", "NaN", "a frame as it was recorded", "nothing")
GOOD_IMAGES: dict[str, Callable[[], object]] = {
    "float64": lambda: image().astype(float),
    "float16": lambda: image().astype(np.float16),
    "read-only": lambda: np.broadcast_to(np.float32(0.5), (66, 200, 3)),
    "a view with negative strides": lambda: image()[:, ::-1],
    "lists": lambda: image().tolist(),
    "black": lambda: np.zeros((66, 200, 3), np.float32),
    "white": lambda: np.ones((66, 200, 3), np.float32),
}
MODELS: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: None, "expected a Keras model, got NoneType"),
    "a name": (lambda: "pilotnet", "expected a Keras model, got str: steerlib.load_network"),
    "two outputs": (lambda: network(outputs=2), r"answers \(None, 2\): expected \(None, 1\)"),
    "channels first": (lambda: flat((3, 66, 200)), r"takes \(None, 3, 66, 200\): expected pictures"),
    "not built": (
        lambda: keras.Sequential([keras.layers.Dense(1)], name="bare"),
        r"'bare' does not say which pictures it takes: say size=",
    ),
    "several inputs": (lambda: two_inputs(), r"takes 2 inputs \(left .*, right .*\): expected one picture among them"),
    "a class of its own": (lambda: Bought(name="bought"), r"class of its own \(Bought\), whose layers are not known"),
    "a function": (lambda: ahead, r"does not say which pictures it takes: say size"),
}


def flat(size: tuple[int, ...]) -> keras.Model:
    """Build a network without convolutions."""
    picture = keras.Input(size)
    return keras.Model(picture, keras.layers.Dense(1)(keras.layers.Flatten()(picture)), name="flat")


def two_inputs() -> keras.Model:
    """Build a network that wants two pictures."""
    pictures = [keras.Input((66, 200, 3), name=name) for name in ("left", "right")]
    x = keras.layers.Flatten()(keras.layers.Add()(pictures))
    return keras.Model(pictures, keras.layers.Dense(1)(x), name="two")


class Bought(keras.Model):
    """A network whose layers only it knows."""

    def call(self, pictures: object) -> object:
        """Answer with the mean brightness."""
        return keras.ops.mean(pictures, axis=(1, 2, 3))


def ahead(pictures: np.ndarray) -> np.ndarray:
    """Steer straight on."""
    return np.zeros(len(pictures), np.float32)


def black_box(answer: Callable = ahead) -> Network:
    """Make a network of a function."""
    return as_network(answer, "ahead", size=(66, 200))


def call(function: Callable, *arguments: object, **named: object) -> Callable[[Path], str]:
    """Make a case's act of a call; functions among the arguments that start a case are called first."""

    def act(folder: Path) -> str:
        given = [argument() if isinstance(argument, Later) else argument for argument in arguments]
        return summary(function(*given, **named))

    return act


class Later:
    """An argument that is made when the case is tried."""

    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make

    def __call__(self) -> object:
        """Make it."""
        return self.make()


NET, IMAGE, DRIVE = Later(shared), Later(image), Later(in_memory)
EMPTY = Later(lambda: in_memory().subset([]))
MAP = np.linspace(-1, 1, 66 * 200, dtype=np.float32).reshape(66, 200)


def summary(found: object) -> str:
    """Tell the shape of what was found; it is finite."""
    if isinstance(found, np.ndarray):
        assert found.dtype.kind not in "fc" or np.isfinite(found).all()
        return f"{found.dtype} {found.shape}, finite"
    if isinstance(found, dict) and found and isinstance(next(iter(found.values())), float):
        return ", ".join(f"{name} {value:.3g}" for name, value in found.items())
    return type(found).__name__


def descriptions() -> Iterator[tuple[str, Callable[[Path], str], str | None]]:
    """Give networks that are described, and what is told of them."""
    for settings, told in (
        ({"range": (0, 1000)}, r"range=\(0, 1000\): expected one of"),
        ({"range": 255}, "range=255: expected one of"),
        ({"color": "CMYK"}, "color='CMYK': expected one of RGB, BGR"),
        ({"unit": "turns"}, "unit='turns': expected one of radians, degrees, fraction"),
        ({"unit": "fraction", "full_lock": 0}, "full_lock=0: expected degrees"),
        ({"unit": "fraction", "full_lock": np.nan}, "full_lock=nan: expected degrees"),
        ({"unit": "fraction", "full_lock": "big"}, "full_lock='big': expected degrees"),
        ({"sign": 0}, "sign=0: expected one of 1, -1"),
        ({"output": "throttle"}, r"outputs angle \(None, 1\): say which is the angle .* not output='throttle'"),
        ({"output": 3}, "not output=3"),
        ({"size": (10, 10)}, r"size=\(10, 10\): network 'small' takes pictures of \(66, 200\)"),
        ({"size": 66}, r"size=66: expected \(height, width\)"),
        ({"size": (0, 200)}, r"size=\(0, 200\): expected \(height, width\)"),
        ({"crop": (1, 0)}, r"crop=\(1, 0\): expected"),
        ({"crop": 0.5}, "crop=0.5: expected"),
        ({"range": (0, 255), "color": "BGR", "unit": "fraction", "full_lock": 30, "sign": -1}, None),
    ):
        words = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        yield f"as_network with {words}", call(as_network, NET, **settings), told
    twice = Later(lambda: as_network(shared()))
    yield "as_network of a network, described again", call(as_network, twice, sign=-1), "described already: give sign"
    yield "as_network of a function with a unit", call(as_network, ahead, size=(9, 9), unit="degrees"), "takes no unit"
    for what, answer in (
        ("NaN", lambda pictures: np.full(len(pictures), np.nan)),
        ("nothing", lambda pictures: None),
        ("text", lambda pictures: "left"),
        ("two numbers for each picture", lambda pictures: np.zeros((len(pictures), 2))),
        ("one number for all pictures", lambda pictures: 0.0),
    ):
        asked = call(predict, Later(partial(black_box, answer)), DRIVE)
        yield f"predict of a function that answers {what}", asked, "'ahead': expected a finite angle for each of 3"
    none = Later(lambda: flat((66, 200, 3)))
    told = "'flat' has no convolution"
    yield "grad_cam of a network without convolutions", call(grad_cam, none, IMAGE), told
    yield "train of a function", call(train, Later(black_box), DRIVE, verbose=0), "no weights to train"
    yield "save_network of a function", call(save_network, Later(black_box), "x"), "no weights to save"
    yield (
        "train of a Sequential model",
        call(train, Later(lambda: keras.Sequential(flat((66, 200, 3)).layers, name="bought")), DRIVE, verbose=0),
        "'bought' cannot be trained as it is",
    )


def functions() -> Iterator[tuple[str, Callable[[Path], str], str | None]]:
    """Give calls with their names, and what is told of them."""
    net, one, three, none = NET, IMAGE, DRIVE, EMPTY
    few = {"sizes": (30,), "stride": 20}
    yield "occlusion_map of sizes 0", call(occlusion_map, net, one, (0,)), "sizes=.*at least 1 pixel"
    yield "occlusion_map of negative sizes", call(occlusion_map, net, one, (-15,)), "sizes=.*at least 1 pixel"
    yield "occlusion_map of no size", call(occlusion_map, net, one, ()), "sizes=.*expected one or more"
    yield "occlusion_map of a number for sizes", call(occlusion_map, net, one, 15), "sizes=15: expected one or more"
    yield "occlusion_map of half a pixel", call(occlusion_map, net, one, (15.5,)), "sizes=.*expected"
    yield "occlusion_map of text for sizes", call(occlusion_map, net, one, ("a",)), "sizes=.*expected"
    yield "occlusion_map of windows larger than the image", call(occlusion_map, net, one, (500,), 250), None
    yield "occlusion_map of stride 0", call(occlusion_map, net, one, (15,), 0), "stride=0: expected 1 to 15"
    yield "occlusion_map of a negative stride", call(occlusion_map, net, one, (15,), -2), "stride=-2: expected 1 to 15"
    yield (
        "occlusion_map of a stride above the size",
        call(occlusion_map, net, one, (15,), 16),
        "stride=16: expected 1 to 15",
    )
    yield "occlusion_map of half a stride", call(occlusion_map, net, one, (15,), 2.5), "stride=2.5: expected"
    yield (
        "occlusion_map filled with 255",
        call(occlusion_map, net, one, fill=255, **few),
        "fill=255: expected a number from 0",
    )
    yield "occlusion_map filled with NaN", call(occlusion_map, net, one, fill=np.nan, **few), "fill=nan: expected"
    yield (
        "occlusion_map filled with noise",
        call(occlusion_map, net, one, fill="noise", **few),
        "fill='noise': expected",
    )
    yield "occlusion_map filled with nothing", call(occlusion_map, net, one, fill=None, **few), "fill=None: expected"
    yield "occlusion_map in batches of 0", call(occlusion_map, net, one, batch_size=0, **few), "batch_size=0: expected"
    yield "occlude in the corner", call(occlude, one, (0, 0), 15), None
    yield "occlude beyond the image", call(occlude, one, (-90, 900), 15), None
    yield "occlude with size 0", call(occlude, one, (9, 9), 0), "size=0: expected at least 1"
    yield "occlude with a negative size", call(occlude, one, (9, 9), -5), "size=-5: expected at least 1"
    for maker in (grad_cam, hires_cam, layer_gradient):
        name = maker.__name__
        yield (
            f"{name} of an unknown layer",
            call(maker, net, one, "conv9"),
            "layer='conv9': expected a convolution of 'small', one of conv1",
        )
        yield (
            f"{name} of a layer that is none",
            call(maker, net, one, "steering"),
            "layer='steering': expected a convolution",
        )
        yield f"{name} of layer 3", call(maker, net, one, 3), "layer=3: expected a convolution"
    for target in ("up", "", None, 5):
        yield (
            f"grad_cam of the target {target!r}",
            call(grad_cam, net, one, "conv3", target),
            f"target={target!r}: expected one of",
        )
    yield "grad_cam of many images", call(grad_cam, net, Later(lambda: image()[None])), None
    yield "grad_cam of no image", call(grad_cam, net, np.zeros((0, 66, 200, 3), np.float32)), None
    yield "hypercolumns of no layer", call(hypercolumns, net, one, ()), "layers=.*expected one or more names"
    yield (
        "hypercolumns of one name",
        call(hypercolumns, net, one, "conv1"),
        "layers='conv1': expected one or more names",
    )
    yield "hypercolumns of an unknown layer", call(hypercolumns, net, one, ("conv9",)), "layer='conv9'"
    yield (
        "hypercolumns of a network without convolutions",
        call(hypercolumns, Later(lambda: flat((66, 200, 3))), one),
        "'flat' has no convolution",
    )
    yield (
        "activations of a network without convolutions",
        call(activations, Later(lambda: flat((66, 200, 3))), one),
        "'flat' has no convolution",
    )
    yield (
        "visual_backprop of a network without convolutions",
        call(visual_backprop, Later(lambda: flat((66, 200, 3))), one),
        "VisualBackProp needs convolutions; network 'flat' has none",
    )
    yield "cell_centers of an unknown layer", call(cell_centers, net, "conv9"), "layer='conv9'"
    yield "cam of a network without averaging", call(cam, Later(lambda: flat((66, 200, 3))), one), "CAM needs a Conv2D"
    yield "integrated_gradients of 0 steps", call(integrated_gradients, net, one, 0), "steps=0: expected at least 1"
    yield "integrated_gradients from NaN", call(integrated_gradients, net, one, 2, np.nan), "fill=nan"
    yield "smooth_grad of 0 samples", call(smooth_grad, net, one, 0), "samples=0.*expected at least 1"
    yield "smooth_grad of negative noise", call(smooth_grad, net, one, 2, -1.0), "noise=-1.0.*expected"
    yield "smooth_grad of noise NaN", call(smooth_grad, net, one, 2, np.nan), "noise=nan.*expected"
    yield "image_gradients of one image", call(image_gradients, net, one), None
    yield "explain by an unknown method", call(explain, net, one, "magic"), "method='magic': expected one of occlusion"
    yield "explain by no method", call(explain, net, one, None), "method=None: expected one of"
    for method in METHODS:
        yield (
            f"explain by {method} where the image is black",
            call(explain, net, np.zeros((66, 200, 3), np.float32), method, sizes=(30,), stride=20, layers=("conv1",)),
            None,
        )
    for name, maker in MAKERS.items():
        works = name in ("occlusion_map", "deletion", "shift_test")
        told = None if works else "of the black box 'ahead' only answers are known"
        yield f"{name} of a function", call(maker, Later(black_box), one), told
    yield from descriptions()
    yield "predict of one image without a batch", call(predict, net, one), "expected a batch of images.*np.newaxis"
    yield "predict of no image", call(predict, net, np.zeros((0, 66, 200, 3), np.float32)), None
    yield "predict of a number", call(predict, net, 5), "expected images"
    yield "predict in batches of 0", call(predict, net, three, 0), "batch_size=0: expected at least 1"
    yield "predict of a drive without frames", call(predict, net, none), None
    yield "evaluate on a drive without frames", call(evaluate, net, none), "no frames to evaluate on"
    yield "evaluate on one frame", call(evaluate, net, Later(lambda: in_memory(1))), None
    for name, settings, told in (
        ("no epoch", {"epochs": 0}, "epochs=0: expected at least 1"),
        ("batches of 0", {"batch_size": 0}, "batch_size=0: expected at least 1"),
        ("a learning rate of 0", {"learning_rate": 0.0}, "learning_rate=0.0: expected a number above 0"),
        ("a learning rate of NaN", {"learning_rate": np.nan}, "learning_rate=nan: expected a number above 0"),
        ("a patience of -1", {"patience": -1}, "patience=-1: expected at least"),
    ):
        yield f"train with {name}", call(train, Later(network), three, three, verbose=0, **settings), told
    yield "train on a drive without frames", call(train, Later(network), none, three, verbose=0), "no frames to train"
    yield (
        "train without validation",
        call(train, Later(network), three, none, verbose=0),
        "no frames to train or validate on",
    )
    yield (
        "train on two frames and find a validation",
        call(train, Later(network), three, verbose=0),
        "expected at least two to split",
    )
    yield "train until the weights are infinite", diverge, "training diverged"
    yield "pilotnet with a dropout of 1", call(pilotnet, 1.0), "dropout=1.0: expected"
    yield "pilotnet with a dropout of NaN", call(pilotnet, np.nan), "dropout=nan: expected"
    yield "save_network of what is none", call(save_network, None, "x"), "expected a Keras model, got NoneType"

    frame = picture()
    for crop in ((0.5, 0.5), (0.8, 0.2), (-0.1, 1.0), (0.0, 1.1), (0.5,), None, (np.nan, 1.0), ("a", "b"), 0.5):
        yield f"crop_road with crop={crop}", call(crop_road, frame, crop), r"crop=.*expected \(top, bottom\)"
    yield "load_drive with crop=(1, 0)", lambda _: summary(load_drive(crop=(1, 0))), r"crop=\(1, 0\): expected"
    for name, wrong in (
        ("floats", frame / 255),
        ("grays", frame[..., 0]),
        ("four channels", np.zeros((64, 100, 4), np.uint8)),
        ("no rows", frame[:0]),
        ("no columns", frame[:, :0]),
        ("nothing", None),
        ("a name", "frame.jpg"),
    ):
        yield f"preprocess of {name}", call(preprocess, wrong), "frame is .*: expected uint8 RGB|frame has .* pixels"
    yield "read_frame of a folder", lambda folder: summary(read_frame(folder)), "Is a directory"
    yield "read_frame of nothing", lambda folder: summary(read_frame(folder / "a.jpg")), "No such file"
    yield "read_frame of a device", lambda _: summary(read_frame("/dev/zero")), "is no file"
    arrays = Drive.from_arrays
    yield "from_arrays of fewer angles", call(arrays, "d", [frame], []), "0 angles for 1 frames"
    yield "from_arrays of angles in a table", call(arrays, "d", [frame], [[1.0]]), "expected a list of angles"
    yield "from_arrays of NaN, which was not recorded", call(arrays, "d", [frame], [np.nan]), None
    yield "from_arrays of infinity", call(arrays, "d", [frame], [np.inf]), "angle 0 is not a finite number"
    yield "from_arrays of text for angles", call(arrays, "d", [frame], ["left"]), "expected a list of angles"
    yield "from_arrays of floats", call(arrays, "d", [frame / 255], [1.0]), "frame is float64 .*expected uint8 RGB"
    yield "from_arrays of no frames", call(arrays, "d", [], []), None
    yield "from_arrays of a wrong crop", call(arrays, "d", [frame], [1.0], crop=(1, 0)), "crop="
    for index in (3, -4, 10**9):
        yield f"frame {index} of three", call(Drive.frame, three, index), f"index {index} .*3"
    yield "the last frame as -1", call(Drive.frame, three, -1), None
    yield "images beyond the end", call(Drive.pictures, three, PILOTNET, [0, 7]), "index 7 .*3"
    yield "images of no indices", call(Drive.pictures, three, PILOTNET, []), None
    mask = np.array([True])
    yield "a mask of another length", call(Drive.pictures, three, PILOTNET, mask), "boolean index did not match"
    yield "split of a drive without frames", call(split, none), "0 frames make 0 block"
    yield "split of one frame", call(split, Later(lambda: in_memory(1)), 0.5, "shuffle"), "1 frames make 1 block"
    for settings in (
        {"validation": 0},
        {"validation": 1},
        {"validation": np.nan},
        {"by": "day"},
        {"block": 0},
    ):
        ((name, value),) = settings.items()
        yield f"split with {name}={value}", call(split, three, **settings), f"{name}="
    yield "suspect_labels of no frames", call(suspect_labels, none), None
    yield "suspect_labels of one frame", call(suspect_labels, Later(lambda: in_memory(1))), None
    yield "suspect_labels with threshold NaN", call(suspect_labels, three, np.nan), "threshold=nan: expected"

    yield "colorize of a map with NaN", call(overlay.colorize, MAP * np.nan), "values that are NaN or infinite"
    yield "colorize of a map of colors", call(overlay.colorize, frame), r"a map must be \(height, width\)"
    yield "colorize of zeros", call(overlay.colorize, 0 * MAP), None
    yield "colorize with a negative limit", call(overlay.colorize, MAP, -1.0), "limit must be finite and not negative"
    yield (
        "colorize of negative values as unsigned",
        call(overlay.colorize, MAP, 1.0, False),
        "an unsigned map cannot be negative",
    )
    yield "overlay on floats", call(overlay.overlay, frame / 255, MAP), r"a picture must be \(H, W, 3\) uint8"
    yield "overlay with strength 2", call(overlay.overlay, frame, MAP, strength=2.0), "strength must lie in"
    yield "focus with percentile 101", call(overlay.focus, frame, MAP, 101), "expected percentile in"
    yield "focus with a blur of NaN", call(overlay.focus, frame, MAP, blur=np.nan), "blur"
    yield "enlarge to a width of 0", call(overlay.enlarge, frame, 0), "width=0: expected"
    yield "enlarge to a negative width", call(overlay.enlarge, frame, -5), "width=-5: expected"
    yield (
        "enlarge of a column",
        call(overlay.enlarge, np.zeros((10000, 1, 3), np.uint8)),
        "pixels in all; got 9000000 rows",
    )
    yield (
        "colorize_labels of an unknown label",
        call(overlay.colorize_labels, np.full((9, 9), 77, np.uint8), world.LABELS),
        "labels .77. are not",
    )
    yield "draw_angles on a small picture", call(overlay.draw_angles, frame), "at least 60 by 240"
    yield "common_limit of nothing", call(overlay.common_limit, []), "map"

    pixels = MAP > 0
    for score in (trust.mass_accuracy, trust.rank_accuracy, trust.pointing_game):
        name = score.__name__
        yield f"{name} of another shape", call(score, MAP[:9], pixels), r"expected a map \(66, 200\), got"
        yield f"{name} of NaN", call(score, MAP * np.nan, pixels), "NaN or infinite"
    yield "important with share 0", call(trust.important, MAP, 0.0), "share=0.0"
    yield "important with a dilation of -1", call(trust.important, MAP, 0.2, -1), "dilation=-1"
    yield "matter of an unknown name", call(trust.matter, np.zeros((9, 9), np.uint8), 2, ("cat",)), "unknown labels"
    yield "matter of colors", call(trust.matter, frame), r"labels must be \(H, W\) uint8"
    yield "deletion in 0 steps", call(trust.deletion, net, one, MAP, "blur", 0), "steps=0: expected"
    yield "deletion by another map", call(trust.deletion, net, one, MAP[:9]), "expected a map"
    yield "shift_test by no shift", call(trust.shift_test, net, one, MAP, ()), "shifts=.*expected"
    yield "shift_test by 500 pixels", call(trust.shift_test, net, one, MAP, (0, 500)), "shifts=.*less than 200"
    yield "similarity of maps of two shapes", call(trust.similarity, MAP, MAP[:9]), "expected .*map"
    yield "summarize of nothing", call(trust.summarize, []), None
    yield (
        "randomizations of an unknown layer",
        lambda _: str(list(trust.randomizations(shared(), [("conv9",)]))),
        "layer 'conv9'",
    )

    yield "render_drive of no frame", call(world.render_drive, 0, 0), "a drive needs at least one frame"
    yield "render_views of no view", call(world.render_views, 0, 0), "at least one of each"
    yield "render_views of no road", call(world.render_views, [], 5), "at least one of each"
    yield "autonomy on no road", call(driving.autonomy, driving.reference, []), "0 roads"
    yield (
        "autonomy for no time",
        call(driving.autonomy, driving.reference, 0, 0.0),
        "expected one or more, for at least",
    )
    yield "judge of nothing", call(driving.judge, []), "nothing was driven"
    for name, settings, told in (
        ("of no method", {"method": []}, "0 methods"),
        ("of an unknown method", {"method": "magic"}, "method='magic'"),
        ("of a drive without frames", {"drive": none}, "has 0 frames"),
        ("of an unknown layer", {"layer": "conv9"}, "layer='conv9'"),
        ("of an unknown target", {"target": "up"}, "target='up'"),
        ("with a setting that there is not", {"color": "red"}, "color.*expected"),
        ("100 pixels wide", {"width": 100}, "width=100: expected an even number of at least 320"),
        ("of an odd width", {"width": 401}, "width=401: expected an even number"),
        ("with -1 frames a second", {"fps": -1.0}, "fps=-1.0, .*expected"),
        ("with NaN frames a second", {"fps": np.nan}, "fps=nan, .*expected"),
        ("with a crf of 99", {"crf": 99}, "crf=99: expected .* a crf of 0 to 51"),
        ("called .avi", {"path": "film.avi"}, "ends in .mp4 or .webm"),
        ("in a folder that is not there", {"path": "nowhere/film.mp4"}, "expected a file in a folder that exists"),
    ):
        yield f"a film {name}", partial(film, settings), told


def cases() -> Iterator[Case]:
    """Give the cases."""
    for what, (make, told) in IMAGES.items():
        for name, function in MAKERS.items():
            if what in FOR_ALL or name == "grad_cam":
                yield Case(f"{name} of an image: {what}", call(function, NET, Later(make)), told)
    for what, (make, told) in IMAGES.items():
        if what not in ("nothing", "text", "a ragged list"):
            act = call(lambda net, made: predict(net, np.asarray(made)[np.newaxis]), NET, Later(make))
            yield Case(f"predict of a batch: {what}", act, told.replace(r"got \(", r"got \(1, "))
    for what, make in GOOD_IMAGES.items():
        yield Case(f"grad_cam of an image: {what}", call(grad_cam, NET, Later(make)))
    for what, (make, told) in MODELS.items():
        for name in ("occlusion_map", "hypercolumns", "grad_cam", "cam", "gradient_times_input"):
            yield Case(f"{name} of a network: {what}", call(MAKERS[name], Later(make), IMAGE), told)
        yield Case(f"predict of a network: {what}", call(predict, Later(make), Later(lambda: image()[None])), told)
    for name, act, told in functions():
        yield Case(name, act, told)


def diverge(folder: Path) -> str:
    """Train with a learning rate that is far too high."""
    keras.utils.set_random_seed(0)
    train(model := network(), in_memory(), in_memory(), epochs=1, learning_rate=1e30, verbose=0)
    return str(predict(model, in_memory()))


def film(settings: dict[str, object], folder: Path) -> str:
    """Make a film; nothing is left where it fails."""
    settings = {"drive": in_memory(), "method": "grad-cam", "path": "film.mp4", "progress": False} | settings
    drive, path = settings.pop("drive"), settings.pop("path")
    drive = drive() if isinstance(drive, Later) else drive
    try:
        return str(render_video(drive, shared(), path=folder / path, **settings))
    finally:
        assert list(folder.iterdir()) == []
