"""How a recorder is doing, as it is asked for from any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketcam.io.store.keeping import RetentionDone
    from marketcam.io.store.retention import RetentionPolicy, RetentionReport
    from marketcam.io.store.runs import Hole
    from marketcam.io.store.writer import WriterTotals

__all__ = ["RecorderStatus"]


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How a recorder is doing.

    Attributes:
        run: the run that is recorded.
        recording: whether lines are being recorded.
        error: why not, where recording had to stop; None otherwise.
        queued_lines: lines waiting to be written.
        queued_bytes: memory they take.
        dropped_lines: lines that are not recorded: written while recording was stopped or after
            closing, or on their way to the disk when it stopped (some of these may be recovered).
        waits: how often a `write` found the queue full.
        holes: how many holes were declared.
        last_hole: the last of them.
        kinds: what was written, by kind.
        synced: by kind, the tick of the last line that survives a power loss; None without any.
        policy: what retention lets stay.
        removed_segments: segments removed by retention since the start.
        removed_bytes: their size.
        retention: what the last retention pass found, None before the first.
        retention_done: the last pass that removed something or failed, None before the first.
    """

    run: str
    recording: bool
    error: str | None
    queued_lines: int
    queued_bytes: int
    dropped_lines: int
    waits: int
    holes: int
    last_hole: Hole | None
    kinds: Mapping[str, WriterTotals]
    synced: Mapping[str, int | None]
    policy: RetentionPolicy
    removed_segments: int
    removed_bytes: int
    retention: RetentionReport | None
    retention_done: RetentionDone | None
