"""Puts a store right after a crash, before anything is written to it.

What a crash, or a disk, can leave behind, and what is done about it:

- A pending segment (its writer is gone: recovery holds the store's lock): its whole lines are
  encoded anew, as a closed segment of the same name. A torn zstd frame has lost the state of its
  checksum, so it cannot be continued.
- The same with its closed twin beside it (an earlier recovery was cut off before it removed the
  original): the two are compared. What the twin has all of goes; what differs is kept aside.
- A closed segment that is not in the manifest: it is entered.
- A closed segment that is damaged: its whole lines before the damage are encoded anew, the
  original is kept aside, and a later record of the manifest says what there is now.
- A manifest record of a file that is gone: a record that says so is added (`missing`). Its lines
  are lost, unless retention was cut off before it wrote so, which happens to one segment at most.
- A journal of runs without a segment, or a run, that a manifest has: they are added (see
  `journal_repair`; by `recover` alone).
- A manifest that is none, or another store's: set aside, and made anew from the segments.
- A `….new` of a process that died while it wrote it: removed.

No line is lost that a decoder can still read before a damage, and none is doubled. What is made is
read again before anything gives way to it. A file is deleted only when its lines are safe under
another name, or when it provably holds none; damaged ones (other than torn) are kept, renamed to
`….damaged-1.zst`. Records of a later version of this software are refused before anything is
changed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from marketcam.io.store.checkpoint import CHECKPOINT
from marketcam.io.store.clock import SYSTEM_CLOCK, Clock, utc_text
from marketcam.io.store.entry import SegmentEntry
from marketcam.io.store.errors import DamagedSegmentError, ManifestError, TornSegmentError
from marketcam.io.store.events import EventSink, ignore_event, ignore_progress
from marketcam.io.store.files import (
    keep_beside,
    remove_file,
    rename_file,
    set_aside,
    sync_folder,
)
from marketcam.io.store.folder import KindFolder
from marketcam.io.store.journal import RunJournal
from marketcam.io.store.journal_repair import complete_journal, declare_losses
from marketcam.io.store.lock import StoreLock
from marketcam.io.store.manifest import MANIFEST, read_manifest
from marketcam.io.store.names import KINDS, SegmentName, check_kind, names_in
from marketcam.io.store.order import RecordingOrder
from marketcam.io.store.runs import RUNS, UNNAMED_RUN, RunRecords, read_runs
from marketcam.io.store.salvage import Whole, compare_lines, is_void, read_whole, salvage

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from marketcam.io.store.salvage import Salvaged

__all__ = ["RecoveryReport", "manifest_damage", "recover", "recover_folder", "refuse_newer"]

_EMPTY: Final = "it is empty: its writer died before its first line was written"


@dataclass(slots=True)
class RecoveryReport:
    """What a recovery found and did. Paths are relative to the store, as in a manifest.

    Attributes:
        recovered: segments made of what a dead writer, or damage, has left.
        entered: closed segments that were not in the manifest.
        corrected: entries that said otherwise than their segments; as they are now.
        missing: entries whose files were gone; they are recorded as removed now.
        discarded: pending files deleted: without a single byte of text, or with a closed twin.
        noted: runs and segments that the journal of runs had lost; it has them again.
        set_aside: damaged files kept under another name.
        swept: unfinished files of dead processes, removed.
        partial: segments of which a part could be saved.
        lost: segments of which nothing could be saved.
    """

    recovered: list[SegmentEntry] = field(default_factory=list)
    entered: list[SegmentEntry] = field(default_factory=list)
    corrected: list[SegmentEntry] = field(default_factory=list)
    missing: list[SegmentEntry] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> Literal["whole", "partial", "nothing"]:
        """Whether all lines that were found to have been recorded are there, some, or none."""
        if not self.partial and not self.lost and not self.missing:
            return "whole"
        return "nothing" if self.lost and not self.partial and not self.recovered else "partial"


def recover(
    store_dir: str | os.PathLike[str],
    kinds: Iterable[str] = KINDS,
    *,
    level: int = 3,
    thorough: bool = False,
    clock: Clock = SYSTEM_CLOCK,
    on_event: EventSink = ignore_event,
    on_progress: Callable[[int, int], None] = ignore_progress,
) -> RecoveryReport:
    """Put the segments and manifests of a store right; nothing where there is no store.

    `Recorder.start` does the same. Safe to repeat and to interrupt.

    Args:
        store_dir: the store's root.
        kinds: which kinds to look at.
        level: zstd level of recovered segments.
        thorough: whether segments that the manifest has in their right size are read, too.
        clock: dates the recovered segments.
        on_event: is told of everything that is done, as it is done.
        on_progress: is told of what is read of segments that are in order (see `check_segment`).

    Raises:
        StoreBusyError: the store is being written.
        NewerFormatError: a record is of a later version of this software; nothing was changed.
        OSError: the disk refused; what was found is still there.

    Cost: 8 ms a megabyte of frames in pending segments, 20 ms of metrics; 30 µs a segment that is
    in order, and what `check_segment` costs where `thorough`.
    """
    root = Path(store_dir)
    report = RecoveryReport()
    found = [kind for kind in map(check_kind, kinds) if (root / kind).is_dir()]
    if not found:
        return report
    refuse_newer(root, found)
    with StoreLock(root, clock=clock, on_event=on_event):
        journal = RunJournal(root, on_event=on_event)
        _sweep_root(root, report, on_event)
        for kind in found:
            folder = KindFolder.open(root, kind, clock, manifest_damage(report, on_event))
            before = folder.manifest.entries()
            recovery = _FolderRecovery(folder, level, on_event, report, journal.records)
            recovery.run(on_progress if thorough else None)
            report.noted += complete_journal(journal, folder, on_event)
            declare_losses(journal, folder, before, on_event)
    return report


def _sweep_root(root: Path, report: RecoveryReport, on_event: EventSink) -> None:
    for name in (RUNS, CHECKPOINT):
        path = root / f"{name}.new"
        if path.is_file():
            remove_file(path)
            sync_folder(root)
            report.swept.append(path.name)
            on_event("info", "unfinished_file_removed", path=path.name)


def recover_folder(
    folder: KindFolder, level: int, on_event: EventSink, report: RecoveryReport
) -> None:
    """Put one kind's folder right and add what was done to the report (see `recover`).

    The caller holds the store's lock, and the journal is in order.
    """
    runs = read_runs(folder.path.parent)
    _FolderRecovery(folder, level, on_event, report, runs).run(None)


def refuse_newer(store_dir: Path, kinds: Iterable[str]) -> None:
    """Raise NewerFormatError where the journal or a manifest has a record of a later version."""
    with suppress(ManifestError):  # damaged, which is another matter
        read_runs(store_dir)
    for kind in kinds:
        with suppress(ManifestError):
            read_manifest(store_dir / kind / MANIFEST)


def manifest_damage(
    report: RecoveryReport, on_event: EventSink
) -> Callable[[Path, ManifestError], None]:
    """Return a `Manifest`'s `on_damage` that reports and tells of what was set aside."""

    def on_damage(aside: Path, error: ManifestError) -> None:
        path = f"{aside.parent.name}/{aside.name}"
        report.set_aside.append(path)
        on_event("error", "manifest_set_aside", path=path, damage=str(error))

    return on_damage


