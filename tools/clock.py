"""Write below each section of the notebooks where a class should be: ``python tools/clock.py``.

"*minute 6 of 50*" is computed, not measured: from the words, lines of code and figures above it, and from the times
that the first cell states for running and for the exercises. `tests/test_notebooks.py` fails when a notebook and its
clock part.
"""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

# A student who predicts before each figure and reads it after: per minute.
WORDS, LINES, FIGURES = 130, 25, 2
MINUTE = re.compile(r"\n\n\*minute \d+ of \d+\*$", re.MULTILINE)
TIMED = re.compile(r"^## (?!Limits|Further reading)", re.MULTILINE)
READING = re.compile(r"(\*\*Time\*\* reading )\d+( minutes / exercises )(\d+)( minutes · runs on a CPU in about )(\d+)")


def set_clock(notebook: NotebookNode) -> None:
    """Write the minutes below the sections of a notebook, and the reading time into its first cell.

    Parameters
    ----------
    notebook : NotebookNode
        Its first cell says how long the exercises take and how many seconds it runs; these seconds are those of its
        cells that have the tag "slow", or of all its cells. Its Markdown is changed in place.

    Raises
    ------
    ValueError
        If the first cell does not say so.
    """
    cells = [cell for cell in notebook.cells if "setup" not in cell.metadata.get("tags", [])]  # nobody reads that one
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = MINUTE.sub("", cell.source)
    stated = READING.search(cells[0].source)
    if stated is None:
        raise ValueError(
            "expected '**Time** reading … minutes / exercises … minutes · runs on a CPU in about … seconds'"
        )
    exercises, seconds = int(stated[3]), int(stated[5])
    lesson = [cell for cell in cells[: _first(cells, "## Exercises")] if cell.cell_type == "code"]
    slow = [cell for cell in lesson if "slow" in cell.metadata.get("tags", [])] or lesson

    minute, starts, section = 0.0, [], ""
    for cell in cells:
        if cell.cell_type == "code":
            if section != "Exercises":
                figures = sum("image" in kind for output in cell.outputs for kind in output.get("data", {}))
                minute += cell.source.count("\n") / LINES + figures / FIGURES
                minute += seconds / 60 / len(slow) if any(cell is one for one in slow) else 0
            continue
        for part in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
            if part.startswith("## "):
                section = part.split("\n")[0].removeprefix("## ")
                if TIMED.match(part):
                    starts.append(round(minute))
                minute += exercises if section == "Exercises" else 0
            if section not in ("Exercises", "Further reading"):
                minute += len(re.sub(r"\$\$.*?\$\$", "a formula of six words", part, flags=re.DOTALL).split()) / WORDS
    reading = 5 * round((minute - exercises) / 5)
    total, left = reading + exercises, iter(starts)
    cells[0].source = READING.sub(rf"\g<1>{reading}\g<2>\g<3>\g<4>\g<5>", cells[0].source)

    def with_minute(heading: re.Match) -> str:
        return heading[0] + (f"\n\n*minute {next(left)} of {total}*" if TIMED.match(heading[0]) else "")

    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"^## .*$", with_minute, cell.source, flags=re.MULTILINE)


def _first(cells: list[NotebookNode], heading: str) -> int:
    """Give the place of the cell that has a heading."""
    return next(i for i, cell in enumerate(cells) if re.search(rf"^{heading}", cell.source, re.MULTILINE))


def main() -> None:
    """Set the clocks of all notebooks."""
    folder = Path(__file__).resolve().parents[1] / "notebooks"
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))[1:]:  # 00 has no clock
        notebook = nbformat.read(path, as_version=4)
        set_clock(notebook)
        path.write_text(nbformat.writes(notebook) + "\n", "utf-8")
        print(f"{path.name}: {READING.search(notebook.cells[0].source)[0]} seconds")


if __name__ == "__main__":
    main()
