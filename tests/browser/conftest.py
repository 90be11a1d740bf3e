"""JupyterLab in a real browser. Without a browser these tests are skipped; where CI is set they fail instead."""

import os
from pathlib import Path

import pytest
from lab_page import BROWSERS, OPTIONS, Lab, find_browser


# Playwright's event loop runs in this thread until it is closed, and `asyncio.run` fails meanwhile: it is closed with
# each file, so that tests of other files may come before, between and after.
@pytest.fixture(scope="module")
def chromium():
    """A browser under Playwright's control."""
    path, missing = find_browser(), pytest.fail if os.environ.get("CI") else pytest.skip
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright is missing: pip install playwright")
    if path is None:
        missing(
            f"no browser: apt-get install chromium, or name one in $STEERLIB_BROWSER (sought: {', '.join(BROWSERS)})"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    """JupyterLab, started once for a file's tests."""
    server = Lab(tmp_path_factory.mktemp("lab"))
    try:
        server.wait()
        yield server
        server.stop_kernels()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory) -> Path:
    """Folder for pictures of every explorer: $STEERLIB_SCREENSHOTS, else a temporary one."""
    folder = Path(os.environ.get("STEERLIB_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
