"""The store of a drive's maps: what is in it, what is never mixed, and what an interruption leaves."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from steerlib.drives import Drive, load_drive
from steerlib.maps import explain
from steerlib.maps.evidence import evidence
from steerlib.maps.whole_drive import identity, making, store
from steerlib.networks.files import save_network
from steerlib.networks.network import as_network

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample_drive"
FRAMES = 40  # two chunks: 32 and 8
QUICK = {"sizes": (33,), "stride": 33}  # six by two windows


@pytest.fixture(scope="module")
def network(shipped_network):
    return shipped_network("pilotnet")


@pytest.fixture(scope="module")
def drive():
    """Frames of the sample drive, two of which cannot be read; one has no recorded angle."""
    part = load_drive(SAMPLE).subset(range(100, 100 + FRAMES))
    read, broken = part._film.read, {105, 133}

    def read_some(row):
        if row in broken:
            raise ValueError(f"{row}.jpg is truncated")
        return read(row)

    part._film.read = read_some
    part.angles[3] = np.nan
    return part


def make(drive, network, path, methods=("hires-cam", "occlusion"), **settings):
    return making.of_drive(drive, network, list(methods), path, progress=False, **QUICK | settings)


@pytest.fixture(scope="module")
def made(drive, network, tmp_path_factory):
    return make(drive, network, tmp_path_factory.mktemp("maps") / "maps.zarr")


def contents(path):
    """The bytes of every file of a store, by its name."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(Path(path).rglob("*")) if file.is_file()}


def test_a_map_is_what_explain_makes_of_the_frame_alone(made, drive, network):
    for method, settings in (("hires-cam", {"target": "right", "signed": True}), ("occlusion", QUICK)):
        left, right = made.evidence(method)
        for i in (0, 31, 32, 39):
            picture = drive.pictures(network, [i])[0]
            alone = explain(network, picture, method, **settings)
            found = made.explain(network, picture, method)
            largest = np.abs(alone.map).max()
            np.testing.assert_allclose(found.map, alone.map, atol=largest / 2**10)
            np.testing.assert_allclose(made.map(method, i), found.map)
            assert found[1:-1] == alone[1:-1] and found.angle == pytest.approx(alone.angle, abs=1e-3)
            np.testing.assert_allclose([left[i], right[i]], evidence(alone.map), rtol=1e-3, atol=largest / 1e4)
            assert made.angles[i] == pytest.approx(alone.angle, abs=1e-3)


def test_frames_that_cannot_be_read_are_noted(made, drive):
    assert made.unreadable.tolist() == [5, 33]
    assert [store.STATES[k] for k in made.state[[4, 5]]] == ["made", "frame cannot be read"]
    assert np.isnan(made.angles[[5, 33]]).all() and np.isfinite(np.delete(made.angles, [5, 33])).all()
    with pytest.raises(ValueError, match="no map of frame 33: frame cannot be read"):
        made.map("hires-cam", 33)
    np.testing.assert_array_equal(made.recorded, drive.angles)
    np.testing.assert_array_equal(made.times, drive.timestamps)
    assert np.isnan(made.recorded[3])


def test_the_store_says_by_what_it_was_made(made, drive, network):
    about = made.about
    assert about["network"]["sha256"] == identity.network_sha256(network) and len(about["network"]["sha256"]) == 64
    assert about["drive"] == {"name": drive.name, "sha256": identity.drive_sha256(drive), "frames": FRAMES}
    assert about["methods"]["occlusion"]["settings"]["sizes"] == [33]
    assert about["methods"]["hires-cam"]["settings"]["layer"] == network.check_layer(None)
    assert about["versions"]["keras"] == keras.__version__
    assert repr(made).endswith("hires-cam, occlusion; 38 of 40 frames")


def test_xarray_opens_it_as_it_is(made):
    xarray = pytest.importorskip("xarray")
    with xarray.open_zarr(made.path, consolidated=False) as table:
        assert table["hires-cam_map"].dims == ("frame", "row", "column")
        np.testing.assert_array_equal(table["angle"], made.angles)
        map = (table["hires-cam_map"][7].astype("float32") * table["hires-cam_scale"][7]).values
        np.testing.assert_allclose(map, made.map("hires-cam", 7))
        assert (table["state"].values == made.state).all()


