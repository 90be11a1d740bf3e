"""Processes to be killed: each is a copy of this one, which has loaded everything and done nothing yet.

Reads lines of a job's name, a tab and a folder; answers each with the number of the process that does it on and on.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from tools import in_memory, network

from steerlib.drives import Drive
from steerlib.networks.files import save_network
from steerlib.networks.training import train
from steerlib.show.film import render_video
from steerlib.world import render_drive, write_drive

cv2.setNumThreads(1)  # a copy of a process has none of its threads
RENDERED = render_drive(3, 2)


def training(folder: Path) -> None:
    """Train a network further and save it, again and again."""
    model, drive = network(), in_memory(4)
    for epoch in itertools.count():
        train(model, drive, drive, epochs=1, batch_size=2, seed=epoch, verbose=0)
        save_network(model, "net")
        (folder / "begun").touch()


def drive(folder: Path) -> None:
    """Render a drive of two frames, then of three and so on, each in the place of the one before."""
    frames = [RENDERED.frame(i) for i in (0, 1)]
    for count in itertools.cycle((2, 3, 4)):
        angles = np.linspace(-count, count, count)
        write_drive(folder / "rendered", Drive.from_arrays("rendered", (frames * 2)[:count], angles))
        (folder / "begun").touch()


def film(folder: Path) -> None:
    """Make a film, again and again."""
    model = network()
    for _ in itertools.count():
        render_video(
            in_memory(4), model, "hypercolumns", folder / "film.mp4", width=320, progress=False, layers=("conv1",)
        )
        (folder / "begun").touch()


def main() -> None:
    """Start what is asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        job, folder = line.rstrip("\n").split("\t")
        process = os.fork()
        if not process:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.environ["STEERLIB_MODELS"] = folder
            tf.config.run_functions_eagerly(True)  # what is traced takes seconds, and writes nothing
            globals()[job](Path(folder))
        print(process, flush=True)


if __name__ == "__main__":
    main()
