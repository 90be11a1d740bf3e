"""The store: arrays along the frames of a drive, in chunks that are there as a whole or not at all (notebook 11).

One Zarr group (version 3), which xarray opens as it is. ``angle``, ``recorded``, ``time``, ``run``, ``picture`` and
``state`` have one entry for each frame; of each method there is ``METHOD_map`` (float16), ``METHOD_scale``,
``METHOD_left`` and ``METHOD_right``. **A map is** ``METHOD_map * METHOD_scale``: float16 has eleven bits and ends at
65,504 and 6e-8, so each map is stored in shares of its own largest magnitude, which is its scale. What is read differs
from what was made by at most 1/2,048 of a value, or 3e-8 of the map's largest. What was not made, or could not be, is
NaN, and `STATES` says why. Every chunk of an array carries a checksum (CRC32C) and takes its name once it is written;
``state`` is written last, so a chunk of frames counts as made only when all of its arrays are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from steerlib.maps.method import Explanation
from steerlib.maps.whole_drive.identity import network_sha256, picture_key, plain
from steerlib.networks.network import Network, as_network
from steerlib.writing import replacing

FORMAT, VERSION = "steerlib maps of a drive", 1
NOT_MADE, MADE, UNREADABLE, NOT_FINITE = range(4)
STATES = ("not made", "made", "frame cannot be read", "answer or map is not finite")
OWN = ("map", "scale", "left", "right")  # arrays of each method


class Maps:
    """The maps of a drive, read from a store; made by `of_drive`, opened by `open_maps`.

    Attributes
    ----------
    path : Path
    about : dict
        By which network (name, SHA-256), drive, settings and versions the maps were made: the store's attributes.
    methods : tuple of str
        Of `steerlib.METHODS`.
    """

    def __init__(self, path: str | Path) -> None:
        import zarr

        self.path = Path(path)
        try:
            self.group = zarr.open_group(self.path, mode="r")
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise ValueError(f"{path}: expected a store that `steerlib maps` made; found none") from error
        self.about: dict[str, Any] = dict(self.group.attrs)
        if (self.about.get("format"), self.about.get("format_version")) != (FORMAT, VERSION):
            raise ValueError(f"{path}: expected {FORMAT!r}, version {VERSION}; found {self.about.get('format')!r}")
        self.methods = tuple(self.about["methods"])
        self._chunk = lru_cache(maxsize=2 * len(self.methods))(self._read_chunk)  # 14 MB each of PilotNet's maps

    def __len__(self) -> int:
        return self.about["drive"]["frames"]

    def __repr__(self) -> str:
        made = int((self.state == MADE).sum())
        return (
            f"Maps of drive {self.about['drive']['name']!r} by network {self.about['network']['name']!r}: "
            f"{', '.join(self.methods)}; {made:,} of {len(self):,} frames"
        )

    @cached_property
    def state(self) -> np.ndarray:
        """What became of each frame, (n,) uint8: a place in `STATES`."""
        return self.read("state")

    @cached_property
    def angles(self) -> np.ndarray:
        """The network's answers, (n,) float32 degrees, positive to the right; NaN where there is none."""
        return self.read("angle")

    @cached_property
    def recorded(self) -> np.ndarray:
        """The recorded angles, (n,) float32 degrees, positive to the right; NaN where none was recorded."""
        return self.read("recorded")

    @cached_property
    def times(self) -> np.ndarray | None:
        """When each frame was recorded, (n,) float64 seconds; None where the drive does not know."""
        return self.read("time") if "time" in self.group else None

    @cached_property
    def runs(self) -> np.ndarray:
        """The run to which each frame belongs, (n,) int."""
        return self.read("run")

    @property
    def unreadable(self) -> np.ndarray:
        """The numbers of the frames that could not be read."""
        return np.flatnonzero(self.state == UNREADABLE)

    def evidence(self, method: str) -> tuple[np.ndarray, np.ndarray]:
        """Give what speaks for left and for right on each frame: two (n,) float32, see `steerlib.evidence`."""
        self._check_method(method)
        return self.read(f"{method}_left"), self.read(f"{method}_right")

    def map(self, method: str, i: int) -> np.ndarray:
        """Read the map of a frame: (h, w) float32 in the method's unit.

        Raises
        ------
        ValueError
            Where there is none: says why.
        """
        self._check_method(method)
        i = range(len(self))[i]
        if (state := int(self.state[i])) != MADE:
            raise ValueError(f"{self.path}: no map of frame {i}: {STATES[state]}")
        size = self.about["chunk"]
        map = self._chunk(method, i // size)[i % size]
        if not np.isfinite(map).all():
            raise ValueError(f"{self.path}: the map of frame {i} is missing; `steerlib maps` makes its chunk again")
        return map

    def chunk(self, method: str, number: int) -> np.ndarray:
        """Read the maps of a chunk of frames: (m, h, w) float32, NaN where there is none.

        For what goes through all maps: so never more than one chunk is in memory.
        """
        self._check_method(method)
        return self._read_chunk(method, number)

    @property
    def chunks(self) -> list[slice]:
        """The frames of each chunk."""
        size = self.about["chunk"]
        return [slice(start, min(start + size, len(self))) for start in range(0, len(self), size)]

    def explain(self, network: Network, picture: np.ndarray, method: str, **settings: Any) -> Explanation:  # noqa: ANN401
        """Give what `steerlib.explain` makes, from the store in place of making it.

        Parameters
        ----------
        network : Network
            The very one by which the maps were made.
        picture : (h, w, 3) float32 in [0, 1]
            What it sees of a frame, by which the frame is found: it must be the same to the bit.
        method : str
        **settings
            What is given must be what the maps were made with.

        Raises
        ------
        ValueError
            Where the store is of another network, another drive or other settings, or has no map of this frame.
        """
        return self.of_network(network, [method])(network, picture, method, **settings)

    def of_network(self, network: Network, methods: Sequence[str]) -> Callable[..., Explanation]:
        """Give `explain` for many pictures: methods and network, which takes longer than a map, are checked once."""
        for method in methods:
            self._check_method(method)
        self.check_network(as_network(network))
        return self._stored

    def _stored(self, network: Network, picture: np.ndarray, method: str, **settings: Any) -> Explanation:  # noqa: ANN401
        from steerlib.maps import METHODS

        asked, stored = METHODS[method], self.about["methods"][method]["settings"]
        for name in asked.settings:
            given = plain(settings.get(name))  # None: whatever it was made with
            if given is not None and given != stored[name]:
                raise ValueError(f"{self.path}: {method} was made with {name}={stored[name]!r}, not {given!r}")
        key = picture_key(np.rint(255 * np.asarray(picture)).astype(np.uint8))
        order, keys = self._pictures
        place = int(np.searchsorted(keys, key))
        if place == len(keys) or keys[place] != key:
            raise ValueError(f"{self.path}: has no map of this picture; it is of drive {self.about['drive']['name']!r}")
        i = int(order[place])
        return asked.explain(as_network(network), picture, stored, self.map(method, i))

    def check_network(self, network: Network) -> None:
        """Refuse another network than that by which the maps were made."""
        if (found := network_sha256(network)) != self.about["network"]["sha256"]:
            raise ValueError(
                f"{self.path}: was made by network {self.about['network']['name']!r} "
                f"(SHA-256 {self.about['network']['sha256'][:12]}…), not by {network.name!r} ({found[:12]}…)"
            )

    def read(self, name: str) -> np.ndarray:
        """Read an array as a whole; a damaged one raises a ValueError that names the store."""
        return self.read_part(name, slice(None))

    @cached_property
    def _pictures(self) -> tuple[np.ndarray, np.ndarray]:
        keys, made = self.read("picture"), np.flatnonzero(self.state == MADE)
        order = made[np.argsort(keys[made], kind="stable")]
        return order, keys[order]

    def _read_chunk(self, method: str, number: int) -> np.ndarray:
        frames = self.chunks[number]
        maps = self.read_part(f"{method}_map", frames).astype(np.float32)
        maps *= self.read_part(f"{method}_scale", frames)[:, np.newaxis, np.newaxis]
        return maps

    def read_part(self, name: str, frames: slice) -> np.ndarray:
        """Read some frames of an array; what is damaged raises a ValueError that names it."""
        try:
            return np.asarray(self.group[name][frames])
        except (
            Exception
        ) as error:  # of a codec, whichever it is: all say that the bytes are not those that were written
            raise ValueError(f"{self.path}: {name} is damaged ({error}); `steerlib maps` makes it again") from error

    def _check_method(self, method: str) -> None:
        if method not in self.methods:
            raise ValueError(f"{self.path}: method={method!r}: expected one of {', '.join(self.methods)}")


def open_maps(path: str | Path) -> Maps:
    """Open a store of maps; it may be unfinished. Raises a ValueError where there is none (notebook 11)."""
    return Maps(path)


def create(path: Path, about: Mapping[str, Any], size: tuple[int, int], drive: Any) -> None:  # noqa: ANN401
    """Create an empty store; it takes its name once it is complete."""
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    count, chunk = about["drive"]["frames"], about["chunk"]
    with replacing(path) as unfinished:
        group = zarr.open_group(unfinished, mode="w", zarr_format=3)
        group.attrs.update(about)

        def array(name: str, dtype: str, fill: float, dimensions: tuple[str, ...] = (), **attributes: object) -> Any:  # noqa: ANN401
            inner = size if dimensions else ()
            width = np.dtype(dtype).itemsize
            return group.create_array(
                name,
                shape=(count, *inner),
                chunks=(chunk, *inner),
                dtype=dtype,
                fill_value=fill,
                compressors=[BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=width), Crc32cCodec()],
                dimension_names=("frame", *dimensions),
                attributes=attributes,
                config={"write_empty_chunks": True},  # what is missing is damaged, not zero
            )

        degrees = {"units": "degrees", "long_name": "positive to the right"}
        array("angle", "float32", np.nan, **degrees)
        array("recorded", "float32", np.nan, **degrees)[:] = drive.angles
        array("run", "int64", -1)[:] = drive.runs
        if drive.timestamps is not None:
            array("time", "float64", np.nan, units="s")[:] = drive.timestamps
        array("picture", "uint64", 0, long_name="first 8 bytes of the SHA-256 of what the network sees")
        array("state", "uint8", NOT_MADE, flag_values=list(range(len(STATES))), flag_meanings=", ".join(STATES))
        for name, facts in about["methods"].items():
            array(f"{name}_map", "float16", np.nan, ("row", "column"), long_name=f"in shares of {name}_scale")
            for own in OWN[1:]:
                array(f"{name}_{own}", "float32", np.nan, units=facts["unit"])


def write_chunk(path: Path, frames: slice, arrays: Mapping[str, np.ndarray]) -> None:
    """Write what was made of a chunk of frames; its state comes last."""
    import zarr

    group = zarr.open_group(path, mode="r+")
    with zarr.config.set({"array.write_empty_chunks": True}):
        for name in sorted(arrays, key=lambda name: name == "state"):
            group[name][frames] = arrays[name]


def whole(maps: Maps, number: int) -> bool:
    """Tell whether a chunk of frames is there, by reading all of it."""
    frames = maps.chunks[number]
    names = ["angle", *(f"{name}_{own}" for name in maps.methods for own in OWN)]
    try:
        state, keys = maps.read_part("state", frames), maps.read_part("picture", frames)
        if (state == NOT_MADE).any() or not keys[state == MADE].all():
            return False
        return all(np.isfinite(maps.read_part(name, frames)[state == MADE]).all() for name in names)
    except ValueError:
        return False


def encode(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give maps (m, h, w) float32 as float16 in shares of their largest magnitudes, and these, (m,) float32."""
    scale = np.abs(maps).max(axis=(1, 2), initial=0)
    return (maps / np.where(scale > 0, scale, 1)[:, np.newaxis, np.newaxis]).astype(np.float16), scale
