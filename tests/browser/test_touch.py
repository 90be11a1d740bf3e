"""A hand on an explorer's picture, in JupyterLab and Chromium: what it reads, moves, paints and erases.

The numbers on the page are compared with those that the kernel has, and the page's colors with `steerlib.show.overlay`.
"""

import base64
import re
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from lab_page import EXPLORER, IDLE, NotebookPage, opened
from matplotlib.path import Path as Line

from steerlib.show import overlay
from steerlib.show.explorers import view

SCRIPT = Path(view.__file__).with_name("view.js").read_text("utf-8")
SETUP = """
import numpy as np
from steerlib import explorers, load_drive, load_network, occlude, predict
drive, network = load_drive({drive}), load_network()
drive = drive.subset(range(40))"""
# A map of few windows, on its own scale, is there at once.
OCCLUSION = """
explorer = explorers.occlusion(network, drive)
for name, value in {"pair": False, "stride": 8, "scale": "this frame"}.items():
    explorer.controls[name].value = value
explorer"""
STAGE, SAID, SILENT = ".steerlib-stage", ".steerlib-said", ".steerlib-silent"
# What is on the page: the picture, and what the page has drawn over it, as a PNG.
SEEN = """async stage => {
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const [image, canvas] = [stage.querySelector('img'), stage.querySelector('canvas')];
    const both = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), context = both.getContext('2d');
    context.drawImage(image, 0, 0);
    context.drawImage(canvas, 0, 0);
    const bytes = new Uint8Array(await (await both.convertToBlob()).arrayBuffer());
    return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''));
}"""

# A drag through the middle that moves in each frame of the screen, also while the next picture is being read.
DRAG = """async stage => {
    const { left, top, width, height } = stage.getBoundingClientRect();
    const fire = (type, share) => stage.dispatchEvent(new PointerEvent(type, {
        pointerId: 1, clientX: left + share * width, clientY: top + 0.4 * height, bubbles: true,
    }));
    fire('pointerdown', 0.25);
    for (let i = 0; i < 60; i++) {
        await new Promise(requestAnimationFrame);
        fire('pointermove', 0.25 + i / 120);
    }
    fire('pointerup', 0.75);
    fire('pointerleave', 0.75);
}"""


def seen(page, which=0):
    """The picture that a reader sees, (H, W, 3)."""
    png = np.frombuffer(base64.b64decode(page.locator(STAGE).nth(which).evaluate(SEEN)), np.uint8)
    return cv2.imdecode(png, cv2.IMREAD_COLOR)[..., ::-1]


