"""Frames for training and frames for validation (notebook 02)."""

import numpy as np

from steerlib.drives.drive import Drive


def split(
    drive: Drive, validation: float = 0.2, by: str = "block", block: int = 35, seed: int = 0
) -> tuple[Drive, Drive]:
    """Split a drive for training and validation (notebook 02).

    Neighboring frames of a film are nearly equal. When they are shuffled, validation frames stand between
    training frames, and the validation error looks far too good.

    Parameters
    ----------
    drive : Drive
    validation : float
        The share for validation, between 0 and 1.
    by : {"block", "shuffle"}
        Whether blocks of consecutive frames or single frames are drawn.
    block : int
        Frames in a block; fewer at the end of a run, which no block reaches across.
    seed : int

    Returns
    -------
    training, validation : Drive
        Both in the order of the drive, sharing its pixels and its name.

    Raises
    ------
    ValueError
        Where an argument is out of range or the drive is too short for two blocks.
    """
    if by not in ("block", "shuffle"):
        raise ValueError(f"by={by!r}: expected 'block' or 'shuffle'")
    if not 0 < validation < 1:
        raise ValueError(f"validation={validation}: expected a share between 0 and 1, both excluded")
    if block < 1:
        raise ValueError(f"block={block}: expected at least one frame")
    size = block if by == "block" else 1
    place = np.arange(len(drive))
    begins = np.append(True, drive.runs[1:] != drive.runs[:-1])[: len(drive)]
    since = place - np.maximum.accumulate(np.where(begins, place, 0))  # frames since the run began
    blocks = np.cumsum(since % size == 0) - 1
    count = len(np.unique(blocks))
    if count < 2:
        raise ValueError(f"{len(drive)} frames make {count} block of {size}: expected at least two to split")
    drawn = np.random.default_rng(seed).permutation(count)[: np.clip(round(validation * count), 1, count - 1)]
    held_out = np.isin(blocks, drawn)
    return drive.subset(~held_out), drive.subset(held_out)
