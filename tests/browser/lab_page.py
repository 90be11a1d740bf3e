"""A JupyterLab server, and a notebook that is open in it, as a hand and an eye find it."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

EXPLORER = ".jp-OutputArea-output .widget-vbox"
PICTURE = f"{EXPLORER} .widget-image"
IDLE = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
# What the kernel says that is an error, kept from the moment the kernel is there.
LISTEN = """() => {
    window.kernelErrors = [];
    window.jupyterapp.shell.currentWidget.sessionContext.iopubMessage.connect((_, message) => {
        if (message.header.msg_type === 'error') window.kernelErrors.push(message.content.traceback.join('\\n'));
    });
}"""
RUN = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await window.jupyterapp.commands.execute('notebook:run-all-cells');
    return panel.content.widgets.filter(cell => cell.model.type === 'code').map(cell => ({
        count: cell.model.executionCount,
        errors: cell.model.outputs.toJSON().filter(output => output.output_type === 'error').map(e => e.evalue),
    }));
}"""
ASK = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const asked = kernel.requestExecute({code});
    let printed = '';
    asked.onIOPub = message => { if (message.header.msg_type === 'stream') printed += message.content.text; };
    await asked.done;
    return printed;
}"""

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# In a container there is neither a sandbox nor enough shared memory for Chromium.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
# Without it JupyterLab asks the reader to choose a kernel.
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


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
        variables |= {"IPYTHONDIR": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
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


class NotebookPage:
    """A notebook in a browser's tab."""

    def __init__(self, browser, lab, path: Path) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000})
        self.page, self.console = self.context.new_page(), []
        self.page.on("console", lambda message: self.console.append(message) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.console.append(error))
        self.page.set_default_timeout(90_000)
        place = f"http://127.0.0.1:{lab.port}/lab/workspaces/{path.stem}/tree/{quote(path.name)}"
        self.page.goto(f"{place}?reset&token={lab.token}")
        self.page.wait_for_function(IDLE)
        self.page.evaluate(LISTEN)
        # The file browser takes a fifth of the window.
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def ask(self, code: str) -> str:
        """Run lines in the kernel, beside the notebook's cells; give what they print."""
        return self.page.evaluate(ASK, code)

    def run_cells(self) -> list[dict]:
        """Run all cells; give their counts and errors."""
        return self.page.evaluate(RUN)

    def run(self) -> list[dict]:
        """Run all cells and wait for the explorer's picture; give the cells' counts and errors."""
        cells = self.run_cells()
        self.page.wait_for_selector(PICTURE)
        self.page.evaluate(f"document.querySelector('{PICTURE}').scrollIntoView({{block: 'center'}})")
        return cells

    def source(self) -> str:
        """Tell which picture is on the page: each new one gets a new address."""
        return self.page.get_attribute(PICTURE, "src")

    def control(self, label: str):
        """Find the boxes of the controls with a label, those that are shown."""
        boxes = self.page.locator(f"{EXPLORER} .widget-hbox > *:visible")
        return boxes.filter(has=self.page.get_by_text(label, exact=True))

    def handle(self, label: str):
        """Find the handle of a slider."""
        return self.control(label).locator(".noUi-handle")

    def choose(self, label: str, option: str) -> str:
        """Choose one of several options by keyboard; give the address of the new picture."""
        before = self.source()
        self.control(label).get_by_label(option, exact=True).press("Space")
        return self.changed(before)

    def settle(self, quiet: float = 0.2) -> str:
        """Wait until the picture has not changed for a while; give its address."""
        source, since = self.source(), time.monotonic()
        while time.monotonic() - since < quiet:
            time.sleep(0.02)
            if (now := self.source()) != source:
                source, since = now, time.monotonic()
        return source

    def changed(self, source: str, seconds: float = 60) -> str:
        """Wait until another picture is shown than that at an address, complete; give its address."""
        self.page.wait_for_function(
            f"old => {{ const image = document.querySelector('{PICTURE}');"
            " return image.src !== old && image.complete && image.naturalWidth > 0; }",
            arg=source,
            timeout=1000 * seconds,
        )
        return self.source()

    def watch(self) -> None:
        """Begin to count the pictures that are shown."""
        observer = "new MutationObserver(changes => { window.pictures += changes.length; })"
        picture = f"document.querySelector('{PICTURE}')"
        self.page.evaluate(f"window.pictures = 0; {observer}.observe({picture}, {{attributeFilter: ['src']}})")

    def watched(self) -> int:
        """Tell how many pictures were shown since `watch`."""
        return self.page.evaluate("window.pictures")

    def digest(self) -> list[int]:
        """Tell pictures apart: the hash of the bytes that the page shows."""
        fetched = f"await (await fetch(document.querySelector('{PICTURE}').src)).arrayBuffer()"
        return self.page.evaluate(f"async () => [...new Uint8Array(await crypto.subtle.digest('SHA-256', {fetched}))]")

    def alerts(self) -> list[str]:
        """Give the error messages that explorers show."""
        return self.page.locator('.jp-OutputArea-output [role="alert"]').all_inner_texts()

    def errors(self) -> list[str]:
        """Give what the kernel and our widgets have complained about."""
        # A page of JupyterLab without news or user settings asks for files that are not there.
        said = [getattr(entry, "text", str(entry)) for entry in self.console]
        widgets = [text for text in said if "Failed to load resource" not in text]
        return [*self.page.evaluate("window.kernelErrors"), *widgets, *self.alerts()]

    def close(self) -> None:
        """Close the tab without saving."""
        self.context.close()


@contextmanager
def opened(browser: object, lab: Lab, *sources: str) -> Iterator[NotebookPage]:
    """Open a notebook of some cells; when it is left, tab and kernel end."""
    path = lab.notebooks / f"{len(list(lab.notebooks.iterdir()))}.ipynb"
    cells = [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), path)
    notebook = NotebookPage(browser, lab, path)
    try:
        yield notebook
    finally:
        notebook.close()
        lab.stop_kernels()
