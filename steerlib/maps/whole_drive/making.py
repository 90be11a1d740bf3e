"""Making the maps of a whole drive, chunk by chunk, here or on workers (notebook 11)."""

from __future__ import annotations

import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from steerlib.chunks import Made, check_workers, over_chunks, threads_here
from steerlib.drives import Drive, load_drive
from steerlib.drives.drive import vision
from steerlib.drives.pictures import shrink, to_unit
from steerlib.maps import METHODS, check_settings
from steerlib.maps.evidence import evidence
from steerlib.maps.whole_drive import store
from steerlib.maps.whole_drive.identity import drive_sha256, network_sha256, picture_key, plain, versions
from steerlib.networks.network import Network, as_network

if TYPE_CHECKING:
    import keras

LARGEST, SMALLEST = 256, 32  # frames of a chunk: of a long drive, of a short one
MEMORY = 2**26  # bytes of the maps of a chunk, as float32: pictures of other networks may be larger than PilotNet's
BATCH = 64  # pictures that go through the network at once: activations and gradients of more would take most memory
FIXED = {"target": "right", "signed": True, "enlarged": True}  # so that every signed map is positive for right
SENT = ("network", "frames", "maps")


class Job(NamedTuple):
    """What every worker needs; small enough to be sent, but for a network that travels by value."""

    network: str | Network  # a path, or by value
    description: Mapping[str, Any]  # of what is at the path
    drive: str | None  # None: frames come with each chunk
    path: str | None  # of the store; None: maps go back to whoever asked
    methods: Mapping[str, Mapping[str, Any]]  # name -> settings
    about: Mapping[str, Any]  # what the store says of itself
    threads: int


class Tools(NamedTuple):
    """What a process keeps from one chunk to the next."""

    job: Job
    network: Network
    drive: Drive | None


class Chunk(NamedTuple):
    """Some frames of a drive that follow each other."""

    frames: slice
    pixels: list[np.ndarray | None] | None  # what the network sees of each, None where it cannot be read; None: by path


def of_drive(
    drive: Drive | str | Path,
    network: Network | keras.Model | str | Path | None,
    methods: str | Sequence[str],
    path: str | Path,
    workers: int | None = None,
    scheduler: str | None = None,
    threads: int = 1,
    send: Sequence[str] = (),
    description: Mapping[str, Any] | None = None,
    progress: bool = True,
    **settings: Any,  # noqa: ANN401
) -> store.Maps:
    """Make the maps of all frames of a drive, and keep them in a Zarr store.

    Introduced in notebook 11. Whatever breaks it off, the same call goes on where it was: chunks of frames that are in
    the store are read back and checked, and only what is missing or damaged is made. With the same number of threads
    the store is the same to the bit with any number of workers, since they change neither the chunks nor the batches.
    Grad-CAM and HiResCAM are signed here and speak for right.

    Parameters
    ----------
    drive : Drive, str or Path
        A path is opened by each worker. The frames of a `Drive` are read here, and sent with each chunk.
    network : Network, keras.Model, str, Path or None
        A file, or the name of a saved network, is loaded by each worker; None: the one that `load_network` finds for
        the drive. A network in memory is sent to each.
    methods : str or sequence of str
        Of `steerlib.METHODS`.
    path : str or Path
        A folder, such as ``maps.zarr``: one that is not there, or a store of the same network, drive, methods and
        settings. Nothing else is ever written to.
    workers, scheduler, threads
        See `steerlib.chunks.over_chunks`.
    send : sequence of {"network", "frames", "maps"}
        What workers that do not see these files are sent, and send back, although it is given as a path.
    description : mapping, optional
        What a network's file wants and means, as for `load_network`.
    progress : bool
        Show a bar with the time left, the frames a second, and those of each worker.
    **settings
        Of the methods: layer, sizes, stride, fill, layers, steps, ...

    Returns
    -------
    Maps

    Raises
    ------
    ValueError
        Where the path holds something else, or maps of another network, drive, method, setting or version; where a
        method does not suit the network; or where an argument is none of those described.
    OSError
        Where the scheduler is lost: the same call goes on.
    """
    check_workers(workers, scheduler, threads)
    if unknown := sorted(set(send) - set(SENT)):
        raise ValueError(f"send={unknown[0]!r}: expected some of {', '.join(SENT)}")
    from steerlib.networks.files import load_network, located

    path, drive_path, file = Path(path), None, None
    if not isinstance(drive, Drive):
        drive_path, drive = None if "frames" in send else str(Path(drive).resolve()), load_drive(drive)
    if network is None or isinstance(network, (str, Path)):
        file = (located(drive=drive) if network is None else located(network)).resolve()
        network = load_network(file, **(description or {}))
    elif description:
        raise ValueError(f"network {network.name!r} is described already: a description belongs to a file")
    network = as_network(network)
    methods = _resolved(network, [methods] if isinstance(methods, str) else list(methods), settings)
    alone = workers is None and scheduler is None
    about = _about(drive, network, methods, threads_here() if alone else threads)
    if not path.exists():  # a setting that no method takes must not leave a store behind that says it was made so
        _maps_of_nothing(network, methods)
    maps = _opened(path, about, network.size, drive)
    missing = [frames for k, frames in enumerate(maps.chunks) if not store.whole(maps, k)]
    if not missing:
        return maps
    job = Job(
        network if alone or file is None or "network" in send else str(file),
        description or {},
        None if alone else drive_path,
        None if "maps" in send else str(path.resolve()),
        methods,
        about,
        threads,
    )
    prepare = partial(Tools, job, network, drive) if alone else partial(_prepare, job)
    here = (Chunk(frames, None if alone or drive_path else _pixels(drive, network, frames, 1)) for frames in missing)
    everything = over_chunks(make_chunk, prepare, here, workers, scheduler, threads)
    for made in _shown(everything, missing, len(drive), progress):
        if made.result is not None:
            store.write_chunk(path, missing[made.number], made.result)
    return store.open_maps(path)


