"""Maps of a whole drive, on more workers, and killed again and again: ``make bench``. Writes scale.md beside it.

Needs the recorded drive beside the checkout (../shared/data/sullychen-2018), as size.py does: the frames of the large
drives are links to 700 of them. With STEERLIB_REPEATS=1 it is a quick trial, which replaces no table. Every run is the
command itself, ``python -m steerlib maps``, in a process of its own.
"""

import hashlib
import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from report import TRIAL, machine, publish
from size import REAL, ROOT, make_drive

TABLE = Path(__file__).resolve().with_suffix(".md")
SIZES = (700,) if TRIAL else (700, 7_000, 63_825)
COMPARED = 700 if TRIAL else 7_000  # frames on which one worker and two are compared
KILLS = 2 if TRIAL else 20
TASKS = 50 if TRIAL else 2_000  # that do nothing, for the overhead of one
COMMA = 2_400_000  # frames of comma2k19
LIMITS = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
SURROUNDINGS = {**os.environ, **LIMITS, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}


def command(drive: Path, store: Path, *options: object) -> list[str]:
    """Write the command that is measured."""
    options = ["--method", "hires-cam", "--model", "pilotnet", *options]
    return [sys.executable, "-m", "steerlib", "maps", str(drive), "-o", str(store), *map(str, options)]


