"""A producer's messages to ticks: JSON lines, or binary ticks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from marketcam.io.sources.tick_json import parse_tick
from marketcam.io.tick_binary import decode_tick_binary, split_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.engine import Tick

__all__ = ["unpack"]


def unpack(message: bytes, *, is_text: bool) -> Iterator[Callable[[], Tick]]:
    """Yield what reads the ticks of a message, one after the other, from where each lies.

    Calling it raises `MalformedLineError`, `TickBinaryError` or `TickError` for one that is bad;
    the next is found all the same.

    Raises:
        TickBinaryError: of a binary message, it cannot be told where the next tick begins.
    """
    if is_text:
        for line in _lines(message):
            yield partial(parse_tick, line)
    else:
        for piece in split_ticks(message):
            yield partial(decode_tick_binary, piece)


def _lines(text: bytes) -> Iterator[bytes]:
    """Yield the lines that are not blank; a list of them all could be far larger than the text."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if line.strip():
            yield line
        start = end + 1
