"""Recordings that others published: ``python -m steerlib get`` lists them, and fetches one into ``data/drives``.

What is fetched is checked, continued when it was broken off, and takes its name only when it is complete.
"""

import csv
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from steerlib.checkout import kept_in
from steerlib.writing import replacing

if TYPE_CHECKING:
    import requests
    from tqdm import tqdm

AT_ONCE = 4  # files
ATTEMPTS = 3  # at a file that is broken off
PIECE = 2**16  # bytes, and so many at most are fetched again after a break
PATIENCE = 30  # seconds without an answer


class File(NamedTuple):
    """A file to fetch."""

    name: str  # its path in the drive's folder
    url: str
    size: int | None = None  # bytes, where known
    sha256: str | None = None  # where known


class Source(NamedTuple):
    """A recording that somebody published.

    Attributes
    ----------
    name : str
        Of the folder that it is fetched into.
    shows, license, size : str
        What it is, for the list.
    page : str
        Where a reader finds it.
    files : sequence of File
        None: it has to be fetched by hand, as `by_hand` says.
    more : callable, optional
        Gives further files, once the first are in a folder.
    unpack : bool
        Whether the one file is an archive whose content is the drive.
    by_hand : str
        What to do.
    """

    name: str
    shows: str
    license: str
    size: str
    page: str
    files: Sequence[File] = ()
    more: Callable[[Path], Sequence[File]] | None = None
    unpack: bool = False
    by_hand: str = ""


RAW = "https://raw.githubusercontent.com"
LABELS = "CH2_final_evaluation.csv"
FRAMES = f"{RAW}/peikexin9/deepxplore/1374c316642c8acaaa532703f5cfd8ec52969742/Driving/testing/center"
BROWSER = "open the page in a browser, download the archive, and give its path: STEERLIB_DRIVE=… make lab"


def challenge_frames(folder: Path, frames: str = FRAMES) -> list[File]:
    """List the frames that the labels of Udacity's challenge 2 name.

    Parameters
    ----------
    folder : Path
        Holds the labels.
    frames : str
        Address of the folder of the frames.

    Raises
    ------
    ValueError
        Names what is no frame: a name must not lead out of the folder.
    """
    with open(folder / LABELS, newline="", encoding="utf-8") as file:
        numbers = [row["frame_id"] for row in csv.DictReader(file)]
    for number in numbers:
        if not (number.isascii() and number.isdecimal()):
            raise ValueError(f"{folder / LABELS}: found the frame {number!r}, expected a time in nanoseconds")
    return [File(f"center/{number}.jpg", f"{frames}/{number}.jpg") for number in numbers]


SOURCES = (
    Source(
        name="donkeycar",
        shows="a real model car: the tub of donkeycar's own tests",
        license="MIT",
        size="4 MB",
        page="https://github.com/autorope/donkeycar",
        files=(
            File(
                "tub.tar.gz",
                f"{RAW}/autorope/donkeycar/178565d16f1f4cfb5b924b77e51d11f3bc24c7cd/donkeycar/tests/tub/tub.tar.gz",
            ),
        ),
        unpack=True,
    ),
    Source(
        name="udacity-ch2",
        shows="a real road with bends, the test drive of Udacity's challenge 2: 5,614 frames, 640 × 480",
        license="MIT",
        size="239 MB",
        page="https://github.com/udacity/self-driving-car",
        files=(
            File(
                LABELS,
                f"{RAW}/udacity/self-driving-car/master/challenges/challenge-2/{LABELS}",
                212_774,
                "804399465513428de827deb661e4fc0008d1fbda8dd1a8748f64288d90504e14",
            ),
        ),
        more=challenge_frames,
    ),
    Source(
        name="sullychen-2018",
        shows="S. Chen's drive of 2018, Rancho Palos Verdes, about 63,000 frames, 455 × 256",
        license="for research only, never to steer a real car",
        size="3.1 GB",
        page="https://drive.google.com/file/d/1PZWa6H0i1PCH9zuYcIh5Ouk_p-9Gh58B/view",
        by_hand=BROWSER,
    ),
    Source(
        name="sullychen-2017",
        shows="S. Chen's drive of 2017, about 45,500 frames, 455 × 256",
        license="for research only, never to steer a real car",
        size="2.2 GB",
        page="https://drive.google.com/file/d/1Ue4XohCOV5YXy57S_5tDfCVqzLr101M7/view",
        by_hand=BROWSER,
    ),
    Source(
        name="comma2k19",
        shows="real drives in segments of a minute, 1,200 frames each",
        license="MIT",
        size="100 GB",
        page="https://huggingface.co/datasets/commaai/comma2k19",
        by_hand="open the page in a browser, download one chunk, unpack it, and give the path of a segment or a route: "
        "STEERLIB_DRIVE=… make lab",
    ),
)


def listing(sources: Sequence[Source] = SOURCES, folder: Path | None = None) -> str:
    """Say what there is, and how it is fetched."""
    folder, lines = folder or kept_in("drives"), []
    for source in sources:
        here = " (is here)" if (folder / source.name).exists() else ""
        lines += [
            f"{source.name}{here}: {source.shows}",
            f"    {source.size}, license: {source.license}; {source.page}",
        ]
        lines += [f"    by hand: {source.by_hand}"] * (not source.files)
    return "\n".join([*lines, "", "python -m steerlib get NAME fetches one that is not fetched by hand."])


