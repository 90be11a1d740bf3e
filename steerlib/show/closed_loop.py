"""A drive in closed loop as a film: the camera with the map, the road from above, the wheel (notebook 09)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from steerlib.maps import explain
from steerlib.maps.evidence import evidence
from steerlib.maps.method import Explanation
from steerlib.networks.network import Network, as_network
from steerlib.show import overlay
from steerlib.show.strip import RED, SAMPLE, SECONDS, Moment, draw_strip, even, over
from steerlib.world.car import part_for
from steerlib.world.driving import INTERVAL, OFF_LANE, Log, look_back

if TYPE_CHECKING:
    import keras

ABOVE = 45.0  # m of road that the picture from above shows


def closed_loop_frames(
    log: Log,
    network: Network | keras.Model,
    method: str,
    start: int = 0,
    stop: int | None = None,
    width: int = 640,
    **settings: object,
) -> Iterator[np.ndarray]:
    """Draw a drive in closed loop picture by picture: the camera with the map, the road from above, the wheel.

    Introduced in notebook 09. From above, the car is the black box, its way so far the line behind it; the green band
    reaches one meter to each side of the lane's center. The map has one color scale for all pictures.

    Parameters
    ----------
    log : Log
        Of `steerlib.world.driving.drive_roads`.
    network : Network
        Who drove.
    method : str
        Of `steerlib.METHODS`.
    start, stop : int
        From which picture of the log to which, as in `range`.
    width : int
        Of the camera's picture, in pixels.
    **settings
        For `steerlib.explain`.

    Yields
    ------
    (H, W, 3) uint8 RGB
        All of the same size, both sides even.

    Raises
    ------
    ValueError
        If a method or a setting is none of these, or the log has no such pictures.
    """
    settings, pictures = {"target": "right", "signed": True} | settings, range(len(log.offset))[start:stop]
    if not pictures:
        raise ValueError(f"pictures {start} to {stop}: the log has {len(log.offset)}")

    network = as_network(network)

    def explained(frame: np.ndarray) -> Explanation:
        return explain(network, frame / np.float32(255), method, **settings)

    some = np.unique(np.linspace(pictures[0], pictures[-1], min(SAMPLE, len(pictures))).astype(int))
    made = dict(zip(some.tolist(), map(explained, look_back(log, some, network=network))))
    found = list(made.values())
    _, signed, unit, ends, *_ = found[0]
    limit = overlay.common_limit([one.density().map for one in found])
    bar = overlay.colorbar(width, limit, signed, unit, ends)
    most = {method: 1.5 * max(max(evidence(one.map)) for one in found) or 1.0} if signed else {}
    ruler = 5 * float(np.ceil(max(1, np.abs([log.angle, log.reference]).max()) / 5))
    fps, past = 1 / INTERVAL, deque(maxlen=round(SECONDS / INTERVAL))
    for k in pictures:
        (camera,) = look_back(log, [k], True, network)
        one = made.pop(k, None) or explained(look_back(log, [k], network=network)[0])
        height = round(width * len(camera) / camera.shape[1])
        camera = cv2.resize(camera, (width, height), interpolation=cv2.INTER_AREA)
        picture = np.vstack([over(camera, part_for(network), one.density(), limit), bar])
        picture = overlay.side_by_side(
            [picture, _above(log, k, len(picture), width * 5 // 8)], ["camera", "from above"]
        )
        past.append(Moment(float(log.reference[k]), one.angle, {method: evidence(one.map)} if signed else {}))
        picture = np.vstack([picture, draw_strip(picture.shape[1], past, ruler, most, fps, "reference")])
        yield even(picture)


def _above(log: Log, k: int, height: int, width: int) -> np.ndarray:
    """Draw the road from above, its direction at the car being up: (height, width, 3) uint8."""
    scene, pose = log.scene(), log.pose(k)
    road, scale = scene.road, height / ABOVE
    picture = np.full((height, width, 3), (176, 196, 150), np.uint8)
    turn = float(road.at("heading", pose.distance))
    origin = road.to_world(pose.distance, float(road.at("lane_width", pose.distance)) / 2)

    def pixels(distance: np.ndarray | float, offset: np.ndarray | float) -> np.ndarray:
        """Place points of the road, offsets counted from its center line, in eighths of a pixel."""
        x, y = road.to_world(distance, offset)
        x, y = x - origin[0], y - origin[1]
        forward, right = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        return np.rint(8 * np.stack([width / 2 + scale * right, 0.75 * height - scale * forward], -1)).astype(np.int32)

    along = np.arange(max(pose.distance - 0.5 * ABOVE, 0), pose.distance + ABOVE)
    lane = road.at("lane_width", along)

    def band(left: np.ndarray, right: np.ndarray, color: tuple) -> None:
        corners = np.concatenate([pixels(along, left), pixels(along, right)[::-1]])
        cv2.fillPoly(picture, [corners], color, cv2.LINE_AA, 3)

    def line(distance: np.ndarray, offset: np.ndarray | float, color: tuple, thickness: int) -> None:
        cv2.polylines(picture, [pixels(distance, offset)], False, color, thickness, cv2.LINE_AA, 3)

    band(-lane - 0.3, lane + 0.3, (120, 120, 120))
    band(lane / 2 - OFF_LANE, lane / 2 + OFF_LANE, (130, 158, 120))
    line(along, 0 * along, (240, 190, 40), 2)
    for side in (-1, 1):
        line(along, side * lane, overlay.PAPER, 2)
    last = max([0, *log.interventions[log.interventions <= k]])  # the way ends where the car was put back
    distance = log.distance[last : k + 1]
    line(distance, road.at("lane_width", distance) / 2 + log.offset[last : k + 1], overlay.INK, 2)
    place = pixels(pose.distance, float(road.at("lane_width", pose.distance)) / 2 + pose.offset)
    cos, sin = np.cos(pose.heading), np.sin(pose.heading)
    corners = [(x * sin + y * cos, y * sin - x * cos) for x, y in ((-2.2, -0.9), (2.2, -0.9), (2.2, 0.9), (-2.2, 0.9))]
    car = place + np.rint(8 * scale * np.array(corners)).astype(np.int32)
    cv2.fillPoly(picture, [car], overlay.INK, cv2.LINE_AA, 3)
    words = [f"{abs(pose.offset):.2f} m {'right' if pose.offset > 0 else 'left'} of the lane's center"]
    count = int(np.sum(log.interventions <= k))
    put_back = any(0 <= k - back < 1 / INTERVAL for back in log.interventions)
    words += [f"{k * INTERVAL:.1f} s, {count} intervention{'s' * (count != 1)} so far" + ": put back" * put_back]
    for row, text in enumerate(words):
        cv2.rectangle(picture, (0, 22 * row), (width, 22 * row + 22), overlay.PAPER, cv2.FILLED)
        overlay.write(picture, text, (width // 2, 22 * row + 11), width - 10)
    if put_back:
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), RED, 12)
    return picture
