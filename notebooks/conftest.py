"""`pytest --nbmake` runs the notebooks with the same client as `make notebooks`: an error in a widget fails them."""

import nbmake.nb_run
import pytest
from execute import Client


def pytest_configure(config: pytest.Config) -> None:
    """Exchange nbmake's client; that it took effect is tested in `tests/test_notebooks.py`."""
    nbmake.nb_run.NotebookClient = Client
