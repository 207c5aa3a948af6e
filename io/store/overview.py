"""Overviews of a run's metrics: least, greatest and last values over buckets of ticks.

Whoever draws a day at 100 ticks a second has room for some thousand points, and no use for nine
million lines. What a closed segment comes to is remembered, at three widths, so that it is decoded
once. What is not known yet of a long span is read a bounded part at a time: of the other segments
the first block stands for the whole, and the answer says so. Asked again, more of it is known.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.io.store.errors import StoreError
from marketcam.io.store.metric_rows import Buckets, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from marketcam.io.store.catalog import Listed
    from marketcam.io.store.reader import Store

__all__ = ["MAX_POINTS", "Overview", "Overviews"]

MAX_POINTS: Final = 2000
"""Buckets of an overview at most."""

_KIND: Final = "metrics"

_WIDTHS: Final = (16, 128, 1024)
"""Ticks that are drawn together in what is remembered of a segment."""

_SAMPLE: Final = 0
"""In place of a width: what its first block comes to, at the least of them."""

_WIDTHS_IN_BUCKET: Final = 8
"""So many of them a bucket has at least, so that rounding it up to whole ones widens it little."""

_LINES_AT_ONCE: Final = 500_000
"""Lines that are decoded for an overview beside what is remembered: more than an hour of them."""

_SAMPLES_AT_ONCE: Final = 300
"""Segments whose first block is decoded for an overview; each takes a millisecond."""

_REMEMBERED_BYTES: Final = 64 * 2**20
"""What is remembered takes this much at most: some hours at 100 ticks/s at the least width, days at
the next, months at the last. What was not asked for longest is forgotten."""


@dataclass(slots=True)
class Overview:
    """What a span of a run's metrics comes to.

    Attributes:
        buckets: its figures.
        sampled: whether of some segments only the first block was looked at, or not even that.
        complete: whether all that was looked at could be read.
    """

    buckets: Buckets
    sampled: bool = False
    complete: bool = True


class _Known(NamedTuple):
    """What a segment comes to, and whether it could be read to its end."""

    rows: Rows
    is_whole: bool


class Overviews:
    """Makes overviews of a store, for any thread, and remembers what its segments come to.

    Args:
        store: the store.
        on_unreadable: is told of what cannot be read, and is left out.
    """

    def __init__(self, store: Store, on_unreadable: Callable[[StoreError], None]) -> None:
        self._store = store
        self._on_unreadable = on_unreadable
        self._memory = _Memory(_REMEMBERED_BYTES)

    def steps(
        self, run: str, from_t: int | None, to_t: int | None, points: int
    ) -> Generator[Overview | None]:
        """Make an overview, in short steps; yield None after each, and it at the end.

        The span is what there is of the one asked for, widened to whole buckets. Nothing comes at
        the end where that is nothing.

        Args:
            run: the run's name.
            from_t: its first tick; None: as far back as there are any.
            to_t: its last tick; None: as far as there are any.
            points: buckets at most, from 2 to `MAX_POINTS`.

        Raises:
            UnknownRunError, UnknownSegmentError, ManifestError, NewerFormatError: as `Store.lines`.

        Cost: 0.5 µs a line that has to be decoded, of which there are bounds; 30 ns a row that is
        remembered: 10 ms for a day.
        """
        listing = self._store.listed(_KIND, run)
        last_t = self._store.last_t(_KIND, run)
        if not listing or last_t is None:
            return
        first_t = listing[0].name.start_t
        begin = first_t if from_t is None else max(from_t, first_t)
        end = last_t if to_t is None else min(to_t, last_t)
        if begin > end:
            return
        overview = Overview(Buckets(begin, end, _step(begin, end, points)))
        yield from self._draw(run, overview)
        yield overview

    def _draw(self, run: str, overview: Overview) -> Iterator[None]:
        buckets = overview.buckets
        listing = self._store.listed(_KIND, run, buckets.start_t, buckets.end_t)
        width = _width(buckets.step)
        if width is None:
            for listed in listing:
                yield from self._draw_lines(listed, overview)
        else:
            yield from self._draw_segments(listing, width, overview)

    def _draw_lines(self, listed: Listed, overview: Overview) -> Iterator[None]:
        """Draw a segment of a short span line by line; nothing is remembered of it."""
        buckets = overview.buckets
        try:
            with closing(self._store.texts(_KIND, listed, buckets.start_t)) as texts:
                for text in texts:
                    rows = Rows.of(text)
                    buckets.take(rows)
                    yield
                    if rows.t.size and rows.t[-1] > buckets.end_t:
                        return
        except StoreError as error:
            self._on_unreadable(error)
            overview.complete = False

    def _draw_segments(
        self, listing: Iterable[Listed], width: int, overview: Overview
    ) -> Iterator[None]:
        """Draw the segments of a long span: what is remembered, and a bounded part of the rest."""
        unknown = []
        for listed in listing:
            if (known := self._memory.get(listed, width)) is None:
                unknown.append(listed)
            else:
                _take(known, overview)
        yield
        lines, samples = _LINES_AT_ONCE, _SAMPLES_AT_ONCE
        for listed in _spread(unknown):
            if listed.entry is None or lines > 0:
                lines -= 0 if listed.entry is None else listed.entry.lines
                yield from self._draw_whole(listed, width, overview)
                continue
            overview.sampled = True
            known = self._memory.get(listed, _SAMPLE)
            if known is None and samples:
                samples -= 1
                known = self._sampled(listed)
                yield
            if known is not None:
                _take(known, overview)

    def _draw_whole(self, listed: Listed, width: int, overview: Overview) -> Iterator[None]:
        """Draw a segment, and remember what it comes to if it is closed."""
        parts, is_whole = [], True
        try:
            with closing(self._store.texts(_KIND, listed)) as texts:
                for text in texts:
                    parts.append(Rows.of(text).thinned(_WIDTHS[0]))
                    yield
        except StoreError as error:
            self._on_unreadable(error)
            is_whole = False
        rows = Rows.joined(parts)
        for each in _WIDTHS:
            rows = rows.thinned(each)
            self._memory.put(listed, each, _Known(rows, is_whole))
            if each == width:
                _take(_Known(rows, is_whole), overview)
        yield

    def _sampled(self, listed: Listed) -> _Known:
        """Look at a segment's first block, and remember what it comes to."""
        text, is_whole = b"", True
        try:
            with closing(self._store.texts(_KIND, listed)) as texts:
                text = next(texts, b"")
        except StoreError as error:
            self._on_unreadable(error)
            is_whole = False
        known = _Known(Rows.of(text).thinned(_WIDTHS[0]), is_whole)
        self._memory.put(listed, _SAMPLE, known)
        return known


