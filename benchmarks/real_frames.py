"""Whether maps keep their promises on recorded frames: ``python benchmarks/real_frames.py``. Writes real_frames.md.

Needs Udacity's drive CH2_001 beside the checkout (../shared/data/udacity-ch2). Nobody can take a line off a recorded
road, so the truth here is a picture in which it was painted over: lane markings, found by their color and shape, and
the vehicles of 20 frames, of which the boxes stand below. Painted over twice, by two methods of inpainting, which shows
how far such a truth can be trusted.
"""

import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
from report import machine, publish

from steerlib import load_drive, load_network, trust
from steerlib.drives import Drive
from steerlib.networks.network import Network

TABLE = Path(__file__).resolve().with_suffix(".md")
DRIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "udacity-ch2"
FRAMES = 100  # with markings
# Vehicles by eye: frame -> boxes (left, top, right, bottom) in pixels of a frame of 640 × 480.
VEHICLES = {
    42: [(140, 202, 220, 255), (235, 198, 286, 234)],
    126: [(20, 228, 158, 327), (230, 280, 302, 325)],
    336: [(0, 180, 52, 288), (303, 186, 373, 226)],
    378: [(0, 180, 132, 330), (380, 195, 446, 252), (445, 202, 482, 233), (482, 195, 520, 215)],
    546: [(295, 235, 375, 296), (262, 228, 305, 272)],
    672: [(433, 262, 508, 313)],
    714: [(80, 183, 175, 253), (200, 190, 245, 222)],
    840: [(0, 180, 87, 298)],
    966: [(240, 188, 402, 278), (425, 180, 523, 246)],
    1050: [(58, 187, 163, 276), (163, 200, 215, 245)],
    1134: [(90, 187, 175, 250), (170, 183, 220, 220)],
    1176: [(0, 180, 85, 330), (137, 200, 222, 272), (218, 188, 265, 235), (312, 198, 342, 224)],
    1218: [(82, 207, 190, 288), (220, 218, 267, 253), (325, 213, 358, 242)],
    1302: [(43, 206, 180, 276), (360, 223, 447, 274)],
    1554: [(0, 180, 202, 302), (508, 218, 587, 261)],
    1596: [(148, 197, 306, 304), (298, 193, 378, 270), (405, 198, 483, 252)],
    1680: [(258, 192, 360, 256), (550, 192, 622, 244)],
    1764: [(0, 180, 210, 330)],
    1890: [(17, 247, 110, 318), (217, 283, 270, 320)],
    1932: [(0, 188, 167, 316), (347, 224, 393, 264), (393, 224, 448, 267)],
}


