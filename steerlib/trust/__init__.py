"""Is the map true? Scores of maps against what really steers, and controls that any good map must beat (notebook 08).

A *map* is as large as the network's picture, of any method and any unit. Where a score asks *where*, it takes the
magnitude of the map, so that signed and unsigned maps are treated alike; where it asks for the *side*, it takes the map
as it is, positive for right. Which of the two is said with each score. A score is a number for one frame and one map;
`summarize` makes a mean with an interval of the numbers of many frames. A score that is not defined on a frame is NaN
there, and `summarize` tells on how many frames it was defined.
"""

from steerlib.trust.elements import FILLS, Promises, hide_elements, load_promises, promise, take_away
from steerlib.trust.interventions import STILL, TINY, Curve, Shift, deletion, important, shift_test
from steerlib.trust.known import BAND, known_image, known_map, known_network
from steerlib.trust.maps import (
    CONTROLS,
    ORACLE,
    UNSIGNED,
    Method,
    center_map,
    controls,
    edge_map,
    make_maps,
    methods,
    oracle,
    random_map,
)
from steerlib.trust.numbers import Score, correlation, rank_correlation, summarize
from steerlib.trust.sanity import Similarity, cascade, randomizations, similarity, weighted
from steerlib.trust.scores import (
    LINES,
    changed,
    counterfactual,
    counterfactual_side,
    degrees_explained,
    mass_accuracy,
    matter,
    pointing_game,
    promises,
    rank_accuracy,
)
from steerlib.trust.views import score_views

__all__ = [
    "BAND",
    "CONTROLS",
    "FILLS",
    "LINES",
    "ORACLE",
    "STILL",
    "TINY",
    "UNSIGNED",
    "Curve",
    "Method",
    "Promises",
    "Score",
    "Shift",
    "Similarity",
    "cascade",
    "center_map",
    "changed",
    "controls",
    "correlation",
    "counterfactual",
    "counterfactual_side",
    "degrees_explained",
    "deletion",
    "edge_map",
    "hide_elements",
    "important",
    "known_image",
    "known_map",
    "known_network",
    "load_promises",
    "make_maps",
    "mass_accuracy",
    "matter",
    "methods",
    "oracle",
    "pointing_game",
    "promise",
    "promises",
    "random_map",
    "randomizations",
    "rank_accuracy",
    "rank_correlation",
    "score_views",
    "shift_test",
    "similarity",
    "summarize",
    "take_away",
    "weighted",
]