def _take(known: _Known, overview: Overview) -> None:
    overview.buckets.take(known.rows)
    overview.complete = overview.complete and known.is_whole


def _step(from_t: int, to_t: int, points: int) -> int:
    """Return the ticks of a bucket, so that no more of them cover the span, wherever it begins."""
    step = max(1, -((from_t - to_t) // (points - 1)))
    width = _width(step)
    return step if width is None else -(-step // width) * width


def _width(step: int) -> int | None:
    """Return the greatest remembered width of which buckets can be made; None for none."""
    fitting = [width for width in _WIDTHS if width * _WIDTHS_IN_BUCKET <= step]
    return fitting[-1] if fitting else None


def _spread(listing: Sequence[Listed]) -> list[Listed]:
    """Return segments in an order in which the first few lie all over the span."""
    digits = len(listing).bit_length()
    order = sorted(range(len(listing)), key=lambda place: f"{place:0{digits}b}"[::-1])
    return [listing[place] for place in order]


class _Memory:
    """What closed segments come to. Of the pending one nothing is remembered: it grows."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Listed, int], _Known] = OrderedDict()

    def get(self, listed: Listed, width: int) -> _Known | None:
        """Return what is known of a segment at a width, if it is."""
        with self._lock:
            known = self._known.get((listed, width))
            if known is not None:
                self._known.move_to_end((listed, width))
            return known

    def put(self, listed: Listed, width: int, known: _Known) -> None:
        """Remember it; forget what was asked for longest ago, where there is no room."""
        if listed.entry is None:
            return
        with self._lock:
            before = self._known.pop((listed, width), None)
            self._known[listed, width] = known
            self._bytes += known.rows.bytes - (0 if before is None else before.rows.bytes)
            while self._bytes > self._most_bytes:
                _, forgotten = self._known.popitem(last=False)
                self._bytes -= forgotten.rows.bytes
