"""Workers that cannot live: they are not started without a pause, and what they said is told."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from marketcam.server.cluster import local_workers
from marketcam.server.cluster.errors import NoWorkerError
from marketcam.server.cluster.local_workers import LEAST_PAUSE, LocalWorkers, pause_after
from marketcam.server.cluster.opening import _quoted


def test_the_pause_grows_while_workers_die_young():
    pauses = [LEAST_PAUSE]
    for _ in range(7):
        pauses.append(pause_after(pauses[-1], lived=1.0))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert pause_after(5.0, lived=60.0) == LEAST_PAUSE


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((sys.executable, "-c", "raise SystemExit('first\\nthere is no dask\\n\\n')"), "no dask"),
        (("/nowhere/python",), "No such file or directory"),
    ],
)
def test_what_the_last_one_said_is_kept(monkeypatch, command, words):
    monkeypatch.setattr(local_workers, "_COMMAND", command)
    with LocalWorkers("tcp://127.0.0.1:1", 1) as workers:
        while not workers.last_words:
            os.sched_yield()
    assert words in workers.last_words
    assert "\n" not in workers.last_words


def test_no_worker_is_said_with_what_the_last_one_said():
    with (
        pytest.raises(NoWorkerError, match=r"^no worker for 1 s; the last one said: no dask$"),
        _quoted(SimpleNamespace(last_words="no dask")),
    ):
        raise NoWorkerError("no worker for 1 s")
    with (
        pytest.raises(NoWorkerError, match=r"^no worker for 1 s$"),
        _quoted(SimpleNamespace(last_words="")),
    ):
        raise NoWorkerError("no worker for 1 s")
