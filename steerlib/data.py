"""Drives: frames, the angle of the steering wheel, and how both become input of the network (notebook 01)."""

import codecs
import contextlib
import hashlib
import operator
import os
import re
import shutil
import stat
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

IMAGE_SIZE = (66, 200)  # height and width of the network's input, arXiv 1604.07316
# Parts of a frame as fractions of its height. ROAD leaves the lower 150 of 256 rows, as S. Chen's own code
# does: 455 × 150 has the proportions of 200 × 66, so nothing is squashed. WHOLE is the 2016 article's choice.
ROAD = (106 / 256, 1.0)
WHOLE = (0.0, 1.0)

CAMERAS = ("center", "left", "right")
LABEL_FILES = ("data.txt", "driving_log.csv")
UNFINISHED = ".steerlib-"  # how the folders are called in which files are written before they take their names
FULL_LOCK = 25.0  # degrees: the simulator writes steering as a fraction of this
HINT = "; readable() gives the drive without such frames"
MOST_DEGREES = 2000.0  # more than five turns of a steering wheel: no sensor's angle
SULLYCHEN_LINE = "'200.jpg -1.21' or '200.jpg -1.21,2018-07-01 17:09:55:179'"
SULLYCHEN_TIME = re.compile(r"(\d{4})-(\d\d?)-(\d\d?) (\d\d?):(\d\d?):(\d\d?):(\d{1,3})")
UDACITY_TIME = re.compile(r"_(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d{3})\.")

# A file that is larger is no frame and no list of labels: what looks small on the disk must not fill the memory.
LARGEST_FILE = 64 * 2**20  # bytes
LARGEST_PICTURE = 50_000_000  # pixels, 150 MB in memory; a road camera has up to 10 million
LARGEST_RATIO = 20  # of a frame's longer side to its shorter one, since pictures are drawn at one width
PICTURES = {  # how a file begins, and what reads the size of its picture without decoding it
    b"\xff\xd8": JpegImagePlugin.JpegImageFile,
    b"\x89PNG": PngImagePlugin.PngImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
}

Indices = int | slice | Sequence[int] | np.ndarray
Label = tuple[str, float, datetime | None]  # name of the frame as written, degrees, time of day if known


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
    _check_crop(crop)
    height = len(frame)
    top, bottom = (round(fraction * height) for fraction in crop)
    if top == bottom:
        raise ValueError(f"crop={crop} leaves nothing of a frame with {height} rows")
    return frame[top:bottom]


def preprocess(frame: np.ndarray, crop: tuple[float, float] = ROAD) -> np.ndarray:
    """Turn a frame into input of the network; the same for training and for every map (notebook 01).

    Parameters
    ----------
    frame : (H, W, 3) uint8 RGB
    crop : (top, bottom)
        Fractions of the height, see `crop_road`.

    Returns
    -------
    (66, 200, 3) float32 in [0, 1]
        Exactly what `Drive.images` gives. The size is PilotNet's (arXiv 1604.07316).

    Raises
    ------
    ValueError
        Where `frame` is no uint8 RGB picture or the crop leaves nothing of it.
    """
    return _to_unit(_shrink(frame, crop))


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
    return _decode_rgb(_read(Path(path)), str(path))


