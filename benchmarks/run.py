"""How long things take, side by side in one run: ``make bench``. Writes its table into README.md beside it.

Machines differ and so do days, so each row is a ratio to another way of doing the same. The ways of a row are run in
turn, several times, and the medians are compared. The other libraries live in an environment of their own
(benchmarks/.venv, made when missing), each in a process that waits while the others are timed; before that each makes
its maps of the frame once, which must agree with ours (libraries.py). The table is replaced only when every library
answered and every row was measured. No test asserts a time.
"""

import statistics
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

import keras
import numpy as np
import tensorflow as tf
from libraries import TITLES, Library, environment, start_all
from report import machine, publish, reason, repeats

from steerlib.drives import Drive, load_drive
from steerlib.maps.fill import fill_image
from steerlib.maps.grad_cam import grad_cam
from steerlib.maps.hypercolumns import hypercolumns
from steerlib.maps.occlusion import _angles_without, _window, occlusion_map, window_centers
from steerlib.maps.visual_backprop import visual_backprop
from steerlib.networks.files import load_network
from steerlib.networks.network import Network, as_network
from steerlib.networks.pilotnet import pilotnet
from steerlib.networks.training import Batches, degrees, predict
from steerlib.world.driving import INTERVAL, drive_roads

HERE = Path(__file__).resolve().parent
README, BEGIN, END = HERE / "README.md", "<!-- by make bench -->\n", "<!-- end of make bench -->\n"
REPEATS, SIZES, STRIDE, FRAME = 3, (15, 50), 2, 60

Row = tuple[str, str, str, str, str]


def in_turn(ways: dict[str, Callable[[], float | None]], count: int = REPEATS) -> dict[str, float]:
    """Run each way once to warm up, then all of them in turn; give the median seconds of each.

    A way that returns a number has measured its own time.
    """
    seconds = {name: [] for name in ways}
    for turn in range(repeats(count) + 1):
        for name, way in ways.items():
            start = perf_counter()
            own = way()
            taken = own if isinstance(own, float) else perf_counter() - start
            if turn:
                seconds[name].append(taken)
    return {name: statistics.median(values) for name, values in seconds.items()}


def occlusion_rows(network: Network, image: np.ndarray, libraries: dict[Library, dict[str, str]]) -> list[Row]:
    """Compare ways to make the article's map: windows of 15 and 50 pixels, every 2 pixels, black."""
    filler = fill_image(image, 0.0)
    windows = {
        size: [
            _window((row, column), size, image.shape)
            for row in window_centers(66, STRIDE)
            for column in window_centers(200, STRIDE)
        ]
        for size in SIZES
    }

    def article() -> None:
        everything = [window for size in SIZES for window in windows[size]]
        hidden = np.repeat(image[np.newaxis], len(everything), axis=0)
        for one, window in zip(hidden, everything):
            one[window] = 0
        network.model.predict(hidden, verbose=0)

    def chunks(size: int) -> None:
        list(_angles_without(network, image, filler, windows[size], 256))

    ours = {
        f"steerlib {size}": lambda size=size: void(occlusion_map(network, image, (size,), STRIDE)) for size in SIZES
    }
    dense = {f"chunks {size}": lambda size=size: chunks(size) for size in SIZES}
    found = in_turn({"article": article, **ours, **dense})
    count = sum(len(some) for some in windows.values())
    total = sum(found[f"steerlib {size}"] for size in SIZES)
    rows = [
        row(f"occlusion, {count:,} windows of 15 and 50 pixels", total, "one array, `model.predict`", found["article"])
    ]
    for size in SIZES:
        mine, other = found[f"steerlib {size}"], found[f"chunks {size}"]
        rows.append(row(f"{len(windows[size]):,} windows of {size} pixels", mine, "whole images in chunks", other))
    for library, agreed in libraries.items():
        if "occlusion" not in agreed:
            continue
        ways = {size: partial(library.seconds, "occlusion", size, STRIDE) for size in SIZES}
        found, name = in_turn({**ours, **ways}), f"{TITLES[library.name]} ({agreed['occlusion']})"
        for size in SIZES:
            # Its windows lie inside the image only, so it has fewer of them: compared by the window.
            asked = int(np.prod([len(range(0, side - size + 1, STRIDE)) for side in image.shape[:2]]))
            mine, other = found[f"steerlib {size}"] / len(windows[size]), found[size] / asked
            rows.append(row(f"a window of {size} pixels", mine, name, other))
    return rows


def grad_cam_rows(network: Network, image: np.ndarray, libraries: dict[Library, dict[str, str]]) -> list[Row]:
    """Compare Grad-CAM of one frame."""
    ways = {library.name: lambda library=library: library.seconds("grad-cam") for library in libraries}
    found = in_turn({"steerlib": lambda: void(grad_cam(network, image, "conv3", "right")), **ways}, 20)
    return [
        row(
            "Grad-CAM of a frame",
            found["steerlib"],
            f"{TITLES[library.name]} ({agreed['grad-cam']})",
            found[library.name],
        )
        for library, agreed in libraries.items()
    ]