class _FolderRecovery:
    def __init__(
        self,
        folder: KindFolder,
        level: int,
        on_event: EventSink,
        report: RecoveryReport,
        runs: RunRecords,
    ) -> None:
        self._folder = folder
        self._level = level
        self._say = on_event
        self._report = report
        self._runs = runs
        self._to_enter: list[SegmentEntry] = []

    def run(self, on_progress: Callable[[int, int], None] | None) -> None:
        self._sweep()
        self._set_foreign_manifest_aside()
        for name in self._in_order():
            pending = self._folder.file(name.as_pending())
            if pending.exists():
                self._settle_pending(name, pending)
            elif not self._is_listed(name):
                self._settle_unlisted(name)
            elif on_progress is not None or self._has_another_size(name):
                self._settle_listed(name, on_progress or ignore_progress)
        self._enter_all()
        self._record_missing()

    def _in_order(self) -> list[SegmentName]:
        """Return the segments as they were recorded, which is not the order of a clock set back."""
        order = RecordingOrder(self._folder.kind, self._runs)

        def turn(name: SegmentName) -> tuple[bool, tuple[int, int, int], SegmentName]:
            run = self._runs.segments.get(self._folder.entry_path(name), UNNAMED_RUN)
            return run != UNNAMED_RUN, order.place(name, run), name

        return sorted({name.as_closed() for name in names_in(self._folder.path)}, key=turn)

    def _sweep(self) -> None:
        """Remove what a dead process had not finished; `.new` files of others stay."""
        for path in sorted(self._folder.path.glob("*.new")):
            whole = path.name.removesuffix(".new")
            name = SegmentName.parse(whole)
            is_ours = whole == MANIFEST or (name is not None and not name.pending)
            if not is_ours or not path.is_file():
                continue
            self._remove(path)
            self._report.swept.append(self._relative(path))
            self._say("info", "unfinished_file_removed", path=self._relative(path))

    def _set_foreign_manifest_aside(self) -> None:
        """Set a manifest aside that has segments which are not here, and never were.

        Not one that alone knows the run of a segment which is here: the journal has lost it.
        """
        manifest = self._folder.manifest
        unknown = [
            entry
            for entry in manifest.entries()
            if entry.run is not None and entry.path not in self._runs.segments
        ]
        foreign = [entry for entry in unknown if not self._folder.file(entry.name).is_file()]
        if foreign and len(foreign) == len(unknown):
            aside = manifest.set_aside()
            what = f"{foreign[0].path} is not here and not in the journal of runs"
            manifest_damage(self._report, self._say)(aside, ManifestError(what))

    def _settle_pending(self, name: SegmentName, path: Path) -> None:
        closed = self._folder.file(name)
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                self._discard(path, _EMPTY)
                if closed.exists() and not self._is_listed(name):
                    self._settle_unlisted(name)
                return
            twin = read_whole(closed) if closed.exists() else None
            comparison = (
                None if twin is None else compare_lines(file, self._folder.entry_path(name), closed)
            )
            if twin is None or comparison == "more":
                self._salvage(name, path, file)
                return
        if not self._is_listed(name):
            self._enter(name, twin)
        if comparison == "held":
            self._discard(path, "its lines are in the closed segment")
        else:
            self._set_aside(path, "it differs from the closed segment")

    def _settle_unlisted(self, name: SegmentName) -> None:
        path = self._folder.file(name)
        whole = read_whole(path)
        if whole is not None:
            self._enter(name, whole)
            return
        with path.open("rb") as file:
            self._salvage(name, path, file)

    def _settle_listed(self, name: SegmentName, on_progress: Callable[[int, int], None]) -> None:
        from marketcam.io.store.segment_check import (  # noqa: PLC0415 - the compiler, rarely needed
            check_segment,
        )

        path = self._folder.file(name)
        with path.open("rb") as file:
            content = check_segment(file, self._folder.kind, on_progress=on_progress)
            whole: Whole | None = Whole(content.lines, content.end_t)
            if content.damage is not None:
                whole = read_whole(path)  # lines of another form than ours are no damage
            if whole is None:
                self._salvage(name, path, file)
                return
        entry = self._entry(name, whole.lines, path.stat().st_size, whole.end_t)
        if entry != self._folder.manifest.latest(name):
            self._correct(entry)

    def _correct(self, entry: SegmentEntry) -> None:
        self._folder.manifest.append([entry])
        self._report.corrected.append(entry)
        self._say("error", "entry_corrected", path=entry.path, lines=entry.lines)

    def _enter(self, name: SegmentName, whole: Whole) -> None:
        stat = self._folder.file(name).stat()
        entry = self._entry(name, whole.lines, stat.st_size, whole.end_t, stat.st_mtime)
        self._to_enter.append(entry)

    def _enter_all(self) -> None:
        """Enter what was found, at once: each time costs two syncs, and there may be hundreds."""
        entries, self._to_enter = self._to_enter, []
        if entries:
            self._folder.manifest.append(entries)
            self._report.entered.extend(entries)
        for entry in entries:
            self._say("warning", "segment_entered", path=entry.path, lines=entry.lines)

    def _salvage(self, name: SegmentName, source: Path, file: BinaryIO) -> None:
        closed = self._folder.file(name)
        copy = closed.with_name(closed.name + ".new")
        listed = self._folder.manifest.latest(name) if self._is_listed(name) else None
        # What the manifest has keeps its date: it is the same segment, or what is left of it.
        closed_at = self._folder.clock.wall() if listed is None else listed.closed_at
        salvaged = salvage(file, self._folder.entry_path(name), copy, self._level, int(closed_at))
        if not salvaged.lines:
            self._give_up(name, source, file, salvaged)
            return
        if closed.exists():
            self._keep_beside(closed, salvaged.damage)
        rename_file(copy, closed)
        sync_folder(self._folder.path)
        entry = self._entry(name, salvaged.lines, salvaged.file_bytes, salvaged.end_t, closed_at)
        self._enter_all()
        if entry != listed:
            self._folder.manifest.append([entry])
        self._report.recovered.append(entry)
        self._say("warning", "segment_recovered", path=entry.path, lines=entry.lines)
        if self._is_partial(salvaged, listed, source == closed):
            self._report.partial.append(entry.path)
        if source != closed:
            if salvaged.damage is None or isinstance(salvaged.damage, TornSegmentError):
                self._remove(source)
            else:
                self._set_aside(source, str(salvaged.damage))

    def _is_partial(
        self, salvaged: Salvaged, listed: SegmentEntry | None, was_closed: bool
    ) -> bool:
        """Return whether lines are known, or have to be feared, to be lost or changed.

        The end of a dead writer's segment is torn by nature; a closed one had an end. A checksum
        that fails says that something is not as it was recorded, and not what.
        """
        is_torn = isinstance(salvaged.damage, TornSegmentError)
        if listed is not None and salvaged.lines < listed.lines:
            return True
        if salvaged.damage is None or (listed is not None and is_torn):
            return False
        return was_closed or not is_torn

    def _give_up(self, name: SegmentName, source: Path, file: BinaryIO, salvaged: Salvaged) -> None:
        if source != self._folder.file(name) and is_void(file):
            self._discard(source, "it holds no text")
            return
        self._set_aside(source, str(salvaged.damage or "it holds no line"))
        self._report.lost.append(self._folder.entry_path(name))

    def _entry(
        self,
        name: SegmentName,
        lines: int,
        file_bytes: int,
        end_t: int | None,
        closed_at: float = 0,
    ) -> SegmentEntry:
        """Return what the manifest is to say; of what it has, date and run stay, if known."""
        path = self._folder.entry_path(name)
        if end_t is None:
            self._say("warning", "end_t_unknown", path=path, taken=name.start_t)
            end_t = name.start_t
        run = self._runs.segments.get(path)
        created_at = utc_text(closed_at)
        if self._is_listed(name) and (listed := self._folder.manifest.latest(name)):
            run, created_at = run or listed.run, listed.created_at
        return SegmentEntry(path, name.start_t, end_t, lines, file_bytes, created_at, run=run)

    def _record_missing(self) -> None:
        missing = [
            entry
            for entry in self._folder.manifest.entries()
            if not self._folder.file(entry.name).is_file()
        ]
        if missing:
            self._folder.manifest.append(entry.as_removed("missing") for entry in missing)
            self._report.missing.extend(missing)
            self._say("warning", "segments_missing", paths=[entry.path for entry in missing])

    def _discard(self, path: Path, reason: str) -> None:
        self._remove(path)
        self._report.discarded.append(self._relative(path))
        self._say("info", "pending_discarded", path=self._relative(path), reason=reason)

    def _remove(self, path: Path) -> None:
        remove_file(path)
        sync_folder(self._folder.path)

    def _set_aside(self, path: Path, damage: str) -> None:
        self._tell_aside(set_aside(path, "damaged"), damage)

    def _keep_beside(self, path: Path, damage: DamagedSegmentError | None) -> None:
        """Give a damaged file a second name, before its own goes to its recovered lines."""
        self._tell_aside(keep_beside(path, "damaged"), str(damage or ""))

    def _tell_aside(self, aside: Path, damage: str) -> None:
        path = self._relative(aside)
        self._report.set_aside.append(path)
        self._say("error", "segment_set_aside", path=path, damage=damage)

    def _has_another_size(self, name: SegmentName) -> bool:
        listed = self._folder.manifest.latest(name)
        return listed is not None and self._folder.file(name).stat().st_size != listed.bytes

    def _is_listed(self, name: SegmentName) -> bool:
        record = self._folder.manifest.latest(name)
        return record is not None and not record.removed

    def _relative(self, path: Path) -> str:
        return f"{self._folder.kind}/{path.name}"
