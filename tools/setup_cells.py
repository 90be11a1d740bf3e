"""Give notebooks a cell that fetches the tutorial where there is none, as on Colab: ``python tools/setup_cells.py``.

The repository's address and the version stand in pyproject.toml alone: ``Repository`` in ``[project.urls]``, and
``version`` in ``[project]``, whose tag is fetched (v0.2.0). Without an address the notebooks have no such cell.
"""

import sys
import tomllib
from pathlib import Path

import nbformat
from execute import source_hash
from nbformat import NotebookNode

from steerlib.writing import replacing

ROOT = Path(__file__).resolve().parents[1]
TAG = "setup"
CELL = """# Without a checkout, as on Colab, fetch one of this notebook's version; else nothing.
import os
import sys
from importlib.util import find_spec
from subprocess import run

checkout = os.path.abspath("steerlib-{version}")
if find_spec("steerlib") is None:
    address = "{address}"
    if not os.path.exists(checkout):
        clone = ["git", "clone", "--quiet", "--depth=1", "--branch=v{version}"]
        run([*clone, address, checkout], check=True)
    run([sys.executable, "-m", "pip", "install", "-q", "-e", checkout], check=True)
    sys.path.insert(0, checkout)  # this kernel was there before
if os.path.exists(checkout):  # also after the kernel was restarted
    os.chdir(os.path.join(checkout, "{folder}"))
if "google.colab" in sys.modules:  # without this it shows no explorer
    from google.colab import output

    output.enable_custom_widget_manager()"""


def setup_cell(pyproject: str, folder: str) -> NotebookNode | None:
    """Make the cell of the notebooks of a folder, such as "notebooks"; None where no repository is named."""
    project = tomllib.loads(pyproject)["project"]
    address = project.get("urls", {}).get("Repository")
    if address is None:
        return None
    source = CELL.format(version=project["version"], address=address, folder=folder)
    # In a checkout it does nothing: its output, none, is the right one. On the website it would only be in the way.
    metadata = {"tags": [TAG, "remove-cell"], "steerlib": {"source": source_hash(source)}}
    return nbformat.v4.new_code_cell(source, id=TAG, metadata=metadata)


def set_up(notebook: NotebookNode, cell: NotebookNode | None) -> None:
    """Put the cell below a notebook's title, in place of an older one; None: take it out."""
    notebook.cells = [one for one in notebook.cells if TAG not in one.metadata.get("tags", [])]
    if cell is not None:
        notebook.cells.insert(1, cell)
    ran = (one for one in notebook.cells if one.get("execution_count") is not None or one is cell)
    for count, one in enumerate(ran, start=1):
        for numbered in (one, *(output for output in one.outputs if "execution_count" in output)):
            numbered.execution_count = count


def main(root: Path) -> None:
    """Write the cells of all notebooks below a checkout's root."""
    pyproject = (root / "pyproject.toml").read_text("utf-8")
    for path in sorted((root / "notebooks").rglob("*.ipynb")):
        before = path.read_text("utf-8")
        notebook = nbformat.reads(before, 4)
        set_up(notebook, setup_cell(pyproject, path.parent.relative_to(root).as_posix()))
        if (after := nbformat.writes(notebook) + "\n") != before:
            with replacing(path) as unfinished:
                unfinished.write_text(after, "utf-8")
            print(path.relative_to(root))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
