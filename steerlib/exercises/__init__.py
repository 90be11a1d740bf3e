"""Checks of the notebooks' exercises: what is wrong with an answer, without giving the solution away.

Each ``check_<name>(answer, ...)`` takes what the reader wrote and, from the notebook, what it was made of (model, drive
...), and returns a `Verdict`; none of them raises. Nothing is compared with a stored number, so the checks hold on any
drive. An answer that is still ``...`` is not answered yet.

One file for each notebook; TensorFlow is imported inside the checks that need it, for notebook 01 does without.
"""

from steerlib.exercises.cam import check_argument, check_by_channel, check_with_columns
from steerlib.exercises.data import check_bends, check_mirror, check_network_input, check_repair
from steerlib.exercises.driving import check_copies, check_driver, check_longest
from steerlib.exercises.grad_cam import check_against_blur, check_grad_cam_left, check_pooled, check_wrong_sides
from steerlib.exercises.hypercolumns import check_correlations, check_mean_of_layers, check_without_channel
from steerlib.exercises.occlusion import check_band_effects, check_blurred_row, check_halves
from steerlib.exercises.own_network import check_beyond_chance, check_factor, check_in_order, check_rows_seen
from steerlib.exercises.training import check_colors, check_cross_validate, check_multiplications
from steerlib.exercises.trust import check_smoothed, check_worth
from steerlib.exercises.verdict import NOT_YET, Verdict
from steerlib.exercises.video import check_evidence_of, check_running_mean, check_saturated
from steerlib.exercises.whole_drive import check_loneliness, check_mean_where, check_same_side

__all__ = [
    "NOT_YET",
    "Verdict",
    "check_against_blur",
    "check_argument",
    "check_band_effects",
    "check_bends",
    "check_beyond_chance",
    "check_blurred_row",
    "check_by_channel",
    "check_colors",
    "check_copies",
    "check_correlations",
    "check_cross_validate",
    "check_driver",
    "check_evidence_of",
    "check_factor",
    "check_grad_cam_left",
    "check_halves",
    "check_in_order",
    "check_loneliness",
    "check_longest",
    "check_mean_of_layers",
    "check_mean_where",
    "check_mirror",
    "check_multiplications",
    "check_network_input",
    "check_pooled",
    "check_repair",
    "check_rows_seen",
    "check_running_mean",
    "check_same_side",
    "check_saturated",
    "check_smoothed",
    "check_with_columns",
    "check_without_channel",
    "check_worth",
    "check_wrong_sides",
]
