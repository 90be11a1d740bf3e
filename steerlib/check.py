"""Is this machine ready for a class? ``python -m steerlib check``, or ``make check``.

Each check is a function that says what it found, or raises a `Problem` with what to do about it. One that fails does
not keep the others from running.
"""

import os
import platform
import sys
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from steerlib.checkout import DATA, REMEDY, is_checkout
from steerlib.writing import checksums

INSTALL = "make env, or conda env update -f environment.yml"
if not is_checkout():
    INSTALL = "install steerlib again, with the extra lab"
ERROR = 15.0  # degrees: the shipped network's largest error on the frames that are asked is below 5
MEMORY = 3.0  # GB: a notebook takes up to 1.5, JupyterLab and a browser the rest


class Problem(Exception):
    """What is wrong, and what to do about it."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.remedy = remedy


class Result(NamedTuple):
    """What a check found."""

    name: str
    good: bool
    found: str
    remedy: str  # empty where nothing is wrong


def python() -> str:
    """Compare the version of Python with what the project asks for."""
    needed, found = metadata.metadata("steerlib")["Requires-Python"], platform.python_version()
    if not SpecifierSet(needed).contains(found, prereleases=True):
        raise Problem(f"{found}, needed {needed}", "install a Python of that range, then " + INSTALL)
    return found


def packages() -> str:
    """Compare the versions of all packages with the ranges in pyproject.toml."""
    wrong, count = [], 0
    for line in metadata.requires("steerlib") or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": "lab"}):
            continue
        count += 1
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found = None
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found or 'missing'} (needed {requirement.specifier})")
    if wrong:
        raise Problem(", ".join(wrong), INSTALL)
    return f"{count} packages in their ranges"


def widgets() -> str:
    """See whether JupyterLab will find the widgets' extension, in the version that ipywidgets speaks to."""
    needed = next(
        Requirement(line) for line in metadata.requires("ipywidgets") or [] if line.startswith("jupyterlab_widgets")
    )
    try:
        found = metadata.version("jupyterlab_widgets")
    except metadata.PackageNotFoundError:
        raise Problem("the extension for JupyterLab is missing", "pip install jupyterlab_widgets") from None
    if not needed.specifier.contains(found):
        raise Problem(f"jupyterlab_widgets {found}, ipywidgets needs {needed.specifier}", INSTALL)
    place = Path("share", "jupyter", "labextensions", "@jupyter-widgets", "jupyterlab-manager", "package.json")
    if not (Path(sys.prefix) / place).is_file():
        raise Problem(f"{place} is not in {sys.prefix}", "pip install --force-reinstall jupyterlab_widgets")
    return f"ipywidgets {metadata.version('ipywidgets')} and its extension {found} match"


def drive() -> str:
    """Compare the files of the sample drive with their checksums."""
    return f"{_compare(DATA / 'sample_drive')} files of the sample drive are whole"


def models() -> str:
    """Compare the shipped networks with their checksums."""
    return f"{_compare(DATA / 'models')} networks are whole"


def prediction() -> str:
    """Let the shipped network steer on three frames."""
    sample, network = _sample()
    chosen = [0, len(sample) // 2, len(sample) - 1]
    errors = abs(network.angles(sample.pictures(network, chosen)) - sample.angles[chosen])
    if not errors.max() < ERROR:
        raise Problem(f"off by {errors.max():.0f}° on one of three frames", "git checkout data; then " + INSTALL)
    return f"off by at most {errors.max():.1f}° on three frames"


def explanation() -> str:
    """Make one map."""
    from steerlib.maps import explain

    sample, network = _sample()
    found = explain(network, sample.pictures(network, [0])[0], "occlusion", stride=8, sizes=(15,)).map
    strongest = float(abs(found).max())
    if not 0.01 < strongest < 180:
        raise Problem(f"the strongest pixel of a map is {strongest:.2f}°", "git checkout data; then " + INSTALL)
    return f"an occlusion map, {strongest:.1f}° at its strongest"


def machine() -> str:
    """Look at memory and cores."""
    cores, memory = os.cpu_count() or 1, _free_memory()
    if memory is not None and memory < MEMORY:
        raise Problem(f"{memory:.1f} GB of memory are free, {cores} cores", "close other programs and notebooks")
    return f"{cores} cores" + ("" if memory is None else f", {memory:.1f} GB of memory are free")


CHECKS: dict[str, Callable[[], str]] = {
    "Python": python,
    "packages": packages,
    "widgets in JupyterLab": widgets,
    "sample drive": drive,
    "networks": models,
    "the network steers": prediction,
    "a map is made": explanation,
    "machine": machine,
}


def run_checks() -> list[Result]:
    """Run every check.

    Returns
    -------
    list of Result
        In the order of `CHECKS`. What a check raises, of whatever kind, is what it found.
    """
    results = []
    for name, check in CHECKS.items():
        try:
            results.append(Result(name, True, check(), ""))
        except Problem as problem:
            results.append(Result(name, False, str(problem), problem.remedy))
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            results.append(Result(name, False, f"{type(error).__name__}: {first}", INSTALL))
    return results


def report(results: list[Result]) -> str:
    """Write results as a table, with what to do below each ✗."""
    width, lines = max(len(result.name) for result in results), []
    for name, good, found, remedy in results:
        lines.append(f"{'✓' if good else '✗'} {name:{width}}  {found}")
        if remedy:
            lines.append(f"  {'':{width}}  → {remedy}")
    wrong = sum(not result.good for result in results)
    lines += ["", "ready" if not wrong else f"{wrong} of {len(results)} checks failed"]
    return "\n".join(lines)


@cache
def _sample() -> tuple:
    """Load the sample drive and the shipped network."""
    _need_data()
    from steerlib.drives import load_drive
    from steerlib.networks.files import load_network

    return load_drive(DATA / "sample_drive"), load_network(DATA / "models" / "pilotnet.keras")


def _need_data() -> None:
    """Say so where steerlib was installed without the notebooks and their data."""
    if not is_checkout():
        raise Problem("comes with the notebooks, not with the installed package", REMEDY)


def _compare(folder: Path) -> int:
    """Compare the files of a folder with its SHA256SUMS; give their number."""
    _need_data()
    remedy = f"git checkout {folder.relative_to(DATA.parent) if folder.is_relative_to(DATA.parent) else folder}"
    listed = folder / "SHA256SUMS"
    if not listed.is_file():
        raise Problem(f"{listed} is missing", remedy)
    lines = listed.read_text("utf-8").splitlines()
    for line in lines:
        name = line.split("  ", 1)[1]
        path = folder / name
        if not path.is_file() or checksums(folder, [name]) != f"{line}\n":
            raise Problem(f"{path} is {'changed' if path.is_file() else 'missing'}", remedy)
    return len(lines)


def _free_memory() -> float | None:
    """Give gigabytes of memory that can be had; None where the system does not tell."""
    information = Path("/proc/meminfo")
    if not information.exists():
        return None
    lines = information.read_text().splitlines()
    return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith("MemAvailable")), None)
