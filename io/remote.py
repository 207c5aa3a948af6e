"""History behind a URL: what `Store` offers of a folder, from a camera's HTTP."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, cast
from weakref import WeakSet

import orjson

from marketcam.engine import LimitError
from marketcam.io.access import reader_headers
from marketcam.io.lines import MAX_LINE_BYTES
from marketcam.io.remote_http import (
    Address,
    BrokenTransferError,
    HttpStatusError,
    RemoteStoreError,
)
from marketcam.io.store.asked import check_asked
from marketcam.io.store.decode import tick_of_line
from marketcam.io.store.entry import SegmentEntry, check_format
from marketcam.io.store.errors import (
    ManifestError,
    NewerFormatError,
    UnknownRunError,
    UnknownSegmentError,
)
from marketcam.io.store.merging import KIND_OF_MESSAGE, merged
from marketcam.io.store.names import SegmentName, check_kind
from marketcam.io.store.reader import ALL_RUNS
from marketcam.io.store.runs import UNNAMED_RUN, Hole, Run

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator, Iterable, Mapping
    from types import TracebackType

    from marketcam.io.remote_http import Answer
    from marketcam.io.store.merging import Recorded

__all__ = ["RETRY_DELAYS", "RemoteStore"]

RETRY_DELAYS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each attempt to resume a transfer that broke off. A line that comes starts them
anew; when all were in vain, the transfer has failed."""

_LINES: Final = "application/x-ndjson"

_GONE_FOR_NOW: Final = frozenset({429, 502, 503, 504})
"""Statuses that are no answer yet: a server that is being restarted behind a proxy, or is full."""


