"""What shows through where a picture is hidden (notebooks 03 and 08)."""

from __future__ import annotations

import cv2
import numpy as np

from steerlib.maps.eraser import erase

FILLS = ("black", "mean", "blur", "median", "erased")  # those that have a name, and know no region
REGION_FILLS = (*FILLS, "inpaint")
BLUR = 10.0  # standard deviation of the "blur" fill in pixels of the picture: markings vanish, sky and road stay
REACH = 3.0  # pixels around a region from which it is inpainted
MEDIAN = 11  # pixels across: lines are narrower and vanish, surfaces and edges of the asphalt are wider and stay


def fill_image(picture: np.ndarray, fill: float | str | np.ndarray) -> np.ndarray:
    """Make the picture that shows through a hidden window.

    Introduced in notebook 03.

    Parameters
    ----------
    picture : (h, w, 3) float32 in [0, 1]
    fill : float in [0, 1], "black", "mean", "blur", "median", "erased", or (h, w, 3) float32 in [0, 1]
        A gray (0 is black); the picture's mean color; the picture so blurred that no line is left; the median around
        each pixel, which leaves out what is thin and keeps surfaces and their edges; the road as a small network draws
        it without lines, vehicles, shadows and what stands beside it (`steerlib.maps.eraser`); or another picture.

    Returns
    -------
    (h, w, 3) float32 in [0, 1]

    Raises
    ------
    ValueError
        If the fill is none of these.
    """
    if isinstance(fill, str):
        if fill == "black":
            return np.zeros_like(picture)
        if fill == "mean":
            return np.broadcast_to(picture.mean(axis=(0, 1)), picture.shape)
        if fill == "median":
            # As `to_unit` does, which would load what decodes pictures wherever a fill is named.
            return cv2.medianBlur(cv2.convertScaleAbs(picture, alpha=255), MEDIAN) / np.float32(255)
        if fill == "erased":
            return erase(picture)
        if fill == "blur":
            return cv2.GaussianBlur(picture, (0, 0), sigmaX=BLUR, borderType=cv2.BORDER_REFLECT)
    elif np.ndim(fill) == 3:
        if np.shape(fill) != picture.shape:
            raise ValueError(f"fill: a picture {np.shape(fill)}, expected one of the shape {picture.shape}")
        return np.asarray(fill, np.float32)
    elif np.ndim(fill) == 0 and np.asarray(fill).dtype.kind in "fiu" and 0 <= fill <= 1:
        return np.full_like(picture, fill)
    raise ValueError(f"fill={fill!r}: expected a number from 0 to 1, a picture, or one of {', '.join(FILLS)}")


def hide_regions(picture: np.ndarray, regions: np.ndarray, fill: float | str | np.ndarray) -> np.ndarray:
    """Hide regions of any shape in a picture, each by itself.

    Introduced in notebook 03.

    Parameters
    ----------
    picture : (h, w, 3) float32 in [0, 1]
    regions : (k, h, w) bool
    fill : float in [0, 1], str, or (h, w, 3) float32 in [0, 1]
        As for `fill_image`, or "inpaint": what surrounds a region goes on into it, from its border inward (Telea, "An
        image inpainting technique based on the fast marching method", 2004). A narrow region vanishes; a wide one is
        smeared.

    Returns
    -------
    (k, h, w, 3) float32 in [0, 1]
        The picture outside of each region.

    Raises
    ------
    ValueError
        If the fill is none of these, or a region is the whole picture, which nothing can go on into.
    """
    if not isinstance(fill, str) or fill != "inpaint":
        return np.where(regions[..., np.newaxis], fill_image(picture, fill), picture)
    if regions.size and regions.all(axis=(1, 2)).any():
        raise ValueError("the whole picture is hidden: there is nothing around it from which it could be inpainted")
    known = cv2.convertScaleAbs(picture, alpha=255)
    hidden = np.empty((*regions.shape, 3), np.float32)
    for k, region in enumerate(regions):
        filler = cv2.inpaint(known, region.astype(np.uint8), REACH, cv2.INPAINT_TELEA) / np.float32(255)
        hidden[k] = np.where(region[..., np.newaxis], filler, picture)
    return hidden
