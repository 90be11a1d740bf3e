"""Any Keras model as one kind of model: a picture in, the angle of the steering wheel out, every layer by its name.

Models come as `Sequential`, with inputs and outputs in lists or dictionaries, with models inside of models, in half
precision, with a normalization of their own. Each layer is applied again, one after the other, to a new input: the same
answers, and every inner layer has an output that gradients can be taken of. The weights are copied.
"""

import keras
import numpy as np
from keras import layers

from steerlib.networks.black_box import are_shares, in_its_color, in_range, output_place, state_of
from steerlib.networks.description import Description
from steerlib.networks.own_layers import AfterColor, Always, InSequence, ToColor

MEAN_OF_CLASSES, IN_SEQUENCE = "mean_of_classes", "in_sequence"  # layers by which `Network` knows what it has
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


def one_form(model: keras.Model, description: Description | None = None) -> keras.Model:
    """Bring a Keras model into the one form that every method takes.

    Introduced in notebook 02.

    Parameters
    ----------
    model : keras.Model
        Functional or Sequential, models inside of it included; from one picture to one number, to several of which
        `output` chooses one, or to classes. The picture has three channels or one, or it is a sequence of pictures,
        (t, h, w, c); other inputs are given what `state` says.
    description : Description, optional
        What the model wants and means. Where it says nothing: the range that the normalization at its beginning says
        (`expected_range`), else 0 to 1; RGB, or gray for a picture of one channel; radians, positive to the right.

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
    told = description or Description()
    inputs, taken = inputs_of(model, told.size)
    size, shape = _size_of(model, inputs[taken], told.size), tuple(inputs[taken].shape)
    low, high = expected_range(model) if told.range is None else told.range
    color = told.color_for(shape[-1])
    plain = (low, high, color, told.to_radians) == (0.0, 1.0, "RGB", 1.0) and told.classes is None
    if plain and told.color_at is None and _has_the_form(model, shape):
        _place(model, told)
        return model
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    place, state = _place(model, told), state_for(model, taken, told)

    after_color = told.after_color(size)
    picture = x = keras.Input((*(told.color_at or size), 3), name="picture")
    if len(shape) == 5:
        x = InSequence(shape[1], name=IN_SEQUENCE)(x)
    if color == "BGR":
        x = keras.ops.flip(x, axis=-1)
    elif color != "RGB":
        x = ToColor(color, name="to_its_color")(x)
    if after_color:
        x = AfterColor(**after_color, name="after_color")(x)
    if (low, high) != (0, 1):
        x = layers.Rescaling(high - low, low, name="to_its_range")(x)
    given = [Always(state[i], name=f"always_{i}")(picture) if i in state else x for i in range(len(inputs))]
    copies: list[tuple[keras.Layer, keras.Layer]] = []
    answer = keras.tree.flatten(_apply(model, given, copies))[place]
    if answer.dtype != "float32":
        answer = keras.ops.cast(answer, "float32")

    seen = np.random.default_rng(0).random((1, *picture.shape[1:]), np.float32)
    numbers = in_range(in_its_color(seen, told, color, size), (low, high), shape)
    before = _ask(
        model, [np.array([state[i]], np.float32) if i in state else numbers for i in range(len(inputs))], place
    )
    if told.classes is not None:
        if not are_shares(before):
            answer = layers.Softmax(name="shares_of_classes")(answer)
            before = keras.ops.convert_to_numpy(keras.ops.softmax(before))
        bins = told.to_radians * told.bins(before.shape[1])
        mean = layers.Dense(1, use_bias=False, trainable=False, name=MEAN_OF_CLASSES)
        answer, before = mean(answer), before @ bins[:, None]
        mean.set_weights([bins[:, None]])
    else:
        answer, before = keras.ops.reshape(answer, (-1, 1)), before * told.to_radians
        if told.to_radians != 1:
            answer = layers.Rescaling(told.to_radians, name="to_radians")(answer)
    made = keras.Model(picture, answer, name=model.name)
    for layer, copy in copies:
        copy.set_weights(layer.get_weights())
        if hasattr(copy, "finalize_state"):  # of a Normalization: what it computes with is made of its weights
            copy.finalize_state()
    half = any(layer.compute_dtype != "float32" for layer in _all_layers(model))
    _compare(model.name, before, keras.ops.convert_to_numpy(made(seen)), told.to_radians, 0.02 if half else 1e-3)
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
    return stated_range(model) or (0.0, 1.0)


def stated_range(model: keras.Model) -> tuple[float, float] | None:
    """Tell what `expected_range` reads off a model; None where it does not normalize, or by a factor of 1."""
    for layer in _first_layers(model):
        if isinstance(layer, layers.Rescaling):
            values = float(np.max(np.abs(layer.scale)))
            if np.all(np.equal(layer.scale, 1)) and np.all(np.equal(layer.offset, 0)):
                continue  # does nothing, and says nothing
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
    return None


def inputs_of(model: keras.Model, size: tuple[int, int] | None) -> tuple[list[keras.KerasTensor], int]:
    """Give what a model takes, and which of it is the picture, or a sequence of pictures."""
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
    found = [i for i, tensor in enumerate(taken) if len(tensor.shape) in (4, 5) and tensor.shape[-1] in (1, 3)]
    if len(found) == 1:
        shape = tuple(taken[found[0]].shape)
        if len(shape) == 5 and shape[1] is None:
            raise ValueError(f"network {model.name!r} takes sequences of any length {shape}: expected a fixed one")
        for layer in _all_layers(model):
            if getattr(layer, "data_format", None) == "channels_first":
                message = f"its layer {layer.name} takes channels first: expected them last"
                raise ValueError(f"network {model.name!r}: {message}")
        return list(taken), found[0]
    if len(taken) == 1:
        expected = "expected pictures (None, height, width, 3), of one channel, or a sequence of such"
        raise ValueError(f"network {model.name!r} takes {tuple(taken[0].shape)}: {expected}")
    names = ", ".join(f"{tensor.name} {tuple(tensor.shape)}" for tensor in taken)
    raise ValueError(f"network {model.name!r} takes {len(taken)} inputs ({names}): expected one picture among them")


def _size_of(model: keras.Model, picture: keras.KerasTensor, size: tuple[int, int] | None) -> tuple[int, int]:
    """Give the size of the picture that a model takes: its own, or the declared one where it takes any."""
    own = tuple(picture.shape[-3:-1])
    if None in own and size is None:
        raise ValueError(
            f"network {model.name!r} takes pictures of any size {tuple(picture.shape)}: say size=(height, width)"
        )
    fixed = tuple(side or given for side, given in zip(own, size or own))
    if size is not None and fixed != tuple(size):
        raise ValueError(f"size={tuple(size)}: network {model.name!r} takes pictures of {fixed}")
    return fixed


def state_for(model: keras.Model, taken: int, told: Description) -> dict[int, tuple[float, ...]]:
    """Say what each input of a model that is no picture is given, by its place."""
    names = sorted(model.input) if isinstance(model.input, dict) else [tensor.name for tensor in model.inputs]
    beside = {i: (names[i], tuple(model.inputs[i].shape)) for i in range(len(names)) if i != taken}
    return state_of(told.state, beside, model.name)


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


def _apply(model: keras.Model, given: list[keras.KerasTensor], copies: list, prefix: str = "") -> object:
    """Apply copies of a model's layers to new inputs, and those of models inside of it; give its outputs."""

    def call(layer: keras.Operation, *arguments: object, **options: object) -> object:
        if isinstance(layer, keras.Model):
            return _apply(layer, keras.tree.flatten(arguments), copies, f"{prefix}{layer.name}_")
        if not isinstance(layer, keras.Layer):  # an operation, such as an addition
            return layer(*arguments, **options)
        # One that is used in two places becomes two, so that each has an output of its own.
        copies.append((layer, _copy(layer, {copy.name for _, copy in copies}, prefix)))
        return copies[-1][1](*arguments, **options)

    if isinstance(model, keras.Sequential):
        (x,) = given
        for layer in model.layers:
            x = call(layer, x)
        return x
    # Keras's own walk through the graph, as in keras.models.clone_model, which cannot start at an inner tensor.
    given = keras.tree.pack_sequence_as(model.input, given)
    return model._run_through_graph(given, operation_fn=lambda operation: operation, call_fn=call)


