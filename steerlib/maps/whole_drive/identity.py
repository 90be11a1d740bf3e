"""By what a network, a drive and a picture are known again, so that maps of two are never mixed (notebook 11)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from steerlib.drives import Drive
from steerlib.maps.eraser import FILE as ERASER
from steerlib.networks.network import Network

if TYPE_CHECKING:
    import keras

SAMPLE = 8  # frames of a drive whose pixels are looked at; reading all would take as long as making some of the maps


def network_sha256(network: Network) -> str:
    """Give the SHA-256 of what answers: layers, weights, and how its picture is made of a frame.

    It does not depend on the file, nor on names that Keras gives to layers. A black box is known by its file and its
    description.

    Raises
    ------
    ValueError
        For a function: nobody can tell it from another one.
    """
    seen = [network.size, network.crop, network.resize, network.blur, network.blur_after]
    digest = hashlib.sha256(json.dumps(plain(seen)).encode())
    if network.model is not None:
        text = json.dumps(network.model.get_config(), sort_keys=True, default=str)
        for number, layer in enumerate([network.model, *_layers(network.model)]):
            text = text.replace(json.dumps(layer.name), f'"{number}"')
        digest.update(text.encode())
        for weights in network.model.get_weights():
            digest.update(f"{weights.shape} {weights.dtype}".encode())
            digest.update(np.ascontiguousarray(weights))
    elif network.source is None:
        raise ValueError(
            f"the black box {network.name!r} cannot be told from another one: give the file that it is loaded from"
        )
    else:
        files = sorted(network.source.rglob("*")) if network.source.is_dir() else [network.source]
        for file in files:
            digest.update(file.read_bytes() if file.is_file() else b"")
        digest.update(repr(network.description).encode())
    return digest.hexdigest()


def drive_sha256(drive: Drive) -> str:
    """Give the SHA-256 of names, angles, times and runs of a drive, and of the pixels of eight of its frames."""
    digest = hashlib.sha256(json.dumps([len(drive), drive.crop, drive.cut, drive.timestamps is None]).encode())
    digest.update("\n".join(drive.names).encode())
    for values in (drive.angles, drive.runs, drive.timestamps):
        digest.update(b"" if values is None else np.ascontiguousarray(values))
    for i in np.unique(np.linspace(0, len(drive) - 1, min(SAMPLE, len(drive))).astype(int)):
        try:
            digest.update(np.ascontiguousarray(drive.frame(i)))
        except (ValueError, OSError):
            digest.update(b"cannot be read")
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Give the versions of what decides on the last digits of a map."""
    import cv2
    import keras
    import tensorflow as tf

    try:
        own = version("steerlib")
    except PackageNotFoundError:
        own = "not installed"
    return {
        "steerlib": own,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "eraser": hashlib.sha256(ERASER.read_bytes()).hexdigest()[:16] if ERASER.is_file() else "not there",
    }


def picture_key(pixels: np.ndarray) -> np.uint64:
    """Give the number by which a picture is known: the first 8 bytes of the SHA-256 of (h, w, 3) uint8 RGB."""
    return np.frombuffer(hashlib.sha256(np.ascontiguousarray(pixels)).digest()[:8], "<u8")[0]


def plain(value: Any) -> Any:  # noqa: ANN401
    """Give a setting as JSON knows it: lists in place of tuples, Python's numbers in place of NumPy's."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (tuple, list, range)):
        return [plain(one) for one in value]
    return value


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Give the layers of a model, and those of models within it."""
    for layer in model.layers:
        yield layer
        yield from _layers(layer) if hasattr(layer, "layers") else ()
