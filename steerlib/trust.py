"""Is the map true? Scores of maps against what really steers, and controls that any good map must beat (notebook 08).

A *map* is (66, 200), of any method and any unit. Where a score asks *where*, it takes the magnitude of the map, so that
signed and unsigned maps are treated alike; where it asks for the *side*, it takes the map as it is, positive for right.
Which of the two is said with each score. A score is a number for one frame and one map; `summarize` makes a mean with
an interval of the numbers of many frames. A score that is not defined on a frame is NaN there, and `summarize` tells on
how many frames it was defined.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import cv2
import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from skimage.metrics import structural_similarity
from tqdm.auto import tqdm

from steerlib.data import IMAGE_SIZE
from steerlib.gradcam import grad_cam, hires_cam
from steerlib.hypercolumns import convolutions, hypercolumns, visual_backprop
from steerlib.model import check_image, predict
from steerlib.occlusion import fill_image, occlusion_map
from steerlib.overlay import SHADOW
from steerlib.roads import LABELS
from steerlib.saliency import gradient_times_input, integrated_gradients, smooth_grad

Method = Callable[[keras.Model, np.ndarray], np.ndarray]

LINES = ("marking", "edge")  # labels of the pixels by which a driver steers: lane markings and edges of the asphalt
UNSIGNED = ("hypercolumns", "VisualBackProp", "random map", "edge detector", "center blob")  # maps without a side
TINY = 2.0  # degrees: where the blank picture changes the angle by less, deletion and insertion are not defined
STILL = 0.1  # degrees for each pixel: where the whole frame's shift turns the wheel by less, the shift test is not


# ---------------------------------------------------------------- numbers of many frames


class Score(NamedTuple):
    """A mean over frames."""

    mean: float
    low: float  # of the 95 % interval
    high: float
    frames: int  # on which the score was defined


def summarize(values: ArrayLike, seed: int = 0, resamples: int = 2000) -> Score:
    """Average the scores of many frames, with a bootstrap interval.

    Introduced in notebook 08. Efron's percentile bootstrap: draw as many frames as there are, with replacement, take
    their mean, and do it again and again; 95 % of these means lie in the interval. It tells how much the mean hangs on
    which frames were drawn. Neighboring frames of a film are no independent draws, so there it is too narrow.

    Parameters
    ----------
    values : (n,) float
        A score for each frame; NaN where it is not defined.
    seed, resamples : int
        Of the draws.

    Returns
    -------
    Score
        In the unit of the values. All NaN where no value is defined; of a single value the interval has no width.
    """
    values = np.asarray(values, np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size < 2:
        return Score(*[values[0] if values.size else np.nan] * 3, values.size)
    drawn = np.random.default_rng(seed).integers(values.size, size=(resamples, values.size))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return Score(float(values.mean()), float(low), float(high), values.size)


# ---------------------------------------------------------------- maps: the methods, and what they must beat


def methods(layer: str = "conv3", size: int = 15, stride: int = 4, steps: int = 16) -> dict[str, Method]:
    """Give each method of these notebooks under its name, as a function of network and image.

    Introduced in notebook 08.

    Parameters
    ----------
    layer : str
        Of Grad-CAM and HiResCAM, which are signed here: positive for right.
    size, stride : int
        Of the hidden windows.
    steps : int
        Gradients that integrated gradients and SmoothGrad average.

    Returns
    -------
    dict of str to function
        ``method(model, image)`` gives a (66, 200) float32 map; signed, unless its name is in `UNSIGNED`.
    """
    fills = {"black": 0.0, "mean": "mean", "blurred": "blur"}
    hidden = {
        f"occlusion, {name}": lambda model, image, fill=fill: occlusion_map(model, image, (size,), stride, fill)
        for name, fill in fills.items()
    }
    return hidden | {
        "hypercolumns": lambda model, image: hypercolumns(model, image, convolutions(model)),
        "VisualBackProp": visual_backprop,
        "Grad-CAM": lambda model, image: grad_cam(model, image, layer, "right", signed=True),
        "HiResCAM": lambda model, image: hires_cam(model, image, layer, "right", signed=True),
        "gradient × input": gradient_times_input,
        "integrated gradients": lambda model, image: integrated_gradients(model, image, steps),
        "SmoothGrad": lambda model, image: smooth_grad(model, image, steps),
    }


def controls() -> dict[str, Method]:
    """Give maps that do not ask the network, as functions like those of `methods`.

    Introduced in notebook 08. A method that does no better than these has not shown that it knows the network.

    Returns
    -------
    dict of str to function
        ``control(model, image)`` gives a (66, 200) float32 map >= 0 and takes no notice of the model.
    """
    return {
        "random map": lambda _, image: random_map(image),
        "edge detector": lambda _, image: edge_map(image),
        "center blob": lambda _, image: center_map(image),
    }


def random_map(image: np.ndarray) -> np.ndarray:
    """Draw each pixel from [0, 1), independently. Introduced in notebook 08.

    The seed is a checksum of the image: another map for each frame, the same one for the same frame.
    """
    seed = crc32(np.ascontiguousarray(image).tobytes())
    return np.random.default_rng(seed).random(image.shape[:2], np.float32)


def edge_map(image: np.ndarray) -> np.ndarray:
    """Give the strength of the edges: the length of the Sobel gradient of the gray image. Introduced in notebook 08."""
    gray = cv2.cvtColor(np.asarray(image, np.float32), cv2.COLOR_RGB2GRAY)
    return cv2.magnitude(*(cv2.Sobel(gray, cv2.CV_32F, *order) for order in ((1, 0), (0, 1))))


def center_map(image: np.ndarray) -> np.ndarray:
    """Give a blob in the middle: a Gaussian, a quarter of each side wide. Introduced in notebook 08."""
    sides = [np.exp(-(np.linspace(-2, 2, length) ** 2) / 2) for length in image.shape[:2]]
    return np.outer(*sides).astype(np.float32)


def make_maps(
    model: keras.Model, images: np.ndarray, makers: Mapping[str, Method], progress: bool = True
) -> dict[str, np.ndarray]:
    """Make the maps of several methods for many frames, with a progress bar.

    Introduced in notebook 08.

    Parameters
    ----------
    model : keras.Model
    images : (n, 66, 200, 3) float32 in [0, 1]
    makers : mapping of str to function
        Such as `methods` and `controls`.
    progress : bool
        Show the bar.

    Returns
    -------
    dict of str to (n, 66, 200) float32
    """
    bar = tqdm(total=len(makers) * len(images), desc="maps", unit="map", disable=not progress)
    made = {}
    with bar:
        for name, maker in makers.items():
            maps = np.zeros((len(images), *images.shape[1:3]), np.float32)
            for map, image in zip(maps, images):
                map[:] = maker(model, image)
                bar.update()
            made[name] = maps
    return made


# ---------------------------------------------------------------- ground truth: which pixels matter


def matter(labels: np.ndarray, tolerance: int = 2, names: Sequence[str] = LINES) -> np.ndarray:
    """Tell which pixels a driver steers by: lane markings and the edges of the asphalt.

    Introduced in notebook 08.

    Parameters
    ----------
    labels : (H, W) uint8
        What each pixel is, of the part that the network sees: ``crop_road(drive.labels(i), drive.crop)``.
    tolerance : int
        By how many of the network's pixels what matters is widened to all sides, since no map is sharper.
    names : sequence of str
        Which of `steerlib.roads.LABELS` matter.

    Returns
    -------
    (66, 200) bool
        A pixel matters if more than a tenth of it has one of the labels, or if one within the tolerance does.

    Raises
    ------
    ValueError
        If the labels are no picture, a name is unknown, or the tolerance is negative.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels must be (H, W) uint8, got {labels.shape} {labels.dtype}")
    if unknown := set(names) - set(LABELS):
        raise ValueError(f"unknown labels {sorted(unknown)}: expected some of {', '.join(LABELS)}")
    if tolerance < 0:
        raise ValueError(f"tolerance={tolerance}: expected at least 0 pixels")
    chosen = np.isin(labels & ~np.uint8(SHADOW), [LABELS[name] for name in names])
    share = cv2.resize(chosen.astype(np.float32), IMAGE_SIZE[::-1], interpolation=cv2.INTER_AREA)
    return _grown((share > 0.1).astype(np.uint8), tolerance) > 0


