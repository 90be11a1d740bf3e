"""What a class on one server takes: memory and time of kernels at once: ``make bench``. Writes classroom.md beside it.

Each kernel does what a student's notebook does: it loads the drive and the network, shows the explorer of occlusion,
and moves the frame. Memory is the proportional set size, in which what several kernels share counts once.
"""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psutil
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import run_kernel
from report import machine, publish, repeats

TABLE = Path(__file__).resolve().with_suffix(".md")
COUNTS = (1, 5)
MOVES = 20
STEPS = {
    "start the kernel, load drive and network": """
from steerlib import explorers, load_drive, load_network
drive, network = load_drive(), load_network()""",
    "the explorer's first picture": "explorer = explorers.occlusion(network, drive)\nexplorer",
}
MOVE = """
from time import perf_counter
taken = []
for i in range({moves}):
    start = perf_counter()
    explorer.frame.value = 7 * i % len(drive)
    taken.append(perf_counter() - start)
print(sorted(taken)[len(taken) // 2])"""


def ask(client: BlockingKernelClient, code: str) -> str:
    """Run a cell to its end; give what it printed."""
    printed = []

    def note(message: dict) -> None:
        if message["msg_type"] == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))
        printed.append(message["content"].get("text", "") if message["msg_type"] == "stream" else "")

    client.execute_interactive(code, output_hook=note, timeout=600)
    return "".join(printed)


def student(stack: ExitStack) -> tuple[BlockingKernelClient, psutil.Process, list[float]]:
    """Start a kernel and do what a student does first; give its client, its process, and the seconds of each step."""
    start, seconds = time.perf_counter(), []
    client = stack.enter_context(run_kernel(startup_timeout=300))
    for code in STEPS.values():
        ask(client, code)
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
    return client, psutil.Process(int(ask(client, "import os; print(os.getpid())"))), seconds


def shares(processes: Sequence[psutil.Process]) -> list[float]:
    """Give each kernel's proportional set size, with that of its children, in MB."""
    return [
        sum(one.memory_full_info().pss for one in [process, *process.children(recursive=True)]) / 1e6
        for process in processes
    ]


def measure(count: int) -> dict[str, str]:
    """Measure so many kernels at once; give a column of the table."""
    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        clients, processes, seconds = zip(*pool.map(student, [stack] * count))
        column = {name: f"{max(one[k] for one in seconds):.1f} s" for k, name in enumerate(STEPS)}
        before = median(shares(processes))
        moved = list(pool.map(ask, clients, [MOVE.format(moves=repeats(MOVES))] * count))
        after = shares(processes)
    column["another frame's whole map, all kernels at once"] = f"{1000 * max(map(float, moved)):.0f} ms"
    column["memory of a kernel after its first picture"] = f"{before:.0f} MB"
    column[f"after {repeats(MOVES)} frames"] = f"{median(after):.0f} MB"
    column["of all kernels"] = f"{sum(after):.0f} MB"
    return column


def main() -> int:
    """Measure, print the table, and write it."""
    columns = [measure(count) for count in COUNTS]
    lines = [
        "| | " + " | ".join(f"{count} kernel{'s' if count > 1 else ''}" for count in COUNTS) + " |",
        "| --- |" + " ---: |" * len(COUNTS),
        *(f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in columns[0]),
    ]
    print(*lines, sep="\n")
    about = [
        "# What a class on one server takes",
        "",
        "By `make bench`. Each kernel loads the sample drive and PilotNet, shows the explorer of occlusion and moves",
        "the frame; times are those of the slowest kernel. Memory is the proportional set size: what kernels share",
        "counts once.",
        machine("tensorflow", "keras", "ipywidgets") + ".",
    ]
    return publish(TABLE, "\n".join([*about, "", *lines, ""]), [])


if __name__ == "__main__":
    sys.exit(main())