def test_float16_is_used_in_shares_of_the_largest_value():
    """Of numbers that float16 itself does not know: 1e-9 would be 0 and 1e9 infinite."""
    random = np.random.default_rng(0)
    maps = random.normal(size=(4, 5, 6)).astype(np.float32) * np.float32([1e-9, 1, 1e9, 0])[:, None, None]
    shares, scale = store.encode(maps)
    assert shares.dtype == np.float16 and np.isfinite(shares).all()
    back = shares.astype(np.float32) * scale[:, None, None]
    largest = np.abs(maps).max(axis=(1, 2), keepdims=True)
    assert (np.abs(back - maps) <= np.maximum(np.abs(maps) / 2**11, largest * 3e-8)).all()
    assert (back[3] == 0).all() and scale[3] == 0


# ---------------------------------------------------------------- nothing is mixed


def test_another_network_drive_method_or_setting_is_refused(made, drive, network, shipped_network):
    before = contents(made.path)
    other = shipped_network("pilotnet_centered")
    for arguments, what in (
        ((drive, other), "network 'pilotnet' "),
        ((drive.subset(range(39)), network), "drive 'sample_drive' "),
        ((drive, network, ["hires-cam"]), "methods "),
    ):
        with pytest.raises(ValueError, match=f"was made with {what}.*choose another path"):
            make(arguments[0], arguments[1], made.path, *arguments[2:])
    with pytest.raises(ValueError, match="was made with methods"):
        make(drive, network, made.path, stride=32)
    assert contents(made.path) == before


def test_other_versions_are_refused(made, drive, network, monkeypatch):
    monkeypatch.setattr(making, "versions", lambda: made.about["versions"] | {"keras": "2.0"})
    with pytest.raises(ValueError, match="was made with versions"):
        make(drive, network, made.path)


def test_nothing_else_is_written_to(drive, network, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    (tmp_path / "file").write_text("mine")
    for name in ("mine", "file"):
        with pytest.raises(ValueError, match="expected a store"):
            make(drive, network, tmp_path / name)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years" and (tmp_path / "file").read_text() == "mine"


def test_a_map_is_found_by_the_very_picture(made, drive, network, shipped_network):
    picture = drive.pictures(network, [8])[0]
    with pytest.raises(ValueError, match="has no map of this picture"):
        made.explain(network, picture[:, ::-1], "hires-cam")
    with pytest.raises(ValueError, match=r"was made by network 'pilotnet'.*not by 'pilotnet_centered'"):
        made.explain(shipped_network("pilotnet_centered"), picture, "hires-cam")
    with pytest.raises(ValueError, match="occlusion was made with stride=33, not 8"):
        made.explain(network, picture, "occlusion", stride=8)
    with pytest.raises(ValueError, match="expected one of hires-cam, occlusion"):
        made.explain(network, picture, "grad-cam")


def test_a_network_is_known_by_what_it_answers_not_by_its_file(tmp_path, monkeypatch, network):
    monkeypatch.setenv("STEERLIB_MODELS", str(tmp_path))
    from steerlib.networks.files import load_network

    again = load_network(save_network(network, "another_name"))
    assert identity.network_sha256(again) == identity.network_sha256(network)
    weights = again.model.get_weights()
    weights[-1] = np.nextafter(weights[-1], np.float32(9))
    again.model.set_weights(weights)
    assert identity.network_sha256(again) != identity.network_sha256(network)
    image = keras.Input((66, 200, 3))
    activated = [keras.layers.Conv2D(1, 3, activation=name)(image) for name in ("relu", "elu")]
    models = [keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(x))) for x in activated]
    models[1].set_weights(models[0].get_weights())
    first, second = (identity.network_sha256(as_network(model)) for model in models)
    assert first != second
    with pytest.raises(ValueError, match="black box 'answer' cannot be told"):
        identity.network_sha256(as_network(lambda pictures: pictures[:, 0, 0, 0], "answer", (66, 200)))


def test_a_drive_is_known_by_its_pixels_too(drive):
    frames = np.zeros((3, 66, 200, 3), np.uint8)
    drives = [Drive.from_arrays("one", frames + shade, [0, 1, 2]) for shade in (0, 0, 1)]
    first, same, other = map(identity.drive_sha256, drives)
    assert first == same != other


