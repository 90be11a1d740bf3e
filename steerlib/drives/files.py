"""A folder, a zip archive or a single label file as one kind of thing, out of which no name leads.

`pathlib` and `zipfile.Path` are not enough: `..` and, on disk, links lead out of a folder there; and to ask about each
of 63,825 frames with `Path.is_file` and `Path.resolve` takes four times as long as all of `load_drive` takes so.
"""

import contextlib
import copy
import os
import re
import stat
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Self

LARGEST_FILE = 64 * 2**20  # bytes; a file that is larger is no frame and no list of labels


class Files:
    """The files of a folder on disk, by names with `/`; each folder is listed once.

    Attributes
    ----------
    path : Path
        The folder or archive.
    base : str
        The folder in it that names start at, "" for its top.
    named : str or None
        The label file, where the user gave its path and not that of its folder.
    """

    def __init__(self, path: Path, named: str | None = None) -> None:
        self.path, self.base, self.named = path, "", named
        self._root = Path(os.path.realpath(path))
        self._listings: dict[str, dict[str, str]] = {}
        self._small: dict[str, dict[str, list[str]]] = {}

    def within(self, folder: str) -> Self:
        """Give the same files as they are named in one of the folders."""
        inner = copy.copy(self)
        inner.base = join(self.base, folder)
        return inner

    def names(self, kind: str) -> list[str]:
        """Give, in alphabetical order, what of one kind lies in this folder, and not in those in it."""
        return sorted(name for name, found in self._listing(self.base).items() if found == kind)

    def label_file(self, name: str) -> str | None:
        """Find a label file by its name or, where the user named one, by the ending."""
        if self.named:
            return self.named if Path(self.named).suffix.lower() == Path(name).suffix else None
        return name if self.kind(name) in ("file", "link") else None

    def kind(self, path: str) -> str | None:
        """Tell what lies at a path: "file", "folder", "link" for one that leads out, None for nothing."""
        return self._kind(join(self.base, path))

    def alike(self, path: str) -> str | None:
        """Find what a path names but for its capitals, if it is only one."""
        found = ""
        for part in path.split("/"):
            same = self._folded(join(self.base, found)).get(part.casefold(), ())
            if len(same) != 1:
                return None
            found = join(found, same[0])
        return found if self.kind(found) == "file" else None

    def stream(self, path: str) -> str | BytesIO:
        """Give what reads a large file piece by piece: its path, or the content of an archive's member."""
        if self._leads_out(self.path / self.base / path):
            raise ValueError(f"{self.where(path)} is a link that leads out of its folder: expected a file")
        return self.where(path)

    def read(self, path: str) -> bytes:
        """Give the bytes of a file; it may have been exchanged since the folder was listed."""
        if self._leads_out(self.path / self.base / path):
            raise ValueError(f"{self.where(path)} is a link that leads out of its folder: expected a file")
        return read_bytes(self.path / self.base / path)

    def where(self, path: str) -> str:
        """Give a file's path for messages."""
        return str(self.path / self.base / path)

    @property
    def name(self) -> str:
        """What a drive in this folder is called."""
        return (self._root / self.base).name or "drive"

    def _listing(self, folder: str) -> dict[str, str]:
        """Give the kind of each name in a folder of the root."""
        if folder not in self._listings:
            kinds = self._listings[folder] = {}
            with os.scandir(self.path / folder) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):  # a link to itself
                        if entry.is_symlink() and self._leads_out(entry.path):
                            kinds[entry.name] = "link"
                        elif entry.is_dir() or entry.is_file():
                            kinds[entry.name] = "folder" if entry.is_dir() else "file"
        return self._listings[folder]

    def _folded(self, folder: str) -> dict[str, list[str]]:
        """Give the names in a folder of the root by what they are in small letters."""
        if folder not in self._small:
            small = self._small[folder] = {}
            for name in self._listing(folder) if self._kind(folder) == "folder" else ():
                small.setdefault(name.casefold(), []).append(name)
        return self._small[folder]

    def _kind(self, path: str) -> str | None:
        """Tell what lies at a path from the root; never look beyond a link that leads out."""
        if not path:
            return "folder"
        folder, _, name = path.rpartition("/")
        above = self._kind(folder) if folder else "folder"
        if above == "folder":
            return self._listing(folder).get(name)
        return "link" if above == "link" else None

    def _leads_out(self, path: str | Path) -> bool:
        """Tell whether a path on the disk leads out of the folder, by whatever links."""
        return not Path(os.path.realpath(path)).is_relative_to(self._root)


class Archive(Files):
    """A zip archive, read in place. Members with an absolute name or `..` in it do not exist for us."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._archive = zipfile.ZipFile(path)
        self._members = {}
        self._listings[""] = {}
        for member in self._archive.infolist():
            path_inside = inside(member.filename)
            if path_inside is None or member.is_dir():
                continue
            self._members[path_inside] = member
            kind = "link" if stat.S_ISLNK(member.external_attr >> 16) else "file"
            while path_inside:
                path_inside, _, name = path_inside.rpartition("/")
                self._listings.setdefault(path_inside, {})[name] = kind
                kind = "folder"

    def read(self, path: str) -> bytes:
        """Give the bytes of a member."""
        member = self._members[join(self.base, path)]
        _check_size(member.file_size, self.where(path))
        try:
            return self._archive.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise ValueError(f"{self.where(path)} cannot be unpacked: {error}") from error

    def stream(self, path: str) -> BytesIO:
        """Give the content of a member: who needs a part of it needs all."""
        return BytesIO(self.read(path))

    @property
    def name(self) -> str:
        """What a drive in this archive is called."""
        return self.path.stem


def inside(name: str) -> str | None:
    """Give a name as a clean relative path, or None where it is absolute or climbs with `..`."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return None if is_absolute(name) or ".." in parts else "/".join(parts)


def is_absolute(name: str) -> bool:
    """Tell whether a name is an absolute POSIX or Windows path."""
    return re.match(r"[/\\]|[A-Za-z]:", name) is not None


def join(*parts: str) -> str:
    """Join the parts of a path that are not empty."""
    return "/".join(filter(None, parts))


def read_bytes(path: Path) -> bytes:
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
