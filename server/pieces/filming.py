"""A piece of a recording, filmed: what a worker does. The stages are those of every camera."""

from __future__ import annotations

import pickle
import traceback
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import zstandard

from marketcam.engine import MAX_ID, Tick, TickError
from marketcam.io.sources import BadLine, MalformedLineError, fail_on_bad_line
from marketcam.io.sources.tick_json import parse_tick
from marketcam.server.operators.events import EVENTS
from marketcam.server.pieces.line_pack import KINDS, LinePack
from marketcam.server.running.filming import Filming
from marketcam.server.running.one_camera import do_nothing, offline_outputs
from marketcam.server.running.pipeline import Pipeline, PipelineOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from marketcam.server.pieces.cutting import Carried, Piece
    from marketcam.server.settings import CameraArguments

__all__ = ["Event", "PieceFilm", "PieceRequest", "PieceRules", "film_piece"]

Event: TypeAlias = "tuple[Literal['warning', 'error'], str, dict[str, Any]]"
"""Something to be logged: its level, its name and its fields."""

_LEVEL: Final = 1
"""As in a `LinePack`."""
_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class PieceRules:
    """What the pieces of a film have in common.

    Attributes:
        camera: settings of the camera.
        options: how its stages are run.
        source: name of the source.
        unit: what its places are called; empty where it has none.
    """

    camera: CameraArguments
    options: PipelineOptions
    source: str
    unit: str


@dataclass(frozen=True, slots=True)
class PieceRequest:
    """A piece, as it travels.

    Attributes:
        rules: as for all pieces.
        carried: what the camera is told of the ticks before.
        leads: how many of the ticks fill the window only.
        lead_t: the last of these; None: there are none.
        numbers: where each of the ticks stands.
        packed: the ticks, lines or `Tick`s.
        name: which piece it is, for errors.
    """

    rules: PieceRules
    carried: Carried
    leads: int
    lead_t: int | None
    numbers: tuple[int, ...]
    packed: bytes
    name: str

    @classmethod
    def of(cls, piece: Piece, rules: PieceRules) -> PieceRequest:
        """Make a piece ready to travel."""
        items = (*piece.lead, *piece.own)
        pickled = pickle.dumps([item.data for item in items], pickle.HIGHEST_PROTOCOL)
        return cls(
            rules=rules,
            carried=piece.carried,
            leads=len(piece.lead),
            lead_t=piece.lead[-1].t if piece.lead else None,
            numbers=tuple(item.number for item in items),
            packed=zstandard.ZstdCompressor(level=_LEVEL).compress(pickled),
            name=f"ticks {piece.own[0].t} to {piece.own[-1].t}",
        )

    def ticks(self) -> list[bytes | Tick]:
        """Return the ticks, lines or arrays."""
        ticks: list[bytes | Tick] = pickle.loads(zstandard.decompress(self.packed))  # noqa: S301 - from who sends us the code, too
        return ticks

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class PieceFilm:
    """What came of a piece.

    Attributes:
        ticks: ticks taken in.
        last_t: the last of them.
        refused: those that were not, by their places among its own, from 0.
        lines: what is to be recorded, a `LinePack`.
        events: what is to be logged.
        error: why it ended before its end.
    """

    ticks: int
    last_t: int | None
    refused: tuple[int, ...]
    lines: bytes
    events: tuple[Event, ...]
    error: str | None


def film_piece(request: PieceRequest) -> PieceFilm:
    """Film a piece. Cost: that of the camera, for the ticks of the lead as well."""
    return _Run(request).film()


class _Run:
    """A piece's film in the making."""

    def __init__(self, request: PieceRequest) -> None:
        rules = request.rules
        filming = Filming(rules.camera)
        filming.carry(*request.carried)
        self._told = _Events()
        self._lines = LinePack()
        self._leads = request.leads
        self._lead_t = request.lead_t
        self._given: deque[int] = deque()  # places of ticks that the camera has not judged yet
        self._refused: list[int] = []
        self._ticks = 0
        self._last_t: int | None = None
        outputs = offline_outputs(self._lines.add)
        self._pipeline = Pipeline(filming, outputs, rules.options, self._told)
        on_bad = fail_on_bad_line if rules.options.bad_tick == "fail" else self._pipeline.skip_line
        self._source = _PieceTicks(request, self._given, self._refused, on_bad)

    def film(self) -> PieceFilm:
        # What is made of the lead is recorded by the piece before. Which events are new depends on
        # the frames before: whoever gathers the pieces tells.
        recorded = {} if self._lead_t is None else dict.fromkeys(KINDS, self._lead_t)
        recorded[EVENTS] = MAX_ID
        self._pipeline.start(
            self._source,
            do_nothing,
            recorded=recorded,
            on_filmed=self._filmed,
            on_refused=self._refuse,
        )
        while not self._pipeline.wait(_WAIT_SECONDS):
            pass
        self._pipeline.stop()
        return PieceFilm(
            ticks=self._ticks,
            last_t=self._last_t,
            refused=tuple(sorted(self._refused)),
            lines=self._lines.packed(),
            events=tuple(self._told.events),
            error=self._pipeline.error,
        )

    def _filmed(self, t: int) -> None:
        if self._given.popleft() >= self._leads:
            self._ticks += 1
            self._last_t = t

    def _refuse(self, _: TickError) -> None:
        # One of the lead was guessed to be well formed, and is not: this film is thrown away.
        self._refused.append(self._given.popleft() - self._leads)


class _PieceTicks:
    """The ticks of a piece as a source, the lead first."""

    def __init__(
        self,
        request: PieceRequest,
        given: deque[int],
        refused: list[int],
        on_bad: Callable[[BadLine], None],
    ) -> None:
        self.name = request.rules.source
        self._unit = request.rules.unit
        self._leads = request.leads
        self._numbers = request.numbers
        self._data: Sequence[bytes | Tick] = request.ticks()
        self._given = given
        self._refused = refused
        self._on_bad = on_bad
        self._place = 0

    @property
    def place(self) -> str:
        return f"{self._unit} {self._numbers[self._place]}" if self._unit else ""

    def __iter__(self) -> Iterator[Tick]:
        for place, data in enumerate(self._data):
            self._place = place
            tick = data if isinstance(data, Tick) else self._parsed(data)
            if tick is not None:
                self._given.append(place)
                yield tick

    def close(self) -> None:
        pass

    def _parsed(self, line: bytes) -> Tick | None:
        try:
            return parse_tick(line)
        except (MalformedLineError, TickError) as error:
            self._on_bad(BadLine(self.name, self._numbers[self._place], error))
            self._refused.append(self._place - self._leads)  # where it did not end the piece
            return None


class _Events:
    """Keeps what there is to tell for the process that gathers the pieces.

    Attributes:
        events: what was told, by and by.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    def info(self, event: str, **fields: Any) -> None:
        pass  # of a piece's begin and end nobody needs to hear

    def warning(self, event: str, **fields: Any) -> None:
        self.events.append(("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.events.append(("error", event, fields))

    def exception(self, event: str, **fields: Any) -> None:
        self.events.append(("error", event, fields | {"traceback": traceback.format_exc()}))
