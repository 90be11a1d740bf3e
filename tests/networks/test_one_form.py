"""One form for all networks: whatever comes in, the same answers come out, in degrees."""

import keras
import numpy as np
import pytest
from keras import layers

from steerlib.maps import METHODS, explain
from steerlib.networks.network import Network, as_network
from steerlib.networks.one_form import expected_range
from steerlib.networks.pilotnet import SIZE, pilotnet

SMALL = (24, 40)
PICTURES = np.random.default_rng(0).random((5, *SMALL, 3), np.float32)


def stack(units: int = 1) -> list[keras.Layer]:
    """A small steering network as a list of layers, with starting weights of its own."""
    start = keras.initializers.RandomNormal(0, 0.1, seed=1)
    return [
        layers.Conv2D(4, 5, strides=2, activation="relu", kernel_initializer=start, name="conv1"),
        layers.Conv2D(4, 3, activation="relu", kernel_initializer=start, name="conv2"),
        layers.Flatten(),
        layers.Dense(units, kernel_initializer=start, name="angle"),
    ]


def functional(steps: list[keras.Layer], size: tuple = SMALL) -> keras.Model:
    image = x = keras.Input((*size, 3))
    for step in steps:
        x = step(x)
    return keras.Model(image, x, name="net")


def sequential() -> keras.Model:
    return keras.Sequential([keras.Input((*SMALL, 3)), *stack()], name="net")


def unbuilt() -> keras.Model:
    return keras.Sequential(stack(), name="net")


def listed() -> keras.Model:
    model = functional(stack())
    return keras.Model([model.input], [model.output], name="net")


def dictionary() -> keras.Model:
    model = functional(stack())
    return keras.Model({"camera": model.input}, {"steering": model.output}, name="net")


def nested() -> keras.Model:
    steps = stack()
    return functional([keras.Sequential([functional(steps[:1]), steps[1]], name="eyes"), *steps[2:]])


def same_names() -> keras.Model:
    """Two models inside, whose layers are called the same."""
    make = lambda: keras.Sequential([layers.Conv2D(3, 3, name="conv")])  # noqa: E731
    return functional([make(), make(), layers.Flatten(), layers.Dense(1)])


def shared() -> keras.Model:
    """One layer that is used twice."""
    conv = layers.Conv2D(3, 3, padding="same", name="conv")
    return functional([conv, conv, layers.Flatten(), layers.Dense(1)])


def arithmetic() -> keras.Model:
    """Operations that are no layers, with numbers and with tensors."""
    image = keras.Input((*SMALL, 3))
    x = layers.Conv2D(3, 3, name="conv")(image * 2.0 - 1.0)
    x = layers.Flatten()(keras.ops.relu(x) + 0.1 * x)
    return keras.Model(image, keras.ops.tanh(layers.Dense(1)(x)) * 3, name="net")


def half() -> keras.Model:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return functional(stack())
    finally:
        keras.config.set_dtype_policy(before)


def flat() -> keras.Model:
    """One number for each picture, without an axis of its own."""
    return functional([*stack(), layers.Reshape(())])


FORMS = [sequential, unbuilt, listed, dictionary, nested, same_names, shared, arithmetic, half, flat]


# Keras's word on how the original is called here: with a tensor for a list, with a name of ours.
@pytest.mark.filterwarnings("ignore:The structure of `inputs`", "ignore:When providing `inputs` as a dict")
@pytest.mark.filterwarnings("ignore:.*computed without shortcuts")
@pytest.mark.parametrize("make", FORMS)
def test_every_form_gives_the_same_answers_and_its_layers(make):
    model = make()
    network = as_network(model, size=SMALL)
    answers = keras.tree.flatten(model({"camera": PICTURES} if make is dictionary else PICTURES))[0]
    expected = np.degrees(np.ravel(keras.ops.convert_to_numpy(answers)).astype(float))
    tolerance = 0.02 if make is half else 1e-4
    np.testing.assert_allclose(network.angles(PICTURES), expected, rtol=tolerance, atol=tolerance)
    assert network.size == SMALL and network.crop == (0.0, 1.0) and network.angles(PICTURES).dtype == np.float32
    assert len(set(network.layers)) == len(network.layers) >= 1
    for name in METHODS:
        if METHODS[name].problem(network):
            continue
        found = explain(network, PICTURES[0], name, layer=network.layers[-1], sizes=(7,), stride=7, target="right")
        assert found.map.shape == SMALL and np.isfinite(found.map).all()


def test_what_has_the_form_is_taken_as_it_is_and_kept():
    model = pilotnet(seed=0)
    network = as_network(model)
    assert network.model is model and as_network(model) is network and as_network(network) is network
    assert network.size == SIZE and network.crop is None
    before = network.angles(np.zeros((1, *SIZE, 3), np.float32))
    model.get_layer("steering").bias.assign([1.0])
    assert abs(network.angles(np.zeros((1, *SIZE, 3), np.float32)) - before) > 10  # what is trained later is seen