def fetch(name: str, folder: Path | None = None, sources: Sequence[Source] = SOURCES) -> Path:
    """Fetch a recording; what is already there is left as it is.

    Parameters
    ----------
    name : str
        One of the list.
    folder : Path, optional
        Where it gets a folder of its name. None: the project's ``data/drives``, or, where `steerlib` was installed
        without the notebooks, ``drives`` in the current folder. What is not complete lies beside it, in a folder that
        ends in ``.part``, and the next call continues there.
    sources : sequence of Source

    Returns
    -------
    Path
        The drive's folder.

    Raises
    ------
    ValueError
        If there is none of that name, it has to be fetched by hand, or what came is not what was expected.
    OSError
        If the server does not have it, or the connection broke.
    """
    source = next((source for source in sources if source.name == name), None)
    if source is None:
        raise ValueError(f"no recording {name!r}: expected one of {', '.join(source.name for source in sources)}")
    folder = folder or kept_in("drives")
    target, unfinished = folder / name, folder / f"{name}.part"
    if target.exists():
        return target
    if not source.files:
        raise ValueError(f"{name} is fetched by hand: {source.by_hand}; the page is {source.page}")
    unfinished.mkdir(parents=True, exist_ok=True)
    _fetch_files(source.files, unfinished, name)
    if source.more:
        _fetch_files(source.more(unfinished), unfinished, name)
    if source.unpack:
        with replacing(target) as unpacked:  # "data": nothing that leads out of the folder, no devices
            shutil.unpack_archive(unfinished / source.files[0].name, unpacked, filter="data")
        shutil.rmtree(unfinished)
    else:
        os.rename(unfinished, target)
    return target


def _fetch_files(files: Sequence[File], folder: Path, title: str) -> None:
    """Fetch the files that are not there yet, some at once."""
    import pooch
    from tqdm import tqdm

    pooch.get_logger().setLevel("WARNING")  # else each file is announced
    known = {file.name: file.sha256 and f"sha256:{file.sha256}" for file in files}
    shelf = pooch.create(folder, "", registry=known, urls={file.name: file.url for file in files})
    pool = ThreadPoolExecutor(AT_ONCE)
    with _session() as session, tqdm(desc=title, unit="B", unit_scale=True, disable=None) as bar:

        def get(file: File) -> None:
            shelf.fetch(file.name, downloader=_Continuing(file, folder / f"{file.name}.part", session, bar))

        try:
            list(pool.map(get, files))
        finally:
            pool.shutdown(cancel_futures=True)  # an error: thousands may still be waiting


def _session() -> "requests.Session":
    """Keep connections, and ask again later where a server is busy."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    busy = Retry(
        total=6,
        connect=2,
        read=2,
        backoff_factor=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
    )
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=busy))
    session.mount("http://", HTTPAdapter(max_retries=busy))
    # Else what comes may be compressed, and then neither lengths nor the place to continue at are those of the file.
    session.headers["Accept-Encoding"] = "identity"
    return session


class _Continuing:
    """A downloader for pooch, which has none that continues what was broken off."""

    def __init__(self, file: File, part: Path, session: "requests.Session", bar: "tqdm") -> None:
        self.file, self.part, self.session, self.bar = file, part, session, bar

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Fetch the rest of a file, and give it the name that pooch checks."""
        import requests

        self.part.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(ATTEMPTS):
            try:
                self._fetch_rest(url)
                break
            except requests.HTTPError as error:
                answer = error.response
                raise OSError(f"{url}: the server answers {answer.status_code} {answer.reason}") from error
            except requests.RequestException as error:
                if attempt == ATTEMPTS - 1:
                    have = self._have()
                    raise OSError(f"{url}: broken off after {have:,} bytes; run it again to continue") from error
        size = self._have()
        if self.file.size not in (None, size):
            self.part.unlink()
            raise ValueError(f"{url}: {size:,} bytes came, expected {self.file.size:,}: it is not the file it was")
        os.replace(self.part, output_file)

    def _have(self) -> int:
        """Give the number of bytes that are here."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _fetch_rest(self, url: str) -> None:
        """Fetch what is missing, or all of it where the server cannot continue."""
        have = self._have()
        asked = {"Range": f"bytes={have}-"} if have else {}
        with self.session.get(url, headers=asked, stream=True, timeout=PATIENCE) as answer:
            where = answer.headers.get("Content-Range", "")
            if answer.status_code == 416 and where == f"bytes */{have}":
                return  # nothing is missing
            goes_on = answer.status_code == 206 and where.startswith(f"bytes {have}-")
            if have and not goes_on and answer.status_code in (206, 416):  # it is another file now
                self.part.unlink()
                return self._fetch_rest(url)
            answer.raise_for_status()
            with open(self.part, "ab" if goes_on else "wb") as file:
                for piece in answer.iter_content(PIECE):
                    file.write(piece)
                    self.bar.update(len(piece))