def mass_accuracy(map: np.ndarray, pixels: np.ndarray) -> float:
    """Give the share of the map's mass that lies on the pixels that matter (relevance mass accuracy).

    Introduced in notebook 08. Arras et al. (arXiv 2003.07258). Takes the magnitude. Chance is the pixels' share of the
    area.

    Parameters
    ----------
    map : (h, w) float
    pixels : (h, w) bool

    Returns
    -------
    float in [0, 1]
        NaN for a map of zeros: it puts its mass nowhere.

    Raises
    ------
    ValueError
        If the shapes differ or the map is not finite.
    """
    magnitude = _magnitude(map, pixels)
    mass = magnitude.sum()
    return float(magnitude[pixels].sum() / mass) if mass else np.nan


def rank_accuracy(map: np.ndarray, pixels: np.ndarray) -> float:
    """Give the share of the N strongest pixels that matter, N being how many matter (relevance rank accuracy).

    Introduced in notebook 08. Arras et al. (arXiv 2003.07258). Takes the magnitude. Chance is the pixels' share of the
    area. Of pixels with equal values only some may belong to the N strongest: then what counts is the mean over all
    choices, so a constant map scores exactly chance.

    Parameters
    ----------
    map : (h, w) float
    pixels : (h, w) bool

    Returns
    -------
    float in [0, 1]
        NaN where no pixel matters.

    Raises
    ------
    ValueError
        If the shapes differ or the map is not finite.
    """
    magnitude, count = _magnitude(map, pixels), int(np.sum(pixels))
    if not count:
        return np.nan
    threshold = np.partition(magnitude, -count, axis=None)[-count]
    above, equal = magnitude > threshold, magnitude == threshold
    hits = above[pixels].sum() + (count - above.sum()) * equal[pixels].sum() / equal.sum()
    return float(hits / count)


