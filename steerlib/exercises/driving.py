"""Checks of the exercises of notebook 09: the closed loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from steerlib.exercises.verdict import Hint, Verdict, call, check, compare

if TYPE_CHECKING:
    import keras

    from steerlib.networks.network import Network
    from steerlib.world.driving import Log


@check
def check_longest(longest: ArrayLike, logs: Sequence[Log]) -> Verdict:
    """Check the longest time in seconds that passed on each road (n,) without an intervention."""
    from steerlib.world.driving import INTERVAL

    ends = [np.concatenate([[0], log.interventions, [len(log.offset)]]) for log in logs]
    inner = [np.diff(each[:-1]) if len(each) > 2 else np.diff(each) for each in ends]
    mistakes = {
        "these are pictures, ten of which are a second": [np.diff(each).max() for each in ends],
        "the time from the last intervention to the end counts, too": [INTERVAL * each.max() for each in inner],
        "these are the shortest times": [INTERVAL * np.diff(each).min() for each in ends],
        "these are the mean times": [INTERVAL * np.diff(each).mean() for each in ends],
    }
    compare(longest, [INTERVAL * np.diff(each).max() for each in ends], mistakes)
    return Verdict(True, "so long did each road go well")


@check
def check_driver(driver: Callable, seeds: Sequence[int] = (2000, 2001, 2002)) -> Verdict:
    """Check ``driver(offset, heading)``: the wheel's angle from meters to the right and degrees askew to the right."""
    from steerlib.world.driving import autonomy

    for place, turned in (((0.5, 0.0), "half a meter to the right"), ((0.0, 3.0), "3° askew to the right")):
        angle = float(np.asarray(call(driver, *place), float))
        if angle > 0:
            raise Hint(f"the car stands {turned}, and it steers further right: the sign is the wrong way round")
        if angle == 0:
            raise Hint(f"the car stands {turned}, and it does nothing about it")
    if float(np.asarray(call(driver, 0.0, 0.0), float)):
        raise Hint("in the middle of the lane and straight along it, it does not hold the wheel straight")
    if abs(float(np.asarray(call(driver, 0.5, 0.0), float))) < 3:
        raise Hint("it hardly moves the wheel: is its answer in degrees of the steering wheel, not radians?")

    def policy(images: None, scenes: Sequence, poses: Sequence) -> np.ndarray:
        return np.array([float(call(driver, pose.offset, float(np.degrees(pose.heading)))) for pose in poses])

    policy.sees = False
    found = autonomy(policy, seeds, 30.0, progress=False)
    if found.interventions:
        swings = found.steering_rate > 30
        advice = "it swings: let the heading count more" if swings else "in bends it is too far out: let it steer more"
        raise Hint(f"{found.interventions} interventions in {found.seconds:.0f} s; {advice}")
    return Verdict(True, f"nobody had to take over; at most {found.largest_offset:.2f} m from the lane's center")


@check
def check_copies(copies: Callable, network: Network | keras.Model, images: np.ndarray) -> Verdict:
    """Check ``copies(network, images)``: degrees of the answer for each degree that the display shows."""
    from steerlib.networks.training import predict
    from steerlib.world import show_wheel

    left, right = (predict(network, show_wheel(images, np.full(len(images), angle))) for angle in (-20.0, 20.0))
    change = right - left
    mistakes = {
        "this is the change; divide it by the degrees that the light was moved": change.mean(),
        "from -20° to +20° the light moves by 40°": change.mean() / 20,
    }
    compare(call(copies, network, images), change.mean() / 40, mistakes, tolerance=0.01)
    return Verdict(True, "1 is a copycat, 0 does not look at the display")