def _copy(layer: keras.Layer, names: set[str], prefix: str) -> keras.Layer:
    """Make a layer of the same kind, in float32; its name stays where no other layer has it."""
    config, name, times = layer.get_config(), layer.name, 1
    while name in names:
        name, times = f"{prefix}{layer.name}" + (f"_{times}" if times > 1 else ""), times + 1
    return type(layer).from_config(config | {"dtype": "float32", "name": name})


def _place(model: keras.Model, told: Description) -> int:
    """Find the output that is the angle among all of them."""
    outputs = keras.tree.flatten(model.output)
    names = sorted(model.output) if isinstance(model.output, dict) else list(model.output_names)
    shapes = [tuple(tensor.shape) for tensor in outputs]
    place = output_place(told.output, names, shapes, model.name)
    shape = shapes[place]
    if told.classes is not None and len(shape) == 2 and shape[1] is not None and shape[1] > 1:
        return place
    if shape not in ((None, 1), (None,)) or told.classes is not None:
        expected = "expected (None, 1), one angle for each picture"
        if len(shape) == 2 and told.classes is None:
            expected += "; for bins say what they mean, such as classes=(-1, 1)"
        raise ValueError(f"network {model.name!r} answers {shape}: {expected}")
    return place


def _ask(model: keras.Model, given: list[np.ndarray], place: int) -> np.ndarray:
    """Ask a model itself for one picture: (1, k) float64."""
    answers = model(keras.tree.pack_sequence_as(model.input, given), training=False)
    return keras.ops.convert_to_numpy(keras.tree.flatten(answers)[place]).astype(np.float64).reshape(1, -1)


def _compare(name: str, before: np.ndarray, after: np.ndarray, unit: float, tolerance: float) -> None:
    """Compare what a model answers with what its copy does: a copy that says something else is refused, not used."""
    before, after = np.ravel(before) / unit, np.ravel(after) / unit
    if not np.allclose(before, after, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise ValueError(
            f"network {name!r} could not be taken apart into its layers: put together again they answer {after} in "
            f"place of {before}"
        )
