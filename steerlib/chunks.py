"""A function of many chunks, in this process or on the workers of a Dask cluster (notebook 11).

A thousand roads, ten thousand views, the frames of a recording: each is cut into chunks, the function makes something
of each chunk, and how many workers there are changes neither the chunks nor what is made of them. Workers need the
optional extra ``scale`` (Dask distributed); on SLURM, Kubernetes, by SSH or in a cloud a scheduler is started, and its
address is given here.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from distributed import Client

AHEAD = 2  # chunks that each worker is given at a time: the next one lies there when it has made one
DEATHS = 20  # workers that may die over one chunk before it is given up; it may be others that are killed


class Made(NamedTuple):
    """What was made of a chunk."""

    number: int  # of the chunk, in the order in which they were given
    result: Any
    worker: str  # who made it; empty in this process
    seconds: float  # that it took there


def over_chunks(
    function: Callable[[Any, Any], Any],
    prepare: Callable[[], Any],
    chunks: Iterable[Any],
    workers: int | None = None,
    scheduler: str | None = None,
    threads: int = 1,
) -> Iterator[Made]:
    """Make something of each chunk, here or on workers, and give it as it comes.

    Introduced in notebook 11. Where a worker dies, its chunks are made again by another one. A script that starts
    workers needs ``if __name__ == "__main__":``, as with every process that begins afresh.

    Parameters
    ----------
    function : function
        ``function(prepared, chunk)``: what a chunk becomes. With workers it must stand in a module.
    prepare : function
        ``prepare()`` is called once in each process, for what all chunks need, such as a network.
    chunks : iterable
        Taken one by one: with workers there are never more than two of each worker in memory.
    workers : int, optional
        So many processes on this machine. None, without a scheduler: this process alone makes all chunks, in order.
    scheduler : str, optional
        The address of a scheduler that runs, such as ``tcp://10.0.0.1:8786``, in place of `workers`.
    threads : int
        That TensorFlow, OpenCV and others may take in each worker. This process keeps those that it has.

    Yields
    ------
    Made
        In the order in which chunks are finished.

    Raises
    ------
    ValueError
        Where workers and a scheduler are both given, the number of workers is below 1, or Dask is not installed.
    OSError
        Where the scheduler cannot be reached or is lost, or a chunk has cost 20 workers.
    """
    if workers is None and scheduler is None:
        prepared = None
        for number, chunk in enumerate(chunks):
            prepared = prepare() if number == 0 else prepared
            start = perf_counter()
            yield Made(number, function(prepared, chunk), "", perf_counter() - start)
        return
    with _client(workers, scheduler, threads) as client:
        yield from _on_workers(client, function, prepare, chunks, threads)


def check_workers(workers: int | None, scheduler: str | None, threads: int) -> None:
    """Refuse, before any work is done, what `over_chunks` would refuse."""
    if workers is not None and scheduler is not None:
        raise ValueError(f"workers={workers} and scheduler={scheduler!r}: a scheduler has its own workers, give one")
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise ValueError(f"{name}={value}: expected at least 1")
    if workers is not None or scheduler is not None:
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise ValueError(
                "workers need Dask distributed: pip install 'steerlib[scale]'; without, one process does it all"
            ) from None


@contextlib.contextmanager
def _client(workers: int | None, scheduler: str | None, threads: int) -> Iterator[Client]:
    """Connect to a scheduler, or start one here with its workers."""
    check_workers(workers, scheduler, threads)
    import dask
    from distributed import Client, LocalCluster

    # A worker that is killed says nothing about the chunk that it held: Dask gives a task up after three deaths.
    with dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}), contextlib.ExitStack() as opened:
        if scheduler is None:
            # Read where libraries begin, so before a worker imports any. Memory is not limited, since Dask would kill.
            limits = dict.fromkeys(_LIMITS, str(threads))
            try:
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=0,
                    env=limits,
                    silence_logs=50,
                    dashboard_address="127.0.0.1:0",  # any port that is free, seen from this machine alone
                )
            except RuntimeError as error:
                advice = 'a script that starts workers needs `if __name__ == "__main__":`'
                raise OSError(f"the {workers} workers did not start ({error}): {advice}") from error
            scheduler = opened.enter_context(cluster)
        try:
            yield opened.enter_context(Client(scheduler))
        except TimeoutError as error:
            raise OSError(f"scheduler {scheduler}: {error}") from error


_LIMITS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def _on_workers(
    client: Client, function: Callable, prepare: Callable, chunks: Iterable[Any], threads: int
) -> Iterator[Made]:
    """Keep each worker busy with two chunks, and give what is finished."""
    from concurrent.futures import CancelledError

    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    if dashboard := _dashboard(client):
        print(f"dashboard: {dashboard}", flush=True)
    key, waiting, numbers = uuid.uuid4().hex, enumerate(chunks), {}
    # A task, not data that are scattered: those would be lost with the worker that holds them.
    held = client.submit(_give, prepare, key=f"prepare-{key}")
    finished = as_completed()

    def send() -> bool:
        for number, chunk in waiting:
            future = client.submit(_make, function, held, key, chunk, threads, key=f"chunk-{number}-{key}")
            numbers[future.key] = number
            finished.add(future)
            return True
        return False

    try:
        while len(numbers) < AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"])) and send():
            pass
        for future in finished:
            made = Made(numbers.pop(future.key), *future.result())
            send()
            yield made
    except KilledWorker as error:
        raise OSError(f"{DEATHS} workers died while they made one chunk: {error}") from error
    except CancelledError as error:
        raise OSError(f"the scheduler {client.scheduler.address if client.scheduler else ''} was lost") from error


def _dashboard(client: Client) -> str:
    """Give the address of Dask's dashboard, empty where it has none: it needs Bokeh."""
    try:
        import bokeh  # noqa: F401
    except ImportError:
        return ""
    return client.dashboard_link


def _give(prepare: Callable) -> Callable:
    """Give back what is needed by all chunks; the scheduler knows how to make it again."""
    return prepare


def _make(function: Callable, prepare: Callable, key: str, chunk: Any, threads: int) -> tuple[Any, str, float]:  # noqa: ANN401
    """Make a chunk on a worker, which keeps what was prepared until another run needs something else."""
    from distributed import get_worker

    worker = get_worker()
    kept = vars(worker).setdefault("_steerlib", {})
    if key not in kept:
        kept.clear()
        take_share(threads, worker.name)
        kept[key] = prepare()
    start = perf_counter()
    return function(kept[key], chunk), str(worker.name), perf_counter() - start


def take_share(threads: int, name: object) -> None:
    """Give a process its share of the cores, and a worker with a number one GPU of its own where there are some.

    By environment variables, which TensorFlow reads when it begins: so it does nothing to a process in which it has.
    """
    import cv2

    cv2.setNumThreads(threads)
    os.environ |= {**dict.fromkeys(_LIMITS, str(threads)), "LOKY_MAX_CPU_COUNT": str(threads)}
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # TensorFlow would take all of a GPU's memory
    cards = [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    if cards and str(name).isdecimal():
        cards = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(cards)).split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = cards[int(str(name)) % len(cards)]


def threads_here() -> int:
    """Say how many threads TensorFlow takes in this process for one operation: they may decide on last digits."""
    import tensorflow as tf

    named = os.environ.get("TF_NUM_INTRAOP_THREADS")
    return tf.config.threading.get_intra_op_parallelism_threads() or int(named or 0) or os.cpu_count() or 1
