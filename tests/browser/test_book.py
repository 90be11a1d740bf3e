"""The website: built without a warning, and every page read in Chromium without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from steerlib import explain, load_drive, load_network

ROOT = Path(__file__).resolve().parents[2]
SITE = "https://example.org/steering/"
# What reaches out of the article, where it does not scroll inside a box of its own.
WIDE = """() => {
    const inside = element => element.closest('pre, .table-wrapper, .highlight, math, table');
    return [...document.querySelectorAll('article *')]
        .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !inside(element))
        .map(element => element.outerHTML.slice(0, 80));
}"""
PICTURES = (
    "[...document.images].map(image => [image.alt, image.complete ? image.naturalWidth : 0, image.src.slice(-60)])"
)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of the built site, and what Sphinx said."""
    try:
        import myst_nb  # noqa: F401
    except ImportError:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("the packages of the book are missing: pip install -e '.[book]'")
    folder = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", "-d", folder / "trees", "."]
    environment = os.environ | {"STEERLIB_SITE": SITE}
    run = subprocess.run([*command, folder / "site"], cwd=ROOT, capture_output=True, text=True, env=environment)
    scenes = [sys.executable, "tools/scenes.py", folder / "site" / "_static" / "scenes.js", "2"]
    subprocess.run(scenes, cwd=ROOT, check=True)
    return folder / "site", run


def pages(site):
    return sorted(site.rglob("*.html"))


def test_the_book_is_built_without_a_warning(book):
    site, run = book
    assert run.returncode == 0, run.stderr[-2000:]
    names = {str(page.relative_to(site)) for page in pages(site)}
    notebooks = {
        str(path.relative_to(ROOT).with_suffix(".html")) for path in (ROOT / "notebooks").rglob("[0-9]*.ipynb")
    }
    assert notebooks | {"index.html", "README.html", "docs/reference.html", "search.html"} <= names


def test_search_engines_and_other_sites_find_the_pages(book):
    site = book[0]
    addresses = re.findall("<loc>(.*)</loc>", (site / "sitemap.xml").read_text("utf-8"))
    assert SITE in addresses and f"{SITE}notebooks/03_occlusion.html" in addresses and len(addresses) > 25
    for address in addresses:
        page = (site / (address.removeprefix(SITE) or "index.html")).read_text("utf-8")
        tags = dict(re.findall(r'<meta (?:name|property)="([\w:]+)" content="([^"]+)">', page))
        assert f'<link rel="canonical" href="{address}">' in page
        assert tags["og:url"] == address and tags["og:title"] and 40 < len(tags["description"]) <= 202
        assert (site / tags["og:image"].removeprefix(SITE)).is_file() and "methods" in tags["og:image:alt"]


def test_an_address_that_is_not_whole_is_refused():
    command = [sys.executable, "-c", "import runpy; runpy.run_path('docs/conf.py')"]
    environment = os.environ | {"STEERLIB_SITE": "example.org"}
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert run.returncode and "STEERLIB_SITE='example.org': expected a whole address" in run.stderr


