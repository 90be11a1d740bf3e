"""JupyterLab in a real browser. Without a browser these tests are skipped; where CI is set they fail instead."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """Find the browser that $STEERLIB_BROWSER names, else one on the path."""
    return shutil.which(os.environ.get("STEERLIB_BROWSER") or "") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )


class Lab:
    """A JupyterLab server with temporary settings, which serves copies of notebooks in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.notebooks, self.token = folder / "notebooks", secrets.token_hex()
        overrides = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
        for name in ("notebooks", "settings", "workspaces", "app", "home"):
            (folder / name).mkdir()
        (folder / "app" / "overrides.json").write_text(json.dumps(overrides))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.notebooks,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "IdentityProvider.token": self.token,
            "LabApp.app_settings_dir": folder / "app",
            "LabApp.user_settings_dir": folder / "settings",
            "LabApp.workspaces_dir": folder / "workspaces",
            "LabApp.expose_app_in_browser": True,
        }
        # Neither what the user has set, nor what another drive would change, has a say.
        variables = {"JUPYTER_CONFIG_DIR": str(folder / "home"), "JUPYTER_DATA_DIR": str(folder / "home")}
        variables |= {"IPYTHONDIR": str(folder / "home"), "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONDONTWRITEBYTECODE": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STEERLIB_")}
        kept["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
        self.log = folder / "log.txt"
        self.server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", *(f"--{name}={value}" for name, value in options.items())],
            cwd=folder,
            env=kept | variables,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )

    def request(self, path: str, method: str = "GET") -> bytes:
        """Ask the server."""
        header = {"Authorization": f"token {self.token}"}
        url = f"http://127.0.0.1:{self.port}/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=header, method=method), timeout=10) as answer:
            return answer.read()

    def wait(self, seconds: float = 60) -> None:
        """Wait until the server answers."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.request("api/status")
                return
            except OSError:
                if time.monotonic() > end or self.server.poll() is not None:
                    raise RuntimeError(f"JupyterLab does not start:\n{self.log.read_text()}") from None
                time.sleep(0.2)

    def stop_kernels(self) -> None:
        """End every kernel that a notebook has started."""
        for session in json.loads(self.request("api/sessions")):
            self.request(f"api/sessions/{session['id']}", "DELETE")

    def stop(self) -> None:
        """Stop the server, by its process."""
        self.server.terminate()
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()


@pytest.fixture(scope="session")
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
        # In a container there is neither a sandbox nor enough shared memory for Chromium.
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(chromium, tmp_path_factory):
    """JupyterLab, started once for all tests."""
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
