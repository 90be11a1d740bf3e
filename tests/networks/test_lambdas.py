"""Lambdas: described, replaced by what the user says, and never run."""

import keras
import numpy as np
import pytest
from files_made import (
    PICTURE,
    evil,
    lambda_file,
    pictures,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from steerlib.__main__ import main
from steerlib.networks.cells_to_pixels import cell_centers
from steerlib.networks.files import load_network
from steerlib.networks.formats import Choices, read
from steerlib.networks.formats.lambdas import list_layers
from steerlib.networks.formats.replacement import layers_for
from steerlib.networks.network import as_network

L = keras.layers


def numbers(depth=3):
    """Expressions that are affine in x: text, factor, offset."""
    leaf = st.one_of(st.just(("x", 1.0, 0.0)), st.floats(0.01, 300).map(lambda value: (repr(value), 0.0, value)))

    def join(children):
        def combine(left, right, sign):
            (a, f, o), (b, g, p) = left, right
            if sign in "+-":
                direction = 1 if sign == "+" else -1
                return f"({a} {sign} {b})", f + direction * g, o + direction * p
            if sign == "*":
                return (f"({a} * {b})", f * p + g * o, o * p) if not (f and g) else left
            return (f"({a} / {b})", f / p, o / p) if not g and p else left

        return st.builds(combine, children, children, st.sampled_from("+-*/"))

    return st.recursive(leaf, join, max_leaves=6)


@settings(max_examples=60, deadline=None)
@given(numbers())
def test_affine_words_become_the_layer_that_they_say(expression):
    text, factor, offset = expression
    if len(text) > 200:
        return
    if not factor or not np.isfinite([factor, offset]).all():
        with pytest.raises(ValueError, match="replace lambda_1"):
            layers_for("lambda_1", text)
        return
    seen = np.array([[0.0, 1.0, 255.0]])
    found = seen
    for layer in layers_for("lambda_1", text):
        assert isinstance(layer, L.Rescaling) and layer.name == "lambda_1"
        found = np.asarray(layer(found))
    scale = np.abs(factor) * 255 + np.abs(offset)
    np.testing.assert_allclose(found, factor * seen + offset, rtol=1e-4, atol=1e-4 * scale)


@settings(max_examples=100, deadline=None)
@given(st.text("x0123456789.+-*/()[]{}, croplambdimes_'\"\\:=@", max_size=60))
def test_any_text_is_understood_or_refused(text):
    try:
        layers_for("lambda_1", text)
    except ValueError as error:
        assert str(error).startswith("replace lambda_1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x*x",
        "1/x",
        "x**2",
        "3",
        "x-x",
        "x/0",
        "x*1e999",
        "y",
        "abs(x)",
        "x.y",
        "x[0]",
        "lambda x: x",
        "True*x",
        "x;x",
        "__import__('os')",
        "crop(1)",
        "crop(-1, 2)",
        "crop(1, 2, 3)",
        "crop(1, x)",
        "resize(0, 3)",
        "resize(3)",
        "crop(1, 2)*2",
        "(" * 90 + "x" + ")" * 90 + "!",
        "x" * 201,
        "f'{x}'",
        "[x]",
        "x if x else x",
    ],
)
def test_what_is_no_such_text_is_refused(text):
    with pytest.raises(ValueError, match="replace lambda_1"):
        layers_for("lambda_1", text)


def test_steps_are_done_in_their_order():
    layers = layers_for("cut", "crop(2, 1, 3, 4), resize(6, 8), x÷127.5−1")
    assert [type(layer).__name__ for layer in layers] == ["Cropping2D", "Resizing", "Rescaling"]
    assert [layer.name for layer in layers] == ["cut_1", "cut_2", "cut_3"]
    x = pictures()
    for layer in layers:
        x = layer(x)
    expected = keras.ops.image.resize(pictures()[:, 2:-1, 3:-4], (6, 8)) / 127.5 - 1
    np.testing.assert_allclose(x, expected, atol=1e-5)


