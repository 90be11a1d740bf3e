"""The ground of a rendered view: asphalt, paint, shoulders, grass and the shadows on them.

Notebook 01 shows what comes out; nobody needs to read this file to follow the notebooks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from steerlib.world.canvas import (
    FAR,
    LABELS,
    SHADOW,
    Canvas,
    Pose,
)
from steerlib.world.layout import BEFORE, STEP, Road
from steerlib.world.scenery import ATLAS_CELL, ATLAS_HALF_WIDTH
from steerlib.world.textures import mipmaps, noise_tile, sample

if TYPE_CHECKING:
    from steerlib.world.camera import Scene


@dataclass(frozen=True)
class Line:
    """A line along the road: paint or, without an element, a seam of tar, a gutter, a curb.

    At each sample of the road it has an offset to the right of the center line, in m, and a presence in [0, 1]. The
    color is RGB in [0, 1]; dashes have a length and a period, in m.
    """

    element: str  # "center_line", "edge_lines" or ""
    offset: np.ndarray | float  # (n,) m
    width: float  # m
    color: np.ndarray  # (3,)
    presence: np.ndarray  # (n,)
    dashes: tuple[float, float] | None = None


def _stripe(offset: np.ndarray, center: np.ndarray | float, width: float, footprint: np.ndarray) -> np.ndarray:
    """Share of each pixel's footprint (m) that a painted stripe covers: box-filtered, so that it does not alias."""
    low = np.maximum(offset - footprint / 2, center - width / 2)
    high = np.minimum(offset + footprint / 2, center + width / 2)
    return np.clip((high - low) / footprint, 0, 1)


def _dashes(distance: np.ndarray, dash: float, period: float, footprint: np.ndarray) -> np.ndarray:
    """Share of each pixel's footprint (m) that lies on a dash of a dashed line, in [0, 1]."""
    from_middle = np.abs(np.mod(distance, period) - period / 2)
    share = np.clip(0.5 + (dash / 2 - from_middle) / footprint, 0, 1)
    blur = np.clip(footprint / period, 0, 1)
    return share * (1 - blur) + blur * dash / period


@cache
def _grain() -> list[np.ndarray]:
    """Make the grain of asphalt: mostly fine."""
    return mipmaps(noise_tile(41, 0.35), 7)


@cache
def _meadow() -> list[np.ndarray]:
    """Make the texture of grass and gravel: blades and patches in one."""
    return mipmaps(noise_tile(43, 0.75), 7)


def _footprint(coordinate: np.ndarray) -> np.ndarray:
    """Meters by which a road coordinate (H, W) changes from a pixel to its neighbors, at least 2 cm."""
    sideways = np.abs(np.diff(coordinate, axis=1, append=coordinate[:, -2:-1]))
    downwards = np.abs(np.diff(coordinate, axis=0, append=coordinate[-2:-1]))
    return np.maximum(sideways + downwards, np.float32(0.02))


