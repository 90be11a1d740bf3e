"""Networks in files: saved in one step or not at all, loaded without running code from them (notebook 02)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from steerlib import checkout
from steerlib.drives import Drive
from steerlib.drives.drive import has_labels
from steerlib.networks import formats
from steerlib.networks.description import Description, beside, described, write_description
from steerlib.networks.formats import saved_model
from steerlib.networks.formats.raw import RawFunction
from steerlib.networks.network import Network, as_network
from steerlib.networks.plausibility import warn_of_doubts
from steerlib.writing import replacing

# Networks that come with the project; none of a reader's own can take their names. The second has learned from roads as
# different as recorded ones; the last three are bad drivers, each for a reason of its own, which notebook 09 looks for.
SHIPPED = (
    "pilotnet",
    "pilotnet_varied",
    "pilotnet_gap",
    "pilotnet_centered",
    "pilotnet_memorizer",
    "pilotnet_confused",
)
OTHER = "someone_elses.h5"  # a network of other habits, for notebook 10: see `steerlib.networks.someone_elses`

DIVERGED = "weights are not finite numbers: training diverged, try a lower learning rate"
UNSUITED = re.compile(r"[^\w.-]+")  # what of a name does not suit a file


def networks() -> dict[str, Path]:
    """List the saved networks, name -> file: shipped ones and those in $STEERLIB_MODELS, which come first."""
    return {path.stem: path for folder in reversed(folders()) for path in sorted(folder.glob("[!.]*.keras"))}


def save_network(network: Network | keras.Model, name: str) -> Path:
    """Save a network, for instance under the name of its drive. Introduced in notebook 02.

    It goes into the folder $STEERLIB_MODELS, or else into the project's ``data/models``; where `steerlib` was installed
    without the notebooks, into ``models`` in the current folder. The state of the optimizer is not saved. Where the
    network sees a part of a frame of its own, or sees it blurred, a ``.toml`` beside it says so. An older network of
    this name is replaced in one step, or not at all where something fails.

    Parameters
    ----------
    network : Network or keras.Model
    name : str
        What does not suit a file's name becomes an underscore.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        Where the name is that of a network that comes with the project, or nothing of it suits a file.
    """
    stem = _stem(name)
    if stem in SHIPPED:
        raise ValueError(f"network {stem!r} comes with the project and is not overwritten: choose another name")
    return write(network, folders()[0] / f"{stem}.keras")


def load_network(
    name_or_path: str | Path | None = None,
    drive: Drive | None = None,
    replace: Mapping[str, object] | None = None,
    trust_program: bool = False,
    backend: str | None = None,
    **description: Any,  # noqa: ANN401
) -> Network:
    """Load a saved network. Introduced in notebook 02.

    Nothing that a file brings along is run, a SavedModel excepted. `steerlib.networks.formats` lists the formats.

    Parameters
    ----------
    name_or_path : str or Path, optional
        The name of one of the `networks`, or a path: .keras, .h5, .hdf5, .json (the description of weights that lie
        beside it), .tflite, .onnx, or the folder of a SavedModel. None: ``"pilotnet"``, or, for a drive that was
        recorded and not rendered, ``"pilotnet_varied"``.
    drive : Drive, optional
        The drive that it will be asked about: the file that $STEERLIB_NETWORK names is loaded instead, else the network
        saved under the name of this drive, where there is one. An `AnswerWarning` says where its answers to this drive
        cannot be meant (`plausible_answers`).
    replace : mapping, optional
        What stands in the place of each Lambda of the file: ``{"lambda_1": "x/127.5-1"}``, or a Keras layer; see
        `steerlib.networks.formats.replacement`.
    trust_program : bool
        Whether to load a SavedModel, which holds a program.
    backend : {"tensorflow", "theano"}, optional
        What a file of Keras 1 with channels first was trained with, which it does not say.
    **description
        What it wants to see and what its answer means, see `steerlib.networks.network.as_network`. What the file beside
        it says, ``mynet.toml`` for ``mynet.keras`` (`steerlib.networks.description`), is known without.

    Returns
    -------
    Network
        Its ``name`` is that of the file, to tell which one it is.

    Raises
    ------
    FileNotFoundError
        Where there is no such network; lists those that there are.
    ValueError
        Where the file is no network, would run code of its own, does not map one picture to one angle, or has
        weights that are no numbers.
    """
    path = located(name_or_path, drive)
    told = described(path, description | {"replace": replace})
    found = read_network(path, told.pop("replace", None), trust_program, backend)
    try:
        network = as_network(found, **told)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    network.source = path
    if drive is not None:
        warn_of_doubts(network, drive)
    return network


def located(name_or_path: str | Path | None = None, drive: Drive | None = None) -> Path:
    """Say which file `load_network` loads; a FileNotFoundError lists those that there are."""
    saved = networks()
    if name_or_path is None:
        rendered = drive is None or not len(drive) or has_labels(drive)
        name_or_path = "pilotnet" if rendered else "pilotnet_varied"
    path = Path(str(name_or_path))
    if drive is not None and os.environ.get("STEERLIB_NETWORK"):
        path = network_file()
    elif drive is not None and _stem(drive.name) in saved:
        path = saved[_stem(drive.name)]
    elif not path.is_file() and not saved_model.recognize(path) and path.suffix.lower() not in formats.endings():
        path = saved.get(UNSUITED.sub("_", str(path)), folders()[0] / f"{name_or_path}.keras")
    if not path.is_file() and not saved_model.recognize(path):
        if path.stem in SHIPPED or path.name == OTHER:
            instead = "name a network's file (load_network(path), --model FILE)"
            raise checkout.missing(folders()[-1] / path.name, f"network {path.stem!r}", instead)
        raise FileNotFoundError(f"no network {path}: expected a file, or one of {', '.join(saved) or '(none saved)'}")
    return path


def network_file() -> Path:
    """Say which file of somebody else's is asked: what $STEERLIB_NETWORK names, else the one of notebook 10.

    A relative path in the variable may also start at the checkout, for notebooks run in their own folder.
    """
    named = Path(os.environ.get("STEERLIB_NETWORK") or folders()[-1] / OTHER).expanduser()
    return named if named.exists() else Path(os.path.normpath(checkout.ROOT / named))


def read_network(
    path: Path,
    replace: Mapping[str, object] | None = None,
    trust_program: bool = False,
    backend: str | None = None,
) -> keras.Model | RawFunction:
    """Read a network as its file has it, before anything is said of what it wants; see `load_network`.

    Returns
    -------
    keras.Model or RawFunction
        A model is called as its file.
    """
    found = formats.read(path, formats.Choices(replace or {}, trust_program, backend))
    if isinstance(found, keras.Model):
        _check_weights(found, str(path))
        found.name = re.sub(r"[^A-Za-z0-9.]", "_", path.stem).lstrip("_") or "network"  # TensorFlow takes no others
    return found


def _check_weights(model: keras.Model, where: str) -> None:
    """Refuse a network that answers NaN to everything."""
    if not finite_weights(model):
        raise ValueError(f"{where}: {DIVERGED}")


def finite_weights(model: keras.Model) -> bool:
    """Tell whether all weights are finite numbers."""
    return all(np.isfinite(weights).all() for weights in model.get_weights())


def folders() -> list[Path]:
    """Say where networks are looked for, first to last; they are saved in the first."""
    chosen = os.environ.get("STEERLIB_MODELS")
    own = Path(chosen).expanduser() if chosen else checkout.kept_in("models")
    return list(dict.fromkeys([own, checkout.DATA / "models"]))


def _stem(name: str) -> str:
    """Make the stem of a file from the name of a network or a drive."""
    stem = UNSUITED.sub("_", name).strip("._-")
    if not stem:
        raise ValueError(f"name={name!r}: expected letters or digits")
    return stem


def write(network: Network | keras.Model, path: Path) -> Path:
    """Save a network without its optimizer, whole or not at all."""
    network = as_network(network)
    model = network.model
    if model is None:
        raise ValueError(f"the black box {network.name!r} has no weights to save")
    _check_weights(model, f"network {model.name!r}")
    bare = type(model).from_config(model.get_config())  # keras.models.clone_model would compile it as well
    bare.set_weights(model.get_weights())
    path.parent.mkdir(parents=True, exist_ok=True)
    said = _seen_outside(network)
    with replacing(path) as unfinished:
        bare.save(unfinished)
        # Before the network takes its name, and also where it says nothing: what is killed between the two leaves a
        # description of another file, which is refused, and never a network without its description.
        if said.told() or beside(path).is_file():
            write_description(said, beside(path), unfinished)
    if not said.told():
        beside(path).unlink(missing_ok=True)  # of an older network of this name
    return path


def _seen_outside(network: Network) -> Description:
    """Say how a network's pictures are made of a frame; all else that was declared of it is inside of the model."""
    told = network.description
    return Description() if told is None else Description(crop=told.crop, **told.before_color())
