"""What the table of cases is made of: a case, how it is judged, and the file that shows all outcomes.

``python tests/robustness/table.py`` writes `OUTCOMES.md` anew.
"""

import contextlib
import importlib
import io
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from steerlib.networks.formats.lambdas import LambdaError

HERE = Path(__file__).resolve().parent
OUTCOMES = HERE / "OUTCOMES.md"
GROUPS = (
    "labels",
    "recordings",
    "frames",
    "archives",
    "models",
    "network_files",
    "arguments",
    "explorers",
    "command_line",
)
# What may be raised: these and no kind of them that tells of the inside, such as UnicodeDecodeError.
CLEAR = (
    ValueError,
    IndexError,
    OSError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    FileExistsError,
    PermissionError,
    LambdaError,  # a ValueError that also lists the layers
)
INTRODUCTION = """# Bad input and what becomes of it

By `python tests/robustness/table.py`, from the cases in this folder; a test fails when this file is older than they.
*works* is followed by what was checked of the result, *told* by the whole message; … stands for the folder.
{count} cases.
"""


class Case(NamedTuple):
    """Something that a student, or an attacker, might do."""

    name: str
    act: Callable[[Path], str]  # does it in an empty folder; gives what was checked of the result
    told: str | None = None  # the error that is expected, as a regular expression; None: it works


def cases() -> Iterator[tuple[str, Case]]:
    """Give all cases with their groups, in the order of the table."""
    sys.path.insert(0, str(HERE))
    try:
        for group in GROUPS:
            for case in importlib.import_module(f"{group}_cases").cases():
                yield group, case
    finally:
        sys.path.remove(str(HERE))


def outcome(case: Case, folder: Path) -> str:
    """Try a case in an empty folder; give its outcome, or fail where it is not the expected one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            found = f"works: {case.act(folder)}"
        except CLEAR as error:
            assert type(error) in CLEAR, f"{type(error).__name__}: {error}"
            found = f"told: {error}"
    for text in (found, *(str(warning.message) for warning in caught)):
        assert "\n" not in text.strip() and len(text.replace(str(folder), "")) < 400, f"not one line: {text}"
    if case.told is None:
        assert found.startswith("works"), f"expected to work, but {found}"
    else:
        assert found.startswith("told"), f"expected to be told {case.told!r}, but {found}"
        assert re.search(case.told, found), f"expected to be told {case.told!r}, but {found}"
    said = "".join(f"; warned: {warning.message}" for warning in caught)
    # Networks are looked for beside the case's folder, see `own_folder`.
    told = (found + said).replace(str(folder), "…").replace(str(folder.parent), "…")
    return re.sub(r"\s+", " ", told)


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """Give an empty folder, and no other place where networks are saved or drives are looked for."""
    kept = {name: os.environ.get(name) for name in ("STEERLIB_MODELS", "STEERLIB_DRIVE")}
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["STEERLIB_MODELS"] = str(Path(temporary) / "models")
        os.environ.pop("STEERLIB_DRIVE", None)
        folder = Path(temporary) / "folder"  # its name stands in some messages
        folder.mkdir()
        try:
            yield folder
        finally:
            for name, value in kept.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def row(group: str, case: Case, found: str) -> str:
    """Write a row of the table."""
    cells = (group.replace("_", " "), case.name, found)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\0", "\\0") for cell in cells) + " |"


def main() -> int:
    """Try all cases and write the table; a wrong outcome is printed, and nothing is written."""
    rows, wrong = [], 0
    for group, case in cases():
        with own_folder() as folder, contextlib.redirect_stdout(io.StringIO()):
            try:
                rows.append(row(group, case, outcome(case, folder)))
            except BaseException as error:
                wrong += 1
                print(f"{group}, {case.name}: {type(error).__name__}: {error}"[:600], file=sys.stderr)
    if wrong:
        print(f"{wrong} of {len(rows) + wrong} cases have a wrong outcome", file=sys.stderr)
        return 1
    head = [INTRODUCTION.replace("{count}", str(len(rows))), "| group | case | outcome |", "| --- | --- | --- |"]
    OUTCOMES.write_text("\n".join([*head, *rows]) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
