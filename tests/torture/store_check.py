"""What must hold of a store after every crash, checked without our own reader."""

from __future__ import annotations

import zlib
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import orjson
import zstandard

from tests.torture.known_lines import KINDS, is_due, known_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["StoreCheck"]


class StoreCheck:
    """Knows what a store had, and holds what it has against that.

    Attributes:
        lines: lines of the store, by run and kind; all of them are the known ones, from tick 0.
        checked_lines: lines that were decoded and compared, in all.
    """

    def __init__(self, store: Path) -> None:
        self.lines: dict[tuple[str, str], int] = {}
        self.checked_lines = 0
        self._store = store
        self._files: dict[str, int] = {}  # checksum of every closed file seen

    def after_recovery(self) -> None:
        """Check that all is closed and listed, nothing old has changed, and all new is right."""
        for kind in KINDS:
            entries = self._entries(kind)
            files = {f"{kind}/{path.name}" for path in (self._store / kind).glob("*.zst")}
            assert {entry["path"] for entry in entries} == files, "files and manifest differ"
            lost = {path for path in self._files if path.startswith(f"{kind}/")} - files
            assert not lost, f"committed segments are gone: {lost}"
            for entry in entries:
                self._check(kind, entry)

    def last_t(self, run: str, kind: str) -> int | None:
        """Return the tick of the last line of a run; None without any."""
        lines = self.lines.get((run, kind), 0)
        return ticks_of(kind, lines)[-1] if lines else None

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        manifest = self._store / kind / "manifest.json"
        records = orjson.loads(manifest.read_bytes()) if manifest.exists() else []
        entries = list({record["path"]: record for record in records}.values())
        assert len(entries) == len(records), "a record was written twice"
        return entries

    def _check(self, kind: str, entry: dict[str, Any]) -> None:
        data = (self._store / entry["path"]).read_bytes()
        checksum = zlib.crc32(data)
        is_new = entry["path"] not in self._files
        known = self._files.setdefault(entry["path"], checksum)
        assert known == checksum, f"{entry['path']} was changed after it was closed"
        assert entry["bytes"] == len(data)
        assert entry["pending"] is False
        if is_new:
            self._compare(kind, entry, zstandard.decompress(data))

    def _compare(self, kind: str, entry: dict[str, Any], text: bytes) -> None:
        """Check that a segment's lines are the ones that follow those of the segments before it."""
        run, lines = self._run_of(entry), text.splitlines()
        assert text.endswith(b"\n"), "the last line is torn"
        before = self.lines.get((run, kind), 0)
        due = ticks_of(kind, before + len(lines))[before:]
        for t, line in zip(due, lines, strict=True):
            assert line == known_line(kind, run, t), f"{entry['path']}: wrong line at tick {t}"
        assert (entry["start_t"], entry["end_t"], entry["lines"]) == (due[0], due[-1], len(due))
        self.lines[run, kind] = before + len(lines)
        self.checked_lines += len(lines)

    def _run_of(self, entry: dict[str, Any]) -> str:
        """Return the run of a segment, as the journal says; the manifest has to say the same."""
        records = map(orjson.loads, (self._store / "runs.jsonl").read_bytes().splitlines())
        # More than one where a writer was killed before it had made the file: the name is free.
        *_, run = [r["run"] for r in records if r.get("path") == entry["path"]]
        assert entry.get("run", run) == run
        return str(run)


def ticks_of(kind: str, lines: int) -> list[int]:
    """Return the ticks of the first lines of a kind."""
    return list(islice(due_ticks(kind), lines))


def due_ticks(kind: str) -> Iterator[int]:
    """Yield the ticks that have a line of a kind."""
    return (t for t in count() if is_due(kind, t))
