"""Which old segments go, so that the disk never fills: by age, by total size, by disk use.

The decision is a pure function of what is there (`outdated`); `Retention` carries it out.

A file is deleted first and its removal recorded after, one by one. A crash between the two leaves
a record of one file that is gone, which the next pass, or `recover`, completes; the other order
would leave a file that nobody lists. And on a full disk, deleting is what makes room to write the
record.

A reader holds a shared lock on the file that it reads (`files.share`). Such a segment stays until a
later pass, and the next one in turn goes in its place.
"""

from __future__ import annotations

import heapq
import shutil
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from marketcam.engine import LimitError
from marketcam.io.store.clock import SYSTEM_CLOCK, Clock, utc_text
from marketcam.io.store.events import EventSink, ignore_event
from marketcam.io.store.files import lock_if_free, remove_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.folder import KindFolder

__all__ = ["DiskUse", "Retention", "RetentionPolicy", "RetentionReport", "disk_use", "outdated"]

Reason = Literal["age", "size", "disk"]


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What may stay. Closed segments beyond it go, oldest first over all kinds together.

    Attributes:
        retain_seconds: segments closed longer ago than this go; 0: off.
        retain_bytes: files of all kinds together may hold this much; 0: off.
        disk_start_pct: disk use, in percent, at which segments start to go.
        disk_target_pct: disk use at which that stops.
        keep_min: closed segments of a kind that stay whatever happens.
    """

    retain_seconds: float = 0
    retain_bytes: int = 0
    disk_start_pct: float = 85
    disk_target_pct: float = 75
    keep_min: int = 3

    def __post_init__(self) -> None:
        """Raise LimitError for a value out of its range."""
        for name in ("retain_seconds", "retain_bytes", "keep_min"):
            if not getattr(self, name) >= 0:
                raise LimitError(f"{name} must be at least 0, got {getattr(self, name)!r}")
        if not 0 < self.disk_start_pct <= 100:
            raise LimitError(f"disk_start_pct must be above 0, to 100, got {self.disk_start_pct!r}")
        if not 0 <= self.disk_target_pct <= self.disk_start_pct:
            raise LimitError(
                f"disk_target_pct must be 0 to disk_start_pct ({self.disk_start_pct!r}),"
                f" got {self.disk_target_pct!r}"
            )


@dataclass(frozen=True, slots=True)
class DiskUse:
    """How full a disk is for those who are not root, as `df` counts it."""

    used_bytes: int
    free_bytes: int

    @property
    def used_pct(self) -> float:
        """Share in use, in percent."""
        return 100 * self.used_bytes / max(1, self.used_bytes + self.free_bytes)

    def bytes_above(self, pct: float) -> float:
        """Return how many bytes would have to go for the share in use to be `pct`."""
        return self.used_bytes - pct / 100 * (self.used_bytes + self.free_bytes)


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """What one pass found and removed.

    Attributes:
        total_bytes: size of all segment files before it, pending ones included.
        disk_used_pct: disk use before it.
        removed: the segments it removed.
        removed_bytes: their size.
        errors: what kept a segment from being deleted, one line each; it is tried again next time.
        held: segments that had to go and stayed, because somebody reads them.
        reasons: how many were removed for which reason.
        at: when it ran, ISO 8601, UTC.
    """

    total_bytes: int
    disk_used_pct: float
    removed: tuple[SegmentEntry, ...]
    removed_bytes: int
    errors: tuple[str, ...] = ()
    held: tuple[SegmentEntry, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    at: str = ""


def disk_use(folder: Path) -> DiskUse:
    """Return the use of the disk a folder lies on."""
    usage = shutil.disk_usage(folder)
    return DiskUse(usage.used, usage.free)


def can_always_go(_: SegmentEntry) -> bool:
    """Say that a segment can go."""
    return True


def outdated(
    policy: RetentionPolicy,
    kinds: Sequence[Sequence[SegmentEntry]],
    pending_bytes: int,
    now: float,
    disk: DiskUse,
    can_go: Callable[[SegmentEntry], bool] = can_always_go,
) -> Iterator[tuple[SegmentEntry, Reason]]:
    """Yield the closed segments that have to go, oldest first, and why.

    Args:
        policy: what may stay.
        kinds: for each kind its closed segments, in the order of recording.
        pending_bytes: size of the segments being written; they count but never go.
        now: seconds since 1970.
        disk: how full the disk is.
        can_go: asked when a segment's turn has come; one that cannot go is left out, and what it
            would have freed is taken from the next.
    """
    total = pending_bytes + sum(entry.bytes for entries in kinds for entry in entries)
    above_total = total - policy.retain_bytes if policy.retain_bytes else 0
    is_full = disk.used_pct >= policy.disk_start_pct
    above_target = disk.bytes_above(policy.disk_target_pct) if is_full else 0
    may_go = [entries[: max(0, len(entries) - policy.keep_min)] for entries in kinds]
    freed = 0
    for _, entry in heapq.merge(*map(_turns, may_go), key=lambda turn: turn[0]):
        reason: Reason
        if policy.retain_seconds and now - entry.closed_at > policy.retain_seconds:
            reason = "age"
        elif freed < above_total:
            reason = "size"
        elif freed < above_target:
            reason = "disk"
        elif policy.retain_seconds:
            continue  # a clock that was set back has dated older ones after this one
        else:
            return
        if not can_go(entry):
            continue
        yield entry, reason
        # Counted rather than measured again: a disk may be slow to show what was freed.
        freed += entry.bytes


def _turns(entries: Iterable[SegmentEntry]) -> Iterator[tuple[float, SegmentEntry]]:
    """Yield segments in the order of recording, with times that never go back."""
    latest = 0.0
    for entry in entries:
        latest = max(latest, entry.closed_at)
        yield latest, entry


class Retention:
    """Removes what a policy does not let stay. One thread at a time.

    Args:
        store_dir: the store's root, on the disk that must not fill.
        folders: the kinds it looks after, all of them together.
        policy: what may stay.
        clock: what segments are aged by.
        usage: how full the disk of a folder is.
        on_event: is told of every removal.
        recorded_as: what the records are to give as the reason; None: the rule.
    """

    def __init__(
        self,
        store_dir: Path,
        folders: Sequence[KindFolder],
        policy: RetentionPolicy,
        *,
        clock: Clock = SYSTEM_CLOCK,
        usage: Callable[[Path], DiskUse] = disk_use,
        on_event: EventSink = ignore_event,
        recorded_as: str | None = None,
    ) -> None:
        self._recorded_as = recorded_as
        self._store_dir = store_dir
        self._folders = folders
        self._policy = policy
        self._clock = clock
        self._usage = usage
        self._say = on_event

    def run(self, pending_bytes: int = 0, *, dry_run: bool = False) -> RetentionReport:
        """Make one pass. Segments that are already gone are recorded as removed like the others.

        Args:
            pending_bytes: size of the segments being written.
            dry_run: whether to report what would go, and remove nothing.

        Raises:
            OSError: the disk cannot be asked, or a manifest not be written. The next pass takes
                it up where this one stopped.

        Cost: 1 µs a segment; where one goes, its deletion and an append to the manifest.
        """
        kinds = [folder.manifest.entries() for folder in self._folders]
        disk = self._usage(self._store_dir)
        now = self._clock.wall()
        deletion = _Deletion(self._store_dir, dry_run=dry_run)
        removed: list[SegmentEntry] = []
        reasons: Counter[str] = Counter()
        for entry, reason in outdated(
            self._policy, kinds, pending_bytes, now, disk, deletion.delete
        ):
            if not dry_run:
                self._record(entry, reason)
                self._say("info", "segment_removed", path=entry.path, reason=reason)
            removed.append(entry)
            reasons[reason] += 1
        return RetentionReport(
            total_bytes=pending_bytes + sum(entry.bytes for entries in kinds for entry in entries),
            disk_used_pct=disk.used_pct,
            removed=tuple(removed),
            removed_bytes=sum(entry.bytes for entry in removed),
            errors=tuple(deletion.errors),
            held=tuple(deletion.held),
            reasons=dict(reasons),
            at=utc_text(now),
        )

    def _record(self, entry: SegmentEntry, reason: Reason) -> None:
        (folder,) = (folder for folder in self._folders if folder.kind == entry.kind)
        folder.manifest.append([entry.as_removed(self._recorded_as or reason)])


class _Deletion:
    """Deletes files that nobody reads, and keeps count of those it could not."""

    def __init__(self, store_dir: Path, *, dry_run: bool) -> None:
        self.held: list[SegmentEntry] = []
        self.errors: list[str] = []
        self._store_dir = store_dir
        self._dry_run = dry_run

    def delete(self, entry: SegmentEntry) -> bool:
        """Delete a segment's file; return whether it is gone, or would be."""
        path = self._store_dir / entry.path
        try:
            with path.open("rb") as file:
                if not lock_if_free(file):
                    self.held.append(entry)
                    return False
                if not self._dry_run:
                    remove_file(path)  # with the lock: who comes now finds no file
        except FileNotFoundError:
            return True
        except OSError as error:
            self.errors.append(str(error))
            return False
        return True
