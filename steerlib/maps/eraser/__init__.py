"""A small network that draws a road without its lines, vehicles, shadows and what stands beside it (notebook 08).

Whoever asks what a thing in the picture is worth has to say what would be there without it. On a rendered road that is
known: the same view is rendered once more. The eraser has learned it from such pairs (`steerlib.maps.eraser.learning`),
and then draws it for pictures of which nobody has the other half. It is a U-Net (Ronneberger et al., arXiv 1505.04597):
for each kind of element it says what is to be added to the picture for the element to vanish.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from steerlib import checkout

if TYPE_CHECKING:
    import tensorflow as tf

# What it tells apart, in the order of its answers: elements of `steerlib.world`.
ELEMENTS = ("center_line", "edge_lines", "vehicles", "shadows", "trees", "hedges", "hills", "guard_rails")
SIZE = (66, 200)  # of the pictures from which it learned
FAINT = 0.05  # brightness: by less nothing is changed
FILE = checkout.DATA / "eraser.keras"


def erase_elements(picture: np.ndarray) -> np.ndarray:
    """Draw a picture once without each kind of element.

    Introduced in notebook 08.

    Parameters
    ----------
    picture : (h, w, 3) float32 in [0, 1]
        A road, RGB, as a network sees it. One of another size is asked at the size from which the eraser learned, and
        the changes are enlarged.

    Returns
    -------
    (8, h, w, 3) float32 in [0, 1]
        Without the center line, the edge lines, the vehicles, ...: in the order of `ELEMENTS`. Where it finds no such
        element, the picture itself.

    Raises
    ------
    FileNotFoundError
        Where the project's ``data`` is not there.
    """
    changes = _changes(picture)
    return np.clip(picture + changes, 0, 1)


def erase(picture: np.ndarray) -> np.ndarray:
    """Draw a picture without all kinds of elements at once: (h, w, 3), else as `erase_elements`. See notebook 08."""
    return np.clip(picture + _changes(picture).sum(axis=0), 0, 1)


def _changes(picture: np.ndarray) -> np.ndarray:
    """Give what changes when each kind of element vanishes: (8, h, w, 3) float32."""
    height, width = picture.shape[:2]
    small = picture if (height, width) == SIZE else cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA)
    changes = _network()(np.asarray(small, np.float32)[np.newaxis]).numpy()[0]
    # A faint change everywhere would steer, too.
    changes[np.abs(changes).max(axis=-1) < FAINT] = 0
    if (height, width) != SIZE:
        changes = np.stack([cv2.resize(one, (width, height)) for one in changes])
    return changes


@cache
def _network() -> tf.types.experimental.PolymorphicFunction:
    """Load the eraser when it is first asked, as a function that is traced once."""
    import keras
    import tensorflow as tf

    if not FILE.is_file():
        raise checkout.missing(FILE, "the network that erases, for the map erasure and the fill erased,")
    model = keras.models.load_model(FILE, compile=False, safe_mode=True)
    return tf.function(model, input_signature=[tf.TensorSpec((None, *SIZE, 3), tf.float32)])
