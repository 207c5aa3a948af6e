"""Worker processes of this machine, for a scheduler in this process.

They are plain `dask worker` processes, each watched by a thread that starts another where one has
died. Dask's own nannies do that too, but were seen to wait for ever after two deaths at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LocalWorkers"]

_COMMAND: Final = (sys.executable, "-P", "-m", "distributed.cli.dask_worker")
_FLAGS: Final = (
    *("--no-nanny", "--no-dashboard", "--nthreads", "1", "--host", "127.0.0.1"),
    *("--memory-limit", "0"),  # what its camera needs, as in a process of its own
    *("--death-timeout", "60"),  # without a scheduler
)
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


class LocalWorkers:
    """Keeps so many workers alive, until it is left.

    They are in no terminal's group, so that Ctrl-C is for this process alone, and end with their
    scheduler where this process is killed.

    Args:
        address: of the scheduler.
        count: how many.
    """

    def __init__(self, address: str, count: int) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._is_closed = False
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._threads = [
            threading.Thread(target=self._keep_alive, args=(place,), name="worker", daemon=True)
            for place in range(count)
        ]
        self._folder = ExitStack()

    def __enter__(self) -> Self:
        # What workers that are killed leave behind goes with it.
        self._scratch = self._folder.enter_context(tempfile.TemporaryDirectory())
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._is_closed = True
            for process in self._processes.values():
                process.kill()
        for thread in self._threads:
            thread.join()
        self._folder.close()

    def _keep_alive(self, place: int) -> None:
        while (process := self._started(place)) is not None:
            process.wait()

    def _started(self, place: int) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._is_closed:
                return None
            process = subprocess.Popen(  # noqa: S603 - this very Python
                [*_COMMAND, self._address, *_FLAGS, "--local-directory", self._scratch],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=os.environ | _ONE_THREAD,
            )
            self._processes[place] = process
            return process
