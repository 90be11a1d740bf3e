"""What stands in the place of a Lambda: a few words that become layers; no code is run (notebook 10).

Steps are separated by commas and done in this order:

- arithmetic with ``x`` and numbers that stays affine: ``x/127.5-1``, ``2*(x-128)/255``, ``x`` for nothing at all;
- ``crop(top, bottom)`` or ``crop(top, bottom, left, right)``: pixels that are cut off;
- ``resize(height, width)``: bilinear, as TensorFlow's own.

For example ``crop(60, 25), resize(66, 200), x/127.5-1``.
"""

from __future__ import annotations

import ast
import math

import keras

LONGEST = 200  # characters; longer than any of these
LANGUAGE = "expected numbers, + - * / and x, or crop(top, bottom), resize(height, width), separated by commas"
SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-"})


def layers_for(name: str, text: str) -> list[keras.Layer]:
    """Turn what a user says about a Lambda into layers.

    Introduced in notebook 10.

    Parameters
    ----------
    name : str
        Of the Lambda: the layers are called after it.
    text : str
        As the top of this file describes.

    Returns
    -------
    list of keras.Layer
        Rescaling, Cropping2D and Resizing; none for ``x``.

    Raises
    ------
    ValueError
        Quotes what is not understood.
    """
    where = f"replace {name}={text!r}"
    if len(text) > LONGEST:
        raise ValueError(f"replace {name}: {len(text)} characters: {LANGUAGE}")
    try:
        tree = ast.parse(text.strip().translate(SIGNS), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(f"{where}: {LANGUAGE}") from None
    steps = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    made: list[keras.Layer] = []
    for step in steps:
        called = name if len(steps) == 1 else f"{name}_{len(made) + 1}"
        if isinstance(step, ast.Call):
            made.append(_cut_or_resized(step, called, where))
            continue
        factor, offset = _affine(step, where)
        if not (math.isfinite(factor) and math.isfinite(offset)) or not factor:
            raise ValueError(f"{where}: {factor:g} · x + {offset:g} tells nothing of the picture; {LANGUAGE}")
        if (factor, offset) != (1, 0):
            made.append(keras.layers.Rescaling(factor, offset, name=called))
    return made


def _affine(node: ast.expr, where: str) -> tuple[float, float]:
    """Give factor and offset of x in an expression."""
    if isinstance(node, ast.Name) and node.id == "x":
        return 1.0, 0.0
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return 0.0, float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        sign = -1 if isinstance(node.op, ast.USub) else 1
        factor, offset = _affine(node.operand, where)
        return sign * factor, sign * offset
    if isinstance(node, ast.BinOp):
        (factor, offset), (other, number) = _affine(node.left, where), _affine(node.right, where)
        if isinstance(node.op, ast.Add):
            return factor + other, offset + number
        if isinstance(node.op, ast.Sub):
            return factor - other, offset - number
        if isinstance(node.op, ast.Mult) and not (factor and other):
            return factor * number + other * offset, offset * number
        if isinstance(node.op, ast.Div) and not other and number:
            return factor / number, offset / number
    raise ValueError(f"{where}: {ast.unparse(node)!r} is not understood: {LANGUAGE}")


def _cut_or_resized(node: ast.Call, called: str, where: str) -> keras.Layer:
    """Make the layer of crop(...) or resize(...)."""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    numbers = [one.value for one in node.args if isinstance(one, ast.Constant) and type(one.value) is int]
    whole = len(numbers) == len(node.args) and not node.keywords
    if name == "crop" and whole and len(numbers) in (2, 4) and max(numbers) <= 10_000:
        return keras.layers.Cropping2D((tuple(numbers[:2]), tuple(numbers[2:]) or (0, 0)), name=called)
    if name == "resize" and whole and len(numbers) == 2 and 1 <= min(numbers) <= max(numbers) <= 10_000:
        return keras.layers.Resizing(*numbers, name=called)
    raise ValueError(f"{where}: {ast.unparse(node)!r} is not understood: {LANGUAGE}")
