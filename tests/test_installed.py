"""`steerlib` without a checkout around it, as a wheel installs it: what needs the notebooks' data says what to do."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ASKED = """
import json, sys
import numpy as np
import steerlib
from steerlib.networks.files import folders
from steerlib.trust.elements import load_promises
from steerlib.drives.get import listing

def said(function, *arguments):
    try:
        return f"no error: {function(*arguments)}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"

picture = np.zeros((66, 200, 3), np.float32)
answers = {
    "package": steerlib.__file__,
    "load_drive": said(steerlib.load_drive),
    "load_drive(path)": said(steerlib.load_drive, sys.argv[1]),
    "load_network": said(steerlib.load_network),
    "pilotnet_gap": said(steerlib.load_network, "pilotnet_gap"),
    "another": said(steerlib.load_network, "another"),
    "someone_elses": said(steerlib.load_network, steerlib.network_file()),
    "erased": said(steerlib.fill_image, picture, "erased"),
    "erase_elements": said(steerlib.erase_elements, picture),
    "promises": said(load_promises),
    "logs": said(steerlib.driving.load_logs),
    "saved": str(steerlib.save_network(steerlib.load_network(sys.argv[2]), "mine")),
    "loaded": said(steerlib.load_network, "mine"),
    "listing": listing(),
}
print(json.dumps(answers))
"""


def alone(folder, *command):
    """Run Python in a folder that holds a copy of the package, and nothing else of the project."""
    if not (folder / "site" / "steerlib").exists():
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "steerlib", folder / "site" / "steerlib", ignore=leave)
    (folder / "work").mkdir(exist_ok=True)
    others = {name: value for name, value in os.environ.items() if not name.startswith("STEERLIB_")}
    environment = others | {"PYTHONPATH": str(folder / "site"), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder / "work", env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("installed")


@pytest.fixture(scope="module")
def answers(folder):
    data = ROOT / "data"
    run = alone(folder, "-c", ASKED, str(data / "sample_drive"), str(data / "models" / "pilotnet.keras"))
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert Path(found["package"]).is_relative_to(folder)
    return found


@pytest.mark.parametrize(("name", "said"), [
    ("load_drive", ("the sample drive", "load_drive(path)")),
    ("load_network", ("network 'pilotnet'", "load_network(path)", "--model FILE")),
    ("pilotnet_gap", ("network 'pilotnet_gap'", "load_network(path)")),
    ("someone_elses", ("network 'someone_elses'", "load_network(path)")),
    ("erased", ("the fill erased",)),
    ("erase_elements", ("the map erasure",)),
    ("promises", ("notebook 08",)),
    ("logs", ("notebook 09", "drive_roads(")),
])  # fmt: skip
def test_what_needs_the_data_says_so_and_what_to_do(answers, name, said):
    for words in ("FileNotFoundError: ", *said, "comes with the notebooks", "work in a checkout"):
        assert words in answers[name], answers[name]


def test_what_needs_no_data_works(answers, folder):
    assert answers["load_drive(path)"].startswith("no error: ")
    assert "expected a file, or one of (none saved)" in answers["another"]
    assert Path(answers["saved"]) == folder / "work" / "models" / "mine.keras"
    assert answers["loaded"].startswith("no error: ")
    assert "udacity-ch2: " in answers["listing"] and "(is here)" not in answers["listing"]


def test_the_command_line_says_the_same_in_one_line(folder):
    run = alone(folder, "-m", "steerlib", "predict", str(ROOT / "data" / "sample_drive" / "120.jpg"))
    assert run.returncode == 2 and run.stderr.startswith("steerlib: network 'pilotnet' comes with the notebooks")


def test_the_check_of_a_machine_tells_which_part_is_the_notebooks(folder):
    run = alone(folder, "-m", "steerlib", "check")
    lines = run.stdout.splitlines()
    assert run.returncode == 1 and run.stdout.count("comes with the notebooks, not with the installed package") == 4
    remedies = [line for line in lines if "work in a checkout" in line]
    assert len(remedies) == 4


def test_nothing_in_the_package_is_left_out_of_a_wheel():
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    expected = {
        path
        for package, names in told.items()
        for name in names
        for path in (ROOT / package.replace(".", "/")).glob(name)
    }
    kept = {
        path for path in (ROOT / "steerlib").rglob("*") if path.suffix not in (".py", ".pyc", ".pyo") and path.is_file()
    }
    assert kept == expected != set(), "setuptools needs to be told of files that are not Python's"
    without = [path for path in (ROOT / "steerlib").rglob("*.py") if not (path.parent / "__init__.py").exists()]
    assert without == []


def test_the_command_has_a_name_of_its_own():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"steerlib": "steerlib.__main__:main"}
