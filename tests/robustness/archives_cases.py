"""Zip archives, and what is taken for one."""

import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from table import Case
from tools import GOOD, encoded, kept, picture, write_drive

from steerlib.drives import load_drive

ALL = "0.png 1.5°, 1.png -2.25°, 2.png 3°"
OTHERS = "0.png 1.5°, 2.png 3°"


def archive(
    folder: Path, change: Callable[[zipfile.ZipFile], None] = lambda _: None, prefix: str = "", **members: bytes
) -> Path:
    """Write a drive as an archive; members named 'label' and 'second' replace its label file and second frame."""
    path = folder / "drive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(3):
            if number != 1 or members.get("second", b"") is not None:
                data = members.get("second") if number == 1 else None
                file.writestr(f"{prefix}{number}.png", data or encoded(picture(number)))
        file.writestr(f"{prefix}data.txt", members.get("label", GOOD))
        change(file)
    return path


def cases() -> Iterator[Case]:
    """Give the cases."""
    yield Case("a drive", lambda folder: whole(archive(folder)))
    yield Case("a drive in a folder", lambda folder: whole(archive(folder, prefix="drive/")))
    yield Case("a drive two folders further in", lambda folder: whole(archive(folder, prefix="a/b/")))
    yield Case(
        "a drive four folders further in", lambda folder: whole(archive(folder, prefix="a/b/c/d/")), "no recording in"
    )
    yield Case("names with umlauts", lambda folder: whole(archive(folder, prefix="für ü/")))
    yield Case("names with backslashes", backslashes)
    yield Case("an archive that is called .txt", lambda folder: whole(archive(folder).rename(folder / "drive.txt")))
    for name in ("../1.png", "/1.png", "C:/1.png", "a/../../1.png"):
        yield Case(f"a member called `{name}`", partial(outside, name))
        yield Case(f"a label that names `{name}`", partial(label_outside, name), "line 1.*leads out of the folder")
    yield Case("a label file called `../data.txt`", label_file_outside, "no recording in")
    yield Case("a member that is a symbolic link", link, "line 2.*link")
    yield Case("a label file that is a symbolic link", linked_labels, "is a link")
    yield Case("a frame of 128 MB in 128 kB", bomb, "1.png has .* MB: expected at most 64 MB")
    yield Case(
        "a label file of 70 MB in 70 kB", lambda f: whole(archive(f, label=b" " * 70 * 2**20)), "has 70 MB: expected"
    )
    yield Case(
        "a frame that is larger than it claims", partial(lying, 100), "cannot be unpacked|not a complete picture"
    )
    yield Case("a frame that claims 4 GB", partial(lying, 2**32 - 2), "expected at most 64 MB")
    yield Case("an archive in the archive", nested, "no recording in")
    yield Case("encrypted members", encrypted, "encrypted")
    yield Case("two label files", partial(two, "a/data.txt"), None)
    yield Case("two drives", partial(two, "driving_log.csv"), "holds 2 drives")
    yield Case("the same member twice", same_twice)
    for share in (0.1, 0.5, 0.9, 0.99):
        yield Case(f"cut off after {share:.0%}", partial(cut_off, share), "no zip archive, or only a part")
    yield Case("a changed byte in a frame", changed, "cannot be unpacked: Bad CRC-32")
    yield Case("an unknown compression", unknown_compression, "cannot be unpacked")
    yield Case("an empty archive", lambda folder: whole(emptied(folder)), "no recording in")
    yield Case("zero bytes, called .zip", lambda folder: whole(written(folder / "drive.zip", b"")), "no zip archive")
    yield Case("text, called .zip", lambda folder: whole(written(folder / "drive.zip", GOOD)), "no zip archive")
    for ending, mode in ((".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.xz", "w:xz"), (".zip", "w")):
        told = "no zip archive" if ending == ".zip" else "expected .*unpack other archives first"
        yield Case(f"a tar archive, called {ending}", partial(tar, ending, mode), told)
    for ending in (".7z", ".rar", ".gz"):
        yield Case(f"a {ending} archive", partial(other, ending), "expected .*unpack other archives first")
    yield Case("an archive deleted after loading", deleted)
    yield Case("an archive with 20,000 other members", many)
    yield Case("nothing is unpacked to the disk", nothing_unpacked)


def whole(path: Path) -> str:
    """Load an archive."""
    found = kept(load_drive(path))
    assert found == ALL, found
    return found


def written(path: Path, data: bytes) -> Path:
    """Write a file."""
    path.write_bytes(data)
    return path


def backslashes(folder: Path) -> str:
    """Load an archive whose names are those of an old Windows program."""
    path = archive(folder, prefix="drive/")
    return whole(written(path, path.read_bytes().replace(b"drive/", b"drive\\")))


def outside(name: str, folder: Path) -> str:
    """Load an archive in which the second frame would lie outside: it does not exist for us."""
    path = archive(folder, lambda file: file.writestr(name, encoded(picture())), second=None)
    found = kept(load_drive(path))
    assert found == OTHERS and {entry.name for entry in folder.iterdir()} == {"drive.zip"}
    return found


