"""What the files around the code say about each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
NEEDED = [*PROJECT["dependencies"], *(line for lines in PROJECT["optional-dependencies"].values() for line in lines)]
READMES = ["README.md", "data/README.md"]


def test_environment_lists_nothing_twice():
    lines = (ROOT / "environment.yml").read_text("utf-8").split("dependencies:")[1].splitlines()
    entries = [line.strip().removeprefix("- ") for line in lines if line.strip() and not line.strip().startswith("#")]
    python, *others = entries
    assert others == ["pip", "pip:", "-e .[lab,test,book]"]
    name, version = python.split("=")
    assert name == "python"
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


def test_make_and_conda_install_the_same():
    assert set(PROJECT["optional-dependencies"]) == {"lab", "test", "book"}
    assert "--editable '.[lab,test,book]'" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("needed", NEEDED)
def test_dependency_has_a_reason_and_a_tested_version(needed):
    assert re.search(rf'^ *"{re.escape(needed)}", *# \w+', PYPROJECT, re.MULTILINE), f"no reason beside {needed}"
    requirement = Requirement(needed)
    assert len(requirement.specifier), f"{needed} has no range"
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    versions = {canonicalize_name(name): version for name, version in tested.items()}
    assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])


def test_readme_names_both_ways_on_its_first_screen():
    screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:40])
    for command in (
        "make lab",
        "make test",
        "conda env create -f environment.yml",
        "conda activate steer",
        "jupyter lab",
    ):
        assert command in screen


@pytest.mark.parametrize("name", READMES)
def test_links_to_files_lead_somewhere(name):
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'\b(?:src|href)="([^"]+)"', text)
    links = [target.split("#")[0] for target in targets if not re.match(r"\w+:|#", target)]
    assert links
    missing = [link for link in links if not ((ROOT / name).parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("module", ["data", "roads", "overlay"])
def test_pictures_and_roads_do_not_wait_for_tensorflow(module):
    code = f"import sys, steerlib.{module}; print(*{{'tensorflow', 'keras'}} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""
