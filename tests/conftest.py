"""What several tests share."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

# Which kernels TensorFlow computes with depends on the processor unless it is said. It is said here, so that
# test_kernels.py knows which ones are the others.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@pytest.fixture(scope="session")
def real_drives() -> Path:
    """Folder of the real drives beside the checkout: skipped where it is missing, but required in CI."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("the real drives (../shared/data from the root of the checkout) are missing")
    return folder


@pytest.fixture(scope="session")
def shipped_network() -> Callable:
    """Load a shipped network by its name: once, so that what is traced for it is traced once. No test may change it."""
    from steerlib.networks.files import load_network  # TensorFlow, which many tests do without

    return cache(load_network)
