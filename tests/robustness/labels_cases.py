"""Label files, and the paths in them."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from table import Case
from tools import GOOD, LOG, as_nobody, encoded, kept, loaded, picture, write_drive

from steerlib.drives import load_drive

ALL = "0.png 1.5°, 1.png -2.25°, 2.png 3°"
FIRST_AND_LAST = "0.png 1.5°, 2.png 3°"
TIME = b",2018-07-01 17:09:55:179"
ROWS = [f"IMG/{i}.png,l,r,{angle},0,0,9".encode() for i, angle in enumerate((0.06, -0.09, 0.12))]


def second(line: bytes) -> bytes:
    """Put a line between two good ones."""
    return b"0.png 1.5\n" + line + b"\n2.png 3\n"


# name -> what stands in data.txt, and the frames that are kept or the message
TEXTS: dict[str, tuple[bytes, str | None]] = {
    "empty file": (b"", "has no labels"),
    "only blank lines": (b"\n \n\t\n\n", "has no labels"),
    "Windows line ends": (GOOD.replace(b"\n", b"\r\n"), None),
    "line ends of an old Mac": (GOOD.replace(b"\n", b"\r"), None),
    "UTF-8 with a byte order mark": (b"\xef\xbb\xbf" + GOOD, None),
    "UTF-16, little end first": (b"\xff\xfe" + GOOD.decode().encode("utf-16-le"), None),
    "UTF-16, big end first": (b"\xfe\xff" + GOOD.decode().encode("utf-16-be"), None),
    "UTF-16 without its last line end": (b"\xff\xfe" + GOOD.decode().encode("utf-16-le")[:-2], None),
    "UTF-16 without a byte order mark": (GOOD.decode().encode("utf-16-le"), "line 1.*expected '200.jpg -1.21'"),
    "nothing but NUL bytes": (bytes(1000), "line 1.*expected"),
    "random bytes": (bytes(range(256)) * 20, "expected '200.jpg -1.21'"),
    "no line end after the last line": (GOOD.rstrip(), None),
    "blank lines between": (GOOD.replace(b"\n", b"\n\n"), None),
    "tabs and spaces around": (b"\t0.png\t1.5 \n 1.png   -2.25\n2.png 3 \n", None),
    "a plus sign": (GOOD.replace(b"1.5", b"+1.5"), None),
    "an exponent": (GOOD.replace(b"1.5", b"15E-1"), None),
    "times in all lines": (GOOD.replace(b"\n", TIME + b"\n"), None),
    "times in some lines only": (GOOD.replace(b"1.5", b"1.5" + TIME), None),
    "decimal commas in all lines": (
        GOOD.replace(b".5", b",5").replace(b".25", b",25").replace(b" 3", b" 3,0"),
        None,
    ),
    "columns exchanged": (b"1.5 0.png\n-2.25 1.png\n", "line 1.*found '1.5 0.png'"),
    "only angles": (b"1.5\n-2.25\n3\n", "line 1"),
    "only names": (b"0.png\n1.png\n2.png\n", "line 1"),
    "ten million characters in one line": (b"x" * 10_000_000, "line 1.*found 'x+…'"),
    "a web page in place of labels": (b"<!DOCTYPE html>\n<html><body>Quota exceeded</body></html>\n", "line 1"),
}
# a bad second line -> part of what is warned
BAD_LINES: dict[str, bytes] = {
    "missing angle": b"1.png",
    "text for an angle": b"1.png left",
    "NaN": b"1.png nan",
    "infinity": b"1.png inf",
    "minus infinity": b"1.png -inf",
    "a number beyond all floats": b"1.png 1e999",
    "1e9 degrees": b"1.png 1e9",
    "three thousand degrees": b"1.png -3000",
    "a decimal comma": b"1.png -2,25",
    "a hexadecimal number": b"1.png 0x10",
    "a header in the middle": b"filename angle",
    "a comment": b"# the camera was cleaned here",
    "NUL bytes in a line": b"1.p\0ng \0-2.25",
    "a name with a NUL byte": b"1\0.png -2.25",
    "a line of two labels": b"1.png -2.25 1.png -2.25",
    "a semicolon": b"1.png;-2.25",
    "a frame that is not there": b"7.png -2.25",
    "a name without its ending": b"1 -2.25",
    "a name of 5,000 characters": b"1" * 5000 + b".png -2.25",
    "a name that is no UTF-8": b"b\xfccher.png -2.25",
    "an absolute path": b"/etc/passwd -2.25",
}
# a second line that is none as it is written, but of which it is clear which frame and which angle are meant
UNDERSTOOD: dict[str, bytes] = {
    "an empty time": b"1.png -2.25,",
    "a time cut off": b"1.png -2.25,2018-07-01 17:0",
    "a month 13": b"1.png -2.25,2018-13-01 17:09:55:179",
    "a name in capitals": b"1.PNG -2.25",
    "an address": b"http://example.org/1.png -2.25",
    "a name in a folder that is not there": b"IMG/1.png -2.25",
    "a home folder": b"~/1.png -2.25",
    "a variable": b"$HOME/1.png -2.25",
}
OUTSIDE: dict[str, bytes] = {
    "a name that climbs": b"../secret.png -2.25",
    "a name that climbs in the middle": b"inner/../../secret.png -2.25",
    "a name that climbs and comes back": b"inner/../1.png -2.25",
    "an absolute Windows path": b"C:\\secret.png -2.25",
    "a Windows path that climbs": b"..\\secret.png -2.25",
    "a network share": b"\\\\server\\share\\secret.png -2.25",
}
# rows of driving_log.csv after the header -> the angles that are kept or the message
ROW_TEXTS: dict[str, tuple[bytes, str | None]] = {
    "log: no rows below the header": (b"", "has no labels"),
    "log: quoted cells": (b"\n".join(b",".join(b'"%s"' % cell for cell in row.split(b",")) for row in ROWS), None),
    "log: spaces after commas": (b"\n".join(row.replace(b",", b", ") for row in ROWS), None),
    "log: semicolons": (b"\n".join(row.replace(b",", b";") for row in ROWS), "line 2.*expected center, left"),
    "log: degrees in place of -1 to 1": (b"IMG/0.png,l,r,12.5,0,0,0\n", "line 2.*steering from -1 to 1"),
    "log: a header in the middle": (b"\n".join([ROWS[0], LOG.encode(), *ROWS[1:]]), None),
    "log: the last row is cut off": (b"\n".join([*ROWS, ROWS[0][:14]]), None),
    "log: an empty steering": (b"\n".join([*ROWS, b"IMG/0.png,l,r,,0,0,0"]), None),
    "log: paths of another machine": (b"\n".join(row.replace(b"IMG", b"C:\\rec\\IMG") for row in ROWS), None),
    "log: a path that climbs": (b"../../secret.png,l,r,0,0,0,0\n", "leads out of the folder"),
    "log: a path to what is no picture": (b"../../etc/passwd,l,r,0,0,0,0\n", "line 2.*found '../../etc/passwd'"),
}


def cases() -> Iterator[Case]:
    """Give the cases."""
    for name, (text, told) in TEXTS.items():
        yield Case(f"{name}: `{text[:24]!r}`", partial(texts, text), told)
    for name, line in BAD_LINES.items():
        yield Case(f"{name}, in one of three lines: `{line[:40]!r}`", partial(bad_line, line))
    for name, line in UNDERSTOOD.items():
        yield Case(f"{name}, in one of three lines: `{line[:40]!r}`", partial(understood, line))
    for name, line in OUTSIDE.items():
        yield Case(f"{name}: `{line.decode()}`", partial(outside, line), "line 2.*leads out of the folder")
    for name, (text, told) in ROW_TEXTS.items():
        yield Case(name, partial(rows, text), told)
    yield Case("every frame twice, with other angles", partial(texts, GOOD + GOOD.replace(b".png ", b".png +4")))
    yield Case("labels out of order", out_of_order)
    yield Case("one label", lambda folder: loaded(write_drive(folder, GOOD[:10])))
    for name in ("a b.png", "Straße ü.png", "日本.png", "-o.png", "%s{0}.png"):
        yield Case(f"the name `{name}`", partial(strange_name, name))
    yield Case("folders with spaces and umlauts", lambda folder: loaded(write_drive(folder / "meine Fahrt ü" / "a b")))
    yield Case("a label file of 200 MB", large, r"data\.txt has 200 MB: expected at most 64 MB")
    yield Case(
        "all frames missing", lambda folder: loaded(write_drive(folder, frames=0)), "none of its 3 frames is there"
    )
    yield Case("no label file", lambda folder: loaded(folder), "no recording in .*known formats: .*S. Chen's")
    yield Case("nothing at that path", lambda folder: loaded(folder / "nowhere"), "nowhere is not there")
    yield Case("a path with a NUL byte", lambda folder: loaded(folder / "a\0b"), "is not there")
    yield Case("a name of 300 characters", lambda folder: loaded(folder / ("a" * 300)), "File name too long")
    yield Case(
        "the path of a frame", lambda folder: load_drive(write_drive(folder) / "1.png"), r"expected .*\.txt or \.csv"
    )
    yield Case("the path of a label file", lambda folder: kept(load_drive(write_drive(folder) / "data.txt")))
    yield Case("two label files in one folder", two_drives, "holds 2 drives")
    yield Case("two drives in one folder", lambda folder: two_drives(folder, "a", "b"))  # two runs of one
    yield Case("a drive four folders further in", lambda folder: deep(folder, "a/b/c/d"), "no recording in")
    yield Case("a drive two folders further in", lambda folder: deep(folder, "a/b"))
    yield Case("a folder that is called data.txt", folder_as_labels, "no recording in")
    yield Case("a pipe in place of the drive", pipe, "is no folder, zip archive or label file")
    yield Case("a pipe in place of a frame", pipe_as_frame)
    yield Case(
        "a device in place of the drive", lambda _: load_drive("/dev/zero"), "is no folder, zip archive or label file"
    )
    yield Case("a link to a frame out of the folder", partial(link, "secret.png", "1.png"), "is a link that leads out")
    yield Case("a link to a folder out of the folder", partial(link, "", "data"), "is a link that leads out")
    yield Case(
        "a label file that is a link out of the folder", partial(link, "data.txt", "data.txt"), "is a link that leads"
    )
    yield Case("a link to a frame in the folder", partial(link_inside, "2.png"))
    yield Case("a link to nothing", partial(link_inside, "gone.png"))
    yield Case("a link to itself", partial(link_inside, "1.png"))
    yield Case("a label file that may not be read", partial(forbidden, "data.txt"), "Permission denied.*data.txt")
    yield Case("a folder that may not be read", partial(forbidden, ""), "Permission denied")
    yield Case(
        "an unknown camera",
        lambda folder: load_drive(write_drive(folder), camera="rear"),
        "camera='rear': expected one",
    )
    yield Case(
        "a camera that was not recorded",
        lambda folder: load_drive(write_drive(folder), camera="left"),
        "has only center",
    )


def texts(text: bytes, folder: Path) -> str:
    """Load a drive of three frames with this label file."""
    found = loaded(write_drive(folder, text))
    assert found.startswith(ALL), found
    return found


def bad_line(line: bytes, folder: Path) -> str:
    """Load a drive with a bad line between good ones: it is told and left out."""
    import pytest

    with pytest.warns(UserWarning, match=r"line 2") as warned:
        found = loaded(write_drive(folder, second(line)))
    assert found == FIRST_AND_LAST and len(warned) == 1, found
    return f"{found}; warned: {warned[0].message}"


def understood(line: bytes, folder: Path) -> str:
    """Load a drive with an odd line between good ones: its frame and its angle are there, whatever is told."""
    found = loaded(write_drive(folder, second(line)))
    assert found.startswith(ALL), found
    return found


def outside(line: bytes, folder: Path) -> str:
    """Load a drive whose label leads to a picture beside its folder."""
    (folder / "secret.png").write_bytes(encoded(picture()))
    return loaded(write_drive(folder / "drive", second(line)))


def rows(text: bytes, folder: Path) -> str:
    """Load a log of the simulator."""
    write_drive(folder / "IMG")
    (folder / "IMG" / "data.txt").unlink()
    (folder / "driving_log.csv").write_bytes(LOG.encode() + b"\n" + text)
    found = loaded(folder)
    assert found == ALL, found
    return found


def out_of_order(folder: Path) -> str:
    """The order of the file is the order of the drive."""
    found = loaded(write_drive(folder, b"2.png 3\n0.png 1.5\n"))
    assert found == "2.png 3°, 0.png 1.5°"
    return found


def strange_name(name: str, folder: Path) -> str:
    """Load a drive whose frame has such a name."""
    write_drive(folder, f"{name} 1.5\n".encode(), frames=0)
    (folder / name).write_bytes(encoded(picture()))
    found = loaded(folder)
    assert found == f"{name} 1.5°"
    return found


def large(folder: Path) -> str:
    """Load a label file that takes no room on the disk, but would in memory."""
    with open(write_drive(folder) / "data.txt", "r+b") as file:
        file.truncate(200 * 2**20)
    return loaded(folder)


def two_drives(folder: Path, *inner: str) -> str:
    """Load what could be either of two drives."""
    write_drive(folder / (inner or ("",))[0])
    write_drive(folder / (inner or ("",))[-1], name="data.txt" if inner else "driving_log.csv")
    return loaded(folder)


def deep(folder: Path, inner: str) -> str:
    """Load a drive that lies further in."""
    write_drive(folder / inner)
    return loaded(folder)


def folder_as_labels(folder: Path) -> str:
    """Load a folder with a folder of the label file's name."""
    (folder / "data.txt").mkdir()
    return loaded(folder)


