"""From a hand to a new picture in Chromium: ``make bench``. Writes its tables into explorers.md beside it.

Keys: medians over 20 steps on the sample drive, beside two baselines in the same run: a slider that sets the value of a
bare `ipywidgets.Image`, and `interactive_output` around a Matplotlib figure. The clock runs in the page, from the key's
event to the first animation frame in which the new picture is decoded. The mouse: how many pictures a second a window
shows that is dragged for three seconds, and how long the page takes to draw a map anew when only that changes how it is
drawn.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright
from report import machine, publish, reason, repeats

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
from lab_page import EXPLORER, OPTIONS, Lab, NotebookPage, find_browser, opened

TABLE = Path(__file__).resolve().with_suffix(".md")
STEPS = 20
DRAG = 3  # seconds
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
# What is shown, the cell, the slider that is moved, what is chosen before, the goal: how many times the bare image
ROWS = [
    ("a bare `widgets.Image`", BARE, "frame", [], None),
    ("`interactive_output` with Matplotlib", FIGURE, "frame", [], None),
    ("`frames`", "explorers.frames(drive, network)", "frame", [], 1.2),
    ("`hypercolumns`", "explorers.hypercolumns(network, drive)", "frame", [], None),
    ("`grad_cam`", "explorers.grad_cam(network, drive)", "frame", [], 1.4),
    ("`occlusion`, one window", "explorers.occlusion(network, drive)", "column", [("show", "one window")], 1.2),
    ("`occlusion`, coarse map", "explorers.occlusion(network, drive)", "frame", [], 3),
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


# Notes when the page has drawn a map, and what it sends to the kernel.
PAGE = """() => {
    const put = CanvasRenderingContext2D.prototype.putImageData;
    window.drawn = 0;
    window.sent = 0;
    CanvasRenderingContext2D.prototype.putImageData = function(...all) {
        put.apply(this, all);
        window.drawn = performance.now();
    };
    window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.anyMessage.connect(
        (_, {direction}) => { window.sent += direction === 'send'; });
}"""
RANGE = """async ([name, value]) => {
    const label = [...document.querySelectorAll('.steerlib-tools label')].find(label => label.textContent === name);
    const slider = label.querySelector('input'), start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event('input'));
    while (window.drawn < start) await new Promise(requestAnimationFrame);
    return window.drawn - start;
}"""


def measure_mouse(browser: Browser, lab: Lab) -> list[str]:
    """Drag a window; give the line of the table."""
    with opened(browser, lab, SETUP, "explorers.occlusion(network, drive)") as notebook:
        notebook.run_cells()
        page = notebook.page
        page.wait_for_selector(f"{EXPLORER} img")
        page.wait_for_timeout(8000)
        image = page.locator(f"{EXPLORER} img").first
        image.scroll_into_view_if_needed()
        box = image.bounding_box()

        def at(share: float) -> tuple[float, float]:
            return box["x"] + (0.2 + 0.6 * share) * box["width"], box["y"] + 0.4 * box["height"]

        page.mouse.move(*at(0))
        page.mouse.down()
        page.wait_for_timeout(2000)
        page.evaluate(CLOCK, f"{EXPLORER} img")
        start = time.monotonic()
        while (passed := time.monotonic() - start) < DRAG:
            page.mouse.move(*at(passed / DRAG))
            time.sleep(0.01)
        shown = page.evaluate("window.shown.length")
        page.mouse.up()
    return [f"| a window, dragged for {DRAG} s | {shown / DRAG:.0f} pictures a second | ≥ 25 |"]


def measure_display(browser: Browser, lab: Lab) -> list[str]:
    """Change how a map is drawn, by the page's own sliders; give the lines of the table."""
    with opened(browser, lab, SETUP, "explorers.grad_cam(network, drive)") as notebook:
        notebook.run_cells()
        page, lines = notebook.page, []
        page.wait_for_selector(f"{EXPLORER} img")
        page.wait_for_timeout(3000)
        page.evaluate(PAGE)
        for name, picture in (("strength", "in color"), ("percentile", "focus")):
            page.get_by_label("picture", exact=True).select_option(picture)
            page.wait_for_timeout(1000)
            drawn = [page.evaluate(RANGE, [name, 60 + i]) for i in range(repeats(STEPS))]
            taken = f"{statistics.median(drawn):.0f} ms, slowest {max(drawn):.0f} ms"
            lines.append(f"| {name}, picture {picture} | {taken} | ≤ 17 ms, one frame |")
        sent = page.evaluate("window.sent")
    return [*lines, f"| messages to the kernel for {2 * len(drawn)} such changes | {sent} | 0 |"]


def measure_row(browser: Browser, lab: Lab, number: int) -> list[float]:
    """Measure a row in a notebook of its own; give the milliseconds of each step."""
    name, cell, slider, choices, _ = ROWS[number]
    with opened(browser, lab, SETUP, cell) as notebook:
        notebook.run_cells()
        return measure(notebook, slider, choices, "finer" not in name)


def main() -> int:
    """Measure all rows, print them, and write the table."""
    lines = ["| a key | median | slowest | times the bare image | goal |", "| --- | ---: | ---: | ---: | ---: |"]
    hands, missing, bare = ["| the mouse | | goal |", "| --- | ---: | ---: |"], [], None
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=OPTIONS)
        except Error as error:
            return publish(TABLE, "", [f"every row: no Chromium could be started: {reason(error)}"])
        lab, version = Lab(Path(folder)), browser.version
        try:
            lab.wait()
            for number, (name, *_, goal) in enumerate(ROWS):
                try:
                    taken = measure_row(browser, lab, number)
                except Exception as error:  # whatever it was, the other rows are worth their time
                    missing.append(f"{name}: {reason(error)}")
                    continue
                median = statistics.median(taken)
                bare = median if number == 0 else bare
                ratio, goal = f"{median / bare:.2f}" if bare else "", "" if goal is None else f"≤ {goal}"
                lines.append(f"| {name} | {median:.0f} ms | {max(taken):.0f} ms | {ratio} | {goal} |")
                print(lines[-1], flush=True)
            for what, measured in (("the mouse", measure_mouse), ("the display", measure_display)):
                try:
                    hands += (lines_of := measured(browser, lab))
                    print(*lines_of, sep="\n", flush=True)
                except Exception as error:
                    missing.append(f"{what}: {reason(error)}")
        finally:
            lab.stop()
            browser.close()
    about = f"Medians of {STEPS} steps on {machine('ipywidgets', 'matplotlib')}, Chromium {version.split('.')[0]}."
    return publish(TABLE, "\n".join([about, "", *lines, "", *hands, ""]), missing)


if __name__ == "__main__":
    sys.exit(main())