def check_output(path: Path, endings: Sequence[str]) -> None:
    """Refuse, before any work is done, a place where no file can be written, or one of another kind.

    Raises
    ------
    IsADirectoryError, FileNotFoundError
        Where the path is a folder, or its folder does not exist.
    ValueError
        Where the name ends in none of the endings.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected a file to write")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: expected a file in a folder that exists")
    if path.suffix.lower() not in endings:
        raise ValueError(f"{path}: expected a name that ends in {' or '.join(endings)}")


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed left in a folder: it could not clean up.

    An hour must have passed since anything in it was written, for a film of a long drive takes longer than that.
    """
    for left in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - max(path.stat().st_mtime for path in (left, *left.rglob("*"))) > 3600:
                shutil.rmtree(left)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write beside a path, which takes its name once it is complete, and else vanishes."""
    remove_unfinished(path.parent)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=path.parent) as folder:
        yield (unfinished := Path(folder) / path.name)
        os.replace(unfinished, path)


def checksums(folder: Path, names: Sequence[str]) -> str:
    """Give the SHA-256 of each named file of a folder, a line each, as ``sha256sum --check`` reads them."""
    return "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)


class Drive:
    """Frames and the angle of the steering wheel at each of them (notebook 01).

    Made by `load_drive` or `Drive.from_arrays`. Frames are read when they are asked for; only the small
    pictures that the network sees are kept, and shared with the drives that `subset` makes.

    Attributes
    ----------
    name : str
        What the drive is called: its folder or archive.
    names : (n,) str
        File names of the frames.
    angles : (n,) float32
        Angle of the steering wheel in degrees, positive = right.
    timestamps : (n,) float64 or None
        Seconds since the first label of the recording, where the drive knows.
    crop : (top, bottom)
        The part of the height that the network sees, in fractions.
    """

    def __init__(self, name: str, film: "_Film", rows: np.ndarray) -> None:
        self.name, self._film, self._rows = name, film, rows
        self.names = film.names[rows]
        self.angles = film.recorded[film.places[rows]]
        self.timestamps = None if film.timestamps is None else film.timestamps[rows]
        self.crop = film.crop

    @classmethod
    def from_arrays(
        cls,
        name: str,
        frames: Sequence[np.ndarray] | np.ndarray,
        angles: Sequence[float] | np.ndarray,
        labels: Sequence[np.ndarray] | np.ndarray | None = None,
        timestamps: Sequence[float] | np.ndarray | None = None,
        crop: tuple[float, float] = ROAD,
    ) -> "Drive":
        """Make a drive of pictures in memory, which are not copied.

        Parameters
        ----------
        name : str
        frames : (n, H, W, 3) uint8 RGB, or n pictures of any size
        angles : (n,) degrees, positive = right
        labels : (n, H, W) uint8, optional
            What each pixel is.
        timestamps : (n,) seconds, optional
        crop : (top, bottom)
            Fractions of the height, see `crop_road`.

        Raises
        ------
        ValueError
            Where the lengths differ, an angle is not finite, or a frame is not uint8 RGB.
        """
        _check_crop(crop)
        with contextlib.suppress(ValueError, TypeError):
            angles = np.array(angles, np.float32)
        if np.ndim(angles) != 1 or not isinstance(angles, np.ndarray):
            raise ValueError(f"drive {name!r}: expected a list of angles, one number for each frame")
        times = None if timestamps is None else np.array(timestamps, np.float64)
        for what, given in (("angles", angles), ("labels", labels), ("timestamps", times)):
            if given is not None and len(given) != len(frames):
                raise ValueError(f"drive {name!r}: {len(given)} {what} for {len(frames)} frames")
        if not np.isfinite(angles).all():
            raise ValueError(f"drive {name!r}: angle {np.isfinite(angles).argmin()} is not a finite number")
        for frame in frames:
            _check_frame(frame)
        rows = np.arange(len(angles))
        film = _Film(
            names=rows.astype(str),
            read=lambda row: frames[row].copy(),
            read_labels=lambda row: None if labels is None else labels[row].copy(),
            recorded=angles,
            places=rows,
            timestamps=times,
            crop=crop,
        )
        return cls(name, film, rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        if not len(self):
            return f"Drive {self.name!r}: no frames"
        try:
            height, width = self.frame(0).shape[:2]
            size = f"of {width} × {height}"
        except (ValueError, OSError):
            size = "(the first is unreadable)"
        angles = f"angles from {self.angles.min():+.1f}° to {self.angles.max():+.1f}° (+ is right)"
        duration = "" if self.timestamps is None else f", {np.ptp(self.timestamps):.1f} s"
        return f"Drive {self.name!r}: {len(self):,} frames {size}, {angles}{duration}"

    def frame(self, i: int) -> np.ndarray:
        """Read frame `i`: (H, W, 3) uint8 RGB. ValueError names a file that is truncated or no picture."""
        return self._film.read(self._rows[operator.index(i)])

    def view(self, i: int) -> np.ndarray:
        """Read the part of frame `i` that the network sees, at full resolution: (h, W, 3) uint8 RGB."""
        return crop_road(self.frame(i), self.crop)

    def labels(self, i: int) -> np.ndarray | None:
        """Read what each pixel of frame `i` is: (H, W) uint8, or None where the drive does not know.

        On disk: an 8-bit gray PNG with the frame's stem, in the folder `labels` beside the frame.
        """
        return self._film.read_labels(self._rows[operator.index(i)])

    def pixels(self, indices: Indices | None = None) -> np.ndarray:
        """Decode frames to what the network sees, in parallel and only once.

        Parameters
        ----------
        indices : int, slice, mask or sequence of int, optional
            Which frames; None is all of them.

        Returns
        -------
        (m, 66, 200, 3) uint8 RGB
            Read-only, and without a copy where the frames lie side by side.

        Raises
        ------
        ValueError
            Names the first unreadable file; `readable` gives the drive without such frames.
        """
        rows = self._rows[self._chosen(slice(None) if indices is None else indices)]
        for error in self._film.decode(rows).values():
            raise error
        side_by_side = len(rows) and (np.diff(rows) == 1).all()
        small = self._film.cache[slice(rows[0], rows[-1] + 1) if side_by_side else rows]
        small.flags.writeable = False
        return small

    def images(self, indices: Indices | None = None) -> np.ndarray:
        """Give input of the network, (m, 66, 200, 3) float32 in [0, 1]: `pixels` divided by 255.

        158 kB each, four times the pixels: for thousands of frames take `pixels` and divide batch by batch.
        """
        return _to_unit(self.pixels(indices))

    def subset(self, indices: Indices, name: str | None = None) -> "Drive":
        """Make a drive of some frames, in the order given; it shares the decoded pixels with this one."""
        chosen = self._chosen(indices)
        view = Drive(self.name if name is None else name, self._film, self._rows[chosen])
        view.angles = self.angles[chosen]  # these may have been repaired
        return view

    def readable(self) -> "Drive":
        """Decode everything, and give the drive without the frames that cannot be read.

        One warning counts and names them; a drive without such frames is returned as it is.

        Raises
        ------
        ValueError
            Where not a single frame can be read.
        """
        broken = self._film.decode(self._rows)
        if not broken:
            return self
        bad = np.isin(self._rows, list(broken))
        if bad.all():
            raise ValueError(f"drive {self.name!r}: no frame can be read; {next(iter(broken.values()))}")
        listed = ", ".join(self.names[bad][:10]) + (", ..." if bad.sum() > 10 else "")
        warnings.warn(
            f"drive {self.name!r}: {bad.sum():,} of {len(self):,} frames cannot be read, left out: {listed}",
            stacklevel=2,
        )
        return self.subset(~bad)

    def _chosen(self, indices: Indices) -> np.ndarray:
        """Give indices of any kind as an array of those in 0...n-1."""
        return np.atleast_1d(np.arange(len(self))[indices if np.size(indices) else slice(0)])


def split(
    drive: Drive, validation: float = 0.2, by: str = "block", block: int = 35, seed: int = 0
) -> tuple[Drive, Drive]:
    """Split a drive for training and validation (notebook 02).

    Neighboring frames of a film are nearly equal. When they are shuffled, validation frames stand between
    training frames, and the validation error looks far too good.

    Parameters
    ----------
    drive : Drive
    validation : float
        The share for validation, between 0 and 1.
    by : {"block", "shuffle"}
        Whether blocks of consecutive frames or single frames are drawn.
    block : int
        Frames in a block.
    seed : int

    Returns
    -------
    training, validation : Drive
        Both in the order of the drive, sharing its pixels and its name.

    Raises
    ------
    ValueError
        Where an argument is out of range or the drive is too short for two blocks.
    """
    if by not in ("block", "shuffle"):
        raise ValueError(f"by={by!r}: expected 'block' or 'shuffle'")
    if not 0 < validation < 1:
        raise ValueError(f"validation={validation}: expected a share between 0 and 1, both excluded")
    if block < 1:
        raise ValueError(f"block={block}: expected at least one frame")
    size = block if by == "block" else 1
    blocks = np.arange(len(drive)) // size
    count = len(np.unique(blocks))
    if count < 2:
        raise ValueError(f"{len(drive)} frames make {count} block of {size}: expected at least two to split")
    drawn = np.random.default_rng(seed).permutation(count)[: np.clip(round(validation * count), 1, count - 1)]
    held_out = np.isin(blocks, drawn)
    return drive.subset(~held_out), drive.subset(held_out)


def suspect_labels(drive: Drive, threshold: float = 2.0) -> np.ndarray:
    """Find labels that drop to exactly zero for one frame inside a curve: the sensor's fault (notebook 01).

    Neighbors are those of the recording, also where their frames are missing or not in this subset. In the
    63,825 labels of the 2018 drive the default finds 1,370; jumps just as sudden, to a value other than zero,
    occur 9 times. Zeros of two and more frames in a row are not looked for, and in the simulator, driven with
    the keyboard, a true zero can look like this.

    Parameters
    ----------
    drive : Drive
    threshold : float
        Degrees: how far both neighbors at least are from zero, on the same side.

    Returns
    -------
    (m,) int
        Indices into `drive`, ascending.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold={threshold}: expected degrees, at least 0")
    padded = np.pad(drive._film.recorded, 1)
    places = drive._film.places[drive._rows]
    before, after = padded[places], padded[places + 2]
    large = np.minimum(np.abs(before), np.abs(after)) > threshold
    return np.flatnonzero((drive.angles == 0) & large & (np.sign(before) == np.sign(after)))


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


