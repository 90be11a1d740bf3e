"""The exercises: stubs and solutions belong together, and each usual wrong answer meets its own hint."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import cv2
import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf

from steerlib import exercises, trust
from steerlib.drives import Drive, load_drive, preprocess
from steerlib.maps import explain
from steerlib.maps.cam import ledger
from steerlib.maps.fill import fill_image
from steerlib.maps.grad_cam import grad_cam
from steerlib.maps.hires_cam import hires_cam
from steerlib.maps.hypercolumns import activations, hypercolumns
from steerlib.maps.occlusion import occlude
from steerlib.networks.cells_to_pixels import cells_to_pixels
from steerlib.networks.training import predict
from steerlib.world import show_wheel
from steerlib.world.driving import constant, drive_roads

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))[1:]  # 00 has no exercises
CHECKS = sorted(name for name in vars(exercises) if name.startswith("check_"))
named = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


# ---------------------------------------------------------------- stubs and solutions


def cells_of(path):
    """The cells of a notebook from its exercises on, or all of a solution."""
    cells = nbformat.read(path, as_version=4).cells
    starts = [i for i, cell in enumerate(cells) if re.search(r"^## Exercises", cell.source, re.MULTILINE)]
    return cells[starts[0] :] if starts else cells


def exercises_of(path):
    """Titles, calls of checks, and signatures of the functions that they check."""
    cells = cells_of(path)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    trees = [ast.parse(cell.source) for cell in cells if cell.cell_type == "code"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("exercises.")]
    asked = {word.id for call in calls for word in call.args if isinstance(word, ast.Name)}
    functions = {node.name: ast.unparse(node.args) for node in nodes if isinstance(node, ast.FunctionDef)}
    return {
        "titles": re.findall(r"^(?:\*\*|## )(\d\. [^*\n]+?)\.?(?:\*\*|$)", prose, re.MULTILINE),
        "calls": [ast.unparse(call) for call in calls],
        "functions": {name: functions[name] for name in sorted(asked & set(functions))},
    }


@named
def test_stubs_and_solutions_do_not_drift_apart(path):
    stubs, solutions = exercises_of(path), exercises_of(path.parent / "solutions" / path.name)
    assert stubs == solutions
    assert 2 <= len(stubs["titles"]) <= 5
    assert [title[0] for title in stubs["titles"]] == list("12345"[: len(stubs["titles"])])
    assert len(stubs["calls"]) == len(stubs["titles"]), "one check for each exercise"


@named
def test_each_solution_is_held_to_its_check(path):
    code = [cell.source for cell in cells_of(path.parent / "solutions" / path.name) if cell.cell_type == "code"]
    for source in code:
        calls, held = source.count("exercises.check_"), source.count("\nassert verdict.right")
        assert calls == held == source.count("verdict := exercises.check_")


@named
def test_an_untouched_stub_says_that_it_is_not_answered_yet(path):
    """As stored: the notebooks are executed with their stubs."""
    for cell in cells_of(path):
        if "exercises.check_" in cell.source:
            shown = [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
            assert shown == [f"… {exercises.NOT_YET}"]


def test_every_check_belongs_to_one_exercise():
    calls = [re.search(r"check_\w+", call)[0] for path in NOTEBOOKS for call in exercises_of(path)["calls"]]
    assert sorted(calls) == CHECKS


def test_the_module_does_not_wait_for_tensorflow():
    code = "import sys, steerlib.exercises; print(*{'tensorflow', 'keras'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == ""


# ---------------------------------------------------------------- verdicts


def test_a_verdict_is_one_line():
    assert repr(exercises.Verdict(True, "yes")) == "✓ yes"
    assert repr(exercises.Verdict(False, "no")) == "✗ no"
    assert repr(exercises.Verdict(None, "later")) == "… later"


RUBBISH = [[[1], [2, 3]], np.nan, lambda *_: 1 / 0, lambda *_: "words"]


@pytest.mark.parametrize("name", CHECKS)
def test_rubbish_gets_one_line(name, given):
    answers, rest = ANSWERS[name], given(name)
    for rubbish in RUBBISH:
        verdict = getattr(exercises, name)(*[rubbish] * answers, *rest)
        assert verdict.right is False
        assert verdict.message and "\n" not in verdict.message
    for blank in (..., lambda *_: ...):
        verdict = getattr(exercises, name)(*[blank] * answers, *rest)
        assert verdict.right is (None if blank is ... or takes_function(name) else False)


def takes_function(name):
    return "Callable" in str(getattr(exercises, name).__wrapped__.__annotations__)


# ---------------------------------------------------------------- usual wrong answers
# What a reader might write, by the beginning of the hint that it must meet. None: the right answer.


@pytest.fixture(scope="module")
def world(shipped_network):
    drive = load_drive(ROOT / "data" / "sample_drive")
    model, gap, part = shipped_network("pilotnet"), shipped_network("pilotnet_gap"), drive.subset(slice(0, 40))
    images = drive.pictures(model, [68, 9, 244])
    return SimpleNamespace(
        drive=drive,
        part=part,
        model=model,
        gap=gap,
        images=images,
        image=images[2],
        places=np.arange(0, 200, 10),
        accounts=np.array([ledger(gap, image) for image in part.pictures(gap)]),
        confused=shipped_network("pilotnet_confused"),
        logs=[
            log._replace(interventions=np.array(pictures))
            for log, pictures in zip(drive_roads(constant(0.0), [1, 2], 11.0, progress=False), ([30, 50], [70]))
        ],
        maps=hires_cam(model, drive.pictures(model, slice(0, 300, 10)), target="right", signed=True),
    )


@pytest.fixture(scope="module")
def given(world):
    """What a check gets beside the answer: name -> arguments."""
    rest = {
        "check_bends": [world.drive],
        "check_multiplications": [world.model],
        "check_colors": [world.images],
        "check_blurred_row": [world.model, world.image, world.places],
        "check_argument": [world.accounts, world.part],
        "check_wrong_sides": [world.model, world.drive],
        "check_by_channel": [world.gap, world.image],
        "check_with_columns": [world.image],
        "check_worth": [world.model, world.image, REGION],
        "check_saturated": [world.maps],
        "check_longest": [world.logs],
        "check_copies": [world.confused, world.images],
    }
    for name in ("band_effects", "halves", "correlations", "mean_of_layers", "without_channel"):
        rest[f"check_{name}"] = [world.model, world.image]
    for name in ("against_blur", "grad_cam_left", "evidence_of"):
        rest[f"check_{name}"] = [world.model, world.images]
    return lambda name: rest.get(name, [])


def bends(world):
    angles = world.drive.angles
    bend, off = np.abs(angles) > 20, angles - angles.mean()
    share = (off[bend] ** 2).sum() / (off**2).sum()
    yield None, (bend.sum(), share)
    yield "frames in bends: these are only the bends to the right", (np.sum(angles > 20), share)
    yield "frames in bends: these are only the bends to the left", (np.sum(angles < -20), share)
    yield "frames in bends: these are the frames that are not in bends", (np.sum(np.abs(angles) <= 20), share)
    yield "frames in bends: too large", (bend.sum() + 1, share)
    yield "share: this is in percent", (bend.sum(), 100 * share)
    yield "share: this is their share of the frames, not of the error", (bend.sum(), bend.mean())
    yield "share: the constant driver holds the mean", (bend.sum(), (angles[bend] ** 2).sum() / (angles**2).sum())
    yield "share: the error is to be squared", (bend.sum(), np.abs(off)[bend].sum() / np.abs(off).sum())
    yield "share: this is a sum of squares", (bend.sum(), (off[bend] ** 2).sum())
    yield "share: this is a mean of squares", (bend.sum(), (off[bend] ** 2).mean())


def repair(world):
    def putting(what):
        def repair(angles, suspects):
            copy = angles.copy()
            copy[suspects] = what(angles, suspects)
            return copy

        return repair

    def in_place(angles, suspects):
        angles[suspects] = (angles[suspects - 1] + angles[suspects + 1]) / 2
        return angles

    yield None, putting(lambda a, s: (a[s - 1] + a[s + 1]) / 2)
    yield "the function changes the array", in_place
    yield "nothing is replaced yet", lambda angles, suspects: angles
    yield "both neighbors count, not only the one before", putting(lambda a, s: a[s - 1])
    yield "both neighbors count, not only the one after", putting(lambda a, s: a[s + 1])
    yield "a mean of two is half of their sum", putting(lambda a, s: a[s - 1] + a[s + 1])
    yield "the suspicious angle itself", putting(lambda a, s: [a[i - 1 : i + 2].mean() for i in s])
    yield "only its two neighbors count", putting(lambda a, s: a.mean())
    yield "the suspicious frames are left out", np.delete
    yield "the function returns None", lambda angles, suspects: None
    yield "2 of 10 values are off, the first at index (3)", putting(lambda a, s: 1.0)


def mirror(world):
    yield None, lambda frame, angle: (cv2.flip(frame, 1), -angle)
    yield "the frame: it is as it was", lambda frame, angle: (frame, -angle)
    yield "the frame: up and down are exchanged: which axis", lambda frame, angle: (cv2.flip(frame, 0), -angle)
    yield "the frame: up and down are exchanged, too", lambda frame, angle: (cv2.flip(frame, -1), -angle)
    yield "the frame: the colors are exchanged (BGR)", lambda frame, angle: (frame[..., ::-1], -angle)
    yield "the frame: the colors are exchanged, too (BGR)", lambda frame, angle: (frame[:, ::-1, ::-1], -angle)
    yield "the frame: shape (6, 4, 3), expected (4, 6, 3)", lambda frame, angle: (np.rot90(frame), -angle)
    yield "the angle: a left bend becomes a right one", lambda frame, angle: (frame[:, ::-1], angle)
    yield "the angle: too small", lambda frame, angle: (frame[:, ::-1], -2 * angle)
    yield "expected 2 values, these are 4", lambda frame, angle: frame[:, ::-1]
    yield "expected 2 values, this is a float", lambda frame, angle: -angle
    yield "expected a function, this is a tuple", (1, 2)
    yield "mirror raised NameError: no such", wrong_name


def wrong_name(frame, angle):
    raise NameError("no such\nname")


wrong_name.__name__ = "mirror"


def network_input(world):
    def read(path, size=(200, 66), how=cv2.INTER_AREA, rows=slice(106, None)):
        return cv2.resize(cv2.imread(str(path))[rows, :, ::-1], size, interpolation=how) / 255

    yield None, lambda path: read(path).astype(np.float32)
    yield "red and blue are exchanged", lambda path: read(path)[..., ::-1]
    yield "the values reach to 255", lambda path: 255 * read(path)
    yield "the sky is still in it", lambda path: read(path, rows=slice(None))
    yield "this is the upper part", lambda path: read(path, rows=slice(0, 150))
    yield "rows and columns are exchanged", lambda path: read(path, (66, 200))
    yield "right, but for how the pixels are averaged", lambda path: read(path, how=cv2.INTER_LINEAR)
    yield "shape (256, 455, 3), expected (66, 200, 3)", lambda path: cv2.imread(str(path))


def multiplications(world):
    def by(formula):
        def count(layer):
            if "conv" not in layer.name:
                return layer.kernel.shape[0] * layer.kernel.shape[1]
            places, (side, _, inputs, filters) = layer.output.shape[1] * layer.output.shape[2], layer.kernel.shape
            return formula(layer, places, side * side, inputs, filters)

        return count

    yield None, by(lambda layer, places, window, inputs, filters: places * window * inputs * filters)
    yield "these are the layer's parameters", lambda layer: layer.count_params()
    yield "these are the kernel's weights", by(lambda layer, places, window, inputs, filters: window * inputs * filters)
    yield (
        "a bias is added, not multiplied",
        lambda layer: np.prod(layer.output.shape[1:-1], dtype=int) * layer.count_params(),
    )
    yield (
        "a kernel reaches over all channels",
        by(lambda layer, places, window, inputs, filters: places * window * filters),
    )
    yield "this is one filter", by(lambda layer, places, window, inputs, filters: places * window * inputs)
    yield (
        "the places are those of the output",
        by(lambda layer, _, window, inputs, filters: np.prod(layer.input.shape[1:3]) * window * inputs * filters),
    )


def colors(world):
    rgb, gray = world.images, np.repeat(world.images.mean(-1, keepdims=True), 3, -1)
    weighed = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in rgb])
    yield None, (rgb[..., ::-1], gray)
    yield "BGR: these are still RGB", (rgb, gray)
    yield "BGR: left and right are exchanged", (rgb[:, :, ::-1], gray)
    yield "BGR: up and down are exchanged", (rgb[:, ::-1], gray)
    yield "BGR: the colors are turned by one place", (rgb[..., [2, 0, 1]], gray)
    yield "BGR: shape (2, 66, 200, 3), expected (3, 66, 200, 3)", (rgb[:2], gray)
    yield "gray: these have one channel", (rgb[..., ::-1], gray[..., :1])
    yield "gray: these have no channels", (rgb[..., ::-1], gray[..., 0])
    yield "gray: this is a sum", (rgb[..., ::-1], 3 * gray)
    yield "gray: this weighs the channels as an eye", (rgb[..., ::-1], np.stack([weighed] * 3, axis=-1))
    yield "gray: this is a mean over the columns", (rgb[..., ::-1], np.repeat(rgb.mean(2, keepdims=True), 200, 2))
    yield "gray: this is a mean over the rows", (rgb[..., ::-1], np.repeat(rgb.mean(1, keepdims=True), 66, 1))


def cross_validate(world):
    def one_by_one(allowed, choose=np.argmin, give=lambda angles, i: angles[i]):
        def cross_validate(images, angles, block):
            found = []
            for k, image in enumerate(images):
                others = np.array([i for i in range(len(images)) if allowed(i, k, block)])
                distances = [np.square(images[i] - image).sum() for i in others]
                found.append(give(angles, others[choose(distances)]))
            return np.array(found)

        return cross_validate

    def other_block(i, k, block):
        return i // block != k // block

    yield None, one_by_one(other_block)
    yield "each frame copies from itself", one_by_one(lambda i, k, block: True)
    yield "only the frame itself is left out", one_by_one(lambda i, k, block: i != k)
    yield "it copies from the frame's own block", one_by_one(lambda i, k, block: i // block == k // block and i != k)
    yield "it takes the picture that is least alike", one_by_one(other_block, np.argmax)
    yield "these are indices of frames", one_by_one(other_block, give=lambda angles, i: i)
    yield (
        "a copycat takes one angle",
        lambda images, angles, block: [
            np.mean([angles[i] for i in range(14) if i // block != k // block]) for k in range(14)
        ],
    )


def hide(image, rows, columns, blank):
    copy = image.copy()
    copy[rows, columns] = np.broadcast_to(blank, image.shape)[rows, columns]
    return copy


def blurred_row(world):
    image, angle = world.image, predict(world.model, world.image[np.newaxis])[0]

    def row(fill, hidden_row=25):
        hidden = [occlude(image, (hidden_row, place), 15, fill) for place in world.places]
        return predict(world.model, np.stack(hidden))

    yield None, angle - row("blur")
    yield "the sign is the wrong way round", row("blur") - angle
    yield "these are radians", np.radians(angle - row("blur"))
    yield "these are the black windows", angle - row(0.0)
    yield "these windows have the image's mean color", angle - row("mean")
    yield "these are the angles with the window hidden", row("blur")
    yield "shape (1,), expected (20,)", (angle - row("blur"))[:1]
    yield "16 of 20 values are off", angle - row("blur", 40)


def band_effects(world):
    def bands(blank="blur", axis=0, whole=False, effect=lambda angle, hidden: angle - hidden):
        def band_effects(image, height=6):
            fill, hidden = fill_image(image, blank), []
            for start in range(0, image.shape[axis] - height + 1, height):
                band = slice(0 if whole else start, start + height)
                rows, columns = (band, slice(None)) if axis == 0 else (slice(None), band)
                hidden.append(hide(image, rows, columns, fill))
            return effect(predict(world.model, image[np.newaxis])[0], predict(world.model, np.stack(hidden)))

        return band_effects

    yield None, bands()
    yield "the sign is the wrong way round", bands(effect=lambda angle, hidden: hidden - angle)
    yield "these are radians", bands(effect=lambda angle, hidden: np.radians(angle - hidden))
    yield "right up to one factor", bands(effect=lambda angle, hidden: (angle - hidden) / 6)
    yield "these are the angles with a band hidden", bands(effect=lambda angle, hidden: hidden)
    yield "the bands are black", bands(0.0)
    yield "the bands have the image's mean color", bands("mean")
    yield "these bands are columns: wrong axis", bands(axis=1)
    yield "each band begins at the top", bands(whole=True)


def halves(world):
    upper, lower, before, behind = slice(0, 33), slice(33, None), slice(0, 100), slice(100, None)

    def hiding(*windows, blank="blur", change=lambda effects, angles: effects):
        def halves(image):
            fill = fill_image(image, blank)
            hidden = np.stack([hide(image, *window, fill) for window in windows] + [fill])
            angles = predict(world.model, hidden)
            return change(predict(world.model, image[np.newaxis])[0] - angles, angles)

        return halves

    every = slice(None)
    left, right = (every, before), (every, behind)
    yield None, hiding(left, right)
    yield "left and right are exchanged", hiding(right, left)
    yield "the third is to be measured", hiding(left, right, change=lambda e, _: (e[0], e[1], e[0] + e[1]))
    yield "these are the angles with a half hidden", hiding(left, right, change=lambda _, angles: angles)
    yield "these are the upper and the lower half: wrong axis", hiding((upper, every), (lower, every))
    yield "the halves are black", hiding(left, right, blank=0.0)
    yield "the sign is the wrong way round", hiding(left, right, change=lambda e, _: -e)


def correlations(world):
    product = hypercolumns(world.model, world.image)

    def against(other, measure=np.corrcoef, spread=None):
        found = {}
        for name in world.model.layers:
            map = hypercolumns(world.model, world.image, (name,)) if spread is None else spread(name)
            found[name] = measure(map.ravel(), other.ravel())
        return {name: value if np.isscalar(value) else value[0, 1] for name, value in found.items()}

    def resized(name):
        return cv2.resize(np.abs(activations(world.model, world.image)[name]).mean(-1), (200, 66))

    right = against(product)
    yield None, right
    yield "these are rank correlations", against(product, trust.rank_correlation)
    yield "these are squares of correlations", {name: value**2 for name, value in right.items()}
    yield "stretched from border to border", against(product, spread=resized)
    yield "these are with the last layer", against(hypercolumns(world.model, world.image, ("conv5",)))
    yield "expected a dict with the layers conv1, conv2", list(right.values())


def linear(model, layer, below):
    """A convolution without its ReLU, by TensorFlow's own function."""
    return tf.nn.conv2d(below[np.newaxis], layer.kernel, layer.strides, "VALID")[0].numpy() + layer.bias.numpy()