def pipe(folder: Path) -> str:
    """Load a pipe into which nobody writes: whoever reads waits forever."""
    os.mkfifo(folder / "pipe.txt")
    return loaded(folder / "pipe.txt")


def pipe_as_frame(folder: Path) -> str:
    """Load a drive with a pipe for a frame."""
    (write_drive(folder) / "1.png").unlink()
    os.mkfifo(folder / "1.png")
    found = loaded(folder)
    assert found == FIRST_AND_LAST
    return found


def link(target: str, name: str, folder: Path) -> str:
    """Load a drive with a link to something beside its folder."""
    (write_drive(folder / "outside") / "secret.png").write_bytes(encoded(picture()))
    drive = write_drive(folder / "drive", second(b"1.png -2.25"))
    (drive / "1.png").unlink()
    (drive / name).unlink(missing_ok=True)
    (drive / name).symlink_to(folder / "outside" / target)
    return loaded(drive)


def link_inside(target: str, folder: Path) -> str:
    """Load a drive with a link that stays in its folder; where it leads to nothing the others are kept."""
    (write_drive(folder) / "1.png").unlink()
    (folder / "1.png").symlink_to(target)
    found = loaded(folder)
    assert found == (ALL if target == "2.png" else FIRST_AND_LAST)
    return found


def forbidden(name: str, _: Path) -> str:
    """Load a drive of which something may not be read."""
    with as_nobody() as folder:
        write_on = os.geteuid()
        os.seteuid(os.getuid())
        write_drive(folder)
        (folder / name).chmod(0)
        os.seteuid(write_on)
        try:
            return loaded(folder)
        except PermissionError as error:
            raise PermissionError(str(error).replace(str(folder), "…")) from error
