"""Work spread over real processes: in order, bounded, and whole although workers are killed."""

from __future__ import annotations

import os
import platform
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import dask
import pytest

from marketcam.engine import LimitError
from marketcam.engine.crew import processors
from marketcam.server.cluster import Choice, ClusterError, PieceError, open_cluster, opening
from marketcam.server.cluster.calling import Call
from marketcam.server.cluster.dask_cluster import PIECES_A_WORKER
from marketcam.server.cluster.spreading import Here
from marketcam.server.cluster.versions import differences, versions
from tests.certificates import make_certificate
from tests.cluster_helpers import dask_scheduler, dask_worker, importable_tests
from tests.cluster_work import (
    killing_always,
    killing_once,
    pid_of,
    refusing,
    threads_of,
    waiting_for,
)
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.server.cluster import Cluster

WORKERS = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with importable_tests(), open_cluster(Choice(workers=WORKERS), PATIENCE) as cluster:
        yield cluster


def test_results_come_in_the_order_of_the_pieces_or_as_they_are_done(cluster):
    pieces = list(range(-30, 0))
    assert list(cluster.spread(abs, pieces)) == [(piece, -piece) for piece in pieces]
    unordered = list(cluster.spread(abs, pieces, in_order=False))
    assert sorted(unordered) == [(piece, -piece) for piece in pieces]
    assert list(cluster.spread(abs, [])) == []


def test_the_workers_are_processes_that_share_the_machine(cluster):
    found = {pid for _, (pid, _) in cluster.spread(pid_of, range(8))}
    assert os.getpid() not in found
    [threads] = {threads for _, threads in cluster.spread(threads_of, range(4))}
    assert threads == max(1, processors() // WORKERS)


def test_no_more_pieces_are_asked_for_than_there_is_room_for(cluster):
    asked: list[int] = []
    pieces = (asked.append(piece) or piece for piece in range(100))
    with closing(cluster.spread(abs, pieces)) as results:
        for done, (piece, _) in enumerate(results, start=1):
            assert len(asked) <= done - 1 + PIECES_A_WORKER * WORKERS
            if piece == 20:
                break
    assert len(asked) < 30


def test_what_the_pieces_raise_is_raised_as_it_is(cluster):
    def pieces() -> Iterator[int]:
        yield -1
        raise KeyError("the end")

    with pytest.raises(KeyError, match="the end"):
        list(cluster.spread(abs, pieces()))


def test_an_error_of_ours_is_its_text_and_one_of_others_is_named(cluster):
    with pytest.raises(PieceError) as caught:
        list(cluster.spread(refusing, [4]))
    assert str(caught.value) == "agents must be at most 3, got 4"
    assert "in refusing" in caught.value.__notes__[0]
    with pytest.raises(PieceError, match=r"^unexpected ValueError: invalid literal .*'x'"):
        list(cluster.spread(int, ["1", "x"]))


def test_a_worker_that_is_killed_costs_its_piece_only(cluster, tmp_path):
    pieces = list(range(12))
    results = cluster.spread(partial(killing_once, tmp_path), pieces)
    assert [result for _, result in results] == [piece * piece for piece in pieces]
    assert len(list(tmp_path.glob("killed_*"))) == 2


def test_a_piece_that_kills_its_workers_is_given_up_and_named(monkeypatch):
    monkeypatch.setitem(opening._FOR_LOCAL, "distributed.scheduler.allowed-failures", 0)
    with importable_tests(), open_cluster(Choice(workers=1), PATIENCE) as cluster:
        problem = r"^piece 7: given up, workers that had it died 1 times$"
        with pytest.raises(PieceError, match=problem):
            list(cluster.spread(killing_always, ["piece 7"]))
        assert list(cluster.spread(abs, [-1])) == [(-1, 1)]


def test_a_worker_of_another_version_is_refused():
    assert versions()["machine"] == platform.machine(), "whose digits of a sum may be others"
    theirs = versions() | {"numpy": "1.0"}
    assert differences(versions(), theirs) == f"numpy 1.0, here {versions()['numpy']}"
    answer = Call(abs, 1, theirs)(-1)
    assert answer.problem == (
        f"a worker is not like this process: numpy {versions()['numpy']}, here 1.0"
    )


def test_here_is_a_cluster_too():
    here = Here()
    assert list(here.spread(abs, [-2, -1])) == [(-2, 2), (-1, 1)]
    for piece, _ in here.spread(abs, range(10)):
        here.stop()
        assert piece == 0


def test_workers_that_come_later_and_are_killed_are_what_the_scheduler_has(tmp_path):
    gate = tmp_path / "gate"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),  # which a lost one is given
        dask_scheduler() as (address, scheduler),
        dask_worker(address) as first,
        open_cluster(Choice(dask=address), PATIENCE) as cluster,
        dask_worker(address),
        closing(cluster.spread(waiting_for, [gate] * 3)) as results,
    ):
        while len({pid for _, (pid, _) in cluster.spread(pid_of, range(8))}) < 2:
            pass
        first.kill()
        gate.touch()
        assert next(results) == (gate, True)
        assert next(results) == (gate, True)
        scheduler.kill()
        with pytest.raises(ClusterError, match=f"^the Dask scheduler at {address} is lost$"):
            list(cluster.spread(waiting_for, [tmp_path / "never"]))


def test_a_scheduler_that_is_not_there_or_has_no_workers_is_said():
    with pytest.raises(ClusterError, match=r"a Dask scheduler at tcp://127.0.0.1:1: "):
        open_cluster(Choice(dask="tcp://127.0.0.1:1"), 0.5).__enter__()
    with (
        dask_scheduler() as (address, _),
        pytest.raises(ClusterError, match=f"^{address} has had no worker for 0.5 s$"),
        open_cluster(Choice(dask=address), 0.5),
    ):
        pass


def test_tls_is_as_dask_is_configured(tmp_path):
    made = make_certificate(tmp_path)
    files = {"ca_file": made["tls_cert"]}
    for role in ("client", "scheduler", "worker"):
        files |= {f"{role}__key": made["tls_key"], f"{role}__cert": made["tls_cert"]}
    variables = {f"DASK_DISTRIBUTED__COMM__TLS__{name.upper()}": str(files[name]) for name in files}
    settings = {
        f"distributed.comm.tls.{name.replace('__', '.').replace('_', '-')}": str(files[name])
        for name in files
    }
    with (
        dask_scheduler("tls", **variables) as (address, _),
        dask_worker(address, **variables),
    ):
        assert address.startswith("tls://")
        with (
            dask.config.set(settings),
            open_cluster(Choice(dask=address), PATIENCE) as cluster,
        ):
            assert list(cluster.spread(abs, [-1])) == [(-1, 1)]
        with pytest.raises(ClusterError, match="cannot reach a Dask scheduler at tls://"):
            open_cluster(Choice(dask=address), 5.0).__enter__()


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        ({"dask": "127.0.0.1:8786"}, "--dask must be a scheduler's tcp://HOST:PORT or tls://"),
        ({"dask": "tcp://host:0"}, "got 'tcp://host:0'"),
        ({"dask": "tcp://h:1", "workers": 1}, "either --dask or --workers must be given"),
        ({"workers": 0}, "--workers must be 1 to"),
        ({"workers": 10**6}, "4 for each processor, got 1000000"),
    ],
)
def test_a_choice_that_is_none_is_refused(choice, problem):
    with pytest.raises(LimitError) as caught:
        Choice(**choice)
    assert problem in str(caught.value)
    assert Choice().is_here
