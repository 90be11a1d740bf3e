"""Files that are written whole or not at all, and their checksums."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

UNFINISHED = ".steerlib-"  # how the folders are called in which files are written before they take their names


def check_output(path: Path, endings: Sequence[str]) -> None:
    """Refuse, before any work is done, a place where no file can be written, or one of another kind.

    Raises
    ------
    IsADirectoryError, FileNotFoundError
        Where the path is a folder, or its folder does not exist.
    ValueError
        Where the name ends in none of the endings.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected a file to write")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: expected a file in a folder that exists")
    if path.suffix.lower() not in endings:
        raise ValueError(f"{path}: expected a name that ends in {' or '.join(endings)}")


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed left in a folder: it could not clean up.

    An hour must have passed since anything in it was written, for a film of a long drive takes longer than that.
    """
    for left in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - max(path.stat().st_mtime for path in (left, *left.rglob("*"))) > 3600:
                shutil.rmtree(left)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write beside a path, which takes its name once it is complete, and else vanishes."""
    remove_unfinished(path.parent)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=path.parent) as folder:
        yield (unfinished := Path(folder) / path.name)
        os.replace(unfinished, path)


def checksums(folder: Path, names: Sequence[str]) -> str:
    """Give the SHA-256 of each named file of a folder, a line each, as ``sha256sum --check`` reads them."""
    return "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
