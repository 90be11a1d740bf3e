"""Every check of ``python -m steerlib check`` on this machine, and in a case in which it must fail."""

import shutil
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from steerlib import check, maps
from steerlib.__main__ import main
from steerlib.maps.method import Explanation
from steerlib.networks.files import OTHER, SHIPPED
from steerlib.networks.network import Network


@pytest.mark.parametrize("name", [name for name in check.CHECKS if name != "machine"])
def test_each_check_is_passed_here(name):
    assert len(check.CHECKS[name]()) > 3


def fails(name):
    """What a check finds, and what it advises."""
    with pytest.raises(check.Problem) as caught:
        check.CHECKS[name]()
    assert len(caught.value.remedy) > 5
    return str(caught.value)


@pytest.mark.parametrize("version", ["3.9.1", "3.10.13", "3.14.0"])
def test_a_python_that_is_too_old_or_too_new(monkeypatch, version):
    needed = tomllib.loads((check.DATA.parent / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    monkeypatch.setattr(check.metadata, "metadata", lambda name: {"Requires-Python": needed})
    monkeypatch.setattr(check.platform, "python_version", lambda: version)
    assert f"{version}, needed {needed}" == fails("Python")


def test_packages_that_are_missing_or_too_old(monkeypatch):
    known = metadata.version

    def version(name):
        if name == "tqdm":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "numpy" else known(name)

    monkeypatch.setattr(check.metadata, "version", version)
    found = fails("packages")
    assert "numpy 1.0 (needed" in found and "tqdm missing" in found and "keras" not in found


@pytest.mark.parametrize("fault", ["missing", "other", "no folder"])
def test_an_extension_that_does_not_match(monkeypatch, tmp_path, fault):
    known = metadata.version

    def version(name):
        if name == "jupyterlab_widgets" and fault == "missing":
            raise metadata.PackageNotFoundError(name)
        return "1.1" if name == "jupyterlab_widgets" and fault == "other" else known(name)

    monkeypatch.setattr(check.metadata, "version", version)
    if fault == "no folder":
        monkeypatch.setattr(check.sys, "prefix", str(tmp_path))
    expected = {"missing": "is missing", "other": "1.1, ipywidgets needs", "no folder": "package.json"}
    assert expected[fault] in fails("widgets in JupyterLab")


@pytest.mark.parametrize(("name", "folder", "file"), [
    ("sample drive", "sample_drive", "7.jpg"),
    ("networks", "models", "pilotnet_gap.keras"),
])  # fmt: skip
def test_files_that_are_changed_or_missing(monkeypatch, tmp_path, name, folder, file):
    shutil.copytree(check.DATA / folder, tmp_path / folder)
    monkeypatch.setattr(check, "DATA", tmp_path)
    check.CHECKS[name]()
    path = tmp_path / folder / file
    path.write_bytes(path.read_bytes()[:-1])
    assert f"{file} is changed" in fails(name)
    path.unlink()
    assert f"{file} is missing" in fails(name)
    (tmp_path / folder / "SHA256SUMS").unlink()
    assert "SHA256SUMS is missing" in fails(name)


def test_a_network_that_steers_elsewhere(monkeypatch):
    monkeypatch.setattr(Network, "angles", lambda network, pictures: np.full(len(pictures), 99.0))
    assert "off by" in fails("the network steers")
    monkeypatch.setattr(Network, "angles", lambda network, pictures: np.full(len(pictures), np.nan))
    assert "off by nan" in fails("the network steers")


def test_a_map_that_is_empty(monkeypatch):
    found = Explanation(np.zeros((66, 200)), True, "", ("left", "right"), "", 0.0)
    monkeypatch.setattr(maps, "explain", lambda *arguments, **settings: found)
    assert "0.00°" in fails("a map is made")


def test_too_little_memory(monkeypatch):
    monkeypatch.setattr(check, "_free_memory", lambda: 0.5)
    assert "0.5 GB" in fails("machine")
    monkeypatch.setattr(check, "_free_memory", lambda: None)
    assert "cores" in check.machine()


def test_the_command_prints_a_table_and_its_status_tells(monkeypatch, capsys):
    def broken():
        raise RuntimeError("no luck\nsecond line")

    monkeypatch.setattr(check, "CHECKS", {"good": lambda: "found it", "broken": broken})
    assert main(["check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ good") and lines[0].endswith("found it")
    assert lines[1].startswith("✗ broken") and lines[1].endswith("RuntimeError: no luck")
    assert "→" in lines[2] and lines[-1] == "1 of 2 checks failed"
    monkeypatch.setattr(check, "CHECKS", {"good": lambda: "found it"})
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ready"


def test_the_checksums_are_those_of_the_shipped_networks():
    lines = (check.DATA / "models" / "SHA256SUMS").read_text("utf-8").splitlines()
    assert {Path(line.split("  ")[1]).stem for line in lines} == {*SHIPPED, Path(OTHER).stem}