class RemoteStore:
    """What a camera has recorded, read over HTTP. The methods are those of `Store`.

    Lines are streamed and compressed on their way; a transfer that breaks off is resumed after its
    last line. Each iterator has a connection of its own, which ends with it. One object may be used
    from many threads.

    Args:
        url: ``http://host:port`` or ``https://…`` of the camera, perhaps with a path.
        token: what the camera asks readers for, or ``@FILE`` that holds it; None: what
            `IG_READ_TOKEN` says, if anything.
        timeout: seconds without a byte after which a request has failed.
        headers: sent with every request; an ``Authorization`` counts in the token's place.
        tls: how to check an ``https`` server; None: against the system's authorities.
        delays: seconds before each attempt to resume.
        wait: how to wait so many seconds.

    Raises:
        StoreError: the address is none, or the token. Nothing is asked yet.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        delays: tuple[float, ...] = RETRY_DELAYS,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        given = dict(headers or {})
        if not any(name.lower() == "authorization" for name in given):
            given |= reader_headers(token)
        self._address = Address(url, timeout, given, tls)
        self._delays = delays
        self._wait = wait
        self._open: WeakSet[Answer] = WeakSet()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the transfers that are still open."""
        for answer in list(self._open):
            answer.close()

    def runs(self) -> list[Run]:
        """Return the runs, the oldest first.

        Raises:
            RemoteStoreError: the camera cannot be reached, refuses, or answers something else.
        """
        url, records = self._address.url_of("/runs", {}), self._address.json("/runs")
        try:
            return [_run(record) for record in _objects(records)]
        except NewerFormatError as error:
            raise NewerFormatError(f"{url}: {error}") from error
        except (ManifestError, KeyError, TypeError, ValueError) as error:
            raise RemoteStoreError(f"{url}: not a list of runs: {error}") from error

    def run(self, run: str | None = None) -> Run:
        """Return a run by its name; None: the latest.

        Raises:
            UnknownRunError: there is no such run, or none at all.
            RemoteStoreError: as `runs`.
        """
        runs = self.runs()
        if run is None and runs:
            return runs[-1]
        for each in runs:
            if each.id == run:
                return each
        what = "no run yet" if run is None else f"no run {run!r:.80}"
        raise UnknownRunError(f"{self._address.url} has {what}")

    def segments(self, kind: str, run: str | None = None) -> list[SegmentEntry]:
        """Return the segments of a kind; of all runs where none is named.

        Raises:
            UnknownSegmentError: there is no such kind.
            UnknownRunError: there is no such run.
            NewerFormatError: the camera is of a later version.
            RemoteStoreError: as `runs`.
        """
        check_kind(kind)
        run = None if run in (None, ALL_RUNS) else self.run(run).id
        path, query = f"/manifest/{kind}", {"run": run}
        url, records = self._address.url_of(path, query), self._asked(path, query)
        try:
            return [_entry(record, kind) for record in _objects(records)]
        except NewerFormatError as error:
            raise NewerFormatError(f"{url}: {error}") from error
        except (ManifestError, TypeError) as error:
            raise RemoteStoreError(f"{url}: not a list of segments: {error}") from error

    def lines(
        self,
        kind: str,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[bytes]:
        """Return the JSON lines of a kind, without line ends, in order of tick.

        Arguments are those of `Store.lines`.

        Raises:
            LimitError: `from_t` is greater than `to_t`, or `every` below 1.
            UnknownRunError: there is no such run.
            UnknownSegmentError: there is no such kind; where the camera has none of it, while
                iterating.
            RemoteStoreError: as `runs`; while iterating, too: a transfer broke off and could not
                be resumed, or what comes is not lines.

        Cost: 1 ms a megabyte of frames beside what the camera takes; the memory of a few lines.
        """
        check_kind(kind)
        query = _query(from_t, to_t, every)
        return self._lines_of_runs(kind, self._runs_asked_for(run), query)

    def messages(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        kinds: Iterable[str] = ("metric", "frame"),
        every: int = 1,
    ) -> Generator[Recorded]:
        """Return messages of several kinds by tick, within a tick the metric first.

        Arguments are those of `Store.messages`, errors as `lines`; LimitError for a kind that is
        none.
        """
        asked = set(kinds)
        if unknown := asked - KIND_OF_MESSAGE.keys():
            raise LimitError(f"kinds must be of {', '.join(KIND_OF_MESSAGE)}, got {unknown}")
        query = _query(from_t, to_t, every)
        return self._messages_of_runs(asked, self._runs_asked_for(run), query)

    def frames(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return frames as dicts; arguments and errors as `lines` has them."""
        return _parsed(self.lines("frames", from_t, to_t, run=run, every=every))

    def metrics(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return metrics as dicts; arguments and errors as `lines` has them."""
        return _parsed(self.lines("metrics", from_t, to_t, run=run, every=every))

    def ticks(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return raw ticks as dicts; arguments and errors as `lines` has them."""
        return _parsed(self.lines("ticks", from_t, to_t, run=run, every=every))

    def last_t(self, kind: str, run: str | None = None) -> int | None:
        """Return the tick of the last line of a kind; None without any.

        Raises:
            As `segments`; UnknownRunError also for None where there is no run.
        """
        entries = self.segments(check_kind(kind), self.run(run).id)
        return entries[-1].end_t if entries else None

    def _runs_asked_for(self, run: str | None) -> list[str]:
        """Return names: the latest run may be another one by the time a transfer is resumed."""
        runs = self.runs()
        if run is None:
            return [each.id for each in runs[-1:]]
        return [each.id for each in runs] if run == ALL_RUNS else [self.run(run).id]

    def _asked(self, path: str, query: Mapping[str, object]) -> Any:
        try:
            return self._address.json(path, query)
        except HttpStatusError as error:
            raise _as_store_error(error) from error

    def _lines_of_runs(
        self, kind: str, runs: list[str], query: Mapping[str, object]
    ) -> Generator[bytes]:
        for run in runs:
            yield from self._lines_of_run(kind, {**query, "run": run})

    def _lines_of_run(self, kind: str, query: dict[str, object]) -> Generator[bytes]:
        """Yield the lines of a run; after a break, from the last line on that has come."""
        path = f"/range/{kind}"
        last, begun, delays = b"", False, iter(self._delays)
        while True:
            try:
                with self._address.get(path, _resumed(query, last), _LINES) as answer:
                    begun = True
                    self._open.add(answer)
                    for line in _lines_after(last, answer):
                        yield line
                        last, delays = line, iter(self._delays)
            except HttpStatusError as error:
                if not begun or error.status not in _GONE_FOR_NOW:
                    raise _as_store_error(error) from error
                problem: RemoteStoreError = error
            except BrokenTransferError as error:
                if not begun:
                    raise
                problem = error
            else:
                return
            delay = next(delays, None)
            if delay is None:
                raise problem
            self._wait(delay)

    def _messages_of_runs(
        self, kinds: set[str], runs: list[str], query: Mapping[str, object]
    ) -> Generator[Recorded]:
        for run in runs:
            with ExitStack() as stack:
                streams = {
                    kind: stack.enter_context(
                        closing(self._lines_if_any(KIND_OF_MESSAGE[kind], {**query, "run": run}))
                    )
                    for kind in kinds
                }
                yield from merged(streams)

    def _lines_if_any(self, kind: str, query: dict[str, object]) -> Generator[bytes]:
        """Yield the lines of a run, none where the camera records none of this kind."""
        try:
            yield from self._lines_of_run(kind, query)
        except UnknownSegmentError:
            return


def _lines_after(last: bytes, answer: Answer) -> Generator[bytes]:
    """Yield the lines of an answer; where there is a `last` one, it is the first, and left out."""
    lines = _split(answer)
    if last and (first := next(lines, b"")) != last:
        raise RemoteStoreError(
            f"{answer.url}: cannot be resumed: expected {last[:60]!r}, got {first[:60]!r}"
        )
    yield from lines


def _query(from_t: int | None, to_t: int | None, every: int) -> dict[str, object]:
    """Return what to ask a camera for, or raise LimitError."""
    check_asked(from_t, to_t, every)
    return {"from_t": from_t, "to_t": to_t, "every": None if every == 1 else every}


def _resumed(query: dict[str, object], last: bytes) -> dict[str, object]:
    """Return what to ask for after the line `last`: from it on, so that `every` keeps its step."""
    if not last:
        return query
    t = tick_of_line(last)
    if query["run"] == UNNAMED_RUN or t is None:
        raise RemoteStoreError(
            "the transfer broke off and cannot be resumed: the ticks of the time before runs had"
            " names may begin anew among them"
        )
    return {**query, "from_t": t}


def _split(answer: Answer) -> Generator[bytes]:
    rest: list[bytes] = []
    size = 0
    for piece in answer.pieces():
        first, *others = piece.split(b"\n")
        rest.append(first)
        size += len(first)
        if size > MAX_LINE_BYTES:
            raise RemoteStoreError(f"{answer.url}: a line is longer than {MAX_LINE_BYTES} bytes")
        if others:
            whole = [b"".join(rest), *others]
            rest, size = [others[-1]], len(others[-1])
            yield from filter(None, whole[:-1])
    if size:
        raise BrokenTransferError(f"{answer.url}: the last line has no end after {size} bytes")


def _as_store_error(error: HttpStatusError) -> RemoteStoreError | UnknownSegmentError:
    return UnknownSegmentError(str(error)) if error.status == 404 else error


def _objects(records: object) -> list[dict[str, Any]]:
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise TypeError(f"got {records!r:.120}")
    return cast("list[dict[str, Any]]", records)


def _entry(record: dict[str, Any], kind: str) -> SegmentEntry:
    """Read a segment as a camera tells it: as in a manifest, but for one that is being written."""
    if record.get("pending") is not True:
        return SegmentEntry.from_dict(record, kind)
    folder, _, file_name = str(record.get("path")).partition("/")
    name = SegmentName.parse(file_name)
    if name is None:
        raise ManifestError(f"path must be <kind>/<segment file name>, got {record.get('path')!r}")
    closed = record | {"path": f"{folder}/{name.as_closed()}", "pending": False}
    return replace(SegmentEntry.from_dict(closed, kind), path=record["path"], pending=True)


def _run(record: dict[str, Any]) -> Run:
    check_format(record)
    for name in ("run", "started_at"):
        if not isinstance(record[name], str):
            raise TypeError(f"{name} must be a text, got {record[name]!r:.120}")
    return Run(
        id=record["run"],
        started_at=record["started_at"],
        about=dict(record["about"]),
        continued_at=tuple(record["continued_at"]),
        ended_at=record["ended_at"],
        holes=tuple(Hole(**{name: hole[name] for name in _HOLE}) for hole in record["holes"]),
    )


_HOLE: Final = tuple(Hole.__slots__)


def _parsed(lines: Generator[bytes]) -> Generator[dict[str, Any]]:
    with closing(lines):
        yield from map(orjson.loads, lines)
