"""Writing a drive into a folder, and the sample drive that comes along (notebook 01)."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from glob import escape
from pathlib import Path

import cv2
import numpy as np

from steerlib.drives import Drive
from steerlib.world.views import render_drive
from steerlib.writing import UNFINISHED, checksums, remove_unfinished

SAMPLE_SEED, SAMPLE_FRAMES = 3088, 300
SAMPLE_README = """# The sample drive

{n} consecutive frames of a rendered road, {interval} s apart, 455 × 256 pixels, with the angle of the steering wheel
for each. Nobody drove here: the frames were made by `python -m steerlib.world data/sample_drive` (`make drive`) with
the seed {seed}; the angles are those of the reference driver, `steerlib.world.Scene.steering`. To be used freely, under
the project's MIT license.

- `data.txt`: one line a frame, `0.jpg -1.210000,2026-05-01 10:00:00:0`; degrees of the steering wheel, positive to
  the right; the milliseconds are not padded, as in the recorded drives that use this format.
- `N.jpg`: the frames.
- `labels/N.png`: what each pixel is, as numbered in `steerlib.world.LABELS`; 128 is added in cast shadows.
- `SHA256SUMS`: checksums, for `sha256sum --check SHA256SUMS`. Its own SHA-256 is
  `{digest}`.
"""


def write_drive(folder: Path | str, drive: Drive, readme: str | None = None) -> None:
    """Write a drive in SullyChen's format: frames, `data.txt` with time stamps, label pictures, checksums.

    Everything is written beside the folder first, so that an interrupted run changes nothing; the next one removes what
    a killed one left.

    Parameters
    ----------
    folder : path
        A drive that this function wrote there before is replaced.
    drive : Drive
    readme : str, optional
        Written as `README.md`; `{digest}` in it becomes the SHA-256 of `SHA256SUMS`.

    Raises
    ------
    FileExistsError
        If the folder holds anything that is not such a drive.
    """
    folder = Path(folder)
    # A process that was killed between the two last steps below left the drive under another name.
    for left in folder.parent.glob(f"{UNFINISHED}{escape(folder.name)}-*"):
        if (left / "old").exists() and not folder.exists():
            (left / "old").rename(folder)
            shutil.rmtree(left, ignore_errors=True)
    if folder.exists():
        sums = folder / "SHA256SUMS"
        listed = {line.split("  ", 1)[-1] for line in sums.read_text().splitlines()} if sums.exists() else set()
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
        if others := sorted(found - listed - {"SHA256SUMS", "README.md"} if listed else found):
            raise FileExistsError(f"{folder} has other files in it ({others[0]}); name a new folder for the drive")
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder.parent)
    with tempfile.TemporaryDirectory(prefix=f"{UNFINISHED}{folder.name}-", dir=folder.parent) as temporary:
        new = Path(temporary) / "new"
        (new / "labels").mkdir(parents=True)
        lines, start = [], datetime(2026, 5, 1, 10)
        times = np.arange(len(drive)) * 0.1 if drive.timestamps is None else drive.timestamps
        for i, (angle, seconds) in enumerate(zip(drive.angles, times)):
            bgr = cv2.cvtColor(drive.frame(i), cv2.COLOR_RGB2BGR)
            _write_picture(new / f"{i}.jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 86])
            if (labels := drive.labels(i)) is not None:
                _write_picture(new / "labels" / f"{i}.png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
            moment = start + timedelta(seconds=round(float(seconds), 3))
            lines.append(f"{i}.jpg {angle:.6f},{moment:%Y-%m-%d %H:%M:%S}:{moment.microsecond // 1000}\n")
        (new / "data.txt").write_text("".join(lines))
        files = sorted(path.relative_to(new).as_posix() for path in new.rglob("*.*"))
        sums = checksums(new, files)
        (new / "SHA256SUMS").write_text(sums)
        if readme:
            digest = hashlib.sha256(sums.encode()).hexdigest()
            (new / "README.md").write_text(readme.replace("{digest}", digest))
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        new.rename(folder)


def _write_picture(path: Path, picture: np.ndarray, options: Sequence[int]) -> None:
    """Write a picture, or raise OSError: OpenCV only returns False when a disk is full."""
    if not cv2.imwrite(str(path), picture, options):
        raise OSError(f"{path} could not be written")


def main() -> None:
    """Render the sample drive into the folder that the first argument names."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/sample_drive")
    interval = 0.1
    readme = SAMPLE_README.replace("{n}", str(SAMPLE_FRAMES)).replace("{seed}", str(SAMPLE_SEED))
    write_drive(
        folder,
        render_drive(SAMPLE_SEED, SAMPLE_FRAMES, interval),
        readme.replace("{interval}", str(interval)),
    )
    print(f"wrote {SAMPLE_FRAMES} frames to {folder}")
