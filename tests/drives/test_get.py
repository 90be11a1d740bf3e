"""Fetching recordings, from a server on this machine that breaks off, forgets and lies."""

import hashlib
import io
import re
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from made import write_drive

from steerlib import __main__ as command
from steerlib.drives import get as recordings
from steerlib.drives import load_drive
from steerlib.drives.get import SOURCES, File, Source, challenge_frames, fetch, listing

PIECE = 65_536  # what is written at once: the rest of a piece that breaks off is asked for again
DATA = np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8).tobytes()


class Server(ThreadingHTTPServer):
    """Files by their path; what is asked for, in order; and after how many bytes an answer breaks off."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.breaks, self.ranges = {}, [], {}, True

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path, asked = self.path[1:], self.headers["Range"]
        self.server.asked.append((path, asked))
        data = self.server.files.get(path)
        if data is None:
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.server.ranges else 0
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        breaks = self.server.breaks.get(path, [])
        self.wfile.write(data[start:][: breaks.pop(0) if breaks else None])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with serving() as server:
        yield server


@contextmanager
def serving():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def source(*files, name="drive", **more):
    return (Source(name, "a road", "MIT", "1 MB", "a page", files, **more),)


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_once_and_checked(server, tmp_path):
    server.files["a.bin"] = DATA
    known = source(File("a.bin", server.url("a.bin"), len(DATA), hashlib.sha256(DATA).hexdigest()))
    folder = fetch("drive", tmp_path / "deep" / "drives", known)
    assert folder == tmp_path / "deep" / "drives" / "drive"
    assert (folder / "a.bin").read_bytes() == DATA and everything(tmp_path) == ["deep/drives/drive/a.bin"]
    assert fetch("drive", folder.parent, known) == folder
    assert server.asked == [("a.bin", None)]


def test_what_is_there_is_not_overwritten(server, tmp_path):
    server.files["a.bin"] = DATA
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / "a.bin").write_text("mine")
    fetch("drive", tmp_path, source(File("a.bin", server.url("a.bin"))))
    assert (tmp_path / "drive" / "a.bin").read_text() == "mine" and server.asked == []


def test_a_transfer_that_breaks_off_is_continued(server, tmp_path):
    server.files["a.bin"], server.breaks["a.bin"] = DATA, [2 * PIECE, PIECE + 50]
    folder = fetch("drive", tmp_path, source(File("a.bin", server.url("a.bin"))))
    assert (folder / "a.bin").read_bytes() == DATA and everything(tmp_path) == ["drive/a.bin"]
    assert server.asked == [("a.bin", None), ("a.bin", "bytes=131072-"), ("a.bin", "bytes=196608-")]


def test_the_next_call_continues(server, tmp_path):
    server.files["a.bin"], server.breaks["a.bin"] = DATA, [2 * PIECE, 0, 7]
    known = source(File("a.bin", server.url("a.bin"), len(DATA), hashlib.sha256(DATA).hexdigest()))
    with pytest.raises(OSError, match=r"a\.bin: broken off after 131,072 bytes; run it again to continue"):
        fetch("drive", tmp_path, known)
    assert everything(tmp_path) == ["drive.part/a.bin.part"]  # nothing half under its name
    assert (fetch("drive", tmp_path, known) / "a.bin").read_bytes() == DATA
    assert server.asked[-1] == ("a.bin", "bytes=131072-") and everything(tmp_path) == ["drive/a.bin"]


def test_a_server_that_cannot_continue_begins_again(server, tmp_path):
    server.files["a.bin"], server.breaks["a.bin"], server.ranges = DATA, [PIECE], False
    assert (fetch("drive", tmp_path, source(File("a.bin", server.url("a.bin")))) / "a.bin").read_bytes() == DATA
    assert server.asked == [("a.bin", None), ("a.bin", "bytes=65536-")]


def test_a_part_that_was_complete_or_is_too_long(server, tmp_path):
    server.files["a.bin"] = DATA
    for left, times in ((DATA, 1), (DATA + b"more", 2)):
        part = tmp_path / "drive.part" / "a.bin.part"
        part.parent.mkdir()
        part.write_bytes(left)
        server.asked.clear()
        folder = fetch("drive", tmp_path, source(File("a.bin", server.url("a.bin"))))
        assert (folder / "a.bin").read_bytes() == DATA and len(server.asked) == times
        (folder / "a.bin").unlink()
        folder.rmdir()


def test_another_file_than_expected_is_refused(server, tmp_path):
    server.files["a.bin"] = DATA
    with pytest.raises(ValueError, match=r"a\.bin: 300,000 bytes came, expected 300,001"):
        fetch("drive", tmp_path, source(File("a.bin", server.url("a.bin"), len(DATA) + 1)))
    assert everything(tmp_path) == []
    wrong = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(ValueError, match=f"SHA256 hash of downloaded file .*a.bin.* expected sha256:{wrong}"):
        fetch("drive", tmp_path, source(File("a.bin", server.url("a.bin"), len(DATA), wrong)))
    assert everything(tmp_path) == []
    right = source(File("a.bin", server.url("a.bin"), len(DATA), hashlib.sha256(DATA).hexdigest()))
    assert (fetch("drive", tmp_path, right) / "a.bin").read_bytes() == DATA


def test_a_file_that_is_gone_and_a_server_that_is_down(server, tmp_path):
    with pytest.raises(OSError, match=r"gone\.bin: the server answers 404 Not Found"):
        fetch("drive", tmp_path, source(File("gone.bin", server.url("gone.bin"))))
    assert everything(tmp_path) == [] and server.asked == [("gone.bin", None)]  # not asked again
    with serving() as other:
        url = other.url("a.bin")
    with pytest.raises(OSError, match=r"a\.bin: broken off after 0 bytes"):
        fetch("drive", tmp_path, source(File("a.bin", url)))


def test_frames_are_fetched_as_the_labels_name_them(server, tmp_path):
    labels = "frame_id,steering_angle,public\n1479425441182877835,0.1,0\n1479425441232704425,-0.2,1\n"
    server.files |= {"labels.csv": labels.encode(), "center/1479425441182877835.jpg": b"one"}
    known = source(
        File("CH2_final_evaluation.csv", server.url("labels.csv")),
        more=lambda folder: challenge_frames(folder, server.url("center")),
    )
    with pytest.raises(OSError, match=r"1479425441232704425\.jpg: the server answers 404"):
        fetch("drive", tmp_path, known)
    assert not (tmp_path / "drive").exists()
    server.asked.clear()
    server.files["center/1479425441232704425.jpg"] = b"two"
    folder = fetch("drive", tmp_path, known)
    assert [path for path, _ in server.asked].count("labels.csv") == 0  # that one is there already
    assert everything(folder) == ["CH2_final_evaluation.csv"] + [
        f"center/{number}.jpg" for number in (1479425441182877835, 1479425441232704425)
    ]
    assert (folder / "center" / "1479425441232704425.jpg").read_bytes() == b"two"


def test_labels_cannot_lead_out_of_the_folder(tmp_path):
    (tmp_path / "CH2_final_evaluation.csv").write_text("frame_id,steering_angle\n../../mine,0.1\n")
    with pytest.raises(ValueError, match=r"'\.\./\.\./mine', expected a time in nanoseconds"):
        challenge_frames(tmp_path)


def packed(folder, *names):
    """An archive of a folder, or of one empty file of each name."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        if folder:
            archive.add(folder, "tub")
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def test_an_archive_is_unpacked(server, tmp_path):
    written = write_drive(tmp_path / "made", ["0.png 1.5", "1.png -2.25", "2.png 30"])
    server.files["tub.tar.gz"] = packed(written)
    folder = fetch("drive", tmp_path / "drives", source(File("tub.tar.gz", server.url("tub.tar.gz")), unpack=True))
    assert load_drive(folder).angles.tolist() == [1.5, -2.25, 30]
    assert everything(tmp_path / "drives") == [f"drive/tub/{name}" for name in everything(written)]


