"""Frames measured by real worker processes: the same lines and files as without them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from marketcam.io import MeasureOptions, Store
from marketcam.io.measuring.reading import Asked, measured_frames, row_lines
from marketcam.io.store import ZstdSegmentWriter
from marketcam.server.cli import main
from marketcam.server.cluster import Choice, PieceError, open_cluster
from marketcam.server.cluster.spreading import Here
from marketcam.server.pieces import measuring
from marketcam.server.pieces.measuring import BATCH_FRAMES, MeasuredByWorkers
from tests.cluster_helpers import ROOT, Losing, dask_scheduler, dask_worker, importable_tests
from tests.held_commands import interrupted
from tests.history_helpers import film_into, raw_ticks
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from marketcam.server.cluster import Cluster

FRAMES = 72
TICKS = 4 * (FRAMES + 2)
ALL = Asked(run="all")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A scheduler with two workers, as on other machines."""
    with dask_scheduler() as (address, _), dask_worker(address), dask_worker(address):
        yield address


@pytest.fixture(scope="module")
def cluster(scheduler) -> Iterator[Cluster]:
    with open_cluster(Choice(dask=scheduler), PATIENCE) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Two runs, the second of which is shared out as two batches."""
    folder = tmp_path_factory.mktemp("recording") / "store"
    film_into(folder, raw_ticks(40))
    film_into(folder, raw_ticks(TICKS))
    assert sum(1 for _ in Store(folder).frames()) == FRAMES > BATCH_FRAMES
    return folder


def run(*arguments: object) -> int:
    return main(["measures", *map(str, arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_lines_are_the_same(capfdbinary, scheduler, store):
    for flags in (["--run", "all"], ["--every", 3, "--from-t", 20, "--edges", "match"]):
        assert run(store, *flags) == 0
        here, _ = capfdbinary.readouterr()
        assert run(store, *flags, "--dask", scheduler) == 0
        assert capfdbinary.readouterr() == (here, b"")
        assert here


def test_files_are_the_same_by_processes_of_this_machine(capsys, store, tmp_path):
    flags = ("--communities", "--run", "all")
    assert run(store, tmp_path / "here", *flags) == 0
    assert run(store, tmp_path / "workers", *flags, "--workers", 2) == 0
    assert contents(tmp_path / "workers") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "here")) == 3
    assert capsys.readouterr().err == ""


def test_a_worker_is_killed_in_the_middle(store):
    options = MeasureOptions()
    with importable_tests(), open_cluster(Choice(workers=2), PATIENCE) as cluster:
        losing = Losing(cluster)
        spread = MeasuredByWorkers(losing, batch_bytes=20_000)
        found = list(row_lines(Store(store), ALL, options, spread))
    assert losing.killed is not None
    assert found == list(row_lines(Store(store), ALL, options))


class Noting(Here):
    """Keeps what is handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[object] = []

    def spread(self, function, pieces, *, in_order=True):
        for piece, result in super().spread(function, pieces, in_order=in_order):
            self.pieces.append(piece)
            yield piece, result


@pytest.mark.parametrize("are_ours", [True, False])
def test_only_workers_of_ours_are_kept_from_drawing(are_ours, store, monkeypatch):
    said = []
    for name in ("load_igraph", "igraph_version"):
        known = getattr(measuring, name)
        monkeypatch.setattr(measuring, name, lambda n=name, f=known: said.append(n) or f())
    spread = MeasuredByWorkers(Here(), are_ours=are_ours)
    options = MeasureOptions(names=("density",))
    next(measured_frames(Store(store), Asked(), options, spread))
    theirs = "load_igraph" if are_ours else "igraph_version"
    assert said == ["igraph_version", theirs, theirs]