def void(_: object) -> None:
    """Forget a result, which `in_turn` would take for a time."""


def drive_row(network: Network, images: np.ndarray) -> Row:
    """Compare Grad-CAM of many frames at once with one after the other."""

    def one_by_one() -> None:
        for image in images:
            grad_cam(network, image)

    found = in_turn({"batch": lambda: void(grad_cam(network, images)), "single": one_by_one})
    speeds = {name: f"{len(images) / seconds:,.0f} frames/s" for name, seconds in found.items()}
    ratio = f"{found['single'] / found['batch']:.1f} ×"
    return f"Grad-CAM of {len(images)} frames at once", speeds["batch"], "one by one", speeds["single"], ratio


def single_rows(network: Network, image: np.ndarray) -> list[Row]:
    """Compare maps of one frame with the network's answer to it."""
    ways = {"hypercolumns": hypercolumns, "VisualBackProp": visual_backprop, "Grad-CAM": grad_cam}
    runs = {name: lambda way=way: void(way(network, image)) for name, way in ways.items()}
    found = in_turn({**runs, "predict": lambda: void(predict(network, image[np.newaxis]))}, 50)
    return [row(f"{name} of a frame", found[name], "`predict` of a frame", found["predict"]) for name in ways]


def training_row(drive: Drive) -> Row:
    """Compare what `train` feeds with plain Keras on one array in memory; epochs of 600 frames."""
    drive, models = drive.subset(np.arange(600) % len(drive)), (pilotnet(seed=0), pilotnet(seed=0))
    network, radians = as_network(models[0]), np.radians(drive.angles)[:, np.newaxis]
    batches, images = Batches(network, drive, 50, 0), drive.pictures(network)
    for model in models:
        model.compile("adam", loss="mean_squared_error", metrics=[degrees])
    found = in_turn(
        {
            "ours": lambda: void(models[0].fit(batches, shuffle=False, verbose=0)),
            "array": lambda: void(models[1].fit(images, radians, batch_size=50, verbose=0)),
            "feeding": lambda: void([batches[i] for i in range(len(batches))]),
        },
        5,
    )
    speeds = {name: f"{len(drive) / seconds:,.0f} frames/s" for name, seconds in found.items()}
    ratio = f"{found['array'] / found['ours']:.2f} ×; making batches takes {found['feeding'] / found['ours']:.1%}"
    return "training, batches of 50", speeds["ours"], "`model.fit`, one array in memory", speeds["array"], ratio


def closed_loop_row(network: Network) -> Row:
    """Compare ten cars in closed loop, rendering and network together, with real time.

    What it takes to start is taken off: a process that renders, and the roads that are built.
    """
    ways = {k: lambda k=k: void(drive_roads(network, range(2000, 2010), k, False)) for k in (4.0, 14.0)}
    found = in_turn(ways, 1)
    speed = 10 * 10.0 / INTERVAL / (found[14.0] - found[4.0])
    realtime = f"{1 / INTERVAL:.0f} pictures/s"
    return (
        "closed loop: render, ask, drive on",
        f"{speed:.0f} pictures/s",
        "real time",
        realtime,
        f"{speed * INTERVAL:.1f} ×",
    )


def limit_rows(network: Network, images: np.ndarray) -> list[Row]:
    """Say which share of the arithmetic speed of a large matrix product the maps reach."""
    matrix = tf.random.normal((2048, 2048), seed=0)
    ways = {size: lambda size=size: void(occlusion_map(network, images[0], (size,), STRIDE)) for size in SIZES}
    ways |= {"product": lambda: void((matrix @ matrix).numpy()), "forward": lambda: void(predict(network, images))}
    found, rows = in_turn(ways, 5), []
    limit = 2 * 2048**3 / found["product"]
    whole = sum(2 * np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:-1]) for layer in kernels(network))
    work = {
        f"occlusion, windows of {size} pixels": (patch_work(network, images[0], size), found[size]) for size in SIZES
    }
    work |= {f"{len(images)} whole images": (whole * len(images), found["forward"])}
    for name, (operations, seconds) in work.items():
        speed = operations / seconds
        product = "product of 2048 × 2048 matrices"
        rows.append((name, giga(speed), product, giga(limit), f"{speed / limit:.0%} of its speed"))
    return rows


def kernels(network: Network) -> list[keras.Layer]:
    """List the layers that multiply."""
    return [layer for layer in network.model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]


