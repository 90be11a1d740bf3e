"""The explorer of notebook 01: a drive, its angles and its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from steerlib.drives import Drive
from steerlib.drives.drive import has_labels, vision
from steerlib.networks.network import Network, as_network
from steerlib.show import overlay
from steerlib.show.explorers.controls import checkbox, choice
from steerlib.show.explorers.drawing import lines_to_copy
from steerlib.show.explorers.explorer import BAR, WIDTH, Drawing, Explorer, Scene, Steps, typical
from steerlib.world import LABELS

if TYPE_CHECKING:
    import keras


def frames(drive: Drive, network: Network | keras.Model | None = None) -> Explorer:
    """Look at a drive: its frames and angles, what the network sees, what each pixel is (notebook 01).

    With a network, its angle is shown beside the recorded one. Labels can be chosen where the drive has them. A
    mirrored frame has the mirrored angle.
    """
    seer = None if network is None else as_network(network)
    crop = drive.part_for(seer)

    def draw(scene: Scene, show: str, mirrored: bool) -> Steps:
        i, imports = scene.index, ["from steerlib.show import overlay"]
        bar = overlay.angle_histogram(BAR, drive.angles * (-1 if mirrored else 1), scene.recorded, scene.ruler)
        turn = "[:, ::-1]" if mirrored else ""
        if show == "labels":
            if (labels := drive.labels(i)) is None:
                raise ValueError("this frame has no labels")
            colored = overlay.colorize_labels(labels[:, ::-1] if mirrored else labels, LABELS)
            colored, legend = overlay.enlarge(colored, WIDTH, False), overlay.label_legend(LABELS, WIDTH)
            picture, words = np.vstack([colored, legend]), "What each pixel is; darker in a cast shadow."
            imports.append("from steerlib.world import LABELS")
            how = f"overlay.colorize_labels({scene.drive}.labels({i}){turn}, LABELS)"
        elif show == "network's input":
            seen = overlay.enlarge(np.rint(255 * scene.image).astype(np.uint8), WIDTH, smooth=False)
            picture = np.vstack([scene.view, seen])
            height, width = scene.image.shape[:2]
            words = f"Above: the part cut from the frame. Below: the {width} × {height} pixels that the network gets."
            imports = ["from steerlib import preprocess"]
            more = "".join(f", {name}={value!r}" for name, value in vision(seer).items() if value not in ("area", 1))
            how = f"preprocess({scene.drive}.frame({i}){turn}, {crop}, {(height, width)}{more})"
        else:
            picture = overlay.enlarge(scene.frame, WIDTH)
            top, bottom = (round(share * len(picture)) for share in crop)
            picture[:top] >>= 1
            picture[bottom:] >>= 1
            words = "The network is given the part that is not darkened."
            imports, how = [], f"{scene.drive}.frame({i}){turn}"
        if mirrored:
            words += " Left and right are exchanged, and so is the sign of the recorded angle."
        yield Drawing(picture, bar, words, lines_to_copy(*imports, how=how))

    controls = {"show": choice("show", ["whole frame", "network's input"] + ["labels"] * has_labels(drive))}
    controls["mirrored"] = checkbox("mirrored", False)
    height = len(overlay.enlarge(typical(drive), WIDTH)) if len(drive) else None
    return Explorer(drive, network, controls, draw, height)
