"""How pieces are handed out and answers taken, whatever a scheduler does: without one."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from marketcam.server.cluster import ClusterError, PieceError, dask_cluster
from marketcam.server.cluster.dask_cluster import PIECES_A_WORKER, DaskCluster
from marketcam.server.cluster.errors import NoWorkerError


class DoneFuture:
    """What is done as soon as it is handed out."""

    def __init__(self, result):
        self._result = result

    def done(self):
        return True

    def result(self, _):
        return self._result()


class Client:
    """Calls the functions itself; has as many workers as it is told."""

    def __init__(self, workers=3, fail=None):
        self.workers = workers
        self._fail = fail

    def nthreads(self):
        return dict.fromkeys(range(self.workers), 1)

    def submit(self, call, piece, **_):
        return DoneFuture(lambda: call(piece) if self._fail is None else self._raise())

    def _raise(self):
        raise self._fail

    def cancel(self, futures, **_):
        pass

    def as_current(self):
        return nullcontext()


def cluster_of(client: Client, patience: float = 10.0) -> DaskCluster:
    return DaskCluster(client, "tcp://here", 1, patience)


@pytest.mark.parametrize("in_order", [True, False])
def test_what_is_done_does_not_wait_for_a_slow_source(in_order):
    given, taken = [], []

    def pieces():
        for piece in range(10):
            assert len(taken) >= piece - 1, "what is done was not taken before the next was read"
            given.append(piece)
            yield piece

    for piece, _ in cluster_of(Client()).spread(abs, pieces(), in_order=in_order):
        taken.append(piece)
    assert given == taken == list(range(10))


def test_as_many_are_under_way_as_there_is_room_for(monkeypatch):
    monkeypatch.setattr(DoneFuture, "done", lambda _: len(asked) == PIECES_A_WORKER * 3)
    asked = []
    pieces = (asked.append(piece) or piece for piece in range(100))
    assert next(cluster_of(Client()).spread(abs, pieces)) == (0, 0)
    assert len(asked) == PIECES_A_WORKER * 3


def test_a_worker_that_cannot_take_a_piece_is_an_error_of_the_cluster():
    client = Client(fail=ModuleNotFoundError("No module named 'marketcam'"))
    problem = r"^7: a worker could not take it: ModuleNotFoundError: No module named 'marketcam'$"
    with pytest.raises(PieceError, match=problem):
        list(cluster_of(client).spread(abs, [7]))


def test_a_result_that_never_comes_is_given_up():
    client = Client(fail=TimeoutError())
    problem = r"^7: given up, what came of it was not to be had in 120 s$"
    with pytest.raises(PieceError, match=problem):
        list(cluster_of(client).spread(abs, [7]))


@pytest.mark.parametrize("error", [dask_cluster.CancelledError(), dask_cluster.CommClosedError()])
def test_a_lost_scheduler_is_said(error):
    with pytest.raises(ClusterError, match=r"^the Dask scheduler at tcp://here is lost$"):
        list(cluster_of(Client(fail=error)).spread(abs, [7]))


def test_workers_are_absent_from_the_first_time_that_none_is_counted(monkeypatch):
    now = 0.0
    monkeypatch.setattr(dask_cluster, "monotonic", lambda: now)
    client = Client()
    results = cluster_of(client).spread(abs, range(10))
    next(results)
    now, client.workers = 1000.0, 0  # a consumer that took its time, and no workers just now
    next(results)
    now, client.workers = 1005.0, 1
    next(results)
    now, client.workers = 2000.0, 0
    next(results)
    now = 2011.0
    with pytest.raises(NoWorkerError, match=r"^tcp://here has had no worker for 10 s$"):
        next(results)
