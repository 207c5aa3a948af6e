"""JSON lines into a file as one zstd frame that every decoder reads, and that can be entered.

A zstd frame written as a stream has a header of 6 bytes without a content size, and decoders
that want the whole in one call refuse it. So the header is written in its 14-byte form: the size
field holds 2**64 - 1, which decoders take for "unknown", until `finish` puts the true size there.

::

    bytes 0-3   magic                28 b5 2f fd
    byte  4     frame descriptor     04 as the compressor gives it: a checksum follows the blocks
                                     c4 as it is written: and a content size of 8 bytes
    byte  5     window descriptor
    bytes 6-13  content size         little-endian; ours
    then        sections             each of them: a mark, and blocks
    at the end  last block           empty, perhaps; and the checksum, 4 bytes

A *section* is whole lines, up to 1 MiB of them (a longer line has a section of its own), and
refers to nothing before it: decoding may begin at any. Its *mark* is a raw block without content,
`00 00 00`, which every decoder skips. So the headers of the blocks, which tell the blocks' sizes,
are an index of the file, also while it grows (see `sections`). A file whose first block is no mark
was written by something else and has no sections.

What makes sections independent is zstd's job mode (`threads=1`) without overlap: every flush ends a
job, and the next one begins with empty tables. Measured beside one stream that is flushed as often,
frames of 74 agents take 2 % less room and metrics 3 %; it compresses frames at 60 % of the speed
(every section has to learn anew what a frame looks like), metrics at the same.

The format is RFC 8878, section 3.1.1.
"""

from __future__ import annotations

from typing import BinaryIO, Final

import zstandard

from marketcam.io.store.errors import StoreError
from marketcam.io.store.files import overwrite, set_date, sync_file, write_all

__all__ = ["MARK", "SECTION_BYTES", "ZstdFrameFile"]

MARK: Final = b"\0\0\0"
"""What begins a section: the header of a raw block that holds nothing and is not the last."""

SECTION_BYTES: Final = 2**20
"""JSON bytes of a section at most, but for a line that has more."""

_MAGIC: Final = zstandard.FRAME_HEADER
_DESCRIPTOR: Final = 0x04
_WITH_CONTENT_SIZE: Final = 0xC0
_CONTENT_SIZE_AT: Final = 6
_SIZE_UNKNOWN: Final = 2**64 - 1

# Every decoder must take a window of 8 MiB (RFC 8878, 3.1.1.1.2); levels 20-22 would ask for more.
_WINDOW_LOG_MAX: Final = 23

# zstd's jobs may not be smaller than 512 KiB nor end within a section.
_JOB_BYTES: Final = SECTION_BYTES

# Without overlap a job refers to nothing before it (ZSTD_c_overlapLog).
_NO_OVERLAP: Final = 1

# Lines are joined up to this before the compressor is called: a call a line costs more than the
# compression of a short one.
_CHUNK_BYTES: Final = 256 * 1024


class ZstdFrameFile:
    """Writes lines into an empty, unbuffered file as one zstd frame. The file stays the caller's.

    After an OSError the frame in the file is torn, and only what was flushed before is sound:
    bringing anything more into the file raises StoreError. A thread compresses; `close` ends it.

    Attributes:
        lines: lines taken.
        json_bytes: their bytes, line ends included.
        file_bytes: bytes in the file.
    """

    def __init__(self, file: BinaryIO, level: int) -> None:
        self.lines = 0
        self.json_bytes = 0
        self.file_bytes = 0
        self._file = file
        self._chunk: list[bytes] = []
        self._chunk_bytes = 0
        self._section_bytes = 0  # of JSON, those that wait included
        self._is_marked = False  # whether the mark of the section is in the file
        self._sound = True
        self._compressor: zstandard.ZstdCompressionObj | None = _compressor(level).compressobj()

    def write_line(self, line: bytes) -> None:
        """Take one line, without its line end. Cost: 0.2 µs, and the disk once 256 KiB wait."""
        size = len(line) + 1
        if self._section_bytes + size > SECTION_BYTES:
            self.flush()
        self._chunk.append(line)
        self._chunk_bytes += size
        self._section_bytes += size
        self.json_bytes += size
        self.lines += 1
        if self._chunk_bytes >= _CHUNK_BYTES:
            self._take_chunk()

    def flush(self) -> None:
        """Bring every line taken so far into the file, readable by a streaming decoder.

        It ends the section, where there is one.
        """
        compressor = self._take_chunk()
        if self._section_bytes:
            self._write(compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
            self._section_bytes, self._is_marked = 0, False

    def finish(self, date: int | None = None) -> None:
        """End the frame: last block, checksum, content size; then wait until the disk has it.

        `date`: what the file is dated, in seconds since 1970; None leaves that to the system.
        """
        compressor = self._take_chunk()
        self._write(compressor.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH))
        self.close()  # nothing may follow, whether what comes now succeeds or not
        overwrite(self._file, self.json_bytes.to_bytes(8, "little"), _CONTENT_SIZE_AT)
        if date is not None:
            set_date(self._file, date)
        sync_file(self._file)

    def close(self) -> None:
        """End the compressor and its thread; what was not flushed is lost. Again does nothing."""
        self._sound = False
        self._compressor = None

    def _take_chunk(self) -> zstandard.ZstdCompressionObj:
        """Hand the lines that wait to the compressor, and return it."""
        if not self._sound or self._compressor is None:
            raise StoreError("the segment was ended, or an earlier write to it failed")
        if self._chunk:
            self._chunk.append(b"")  # so that the last line ends like the others
            text = b"\n".join(self._chunk)
            self._chunk, self._chunk_bytes = [], 0
            self._write(self._compressor.compress(text))
        return self._compressor

    def _write(self, data: bytes) -> None:
        if data:
            if not self.file_bytes:
                data = _with_content_size(data)
            elif self._section_bytes and not self._is_marked:
                data = MARK + data
            self._is_marked = True
            self._sound = False
            write_all(self._file, data)
            self._sound = True
            self.file_bytes += len(data)


def _compressor(level: int) -> zstandard.ZstdCompressor:
    of_level = zstandard.ZstdCompressionParameters.from_level
    window_log = min(of_level(level).window_log, _WINDOW_LOG_MAX)
    return zstandard.ZstdCompressor(
        compression_params=of_level(
            level,
            window_log=window_log,
            write_checksum=1,
            write_content_size=0,
            threads=1,
            job_size=_JOB_BYTES,
            overlap_log=_NO_OVERLAP,
        )
    )


def _with_content_size(start: bytes) -> bytes:
    """Return the compressor's first output with the field of the size, and the first mark."""
    if len(start) < _CONTENT_SIZE_AT or start[:4] != _MAGIC or start[4] != _DESCRIPTOR:
        raise StoreError(
            f"zstd header must start with {_MAGIC.hex()}{_DESCRIPTOR:02x}, got {start[:6].hex()}:"
            f" zstandard {zstandard.__version__} is not supported"
        )
    header = start[:4] + bytes([_DESCRIPTOR | _WITH_CONTENT_SIZE]) + start[5:_CONTENT_SIZE_AT]
    return header + _SIZE_UNKNOWN.to_bytes(8, "little") + MARK + start[_CONTENT_SIZE_AT:]
