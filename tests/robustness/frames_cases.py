"""Picture files: the second of three frames, or what its pixels are, is damaged or unusual."""

import os
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from table import Case
from tools import PILOTNET, as_nobody, encoded, kept, picture, write_drive

from steerlib.drives import Drive, load_drive

GRAY = cv2.cvtColor(picture(1), cv2.COLOR_RGB2GRAY)
JPEG, PNG = encoded(picture(1), ".jpg"), encoded(picture(1))


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Encode a picture by Pillow."""
    picture.save(data := BytesIO(), kind, **options)
    return data.getvalue()


def with_size(width: int, height: int) -> dict[str, bytes]:
    """Take small pictures and write another size into their headers."""
    start = PNG.index(b"IHDR")
    header = b"IHDR" + struct.pack(">II", width, abs(height)) + PNG[start + 12 : start + 17]
    png = PNG[:start] + header + struct.pack(">I", zlib.crc32(header)) + PNG[start + 21 :]
    place = JPEG.index(b"\xff\xc0") + 5
    jpeg = JPEG[:place] + struct.pack(">HH", min(abs(height), 65500), min(width, 65500)) + JPEG[place + 4 :]
    bmp = bytearray(encoded(picture(1), ".bmp"))
    bmp[18:26] = struct.pack("<ii", width, height)
    return {"PNG": png, "JPEG": jpeg, "BMP": bytes(bmp)}


def bomb() -> bytes:
    """Give a whole PNG of 20,000 × 20,000 black pixels in 50 kB; decoded to RGB it takes 1.2 GB."""
    packer, line = zlib.compressobj(9), bytes(1 + 2500)
    data = b"".join(packer.compress(line * 100) for _ in range(200)) + packer.flush()
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def pillow() -> Image.Image:
    """Give the picture as Pillow has it."""
    return Image.fromarray(picture(1))


def turned() -> bytes:
    """Give a picture that is stored on its side, with the note of how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it
    return saved(Image.fromarray(np.ascontiguousarray(np.rot90(picture(1)))), "JPEG", exif=exif, quality=95)


