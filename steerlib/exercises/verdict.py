"""What the checks of all notebooks share: a verdict, calling an answer that is a function, comparing numbers.

Notebook 01 introduces it: the first exercises are there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

DEGREES = 0.1  # effects are compared with at least so many degrees, below which rounding may be all there is
NOT_YET = "not answered yet: replace each ... above"


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer; a notebook shows it as one line.

    Attributes
    ----------
    right : bool or None
        None: not answered yet.
    message : str
        If the answer is wrong, a hint.
    """

    right: bool | None
    message: str

    def __repr__(self) -> str:
        mark = {None: "…", True: "✓", False: "✗"}[self.right]
        return f"{mark} {self.message}"


class Hint(Exception):
    """Ends a check: the answer is wrong, and this is the hint."""


class NotYet(Exception):
    """Ends a check: there is no answer yet."""


def check(check: Callable[..., Verdict]) -> Callable[..., Verdict]:
    """Turn whatever happens in a check into a verdict; a reader's mistake must not look like one of the notebook."""

    @functools.wraps(check)
    def verdict(*arguments: Any) -> Verdict:  # noqa: ANN401
        try:
            for argument in arguments:
                _answered(argument)
            return check(*arguments)
        except NotYet:
            return Verdict(None, NOT_YET)
        except Hint as hint:
            return Verdict(False, str(hint))
        except Exception as error:
            return Verdict(False, f"the answer could not be read: {one_line(error)}")

    return verdict


def _answered(answer: Any) -> None:  # noqa: ANN401
    """End the check where an answer, or a part of it, is still the ``...`` of the stub."""
    parts = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, (tuple, list)) else [answer]
    if any(part is ... for part in parts):
        raise NotYet


def one_line(error: Exception) -> str:
    """Name an error and begin its message, without line breaks."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def call(function: Callable, *inputs: Any) -> Any:  # noqa: ANN401
    """Call an answer that is a function; its inputs are copies, and it must leave them as they are."""
    if not callable(function):
        raise Hint(f"expected a function, this is a {type(function).__name__}")
    copies = [one.copy() if isinstance(one, np.ndarray) else one for one in inputs]
    try:
        answer = function(*copies)
    except Exception as error:
        raise Hint(f"{getattr(function, '__name__', 'the function')} raised {one_line(error)}") from error
    if answer is None:
        raise Hint("the function returns None: is a return missing?")
    _answered(answer)
    for one, copy in zip(inputs, copies):
        if isinstance(one, np.ndarray) and not np.array_equal(one, copy, equal_nan=one.dtype.kind == "f"):
            raise Hint("the function changes the array that it is given: work on a copy")
    return answer


def parts(answer: Any, count: int) -> tuple:  # noqa: ANN401
    """Take an answer of several parts apart."""
    try:
        parts = tuple(answer)
    except TypeError:
        raise Hint(f"expected {count} values, this is a {type(answer).__name__}") from None
    if len(parts) != count:
        raise Hint(f"expected {count} values, these are {len(parts)}")
    return parts


def _close(answer: np.ndarray, expected: ArrayLike, tolerance: float, least: float = 1e-9) -> bool:
    expected = np.asarray(expected, float)
    if answer.shape != expected.shape or not np.isfinite(answer).all():
        return False
    return bool(np.abs(answer - expected).max(initial=0) <= tolerance * np.abs(expected).max(initial=least))


def compare(
    answer: Any,  # noqa: ANN401
    expected: ArrayLike,
    mistakes: Mapping[str, ArrayLike] | None = None,
    what: str = "",
    tolerance: float = 2e-3,
    least: float = 1e-9,
) -> None:
    """End the check with a hint unless an answer is what is expected.

    Parameters
    ----------
    answer
        Anything; numbers are expected.
    expected : array
    mistakes : dict of str to array, optional
        Hint -> the answer that it belongs to. A mistake that gives what is expected is none.
    what : str
        What the answer is, to begin the hint with, where an exercise has several.
    tolerance : float
        Share of the largest expected value by which the answer may be off.
    least : float
        What the largest expected value counts as at least: a network that hardly answers gives only rounding errors.
    """
    start, expected = f"{what}: " if what else "", np.asarray(expected, float)
    try:
        answer = np.asarray(answer, float)
    except (TypeError, ValueError):
        raise Hint(f"{start}expected numbers, this is a {type(answer).__name__}") from None
    if _close(answer, expected, tolerance, least):
        return
    for hint, mistake in (mistakes or {}).items():
        if _close(answer, mistake, tolerance):
            raise Hint(start + hint)
    if answer.shape != expected.shape:
        swapped = answer.ndim > 1 and answer.shape == expected.shape[::-1]
        reason = ": the axes are in the wrong order" if swapped else ""
        raise Hint(f"{start}shape {answer.shape}, expected {expected.shape}{reason}")
    if not np.isfinite(answer).all():
        raise Hint(f"{start}it holds NaN or infinity")
    if _close(-answer, expected, tolerance):
        raise Hint(f"{start}the sign is the wrong way round; an angle is positive to the right")
    if _close(np.degrees(answer), expected, tolerance):
        raise Hint(f"{start}these are radians, expected degrees")
    if _close(answer / 100, expected, tolerance):
        raise Hint(f"{start}this is in percent, expected a share from 0 to 1")
    if expected.size > 1 and answer.any():
        factor = np.vdot(answer, expected) / np.vdot(answer, answer)
        if _close(factor * answer, expected, tolerance):
            raise Hint(f"{start}right up to one factor for all values: what is it divided by?")
        off = np.abs(answer - expected) > tolerance * np.abs(expected).max()
        raise Hint(f"{start}{off.sum():,} of {off.size:,} values are off, the first at index {_first(off)}")
    size = "small" if answer.sum() < expected.sum() else "large"
    raise Hint(f"{start}too {size}")


def _first(where: np.ndarray) -> str:
    return str(tuple(int(i) for i in np.argwhere(where)[0])).replace(",)", ")")
