"""Scores of many kinds of maps on many frames: taken, drawn and as a table (notebook 08).

*Scores* are ``name of the score -> kind of map -> a number for each frame``, NaN where it is not defined.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from steerlib.trust import summarize
from steerlib.trust.maps import CONTROLS, ORACLE, UNSIGNED

Scores = Mapping[str, Mapping[str, np.ndarray]]
# What is good, and how good numbers are then: the larger the better.
GOALS = {"↑": lambda values: values, "↓": lambda values: -values, "→ 1": lambda values: -np.abs(values - 1)}
MARKS = {"~": "edge detector", "∘": "center blob"}  # no better than this control
NO_METHODS = (*CONTROLS, ORACLE)
COLORS = dict.fromkeys(CONTROLS, "0.55") | {ORACLE: "black"}


def score_maps(
    function: Callable[..., float], maps: Mapping[str, np.ndarray], *truth: Sequence, signed: bool = False
) -> dict[str, np.ndarray]:
    """Score each frame of each kind of map. Introduced in notebook 08.

    Parameters
    ----------
    function : function
        From a map, and what belongs to its frame, to a number, such as `steerlib.trust.counterfactual`.
    maps : mapping of str to (n, h, w) float
        NaN where a kind of map was not made.
    *truth : sequences of n
        What else `function` takes, of each frame.
    signed : bool
        Leave out the maps without a side (`steerlib.trust.UNSIGNED`).

    Returns
    -------
    dict of str to (n,) float
        NaN where there is no map or no score.
    """
    maps = {kind: made for kind, made in maps.items() if not (signed and kind in UNSIGNED)}
    scores = {kind: np.full(len(made), np.nan) for kind, made in maps.items()}
    for kind, made in maps.items():
        for k in np.flatnonzero(np.isfinite(made).all(axis=(1, 2))):
            scores[kind][k] = function(made[k], *(one[k] for one in truth))
    return scores


def show_scores(scores: Scores, chances: Sequence[float] = ()) -> None:
    """Draw the mean of each score, with its 95 % interval, for each kind of map. Introduced in notebook 08.

    Parameters
    ----------
    scores : Scores
        A panel for each. Controls, which ask no network, are gray; the oracle, which knows the truth, is black.
    chances : sequence of float
        A dotted line in each panel: what a map without knowledge gets.
    """
    import matplotlib.pyplot as plt

    size, kinds = (2.5 + 2.7 * len(scores), 3.7), _kinds(scores)
    _, axes = plt.subplots(1, len(scores), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, (name, found) in zip(axes[0], scores.items()):
        for kind, values in found.items():
            score, color, y = summarize(values), COLORS.get(kind, "#e08214"), kinds.index(kind)
            axis.plot([score.low, score.high], [y, y], color=color, linewidth=3, alpha=0.6)
            axis.plot(score.mean, y, "o", color=color)
        frames = _frames(found)
        title = f"{name} (n ≤ {frames})" if frames else f"{name}: not defined"
        axis.set(title=title, yticks=range(len(kinds)), yticklabels=kinds)
        axis.grid(axis="x", alpha=0.3)
    for axis, chance in zip(axes[0], chances):
        axis.axvline(chance, color="black", linestyle=":")
    axes[0, 0].invert_yaxis()
    plt.show()


def score_rows(scores: Scores, goals: Mapping[str, str], chances: Mapping[str, float]) -> list[list[str]]:
    """Put scores into the rows of a table, for `show_table`. Introduced in notebook 08.

    Parameters
    ----------
    scores : Scores
    goals : mapping of score to {"↑", "↓", "→ 1"}
        What is good; the columns.
    chances : mapping of score to float
        What a map without knowledge gets, for the last row.

    Returns
    -------
    list of list of str
        Means ± half the width of the 95 % interval. Bold is the best method of a column; ~ and ∘ mark what is no better
        than the edge detector and the blob: the interval of their difference, frame by frame, reaches zero.
    """
    good = {name: {kind: GOALS[goals[name]](each) for kind, each in scores[name].items()} for name in goals}
    best = {}
    for name, found in good.items():
        means = {kind: summarize(values).mean for kind, values in found.items() if kind not in NO_METHODS}
        best[name] = max((kind for kind in means if np.isfinite(means[kind])), key=means.get, default=None)

    def cell(name: str, kind: str) -> str:
        if kind not in scores[name]:
            return "–"
        score, frames = summarize(scores[name][kind]), _frames(scores[name])
        if not score.frames:
            return "not defined"
        text = f"{score.mean:.2f} ±{(score.high - score.low) / 2:.2f}"
        text += f" (n = {score.frames})" if score.frames < frames else ""
        for mark, control in MARKS.items():
            if kind not in NO_METHODS and control in good[name]:
                better = summarize(good[name][kind] - good[name][control])
                text += "" if better.low > 0 else f" {mark}"
        return f"**{text}**" if kind == best[name] else text

    head = ["", *(f"{name} {goal} (n = {_frames(scores[name])})" for name, goal in goals.items())]
    rows = [[kind, *(cell(name, kind) for name in goals)] for kind in _kinds(scores)]
    return [head, *rows, ["chance", *(number(chances[name]) if name in chances else "–" for name in goals)]]


def number(value: float) -> str:
    """Give a number with two digits; a score that is defined on no frame has none."""
    return f"{value:.2f}" if np.isfinite(value) else "not defined"


def _kinds(scores: Scores) -> list[str]:
    """List the kinds of maps, in the order in which they come."""
    return list(dict.fromkeys(kind for found in scores.values() for kind in found))


def _frames(found: Mapping[str, np.ndarray]) -> int:
    """Count the frames on which a score was defined, at most; 0 where it has nothing to say of this network."""
    return int(max(np.isfinite(values).sum() for values in found.values()))
