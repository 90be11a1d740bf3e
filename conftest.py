"""`pytest --nbmake` runs the notebooks with the same client as `make notebooks`: an error in a widget fails them."""

import sys
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Exchange nbmake's client; that it took effect is tested in `tests/test_notebooks.py`."""
    if config.getoption("nbmake", False):  # the other tests need neither nbmake nor what executes notebooks
        import nbmake.nb_run

        sys.path.insert(0, str(Path(__file__).parent / "tools"))
        from execute import Client

        nbmake.nb_run.NotebookClient = Client
