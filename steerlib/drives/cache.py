"""The small pictures of a drive that were decoded before: in memory where they fit, else in a temporary file."""

import contextlib
import os
import shutil
import tempfile
import threading

import numpy as np

MEMORY = 256  # MB, 6,700 pictures of PilotNet's size, for each way to see a drive; $STEERLIB_CACHE says otherwise


class Cache:
    """Small pictures by their number; what is not kept must be decoded again.

    Pictures that would take more than `MEMORY` lie in a temporary file: whoever reads them takes memory only for those
    that are asked for, and reading one takes a tenth of a millisecond where decoding its frame takes several. The file
    goes to the folder for temporary files ($TMPDIR), if no more than half of what is free there is needed, and is gone
    when the program ends, however that happens. Where there is no room for it, nothing is kept.

    Parameters
    ----------
    count : int
        How many there are.
    size : (h, w)
        Of each in pixels.

    Raises
    ------
    ValueError
        Where the environment variable `STEERLIB_CACHE` is no number of MB.
    """

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        self._shape = (*size, 3)
        self._bytes = int(np.prod(self._shape))
        self._kept = np.zeros(count, bool)
        self._pictures, self._file, self._lock = None, None, threading.Lock()
        if count * self._bytes <= _memory():
            self._pictures = np.zeros((count, *self._shape), np.uint8)  # memory is taken only for what is written
        elif 2 * count * self._bytes <= shutil.disk_usage(tempfile.gettempdir()).free:
            self._file = tempfile.TemporaryFile(buffering=0)

    def missing(self, rows: np.ndarray) -> np.ndarray:
        """Give those of the rows that are not kept, in rising order."""
        return np.unique(rows[~self._kept[rows]])

    def keep(self, row: int, picture: np.ndarray) -> bool:
        """Keep a picture, (h, w, 3) uint8; tell whether there was room for it."""
        if self._pictures is not None:
            self._pictures[row] = picture
        elif self._file is None:
            return False
        else:
            with self._lock:
                try:
                    self._file.seek(row * self._bytes)
                    if self._file.write(np.ascontiguousarray(picture).data.cast("B")) != self._bytes:
                        return False
                except OSError:  # a full disk is no reason to end a training
                    return False
        self._kept[row] = True
        return True

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Give pictures, (m, h, w, 3) uint8, as they are kept: without a copy where they lie side by side in memory.

        Those that are not kept are anything.
        """
        if self._pictures is not None:
            side_by_side = len(rows) and (np.diff(rows) == 1).all()
            return self._pictures[slice(rows[0], rows[-1] + 1) if side_by_side else rows]
        pictures = np.empty((len(rows), *self._shape), np.uint8)
        with self._lock:
            for picture, row in zip(pictures, rows):
                if self._kept[row]:
                    self._file.seek(row * self._bytes)
                    self._file.readinto(picture.data.cast("B"))
        return pictures


def _memory() -> float:
    """Give the bytes that the pictures of a drive may take."""
    text = os.environ.get("STEERLIB_CACHE")
    with contextlib.suppress(ValueError):
        memory = float(text) if text else MEMORY
        if memory >= 0:
            return memory * 2**20
    raise ValueError(f"STEERLIB_CACHE={text!r}: expected a number of MB, at least 0")
