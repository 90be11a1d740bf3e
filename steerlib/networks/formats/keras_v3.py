"""The ``.keras`` files of Keras 3: an archive of a description, ``config.json``, and weights (notebook 02).

Keras loads them without running code from them. Where it refuses one for a Lambda, what stands
in its place is put into the description, and Keras loads the rest.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from steerlib.networks.formats import Choices

TITLE = "Keras 3"
ENDINGS = (".keras",)


def recognize(path: Path) -> bool:
    """Tell a file by its name; one that is HDF5 inside, by its first bytes."""
    if path.suffix.lower() != ".keras" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) != b"\x89HDF"


def read(path: Path, choices: Choices) -> keras.Model:
    """Read a network; see `steerlib.networks.formats`."""
    import keras

    from steerlib.networks import own_layers  # noqa: F401  what they register, saved networks may name
    from steerlib.networks.formats import legacy_layers  # noqa: F401
    from steerlib.networks.formats.graph import bounded
    from steerlib.networks.formats.lambdas import check_replacements

    description = _description(path)
    replaced = _replaced(description, path, choices) if description else []
    check_replacements(str(path), choices.replace, replaced)
    try:
        with bounded(str(path)):
            if not replaced:
                return keras.saving.load_model(path, compile=False, safe_mode=True)
            with tempfile.TemporaryDirectory() as folder:
                changed = _rewritten(path, description, Path(folder) / path.name)
                given = {type(one).__name__: type(one) for one in choices.replace.values() if not isinstance(one, str)}
                return keras.saving.load_model(changed, custom_objects=given, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds of them for a file that is damaged or not its own
        if isinstance(error, ValueError) and str(error).startswith(str(path)):
            raise
        reason = " ".join(str(error).split(". ")[0].split())[:150]
        raise ValueError(f"{path}: expected a Keras model that can be loaded safely; {reason}") from error


def _description(path: Path) -> dict | None:
    """Read the description, without unpacking more than it may have; None where Keras may say what is wrong."""
    from steerlib.networks.formats.graph import LARGEST_NETWORK, LARGEST_TEXT, parse

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST_NETWORK:
                raise ValueError(
                    f"{path} unpacks to {size / 2**20:,.0f} MB: expected at most {LARGEST_NETWORK >> 20} MB"
                )
            with archive.open("config.json") as file:
                text = file.read(LARGEST_TEXT + 1)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, NotImplementedError, RuntimeError, zipfile.zlib.error):
        return None
    if len(text) > LARGEST_TEXT:
        parse(text, str(path))  # says what is wrong
    try:
        return parse(text, str(path))
    except ValueError as error:
        if "nested" in str(error):
            raise
        return None


def _replaced(description: dict, path: Path, choices: Choices) -> list[str]:
    """Put something in the place of each Lambda, in the description; give their names."""
    import keras

    from steerlib.networks.formats.graph import stand_in
    from steerlib.networks.formats.lambdas import KINDS, Lambda, LambdaError, around, hint, name_of, walk

    names, open_ = [], []
    for specs, place, spec in list(walk(description)):
        if spec.get("class_name") not in KINDS:
            continue
        name = name_of(spec)
        names.append(name)
        if name not in choices.replace:
            shape = (spec.get("build_config") or {}).get("input_shape")
            shape = tuple(shape[1:]) if isinstance(shape, list) and len(shape) < 7 else None
            open_.append(Lambda(name, shape, *around(specs, place), hint(spec.get("config"))))
            continue
        layers = stand_in(name, choices.replace[name], f"{path}: its layer {name}")
        one = layers[0] if len(layers) == 1 else keras.Sequential(layers) if layers else keras.layers.Identity()
        if one.weights:
            raise ValueError(f"{path}: replace {name}: a layer with weights, which the file does not have")
        kept = {key: spec[key] for key in ("name", "inbound_nodes") if key in spec}
        for node in kept.get("inbound_nodes") or []:
            if isinstance(node, dict):
                node["kwargs"] = {}  # a mask, which only a Lambda asks for
        spec.clear()
        spec.update(keras.saving.serialize_keras_object(one) | kept)
        spec["config"]["name"] = name
    if open_:
        raise LambdaError(str(path), open_, description)
    return names


def _rewritten(path: Path, description: dict, changed: Path) -> Path:
    """Write the file again with another description."""
    import json

    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.infolist():
            content = json.dumps(description).encode() if member.filename == "config.json" else old.read(member)
            new.writestr(member.filename, content)
    return changed