def test_a_copy_is_made_again_when_the_model_has_been_trained():
    model = sequential()
    network = as_network(model)
    assert as_network(model) is network
    model.layers[-1].bias.assign([1.0])
    again = as_network(model)
    expected = np.degrees(np.ravel(keras.ops.convert_to_numpy(model(PICTURES))))
    np.testing.assert_allclose(again.angles(PICTURES), expected, rtol=1e-4, atol=1e-4)
    assert np.abs(again.angles(PICTURES) - network.angles(PICTURES)).min() > 10


@pytest.mark.parametrize(
    ("first", "range"),
    [
        (lambda: layers.Rescaling(1 / 255), (0, 255)),
        (lambda: layers.Rescaling(1 / 127.5, -1), (0, 255)),
        (lambda: layers.Rescaling(2.0, -1.0), (0, 1)),
        (lambda: layers.Rescaling(255.0), (0, 1)),
        (lambda: layers.Normalization(mean=[110.0, 115, 120], variance=[3000.0] * 3), (0, 255)),
        (lambda: layers.Normalization(mean=[0.4, 0.4, 0.5], variance=[0.05] * 3), (0, 1)),
    ],
)
@pytest.mark.parametrize("before", [[], [lambda: layers.Cropping2D(((4, 0), (0, 0)))]])
def test_a_network_that_normalizes_gets_what_it_wants(first, range, before):
    model = functional([make() for make in before] + [first(), *stack()])
    assert expected_range(model) == range
    expected = np.degrees(np.ravel(keras.ops.convert_to_numpy(model(PICTURES * range[1]))))
    network = as_network(model)
    np.testing.assert_allclose(network.angles(PICTURES), expected, rtol=1e-3, atol=1e-3)
    again = as_network(network.model.__class__.from_config(network.model.get_config()))
    assert again.size == SMALL  # and what was made of it can be made into a network again


def test_a_batch_normalization_that_comes_first_tells_the_range():
    model = functional([layers.BatchNormalization(), *stack()])
    model.layers[1].moving_mean.assign([100.0, 110, 120])
    assert expected_range(model) == (0, 255)
    model.layers[1].moving_mean.assign([3.0, 3, 3])
    with pytest.raises(ValueError, match=r"takes 3 for the mean.*range=\(0, 255\)"):
        as_network(model)
    assert as_network(model, range=(0, 1)).size == SMALL


@pytest.mark.parametrize(
    ("description", "factor"),
    [
        ({"unit": "degrees"}, 1.0),
        ({"unit": "radians", "sign": -1}, -180 / np.pi),
        ({"unit": "fraction"}, 25.0),
        ({"unit": "fraction", "full_lock": 450, "sign": -1}, -450.0),
    ],
)
def test_units_and_signs_are_declared(description, factor):
    model = functional(stack())
    answers = np.ravel(keras.ops.convert_to_numpy(model(PICTURES)))
    np.testing.assert_allclose(as_network(model, **description).angles(PICTURES), factor * answers, rtol=1e-4)


def test_red_and_blue_can_be_exchanged_and_the_range_declared():
    model = functional(stack())
    answers = np.degrees(np.ravel(keras.ops.convert_to_numpy(model(2 * PICTURES[..., ::-1] - 1))))
    network = as_network(model, color="BGR", range=(-1, 1))
    np.testing.assert_allclose(network.angles(PICTURES), answers, rtol=1e-4, atol=1e-4)
    map = explain(network, PICTURES[0], "hires-cam", layer="conv1", target="right").map
    assert map.shape == SMALL


def test_one_of_several_outputs_is_chosen_by_its_name_or_place():
    image = keras.Input((*SMALL, 3))
    x = layers.Flatten()(layers.Conv2D(2, 3, name="conv")(image))
    angle, throttle = layers.Dense(1, name="angle")(x), layers.Dense(1, name="throttle")(x)
    for outputs in ([angle, throttle], {"angle": angle, "throttle": throttle}):
        model = keras.Model(image, outputs)
        with pytest.raises(ValueError, match=r"outputs angle \(None, 1\), throttle \(None, 1\): say which"):
            as_network(model)
        with pytest.raises(ValueError, match="not output='brake'"):
            as_network(model, output="brake")
        first = as_network(model, output="angle").angles(PICTURES)
        np.testing.assert_allclose(first, as_network(model, output=0).angles(PICTURES))
        assert np.abs(first - as_network(model, output="throttle").angles(PICTURES)).min() > 0


class Program(keras.Model):
    """A model that is a program."""

    def call(self, pictures):
        return keras.ops.mean(pictures, axis=(1, 2, 3))[:, None]


