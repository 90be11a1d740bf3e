"""Lambdas: functions that a file carries as code. They are named, described and replaced, never run (notebook 10)."""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# What carries a function: Keras's own, and what tf.keras made of arithmetic between layers.
KINDS = ("Lambda", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
USUAL = {(127.5, 1.0): "x/127.5-1", (0.5, 255.0): "x/255-0.5", (1.0, 2.0, 255.0): "2*x/255-1", (255.0,): "x/255"}
USUAL |= {(1.0, 127.5): "x/127.5-1", (): "x", (128.0,): "(x-128)/128", (1.0, 128.0): "x/128-1"}
NAME, PLAIN = re.compile(r"[^\w.-]+"), re.compile(r"[^\w.,()\[\]' -]+")
# What a list of layers shows of them, in the words of Keras 1 and of later ones.
TOLD = ("filters", "nb_filter", "kernel_size", "nb_row", "nb_col", "strides", "subsample", "pool_size", "cropping")
TOLD += ("units", "output_dim", "activation", "rate", "p")
MOST_LISTED = 200


@dataclass(frozen=True)
class Lambda:
    """A Lambda for which nothing is said yet.

    Attributes
    ----------
    name : str
    shape : tuple or None
        Of what it is given, without the number of pictures; None where it is not known.
    before, after : str
        The layers around it; empty at the beginning and the end.
    numbers : tuple of float or None
        Those in its code, sorted, read as bytes: a hint. None where no code was understood, as for a function's name.
    """

    name: str
    shape: tuple | None
    before: str
    after: str
    numbers: tuple[float, ...] | None


class LambdaError(ValueError):
    """A file holds Lambdas for which nothing is said.

    Attributes
    ----------
    listed : list of str
        The file's layers, a line each, as its text has them.
    """

    def __init__(self, where: str, found: list[Lambda], description: object) -> None:
        super().__init__(describe(where, found))
        self.listed = list_layers(description)


def list_layers(description: object) -> list[str]:
    """Write a line for each layer of a description, without building any: its name, its kind, what is said of it."""
    lines = []
    for _, _, spec in walk(description):
        config, kind = spec.get("config"), str(spec.get("class_name"))
        if isinstance(config, dict) and isinstance(config.get("layers"), list):
            continue  # a model inside; its layers follow
        said = [f"{key} {config[key]}" for key in TOLD if _plain(config.get(key))] if isinstance(config, dict) else []
        said += ["code, never run"] * (kind in KINDS)
        told = ", ".join(said)[:80]
        lines.append(
            f"  {NAME.sub('_', name_of(spec))[:24]:24s} {NAME.sub('_', kind)[:22]:22s} {PLAIN.sub('_', told)}".rstrip()
        )
    more = len(lines) - MOST_LISTED
    return lines if more <= 0 else [*lines[:MOST_LISTED], f"  and {more:,} more"]


def _plain(value: object, depth: int = 0) -> bool:
    """Tell text, numbers, and lists of them that are short enough to be shown."""
    if isinstance(value, list):
        return depth < 2 and len(value) < 5 and all(_plain(one, depth + 1) for one in value)
    return isinstance(value, str | int | float)


def hint(config: Any) -> tuple[float, ...] | None:  # noqa: ANN401
    """Read the numbers in the code of a Lambda, by a search through its bytes.

    Python's marshal writes a float as ``g`` and eight bytes, an integer as ``i`` and four, little endian; the highest
    bit of the letter may be set. https://docs.python.org/3/library/marshal.html; nothing is unmarshaled.

    Parameters
    ----------
    config : dict
        Of the layer: ``function`` is a text of characters below 256, base64 from 2018 on, in a list or a dictionary.

    Returns
    -------
    tuple of float, sorted, or None
    """
    code = config.get("function") if isinstance(config, dict) else None
    if isinstance(code, dict):
        code = code.get("config")
        code = code.get("code") if isinstance(code, dict) else None
    if isinstance(code, list):
        code = code[0] if code else None
    if not isinstance(code, str) or len(code) < 20 or len(code) > 1_000_000:
        return None
    try:
        data = base64.b64decode(re.sub(r"\s", "", code), validate=True)
    except (binascii.Error, ValueError):
        data = code.encode("latin-1", "replace")
    if data[:1] not in (b"c", b"\xe3"):  # how a marshaled function begins
        return None
    found = set()
    for letter, size, kind in ((b"g", 8, "<d"), (b"i", 4, "<i")):
        for match in re.finditer(b"[" + re.escape(letter) + bytes([letter[0] | 0x80]) + b"]", data):
            part = data[match.end() : match.end() + size]
            if len(part) == size and 1e-4 <= abs(value := float(struct.unpack(kind, part)[0])) <= 1e5:
                found.add(round(value, 6))
    return tuple(sorted(found))


def describe(where: str, found: list[Lambda]) -> str:
    """Say which Lambdas there are, where, and what to say in their place: one line, at most 400 characters."""
    told = []
    for one in found[:2]:
        place = f"between {one.before} and {one.after}" if one.before and one.after else ""
        place = place or (f"before {one.after}" if one.after else f"after {one.before}")
        shape = "" if one.shape is None else f" of {_shown(one.shape)}"
        numbers = f", its numbers {', '.join(f'{value:g}' for value in one.numbers[:4])}" if one.numbers else ""
        told.append(f"{one.name}{shape} {place}{numbers}"[:110])
    more = f"; and {', '.join(one.name for one in found[2:])}"[:60] if len(found) > 2 else ""
    proposals = " ".join(f'--replace {NAME.sub("_", one.name)[:40]}="{proposal(one)}"' for one in found[:2])
    what = "a Lambda, code" if len(found) == 1 else f"{len(found)} Lambdas, code"
    usual = "" if any(one.numbers for one in found) else ' (usual are "x/127.5-1", "x/255-0.5", "x/255", "x")'
    return (
        f"{where}: {what} that is never run: {'; '.join(told)}{more}. Say what stands in its place: {proposals}{usual}"
    )


def proposal(one: Lambda) -> str:
    """Propose what may stand in the place of a Lambda: by its numbers where they are usual ones."""
    return USUAL.get(one.numbers, "x/127.5-1") if one.numbers is not None else "x/127.5-1"


def check_replacements(where: str, replace: Mapping[str, object], lambdas: Collection[str]) -> None:
    """Refuse a replacement for what is no Lambda."""
    for name in replace:
        if name not in lambdas:
            there = f"only for {', '.join(lambdas)}" if lambdas else "there is no Lambda"
            raise ValueError(f"{where}: replace {name}: {there}"[:300])


def walk(config: object) -> Iterator[tuple[list[dict], int, dict]]:
    """Give each layer's description in a configuration of any depth: the list it is in, its place there, itself."""
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [value for key, value in one.items() if key != "function"]
        elif isinstance(one, list):
            if all(isinstance(entry, dict) and "class_name" in entry for entry in one):
                yield from ((one, place, entry) for place, entry in enumerate(one))
            waiting += one


def name_of(spec: dict) -> str:
    """Give the name of a layer as its description has it."""
    config = spec.get("config")
    name = spec.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return name if isinstance(name, str) else ""


def around(specs: list[dict], place: int) -> tuple[str, str]:
    """Name the layers before and after one: in a chain its neighbors, in a graph those with which it is connected."""
    nodes = specs[place].get("inbound_nodes")
    if nodes is None:
        before = name_of(specs[place - 1]) if place else ""
        return before, name_of(specs[place + 1]) if place + 1 < len(specs) else ""
    name = name_of(specs[place])
    before = [name_of(one) for one in specs if mentions(nodes, name_of(one))]
    after = [name_of(one) for one in specs if mentions(one.get("inbound_nodes"), name)]
    return ", ".join(before), ", ".join(after)


def mentions(nodes: object, name: str) -> bool:
    """Tell whether the connections of a layer, old or new, name another one."""
    return bool(name) and json.dumps([name])[1:-1] in json.dumps(nodes)


def _shown(shape: tuple) -> str:
    return "(" + ", ".join("?" if side is None else str(side) for side in shape) + ")"
