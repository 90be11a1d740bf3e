"""Angles from patches against those of whole hidden images, on random networks; the geometry against brute force."""

import gc
import warnings
import weakref
from unittest import mock

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from steerlib.maps.fill import fill_image
from steerlib.maps.incremental import angles_without, patches
from steerlib.maps.incremental.patches import changed, inner
from steerlib.maps.occlusion import occlusion_map
from steerlib.networks.network import as_network
from steerlib.networks.pilotnet import pilotnet, pilotnet_gap
from steerlib.networks.training import predict

SIZE = (17, 23)


def patched(model, image, filler, windows, batch_size):
    """The answers of all batches, each at its window's place in the list."""
    parts = angles_without(as_network(model), image, filler, windows, batch_size)
    if parts is None:
        return None
    positions, angles = (np.concatenate(part) for part in zip(*parts))
    assert sorted(positions) == list(range(len(windows)))
    return angles[np.argsort(positions)]


def plans(model):
    """The tables that are kept with a network."""
    return as_network(model)._functions["plans"]


def whole(model, image, filler, windows):
    """The same question, asked with whole hidden images."""
    hidden = np.repeat(image[np.newaxis], len(windows), axis=0)
    for one, window in zip(hidden, windows):
        one[window] = filler[window]
    return predict(model, hidden)


@given(
    start=st.integers(0, 30),
    length=st.integers(1, 20),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    before=st.integers(0, 3),
)
def test_the_changed_cells_are_those_that_see_a_changed_input(start, length, kernel, stride, before):
    size = 14
    sees = [i for i in range(size) if any(start <= i * stride - before + k < start + length for k in range(kernel))]
    first, last = changed(start, start + length, kernel, stride, before, size)
    assert list(range(first, last)) == sees


@given(
    start=st.integers(0, 15),
    length=st.integers(1, 16),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    padding=st.sampled_from(["valid", "same"]),
)
def test_the_inner_cells_are_those_that_see_hidden_inputs_only(start, length, kernel, stride, padding):
    size, stop = 16, min(start + length, 16)
    output = -(-size // stride) if padding == "same" else (size - kernel) // stride + 1
    before = max((output - 1) * stride + kernel - size, 0) // 2 if padding == "same" else 0
    seen = [[i * stride - before + k for k in range(kernel)] for i in range(output)]
    expected = [i for i, some in enumerate(seen) if all(start <= k < stop for k in some if 0 <= k < size)]
    first, last = inner(start, stop, kernel, stride, before, size, output)
    # Beyond a hidden part that ends at the border come only inputs that no cell sees, and padding.
    assert list(range(first, last)) == expected


STEP = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["conv", "conv", "conv", "max", "average"]),
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "padding": st.sampled_from(["valid", "same"]),
        "activation": st.sampled_from(["relu", "linear", "tanh", "layer", "normalization"]),
        "bias": st.booleans(),
    }
)
HEADS = ["flatten", "flatten alone", "average", "pooled", "dropout"]


