"""The explorer of notebook 11: a scatter of many frames, and the picture behind each of its points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from steerlib.drives import Drive
from steerlib.maps import METHODS
from steerlib.maps.method import density
from steerlib.networks.network import Network, as_network
from steerlib.show import overlay
from steerlib.show.explanation import draw_map
from steerlib.show.explorers.controls import choice, slider
from steerlib.show.explorers.drawing import lines_to_copy, view_of
from steerlib.show.explorers.explorer import BAR, WIDTH, Drawing, Explorer, Scene, Steps, name_of, typical
from steerlib.show.explorers.view import Part

if TYPE_CHECKING:
    import keras

    from steerlib.maps.whole_drive import Maps

SCATTER, MARGIN = 320, 44  # pixels: height of the scatter, room for its words
LEFT, RIGHT, TOP, BOTTOM = 2 * MARGIN, WIDTH - MARGIN, 12, SCATTER - MARGIN  # of the frame around the points


def table(
    network: Network | keras.Model, drive: Drive, maps: Maps, columns: Mapping[str, np.ndarray], frame: int = 0
) -> Explorer:
    """Go from a point in a scatter of all frames to its picture and its map, and back (notebook 11).

    The sliders *across* and *up* move a cross over the scatter; the frame is that of the nearest point, which wears a
    ring. The slider of frames moves the ring alone.

    Parameters
    ----------
    network : Network
    drive : Drive
    maps : Maps
        Of this network and this drive.
    columns : mapping of str to (n,) float
        What is known of each frame, under ASCII names; two or more. NaN: the frame has no point.
    frame : int
        Where to begin.

    Raises
    ------
    ValueError
        If a column has not one number for each frame, there are fewer than two, or the store is of another network.
    """
    network, columns = as_network(network), {name: np.asarray(one, float) for name, one in columns.items()}
    maps.check_network(network)
    if len(columns) < 2 or any(one.shape != (len(drive),) for one in columns.values()):
        raise ValueError(f"expected two or more columns with a number for each of {len(drive)} frames")
    names = list(columns)
    methods = list(maps.methods)
    limits = {name: overlay.common_limit(_some_maps(maps, name)) for name in methods}

    @lru_cache(maxsize=4)  # a hand on a slider moves the cross, not the points
    def points(across: str, up: str) -> np.ndarray:
        return _points(columns[across], columns[up], across, up)

    def draw(scene: Scene, across: str, up: str, right: float, high: float, method: str = methods[0]) -> Steps:
        found = maps.explain(network, scene.image, method)
        drawn = found.density()
        x, y = columns[across], columns[up]
        scatter = points(across, up).copy()
        _mark(scatter, (right / 100, high / 100), _places(x, y)[:, scene.index])
        picture = np.vstack([scatter, draw_map(scene.view, drawn, limits[method])])
        bar = overlay.colorbar(BAR, limits[method], found.signed, found.unit, found.ends)
        words = f"{across} {x[scene.index]:.3g}, {up} {y[scene.index]:.3g}. {found.words}"
        picture_of = f"{scene.drive}.pictures({scene.network}, [{scene.index}])[0]"
        code = [
            "from steerlib import draw_map, overlay",
            "",
            f"shown = {name_of(maps, 'maps')}.explain({scene.network}, {picture_of}, {method!r})",
        ]
        how = f"draw_map({view_of(scene)}, shown.density(), {limits[method]:.6g})"
        parts = [Part((0, SCATTER, WIDTH, len(scene.view)), found, drawn=drawn)]
        yield Drawing(picture, bar, words, lines_to_copy(*code, how=how), found.map, parts)

    controls = {
        **({"method": choice("map", methods)} if len(methods) > 1 else {}),
        "across": choice("across", names),
        "up": choice("up", names, 1),
        "right": slider("cross: across, %", 0, 100, 50),
        "high": slider("cross: up, %", 0, 100, 50),
    }
    explorer = Explorer(drive, network, controls, draw, SCATTER + _height(drive, network), frame)

    def to_nearest(_change: object) -> None:
        """Show the frame whose point is nearest to the cross."""
        x, y = (_shares(columns[control.value]) for control in (explorer.across, explorer.up))
        apart = np.hypot(x - explorer.right.value / 100, y - explorer.high.value / 100)
        if np.isfinite(apart).any():
            explorer.frame.value = int(np.nanargmin(apart))

    for control in (explorer.right, explorer.high):
        control.observe(to_nearest, "value")
    return explorer


def _some_maps(maps: Maps, method: str) -> np.ndarray:
    """Read the maps of one chunk from the middle of a store, for the scale that all share."""
    found = np.nan_to_num(maps.chunk(method, len(maps.chunks) // 2)).astype(np.float32)
    return np.stack([density(map) for map in found]) if METHODS[method].pixelwise else found


def _height(drive: Drive, network: Network) -> int:
    """Say how high the part of a frame is that the network sees, enlarged."""
    top, bottom = drive.part_for(network)
    height, width = typical(drive).shape[:2]
    return round(WIDTH * height * (bottom - top) / width)


def _shares(values: np.ndarray) -> np.ndarray:
    """Give values as shares of their range; of values that are all the same, one half."""
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    return (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 0.5, np.nan)


def _places(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give the columns and rows of points in the scatter, (2, n); NaN where there is none."""
    return np.stack([LEFT + (RIGHT - LEFT) * _shares(x), BOTTOM - (BOTTOM - TOP) * _shares(y)])


def _points(x: np.ndarray, y: np.ndarray, across: str, up: str) -> np.ndarray:
    """Draw all frames as points, with the ends of both ranges: (SCATTER, WIDTH, 3) uint8."""
    picture = np.full((SCATTER, WIDTH, 3), overlay.PAPER, np.uint8)
    places = _places(x, y)
    for column, row in places[:, np.isfinite(places).all(axis=0)].T:
        cv2.circle(picture, (round(column), round(row)), 2, (120, 150, 190), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (LEFT, TOP), (RIGHT, BOTTOM), (190, 190, 190), 1)
    for values, ends in ((x, ((LEFT, BOTTOM + 14), (RIGHT, BOTTOM + 14))), (y, ((MARGIN, BOTTOM), (MARGIN, TOP + 8)))):
        known = values[np.isfinite(values)]
        for value, end in zip((known.min(), known.max()) if len(known) else (), ends):
            overlay.write(picture, f"{value:.3g}", end, 2 * MARGIN - 6)
    overlay.write(picture, f"across: {across}     up: {up}", ((LEFT + RIGHT) // 2, SCATTER - 12), RIGHT - LEFT)
    return picture


def _mark(picture: np.ndarray, cross: tuple[float, float], chosen: np.ndarray) -> None:
    """Draw a cross at shares of both ranges, and a ring around a point, (column, row), where there is one."""
    column, row = round(LEFT + (RIGHT - LEFT) * cross[0]), round(BOTTOM - (BOTTOM - TOP) * cross[1])
    cv2.line(picture, (column, TOP), (column, BOTTOM), (150, 150, 150), 1)
    cv2.line(picture, (LEFT, row), (RIGHT, row), (150, 150, 150), 1)
    if np.isfinite(chosen).all():
        cv2.circle(picture, (round(chosen[0]), round(chosen[1])), 6, (178, 24, 43), 2, cv2.LINE_AA)