def make_chunk(tools: Tools, chunk: Chunk) -> dict[str, np.ndarray] | None:
    """Make all that the store has of some frames; write it, or give it back."""
    job, network, drive = tools
    pixels = _pixels(drive, network, chunk.frames, job.threads) if chunk.pixels is None else chunk.pixels
    readable = np.array([one is not None for one in pixels])
    pictures = to_unit(np.stack([one for one in pixels if one is not None])) if readable.any() else None
    arrays = {"state": np.where(readable, store.MADE, store.UNREADABLE).astype(np.uint8)}
    arrays["picture"] = np.array([0 if one is None else picture_key(one) for one in pixels], np.uint64)

    def all_frames(values: np.ndarray) -> np.ndarray:
        found = np.full((len(pixels), *values.shape[1:]), np.nan, values.dtype)
        found[readable] = values
        return found

    empty = np.zeros((0, *network.size), np.float32)
    arrays["angle"] = all_frames(np.zeros(0, np.float32) if pictures is None else network.angles(pictures, BATCH))
    for name, settings in job.methods.items():
        made = empty if pictures is None else _maps(METHODS[name], network, pictures, settings)
        # A single number that is none must not be spread over its map by the scale.
        finite = np.isfinite(made).all(axis=(1, 2))
        arrays["state"][np.flatnonzero(readable)[~finite]] = store.NOT_FINITE
        made[~finite] = np.nan
        shares, scale = store.encode(made)
        sides = np.array([evidence(map) for map in made], np.float32).reshape(-1, 2)
        for own, values in zip(store.OWN, (shares, scale, *sides.T)):
            arrays[f"{name}_{own}"] = all_frames(values)
    arrays["state"][readable & ~np.isfinite(arrays["angle"])] = store.NOT_FINITE
    if job.path is None:
        return arrays
    store.write_chunk(Path(job.path), chunk.frames, arrays)
    return None


def _maps(method: Any, network: Network, pictures: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:  # noqa: ANN401
    """Make the map of each picture, many at once where the method can."""
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    if "pictures" in inspect.signature(method.make).parameters:
        parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        return np.concatenate([method(network, part, **settings) for part in parts])
    return np.stack([method(network, picture, **settings) for picture in pictures])


def _maps_of_nothing(network: Network, methods: Mapping[str, Mapping[str, Any]]) -> None:
    """Have each method refuse, before anything is written, settings that it does not take."""
    for name, settings in methods.items():
        _maps(METHODS[name], network, np.zeros((1, *network.size, 3), np.float32), settings)


def _pixels(drive: Drive, network: Network, frames: slice, threads: int) -> list[np.ndarray | None]:
    """Read what the network sees of some frames, (h, w, 3) uint8 RGB each; None where a frame cannot be read.

    Past the drive's cache of small pictures: each frame is needed once, and memory is to stay flat.
    """

    def one(i: int) -> np.ndarray | None:
        try:
            return shrink(drive.frame(i), drive.part_for(network), network.size, **vision(network))
        except (ValueError, OSError):
            return None

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(frames.start, frames.stop)))


def _prepare(job: Job) -> Tools:
    """Load on a worker what all its chunks need."""
    from steerlib.networks.files import load_network

    here, there = versions(), job.about["versions"]
    if different := [f"{name} {here[name]} in place of {there[name]}" for name in here if here[name] != there[name]]:
        raise ValueError(f"a worker has {', '.join(different)}: install the same there")
    network = load_network(job.network, **job.description) if isinstance(job.network, str) else job.network
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whoever asked for the maps has been told
        drive = None if job.drive is None else load_drive(job.drive)
    if network_sha256(network) != job.about["network"]["sha256"]:
        raise ValueError(f"a worker has another network {job.network}: send it by value, or give the same file there")
    if drive is not None and drive_sha256(drive) != job.about["drive"]["sha256"]:
        raise ValueError(f"a worker has another drive {job.drive}: send frames by value, or give the same drive there")
    return Tools(job, network, drive)


