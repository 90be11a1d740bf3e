"""SavedModel, a folder of TensorFlow: it holds a program, and is loaded only when that is asked for (notebook 10).

TensorFlow's operations can read and write files, so such a folder is to be trusted like a program. Keras's own layer,
``TFSMLayer``, runs it; its layers are not known, so it is a black box.
https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from steerlib.networks.formats import Choices
    from steerlib.networks.formats.raw import RawFunction

TITLE = "SavedModel of TensorFlow"
ENDINGS: tuple[str, ...] = ()
ENDPOINTS = ("serving_default", "serve")


def recognize(path: Path) -> bool:
    """Tell a folder by its file ``saved_model.pb``."""
    return path.is_dir() and (path / "saved_model.pb").is_file()


def read(path: Path, choices: Choices) -> RawFunction:
    """Read a network; see `steerlib.networks.formats`."""
    if not choices.trust_program:
        raise ValueError(
            f"{path}: a SavedModel holds a program, which may read and write files: load_network(..., "
            "trust_program=True) runs it; only for one that you made, or trust like a program"
        )
    import keras
    import tensorflow as tf

    from steerlib.networks.formats.lambdas import check_replacements
    from steerlib.networks.formats.raw import one_by_one

    check_replacements(str(path), choices.replace, ())
    layer, failed = None, ""
    for endpoint in ENDPOINTS:
        try:
            layer = keras.layers.TFSMLayer(str(path), call_endpoint=endpoint)
            break
        except Exception as error:  # TensorFlow raises many kinds of them for a folder that is damaged
            failed = failed or " ".join(str(error).split())[:150]
    if layer is None:
        raise ValueError(f"{path}: expected a SavedModel with {' or '.join(ENDPOINTS)}; {failed}")
    taken = tf.nest.flatten(getattr(layer.call_endpoint_fn, "structured_input_signature", None))
    if len(taken) != 1 or taken[0].shape.rank is None:
        raise ValueError(f"{path}: expected a SavedModel that takes one picture")
    shape, kind = tuple(taken[0].shape.as_list()), taken[0].dtype
    answers = layer.call_endpoint_fn.structured_outputs
    named = (
        answers if isinstance(answers, dict) else {f"output_{i}": one for i, one in enumerate(tf.nest.flatten(answers))}
    )
    sizes = {name: (None, *one.shape.as_list()[1:]) for name, one in sorted(named.items())}

    def run(pictures: np.ndarray) -> list[np.ndarray]:
        found = layer(tf.cast(pictures, kind))
        return (
            [found[name].numpy() for name in sizes]
            if isinstance(found, dict)
            else [one.numpy() for one in tf.nest.flatten(found)]
        )

    try:
        return one_by_one(path.name, TITLE, shape, sizes, run, single=shape[0] == 1)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
