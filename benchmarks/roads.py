"""How well a network reads recorded roads that it has never seen: ``python benchmarks/roads.py [NETWORK ...] [-n 2]``.

For each network, the name of a saved one or a file, and each recorded drive that lies beside the checkout, over all
frames with an angle: the correlation of its answers with the recorded angles and, after multiplication with the one
factor by which two cars differ (least squares over the same frames), R². The crop is each time the part of the frame
that the network is given. Of rendered roads the answers are compared with the angle that brings the car back into its
lane, and with the angle that the bend alone takes. Prints a table in Markdown.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from steerlib import load_drive, load_network, predict, wheel_angle, world
from steerlib.drives.plausibility import AngleWarning

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data"
CROPS = {
    "udacity-ch2": [(106 / 256, 1.0), (0.45, 1.0), (0.5, 1.0)],
    "sullychen-2018": [(106 / 256, 1.0), (0.45, 1.0), (0.5, 1.0)],
}
UNSEEN = {"plain roads": (range(2000, 2020), 1000, False), "varied roads": (range(9500, 9540), 400, True)}


def compare(recorded: np.ndarray, answered: np.ndarray, fitted: bool) -> tuple[float, float, float]:
    """Give correlation, factor and R² after it, of angles (n,) in degrees; not fitted, the factor is 1."""
    recorded, answered = recorded.astype(np.float64), answered.astype(np.float64)
    factor = float(recorded @ answered / (answered @ answered)) if fitted else 1.0
    r2 = 1 - np.mean((recorded - factor * answered) ** 2) / np.var(recorded)
    return float(np.corrcoef(recorded, answered)[0, 1]), factor, float(r2)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=["pilotnet"], metavar="NETWORK")
    parser.add_argument("-n", type=int, default=1, help="every n-th frame only")
    options = parser.parse_args()
    print(
        "| network | roads | crop | frames | correlation | factor | R² |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for name in options.networks:
        network = load_network(name)
        for roads, (seeds, views, varied) in UNSEEN.items():
            drive, bends = world.render_bends(seeds, views, varied=varied)
            answers = predict(network, drive)
            tell(name, f"{roads}, back into the lane", None, drive.angles, answers)
            tell(name, f"{roads}, the bend alone", None, wheel_angle(bends), answers)
        for folder, crops in CROPS.items():
            for crop in crops if (RECORDED / folder).is_dir() else []:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # labels whose frames do not lie here
                    warnings.simplefilter("ignore", AngleWarning)
                    drive = load_drive(RECORDED / folder, crop=crop)
                drive = drive.subset(np.flatnonzero(np.isfinite(drive.angles))[:: options.n])
                tell(name, folder, crop, drive.angles, predict(network, drive))


def tell(name: str, roads: str, crop: tuple[float, float] | None, recorded: np.ndarray, answered: np.ndarray) -> None:
    """Print one line of the table."""
    correlation, factor, r2 = compare(recorded, answered, fitted=crop is not None)
    part = f"{crop[0]:.2f}–{crop[1]:.2f}" if crop else "–"
    print(
        f"| {name} | {roads} | {part} | {len(recorded):,} | {correlation:+.2f} | {factor:.2f} | {r2:+.2f} |", flush=True
    )


if __name__ == "__main__":
    main()
