"""Is the map true? Scores of maps against what really steers, and controls that any good map must beat (notebook 08).

A *map* is as large as the network's picture, of any method and any unit. Where a score asks *where*, it takes the
magnitude of the map, so that signed and unsigned maps are treated alike; where it asks for the *side*, it takes the map
as it is, positive for right. Which of the two is said with each score. A score is a number for one frame and one map;
`summarize` makes a mean with an interval of the numbers of many frames. A score that is not defined on a frame is NaN
there, and `summarize` tells on how many frames it was defined.
"""

from steerlib.trust.interventions import STILL, TINY, Curve, Shift, deletion, important, insertion, shift_test
from steerlib.trust.known import BAND, known_image, known_map, known_network
from steerlib.trust.maps import UNSIGNED, Method, center_map, controls, edge_map, make_maps, methods, random_map
from steerlib.trust.numbers import Score, correlation, rank_correlation, summarize
from steerlib.trust.sanity import Similarity, cascade, randomizations, similarity, weighted
from steerlib.trust.scores import (
    LINES,
    agreement,
    changed,
    counterfactual,
    counterfactual_side,
    mass_accuracy,
    matter,
    mirror,
    pointing_game,
    rank_accuracy,
    sign_agreement,
)
from steerlib.trust.views import score_views

__all__ = [
    "BAND",
    "LINES",
    "STILL",
    "TINY",
    "UNSIGNED",
    "Curve",
    "Method",
    "Score",
    "Shift",
    "Similarity",
    "agreement",
    "cascade",
    "center_map",
    "changed",
    "controls",
    "correlation",
    "counterfactual",
    "counterfactual_side",
    "deletion",
    "edge_map",
    "important",
    "insertion",
    "known_image",
    "known_map",
    "known_network",
    "make_maps",
    "mass_accuracy",
    "matter",
    "methods",
    "mirror",
    "pointing_game",
    "random_map",
    "randomizations",
    "rank_accuracy",
    "rank_correlation",
    "score_views",
    "shift_test",
    "sign_agreement",
    "similarity",
    "summarize",
    "weighted",
]
