"""What several explorers draw with: one scale for a drive, a map with its bar, lines to copy. From notebook 03 on."""

from collections.abc import Callable, Generator, Iterable

import numpy as np

from steerlib.drives import Drive
from steerlib.maps.method import Explanation
from steerlib.networks.network import Network
from steerlib.show import overlay
from steerlib.show.explanation import draw_map, sample_frames
from steerlib.show.explorers.explorer import BAR, SAMPLE, STRIP, Drawing, Scene
from steerlib.show.explorers.view import Part

FOCUS = {"focus": "focus", "focus alone": "alone"}  # ways to draw a map without colors
IMPORTS = ["from steerlib import draw_map, explain, overlay"]  # of the lines to copy
SCALES = ["whole drive", "this frame"]


class Limits:
    """The scale that all frames of a drive share, for each setting of a method."""

    def __init__(self, drive: Drive, network: Network, steps: Callable[..., Iterable[np.ndarray | None]]) -> None:
        self.drive, self.network, self.steps = drive, network, steps
        self.known: dict[tuple, float] = {}

    def find(self, *settings: object) -> Generator[None, None, float]:
        """Give the scale, from the maps of some frames; it can be left between two of them."""
        if settings not in self.known:
            maps = []
            for frame in sample_frames(self.drive, SAMPLE):
                maps.append((yield from finish(self.steps(self.network.look(frame, self.drive), *settings))))
                yield
            self.known[settings] = overlay.common_limit(maps)
        return self.known[settings]


def finish(steps: Iterable[np.ndarray | None]) -> Generator[None, None, np.ndarray]:
    """Pass on the pauses of a computation in steps; return what it ends with."""
    for result in steps:
        if result is None:
            yield
    return result


def part_of(scene: Scene, found: Explanation | None, limit: float, whole: float | None, own: float | None) -> Part:
    """Say where an explanation lies in a picture that is the view alone, above its strip."""
    height, width = scene.view.shape[:2]
    return Part((0, 0, width, height), found, limit, whole, own, None if found is None else (0, height, BAR, STRIP))


def drawing_of(
    scene: Scene,
    found: Explanation,
    limit: float | None,
    method: str,
    settings: str = "",
    how: str | None = None,
    whole: float | None = None,
) -> Drawing:
    """Draw an explanation with its bar; without a limit, on its own scale. `whole` is the drive's, where known."""
    own = overlay.common_limit([found.map])
    limit = own if limit is None else limit
    bar = overlay.colorbar(BAR, limit, found.signed, found.unit, found.ends)
    code = code_of(scene, method, settings, how or f"draw_map({view_of(scene)}, shown, {limit:.6g})")
    parts = [part_of(scene, found, limit, whole, own)]
    return Drawing(draw_map(scene.view, found, limit), bar, found.words, code, found.map, parts)


def code_of(scene: Scene, method: str, settings: str, how: str) -> str:
    """Write the lines that explain a frame and draw it."""
    picture = f"{scene.drive}.pictures({scene.network}, [{scene.index}])[0]"
    arguments = f"{scene.network}, {picture}, {method!r}" + (settings and f", {settings}")
    return lines_to_copy(*IMPORTS, "", f"shown = explain({arguments})", how=how)


def lines_to_copy(*lines: str, how: str, indent: int = 0) -> str:
    """Write the lines that draw a picture."""
    return "\n".join(["import matplotlib.pyplot as plt", *lines, f"{' ' * indent}plt.imshow({how})"])


def view_of(scene: Scene) -> str:
    """Write the expression for the part of the frame that the network sees."""
    return f"overlay.enlarge({scene.drive}.view({scene.index}, {scene.network}))"


def check_layers(network: Network) -> None:
    """Say in plain words that a network has no layer to choose."""
    if not network.layers:
        raise ValueError(f"the network {network.name!r} has no convolution to look into")