def load_drive(path: str | Path | None = None, camera: str = "center", crop: tuple[float, float] = ROAD) -> Drive:
    """Open a recorded drive; frames are read later, when they are asked for (notebook 01).

    Two formats are recognized, in a folder or up to two folders further in, and in a zip archive, which is
    read in place:

    - S. Chen's drives (github.com/SullyChen/driving-datasets): `data.txt` with lines such as
      `200.jpg -1.21,2018-07-01 17:09:55:179`, without the time in the 2016/17 edition; frames beside it or in
      the folder `data`. Angles are in degrees, positive = right.
    - Logs of Udacity's simulator: `driving_log.csv` with or without a header, frames in `IMG`. Steering from
      -1 to 1 becomes -25 to 25 degrees. An absolute path is that of the machine that recorded it: only its
      file name counts. A side camera's frames come with the angle that was driven, without a correction.

    Parameters
    ----------
    path : str or Path, optional
        The folder, the archive or the label file. None: the environment variable `STEERLIB_DRIVE` (a relative
        path in it may also start at the checkout), else the sample drive.
    camera : {"center", "left", "right"}
        For logs with three cameras.
    crop : (top, bottom)
        The part of the height that the network sees, see `crop_road`.

    Returns
    -------
    Drive
        The frames that are there. Warnings count, and name the first of, the lines that are no label, the labels whose
        frame is missing, and the frames that have several labels, which all stay.

    Raises
    ------
    FileNotFoundError
        No such path, no label file in it, or not a single frame.
    ValueError
        Names file and line: not a single label, or a name that leads out of the folder, of which nothing is read.
    """
    if camera not in CAMERAS:
        raise ValueError(f"camera={camera!r}: expected one of {', '.join(CAMERAS)}")
    _check_crop(crop)
    files, label_file = _open(_default_path() if path is None else Path(path).expanduser())
    where, folder = files.where(label_file), label_file.rpartition("/")[0]
    if files.kind(label_file) == "link":
        raise ValueError(f"{where} is a link that leads out of its folder: give the path that it leads to")
    udacity = label_file.lower().endswith(".csv")
    labels, expected = _parse(_text(files.read(label_file)), where, camera, udacity)

    paths, places, malformed, missing = [], [], [], []
    for place, (line, label) in enumerate(labels):
        if isinstance(label, str):
            malformed.append(f"{_shortened(label)} in line {line}")
        elif found := _find_frame(files, folder, label[0], f"{where}, line {line}", udacity):
            paths.append(found)
            places.append(place)
        else:
            missing.append(f"{_shortened(label[0])} in line {line}")
    if not paths and not missing:
        line, first = labels[0]
        raise ValueError(f"{where}, line {line}: expected {expected}; found {_shortened(first)}")
    if not paths:
        raise FileNotFoundError(
            f"{where}: none of its {len(missing):,} frames is there (the first is {missing[0]}): "
            f"expected them beside it or in the folder {'IMG' if udacity else 'data'}"
        )
    for kind, reason in (
        (malformed, f"since they are not {expected}"),
        (missing, "since their frames are missing"),
    ):
        if kind:
            message = f"{where}: {len(kind):,} of {len(labels):,} labels skipped, {reason} (the first is {kind[0]})"
            warnings.warn(message, stacklevel=2)
    if repeated := len(paths) - len(set(paths)):
        warnings.warn(f"{where}: {repeated:,} of {len(labels):,} labels are of frames that have another", stacklevel=2)

    def read_labels(row: int) -> np.ndarray | None:
        parent, _, file_name = paths[row].rpartition("/")
        label_path = _join(parent, "labels", file_name.rpartition(".")[0] + ".png")
        if files.kind(label_path) != "file":
            return None
        picture = _decode(files.read(label_path), files.where(label_path), cv2.IMREAD_UNCHANGED, HINT)
        if picture.ndim != 2 or picture.dtype != np.uint8:
            raise ValueError(f"{files.where(label_path)} is no label picture: expected an 8-bit gray PNG")
        return picture

    known = [None if isinstance(label, str) else label for _, label in labels]
    clock = [label[2] for label in known if label]
    times = None
    if all(clock):
        times = np.array([(known[place][2] - clock[0]).total_seconds() for place in places])
    film = _Film(
        names=np.array([path.rpartition("/")[2] for path in paths]),
        read=lambda row: _decode_rgb(files.read(paths[row]), files.where(paths[row]), HINT),
        read_labels=read_labels,
        recorded=np.array([label[1] if label else np.nan for label in known], np.float32),
        places=np.array(places),
        timestamps=times,
        crop=crop,
    )
    return Drive(files.name(folder), film, np.arange(len(paths))[:: max(1, min(quick(), len(paths) // 40))])


@dataclass
class _Film:
    """What all views of a drive share: how to read it, what was recorded, the pixels decoded so far."""

    names: np.ndarray
    read: Callable[[int], np.ndarray]
    read_labels: Callable[[int], np.ndarray | None]
    recorded: np.ndarray  # every angle of the recording, also where the frame is missing; NaN for a line without
    places: np.ndarray  # where in the recording each frame stands
    timestamps: np.ndarray | None
    crop: tuple[float, float]

    def __post_init__(self) -> None:
        self.cache = np.zeros((len(self.names), *IMAGE_SIZE, 3), np.uint8)  # takes memory only once written
        self.is_cached = np.zeros(len(self.names), bool)

    def decode(self, rows: np.ndarray) -> dict[int, Exception]:
        """Decode those of the rows that are not cached yet; give what went wrong, by row."""

        def decode_one(row: int) -> Exception | None:
            try:
                self.cache[row] = _shrink(self.read(row), self.crop)
            except (ValueError, OSError) as error:
                return error
            self.is_cached[row] = True

        todo = np.unique(rows[~self.is_cached[rows]])
        with ThreadPoolExecutor() as pool:
            return {row: error for row, error in zip(todo, pool.map(decode_one, todo)) if error}


class _Folder:
    """A folder on disk. Folders are listed once: much faster than a look at each of 60,000 frames."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = Path(os.path.realpath(path))
        self.listings: dict[str, dict[str, str]] = {}

    def listing(self, folder: str) -> dict[str, str]:
        """Give the names in a folder as "file", "folder" or, if it leads out of the root, "link"."""
        if folder not in self.listings:
            kinds = self.listings[folder] = {}
            with os.scandir(self.path / folder) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):  # a link to itself
                        if entry.is_symlink() and self.leads_out(entry.path):
                            kinds[entry.name] = "link"
                        elif entry.is_dir() or entry.is_file():
                            kinds[entry.name] = "folder" if entry.is_dir() else "file"
        return self.listings[folder]

    def leads_out(self, path: str | Path) -> bool:
        """Tell whether a path on the disk leads out of the folder, by whatever links."""
        return not Path(os.path.realpath(path)).is_relative_to(self.root)

    def kind(self, path: str) -> str | None:
        """Tell what lies at a path, None for nothing; never look beyond a link that leads out."""
        folder, _, name = path.rpartition("/")
        above = self.kind(folder) if folder else "folder"
        if above == "folder":
            return self.listing(folder).get(name)
        return "link" if above == "link" else None

    def read(self, path: str) -> bytes:
        """Give the bytes of a file; it may have been exchanged since the folder was listed."""
        if self.leads_out(self.path / path):
            raise ValueError(f"{self.where(path)} is a link that leads out of its folder: expected a file")
        return _read(self.path / path)

    def where(self, path: str) -> str:
        """Give a file's path for messages."""
        return str(self.path / path)

    def name(self, folder: str) -> str:
        """Name a drive by the folder that it lies in."""
        return (self.root / folder).name or "drive"


class _Archive(_Folder):
    """A zip archive, read in place. Members with an absolute name or `..` in it do not exist for us."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.archive = zipfile.ZipFile(path)
        self.members = {}
        self.listings[""] = {}
        for member in self.archive.infolist():
            inside = _inside(member.filename)
            if inside is None or member.is_dir():
                continue
            self.members[inside] = member
            kind = "link" if stat.S_ISLNK(member.external_attr >> 16) else "file"
            while inside:
                inside, _, name = inside.rpartition("/")
                self.listings.setdefault(inside, {})[name] = kind
                kind = "folder"

    def read(self, path: str) -> bytes:
        """Give the bytes of a member."""
        _check_size(self.members[path].file_size, self.where(path))
        try:
            return self.archive.read(self.members[path])
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise ValueError(f"{self.where(path)} cannot be unpacked: {error}") from error

    def name(self, folder: str) -> str:
        """Name a drive by the archive."""
        return self.path.stem


def _default_path() -> Path:
    """Find the drive when none is named."""
    checkout = Path(__file__).resolve().parents[1]
    named = Path(os.environ.get("STEERLIB_DRIVE") or checkout / "data" / "sample_drive").expanduser()
    # Notebooks run in their own folder, but the variable is typed in the checkout.
    return named if named.exists() else Path(os.path.normpath(checkout / named))


def _open(path: Path) -> tuple[_Folder, str]:
    """Open a folder, an archive or a label file's folder; find the label file in it."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: expected a drive's folder, zip archive or label file")
    if path.is_dir():
        files = _Folder(path)
    elif not path.is_file():  # whoever reads from a pipe or a device may wait for ever
        raise ValueError(f"{path} is no folder, zip archive or label file")
    elif zipfile.is_zipfile(path) or path.suffix.lower() == ".zip":
        try:
            files = _Archive(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is no zip archive, or only a part of one: download it again") from error
    elif path.suffix.lower() in (".txt", ".csv"):
        return _Folder(path.parent), path.name
    else:
        expected = "expected a folder, a zip archive, or a label file that ends in .txt or .csv"
        raise ValueError(f"{path}: {expected}; unpack other archives first")

    folders = [""]
    for _ in range(3):
        found = [_join(folder, name) for folder in folders for name in LABEL_FILES]
        found = [label_file for label_file in found if files.kind(label_file) in ("file", "link")]
        if len(found) > 1:
            raise ValueError(f"{path} holds {len(found)} drives ({', '.join(found)}): give the path of one")
        if found:
            return files, found[0]
        inner = [_join(folder, name) for folder in folders for name in files.listing(folder)]
        folders = [folder for folder in inner if files.kind(folder) == "folder"]
    raise FileNotFoundError(f"no {' or '.join(LABEL_FILES)} in {path}, nor in the folders in it")


def _text(data: bytes) -> str:
    """Decode a label file as its first bytes tell; what is no text becomes replacement characters."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse(text: str, where: str, camera: str, udacity: bool) -> tuple[list[tuple[int, Label | str]], str]:
    """Read a label file; give the number of each line with its label, or with itself if it is none; and what is one."""
    lines = [(line, content.strip()) for line, content in enumerate(text.split("\n"), start=1) if content.strip()]
    expected, columns = SULLYCHEN_LINE, CAMERAS[:1]
    if udacity and lines:
        columns = [cell.lower() for cell in _cells(lines[0][1])]
        if "steering" in columns:
            del lines[0]
        else:
            # Without a header: one frame or three, then numbers.
            cameras = CAMERAS[:1] if len(columns) < 6 else CAMERAS
            columns = [*cameras, "steering", "throttle", "brake", "speed"]
        expected = f"{', '.join(columns)}, with steering from -1 to 1"
    if not lines:
        raise ValueError(f"{where} has no labels: expected lines of {expected}")
    if camera not in columns:
        known = ", ".join(name for name in CAMERAS if name in columns)
        raise ValueError(f"camera={camera!r}: {where} has only {known or 'other columns'}")

    labels: list[tuple[int, Label | str]] = []
    for line, content in lines:
        try:
            label = _udacity_label(content, columns, camera) if udacity else _sullychen_label(content)
        except ValueError:
            label = content
        labels.append((line, label))
    return labels, expected


def _cells(row: str) -> list[str]:
    """Divide a row; a spreadsheet may have put its cells into quotes."""
    return [cell.strip().strip('"') for cell in row.split(",")]


def _sullychen_label(content: str) -> Label:
    """Read a line of a `data.txt`."""
    label, comma, time = content.partition(",")
    name, angle = label.rsplit(maxsplit=1)
    return name, _number(angle, MOST_DEGREES), _time(SULLYCHEN_TIME.fullmatch(time.strip())) if comma else None


def _udacity_label(content: str, columns: Sequence[str], camera: str) -> Label:
    """Read a row of a `driving_log.csv`."""
    cells = dict(zip(columns, _cells(content), strict=True))
    # The simulator rounds; what lies further out than 1 was not written by it.
    name, steering = cells[camera], _number(cells["steering"], 1.001)
    stamp = UDACITY_TIME.search(name)
    return name, steering * FULL_LOCK, _time(stamp) if stamp else None


def _find_frame(files: _Folder, folder: str, written: str, where: str, udacity: bool) -> str | None:
    """Find the frame that a label names, None where it is missing; refuse what leads out of the folder."""
    path = _inside(written)
    if path is None and not (udacity and _is_absolute(written)):
        raise ValueError(f"{where}: {written!r} leads out of the folder: expected the name of a frame in it")
    file_name = written.replace("\\", "/").rpartition("/")[2]
    candidates = [path, f"IMG/{file_name}", file_name] if udacity else [path, f"data/{path}"]
    for candidate in filter(None, candidates):
        found = _join(folder, candidate)
        kind = files.kind(found)
        if kind == "link":
            raise ValueError(f"{where}: {written!r} is a link that leads out of the folder: expected a file")
        if kind == "file":
            return found
    return None


def _inside(name: str) -> str | None:
    """Give a name as a clean relative path, or None where it is absolute or climbs with `..`."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return None if _is_absolute(name) or ".." in parts else "/".join(parts)


def _is_absolute(name: str) -> bool:
    """Tell whether a name is an absolute POSIX or Windows path."""
    return re.match(r"[/\\]|[A-Za-z]:", name) is not None


def _join(*parts: str) -> str:
    """Join the parts of a path that are not empty."""
    return "/".join(filter(None, parts))


def _number(text: str, most: float) -> float:
    """Read a number between two bounds; NaN is none."""
    number = float(text)
    if not abs(number) <= most:
        raise ValueError
    return number


def _shortened(text: str) -> str:
    """Show the beginning of a text."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _read(path: Path) -> bytes:
    """Give the bytes of a file, if it is one and not too large."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise ValueError(f"{path} is no file")
    _check_size(found.st_size, str(path))
    return path.read_bytes()


def _check_size(size: int, where: str) -> None:
    """Refuse to read what is too large to be a frame or a list of labels."""
    if size > LARGEST_FILE:
        raise ValueError(f"{where} has {size / 2**20:,.0f} MB: expected at most {LARGEST_FILE // 2**20} MB")


def _time(match: re.Match | None) -> datetime:
    """Read year to milliseconds; these are a count, not a fraction: `45:11` is 45.011 s."""
    if match is None:
        raise ValueError
    *fields, milliseconds = map(int, match.groups())
    return datetime(*fields, microsecond=milliseconds * 1000)


def _decode(data: bytes, where: str, flag: int, hint: str = "") -> np.ndarray:
    """Decode a picture as OpenCV gives it; a truncated one is an error, not half a picture."""
    # OpenCV before 4.13 fills up a truncated JPEG with gray. A scan's data contain no marker, so the end of
    # the picture must follow its last start of a scan; an earlier end may be that of a thumbnail.
    truncated = data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    picture, size = None, None if truncated else _picture_size(data)
    if size is not None:
        _check_sides(*size, where, hint)
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


def _check_sides(width: int, height: int, where: str, hint: str = "") -> None:
    """Refuse a picture that would fill the memory, or would when it is drawn."""
    if width * height > LARGEST_PICTURE:
        raise ValueError(f"{where} has {width} × {height} pixels: expected at most {LARGEST_PICTURE:,}{hint}")
    if not 0 < max(width, height) <= LARGEST_RATIO * min(width, height):
        expected = f"expected sides of which none is over {LARGEST_RATIO} times the other"
        raise ValueError(f"{where} has {width} × {height} pixels: {expected}{hint}")


def _decode_rgb(data: bytes, where: str, hint: str = "") -> np.ndarray:
    """Decode any picture to uint8 RGB."""
    return cv2.cvtColor(_decode(data, where, cv2.IMREAD_COLOR, hint), cv2.COLOR_BGR2RGB)


def _check_frame(frame: np.ndarray) -> None:
    """Refuse what is no uint8 RGB picture."""
    shape, dtype = getattr(frame, "shape", ()), getattr(frame, "dtype", type(frame).__name__)
    if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
        raise ValueError(f"frame is {dtype} {shape}: expected uint8 RGB (H, W, 3)")
    _check_sides(shape[1], shape[0], "frame")


def _check_crop(crop: tuple[float, float]) -> None:
    """Refuse what is no part of a frame."""
    parts = np.asarray(crop)
    if parts.shape != (2,) or parts.dtype.kind not in "fiu" or not 0 <= parts[0] < parts[1] <= 1:
        raise ValueError(f"crop={crop}: expected (top, bottom) as fractions of the height, 0 <= top < bottom <= 1")


def _shrink(frame: np.ndarray, crop: tuple[float, float]) -> np.ndarray:
    """Crop and resize a frame to the network's size, in uint8."""
    _check_frame(frame)
    return cv2.resize(crop_road(frame, crop), IMAGE_SIZE[::-1], interpolation=cv2.INTER_AREA)


def _to_unit(pixels: np.ndarray) -> np.ndarray:
    """Give uint8 pixels as float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)