def markings(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the center line and the edge line of a frame (H, W, 3) uint8 by color and shape: two (H, W) bool.

    Brighter or more yellow than what lies left and right of it, below the horizon, long and narrow. What is yellow, or
    reaches its lowest point in the left half, is the center line: the road has one lane to each side.
    """
    height, width = frame.shape[:2]
    red, blue = frame[..., 0].astype(np.float32), frame[..., 2].astype(np.float32)
    around = (width // 6, height // 12)
    found = np.zeros((height, width), np.uint8)
    for channel, least, share in ((np.maximum(red, frame[..., 1]), 14, 0.25), (np.clip(red - blue, 0, None), 12, 0.3)):
        thin = cv2.morphologyEx(channel, cv2.MORPH_TOPHAT, np.ones((1, width // 12), np.uint8))
        found |= (thin > np.maximum(least, share * cv2.blur(channel, around))).astype(np.uint8)
    found[: round(0.54 * height)] = 0
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, numbers = cv2.connectedComponents(found)
    warm = (red - blue) - (cv2.blur(red, around) - cv2.blur(blue, around))
    center, edge = np.zeros((2, height, width), bool)
    for k in range(1, count):
        here = numbers == k
        rows, columns = np.nonzero(here)
        sides = sorted(cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))[1])
        near = rows.max() >= 0.68 * height and np.ptp(rows) >= 0.08 * height
        if near and sides[1] >= 0.1 * width and sides[0] <= 0.3 * sides[1] and len(rows) <= 0.07 * width * sides[1]:
            left = columns[rows == rows.max()].mean() < width / 2
            (center if warm[here].mean() > 15 or left else edge)[here] = True
    return center, edge


def boxes(frame: np.ndarray, some: list[tuple[int, int, int, int]]) -> np.ndarray:
    """Give the pixels in the boxes: (H, W) bool."""
    height, width = frame.shape[:2]
    found = np.zeros((height, width), bool)
    for left, top, right, bottom in some:
        rows = slice(round(top * height / 480), round(bottom * height / 480))
        found[rows, round(left * width / 640) : round(right * width / 640)] = True
    return found


def paint_over(frame: np.ndarray, region: np.ndarray, method: int) -> np.ndarray:
    """Paint over a region (H, W) bool and two pixels around it with what surrounds it."""
    wider = cv2.dilate(region.astype(np.uint8), np.ones((5, 5), np.uint8))
    return cv2.inpaint(frame, wider, 3, method)


def compare(network: Network, drive: Drive, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Give the effects of painting over (n, 3), where that was (n, 3, h, w), and what each map promises (n, 3)."""
    pictures = drive.pictures(network, frames)
    angles = network.angles(pictures)
    truth, regions = np.full((2, len(frames), 3), np.nan), np.zeros((len(frames), 3, *network.size), bool)
    for n, (i, picture) in enumerate(zip(frames, pictures)):
        frame = drive.frame(i)
        for k, region in enumerate([*markings(frame), boxes(frame, VEHICLES.get(i, []))]):
            if not region.any():
                continue
            for m, method in enumerate((cv2.INPAINT_TELEA, cv2.INPAINT_NS)):
                without = network.look(paint_over(frame, region, method), drive)
                truth[m, n, k] = angles[n] - network.angle(without)
                regions[n, k] |= trust.changed(picture, without)
    maps = trust.make_maps(network, pictures, trust.methods(network) | trust.controls(), progress=False)
    promised = trust.promises(maps, regions)
    for fill in trust.FILLS:
        promised[f"hidden, {fill}"] = trust.hide_elements(network, pictures, regions, fill)
    promised["painted over by the other method"] = truth[1]
    return truth[0], regions, promised


def main() -> int:
    """Measure, print, and write the table."""
    if not DRIVE.is_dir():
        return publish(TABLE, "", [f"every row: the recorded drive ../shared/data/{DRIVE.name} is not there"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        drive = load_drive(DRIVE, crop=(0.45, 1.0))
    network = load_network("pilotnet_varied")
    frames = np.unique([*np.linspace(0, len(drive) - 1, FRAMES).astype(int), *VEHICLES])
    effects, regions, promised = compare(network, drive, frames)
    seen = regions.any(axis=(2, 3))
    lines = [
        "# Do maps keep their promises on recorded frames?",
        "",
        f"By `python benchmarks/real_frames.py`, of {network.name} on {len(frames)} frames of Udacity's drive CH2_001:",
        f"the center line in {seen[:, 0].sum()} of them, the edge line in {seen[:, 1].sum()}, vehicles in",
        f"{seen[:, 2].sum()}. The truth is a picture in which the element was painted over (Telea's inpainting).",
        "*Side right* is of elements of at least 1 degree. Effects, root mean square: "
        f"center line {_rms(effects[:, 0]):.1f}, edge line {_rms(effects[:, 1]):.1f},",
        f"vehicles {_rms(effects[:, 2]):.1f} degrees. {machine('tensorflow', 'keras')}.",
        "",
        "| map, or fill | side right | correlation | degrees explained |",
        "| --- " * 4 + "|",
    ]
    there = np.isfinite(effects)
    for kind, given in promised.items():
        both = there & np.isfinite(given)
        strong = both & (np.abs(effects) >= 1)
        signed = kind not in trust.UNSIGNED
        side = f"{np.mean(given[strong] * effects[strong] > 0):.0%}" if signed else "–"
        explained = trust.summarize(trust.degrees_explained(np.where(both, given, np.nan), np.where(both, effects, 0)))
        in_degrees = signed and not kind.startswith(("Grad-CAM", "HiResCAM", "SmoothGrad", "occlusion"))
        degrees = f"{explained.mean:+.2f} ({explained.low:+.2f} to {explained.high:+.2f})" if in_degrees else "–"
        correlated = f"{trust.correlation(given[both], effects[both]):+.2f}" if signed else "–"
        lines.append(f"| {kind} | {side} | {correlated} | {degrees} |")
    print(*lines, sep="\n")
    return publish(TABLE, "\n".join([*lines, ""]), [])


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(values**2)))


if __name__ == "__main__":
    sys.exit(main())
