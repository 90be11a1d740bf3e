"""How time and memory grow with a drive: ``make bench``. Writes its tables into size.md beside it.

Needs the recorded drive beside the checkout (../shared/data/sullychen-2018), whose label list names 63,825 frames and
which has 700 of them: the frames of the large drives are hard links to those. Each figure is taken in a process of its
own.
"""

import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from report import TRIAL, machine, publish

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "sullychen-2018"
TABLE = Path(__file__).resolve().with_suffix(".md")
SIZES = (700, 7_000) if TRIAL else (700, 7_000, 63_825)
FILM_FRAMES = (500,) if TRIAL else (500, 5_000)
WINDOWS = {96: ("26", 13), 1_020: ("15", 4), 13_200: ("15", 1), 52_800: ("9+15+29+50", 1)}  # sizes, stride


def make_drive(folder: Path, count: int) -> Path:
    """Make a drive of the first labels of the list, with links to frames that are there; none leaves its folder."""
    (frames := folder / f"drive-{count}").mkdir()
    lines = (REAL / "data.txt").read_text().splitlines()[:count]
    (frames / "data.txt").write_text("\n".join(lines) + "\n")
    there = sorted(REAL.glob("*.jpg"), key=lambda path: int(path.stem))
    copies = folder / "frames"
    if not copies.exists():
        copies.mkdir()
        for path in there:
            shutil.copyfile(path, copies / path.name)
    for i, line in enumerate(lines):
        os.link(copies / there[i % len(there)].name, frames / line.split()[0])
    return frames


def peak() -> float:
    """Give the largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def loading(path: str) -> dict[str, float]:
    """Load a drive and look for suspect labels."""
    from steerlib.drives import load_drive, suspect_labels

    before, start = peak(), time.perf_counter()
    drive = load_drive(path)
    loaded = time.perf_counter()
    suspects = suspect_labels(drive)
    found = time.perf_counter()
    return {"load": loaded - start, "suspects": found - loaded, "count": len(suspects), "memory": peak() - before}


def notebook(path: str) -> dict[str, float]:
    """Run the code cells of notebook 01 up to its explorer, as a reader does who opens it on this drive."""
    import matplotlib

    matplotlib.use("Agg")
    import nbformat
    from IPython.core.interactiveshell import InteractiveShell

    os.environ["STEERLIB_DRIVE"] = path
    os.chdir(ROOT / "notebooks")
    shell, start = InteractiveShell.instance(), time.perf_counter()
    code = [cell.source for cell in nbformat.read("01_data.ipynb", 4).cells if cell.cell_type == "code"]
    count = next(i for i, source in enumerate(code) if "explorers.frames(" in source) + 1
    for source in code[:count]:
        shell.run_cell(source).raise_error()
    return {"seconds": time.perf_counter() - start, "computed": time.process_time(), "memory": peak()}


def training(path: str, megabytes: str = "") -> dict[str, float]:
    """Train for two epochs with so many MB for small pictures, or as usual; the first one decodes the frames."""
    os.environ["STEERLIB_CACHE"] = megabytes
    import keras

    from steerlib.drives import load_drive
    from steerlib.networks.network import as_network
    from steerlib.networks.pilotnet import pilotnet
    from steerlib.networks.training import Batches

    drive, network, ends = load_drive(path), as_network(pilotnet(seed=0)), []
    network.model.compile("adam", "mean_squared_error")
    network.model.fit(Batches(network, drive.subset(range(200)), 100, seed=0), verbose=0)
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    before, start = peak(), time.perf_counter()
    batches = Batches(network, drive, 100, seed=0)
    network.model.fit(batches, epochs=2, shuffle=False, verbose=0, callbacks=[clock])
    return {
        "first": ends[0] - start,
        "second": ends[1] - ends[0],
        "memory": peak() - before,
        "float32": len(drive) * 158400 / 2**20,
    }


def film(path: str, count: str) -> dict[str, float]:
    """Film so many frames, three methods' worth of work left out: the smallest picture and one quick method."""
    from steerlib.drives import load_drive
    from steerlib.networks.files import load_network
    from steerlib.show.film import render_video

    drive, network = load_drive(path), load_network()
    with tempfile.TemporaryDirectory() as folder:
        render_video(drive.subset(range(20)), network, "grad-cam", Path(folder) / "a.mp4", width=320, progress=False)
        before, start = peak(), time.perf_counter()
        chosen = drive.subset(range(int(count)))
        render_video(chosen, network, "grad-cam", Path(folder) / "b.mp4", width=320, progress=False)
    return {"seconds": time.perf_counter() - start, "memory": peak() - before}