class Hand:
    """A hand on the picture of an explorer, whose map has 66 rows and 200 columns."""

    def __init__(self, notebook, which=0):
        self.notebook, self.page, self.which = notebook, notebook.page, which

    def at(self, column, row, top=0, left=0, wide=900, high=None):
        """The place on the screen of the middle of a pixel."""
        image = self.page.locator(f"{STAGE} img").nth(self.which)
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        if high is None:  # the view is what lies above the strip of angles, whatever the camera's proportions
            high = image.evaluate("image => image.naturalHeight") - 60
        scale = box["width"] / 900
        return (
            box["x"] + scale * (left + (column + 0.5) * wide / 200),
            box["y"] + scale * (top + (row + 0.5) * high / 66),
        )

    def point(self, column, row):
        self.page.mouse.move(*self.at(column, row))

    def drag(self, *places, hold=0.0):
        self.point(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.point(*place)
            time.sleep(hold)
        self.page.mouse.up()

    def tool(self, name):
        self.page.locator(EXPLORER).nth(self.which).get_by_label(name, exact=True).check()

    def said(self, pattern, seconds=20):
        """Wait until the line below the picture says something; give the match."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, text := self.page.locator(SAID).nth(self.which).inner_text())):
            assert time.monotonic() < end, text
            time.sleep(0.05)
        return found

    def kernel(self, code, expected, seconds=20):
        """Wait until the kernel has some values."""
        end = time.monotonic() + seconds
        while (found := self.notebook.ask(f"print({code})").strip()) != str(expected):
            assert time.monotonic() < end, (found, expected)
            time.sleep(0.1)


@pytest.fixture(scope="module", params=["rendered", "recorded"])
def hand(request, chromium, lab):
    """A hand on the explorer of occlusion, on a rendered and on a recorded drive."""
    drive = "" if request.param == "rendered" else repr(str(request.getfixturevalue("real_drives") / "udacity-ch2"))
    with opened(chromium, lab, SETUP.format(drive=drive), OCCLUSION) as notebook:
        assert all(cell["errors"] == [] for cell in notebook.run())
        notebook.settle()
        yield Hand(notebook)


@pytest.fixture
def whole_map(hand):
    """The same, with a whole map on the page and nothing painted."""
    hand.page.mouse.move(0, 0)
    hand.notebook.ask("explorer.frame.value, explorer.show.value, explorer.size.value = 3, 'whole map', 15")
    hand.tool("point")
    hand.page.get_by_role("button", name="Clear").click()
    hand.said("Click or drag")
    hand.notebook.settle()
    yield hand
    assert hand.notebook.errors() == []


NUMBER = r"([-−+]?[\d.]+(?:e[-+]\d+)?)"


def read(text):
    return float(text.replace("−", "-"))


def test_the_map_is_read_where_the_hand_points(whole_map, screenshots):
    hand = whole_map
    for column, row in [(0, 0), (100, 33), (60, 50), (199, 65), (140, 20)]:
        hand.point(column, row)
        found = hand.said(rf"Column {column}, row {row}\. The map says {NUMBER}( \((\w+)\))? degrees lost when hidden")
        value, largest = map(
            float, hand.notebook.ask(f"print(explorer.map[{row}, {column}], abs(explorer.map).max())").split()
        )
        assert read(found[1]) == pytest.approx(value, rel=0.006, abs=1e-6 * largest)
        assert found[3] == ("right" if value > 0 else "left")
    hand.page.screenshot(path=screenshots / "touch-hover.png")


def test_a_click_or_a_drag_puts_the_window_there(whole_map, screenshots):
    hand, notebook = whole_map, whole_map.notebook
    hand.drag((40, 20))
    hand.kernel("(explorer.show.value, explorer.column.value, explorer.row.value)", ("one window", 40, 20))
    notebook.settle()
    notebook.watch()
    hand.drag(*[(50 + 2 * i, 30 + i // 2) for i in range(51)], hold=0.02)
    hand.kernel("(explorer.column.value, explorer.row.value)", (150, 55))
    notebook.settle()
    assert 3 < notebook.watched() <= 2 * 51  # the angle followed the hand, and no queue was left behind
    effect = float(
        notebook.ask("""
image = drive.pictures(network, [3])[0]
print(float(np.subtract(*predict(network, np.stack([image, occlude(image, (55, 150), 15, explorer.fill.value)])))))""")
    )
    words = f"{abs(effect):.2f}° to the {'right' if effect > 0 else 'left'}"
    assert words in hand.page.locator(EXPLORER).first.inner_text()
    assert notebook.ask("print(explorer.picture.shown['parts'][0]['note'])").strip() == f"steers {words}"
    hand.page.screenshot(path=screenshots / "touch-drag.png")


def test_the_window_stays_under_the_hand_while_pictures_are_read(whole_map):
    notebook = whole_map.notebook
    notebook.ask("columns = []\nexplorer.column.observe(lambda change: columns.append(change['new']), 'value')")
    for _ in range(3):
        notebook.page.locator(STAGE).evaluate(DRAG)
        whole_map.kernel("explorer.column.value > 140", True)
    notebook.settle()
    whole_map.kernel("min(columns) >= 49", True)


def test_the_wheel_changes_the_window_of_who_has_touched_the_picture(whole_map):
    hand, page = whole_map, whole_map.page
    page.get_by_title("next frame").focus()
    hand.point(100, 40)
    page.mouse.wheel(0, -10)
    time.sleep(0.3)
    assert hand.notebook.ask("print(explorer.size.value)").strip() == "15"
    hand.drag((100, 40))
    page.mouse.wheel(0, -120)
    hand.kernel("explorer.size.value", 19)
    page.mouse.wheel(0, 6000)
    hand.kernel("explorer.size.value", 9)


def test_the_keyboard_does_what_the_mouse_does(whole_map, screenshots):
    hand, page = whole_map, whole_map.page
    stage = page.locator(STAGE)
    assert stage.get_attribute("role") == "application" and stage.get_attribute("tabindex") == "0"
    assert "Arrow keys move the window" in stage.get_attribute("aria-label")
    hand.notebook.ask("explorer.column.value, explorer.row.value = 100, 33")
    stage.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown", "Shift+ArrowLeft", "+", "+", "-"):
        page.keyboard.press(key)
    place = "(explorer.show.value, explorer.column.value, explorer.row.value, explorer.size.value)"
    hand.kernel(place, ("one window", 92, 42, 17))
    assert stage.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Space")
    page.keyboard.press("e")
    words = hand.said(r"Hidden by .*, the angle goes from .* steers ([\d.]+)° to the (left|right)")[0]
    assert words in page.locator(".steerlib-live").inner_text()
    page.screenshot(path=screenshots / "touch-keys.png")
    for key in ("ArrowRight", "ArrowRight", "Space", "e"):  # the picture is still to be drawn when e is pressed
        page.keyboard.press(key)
    hand.kernel("explorer.column.value", 94)
    hand.notebook.settle()
    hand.said("Hidden by .*, the angle goes from ")
    page.keyboard.press("Escape")
    hand.said("Column 94, row 42")
    for _ in range(30):
        page.keyboard.press("Shift+ArrowUp")
    hand.kernel("explorer.row.value", 0)
    assert page.evaluate("document.activeElement.className") == "steerlib-stage"


@pytest.mark.parametrize("fill", ["black", "mean", "blur", "median", "erased", "inpaint"])
def test_what_is_painted_is_erased_and_weighed(fill, whole_map, screenshots):
    hand, notebook = whole_map, whole_map.notebook
    hand.tool("brush")
    hand.page.get_by_label("hide by").select_option(fill)
    places = [(80 + i, 40) for i in range(30)]
    hand.drag(*places)
    hand.page.get_by_role("button", name="Erase").click()
    found = hand.said(rf"goes from {NUMBER}° to {NUMBER}°: what was there (made|steers ([\d.]+)° to the (\w+))")
    angle, hidden, effect, low, mean, high = map(
        float,
        notebook.ask(f"""
from steerlib.maps.occlusion import occlude_regions
image, region = drive.pictures(network, [3])[0], np.zeros((1, 66, 200), bool)
region[0, 36:45, 76:114] = True
effect, angle = occlude_regions(network, image, region, {fill!r})[0], network.angle(image)
there = explorer.map[region[0]]
print(angle, angle - effect, effect, there.min(), there.mean(), there.max())""").split(),
    )
    assert (read(found[1]), read(found[2])) == pytest.approx((angle, hidden), abs=0.006)
    if found[3] != "made":
        assert float(found[4]) == pytest.approx(abs(effect), abs=0.006)
        assert found[5] == ("right" if effect > 0 else "left")
    told = hand.said(rf"The map says there {NUMBER} on average, {NUMBER} to {NUMBER} \(.*that promises no sum")
    assert [float(told[i]) for i in (1, 2, 3)] == pytest.approx([mean, low, high], rel=0.01, abs=1e-3)
    hand.page.screenshot(path=screenshots / f"touch-erased-{fill}.png")
    notebook.ask("explorer.frame.value = 4")  # what was said was of another frame
    hand.page.mouse.move(0, 0)
    hand.said("Click or drag")


def test_a_lasso_closes_a_region(whole_map, screenshots):
    hand, ask = whole_map, whole_map.notebook.ask
    ask("erase, regions = explorer.erase, []\nexplorer.erase = lambda *of: (regions.append(of[0]), erase(*of))")
    hand.tool("lasso")
    corners = [(50, 20), (150, 25), (120, 60)]
    hand.drag(*corners)
    hand.page.screenshot(path=screenshots / "touch-lasso.png")
    hand.page.get_by_label("hide by").select_option("black")
    hand.page.get_by_role("button", name="Erase").click()
    found = hand.said(rf"goes from {NUMBER}° to {NUMBER}°")
    sent = ask("print(np.packbits(regions[0]).tobytes().hex())\nexplorer.erase = erase").strip()
    region = np.unpackbits(np.frombuffer(bytes.fromhex(sent), np.uint8)).reshape(66, 200) > 0
    columns, rows = np.meshgrid(np.arange(200) + 0.5, np.arange(66) + 0.5)
    line, centers = Line(np.add([*corners, corners[0]], 0.5)), np.stack([columns.ravel(), rows.ravel()], 1)
    for radius in (-1, 1):  # the mouse stops at whole pixels of the screen: the border may be one of the map's away
        inside = [line.contains_points(centers + move).reshape(66, 200) for move in radius * np.eye(2)]
        assert np.mean(region != inside[0]) < 0.02 and np.mean(region != inside[1]) < 0.02
    angle = ask("print(network.angle(np.where(regions[0][..., None], 0, drive.pictures(network, [3])[0])))")
    assert read(found[2]) == pytest.approx(float(angle), abs=0.01)


def test_erasing_nothing_says_so(whole_map):
    whole_map.page.get_by_role("button", name="Erase").click()
    whole_map.said("Nothing is painted yet")


def test_the_display_needs_no_kernel_and_the_page_says_what_does(chromium, lab, screenshots):
    with opened(chromium, lab, SETUP.format(drive=""), OCCLUSION) as notebook:
        notebook.run()
        notebook.settle()
        hand, page = Hand(notebook), notebook.page
        plain = seen(page)
        strength = page.get_by_label("strength")
        page.evaluate(
            """() => {
            window.sent = [];
            window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.anyMessage.connect(
                (_, {msg, direction}) => direction === 'send' && window.sent.push(msg.header.msg_type));
        }"""
        )
        frame, map, limit = page_parts(notebook)
        for share in (0, 40, 100):
            strength.fill(str(share))
            expected = overlay.overlay(frame, map, limit, True, share / 100)
            if share:
                expected = overlay.mark_peaks(expected, map, limit)
            assert share == 0 or np.abs(seen(page)[:297].astype(int) - expected).mean() < 2.5, share
        page.get_by_label("only the frame").check()
        assert np.abs(seen(page)[:297].astype(int) - frame).mean() < 2.5
        page.get_by_label("only the frame").uncheck()
        strength.fill("80")
        assert np.array_equal(seen(page), plain)
        assert "comm_msg" not in page.evaluate("window.sent")

        # While the kernel is busy the page draws what the kernel will draw.
        busy = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code})"
        page.evaluate(f"code => {{ {busy}; }}", "import time; time.sleep(6)")
        before = notebook.source()
        page.locator(EXPLORER).get_by_label("magnitude").press("Space")
        time.sleep(0.5)
        drawn = seen(page)
        assert notebook.source() == before and np.abs(drawn.astype(int) - plain).mean() > 3
        page.screenshot(path=screenshots / "touch-page-colors.png")
        assert page.locator(SILENT).inner_text() == ""
        notebook.changed(before)
        notebook.settle()
        assert np.abs(seen(page)[:297].astype(int) - drawn[:297]).mean() < 2.5
        assert np.abs(seen(page)[297:].astype(int) - drawn[297:]).mean() < 8  # letters of another font
        assert notebook.errors() == []

        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        page.wait_for_function(f"!({IDLE})")
        before = seen(page)
        page.locator(EXPLORER).get_by_label("signed", exact=True).press("Space")
        strength.fill("60")
        assert np.abs(seen(page).astype(int) - before).mean() > 3
        for name, percentile in (("focus", 90), ("focus", 99), ("focus alone", 99), ("focus alone", 50)):
            page.locator(EXPLORER).get_by_label(name, exact=True).press("Space")
            page.get_by_label("percentile", exact=True).last.fill(str(percentile))
            expected = overlay.focus(frame, map, percentile, alone=name == "focus alone")
            page.screenshot(path=screenshots / f"touch-{name.replace(' ', '-')}-{percentile}.png")
            assert np.abs(seen(page)[:297].astype(int) - expected).mean() < 2.5, (name, percentile)
            assert f"Sharp: the {100 - percentile} %" in page.locator(SAID).inner_text()
        hand.point(100, 40)
        hand.said("Column 100, row 40. The map says")
        assert page.locator(SILENT).inner_text() == ""
        page.mouse.down()
        page.mouse.up()
        page.wait_for_function(f"document.querySelector('{SILENT}').innerText.includes('has not answered')")
        page.screenshot(path=screenshots / "touch-stopped.png")


def test_any_map_can_be_drawn_in_another_way_by_the_page(chromium, lab, screenshots):
    made = """
explorer = explorers.grad_cam(network, drive, frame=3)
explorer.signed.value, explorer.scale.value = True, "this frame"
explorer"""
    with opened(chromium, lab, SETUP.format(drive=""), made) as notebook:
        notebook.run()
        notebook.settle()
        page, plain = notebook.page, seen(notebook.page)
        frame, map, limit = page_parts(notebook)
        picture, percentile = page.get_by_label("picture", exact=True), page.get_by_label("percentile", exact=True)
        assert not percentile.is_visible()
        picture.select_option("magnitude")
        assert np.abs(seen(page)[:297].astype(int) - overlay.overlay(frame, abs(map), limit)).mean() < 2.5
        picture.select_option("focus")
        for share in (90, 60):
            percentile.fill(str(share))
            assert np.abs(seen(page)[:297].astype(int) - overlay.focus(frame, map, share)).mean() < 2.5
        page.screenshot(path=screenshots / "touch-page-focus.png")
        assert not Axe().run(page, context=EXPLORER).response["violations"]
        notebook.ask("explorer.frame.value = 4")  # what was chosen stays for the next frame
        notebook.settle()
        frame, map, _ = page_parts(notebook)
        assert np.abs(seen(page)[:297].astype(int) - overlay.focus(frame, map, 60)).mean() < 2.5
        picture.select_option("in color")
        notebook.ask("explorer.frame.value = 3")
        notebook.settle()
        assert np.array_equal(seen(page), plain)
        assert notebook.errors() == []


def page_parts(notebook):
    """The frame, the map and its limit that the kernel has sent."""
    folder = Path(notebook.ask("import os; print(os.getcwd())").strip())
    notebook.ask("""
import cv2
from steerlib.show import overlay
part = explorer.picture.shown["parts"][0]
frame = cv2.imdecode(np.frombuffer(explorer.picture.frame, np.uint8), 1)[..., ::-1]
np.savez("parts.npz", frame=frame, map=explorer.map, limit=part["limit"])""")
    with np.load(folder / "parts.npz") as parts:
        return parts["frame"], parts["map"], float(parts["limit"])


def test_the_same_place_is_read_in_all_maps(chromium, lab, screenshots):
    with opened(
        chromium, lab, SETUP.format(drive=""), "explorer = explorers.compare(network, drive)\nexplorer"
    ) as notebook:
        notebook.run()
        notebook.settle(1)
        hand = Hand(notebook)
        before = seen(notebook.page).astype(int)
        parts = notebook.ask("print([part['box'] for part in explorer.picture.shown['parts']])")
        boxes = [tuple(map(int, box)) for box in re.findall(r"\((\d+), (\d+), (\d+), (\d+)\)", parts)]
        assert len(boxes) == 2 + int(notebook.ask("print(len(explorer.map))"))
        left, top, wide, high = boxes[4]
        notebook.page.mouse.move(*hand.at(120, 40, top, left, wide, high))
        text = hand.said(r"Column 120, row 40\. The map says .*")[0]
        values = notebook.ask("""
from steerlib.maps import METHODS
from steerlib.maps.method import density
drawn = [density(one) if METHODS[name].pixelwise else one for name, one in explorer.map.items()]
print([float(one[40, 120]) for one in drawn])""")
        said = [read(value) for value in re.findall(rf": {NUMBER}", text)]
        assert said == pytest.approx(eval(values), rel=0.006, abs=1e-4)
        changed = np.abs(seen(notebook.page).astype(int) - before).max(axis=-1) > 20
        for left, top, wide, high in boxes:
            y, x = top + round(40.5 * high / 66), left + round(120.5 * wide / 200)
            assert changed[y - 5 : y + 6, x - 5 : x + 6].any()
        notebook.page.screenshot(path=screenshots / "touch-compare.png")
        hand.tool("brush")
        notebook.page.locator(STAGE).evaluate("e => e.scrollIntoView({block: 'center'})")
        left, top, wide, high = boxes[2]
        notebook.page.mouse.move(*hand.at(100, 40, top, left, wide, high))
        notebook.page.mouse.down()
        notebook.page.mouse.up()
        notebook.page.get_by_role("button", name="Erase").click()
        found = hand.said(rf"Integrated gradients had promised, summed over these pixels, {NUMBER}°")
        total = notebook.ask("print(explorer.map['integrated-gradients'][36:45, 96:105].sum())")
        assert read(found[1]) == pytest.approx(float(total), abs=0.006)
        notebook.page.screenshot(path=screenshots / "touch-compare-erased.png")
        assert notebook.errors() == []


def test_two_explorers_side_by_side_and_a_notebook_that_is_opened_again(chromium, lab):
    two = "one, explorer = explorers.grad_cam(network, drive), explorers.occlusion(network, drive)"
    with opened(chromium, lab, SETUP.format(drive=""), f"{two}\none", "explorer") as notebook:
        notebook.run()
        notebook.page.wait_for_function(f"document.querySelectorAll('{STAGE} img').length === 2")
        notebook.settle()
        page, first, second = notebook.page, Hand(notebook), Hand(notebook, 1)
        page.locator(STAGE).nth(1).scroll_into_view_if_needed()
        before = notebook.ask("print(len(one.picture.value), one.frame.value)")
        second.drag((40, 20))
        second.kernel("(explorer.show.value, explorer.column.value, explorer.row.value)", ("one window", 40, 20))
        assert notebook.ask("print(len(one.picture.value), one.frame.value)") == before
        first.point(100, 30)
        found = first.said(rf"Column 100, row 30\. The map says {NUMBER}")
        value = float(notebook.ask("print(one.map[30, 100])"))
        assert read(found[1]) == pytest.approx(value, rel=0.006, abs=1e-6)
        assert "The map says" not in page.locator(SAID).nth(1).inner_text()
        assert notebook.errors() == []
        shown = [seen(page, i) for i in range(2)]
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_timeout(1000)
        path = max(lab.notebooks.glob("*.ipynb"), key=lambda path: path.stat().st_mtime)
        again = NotebookPage(chromium, lab, path)
        again.page.wait_for_function(
            f"[...document.querySelectorAll('{STAGE} img')].filter(image => image.naturalWidth).length === 2"
        )
        for i in range(2):
            assert np.abs(seen(again.page, i).astype(int) - shown[i]).mean() < 8
        assert again.errors() == []
        again.close()


# ---- the page's functions, without a kernel


@pytest.fixture(scope="module")
def script(chromium):
    """A function that calls one of the page's functions."""
    page = chromium.new_page()
    page.evaluate(
        "async text => { window.view = await import(URL.createObjectURL("
        "new Blob([text], {type: 'text/javascript'}))); }",
        SCRIPT,
    )
    yield lambda code, *values: page.evaluate(f"values => {code}", values)
    page.close()


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("share", [1.0, 0.3, 0.0])
def test_the_page_colors_as_overlay_does(signed, share, script):
    rng = np.random.default_rng(3)
    map = rng.normal(size=(22, 31)).astype(np.float32) if signed else rng.random((22, 31), np.float32)
    frame = rng.integers(0, 256, (100, 140, 3), np.uint8)
    limit, strength = share * float(np.abs(map).max()), 0.7
    expected = overlay.overlay(frame, map, limit, signed, strength, lines=False)
    code = """(() => {
        const [map, frame, limit, palette, ground, strength] = values;
        const large = view.enlarge(Float32Array.from(map), [22, 31], 100, 140);
        return [...view.blend(frame, view.placesOf(large, limit), {palette, ground}, strength)];
    })()"""
    palette, pixels = overlay.palette(signed).ravel().tolist(), np.insert(frame, 3, 255, 2).ravel().tolist()
    got = script(code, map.ravel().tolist(), pixels, limit, palette, overlay.GROUND, strength)
    got = np.array(got, int).reshape(100, 140, 4)[..., :3]
    assert np.abs(got - expected).max() <= (2 if share else 255)
    assert np.abs(got - expected).mean() < 0.5


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_the_page_reads_float16(scale, script):
    map = scale * np.random.default_rng(1).normal(size=(6, 7)).astype(np.float32)
    map[0, :3] = 0, map.max() * 1e-3, -map.max() * 1e-5
    from steerlib.maps.method import SIDES, Explanation

    sent = view.described(view.Part((0, 0, 7, 6), Explanation(map, True, "degrees", SIDES, "", 0.0)), (6, 7))
    code = """(() => {
        const [bytes, largest] = values, map = new DataView(Uint8Array.from(bytes).buffer);
        const part = {map, largest, shape: [6, 7]};
        return Array.from({length: 42}, (_, i) => view.valueAt(part, i % 7, Math.floor(i / 7)));
    })()"""
    got = np.array(script(code, list(sent["map"]), sent["largest"])).reshape(6, 7)
    np.testing.assert_allclose(got, map, rtol=2**-11, atol=2**-24 * abs(map).max())


@pytest.mark.parametrize("place", [(0, 0, 15), (199, 65, 15), (60, 40, 21), (100, 30, 50), (5, 60, 59)])
def test_the_outline_is_what_is_hidden(place, script):
    from steerlib.maps.occlusion import occlude

    column, row, size = place
    rows, columns = np.nonzero(occlude(np.ones((66, 200, 3), np.float32), (row, column), size)[..., 0] == 0)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert script("view.windowAt(...values)", column, row, size, [66, 200]) == expected


def test_a_closed_line_holds_what_matplotlib_says(script):
    rng = np.random.default_rng(5)
    columns, rows = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    for _ in range(20):
        angles = np.sort(rng.random(9)) * 2 * np.pi
        line = np.stack([20 + 19 * rng.random(9) * np.cos(angles), 15 + 14 * rng.random(9) * np.sin(angles)], 1)
        got = np.array(script("[...view.inside(values[0], [30, 40])]", line.tolist())).reshape(30, 40) > 0
        expected = Line(line).contains_points(np.stack([columns.ravel(), rows.ravel()], 1)).reshape(30, 40)
        assert np.array_equal(got, expected)


def test_a_finger_moves_the_window_and_two_change_its_size(whole_map, screenshots):
    hand, page = whole_map, whole_map.page
    touch = page.context.new_cdp_session(page)

    def fingers(kind, *places):
        points = [dict(zip("xy", hand.at(*place)), id=i) for i, place in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        time.sleep(0.05)

    scrolled = page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop")
    fingers("touchStart", (60, 20))
    for column in (80, 100, 120):
        fingers("touchMove", (column, 40))
    fingers("touchEnd")
    hand.kernel("(explorer.show.value, explorer.column.value, explorer.row.value)", ("one window", 120, 40))
    before = int(hand.notebook.ask("print(explorer.size.value)"))
    fingers("touchStart", (100, 40))
    fingers("touchStart", (100, 40), (120, 40))
    for column in (130, 140):
        fingers("touchMove", (100, 40), (column, 40))
    fingers("touchEnd")
    hand.kernel(f"abs(explorer.size.value - {2 * before}) <= 1", True)
    assert page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop") == scrolled
    page.screenshot(path=screenshots / "touch-finger.png")


def test_axe_finds_nothing_in_an_explorer(whole_map):
    """Names, roles, contrast and order, as far as a program can tell."""
    found = Axe().run(whole_map.page, context=EXPLORER).response["violations"]
    assert not found, [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found]


TIED = """
first, second = explorers.occlusion(network, drive), explorers.occlusion(network, drive.mirrored())
for explorer in (first, second):
    for name, value in {"pair": False, "stride": 8, "scale": "this frame"}.items():
        explorer.controls[name].value = value
explorers.tie(first, second, mirrored=True)"""


def test_a_place_is_read_in_both_of_two_tied_pictures(chromium, lab, screenshots):
    with opened(chromium, lab, SETUP.format(drive=""), TIED) as notebook:
        assert all(cell["errors"] == [] for cell in notebook.run())
        notebook.settle()
        hand, other = Hand(notebook), Hand(notebook)
        other.which = 1
        for column, row in [(20, 30), (150, 10)]:
            hand.point(column, row)
            hand.said(rf"Column {column}, row {row}\. The map says")
            found = other.said(rf"Column {199 - column}, row {row}\. The map says {NUMBER}")
            value, largest = map(
                float, notebook.ask(f"print(second.map[{row}, {199 - column}], abs(second.map).max())").split()
            )
            assert read(found[1]) == pytest.approx(value, rel=0.006, abs=1e-6 * largest)
        notebook.page.screenshot(path=screenshots / "touch-tied.png", full_page=True)
        assert notebook.errors() == []
