"""Which lines of a segment are asked for: by tick, and each so many-th of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from marketcam.io.store.decode import lines_of, tick_at_start, tick_of_line
from marketcam.io.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["LineFilter"]


@dataclass(slots=True)
class LineFilter:
    """Picks lines out of the texts of a segment, and of those that follow it.

    It looks at texts of many lines as wholes: only one that holds a border of the range is looked
    at line by line, and one that is passed over is not even split.

    Attributes:
        from_t: lines of earlier ticks are passed over.
        to_t: the first line of a later tick ends it.
        every: each so many-th line is picked, the first included, over all segments of a run.
    """

    from_t: int | None = None
    to_t: int | None = None
    every: int = 1
    _to_skip: int = field(default=0, init=False)

    def picked(self, texts: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the lines asked for of a segment's texts, each of which holds whole lines.

        Raises:
            StoreError: a line at which the range may begin or end has no tick number.
        """
        for text in texts:
            if self.from_t is None and self.to_t is None:
                yield from self._thinned(text)
                continue
            ticks = _ticks_of(text)
            if ticks is None:
                continue
            first_t, last_t = ticks
            # Tick numbers do not fall within a segment.
            if self.from_t is not None and last_t < self.from_t:
                continue
            is_last = self.to_t is not None and last_t > self.to_t
            if is_last or (self.from_t is not None and first_t < self.from_t):
                yield from self._every(self._within(lines_of(text)))
            else:
                yield from self._thinned(text)
            if is_last:
                return

    def _within(self, lines: Sequence[bytes]) -> list[bytes]:
        ticks = map(_tick, lines)
        return [line for t, line in zip(ticks, lines, strict=True) if self._is_within(t)]

    def _is_within(self, t: int) -> bool:
        return (self.from_t is None or t >= self.from_t) and (self.to_t is None or t <= self.to_t)

    def _thinned(self, text: bytes) -> Sequence[bytes]:
        if self._to_skip and text.find(b"\n") == len(text) - 1 > 0:
            self._to_skip -= 1  # a line alone, as frames are: not worth a copy
            return ()
        lines = lines_of(text)
        return lines if self.every == 1 else self._every(lines)

    def _every(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        picked = lines[self._to_skip :: self.every]
        self._to_skip = (self._to_skip - len(lines)) % self.every
        return picked


def _ticks_of(text: bytes) -> tuple[int, int] | None:
    """Return the ticks of a text's first and last line; None where all are empty."""
    if text.startswith(b"\n") or text.endswith(b"\n\n"):
        lines = lines_of(text)
        return (_tick(lines[0]), _tick(lines[-1])) if lines else None
    last_at = text.rfind(b"\n", 0, -1) + 1
    last = _tick_at(text, last_at)
    return (_tick_at(text, 0) if last_at else last), last


def _tick_at(text: bytes, start: int) -> int:
    t = tick_at_start(text, start)
    return _tick(text[start : text.find(b"\n", start)]) if t is None else t


def _tick(line: bytes) -> int:
    t = tick_of_line(line)
    if t is None:
        raise StoreError(f"a line has no tick number: {line[:60]!r}")
    return t
