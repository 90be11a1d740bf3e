"""What a network is given of another camera's frames, and what its angles mean in another car (notebook 07)."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import cv2
import numpy as np

from steerlib.drives import Drive
from steerlib.drives.horizon import find_horizon
from steerlib.networks.curvature import SHARE, Factor, fit_factor
from steerlib.networks.network import Network
from steerlib.networks.standard_camera import part_for_horizon
from steerlib.show import overlay
from steerlib.show.explanation import sample_frames

ASKED = 1_000  # frames of the first part of a drive on which a factor is fitted, at most
SHOWN, ACROSS = 6, 420  # frames in the picture of a crop, and the width of each in pixels
HORIZON, EDGE = (230, 60, 60), (255, 200, 0)  # colors


class Framing(NamedTuple):
    """A drive of which a network is given the right part, and how that was found."""

    drive: Drive
    horizon: float  # share of the height
    words: str


def frame_by_horizon(drive: Drive, horizon: float | None = None) -> Framing:
    """Choose the part of a drive's frames that looks as the standard camera's does: one for all frames.

    Parameters
    ----------
    drive : Drive
    horizon : float, optional
        Share of the height. None: found in the motion of the frames.

    Returns
    -------
    Framing
        Its drive is the given one with another `crop`.

    Raises
    ------
    ValueError
        Where the motion does not tell, no frame can be read, or a frame shows too little of the road.
    """
    found = find_horizon(drive) if horizon is None else None
    horizon = found.row if found else horizon
    frame = next(sample_frames(drive, SHOWN), None)
    if frame is None:
        raise ValueError(f"drive {drive.name!r}: none of its frames can be read")
    part = part_for_horizon(horizon, frame.shape[1], frame.shape[0])
    framed = drive.subset(slice(None))
    framed.crop = part.crop
    return Framing(framed, horizon, f"{found or f'horizon at {horizon:.1%} of the height, as said'}; {part}")


def factor_of(drive: Drive, network: Network) -> Factor:
    """Fit the factor between a drive's recorded angles and a network's answers on its first tenth.

    Raises
    ------
    ValueError
        Where that part does not tell, see `steerlib.networks.curvature.fit_factor`.
    """
    answers = np.full(len(drive), np.nan)
    known = np.flatnonzero(np.isfinite(drive.angles[: int(np.ceil(SHARE * len(drive)))]))
    for i in known[np.unique(np.linspace(0, len(known) - 1, min(ASKED, len(known))).astype(int))] if len(known) else ():
        with suppress(ValueError, OSError):  # a frame that cannot be read is told of where it is shown
            answers[i] = network.angle(network.look(drive.frame(i), drive))
    return fit_factor(drive.angles, answers)


def factor_in_words(drive: Drive, network: Network) -> tuple[float, str]:
    """Give the factor that is to be shown, 1 where none can be fitted or it is not clearly another, and say why."""
    try:
        found = factor_of(drive, network)
    except ValueError as error:
        return 1.0, f"{error}: the network's angles are shown as they are, those of the standard car"
    applied = "the network's angles are shown times it" if found.differs else "not clearly another than 1: not applied"
    return (found.value if found.differs else 1.0), f"factor {found}: {applied}"


def film_width(drive: Drive) -> int:
    """Give the width of a film's pictures in pixels: of an upright video so that they are not higher than 640."""
    frame = next(sample_frames(drive, SHOWN), None)
    return 640 if frame is None else min(640, max(320, 2 * round(320 * frame.shape[1] / frame.shape[0])))


def draw_crop(drive: Drive, crop: tuple[float, float], horizon: float | None = None) -> np.ndarray:
    """Draw frames of a drive, dark where a network is not given them, with the horizon and a scale of the height.

    Parameters
    ----------
    drive : Drive
    crop : (top, bottom)
        Shares of the height.
    horizon : float, optional
        Share of the height; None: it is not drawn.

    Returns
    -------
    (H, W, 3) uint8 RGB
        `SHOWN` frames that are spread over the drive, without those that cannot be read.

    Raises
    ------
    ValueError
        Where none of the frames can be read.
    """
    shown = []
    for frame in sample_frames(drive, SHOWN):
        picture = overlay.enlarge(frame, ACROSS)
        rows = [round(share * len(picture)) for share in crop]
        seen = picture[rows[0] : rows[1]].copy()
        picture //= 3
        picture[rows[0] : rows[1]] = seen
        cv2.rectangle(picture, (0, rows[0]), (ACROSS - 1, rows[1] - 1), EDGE, 1)
        if horizon is not None:
            row = round(horizon * len(picture))
            cv2.line(picture, (0, row), (ACROSS - 1, row), HORIZON, 1)
        for percent in range(10, 100, 10):
            row = round(percent / 100 * len(picture))
            cv2.line(picture, (0, row), (8, row), overlay.PAPER, 1)
            cv2.putText(
                picture, f"{percent}", (11, row + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.35, overlay.PAPER, 1, cv2.LINE_AA
            )
        shown.append(picture)
    if not shown:
        raise ValueError(f"drive {drive.name!r}: none of its frames can be read")
    height = max(len(picture) for picture in shown)
    shown = [overlay.fit(picture, height, ACROSS) for picture in shown]
    captions = [f"network sees {crop[0]:.3f}:{crop[1]:.3f}" + (f", horizon {horizon:.3f}" if horizon else "")] * len(
        shown
    )
    return overlay.grid(shown, captions, 3)
