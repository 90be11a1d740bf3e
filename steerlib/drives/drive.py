"""Class Drive: frames and the angle of the steering wheel at each of them (notebook 01)."""

import contextlib
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from steerlib.drives.cache import Cache
from steerlib.drives.part import check_crop
from steerlib.drives.pictures import ROAD, check_frame, crop_road, shrink, to_unit
from steerlib.networks.network import as_network, is_keras_model
from steerlib.networks.pilotnet import SIZE

if TYPE_CHECKING:
    import keras

CHUNK = 1_000  # frames that are decoded at once where only their errors matter

Indices = int | slice | Sequence[int] | np.ndarray


class Drive:
    """Frames and the angle of the steering wheel at each of them (notebook 01).

    Made by `load_drive` or `Drive.from_arrays`. Frames are read when they are asked for; only the small
    pictures that the network sees are kept (`steerlib.drives.cache`), and shared with the drives that `subset` makes.

    Attributes
    ----------
    name : str
        What the drive is called: its folder or archive.
    names : (n,) str
        File names of the frames.
    angles : (n,) float32
        Angle of the steering wheel in degrees, positive = right; NaN where none was recorded.
    runs : (n,) int
        Number of the run of each frame: frames of one run follow each other, between two there is a gap.
    timestamps : (n,) float64 or None
        Seconds since the first label of the recording, where the drive knows.
    crop : (top, bottom)
        The part of the height that a network sees, in fractions, if it does not say so itself (`part_for`).
    cut : bool
        Whether the frames show what a network sees, and no network cuts off more of them.
    """

    def __init__(self, name: str, film: "Film", rows: np.ndarray) -> None:
        self.name, self._film, self._rows = name, film, rows
        self.names = film.names[rows]
        self.angles = film.recorded[film.places[rows]]
        self.runs = film.runs[film.places[rows]]
        self.timestamps = None if film.timestamps is None else film.timestamps[rows]
        self.crop, self.cut = film.crop, film.cut

    @classmethod
    def from_arrays(
        cls,
        name: str,
        frames: Sequence[np.ndarray] | np.ndarray,
        angles: Sequence[float] | np.ndarray,
        labels: Sequence[np.ndarray] | np.ndarray | None = None,
        timestamps: Sequence[float] | np.ndarray | None = None,
        crop: tuple[float, float] = ROAD,
        cut: bool = False,
        runs: Sequence[int] | np.ndarray | None = None,
    ) -> "Drive":
        """Make a drive of pictures in memory, which are not copied.

        Parameters
        ----------
        name : str
        frames : (n, H, W, 3) uint8 RGB, or n pictures of any size
        angles : (n,) degrees, positive = right
            NaN where none was recorded.
        labels : (n, H, W) uint8, optional
            What each pixel is.
        timestamps : (n,) seconds, optional
        crop : (top, bottom)
            Fractions of the height, see `crop_road`.
        cut : bool
            The frames show what a network sees, not what a camera sees: no network cuts off more of them.
        runs : (n,) int, optional
            Number of the run of each frame; None: all belong to one.

        Raises
        ------
        ValueError
            Where the lengths differ, an angle is infinite, or a frame is not uint8 RGB.
        """
        check_crop(crop)
        with contextlib.suppress(ValueError, TypeError):
            angles = np.array(angles, np.float32)
        if np.ndim(angles) != 1 or not isinstance(angles, np.ndarray):
            raise ValueError(f"drive {name!r}: expected a list of angles, one number for each frame")
        times = None if timestamps is None else np.array(timestamps, np.float64)
        runs = np.zeros(len(angles), int) if runs is None else np.array(runs, int)
        for what, given in (("angles", angles), ("labels", labels), ("timestamps", times), ("runs", runs)):
            if given is not None and len(given) != len(frames):
                raise ValueError(f"drive {name!r}: {len(given)} {what} for {len(frames)} frames")
        if np.isinf(angles).any():
            raise ValueError(f"drive {name!r}: angle {np.isinf(angles).argmax()} is not a finite number")
        for frame in frames:
            check_frame(frame)
        rows = np.arange(len(angles))
        film = Film(
            names=rows.astype(str),
            read=lambda row: frames[row].copy(),
            read_labels=lambda row: None if labels is None else labels[row].copy(),
            recorded=angles,
            places=rows,
            runs=runs,
            timestamps=times,
            crop=crop,
            cut=cut,
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
        known = self.angles[np.isfinite(self.angles)]
        angles = f"angles from {known.min():+.1f}° to {known.max():+.1f}° (+ is right)" if len(known) else "no angles"
        angles += f", {len(self) - len(known):,} without" if 0 < len(known) < len(self) else ""
        runs = np.unique(self.runs)
        duration = "" if self.timestamps is None else f", {self._seconds(runs):.1f} s"
        told = "" if len(runs) == 1 else f", {len(runs)} runs"
        return f"Drive {self.name!r}: {len(self):,} frames {size}, {angles}{duration}{told}"

    def _seconds(self, runs: np.ndarray) -> float:
        """Give the duration of runs, without what lies between them."""
        return sum(float(np.ptp(self.timestamps[self.runs == run])) for run in runs)

    def frame(self, i: int) -> np.ndarray:
        """Read frame `i`: (H, W, 3) uint8 RGB. ValueError names a file that is truncated or no picture."""
        return self._film.read(self._rows[operator.index(i)])

    def spread(self, count: int) -> Iterator[tuple[int, np.ndarray]]:
        """Read at most so many frames, spread over the drive, with their indices.

        Those that cannot be read are left out; they are reported where they are shown.
        """
        for i in np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(int)):
            with contextlib.suppress(ValueError, OSError):
                yield int(i), self.frame(i)

    def view(self, i: int, network: "Seeing | keras.Model | None" = None) -> np.ndarray:
        """Read the part of frame `i` that a network sees, at full resolution: (h, W, 3) uint8 RGB."""
        return crop_road(self.frame(i), self.part_for(network))

    def part_for(self, network: "Seeing | keras.Model | None" = None) -> tuple[float, float]:
        """Say which part of a frame's height a network sees: its own, or this drive's; of what is cut, the whole."""
        own = None if network is None or self.cut else _seeing(network).crop
        return self.crop if own is None else own

    def labels(self, i: int) -> np.ndarray | None:
        """Read what each pixel of frame `i` is: (H, W) uint8, or None where the drive does not know.

        On disk: an 8-bit gray PNG with the frame's stem, in the folder `labels` beside the frame.
        """
        return self._film.read_labels(self._rows[operator.index(i)])

    def pixels(
        self,
        indices: Indices | None = None,
        size: tuple[int, int] = SIZE,
        crop: tuple[float, float] | None = None,
        resize: str = "area",
        blur: int = 1,
        blur_after: int = 1,
    ) -> np.ndarray:
        """Decode frames to what the network sees, in parallel; where there is room, only once for each way to see.

        Parameters
        ----------
        indices : int, slice, mask or sequence of int, optional
            Which frames; None is all of them.
        size : (h, w)
            Of the network's picture.
        crop : (top, bottom), optional
            Fractions of the height; None is the drive's.
        resize, blur, blur_after
            As for `preprocess`.

        Returns
        -------
        (m, h, w, 3) uint8 RGB
            Read-only, and without a copy where the frames lie side by side in memory (`steerlib.drives.cache`).

        Raises
        ------
        ValueError
            Names the first unreadable file; `readable` gives the drive without such frames.
        """
        rows = self._rows[self._chosen(slice(None) if indices is None else indices)]
        seen = (resize, blur, blur_after)
        small, errors = self._film.decode(rows, size, self.crop if crop is None else crop, *seen)
        for error in errors.values():
            raise error
        small.flags.writeable = False
        return small

    def pictures(self, network: "Seeing | keras.Model", indices: Indices | None = None) -> np.ndarray:
        """Give exactly what a network sees: (m, h, w, 3) float32 in [0, 1], of its size.

        Of PilotNet 158 kB each, four times the pixels: for thousands of frames, ask batch by batch.

        Parameters
        ----------
        network : Network, keras.Model, or anything with a ``size`` and a ``crop``
            Where it has them, its ``resize``, ``blur`` and ``blur_after`` count, too.
        indices : int, slice, mask or sequence of int, optional
            Which frames; None is all of them.

        Raises
        ------
        ValueError
            Names the first unreadable file; `readable` gives the drive without such frames.
        """
        network = _seeing(network)
        return to_unit(self.pixels(indices, network.size, self.part_for(network), **vision(network)))

    def subset(self, indices: Indices, name: str | None = None) -> "Drive":
        """Make a drive of some frames, in the order given; it shares the decoded pixels with this one."""
        chosen = self._chosen(indices)
        view = Drive(self.name if name is None else name, self._film, self._rows[chosen])
        view.angles, view.crop = self.angles[chosen], self.crop  # these may have been repaired, and that found out
        return view

    def mirrored(self) -> "Drive":
        """Make the drive that a mirror would show: left and right exchanged, and with them the sign of the angles."""

        def turned(picture: np.ndarray | None) -> np.ndarray | None:
            return None if picture is None else np.ascontiguousarray(picture[:, ::-1])

        film = replace(
            self._film,
            read=lambda row: turned(self._film.read(row)),
            read_labels=lambda row: turned(self._film.read_labels(row)),
            recorded=-self._film.recorded,
            caches={},
        )
        view = Drive(f"{self.name} mirrored", film, self._rows)
        view.angles, view.crop = -self.angles, self.crop
        return view

    def readable(self) -> "Drive":
        """Decode everything, and give the drive without the frames that cannot be read.

        One warning counts and names them; a drive without such frames is returned as it is.

        Raises
        ------
        ValueError
            Where not a single frame can be read.
        """
        broken = {}
        for start in range(0, len(self), CHUNK):
            broken |= self._film.decode(self._rows[start : start + CHUNK], SIZE, self.crop)[1]
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


