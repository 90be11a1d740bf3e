"""Pictures changed at random while a network learns, so that it learns the road and not the camera (notebook 02).

What is changed is the picture alone, which keeps its angle; `mirror` exchanges left and right, and with them the sign.
"""

from __future__ import annotations

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def mirror(pictures: np.ndarray, angles: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mirror half of the pictures: a bend to the left becomes one to the right. Introduced in notebook 02.

    Parameters
    ----------
    pictures : (n, h, w, 3) float32 in [0, 1]
    angles : (n, ...) float32
        Of any unit, positive to the right.
    random : numpy.random.Generator

    Returns
    -------
    pictures, angles
        Copies of the same shapes.
    """
    pictures, angles = pictures.copy(), angles.copy()
    turned = random.uniform(size=len(pictures)) < 0.5
    pictures[turned], angles[turned] = pictures[turned, :, ::-1], -angles[turned]
    return pictures, angles


def photograph_anew(
    pictures: np.ndarray, angles: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Change the pictures of a batch as `augment` does, after `mirror`, which tells what comes in and out: for `train`.

    Introduced in notebook 02.
    """
    pictures, angles = mirror(pictures, angles, random)
    return augment(pictures, random), angles


def augment(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Photograph the pictures anew: another crop, light, color, lens and sensor for each. Introduced in notebook 02.

    How strong the changes are is drawn for each picture, from none to all that is plausible: a shift by up to 6 % of
    the width and 8 % of the height, a zoom by up to 17 %, a turn by up to 3°; color, contrast, gamma and exposure;
    light that changes over the picture, dark and bright patches, glare; blur, low resolution, noise and JPEG.

    Parameters
    ----------
    pictures : (n, h, w, 3) float32 in [0, 1]
        RGB.
    random : numpy.random.Generator
        The same state gives the same pictures.

    Returns
    -------
    (n, h, w, 3) float32 in [0, 1]
    """
    return np.stack([_photograph(picture, random) for picture in pictures]) if len(pictures) else pictures


def _photograph(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Change one picture (h, w, 3)."""
    strength = random.beta(1.2, 1.2)

    def some(spread: float) -> float:
        return float(np.clip(strength * spread * random.standard_normal(), -2 * spread, 2 * spread))

    def now_and_then(share: float) -> bool:
        return random.uniform() < share * strength

    height, width = picture.shape[:2]
    # In 8 bits, as a camera has them, since that takes half the time.
    picture = cv2.convertScaleAbs(picture, alpha=255)
    picture = _reframe(picture, np.radians(some(1.5)), np.exp(some(0.08)), np.exp(some(0.05)), some(0.03), some(0.04))
    light = np.exp(_smooth(random, strength * 0.25, height, width))
    for _ in range(random.poisson(1.2 * strength)):
        light *= _patch(height, width, random)
    picture = cv2.multiply(picture, cv2.merge([light] * 3), dtype=cv2.CV_8U)
    if now_and_then(0.25):  # what the windshield reflects is added
        glare = random.uniform(10, 100) * np.maximum(_smooth(random, 1.0, height, width), 0)
        picture = cv2.add(picture, cv2.merge([glare * random.uniform(0.7, 1) for _ in range(3)]), dtype=cv2.CV_8U)
    picture = cv2.transform(picture, _colors(random, strength))
    # Exposure that leaves the darkest black and the brightest white, and the camera's own curve.
    black, white, gamma = max(0.0, some(0.06)), np.exp(some(0.2)), np.exp(some(0.25))
    tones = np.clip((np.arange(256) / 255 - black) / (white * (1 - black)), 0, 1) ** gamma
    picture = cv2.LUT(picture, np.rint(255 * tones).astype(np.uint8))
    if now_and_then(0.5):
        picture = cv2.GaussianBlur(picture, None, random.uniform(0.3, 1.1))
    if now_and_then(0.25):
        small = (int(width * random.uniform(0.35, 0.8)), int(height * random.uniform(0.5, 0.9)))
        picture = cv2.resize(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), (width, height))
    if now_and_then(0.7):
        # The same in all channels, as in dim light.
        grain = random.uniform(0, 8) * random.standard_normal((height, width), np.float32)
        picture = cv2.add(picture, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
    if now_and_then(0.3):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(12, 70))]
        coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)[1]
        picture = cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return picture * np.float32(1 / 255)


def _reframe(picture: np.ndarray, turn: float, zoom: float, stretch: float, right: float, down: float) -> np.ndarray:
    """Turn (radians), zoom, stretch and shift (shares of the width and height); borders mirror what is beside it."""
    height, width = picture.shape[:2]
    cos, sin = np.cos(turn) * zoom, np.sin(turn) * zoom
    matrix = np.array([[cos * stretch, -sin, 0], [sin, cos / stretch, 0]])
    middle = np.array([width / 2, height / 2])
    matrix[:, 2] = middle - matrix[:, :2] @ middle + (right * width, down * height)
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _smooth(random: np.random.Generator, spread: float, height: int, width: int) -> np.ndarray:
    """Draw values (h, w) that change slowly over a picture."""
    few = (spread * random.standard_normal((4, 7))).astype(np.float32)
    return cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)


def _patch(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Draw a shadow or a bright spot with hard or soft edges: factors (h, w)."""
    factor = float(np.exp(random.uniform(-1.5, -0.3) if random.uniform() < 0.8 else random.uniform(0.2, 1.0)))
    patch = np.ones((height, width), np.float32)
    middle = random.uniform((0, 0), (width, height))
    corners = middle + random.uniform(0.05, 0.5) * random.standard_normal((5, 2)) * (width, height * 0.6)
    cv2.fillConvexPoly(patch, cv2.convexHull(corners.astype(np.int32)), factor)
    return cv2.GaussianBlur(patch, None, random.uniform(0.5, 4))


def _colors(random: np.random.Generator, strength: float) -> np.ndarray:
    """Draw a matrix (3, 3) for the colors: the saturation, in some pictures none, and the white balance."""
    saturation = 0.0 if random.uniform() < 0.2 * strength else 1 + strength * random.uniform(-0.7, 0.6)
    matrix = saturation * np.eye(3) + (1 - saturation) * LUMA
    # Warmer or colder, as white balance errs, and hardly greener.
    gains = np.exp(
        strength * (0.12 * random.standard_normal() * np.array([1, 0, -1]) + 0.04 * random.standard_normal(3))
    )
    return (gains[:, None] * matrix).astype(np.float32)
