"""Run the notebooks on the sample drive and store their outputs in them: ``python tools/execute.py [01 02 ...]``.

What differs from run to run without a meaning, such as widget state, time stamps and log lines, is not stored. Every
code cell gets a hash of the source that its output belongs to; `tests/test_notebooks.py` fails when they part.
"""

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from html import unescape
from pathlib import Path
from queue import Empty
from time import monotonic, perf_counter
from typing import Any

import nbformat
from jupyter_client.client import KernelClient
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from steerlib import quiet
from steerlib.writing import replacing

ALERT = 'role="alert"'  # how the explorers mark the message in which they show an error
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Where a warning came from: a temporary file of this run.
WARNING_PLACE = re.compile(r"^.*\.py:\d+: (\w*Warning: .*(?:\n|$))(?:  .*(?:\n|$))?", re.MULTILINE)


# Run in the kernel before the first cell: a figure takes the words that are drawn in it along as its alternative text.
DESCRIBE_FIGURES = """
def _describe_figures():
    from matplotlib_inline import backend_inline

    metadata_of = backend_inline._fetch_figure_metadata

    def words(axes):
        values, over = (" ".join(label.split()) for label in (axes.get_ylabel(), axes.get_xlabel()))
        drawn = f"{values} over {over}" if values and over else values or over
        return ": ".join(part for part in (axes.get_title(), drawn) if part)

    def described(figure):
        parts = [figure.get_suptitle()] + [words(axes) for axes in figure.axes]  # map may be a map in a notebook
        return (metadata_of(figure) or {}) | {"image/png": {"alt": "; ".join(part for part in parts if part)}}

    backend_inline._fetch_figure_metadata = described


_describe_figures()
del _describe_figures
"""


class Client(NotebookClient):
    """Runs a notebook and stops at an error that a widget shows; nbclient alone would go on."""

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int, *args: Any, **kwargs: Any) -> NotebookNode:
        """Run one cell; an error in a widget fails it unless the cell is tagged ``raises-exception``."""
        self.running, self.shown = cell, []
        cell = await super().async_execute_cell(cell, cell_index, *args, **kwargs)
        if self.shown and "raises-exception" not in cell.metadata.get("tags", []):
            error = self.shown[-1]
            cell.outputs.append(error)
            raise CellExecutionError.from_cell_and_msg(cell, error)
        return cell

    async def async_start_new_kernel_client(self) -> KernelClient:
        """Connect to the kernel by channels that look again every second.

        What nbclient sends to a widget while it waits for a reply can swallow the socket's signal that the reply has
        come; it would then wait until the cell's time is up, though the kernel has long been idle.
        """
        client = await super().async_start_new_kernel_client()
        for channel in (client.shell_channel, client.iopub_channel):
            channel.get_msg = _looking_again(channel.get_msg)
        client.execute(DESCRIBE_FIGURES, silent=True, store_history=False)
        return client

    def picture_in(self, model_id: str) -> NotebookNode | None:
        """Give the picture that a widget, or a part of it, shows, as an output for those who have no kernel."""
        state = self.widget_state.get(model_id, {})
        picture = self.widget_buffers.get(model_id, {}).get(("value",))
        if "format" in state and picture:  # an image, or the view of an explorer
            kind = f"image/{state['format']}"
            alt = {kind: {"alt": state.get("tooltip") or ""}}
            return nbformat.v4.new_output("display_data", {kind: picture["data"]}, metadata=alt)
        parts = (self.picture_in(child.removeprefix("IPY_MODEL_")) for child in state.get("children", []))
        return next((part for part in parts if part), None)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Note errors as they arrive: what an Output widget shows may be cleared again before the cell ends."""
        if msg["msg_type"] == "error":
            self.shown.append(nbformat.v4.output_from_msg(msg))
        elif msg["msg_type"].startswith("comm"):
            text = (msg["content"]["data"].get("state") or {}).get("value")
            if isinstance(text, str) and ALERT in text:
                words = unescape(re.sub("<[^>]+>", "", text))
                self.shown.append(nbformat.v4.new_output("error", ename="Alert", evalue=words, traceback=[words]))
        return super().process_message(msg, cell, cell_index)


def _looking_again(get_msg: Callable) -> Callable:
    """Wait for a channel's next message in steps of a second: each one begins by looking whether it is there."""

    async def get(timeout: float | None = None) -> dict[str, Any]:
        end = float("inf") if timeout is None else monotonic() + timeout
        while True:
            try:
                return await get_msg(timeout=max(0.0, min(1.0, end - monotonic())))
            except Empty:
                if monotonic() >= end:
                    raise

    return get