class NearbyRoad:
    """The piece of road that is seen from a distance, in coordinates that start there: float32 keeps centimeters."""

    def __init__(self, road: Road, distance: float) -> None:
        first, last = int(road.index(distance - 25)), int(road.index(distance + FAR + 40)) + 1
        self.start = first * STEP - BEFORE
        self.x0, self.y0 = float(road.x[first]), float(road.y[first])
        self.x, self.y = road.x[first:last] - road.x[first], road.y[first:last] - road.y[first]
        self.cos, self.sin = np.cos(road.heading[first:last]), np.sin(road.heading[first:last])
        self.curvature = road.curvature[first:last]

    def to_road(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance (from this piece's start) and offset of ground points (H, W), in m.

        A coarse search gives each block of pixels its nearest sample of the center line; two Newton steps for each
        pixel do the rest.
        """
        step_y, step_x = 2, 8
        coarse_x, coarse_y = x[::step_y, ::step_x], y[::step_y, ::step_x]
        samples = slice(None, None, 6)
        squared = (coarse_x[..., None] - self.x[samples]) ** 2 + (coarse_y[..., None] - self.y[samples]) ** 2
        guess = squared.argmin(axis=-1).astype(np.float32) * np.float32(6 * STEP)
        guess = guess.repeat(step_y, axis=0).repeat(step_x, axis=1)[: x.shape[0], : x.shape[1]]
        distance = guess
        for _ in range(2):
            i = np.clip(np.rint(distance / np.float32(STEP)).astype(np.intp), 0, len(self.x) - 1)
            dx, dy = x - self.x[i], y - self.y[i]
            cos, sin, curvature = self.cos[i], self.sin[i], self.curvature[i]
            offset = dy * cos - dx * sin
            # 1 − κd vanishes at the center of the bend; the clamp keeps the step finite there.
            along = (dx * cos + dy * sin) / np.maximum(1 - curvature * offset, np.float32(0.3))
            distance = i * np.float32(STEP) + along
        return distance.astype(np.float32), (offset - 0.5 * curvature * along**2).astype(np.float32)


def draw_ground(scene: Scene, canvas: Canvas, pose: Pose, without: frozenset) -> None:
    """Draw asphalt, paint, shoulders and grass where a row of pixels meets the ground."""
    road, day = scene.road, scene.day
    forward = canvas.relief[0]
    # Beyond a crest the ground is hidden until it rises above the crest again.
    profile = np.minimum.accumulate(canvas.row(forward, 0.0))
    first = int(np.searchsorted(canvas.rows, profile[-1]))
    rows = canvas.rows[first:]
    if len(rows) < 2:
        return
    # On level ground a row is linear in 1 / distance.
    depth = (1 / np.interp(rows, profile[::-1], 1 / forward[::-1])).astype(np.float32)[:, None]
    right = depth * canvas.tangent[None, :]
    cos, sin = np.float32(np.cos(canvas.heading)), np.float32(np.sin(canvas.heading))
    near = NearbyRoad(road, pose.distance)
    x = depth * cos - right * sin + np.float32(canvas.x - near.x0)
    y = depth * sin + right * cos + np.float32(canvas.y - near.y0)
    distance, offset = near.to_road(x, y)
    i = road.index(distance + near.start)

    across, along = _footprint(offset), _footprint(distance)  # m of road that a pixel covers
    # Seen at a flat angle a pixel is long and narrow; a little less blur than its length looks sharper.
    level = np.log2(np.minimum(np.maximum(across, along), 4 * np.minimum(across, along)))

    # Textures are tied to the world, so they flow under the car; only whole tiles are taken off their origin.
    def texture(tile: list, texels: float, u: np.ndarray, v: np.ndarray, u0: float, v0: float) -> np.ndarray:
        u0, v0 = (np.float32(np.mod(value * texels, 512)) for value in (u0, v0))
        return sample(tile, u * np.float32(texels) + u0, v * np.float32(texels) + v0, level + np.log2(texels))

    grain = texture(_grain(), 20.0, offset, distance, 0.0, near.start)
    meadow = texture(_meadow(), 8.0, x, y, near.x0, near.y0)
    atlas_x = (offset + ATLAS_HALF_WIDTH) / ATLAS_CELL
    atlas_y = (distance + np.float32(near.start + BEFORE)) / ATLAS_CELL
    painted = sample(scene.atlas, atlas_x, atlas_y, np.log2(np.maximum(along, across) / ATLAS_CELL))
    painted *= (np.abs(offset) < ATLAS_HALF_WIDTH - 0.5)[..., None]
    shadow, tone = np.clip(painted[..., 0], 0, 1), painted[..., 1]
    if scene.hardness:
        border = scene.hardness * (shadow - 0.5 + scene.leaves * meadow)
        shadow = np.clip(0.5 + border, 0, 1) * np.clip(4 * shadow, 0, 1)

    lane = road.lane_width[i]
    asphalt = 1 + scene.grain * grain + scene.patches * tone
    # The tires polish two tracks in each lane.
    outwards = np.abs(offset)
    from_middle = np.abs(outwards - lane * (np.minimum(np.floor(outwards / lane), max(road.lanes) - 1) + 0.5))
    asphalt *= 1 - scene.tracks * np.exp(-(((from_middle - 0.78) / 0.32) ** 2))
    if scene.joints[1]:
        asphalt *= 1 - scene.joints[1] * _dashes(distance, 0.1, scene.joints[0], along)
    labels = np.full(offset.shape, LABELS["asphalt"], np.uint8)

    # Colors come first here, (3, H, W): arithmetic along the last axes is several times faster.
    seen = slice(i.min(), i.max() + 1)
    covered, marked = np.zeros((2, *offset.shape), np.float32)
    paint = np.zeros((3, *offset.shape), np.float32)
    worn = np.clip(1.12 - scene.wear[i] * (1 + 0.8 * grain), 0.12, 0.97)
    for line in scene.lines:
        marking = line.element != ""
        if (marking and "markings" in without) or line.element in without or not line.presence[seen].any():
            continue
        middle = line.offset if np.isscalar(line.offset) else line.offset[i]
        share = _stripe(offset, middle, line.width, across) * line.presence[i]
        if line.dashes:
            share *= _dashes(distance + np.float32(near.start % line.dashes[1]), *line.dashes, along)
        if marking:
            share *= worn
        share = np.minimum(share, 1 - covered)
        if marking:
            marked += share
        covered += share
        paint += share * line.color.astype(np.float32)[:, None, None]
    labels[marked > 0.25] = LABELS["marking"]

    paved = np.where(offset > 0, road.paved_right[i], road.paved_left[i]) + scene.edge_jitter[i]
    beyond = np.abs(offset) - paved
    off = np.clip(0.5 + beyond / np.maximum(across, 0.04), 0, 1)
    grown = np.clip(0.5 + (beyond - scene.shoulder[i] + 0.35 * meadow) / np.maximum(across, 0.35), 0, 1)
    labels[off > 0.5] = LABELS["shoulder"]
    labels[(off > 0.5) & (grown > 0.5)] = LABELS["grass"]
    labels[np.abs(beyond) < np.maximum(0.12, across / 2)] = LABELS["edge"]

    # A pixel is a mixture of four materials and what is painted: their shares times their colors.
    green = np.clip(0.5 + 0.4 * meadow, 0, 1)
    rough = off * (1 + 0.17 * meadow)
    shares = (
        (1 - off) * (1 - covered) * asphalt,
        rough * (1 - grown),
        rough * grown * (1 - green),
        rough * grown * green,
    )
    colors = np.stack([day.asphalt, day.gravel, *day.grass]).astype(np.float32)
    color = np.tensordot(colors.T, np.stack(shares).astype(np.float32), axes=1)
    color += (1 - off) * (1 + 0.06 * grain) * paint

    if "shadows" in without:
        shadow = np.zeros_like(shadow)
    ambient, sun, haze = (part[:, None, None] for part in (day.ambient, day.sun, day.sky_low))
    color *= ambient + sun * (1 - shadow)
    clear = np.exp(-depth / day.haze)
    canvas.color[first:] = np.moveaxis(color * clear + haze * (1 - clear), 0, -1)
    cast = (shadow > 0.5) & (day.sun.mean() > 0.2)
    canvas.labels[first:] = labels | np.where(cast, SHADOW, 0).astype(np.uint8)
    canvas.depth[first:] = depth