def network(steps, head, seed, front=()):
    """Build a small network; steps that do not fit any more are left out."""
    keras.utils.set_random_seed(seed)
    image = x = keras.Input((*SIZE, 3))
    for make in front:
        x = make()(x)
    for step in steps:
        if any(n < k for n, k in zip(x.shape[1:3], step["kernel"])):
            continue
        if step["kind"] == "conv":
            activation = step["activation"] if step["activation"] in ("relu", "linear", "tanh") else None
            shape = 4, step["kernel"], step["stride"], step["padding"]
            x = layers.Conv2D(*shape, activation=activation, use_bias=step["bias"], bias_initializer="normal")(x)
            if step["activation"] == "layer":
                x = layers.LeakyReLU()(x)
            elif step["activation"] == "normalization":
                x = layers.ReLU()(layers.BatchNormalization(beta_initializer="normal")(x))
        else:
            pooling = layers.MaxPooling2D if step["kind"] == "max" else layers.AveragePooling2D
            x = pooling(step["kernel"], step["stride"], step["padding"])(x)
    if head == "average":
        x = layers.GlobalAveragePooling2D()(x)
    elif head == "pooled":
        x = layers.GlobalMaxPooling2D()(x)
    else:
        x = layers.Flatten()(x)
        x = layers.Dropout(0.5)(x) if head == "dropout" else x
        x = x if head == "flatten alone" else layers.Dense(6, activation="relu", bias_initializer="normal")(x)
    return keras.Model(image, layers.Rescaling(2.0)(keras.ops.arctan(layers.Dense(1)(x))))


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(STEP, min_size=1, max_size=4),
    head=st.sampled_from(HEADS),
    side=st.integers(1, 30),
    stride=st.integers(1, 6),
    fill=st.sampled_from([0.0, 0.7, "mean", "blur"]),
    seed=st.integers(0, 5),
    shared=st.sampled_from([0, 0.8, 100]),  # stripes never, where they save work, or wherever they can be used
)
def test_patches_give_what_whole_images_give(steps, head, side, stride, fill, seed, shared):
    model = network(steps, head, seed)
    image = np.random.default_rng(seed).random((*SIZE, 3), dtype=np.float32)
    filler = np.array(fill_image(image, fill))
    places = [(r, c) for r in range(0, SIZE[0], stride) for c in range(0, SIZE[1], stride)]
    windows = [
        tuple(slice(max(0, p - side // 2), min(n, p - side // 2 + side)) for p, n in zip(place, SIZE))
        for place in places
    ]
    windows = [window for window in windows if all(part.start < part.stop for part in window)]
    with warnings.catch_warnings(), mock.patch.object(patches, "SHARED", shared):
        warnings.simplefilter("ignore", UserWarning)
        found = patched(model, image, filler, windows, 32)
    if found is not None:
        np.testing.assert_allclose(found, whole(model, image, filler, windows), atol=1e-4)
    else:
        first = next(layer for layer in model.layers[1:])
        assert not isinstance(first, layers.Conv2D | layers.MaxPooling2D)  # an average with padding, or no step at all


@pytest.mark.parametrize("build", [pilotnet, pilotnet_gap])
@pytest.mark.parametrize("size", [1, 15, 50, 200])
@pytest.mark.kernels
def test_pilotnet(build, size):
    model = build(seed=1)
    image = np.random.default_rng(2).random((66, 200, 3), dtype=np.float32)
    filler = np.array(fill_image(image, "blur"))
    windows = [
        tuple(slice(max(0, p - size // 2), min(n, p - size // 2 + size)) for p, n in zip(place, (66, 200)))
        for place in [(0, 0), (65, 199), (33, 100), (20, 3), (64, 120), (5, 198), (40, 60)]
    ]
    found = patched(model, image, filler, windows, 256)
    np.testing.assert_allclose(found, whole(model, image, filler, windows), atol=1e-4)


def test_large_windows_share_the_rows_between_their_edges():
    model = pilotnet(seed=1)
    image = np.random.default_rng(3).random((66, 200, 3), dtype=np.float32)
    filler = np.array(fill_image(image, "blur"))
    windows = [(slice(max(0, r), min(66, r + 50)), slice(c, c + 50)) for r in range(-25, 42, 3) for c in (10, 57, 140)]
    found = patched(model, image, filler, windows, 256)
    (plan,) = plans(model).values()
    assert plan.bands == (2, 2, 1, 1, 1) and plan.count == 3
    np.testing.assert_allclose(found, whole(model, image, filler, windows), atol=1e-4)


def test_a_second_frame_uses_the_plan_of_the_first_and_other_windows_do_not(monkeypatch):
    made, plan = [], patches._plan

    def counted(*arguments):
        made.append(arguments)
        return plan(*arguments)

    monkeypatch.setattr(patches, "_plan", counted)
    model = network([dict(STEP_OF_CONV)], "flatten", 0)
    images = np.random.default_rng(0).random((3, *SIZE, 3), dtype=np.float32)
    for image in images:
        occlusion_map(model, image, sizes=(3,), stride=2)
    assert len(made) == 1
    occlusion_map(model, images[0], sizes=(5,), stride=2)
    assert len(made) == 2
    for stride in range(1, 5):
        for size in (5, 7, 9):
            occlusion_map(model, images[0], sizes=(size,), stride=stride)
    assert len(plans(model)) <= patches.PLANS


STEP_OF_CONV = {
    "kind": "conv", "kernel": (3, 3), "stride": (2, 2), "padding": "valid", "activation": "relu", "bias": True
}  # fmt: skip


def test_a_change_of_the_weights_is_seen():
    model = network([dict(STEP_OF_CONV)], "flatten", 0)
    image = np.random.default_rng(0).random((*SIZE, 3), dtype=np.float32)
    windows = [(slice(2, 6), slice(3, 9))]
    before = patched(model, image, np.zeros_like(image), windows, 4)
    model.set_weights([1.5 * weights for weights in model.get_weights()])
    after = patched(model, image, np.zeros_like(image), windows, 4)
    assert np.abs(before - after) > 1e-3
    np.testing.assert_allclose(after, whole(model, image, np.zeros_like(image), windows), atol=1e-4)


def test_chunks_are_no_larger_than_asked(monkeypatch):
    model = network([dict(STEP_OF_CONV)] * 2, "flatten", 0)
    image = np.random.default_rng(0).random((*SIZE, 3), dtype=np.float32)
    for size in (1, 5, 64):
        occlusion_map(model, image, sizes=(5,), stride=1, batch_size=size)
        chunks = list(plans(model).values())[-1].chunks()
        assert max(len(chunk.windows) for chunk in chunks) <= size
        assert sorted(np.concatenate([chunk.windows for chunk in chunks])) == list(range(SIZE[0] * SIZE[1]))


def test_many_windows_are_followed_batch_by_batch(monkeypatch):
    image = np.random.default_rng(0).random((*SIZE, 3), dtype=np.float32)
    maps, kept = [], []
    for most in (SIZE[0] * SIZE[1], 0):
        monkeypatch.setattr(patches, "KEPT", most)
        model = network([dict(STEP_OF_CONV)] * 2, "flatten", 0)
        maps.append(occlusion_map(model, image, sizes=(5,), stride=1, batch_size=8))
        (plan,) = plans(model).values()
        kept.append(plan.chunks() is plan.chunks())
    assert kept == [True, False]
    np.testing.assert_allclose(*maps, atol=1e-4)


FRONTS = {
    "crop": [lambda: layers.Cropping2D(((5, 0), (0, 0)))],
    "crop all around": [lambda: layers.Cropping2D(((3, 2), (4, 1)))],
    "two crops": [lambda: layers.Cropping2D(((2, 0), (0, 3))), lambda: layers.Cropping2D(((1, 1), (2, 0)))],
    "rescaling": [lambda: layers.Rescaling(2.0, -1.0)],
    "0 to 255": [lambda: layers.Rescaling(1 / 127.5, -1.0)],
    "one scale for each channel": [lambda: layers.Rescaling([1.0, 2.0, 0.5], [0.1, -1.0, 0.3])],
    "crop, then rescaling": [lambda: layers.Cropping2D(((4, 1), (0, 2))), lambda: layers.Rescaling(1 / 255)],
    "rescaling, then crop": [lambda: layers.Rescaling(1 / 255), lambda: layers.Cropping2D(((4, 1), (0, 2)))],
}


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(("head", "shared"), [("flatten", 0.8), ("average", 100)])
@pytest.mark.filterwarnings("error:.*computed without shortcuts")
def test_what_a_network_cuts_off_and_rescales_first_is_exact_too(front, head, shared, monkeypatch):
    monkeypatch.setattr(patches, "SHARED", shared)
    steps = [STEP_OF_CONV | {"padding": "same"}, STEP_OF_CONV | {"kind": "max", "kernel": (2, 2), "stride": (1, 1)}]
    model = network([*steps, STEP_OF_CONV | {"stride": (1, 1)}], head, 3, front=FRONTS[front])
    rng = np.random.default_rng(4)
    image, filler = rng.random((2, *SIZE, 3), dtype=np.float32)
    # In the part that is cut off, on its edge, inside; a single pixel, and everything.
    windows = [(slice(r, r + h), slice(c, c + h)) for h in (1, 4, 9) for r in range(0, 9, 2) for c in range(0, 15, 3)]
    windows += [(slice(0, 17), slice(0, 23)), (slice(0, 2), slice(0, 23)), (slice(0, 17), slice(21, 23))]
    expected = whole(model, image, filler, windows)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(patched(model, image, filler, windows, 16), expected, atol=1e-4)


def unknown(kind):
    """A network that does not begin with what can be computed in patches."""
    image = keras.Input((*SIZE, 3))
    if kind == "dense":
        x = layers.Flatten()(image)
    elif kind == "dilated":
        x = layers.Flatten()(layers.Conv2D(4, 3, dilation_rate=2)(image))
    elif kind == "softmax":
        x = layers.Flatten()(layers.Conv2D(4, 3, activation="softmax")(image))
    elif kind == "branches":
        x = layers.Flatten()(layers.Add()([layers.Conv2D(3, 3, padding="same")(image), image]))
    return keras.Model(image, layers.Dense(1)(x))


@pytest.mark.parametrize("kind", ["dense", "dilated", "softmax"])
def test_an_unknown_network_is_asked_with_whole_images_and_the_reason_is_said(kind):
    model = unknown(kind)
    image = np.random.default_rng(0).random((*SIZE, 3), dtype=np.float32)
    with pytest.warns(UserWarning, match=model.layers[1].name):
        found = occlusion_map(model, image, sizes=(5,), stride=4)
    assert found.shape == SIZE and found.any()


@pytest.mark.kernels
def test_a_network_with_branches_is_exact_too():
    model = unknown("branches")
    image = np.random.default_rng(0).random((*SIZE, 3), dtype=np.float32)
    windows = [(slice(2, 6), slice(3, 9)), (slice(0, 17), slice(0, 5))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = patched(model, image, np.zeros_like(image), windows, 4)
    if found is not None:
        np.testing.assert_allclose(found, whole(model, image, np.zeros_like(image), windows), atol=1e-4)


def test_a_model_and_its_plans_are_freed():
    model = network([dict(STEP_OF_CONV)], "flatten", 0)
    occlusion_map(model, np.zeros((*SIZE, 3), np.float32), sizes=(5,), stride=4)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