def _resolved(network: Network, names: Sequence[str], settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the methods with all of their settings, also those that nobody gave."""
    check_settings(settings)
    if fixed := [name for name in FIXED if name in settings and settings[name] != FIXED[name]]:
        raise ValueError(f"{fixed[0]}={settings[fixed[0]]!r}: maps of a whole drive are signed, positive for right")
    if not names or len(set(names)) < len(names) or (unknown := [name for name in names if name not in METHODS]):
        what = "one or more methods, each once" if not names or not unknown else f"one of {', '.join(METHODS)}"
        raise ValueError(f"methods={names}: expected {what}")
    found = {}
    for name in names:
        method = METHODS[name]
        if problem := method.problem(network):
            raise ValueError(problem)
        own = {
            key: parameter.default
            for key, parameter in list(inspect.signature(method.make).parameters.items())[2:]
            if parameter.default is not inspect.Parameter.empty
        }
        own |= method.defaults
        if "fill" in settings:
            own |= {key: settings["fill"] for key in ("fill", "baseline") if key in own}
        own |= {key: value for key, value in {**settings, **FIXED}.items() if key in own and value is not None}
        if own.get("layer", "") is None:
            own["layer"] = network.check_layer(None)
        found[name] = {key: plain(value) for key, value in own.items()}
    return found


def _about(drive: Drive, network: Network, methods: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """Say what the maps are made of: the attributes of the store."""
    fits = max(1, MEMORY // (4 * int(np.prod(network.size))))
    return {
        "format": store.FORMAT,
        "format_version": store.VERSION,
        "network": {"name": network.name, "sha256": network_sha256(network), "size": list(network.size)},
        "drive": {"name": drive.name, "sha256": drive_sha256(drive), "frames": len(drive)},
        "methods": {
            name: {"title": METHODS[name].title, "unit": METHODS[name].unit, "settings": dict(settings)}
            | {"signed": METHODS[name].signed or bool(settings.get("signed"))}
            for name, settings in methods.items()
        },
        "versions": versions(),
        "threads": threads,
        "chunk": int(min(fits, np.clip(len(drive) // 16, SMALLEST, LARGEST))),
    }


def _opened(path: Path, about: Mapping[str, Any], size: tuple[int, int], drive: Drive) -> store.Maps:
    """Open a store, or create it; refuse what is something else or was made of something else."""
    if not len(drive):
        raise ValueError(f"drive {drive.name!r}: no frames to make maps of")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: expected a name in a folder that exists")
    if not path.exists():
        store.create(path, about, size, drive)
    maps = store.open_maps(path)
    for part in ("network", "drive", "methods", "versions"):
        there, here = maps.about[part], about[part]
        if "sha256" in here:
            same = there["sha256"] == here["sha256"]
            there, here = (f"{one['name']!r} (SHA-256 {one['sha256'][:12]}…)" for one in (there, here))
        else:
            same = there == here
        if not same:
            raise ValueError(f"{path} was made with {part} {there}, not {here}: choose another path, or remove it")
    if maps.about["threads"] != about["threads"]:
        warnings.warn(
            f"{path} was begun with {maps.about['threads']} threads, not {about['threads']}: last digits may differ",
            stacklevel=3,
        )
    return maps


def _shown(made: Iterator[Made], missing: Sequence[slice], count: int, progress: bool) -> Iterator[Made]:
    """Pass on what is made, and show how far it is: time left, frames a second, and those of each worker."""
    todo = sum(frames.stop - frames.start for frames in missing)
    frames_of, seconds_of, start = defaultdict(int), defaultdict(float), perf_counter()
    with tqdm(total=count, initial=count - todo, desc="maps", unit="frame", disable=not progress) as bar:
        for one in made:
            yield one
            frames = missing[one.number]
            frames_of[one.worker] += frames.stop - frames.start
            seconds_of[one.worker] += one.seconds
            rates = sorted(frames_of[worker] / (seconds_of[worker] or 1e-9) for worker in frames_of)
            whole = sum(frames_of.values()) / (perf_counter() - start)
            each = f"{rates[0]:.3g}" + (f"–{rates[-1]:.3g}" if len(rates) > 1 else "")
            bar.set_postfix_str(f"{whole:.3g} frame/s, each of {len(rates)} worker{'s' * (len(rates) > 1)} {each}")
            bar.update(frames.stop - frames.start)
