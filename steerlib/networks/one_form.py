"""Any Keras model as one kind of model: a picture in, the angle of the steering wheel out, every layer by its name.

Models come as `Sequential`, with inputs and outputs in lists or dictionaries, with models inside of models, in half
precision, with a normalization of their own. Each layer is applied again, one after the other, to a new input: the same
answers, and every inner layer has an output that gradients can be taken of. The weights are copied.
"""

from numbers import Real

import keras
import numpy as np
from keras import layers

UNITS = ("radians", "degrees", "fraction")  # of an answer: of the steering wheel, or of its full lock
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
COLORS = ("RGB", "BGR")
# What comes before the first layer with weights, and neither normalizes nor tells anything of the range.
PASSING = (
    layers.InputLayer,
    layers.Cropping2D,
    layers.ZeroPadding2D,
    layers.Resizing,
    layers.UpSampling2D,
    layers.AveragePooling2D,
    layers.MaxPooling2D,
)


def one_form(
    model: keras.Model,
    size: tuple[int, int] | None = None,
    range: tuple[float, float] | None = None,
    color: str = "RGB",
    output: str | int | None = None,
    unit: str = "radians",
    full_lock: float = 25.0,
    sign: int = 1,
) -> keras.Model:
    """Bring a Keras model into the one form that every method takes.

    Introduced in notebook 02.

    Parameters
    ----------
    model : keras.Model
        Functional or Sequential, models inside of it included; from one picture to one number, or to several of which
        `output` chooses one.
    size : (height, width), optional
        Of the picture, where the model itself does not say.
    range : (low, high), optional
        What the model takes black and white for, one of `RANGES`. None: what the normalization at its beginning says
        (`expected_range`); (0, 1) where there is none.
    color : {"RGB", "BGR"}
        The order of its channels.
    output : str or int, optional
        Which of several outputs is the angle: its name, or its place.
    unit : {"radians", "degrees", "fraction"}
        Of the answer.
    full_lock : float
        Degrees of the steering wheel that an answer of 1 means, for the unit "fraction".
    sign : {1, -1}
        -1 where a positive answer steers left.

    Returns
    -------
    keras.Model
        Functional, from (n, h, w, 3) float32 RGB in [0, 1] to (n, 1) float32 radians, positive to the right. The
        model itself where it has this form already: what is trained later is seen. Else a copy in float32.

    Raises
    ------
    ValueError
        Names what is not understood, and what to declare.
    """
    _check_description(range, color, unit, full_lock, sign)
    shape, size = _input_shape(model, size)
    range = expected_range(model) if range is None else range
    plain = (tuple(range), color, unit, sign) == ((0.0, 1.0), "RGB", "radians", 1)
    if plain and _has_the_form(model, shape):
        _place(model, output)
        return model
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)

    picture = x = keras.Input((*size, 3), name="picture")
    if color == "BGR":
        x = keras.ops.flip(x, axis=-1)
    low, high = range
    if (low, high) != (0, 1):
        x = layers.Rescaling(high - low, low, name="to_its_range")(x)
    copies: list[tuple[keras.Layer, keras.Layer]] = []
    place = _place(model, output)
    answer = keras.tree.flatten(_apply(model, x, copies))[place]
    if answer.dtype != "float32":
        answer = keras.ops.cast(answer, "float32")
    answer = keras.ops.reshape(answer, (-1, 1))
    radians = sign * {"radians": 1.0, "degrees": np.pi / 180, "fraction": full_lock * np.pi / 180}[unit]
    if radians != 1:
        answer = layers.Rescaling(radians, name="to_radians")(answer)
    made = keras.Model(picture, answer, name=model.name)
    for layer, copy in copies:
        copy.set_weights(layer.get_weights())
        if hasattr(copy, "finalize_state"):  # of a Normalization: what it computes with is made of its weights
            copy.finalize_state()

    seen = np.random.default_rng(0).random((1, *size, 3), np.float32)
    given = low + (high - low) * (seen[..., ::-1] if color == "BGR" else seen)
    half = any(layer.compute_dtype != "float32" for layer in _all_layers(model))
    _compare(model, given, place, keras.ops.convert_to_numpy(made(seen)) / radians, 0.02 if half else 1e-3)
    return made