def pointing_game(map: np.ndarray, pixels: np.ndarray) -> float:
    """Tell whether the strongest pixel is one that matters (pointing game).

    Introduced in notebook 08. Zhang et al. (arXiv 1608.00507). Takes the magnitude. Chance is the pixels' share of the
    area.

    Parameters
    ----------
    map : (h, w) float
    pixels : (h, w) bool

    Returns
    -------
    float in [0, 1]
        1 or 0; where several pixels are the strongest, the share of them that matters.

    Raises
    ------
    ValueError
        If the shapes differ or the map is not finite.
    """
    magnitude = _magnitude(map, pixels)
    return float(pixels[magnitude == magnitude.max()].mean())


# ---------------------------------------------------------------- counterfactuals: an element is gone


def changed(image: np.ndarray, without: np.ndarray, least: float = 0.02) -> np.ndarray:
    """Tell in which pixels an element was visible: those that changed when it was left out.

    Introduced in notebook 08.

    Parameters
    ----------
    image, without : (h, w, 3) float32 in [0, 1]
        The same view with the element and without it, see `steerlib.roads.render_counterfactuals`.
    least : float
        By how much brightness one of the channels must change.

    Returns
    -------
    (h, w) bool
    """
    return np.abs(image - without).max(axis=-1) > least


