"""The explorer of notebook 09: move the car, take things away, and see what the map had promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from steerlib import world
from steerlib.drives import ROAD, crop_road
from steerlib.maps import METHODS, explain
from steerlib.networks.network import Network, as_network
from steerlib.show import overlay
from steerlib.show.explanation import draw_map
from steerlib.show.explorers.controls import checkbox, choice, decimal
from steerlib.show.explorers.drawing import lines_to_copy
from steerlib.show.explorers.explorer import BAR, WIDTH, Drawing, Explorer, Scene, Steps, name_of
from steerlib.show.explorers.view import Part
from steerlib.trust import changed

if TYPE_CHECKING:
    import keras

DRIVING_METHODS = ("integrated-gradients", "gradient-times-input", "occlusion", "hires-cam")  # of `driving`
PRESENT = ("center_line", "edge_lines", "vehicles", "shadows", "trees")  # what `driving` can take away


def driving(
    networks: Network | keras.Model | Mapping[str, Network | keras.Model], road: world.Scene, display: bool = False
) -> Explorer:
    """Move the car, take things away, and see the angle, the map, and whether the map kept its promise (notebook 09).

    Above: the whole scene with its map, what is taken away in a white outline. Below: what the network now sees. A map
    in degrees for each pixel promises a change: its sum over the pixels that are taken away.

    Parameters
    ----------
    networks : Network, or mapping of name to Network
        Who may drive.
    road : steerlib.world.Scene
    display : bool
        The car has the display of `steerlib.world.show_wheel`. It can be taken away, and it can lie.
    """
    named = dict(networks) if isinstance(networks, Mapping) else {networks.name: networks}
    return _Driving(named, road, display)


class _Road:
    """A rendered road as a drive: a frame every two meters, from the middle of the lane."""

    def __init__(self, road: world.Scene) -> None:
        self.road, self.name, self.crop = road, f"road {road.seed}", ROAD
        self.poses = [world.Pose(distance) for distance in np.arange(10.0, road.road.length - 10, 2.0)]
        self.angles = np.array([road.steering(pose) for pose in self.poses], np.float32)
        self.names = np.array([f"{pose.distance:.0f} m along the road" for pose in self.poses])

    def __len__(self) -> int:
        return len(self.poses)

    def part_for(self, network: Network | None) -> tuple[float, float]:
        """Say which part of the camera's picture a network sees, as `Drive.part_for` does."""
        return world.part_for(network)

    def frame(self, i: int) -> np.ndarray:
        """Take the picture, (256, 455, 3) uint8."""
        return self.road.render(self.poses[i])[0]


class _Driving(Explorer):
    """The explorer of `driving`: its frames are taken from where the car stands."""

    words = ("network", "reference")
    erases = False  # its map is of the road with everything there, the network may get less

    def __init__(self, named: dict[str, Network | keras.Model], road: world.Scene, display: bool) -> None:
        self.named = {name: (as_network(network), name_of(network, "network")) for name, network in named.items()}
        self.road, self.display = road, display
        self.elements = (*PRESENT, "display") if display else PRESENT
        controls = {
            "driver": choice("network", list(named)),
            "method": choice("map", [(METHODS[name].title, name) for name in DRIVING_METHODS]),
            "offset": decimal("meters to the right", 1.5, 0.1),
            "heading": decimal("degrees askew", 10.0, 0.5),
            **({"lie": decimal("the display lies by", 60.0, 1.0)} if display else {}),
            **{name: checkbox(name.replace("_", " "), True) for name in self.elements},
        }
        drive = _Road(road)
        first = next(iter(named.values()))
        self.network = as_network(first)
        super().__init__(drive, first, controls, self._look, 2 * len(self._part(drive.frame(0))))

    def _scene(self, mirrored: bool) -> Scene:
        """Take the picture that the chosen network now sees, and ask for its angle."""
        i, values = self.frame.value, {name: control.value for name, control in self.controls.items()}
        self.network, called = self.named[values["driver"]]
        self.pose = self.drive.poses[i]._replace(offset=values["offset"], heading=np.radians(values["heading"]))
        self.right = self.road.steering(self.pose)
        without = [name for name in self.elements if not values[name]]
        frame, image = self._photograph(without, True), self._photograph(without, False) / np.float32(255)
        angle = self.network.angle(image)
        return Scene(i, frame, self._part(frame), image, self.right, angle, self._ruler, "road", called)

    def _photograph(self, without: Sequence[str], whole: bool) -> np.ndarray:
        """Take a picture from where the car stands: what the camera sees, or what the network gets of it, uint8."""
        shown = self.right + self.lie.value if self.display and "display" not in without else None
        elements = [name for name in without if name != "display"]
        return world.look(self.road, self.pose, whole, elements, shown, self.network)

    def _part(self, frame: np.ndarray) -> np.ndarray:
        """Enlarge the part of what the camera sees that the chosen network sees."""
        return overlay.enlarge(crop_road(frame, world.part_for(self.network)), WIDTH)

    def _look(self, scene: Scene, method: str, **values: object) -> Steps:
        """Draw the whole scene with its map above what the network now sees."""
        without = [name for name in self.elements if not values[name]]
        view, everything = scene.view, scene.image
        if without:
            view = self._part(self._photograph([], True))
            everything = self._photograph([], False) / np.float32(255)
        found = explain(self.network, everything, method, target="right", stride=8, signed=True)
        drawn, gone = found.density(), changed(everything, scene.image)
        limit = overlay.common_limit([drawn.map])
        picture = draw_map(view, drawn, limit)
        outline = cv2.resize(gone.astype(np.uint8), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(outline, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, overlay.PAPER, 2)
        words = f"Above: the map with everything there, where the network says {found.angle:+.1f}°."
        if without:
            words += f" Below: without {', '.join(without).replace('_', ' ')}."
            words += f" That turned the wheel by {scene.predicted - found.angle:+.1f}°; "
            promised = found.unit == "degrees for each pixel"
            words += f"the map promised {-found.map[gone].sum():+.1f}°." if promised else "this map promises no sum."
        place = f"{self.pose.distance:.1f}, {self.pose.offset:.2f}, np.radians({values['heading']:.1f})"
        code = [
            "import numpy as np",
            "from steerlib import draw_map, explain, overlay, world",
            "",
            f"road = world.Scene({self.road.seed}, {self.road.road.length})",
            f"seen = world.look(road, world.Pose({place}), network={scene.network})",
        ]
        if self.display:
            code.append(f"seen = world.show_wheel(seen[np.newaxis], [{self.right + self.lie.value:.2f}])[0]")
        arguments = f'{scene.network}, seen / np.float32(255), {method!r}, target="right", stride=8, signed=True'
        lines = lines_to_copy(
            *code,
            f"shown = explain({arguments})",
            how=f"draw_map(overlay.enlarge(seen), shown.density(), {limit:.6g})",
        )
        bar = overlay.colorbar(BAR, limit, True, found.unit, found.ends)
        parts = [Part((0, 0, WIDTH, len(picture)), found, drawn=drawn)]
        yield Drawing(np.vstack([picture, scene.view]), bar, words, lines, found.map, parts)
