"""No way out of a folder or an archive."""

import zipfile

import pytest
from made import GOOD, color, colors_of, write_drive, write_frame, write_log, zipped

from steerlib.drives import load_drive

NAMES_OUTSIDE = ["../out.png", "..\\out.png", "data/../../out.png", "{outside}/out.png", "C:\\out.png"]


@pytest.mark.parametrize(
    "name, archive",
    [(name, archive) for name in NAMES_OUTSIDE for archive in (False, True)]
    + [("link.png", False), ("links/out.png", False)],
)
def test_label_file_cannot_reach_out(tmp_path, name, archive):
    outside = tmp_path / "outside"
    for number, place in enumerate((outside, tmp_path)):
        write_frame(place / "out.png", number)
    folder = write_drive(tmp_path / "inside", [GOOD[0], name.format(outside=outside) + " 1"])
    if not archive:
        (folder / "link.png").symlink_to(outside / "out.png")
        (folder / "links").symlink_to(outside)
    with pytest.raises(ValueError, match=r"data\.txt, line 2: .* leads out of the folder"):
        load_drive(zipped(folder, tmp_path / "inside.zip") if archive else folder)


def test_links_inside_the_folder_are_fine(tmp_path):
    folder = write_drive(tmp_path / "inside", [*GOOD, "again.png 4"])
    (folder / "again.png").symlink_to("1.png")
    (tmp_path / "shortcut").symlink_to(folder)
    for path in (folder, tmp_path / "shortcut"):
        drive = load_drive(path)
        assert drive.name == "inside"
        assert colors_of(drive) == [color(0), color(1), color(2), color(1)]


def test_linked_label_file_is_refused(tmp_path):
    folder = write_drive(tmp_path / "inside", GOOD)
    (folder / "data.txt").rename(tmp_path / "labels.txt")
    (folder / "data.txt").symlink_to(tmp_path / "labels.txt")
    for path in (folder, folder / "data.txt"):
        with pytest.raises(ValueError, match=r"data\.txt is a link that leads out"):
            load_drive(path)


def test_absolute_paths_in_logs_are_not_opened(tmp_path):
    """They belong to another machine, even if such a file happens to be here."""
    write_frame(tmp_path / "other" / "center_0.png", 9)
    row = f"{tmp_path}/other/center_0.png,l,r,0,0,0,0"
    drive = load_drive(write_log(tmp_path / "log", [row]))
    assert colors_of(drive) == [color(0)]
    write_log(tmp_path / "log", ["../other/center_0.png,l,r,0,0,0,0"])
    with pytest.raises(ValueError, match=r"driving_log\.csv, line 1: .* leads out of the folder"):
        load_drive(tmp_path / "log")


def test_members_that_leave_the_archive_do_not_exist(tmp_path):
    write_drive(tmp_path / "drive", GOOD)
    archive = zipped(tmp_path / "drive", tmp_path / "drive.zip")
    evil = ("../data.txt", "/data.txt", "../0.png", "inner/../../data.txt", "C:\\data.txt", "..\\data.txt")
    with zipfile.ZipFile(archive, "a") as file:
        for name in evil:
            file.writestr(name, "0.png 99")
    before = sorted(tmp_path.rglob("*"))
    drive = load_drive(archive)
    assert drive.angles.tolist() == [1.5, -2.25, 3]
    assert colors_of(drive) == [color(0), color(1), color(2)]
    assert sorted(tmp_path.rglob("*")) == before
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        for name in evil:
            file.writestr(name, "0.png 99")
    with pytest.raises(FileNotFoundError, match=r"no recording in"):
        load_drive(tmp_path / "evil.zip")


def test_damaged_archives_are_named(tmp_path):
    write_drive(tmp_path / "drive", GOOD)
    archive = zipped(tmp_path / "drive", tmp_path / "drive.zip")
    data = archive.read_bytes()
    (tmp_path / "half.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"half\.zip is no zip archive, or only a part"):
        load_drive(tmp_path / "half.zip")
    frame = (tmp_path / "drive" / "1.png").read_bytes()
    archive.write_bytes(data.replace(frame, bytes(len(frame))))
    drive = load_drive(archive)
    assert colors_of(drive.subset([0, 2])) == [color(0), color(2)]
    with pytest.raises(ValueError, match=r"1\.png cannot be unpacked"):
        drive.frame(1)
    with pytest.warns(UserWarning, match=r"1 of 3 .* 1\.png"):
        assert len(drive.readable()) == 2