def counterfactual(map: np.ndarray, regions: np.ndarray, effects: ArrayLike) -> float:
    """Compare what a map gives to the elements of a scene with what they really do.

    Introduced in notebook 08. Spearman's rank correlation, over the elements of one frame, between the size of the
    element's effect and the map's mass in its pixels. It is the one score with a causal ground truth: the element was
    really left out. Takes the magnitude. An element that covers more pixels mostly does more, so chance is not 0 but
    what a constant map scores.

    Parameters
    ----------
    map : (h, w) float
    regions : (k, h, w) bool
        Where each element is, see `changed`. Elements that are nowhere are left out.
    effects : (k,) float
        Degrees: the angle with the element minus the angle without it.

    Returns
    -------
    float in [-1, 1]
        NaN with fewer than three elements, or where all effects are of one size. 0 for a map of zeros.

    Raises
    ------
    ValueError
        If there is not one effect for each region.
    """
    regions, effects = _visible(regions, effects)
    sizes = np.abs(effects)
    if len(sizes) < 3 or np.ptp(sizes) == 0:
        return np.nan
    return rank_correlation(_sums(np.abs(map), regions), sizes)


def counterfactual_side(map: np.ndarray, regions: np.ndarray, effects: ArrayLike, least: float = 1.0) -> float:
    """Give the share of the elements to which a signed map gives the side to which they really steer.

    Introduced in notebook 08. Takes the signed map: its sum over the element's pixels. Chance is a half.

    Parameters
    ----------
    map, regions, effects
        As for `counterfactual`; positive is right.
    least : float
        Elements with an effect of fewer degrees are left out.

    Returns
    -------
    float in [0, 1]
        NaN where no element is left. A sum of exactly zero counts as half right.

    Raises
    ------
    ValueError
        If there is not one effect for each region.
    """
    regions, effects = _visible(regions, effects)
    strong = np.abs(effects) >= least
    if not strong.any():
        return np.nan
    agree = np.sign(_sums(map, regions[strong])) * np.sign(effects[strong])
    return float((1 + agree.mean()) / 2)


