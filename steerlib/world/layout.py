"""The road of a seed: its bends and hills, its lanes and asphalt (notebook 01).

The world is flat in plan and hilly in profile. x and y are meters in the plane, y to the right of x, so that headings
and curvatures are positive to the **right**, as steering angles are. Road coordinates are the distance along the center
line and the offset to its right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steerlib.world.textures import STEP, smooth_noise

BEFORE, AFTER = 60.0, 360.0  # m of road behind its start and beyond its end, so that every view is filled


@dataclass(frozen=True)
class Road:
    """A center line and what varies along it, sampled every 0.5 m from 60 m before the start.

    All arrays are (n,) float32: `distance`, `x`, `y`, `elevation` in m, `heading` in radians, `curvature` in 1/m
    (positive to the right), `lane_width`, `paved_left`, `paved_right` (from the center line to the end of the asphalt)
    in m.
    """

    length: float
    distance: np.ndarray
    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    curvature: np.ndarray
    elevation: np.ndarray
    lane_width: np.ndarray
    paved_left: np.ndarray
    paved_right: np.ndarray
    lanes: tuple[int, int] = (1, 1)  # to the left and to the right of the center line
    own: int = 0  # lanes between the center line and the car's own

    def lane_center(self, distance: np.ndarray | float) -> np.ndarray:
        """Offset in m of the middle of the car's own lane at the distances in m."""
        return self.at("lane_width", distance) * (self.own + 0.5)

    def lane_curvature(self, distance: np.ndarray | float) -> np.ndarray:
        """Curvature in 1/m, positive to the right, of the middle of the car's own lane at the distances in m.

        κ / (1 − κ d), κ being that of the center line, which lies d to the left.
        """
        curvature = self.at("curvature", distance)
        return curvature / (1 - curvature * self.lane_center(distance))

    def index(self, distance: np.ndarray | float) -> np.ndarray:
        """Nearest samples (int) to the distances in m."""
        i = np.rint((np.asarray(distance) + BEFORE) / STEP).astype(np.intp)
        return np.clip(i, 0, len(self.x) - 1)

    def at(self, name: str, distance: np.ndarray | float) -> np.ndarray:
        """Interpolate one of the profiles at the distances in m."""
        return np.interp(distance, self.distance, getattr(self, name))

    def to_world(self, distance: np.ndarray | float, offset: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """World x and y, in m, of road coordinates in m."""
        heading = self.at("heading", distance)
        return (
            self.at("x", distance) - np.sin(heading) * offset,
            self.at("y", distance) + np.cos(heading) * offset,
        )


def make_road(
    seed: int,
    length: float = 1000.0,
    radii: tuple[float, float] = (30.0, 400.0),
    lane_width: float = 3.3,
    lanes: tuple[int, int] = (1, 1),
    own: int = 0,
) -> Road:
    """Lay out the road of a seed: bends, hills, lanes and asphalt of varying width.

    Parameters
    ----------
    seed : int
        The same seed gives the same road.
    length : float
        Drivable length in m.
    radii : (float, float)
        Of the tightest and the widest bends, in m.
    lane_width : float
        Of one lane, in m; it varies by up to 0.25 m.
    lanes, own
        As `Road` has them.

    Returns
    -------
    Road
    """
    rng = np.random.default_rng([seed, 1])
    n = int((BEFORE + length + AFTER) / STEP) + 1
    curvature = np.zeros(n)
    position, heading = int(BEFORE / STEP), 0.0
    while position < n:
        position += int(rng.uniform(5, 60) / STEP)
        radius = radii[0] * (radii[1] / radii[0]) ** rng.uniform() ** 0.8
        turn = min(np.radians(rng.uniform(15, 110)), 160 / radius)
        # Turn back when the road has turned far: a road that closes a circle would run over itself.
        side = -np.sign(heading) if abs(heading) > np.radians(50) else rng.choice([-1.0, 1.0])
        turn = min(turn, np.radians(100) - side * heading)
        samples = max(1, int(radius * turn / STEP))
        curvature[position : position + samples] = side / radius
        heading += side * turn
        position += samples
    curvature += 0.001 * smooth_noise(rng, n, 25 / STEP)
    kernel = np.hanning(int(22 / STEP))  # eased into and out of a bend, as a clothoid does
    curvature = np.convolve(curvature, kernel / kernel.sum(), "same")
    heading = np.cumsum(curvature) * STEP
    middle = heading - curvature * STEP / 2

    lane_width = lane_width + 0.25 * np.tanh(smooth_noise(rng, n, 60 / STEP))
    beyond = [0.15 + 1.2 * (1 + np.tanh(1.5 * smooth_noise(rng, n, 9 / STEP))) for _ in range(2)]
    slope = 0.035 * smooth_noise(rng, n, 45 / STEP)
    profiles = {
        "distance": np.arange(n) * STEP - BEFORE,
        "x": np.cumsum(np.cos(middle)) * STEP,
        "y": np.cumsum(np.sin(middle)) * STEP,
        "heading": heading,
        "curvature": curvature,
        "elevation": np.cumsum(slope) * STEP,
        "lane_width": lane_width,
        "paved_left": lane_width * lanes[0] + beyond[0],
        "paved_right": lane_width * lanes[1] + beyond[1],
    }
    profiles = {name: profile.astype(np.float32) for name, profile in profiles.items()}
    return Road(length, **profiles, lanes=lanes, own=own)
