"""A reader beside the writer: notes which lines it has seen, and that they are the right ones."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from marketcam.io.store import Store, UnknownSegmentError
from tests.torture.known_lines import KINDS, is_due, known_line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ConcurrentReader"]

_REST_SECONDS = 0.005


class ConcurrentReader:
    """Follows a run in a thread, as a viewer of history does, until it is stopped.

    Attributes:
        seen: by kind, the tick of the last line that was read.
        lines: lines read.
    """

    def __init__(self, store: Path, run: str) -> None:
        self.seen: dict[str, int] = {}
        self.lines = 0
        self._store = Store(store)
        self._run = run
        self._stop = threading.Event()
        self._has_seen = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def wait_for_a_line(self) -> None:
        """Wait until a line is read, or reading has failed."""
        self._has_seen.wait()

    def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                for kind in KINDS:
                    self._read_new(kind)
                self._stop.wait(_REST_SECONDS)
        except BaseException as error:  # noqa: BLE001 - raised again where the reader is left
            self._error = error
            self._has_seen.set()

    def _read_new(self, kind: str) -> None:
        after = self.seen.get(kind, -1)
        try:
            for line in self._store.lines(kind, from_t=after + 1, run=self._run):
                after += 1
                while not is_due(kind, after):
                    after += 1
                assert line == known_line(kind, self._run, after), f"wrong {kind} line at {after}"
                self.seen[kind] = after
                self.lines += 1
                self._has_seen.set()
        except UnknownSegmentError:  # the first line of the kind is not written yet
            return
