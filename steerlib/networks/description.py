"""What a network of somebody else wants to see and what its answer means: declared, or kept in a file beside it.

A network's file does not say which part of a frame it was trained on, in which colors, and what its answer is. A
`Description` does. For ``mynet.h5`` it stands in ``mynet.toml``:

    size = [66, 200]
    crop = "60:135/160"         # rows 60 to 134 of frames with 160 rows; also fractions, [0.375, 0.84375]
    color = "YUV"
    range = [0, 255]
    unit = "fraction"           # of full lock
    full_lock = 25

What is declared in Python or on the command line wins over the file. One that is written here also names the SHA-256 of
its network's file, and is refused beside another one: a program may have been killed between the two.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from steerlib.drives.part import RESIZINGS, check_blur, check_crop
from steerlib.networks.colors import COLORS, channels_of
from steerlib.writing import replacing

UNITS = ("radians", "degrees", "fraction")  # of an answer: of the steering wheel, or of its full lock
# What stands for black and white. The last one: divided by 255 before the network and once more inside of it.
RANGES = (
    (0.0, 1.0),
    (-1.0, 1.0),
    (-0.5, 0.5),
    (0.0, 255.0),
    (-127.5, 127.5),
    (-128.0, 127.0),
    (0.0, 1 / 255),
)
LARGEST_FILE = 100_000  # bytes of a description
ROWS = re.compile(r"(\d+):(\d+)/(\d+)")


@dataclasses.dataclass(frozen=True)
class Description:
    """What a network wants and what its answer means; None where nothing is declared.

    Attributes
    ----------
    size : (height, width)
        Of its picture in pixels.
    crop : (top, bottom)
        The part of a frame's height that the picture shows, in fractions. As text in rows of a frame whose height is
        told: "60:135/160" are rows 60 to 134 of 160.
    resize : {"area", "linear"}
        How that part becomes as small as the picture: `cv2.INTER_AREA`, or `cv2.INTER_LINEAR`.
    blur, blur_after : int
        Side of a Gaussian window in pixels, odd, through which the frame is seen before it is resized, or after; as
        ``cv2.GaussianBlur(picture, (blur, blur), 0)``. 1: none.
    color : str
        One of `steerlib.networks.colors.COLORS`: what the channels of the picture are.
    color_at : (height, width)
        Of the part of a frame in pixels, where its color is converted first and `blur`, `resize` and `blur_after` come
        later, each rounded to 8 bits. The network's picture is then this part, and the rest belongs to the network.
    range : (low, high)
        What the network takes black and white for, one of `RANGES`; of other colors what 0 and 255 of OpenCV's 8 bits
        become.
    output : str or int
        Which of several outputs is the angle: its name, or its place.
    classes : sequence of float
        What each bin of a network that chooses among classes means, in `unit`; two numbers are the first and the last
        bin, and the others lie evenly between. The answer is the mean over the bins, so that it has a gradient.
    unit : {"radians", "degrees", "fraction"}
        Of the answer.
    sign : {1, -1}
        -1 where a positive answer steers left.
    full_lock : float
        Degrees of the steering wheel that an answer of 1 means, for the unit "fraction".
    replace : mapping of str to str
        What stands in the place of each Lambda layer, whose program is never run; see `steerlib.networks.formats`.
    state : float, sequence of float, or mapping of str to these
        What inputs beside the picture are given, by their names; without names, where there is only one.
    """

    size: tuple[int, int] | None = None
    crop: tuple[float, float] | None = None
    resize: str | None = None
    blur: int | None = None
    blur_after: int | None = None
    color: str | None = None
    color_at: tuple[int, int] | None = None
    range: tuple[float, float] | None = None
    output: str | int | None = None
    classes: tuple[float, ...] | None = None
    unit: str | None = None
    sign: int | None = None
    full_lock: float | None = None
    replace: Mapping[str, Any] | None = None
    state: Mapping[str, tuple[float, ...]] | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what is no description; put the rest in one form.

        Raises
        ------
        ValueError
            Names the attribute, its value and what was expected.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None:
                object.__setattr__(self, field.name, CHECKS[field.name](value))
        if self.classes is not None and self.unit is None:
            object.__setattr__(self, "unit", "fraction")  # of bins of radians nobody has heard

    def told(self) -> dict[str, Any]:
        """Give what is declared, without what is not."""
        every = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in every.items() if value is not None}

    def before_color(self) -> dict[str, Any]:
        """Give the last arguments of `steerlib.preprocess`, as far as they are told; {} where the color comes first."""
        names = () if self.color_at else ("resize", "blur", "blur_after")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def after_color(self, own: tuple[int, int]) -> dict[str, Any]:
        """Give the arguments of `steps_after_color` for a network that takes pictures of its own size; {}: nothing."""
        if self.color_at is None:
            return {}
        blurs = {"blur": self.blur or 1, "blur_after": self.blur_after or 1}
        return {"before": self.color_at, "after": own, "resize": self.resize or "area", **blurs}

    @property
    def to_radians(self) -> float:
        """The factor from an answer to radians, positive to the right."""
        lock = 25.0 if self.full_lock is None else self.full_lock
        unit = {"radians": 1.0, "degrees": np.pi / 180, "fraction": lock * np.pi / 180}[self.unit or "radians"]
        return (self.sign or 1) * unit

    def bins(self, count: int) -> np.ndarray:
        """Give what each of so many classes means, (count,) float64 in `unit`."""
        if len(self.classes) == 2:
            return np.linspace(*self.classes, count)
        if len(self.classes) != count:
            raise ValueError(f"classes={self.classes}: expected {count} numbers, or two, of the first and the last bin")
        return np.array(self.classes)

    def color_for(self, channels: int) -> str:
        """Give the color for a picture with so many channels: gray is assumed of one, RGB of three."""
        color = self.color or ("gray" if channels == 1 else "RGB")
        if channels_of(color) != channels:
            raise ValueError(f"color={color!r}: has {channels_of(color)} channels, and the network takes {channels}")
        return color


def read_description(path: str | Path, network: Path | None = None) -> dict[str, Any]:
    """Read a description from its file (module docstring).

    Parameters
    ----------
    path : str or Path
        A TOML file.
    network : Path, optional
        The file that it describes.

    Returns
    -------
    dict
        What it declares, by the names of `Description`; it fits.

    Raises
    ------
    OSError
        Where it cannot be read.
    ValueError
        Names the file and the line, or the key, and what was expected; also where it describes another network's file.
    """
    path = Path(path)
    with path.open("rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise ValueError(f"{path}: over {LARGEST_FILE:,} bytes, expected a few lines that describe a network")
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: expected TOML, as in size = [66, 200]; {error}") from None
    known = [field.name for field in dataclasses.fields(Description)]
    written_for = found.pop("sha256", None)
    if written_for is not None and network is not None and network.is_file() and written_for != sha256_of(network):
        raise ValueError(
            f"{path}: was written for another {network.name} (its sha256 differs), a save may have been interrupted. "
            "Where it holds for this one, too, remove that line, else the file"
        )
    if unknown := sorted(set(found) - set(known)):
        raise ValueError(f"{path}: unknown key {unknown[0]!r}: expected some of {', '.join(known)}")
    try:
        return Description(**found).told()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def beside(path: str | Path) -> Path:
    """Say where the description of a network's file stands: ``mynet.toml`` for ``mynet.h5``."""
    return Path(path).with_suffix(".toml")


