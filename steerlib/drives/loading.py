"""From a path to a drive (notebook 01)."""

import inspect
import os
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from steerlib import checkout
from steerlib.drives import formats
from steerlib.drives.drive import Drive, Film, joined
from steerlib.drives.files import Archive, Files, inside, join
from steerlib.drives.pictures import ROAD, check_crop, decode, decode_rgb
from steerlib.drives.plausibility import AngleWarning, check_angles, doubts_in_words
from steerlib.drives.recording import Recording, check_full_lock, check_unit, shortened

CAMERAS = ("center", "left", "right")
DEEPEST = 3  # so many folders further in a drive is looked for
ARCHIVE_ENDINGS = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip")
PICTURE_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
HINT = "; readable() gives the drive without such frames"


def quick() -> int:
    """Read $STEERLIB_QUICK, for tests: into so many parts divide the counts that only repeat something.

    Of a drive every so many-th frame is loaded, at least 40, and of rendered views so many fewer are made; 1 where the
    variable is not set. A test of all notebooks on several drives would take an hour without.

    Raises
    ------
    ValueError
        If it is no whole number above 0.
    """
    text = os.environ.get("STEERLIB_QUICK") or "1"
    if not (text.isdecimal() and int(text)):
        raise ValueError(f"STEERLIB_QUICK={text!r}: expected a whole number, at least 1")
    return int(text)


def load_drive(
    path: str | Path | Sequence[str | Path] | None = None,
    camera: str = "center",
    crop: tuple[float, float] = ROAD,
    full_lock: float | None = None,
    unit: str | None = None,
) -> Drive:
    """Open a recorded drive; frames are read later, when they are asked for (notebook 01).

    The formats of `steerlib.drives.formats` are recognized, in a folder or up to three folders further in, and in
    a zip archive, which is read in place; `data/README.md` lists them. Each knows its unit and sign: degrees of the
    steering wheel, positive to the right, come out. What none of them recognizes, `read_table` reads where you say what
    its columns mean. Folders beside each other that hold drives of one format become one drive of several runs.

    Parameters
    ----------
    path : str or Path, or several of them, optional
        The folder, the archive, the label file or the video; several become one drive of several runs. None: the
        environment variable `STEERLIB_DRIVE` (a relative path in it may also start at the checkout), else the sample
        drive.
    camera : {"center", "left", "right"}
        For recordings with three cameras.
    crop : (top, bottom)
        The part of the height that the network sees, see `crop_road`.
    full_lock : float, optional
        Degrees of the steering wheel at full lock, for recordings in fractions of it. None: 25, as in Udacity's
        simulator; for other recordings what the environment variable `STEERLIB_FULL_LOCK` says, else 25, and a warning
        says that this is assumed.
    unit : {"degrees", "radians", "fraction"}, optional
        What the angles are written in, where it is another unit than the format's own.

    Returns
    -------
    Drive
        The frames that are there. Warnings count, and name the first of, the lines that are no label, the labels whose
        frame is missing, and the frames that have several labels, which all stay. One more, an `AngleWarning`, asks
        whether the angles can be what they are taken for, and says why (`check_angles`).

    Raises
    ------
    FileNotFoundError
        No such path, not a single frame, or no label file in it: the message says what is there instead.
    ValueError
        Names file and line: not a single label, most lines are none, an angle is beyond the unit, or a name leads out
        of the folder, of which nothing is read.
    """
    if camera not in CAMERAS:
        raise ValueError(f"camera={camera!r}: expected one of {', '.join(CAMERAS)}")
    check_crop(crop)
    if unit is not None:
        check_unit(unit)
    if full_lock is not None:
        check_full_lock("full_lock", full_lock)
    given = {name: value for name, value in (("unit", unit), ("full_lock", full_lock)) if value is not None}
    several = not isinstance(path, (str, Path)) and path is not None
    places = [Path(one).expanduser() for one in path] if several else [_default_path() if path is None else Path(path)]
    if not places:
        raise ValueError("path=[]: expected at least one drive")
    films, told, titles = [], [], []
    for place in places:
        top = open_files(place.expanduser())
        found = list(_recognize(top))
        for files, label_file, kind in found:
            where = files.where(label_file)
            if files.kind(label_file) == "link":
                raise ValueError(f"{where} is a link that leads out of its folder: give the path that it leads to")
            if unknown := [name for name in given if name not in inspect.signature(kind.read).parameters]:
                raise ValueError(f"{unknown[0]}={given[unknown[0]]!r}: {kind.TITLE} say in what their angles are")
            films.append(film_of(kind.read(files, label_file, camera, **given), files, where, crop, told))
        titles.append(found[0][0].name if len(found) == 1 else top.name)
    for message in told:
        warnings.warn(message, stacklevel=2)
    drive = Drive(" + ".join(titles), film := joined(films), every(len(film.names)))
    if doubts := doubts_in_words(drive.name, check_angles(drive)):
        warnings.warn(doubts, AngleWarning, stacklevel=2)
    return drive


