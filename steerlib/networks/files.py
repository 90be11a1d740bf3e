"""Networks in files: saved in one step or not at all, loaded without running code from them (notebook 02)."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from steerlib.drives import Drive
from steerlib.networks.network import Network, as_network
from steerlib.writing import replacing

# Networks that come with the project; none of a reader's own can take their names. The last three are bad drivers, each
# for a reason of its own, which notebook 09 looks for.
SHIPPED = ("pilotnet", "pilotnet_gap", "pilotnet_centered", "pilotnet_memorizer", "pilotnet_confused")

LARGEST_NETWORK = 512 * 2**20  # bytes when unpacked; PilotNet has 6.4 million
DIVERGED = "weights are not finite numbers: training diverged, try a lower learning rate"
UNSUITED = re.compile(r"[^\w.-]+")  # what of a name does not suit a file


def networks() -> dict[str, Path]:
    """List the saved networks, name -> file: shipped ones and those in $STEERLIB_MODELS, which come first."""
    return {path.stem: path for folder in reversed(folders()) for path in sorted(folder.glob("[!.]*.keras"))}


def save_network(network: Network | keras.Model, name: str) -> Path:
    """Save a network, for instance under the name of its drive. Introduced in notebook 02.

    It goes into the folder $STEERLIB_MODELS, or else into the project's ``data/models``, without the state of
    the optimizer. An older network of this name is replaced in one step, or not at all where something fails.

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
    name_or_path: str | Path = "pilotnet",
    drive: Drive | None = None,
    **description: Any,  # noqa: ANN401
) -> Network:
    """Load a saved network. Introduced in notebook 02.

    Parameters
    ----------
    name_or_path : str or Path
        The name of one of the `networks`, or a path that ends in ``.keras``.
    drive : Drive, optional
        If a network is saved under the name of this drive, it is loaded instead.
    **description
        What it wants to see and what its answer means, see `steerlib.networks.network.as_network`.

    Returns
    -------
    Network
        Its ``name`` is that of the file, to tell which one it is.

    Raises
    ------
    FileNotFoundError
        Where there is no such network; lists those that there are.
    ValueError
        Where the file is no Keras model, would run code of its own, does not map one picture to one angle, or has
        weights that are no numbers. An HDF5 file of older Keras is not loaded, since that could run code.
    """
    saved = networks()
    path = Path(str(name_or_path))
    if drive is not None and _stem(drive.name) in saved:
        path = saved[_stem(drive.name)]
    elif path.suffix != ".keras" and not path.is_file():
        path = saved.get(UNSUITED.sub("_", str(path)), folders()[0] / f"{name_or_path}.keras")
    if not path.is_file():
        raise FileNotFoundError(f"no network {path}: expected a file, or one of {', '.join(saved) or '(none saved)'}")
    _check_file(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds of them for a file that is damaged or not its own
        reason = " ".join(str(error).split(". ")[0].split())[:150]
        raise ValueError(f"{path}: expected a Keras model that can be loaded safely; {reason}") from error
    _check_weights(model, str(path))
    model.name = re.sub(r"[^A-Za-z0-9.]", "_", path.stem).lstrip("_") or "network"  # TensorFlow takes no others
    try:
        return as_network(model, **description)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _check_file(path: Path) -> None:
    """Refuse, without loading it, a file that could run code or fill the memory."""
    with path.open("rb") as file:
        beginning = file.read(8)
    if beginning == b"\x89HDF\r\n\x1a\n" or path.suffix in (".h5", ".hdf5"):
        remedy = "open it with the Keras that wrote it and save it as .keras"
        raise ValueError(f"{path}: an HDF5 file of older Keras, whose loading could run code: {remedy}")
    if path.suffix != ".keras":
        raise ValueError(f"{path}: expected a name of a saved network or a file that ends in .keras")
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST_NETWORK:
            raise ValueError(
                f"{path} unpacks to {size / 2**20:,.0f} MB: expected at most {LARGEST_NETWORK // 2**20} MB"
            )


def _check_weights(model: keras.Model, where: str) -> None:
    """Refuse a network that answers NaN to everything."""
    if not finite_weights(model):
        raise ValueError(f"{where}: {DIVERGED}")


def finite_weights(model: keras.Model) -> bool:
    """Tell whether all weights are finite numbers."""
    return all(np.isfinite(weights).all() for weights in model.get_weights())


def folders() -> list[Path]:
    """Say where networks are looked for, first to last; they are saved in the first."""
    shipped = Path(__file__).resolve().parents[2] / "data" / "models"
    chosen = os.environ.get("STEERLIB_MODELS")
    return [Path(chosen).expanduser(), shipped] if chosen else [shipped]


def _stem(name: str) -> str:
    """Make the stem of a file from the name of a network or a drive."""
    stem = UNSUITED.sub("_", name).strip("._-")
    if not stem:
        raise ValueError(f"name={name!r}: expected letters or digits")
    return stem


def write(network: Network | keras.Model, path: Path) -> Path:
    """Save a network without its optimizer, whole or not at all."""
    model = as_network(network).model
    if model is None:
        raise ValueError(f"the black box {network.name!r} has no weights to save")
    _check_weights(model, f"network {model.name!r}")
    bare = type(model).from_config(model.get_config())  # keras.models.clone_model would compile it as well
    bare.set_weights(model.get_weights())
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        bare.save(unfinished)
    return path