def label_outside(name: str, folder: Path) -> str:
    """Load an archive whose label names a member that would lie outside."""
    return whole(archive(folder, lambda file: file.writestr(name, b""), label=f"{name} 1.5\n0.png 1\n".encode()))


def label_file_outside(folder: Path) -> str:
    """Load an archive whose only label file would lie outside."""
    path = folder / "drive.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("../data.txt", GOOD)
    return whole(path)


def a_link(name: str, target: str) -> Callable[[zipfile.ZipFile], None]:
    """Add a symbolic link to an archive, as `zip --symlinks` does."""

    def add(file: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, target)

    return add


def link(folder: Path) -> str:
    """Load an archive whose second frame is a link."""
    return whole(archive(folder, a_link("1.png", "/etc/passwd"), second=None))


def linked_labels(folder: Path) -> str:
    """Load an archive whose label file is a link."""
    with zipfile.ZipFile(folder / "drive.zip", "w") as file:
        a_link("data.txt", "/etc/passwd")(file)
    return whole(folder / "drive.zip")


def bomb(folder: Path) -> str:
    """Load an archive with a frame that is far too large."""

    def add(file: zipfile.ZipFile) -> None:
        with file.open("1.png", "w", force_zip64=True) as member:
            for _ in range(128):
                member.write(bytes(2**20))

    return whole(archive(folder, add, second=None))


def lying(size: int, folder: Path) -> str:
    """Load an archive that tells another size of its second frame than it has."""
    path = archive(folder)
    data = bytearray(path.read_bytes())
    true = struct.pack("<I", len(encoded(picture(1))))
    for signature, offset, name in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        place = -1
        while (place := data.find(signature, place + 1)) >= 0:
            if data[place + name : place + name + 5] == b"1.png":
                assert data[place + offset : place + offset + 4] == true
                data[place + offset : place + offset + 4] = struct.pack("<I", size)
    return whole(written(path, bytes(data)))


def nested(folder: Path) -> str:
    """Load an archive that holds nothing but another one."""
    inner = archive(folder).read_bytes()
    with zipfile.ZipFile(folder / "drive.zip", "w") as file:
        file.writestr("drive.zip", inner)
    return whole(folder / "drive.zip")


def encrypted(folder: Path) -> str:
    """Load an archive whose members are marked as encrypted."""
    path = archive(folder)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := data.find(signature, place + 1)) >= 0:
            data[place + offset] |= 1
    return whole(written(path, bytes(data)))


def two(name: str, folder: Path) -> str:
    """Load an archive with two label files; the outer one counts."""
    return whole(archive(folder, lambda file: file.writestr(name, GOOD)))


def same_twice(folder: Path) -> str:
    """Load an archive with two members of one name; the last one counts, as for other programs."""
    import pytest

    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(folder, lambda file: file.writestr("1.png", encoded(picture(9))))
    assert load_drive(path).frame(1)[0, 0, 0] == 9
    return whole(path) + ", the later of the two"


def cut_off(share: float, folder: Path) -> str:
    """Load a download that ended early."""
    path = archive(folder)
    os.truncate(path, int(share * path.stat().st_size))
    return whole(path)


def changed(folder: Path) -> str:
    """Load an archive that has changed on its way."""
    path = archive(folder)
    with zipfile.ZipFile(path) as file:
        place = file.getinfo("1.png").header_offset + 30 + 5 + 30
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    return whole(written(path, bytes(data)))


def unknown_compression(folder: Path) -> str:
    """Load an archive in a compression that is not known."""
    path = archive(folder)
    data = bytearray(path.read_bytes())
    for signature, offset, name in ((b"PK\x03\x04", 8, 30), (b"PK\x01\x02", 10, 46)):
        place = -1
        while (place := data.find(signature, place + 1)) >= 0:
            if data[place + name : place + name + 5] == b"1.png":
                data[place + offset] = 97
    return whole(written(path, bytes(data)))


def emptied(folder: Path) -> Path:
    """Write an archive without members."""
    zipfile.ZipFile(folder / "drive.zip", "w").close()
    return folder / "drive.zip"


def tar(ending: str, mode: str, folder: Path) -> str:
    """Load a drive in an archive of another kind."""
    write_drive(folder / "drive")
    with tarfile.open(folder / f"drive{ending}", mode) as file:
        file.add(folder / "drive", "drive")
    return whole(folder / f"drive{ending}")


def other(ending: str, folder: Path) -> str:
    """Load a file that is called like an archive of another kind."""
    return whole(written(folder / f"drive{ending}", b"7z\xbc\xaf\x27\x1c" + bytes(100)))


def deleted(folder: Path) -> str:
    """Delete an archive that is open: it can still be read."""
    drive = load_drive(archive(folder))
    (folder / "drive.zip").unlink()
    return kept(drive)


def many(folder: Path) -> str:
    """Load an archive with many members that are no frames."""

    def add(file: zipfile.ZipFile) -> None:
        for number in range(20_000):
            file.writestr(zipfile.ZipInfo(f"other/{number}"), b"")

    return whole(archive(folder, add))


def nothing_unpacked(folder: Path) -> str:
    """Load an archive; nothing but it lies on the disk afterwards."""
    found = whole(archive(folder))
    assert [entry.name for entry in folder.iterdir()] == ["drive.zip"]
    return found
