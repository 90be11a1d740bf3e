"""No `if __name__ == "__main__"` is needed to get pictures: scripts, standard input, `python -c` and notebooks."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
from nbclient import NotebookClient

from steerlib.world import processes, render_counterfactuals, render_processes, render_views

ROOT = Path(__file__).resolve().parents[1]

# Few pictures go through processes, too, and there are two also where there is one processor.
PROGRAM = """
import os
import cv2, psutil
from steerlib import render_counterfactuals, render_views, world
from steerlib.world import processes
processes.MANY, processes.cpu_count = 2, lambda: 2
views = render_views(range(3), 4)
again, without = render_counterfactuals(range(3), 4, world.ELEMENTS[:8])
assert (again.pixels() == views.pixels()).all() and len(without) == 8
started = {child.pid for child in psutil.Process().children()}
pool = world.render_processes()
assert pool.submit(os.getpid).result() in started - {os.getpid()}
assert pool.submit(cv2.getNumThreads).result() == 1
loaded = pool.submit(eval, "set(__import__('sys').modules)").result()
assert "steerlib.world" in loaded and not loaded & {"tensorflow", "keras", "steerlib.world.driving"}, loaded
print("done")
"""

# A car whose driver looks, and with it TensorFlow, on whose messages at its start nothing depends.
DRIVE = """
from steerlib import drive_roads, world
from steerlib.world import processes
processes.cpu_count = lambda: 2
def ahead(images, scenes, poses):
    assert images.shape == (3, 66, 200, 3) and images.std() > 0.05
    return [0.0] * len(poses)
logs = drive_roads(ahead, range(3), 0.3, progress=False)
loaded = world.render_processes().submit(eval, "set(__import__('sys').modules)").result()
assert "steerlib.world" in loaded and not loaded & {"tensorflow", "keras"}, loaded
print("done")
"""


def run(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, **options)


@pytest.mark.parametrize("way", ["script", "standard input", "-c"])
def test_a_script_without_a_guard_renders_in_processes(way, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    if way == "script":
        done = run("-X", "dev", script, cwd=tmp_path)  # which also warns of what is left open
    elif way == "-c":
        done = run("-c", PROGRAM, cwd=tmp_path)
    else:
        done = run("-", input=PROGRAM, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == "done\n" and done.stderr == ""


def test_a_notebook_renders_in_processes(capfd, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PROGRAM)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert (output["name"], output["text"]) == ("stdout", "done\n")
    # Jupyter kills a kernel whose processes do not end at once; loky may then say that it removed their semaphores.
    written = re.sub(r".*UserWarning: resource_tracker: .* semlock .*\n *warnings.warn\(\n", "", capfd.readouterr().err)
    assert "Traceback" not in written and "Warning" not in written


def test_cars_are_driven_from_standard_input(tmp_path):
    done = run("-", input=DRIVE, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == "done\n", done.stderr
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr


def test_processes_are_started_once(monkeypatch):
    monkeypatch.setattr(processes, "MANY", 2)
    monkeypatch.setattr(processes, "cpu_count", lambda: 2)
    render_views(range(2), 2)
    started = {child.pid for child in psutil.Process().children()}
    render_counterfactuals(range(5), 5, ["hills"])
    render_views(range(3), 3)
    assert {child.pid for child in psutil.Process().children()} == started


def test_a_process_that_was_killed_is_replaced(monkeypatch):
    monkeypatch.setattr(processes, "MANY", 2)
    monkeypatch.setattr(processes, "cpu_count", lambda: 2)
    expected = render_views(range(2), 2).pixels()
    psutil.Process(render_processes().submit(os.getpid).result()).kill()
    time.sleep(0.5)  # until it is noticed; who needs it at that very moment is told so
    assert np.array_equal(render_views(range(2), 2).pixels(), expected)


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a terminal of Linux or macOS does")
def test_interrupted_rendering_ends_with_one_traceback(tmp_path):
    code = (
        "from steerlib.world import processes, render_views; processes.cpu_count = lambda: 2; print(1); "
        "render_views(range(5000), 5000)"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        process.stdout.readline()
        time.sleep(3)
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # all of them get it
        _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and said.rstrip().endswith("KeyboardInterrupt")
    assert said.count("Traceback") == 1, said
    assert len(children) >= 2 and not psutil.wait_procs(children, timeout=10)[1]
