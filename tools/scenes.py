"""Write the scenes that the book's page explores without Python: ``python tools/scenes.py FILE [SCENES]``.

Each scene is a frame of the sample drive, its angles, and the numbers of a few maps; `steerlib/show/explorers/view.js`
draws them, as in an explorer. One script of about 3 MB, so that the page needs no server.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np

from steerlib.drives import load_drive
from steerlib.maps import METHODS, explain
from steerlib.networks.files import load_network
from steerlib.show import overlay
from steerlib.show.explorers.explorer import BAR, STRIP, WIDTH
from steerlib.show.explorers.view import COLORS, Part, described, encoded
from steerlib.show.rulers import ruler_end

SCENES = 12
QUALITY = 85  # of the pictures: a page is to be smaller than an explorer
SHOWN = {
    "occlusion": {"sizes": (15,), "stride": 2, "fill": "blur"},
    "grad-cam": {"target": "right", "signed": True},
    "hires-cam": {"target": "right", "signed": True},
    "integrated-gradients": {"fill": "median"},
}


def main() -> None:
    """Write the scenes of some frames."""
    output, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else SCENES
    drive = load_drive(Path(__file__).resolve().parents[1] / "data" / "sample_drive")
    network = load_network("pilotnet")
    ruler = ruler_end(drive.angles)
    frames = np.linspace(0, len(drive) - 1, 2 * count + 1)[1::2].astype(int).tolist()
    pictures = drive.pictures(network, frames)
    made = {
        name: [explain(network, picture, name, **settings).density() for picture in pictures]
        for name, settings in SHOWN.items()
    }
    limits = {name: overlay.common_limit([found.map for found in each]) for name, each in made.items()}
    scenes = []
    for k, (i, picture) in enumerate(zip(frames, pictures)):
        view = overlay.enlarge(drive.view(i, network), WIDTH)
        height = len(view)
        parts = {}
        for name, whole in limits.items():
            found = made[name][k]
            own = overlay.common_limit([found.map])
            part = Part((0, 0, WIDTH, height), found, whole, whole, own, bar=(0, height, BAR, STRIP))
            parts[METHODS[name].title] = {
                "part": described(part, picture.shape[:2]) | {"bare": True},
                "words": found.words,
            }
        bar = np.full((STRIP, BAR, 3), overlay.PAPER, np.uint8)
        angle, recorded = network.angle(picture), float(drive.angles[i])
        whole = overlay.with_angles(view, bar, angle, recorded, ruler, ("predicted", "recorded"))
        title = f"frame {i}: the network says {angle:+.0f}°, the driver {recorded:+.0f}°"
        frame, value = (encoded(each, QUALITY) for each in (view, whole))
        scenes.append({"title": title, "frame": frame, "value": value, "maps": parts})
    data = json.dumps({"colors": COLORS, "scenes": scenes}, default=as_text, separators=(",", ":"))
    output.write_text(f"window.steerlibScenes = {data};\n", "utf-8")


def as_text(thing: bytes) -> dict[str, str]:
    """Write bytes into JSON."""
    return {"base64": base64.b64encode(thing).decode()}


if __name__ == "__main__":
    main()
