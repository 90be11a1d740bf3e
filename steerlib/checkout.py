"""Where the files are that come with a checkout of the project, and not with an installed `steerlib` alone.

The sample drive, the shipped networks and what notebooks 08 and 09 read lie in ``data``. A wheel does not hold them.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
REMEDY = "work in a checkout of the project (README.md, Getting started)"


def is_checkout() -> bool:
    """Tell whether `steerlib` runs from a checkout, or was installed without the notebooks and their data."""
    return (ROOT / "pyproject.toml").is_file()


def kept_in(name: str) -> Path:
    """Say where drives that are fetched and networks that are saved go.

    Parameters
    ----------
    name : {"drives", "models"}

    Returns
    -------
    Path
        The folder of that name in the checkout's ``data``; without a checkout, in the current folder.
    """
    return (DATA if is_checkout() else Path.cwd()) / name


def missing(path: Path, what: str, instead: str = "") -> FileNotFoundError:
    """Make the error for a file of ``data`` that is not there, which says what to do.

    Parameters
    ----------
    path : Path
        The file or folder.
    what : str
        What it is, as the beginning of a sentence.
    instead : str
        What works without it, where something does.
    """
    if is_checkout():
        return FileNotFoundError(f"{path} is missing: `git checkout data` in the checkout brings it back")
    ways = ", or ".join(filter(None, (instead, REMEDY)))
    return FileNotFoundError(f"{what} comes with the notebooks, not with the installed package: {ways}")