@pytest.mark.parametrize("batch_bytes", [1, 20_000, 10**9])
def test_batches_hold_every_frame_once_and_have_a_size(batch_bytes, store):
    noting = Noting()
    spread = MeasuredByWorkers(noting, batch_bytes)
    options = MeasureOptions(names=("density",))
    rows = [frame.row for frame in measured_frames(Store(store), Asked(), options, spread)]
    assert rows == [frame.row for frame in measured_frames(Store(store), Asked(), options)]
    names = [str(piece) for piece in noting.pieces]
    ticks = [row["t"] for row in rows]
    if batch_bytes == 1:
        assert names == [f"frames {t} to {t}" for t in ticks]
    elif batch_bytes == 20_000:
        assert 2 < len(names) < FRAMES
    else:
        cut = BATCH_FRAMES
        assert names == [
            f"frames {ticks[0]} to {ticks[cut - 1]}",
            f"frames {ticks[cut]} to {ticks[-1]}",
        ]


def test_frames_are_read_as_the_workers_get_on(cluster, store):
    read = 0

    def counted(lines):
        nonlocal read
        for line in lines:
            read += 1
            yield line

    by_workers = MeasuredByWorkers(cluster, batch_bytes=1)
    frames = measured_frames(
        Store(store),
        Asked(),
        MeasureOptions(names=("density",)),
        lambda function, lines: by_workers(function, counted(lines)),
    )
    with closing(frames):
        next(frames)
    assert read <= 4, "two a worker"


def test_a_frame_that_cannot_be_is_told_as_it_is_here(capsys, scheduler, tmp_path):
    film_into(tmp_path, raw_ticks(40))
    with ZstdSegmentWriter("frames", tmp_path) as writer:
        writer.write_jsonline({"type": "frame", "t": 44}, 44)
    assert run(tmp_path, "--run", "all") == 1
    here = capsys.readouterr()
    assert run(tmp_path, "--run", "all", "--dask", scheduler) == 1
    assert capsys.readouterr() == here
    assert here.err.startswith("marketcam: ")
    assert here.out.count("\n") == 8


def test_a_worker_without_our_igraph_is_refused(capsys, store, tmp_path):
    module = tmp_path / "igraph.py"
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    with dask_scheduler() as (address, _):
        for theirs, problem in (
            ("raise ModuleNotFoundError(name='igraph')", "has no igraph: pip install 'marketcam["),
            ("__version__ = '0.0.1'", "is not like this process: igraph 0.0.1, here "),
        ):
            module.write_text(theirs)
            with dask_worker(address, PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"):
                assert run(store, "--dask", address) == 1
            out, err = capsys.readouterr()
            assert out == ""
            assert err.startswith("marketcam: worker tcp://127.0.0.1:")
            assert problem in err
            assert err.count("\n") == 1


def test_a_worker_without_our_igraph_that_comes_later_is_refused(monkeypatch, cluster, store):
    spread = MeasuredByWorkers(cluster)
    monkeypatch.setattr(spread, "_igraph", "0.0.1")  # as if all had had that
    frames = measured_frames(Store(store), Asked(), MeasureOptions(), spread)
    with pytest.raises(PieceError, match=r"a worker is not like this process: igraph .*, here 0\."):
        next(frames)


def test_who_reads_may_leave(scheduler, store):
    command = [sys.executable, "-m", "marketcam.server.cli", "measures", str(store)]
    with subprocess.Popen(
        [*command, "--dask", scheduler], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().startswith(b'{"t":8,')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_ctrl_c_leaves_nothing_and_says_so(scheduler, store, tmp_path):
    out = tmp_path / "out.parquet"
    method = "marketcam.io.measuring.tables.FrameTables.add"
    said = interrupted(method, signal.SIGINT, out, "measures", store, out, "--dask", scheduler)
    assert said == f"marketcam: interrupted: {out} was not written\n"
    assert not list(tmp_path.iterdir())


def test_a_scheduler_that_is_not_there_is_said_before_anything_is_made(capsys, store, tmp_path):
    assert run(store, tmp_path / "out", "--dask", "here") == 2
    assert "--dask must be a scheduler's tcp://HOST:PORT" in capsys.readouterr().err
    assert run(store, tmp_path / "out", "--workers", 1, "--dask", "tcp://127.0.0.1:1") == 2
    assert "either --dask or --workers must be given" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
