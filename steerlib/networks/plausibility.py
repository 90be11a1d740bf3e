"""Answers that cannot be those of a network that is asked rightly: said before a map of them is believed."""

from __future__ import annotations

import warnings
from zlib import crc32

import numpy as np

from steerlib.drives import Drive
from steerlib.networks.network import Network, checksum

ASKED = 64  # frames
FLAT = 0.05  # degrees: answers that vary by less do not steer
FEWEST = 10  # frames: fewer say nothing of how answers vary
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
        A sentence for each doubt; none where there is none, or fewer than 10 frames could be read. They are kept with
        the network, and asked for anew where it was trained.
    """
    if len(drive) < FEWEST:
        return []
    # The network may have been trained since, and the angles repaired.
    state = 0 if network.model is None else checksum(network.model), crc32(drive.angles.tobytes())
    kept = network.doubts.get(drive)
    if kept is None or kept[0] != state:
        asked = list(drive.spread(ASKED))
        pictures = [network.look(frame, drive) for _, frame in asked]
        recorded = drive.angles[[i for i, _ in asked]]
        found = doubts_about(network.angles(np.stack(pictures)), recorded) if len(asked) >= FEWEST else []
        network.doubts[drive] = kept = state, found
    return kept[1]


def warn_of_doubts(network: Network, drive: Drive, stacklevel: int = 3) -> None:
    """Warn of what speaks against a network's answers to a drive, once: an `AnswerWarning`."""
    known = network.doubts.get(drive)
    doubts = plausible_answers(network, drive)
    if doubts and (known is None or known[1] is not doubts):
        warnings.warn(in_words(network, drive, doubts), AnswerWarning, stacklevel=stacklevel)


def doubts_about(answers: np.ndarray, recorded: np.ndarray) -> list[str]:
    """Say what speaks against answers, (n,) degrees, where (n,) degrees were recorded, NaN where none were."""
    answers, recorded = answers.astype(np.float64), recorded.astype(np.float64)
    if answers.std() < FLAT:
        same = f"it answers {answers.mean():+.2f}° to each of {len(answers)} frames"
        return [f"{same}: it learned nothing, or its pictures are prepared wrongly"]
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
        f"{told}. Maps explain these answers, right or wrong: "
        "python -m steerlib inspect finds out how its pictures must be prepared"
    )


def correlation_or_nan(one: np.ndarray, other: np.ndarray) -> float:
    """Give Pearson's correlation of two arrays of one shape; NaN where one of them does not vary."""
    if not np.size(one) or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(np.ravel(one), np.ravel(other))[0, 1])
