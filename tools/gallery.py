"""Draw the strip at the top of the README: one curve of the sample drive under every method."""

from pathlib import Path

import cv2
import numpy as np

from steerlib.drives import load_drive
from steerlib.maps import METHODS, explain
from steerlib.networks.files import load_network
from steerlib.show import overlay
from steerlib.show.explanation import draw_map

WIDTH, COLUMNS = 320, 3  # pixels for each picture, pictures in a row: a page shows them nearly at this size


def main() -> None:
    """Write data/gallery.png."""
    root = Path(__file__).resolve().parents[1]
    drive = load_drive(root / "data" / "sample_drive")
    i = int(np.argmin(drive.angles))
    network, average = load_network("pilotnet"), load_network("pilotnet_gap")
    image, view = drive.pictures(network, [i])[0], overlay.enlarge(drive.view(i, network), WIDTH)
    angle = network.angle(image)
    pictures = {f"network {angle:+.0f} deg, driver {drive.angles[i]:+.0f} deg": view}
    for name, method in METHODS.items():
        asked = average if method.problem(network) else network
        found = explain(asked, image, name, target="right", sizes=(15,), signed=True)
        pictures[method.title] = draw_map(view, found.density())
    legend, room = overlay.colorbar(WIDTH, 1.0, True, "share of each map's own scale"), np.full_like(view, 255)
    room[(len(view) - len(legend)) // 2 :][: len(legend)] = legend
    pictures["red: right, blue: left, yellow: no side"] = room
    strip = overlay.grid(list(pictures.values()), list(pictures), COLUMNS)
    cv2.imwrite(str(root / "data" / "gallery.png"), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