# ending -> what stands in the file, the message or None, and the size and the greatest difference of colors if it works
BAD = {
    "zero bytes": b"",
    "one byte": b"\xff",
    "a JPEG that is cut off": JPEG[: len(JPEG) // 2],
    "a JPEG's header alone": JPEG[:20],
    "a PNG that is cut off": PNG[: len(PNG) // 2],
    "a PNG with a wrong checksum": PNG.replace(b"IDATx", b"IDATy"),
    "a PNG's header alone": PNG[:33],
    "a WebP that is cut off": encoded(picture(1), ".webp")[:100],
    "a BMP that is cut off": encoded(picture(1), ".bmp")[:2000],
    "text": b"this is no picture\n",
    "a web page": b"<html><body>404 Not Found</body></html>",
    "an SVG drawing": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "a GIF": saved(pillow(), "GIF"),
    "a TIFF": saved(pillow(), "TIFF"),
    "a JPEG 2000": saved(pillow(), "JPEG2000"),
    "zeros": bytes(5000),
    "random bytes": np.random.default_rng(0).bytes(5000),
    "a pickle": b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.",
}
HUGE = {
    "a bomb: 400 million pixels in a PNG of 50 kB": bomb(),
    **{f"a {kind} that claims 60,000 × 60,000 pixels": data for kind, data in with_size(60_000, 60_000).items()},
    "a PNG that claims 2147483647 × 1 pixels": with_size(2**31 - 1, 1)["PNG"],
    "a BMP that claims a height of -60,000": with_size(60_000, -60_000)["BMP"],
}
FINE = {
    "a PNG": (PNG, 0),
    "a JPEG": (encoded(picture(1), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95), 60),
    "a progressive JPEG": (encoded(picture(1), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), 80),
    "a WebP": (encoded(picture(1), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101), 0),
    "a BMP": (encoded(picture(1), ".bmp"), 0),
    "a gray PNG": (encoded(GRAY), None),
    "a gray JPEG": (encoded(GRAY, ".jpg"), None),
    "a PNG with alpha": (saved(pillow().convert("RGBA"), "PNG"), 0),
    "a PNG with 16 bits": (encoded(picture(1).astype(np.uint16) * 257), 0),
    "a gray PNG with 16 bits": (encoded(GRAY.astype(np.uint16) * 257), None),
    "a PNG with a palette": (saved(pillow().quantize(), "PNG"), 40),
    "a PNG with 1 bit": (saved(pillow().convert("1", dither=0), "PNG"), None),
    "a CMYK JPEG": (saved(pillow().convert("CMYK"), "JPEG", quality=95), 60),
    "a JPEG stored on its side, with the EXIF note": (turned(), 60),
    "a JPEG followed by other bytes": (JPEG + b"\r\n--end", 80),
    "a PNG that is called .jpg": (PNG, 0),
}
SIZES = {(1, 1): None, (2, 3): None, (33, 70): None, (2000, 3000): None, (10000, 1): "sides", (1, 10000): "sides"}


def cases() -> Iterator[Case]:
    """Give the cases."""
    for name, data in BAD.items():
        yield Case(f"{name}, called .jpg", partial(damaged, data))
    for name, data in HUGE.items():
        yield Case(name, partial(damaged, data, message=r"pixels: expected at most 50,000,000"))
    for name, (data, difference) in FINE.items():
        yield Case(name, partial(unusual, data, difference))
    for size, told in SIZES.items():
        data = encoded(picture(0, size) if min(size) > 9 else np.full((*size, 3), 200, np.uint8))
        act = partial(damaged, data, message=told) if told else partial(mixed, data, size)
        yield Case(f"a frame of {size[1]} × {size[0]} pixels among others", act)
    yield Case("a file of 100 MB", large)
    yield Case("all frames damaged", all_damaged, "no frame can be read")
    yield Case("a frame that may not be read", unreadable)
    yield Case("a frame deleted after loading", partial(afterwards, Path.unlink, "No such file"))
    yield Case("a frame replaced by a folder after loading", partial(afterwards, as_folder, "Is a directory"))
    yield Case("a frame replaced by a link out of the folder after loading", partial(afterwards, as_link, "link"))
    yield Case("the whole drive deleted after loading", deleted)
    for name, data in {
        "zero bytes": b"",
        "text": b"text",
        "colors": PNG,
        "16 bits": encoded(GRAY.astype(np.uint16)),
    }.items():
        yield Case(f"a label picture of {name}", partial(label_picture, data), "labels/1.png is n")
    yield Case("a label picture that is a link out of the folder", linked_label_picture)
    yield Case("a label picture of 400 million pixels", partial(label_picture, bomb()), "expected at most 50,000,000")


def drive_with(folder: Path, data: bytes) -> Drive:
    """Load a drive whose second frame is this."""
    write_drive(folder, b"0.png 1.5\n1.jpg -2.25\n2.png 3\n")
    (folder / "1.jpg").write_bytes(data)
    return load_drive(folder)


def message_of(drive: Drive, expected: str = "not a complete picture") -> str:
    """Read a frame that cannot be read, in every way; give the one line that tells why. The others are kept."""
    import pytest

    messages = set()
    ways = drive.frame, drive.view, lambda i: drive.pixels([i]), lambda i: drive.pictures(PILOTNET, slice(i, i + 1))
    for read in ways:
        with pytest.raises((ValueError, OSError), match=expected) as caught:
            read(1)
        messages.add(str(caught.value))
    (message,) = messages
    assert "\n" not in message and "1." in message
    with pytest.warns(UserWarning, match="1 of 3 frames cannot be read"):
        assert kept(drive.readable()).startswith("0.png 1.5°, 2.png 3°")
    return f"the others are kept; the frame: {message}"


def damaged(data: bytes, folder: Path, message: str = "is not a complete picture") -> str:
    """Load a drive with a frame that is none."""
    return message_of(drive_with(folder, data), message).replace(str(folder), "…")


def unusual(data: bytes, difference: int | None, folder: Path) -> str:
    """Load a drive with a frame in an unusual form: it has the colors of the picture."""
    frame = drive_with(folder, data).frame(1)
    assert frame.shape == (64, 100, 3) and frame.dtype == np.uint8
    if difference is None:
        assert (np.ptp(frame, axis=2) < 3).all() and np.corrcoef(frame[..., 0].ravel(), GRAY.ravel())[0, 1] > 0.8
        return "RGB of its grays"
    largest = np.abs(frame.astype(int) - picture(1)).max()
    assert largest <= difference, largest
    return "the picture's colors" + (" (compressed)" if difference else "")


def mixed(data: bytes, size: tuple[int, int], folder: Path) -> str:
    """Load a drive with a frame of another size."""
    drive = drive_with(folder, data)
    assert drive.frame(1).shape == (*size, 3)
    return kept(drive)


def large(folder: Path) -> str:
    """Load a frame that takes no room on the disk, but would in memory."""
    drive = drive_with(folder, JPEG)
    os.truncate(folder / "1.jpg", 100 * 2**20)
    return message_of(drive, "has 100 MB: expected at most 64 MB").replace(str(folder), "…")


def all_damaged(folder: Path) -> str:
    """Load a drive without a single picture."""
    write_drive(folder)
    for number in range(3):
        (folder / f"{number}.png").write_bytes(b"no picture")
    return kept(load_drive(folder).readable())


def unreadable(_: Path) -> str:
    """Load a drive with a frame that may not be read."""
    with as_nobody() as folder:
        nobody = os.geteuid()
        os.seteuid(os.getuid())
        drive = drive_with(folder, JPEG)
        (folder / "1.jpg").chmod(0)
        os.seteuid(nobody)
        return message_of(drive, "Permission denied").replace(str(folder), "…")


def as_folder(path: Path) -> None:
    """Replace a file by a folder."""
    path.unlink()
    path.mkdir()


def as_link(path: Path) -> None:
    """Replace a file by a link out of its folder."""
    path.unlink()
    path.symlink_to("/etc/hostname")


def afterwards(change: object, message: str, folder: Path) -> str:
    """Change a frame's file when the drive is loaded."""
    drive = drive_with(folder / "drive", JPEG)
    change(folder / "drive" / "1.jpg")
    return message_of(drive, message).replace(str(folder / "drive"), "…")


def deleted(folder: Path) -> str:
    """Delete a drive when it is loaded and one frame was decoded: that one stays."""
    import shutil

    import pytest

    drive = drive_with(folder / "drive", JPEG)
    before = drive.pictures(PILOTNET, [0])
    shutil.rmtree(folder / "drive")
    with pytest.raises(FileNotFoundError, match=r"0\.png"):
        drive.frame(0)
    assert (drive.pictures(PILOTNET, [0]) == before).all() and "unreadable" in repr(drive)
    return "No such file, with its name; decoded pixels stay"


def label_picture(data: bytes, folder: Path) -> str:
    """Read what the pixels of a frame are from a picture that does not tell it."""
    drive = drive_with(folder, JPEG)
    (folder / "labels").mkdir()
    (folder / "labels" / "1.png").write_bytes(data)
    return str(load_drive(folder).labels(1)) + str(len(drive))


def linked_label_picture(folder: Path) -> str:
    """Leave alone a label picture that lies outside."""
    (folder / "outside").mkdir()
    (folder / "outside" / "1.png").write_bytes(encoded(GRAY))
    drive_with(folder / "drive", JPEG)
    (folder / "drive" / "labels").symlink_to(folder / "outside")
    assert load_drive(folder / "drive").labels(1) is None
    return "this frame has no labels"