def mean_of_layers(world):
    def mean(cells=lambda name, a: np.abs(a).mean(-1), scale=True, spread=None, end=lambda mean: mean / mean.max()):
        def mean_of_layers(image):
            maps = []
            for name, activation in activations(world.model, image).items():
                small = cells(name, activation)
                small = small / small.max() if scale else small
                maps.append(cells_to_pixels(small, world.model, name) if spread is None else spread(small))
            return end(np.mean(maps, axis=0))

        return mean_of_layers

    def before(name, _):
        layers = activations(world.model, world.image)
        below = [world.image, *layers.values()][world.model.layers.index(name)]
        return np.abs(linear(world.model, world.model.model.get_layer(name), below)).mean(-1)

    yield None, mean()
    yield "this is the product", lambda image: hypercolumns(world.model, image)
    yield "scale each layer's picture before the mean", mean(scale=False)
    yield "these are the values before the ReLU", mean(before)
    yield "this is each layer's largest channel", mean(lambda name, a: a.max(-1))
    yield "stretched from border to border", mean(spread=lambda small: cv2.resize(small, (200, 66)))
    yield "right up to one factor", mean(end=lambda mean: mean)
    yield (
        "shape (200, 66), expected (66, 200): the axes are in the wrong order",
        mean(end=lambda mean: (mean / mean.max()).T),
    )