REFUSED = {
    "two inputs": (lambda: _two_inputs(), {}, "takes 2 inputs"),
    "five channels": (lambda: _five_channels(), {}, "expected pictures"),
    "bins": (lambda: functional(stack(15)), {}, r"answers \(None, 15\)"),
    "any size": (lambda: _any_size(), {}, "of any size"),
    "another size": (lambda: functional(stack()), {"size": (66, 200)}, r"size=\(66, 200\)"),
    "not built": (unbuilt, {}, r"say size=\(height, width\)"),
    "a program": (Program, {}, "say size|program"),
    "channels first": (lambda: _channels_first(), {}, "channels first"),
    "unknown range": (lambda: functional(stack()), {"range": (0, 7)}, "range="),
    "a misspelled word": (lambda: functional(stack()), {"unti": "degrees"}, "description .unti.: expected .*unit"),
    "unknown unit": (lambda: functional(stack()), {"unit": "percent"}, "unit='percent'"),
    "unknown color": (lambda: functional(stack()), {"color": "CMYK"}, "color='CMYK'"),
    "no lock": (lambda: functional(stack()), {"unit": "fraction", "full_lock": 0}, "full_lock=0"),
    "no crop": (lambda: functional(stack()), {"crop": (0.7, 0.2)}, "crop="),
    "a factor between": (lambda: functional([layers.Rescaling(0.1), *stack()]), {}, "multiplies by 0.1"),
    "no network": (lambda: "pilotnet", {}, "expected a Keras model, got str"),
    "a function without a size": (lambda: len, {}, "say size"),
}


def _two_inputs() -> keras.Model:
    image, speed = keras.Input((*SMALL, 3)), keras.Input((1,))
    x = layers.Concatenate()([layers.Flatten()(image), speed])
    return keras.Model([image, speed], layers.Dense(1)(x))


def _five_channels() -> keras.Model:
    image = keras.Input((*SMALL, 5))
    return keras.Model(image, layers.Dense(1)(layers.Flatten()(image)))


def _any_size() -> keras.Model:
    image = keras.Input((None, None, 3))
    return keras.Model(image, layers.Dense(1)(layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(image))))


def _channels_first() -> keras.Model:
    image = keras.Input((*SMALL, 3))
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(image)
    return keras.Model(image, layers.Dense(1)(x))


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_known_is_refused_with_what_to_say(case):
    make, description, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        as_network(make(), **description)


def test_a_size_can_be_declared_where_a_model_takes_any():
    model = _any_size()
    network = as_network(model, size=SMALL)
    expected = np.degrees(np.ravel(keras.ops.convert_to_numpy(model(PICTURES))))
    np.testing.assert_allclose(network.angles(PICTURES), expected, rtol=1e-3, atol=1e-4)


def test_answers_of_a_tanh_are_taken_for_radians_with_a_word():
    model = functional([*stack()[:-1], layers.Dense(1, activation="tanh")])
    with pytest.warns(UserWarning, match="unit='fraction'"):
        radians = as_network(model)
    share = as_network(model, unit="fraction")
    np.testing.assert_allclose(radians.angles(PICTURES) * np.pi / 180 * 25, share.angles(PICTURES), rtol=1e-4)


def test_a_function_is_a_black_box():
    asked = []

    def bright_side(pictures):
        asked.append(len(pictures))
        return 10 * (pictures[:, :, 20:].mean(axis=(1, 2, 3)) - pictures[:, :, :20].mean(axis=(1, 2, 3)))

    network = as_network(bright_side, size=SMALL)
    assert isinstance(network, Network) and network.name == "bright_side" and network.model is None
    assert network.angles(PICTURES[:0]).shape == (0,) and asked == []  # no empty batch
    picture = np.zeros((*SMALL, 3), np.float32)
    picture[5:10, 30:35] = 1
    found = explain(network, picture, "occlusion", sizes=(5,), stride=1, fill="black")
    assert found.map.argmax() in np.flatnonzero(picture[..., 0]) and found.map.min() > -1e-6
    for name in ("grad-cam", "hypercolumns", "integrated-gradients", "cam"):
        with pytest.raises(ValueError, match="black box"):
            explain(network, picture, name)
    broken = as_network(lambda pictures: pictures[0, 0, 0], size=SMALL)
    with pytest.raises(ValueError, match="a finite angle for each of 5 pictures"):
        broken.angles(PICTURES)


def test_no_pictures_give_no_answers_and_no_kernel_runs():
    model = functional(stack())
    network = as_network(model)
    assert network.angles(PICTURES[:0]).shape == (0,)
    with pytest.raises(ValueError, match="batch_size=0"):
        network.angles(PICTURES, 0)


@pytest.mark.parametrize(
    "name",
    ["sequential", "lists", "dict_output", "nested", "mixed_float16", "cropping", "rescaling_0_255", "gap_linear"],
)
def test_the_odd_networks_of_others_are_explained(real_drives, name):
    model = keras.saving.load_model(real_drives / "odd-networks" / f"{name}.keras", compile=False)
    network = as_network(model)
    picture = np.zeros((*network.size, 3), np.float32)
    picture[50:54, 97:104] = 1
    for method in METHODS.values():
        if method.problem(network) or method.name == "cam":
            continue
        settings = {"layer": network.layers[-1], "sizes": (9,), "stride": 3, "target": "right", "signed": True}
        found = explain(network, picture, method.name, **settings)
        assert found.map.shape == network.size and np.isfinite(found.map).all()
        # A gradient alone is not about what is there, and the eraser knows no lights.
        if name == "cropping" and method.name not in ("smooth-grad", "erasure"):
            row = np.unravel_index(np.abs(found.map).argmax(), found.map.shape)[0]
            assert 44 <= row <= 60, f"{method.name} peaks at row {row}; the light is at rows 50 to 53"
