"""Every explorer in JupyterLab and Chromium, moved by keyboard and mouse.

The notebooks are not run as a whole, for time (notebook 02 trains for minutes, and all are run under nbmake anyway).
What is opened is a copy with the setup cell, the cell of the explorer and, where another cell makes what it shows,
lines that load or make a small one. One server serves them all; a notebook's kernel ends with its test.
"""

import re
import time
from contextlib import ExitStack
from pathlib import Path

import nbformat
import pytest
from lab_page import EXPLORER, opened

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NEEDED = {
    "network": "from steerlib import load_network\nnetwork = load_network()",
    "trained": "from steerlib import load_network\ntrained = load_network()",
    "gap": "from steerlib import load_network\ngap = load_network('pilotnet_gap')",
    "pilot": "from steerlib import load_network\npilot = load_network()",
    "video": "video = drive",
    "roads": """
from steerlib import render_bends
views, curvature = render_bends(range(3000, 3002), 40, network=network)
roads = maps.of_drive(views, network, "hires-cam", Path(folder.name) / "roads.zarr", progress=False)
left, right = roads.evidence("hires-cam")
known = {"angle": roads.angles, "evidence": right - left, "curvature": curvature}
lonely = [3]""",
}
# Where controls take the place of others: what to choose, and what is then there to be moved.
MODES = {
    "occlusion": [
        ([("show", "one window")], {"column", "row"}),
        ([("show", "whole map"), ("picture", "focus")], {"blur"}),
    ]
}


def explorer_cells():
    """Each explorer of the notebooks: the notebook, the kind, the setup cell and the explorer's own."""
    for path in NOTEBOOKS:
        cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        code = [cell.source for cell in cells if "setup" not in cell.metadata.get("tags", [])]
        for source in code:
            # Of two that are tied each is an explorer; test_touch.py has them.
            if (found := re.match(r"explorers\.(\w+)\((.*)\)$", source)) and found[1] != "tie":
                needed = [NEEDED[name] for name in found[2].split(", ") if name in NEEDED]
                imported = "from steerlib import explorers"  # a notebook may do so where it needs them
                yield pytest.param(found[1], [code[0], imported, *needed, source], id=f"{path.stem[:2]}-{found[1]}")


@pytest.fixture
def open_notebook(chromium, lab):
    """A function that opens a notebook of some cells, for one test."""
    with ExitStack() as stack:
        yield lambda *sources: stack.enter_context(opened(chromium, lab, *sources))


@pytest.fixture(scope="module")
def gradients(chromium, lab):
    """An explorer of gradient maps, for several tests."""
    setup = "from steerlib import explorers, load_drive, load_network"
    cell = "network, road = load_network(), load_drive()\nexplorers.grad_cam(network, road)"
    with opened(chromium, lab, setup, cell) as notebook:
        notebook.run()
        yield notebook


def see_change(notebook, name, control, key="Space"):
    """Press a key on a control, and see that the picture becomes another."""
    before, shown = notebook.settle(), notebook.digest()
    control.press(key)
    notebook.changed(before)
    # Some explorers draw in steps, the first of which may be that of the last setting.
    end = time.monotonic() + 60
    while notebook.digest() == shown:
        assert time.monotonic() < end, name
        time.sleep(0.1)


def move_all(notebook, moved):
    """Move every control that is shown, but those named in `moved`, by keyboard; add their names."""
    explorer = notebook.page.locator(EXPLORER)
    for slider in explorer.locator(".widget-hslider:visible").all():
        if (name := slider.locator(".widget-label").inner_text()) not in moved:
            see_change(notebook, name, slider.locator(".noUi-handle"), "ArrowRight")
            moved.add(name)
    for group in explorer.locator(".widget-radio:visible").all():
        if (name := group.locator(".widget-label").inner_text()) not in moved:
            chosen = group.locator("input:checked").get_attribute("value")
            see_change(notebook, name, group.locator("input:not(:checked)").first)
            see_change(notebook, name, group.locator(f"input[value='{chosen}']"))
            moved.add(name)
    for box in explorer.locator(".widget-checkbox:visible").all():
        if (name := box.inner_text().strip()) not in moved and box.locator("input").is_enabled():
            see_change(notebook, name, box.locator("input"))
            see_change(notebook, name, box.locator("input"))
            moved.add(name)


