"""From key press to new picture in Chromium: ``make bench``. Writes its table into explorers.md beside it.

Medians over 20 steps on the sample drive, beside two baselines in the same run: a slider that sets the value of a bare
`ipywidgets.Image`, and `interactive_output` around a Matplotlib figure. The clock runs in the page, from the key's
event to the first animation frame in which the new picture is decoded.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Error, sync_playwright
from report import machine, publish, reason, repeats

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
from lab_page import EXPLORER, KERNEL, OPTIONS, Lab, NotebookPage, find_browser

TABLE = Path(__file__).resolve().with_suffix(".md")
STEPS = 20
SETUP = """
import io
import cv2
import ipywidgets as widgets
import matplotlib.pyplot as plt
from steerlib import explorers, load_drive, load_network
drive, network = load_drive(), load_network()"""
BARE = """
jpegs = [cv2.imencode(".jpg", cv2.resize(drive.frame(i), (900, 506)))[1].tobytes() for i in range(40)]
frame, picture = widgets.IntSlider(description="frame", max=39), widgets.Image(value=jpegs[0], width=900, height=506)
frame.observe(lambda change: setattr(picture, "value", jpegs[change["new"]]), "value")
widgets.VBox([widgets.HBox([frame]), picture])"""
FIGURE = """
def show(i):
    plt.figure(figsize=(9, 5))
    plt.imshow(drive.frame(i))
    plt.show()
frame = widgets.IntSlider(description="frame", max=39)
widgets.VBox([widgets.HBox([frame]), widgets.interactive_output(show, {"i": frame})])"""
# What is shown, the cell, the slider that is moved, what is chosen before, the goal in ms
ROWS = [
    ("a bare `widgets.Image`", BARE, "frame", [], None),
    ("`interactive_output` with Matplotlib", FIGURE, "frame", [], None),
    ("`frames`", "explorers.frames(drive, network)", "frame", [], 60),
    ("`hypercolumns`", "explorers.hypercolumns(network, drive)", "frame", [], 80),
    ("`grad_cam`", "explorers.grad_cam(network, drive)", "frame", [], 80),
    ("`occlusion`, one window", "explorers.occlusion(network, drive)", "column", [("show", "one window")], 80),
    ("`occlusion`, coarse map", "explorers.occlusion(network, drive)", "frame", [], 150),
    ("`occlusion`, the finer map, stride 4", "explorers.occlusion(network, drive)", "frame", [], None),
]
CLOCK = """(selector) => {
    const pictures = () => document.querySelector(selector);
    window.shown = [];
    let started = 0, last = pictures()?.src;
    document.addEventListener('keydown', () => { started = performance.now(); window.shown = []; }, true);
    new MutationObserver(async () => {
        const image = pictures();
        if (!image || image.src === last) return;
        last = image.src;
        await image.decode();
        requestAnimationFrame(() => window.shown.push(performance.now() - started));
    }).observe(document.querySelector('.jp-Notebook'), {subtree: true, childList: true, attributeFilter: ['src']});
}"""


def measure(notebook: NotebookPage, slider: str, choices: list[tuple[str, str]], coarse: bool) -> list[float]:
    """Move a slider by key, step by step; give milliseconds."""
    page, taken = notebook.page, []
    page.wait_for_selector(f"{EXPLORER} img")
    page.wait_for_timeout(1000)
    for choice in choices:
        notebook.choose(*choice)
        page.wait_for_timeout(1000)
    page.evaluate(CLOCK, f"{EXPLORER} img")
    for step in range(repeats(STEPS) + 3):  # the first steps build what the others use
        notebook.handle(slider).press("ArrowRight")
        page.wait_for_function("window.shown.length > 0")
        page.wait_for_timeout(200)
        while not page.evaluate(f"!document.querySelector('{EXPLORER}').innerText.includes('Coarse:')"):
            page.wait_for_timeout(50)
        page.wait_for_timeout(100)
        if step >= 3:
            taken.append(page.evaluate(f"window.shown.at({0 if coarse else -1})"))
    return taken


def measure_row(browser: Browser, lab: Lab, number: int) -> str:
    """Measure a row in a notebook of its own; give its line of the table."""
    name, cell, slider, choices, goal = ROWS[number]
    path = lab.notebooks / f"{number}.ipynb"
    cells = [new_code_cell(SETUP), new_code_cell(cell)]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), path)
    notebook = NotebookPage(browser, lab, path)
    try:
        notebook.run_cells()
        taken = measure(notebook, slider, choices, "finer" not in name)
    finally:
        notebook.close()
        lab.stop_kernels()
    goal = "" if goal is None else f"≤ {goal} ms"
    return f"| {name} | {statistics.median(taken):.0f} ms | {max(taken):.0f} ms | {goal} |"


def main() -> int:
    """Measure all rows, print them, and write the table."""
    lines, missing = ["| explorer | median | slowest | goal |", "| --- | ---: | ---: | ---: |"], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=OPTIONS)
        except Error as error:
            return publish(TABLE, "", [f"every row: no Chromium could be started: {reason(error)}"])
        lab, version = Lab(Path(folder)), browser.version
        try:
            lab.wait()
            for number, (name, *_) in enumerate(ROWS):
                try:
                    lines.append(measure_row(browser, lab, number))
                    print(lines[-1], flush=True)
                except Exception as error:  # whatever it was, the other rows are worth their time
                    missing.append(f"{name}: {reason(error)}")
        finally:
            lab.stop()
            browser.close()
    about = f"Medians of {STEPS} steps on {machine('ipywidgets', 'matplotlib')}, Chromium {version.split('.')[0]}."
    return publish(TABLE, "\n".join([about, "", *lines, ""]), missing)


if __name__ == "__main__":
    sys.exit(main())
