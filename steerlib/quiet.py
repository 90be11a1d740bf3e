"""What TensorFlow says while it loads, about accelerators that are missing, is taken for a failure: it is left out.

Whoever wants to see it sets ``TF_CPP_MIN_LOG_LEVEL=0``.
"""

import faulthandler
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Lines of absl's and TensorFlow's log: information, warnings, and errors of a driver that is not there.
LOG = re.compile(
    r"^(\d{4}-\d\d-\d\d [\d:.]+: [IWE] |[IWE]\d{4} [\d:.]+ |WARNING: All log messages before absl"
    r"|To enable the following instructions).*\n?",
    re.MULTILINE,
)


@contextmanager
def held_back(shown: Callable[[str], str] = lambda said: "") -> Iterator[None]:
    """Hold back what is written to standard error, also past Python; write afterwards what `shown` leaves of it."""
    try:
        kept, held = os.dup(2), tempfile.TemporaryFile()  # a pipe would be full at some time
    except OSError:  # no standard error, or no room for what it says
        yield
        return
    crashes = not faulthandler.is_enabled()
    with held:
        try:
            if crashes:  # who dies in here, as TensorFlow does on a processor without AVX, still says where
                faulthandler.enable(kept)
            _flush()
            os.dup2(held.fileno(), 2)
            yield
        finally:
            _flush()
            os.dup2(kept, 2)
            if crashes:
                faulthandler.disable()
            os.close(kept)
            held.seek(0)
            text = shown(held.read().decode(errors="replace"))
            if text and sys.stderr is not None:
                sys.stderr.write(text)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


class _Finder(MetaPathFinder):
    """Finds TensorFlow as Python does, and has it loaded without its log."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == "tensorflow" else None
        if spec and spec.loader:
            load = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                with held_back(lambda said: LOG.sub("", said)):
                    load(module)

            spec.loader.exec_module = quietly
        return spec


def quiet_tensorflow() -> None:
    """Have TensorFlow loaded without its log, whenever that will be, unless the user has set how much of it is shown.

    Its level alone is not enough: while its libraries are loaded, absl has not yet been told about it. TensorFlow is
    not loaded here, for what is light (the arguments of a command, a drive) does without it.
    """
    if os.environ.setdefault(LEVEL, "3") == "3" and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
