"""Draw the strip at the top of the README: one curve of the sample drive under every method."""

from pathlib import Path

import cv2
import numpy as np

from steerlib import overlay
from steerlib.data import load_drive
from steerlib.explain import METHODS, draw, explain
from steerlib.model import load_model, predict

WIDTH, COLUMNS = 320, 3  # pixels for each picture, pictures in a row: a page shows them nearly at this size
AVERAGE = "cam"  # the one method that asks the network with an average, and not PilotNet


def main() -> None:
    """Write data/gallery.png."""
    root = Path(__file__).resolve().parents[1]
    drive = load_drive(root / "data" / "sample_drive")
    i = int(np.argmin(drive.angles))
    image, view = drive.images([i])[0], overlay.enlarge(drive.view(i), WIDTH)
    model, average = load_model("pilotnet"), load_model("pilotnet_gap")
    angle = predict(model, image[np.newaxis])[0]
    pictures = {f"network {angle:+.0f} deg, driver {drive.angles[i]:+.0f} deg": view}
    for method, name in METHODS.items():
        explanation = explain(average if method == AVERAGE else model, image, method, "right", sizes=(15,), signed=True)
        pictures[name] = draw(view, explanation)
    for signed, caption in ((True, "red steers right, blue left"), (False, "yellow: where it responds most")):
        legend, room = overlay.colorbar(WIDTH, 1.0, signed, "share of each map's own scale"), np.full_like(view, 255)
        room[(len(view) - len(legend)) // 2 :][: len(legend)] = legend
        pictures[caption] = room
    strip = overlay.grid(list(pictures.values()), list(pictures), COLUMNS)
    cv2.imwrite(str(root / "data" / "gallery.png"), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
