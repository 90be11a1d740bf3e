"""What is said while TensorFlow loads: nothing that a newcomer takes for a failure, and everything that is one.

In most tests a stand-in for TensorFlow says what the real one says on some machine.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FRAME = ROOT / "data" / "sample_drive" / "120.jpg"
LOG = """\
2026-01-02 03:04:05.678901: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795665912.715594    6626 cudart_stub.cc:31] Could not find cuda drivers on your machine.
E0000 00:00:1795665917.719945    6626 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
"""
SAY = f"import os\nos.write(2, {LOG.encode()!r})\n"


def python(*arguments, folder=ROOT, **variables):
    """Run Python with nothing of this process's environment that would keep TensorFlow quiet."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    path = os.pathsep.join(map(str, dict.fromkeys((folder, ROOT))))
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=kept | {"PYTHONPATH": path} | variables, capture_output=True, text=True)


@pytest.fixture
def load(tmp_path):
    """Load a stand-in for TensorFlow after steerlib."""

    def run(source, **variables):
        (tmp_path / "tensorflow.py").write_text(source)
        return python("-c", "import steerlib, tensorflow; print('loaded')", folder=tmp_path, **variables)

    return run


@pytest.mark.parametrize("how", ["command", "script", "module"])
def test_nothing_is_said_where_nothing_is_wrong(how, tmp_path):
    (tmp_path / "script.py").write_text("import steerlib\nimport tensorflow as tf\nprint(tf.constant(1.0))\n")
    arguments = {
        "command": ("-c", "from steerlib import load_network; print(load_network().name)"),
        "script": (tmp_path / "script.py",),
        "module": ("-m", "steerlib", "predict", FRAME),
    }[how]
    run = python(*arguments)
    assert (run.returncode, run.stderr) == (0, "") and len(run.stdout.splitlines()) == 1


def test_tensorflow_is_not_loaded_before_it_is_needed():
    run = python("-c", "import sys, steerlib, steerlib.__main__, steerlib.drives; print('tensorflow' in sys.modules)")
    assert (run.stdout, run.stderr) == ("False\n", "")


def test_its_log_is_left_out_unless_the_user_asks_for_it(load):
    run = load(SAY)
    assert (run.stdout, run.stderr) == ("loaded\n", "")
    for level in "012":
        assert load(SAY, TF_CPP_MIN_LOG_LEVEL=level).stderr == LOG


def test_a_process_that_is_started_by_another_is_as_quiet(load):
    child = [sys.executable, "-c", "import sys, steerlib; sys.argv = ['child']; import tensorflow"]
    run = load(f"{SAY}import subprocess, sys\nif sys.argv != ['child']: subprocess.run({child})")
    assert (run.stdout, run.stderr) == ("loaded\n", "")


def test_what_is_no_log_is_shown(load):
    run = load(f"{SAY}import warnings\nos.write(2, b'no room left\\n')\nwarnings.warn('old driver')")
    assert run.stdout == "loaded\n"
    assert run.stderr.startswith("no room left\n") and "UserWarning: old driver" in run.stderr
    assert "cuInit" not in run.stderr


def test_why_it_cannot_be_loaded_is_shown(load):
    run = load(f"{SAY}raise ImportError('DLL load failed')")
    assert run.returncode == 1 and run.stderr.endswith("ImportError: DLL load failed\n")


def test_a_crash_says_where(load):
    """As on a processor without AVX, for which TensorFlow is not made."""
    run = load(f"{SAY}os.abort()")
    assert run.returncode < 0 and "Fatal Python error: Aborted" in run.stderr and "tensorflow.py" in run.stderr


def test_standard_error_may_be_closed(tmp_path):
    (tmp_path / "tensorflow.py").write_text("print('loaded')")
    command = ["sh", "-c", f"'{sys.executable}' -c 'import steerlib, tensorflow' 2>&-"]
    run = subprocess.run(command, env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "loaded\n")
