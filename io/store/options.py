"""What a recorder is to do, checked when it is said."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from marketcam.engine import LimitError
from marketcam.io.store.names import MAX_RUN_LENGTH, check_kind
from marketcam.io.store.retention import RetentionPolicy
from marketcam.io.store.writer import SEGMENT_BYTES, SegmentRules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["RecorderOptions"]


@dataclass(frozen=True, slots=True)
class RecorderOptions:
    """What a recorder is to do.

    Attributes:
        store_dir: the store's root; made where there is none.
        kinds: the kinds of lines it takes.
        segment_seconds: age at which a segment is closed.
        segment_bytes: JSON bytes at which a segment is closed.
        level: zstd level, 1-22.
        flush_seconds: how long a line may wait before it can be read from its file, beside the
            time that writing what came before it takes.
        sync_seconds: how long a line may wait before it survives a power loss, beside the same.
        queue_bytes: memory the lines that wait may take.
        when_full: what `write` does when that is full: ``"wait"`` for the disk, which slows down
            who writes; or ``"skip"`` lines until the disk has caught up, which leaves a hole.
        stall_seconds: a disk that takes nothing for this long is not waited for any longer.
        retry_seconds: time between attempts to record again, after recording had to stop.
        retention: which old segments go.
        run: the name of the run; None for a new one.
        continues: whether it goes on in the run of that name, which the store then has.
        counts_on: by kind, up to which tick that run must be recorded to be gone on with; where
            recovery leaves less of it, another run begins.
        about: what the run is filmed with, for its record; what JSON can express.
    """

    store_dir: Path
    kinds: tuple[str, ...] = ("frames", "metrics")
    segment_seconds: float = 300
    segment_bytes: int = SEGMENT_BYTES
    level: int = 3
    flush_seconds: float = 1.0
    sync_seconds: float = 5.0
    queue_bytes: int = 64 * 1024 * 1024
    when_full: Literal["skip", "wait"] = "wait"
    stall_seconds: float = 10.0
    retry_seconds: float = 5.0
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    run: str | None = None
    continues: bool = False
    counts_on: Mapping[str, int] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise LimitError for a value out of its range, UnknownSegmentError for a kind."""
        for kind in self.kinds:
            check_kind(kind)
        if self.queue_bytes < 1:
            raise LimitError(f"queue_bytes must be at least 1, got {self.queue_bytes!r}")
        if self.when_full not in ("skip", "wait"):
            raise LimitError(f"when_full must be 'skip' or 'wait', got {self.when_full!r}")
        for name in ("stall_seconds", "retry_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                value = getattr(self, name)
                raise LimitError(f"{name} must be above 0 and finite, got {value!r}")
        if self.run is not None and not 0 < len(self.run) <= MAX_RUN_LENGTH:
            raise LimitError(f"run must have 1 to {MAX_RUN_LENGTH} characters, got {self.run!r}")
        if self.continues and self.run is None:
            raise LimitError("run must be named where it continues, got None")
        self.segment_rules()

    def segment_rules(self) -> SegmentRules:
        """Return the part of the options that is the writers'."""
        return SegmentRules(
            self.segment_seconds,
            self.segment_bytes,
            self.level,
            self.flush_seconds,
            self.sync_seconds,
        )
