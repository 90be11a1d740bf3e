"""What the maps of several networks promise, and what is true: ``python -m steerlib.trust.several`` (notebook 08).

One network is one case. Here the scores that have a causal truth are prepared for three: the shipped PilotNet, another
one that began with other weights and saw other roads, and the one with global average pooling. It takes about half an
hour, so the numbers are kept: `steerlib.trust.load_promises` reads them.
"""

import sys
from pathlib import Path

import numpy as np

from steerlib.networks.files import load_network
from steerlib.networks.network import as_network
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import evaluate, train
from steerlib.trust.elements import FILE, promise
from steerlib.world import render_views
from steerlib.writing import replacing

SEED, ROADS, VIEWS, EPOCHS = 1, range(200, 320), 6000, 12  # of the network that is trained here


def main() -> None:
    """Train the network of another seed, make the promises of all three, and write them."""
    model = pilotnet(seed=SEED)
    drive, validation = render_views(ROADS, VIEWS), render_views(range(1000, 1020), 1000)
    train(model, drive, validation, EPOCHS, batch_size=64, learning_rate=1e-3, patience=EPOCHS, verbose=2)
    print(f"another seed, on unseen roads: {evaluate(model, render_views(range(2000, 2020), 1000))}")
    networks = {
        "pilotnet": load_network("pilotnet"),
        "another seed": as_network(model),
        "pilotnet_gap": load_network("pilotnet_gap"),
    }
    kept = {}
    for name, network in networks.items():
        found = promise(network)
        kept[f"{name}/effects"] = found.effects
        for what in ("promised", "hidden"):
            kept |= {f"{name}/{what}/{kind}": values for kind, values in getattr(found, what).items()}
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    with replacing(file) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(stream, **{key: np.asarray(values, np.float32) for key, values in kept.items()})


if __name__ == "__main__":
    main()
