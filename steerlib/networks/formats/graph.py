"""From the description of a network, a text, to a Keras model without its weights (notebook 10)."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from steerlib.networks.formats.lambdas import KINDS, Lambda, LambdaError, around, check_replacements, hint, name_of
from steerlib.networks.formats.legacy_layers import layer_of, turned
from steerlib.networks.formats.replacement import layers_for

LARGEST_TEXT = 16 * 2**20  # characters of a description; a network of a hundred layers has 50,000
LARGEST_NETWORK = 512 * 2**20  # bytes of weights when unpacked; PilotNet has 6.4 million
LARGEST_LAYER = 2**26  # numbers that a layer makes of one picture
MOST_LAYERS, DEEPEST = 2000, 8  # models inside of models
LONGEST_SIDE = 10_000
MODELS = ("Sequential", "Functional", "Model")


@dataclass
class Reading:
    """What is known, and what was found, while a network is read.

    Attributes
    ----------
    where : str
        The file, for errors.
    version : str
        Of the Keras that wrote it.
    replace : mapping
        What stands in the place of Lambdas.
    first : bool
        Whether the file has channels first; the model that is made has them last.
    lambdas : list of Lambda
        Those for which nothing stands.
    met : list of str
        The names of all Lambdas.
    names : dict
        Of a layer or model, by ``id``, the name in the file.
    children : dict
        Of a model, by ``id``, its layers in the order of the file.
    """

    where: str
    version: str
    replace: Mapping[str, object] = field(default_factory=dict)
    first: bool = False
    lambdas: list[Lambda] = field(default_factory=list)
    met: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    children: dict[int, list[keras.Layer]] = field(default_factory=dict)
    count: int = 0


def parse(text: str | bytes, where: str) -> dict:
    """Read a description: JSON, or JSON inside a text of JSON.

    Raises
    ------
    ValueError
        Where it is too long, nested too deep, or no JSON.
    """
    if len(text) > LARGEST_TEXT:
        raise ValueError(f"{where}: its description has {len(text):,} characters: expected at most {LARGEST_TEXT:,}")
    try:
        found = json.loads(text)
        if isinstance(found, str):
            found = json.loads(found)
    except RecursionError:
        raise ValueError(f"{where}: its description is nested too deep: expected that of a network") from None
    except ValueError:
        raise ValueError(f"{where}: its description is no JSON: expected what Keras's to_json gives") from None
    if not isinstance(found, dict) or not isinstance(found.get("class_name"), str) or "config" not in found:
        raise ValueError(f"{where}: its description is not that of a Keras model (class_name and config)")
    return found


def build(description: dict, reading: Reading) -> keras.Model:
    """Build a model, with weights that mean nothing yet.

    Introduced in notebook 10.

    Parameters
    ----------
    description : dict
        As `parse` gives it.
    reading : Reading
        Takes down what is found.

    Returns
    -------
    keras.Model
        Functional, float32, channels last.

    Raises
    ------
    ValueError
        Names a layer that is not known or does not fit; lists the Lambdas for which nothing stands.
    """
    text = json.dumps(description)
    reading.first = '"channels_first"' in text or '"dim_ordering": "th"' in text
    try:
        with bounded(reading.where):
            model = _model(description, reading, 0)
    except ValueError:
        if not reading.lambdas:  # a layer after a Lambda fails for the Lambda's sake
            raise
    except RecursionError:
        raise ValueError(f"{reading.where}: its description is nested too deep: expected that of a network") from None
    except (AttributeError, IndexError, KeyError, TypeError) as error:  # a text may hold anything anywhere
        raise ValueError(f"{reading.where}: its description is not that of a Keras model") from error
    check_replacements(reading.where, reading.replace, reading.met)
    if reading.lambdas:
        raise LambdaError(reading.where, reading.lambdas, description)
    return model


@contextlib.contextmanager
def bounded(where: str) -> Iterator[None]:
    """Refuse weights that would fill the memory, before Keras makes them: a short text can ask for any number."""
    add_weight, left = keras.Layer.add_weight, [LARGEST_NETWORK // 4]

    def checked(layer: keras.Layer, shape: Any = None, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        sides = tuple(shape) if isinstance(shape, tuple | list) else () if shape is None else (shape,)
        left[0] -= math.prod(int(side) for side in sides)
        if left[0] < 0:
            raise ValueError(
                f"{where}: its layer {layer.name} has {'×'.join(map(str, sides))} weights: "
                f"expected a network of at most {LARGEST_NETWORK >> 20} MB"
            )
        return add_weight(layer, shape, *arguments, **options)

    keras.Layer.add_weight = checked
    try:
        yield
    finally:
        keras.Layer.add_weight = add_weight


def _model(spec: dict, reading: Reading, depth: int) -> keras.Model:
    kind, config = spec.get("class_name"), spec.get("config")
    if depth > DEEPEST:
        raise ValueError(f"{reading.where}: more than {DEEPEST} models inside of models")
    if kind not in MODELS:
        raise ValueError(f"{reading.where}: a class of its own ({str(kind)[:40]}): expected one of {', '.join(MODELS)}")
    specs = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(specs, list) or not all(isinstance(one, dict) for one in specs) or not specs:
        raise ValueError(f"{reading.where}: expected the list of a model's layers")
    if kind == "Sequential":
        model = _chain(specs, config, reading, depth)
    else:
        model = _network(specs, config, reading, depth)
    reading.names[id(model)] = name_of(spec)
    return model


def _chain(specs: list[dict], config: object, reading: Reading, depth: int) -> keras.Model:
    """Build a Sequential model."""
    shape = _first_shape(specs[0], reading, 0)
    if shape is None and isinstance(config, dict) and "build_input_shape" in config:
        shape = _shape(config["build_input_shape"], reading)
    if shape is None:
        raise ValueError(f"{reading.where}: its description does not say the size of its pictures")
    picture = x = keras.Input(shape)
    layers = []
    for place, spec in enumerate(specs):
        if spec.get("class_name") != "InputLayer":
            x = _apply(_layer(specs, place, x, reading, depth), x, name_of(spec), reading, layers)
    config = config if isinstance(config, dict) else {}
    model = keras.Model(picture, x, name=_fit(config.get("name") or "network"))
    reading.children[id(model)] = layers
    return model


def _network(specs: list[dict], config: dict, reading: Reading, depth: int) -> keras.Model:
    """Build a functional model: a layer as soon as what it takes is there."""
    known: dict[tuple[str, int], list] = {}
    layers: list[keras.Layer] = []
    waiting: list[tuple[int, int, list]] = []
    inputs: dict[str, Any] = {}
    for place, spec in enumerate(specs):
        name = name_of(spec)
        if spec.get("class_name") == "InputLayer":
            shape = _first_shape(spec, reading, 0)
            if shape is None:
                raise ValueError(f"{reading.where}: its input {name} does not say its size")
            inputs[name] = keras.Input(shape, name=_fit(name))
            known[name, 0] = [inputs[name]]
            continue
        nodes = spec.get("inbound_nodes")
        if not isinstance(nodes, list) or not nodes:
            raise ValueError(f"{reading.where}: its layer {name} is connected with nothing")
        waiting += [(place, number, _references(node, name, reading)) for number, node in enumerate(nodes)]
    made: dict[int, list] = {}
    while waiting:
        ready = [one for one in waiting if all((name, node) in known for name, node, _ in one[2])]
        if not ready:
            names = ", ".join(name_of(specs[place]) for place, _, _ in waiting[:3])
            raise ValueError(f"{reading.where}: its layers {names} wait for each other, or for one that is not there")
        for place, number, taken in ready:
            name = name_of(specs[place])
            given = [_entry(known[source, node], tensor, name, reading) for source, node, tensor in taken]
            x = given[0] if len(given) == 1 else given
            if place not in made:
                made[place] = _layer(specs, place, x, reading, depth)
                new = layers
            else:
                new = []
            known[name, number] = keras.tree.flatten(_apply(made[place], x, name, reading, new))
        waiting = [one for one in waiting if one not in ready]

    def ends(key: str) -> Any:  # noqa: ANN401
        found = [
            _entry(known.get((name, node), []), tensor, name, reading)
            for name, node, tensor in _references(config.get(key), key, reading)
        ]
        return found[0] if len(found) == 1 else found

    model = keras.Model(ends("input_layers"), ends("output_layers"), name=_fit(config.get("name") or "network"))
    order = {name_of(spec): place for place, spec in enumerate(specs)}
    reading.children[id(model)] = sorted(layers, key=lambda layer: order.get(reading.names[id(layer)], 0))
    return model


def _references(node: object, name: str, reading: Reading) -> list[tuple[str, int, int]]:
    """Give what a connection names, (layer, call, output), in the notation of any Keras."""
    told = f"{reading.where}: the connections of its layer {name} are not understood"
    if isinstance(node, dict) and "args" in node:
        options = {key: value for key, value in (node.get("kwargs") or {}).items() if value is not None}
        if set(options) - {"training"} or not isinstance(node["args"], list) or len(node["args"]) != 1:
            raise ValueError(told)
        node = node["args"][0]
    found, open_ = [], [node]
    while open_:
        one = open_.pop(0)
        if isinstance(one, dict) and one.get("class_name") == "__keras_tensor__":
            one = (one.get("config") or {}).get("keras_history")
        elif isinstance(one, dict) and "class_name" not in one:
            one = list(one.values())
        if isinstance(one, list) and len(one) in (3, 4) and isinstance(one[0], str):
            options = one[3] if len(one) == 4 and isinstance(one[3], dict) else {}
            if not all(isinstance(number, int) and number >= 0 for number in one[1:3]):
                raise ValueError(told)
            if {key for key, value in options.items() if value is not None} - {"training"}:
                raise ValueError(f"{told}: {', '.join(options)}"[:300])
            found.append((one[0], one[1], one[2]))
        elif isinstance(one, list) and one:
            open_ = one + open_
        else:
            raise ValueError(told)
    return found


def _entry(tensors: list, place: int, name: str, reading: Reading) -> Any:  # noqa: ANN401
    if place >= len(tensors):
        raise ValueError(f"{reading.where}: there is no output {place} of its layer {name}")
    return tensors[place]


def _layer(specs: list[dict], place: int, x: Any, reading: Reading, depth: int) -> list[keras.Layer]:  # noqa: ANN401
    """Give the layer of a description, or all those that stand in the place of a Lambda."""
    spec, name = specs[place], name_of(specs[place])
    reading.count += 1
    if reading.count > MOST_LAYERS:
        raise ValueError(f"{reading.where}: more than {MOST_LAYERS} layers")
    kind, config, where = spec.get("class_name"), spec.get("config"), f"{reading.where}: its layer {name[:60]}"
    if kind in MODELS:
        return [_model(spec, reading, depth + 1)]
    if kind in KINDS:
        reading.met.append(name)
        if name not in reading.replace:
            shape = None if isinstance(x, list) or reading.lambdas else tuple(x.shape[1:])
            reading.lambdas.append(Lambda(name, shape, *around(specs, place), hint(config)))
            return []
        return stand_in(name, reading.replace[name], where)
    inner = config.get("layer") if isinstance(config, dict) and kind in ("TimeDistributed", "Bidirectional") else None
    if inner is not None:
        config = {key: value for key, value in config.items() if key != "layer"}
        if _same(config.get("backward_layer"), inner):  # which Keras makes again from the other one
            del config["backward_layer"]
    made, arguments = layer_of(kind, config, reading.version, where)
    turns = reading.first and any(len(one.shape) == 4 for one in (x if isinstance(x, list) else [x]))
    permutes = turns and made is keras.layers.Flatten and arguments.get("data_format") != "channels_first"
    if turns:
        arguments = turned(made, arguments, where)
    elif arguments.get("data_format") == "channels_first":
        arguments["data_format"] = "channels_last"  # of what takes no pictures
    if inner is not None:
        within = _layer([inner], 0, keras.KerasTensor(x.shape[:1] + x.shape[2:]), reading, depth + 1)
        if len(within) != 1 or reading.first:
            raise ValueError(f"{where} ({kind}) holds a layer that is not known there")
        arguments["layer"] = within[0]
    arguments["name"] = _fit(name)
    try:
        layer = made(**arguments)
    except Exception as error:  # Keras raises many kinds of them for settings that are none
        raise ValueError(f"{where}: its settings are not those of {made.__name__}: {_short(error)}") from None
    reading.names[id(layer)] = name
    # The file has its numbers in the order of channels, rows and columns there.
    return [keras.layers.Permute((3, 1, 2)), layer] if permutes else [layer]


def _same(one: object, other: object) -> bool:
    """Tell whether the layers of both directions differ in their direction and name only."""
    configs = [spec.get("config") if isinstance(spec, dict) else None for spec in (one, other)]
    if not all(isinstance(config, dict) for config in configs):
        return False
    first, second = ({k: v for k, v in config.items() if k not in ("name", "go_backwards")} for config in configs)
    return one.get("class_name") == other.get("class_name") and first == second


def stand_in(name: str, given: object, where: str) -> list[keras.Layer]:
    """Give the layers that stand in the place of a Lambda."""
    if isinstance(given, keras.Layer):
        return [given]
    if isinstance(given, str):
        return layers_for(name, given)
    raise ValueError(f"{where}: expected a text such as 'x/127.5-1' or a Keras layer, got {type(given).__name__}")


def _apply(layers: list[keras.Layer], x: Any, name: str, reading: Reading, new: list[keras.Layer]) -> Any:  # noqa: ANN401
    """Send a tensor through layers; take down those that have a name in the file."""
    for layer in layers:
        given = [tuple(one.shape[1:]) for one in keras.tree.flatten(x)]
        try:
            x = layer(x)
        except Exception as error:
            if isinstance(error, ValueError) and reading.where in str(error):
                raise
            raise ValueError(
                f"{reading.where}: its layer {name[:60]} does not take {given[0] if len(given) == 1 else given}: "
                f"{_short(error)}"
            ) from None
        for one in keras.tree.flatten(x):
            if math.prod(side or 1 for side in one.shape) > LARGEST_LAYER:
                raise ValueError(f"{reading.where}: its layer {name[:60]} makes {tuple(one.shape[1:])} of a picture")
        if id(layer) in reading.names:
            new.append(layer)
    return x


def _first_shape(spec: dict, reading: Reading, depth: int) -> tuple | None:
    """Give the shape that a first layer declares, without the number of pictures."""
    config = spec.get("config")
    if spec.get("class_name") in MODELS and depth <= DEEPEST:
        inner = config.get("layers") if isinstance(config, dict) else config
        usable = isinstance(inner, list) and inner and isinstance(inner[0], dict)
        return _first_shape(inner[0], reading, depth + 1) if usable else None
    for key in ("batch_input_shape", "batch_shape"):
        if isinstance(config, dict) and config.get(key) is not None:
            return _shape(config[key], reading)
    return None


def _shape(declared: object, reading: Reading) -> tuple:
    """Check the shape of pictures, and turn it where the file has channels first."""
    sides = declared[1:] if isinstance(declared, list) and 2 <= len(declared) <= 6 else [0]
    good = all(one is None or (type(one) is int and 1 <= one <= LONGEST_SIDE) for one in sides)
    if not good or math.prod(one or 1 for one in sides) > LARGEST_LAYER:
        raise ValueError(
            f"{reading.where}: it takes {str(declared)[:80]}: expected pictures (n, height, width, channels)"
        )
    return (*sides[1:], sides[0]) if reading.first and len(sides) == 3 else tuple(sides)


def _fit(name: object) -> str:
    """Make a name that TensorFlow takes."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", str(name))[:100].lstrip("_.-") or "layer"


def _short(error: Exception) -> str:
    """Give the beginning of what Keras says, in one line."""
    return " ".join(str(error).split("\n")[0].split())[:120]