def described(path: str | Path, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Join what the file beside a network says with what is declared, which wins.

    Parameters
    ----------
    path : str or Path
        The network's file.
    declared : mapping
        By the names of `Description`, and others, which stay; None counts as not declared.

    Returns
    -------
    dict
    """
    kept = read_description(beside(path), Path(path)) if beside(path).is_file() else {}
    return kept | {name: value for name, value in declared.items() if value is not None}


def write_description(description: Description, path: str | Path, network: Path | None = None) -> None:
    """Write a description as TOML, whole or not at all; it names the network's file. An older one is replaced."""
    lines = ["# What this network wants to see, and what its answer means: see steerlib.networks.description"]
    lines += [f'sha256 = "{sha256_of(network)}"'] if network is not None and network.is_file() else []
    tables = []
    for name, value in description.told().items():
        if isinstance(value, Mapping):
            tables += ["", f"[{name}]", *(f"{_text(key)} = {_toml(inner)}" for key, inner in value.items())]
        else:
            lines.append(f"{name} = {_toml(value)}")
    with replacing(Path(path)) as unfinished:
        unfinished.write_text("\n".join([*lines, *tables, ""]), "utf-8")


def sha256_of(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _toml(value: str | float | tuple) -> str:
    """Write a value as TOML does."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if not isinstance(value, Real):
        raise ValueError(f"{value!r} cannot be kept in a file: expected text or numbers")
    return repr(value)


def _text(text: str) -> str:
    """Write a text as TOML does."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def check_size(size: object, name: str = "size") -> tuple[int, int]:
    """Give (height, width) of a picture; refuse what is none."""
    if not (np.shape(size) == (2,) and np.asarray(size).dtype.kind in "iu" and min(size) >= 1):
        raise ValueError(f"{name}={size!r}: expected (height, width) in pixels")
    return tuple(int(side) for side in size)


def _crop(crop: object) -> tuple[float, float]:
    """Read fractions, or rows of a frame of a told height."""
    if isinstance(crop, str):
        rows = ROWS.fullmatch(crop)
        top, bottom, height = map(int, rows.groups()) if rows else (0, 0, 1)
        if not 0 <= top < bottom <= height:
            raise ValueError(f'crop={crop!r}: expected rows of a frame of a height, such as "60:135/160"')
        crop = float(Fraction(top, height)), float(Fraction(bottom, height))
    check_crop(crop)
    return tuple(float(fraction) for fraction in crop)


def _range(range: object) -> tuple[float, float]:
    """Find which of `RANGES` is meant: the quotient by 255 is not written in full."""
    try:
        values = np.asarray(range, np.float64)
    except (TypeError, ValueError):
        values = np.zeros(0)
    for known in RANGES:
        if values.shape == (2,) and np.allclose(values, known, rtol=1e-3, atol=1e-9):
            return known
    raise ValueError(
        f"range={range!r}: expected one of {', '.join(f'({low:.4g}, {high:.4g})' for low, high in RANGES)}"
    )


def _classes(classes: object) -> tuple[float, ...]:
    """Check what bins mean."""
    values = np.asarray(classes, object)
    if values.ndim != 1 or len(values) < 2 or not all(_is_number(value) for value in values):
        raise ValueError(f"classes={classes!r}: expected what the bins mean, two numbers or more")
    return tuple(float(value) for value in values)


def _full_lock(full_lock: object) -> float:
    """Check degrees of full lock."""
    if not _is_number(full_lock) or not 0 < full_lock <= 2000:
        raise ValueError(f"full_lock={full_lock!r}: expected degrees of the steering wheel, above 0")
    return float(full_lock)


def _output(output: object) -> str | int:
    """Check a name or a place."""
    if isinstance(output, bool) or not isinstance(output, str | int | np.integer):
        raise ValueError(f"output={output!r}: expected the name of an output, or its place")
    return output if isinstance(output, str) else int(output)


def _replace(replace: object) -> dict[str, Any]:
    """Check the names of the layers; what stands in their place is read where the network is."""
    if not isinstance(replace, Mapping) or not all(isinstance(name, str) for name in replace):
        raise ValueError(f'replace={replace!r}: expected {{layer: what it does}}, such as {{"lambda_1": "x/127.5-1"}}')
    return dict(replace)


def _state(state: object) -> dict[str, tuple[float, ...]] | tuple[float, ...]:
    """Put numbers for inputs in one form."""
    if isinstance(state, Mapping):
        return {str(name): _state(value) for name, value in state.items()}
    values = np.atleast_1d(np.asarray(state, object))
    if values.ndim != 1 or not len(values) or not all(_is_number(value) for value in values):
        raise ValueError(f"state={state!r}: expected numbers for the inputs beside the picture, or {{input: numbers}}")
    return tuple(float(value) for value in values)


def _is_number(value: object) -> bool:
    """Tell finite real numbers; True is none."""
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(float(value)))


def _choice(name: str, choices: tuple) -> Any:  # noqa: ANN401
    """Make a check that only takes some values."""

    def check(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, str | int) or value not in choices:
            raise ValueError(f"{name}={value!r}: expected one of {', '.join(map(str, choices))}")
        return value

    return check


def _blur(name: str) -> Any:  # noqa: ANN401
    """Make a check of a window's side."""

    def check(value: object) -> int:
        check_blur(value, name)
        return int(value)

    return check


CHECKS = {
    "size": check_size,
    "crop": _crop,
    "resize": _choice("resize", RESIZINGS),
    "blur": _blur("blur"),
    "blur_after": _blur("blur_after"),
    "color": _choice("color", COLORS),
    "color_at": partial(check_size, name="color_at"),
    "range": _range,
    "output": _output,
    "classes": _classes,
    "unit": _choice("unit", UNITS),
    "sign": _choice("sign", (1, -1)),
    "full_lock": _full_lock,
    "replace": _replace,
    "state": _state,
}