def test_what_cannot_be_said_is_refused(drive, network, tmp_path):
    for arguments, words in (
        ({"methods": []}, "one or more methods"),
        ({"methods": ["saliency"]}, "expected one of occlusion"),
        ({"methods": ["cam"]}, "CAM needs"),
        ({"stride": 99}, "stride=99"),
        ({"target": "left"}, "maps of a whole drive are signed"),
        ({"workers": 0}, "workers=0"),
        ({"workers": 1, "scheduler": "tcp://x"}, "a scheduler has its own"),
        ({"send": ["everything"]}, "expected some of network, frames, maps"),
        ({"colour": 1}, "setting 'colour'"),
    ):
        with pytest.raises(ValueError, match=words):
            make(drive, network, tmp_path / "maps.zarr", **arguments)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- broken off


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [0, 3, 6, 8])  # of the seven arrays of each chunk
def test_broken_off_at_any_array_it_goes_on_to_the_same_bits(after, drive, network, tmp_path, monkeypatch):
    import zarr

    path, finished = tmp_path / "maps.zarr", tmp_path / "finished.zarr"
    about = make(drive, network, finished, ["hires-cam"]).about
    store.create(path, about, network.size, drive)
    put, writes = zarr.Array.__setitem__, []

    def put_some(array, *arguments):
        if len(writes) == after:
            raise Killed
        writes.append(array.path)
        put(array, *arguments)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(zarr.Array, "__setitem__", put_some)
        make(drive, network, path, ["hires-cam"])
    first = after >= 7
    assert ("state" in writes) == first
    assert (store.open_maps(path).state[:32] != store.NOT_MADE).all() == first
    again, make_chunk = [], making.make_chunk

    def make_again(tools, chunk):
        again.append(chunk.frames.start)
        return make_chunk(tools, chunk)

    monkeypatch.setattr(making, "make_chunk", make_again)
    make(drive, network, path, ["hires-cam"])
    assert again == ([32] if first else [0, 32])
    assert contents(path) == contents(finished)


def test_a_damaged_chunk_is_found_and_made_again(drive, network, tmp_path):
    path = tmp_path / "maps.zarr"
    made = make(drive, network, tmp_path / "whole.zarr", ["hires-cam"])
    for damage in ("changed", "short", "gone"):
        shutil.copytree(made.path, path)
        file = path / "hires-cam_map" / "c" / "1" / "0" / "0"
        whole = file.read_bytes()
        if damage == "changed":
            file.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
        elif damage == "short":
            file.write_bytes(whole[:-7])
        else:
            file.unlink()
        with pytest.raises(ValueError, match=r"is damaged|is missing"):
            store.open_maps(path).map("hires-cam", 35)
        store.open_maps(path).map("hires-cam", 31)
        assert not store.whole(store.open_maps(path), 1) and store.whole(store.open_maps(path), 0)
        make(drive, network, path, ["hires-cam"])
        assert contents(path) == contents(made.path)
        shutil.rmtree(path)


PROGRAM = """
import sys
from steerlib.maps import of_drive
of_drive(sys.argv[1], "pilotnet", ["hires-cam"], sys.argv[2], progress=False)
print("finished")
"""


@pytest.fixture(scope="module")
def by_workers(tmp_path_factory):
    pytest.importorskip("distributed")
    path = tmp_path_factory.mktemp("workers") / "maps.zarr"
    return making.of_drive(SAMPLE, "pilotnet", "hires-cam", path, workers=2, progress=False)


def test_a_killed_process_loses_nothing_and_workers_make_the_same_bits(by_workers, tmp_path):
    path = tmp_path / "killed.zarr"
    surroundings = os.environ | {"PYTHONPATH": str(SAMPLE.parents[1]), "TF_NUM_INTRAOP_THREADS": "1"}

    def start():
        command = [sys.executable, "-c", PROGRAM, str(SAMPLE), str(path)]
        return subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True)

    process = start()
    while process.poll() is None and not (path / "state" / "c" / "1").exists():
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert (store.open_maps(path).state == store.MADE).any()
    assert start().communicate()[0] == "finished\n"
    left = {name: data for name, data in contents(path).items() if not name.endswith(".partial")}
    assert left == contents(by_workers.path)
    assert (by_workers.state == store.MADE).all()


def test_network_frames_and_maps_travel_by_value(drive, network, made, tmp_path):
    """The frames that cannot be read, too; 300 kB of pictures, which one worker gets in two chunks."""
    pytest.importorskip("distributed")
    everything = {"workers": 1, "send": ["network", "frames", "maps"]}
    found = make(drive, network, tmp_path / "maps.zarr", ["hires-cam"], **everything)
    np.testing.assert_array_equal(found.state, made.state)
    np.testing.assert_array_equal(found.read("picture"), made.read("picture"))
    for i in (0, 39):
        largest = np.abs(made.map("hires-cam", i)).max()
        np.testing.assert_allclose(found.map("hires-cam", i), made.map("hires-cam", i), atol=largest / 1e3)
