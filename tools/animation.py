"""Draw the moving picture in the README: a bend of the sample drive, what steers, and the wheel."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from steerlib.drives import load_drive
from steerlib.networks.files import load_network
from steerlib.show.film import film_frames

METHOD, SETTINGS = "occlusion", {"sizes": (15,), "stride": 4}
BEFORE, AFTER = 45, 55  # frames before and after the sharpest moment of a bend
FPS, WIDTH = 10, 400  # frames a second, as recorded; pixels of each of the two pictures
QUALITY = 60  # of WebP


def main() -> None:
    """Write data/bend.webp, or the file that is named."""
    root = Path(__file__).resolve().parents[1]
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "data" / "bend.webp"
    drive = load_drive(root / "data" / "sample_drive")
    sharpest = int(np.argmin(drive.angles))
    bend = drive.subset(slice(max(0, sharpest - BEFORE), sharpest + AFTER))
    frames = film_frames(bend, load_network("pilotnet"), [METHOD], FPS, WIDTH, **SETTINGS)
    first, *others = map(Image.fromarray, frames)
    settings = {"duration": round(1000 / FPS), "loop": 0, "quality": QUALITY, "method": 4}
    first.save(path, save_all=True, append_images=others, **settings)


if __name__ == "__main__":
    main()
