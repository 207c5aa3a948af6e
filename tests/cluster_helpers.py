"""Schedulers and workers of Dask as processes of their own, and a cluster that loses a worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster_work import pid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from marketcam.server.cluster import Cluster

ROOT = Path(__file__).parent.parent


@contextmanager
def importable_tests() -> Iterator[None]:
    """Let processes that are started within the block import what the tests have for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        yield


@contextmanager
def dask_process(name: str, *arguments: object, **variables: str) -> Iterator[subprocess.Popen]:
    """Run `dask scheduler` or `dask worker` until the block ends."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def dask_scheduler(protocol: str = "tcp", **variables: str) -> Iterator[tuple[str, Any]]:
    """Run a scheduler on a free port; yield its address and its process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        where = ("--protocol", protocol, "--host", "127.0.0.1", "--port", 0, "--no-dashboard")
        with dask_process("scheduler", *where, "--scheduler-file", file, **variables) as process:
            while not file.exists() or not (text := file.read_text()).endswith("}"):
                assert process.poll() is None
                os.sched_yield()
            yield json.loads(text)["address"], process


def dask_worker(address: str, **variables: str) -> Any:
    """Run a worker with one thread and without a nanny: what dies is not started again."""
    flags = ("--no-nanny", "--nthreads", 1, "--no-dashboard", "--host", "127.0.0.1")
    return dask_process("worker", address, *flags, **variables)


class Losing:
    """A cluster of which a worker is killed when the first result has come.

    Attributes:
        killed: the worker.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.killed: int | None = None
        self._cluster = cluster

    def spread(
        self, function: Callable[[Any], Any], pieces: Iterable[Any], *, in_order: bool = True
    ) -> Generator[tuple[Any, Any]]:
        [(_, (pid, _))] = self._cluster.spread(pid_of, [0])
        with closing(self._cluster.spread(function, pieces, in_order=in_order)) as results:
            for piece, result in results:
                if self.killed is None:
                    self.killed = pid
                    os.kill(pid, signal.SIGKILL)
                yield piece, result

    def everywhere(self, function: Callable[[], Any]) -> dict[str, Any]:
        return self._cluster.everywhere(function)

    def stop(self) -> None:
        self._cluster.stop()
