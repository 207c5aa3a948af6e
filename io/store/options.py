"""What a recorder is to do, checked when it is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from marketcam.engine import LimitError
from marketcam.io.store.names import check_kind
from marketcam.io.store.retention import RetentionPolicy
from marketcam.io.store.writer import SEGMENT_BYTES, SegmentRules

if TYPE_CHECKING:
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
        queue_bytes: memory the lines that wait may take; when it is full, `write` waits.
        retention: which old segments go.
    """

    store_dir: Path
    kinds: tuple[str, ...] = ("frames", "metrics")
    segment_seconds: float = 300
    segment_bytes: int = SEGMENT_BYTES
    level: int = 3
    flush_seconds: float = 1.0
    queue_bytes: int = 64 * 1024 * 1024
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)

    def __post_init__(self) -> None:
        """Raise LimitError for a value out of its range, UnknownSegmentError for a kind."""
        for kind in self.kinds:
            check_kind(kind)
        if self.queue_bytes < 1:
            raise LimitError(f"queue_bytes must be at least 1, got {self.queue_bytes!r}")
        self.segment_rules()

    def segment_rules(self) -> SegmentRules:
        """Return the part of the options that is the writers'."""
        return SegmentRules(
            self.segment_seconds, self.segment_bytes, self.level, self.flush_seconds
        )