def without_channel(world):
    def silent(change, copied=True):
        def without_channel(channel):
            network = world.model.model
            if copied:
                network = keras.models.clone_model(world.model.model)
                network.set_weights(world.model.model.get_weights())
            weights = network.get_layer("conv5").get_weights()
            change(*weights, channel)
            network.get_layer("conv5").set_weights(weights)
            return network

        return without_channel

    def both(kernel, bias, channel):
        kernel[..., channel], bias[channel] = 0, 0

    def filter_only(kernel, bias, channel):
        kernel[..., channel] = 0

    def bias_only(kernel, bias, channel):
        bias[channel] = 0

    def inputs(kernel, bias, channel):
        kernel[:, :, channel] = 0

    def inputs_and_bias(kernel, bias, channel):
        kernel[:, :, channel], bias[channel] = 0, 0

    def everything(kernel, bias, channel):
        kernel[:], bias[:] = 0, 0

    yield None, silent(both)
    yield "this changes the network itself", silent(both, copied=False)
    yield "conv5: nothing has changed", silent(lambda *_: None)
    yield "conv5: the filter is zero, but the channel still has its bias", silent(filter_only)
    yield "conv5: the bias is zero, but the channel still has its filter", silent(bias_only)
    yield "conv5: wrong axis of the kernel: conv5 is deaf to a channel of conv4", silent(inputs)
    yield "conv5: wrong axis of the kernel: conv5 is deaf to a channel of conv4, and", silent(inputs_and_bias)
    yield "conv5: all channels are silent", silent(everything)


