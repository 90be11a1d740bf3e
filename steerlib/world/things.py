"""What stands in a rendered view, from the sky to the cars: each drawn where nothing nearer is.

Notebook 01 shows what comes out; nobody needs to read this file to follow the notebooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from steerlib.world.canvas import (
    LABELS,
    OBJECTS_FAR,
    SPEED,
    VEHICLES_FAR,
    Canvas,
    Pose,
)
from steerlib.world.layout import AFTER
from steerlib.world.scenery import Object, Wall
from steerlib.world.sprites import WALL_TEXELS, post_sprite, tree_sprite, wall_texture
from steerlib.world.textures import noise_tile, sample
from steerlib.world.vehicles import CAR_COLORS, CAR_LIGHT, Vehicle, car_model

if TYPE_CHECKING:
    from steerlib.world.camera import Scene


TREE_COLOR = np.array([0.22, 0.29, 0.14])


def draw_backdrop(scene: Scene, canvas: Canvas, without: frozenset) -> None:
    """Draw what is too far to have a place: sky, clouds, hills, the distant line of trees."""
    day = scene.day
    last = int(np.clip(np.ceil(canvas.row(canvas.relief[0], 0.0).min()) + 1, 1, len(canvas.rows)))
    level = canvas.horizon + canvas.slope * canvas.focal_y
    elevation = ((level - canvas.rows[:last]) / canvas.focal_y).astype(np.float32)
    azimuth = np.mod(canvas.heading + np.arctan(canvas.tangent), 2 * np.pi)
    blend = np.clip(elevation * 2.6, 0, 1)[:, None, None]
    color = np.repeat(day.sky_low * (1 - blend) + day.sky_top * blend, len(azimuth), axis=1)
    if "clouds" not in without:
        x = np.tile((azimuth * (3 * 512 / (2 * np.pi))).astype(np.float32), (last, 1))
        y = np.tile((1100 * np.maximum(elevation, 0) + 37 * scene.seed % 512)[:, None], (1, len(azimuth)))
        cloud = cv2.remap(noise_tile(23, 1.3), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        cloud = np.clip(0.5 * (cloud - 1.2 + 2.2 * day.cloud_cover) + 0.25, 0, 1)
        cloud = (0.75 * cloud * np.clip(elevation * 9, 0, 1)[:, None])[..., None]
        color += (day.sky_low**0.5 - color) * cloud
    bins = (azimuth / (2 * np.pi) * 4096).astype(np.intp) % 4096
    for layer, distance in enumerate((2.2, 1.5, 0.9, 0.55)):
        name, element = ("hill", "hills") if layer < 3 else ("vegetation", "hedges")
        if element in without:
            continue
        top = scene.ridges[layer][bins][None, :]
        first = int(np.searchsorted(-elevation, -top.max() - 1 / canvas.focal_y))
        cover = np.clip((top - elevation[first:, None]) * canvas.focal_y + 0.5, 0, 1)
        texture = noise_tile(31, 0.8)[(np.arange(first, last)[:, None] * 2) % 512, (bins * 2 + 97 * layer) % 512]
        shade = (day.ambient + 0.6 * day.sun) * scene.tree_color * (1.5 if layer < 3 else 1.0)
        clear = np.exp(-distance * min(1.0, 400 / day.haze))
        texture = 1 + 0.16 * texture * (0.4 + 0.2 * layer)
        layer_color = (shade * clear) * texture[..., None] + day.sky_low * (1 - clear)
        color[first:] += (layer_color - color[first:]) * cover[..., None]
        canvas.labels[first:last][cover > 0.5] = LABELS[name]
    canvas.color[:last] = color


def draw_wall(scene: Scene, canvas: Canvas, wall: Wall, distance: float) -> None:
    """Draw a standing strip: one ray for each column finds where it meets the wall."""
    start, stop = np.searchsorted(wall.distance, (distance - 8, distance + OBJECTS_FAR))
    if stop - start < 2:
        return
    piece = slice(start, stop)
    forward, right = canvas.forward_right(wall.x[piece], wall.y[piece])
    if forward.max() < 1:
        return
    side = right[:, None] - forward[:, None] * canvas.tangent[None, :]
    crossing = side[:-1] * side[1:] <= 0
    share = side[:-1] / np.where(crossing, side[:-1] - side[1:], 1)
    depth = forward[:-1, None] + share * np.diff(forward)[:, None]
    depth = np.where(crossing & (depth > 0.6), depth, np.inf)
    nearest = depth.argmin(axis=0)
    columns = np.arange(len(canvas.tangent))
    depth, share = depth[nearest, columns], share[nearest, columns]
    met = np.flatnonzero(np.isfinite(depth))
    if not len(met):
        return
    left, end = met[0], met[-1] + 1
    depth, share, nearest = (array[left:end] for array in (depth, share, nearest))
    solid = np.isfinite(depth)
    depth = np.where(solid, depth, 1e6).astype(np.float32)
    along, height = (
        profile[piece][nearest] * (1 - share) + profile[piece][nearest + 1] * share
        for profile in (wall.along, wall.height)
    )
    base, top = canvas.row(depth, 0.0), canvas.row(depth, height)
    first = int(np.clip(np.floor(top[solid].min()), 0, len(canvas.rows)))
    last = int(np.clip(np.ceil(base[solid].max()), 0, len(canvas.rows)))
    if first >= last:
        return
    region = (slice(first, last), slice(left, end))
    rows = canvas.rows[first:last, None]
    share = (rows - top) / (base - top)
    texture_x = np.broadcast_to(np.mod(along, 512 / WALL_TEXELS) * WALL_TEXELS, share.shape)
    texels = np.maximum(WALL_TEXELS / canvas.focal_x, 128 / height / canvas.focal_y)  # for each m of depth
    level = np.log2(depth * texels)
    # Half a texel from the border, in the coarser of the two levels: textures repeat, and the sky above a forest
    # would mix with its trunks.
    border = 0.5 * 2.0 ** np.ceil(np.clip(level, 0, 5))
    rgba = sample(
        wall_texture(wall.kind, wall.seed),
        texture_x.astype(np.float32),
        np.clip(share * 128, border, 128 - border).astype(np.float32),
        np.broadcast_to(level, share.shape),
    )
    # The share of the pixel between the wall's top and bottom; far away a wall fades in, as everything does.
    cover = np.clip(rows - top + 0.5, 0, 1) * np.clip(base - rows + 0.5, 0, 1) * solid
    cover = cover * np.clip((OBJECTS_FAR - depth) / 30, 0, 1)
    rgba = rgba * cover[..., None].astype(np.float32)
    clear = np.exp(-depth / scene.day.haze)[:, None]  # what haze lets through
    light = (wall.tint * (scene.day.ambient + 0.62 * scene.day.sun)).astype(np.float32)
    rgba[..., :3] = rgba[..., :3] * (light * clear) + rgba[..., 3:] * (scene.day.sky_low * (1 - clear))
    canvas.paste(region, rgba, depth[None, :] - np.float32(0.05), wall.label)


def draw_things(scene: Scene, canvas: Canvas, pose: Pose, without: frozenset) -> None:
    """Paste trees, signs, poles and cars, from far to near."""
    x, y, wide, high = scene.places
    forward, right = canvas.forward_right(x, y)
    height, width = canvas.depth.shape
    depth = np.maximum(forward, 1.0)
    wide, high = wide * canvas.focal_x / depth, high * canvas.focal_y / depth  # in pixels
    left, base = width / 2 + right / depth * canvas.focal_x - wide / 2, canvas.row(depth, 0.0)
    seen = (forward > 1.2) & (forward < OBJECTS_FAR) & (high > 1)
    seen &= (left < width) & (left + wide > 0) & (base > 0) & (base - high < height)
    things = [
        (forward[k], scene.objects[k], (left[k], base[k] - high[k], wide[k], high[k])) for k in np.flatnonzero(seen)
    ]
    things = [thing for thing in things if thing[1].element not in without]
    if "vehicles" not in without:
        time = pose.distance / SPEED if pose.time is None else pose.time
        for vehicle in scene.vehicles:
            ahead = vehicle.distance + vehicle.speed * time
            # Oncoming cars are drawn until they have left the picture; who drives ahead keeps a distance.
            near = 7.0 if vehicle.speed > 0 else 0.0
            if near < ahead - pose.distance < VEHICLES_FAR and ahead < scene.road.length + AFTER - 10:
                lane = vehicle.offset
                if lane is None:
                    lane = float(scene.road.at("lane_width", ahead)) / 2 * (1 if vehicle.speed > 0 else -1)
                forward, right = canvas.forward_right(*scene.road.to_world(ahead, lane))
                if forward > (4.5 if vehicle.speed > 0 else 1.0):
                    things.append((forward, vehicle, (ahead, right)))
    for forward, thing, place in sorted(things, key=lambda item: -item[0]):
        if isinstance(thing, Object):
            _paste_object(scene, canvas, thing, float(forward), *place)
        else:
            _paste_vehicle(scene, canvas, thing, float(forward), *place)


def _paste_object(
    scene: Scene, canvas: Canvas, thing: Object, forward: float, left: float, top: float, wide: float, high: float
) -> None:
    """Scale a sprite to its distance and paste it with sub-pixel accuracy."""
    height, width = canvas.depth.shape
    x0, x1 = max(0, int(np.floor(left - 0.5))), min(width, int(np.ceil(left + wide + 0.5)))
    y0, y1 = max(0, int(np.floor(top - 0.5))), min(height, int(np.ceil(top + high + 0.5)))
    if x0 >= x1 or y0 >= y1 or not (canvas.depth[y0:y1, x0:x1] > forward).any():
        return
    sprite = tree_sprite(thing.kind, thing.seed) if thing.element == "trees" else post_sprite(thing.kind)
    level = int(np.clip(np.rint(np.log2(sprite[0].shape[0] / max(high, 1e-3))), 0, len(sprite) - 1))
    texture = sprite[level]
    scale_x, scale_y = texture.shape[1] / wide, texture.shape[0] / high
    start_x = (x0 + 0.5 - left) * scale_x - 0.5
    if thing.mirrored:
        scale_x, start_x = -scale_x, texture.shape[1] - 1 - start_x
    start_y = (y0 + 0.5 - top) * scale_y - 0.5
    matrix = np.array([[scale_x, 0, start_x], [0, scale_y, start_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    rgba = cv2.warpAffine(texture, matrix, (x1 - x0, y1 - y0), flags=flags)
    # Things fade in at the far end of the drawn world, so that none pops up between two frames.
    fade = np.clip((OBJECTS_FAR - forward) / 40, 0, 1) * np.clip(high - 1, 0, 1)
    light = thing.tint * (scene.day.ambient + 0.75 * scene.day.sun)
    rgba = cv2.transform(rgba, _haze(scene, light, forward, fade))
    canvas.paste((slice(y0, y1), slice(x0, x1)), rgba, forward, thing.label)


def _haze(scene: Scene, light: np.ndarray, depth: float, fade: float) -> np.ndarray:
    """Matrix (4, 4) that lights premultiplied colors, puts them behind haze, and fades them."""
    clear = np.exp(-depth / scene.day.haze)
    matrix = np.diag([*light * clear, 1.0])
    matrix[:3, 3] = scene.day.sky_low * (1 - clear)
    return matrix * fade


def _paste_vehicle(scene: Scene, canvas: Canvas, vehicle: Vehicle, forward: float, ahead: float, right: float) -> None:
    """Draw a car as a box model in its own direction, larger than needed, and shrink it into the picture."""
    heading = float(scene.road.at("heading", ahead)) + (0 if vehicle.speed > 0 else np.pi)
    turn = heading - canvas.heading
    cos, sin = np.cos(turn), np.sin(turn)

    ground = float(np.interp(forward, *canvas.relief))
    model, names = car_model(vehicle.van)
    under = np.array([[(-2.4, -1.0, 0.02), (2.4, -1.0, 0.02), (2.4, 1.0, 0.02), (-2.4, 1.0, 0.02)]])
    x, y, z = np.moveaxis(np.concatenate([under, model]), -1, 0)
    depth = np.maximum(forward + x * cos - y * sin, 0.5)
    column = len(canvas.tangent) / 2 + canvas.focal_x * (right + x * sin + y * cos) / depth
    row = canvas.horizon + canvas.focal_y * (canvas.height - ground - z) / depth
    polygons = np.stack([column, row], axis=-1)
    # The corners of a face that looks at the camera run counterclockwise: its signed area tells.
    following = np.roll(polygons, -1, axis=1)
    turning = polygons[..., 0] * following[..., 1] - polygons[..., 1] * following[..., 0]
    facing = turning.sum(axis=1) < 0
    points = polygons.reshape(-1, 2)
    height, width = len(canvas.rows), len(canvas.tangent)
    x0, y0 = (max(0, int(np.floor(low)) - 1) for low in points.min(axis=0))
    x1, y1 = (min(size, int(np.ceil(high)) + 1) for size, high in zip((width, height), points.max(axis=0)))
    if x0 >= x1 or y0 >= y1:
        return
    zoom = 4
    picture = np.zeros(((y1 - y0) * zoom, (x1 - x0) * zoom, 4), np.float32)

    pixels = np.rint((polygons - (x0, y0)) * zoom * 16 - 8).astype(np.int32)
    cv2.fillConvexPoly(picture, pixels[0], (0.0, 0.0, 0.0, 0.55), cv2.LINE_8, 4)
    for polygon, name in ((pixels[k + 1], names[k]) for k in np.flatnonzero(facing[1:])):
        material, face = name.split("_")
        color = vehicle.color if material == "paint" else np.array(CAR_COLORS[material])
        color = color * (1.0 if material == "lamp" else CAR_LIGHT[face])
        cv2.fillConvexPoly(picture, polygon, (*map(float, color), 1.0), cv2.LINE_8, 4)
    rgba = cv2.resize(picture, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    light = np.array(scene.day.ambient + 0.8 * scene.day.sun)
    rgba = cv2.transform(rgba, _haze(scene, light, forward, np.clip((VEHICLES_FAR - forward) / 30, 0, 1)))
    # A little nearer than its middle, so that the ground under the car does not hide its wheels.
    canvas.paste((slice(y0, y1), slice(x0, x1)), rgba, forward - 2.6, "vehicle")
