"""How long things take, side by side in one run: ``make bench``. Writes benchmarks/results.md.

Machines differ and so do days, so each row is a ratio to a way of doing the same that stands beside it. Every way is
run in turn, several times, and the medians are compared. Nothing here is asserted in a test.
"""

import os
import platform
import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import keras
import numpy as np
import tensorflow as tf

from steerlib.data import Drive, load_drive
from steerlib.gradcam import grad_cam, hires_cam
from steerlib.hypercolumns import hypercolumns, visual_backprop
from steerlib.model import load_model, pilotnet, predict, train
from steerlib.occlusion import _angles_without, _window, fill_image, occlusion_map, window_centers

# Multiplications and additions of one forward pass of PilotNet, see the exercises of notebook 02.
FLOPS = 2 * 28.2e6


def in_turn(repeats: int, **ways: Callable[[], object]) -> dict[str, float]:
    """Run each way once to warm up, then all of them in turn; give the median seconds of each."""
    seconds = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            start = perf_counter()
            way()
            if turn:
                seconds[name].append(perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def occlusion_rows(model: keras.Model, image: np.ndarray) -> list[list[str]]:
    """Compare ways to make the article's map: windows of 15 and 50 pixels, every 2 pixels, black."""
    filler, rows = fill_image(image, 0.0), []
    windows = {
        size: [_window((r, c), size, image.shape) for r in window_centers(66, 2) for c in window_centers(200, 2)]
        for size in (15, 50)
    }

    def article() -> None:
        """Put all hidden images into one array and ask model.predict."""
        everything = [window for some in windows.values() for window in some]
        hidden = np.repeat(image[np.newaxis], len(everything), axis=0)
        for one, window in zip(hidden, everything):
            one[window] = 0
        model.predict(hidden, verbose=0)

    def dense(*sizes: int) -> None:
        for size in sizes:
            _angles_without(model, image, filler, windows[size], 256)

    for sizes in ((15, 50), (15,), (50,)):
        ways = {"chunks": lambda sizes=sizes: dense(*sizes), "steerlib": lambda s=sizes: occlusion_map(model, image, s)}
        if len(sizes) == 2:
            ways["article"] = article
        found = in_turn(5, **ways)
        count = sum(len(windows[size]) for size in sizes)
        name = f"{count:,} windows of {' and '.join(map(str, sizes))} pixels"
        for other, words in (("article", "one array through model.predict"), ("chunks", "whole images in chunks")):
            if other in found:
                ratio = f"{found[other] / found['steerlib']:.1f} × faster"
                rows.append([name, f"{found['steerlib']:.2f} s", words, f"{found[other]:.2f} s", ratio])
    return rows


def single_rows(model: keras.Model, image: np.ndarray) -> list[list[str]]:
    """Compare the maps that ask once with one forward pass of a cached function."""
    ways = {
        "Grad-CAM": lambda: grad_cam(model, image),
        "HiResCAM": lambda: hires_cam(model, image),
        "hypercolumns": lambda: hypercolumns(model, image),
        "VisualBackProp": lambda: visual_backprop(model, image),
    }
    found = in_turn(100, predict=lambda: predict(model, image[np.newaxis]), **ways)
    one = found.pop("predict")
    words, base = "predict of one frame", f"{1000 * one:.1f} ms"
    return [
        [f"{name}, one frame", f"{1000 * seconds:.1f} ms", words, base, f"{seconds / one:.1f} × as long"]
        for name, seconds in found.items()
    ]


def training_row() -> list[str]:
    """Compare train() with Keras's fit on one array in memory, with equal batches; an epoch of 1,000 frames."""
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (1000, 66, 200, 3), np.uint8)
    angles = random.normal(0, 20, 1000).astype(np.float32)
    drive, few = (Drive.from_arrays("noise", frames[:n], angles[:n], crop=(0.0, 1.0)) for n in (1000, 1))
    images, radians = frames / np.float32(255), np.radians(angles)[:, np.newaxis]
    ours, plain = pilotnet(seed=0), pilotnet(seed=0)
    plain.compile("adam", loss="mean_squared_error")
    found = in_turn(
        3,
        ours=lambda: train(ours, drive, few, epochs=2, batch_size=50, verbose=0),
        plain=lambda: plain.fit(images, radians, epochs=2, batch_size=50, verbose=0),
    )
    words = f"{found['ours'] / found['plain'] - 1:+.0%} time"
    seconds = [f"{2000 / found[name]:.0f} frames/s" for name in ("ours", "plain")]
    return ["training, batches of 50", seconds[0], "model.fit on one array in memory", seconds[1], words]


def limit_row(model: keras.Model, images: np.ndarray) -> list[str]:
    """Say which share of the speed of a large matrix product a forward pass reaches."""
    matrix = tf.random.normal((2048, 2048))
    found = in_turn(5, product=lambda: (matrix @ matrix).numpy(), forward=lambda: predict(model, images))
    product = 2 * 2048**3 / found["product"]
    forward = FLOPS * len(images) / found["forward"]
    speeds = [f"{speed / 1e9:.0f} GFLOP/s" for speed in (forward, product)]
    return [
        "forward pass, batches of 256",
        speeds[0],
        "product of 2048 × 2048 matrices",
        speeds[1],
        f"{forward / product:.0%}",
    ]


def main() -> None:
    """Run all of it, print the table and write it."""
    drive, model = load_drive(), load_model()
    image = drive.images([60])[0]
    rows = [*occlusion_rows(model, image), *single_rows(model, image), training_row()]
    rows.append(limit_row(model, drive.images(np.arange(256))))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; Python {platform.python_version()}"
    machine += f", TensorFlow {tf.__version__}, Keras {keras.__version__}; medians of several runs in turn"
    header = ["what", "steerlib", "compared with", "takes", "ratio"]
    lines = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * 5, *rows)]
    text = "\n".join(["# Measured side by side", "", f"By `make bench` on {machine}.", "", *lines, ""])
    Path(__file__).with_name("results.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
