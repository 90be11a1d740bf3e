"""A PilotNet for recorded roads, trained on none: ``python -m steerlib.networks.varied [FOLDER]`` (notebook 02).

It begins with the weights of `pilotnet` and learns from roads as different as real ones (`steerlib.world.VariedScene`),
photographed anew in each epoch (`steerlib.networks.augmentation`), and from plain ones. What it learns is how the road
bends, as the angle of the standard car's wheel, and not how to come back into the lane: whether a car stands askew or
its camera does, no picture of an unknown camera tells.
"""

import sys
from pathlib import Path

import cv2
import keras
import numpy as np

from steerlib.drives import WHOLE, Drive
from steerlib.networks.augmentation import photograph_anew
from steerlib.networks.files import folders, write
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import evaluate, train

NAME = "pilotnet_varied"
PLAIN_ROADS, PLAIN_VIEWS = range(0, 120), 6000
# Roads and views, how far askew car and camera stand (`steerlib.render_bends`), epochs and learning rate. First
# anything is possible; then, as in a car whose camera looks ahead, more or less, the near road tells more of the bend.
STAGES = [(range(0, 1200), 24000, 1.0, 16, 7e-4), (range(1200, 1800), 12000, 0.4, 6, 5e-4)]
VALIDATION = [(range(1000, 1020), 1000, False), (range(9000, 9040), 400, True)]  # roads, views, varied
UNSEEN = [(range(2000, 2020), 1000, False), (range(9500, 9540), 400, True)]
BATCH_SIZE = 64
HUBER = 0.15  # radians, from where on errors count in proportion: a few sharp bends would decide all


def main() -> None:
    """Train the network and save it in a folder, by default where networks of one's own are kept."""
    cv2.setNumThreads(1)  # for small pictures threads take longer than they save, while the network computes
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else folders()[0]
    model = pilotnet(seed=0)
    for stage, (roads, views, askew, epochs, learning_rate) in enumerate(STAGES):
        train(
            model,
            bends([(PLAIN_ROADS, PLAIN_VIEWS, False), (roads, views, True)], askew),
            bends(VALIDATION, askew),
            epochs=epochs,
            batch_size=BATCH_SIZE,
            learning_rate=learning_rate,
            patience=epochs,
            verbose=2,
            start=None if stage else "pilotnet",
            augment=photograph_anew,
            loss=keras.losses.Huber(HUBER),
        )
    print(write(model, folder / f"{NAME}.keras"))
    for roads, views, varied in UNSEEN:
        measures = evaluate(model, bends([(roads, views, varied)]))
        words = ", ".join(f"{measure} {value:.3f}" for measure, value in measures.items())
        print(f"{views:,} views of unseen {'varied' if varied else 'plain'} roads: {words}")


def bends(chosen: list[tuple[range, int, bool]], askew: float = 1.0) -> Drive:
    """Photograph roads, plain or varied ones, with the angle of the wheel that their bends take: one drive of all.

    Parameters
    ----------
    chosen : list of (roads, views, varied)
        The roads' seeds, how many views of them, and whether they are varied ones.
    askew : float
        How far askew car and camera stand on the varied ones, see `steerlib.render_bends`.

    Returns
    -------
    Drive
        Of all views; angles in degrees, positive to the right.
    """
    # Only here: whoever brings a drive needs no rendered road.
    from steerlib.world import render_bends, wheel_angle

    drives = [render_bends(roads, views, askew if varied else 1.0, varied=varied) for roads, views, varied in chosen]
    frames = np.concatenate([[views.frame(i) for i in range(len(views))] for views, _ in drives])
    angles = wheel_angle(np.concatenate([curvature for _, curvature in drives])).astype(np.float32)
    return Drive.from_arrays("bends", frames, angles, crop=WHOLE, cut=True)


if __name__ == "__main__":
    main()