def test_nothing_is_loaded_from_elsewhere(book):
    for page in pages(book[0]):
        text = page.read_text("utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"(?:https?:)?//[^\"]*\"", text)
        assert loaded + re.findall(r"<link\b[^>]*rel=\"(?:stylesheet|preload)\"[^>]*href=\"https?:[^\"]*\"", text) == []
    for style in book[0].rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*[\"']?https?:", style.read_text("utf-8")) == []


def test_links_between_pages_lead_somewhere(book):
    missing = set()
    for page in pages(book[0]):
        for target in re.findall(r"<a\b[^>]*\bhref=\"([^\"#?]+)", page.read_text("utf-8")):
            if not re.match(r"\w+:|//", target) and not (page.parent / target).exists():
                missing.add((page.name, target))
    assert missing == set()


def test_each_explorer_shows_a_picture_and_says_how_to_run_it(book):
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        cells = [cell for cell in nbformat.read(path, 4).cells if re.search(r"^explorers\.", cell.source, re.MULTILINE)]
        for cell in cells:
            kinds = [kind for output in cell.outputs for kind in output.data]
            assert "image/jpeg" in kinds
        text = (book[0] / "notebooks" / f"{path.stem}.html").read_text("utf-8")
        assert text.count("This is an explorer") == len(cells)


def test_every_page_reads_in_the_browser(book, chromium, screenshots):
    """Without a network, on a phone and on a desk, light and dark."""
    problems = []

    def note(message):
        if getattr(message, "type", "error") == "error":
            problems.append(str(getattr(message, "text", message)))

    for scheme, width in (("light", 1280), ("dark", 390)):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", note)
        backgrounds = set()
        for path in pages(book[0]):
            name = path.relative_to(book[0])
            page.goto(path.as_uri())
            for alt, wide, source in page.evaluate(PICTURES):
                if not alt.strip() or not wide:
                    problems.append(f"{name}: picture {source} has alternative text {alt!r} and is {wide} pixels wide")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                problems.append(f"{name}: scrolls sideways at {width} pixels")
            problems += [f"{name}: {element} is wider than {width} pixels" for element in page.evaluate(WIDE)]
            backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            if path.stem in ("index", "05_grad_cam"):
                page.screenshot(path=screenshots / f"book_{path.stem}_{width}.png")
        assert len(backgrounds) == 1, "one color scheme for all pages"
        brightness = sum(int(part) for part in re.findall(r"\d+", backgrounds.pop())[:3]) / 3
        assert (brightness > 128) == (scheme == "light")
        context.close()
    assert problems == []


def test_formulas_are_drawn_with_their_own_font(book, chromium):
    page = chromium.new_page(java_script_enabled=True)
    page.goto((book[0] / "notebooks" / "05_grad_cam.html").as_uri())
    assert page.evaluate("document.fonts.load('16px \"STIX Two Math\"').then(fonts => fonts.length)") == 1
    assert page.evaluate("document.querySelectorAll('math').length") > 20
    # A fraction is higher than a line of text: it is drawn, not spelled out.
    assert (
        page.evaluate("Math.max(...[...document.querySelectorAll('mfrac')].map(e => e.getBoundingClientRect().height))")
        > 25
    )
    page.close()


def test_scenes_can_be_explored_without_python(book, chromium, screenshots):
    """On the page the picture is read and colored as in an explorer, by mouse and by keyboard, and axe agrees."""
    drive, network = load_drive(ROOT / "data" / "sample_drive"), load_network("pilotnet")
    page = chromium.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((book[0] / "docs" / "explore.html").as_uri())
    for scene, i in enumerate((74, 224)):
        for title, name, settings in (
            ("Occlusion", "occlusion", {"sizes": (15,), "stride": 2, "fill": "blur"}),
            ("Integrated gradients", "integrated-gradients", {"fill": "median"}),
        ):
            page.get_by_label("scene").select_option(index=scene)
            page.get_by_label("map", exact=True).select_option(title)
            assert f"frame {i}:" in page.get_by_label("scene").evaluate("e => e.value")
            found = explain(network, drive.pictures(network, [i])[0], name, **settings).density()
            image = page.locator(".steerlib-stage img")
            image.scroll_into_view_if_needed()
            page.wait_for_function("document.querySelector('.steerlib-stage img').naturalWidth == 900")
            box = image.bounding_box()
            page.mouse.move(box["x"] + box["width"] * 80.5 / 200, box["y"] + box["width"] / 900 * 297 * 40.5 / 66)
            page.wait_for_function("document.querySelector('.steerlib-said').innerText.includes('Column 80, row 40')")
            said = page.locator(".steerlib-said").inner_text()
            value = float(re.search(r"says ([\d.e−+-]+)", said)[1].replace("−", "-"))
            assert value == pytest.approx(
                float(found.map[40, 80]), rel=0.01, abs=0.002 * float(np.abs(found.map).max())
            ), said
    # What is drawn follows the strength: at none of it the frame is left, as it is below a map.
    canvas = """() => {
        const canvas = document.querySelector('.steerlib-stage canvas');
        return [...canvas.getContext('2d').getImageData(0, 0, 900, 297).data].reduce((a, b) => a + b) / (900 * 297);
    }"""
    page.screenshot(path=screenshots / "book_explore.png")
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    before = page.evaluate(canvas)
    page.get_by_label("strength").fill("10")
    page.wait_for_timeout(300)
    assert abs(page.evaluate(canvas) - before) > 1
    before = page.evaluate(canvas)
    page.get_by_label("scale", exact=True).select_option("this frame")
    page.wait_for_timeout(300)
    assert abs(page.evaluate(canvas) - before) > 0.05
    page.get_by_label("picture", exact=True).select_option("focus")
    page.get_by_label("percentile", exact=True).fill("70")
    page.wait_for_function("document.querySelector('.steerlib-said').innerText.startsWith('Sharp: the 30 %')")
    page.screenshot(path=screenshots / "book_explore_focus.png")
    page.get_by_label("picture", exact=True).select_option("in color")
    page.locator(".steerlib-stage").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.steerlib-live').innerText.includes('Column 101')")
    assert not Axe().run(page, context="#steerlib-explore").response["violations"]
    assert errors == []
    page.close()
