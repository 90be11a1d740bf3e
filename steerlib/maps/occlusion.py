"""What happens to the angle when a window of the picture is hidden (notebook 03)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from steerlib.maps.fill import fill_image, hide_regions
from steerlib.maps.method import Method, with_network
from steerlib.networks.network import Network

Window = tuple[slice, slice]  # of rows and columns


@with_network
def occlusion_map(
    network: Network,
    picture: np.ndarray,
    sizes: Sequence[int] = (15, 50),
    stride: int = 2,
    fill: float | str | np.ndarray = 0.0,
    batch_size: int = 256,
) -> np.ndarray:
    """Hide a window here, there and everywhere, and ask for the angle each time.

    Introduced in notebook 03. Zeiler and Fergus (arXiv 1311.2901), for an angle in place of a class and with
    its sign. There is a window of each size centered on every pixel, cut off at the border. Its effect is the
    angle for the whole picture minus the angle with the window hidden. The value of a pixel is the mean effect of
    the windows that hide it, then the mean over the sizes. With a stride above 1 only a grid of windows is asked
    and the effects of those between them are interpolated bilinearly, so that no grid shows.

    Only what a window changes is computed (`steerlib.maps.incremental`): the same numbers, several times faster. A
    network that does not begin with convolutions is asked with whole hidden pictures, and a UserWarning says why.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
        What it sees, as `Drive.pictures` gives it.
    sizes : sequence of int
        Sides of the square windows in pixels. One alone, such as ``(15,)``, gives that size's own map.
    stride : int
        Distance between the centers of neighboring windows in pixels, at most the smallest window.
    fill : float in [0, 1], str, or (h, w, 3) float32 in [0, 1]
        What the window is painted with, see `fill_image`.
    batch_size : int
        How many hidden images are in memory, and go through the network, at once.

    Returns
    -------
    (h, w) float32
        Degrees of the steering wheel; positive where hiding makes the network steer less to the right: where
        the pixel steers right.

    Raises
    ------
    ValueError
        If a size, the stride, the fill or the picture is not one of those described.
    """
    *_, map = occlusion_steps(network, picture, sizes, stride, fill, batch_size)
    return map


@with_network
def occlusion_steps(
    network: Network,
    picture: np.ndarray,
    sizes: Sequence[int] = (15, 50),
    stride: int = 2,
    fill: float | str | np.ndarray = 0.0,
    batch_size: int = 256,
) -> Iterator[np.ndarray | None]:
    """Compute an `occlusion_map` in steps, between which something else can be done, or after which to stop.

    Introduced in notebook 03. Parameters and errors are those of `occlusion_map`.

    Yields
    ------
    None, or (66, 200) float32
        None after each batch of windows; at last the map.
    """
    filler = fill_image(picture, fill)
    if np.ndim(sizes) != 1 or np.asarray(sizes).dtype.kind not in "iu" or min(sizes) < 1:
        raise ValueError(f"sizes={sizes!r}: expected one or more sides of at least 1 pixel, such as (15, 50)")
    if np.asarray(stride).dtype.kind not in "iu" or not 1 <= stride <= min(sizes):
        raise ValueError(f"stride={stride}: expected 1 to {min(sizes)}, or some pixels are never hidden")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: expected at least 1")

    height, width = network.size
    rows, columns = window_centers(height, stride), window_centers(width, stride)
    angle = network.angle(picture)
    maps = []
    for size in sizes:
        windows = [_window((row, column), size, picture.shape) for row in rows for column in columns]
        effects = np.empty(len(windows), np.float32)
        parts = _shortcuts(network, picture, filler, windows, batch_size)
        for positions, angles in parts or _angles_without(network, picture, filler, windows, batch_size):
            effects[positions] = angle - angles
            yield None
        effects = effects.reshape(rows.size, columns.size)
        maps.append(_shares(height, rows, size) @ effects @ _shares(width, columns, size).T)
    yield np.mean(maps, axis=0).astype(np.float32)


def occlude(
    picture: np.ndarray, center: tuple[int, int], size: int, fill: float | str | np.ndarray = 0.0
) -> np.ndarray:
    """Hide one window of a picture.

    Introduced in notebook 03.

    Parameters
    ----------
    picture : (h, w, 3) float32 in [0, 1]
    center : (row, column)
        A pixel of the picture. What reaches over the border is cut off.
    size : int
        Side of the window in pixels. It begins ``size // 2`` pixels before the center.
    fill : float in [0, 1], str, or (h, w, 3) float32 in [0, 1]
        See `fill_image`.

    Returns
    -------
    (h, w, 3) float32
        A copy.

    Raises
    ------
    ValueError
        If the size or the fill is not one of those described.
    """
    if size < 1:
        raise ValueError(f"size={size}: expected at least 1 pixel")
    hidden, window = picture.copy(), _window(center, size, picture.shape)
    hidden[window] = fill_image(picture, fill)[window]
    return hidden


@with_network
def occlude_regions(
    network: Network, picture: np.ndarray, regions: np.ndarray, fill: float | str | np.ndarray = "median"
) -> np.ndarray:
    """Hide regions of any shape, one at a time, and tell what each is worth.

    Introduced in notebook 08. As `occlusion_map`, where somebody knows which pixels belong together: a line, a vehicle,
    what was painted over with a brush.

    Parameters
    ----------
    network : Network
    picture : (h, w, 3) float32 in [0, 1]
    regions : (k, h, w) bool
        Which pixels are hidden each time.
    fill : float in [0, 1], str, or (h, w, 3) float32 in [0, 1]
        What shows through, see `steerlib.maps.fill.hide_regions`.

    Returns
    -------
    (k,) float32
        Degrees: the angle minus the angle with the region hidden; positive where the region steers right.

    Raises
    ------
    ValueError
        If the regions or the fill are not those described.
    """
    regions = np.asarray(regions)
    if regions.ndim != 3 or regions.shape[1:] != picture.shape[:2] or regions.dtype != bool:
        raise ValueError(
            f"regions {regions.shape} {regions.dtype}: expected (k, {picture.shape[0]}, {picture.shape[1]}) bool"
        )
    hidden = hide_regions(picture, regions, fill)
    return network.angle(picture) - network.angles(hidden)


def window_centers(length: int, stride: int) -> np.ndarray:
    """List where windows are centered along a side: every `stride` pixels from the first, and on the last."""
    return np.unique(np.append(np.arange(0, length, stride), length - 1))


def _window(center: tuple[int, int], size: int, shape: tuple[int, ...]) -> Window:
    """Cut a window at the border of the picture."""
    starts = (place - size // 2 for place in center)
    return tuple(slice(max(0, start), min(start + size, length)) for start, length in zip(starts, shape))


def _shortcuts(
    network: Network, picture: np.ndarray, filler: np.ndarray, windows: Sequence[Window], batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]] | None:
    """Ask for the angle with each of the windows hidden, computing only what they change; None where that cannot be."""
    if network.model is None:
        return None
    from steerlib.maps.incremental import angles_without

    return angles_without(network, picture, filler, windows, batch_size)


def _angles_without(
    network: Network, picture: np.ndarray, filler: np.ndarray, windows: Sequence[Window], batch_size: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Ask for the angle with each of the windows hidden, as `angles_without` does, with whole hidden images."""
    batch = np.repeat(picture[np.newaxis], min(batch_size, len(windows)), axis=0)
    for start in range(0, len(windows), batch_size):
        chunk = windows[start : start + batch_size]
        for hidden, window in zip(batch, chunk):
            hidden[window] = filler[window]
        yield slice(start, start + len(chunk)), network._angles(batch[: len(chunk)], batch_size)
        for hidden, window in zip(batch, chunk):
            hidden[window] = picture[window]


def _shares(length: int, centers: np.ndarray, size: int) -> np.ndarray:
    """Give the share of the window at each center in the value of each pixel along a side; rows sum to 1."""
    pixels = np.arange(length)
    start = pixels - size // 2
    hides = (start <= pixels[:, np.newaxis]) & (pixels[:, np.newaxis] < start + size)
    between = np.stack([np.interp(pixels, centers, one) for one in np.eye(len(centers))], axis=1)
    return hides / hides.sum(axis=1, keepdims=True) @ between


METHOD = Method(
    name="occlusion",
    title="Occlusion",
    make=occlusion_map,
    unit="degrees lost when hidden",
    signed=True,
    words="Red steers right: without it the angle is further left. Blue steers left.",
    needs="answers",
    notebook=3,
    defaults={"fill": "blur"},
    scored={
        "occlusion, black": {"sizes": (15,), "stride": 4, "fill": "black"},
        "occlusion, mean": {"sizes": (15,), "stride": 4, "fill": "mean"},
        "occlusion, blurred": {"sizes": (15,), "stride": 4, "fill": "blur"},
    },
)
