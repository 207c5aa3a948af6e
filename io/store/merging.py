"""The lines of several kinds as one stream, in the order in which they were sent."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.io.store.decode import tick_of_line
from marketcam.io.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

__all__ = ["KIND_OF_MESSAGE", "Recorded", "merged"]

KIND_OF_MESSAGE: Final = {"metric": "metrics", "frame": "frames", "tick": "ticks"}
"""The kind of segments in which messages of a kind are recorded, in their order within a tick."""


class Recorded(NamedTuple):
    """A recorded message.

    Attributes:
        kind: ``"metric"``, ``"frame"`` or ``"tick"``.
        t: its tick.
        line: its JSON text.
    """

    kind: str
    t: int
    line: bytes


def merged(streams: Mapping[str, Iterator[bytes]]) -> Generator[Recorded]:
    """Merge the lines of several kinds of message by tick; within a tick the metric first.

    Where ticks begin anew within a stream, as in a store of the time before runs had names, those
    after the fall come after all that were before it.

    Raises:
        StoreError: while iterating: a line has no tick number.
    """
    kinds = [kind for kind in KIND_OF_MESSAGE if kind in streams]
    keyed = [_keyed(place, kind, streams[kind]) for place, kind in enumerate(kinds)]
    return (recorded for _, _, _, recorded in heapq.merge(*keyed))


def _keyed(
    place: int, kind: str, lines: Iterator[bytes]
) -> Iterator[tuple[int, int, int, Recorded]]:
    falls, before = 0, None
    for line in lines:
        t = tick_of_line(line)
        if t is None:
            raise StoreError(f"a {kind} has no tick number: {line[:60]!r}")
        if before is not None and t < before:
            falls += 1
        before = t
        yield falls, t, place, Recorded(kind, t, line)