def wrong_sides(world):
    images = world.drive.pictures(world.model, np.arange(0, len(world.drive), 5))
    angles = predict(world.model, images)
    beyond, maps = np.abs(angles) > 5, {}
    for name, method in (("g", grad_cam), ("h", hires_cam)):
        maps[name] = method(world.model, images, "conv3", "right", signed=True, enlarged=False)
        maps[name.upper()] = method(world.model, images, "conv3", "right", signed=True)
    sums = {name: np.array([map.sum() for map in made]) for name, made in maps.items()}
    g, h, enlarged = (int(np.sum(beyond & (sums[name] * angles < 0))) for name in "ghG")
    worst = np.flatnonzero(beyond)[np.argmin((sums["h"] * np.sign(angles))[beyond])]
    whole = np.degrees(np.sin(np.radians(angles[worst])))
    missing = whole - sums["h"][worst]
    yield None, (g, h, missing)
    yield "Grad-CAM: frames within 5°", (np.sum(sums["g"] * angles < 0), h, missing)
    yield "Grad-CAM: this is the count of the other method", (h, g, missing)
    yield "Grad-CAM: add up the cells, not the pixels", (enlarged, h, missing)
    yield "Grad-CAM: these are the sums on the angle's own side", (beyond.sum() - g, h, missing)
    yield "Grad-CAM: this is a share", (g / beyond.sum(), h, missing)
    yield "missing: this is what is missing to the angle", (g, h, angles[worst] - sums["h"][worst])
    yield "missing: this is map and biases together", (g, h, whole)
    yield "missing: this is the sum of the map", (g, h, sums["h"][worst])
    yield "missing: these are radians", (g, h, np.radians(missing))


@cache
def halves_of(model, layer):
    """From the image to a layer, from there to the angle, and from the image to what the layer gets."""
    middle = model.get_layer(layer)
    parts = (model.input, middle.output), (middle.output, model.output), (model.input, middle.input)
    return [keras.Model(*ends) for ends in parts]


def tape(model, layer, image):
    """A layer's activation, the angle's gradient and the layer's values before its ReLU, by the notebook's own way."""
    body, head, below = halves_of(model, layer)
    activation, below = body(image[np.newaxis]), below(image[np.newaxis])[0].numpy()
    with tf.GradientTape() as record:
        record.watch(activation)
        angle = head(activation)[:, 0] * (180 / np.pi)
    gradient = record.gradient(angle, activation)[0].numpy()
    return activation[0].numpy(), gradient, linear(model, model.get_layer(layer), below)


