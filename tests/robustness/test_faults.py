"""Kills, full disks, missing rights, two at a time, and what is left behind afterwards.

What is killed by SIGKILL, at moments drawn with a fixed seed: processes that train, save, write a drive or make a film,
with small networks and pictures; `tools/execute.py` on a small notebook; the Makefile's own rule for the
environment, with a program in place of Python that takes as many steps and no network.
"""

import contextlib
import gc
import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import ipywidgets
import nbformat
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tools import as_nobody, in_memory, network, shared, write_drive

from steerlib.__main__ import main
from steerlib.drives import Drive, load_drive
from steerlib.networks.files import load_network, save_network
from steerlib.networks.training import train
from steerlib.show import explorers
from steerlib.show.film import render_video
from steerlib.world import write_drive as write_rendered
from steerlib.writing import checksums

ROOT = Path(__file__).resolve().parents[2]
KILLS = {"training": 8, "drive": 23, "film": 6, "notebook": 2, "environment": 12}
SLOWEST = 60  # seconds that a process has to begin


def wait_for(path):
    end = time.monotonic() + SLOWEST
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} does not come"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def worker():
    """Ask for a job in a folder; get the number of the process that does it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    script = [sys.executable, str(Path(__file__).with_name("worker.py"))]
    with subprocess.Popen(
        script, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"

        started = []

        def start(job, folder):
            (folder / "begun").unlink(missing_ok=True)
            process.stdin.write(f"{job}\t{folder}\n")
            process.stdin.flush()
            started.append(int(process.stdout.readline()))
            return started[-1]

        yield start
        for number in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.stdin.close()


def kill(process):
    os.kill(process, signal.SIGKILL)
    while Path(f"/proc/{process}").exists():
        time.sleep(0.002)


def digest(folder, *names):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def whole_network(folder):
    return load_network(folder / "net.keras").model.count_params()


def whole_drive(folder):
    """A kill between two renames leaves the drive under another name: the next call puts it back."""
    place = folder / "rendered"
    if not place.exists():
        (old,) = folder.glob(".rendered-*/old")
        place = old
    sums = (place / "SHA256SUMS").read_text()
    assert sums == checksums(place, [line.split("  ")[1] for line in sums.splitlines()])
    assert len(load_drive(place)) in (2, 3, 4)


def whole_film(folder):
    with av.open(folder / "film.mp4") as film:
        assert sum(1 for _ in film.decode(video=0)) == 4


WHOLE = {"training": whole_network, "drive": whole_drive, "film": whole_film}
FINAL = {"training": "net.keras", "drive": "rendered", "film": "film.mp4"}


@pytest.mark.parametrize("job", WHOLE)
def test_a_killed_process_leaves_whole_files_and_the_next_one_goes_on(job, worker, tmp_path):
    (tmp_path / "other.keras").write_bytes(b"another network")
    (tmp_path / "notes.txt").write_bytes(b"notes")
    moments, before = random.Random(job), digest(tmp_path, "other.keras", "notes.txt")
    for _ in range(KILLS[job]):
        process = worker(job, tmp_path)
        wait_for(tmp_path / "begun")
        time.sleep(moments.uniform(0, 0.2))
        kill(process)
        WHOLE[job](tmp_path)
        assert digest(tmp_path, *before) == before
        assert not {path.name for path in tmp_path.glob("[!.]*")} - {FINAL[job], *before, "begun"}
    process = worker(job, tmp_path)  # and without a manual step
    wait_for(tmp_path / "begun")
    kill(process)
    WHOLE[job](tmp_path)


def test_what_a_killed_process_left_is_removed_after_an_hour(tmp_path):
    for name, age in ((".steerlib-old", 4000), (".steerlib-new", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    (busy := tmp_path / ".steerlib-busy").mkdir()
    (busy / "long film.mp4").write_bytes(b"still being written")
    os.utime(busy, (time.time() - 4000,) * 2)
    render_video(in_memory(1), shared(), "grad-cam", tmp_path / "film.mp4", width=320, progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {".steerlib-new", ".steerlib-busy", "film.mp4"}


def test_a_drive_that_was_being_exchanged_comes_back(tmp_path):
    write_rendered(tmp_path / "drive", in_memory(2))
    before = digest(tmp_path / "drive", "data.txt", "0.jpg")
    (tmp_path / ".steerlib-drive-killed").mkdir()
    (tmp_path / "drive").rename(tmp_path / ".steerlib-drive-killed" / "old")
    with pytest.raises(FileExistsError, match="other files"):  # even where the next call fails
        (tmp_path / ".steerlib-drive-killed" / "old" / "mine.txt").write_text("mine")
        write_rendered(tmp_path / "drive", in_memory(3))
    assert digest(tmp_path / "drive", *before) == before and (tmp_path / "drive" / "mine.txt").exists()
    (tmp_path / "drive" / "mine.txt").unlink()
    write_rendered(tmp_path / "drive", in_memory(3))
    assert len(load_drive(tmp_path / "drive")) == 3 and [path.name for path in tmp_path.iterdir()] == ["drive"]


def test_a_killed_run_leaves_the_stored_notebook(tmp_path):
    tools, notebooks = tmp_path / "tools", tmp_path / "notebooks"
    for folder in (tools, notebooks):
        folder.mkdir()
    shutil.copy(ROOT / "tools" / "execute.py", tools)
    path, begun = notebooks / "01_tiny.ipynb", notebooks / "begun"
    source = "import pathlib\npathlib.Path('begun').touch()\nimport time\ntime.sleep(0.2)\n'the answer'"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    before, moments = digest(notebooks, path.name), random.Random("notebook")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "tools/execute.py"]
    stored = 0
    for _ in range(KILLS["notebook"]):
        begun.unlink(missing_ok=True)
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        if moments.random() < 0.7:
            wait_for(begun)
        time.sleep(moments.uniform(0, 0.6))
        process.kill()
        process.wait()
        nbformat.validate(nbformat.read(path, as_version=4))
        stored += digest(notebooks, path.name) != before
        assert {file.name for file in notebooks.glob("[!.]*")} <= {path.name, "begun"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert "the answer" in path.read_text("utf-8")


STAND_IN = r"""#!/bin/bash
# Stands in for Python: makes an environment and installs packages, in steps that take time.
case "$2" in
  venv) mkdir -p "$3/bin"; sleep 0.03; cp "$0" "$3/bin/python.part"; mv "$3/bin/python.part" "$3/bin/python" ;;
  pip) for part in a b c d; do sleep 0.03; echo "$part" > ".venv/package-$part"; done ;;