def patch_work(network: Network, image: np.ndarray, size: int) -> float:
    """Count multiplications and additions of a map, from the tables that tell what is computed."""
    network.function("plans", lambda _: {}).clear()
    occlusion_map(network, image, (size,), STRIDE)
    (plan,) = network.function("plans", lambda _: {}).values()
    first, *others = [layer for layer in kernels(network) if isinstance(layer, keras.layers.Dense)]
    total = 0.0
    for bands, tables in [
        ((1,) * len(plan.stripes), plan.stripes),
        *((plan.bands, chunk.tables) for chunk in plan.chunks()),
    ]:
        tables = list(tables)
        for layer, count in zip(kernels(network), bands):
            for _ in range(count):
                windows, *patch = tables.pop(0).shape
                cells = [(n - k) // s + 1 for n, k, s in zip(patch, layer.kernel_size, layer.strides)]
                total += 2 * windows * np.prod(cells) * np.prod(layer.kernel.shape)
        if bands is plan.bands:
            # The first dense layer sees the changed cells of the last convolution, the others all they are given.
            total += 2 * windows * np.prod(cells) * layer.filters * first.units
            total += 2 * windows * sum(np.prod(other.kernel.shape) for other in others)
    return total


def memory_row() -> Row:
    """Say how much memory the article's map takes, in a process of its own; on Linux, whose kernel counts it."""
    code = (
        "from pathlib import Path\nfrom steerlib import load_drive, load_network, occlusion_map\n"
        "network = load_network()\nimages = load_drive().pictures(network, [0])\n"
        "def peak():\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(line.split()[1] for line in lines if line.startswith('VmHWM'))\n"
        "network.angles(images)\nbefore = peak()\n"
        f"occlusion_map(network, images[0], {SIZES}, {STRIDE})\nprint(before, peak())"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    before, peak = (int(kilobytes) / 1024 for kilobytes in output.split())
    array = 2 * 3434 * 66 * 200 * 3 * 4 / 2**20
    return (
        "memory for that map",
        f"{peak:.0f} MiB",
        "the process before it",
        f"{before:.0f} MiB",
        f"{array:.0f} MiB for one array of hidden images",
    )


def row(name: str, mine: float, other_name: str, other: float) -> Row:
    """Make a row of two times; the ratio is above 1 where ours is faster."""
    return name, readable(mine), other_name, readable(other), f"{other / mine:.1f} ×"


def readable(seconds: float) -> str:
    """Write a time with a unit that suits it."""
    for unit, factor in (("s", 1), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.2f} {unit}"
    return f"{seconds * 1e6:.0f} µs"


def giga(speed: float) -> str:
    """Write operations a second."""
    return f"{speed / 1e9:.0f} GFLOP/s"


def parts(network: Network, drive: Drive, libraries: dict[Library, dict[str, str]]) -> dict[str, Callable]:
    """Name the parts of the table, each with a function that measures its rows."""
    images = drive.pictures(network)
    return {
        "occlusion": lambda: occlusion_rows(network, images[FRAME], libraries),
        "Grad-CAM": lambda: grad_cam_rows(network, images[FRAME], libraries),
        "maps of a frame": lambda: single_rows(network, images[FRAME]),
        "maps of a drive": lambda: [drive_row(network, images)],
        "training": lambda: [training_row(drive)],
        "closed loop": lambda: [closed_loop_row(network)],
        "arithmetic": lambda: limit_rows(network, images),
        "memory": lambda: [memory_row()],
    }


def main() -> int:
    """Measure all of it, print the rows, and write the table into README.md between its two marks."""
    python, drive, network = environment(), load_drive(), load_network()
    image, rows = drive.pictures(network, [FRAME])[0], []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        np.save(folder / "frame.npy", image)
        for k, weight in enumerate(network.model.get_weights()):
            np.save(folder / f"weight{k}.npy", weight)
        libraries, missing = start_all(python, folder, network, image)
        for name, part in parts(network, drive, libraries).items():
            try:
                found = part()
            except Exception as error:  # whatever it was, the other rows are worth their time
                traceback.print_exc()
                missing.append(f"{name}: {reason(error)}")
                continue
            for one in found:
                print(" | ".join(one), flush=True)
            rows += found
        for library in libraries:
            library.close()
    header = ("what", "steerlib", "compared with", "takes", "ratio")
    lines = ["| " + " | ".join(one) + " |" for one in (header, ("---",) * 5, *rows)]
    others = "; ".join(", ".join(f"{package} {own}" for package, own in one.versions.items()) for one in libraries)
    about = f"Medians of runs in turn on {machine('tensorflow', 'keras')}. Beside it: {others}."
    before, rest = README.read_text("utf-8").split(BEGIN)
    table = "\n".join([about, "", *lines, ""])
    return publish(README, f"{before}{BEGIN}{table}{END}{rest.split(END)[1]}", missing)


if __name__ == "__main__":
    sys.exit(main())
