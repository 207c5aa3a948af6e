"""Worker processes of this machine, for a scheduler in this process.

They are plain `dask worker` processes, each watched by a thread that starts another where one has
died, after a pause that grows while they die young. Dask's own nannies do that too, but were seen
to wait for ever after two deaths at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LEAST_PAUSE", "LocalWorkers", "pause_after"]

LEAST_PAUSE: Final = 0.1
"""From the death of a worker to the start of the next, in seconds."""
_MOST_PAUSE: Final = 5.0
_GROWN_UP: Final = 5.0
"""A worker that has lived for so many seconds was well."""
_LAST_BYTES: Final = 4096

_COMMAND: Final = (sys.executable, "-P", "-m", "distributed.cli.dask_worker")
_FLAGS: Final = (
    *("--no-nanny", "--no-dashboard", "--nthreads", "1", "--host", "127.0.0.1"),
    *("--memory-limit", "0"),  # what its camera needs, as in a process of its own
    *("--death-timeout", "60"),  # without a scheduler
)
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


def pause_after(pause: float, lived: float) -> float:
    """Return the pause after a worker that lived so long, the one before it having been `pause`."""
    return LEAST_PAUSE if lived >= _GROWN_UP else min(_MOST_PAUSE, 2 * pause)


class LocalWorkers:
    """Keeps so many workers alive, until it is left.

    They are in no terminal's group, so that Ctrl-C is for this process alone, and end with their
    scheduler where this process is killed.

    Args:
        address: of the scheduler.
        count: how many.

    Attributes:
        last_words: what the last one that died, or could not be started, said at its end.
    """

    def __init__(self, address: str, count: int) -> None:
        self.last_words = ""
        self._address = address
        self._lock = threading.Lock()
        self._closed = threading.Event()
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
            self._closed.set()
            for process in self._processes.values():
                process.kill()
        for thread in self._threads:
            thread.join()
        self._folder.close()

    def _keep_alive(self, place: int) -> None:
        said = Path(self._scratch) / f"worker_{place}.stderr"
        pause = LEAST_PAUSE / 2
        while not self._closed.is_set():
            began = monotonic()
            try:
                self._live(place, said)
            except OSError as error:
                self.last_words = str(error)
            pause = pause_after(pause, monotonic() - began)
            self._closed.wait(pause)

    def _live(self, place: int, said: Path) -> None:
        """Start a worker, and wait for its death.

        Raises:
            OSError: it cannot be started.
        """
        with said.open("wb") as stderr:
            process = self._started(place, stderr)
        if process is not None:
            process.wait()
            self.last_words = _last_line(said) or self.last_words

    def _started(self, place: int, stderr: IO[bytes]) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._closed.is_set():
                return None
            process = subprocess.Popen(  # noqa: S603 - this very Python
                [*_COMMAND, self._address, *_FLAGS, "--local-directory", self._scratch],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                env=os.environ | _ONE_THREAD,
            )
            self._processes[place] = process
            return process


def _last_line(file: Path) -> str:
    """Return the last line that has something in it; empty without any."""
    with file.open("rb") as said:
        said.seek(max(0, file.stat().st_size - _LAST_BYTES))
        lines = said.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