@pytest.mark.parametrize(("kind", "sources"), list(explorer_cells()))
def test_every_control_moves_by_keyboard(kind, sources, open_notebook, screenshots, request):
    notebook = open_notebook(*sources)
    page, name = notebook.page, request.node.callspec.id
    cells = notebook.run()
    assert [cell["count"] for cell in cells] == list(range(1, len(sources) + 1))
    assert [cell["errors"] for cell in cells] == [[]] * len(sources)
    notebook.settle()
    page.screenshot(path=screenshots / f"{name}.png")
    size = page.locator(f"{EXPLORER} .widget-image").bounding_box()
    box = page.locator(EXPLORER).first.evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert box[0] <= box[1], "wider than the window"
    assert len(page.locator(f"{EXPLORER} .widget-image").get_attribute("alt")) > 10
    assert page.get_by_role("img").filter(visible=True).count() >= 1

    for button in ("next frame", "previous frame"):
        before = notebook.settle()
        page.get_by_title(button).press("Enter")
        notebook.changed(before)
    move_all(notebook, moved := set())
    assert len(moved) >= 2 and "frame" in moved
    for choices, appear in MODES.get(kind, []):
        for label, option in choices:
            notebook.choose(label, option)
        notebook.settle()
        page.screenshot(path=screenshots / f"{name}-{option.replace(' ', '-')}.png")
        assert not moved & appear
        move_all(notebook, moved)
        assert appear <= moved
    before = notebook.settle()
    page.locator(f"{EXPLORER} .widget-play button").first.press("Enter")
    notebook.changed(notebook.changed(before))
    page.locator(f"{EXPLORER} .widget-play button").first.press("Enter")

    notebook.settle()
    after = page.locator(f"{EXPLORER} .widget-image").bounding_box()
    assert (after["width"], after["height"]) == (size["width"], size["height"])
    assert notebook.errors() == []


def test_the_last_picture_of_a_drag_belongs_to_the_last_value(gradients):
    notebook, page, handle = gradients, gradients.page, gradients.handle("frame")
    notebook.settle()
    notebook.watch()
    start, track = handle.bounding_box(), notebook.control("frame").locator(".noUi-base").bounding_box()
    y = start["y"] + start["height"] / 2
    page.mouse.move(start["x"] + start["width"] / 2, y)
    page.mouse.down()
    for step in range(1, 61):
        page.mouse.move(track["x"] + track["width"] * 0.8 * step / 60, y)
    page.mouse.up()
    value = int(handle.get_attribute("aria-valuetext"))
    assert 200 < value < 299
    page.wait_for_function(f"document.querySelector('{EXPLORER}').innerText.includes('{value}.jpg:')")
    last = notebook.settle() and notebook.digest()
    assert 1 < notebook.watched() <= 60  # the picture moved along, and no picture was drawn in vain
    for key in ("ArrowLeft", "ArrowRight"):
        before = notebook.source()
        handle.press(key)
        notebook.changed(before)
    assert handle.get_attribute("aria-valuetext") == str(value)
    assert notebook.settle() and notebook.digest() == last
    before = notebook.source()
    for _ in range(2):  # begin and end
        page.locator(f"{EXPLORER} .widget-play button").first.press("Enter")
        notebook.changed(before)
    notebook.settle()
    assert value < int(handle.get_attribute("aria-valuetext")) < 299  # it went on from where the slider was
    assert notebook.errors() == []


def test_the_code_is_copied(gradients):
    notebook, page = gradients, gradients.page
    notebook.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(f"{EXPLORER} .lm-Collapse-header, {EXPLORER} .jupyter-widget-Collapse-header").first.click()
    page.get_by_role("button", name="Copy to the clipboard").press("Enter")
    code = page.evaluate("navigator.clipboard.readText()")
    value = notebook.handle("frame").get_attribute("aria-valuetext")
    assert f"explain(network, road.pictures(network, [{value}])[0], 'grad-cam'" in code
    assert page.locator(f"{EXPLORER} pre").inner_text() == code
    assert notebook.errors() == []


def test_errors_do_not_escape(open_notebook):
    """The other tests would be blind without this."""
    cell = """
import ipywidgets as widgets
slider, picture = widgets.IntSlider(description="frame"), widgets.Image(value=b"", width=9, height=9)
slider.observe(lambda _: 1 / 0, "value")
widgets.VBox([widgets.HBox([slider]), picture, widgets.HTML('<b role="alert">No picture.</b>')])"""
    notebook = open_notebook(cell)
    notebook.run()
    notebook.handle("frame").press("ArrowRight")
    notebook.page.wait_for_function("window.kernelErrors.length > 0")
    notebook.page.evaluate("console.error('a broken view')")
    found = "\n".join(notebook.errors())
    assert "ZeroDivisionError" in found and "No picture." in found and "a broken view" in found