def every(count: int) -> np.ndarray:
    """Give the frames that are loaded: all, unless $STEERLIB_QUICK says otherwise."""
    return np.arange(count)[:: max(1, min(quick(), count // 40))]


def film_of(recorded: Recording, files: Files, where: str, crop: tuple[float, float], told: list[str]) -> Film:
    """Find the frames of a recording; what should be told is added to a list.

    Raises
    ------
    FileNotFoundError
        Where not a single frame is there.
    ValueError
        Where most lines are no label.
    """
    check_problems(recorded, where)
    paths, rows, missing = [], [], []
    for row, (line, name) in enumerate(zip(recorded.lines, recorded.names)):
        if row in recorded.problems:
            continue
        path = name if recorded.read else find_frame(files, name, recorded.places(name), f"{where}, line {line}")
        if path:
            paths.append(path)
            rows.append(row)
        else:
            missing.append(row)
    count = len(recorded.names)

    def first(rows: Iterable[int]) -> str:
        row = next(iter(rows))
        what = recorded.problems.get(row) or shortened(recorded.names[row])
        return f"(the first is {what} in line {recorded.lines[row]})"

    if not rows:
        others = _others(files, recorded.places(recorded.names[missing[0]]))
        raise FileNotFoundError(
            f"{where}: none of its {len(missing):,} frames is there {first(missing)}: "
            f"expected them beside it or in the folder {recorded.frames_in}; {others}"
        )
    for skipped, reason in (
        (recorded.problems, f"since they are not {recorded.expected}"),
        (missing, "since their frames are missing"),
    ):
        if skipped:
            told.append(f"{where}: {len(skipped):,} of {count:,} labels skipped, {reason} {first(skipped)}")
    if repeated := len(paths) - len(set(paths)):
        told.append(f"{where}: {repeated:,} of {count:,} labels are of frames that have another")
    told.extend(f"{where}: {note}" for note in recorded.notes)

    def read(i: int) -> np.ndarray:
        if recorded.read:
            return recorded.read(rows[i])
        return decode_rgb(files.read(paths[i]), files.where(paths[i]), HINT)

    return Film(
        names=np.array([path.rpartition("/")[2] for path in paths]),
        read=read,
        read_labels=lambda i: None if recorded.read else _read_labels(files, paths[i]),
        recorded=recorded.angles.astype(np.float32),
        places=np.array(rows),
        runs=recorded.runs,
        in_order=recorded.read is not None,
        timestamps=None if recorded.times is None else recorded.times[rows],
        crop=crop,
    )


def check_problems(recorded: Recording, where: str) -> None:
    """Refuse a label file most lines of which are no label: what is left would be no drive."""
    wrong, count = len(recorded.problems), len(recorded.names)
    if 2 * wrong > count:
        first, found = next(iter(recorded.problems.items()))
        most = f"; so are {wrong:,} of {count:,} lines" if count > 1 else ""
        raise ValueError(f"{where}, line {recorded.lines[first]}: expected {recorded.expected}; found {found}{most}")


def find_frame(files: Files, name: str, places: Iterable[str], where: str) -> str | None:
    """Find the frame that a label names, None where it is missing; refuse what leads out of the folder.

    First what is written, and the longest tail of it that is there; then the places of the format; then all of these
    in other capitals, where only one name is alike.

    Parameters
    ----------
    files : Files
    name : str
        As it is written, for messages.
    places : strings
        Where it may lie. What leads out is refused here, so no format can forget it.
    where : str
        File and line, for messages.
    """
    candidates = {}
    for place in places:
        path = inside(place)
        if path is None:
            raise ValueError(f"{where}: {name!r} leads out of the folder: expected the name of a frame in it")
        candidates[path] = None
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".") and not part.endswith(":")]
    tails = ["/".join(parts[start:]) for start in range(len(parts))] if ".." not in parts else []
    for path in (candidates := list(dict.fromkeys([*tails, *candidates]))):
        kind = files.kind(path)
        if kind == "link":
            raise ValueError(f"{where}: {name!r} is a link that leads out of the folder: expected a file")
        if kind == "file":
            return path
    return next(filter(None, map(files.alike, candidates)), None)


def _others(files: Files, places: Iterable[str]) -> str:
    """Say what is there in place of a frame: one that is called nearly so, or what the folder holds."""
    for folder, file_name in ((path or "").rpartition("/")[::2] for path in map(inside, places)):
        stem = file_name.rpartition(".")[0].casefold()
        for found in files.within(folder).names("file") if not folder or files.kind(folder) == "folder" else ():
            if found.rpartition(".")[0].casefold() == stem:
                return f"{found!r} is there, the label says {file_name!r}"
    return f"found {_contents([files, *(files.within(folder) for folder in files.names('folder'))])}"


def _default_path() -> Path:
    """Find the drive when none is named."""
    if not os.environ.get("STEERLIB_DRIVE"):
        sample = checkout.DATA / "sample_drive"
        if not sample.is_dir():
            raise checkout.missing(sample, "the sample drive", "name a recording, load_drive(path)")
        return sample
    named = Path(os.environ["STEERLIB_DRIVE"]).expanduser()
    # Notebooks run in their own folder, but the variable is typed in the checkout.
    return named if named.exists() else Path(os.path.normpath(checkout.ROOT / named))


def open_files(path: Path) -> Files:
    """Open a folder, an archive or a label file's folder."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: expected a drive's folder, zip archive or label file")
    if path.is_dir():
        return Files(path)
    if not path.is_file():  # whoever reads from a pipe or a device may wait for ever
        raise ValueError(f"{path} is no folder, zip archive or label file")
    if zipfile.is_zipfile(path) or path.suffix.lower() == ".zip":
        try:
            return Archive(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is no zip archive, or only a part of one: download it again") from error
    return Files(path.parent, path.name)


def _recognize(files: Files) -> Iterator[tuple[Files, str, ModuleType]]:
    """Ask the formats in turn, folder by folder; give each folder with a recording, the label file, and the format."""
    known = formats.known()
    if files.named:
        for kind in known:
            if label_file := kind.recognize(files):
                yield files, label_file if isinstance(label_file, str) else label_file[0], kind
                return
        endings = " or ".join(dict.fromkeys(filter(None, (Path(kind.LABEL_FILE).suffix for kind in known))))
        expected = f"expected a folder, a zip archive, or a label file that ends in {endings}"
        raise ValueError(f"{files.where(files.named)}: {expected}; unpack other archives first")

    # A video without angles is taken for the recording only where nothing else is.
    for last in (False, True):
        kinds = [kind for kind in known if getattr(kind, "LAST", False) is last]
        seen, folders = [], [files]
        for _ in range(DEEPEST + 1):
            if found := _found(folders, kinds):
                if len({kind for _, _, kind in found.values()}) > 1:  # nobody can know which of them is meant
                    names = ", ".join(list(found)[:6]) + ", …" * (len(found) > 6)
                    raise ValueError(f"{files.path} holds {len(found)} drives ({names}): give the path of one")
                yield from (found[name] for name in sorted(found, key=_by_numbers))
                return
            seen += folders
            folders = [folder.within(name) for folder in folders for name in folder.names("folder")]
    raise FileNotFoundError(
        f"no recording in {files.path}, nor in the folders in it: found {_contents(seen)}; "
        f"known formats: {', '.join(kind.TITLE for kind in known)}"
    )


def _found(folders: list[Files], kinds: list[ModuleType]) -> dict[str, tuple[Files, str, ModuleType]]:
    """Give the recordings in folders; raise what a format said that lacks something, where no other is there."""
    found, doubt = {}, None
    for folder in folders:
        for kind in kinds:
            try:
                label_files = kind.recognize(folder) or ()
            except (ValueError, FileNotFoundError) as error:
                doubt = doubt or error
                continue
            for label_file in [label_files] if isinstance(label_files, str) else label_files:
                found[join(folder.base, label_file)] = (folder, label_file, kind)
    if doubt and not found:
        raise doubt
    return found


def _by_numbers(path: str) -> list[tuple[int, str]]:
    """Order names as people do: segment 9 before segment 10."""
    return [(int(part or -1), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)]


def _contents(folders: list[Files]) -> str:
    """Say what lies in folders, in which no format recognized a label file."""
    said = []
    for folder in folders:
        names = folder.names("file")
        pictures = sum(name.lower().endswith(PICTURE_ENDINGS) for name in names)
        others = [
            f"an archive {shortened(name)}" if name.lower().endswith(ARCHIVE_ENDINGS) else shortened(name)
            for name in names
            if not name.lower().endswith(PICTURE_ENDINGS)
        ]
        parts = [f"{pictures:,} picture{'s' * (pictures > 1)}"] * (pictures > 0) + others[:2]
        parts += [f"{len(others) - 2:,} more"] * (len(others) > 2)
        if parts:
            said.append(", ".join(parts) + (f" in {folder.base}" if folder.base else ""))
    return "; ".join(said[:3]) + "; ..." * (len(said) > 3) or "no files"


def _read_labels(files: Files, frame: str) -> np.ndarray | None:
    """Read what each pixel of a frame is, see `Drive.labels`."""
    parent, _, file_name = frame.rpartition("/")
    path = join(parent, "labels", file_name.rpartition(".")[0] + ".png")
    if files.kind(path) != "file":
        return None
    picture = decode(files.read(path), files.where(path), cv2.IMREAD_UNCHANGED, HINT)
    if picture.ndim != 2 or picture.dtype != np.uint8:
        raise ValueError(f"{files.where(path)} is no label picture: expected an 8-bit gray PNG")
    return picture
