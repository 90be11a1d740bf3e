"""Angles as bends of a road, and the factor between two cars: against a driven circle, least squares, chance."""

import subprocess
import sys

import numpy as np
import pytest

from steerlib.networks.curvature import bend_in_words, curvature, fit_factor
from steerlib.world import wheel_angle


def test_the_curvature_is_that_of_the_circle_which_the_front_wheels_lead_to():
    """Of a bicycle 2.7 m long: the rear wheel rolls along itself, the front wheel along its own direction."""
    for angle in (-150.0, -20.0, 3.0, 90.0):
        turn, step, heading, place, places = np.radians(angle / 15), 0.01, 0.0, np.zeros(2), []
        for _ in range(3000):
            front = place + 2.7 * np.array([np.cos(heading), np.sin(heading)])
            front = front + step * np.array([np.cos(heading + turn), np.sin(heading + turn)])
            place = place + step * np.cos(turn) * np.array([np.cos(heading), np.sin(heading)])
            heading = np.arctan2(*(front - place)[::-1])
            places.append(place)
        first, middle, last = (np.array(places)[k] for k in (0, 1500, 2999))
        sides = [np.hypot(*side) for side in (middle - first, last - middle, last - first)]
        (ax, ay), (bx, by) = middle - first, last - first
        around = 2 * (ax * by - ay * bx) / np.prod(sides)  # curvature of the circle through three points
        assert curvature(angle) == pytest.approx(around, rel=0.01)


def test_an_array_keeps_its_shape_and_what_is_unknown():
    found = curvature(np.array([[0.0, np.nan], [10.0, -10.0]], np.float32))
    assert found.shape == (2, 2) and found[0, 0] == 0 and np.isnan(found[0, 1]) and found[1, 0] == -found[1, 1] > 0
    with pytest.raises(ValueError, match="1400"):
        curvature([0, -1400])
    np.testing.assert_allclose(wheel_angle(curvature([-300.0, 0.0, 25.0])), [-300, 0, 25], atol=1e-9)


@pytest.mark.parametrize(
    ("radius", "words"),
    [
        (123.0, "bend to the right, radius 120 m"),
        (-45.4, "bend to the left, radius 45 m"),
        (949.0, "bend to the right, radius 950 m"),
        (1001.0, "nearly straight"),
        (-5000.0, "nearly straight"),
    ],
)
def test_a_bend_in_words(radius, words):
    assert bend_in_words(15 * np.degrees(np.arctan(2.7 / radius))) == words


def test_no_angle_no_bend():
    assert bend_in_words(-2000) == "no bend: the wheel is turned too far"
    assert bend_in_words(float("nan")) == "unknown" and bend_in_words(0) == "nearly straight"


def road(rng, n, ahead=40):
    """Angles that change slowly, as on a road."""
    return np.convolve(rng.normal(0, 12, n + 8 * ahead), np.hanning(2 * ahead) / np.sqrt(ahead), "same")[: n + ahead][
        :n
    ]


def test_the_factor_is_that_of_least_squares_on_the_first_part():
    rng = np.random.default_rng(0)
    answered = road(rng, 1000)
    recorded = 1.7 * answered + rng.normal(0, 1, 1000)
    recorded[100:] = 0  # what comes later does not count
    recorded[[3, 50]] = np.nan
    answered[7] = np.nan
    kept = np.setdiff1d(np.arange(100), [3, 7, 50])
    expected = np.linalg.lstsq(answered[kept, None], recorded[kept], rcond=None)[0][0]
    found = fit_factor(recorded, answered)
    assert found.value == pytest.approx(expected) and found.frames == 97 and found.differs
    assert str(found).startswith(f"{expected:.2f} ± ") and "first 97 frames" in str(found)


@pytest.mark.parametrize("slow", [1, 10], ids=["every frame errs by itself", "errors last for some frames"])
def test_the_deviation_is_that_of_many_drives(slow):
    rng = np.random.default_rng(1)
    answered = road(rng, 300)
    found = []
    for _ in range(400):
        errors = np.convolve(rng.normal(0, 4, 300 + slow - 1), np.ones(slow) / np.sqrt(slow), "valid")
        found.append(fit_factor(0.6 * answered + errors, answered, share=1))
    values, deviations = np.array(found)[:, :2].T
    assert values.mean() == pytest.approx(0.6, abs=3 * values.std() / 20)
    assert np.median(deviations) == pytest.approx(values.std(), rel=0.35)
    assert np.mean(np.abs(values - 0.6) < 2 * deviations) > 0.85


def test_what_gives_no_factor():
    rng = np.random.default_rng(2)
    answered = road(rng, 1000)
    for recorded, answers, why in (
        (answered[:200], answered[:200], "has 20 angles, 30 are needed"),
        (np.where(np.arange(1000) < 100, 0.01 * answered, answered), answered, "is straight"),
        (np.full(1000, np.nan), answered, "has 0 angles"),
        (answered, rng.normal(0, 5, 1000), "do not follow"),
        (answered, -answered, "do not follow"),
        (answered, np.zeros(1000), "do not follow"),
    ):
        with pytest.raises(ValueError, match=why):
            fit_factor(recorded, answers)
    with pytest.raises(ValueError, match="expected n, n"):
        fit_factor(answered, answered[1:])


def test_a_factor_near_one_does_not_differ():
    rng = np.random.default_rng(3)
    answered = road(rng, 500)
    assert not fit_factor(answered + rng.normal(0, 3, 500), answered, share=1).differs


def test_no_tensorflow_is_needed():
    code = "import sys, steerlib.networks.curvature; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