def _visible(regions: np.ndarray, effects: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the elements that are in no pixel."""
    regions, effects = np.asarray(regions, bool), np.asarray(effects, np.float64)
    if regions.ndim != 3 or len(regions) != len(effects):
        raise ValueError(f"{regions.shape} regions and {effects.shape} effects: expected (k, h, w) and (k,)")
    seen = regions.any(axis=(1, 2))
    return regions[seen], effects[seen]


def _sums(map: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Add a map up over each region."""
    return np.array([map[region].sum(dtype=np.float64) for region in regions])


# ---------------------------------------------------------------- deletion and insertion


class Curve(NamedTuple):
    """What becomes of an angle while more and more pixels are exchanged."""

    shares: np.ndarray  # (steps + 1,) of the pixels that were exchanged, from 0 to 1
    angles: np.ndarray  # (steps + 1,) degrees
    change: np.ndarray  # (steps + 1,) |f(x_i) − f(x)| / |f(x) − f(blank)|; NaN where the blank does next to nothing
    area: float  # under `change`, by trapezoids


def deletion(
    model: keras.Model, image: np.ndarray, map: np.ndarray, fill: float | str = "blur", steps: int = 16
) -> Curve:
    """Hide the pixels from the most to the least important one, and watch the angle leave.

    Introduced in notebook 08. Petsiuk et al. (RISE, arXiv 1806.07421), with an angle in place of a probability. Takes
    the magnitude. The curve goes from 0, nothing hidden, to 1, everything hidden, and may go beyond 1 on its way. If
    the first pixels matter most it rises at once: **a large area is good**. Pixels of equal value come in random
    order, so a constant map is the random order, and `center_map` the one from the center outward: controls like any
    other map.

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1]
    map : (66, 200) float
    fill : float in [0, 1], "mean" or "blur"
        What hidden pixels become, see `steerlib.occlusion.fill_image`; all of it is the blank picture.
    steps : int
        In how many equal portions the pixels are hidden.

    Returns
    -------
    Curve
        Change and area are NaN where the blank changes the angle by less than `TINY` degrees: dividing by next to
        nothing would let such a frame outweigh all others.

    Raises
    ------
    ValueError
        If the image, the map, the fill or the steps are not those described.
    """
    return _exchange(model, image, fill, map, steps, showing=False)


def insertion(
    model: keras.Model, image: np.ndarray, map: np.ndarray, fill: float | str = "blur", steps: int = 16
) -> Curve:
    """Show the pixels on a blank picture, from the most to the least important one, and watch the angle come back.

    Introduced in notebook 08. As `deletion`, the other way round: the curve goes from 1, blank, to 0, the whole image.
    If the first pixels matter most it falls at once: **a small area is good**.

    Parameters, the returned curve and the errors are those of `deletion`.
    """
    return _exchange(model, image, fill, map, steps, showing=True)


def _exchange(
    model: keras.Model, image: np.ndarray, fill: float | str, map: np.ndarray, steps: int, showing: bool
) -> Curve:
    """Hide the pixels of an image, or show them on the blank one, portion by portion."""
    image = check_image(model, image)
    magnitude, blank = _magnitude(map, image[..., 0]), fill_image(image, fill)
    if not 1 <= steps <= magnitude.size:
        raise ValueError(f"steps={steps}: expected 1 to {magnitude.size}")
    order = np.lexsort((np.random.default_rng(0).random(magnitude.size), -magnitude.ravel()))
    place = np.empty(magnitude.size, int)
    place[order] = np.arange(magnitude.size)
    shares = np.linspace(0, 1, steps + 1)
    exchanged = place.reshape(magnitude.shape) < np.rint(shares * magnitude.size)[:, np.newaxis, np.newaxis]
    angles = predict(model, np.where((exchanged == showing)[..., np.newaxis], image, blank))
    own, nothing = (angles[-1], angles[0]) if showing else (angles[0], angles[-1])
    apart = abs(float(own) - float(nothing))
    change = np.abs(angles - own) / apart if apart >= TINY else np.full(steps + 1, np.nan)
    return Curve(shares, angles, change, float(np.trapezoid(change, shares)))


# ---------------------------------------------------------------- sanity checks: a network that knows nothing


class Similarity(NamedTuple):
    """How alike two maps are."""

    rank: float  # Spearman's rank correlation of the pixels, -1 to 1
    structure: float  # structural similarity (SSIM), at most 1


def randomizations(
    model: keras.Model, stages: Sequence[Sequence[str]], seed: int = 0
) -> Iterator[tuple[tuple[str, ...], keras.Model]]:
    """Give the network with some of its layers forgotten, stage by stage.

    Introduced in notebook 08. Adebayo et al. (arXiv 1810.03292): a map that stays as it was when the weights of a layer
    are drawn anew does not depend on what this layer has learned. A *cascade* forgets the top layer, then the top two
    and so on (`cascade`); one layer at a time shows which of them a method asks.

    Parameters
    ----------
    model : keras.Model
        Stays as it is.
    stages : sequence of sequences of str
        The names of the layers that are forgotten, for each stage. A layer's kernel is drawn from its own initializer,
        its bias becomes 0. A layer's new weights are the same in all stages.
    seed : int

    Yields
    ------
    layers, network : tuple of str, keras.Model
        The network is **the same object each time**, with other weights, so that TensorFlow traces it only once: use it
        before the next stage comes.

    Raises
    ------
    ValueError
        If a layer has no kernel.
    """
    copy = keras.models.clone_model(model)
    for layers in stages:
        copy.set_weights(model.get_weights())
        for name in layers:
            if name not in weighted(model):
                raise ValueError(f"layer {name!r}: expected one with weights, of {', '.join(weighted(model))}")
            layer = copy.get_layer(name)
            number = weighted(model).index(name)
            start = layer.kernel_initializer
            start = type(start).from_config(start.get_config() | {"seed": 1000 * seed + number})
            layer.set_weights([start(layer.kernel.shape), *[np.zeros(bias.shape) for bias in layer.get_weights()[1:]]])
        yield tuple(layers), copy


def weighted(model: keras.Model) -> list[str]:
    """List the layers of a network that have learned a kernel, the first one first. Introduced in notebook 08."""
    return [layer.name for layer in model.layers if hasattr(layer, "kernel")]


def cascade(model: keras.Model) -> list[tuple[str, ...]]:
    """List the stages of a cascade: the top layer, the top two, ..., all. Introduced in notebook 08."""
    names = weighted(model)
    return [tuple(names[-count:]) for count in range(1, len(names) + 1)]


def similarity(map: np.ndarray, other: np.ndarray) -> Similarity:
    """Compare two maps of one frame, in the two ways of the sanity checks.

    Introduced in notebook 08. Adebayo et al. (arXiv 1810.03292); SSIM: Wang et al., 2004. Takes the maps as they are,
    with their signs. For SSIM each is divided by its own largest magnitude, since its unit does not matter here.

    Parameters
    ----------
    map, other : (h, w) float

    Returns
    -------
    Similarity
        Of two equal maps both numbers are 1. A constant map has rank correlation 0 with any other.
    """
    map, other = (np.asarray(one, np.float64) for one in (map, other))
    if map.shape != other.shape:
        raise ValueError(f"expected a map {map.shape}, got {other.shape}")
    if np.array_equal(map, other):
        return Similarity(1.0, 1.0)
    scaled = [one / (np.abs(one).max() or 1) for one in (map, other)]
    reach = 2.0 if min(one.min() for one in scaled) < 0 else 1.0
    return Similarity(rank_correlation(map, other), float(structural_similarity(*scaled, data_range=reach)))


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Give Spearman's rank correlation of two arrays of one shape; 0 where one is constant (notebook 04).

    Equal values share the mean of their ranks, so that the result does not depend on how ties are sorted.
    """
    return correlation(*(stats.rankdata(values) for values in (one, other)))


def correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Give Pearson's correlation of two arrays of one shape; 0 where one is constant (notebook 05)."""
    one, other = (np.asarray(values, np.float64).ravel() for values in (one, other))
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


# ---------------------------------------------------------------- the shift test


class Shift(NamedTuple):
    """What the angle does when parts of a picture move sideways."""

    shifts: np.ndarray  # (n,) pixels to the right
    important: np.ndarray  # (n,) degrees: only the important pixels move
    others: np.ndarray  # (n,) degrees: only the others move
    whole: np.ndarray  # (n,) degrees: the whole frame moves
    slopes: tuple[float, float]  # of the first two, as shares of the third's; NaN where that is next to nothing


def shift_test(
    model: keras.Model,
    image: np.ndarray,
    map: np.ndarray,
    shifts: Sequence[int] = (-9, -6, -3, 0, 3, 6, 9),
    share: float = 0.2,
    dilation: int = 3,
    fill: float | str = "blur",
) -> Shift:
    """Move the pixels that a map calls important sideways, then only the others, then the whole frame.

    Introduced in notebook 08. Bojarski et al. (arXiv 1704.07911, section 5). If the map is right, the wheel follows the
    important pixels as it follows the whole frame, and hardly minds the others. Takes the magnitude.

    The important pixels lie on top in both cases. **Holes**, where pixels have left and none have come, show the fill
    of the unmoved image. What comes in over the border repeats the border's pixels.

    Parameters
    ----------
    model : keras.Model
    image : (66, 200, 3) float32 in [0, 1]
    map : (66, 200) float
    shifts : sequence of int
        Pixels to the right; at least two different ones.
    share, dilation
        Of `important`.
    fill : float in [0, 1], "mean" or "blur"
        See `steerlib.occlusion.fill_image`.

    Returns
    -------
    Shift
        The slopes of the lines that fit best (least squares), of the important and of the other pixels, divided by that
        of the whole frame: a good map has about 1 and about 0. NaN where the whole frame's is below `STILL` degrees for
        each pixel, and for a map of zeros, which calls nothing important.

    Raises
    ------
    ValueError
        If the image, the map or a setting is not one of those described.
    """
    image, shifts = check_image(model, image), np.asarray(shifts, int)
    if len(np.unique(shifts)) < 2 or np.abs(shifts).max() >= image.shape[1]:
        raise ValueError(f"shifts={shifts.tolist()}: expected at least two, of less than {image.shape[1]} pixels")
    mask, filler = important(map, share, dilation), fill_image(image, fill)
    frames = []
    for shift in shifts:
        columns = np.clip(np.arange(image.shape[1]) - shift, 0, image.shape[1] - 1)
        # Over the border nothing comes that is important, and more of what is not.
        inside = np.arange(image.shape[1]) - shift == columns
        whole, came = image[:, columns], mask[:, columns] & inside
        came, left, stays = came[..., np.newaxis], mask[..., np.newaxis], ~mask[:, columns][..., np.newaxis]
        frames.append(np.where(came, whole, np.where(left, filler, image)))
        frames.append(np.where(left, image, np.where(stays, whole, filler)))
        frames.append(whole)
    lines = predict(model, np.stack(frames)).reshape(len(shifts), 3).T
    slopes = np.polyfit(shifts, lines.T, 1)[0]
    defined = abs(slopes[2]) >= STILL and mask.any()
    relative = (slopes[:2] / slopes[2]).tolist() if defined else [np.nan, np.nan]
    return Shift(shifts, *lines, tuple(relative))


def important(map: np.ndarray, share: float = 0.2, dilation: int = 3) -> np.ndarray:
    """Tell which pixels a map calls important, dilated, so that all maps call the same area important.

    Introduced in notebook 08. Takes the magnitude. The maximum over a disk comes first, the threshold second: the same
    as to dilate what is above the threshold, but the area is known.

    Parameters
    ----------
    map : (h, w) float
    share : float in (0, 1)
        Of the area. A few pixels more where many are equal.
    dilation : int
        Radius of the disk in pixels.

    Returns
    -------
    (h, w) bool
        Nothing of a map of zeros.

    Raises
    ------
    ValueError
        If the map is not finite or a number is out of its range.
    """
    if not 0 < share < 1 or dilation < 0:
        raise ValueError(f"share={share}, dilation={dilation}: expected a share between 0 and 1, at least 0 pixels")
    magnitude = _grown(_magnitude(map, map), dilation)
    return (magnitude > 0) & (magnitude >= np.quantile(magnitude, 1 - share))


# ---------------------------------------------------------------- mirror, and agreement


def mirror(map: np.ndarray, signed: bool) -> np.ndarray:
    """Give the map that the mirrored frame should have: left and right exchanged, in place and in sign.

    Introduced in notebook 08. A network that steers the mirrored road by the mirrored angle, f(mirrored x) = −f(x), has
    a map whose "right" becomes "left". An unsigned map is mirrored in place only.

    Parameters
    ----------
    map : (h, w) float
    signed : bool

    Returns
    -------
    (h, w) float
    """
    return -map[:, ::-1] if signed else map[:, ::-1]


def agreement(map: np.ndarray, witness: np.ndarray) -> float:
    """Give the rank correlation of the magnitudes of two maps. Introduced in notebook 08; chance is 0."""
    return rank_correlation(np.abs(map), np.abs(witness))


def sign_agreement(map: np.ndarray, witness: np.ndarray, share: float = 0.1) -> float:
    """Give the share of the witness's strongest pixels on which two signed maps name the same side.

    Introduced in notebook 08. Chance is a half, if the map does not know the frame. Where the map is zero it is half
    right.

    Parameters
    ----------
    map, witness : (h, w) float
        Signed, positive for right.
    share : float in (0, 1]
        Of the area, where the magnitude of the witness is largest.

    Returns
    -------
    float in [0, 1]
        NaN where the witness is zero everywhere.
    """
    magnitude = _magnitude(witness, map)
    strong = (magnitude > 0) & (magnitude >= np.quantile(magnitude, 1 - share))
    if not strong.any():
        return np.nan
    return float((1 + (np.sign(map[strong]) * np.sign(witness[strong])).mean()) / 2)


# ---------------------------------------------------------------- a network whose evidence is known

BAND = slice(7, 12)  # rows of the cells by which the known network steers


def known_network() -> keras.Model:
    """Build a network whose weights are set, not learned, so that the true map of every image is known.

    Introduced in notebook 08. Three convolutions average their windows; they see brightness everywhere. The last layer
    weighs cells by their column, −1 at the left border to 1 at the right, but only in the rows of `BAND`; all others
    have no weight. So what is bright below the middle of the picture and to the right steers right, to the left steers
    left, and what is bright above steers nothing, though the convolutions respond to it. See `known_map`.

    Returns
    -------
    keras.Model
        From (n, 66, 200, 3) to (n, 1) radians, linear for images >= 0. The convolutions are called conv1 to conv3.
    """
    image = x = keras.Input((*IMAGE_SIZE, 3), name="image")
    for number, (channels, stride) in enumerate(((3, 2), (1, 2), (1, 1)), 1):
        start = keras.initializers.Constant(1 / (9 * channels))
        x = keras.layers.Conv2D(1, 3, stride, activation="relu", kernel_initializer=start, name=f"conv{number}")(x)
    x = keras.layers.Dense(1, name="angle")(keras.layers.Flatten()(x))
    model = keras.Model(image, x, name="known")
    model.get_layer("angle").set_weights([np.radians(_cell_weights()).reshape(-1, 1), np.zeros(1)])
    return model


def known_map(image: np.ndarray) -> np.ndarray:
    """Give the true map of the known network: what each pixel does to the angle, compared with black.

    Introduced in notebook 08. Not by the network but by hand: the weight of a pixel is the sum of the weights of the
    cells that see it, each times the share of the cell's average that this pixel is.

    Parameters
    ----------
    image : (66, 200, 3) float32

    Returns
    -------
    (66, 200) float32
        Degrees, positive where a pixel steers right; its sum is the network's angle.
    """
    sides = []
    for size in IMAGE_SIZE:
        shares = np.eye(size)
        for stride in (2, 2, 1):  # each convolution averages three neighbors
            shares = np.stack([shares[i : i + 3].mean(axis=0) for i in range(0, len(shares) - 2, stride)])
        sides.append(shares)
    weights = sides[0].T @ _cell_weights() @ sides[1]
    return (weights * image.mean(axis=-1)).astype(np.float32)


def known_image() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Paint a picture for the known network: three lamps in the dark, of which two steer.

    Introduced in notebook 08.

    Returns
    -------
    image : (66, 200, 3) float32
    regions : dict of str to (66, 200) bool
        Where each lamp is: "right" steers right, the weaker "left" steers left, "above" is the brightest and steers
        nothing.
    """
    lamps = {"right": (48, 165, 0.8), "left": (48, 60, 0.5), "above": (12, 110, 1.0)}
    image, regions = np.zeros((*IMAGE_SIZE, 3), np.float32), {}
    for name, (row, column, brightness) in lamps.items():
        regions[name] = np.zeros(IMAGE_SIZE, bool)
        regions[name][row - 5 : row + 5, column - 5 : column + 5] = True
        image[regions[name]] = brightness
    return image, regions


def _cell_weights() -> np.ndarray:
    """Give the degrees for each unit of each cell of the known network's last convolution (13, 47)."""
    weights = np.zeros((13, 47))
    weights[BAND] = 10 * np.linspace(-1, 1, 47)
    return weights


# ---------------------------------------------------------------- helpers


def _magnitude(map: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Give the magnitude of a map, or raise ValueError if it is none, or not of the same shape as something else."""
    map = np.asarray(map)
    if map.ndim != 2 or map.shape != np.shape(like):
        raise ValueError(f"expected a map {np.shape(like)[:2]}, got {map.shape}")
    if not np.isfinite(map).all():
        raise ValueError(f"the map has {np.sum(~np.isfinite(map))} values that are NaN or infinite")
    return np.abs(map)


def _grown(values: np.ndarray, radius: int) -> np.ndarray:
    """Give the maximum over a disk around each pixel."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(values, disk) if radius else values
