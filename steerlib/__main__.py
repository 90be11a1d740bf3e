"""One command for one picture, or for a drive: ``python -m steerlib explain | predict | film | maps`` (notebook 07).

``python -m steerlib check`` tells whether a machine is ready for a class; with a drive, whether its angles can be
what they are taken for (notebook 01).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

# Neither loads TensorFlow: a mistake in the arguments is answered before.
from steerlib.maps import METHODS
from steerlib.maps.fill import FILLS
from steerlib.maps.grad_cam import TARGETS
from steerlib.networks.options import add_options, declared, windows
from steerlib.quiet import held_back

if TYPE_CHECKING:
    import numpy as np

    from steerlib.drives import Drive
    from steerlib.networks.network import Network

WIDTH, BAR = 900, 480  # pixels: of a picture, of its color bar


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (--help tells more)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        None: those of the command line.

    Returns
    -------
    int
        0; 2 where something is wrong, which is said in one line on standard error; 1 where a check failed.
    """
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: _complain(message)
            return options.run(options)
    except (OSError, ValueError) as error:
        _complain(error)
        return 2
    except KeyboardInterrupt:
        print("steerlib: interrupted", file=sys.stderr)
        return 130


def explain(options: argparse.Namespace) -> int:
    """Write a picture of what moved the wheel on one frame."""
    from steerlib.drives import crop_road, preprocess, read_frame
    from steerlib.drives.drive import vision
    from steerlib.writing import check_output

    with held_back():  # what a decoder says past Python: the error that is raised says it
        frame = read_frame(options.frame)
    output = Path(options.write or f"{Path(options.frame).stem}_{options.method}.png")
    check_output(output, (".png", ".jpg", ".jpeg", ".webp", ".bmp"))
    from steerlib.maps import explain as explain_picture
    from steerlib.show import overlay
    from steerlib.show.explanation import draw_map

    network = _network(options, [options.method])
    crop = _crop(network, options.whole)
    settings = {"target": options.target, "signed": options.signed, "stride": options.stride, "layer": options.layer}
    settings |= {"sizes": windows(options)} if windows(options) else {}
    picture = preprocess(frame, crop, network.size, **vision(network))
    _doubt_one(network, picture)
    found = explain_picture(network, picture, options.method, fill=options.fill, **settings)
    view = overlay.enlarge(crop_road(frame, crop), WIDTH)
    if options.focus:
        picture, bar = overlay.focus(view, found.map), None
    else:
        found = found if options.points else found.density()
        limit = overlay.common_limit([found.map])
        picture, bar = draw_map(view, found, limit), overlay.colorbar(BAR, limit, found.signed, found.unit, found.ends)
    ruler = max(45.0, 15 * -(-abs(found.angle) // 15))
    _write_picture(overlay.with_angles(picture, bar, found.angle, None, ruler), output)
    print(f"{options.frame}: {_in_words(found.angle)}")
    print(f"{output}: {'Sharp: the tenth of the picture that counts most.' if options.focus else found.words}")
    return 0


def predict(options: argparse.Namespace) -> int:
    """Print the angle for each frame; one that cannot be read is reported, and the others are still answered."""
    from steerlib.drives import preprocess, read_frame
    from steerlib.drives.drive import vision

    frames, failed = {}, False
    for name in options.frames:
        try:
            with held_back():  # what a decoder says past Python: the error that is raised says it
                frames[name] = read_frame(name)
        except (OSError, ValueError) as error:
            _complain(error)
            failed = True
    if frames:
        network = _network(options, [])
        for name, frame in frames.items():
            angle = network.angle(preprocess(frame, _crop(network, options.whole), network.size, **vision(network)))
            print(f"{name}: {_in_words(angle)}")
    return 2 if failed else 0


def film(options: argparse.Namespace) -> int:
    """Film a drive, or a video of a phone, with the maps of one or more methods."""
    import numpy as np

    from steerlib.drives import load_drive
    from steerlib.writing import check_output

    if not (options.write or options.draw_crop):
        raise ValueError("film: one of these is required: -o FILE, the film to write; --draw-crop FILE")
    drive = load_drive(options.drive)
    chosen = range(len(drive))[options.frames or slice(None)]
    if not chosen:
        raise ValueError(f"drive {drive.name!r} has 0 frames of those that --frames chooses, and {len(drive)} in all")
    methods = options.method or ["grad-cam"]
    for path, endings in ((options.write, (".mp4", ".webm")), (options.draw_crop, (".png", ".jpg", ".jpeg", ".webp"))):
        if path:
            check_output(Path(path), endings)
    from steerlib.networks.files import SHIPPED
    from steerlib.show.film import render_video
    from steerlib.show.framing import factor_in_words, film_width

    network = _network(options, methods, drive)
    drive = _framed(options, drive, network)
    if not options.write:
        return 0
    settings = {"layer": options.layer, "sizes": windows(options) or None, "stride": options.stride}
    if options.maps:
        from steerlib.maps import open_maps

        settings["maps"] = open_maps(options.maps)
    else:
        settings |= {"sizes": settings["sizes"] or (15,), "stride": options.stride or 8}
    standard, recorded = network.name in SHIPPED, bool(np.isfinite(drive.angles).any())
    factor = options.factor or 1.0
    if standard and recorded and not options.factor:
        factor, words = factor_in_words(drive, network)
        print(f"{words} (--factor says another)")
    settings |= {"factor": factor, "bends": standard and not recorded}
    drive = drive.subset(chosen)
    path = render_video(drive, network, methods, options.write, options.fps, film_width(drive), **settings)
    print(f"{path}: {len(drive)} frames of {drive.name}, network {network.name}")
    if settings["bends"]:
        print(
            "no angle was recorded: angle and bend are those of the standard car (steering ratio 15, wheel base 2.7 m) "
            "behind a camera that sees 60 degrees across"
        )
    return 0


def maps(options: argparse.Namespace) -> int:
    """Keep the maps of all frames of a drive in a Zarr store; what was broken off goes on."""
    from steerlib.chunks import check_workers, take_share

    check_workers(options.workers, options.scheduler, options.threads)
    if options.workers is None and options.scheduler is None:
        take_share(options.threads, "")
    from steerlib.maps import of_drive

    methods = options.method or ["hires-cam"]
    network = options.model or ("pilotnet_gap" if set(methods) == {"cam"} else None)
    given = {"layer": options.layer, "stride": options.stride, "fill": options.fill}
    given |= {"sizes": windows(options)} if windows(options) else {}
    where = {name: getattr(options, name) for name in ("workers", "scheduler", "threads")}
    where |= {"send": options.send or (), "description": declared(options)}
    print(found := of_drive(options.drive, network, methods, options.write, **where, **given))
    print(f"{found.path}: {_without_maps(found.state) or 'no frame is without maps'}")
    return 0


def check(options: argparse.Namespace) -> int:
    """See whether this machine is ready for a class, or whether the angles of a drive can be right."""
    if options.drive:
        return _check_drive(options.drive)
    from steerlib.check import report, run_checks

    results = run_checks()
    print(report(results))
    return 0 if all(result.good for result in results) else 1


def get(options: argparse.Namespace) -> int:
    """List recordings that others published, or fetch one by its name."""
    from steerlib.checkout import is_checkout
    from steerlib.drives.get import fetch, listing

    if options.name is None:
        print(listing())
        return 0
    folder = fetch(options.name)
    how = f"STEERLIB_DRIVE={folder} make lab" if is_checkout() else f"steerlib check {folder}"
    print(f"{folder} is complete: {how}")
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Say what a network's file holds; with a drive, find out how its pictures must be prepared."""
    from steerlib.networks.inspect import command

    for line in command(options, declared(options)):
        print(line, flush=True)
    return 0


def _framed(options: argparse.Namespace, drive: Drive, network: Network) -> Drive:
    """Choose what the network is given of a video without angles, or where the horizon is said; tell it."""
    import numpy as np

    from steerlib.show.framing import draw_crop, frame_by_horizon

    horizon, words = None, ""
    unknown = not np.isfinite(drive.angles).any()
    if network.crop is not None and options.horizon is not None:
        raise ValueError(f"--horizon: network {network.name!r} has a crop of its own; --crop says another")
    if network.crop is None and (unknown or options.horizon is not None):
        try:
            said = None if options.horizon == "auto" else options.horizon
            drive, horizon, words = frame_by_horizon(drive, said)
        except ValueError as error:
            raise ValueError(f"{error} (--horizon 0.45, a share of the height, or --crop TOP:BOTTOM)") from error
        print(words)
    if options.draw_crop:
        path = Path(options.draw_crop)
        _write_picture(draw_crop(drive, drive.part_for(network), horizon), path)
        print(f"{path}: what the network is given of the frames; --horizon and --crop say otherwise")
    return drive


def _check_drive(path: str) -> int:
    """Print what speaks against the angles of a drive, and what its pictures say about their sign."""
    from steerlib.drives import AngleWarning, check_angles, load_drive, picture_sign

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AngleWarning)  # it would say the same
        drive = load_drive(path)
    with held_back():  # what a decoder says past Python: frames that cannot be read are left out
        sign = picture_sign(drive)
        print(drive)
    doubts = check_angles(drive)
    for doubt in doubts:
        print(f"{doubt.what}: {doubt.sentence}")
    print(f"sign: {sign}{'; drive.angles = -drive.angles turns them' * sign.wrong}")
    return 1 if doubts or sign.wrong else 0


def _parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="steerlib", description="Ask a network for the angle of the steering wheel, and why.")
    commands = parser.add_subparsers(required=True, metavar="command", parser_class=Parser)

    def command(run, *positional: tuple[str, dict], model: bool = True) -> Parser:  # noqa: ANN001
        added = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
        for name, settings in positional:
            added.add_argument(name, **settings)
        if model:
            added.add_argument("--model", help="name of a saved network, or its file (default: the one that suits)")
        return added

    one = command(explain, ("frame", {"help": "a picture file"}))
    one.add_argument("--method", choices=tuple(METHODS), default="occlusion")
    one.add_argument("--target", choices=TARGETS, default="auto", help="of grad-cam and hires-cam")
    one.add_argument("--signed", action="store_true", help="grad-cam, hires-cam: also what speaks against the target")
    fill = "of hidden windows, and what integrated-gradients starts from"
    one.add_argument("--fill", choices=FILLS, default="blur", help=fill)
    one.add_argument("--points", action="store_true", help="a pixel-wise map as it is, not averaged over neighbors")
    one.add_argument("--focus", action="store_true", help="sharp where it counts, blurred elsewhere, instead of colors")
    one.add_argument(
        "-o", "--write", metavar="FILE", help="the picture to write (default: FRAME_METHOD.png in this folder)"
    )
    several = command(predict, ("frames", {"nargs": "+", "metavar": "frame", "help": "picture files"}))
    add_options(several)
    asked = command(
        inspect,
        ("file", {"help": "a network's file, or the name of a saved one"}),
        ("drive", {"nargs": "?", "help": "a recording on which to find out how its pictures must be prepared"}),
        model=False,
    )
    asked.add_argument("--keep", action="store_true", help="write what was found into a .toml beside the file")
    asked.add_argument("-o", "--write", metavar="FILE", help="draw what it sees of a frame of the drive")
    asked.add_argument("--trust-program", action="store_true", help="load a SavedModel, which holds a program")
    add_options(asked)
    whole = command(film, ("drive", {"help": "folder, label file, zip archive or video"}))
    whole.add_argument("--method", choices=tuple(METHODS), action="append", help="repeat it for several side by side")
    whole.add_argument("-o", "--write", metavar="FILE", help="the film to write: .mp4 or .webm")
    whole.add_argument("--draw-crop", metavar="FILE", help="draw what the network is given of the frames; needs no -o")
    horizon = "where it is, a share of the height, or auto: found in the motion, as it is for a video without angles"
    whole.add_argument("--horizon", type=_horizon, help=horizon)
    factor = "recorded angles for one of the network's (default: fitted on the first tenth, for the shipped networks)"
    whole.add_argument("--factor", type=_positive, help=factor)
    whole.add_argument("--frames", type=_range, metavar="FIRST:LAST", help="only these, LAST excluded")
    whole.add_argument("--fps", type=_rate, help="frames a second (default: as recorded)")
    table = command(maps, ("drive", {"help": "folder, label file or zip archive"}))
    table.add_argument("--method", choices=tuple(METHODS), action="append", help="repeat it for several")
    table.add_argument("-o", "--write", metavar="FOLDER", required=True, help="the store to write, such as maps.zarr")
    where = table.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="processes on this machine (needs the extra `scale`)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, such as tcp://10.0.0.1:8786")
    table.add_argument("--threads", type=int, default=1, help="of each worker, or of this process (default: 1)")
    text = "what workers that do not see the files are sent, or send back; repeatable"
    table.add_argument("--send", choices=("network", "frames", "maps"), action="append", help=text)
    table.add_argument("--fill", choices=FILLS, default="blur", help=fill)
    whole.add_argument("--maps", metavar="STORE", help="of this network and drive, made by `maps`: taken, not made")
    layer = "of grad-cam and hires-cam (default: the middle one, of PilotNet conv3)"
    for added, stride, default in ((one, 2, 2), (whole, 8, None), (table, 4, 4)):
        added.add_argument("--layer", help=layer)
        add_options(added, windows=True)
        added.add_argument("--stride", type=int, default=default, help=f"between hidden windows (default: {stride})")
    ready = commands.add_parser(check.__name__, help=check.__doc__, description=check.__doc__)
    ready.set_defaults(run=check)
    ready.add_argument("drive", nargs="?", help="folder, label file or zip archive; without, the machine is checked")
    gotten = commands.add_parser(get.__name__, help=get.__doc__, description=get.__doc__)
    gotten.set_defaults(run=get)
    gotten.add_argument("name", nargs="?", help="of a recording; without, what there is")
    for added in (one, several):
        added.add_argument("--whole", action="store_true", help="the network sees the whole frame, not its lower part")
    return parser


