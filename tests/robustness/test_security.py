"""JupyterLab as `make lab` starts it: with a token, on this machine only; and a second one on the same port."""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def labs(tmp_path):
    """Start two JupyterLabs as `make lab` does, on one port; give what each says of itself, and what it printed."""
    printed = subprocess.run(["make", "--dry-run", "lab"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in printed.splitlines() if "jupyter lab" in line]
    _, *arguments = shlex.split(line)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    environment = kept | {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("RUNTIME", "CONFIG", "DATA")}
    processes, found = [], []
    try:
        for number in range(2):
            log = tmp_path / f"log-{number}"
            with log.open("w") as output:
                command = [sys.executable, *arguments, "--no-browser", f"--port={port}", "--allow-root"]
                process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
            processes.append(process)
            state = tmp_path / "RUNTIME" / f"jpserver-{process.pid}.json"
            end = time.monotonic() + 120
            while not (state.exists() and state.stat().st_size):
                assert process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.1)
            found.append((json.loads(state.read_text()), log.read_text()))
        yield found
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def status(url):
    try:
        return urllib.request.urlopen(url, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code


def test_jupyterlab_asks_for_its_token_on_this_machine_only(labs):
    (first, _), (second, said) = labs
    for state in (first, second):
        assert len(state["token"]) >= 32 and not state["password"]
        listening = [c for c in psutil.Process(state["pid"]).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listening and {c.laddr.ip for c in listening} == {"127.0.0.1"}
        assert status(state["url"] + "api/contents") == 403
        assert status(state["url"] + "api/contents?token=wrong") == 403
        assert status(state["url"] + "api/contents?token=" + state["token"]) == 200
    assert first["token"] != second["token"]
    assert first["port"] != second["port"] and f"port {first['port']} is already in use" in said