def source_hash(source: str) -> str:
    """Return 16 hexadecimal digits that change when a cell's source does."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def terminal(text: str) -> str:
    """Return what a terminal shows in the end, when returns and backspaces have overwritten; without colors."""
    lines = []
    for line in ESCAPES.sub("", text).split("\n"):
        shown: list[str] = []
        column = 0
        for character in line:
            if character == "\r":
                column = 0
            elif character == "\b":
                column = max(column - 1, 0)
            else:
                shown[column : column + 1] = [character]
                column += 1
        lines.append("".join(shown).rstrip())
    return "\n".join(lines)


def tidy_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Keep what a reader on the web can see: no widgets, no log, of a progress bar its last state."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if WIDGET_VIEW in output.get("data", {}):
            continue
        if kept and output.output_type == "stream" == kept[-1].output_type and output.name == kept[-1].name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = terminal(output.text)
            if output.name == "stderr":
                output.text = WARNING_PLACE.sub(r"\1", quiet.LOG.sub("", output.text))
    return [output for output in kept if output.get("text", "shown").strip()]


def tidy(notebook: NotebookNode) -> None:
    """Leave in an executed notebook only what belongs into version control, and note what was executed."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.metadata["steerlib"] = {"source": source_hash(cell.source)}
            cell.outputs = tidy_outputs(cell.outputs)


def execute(path: Path, timeout: int = 600) -> None:
    """Run a notebook in its own folder on the sample drive and store it, whole or not at all.

    Parameters
    ----------
    path : Path
        The notebook.
    timeout : int
        Seconds that a cell may take.

    Raises
    ------
    RuntimeError
        If a cell fails, takes too long or kills the kernel, naming it, or if the file changed while it ran.
    """
    before = path.read_text("utf-8")
    # Older notebooks have no ids of cells; what is in place stays.
    notebook = nbformat.v4.upgrade(nbformat.reads(before, as_version=4))
    quiet = ["--IPKernelApp.log_level=ERROR"]
    client = Client(notebook, timeout=timeout, kernel_name="python3", extra_arguments=quiet)
    with tempfile.TemporaryDirectory() as models:
        # Outputs come from what is committed: no other drive, and no network that another notebook saved.
        environment = {**os.environ, "STEERLIB_MODELS": models}
        environment.pop("STEERLIB_DRIVE", None)
        try:
            client.execute(cwd=path.parent, env=environment)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
            number = 1 + next(i for i, cell in enumerate(code) if cell is client.running)
            raise RuntimeError(
                f"{path.name}: code cell [{number}] failed, nothing is stored\n{terminal(str(error))}"
            ) from error
    for cell in notebook.cells:
        shown = cell.get("outputs", [])
        for place, output in enumerate(shown):
            view = output.get("data", {}).get(WIDGET_VIEW)
            shown[place] = (view and client.picture_in(view["model_id"])) or output
    tidy(notebook)
    if path.read_text("utf-8") != before:
        raise RuntimeError(f"{path.name}: changed while it was running, nothing is stored")
    with replacing(path) as unfinished:
        unfinished.write_text(nbformat.writes(notebook) + "\n", "utf-8")


def main(names: list[str]) -> int:
    """Run the notebooks whose names start with one of `names`, or all; return the exit status."""
    folder = Path(__file__).resolve().parents[1] / "notebooks"
    paths = sorted([*folder.glob("[0-9][0-9]_*.ipynb"), *folder.glob("solutions/*.ipynb")])
    wanted = [Path(name).stem for name in names] or [""]
    for name in wanted:
        if not any(path.stem.startswith(name) for path in paths):
            print(f"no notebook in {folder} starts with {name!r}", file=sys.stderr)
            return 1
    failed = False
    for path in paths:
        if path.stem.startswith(tuple(wanted)):
            start = perf_counter()
            try:
                execute(path)
                print(f"{path.relative_to(folder)}: {perf_counter() - start:.0f} s", flush=True)
            except RuntimeError as error:
                failed = True
                print(error, file=sys.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
