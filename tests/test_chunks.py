"""A function of many chunks: in this process, and on workers that die."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from steerlib.chunks import over_chunks
from steerlib.world.driving import autonomy, constant, drive_roads


def times(factor, chunk):
    return factor * chunk


def die_once(folder, factor, chunk):
    """End the process of whoever makes the third chunk for the first time."""
    (Path(folder) / f"{os.getpid()}").touch()
    if chunk == 3 and not (died := Path(folder) / "died").exists():
        died.touch()
        os._exit(9)
    return factor * chunk


def test_one_process_makes_them_in_order_and_prepares_once():
    prepared = []

    def prepare():
        prepared.append(1)
        return 3

    taken = []
    made = over_chunks(times, prepare, (taken.append(k) or k for k in range(4)))
    assert next(made)[:2] == (0, 0) and taken == [0], "chunks are taken one by one"
    assert [(one.number, one.result, one.worker) for one in made] == [(1, 3, ""), (2, 6, ""), (3, 9, "")]
    assert prepared == [1]
    assert list(over_chunks(times, prepare, [])) == [] and prepared == [1]


def test_a_worker_that_dies_costs_its_chunk(tmp_path):
    pytest.importorskip("distributed")
    made = list(over_chunks(partial(die_once, str(tmp_path)), partial(int, "2"), range(6), workers=2))
    assert sorted(one.number for one in made) == list(range(6))
    assert {one.number: one.result for one in made} == {k: 2 * k for k in range(6)}
    assert (tmp_path / "died").exists() and not (tmp_path / str(os.getpid())).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"workers": 0}, "workers=0"),
        ({"workers": 1, "scheduler": "tcp://x"}, "give one"),
        ({"workers": 1, "threads": 0}, "threads=0"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        list(over_chunks(times, int, [1], **arguments))


def test_without_dask_it_says_what_to_install(monkeypatch):
    import builtins

    found = builtins.__import__

    def missing(name, *arguments, **more):
        if name == "distributed":
            raise ImportError(name)
        return found(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ValueError, match=r"steerlib\[scale\]"):
        list(over_chunks(times, int, [1], workers=1))


def test_many_roads_are_driven_ten_at_a_time_here_and_by_workers():
    """A wheel held straight needs no network; what it does on a road depends on this road alone."""
    pytest.importorskip("distributed")
    seeds = range(30, 42)
    logs = drive_roads(constant(2.0), seeds, 1.0, progress=False)
    alone = [drive_roads(constant(2.0), seed, 1.0, progress=False)[0] for seed in (30, 39, 40, 41)]
    assert [log.seed for log in logs] == list(seeds)
    for log, one in zip((logs[0], logs[9], logs[10], logs[11]), alone):
        np.testing.assert_array_equal(log.offset, one.offset)
    found = autonomy(constant(2.0), seeds, 1.0, progress=False, workers=1)
    for log, one in zip(found.logs, logs):
        np.testing.assert_array_equal(log.offset, one.offset)
        assert log.seed == one.seed