def measure(drive: Path, store: Path, *options: object) -> dict[str, float]:
    """Run the command; give its time, what its processes took, and what it wrote."""
    start, samples, spent = time.perf_counter(), [], {}
    with tempfile.TemporaryFile() as said:
        run = subprocess.Popen(command(drive, store, *options), env=SURROUNDINGS, stdout=said, stderr=said)
        process = psutil.Process(run.pid)
        while run.poll() is None:
            largest = 0
            for one in [process, *_children(process)]:
                try:
                    largest = max(largest, one.memory_info().rss)
                    spent[one.pid] = sum(one.cpu_times()[:2])
                except psutil.Error:
                    continue
            samples.append(largest / 2**20)
            time.sleep(0.5)
        if run.returncode:
            said.seek(0)
            raise RuntimeError(said.read().decode(errors="replace").strip().splitlines()[-1])
    third = max(1, len(samples) // 3)
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    return {
        "seconds": time.perf_counter() - start,
        "processor": sum(spent.values()),
        "memory": max(samples),
        "growth": max(samples[-third:]) - max(samples[third : 2 * third] or samples),
        "megabytes": size / 1e6,
        "making": making_time(store),
    }


def making_time(store: Path) -> float:
    """Give the seconds between the first chunk of frames that was finished and the last: without any start."""
    times = sorted(file.stat().st_mtime for file in (store / "state" / "c").iterdir())
    return (times[-1] - times[0]) * len(times) / max(1, len(times) - 1)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def digest(store: Path) -> str:
    """Give one SHA-256 of all that is in a store, without what a killed process left half written."""
    found = hashlib.sha256()
    for file in sorted(store.rglob("*")):
        if file.is_file() and not file.name.endswith(".partial"):
            found.update(str(file.relative_to(store)).encode() + file.read_bytes())
    return found.hexdigest()


def nothing(prepared: None, chunk: object) -> None:
    """Do nothing with a chunk: what is left is the overhead."""


def overhead() -> dict[str, float]:
    """Measure what a task costs beside its work, and the bytes that move for it."""
    from steerlib.chunks import over_chunks
    from steerlib.maps.whole_drive.making import Chunk

    given = Chunk(slice(0, 256), None)
    start, first = time.perf_counter(), 0.0
    for _ in over_chunks(nothing, list, [given] * TASKS, workers=2):
        first = first or time.perf_counter()
    pixels, answer = np.zeros((66, 200, 3), np.uint8), (None, "0", 0.0)
    return {
        "start": first - start,
        "task": (time.perf_counter() - first) / (TASKS - 1),
        "path": len(pickle.dumps(given)) + len(pickle.dumps(answer)),
        "value": 256 * (len(pickle.dumps(pixels)) + 2 * 66 * 200),
    }


def free_port() -> int:
    """Find a port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def faults(drive: Path, store: Path, killed: dict[str, int], rng: random.Random) -> None:
    """Make a store while workers, scheduler and client are killed at random moments and started again."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    worker = ["-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    starts = {
        "scheduler": ["-m", "distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard"],
        "worker": worker,
        "second worker": worker,
        "client": command(drive, store, "--scheduler", address)[1:],
    }
    running: dict[str, subprocess.Popen] = {}
    until = time.monotonic() + rng.uniform(5, 20)
    try:
        while "client" not in running or running["client"].poll() != 0:
            for name, arguments in starts.items():
                if name not in running or running[name].poll() is not None:
                    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                    running[name] = subprocess.Popen([sys.executable, *arguments], env=SURROUNDINGS, **quiet)
            if time.monotonic() > until and sum(killed.values()) < KILLS:
                name = rng.choice(list(starts))
                running[name].send_signal(signal.SIGKILL)
                killed[name.split()[-1]] += 1
                until = time.monotonic() + rng.uniform(2, 20)
            time.sleep(0.2)
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def on_paper(rate: float, task: float, start: float) -> list[str]:
    """Say what more workers would do with comma2k19, if nothing but the scheduler were shared."""
    chunks, lines = -(-COMMA // 256), []
    for workers in (1, 2, 64, 1_000):
        computing, scheduling = COMMA / rate / workers, chunks * task
        whole = start + max(computing, scheduling) + 256 / rate
        share = COMMA / rate / workers / whole
        lines.append(f"| {workers:,} | {whole / 3600:,.2f} h | {scheduling:.0f} s | {share:.0%} |")
    return lines


def main() -> int:
    """Measure all, print it, and write the table."""
    if not REAL.is_dir():
        return publish(TABLE, "", [f"every row: the recorded drive ../shared/data/{REAL.name} is not there"])
    lines, missing = [], []

    def tell(*some: str) -> None:
        print(*some, sep="\n", flush=True)
        lines.extend(some)

    tell(
        "# Maps of a whole drive, on more and more workers",
        "",
        "By `make bench`: HiResCAM of PilotNet, by the command `steerlib maps`. Labels of the 2018 drive; the frames",
        "are links to 700 of them. One thread each worker. *Making* is without the start of processes and TensorFlow.",
        f"{machine('tensorflow', 'keras', 'zarr', 'distributed')}; "
        f"{os.getloadavg()[0]:.1f} other processes were running when this began.",
        "",
        "| frames | workers | time | making | frames/s, making | processor time | memory of the largest process "
        "| its growth, last third | store |",
        "| --- " * 9 + "|",
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("STEERLIB_SPACE")) as place:
        folder, making = Path(place), {}
        for size in SIZES:
            drive = make_drive(folder, size)
            for workers in (0, 1, 2) if size <= COMPARED else (2,):
                options = ("--workers", workers) if workers else ()
                store = folder / f"{size}-{workers}.zarr"
                try:
                    row = measure(drive, store, *options)
                except RuntimeError as error:
                    missing.append(f"{size} frames, {workers} workers: {error}")
                    continue
                making[size, workers] = row["making"]
                tell(
                    f"| {size:,} | {workers or 'this process'} | {row['seconds']:.0f} s | {row['making']:.0f} s "
                    f"| {size / row['making']:.0f} | {row['processor']:.0f} s | {row['memory']:.0f} MB "
                    f"| {row['growth']:+.0f} MB | {row['megabytes']:.0f} MB |"
                )
        stores = [folder / f"{COMPARED}-{workers}.zarr" for workers in (0, 1, 2)]
        same = len({digest(store) for store in stores}) == 1
        base, two = making.get((COMPARED, 1), np.nan), making.get((COMPARED, 2), np.nan)
        tell("", f"From one worker to two, {COMPARED:,} frames: {base / two:.2f} × (goal 1.7 ×). ", "")
        tell(f"The stores of 0, 1 and 2 workers: {'the same to the bit' if same else '**they differ**'}.", "")
        cost = overhead()
        tell(
            f"A task that does nothing takes {1000 * cost['task']:.1f} ms, the start of two workers "
            f"{cost['start']:.1f} s. "
            f"For a chunk of 256 frames {cost['path']:,.0f} bytes move where files are seen by all, "
            f"{cost['value'] / 1e6:.1f} MB where frames and maps are sent.",
            "",
        )
        drive = folder / f"drive-{COMPARED}"
        killed, rng, same = {"worker": 0, "scheduler": 0, "client": 0}, random.Random(0), []
        while sum(killed.values()) < KILLS:
            store = folder / f"killed-{len(same)}.zarr"
            faults(drive, store, killed, rng)
            same.append(digest(store) == digest(stores[0]))
        kills = ", ".join(f"{count} × {name}" for name, count in killed.items())
        tell(
            f"Killed at random moments while {COMPARED:,} frames were made {len(same)} times: {kills}. What was killed "
            f"was started again each time; {sum(same)} of {len(same)} stores are the same to the bit as that of one "
            "undisturbed process.",
            "",
        )
        if not all(same):
            missing.append(f"faults: {sum(same)} of {len(same)} stores are the same")
        tell("On paper, comma2k19 with 2,400,000 frames, if reading and writing scale as computing does:", "")
        tell("| workers | time | of the scheduler | share of the time in which workers compute |", "| --- " * 4 + "|")
        tell(*on_paper(COMPARED / base, cost["task"], cost["start"]))
        limit = 256 / (COMPARED / base) / cost["task"]
        tell(
            "",
            f"Beyond about {limit:,.0f} workers the scheduler, which gives out one chunk after another, is the limit.",
        )
    return publish(TABLE, "\n".join([*lines, ""]), missing)


if __name__ == "__main__":
    sys.exit(main())