def against_blur(world):
    def of(formula):
        def against_blur(image, layer):
            activation, gradient, _ = tape(world.model.model, layer, image)
            other, elsewhere, _ = tape(world.model.model, layer, fill_image(image, "blur"))
            return formula(activation, other, gradient, elsewhere)

        return against_blur

    yield None, of(lambda a, o, g, e: (g * (a - o)).sum(-1))
    yield "the activation still counts from zero", of(lambda a, o, g, e: (g * a).sum(-1))
    yield "this is what the blurred image has", of(lambda a, o, g, e: (g * o).sum(-1))
    yield "the sign is the wrong way round: the image comes first", of(lambda a, o, g, e: (g * (o - a)).sum(-1))
    yield "the gradient is that of the blurred image", of(lambda a, o, g, e: (e * (a - o)).sum(-1))
    yield "the gradient is averaged over the cells", of(lambda a, o, g, e: (g.mean((0, 1)) * (a - o)).sum(-1))
    yield "a ReLU is left in", of(lambda a, o, g, e: np.maximum((g * (a - o)).sum(-1), 0))
    yield "this is a mean over the channels", of(lambda a, o, g, e: (g * (a - o)).mean(-1))
    yield "the channels are still there", of(lambda a, o, g, e: g * (a - o))
    yield "these are radians", of(lambda a, o, g, e: np.radians(g * (a - o)).sum(-1))


def grad_cam_left(world):
    def of(formula):
        return lambda image, layer: formula(*tape(world.model.model, layer, image))

    def relu(values):
        return np.maximum(values, 0)

    yield None, of(lambda a, g, z: relu(-(a * g.mean((0, 1))).sum(-1)))
    yield "the ReLU is missing", of(lambda a, g, z: -(a * g.mean((0, 1))).sum(-1))
    yield "this is what speaks for right", of(lambda a, g, z: relu((a * g.mean((0, 1))).sum(-1)))
    yield (
        "these activations are those before the layer's own ReLU",
        of(lambda a, g, z: relu(-(z * g.mean((0, 1))).sum(-1))),
    )
    yield "the gradient is averaged over the channels", of(lambda a, g, z: relu(-(a * g.mean(-1)[..., None]).sum(-1)))
    yield "the gradient is not averaged", of(lambda a, g, z: relu(-(a * g).sum(-1)))
    yield "the ReLU comes last", of(lambda a, g, z: relu(-a * g.mean((0, 1))).sum(-1))
    yield "the gradient is added up over the cells", of(lambda a, g, z: relu(-(a * g.sum((0, 1))).sum(-1)))
    yield "this is a mean over the channels", of(lambda a, g, z: relu(-(a * g.mean((0, 1))).mean(-1)))
    yield "these are radians", of(lambda a, g, z: relu(-(a * np.radians(g).mean((0, 1))).sum(-1)))
    yield "right up to one factor", of(lambda a, g, z: 2 * relu(-(a * g.mean((0, 1))).sum(-1)))
    yield "this is enlarged to pixels", lambda image, layer: grad_cam(world.model, image, layer, "left")

    def scaled(a, g, z):
        map = relu(-(a * g.mean((0, 1))).sum(-1))
        return map / map.max() if map.any() else map

    yield "this is scaled by its maximum", of(scaled)


def pooled(world):
    def network(*head, size=(66, 200, 3), convolution=True):
        x = image = keras.Input(size)
        if convolution:
            x = keras.layers.Conv2D(4, 5, 4, activation="relu")(x)
        for layer in head:
            x = layer(x)
        return lambda: keras.Model(image, x)

    layers = keras.layers
    average, one = layers.GlobalAveragePooling2D, layers.Dense
    yield None, network(average(), one(1))
    yield "expected a keras.Model, this is a int", lambda: 1
    yield "its input has the shape (33, 100, 3)", network(average(), one(1), size=(33, 100, 3))
    yield "its output has the shape (2,)", network(average(), one(2))
    yield "it has no Conv2D", network(average(), one(1), convolution=False)
    yield "it still flattens", network(layers.Flatten(), one(1))
    yield "a maximum listens to one cell only", network(layers.GlobalMaxPooling2D(), one(1))
    yield "GlobalAveragePooling2D is missing", network(layers.AveragePooling2D((16, 49)), one(1), layers.Reshape((1,)))
    yield "it has 2 dense layers", network(average(), one(8), one(1))
    yield "the gradient of conv2d", network(layers.MaxPooling2D(3), average(), one(1))


def argument(world):
    left, right, _, angle = world.accounts.T
    error = angle - world.part.angles
    smaller = np.minimum(np.abs(left), right)
    rank = trust.rank_correlation(smaller, np.abs(error))
    yield None, (smaller, rank)
    yield "argument: left is negative in the ledger", (np.minimum(left, right), rank)
    yield "argument: this is the larger of the two sides", (np.maximum(-left, right), rank)
    yield "argument: this is both sides together", (right - left, rank)
    yield "argument: this is what is left", (right + left, rank)
    yield "correlation: this is a correlation of values", (smaller, np.corrcoef(smaller, np.abs(error))[0, 1])
    yield "correlation: this is with the error's sign", (smaller, trust.rank_correlation(smaller, error))
    yield "correlation: this is with the size of the angle", (smaller, trust.rank_correlation(smaller, np.abs(angle)))


def by_channel(world):
    weights, bias = (values.squeeze() for values in world.gap.model.get_layer("steering").get_weights())

    def of(formula):
        return lambda image: formula(activations(world.gap, image)["conv5"])

    def before(image):
        below = activations(world.gap, image)["conv4"]
        return linear(world.gap, world.gap.model.get_layer("conv5"), below).mean((0, 1)) * weights

    def in_degrees(a):
        x = (a.mean((0, 1)) * weights).sum() + bias
        return a.mean((0, 1)) * weights * np.degrees(2 * np.arctan(x)) / x

    yield None, of(lambda a: a.mean((0, 1)) * weights)
    yield "the channels' weights are missing", of(lambda a: a.mean((0, 1)))
    yield "these are the weights alone", of(lambda a: weights)
    yield "this is a sum over the cells", of(lambda a: a.sum((0, 1)) * weights)
    yield "this is one number for each cell, expected for each channel: wrong axis", of(lambda a: (a @ weights)[0])
    yield "this is each cell's share", of(lambda a: (a * weights).sum(-1)[0] / 18)
    yield "these activations are those before the ReLU", before
    yield "the bias belongs to no channel", of(lambda a: a.mean((0, 1)) * weights + bias)
    yield "these are degrees", of(in_degrees)
    yield "these are sizes", of(lambda a: np.abs(a.mean((0, 1)) * weights))
    yield "the sign is the wrong way round", of(lambda a: -a.mean((0, 1)) * weights)


