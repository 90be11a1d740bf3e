"""What a network wants and means, as options of the command line; loads neither TensorFlow nor a network."""

from __future__ import annotations

import argparse
from fractions import Fraction
from typing import Any

from steerlib.drives.part import RESIZINGS
from steerlib.networks.colors import COLORS
from steerlib.networks.description import ROWS, UNITS

Size = int | tuple[int, int]


def add_options(parser: argparse.ArgumentParser, windows: bool = False) -> None:
    """Add the options that describe a network; where `windows`, --size also takes sides of hidden windows."""
    group = parser.add_argument_group(
        "the network", "what its file does not say; kept in a .toml beside it, see inspect"
    )
    sized = "its picture, such as 66x200" + windows * "; a single number: side of hidden windows in pixels, repeatable"
    group.add_argument("--size", type=_window_or_size if windows else _size, action="append", help=sized)
    rows = 'what it sees of a frame: rows 60 to 134 of 160 are "60:135/160"; or fractions of the height, 0.4:1'
    group.add_argument("--crop", type=_crop, help=rows)
    group.add_argument("--resize", choices=RESIZINGS, help="how that becomes its picture (default: area)")
    group.add_argument("--blur", type=int, help="side of a Gaussian window in pixels before that, odd")
    group.add_argument("--blur-after", type=int, help="the same, after that")
    group.add_argument("--color", choices=COLORS, metavar="COLOR", help=f"one of {', '.join(COLORS)}")
    text = "size of the part of a frame that is blurred and resized after its color was converted, such as 75x320"
    group.add_argument("--color-at", type=_size, help=text)
    group.add_argument("--scale", type=_range, help="what black and white are: 0:1, 0:255, 0:1/255, --scale=-1:1")
    group.add_argument("--output", help="name or place of the output that is the angle")
    group.add_argument("--classes", type=_numbers, help="what the first and the last class mean, --classes=-1:1")
    group.add_argument("--unit", choices=UNITS, help="of its answer (default: radians)")
    group.add_argument("--sign", type=int, choices=(1, -1), help="-1: a positive answer steers left")
    group.add_argument("--full-lock", type=float, help="degrees of an answer of 1, for fractions (default: 25)")
    group.add_argument(
        "--state", type=_state, action="append", metavar="INPUT=VALUE", help="of an input beside the picture"
    )
    text = "what stands in the place of a Lambda, which is never run: lambda_1=x/127.5-1"
    group.add_argument("--replace", type=_named, action="append", metavar="LAYER=TEXT", help=text)


def declared(options: argparse.Namespace) -> dict[str, Any]:
    """Give what was declared on the command line, by the names of `Description`.

    Raises
    ------
    ValueError
        Where a picture has two sizes.
    """
    sizes = [size for size in options.size or [] if not isinstance(size, int)]
    if len(sizes) > 1:
        raise ValueError(f"--size: expected one size of the network's picture, got {len(sizes)}")
    output = options.output
    state = dict(options.state or [])
    found = {
        "size": sizes[0] if sizes else None,
        "output": int(output) if output and output.isdecimal() else output,
        "range": options.scale,
        "replace": dict(options.replace) if options.replace else None,
        "state": state.get("", state) if state else None,
    }
    same = ("crop", "resize", "blur", "blur_after", "color", "color_at", "classes", "unit", "sign", "full_lock")
    found |= {name: getattr(options, name) for name in same}
    return {name: value for name, value in found.items() if value is not None}


def windows(options: argparse.Namespace) -> tuple[int, ...]:
    """Give the sides of hidden windows among the sizes."""
    return tuple(size for size in options.size or [] if isinstance(size, int))


def _window_or_size(text: str) -> Size:
    """Read a side, or HEIGHTxWIDTH."""
    if "x" in text:
        return _size(text)
    try:
        return int(text)
    except ValueError:
        expected = "expected the side of a hidden window, or the size of a picture, such as 66x200"
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}: {expected}") from None


def _size(text: str) -> tuple[int, int]:
    """Read HEIGHTxWIDTH."""
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r}: expected HEIGHTxWIDTH in pixels, such as 66x200")
    return int(sides[0]), int(sides[1])


def _crop(text: str) -> str | tuple[float, float]:
    """Read rows of a frame of some height, or fractions."""
    return text if ROWS.fullmatch(text) else _range(text)


def _range(text: str) -> tuple[float, float]:
    """Read two numbers, of which each may be a quotient."""
    try:
        low, high = (float(Fraction(part)) for part in text.split(":"))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers, such as 0:255 or 0:1/255") from None
    return low, high


def _numbers(text: str) -> tuple[float, ...]:
    """Read numbers, two or more."""
    try:
        return tuple(float(part) for part in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers or more, such as -1:1") from None


def _named(text: str) -> tuple[str, str]:
    """Read NAME=TEXT."""
    name, equals, rest = text.partition("=")
    if not name or not equals or not rest:
        raise argparse.ArgumentTypeError(f"{text!r}: expected LAYER=TEXT, such as lambda_1=x/127.5-1")
    return name, rest


def _state(text: str) -> tuple[str, tuple[float, ...]]:
    """Read NAME=VALUE, or VALUE alone; several numbers are joined by commas."""
    name, _, numbers = text.rpartition("=")
    try:
        return name, tuple(float(part) for part in numbers.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected INPUT=VALUE, such as speed=0.5") from None
