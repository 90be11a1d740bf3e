"""The other cars on the rendered road: where they are, and what they look like.

Notebook 01 shows what comes out; nobody needs to read this file to follow the notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True)
class Vehicle:
    """A car: where it is at time 0, its speed along the road (negative: towards us) and its color.

    `offset` is in m to the right of the center line; None: the middle of the lane beside it, on the side of its way.
    """

    distance: float
    speed: float
    color: np.ndarray
    van: bool
    offset: float | None = None


@cache
def car_model(van: bool) -> tuple[np.ndarray, list[str]]:
    """Build a car: quadrilaterals (k, 4, 3), x forward, y right, z up in meters, and what each shows."""

    def prism(low: Sequence[float], high: Sequence[float], z: tuple[float, float]) -> dict[str, np.ndarray]:
        rear, front, half = low
        rear_top, front_top, half_top = high
        a = [(rear, -half, z[0]), (front, -half, z[0]), (front, half, z[0]), (rear, half, z[0])]
        b = [(rear_top, -half_top, z[1]), (front_top, -half_top, z[1])]
        b += [(front_top, half_top, z[1]), (rear_top, half_top, z[1])]
        corner = np.array(a + b)
        sides = {"rear": (0, 3, 7, 4), "front": (2, 1, 5, 6), "left": (1, 0, 4, 5), "right": (3, 2, 6, 7)}
        return {name: corner[list(i)] for name, i in {**sides, "top": (4, 7, 6, 5)}.items()}

    def patch(face: np.ndarray, u: tuple[float, float], v: tuple[float, float]) -> np.ndarray:
        a, b, c, d = face
        corners = ((u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1]))
        return np.array([(a * (1 - s) + b * s) * (1 - t) + (d * (1 - s) + c * s) * t for s, t in corners])

    body = prism((-2.2, 2.2, 0.88), (-2.15, 2.1, 0.84), (0.28, 1.0 if van else 0.86))
    cabin = prism((-2.1, 1.5, 0.84), (-2.0, 0.7, 0.74), (1.0, 1.95)) if van else None
    cabin = cabin or prism((-1.75, 1.15, 0.82), (-1.1, 0.35, 0.62), (0.86, 1.42))
    faces = [(face, "paint_" + name) for name, face in body.items()]
    for name in ("left", "right"):
        for u in ((0.1, 0.25), (0.74, 0.89)):
            face = body[name].copy()
            face[:2, 2], face[2:, 2] = 0.02, 0.62
            faces.append((patch(face, u, (0, 1)), "tire_" + name))
    faces.append((patch(body["rear"], (0.02, 0.98), (0.0, 0.18)), "tire_rear"))
    faces.append((patch(body["front"], (0.02, 0.98), (0.0, 0.16)), "tire_front"))
    for u in ((0.03, 0.2), (0.8, 0.97)):
        faces.append((patch(body["rear"], u, (0.62, 0.85)), "brake_rear"))
        faces.append((patch(body["front"], u, (0.5, 0.8)), "lamp_front"))
    faces.append((patch(body["rear"], (0.36, 0.64), (0.35, 0.58)), "plate_rear"))
    for name, face in cabin.items():
        faces.append((face, "paint_" + name))
        if name != "top":
            faces.append((patch(face, (0.07, 0.93), (0.12, 0.85)), "glass_" + name))
    return np.array([face for face, _ in faces]), [name for _, name in faces]


CAR_COLORS = {"tire": (0.06, 0.06, 0.07), "brake": (0.62, 0.06, 0.05), "lamp": (0.95, 0.95, 0.88)}
CAR_COLORS |= {"plate": (0.8, 0.8, 0.78), "glass": (0.1, 0.13, 0.16)}
CAR_LIGHT = {"rear": 0.75, "front": 0.8, "left": 0.7, "right": 0.62, "top": 1.12}


def place_vehicles(length: float, rng: np.random.Generator) -> list[Vehicle]:
    """Put cars on the road: ahead in the own lane, and oncoming."""
    colors = np.array([(0.62, 0.63, 0.65), (0.12, 0.12, 0.14), (0.85, 0.85, 0.85), (0.5, 0.08, 0.07)])
    colors = np.vstack([colors, [(0.1, 0.2, 0.42), (0.32, 0.34, 0.36), (0.2, 0.3, 0.24)]])
    result = []
    for _ in range(int(rng.integers(0, 3))):
        result.append(
            Vehicle(rng.uniform(16, 90), rng.uniform(12.0, 12.5), colors[rng.integers(7)], rng.uniform() < 0.25)
        )
    for distance in np.cumsum(rng.exponential(170, int(length / 60))) + 30:
        result.append(Vehicle(float(distance), -rng.uniform(10, 14), colors[rng.integers(7)], rng.uniform() < 0.25))
    return result