def occlusion(_: str, sizes: str, stride: str) -> dict[str, float]:
    """Hide windows of a frame."""
    from steerlib.drives import load_drive
    from steerlib.maps.occlusion import occlusion_map
    from steerlib.networks.files import load_network

    network = load_network()
    image = load_drive(ROOT / "data" / "sample_drive").pictures(network, [0])[0]
    occlusion_map(network, image, (15,), 15)
    before, start = peak(), time.perf_counter()
    occlusion_map(network, image, tuple(map(int, sizes.split("+"))), int(stride))
    return {"seconds": time.perf_counter() - start, "memory": peak() - before}


def in_memory(path: str) -> dict[str, float]:
    """Train with room for all small pictures."""
    return training(path, "1e6")


# What a row is, what measures it, how its number is written, which of its numbers, the goal
ROWS = [
    ("`load_drive`", loading, "{:.2f} s", "load", "< 2 s"),
    ("`suspect_labels`", loading, "{:.4f} s", "suspects", "< 1 s"),
    ("suspect labels", loading, "{:.0f}", "count", ""),
    ("memory of a loaded drive", loading, "{:.0f} MB", "memory", ""),
    ("notebook 01 to its explorer, with imports", notebook, "{:.1f} s", "seconds", "< 10 s"),
    ("processor time of it, whatever else the machine does", notebook, "{:.1f} s", "computed", ""),
    ("an epoch of training, the first", training, "{:.1f} s", "first", ""),
    ("the second", training, "{:.1f} s", "second", "1.1 × all in memory"),
    ("memory for both", training, "{:.0f} MB", "memory", "< 500 MB"),
    ("all frames as float32 would take", training, "{:.0f} MB", "float32", ""),
    ("the second epoch, with all small pictures in memory", in_memory, "{:.1f} s", "second", ""),
    ("memory for both, so", in_memory, "{:.0f} MB", "memory", ""),
]


def measured(what: Callable, *arguments: object) -> dict[str, float]:
    """Call a function in a process of its own."""
    command = [sys.executable, __file__, what.__name__, *map(str, arguments)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    if run.returncode:
        last = run.stderr.strip().splitlines()[-1:]
        raise RuntimeError(": ".join([f"ended with {run.returncode}", *last]))
    return {name: float(value) for name, value in (pair.split("=") for pair in run.stdout.splitlines()[-1].split())}


def main() -> int:
    """Measure all rows, print them, and write the tables."""
    if not REAL.is_dir():
        return publish(TABLE, "", [f"every row: the recorded drive ../shared/data/{REAL.name} is not there"])
    missing, lines = [], []

    def tell(*some: str) -> None:
        print(*some, sep="\n", flush=True)
        lines.extend(some)

    def found(name: str, what: Callable, *arguments: object) -> dict[str, float] | None:
        try:
            return measured(what, *arguments)
        except RuntimeError as error:
            missing.append(f"{name}: {error}")
            return None

    tell(
        "# How time and memory grow with a drive",
        "",
        "By `make bench`. Labels of the 2018 drive; the frames are links to 700 of them. Memory is what is",
        "added at the peak.",
        f"{machine('tensorflow', 'keras')}; {os.getloadavg()[0]:.1f} other processes were running when this began.",
        "",
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("STEERLIB_SPACE")) as folder:
        drives = {size: make_drive(Path(folder), size) for size in SIZES}
        tell("| | " + " | ".join(f"{size:,} labels" for size in SIZES) + " | goal |", "| --- " * (len(SIZES) + 2) + "|")
        for what, rows in itertools.groupby(ROWS, key=lambda row: row[1]):
            columns = [found(f"{what.__name__}, {size:,} labels", what, path) for size, path in drives.items()]
            for name, _, form, key, goal in rows:
                cells = [form.format(column[key]) if column else "failed" for column in columns]
                tell("| " + " | ".join([name, *cells, goal]) + " |")
        tell("", "| film | time | memory |", "| --- | --- | --- |")
        for count in FILM_FRAMES:
            if row := found(f"film of {count:,} frames", film, drives[7_000], count):
                tell(f"| {count:,} frames | {row['seconds']:.0f} s | {row['memory']:.0f} MB |")
    tell("", "| occlusion | time | memory |", "| --- | --- | --- |")
    for count, arguments in WINDOWS.items():
        if row := found(f"occlusion, {count:,} windows", occlusion, "", *arguments):
            tell(f"| {count:,} windows | {row['seconds']:.1f} s | {row['memory']:.0f} MB |")
    return publish(TABLE, "\n".join([*lines, ""]), missing)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*(f"{name}={value}" for name, value in globals()[sys.argv[1]](*sys.argv[2:]).items()))
    else:
        sys.exit(main())
