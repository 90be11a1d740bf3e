"""Pictures: decoded safely, cut and made small as the network sees them (notebook 01)."""

import contextlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from steerlib.drives.files import read_bytes
from steerlib.drives.part import RESIZINGS, check_blur, check_crop
from steerlib.networks.pilotnet import SIZE

# Parts of a frame as fractions of its height. ROAD leaves the lower 150 of 256 rows, as S. Chen's own code
# does: 455 × 150 has the proportions of 200 × 66, so nothing is squashed. WHOLE is the 2016 article's choice.
ROAD = (106 / 256, 1.0)
WHOLE = (0.0, 1.0)

# The networks of others were trained on either.
RESIZING = dict(zip(RESIZINGS, (cv2.INTER_AREA, cv2.INTER_LINEAR)))

# What looks small on the disk must not fill the memory.
LARGEST_PICTURE = 50_000_000  # pixels, 150 MB in memory; a road camera has up to 10 million
LARGEST_RATIO = 20  # of a frame's longer side to its shorter one, since pictures are drawn at one width
PICTURES = {  # how a file begins, and what reads the size of its picture without decoding it
    b"\xff\xd8": JpegImagePlugin.JpegImageFile,
    b"\x89PNG": PngImagePlugin.PngImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
}


def crop_road(frame: np.ndarray, crop: tuple[float, float] = ROAD) -> np.ndarray:
    """Cut out what the network sees of a frame, at full resolution: a map is drawn over it (notebook 01).

    Parameters
    ----------
    frame : (H, W, 3) or (H, W) uint8
    crop : (top, bottom)
        Fractions of the height, 0 at the top; `ROAD` or `WHOLE`.

    Returns
    -------
    (h, W, 3) or (h, W) uint8
        A view of `frame`, not a copy.

    Raises
    ------
    ValueError
        Where the crop leaves no row or reaches out of the frame.
    """
    check_crop(crop)
    height = len(frame)
    top, bottom = (round(fraction * height) for fraction in crop)
    if top == bottom:
        raise ValueError(f"crop={crop} leaves nothing of a frame with {height} rows")
    return frame[top:bottom]


def preprocess(
    frame: np.ndarray,
    crop: tuple[float, float] = ROAD,
    size: tuple[int, int] = SIZE,
    resize: str = "area",
    blur: int = 1,
    blur_after: int = 1,
) -> np.ndarray:
    """Turn a frame into input of the network; the same for training and for every map (notebook 01).

    Parameters
    ----------
    frame : (H, W, 3) uint8 RGB
    crop : (top, bottom)
        Fractions of the height, see `crop_road`.
    size : (h, w)
        Of the network's picture; PilotNet's (arXiv 1604.07316) is (66, 200).
    resize : {"area", "linear"}
        See `RESIZING`.
    blur, blur_after : int
        Side of the Gaussian window in pixels, odd, before the part is resized, or after; 1: none.

    Returns
    -------
    (h, w, 3) float32 in [0, 1]
        Exactly what `Drive.images` and `Drive.pictures` give.

    Raises
    ------
    ValueError
        Where `frame` is no uint8 RGB picture, the crop leaves nothing of it, or it is to be resized or blurred in a way
        that is not known.
    """
    return to_unit(shrink(frame, crop, size, resize, blur, blur_after))


def read_frame(path: str | Path) -> np.ndarray:
    """Read one picture from a file: JPEG, PNG, WebP or BMP (notebook 01).

    Parameters
    ----------
    path : str or Path
        Gray pictures are repeated in three channels, an alpha channel is dropped.

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        Where there is no file that can be read.
    ValueError
        Where it is no complete picture, has more than `LARGEST_FILE` bytes or `LARGEST_PICTURE` pixels, or one side is
        more than `LARGEST_RATIO` times the other.
    """
    return decode_rgb(read_bytes(Path(path)), str(path))


def decode(data: bytes, where: str, flag: int, hint: str = "") -> np.ndarray:
    """Decode a picture as OpenCV gives it; a truncated one is an error, not half a picture."""
    # OpenCV before 4.13 fills up a truncated JPEG with gray. A scan's data contain no marker, so the end of
    # the picture must follow its last start of a scan; an earlier end may be that of a thumbnail.
    truncated = data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    picture, size = None, None if truncated else _picture_size(data)
    if size is not None:
        check_sides(*size, where, hint)
        with contextlib.suppress(cv2.error):
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if picture is None:
        kinds = "a JPEG, PNG, WebP or BMP"
        raise ValueError(f"{where} is not a complete picture ({len(data):,} bytes): expected {kinds}{hint}")
    return picture


def _picture_size(data: bytes) -> tuple[int, int] | None:
    """Read the width and height of an encoded picture from its header; None where it is none."""
    for beginning, kind in PICTURES.items():
        if data.startswith(beginning):
            with contextlib.suppress(OSError, SyntaxError, ValueError):  # what Pillow raises for a damaged header
                return kind(BytesIO(data)).size
    return None


def check_sides(width: int, height: int, where: str, hint: str = "") -> None:
    """Refuse a picture that would fill the memory, or would when it is drawn."""
    if width * height > LARGEST_PICTURE:
        raise ValueError(f"{where} has {width} × {height} pixels: expected at most {LARGEST_PICTURE:,}{hint}")
    if not 0 < max(width, height) <= LARGEST_RATIO * min(width, height):
        expected = f"expected sides of which none is over {LARGEST_RATIO} times the other"
        raise ValueError(f"{where} has {width} × {height} pixels: {expected}{hint}")


def decode_rgb(data: bytes, where: str, hint: str = "") -> np.ndarray:
    """Decode any picture to uint8 RGB."""
    return cv2.cvtColor(decode(data, where, cv2.IMREAD_COLOR, hint), cv2.COLOR_BGR2RGB)


def check_frame(frame: np.ndarray) -> None:
    """Refuse what is no uint8 RGB picture."""
    shape, dtype = getattr(frame, "shape", ()), getattr(frame, "dtype", type(frame).__name__)
    if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
        raise ValueError(f"frame is {dtype} {shape}: expected uint8 RGB (H, W, 3)")
    check_sides(shape[1], shape[0], "frame")


def shrink(
    frame: np.ndarray,
    crop: tuple[float, float],
    size: tuple[int, int],
    resize: str = "area",
    blur: int = 1,
    blur_after: int = 1,
) -> np.ndarray:
    """Crop, blur, resize and blur a frame to the network's picture, in uint8; see `preprocess`."""
    check_frame(frame)
    if resize not in RESIZING:
        raise ValueError(f"resize={resize!r}: expected one of {', '.join(RESIZING)}")
    part = _blurred(crop_road(frame, crop), blur, "blur")
    return _blurred(cv2.resize(part, size[::-1], interpolation=RESIZING[resize]), blur_after, "blur_after")


def _blurred(picture: np.ndarray, side: int, name: str) -> np.ndarray:
    """See a picture through a Gaussian window."""
    check_blur(side, name)
    return picture if side == 1 else cv2.GaussianBlur(picture, (side, side), 0)


def to_unit(pixels: np.ndarray) -> np.ndarray:
    """Give uint8 pixels as float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)
