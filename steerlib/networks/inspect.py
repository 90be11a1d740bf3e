"""What a network's file holds, and on a drive how it wants to be asked: ``python -m steerlib inspect``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from steerlib.networks.black_box import Raw, RawModel, in_its_color
from steerlib.networks.description import Description, beside, described, write_description
from steerlib.networks.formats.lambdas import LambdaError
from steerlib.networks.network import is_keras_model
from steerlib.networks.plausibility import DEAD
from steerlib.networks.preparations import DRAWS, RANGES, TRIED, Evidence, find_preparation, rivals

if TYPE_CHECKING:
    import keras

    from steerlib.drives import Drive

STEERING = ("angle", "steer", "wheel")  # parts of the names of outputs that are likely to be the angle
SHOWN = 6  # preparations in a table
BINS = (-1.0, 1.0)  # what donkeycar's first and last bin mean


class Inspected(NamedTuple):
    """What is known of a network before it is asked anything."""

    path: Path
    raw: Raw
    model: keras.Model | None
    told: Description  # declared, or in the file beside it
    ranges: Sequence[tuple[float, float]]  # those that are possible
    outputs: Sequence[str | int | None]  # those that may be the angle
    lines: list[str]  # for a reader


def inspect_file(
    path: str | Path,
    trust_program: bool = False,
    backend: str | None = None,
    **declared: Any,  # noqa: ANN401
) -> Inspected:
    """Read a network's file and say what it holds. Introduced in notebook 10.

    Parameters
    ----------
    path : str or Path
    trust_program, backend, **declared
        As for `steerlib.load_network`.

    Returns
    -------
    Inspected

    Raises
    ------
    ValueError
        Where the file cannot be read safely; of a Lambda the message says what to do.
    """
    from steerlib.networks.files import read_network

    path, told = Path(path), Description(**described(path, declared))
    found = read_network(path, told.replace, trust_program, backend)
    model = found if is_keras_model(found) else None
    lines = [f"{path}: {_written_by(path)}"]
    if model is None:
        raw, known = found, None
        lines.append("  a black box: only its answers are known, which suits the methods that only ask")
    else:
        from steerlib.networks.one_form import stated_range

        raw = RawModel(model, told)
        lines += _layers(model)
        try:
            known = stated_range(model)
        except ValueError as error:
            known = None
            lines.append(f"  {error}")
    outputs = dict(getattr(raw, "outputs", {}))
    lines.append(f"  takes {_shape(raw.input_shape)}" + f"; answers {_outputs(outputs)}" * bool(outputs))
    told, assumed, chosen = _assume(told, raw, outputs, known)
    declared = ", ".join(f"{name}={value!r}" for name, value in described(path, declared).items())
    lines.append(f"  told: {declared or f'nothing ({beside(path).name} beside it would say it)'}")
    if known is not None and told.range is None:
        lines.append(f"  read off its first layers: black and white are {_pair(known)}")
    lines += [f"  assumed: {sentence}" for sentence in assumed]
    ranges = [known] if known is not None else RANGES
    return Inspected(path, raw, model, told, ranges, chosen, lines)


def inspect_on(found: Inspected, drive: Drive, left: Drive | None = None, right: Drive | None = None) -> list[Evidence]:
    """Find out on a drive how a network wants to be asked, see `find_preparation`. Introduced in notebook 10."""
    asked = partial(tqdm, desc="asking", leave=False, disable=None)  # on a terminal
    return find_preparation(found.raw, drive, left, right, found.told, found.ranges, found.outputs, asked)


def report(evidence: Sequence[Evidence], drive: Drive) -> list[str]:
    """Tell what was found out on a drive, and what its frames cannot tell, line by line. Introduced in notebook 10.

    Parameters
    ----------
    evidence : sequence of Evidence
        As `inspect_on` gives it.
    drive : Drive

    Returns
    -------
    list of str
    """
    first = evidence[0]
    lines = [
        f"asked in the {len(evidence)} likeliest ways on {drive.name!r}. Columns: sum of what speaks for it, at best "
        f"{first.best_possible}; by how much less than the first one it does, an interval that holds 95 % of {DRAWS}",
        "  random draws of the same frames: where it holds 0, the drive cannot tell the two;",
        "  left > center > right: share of frames whose three cameras steer in this order (chance: 0.17, ideal: 1); "
        "mirror: correlation with the mirrored frames (ideal: -1);",
        "  recorded: correlation with the recorded angles, and both smoothed; mean and spread of the answers as they "
        "are; most: the largest.",
        f"  {'sum':>5} {'behind':>14} {'cameras':>8} {'mirror':>7} {'recorded':>9} {'smoothed':>9} {'mean':>9} "
        f"{'spread':>9} {'most':>9}  preparation",
    ]
    for one in evidence[:SHOWN]:
        lines.append(
            f"  {one.score:5.2f} {_interval(one.behind_95):>14} {_number(one.cameras)} {one.mirror:7.2f} "
            f"{one.agreement:9.2f} {one.smoothed:9.2f} {one.mean:9.3g} {one.spread:9.3g} {one.most:9.3g}  "
            f"{preparation_in_words(one.description)}"
        )
    if all(one.constant for one in evidence):
        return [
            *lines,
            "Its answers are the same in every preparation: the network learned nothing, and no map says anything.",
        ]
    if first.same > DEAD:
        lines.append(
            f"It gives the very same answer to {first.same:.0%} of the frames: there a part of it is off, and "
            "gradients may vanish."
        )
    lines += failed(first)
    lines += [_verdict(evidence, name) for name in TRIED if len({getattr(e.description, name) for e in evidence}) > 1]
    return [*lines, *_sign_and_unit(first)]


def failed(one: Evidence) -> list[str]:
    """Say which tests a preparation does not pass: in which it is not beyond chance, with 95 % of the draws.

    The recorded angles do not count among them: those of a few minutes, or of a keyboard, rarely suffice.
    """
    tests = {
        "left, center and right camera in order": (one.order_95, min(one.order_95) > 0 or max(one.order_95) < 0),
        "mirror": (one.mirror_95, max(one.mirror_95) < 0),
    }
    told = [
        f"{name} ({_interval(interval)})"
        for name, (interval, passed) in tests.items()
        if not passed and (name == "mirror" or np.isfinite(one.cameras))
    ]
    if not told:
        return []
    return [
        f"The first one does not pass: {'; '.join(told)}, 95 % of the draws. The right preparation may not be among "
        "those tried, or the network does not know this road. Nothing below is sure."
    ]


def _verdict(evidence: Sequence[Evidence], name: str) -> str:
    """Say of one thing that was tried which does best, or that the drive cannot tell."""
    near = rivals(evidence, name)
    best, others = getattr(evidence[0].description, name), {}
    for one in evidence:
        others.setdefault(getattr(one.description, name), one)
    others = [(value, one) for value, one in others.items() if value not in near]
    if len(near) == 1 and not failed(evidence[0]):
        second = f"; next {_value(others[0][0])}, behind by {_interval(others[0][1].behind_95)}" if others else ""
        return f"best: {name} {_value(best)}{second}"
    ties = ", ".join(f"{_value(value)} {score:.2f}" for value, score in near.items())
    return f"not clear: {name}, the drive cannot tell which: {ties}"


def _interval(interval: tuple[float, float]) -> str:
    """Write an interval; where nothing varies, as with the same answer to every frame, there is none."""
    if np.isnan(interval).any():
        return "not defined"
    return f"{interval[0]:.2f}...{interval[1]:.2f}"


def _sign_and_unit(first: Evidence) -> list[str]:
    """Say what the answers tell about their sign and unit."""
    told, lines = first.description, []
    order = first.cameras - first.reverse
    votes = [value for value in (order, first.smoothed) if np.isfinite(value)]
    if told.sign is None and votes:
        right, clear = sum(votes) > 0, all(abs(value) > 0.3 for value in votes) and len({v > 0 for v in votes}) == 1
        side = "right" if right else "left: sign = -1"
        lines.append(f"{'clear' if clear else 'not clear'}: a positive answer steers {side}")
    if told.unit is None:
        taken = "are taken for a fraction of full lock" if first.most <= 1.5 else "are no fraction of full lock"
        fits = f"; {first.factor:.1f}° for each 1 fit the recorded angles best" if np.isfinite(first.factor) else ""
        lines.append(f"not clear: its unit; answers up to {first.most:.3g} {taken}{fits}")
    return [
        *lines,
        "not told by these tests: whether its pictures were blurred, which matters little",
        "Best is how the network does best on this drive. How it was trained may be another thing, on another road: of "
        "nine published networks one does clearly better with another part of the frame than its author states.",
    ]


def suggestion(evidence: Sequence[Evidence]) -> Description:
    """Make the description of the best preparation; what was assumed of its unit and sign stands in it, to be seen."""
    first = evidence[0]
    made = first.description
    if made.unit is None:
        made = dataclasses.replace(made, unit="fraction" if first.most <= 1.5 else "degrees")
    if made.sign is None:
        votes = np.nansum([first.cameras - first.reverse, first.smoothed])
        made = dataclasses.replace(made, sign=-1 if votes < 0 else 1)
    return made


def preparation_in_words(told: Description) -> str:
    """Name what was tried."""
    rows = "whole" if told.crop in (None, (0.0, 1.0)) else f"{told.crop[0]:.1%} to {told.crop[1]:.1%} of the height"
    output = "" if told.output is None else f", output {told.output}"
    return f"{told.color}, {_pair(told.range)}, {rows}, {told.resize}{output}"


def command(options: argparse.Namespace, declared: dict[str, Any]) -> Iterator[str]:
    """Do what ``python -m steerlib inspect`` is asked for, and give its lines one by one."""
    from steerlib.drives import load_drive
    from steerlib.networks.files import networks
    from steerlib.writing import check_output

    path = networks().get(options.file, Path(options.file))
    if not path.exists():
        raise FileNotFoundError(f"no network {path}: expected a file, or one of {', '.join(networks())}")
    if (options.keep or options.write) and not options.drive:
        raise ValueError("--keep and -o: what a network sees is found out on a drive, and none is given")
    if options.write:
        check_output(Path(options.write), (".png", ".jpg", ".webp"))
    drive = load_drive(options.drive) if options.drive else None
    try:
        found = inspect_file(path, options.trust_program, **declared)
    except LambdaError as error:
        yield from [f"{path}: {_written_by(path)}", *error.listed]
        raise
    yield from found.lines
    if drive is None:
        return
    sides = []
    with warnings.catch_warnings(), suppress(ValueError, OSError):
        warnings.simplefilter("ignore")  # said of the center camera
        sides = [load_drive(options.drive, camera=camera) for camera in ("left", "right")]
        if any(len(side) != len(drive) for side in sides):
            sides = []
    if not sides:
        yield "the drive has no side cameras for all of its frames: the mirrored picture and the recorded angles decide"
    evidence = inspect_on(found, drive, *sides)
    yield from report(evidence, drive)
    best = suggestion(evidence)
    if options.keep:
        write_description(best, beside(path), path)
        yield f"{beside(path)}: written; look at what is not clear in it"
    if options.write:
        draw_seen(drive, best, found.raw, Path(options.write))
        yield (
            f"{options.write}: a frame, dark where the network is not given it (what a layer cuts off is not dark); "
            "below, its channels"
        )


def draw_seen(drive: Drive, told: Description, raw: Raw, path: Path) -> None:
    """Draw a frame of a drive, and below it the network's picture: its channels side by side, in gray."""
    import cv2

    from steerlib.drives import preprocess
    from steerlib.writing import replacing

    frame = drive.frame(len(drive) // 2)
    size, crop = told.size or tuple(raw.input_shape[-3:-1]), told.crop or (0.0, 1.0)
    picture = preprocess(frame, crop, told.color_at or size, **told.before_color())
    seen = in_its_color(picture, told, told.color_for(raw.input_shape[-1]), size)
    top, bottom = (round(share * len(frame)) for share in crop)
    shown = frame // 3
    shown[top:bottom] = frame[top:bottom]
    row = np.rint(255 * np.clip(np.hstack(list(np.moveaxis(seen, -1, 0))), 0, 1)).astype(np.uint8)
    width = max(shown.shape[1], row.shape[1])
    parts = [cv2.cvtColor(row, cv2.COLOR_GRAY2RGB), shown]
    parts = [cv2.resize(part, (width, round(part.shape[0] * width / part.shape[1]))) for part in parts[::-1]]
    with replacing(path) as unfinished:
        unfinished.write_bytes(cv2.imencode(path.suffix, np.vstack(parts)[..., ::-1])[1].tobytes())


def _assume(
    told: Description, raw: Raw, outputs: dict[str, tuple], known: tuple[float, float] | None
) -> tuple[Description, list[str], list[str | int | None]]:
    """Fill in what is likely; give sentences about it, and the outputs that may be the angle."""
    assumed, chosen = [], [told.output]
    if told.output is None and len(outputs) > 1:
        chosen = [name for name in outputs if any(part in name.lower() for part in STEERING)]
        if len(chosen) != 1:
            chosen = list(outputs)
        else:
            assumed.append(f"output {chosen[0]!r} is the angle, by its name")
    shape = outputs.get(chosen[0], next(iter(outputs.values()), (None, 1))) if outputs else (None, 1)
    if told.classes is None and len(shape) == 2 and (shape[1] or 1) > 1:
        told = dataclasses.replace(told, classes=BINS)
        assumed.append(f"its {shape[1]} classes are angles from full left to full right, as donkeycar's bins")
    if told.range is None and known is None:
        assumed.append("black and white are 0 and 1 until a drive says otherwise")
    if told.color is None:
        assumed.append(f"{'gray' if raw.input_shape[-1] == 1 else 'RGB'} until a drive says otherwise")
    if told.unit is None:
        assumed.append("radians of the steering wheel, if it is loaded as it is")
    return told, assumed, chosen


def _written_by(path: Path) -> str:
    """Say of which kind a file is, and what wrote it, as far as it says."""
    with suppress(OSError, zipfile.BadZipFile, KeyError, ValueError):
        with zipfile.ZipFile(path) as archive, archive.open("metadata.json") as file:
            version = json.loads(file.read(10_000)).get("keras_version")
            return f"a .keras file of Keras {str(version)[:20]}"
    with suppress(OSError):
        import h5py

        with h5py.File(path) as file:
            version = file.attrs.get("keras_version")
            version = version.decode() if isinstance(version, bytes) else version
            return f"HDF5 of Keras {str(version)[:20]}" if version else "HDF5, without a word on what wrote it"
    kinds = {".tflite": "TensorFlow Lite", ".onnx": "ONNX"}
    return kinds.get(path.suffix.lower(), f"a {path.suffix or 'folder'}")


def _layers(model: keras.Model) -> list[str]:
    """List the layers of a model with what they give and how many weights they have."""
    lines = []
    for layer in model.layers:
        with suppress(AttributeError):  # used in several places, it has no output of its own
            shape = getattr(layer.output, "shape", None)
            lines.append(
                f"  {layer.name:24s} {type(layer).__name__:22s} {_shape(shape):>18s} {layer.count_params():>10,}"
            )
    return [*lines, f"  {model.count_params():,} weights"]


def _shape(shape: tuple | None) -> str:
    """Write a shape without the number of pictures."""
    return " × ".join("any" if side is None else str(side) for side in tuple(shape or ())[1:]) or "1"


def _outputs(outputs: dict[str, tuple]) -> str:
    """Write names and shapes of outputs."""
    return ", ".join(f"{name} ({_shape(shape)})" for name, shape in outputs.items())


def _pair(range: tuple[float, float] | None) -> str:
    """Write a range."""
    low, high = range or (0.0, 1.0)
    return f"{low:g}...{high:.3g}"


def _value(value: object) -> str:
    """Write something that was tried."""
    return f"({', '.join(f'{one:.4g}' for one in value)})" if isinstance(value, tuple) else str(value)


def _number(value: float) -> str:
    """Write a share, or that there is none."""
    return f"{value:8.2f}" if np.isfinite(value) else f"{'-':>8}"
