"""One segment being written: from its pending file to its place in the manifest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from marketcam.io.store.clock import utc_text
from marketcam.io.store.entry import SegmentEntry
from marketcam.io.store.files import (
    create_file,
    rename_file,
    same_file,
    sync_data,
    sync_folder,
)
from marketcam.io.store.names import free_name
from marketcam.io.store.zstd_file import ZstdFrameFile

if TYPE_CHECKING:
    from marketcam.io.store.folder import KindFolder
    from marketcam.io.store.journal import OpenRun

__all__ = ["PendingSegment"]


class PendingSegment:
    """A segment between its first line and its closing. The store's lock is held all that time.

    Attributes:
        opened_at: steady seconds at which it was opened.
        path: what the manifest will call it once it is closed.
        start_t: tick number of the first line.
        end_t: tick number of the last line taken.
        entry: its manifest entry as of the last flush, None before the first.
    """

    def __init__(self, folder: KindFolder, run: OpenRun, start_t: int, level: int) -> None:
        self.opened_at = folder.clock.steady()
        self.start_t = start_t
        self.end_t = start_t
        self.entry: SegmentEntry | None = None
        self._folder = folder
        self._run = run.id
        self._name = free_name(folder.clock.wall(), start_t, folder.is_taken).as_pending()
        self.path = folder.entry_path(self._name.as_closed())
        # The journal first: no line may ever stand in a file of which nobody knows the run.
        run.add_segment(self.path)
        self._file = create_file(folder.file(self._name))
        try:
            sync_folder(folder.path)  # without it, power loss takes the file, whatever is synced
            self._frame = ZstdFrameFile(self._file, level)
        except BaseException:
            self._file.close()
            raise
        self._created_at = utc_text(folder.clock.wall())

    @property
    def lines(self) -> int:
        """Lines taken."""
        return self._frame.lines

    @property
    def json_bytes(self) -> int:
        """Bytes of the lines taken, line ends included."""
        return self._frame.json_bytes

    @property
    def file_bytes(self) -> int:
        """Bytes in the file."""
        return self._frame.file_bytes

    def append(self, line: bytes, t: int) -> None:
        """Take a line; it is in the file after the next flush."""
        self._frame.write_line(line)
        self.end_t = t

    def flush(self) -> None:
        """Bring all lines into the file, and the entry up to date with it.

        Raises:
            OSError: the disk refused, or the file is no longer in its folder.
        """
        self._frame.flush()
        # What is written to a file that was removed is taken without an error, and lost.
        if not same_file(self._file, self._folder.file(self._name)):
            raise FileNotFoundError(f"{self._folder.file(self._name)} was removed")
        self.entry = self._entry()

    def sync(self) -> None:
        """Bring all lines through the disk's own buffers, so that they survive a power loss."""
        self.flush()
        sync_data(self._file)

    def close(self) -> SegmentEntry:
        """End the file, date and sync it, name it closed, enter it in the manifest; in this order.

        Wherever this is interrupted, `recover` finishes it. The date of the file is that of the
        entry, so that the entry can be made anew from the file. After an error nothing is left
        open.
        """
        closed_at = int(self._folder.clock.wall())
        try:
            self._frame.finish(closed_at)
            closed = self._name.as_closed()
            rename_file(self._folder.file(self._name), self._folder.file(closed))
            sync_folder(self._folder.path)
            entry = replace(
                self._entry(), path=self.path, created_at=utc_text(closed_at), pending=False
            )
            self._folder.manifest.append([entry])
        finally:
            self.abandon()
        return entry

    def abandon(self) -> None:
        """Let go of the file as it is; `recover` makes a segment of what it holds."""
        self._frame.close()
        self._file.close()

    def _entry(self) -> SegmentEntry:
        return SegmentEntry(
            path=self._folder.entry_path(self._name),
            start_t=self._name.start_t,
            end_t=self.end_t,
            lines=self._frame.lines,
            bytes=self._frame.file_bytes,
            created_at=self._created_at,
            pending=True,
            run=self._run,
        )