esac
"""


def test_a_killed_installation_is_taken_up_again(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    stand_in, moments, survived = tmp_path / "python", random.Random("environment"), 0
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    command = ["make", "env", f"PYTHON={stand_in}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    for count in range(KILLS["environment"]):
        if count == KILLS["environment"] // 2:  # from now on an older environment is there
            subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
        if count >= KILLS["environment"] // 2:
            (tmp_path / "pyproject.toml").touch()
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0, 0.2))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        survived += process.wait() == -signal.SIGKILL
    assert survived >= KILLS["environment"] // 2
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / ".venv" / ".installed").exists()
    assert sorted(path.name[-1] for path in (tmp_path / ".venv").glob("package-*")) == ["a", "b", "c", "d"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "Nothing to be done" in done.stdout or not done.stdout.replace("make: ", "").startswith(str(stand_in))


def test_there_are_fifty_kills():
    assert sum(KILLS.values()) >= 50


@contextlib.contextmanager
def full_disk(folder, kind):
    """No room in a folder: a small file system where it may be mounted, else a limit to the size of files."""
    if kind == "small disk":
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("no file system may be mounted here; the limit to the size of files is tried in any case")
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", ["small disk", "small files"])
@pytest.mark.parametrize("what", ["network", "drive", "film", "picture"])
def test_a_full_disk_is_told_and_the_older_result_stays(what, kind, tmp_path, monkeypatch, capsys):
    folder, model = tmp_path / "full", network(channels=24)
    folder.mkdir()
    monkeypatch.setenv("STEERLIB_MODELS", str(folder))
    frame = write_drive(tmp_path / "drive") / "0.png"
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 100, 3), np.uint8)
    drive = Drive.from_arrays("noise", noise, np.zeros(4))
    with full_disk(folder, kind):
        older = {"network": "net.keras", "drive": "rendered", "film": "film.mp4", "picture": "why.png"}[what]
        if what != "drive":
            (folder / older).write_bytes(b"older")
        if kind == "small disk":
            with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as file:
                for _ in range(16):
                    file.write(bytes(4096))
        if what == "picture":
            assert main(["explain", str(frame), "--method", "cam", "-o", str(folder / older)]) == 2
            (line,) = capsys.readouterr().err.strip().splitlines()
            assert "No space left" in line or "too large" in line
        else:
            with pytest.raises(OSError) as caught:
                if what == "network":
                    save_network(model, "net")
                elif what == "drive":
                    write_rendered(folder / older, drive)
                else:
                    render_video(drive, model, "cam", folder / older, width=320, progress=False)
            assert str(caught.value)
        left = {path.name for path in folder.rglob("*")} - {"filler"}
        assert left == (set() if what == "drive" else {older}), left
        assert what == "drive" or (folder / older).read_bytes() == b"older"


def test_a_folder_that_may_not_be_written_is_told(monkeypatch, capsys):
    superuser = os.geteuid()
    with as_nobody() as folder:
        nobody = os.geteuid()
        os.seteuid(superuser)
        monkeypatch.setenv("STEERLIB_MODELS", str(folder))
        path = save_network(shared(), "net")
        path.chmod(0o644)
        drive = write_drive(folder / "drive")
        folder.chmod(0o555)
        os.seteuid(nobody)
        try:
            assert load_network("net").model.count_params() == shared().count_params() and len(load_drive(drive)) == 3
            for act in (
                lambda: save_network(shared(), "net"),
                lambda: render_video(in_memory(1), shared(), "cam", folder / "a.mp4", width=320, progress=False),
                lambda: write_rendered(folder / "rendered", in_memory(1)),
            ):
                with pytest.raises(PermissionError, match="Permission denied"):
                    act()
        finally:
            os.seteuid(superuser)
            folder.chmod(0o755)
            os.seteuid(nobody)


def test_without_a_home_and_in_a_folder_with_spaces_and_umlauts(tmp_path):
    folder = write_drive(tmp_path / "meine Fährt ü (1)")
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "MPLCONFIGDIR")}
    environment |= {"HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "steerlib", "explain", "0.png", "--method", "cam", "-o", "Wärum ?.png"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0 and (folder / "Wärum ?.png").stat().st_size > 1000, run.stderr
    assert not [line for line in run.stderr.splitlines() if "Matplotlib" not in line and "matplotlib" not in line]


def test_two_processes_that_train_and_save_under_one_name(worker, tmp_path):
    processes = [worker("training", tmp_path) for _ in range(2)]
    wait_for(tmp_path / "begun")
    for _ in range(10):
        time.sleep(0.1)
        whole_network(tmp_path)
    for process in processes:
        kill(process)
    assert whole_network(tmp_path) == network().count_params()


def handles():
    gc.collect()  # of what other tests left
    return len(os.listdir("/proc/self/fd"))


def memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def explorer_once(folder):
    for explorer in (explorers.frames(in_memory(2)), explorers.cam(shared(), in_memory(2))):
        explorer.frame.value = 1
        explorer.close()


def film_once(folder):
    render_video(in_memory(2), shared(), "cam", folder / "film.mp4", width=320, progress=False)


def training_once(folder):
    train(network(1), in_memory(2), in_memory(1), epochs=1, verbose=0)


# Films and trainings take a third of a second each: STEERLIB_REPETITIONS=100 tries a hundred of them.
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
@pytest.mark.parametrize("once", [explorer_once, film_once, training_once])
def test_repetitions_leave_nothing_behind(once, tmp_path, monkeypatch):
    count = int(os.environ.get("STEERLIB_REPETITIONS", 50 if once is explorer_once else 15))
    once(tmp_path)  # TensorFlow writes a file for each function that it traces, until the process ends
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        for repetition in range(count):
            once(tmp_path)
            if repetition == 2:  # pools of threads are there now
                before = handles(), threading.active_count(), len(ipywidgets.widgets.widget._instances)
    finally:
        tf.config.run_functions_eagerly(False)
    after = handles(), threading.active_count(), len(ipywidgets.widgets.widget._instances)
    assert after == before
    assert {path.name for path in tmp_path.rglob("*")} <= {"temporary", "film.mp4"}


def test_memory_is_flat_over_a_thousand_moves_of_a_slider():
    frames = np.random.default_rng(0).integers(0, 256, (20, 20, 200, 3), np.uint8)
    explorer = explorers.grad_cam(shared(), Drive.from_arrays("small", frames, np.zeros(20)))
    used = []
    for move in range(1000):
        explorer.frame.value = (7 * move + 1) % 20
        if move % 200 == 199:
            used.append(memory())
    explorer.close()
    assert explorer.error.value == "" and used[-1] - used[0] < 20 * 2**20, used
