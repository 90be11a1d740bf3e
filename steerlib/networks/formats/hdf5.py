"""HDF5 files of Keras 1, 2, tf.keras and 3: a text that describes the network, and its weights (notebook 10).

Keras wrote them from 2015 (``model.save("model.h5")``) until 2023, and still does. The attribute ``model_config`` is
the description, JSON; the group ``model_weights`` has the weights of each layer. ``save_weights`` writes these alone,
at the root; the description then lies beside them in ``model.json``. Both are read as text and numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from steerlib.networks.formats import Choices

TITLE = "HDF5 of Keras 1, 2 or 3"
ENDINGS = (".h5", ".hdf5", ".json")
MAGIC = b"\x89HDF\r\n\x1a\n"
LARGEST_FILE = 2**31  # bytes, weights and the state of an optimizer, which is not read
REMEDY = "save it with model.save, or put the text of model.to_json() beside it as model.json"


def recognize(path: Path) -> bool:
    """Tell an HDF5 file by its first bytes, a description by its name."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".json":
        return True
    with path.open("rb") as file:
        return file.read(8) == MAGIC or path.suffix.lower() in (".h5", ".hdf5")


def read(path: Path, choices: Choices) -> keras.Model:
    """Read a network; see `steerlib.networks.formats`."""
    import h5py

    from steerlib.networks.formats.graph import Reading, build, parse
    from steerlib.networks.formats.hdf5_probe import survives
    from steerlib.networks.formats.weights import Stored, put

    weights = _weights_beside(path) if path.suffix.lower() == ".json" else path
    if weights.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{weights} has {weights.stat().st_size >> 20:,} MB: expected at most {LARGEST_FILE >> 20:,}")
    if not survives(str(weights)):
        raise ValueError(
            f"{weights}: expected an HDF5 file of Keras; it is so damaged that the HDF5 library dies of it"
        )
    try:
        with h5py.File(weights, "r") as file:
            attributes = {key: _text(file, key, weights) for key in ("keras_version", "backend", "model_config")}
            if not attributes["keras_version"] and "model_weights" in file:
                attributes["keras_version"] = _text(file["model_weights"], "keras_version", weights)
            text, told = attributes["model_config"], weights
            if path != weights or not text:
                told = path if path != weights else _description_beside(path)
                text = _read_text(told)
            description = parse(text, str(told))
            # Keras 1 wrote no version into weights alone, and none of its own into a description.
            version = attributes["keras_version"] or str(description.get("keras_version") or "")
            backend = attributes["backend"] or description.get("backend") or choices.backend
            reading = Reading(str(told), version, choices.replace)
            model = build(description, reading)
            if reading.first and version[:1] in ("1", "") and backend is None:
                raise ValueError(
                    f"{path}: Keras 1 with channels first, and the file does not say what trained it: say "
                    "backend='theano', whose kernels are turned by 180°, or backend='tensorflow'"
                )
            reading.where = str(weights)
            put(Stored(file, str(weights)), model, reading, backend)
            return model
    except (
        OSError,
        KeyError,
        RuntimeError,
        TypeError,
        UnicodeDecodeError,
    ) as error:  # of h5py, for a file that is damaged
        reason = " ".join(str(error).split("(")[0].split())[:120]
        raise ValueError(f"{weights}: expected an HDF5 file of Keras; {reason}") from error


def _text(group: object, name: str, where: Path) -> str:
    """Read a text in an attribute."""
    value = group.attrs.get(name, "")
    if isinstance(value, bytes):
        value = value.decode("utf-8")
    if not isinstance(value, str):
        raise ValueError(f"{where}: its {name} is no text: expected an HDF5 file of Keras")
    return value


def _read_text(path: Path) -> str:
    from steerlib.networks.formats.graph import LARGEST_TEXT

    if path.stat().st_size > LARGEST_TEXT:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes: expected at most {LARGEST_TEXT:,}")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: its description is no JSON: expected what Keras's to_json gives") from None


def _weights_beside(path: Path) -> Path:
    """Find the weights that belong to a description."""
    named = [path.with_suffix(ending) for ending in (".h5", ".hdf5", ".weights.h5")]
    others = sorted(one for one in path.parent.iterdir() if one.suffix.lower() in (".h5", ".hdf5"))
    found = [one for one in named if one.is_file()][:1] or (others if len(others) == 1 else [])
    if not found:
        several = f", found {len(others)} others" if others else ""
        raise ValueError(f"{path} describes a network: expected its weights beside it, {path.stem}.h5{several}")
    return found[0]


def _description_beside(path: Path) -> Path:
    """Find the description that belongs to weights."""
    stem = path.name.split(".")[0]
    for one in (path.with_suffix(".json"), path.with_name(f"{stem}.json"), path.with_name("model.json")):
        if one.is_file():
            return one
    raise ValueError(f"{path} has weights and no description of its layers: {REMEDY}")
