"""A method's map over a frame, and the frames that decide on the scale which a whole drive shares (notebook 07)."""

from collections.abc import Iterator

import numpy as np

from steerlib.drives import Drive
from steerlib.maps.method import Explanation, density
from steerlib.show import overlay


def draw_map(view: np.ndarray, explanation: Explanation, limit: float | None = None) -> np.ndarray:
    """Lay an explanation over a picture of what the network saw; arrows mark the peaks to the left and right.

    Parameters
    ----------
    view : (H, W, 3) uint8
    explanation : Explanation
    limit : float, optional
        The value drawn in the strongest color. None: of this map, see `steerlib.show.overlay.common_limit`.

    Returns
    -------
    (H, W, 3) uint8
    """
    map, signed = explanation.map, explanation.signed
    limit = overlay.common_limit([map]) if limit is None else limit
    picture = overlay.overlay(view, map, limit, signed)
    return overlay.mark_peaks(picture, map, limit) if signed and "left" in explanation.ends else picture


def sample_frames(drive: Drive, count: int) -> Iterator[np.ndarray]:
    """Read frames that are spread over a drive: they decide on the scale which all its frames share.

    Parameters
    ----------
    drive : Drive
    count : int
        At most so many.

    Returns
    -------
    iterator of (H, W, 3) uint8
        Without those that cannot be read; these are reported where they are shown.
    """
    return (frame for _, frame in drive.spread(count))


def draw_over(
    picture: np.ndarray, map: np.ndarray, limit: float | None = None, width: int = 600, points: bool = False
) -> np.ndarray:
    """Lay a map over the very picture that the network saw, enlarged, where there is no larger one of it.

    Parameters
    ----------
    picture : (h, w, 3) float32 in [0, 1]
    map : (h, w) float
        Drawn with two colors where a value is negative: red steers right, blue left; else with one.
    limit : float, optional
        As for `draw_map`.
    width : int
        Of the result in pixels.
    points : bool
        True: the map as it is. False: averaged over neighboring pixels (`steerlib.maps.method.density`), so that the
        eye sees more than points in a pixel-wise map.

    Returns
    -------
    (H, W, 3) uint8
    """
    map = map if points else density(np.asarray(map, np.float32))
    view = overlay.enlarge(np.rint(255 * picture).astype(np.uint8), width)
    return overlay.overlay(view, map, overlay.common_limit([map]) if limit is None else limit)
