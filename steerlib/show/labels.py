"""What each pixel of a frame is, in colors, with their legend; introduced in notebook 01."""

from collections.abc import Mapping

import cv2
import numpy as np
from matplotlib import colormaps, colors

from steerlib.show.pictures import INK, PAPER, write

SHADOW = 128  # the bit of a label that says: in a cast shadow
LABEL_COLORS = {
    "sky": "lightskyblue", "hill": "darkkhaki", "vegetation": "darkgreen", "grass": "yellowgreen", "sign": "orchid",
    "shoulder": "burlywood", "asphalt": "dimgray", "edge": "darkorange", "marking": "yellow", "vehicle": "crimson",
    "pole": "indigo", "guard_rail": "darkturquoise", "building": "sienna", "hood": "midnightblue",
}  # fmt: skip


def colorize_labels(labels: np.ndarray, names: Mapping[str, int]) -> np.ndarray:
    """Give each pixel the color of what it is, darker where it lies in a cast shadow (notebook 01).

    `labels` is a drive's label picture (H, W) uint8; `names` is ``world.LABELS``, name to value, to which 128
    is added in a shadow. `label_legend` tells the colors. ValueError names the values that have no name.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels must be (H, W) uint8, got {labels.shape} {labels.dtype}")
    table, known = np.zeros((256, 3), np.uint8), np.zeros(256, bool)
    for name, color in _label_colors(names).items():
        for value, brightness in ((names[name], 1), (names[name] | SHADOW, 0.55)):
            table[value], known[value] = np.multiply(color, brightness), True
    if not known[labels].all():
        raise ValueError(f"labels {np.unique(labels[~known[labels]]).tolist()} are not among {dict(names)}")
    return table[labels]


def label_legend(names: Mapping[str, int], width: int = 900) -> np.ndarray:
    """Draw the colors of `colorize_labels` beside their names: a picture (24 * rows, width, 3)."""
    entries, columns = list(_label_colors(names).items()), max(1, width // 125)
    legend = np.full((24 * -(-len(entries) // columns), width, 3), PAPER, np.uint8)
    for place, (name, color) in enumerate(entries):
        x, y = width // columns * (place % columns), 24 * (place // columns)
        cv2.rectangle(legend, (x + 4, y + 4), (x + 22, y + 20), color, cv2.FILLED)
        cv2.rectangle(legend, (x + 4, y + 4), (x + 22, y + 20), INK, 1)
        write(legend, name.replace("_", " "), (x + 30, y + 12), width // columns - 34, centered=False)
    return legend


def _label_colors(names: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """One color (0-255) for each name, from Matplotlib's tab20 if it is not one of the rendered world."""
    chosen = {name: LABEL_COLORS.get(name, colormaps["tab20"](i % 20)) for i, name in enumerate(names)}
    return {name: tuple(round(255 * part) for part in colors.to_rgb(color)) for name, color in chosen.items()}