def expected_range(model: keras.Model) -> tuple[float, float]:
    """Tell which range of brightness a model was made for, by the normalization with which it begins.

    Introduced in notebook 02. A rescaling whose factor is near 1/255 makes a number of about 1 of white, if white is
    255; one whose factor is near 1, if white is 1. The mean of a Normalization, or of a BatchNormalization, that comes
    first is that of the pictures it was made on.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    low, high : float
        (0, 255) or (0, 1); also (0, 1), the convention of these notebooks, where the model does not normalize.

    Raises
    ------
    ValueError
        Where a normalization fits neither.
    """
    for layer in _first_layers(model):
        if isinstance(layer, layers.Rescaling):
            values = float(np.max(np.abs(layer.scale)))
            what = f"multiplies by {values:g}"
            small, large = values <= 0.05, values >= 0.4
        elif isinstance(layer, layers.Normalization | layers.BatchNormalization):
            mean = layer.moving_mean if isinstance(layer, layers.BatchNormalization) else layer.mean
            values = float(np.mean(keras.ops.convert_to_numpy(mean)))
            what = f"takes {values:g} for the mean"
            small, large = values > 5, abs(values) <= 1
        else:
            break
        if small or large:
            return (0.0, 255.0) if small else (0.0, 1.0)
        raise ValueError(
            f"network {model.name!r}: its layer {layer.name} {what}, which fits neither pictures in 0...1 nor in "
            "0...255: say which, for instance range=(0, 255)"
        )
    return 0.0, 1.0


def _check_description(range: tuple[float, float] | None, color: str, unit: str, full_lock: float, sign: int) -> None:
    """Refuse what is no description."""
    if range is not None and (np.shape(range) != (2,) or tuple(range) not in RANGES):
        raise ValueError(f"range={range!r}: expected one of {', '.join(map(str, RANGES))}")
    for name, value, choices in (("color", color, COLORS), ("unit", unit, UNITS), ("sign", sign, (1, -1))):
        if value not in choices:
            raise ValueError(f"{name}={value!r}: expected one of {', '.join(map(str, choices))}")
    if not isinstance(full_lock, Real) or not 0 < full_lock <= 2000:
        raise ValueError(f"full_lock={full_lock!r}: expected degrees of the steering wheel, above 0")


def _input_shape(model: keras.Model, size: tuple[int, int] | None) -> tuple[tuple, tuple[int, int]]:
    """Give the shape of what a model takes, (None, h, w, 3), and the size of the picture."""
    if not isinstance(model, keras.Sequential) and not getattr(model, "operations", None):
        raise ValueError(
            f"network {model.name!r} is a class of its own ({type(model).__name__}), whose layers are not known: "
            "expected a functional or Sequential model, or a function from pictures to degrees"
        )
    if not model.built and size is not None:
        model.build((None, *size, 3))
    taken = getattr(model, "inputs", None)  # a Sequential model that is not built has none
    if not taken:
        raise ValueError(f"network {model.name!r} does not say which pictures it takes: say size=(height, width)")
    if len(taken) > 1:
        names = ", ".join(tensor.name for tensor in taken)
        raise ValueError(f"network {model.name!r} takes {len(taken)} inputs ({names}): expected one picture")
    shape = tuple(taken[0].shape)
    if len(shape) != 4 or shape[3] != 3:
        raise ValueError(f"network {model.name!r} takes {shape}: expected pictures (None, height, width, 3)")
    if None in shape[1:3] and size is None:
        raise ValueError(f"network {model.name!r} takes pictures of any size {shape}: say size=(height, width)")
    fixed = tuple(own or given for own, given in zip(shape[1:3], size or shape[1:3]))
    if size is not None and fixed != tuple(size):
        raise ValueError(f"size={tuple(size)}: network {model.name!r} takes pictures of {fixed}")
    for layer in _all_layers(model):
        if getattr(layer, "data_format", None) == "channels_first":
            raise ValueError(f"network {model.name!r}: its layer {layer.name} takes channels first: expected them last")
    return shape, fixed


