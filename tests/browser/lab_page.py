"""A notebook that is open in JupyterLab, as a hand and an eye find it."""

import time
from pathlib import Path
from urllib.parse import quote

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


class NotebookPage:
    """A notebook in a browser's tab."""

    def __init__(self, browser, lab, path: Path) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000})
        self.page, self.console = self.context.new_page(), []
        self.page.on("console", lambda message: self.console.append(message) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.console.append(error))
        self.page.set_default_timeout(40_000)
        place = f"http://127.0.0.1:{lab.port}/lab/workspaces/{path.stem}/tree/{quote(path.name)}"
        self.page.goto(f"{place}?reset&token={lab.token}")
        self.page.wait_for_function(IDLE)
        self.page.evaluate(LISTEN)
        # The file browser takes a fifth of the window.
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def run(self) -> list[dict]:
        """Run all cells; give their counts and errors."""
        cells = self.page.evaluate(RUN)
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

    def settle(self, quiet: float = 0.3) -> str:
        """Wait until the picture has not changed for a while; give its address."""
        source, since = self.source(), time.monotonic()
        while time.monotonic() - since < quiet:
            time.sleep(0.02)
            if (now := self.source()) != source:
                source, since = now, time.monotonic()
        return source

    def changed(self, source: str, seconds: float = 20) -> str:
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

    def bytes(self) -> bytes:
        """Give the picture on the page as it was sent."""
        fetched = f"await fetch(document.querySelector('{PICTURE}').src)"
        return bytes(self.page.evaluate(f"async () => [...new Uint8Array(await ({fetched}).arrayBuffer())]"))

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