def with_columns(world):
    class Add(keras.layers.Layer):
        def __init__(self, values):
            super().__init__()
            self.values = np.broadcast_to(values, (66, 200)).astype(np.float32)[None, ..., None]

        def call(self, image):
            places = keras.ops.repeat(self.values, keras.ops.shape(image)[0], axis=0)
            return keras.ops.concatenate([image, places], axis=-1)

    def network(values, head="average", size=(66, 200, 3)):
        image = keras.Input(size)
        x = image if values is None else Add(values)(image)
        x = keras.layers.Conv2D(4, 5, 4, activation="relu")(x)
        x = keras.layers.GlobalAveragePooling2D()(x) if head == "average" else keras.layers.Flatten()(x)
        return lambda: keras.Model(image, 2 * keras.ops.arctan(keras.layers.Dense(1)(x)))

    columns = np.linspace(-1, 1, 200)
    yield None, network(columns)
    yield "expected a keras.Model, this is a str", lambda: "network"
    yield "its input has the shape (66, 200, 4)", network(None, size=(66, 200, 4))
    yield "the first convolution still sees three channels", network(None)
    yield "these are the pixels' rows", network(np.linspace(-1, 1, 66)[:, np.newaxis])
    yield "the columns run from 0 to 1", network(np.linspace(0, 1, 200))
    yield "the columns are counted in pixels", network(np.arange(200))
    yield "the columns run from right to left", network(columns[::-1])
    yield "no account for it: ValueError", network(columns, "flatten")


def saturated(world):
    maps = world.maps

    def of(beyond, pixels=np.mean, frames=lambda beyond: beyond.any((1, 2)).mean()):
        return lambda limit: (pixels(beyond(limit)), frames(beyond(limit)))

    def both(limit):
        return np.abs(maps) >= limit

    yield None, of(both)
    yield "pixels: only red is counted", of(lambda limit: maps >= limit)
    yield "pixels: only blue is counted", of(lambda limit: maps <= -limit)
    yield "pixels: these are the pixels within the limit", of(lambda limit: np.abs(maps) < limit)
    yield "pixels: this is a count", of(both, np.sum)
    yield "pixels: this is in percent", of(both, lambda beyond: 100 * beyond.mean())
    yield "pixels: the two answers are exchanged", lambda limit: of(both)(limit)[::-1]
    yield "frames: only red is counted", lambda limit: (both(limit).mean(), (maps >= limit).any((1, 2)).mean())
    yield "frames: only blue is counted", lambda limit: (both(limit).mean(), (maps <= -limit).any((1, 2)).mean())
    yield "frames: this is a share of the places", of(both, frames=lambda beyond: beyond.any(0).mean())
    yield "frames: this is the share of frames with nothing but", of(both, frames=lambda b: b.all((1, 2)).mean())
    yield "frames: this is a count", of(both, frames=lambda beyond: beyond.any((1, 2)).sum())


