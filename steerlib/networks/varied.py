"""A PilotNet for recorded roads, trained on none: ``python -m steerlib.networks.varied [FOLDER]`` (notebook 02).

It begins with the weights of `pilotnet` and learns from roads as different as real ones (`steerlib.world.VariedScene`),
photographed anew in each epoch (`steerlib.networks.augmentation`), and from plain ones, which it must not forget.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from steerlib.drives import WHOLE, Drive
from steerlib.networks.augmentation import photograph_anew
from steerlib.networks.files import folders, write
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import evaluate, train

NAME = "pilotnet_varied"
PLAIN_ROADS, PLAIN_VIEWS = range(0, 120), 6000
VARIED_ROADS, VARIED_VIEWS = range(0, 1200), 24000
VALIDATION = [(range(1000, 1020), 1000, False), (range(9000, 9040), 400, True)]  # roads, views, varied
UNSEEN = [(range(2000, 2020), 1000, False), (range(9500, 9540), 400, True)]
EPOCHS, BATCH_SIZE, LEARNING_RATE = 12, 64, 7e-4


def main() -> None:
    """Train the network and save it in a folder, by default where networks of one's own are kept."""
    from steerlib.world import render_views  # only here: whoever brings a drive needs no rendered road

    cv2.setNumThreads(1)  # for small pictures threads take longer than they save, while the network computes
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else folders()[0]
    drive = together(
        render_views(PLAIN_ROADS, PLAIN_VIEWS),
        render_views(VARIED_ROADS, VARIED_VIEWS, varied=True),
    )
    validation = together(*(render_views(roads, views, varied=varied) for roads, views, varied in VALIDATION))
    model = pilotnet(seed=0)
    train(
        model,
        drive,
        validation,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        patience=EPOCHS,
        verbose=2,
        start="pilotnet",
        augment=photograph_anew,
        augmented=np.arange(len(drive)) >= PLAIN_VIEWS,
    )
    print(write(model, folder / f"{NAME}.keras"))
    for roads, views, varied in UNSEEN:
        measures = evaluate(model, render_views(roads, views, varied=varied))
        words = ", ".join(f"{measure} {value:.3f}" for measure, value in measures.items())
        print(f"{views:,} views of unseen {'varied' if varied else 'plain'} roads: {words}")


def together(*drives: Drive) -> Drive:
    """Make one drive of several whose frames are what a network sees, of one size."""
    frames = np.concatenate([[drive.frame(i) for i in range(len(drive))] for drive in drives])
    angles = np.concatenate([drive.angles for drive in drives])
    return Drive.from_arrays(drives[-1].name, frames, angles, crop=WHOLE, cut=True)


if __name__ == "__main__":
    main()