class Seeing(Protocol):
    """What a drive asks of a network."""

    size: tuple[int, int]  # (h, w) of its picture
    crop: tuple[float, float] | None  # None: the drive's


def has_labels(drive: Drive) -> bool:
    """Tell whether a drive knows what its pixels are; labels that cannot be read are reported where they are shown."""
    with contextlib.suppress(ValueError, OSError):
        return len(drive) > 0 and drive.labels(0) is not None
    return True


def vision(network: "Seeing | None") -> dict[str, str | int]:
    """Give how a network's pictures are resized and blurred, the last arguments of `preprocess`, as far as it says."""
    said = {name: getattr(network, name, None) for name in ("resize", "blur", "blur_after")}
    return {name: value for name, value in said.items() if value is not None}


def _seeing(network: "Seeing | keras.Model") -> Seeing:
    """Tell of a Keras model, too, what it sees."""
    return as_network(network) if is_keras_model(network) else network


@dataclass
class Film:
    """What all views of a drive share: how to read it, what was recorded, the pixels decoded so far."""

    names: np.ndarray
    read: Callable[[int], np.ndarray]
    read_labels: Callable[[int], np.ndarray | None]
    recorded: np.ndarray  # every angle of the recording, also where the frame is missing; NaN for a line without
    places: np.ndarray  # where in the recording each frame stands
    runs: np.ndarray  # the number of the run of everything that was recorded
    timestamps: np.ndarray | None
    crop: tuple[float, float]
    cut: bool = False
    in_order: bool = False  # a video, of which a frame is decoded after those before it
    caches: dict[tuple, Cache] = field(default_factory=dict)  # by size, crop and the rest of how a frame is seen

    def decode(
        self,
        rows: np.ndarray,
        size: tuple[int, int],
        crop: tuple[float, float],
        resize: str = "area",
        blur: int = 1,
        blur_after: int = 1,
    ) -> tuple[np.ndarray, dict[int, Exception]]:
        """Give the small pictures of rows, and what went wrong, by row; decode those that are not kept."""
        key = (*size, *crop, resize, blur, blur_after)
        if key not in self.caches:
            self.caches.setdefault(key, Cache(len(self.names), size))  # of two threads that come here, both get one
        cache, fresh = self.caches[key], {}

        def decode_one(row: int) -> Exception | None:
            try:
                picture = shrink(self.read(row), crop, size, resize, blur, blur_after)
            except (ValueError, OSError) as error:
                return error
            if not cache.keep(row, picture) and row in wanted:
                fresh[row] = picture

        todo = cache.missing(rows)
        wanted = set(todo.tolist())
        if self.in_order and len(todo) > 1:
            between = cache.missing(np.arange(todo[0], todo[-1] + 1))  # decoded anyhow, on the way to the last one
            errors = {row: decode_one(row) for row in between}
        else:
            with ThreadPoolExecutor() as pool:
                errors = dict(zip(todo, pool.map(decode_one, todo)))
        pictures = cache.take(rows)
        for place, row in enumerate(rows if fresh else ()):
            if row in fresh:
                pictures[place] = fresh[row]
        return pictures, {row: errors[row] for row in todo if errors[row]}


