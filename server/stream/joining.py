"""Messages joined into few writes: those of a round, and those that greet whoever comes."""

from __future__ import annotations

from collections import Counter
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.server.stream.writing import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from marketcam.server.stream.messages import Entry
    from marketcam.server.stream.selection import Form
    from marketcam.server.stream.writing import Piece

__all__ = ["Greeting", "counts_of", "in_few", "join_pieces", "pieces_of"]

_GREETED_AT_ONCE: Final = 1024
"""Messages of a greeting that are joined once for all who come: 1 ms of the loop's time."""

_LAST: Final = 2
"""Of what is kept only the frame may be yet to be made; a gap may follow it."""


def pieces_of(entry: Entry, form: Form) -> tuple[Piece, ...]:
    """Return an entry as it is sent, the gap before the message."""
    pieces = entry.message.body(form).pieces
    return pieces if entry.gap is None else entry.gap.body.pieces + pieces


def counts_of(entries: Iterable[Entry]) -> Counter[str]:
    """Return how many messages of each kind these are."""
    return Counter(message.kind for _, message in entries if not message.is_missing)


def _is_ready(entry: Entry, form: Form) -> bool:
    return entry.message.body(form).is_ready


def _joined(pieces: Iterable[Piece]) -> bytes:
    return b"".join(chain.from_iterable(pieces))


def join_pieces(entries: Iterable[Entry], form: Form) -> bytes | None:
    """Return what is written to send all entries at once; None: too much, or not made yet."""
    parts: list[Piece] = []
    size = 0
    for entry in entries:
        if not _is_ready(entry, form):
            return None
        pieces = pieces_of(entry, form)
        size += sum(map(len, chain.from_iterable(pieces)))
        if size > PIECE_BYTES:
            return None
        parts += pieces
    first = parts[0][0]
    if len(parts) == 1 and len(parts[0]) == 1 and isinstance(first, bytes):
        return first  # as it is for all selections
    return _joined(parts)


class Greeting(NamedTuple):
    """What those who come between two batches are sent first.

    Attributes:
        pieces: what is ready, small messages joined; of very many metrics the first.
        counts: how many messages of each kind these are.
        more: what follows, joined in each client's turns: joining a million at once would hold the
            loop for seconds, and a client that does not read would hold them all.
        rest: what nobody has wanted in this form so far, and is to follow when it is made; and a
            gap after it.
    """

    pieces: tuple[Piece, ...]
    counts: Mapping[str, int]
    more: Sequence[Entry]
    rest: list[Entry]

    @classmethod
    def of(cls, entries: list[Entry], form: Form) -> Greeting:
        """Return the greeting of the messages that are kept: metrics, then a frame."""
        start = max(0, len(entries) - _LAST)
        ready_up_to = start + len(list(takewhile(lambda e: _is_ready(e, form), entries[start:])))
        ready, rest = entries[:ready_up_to], entries[ready_up_to:]
        first, more = ready[:_GREETED_AT_ONCE], ready[_GREETED_AT_ONCE:]
        pieces = tuple(in_few(chain.from_iterable(pieces_of(entry, form) for entry in first)))
        return cls(pieces, counts_of(first), more, rest)


def in_few(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """Yield pieces, with those that are small joined, up to what is written at a time."""
    small: list[Piece] = []
    size = 0
    for piece in pieces:
        own = sum(map(len, piece))
        if small and size + own > PIECE_BYTES:
            yield _one_of(small)
            small, size = [], 0
        small.append(piece)
        size += own
    if small:
        yield _one_of(small)


def _one_of(pieces: list[Piece]) -> Piece:
    """Return pieces as one; a single one, which may be a large one's view, is not copied."""
    return pieces[0] if len(pieces) == 1 else (_joined(pieces),)
