"""Processes that render, so that many pictures take all processors (notebook 02)."""

import signal
from concurrent.futures import Executor

import cv2
from loky import cpu_count, get_reusable_executor

MANY = 400  # pictures: fewer are rendered in this process
MOST_PROCESSES = 16  # that render: each takes memory
IDLE = 60  # s after which a process ends for which there is nothing to render: about a hundred times its start


def process_count() -> int:
    """Give the number of processes that render: as many as there are processors for us, to a limit."""
    return min(cpu_count(), MOST_PROCESSES)


def render_processes() -> Executor:
    """Give the processes that render; the first call starts them, and they stay until nobody has needed them for long.

    They begin afresh, not forked: a copy of a process in which TensorFlow has threads may hang. They do not import the
    main file again, so that a script or notebook needs no ``if __name__ == "__main__"``.
    """
    # The same arguments each time: with others, loky would end these processes and start new ones.
    return get_reusable_executor(process_count(), timeout=IDLE, initializer=_begin_to_render)


def _begin_to_render() -> None:
    """Prepare a process that renders: one thread, and Ctrl-C is left to the process that waits for the pictures."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