def _without_maps(state: np.ndarray) -> str:
    """Say how many frames have no maps, and why."""
    from steerlib.maps.whole_drive.store import MADE, STATES

    counts = [(int((state == k).sum()), what) for k, what in enumerate(STATES) if k != MADE]
    return "; ".join(f"{count:,} without maps: {what}" for count, what in counts if count)


def _range(text: str) -> slice:
    """Read FIRST:LAST; either may be missing."""
    parts = text.split(":")
    if len(parts) != 2 or not any(parts) or not all(part.isdigit() or not part for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}: expected FIRST:LAST, such as 100:200")
    return slice(*(int(part) if part else None for part in parts))


def _rate(text: str) -> float:
    """Read frames a second."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 120:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0, at most 120")
    return rate


def _positive(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return number


def _horizon(text: str) -> float | str:
    """Read a share of the height, or auto."""
    if text == "auto":
        return text
    share = _positive(text)
    if share >= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a share of the height, 0 to 1, such as 0.45, or auto")
    return share


def _network(options: argparse.Namespace, methods: Sequence[str], drive: Drive | None = None) -> Network:
    """Load the named network; else that of the drive, or the one that the method needs."""
    from steerlib.networks.files import load_network

    told = declared(options)
    if options.model:
        return load_network(options.model, **told)
    return load_network("pilotnet_gap", **told) if set(methods) == {"cam"} else load_network(drive=drive, **told)


def _doubt_one(network: Network, picture: np.ndarray) -> None:
    """Say so where a network answers the same to a frame, to its mirrored picture and to none at all."""
    import numpy as np

    from steerlib.networks.plausibility import FLAT

    answers = network.angles(np.stack([picture, picture[:, ::-1], np.zeros_like(picture), np.ones_like(picture)]))
    if np.ptp(answers) < FLAT:
        same = f"{answers[0]:+.2f}° to this frame, mirrored, to black and to white"
        why = "it learned nothing, or its picture is prepared wrongly (steerlib inspect)"
        _complain(f"network {network.name!r} answers {same}: {why}")


def _crop(network: Network, whole: bool) -> tuple[float, float]:
    """Say which part of a frame's height is shown to a network: its own, else the lower part, or all of it."""
    from steerlib.drives import ROAD, WHOLE

    return network.crop or (WHOLE if whole else ROAD)


def _write_picture(picture: object, path: Path) -> None:
    """Write an RGB picture; an older file is replaced once the new one is complete."""
    import cv2

    from steerlib.writing import replacing

    encoded = cv2.imencode(path.suffix, picture[..., ::-1])[1]
    with replacing(path) as unfinished:
        unfinished.write_bytes(encoded.tobytes())


def _in_words(angle: float) -> str:
    """Give an angle with its side."""
    return f"{angle:+.1f}° " + ("right" if angle >= 0.05 else "left" if angle <= -0.05 else "straight")


def _complain(error: Exception | str) -> None:
    """Say in one line on standard error what is wrong."""
    named = isinstance(error, OSError) and error.filename and error.strerror
    message = f"{error.filename}: {error.strerror}" if named else str(error)
    print("steerlib:", " ".join(message.split()), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