def running_mean(world):
    def mean(first, last):
        return lambda values, width: [
            np.mean(values[max(0, i + first(width)) : max(1, i + last(width))]) for i in range(len(values))
        ]

    def convolved(mode, cut=None):
        return lambda values, width: np.convolve(values, np.full(width, 1 / width), mode)[: cut and len(values)]

    right = mean(lambda width: 1 - width, lambda width: 1)
    yield None, right
    yield "nothing is smoothed yet", lambda values, width: values
    yield "it looks into the future", mean(lambda width: 0, lambda width: width)
    yield "it looks to both sides, and so", mean(lambda width: -(width // 2), lambda width: width // 2)
    yield "it looks to both sides, as np.convolve", convolved("same")
    yield "at the start there are fewer values", convolved("full", True)
    yield "the start is missing", convolved("valid")
    yield "the present value is left out", mean(lambda width: -width, lambda width: 0)
    yield "it is one value too long", mean(lambda width: -width, lambda width: 1)
    yield "these are all values so far", mean(lambda width: -100, lambda width: 1)
    yield "these are sums", lambda values, width: [values[max(0, i + 1 - width) : i + 1].sum() for i in range(10)]
    yield "9 of 10 values are off", lambda values, width: [np.median(values)] * 10


def evidence_of(world):
    def of(sides, signed=True, end=np.array, target="right"):
        def evidence_of(method, chosen):
            maps = [explain(world.model, world.images[i], method, target=target, signed=signed).map for i in chosen]
            return end([sides(map) for map in maps])

        return evidence_of

    def left(map):
        return -map[map < 0].sum() / map.size

    def right(map):
        return map[map > 0].sum() / map.size

    yield None, of(lambda map: (left(map), right(map)))
    yield "hires-cam: left and right are exchanged", of(lambda map: (right(map), left(map)))
    yield "hires-cam: left is negative", of(lambda map: (-left(map), right(map)))
    yield "hires-cam: nothing speaks for left", of(lambda map: (left(map), right(map)), signed=False)
    yield "hires-cam: these are sums over the pixels", of(lambda map: (-map[map < 0].sum(), map[map > 0].sum()))
    yield "hires-cam: a row is a frame", of(lambda map: (left(map), right(map)), end=np.transpose)
    yield (
        "hires-cam: these are means over the pixels of one sign",
        of(lambda map: (-map[map < 0].mean(), map[map > 0].mean())),
    )


def smoothed(world):
    yield None, lambda map: cv2.GaussianBlur(np.abs(map), (0, 0), 3)
    yield "the map is blurred with its sign", lambda map: cv2.GaussianBlur(map, (0, 0), 3)
    yield "the magnitude comes first", lambda map: np.abs(cv2.GaussianBlur(map, (0, 0), 3))
    yield "3 is the Gaussian's standard deviation", lambda map: cv2.GaussianBlur(np.abs(map), (3, 3), 0)
    yield "nothing is blurred yet", np.abs
    yield "nothing is done yet", lambda map: map
    yield "this is a mean over a window", lambda map: cv2.blur(np.abs(map), (3, 3))
    yield "shape (200, 66), expected (66, 200)", lambda map: np.abs(map).T


REGION = np.zeros((66, 200), bool)
REGION[30:60, 110:150] = True


def worth(world):
    def answer(pixels=1, fill="median", told=lambda angle, hidden: angle - hidden):
        def function(network, image, region):
            wider = cv2.dilate(region.astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) > 0
            hidden = np.where(wider[..., np.newaxis], fill_image(image, fill), image)
            return told(network.angle(image), network.angle(hidden))

        return function

    yield None, answer()
    yield "left and right are exchanged", answer(told=lambda angle, hidden: hidden - angle)
    yield "this is the angle without the region", answer(told=lambda angle, hidden: hidden)
    yield "the region is not widened", answer(0)
    yield "the region is widened by more than one pixel", answer(2)
    yield "the fill is the blurred picture", answer(fill="blur")
    yield (
        "this is the whole picture's median",
        lambda network, image, region: network.angle(image) - network.angle(fill_image(image, "median")),
    )
    yield "worth raised", raises


def raises(network, image, region):
    return network(image[np.newaxis]) * image


raises.__name__ = "worth"


def longest(world):
    times = [
        0.1 * max(b - a for a, b in zip([0, *log.interventions], [*log.interventions, len(log.offset)]))
        for log in world.logs
    ]
    ended = [0.1 * np.diff([0, *log.interventions]).max() for log in world.logs]
    yield None, times
    yield "these are pictures", [10 * time for time in times]
    yield "the time from the last intervention", ended
    yield "these are the shortest", [0.1 * np.diff([0, *x.interventions, len(x.offset)]).min() for x in world.logs]
    yield "these are the mean", [0.1 * len(x.offset) / (len(x.interventions) + 1) for x in world.logs]


def driver(world):
    yield None, lambda offset, heading: -100 * offset - 10 * heading
    yield "the car stands half a meter to the right, and it steers", lambda offset, heading: 100 * offset - 10 * heading
    yield "the car stands 3° askew to the right, and it steers", lambda offset, heading: -100 * offset + 10 * heading
    yield "the car stands half a meter to the right, and it does nothing", lambda offset, heading: -10 * heading
    yield "the car stands 3° askew to the right, and it does nothing", lambda offset, heading: -100 * offset
    yield "in the middle of the lane", lambda offset, heading: 5 - 100 * offset - 10 * heading
    yield "it hardly moves", lambda offset, heading: np.radians(-100 * offset - 10 * heading)
    yield "", lambda offset, heading: -100 * offset - 0.5 * heading  # it swings
    yield "", lambda offset, heading: -20 * offset - 10 * heading  # it is too far out


def copies(world):
    def change(network, images, *angles):
        return np.diff([predict(network, show_wheel(images, np.full(len(images), angle))).mean() for angle in angles])[
            0
        ]

    yield None, lambda network, images: change(network, images, -20, 20) / 40
    yield "this is the change", lambda network, images: change(network, images, -20, 20)
    yield "from -20° to +20°", lambda network, images: change(network, images, -20, 20) / 20
    yield "the sign", lambda network, images: change(network, images, 20, -20) / 40


def in_order(world):
    def of(both):
        return lambda left, center, right: both(left > center, center > right).mean()

    yield None, of(np.logical_and)
    yield "the other way round", lambda left, center, right: ((left < center) & (center < right)).mean()
    yield "only left and center", of(lambda first, second: first)
    yield "only center and right", of(lambda first, second: second)
    yield "only left and right", lambda left, center, right: (left > right).mean()
    yield "these are two shares", of(lambda first, second: (first + 0.0 + second) / 2)
    yield "equal answers", lambda left, center, right: ((left >= center) & (center >= right)).mean()
    yield "one of the two", of(np.logical_or)
    yield "this is a count", lambda left, center, right: ((left > center) & (center > right)).sum()
    yield "this is one answer for each frame", lambda left, center, right: (left > center) & (center > right)


def factor(world):
    def of(formula):
        def factor(answers, recorded):
            known = np.isfinite(recorded)
            return formula(answers[known], recorded[known])

        return factor

    yield None, of(lambda a, r: (a * r).sum() / (a**2).sum())
    yield "this turns the angles into answers", of(lambda a, r: (a * r).sum() / (r**2).sum())
    yield "this line does not go through zero", of(lambda a, r: np.polyfit(a, r, 1)[0])
    yield "a quotient of spreads", of(lambda a, r: r.std() / a.std())
    yield "a quotient of means", of(lambda a, r: r.mean() / a.mean())
    yield "a mean of quotients", of(lambda a, r: (r / a).mean())
    yield "a median of quotients", of(lambda a, r: np.median(r / a))
    yield "frames without an angle", lambda a, r: (a * np.nan_to_num(r)).sum() / (a**2).sum()
    yield "it is NaN", lambda a, r: (a * r).sum() / (a**2).sum()


def rows_seen(world):
    def of(formula):
        return lambda above, below, size, crop, height: formula(
            np.array([above, size - below]) / size, np.array(crop), height
        )

    def wrong_below(above, below, size, crop, height):
        return height * (crop[0] + (crop[1] - crop[0]) * np.array([above, below]) / size)

    yield None, of(lambda cut, crop, height: height * (crop[0] + np.ptp(crop) * cut))
    yield "these are rows of the network's picture", lambda above, below, size, crop, height: (above, size - below)
    yield "the crop before the network", of(lambda cut, crop, height: height * cut)
    yield "the rows below are counted from below", wrong_below
    yield "these are rows of what is left", of(lambda cut, crop, height: height * np.ptp(crop) * cut)
    yield "this is the crop alone", of(lambda cut, crop, height: height * crop)
    yield "these are fractions", of(lambda cut, crop, height: crop[0] + np.ptp(crop) * cut)
    yield "this adds the crop's top", of(lambda cut, crop, height: height * (crop[0] + cut))


def beyond_chance(world):
    def of(formula):
        def beyond_chance(one, other):
            table = np.array([[trust.correlation(a, b) for b in other] for a in one])
            same = np.eye(len(one), dtype=bool)
            return formula(table[same].mean(), table[~same].mean(), table.mean())

        return beyond_chance

    def at_once(one, other):
        control = [trust.correlation(one, np.roll(other, k, axis=0)) for k in range(1, len(one))]
        return trust.correlation(one, other) - np.mean(control)

    yield None, of(lambda same, others, all: same - others)
    yield "the control is missing", of(lambda same, others, all: same)
    yield "this is the control alone", of(lambda same, others, all: others)
    yield "the other way round", of(lambda same, others, all: others - same)
    yield "the control holds pairs", of(lambda same, others, all: same - all)
    yield "this is a quotient", of(lambda same, others, all: same / others)
    yield "all frames at once", at_once


def mean_where(world):
    def of(formula, chosen=lambda angles, low, high: (angles >= low) & (angles < high)):
        return lambda maps, angles, low, high: formula(maps[chosen(angles, low, high)], maps)

    def mean(chosen, maps):
        return chosen.mean(axis=0)

    yield None, of(mean)
    yield "this is the mean over all frames", of(lambda chosen, maps: maps.mean(axis=0))
    yield "these are the frames outside", of(mean, lambda angles, low, high: ~((angles >= low) & (angles < high)))
    yield "the upper end belongs to the next", of(mean, lambda angles, low, high: (angles >= low) & (angles <= high))
    yield "the lower end belongs to the group", of(mean, lambda angles, low, high: (angles > low) & (angles < high))
    yield "these are sums", of(lambda chosen, maps: chosen.sum(axis=0))
    yield "this is a sum over the chosen frames, divided", of(lambda chosen, maps: chosen.sum(axis=0) / len(maps))
    yield "this is the mean magnitude", of(lambda chosen, maps: np.abs(chosen).mean(axis=0))
    yield "this is the magnitude of the mean", of(lambda chosen, maps: np.abs(chosen.mean(axis=0)))
    yield "this is the median", of(lambda chosen, maps: np.median(chosen, axis=0))
    yield "this is a number for each frame", of(lambda chosen, maps: chosen.mean(axis=(1, 2)))


def same_side(world):
    def of(formula):
        return lambda maps: formula(np.sign(maps) == np.sign(maps.mean(axis=0)))

    def as_sign_of(middle):
        return lambda maps: (np.sign(maps) == np.sign(middle(maps))).mean(axis=0)

    yield None, of(lambda agree: agree.mean(axis=0))
    yield "this is the share of frames in which the pixel steers right", lambda maps: (maps > 0).mean(axis=0)
    yield "this is the share with the other sign", of(lambda agree: 1 - agree.mean(axis=0))
    yield "this is one number for each frame", of(lambda agree: agree.mean(axis=(1, 2)))
    yield "this is one number for all", of(lambda agree: agree.mean())
    yield "this is a count", of(lambda agree: agree.sum(axis=0))
    yield "the sign of the median", as_sign_of(lambda maps: np.median(maps, axis=0))
    yield "each pixel is compared with the mean over the picture", as_sign_of(np.mean)


def loneliness(world):
    def of(formula):
        def loneliness(features, k):
            apart = np.sqrt(((features[:, None] - features) ** 2).sum(axis=-1))
            return formula(np.sort(apart, axis=1), np.argsort(apart, axis=1), k)

        return loneliness

    def from_mean(features, k):
        return np.linalg.norm(features - features.mean(axis=0), axis=1)

    yield None, of(lambda apart, order, k: apart[:, k])
    yield "each frame is its own nearest neighbor", of(lambda apart, order, k: apart[:, k - 1])
    yield "it is one neighbor too far", of(lambda apart, order, k: apart[:, k + 1])
    yield "this is the distance to the farthest", of(lambda apart, order, k: apart[:, -1])
    yield "this is the distance to the nearest other", of(lambda apart, order, k: apart[:, 1])
    yield "this is a mean over the nearest", of(lambda apart, order, k: apart[:, 1 : k + 1].mean(axis=1))
    yield "this is the distance to the mean of all", from_mean
    yield "these are squared distances", of(lambda apart, order, k: apart[:, k] ** 2)
    yield "these are the numbers of the neighbors", of(lambda apart, order, k: order[:, k])
    yield "a row is a frame", of(lambda apart, order, k: apart[:, 1 : k + 1])


def test_the_hints_for_drivers_tell_swinging_from_sleeping():
    assert "it swings" in exercises.check_driver(lambda offset, heading: -100 * offset - 0.5 * heading).message
    assert "let it steer more" in exercises.check_driver(lambda offset, heading: -20 * offset - 10 * heading).message


ANSWERS = dict.fromkeys(CHECKS, 1) | {
    "check_bends": 2,
    "check_colors": 2,
    "check_wrong_sides": 3,
    "check_argument": 2,
}


@pytest.fixture(scope="module")
def met():
    """The hints that all wrong answers of this file have met."""
    return []


@pytest.mark.parametrize("name", CHECKS)
def test_each_usual_wrong_answer_meets_its_own_hint(name, world, given, met):
    check, messages = getattr(exercises, name), []
    for hint, answer in globals()[name.removeprefix("check_")](world):
        answers = answer if ANSWERS[name] > 1 else (answer,)
        verdict = check(*answers, *given(name))
        assert verdict.right is (hint is None), verdict
        messages.append(verdict.message)
        if hint is not None:
            assert verdict.message.startswith(hint)
    assert len(set(messages)) == len(messages), "two wrong answers, one hint"
    met += messages


def test_no_hint_is_left_that_no_wrong_answer_meets(met):
    if len(met) < 100:
        pytest.skip("needs the wrong answers of all checks")
    files = sorted((ROOT / "steerlib" / "exercises").glob("*.py"))
    nodes = [node for file in files for node in ast.parse(file.read_text("utf-8")).body]
    hints = []
    for check in [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name in CHECKS]:
        for node in ast.walk(check):
            if isinstance(node, ast.Dict):
                hints += [key.value for key in node.keys if isinstance(key, ast.Constant) and " " in str(key.value)]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Hint":
                hints += [node.args[0].value] if isinstance(node.args[0], ast.Constant) else []
    assert len(hints) > 100
    assert [hint for hint in hints if not any(hint in message for message in met)] == []


def test_the_checks_hold_on_any_drive():
    """Of two roads, a copy of which has each angle halved: the same answer is right on one and wrong on the other."""
    frames = np.zeros((40, 8, 8, 3), np.uint8)
    angles = np.linspace(-60, 50, 40).astype(np.float32)
    for scale in (1, 0.5):
        drive = Drive.from_arrays("any", frames, scale * angles)
        bend, off = np.abs(drive.angles) > 20, drive.angles - drive.angles.mean()
        assert exercises.check_bends(bend.sum(), (off[bend] ** 2).sum() / (off**2).sum(), drive).right
        assert exercises.check_bends((np.abs(angles) > 20).sum(), 1.0, drive).right is False
    assert preprocess(np.zeros((256, 455, 3), np.uint8)).shape == (66, 200, 3)
