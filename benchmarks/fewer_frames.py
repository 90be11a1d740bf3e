"""How many frames a network needs that begins with another's weights: ``python benchmarks/fewer_frames.py``.

Trains PilotNet on the recorded drive ../shared/data/udacity-ch2, from nothing and from networks that come with the
project, on all frames that are not set aside and on fewer, spread over the drive. Set aside are 15 % of the drive, in
blocks of 100 frames. After a start the pictures are changed in each epoch, as --augment says. Prints R² on the best of
25 epochs, as a table in Markdown.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from steerlib import evaluate, load_drive, pilotnet, split, train
from steerlib.networks.augmentation import mirror, photograph_anew

DRIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "udacity-ch2"
EPOCHS, BATCH_SIZE = 25, 50
CHANGES = {"nothing": None, "mirror": mirror, "photograph-anew": photograph_anew}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("starts", nargs="*", default=["nothing", "pilotnet", "pilotnet_varied"], metavar="START")
    parser.add_argument("--frames", type=int, nargs="*", default=[10**9, 500], help="at most so many to learn from")
    parser.add_argument("--seeds", type=int, default=1, help="so many times other blocks")
    parser.add_argument("--rate", type=float, default=6e-4, help="learning rate after a start, else 0.001")
    parser.add_argument("--augment", choices=CHANGES, default="photograph-anew", help="after a start")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # labels whose frames do not lie here
        drive = load_drive(DRIVE)
    drive = drive.subset(np.isfinite(drive.angles))
    print("| start | frames | R² | each |\n| --- | --- | --- | --- |")
    for start in options.starts:
        for most in options.frames:
            found = []
            for seed in range(options.seeds):
                learning, validation = split(drive, 0.15, block=100, seed=seed)
                frames = min(most, len(learning))
                learning = learning.subset(np.linspace(0, len(learning) - 1, frames).astype(int))
                model = pilotnet(seed=seed)
                begin = {"start": start, "learning_rate": options.rate, "augment": CHANGES[options.augment]}
                begin = {} if start == "nothing" else begin
                settings = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "patience": EPOCHS, "verbose": 0}
                train(model, learning, validation, **settings, **begin)
                found.append(evaluate(model, validation)["r2"])
            each = ", ".join(f"{r2:+.2f}" for r2 in found)
            print(f"| {start} | {frames:,} | {np.mean(found):+.2f} | {each} |", flush=True)


if __name__ == "__main__":
    main()