def joined(films: Sequence[Film]) -> Film:
    """Put several films one after the other; a new one begins a new run."""
    if len(films) == 1:
        return films[0]
    starts = np.cumsum([0, *(len(film.names) for film in films)])
    places = np.cumsum([0, *(len(film.recorded) for film in films)])
    runs = np.cumsum([0, *(film.runs.max(initial=0) + 1 for film in films)])

    def of(row: int) -> tuple[Film, int]:
        number = int(np.searchsorted(starts, row, "right")) - 1
        return films[number], row - starts[number]

    def read(row: int) -> np.ndarray:
        film, row = of(row)
        return film.read(row)

    def read_labels(row: int) -> np.ndarray | None:
        film, row = of(row)
        return film.read_labels(row)

    timed = all(film.timestamps is not None for film in films)
    return Film(
        names=np.concatenate([film.names for film in films]),
        read=read,
        read_labels=read_labels,
        recorded=np.concatenate([film.recorded for film in films]),
        places=np.concatenate([film.places + start for film, start in zip(films, places)]),
        runs=np.concatenate([film.runs + run for film, run in zip(films, runs)]),
        timestamps=np.concatenate([film.timestamps for film in films]) if timed else None,
        crop=films[0].crop,
        in_order=any(film.in_order for film in films),
    )