def _all_layers(model: keras.Model) -> list[keras.Layer]:
    """List a model's layers, those of models inside of it too, in the order of the model."""
    found = []
    for layer in model.layers:
        found += _all_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def _first_layers(model: keras.Model) -> list[keras.Layer]:
    """List the layers at a model's beginning, without those that only cut, pad or resize."""
    return [layer for layer in _all_layers(model) if not isinstance(layer, PASSING)]


def _has_the_form(model: keras.Model, shape: tuple) -> bool:
    """Tell whether a model needs no copy."""
    return (
        not isinstance(model, keras.Sequential)
        and not keras.tree.is_nested(model.input)
        and not keras.tree.is_nested(model.output)
        and None not in shape[1:]
        and tuple(model.output.shape) == (None, 1)
        and not any(isinstance(layer, keras.Model) or _is_shared(layer) for layer in model.layers)
        and all(layer.compute_dtype == "float32" for layer in model.layers)
    )


def _is_shared(layer: keras.Layer) -> bool:
    """Tell whether a layer is used in several places, so that it has no output of its own."""
    try:
        return layer.output is None
    except AttributeError:
        return True


def _apply(model: keras.Model, x: keras.KerasTensor, copies: list, prefix: str = "") -> object:
    """Apply copies of a model's layers to a new input, and those of models inside of it; give its outputs."""

    def call(layer: keras.Operation, *arguments: object, **options: object) -> object:
        if isinstance(layer, keras.Model):
            return _apply(layer, arguments[0], copies, f"{prefix}{layer.name}_")
        if not isinstance(layer, keras.Layer):  # an operation, such as an addition
            return layer(*arguments, **options)
        # One that is used in two places becomes two, so that each has an output of its own.
        copies.append((layer, _copy(layer, {copy.name for _, copy in copies}, prefix)))
        return copies[-1][1](*arguments, **options)

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            x = call(layer, x)
        return x
    # Keras's own walk through the graph, as in keras.models.clone_model, which cannot start at an inner tensor.
    given = keras.tree.pack_sequence_as(model.input, [x])
    return model._run_through_graph(given, operation_fn=lambda operation: operation, call_fn=call)


def _copy(layer: keras.Layer, names: set[str], prefix: str) -> keras.Layer:
    """Make a layer of the same kind, in float32; its name stays where no other layer has it."""
    config, name, times = layer.get_config(), layer.name, 1
    while name in names:
        name, times = f"{prefix}{layer.name}" + (f"_{times}" if times > 1 else ""), times + 1
    return type(layer).from_config(config | {"dtype": "float32", "name": name})


def _place(model: keras.Model, output: str | int | None) -> int:
    """Find the output that is the angle among all of them."""
    outputs = keras.tree.flatten(model.output)
    names = sorted(model.output) if isinstance(model.output, dict) else list(model.output_names)
    if output is None and len(outputs) == 1:
        place = 0
    elif output in names:
        place = names.index(output)
    elif isinstance(output, int) and 0 <= output < len(outputs):
        place = output
    else:
        known = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in zip(names, outputs))
        given = "" if output is None else f", not output={output!r}"
        raise ValueError(f"network {model.name!r} has the outputs {known}: say which is the angle by its name{given}")
    shape = tuple(outputs[place].shape)
    if shape not in ((None, 1), (None,)):
        raise ValueError(f"network {model.name!r} answers {shape}: expected (None, 1), one angle for each picture")
    return place


def _compare(model: keras.Model, given: np.ndarray, place: int, after: np.ndarray, tolerance: float) -> None:
    """Ask a model for a picture that its copy has answered: a copy that says something else is refused, not used."""
    answers = model(keras.tree.pack_sequence_as(model.input, [given]), training=False)
    before = keras.ops.convert_to_numpy(keras.tree.flatten(answers)[place]).astype(np.float64)
    if not np.allclose(before.ravel(), after.ravel(), rtol=tolerance, atol=tolerance, equal_nan=True):
        raise ValueError(
            f"network {model.name!r} could not be taken apart into its layers: put together again they answer "
            f"{after.ravel()} in place of {before.ravel()}"
        )
