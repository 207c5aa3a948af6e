"""One segment being written: from its pending file to its place in the manifest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from marketcam.io.store.clock import utc_text
from marketcam.io.store.entry import SegmentEntry
from marketcam.io.store.files import same_file, sync_folder, wait_for_lock
from marketcam.io.store.names import free_name
from marketcam.io.store.zstd_file import ZstdFrameFile

if TYPE_CHECKING:
    from marketcam.io.store.folder import KindFolder
    from marketcam.io.store.names import SegmentName

__all__ = ["PendingSegment"]


class PendingSegment:
    """A segment between its first line and its closing.

    The file stays locked all that time, so that a recovery started beside it, by another process
    or thread, knows a segment that is being written from one whose writer has died.

    Attributes:
        opened_at: steady seconds at which it was opened.
        end_t: tick number of the last line taken.
        entry: its manifest entry as of the last flush, None before the first.
    """

    def __init__(self, folder: KindFolder, start_t: int, level: int) -> None:
        self.opened_at = folder.clock.steady()
        self.end_t = start_t
        self.entry: SegmentEntry | None = None
        self._folder = folder
        self._name, self._file = _create(folder, start_t)
        self._created_at = utc_text(folder.clock.wall())
        self._frame = ZstdFrameFile(self._file, level)

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
        """Bring all lines into the file, and the entry up to date with it."""
        self._frame.flush()
        self.entry = self._entry()

    def close(self) -> SegmentEntry:
        """End the file, sync it, give it its closed name, enter it in the manifest; in this order.

        Wherever this is interrupted, `recover` finishes it. After an error nothing is left open.
        """
        try:
            self._frame.finish()
            closed = self._name.as_closed()
            self._folder.file(self._name).rename(self._folder.file(closed))
            sync_folder(self._folder.path)
            entry = replace(
                self._entry(),
                path=self._folder.entry_path(closed),
                created_at=utc_text(self._folder.clock.wall()),
                pending=False,
            )
            self._folder.manifest.append([entry])
        finally:
            self._file.close()
        return entry

    def abandon(self) -> None:
        """Let go of the file as it is; `recover` makes a segment of what it holds."""
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
        )


def _create(folder: KindFolder, start_t: int) -> tuple[SegmentName, BinaryIO]:
    """Create a pending file under a name that nobody has or had, and lock it."""
    while True:
        name = free_name(folder.clock.wall(), start_t, folder.is_taken).as_pending()
        path = folder.file(name)
        try:
            file = path.open("xb", buffering=0)
        except FileExistsError:
            continue  # another writer was faster: the name is taken now
        try:
            wait_for_lock(file)
            if same_file(file, path):
                return name, file
        except BaseException:
            file.close()
            raise
        # A recovery locked it first and took it for a dead writer's empty file.
        file.close()
