"""The pieces of a film handed out, and put together in their order: in place of the engine."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

from marketcam.engine import MarketCameraError
from marketcam.server.logs import get_logger
from marketcam.server.operators.events import EVENTS, EventSifter, FoundEvents
from marketcam.server.pieces.cutting import Cutter
from marketcam.server.pieces.filming import PieceRequest, film_piece
from marketcam.server.pieces.line_pack import unpacked
from marketcam.server.running import pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.io.sources import BadLine
    from marketcam.server.cluster import Cluster
    from marketcam.server.pieces.filming import Event, PieceFilm, PieceRules
    from marketcam.server.pieces.items import Items

__all__ = ["Gathering"]

_ONCE: Final = "tick_without_state"
"""What is told once a run, and not once a piece."""

log = get_logger(pipeline.__name__)  # whose events these are


class Gathering:
    """Has a recording filmed in pieces and records what comes of them, in a thread, once.

    To whoever runs it, it is what a `Pipeline` is. What it says it has, it has recorded: it goes on
    piece by piece.

    Args:
        cluster: does the pieces.
        record: takes a kind, a line and its tick; may wait until there is room for it.
        rules: how they are filmed.
        piece_ticks: ticks of a piece.

    Attributes, safe to read from any thread:
        ticks: ticks taken in.
        last_t: number of the last tick taken in, None before the first.
        refused: ticks refused, and lines that hold none.
        share: how much of the recording is done, 0 to 1; None where nobody knows.
        error: why it has failed; None while it has not.
    """

    def __init__(
        self,
        cluster: Cluster,
        record: Callable[[str, bytes, int], None],
        rules: PieceRules,
        piece_ticks: int,
    ) -> None:
        self.ticks = 0
        self.last_t: int | None = None
        self.refused = 0
        self.share: float | None = None
        self.error: str | None = None
        self._cluster = cluster
        self._record = record
        self._rules = rules
        self._piece_ticks = piece_ticks
        self._stopped = False
        self._said_once = False
        self._sifter = EventSifter()
        self._items: Items | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def start(self, items: Items) -> None:
        """Begin; the items are closed when it is stopped."""
        self._items = items
        self._thread = threading.Thread(
            target=self._run, args=(items,), name="gathering", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, so long at most; return whether it has ended."""
        return self._ended.wait(seconds)

    def stop(self) -> None:
        """End it after the piece that is being recorded, and wait for that."""
        self._stopped = True
        if not self._ended.is_set():
            self._cluster.stop()
        if self._items is not None:
            self._items.close()  # it may wait for a tick that never comes
        if self._thread is not None:
            self._ended.wait()
            self._thread.join()

    def skip_line(self, bad: BadLine) -> None:
        """Count and report a line, or a row, that holds no tick, and was not sent to be filmed."""
        self.refused += 1
        log.warning(
            "line_skipped", source=bad.source, **{bad.unit: bad.number}, error=str(bad.error)
        )

    def _run(self, items: Items) -> None:
        camera = self._rules.camera
        cutter = Cutter(items, camera["W"], camera["stride"], self._piece_ticks)
        try:
            while not (self._gather(cutter) or self._stopped):
                pass
            if self.error is None and cutter.error is not None and not self._stopped:
                self.error = str(cutter.error)
        except MarketCameraError as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            log.exception("gathering_failed", last_t=self.last_t)
        finally:
            self._ended.set()

    def _gather(self, cutter: Cutter) -> bool:
        """Gather pieces; return whether it was the last of them, or else they are cut anew."""
        shares: list[float | None] = []
        pieces = self._requests(cutter, shares)
        with closing(self._cluster.spread(film_piece, pieces)) as films:
            for _, film in films:
                self._take(film)
                self.share = shares.pop(0)
                if film.error is not None:
                    self.error = film.error
                    return True
                if not cutter.settle(film.refused):
                    return False
        return True

    def _requests(self, cutter: Cutter, shares: list[float | None]) -> Iterator[PieceRequest]:
        for piece in cutter.pieces():
            shares.append(piece.share)
            yield PieceRequest.of(piece, self._rules)

    def _take(self, film: PieceFilm) -> None:
        """Record a piece; what is said of it is said once it is recorded whole."""
        for kind, line, t in unpacked(film.lines):
            self._record(kind, line, t)
            if kind == "frames":
                self._record_events(line, t)
        for event in film.events:
            self._tell(event)
        self.refused += len(film.refused)
        self.ticks += film.ticks
        if film.last_t is not None:
            self.last_t = film.last_t

    def _record_events(self, frame_line: bytes, t: int) -> None:
        """Record what a frame shows that none before it has, in whatever piece that was."""
        shown = FoundEvents.of_frame_line(frame_line).events
        if new := self._sifter.new_among(shown, t - self._rules.camera["W"] + 1):
            self._record(EVENTS, FoundEvents(t, tuple(new)).line(), t)

    def _tell(self, event: Event) -> None:
        level, name, fields = event
        if name == _ONCE and self._said_once:
            return
        self._said_once |= name == _ONCE
        (log.warning if level == "warning" else log.error)(name, **fields)
