"""What a decoder does not check of a closed segment: that it is one zstd frame, and no more."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, BinaryIO, Final

import zstandard

from marketcam.io.store.errors import DamagedSegmentError, TornSegmentError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_form"]

_SIZE_UNKNOWN: Final = 2**64 - 1
_FRAME_HEADER_BYTES: Final = 18
_CHECKSUM_BYTES: Final = 4
_RLE: Final = 1
_COMPRESSED: Final = 2


def check_form(file: BinaryIO, json_bytes: int) -> None:
    """Check that a segment that was decoded is one zstd frame with a content size and a checksum.

    Args:
        file: the segment.
        json_bytes: what was decoded of it.

    Raises:
        DamagedSegmentError: it is not of that form.

    Cost: 0.3 µs a block.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != zstandard.FRAME_HEADER:
            raise DamagedSegmentError("a skippable zstd frame stands before that of the lines")
        parameters = zstandard.get_frame_parameters(data[:_FRAME_HEADER_BYTES])
        if parameters.content_size == _SIZE_UNKNOWN:
            raise TornSegmentError("the zstd frame has no content size: it was not closed")
        if parameters.content_size != json_bytes:
            raise DamagedSegmentError(
                f"content size must be that of the text, {json_bytes}, got"
                f" {parameters.content_size}"
            )
        if not parameters.has_checksum:
            raise DamagedSegmentError("the zstd frame has no checksum")
        end = max(_block_ends(data)) + _CHECKSUM_BYTES
        if end != len(data):
            raise DamagedSegmentError(f"{len(data) - end} bytes follow the zstd frame")


def _block_ends(data: mmap.mmap) -> Iterator[int]:
    """Yield where the blocks of a frame end that was decoded, and so is whole.

    Raises:
        DamagedSegmentError: a compressed block has no content. Fed block by block, a decoder waits
            at it for more, and says nothing.
    """
    at = zstandard.frame_header_size(data[:_FRAME_HEADER_BYTES])
    is_last = False
    while not is_last:
        fields = int.from_bytes(data[at : at + 3], "little")
        is_last, kind, size = bool(fields & 1), fields >> 1 & 3, fields >> 3
        if kind == _COMPRESSED and not size:
            raise DamagedSegmentError("a compressed zstd block is empty")
        at += 3 + (1 if kind == _RLE else size)
        yield at
