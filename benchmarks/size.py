"""How time and memory grow with a drive: ``make bench``, or ``python benchmarks/size.py > benchmarks/size.md``.

Needs the recorded drive beside the checkout (../shared/data/sullychen-2018), whose label list names 63,825 frames and
which has 700 of them: the frames of the large drives are hard links to those. Each figure is taken in a process of its
own.
"""

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "sullychen-2018"
SIZES = (700, 7_000, 63_825)
FILM_FRAMES = (500, 5_000)


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
    from steerlib.data import load_drive, suspect_labels

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
    count = next(i for i, source in enumerate(code) if "explore.frames(" in source) + 1
    for source in code[:count]:
        shell.run_cell(source).raise_error()
    return {"seconds": time.perf_counter() - start, "computed": time.process_time(), "memory": peak()}


def training(path: str) -> dict[str, float]:
    """Read batches of a drive as training does, all of them once, with a network that is trained on some."""
    from steerlib.data import load_drive, split
    from steerlib.model import _Batches, pilotnet, train

    drive = load_drive(path)
    train(pilotnet(seed=0), drive.subset(range(200)), drive.subset(range(200, 300)), epochs=1, verbose=0)
    before, start = peak(), time.perf_counter()
    batches = _Batches(split(drive)[0], 100, seed=0)
    for i in range(len(batches)):
        batches[i]
    return {"seconds": time.perf_counter() - start, "memory": peak() - before, "float32": len(drive) * 158400 / 2**20}


def film(path: str, count: str) -> dict[str, float]:
    """Film so many frames, three methods' worth of work left out: the smallest picture and one quick method."""
    from steerlib.data import load_drive
    from steerlib.model import load_model
    from steerlib.video import render_video

    drive, model = load_drive(path), load_model()
    with tempfile.TemporaryDirectory() as folder:
        render_video(drive.subset(range(20)), model, "grad-cam", Path(folder) / "a.mp4", width=320, progress=False)
        before, start = peak(), time.perf_counter()
        chosen = drive.subset(range(int(count)))
        render_video(chosen, model, "grad-cam", Path(folder) / "b.mp4", width=320, progress=False)
    return {"seconds": time.perf_counter() - start, "memory": peak() - before}


def occlusion(_: str, sizes: str, stride: str) -> dict[str, float]:
    """Hide windows of a frame."""
    from steerlib.data import load_drive
    from steerlib.model import load_model
    from steerlib.occlusion import occlusion_map

    image, model = load_drive(ROOT / "data" / "sample_drive").images([0])[0], load_model()
    occlusion_map(model, image, (15,), 15)
    before, start = peak(), time.perf_counter()
    occlusion_map(model, image, tuple(map(int, sizes.split("+"))), int(stride))
    return {"seconds": time.perf_counter() - start, "memory": peak() - before}


def measured(what: Callable, *arguments: object) -> dict[str, float]:
    """Call a function in a process of its own."""
    command = [sys.executable, __file__, what.__name__, *map(str, arguments)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    return {name: float(value) for name, value in (pair.split("=") for pair in run.stdout.splitlines()[-1].split())}


def main() -> None:
    """Write the tables."""
    if not REAL.is_dir():
        print(f"The recorded drive is not there: {REAL.name}")
        return
    load = os.getloadavg()[0]
    print("# How time and memory grow with a drive\n")
    print(
        "By `python benchmarks/size.py`. Labels of the 2018 drive; the frames are links to 700 of them. Memory is what"
    )
    print(f"is added at the peak. {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()};")
    print(f"{load:.1f} other processes were running when this began.\n")
    with tempfile.TemporaryDirectory(dir=os.environ.get("STEERLIB_SPACE")) as folder:
        drives = {size: make_drive(Path(folder), size) for size in SIZES}
        print("| | " + " | ".join(f"{size:,} labels" for size in SIZES) + " | goal |")
        print("| --- | --- | --- | --- | --- |")
        rows = {size: measured(loading, path) for size, path in drives.items()}

        def line(name: str, form: str, key: str, goal: str, rows: dict[int, dict[str, float]]) -> None:
            cells = " | ".join(form.format(row[key]) for row in rows.values())
            print(f"| {name} | {cells} | {goal} |", flush=True)

        line("`load_drive`", "{:.2f} s", "load", "< 2 s", rows)
        line("`suspect_labels`", "{:.4f} s", "suspects", "< 1 s", rows)
        line("suspect labels", "{:.0f}", "count", "", rows)
        line("memory of a loaded drive", "{:.0f} MB", "memory", "", rows)
        rows = {size: measured(notebook, path) for size, path in drives.items()}
        line("notebook 01 to its explorer, with imports", "{:.1f} s", "seconds", "< 10 s", rows)
        line("processor time of it, whatever else the machine does", "{:.1f} s", "computed", "", rows)
        rows = {size: measured(training, path) for size, path in drives.items()}
        line("every training batch once", "{:.1f} s", "seconds", "", rows)
        line("memory for it", "{:.0f} MB", "memory", "below float32", rows)
        line("all frames as float32 would take", "{:.0f} MB", "float32", "", rows)
        print("\n| film | time | memory |\n| --- | --- | --- |")
        for count in FILM_FRAMES:
            row = measured(film, drives[7_000], count)
            print(f"| {count:,} frames | {row['seconds']:.0f} s | {row['memory']:.0f} MB |", flush=True)
    print("\n| occlusion | time | memory |\n| --- | --- | --- |")
    for count, (sizes, stride) in {
        96: ("26", 13),
        1_020: ("15", 4),
        13_200: ("15", 1),
        52_800: ("9+15+29+50", 1),
    }.items():
        row = measured(occlusion, "", sizes, stride)
        print(f"| {count:,} windows | {row['seconds']:.1f} s | {row['memory']:.0f} MB |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*(f"{name}={value}" for name, value in globals()[sys.argv[1]](*sys.argv[2:]).items()))
    else:
        main()