@pytest.mark.parametrize("form", ["latin-1", "base64"])
def test_a_lambda_is_described_and_replaced_and_never_run(form, tmp_path):
    path, kernel, bias = lambda_file(tmp_path / "net.h5", evil(tmp_path / "pwned")[form])
    with pytest.raises(ValueError, match="a Lambda, code that is never run: lambda_1") as told:
        read(path)
    for part in ("(12, 20, 3)", "before flat", "127.5", '--replace lambda_1="x/127.5-1"'):
        assert part in str(told.value)
    seen = 255 * pictures()
    expected = (seen / 127.5 - 1).reshape(3, -1) @ kernel + bias
    for given_ in ("x/127.5-1", L.Rescaling(1 / 127.5, -1)):
        model = read(path, Choices({"lambda_1": given_}))
        np.testing.assert_allclose(model(seen), expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="replace angle: only for lambda_1"):
        read(path, Choices({"lambda_1": "x", "angle": "x"}))
    with pytest.raises(ValueError, match=r"expected a text such as .* or a Keras layer, got int"):
        read(path, Choices({"lambda_1": 3}))
    with pytest.raises(ValueError, match=r"layer angle has weights \(720, 1\), \(1,\), expected \(600, 1\)"):
        read(path, Choices({"lambda_1": "crop(1, 1)"}))
    assert not (tmp_path / "pwned").exists()
    network = load_network(path, replace={"lambda_1": "x/127.5-1"})
    np.testing.assert_allclose(network.angles(seen / 255), np.degrees(expected[:, 0]), rtol=1e-3, atol=1e-2)


def test_inspect_lists_the_layers_of_a_file_whose_lambda_is_not_replaced(tmp_path, capsys):
    path, *_ = lambda_file(tmp_path / "net.h5", evil(tmp_path / "pwned")["base64"])
    assert main(["inspect", str(path)]) == 2
    told = capsys.readouterr()
    lines = {line.split()[0]: line for line in told.out.splitlines()[1:]}
    assert "Lambda" in lines["lambda_1"] and "code, never run" in lines["lambda_1"]
    assert "Flatten" in lines["flat"] and "units 1" in lines["angle"] + lines["angle"].replace("output_dim", "units")
    assert '--replace lambda_1="x/127.5-1"' in told.err and not (tmp_path / "pwned").exists()


def test_a_list_of_layers_shows_nothing_strange():
    deep = {
        "class_name": "Dense\x1b[2J",
        "config": {"name": "a\nb" * 99, "units": [[[1]]], "rate": "\x1b]0;x", "p": 0.5},
    }
    (line,) = list_layers({"class_name": "Model", "config": {"layers": [deep]}})
    assert len(line) < 140 and line.isprintable() and "units" not in line and "p 0.5" in line
    assert list_layers({"config": {"layers": [deep] * 300}})[-1] == "  and 100 more"


def cutting(x):
    open("pwned", "w")
    return x[:, 2:-1] / 255.0


def test_lambdas_of_keras_3_are_replaced_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture = keras.Input(PICTURE)
    x = L.Lambda(lambda x: x / 255.0 - 0.5, name="norm", output_shape=PICTURE)(picture)
    x = L.Lambda(cutting, name="cut", output_shape=(9, 20, 3))(x)
    model = keras.Model(picture, L.Dense(1, name="d")(L.Flatten()(L.Conv2D(2, 3, name="c")(x))))
    (tmp_path / "pwned").unlink(missing_ok=True)
    for ending in (".keras", ".h5"):
        model.save(path := tmp_path / f"net{ending}")
        with pytest.raises(
            ValueError, match=r"2 Lambdas, .*norm of \(12, 20, 3\) between .* and cut, its numbers 0.5, 255"
        ):
            read(path)
        with pytest.raises(ValueError, match="replace c: only for"):
            read(path, Choices({"norm": "x", "cut": "crop(2, 1), x/255", "c": "x"}))
        for first in ("x/255-0.5", L.Rescaling(1 / 255, -0.5)):
            found = read(path, Choices({"norm": first, "cut": "crop(2, 1), x/255"}))
            seen = 255 * pictures()
            assert not (tmp_path / "pwned").exists()
            expected = model(seen)
            (tmp_path / "pwned").unlink(missing_ok=True)
            np.testing.assert_allclose(found(seen), expected, rtol=1e-3, atol=1e-4)
        rows, _ = cell_centers(as_network(found), "c")
        np.testing.assert_allclose(rows, 3 + np.arange(7))  # two rows are cut, one is half of the window
    keras.Sequential([keras.Input(PICTURE), L.Flatten(), L.Dense(1)]).save(tmp_path / "plain.keras")
    with pytest.raises(ValueError, match="replace norm: there is no Lambda"):
        read(tmp_path / "plain.keras", Choices({"norm": "x"}))
