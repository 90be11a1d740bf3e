"""Checks of the exercises of notebook 10: your own network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steerlib.exercises.verdict import Hint, Verdict, call, check, compare

STRANGER = {"above": 74, "below": 20, "size": 160, "height": 720}  # no network here has these


@check
def check_in_order(in_order: Callable) -> Verdict:
    """Check ``in_order(left, center, right)``: share of frames in which the left camera steers furthest right."""
    left, center, right = np.random.default_rng(0).normal([[3], [0], [-2]], 4, (3, 60))
    left[:3] = center[:3]  # a tie is no order
    mistakes = {
        "the other way round: from the left camera the lane lies to the right": (left < center) & (center < right),
        "only left and center are compared": left > center,
        "only center and right are compared": center > right,
        "only left and right are compared": left > right,
        "these are two shares in one: both must hold in the same frame": [
            (left > center).mean(),
            (center > right).mean(),
        ],
        "equal answers are no order": (left >= center) & (center >= right),
        "one of the two is enough here, expected both": (left > center) | (center > right),
    }
    expected = (left > center) & (center > right)
    shares = {hint: np.mean(found) for hint, found in mistakes.items()}
    answer = call(in_order, left, center, right)
    if np.ndim(answer) == 0 and float(answer) == expected.sum():
        raise Hint("this is a count, expected a share from 0 to 1")
    if np.shape(answer) == expected.shape:
        raise Hint("this is one answer for each frame, expected the share of frames")
    compare(answer, expected.mean(), shares)
    return Verdict(True, "no label was needed: 1 is ideal, and by chance it is 1/6")


@check
def check_factor(factor: Callable) -> Verdict:
    """Check ``factor(answers, recorded)``: degrees for an answer of 1, by least squares, without the missing angles."""
    random = np.random.default_rng(1)
    answers = random.normal(0.1, 0.2, 80)
    recorded = 60 * answers + random.normal(5, 4, 80)
    recorded[::9] = np.nan
    known = np.isfinite(recorded)
    a, r = answers[known], recorded[known]
    mistakes = {
        "this turns the angles into answers: the other way round": (a * r).sum() / (r**2).sum(),
        "this line does not go through zero: a factor has no offset": np.polyfit(a, r, 1)[0],
        "a quotient of spreads knows no sign, and takes noise for signal": r.std() / a.std(),
        "a quotient of means: where the mean is near zero, it may be anything": r.mean() / a.mean(),
        "a mean of quotients: small answers outweigh all others": (r / a).mean(),
        "a median of quotients, expected least squares": np.median(r / a),
        "frames without an angle count as 0°, expected to be left out": (a * r).sum() / (answers**2).sum(),
    }
    answer = call(factor, answers, recorded)
    if np.ndim(answer) == 0 and np.isnan(float(answer)):
        raise Hint("it is NaN: some frames have no recorded angle")
    compare(answer, (a * r).sum() / (a**2).sum(), mistakes)
    return Verdict(True, "its sign is the network's sign, too")


@check
def check_rows_seen(rows_seen: Callable) -> Verdict:
    """Check ``rows_seen(above, below, size, crop, height)``: first and last row of a frame, the latter excluded."""
    above, below, size, height = STRANGER.values()
    top, bottom = crop = (0.25, 0.95)

    def of(first: float, last: float) -> np.ndarray:
        """Turn fractions of the picture's height into rows of the frame."""
        return height * (top + (bottom - top) * np.array([first, last]))

    first, last = above / size, (size - below) / size
    mistakes = {
        "these are rows of the network's picture, expected of the frame": [above, size - below],
        "the crop before the network is missing": [height * first, height * last],
        "the rows below are counted from below, expected from the top": of(first, below / size),
        "these are rows of what is left by the crop: where does it begin?": of(first, last) - height * top,
        "this is the crop alone: the network cuts, too": [height * top, height * bottom],
        "these are fractions, expected rows": of(first, last) / height,
        "this adds the crop's top, but does not shrink to its height": height * (top + np.array([first, last])),
    }
    compare(call(rows_seen, above, below, size, crop, height), of(first, last), mistakes)
    return Verdict(True, "there, and nowhere else, may a pixel steer")


@check
def check_beyond_chance(beyond_chance: Callable) -> Verdict:
    """Check ``beyond_chance(one, other)``: the mean correlation of maps of one frame, less that of different frames."""
    from steerlib.trust import correlation

    random = np.random.default_rng(2)
    shared, own = random.random((6, 8)), random.random((5, 6, 8))  # what all frames have in common, and each alone
    one, other = (2 * shared + own + 0.5 * random.random((5, 6, 8)) for _ in range(2))
    table = np.array([[correlation(a, b) for b in other] for a in one])
    same = np.eye(5, dtype=bool)
    mistakes = {
        "the control is missing: maps of two roads are alike, too": table[same].mean(),
        "this is the control alone": table[~same].mean(),
        "the other way round": table[~same].mean() - table[same].mean(),
        "the control holds pairs of the same frame": table[same].mean() - table.mean(),
        "this is a quotient, expected a difference": table[same].mean() / table[~same].mean(),
        "all frames at once: expected a correlation for each pair of maps": correlation(one, other)
        - np.mean([correlation(one, np.roll(other, k, axis=0)) for k in range(1, 5)]),
    }
    compare(call(beyond_chance, one, other), table[same].mean() - table[~same].mean(), mistakes)
    return Verdict(True, "this much of the agreement is about the road that they see")
