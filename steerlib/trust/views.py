"""Scores on ten thousand views, road by road, in this process or on workers (notebook 11)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from steerlib.chunks import check_workers, over_chunks
from steerlib.drives import Drive
from steerlib.networks.network import Network, as_network
from steerlib.world import render_counterfactuals
from steerlib.world.views import spread_over

if TYPE_CHECKING:
    import keras

Score = Callable[[Network, Drive, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def score_views(
    network: Network | keras.Model,
    score: Score,
    seeds: int | Iterable[int],
    n: int,
    elements: Sequence[str] = (),
    askew: float = 1.0,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: bool = True,
) -> dict[str, np.ndarray]:
    """Score rendered views road by road, so that only the views of one road are in memory of each process.

    Introduced in notebook 11. The views are those of `steerlib.render_counterfactuals` with the same arguments.

    Parameters
    ----------
    network : Network
        Sent to each worker.
    score : function
        ``score(network, views, without)`` gives a number for each of some views, under the name of each score;
        ``without`` has for each element the same views without it, (m, h, w, 3) uint8. With workers it must be one that
        can be sent (cloudpickle).
    seeds, n, elements, askew
        As for `steerlib.render_counterfactuals`.
    workers, scheduler : optional
        See `steerlib.chunks.over_chunks`; how many workers there are changes nothing.
    progress : bool
        Show a bar with the time left.

    Returns
    -------
    dict of str to (n,) array
        In the order of the views.

    Raises
    ------
    ValueError
        If there is no seed or no view, or a score does not give one number for each view.
    """
    check_workers(workers, scheduler, 1)
    roads = spread_over(seeds, n)
    function = partial(_score_road, score, tuple(elements), askew)
    made = over_chunks(function, partial(as_network, as_network(network)), roads, workers, scheduler)
    found = {one.number: one.result for one in tqdm(made, "roads", len(roads), unit="road", disable=not progress)}
    return {name: np.concatenate([found[k][name] for k in range(len(roads))]) for name in found[0]}


def _score_road(
    score: Score, elements: Sequence[str], askew: float, network: Network, road: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Render the views of one road and score them."""
    views, without = render_counterfactuals(*road, elements, askew, network)
    scores = {name: np.asarray(values) for name, values in score(network, views, without).items()}
    for name, values in scores.items():
        if values.shape != (len(views),):
            raise ValueError(f"score {name!r}: expected a number for each of {len(views)} views, got {values.shape}")
    return scores
