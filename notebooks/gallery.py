"""Draw the strip at the top of the README: one curve of the sample drive under every method."""

from pathlib import Path

import cv2
import numpy as np

from steerlib import overlay
from steerlib.data import load_drive
from steerlib.gradcam import grad_cam, hires_cam
from steerlib.hypercolumns import hypercolumns
from steerlib.model import load_model, predict
from steerlib.occlusion import occlusion_map

WIDTH = 480  # pixels for each picture


def main() -> None:
    """Write data/gallery.png."""
    root = Path(__file__).resolve().parents[1]
    drive, model = load_drive(root / "data" / "sample_drive"), load_model("pilotnet")
    i = int(np.argmin(drive.angles))
    image, view = drive.images([i])[0], overlay.enlarge(drive.view(i), WIDTH)
    angle = predict(model, image[np.newaxis])[0]
    maps = {
        "occlusion, windows of 15 pixels": (occlusion_map(model, image, (15,), fill="blur"), True),
        "hypercolumns: where all layers respond": (hypercolumns(model, image), False),
        "Grad-CAM, signed": (grad_cam(model, image, target="right", signed=True), True),
        "HiResCAM, signed": (hires_cam(model, image, target="right", signed=True), True),
    }
    pictures = {f"the network says {angle:+.0f} deg, the driver {drive.angles[i]:+.0f} deg": view}
    for caption, (values, signed) in maps.items():
        pictures[caption] = overlay.overlay(view, values, overlay.common_limit([values]), signed)
    legend = overlay.colorbar(WIDTH, 1.0, True, "signed maps, each on its own scale", ("left", "right"))
    tall = np.full_like(view, 255)
    tall[(len(view) - 60) // 2 :][:60] = legend
    pictures["red steers right, blue steers left"] = tall
    captions, pictures = list(pictures), list(pictures.values())
    rows = [overlay.side_by_side(pictures[k : k + 3], captions[k : k + 3]) for k in (0, 3)]
    cv2.imwrite(str(root / "data" / "gallery.png"), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
