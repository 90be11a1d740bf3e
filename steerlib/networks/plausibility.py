"""Answers that cannot be those of a network that is asked rightly: said before a map of them is believed."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from steerlib.drives import Drive
from steerlib.networks.network import Network

ASKED = 64  # frames
FLAT = 0.05  # degrees: answers that vary by less do not steer
ENOUGH = 30  # frames: in a few, on a straight road, hardly anybody is better than a constant
HARDLY = 0.05  # of the spread of the recorded angles: it hardly steers
WORSE = 1.1  # as large an error as a constant's is that of many networks where a keyboard steered
DEAD = 0.04  # share of the frames with the very same answer, that of a network of which a part is off


class AnswerWarning(UserWarning):
    """The answers of a network to a drive are in doubt, and so is what explains them."""


def plausible_answers(network: Network, drive: Drive) -> list[str]:
    """Ask whether a network's answers to a drive can be meant (notebook 10).

    Parameters
    ----------
    network : Network
    drive : Drive
        Of whose frames `ASKED` are shown to it, spread over all of it.

    Returns
    -------
    list of str
        A sentence for each doubt; none where there is none, or fewer than 10 frames could be read.
    """
    pictures, recorded = [], []
    for i in np.unique(np.linspace(0, len(drive) - 1, min(ASKED, len(drive))).astype(int)):
        with suppress(ValueError, OSError):  # a frame that cannot be read is told of where it is shown
            pictures.append(network.look(drive.frame(i), drive))
            recorded.append(drive.angles[i])
    return doubts_about(network.angles(np.stack(pictures)), np.array(recorded)) if len(pictures) >= 10 else []


def doubts_about(answers: np.ndarray, recorded: np.ndarray) -> list[str]:
    """Say what speaks against answers, (n,) degrees, where (n,) degrees were recorded, NaN where none were."""
    answers, recorded = answers.astype(np.float64), recorded.astype(np.float64)
    if answers.std() < FLAT:
        return [f"it answers {answers.mean():+.2f}° to each of {len(answers)} frames: it is dead, or wrongly asked"]
    found = []
    values, counts = np.unique(answers, return_counts=True)
    if counts.max() > max(2, DEAD * len(answers)):
        found.append(
            f"it answers exactly {values[counts.argmax()]:+.2f}° to {counts.max()} of {len(answers)} frames, where its "
            "gradients may vanish"
        )
    known = np.isfinite(recorded)
    if known.sum() >= ENOUGH and recorded[known].std() > 0:
        error = float(np.sqrt(np.mean((answers - recorded)[known] ** 2)))
        constant = float(recorded[known].std())
        if answers.std() < HARDLY * constant:
            found.append(f"its answers vary by {answers.std():.2g}°, the recorded angles by {constant:.1f}°")
        if error > WORSE * constant:
            found.append(f"its error of {error:.1f}° is larger than that of a constant, {constant:.1f}°")
    if np.abs(answers).min() > 360:
        found.append(f"all of its answers are beyond 360°, {answers.mean():+.0f}° on average: its unit is another")
    return found


def in_words(network: Network, drive: Drive, doubts: list[str]) -> str:
    """Put doubts about a network's answers to a drive in one message, and say what to do."""
    told = f"network {network.name!r} on drive {drive.name!r}: {'; '.join(doubts)}"
    return (
        f"{told}. Maps explain these answers, right or wrong: python -m steerlib inspect tries how it wants to be asked"
    )