def test_an_archive_cannot_lead_out_of_the_folder(server, tmp_path):
    server.files["tub.tar.gz"] = packed(None, "../../mine")
    with pytest.raises(tarfile.TarError):
        fetch("drive", tmp_path / "drives", source(File("tub.tar.gz", server.url("tub.tar.gz")), unpack=True))
    assert everything(tmp_path) == ["drives/drive.part/tub.tar.gz"]


def test_the_list_says_all_that_is_needed(tmp_path):
    (tmp_path / "donkeycar").mkdir()
    text = listing(folder=tmp_path)
    assert "donkeycar (is here): " in text and "udacity-ch2: " in text
    for one in SOURCES:
        assert all(fact in text for fact in (one.name, one.shows, one.license, one.size, one.page))
        assert bool(one.files) != bool(one.by_hand)
        assert all(file.url.startswith("https://") for file in one.files)
    with pytest.raises(ValueError, match=r"sullychen-2018 is fetched by hand: open the page .* https://drive\.google"):
        fetch("sullychen-2018", tmp_path)
    with pytest.raises(ValueError, match="no recording 'sully': expected one of donkeycar, udacity-ch2"):
        fetch("sully", tmp_path)


def test_the_labels_are_those_that_were_published(real_drives):
    labels = next(one for one in SOURCES if one.name == "udacity-ch2").files[0]
    data = (real_drives / "udacity-ch2" / labels.name).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (labels.size, labels.sha256)
    assert len(challenge_frames(real_drives / "udacity-ch2")) == 5614


def test_the_command(server, tmp_path, monkeypatch, capfd):
    assert command.main(["get"]) == 0
    out, err = capfd.readouterr()
    assert "udacity-ch2: a real road" in out and err == ""
    server.files["a.bin"] = DATA
    known = source(File("a.bin", server.url("a.bin")))
    monkeypatch.setattr(recordings, "fetch", lambda name: fetch(name, tmp_path, known))
    assert command.main(["get", "drive"]) == 0
    out, err = capfd.readouterr()
    assert out == f"{tmp_path / 'drive'} is complete: STEERLIB_DRIVE={tmp_path / 'drive'} make lab\n"
    assert err == ""  # no bar where nobody looks
    assert command.main(["get", "nothing"]) == 2
    assert "no recording 'nothing'" in capfd.readouterr().err
