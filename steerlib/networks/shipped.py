"""How the networks that come with the project are trained: ``python -m steerlib.networks.shipped FOLDER``.

But for `pilotnet_varied`, which begins where `pilotnet` ends: see `steerlib.networks.varied`.
"""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from steerlib.drives import WHOLE, Drive
from steerlib.networks.files import OTHER, SHIPPED, folders, write
from steerlib.networks.pilotnet import pilotnet, pilotnet_gap
from steerlib.networks.training import evaluate, train
from steerlib.networks.varied import NAME as VARIED
from steerlib.writing import checksums, replacing

TRAINED_HERE = tuple(name for name in SHIPPED if name != VARIED)
# Rendered views, and others to choose the best epoch and to judge it by.
TRAINING_ROADS, TRAINING_VIEWS = range(0, 120), 12000
VALIDATION_ROADS, VALIDATION_VIEWS = range(1000, 1020), 1000
UNSEEN_ROADS, UNSEEN_VIEWS = range(2000, 2020), 1000
EPOCHS, BATCH_SIZE, LEARNING_RATE = 14, 64, 1e-3
MEMORIZED_ROADS, MEMORIZED_VIEWS = range(100, 110), 40  # all that the memorizer sees, for 50 epochs


def main() -> None:
    """Train the networks that come with the project, or those that are named, and save them in a folder."""
    from steerlib.world import render_views  # only here: whoever brings a drive needs no rendered road

    folder, render = Path(sys.argv[1]) if len(sys.argv) > 1 else folders()[-1], cache(render_views)
    for name in sys.argv[2:] or TRAINED_HERE:
        drive, validation, unseen = _lessons(name, render)
        settings = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "patience": EPOCHS}
        if name == "pilotnet_memorizer":
            settings = {"epochs": 50, "batch_size": 10, "patience": 50}
        model = pilotnet_gap(seed=0) if name == "pilotnet_gap" else pilotnet(seed=0)
        train(model, drive, validation, learning_rate=LEARNING_RATE, verbose=2, **settings)
        print(f"{name}: on {UNSEEN_VIEWS:,} views of unseen roads, errors in degrees:")
        for measure, value in evaluate(model, unseen).items():
            print(f"{measure:>24} {value:7.3f}")
        print(write(model, folder / f"{name}.keras"))
    write_checksums(folder)


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 of each network that comes with the project and lies in a folder."""
    names = sorted(name for name in [*(f"{name}.keras" for name in SHIPPED), OTHER] if (folder / name).exists())
    with replacing(folder / "SHA256SUMS") as unfinished:
        unfinished.write_text(checksums(folder, names), "utf-8")


def _lessons(name: str, render: Callable[..., Drive]) -> list[Drive]:
    """Render what a shipped network learns from, what its best epoch is chosen by, and what it is judged by."""
    from steerlib.world import show_wheel

    chosen = [(TRAINING_ROADS, TRAINING_VIEWS), (VALIDATION_ROADS, VALIDATION_VIEWS), (UNSEEN_ROADS, UNSEEN_VIEWS)]
    if name == "pilotnet_memorizer":
        chosen[:2] = [(MEMORIZED_ROADS, MEMORIZED_VIEWS)] * 2
    drives = [render(roads, views, askew=name != "pilotnet_centered") for roads, views in chosen]
    if name == "pilotnet_confused":
        return [
            Drive.from_arrays(
                drive.name,
                show_wheel([drive.frame(i) for i in range(len(drive))], drive.angles),
                drive.angles,
                crop=WHOLE,
            )
            for drive in drives
        ]
    return drives


if __name__ == "__main__":
    main()
