"""The last stage before the outputs: what the engine made becomes bytes, and is handed out."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from marketcam.engine import Frame, Metric, Tick
from marketcam.io import encode_metric, encode_tick
from marketcam.server.operators.events import EVENTS, FoundEvents
from marketcam.server.running.stages import LARGE_ROWS, Conveyor, StageTime, timed
from marketcam.server.stream.messages import Message
from marketcam.server.stream.selection import PLAIN_FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from marketcam.server.running.stages import QueueFigures
    from marketcam.server.stream.selection import Form

__all__ = ["EncodingStage", "Outputs"]

_DEFLATE_COST: Final = 10
"""What compressing a frame costs, in times of writing it: 0.3 ms of 74 nodes and 2,000 edges."""


def _notice_nothing(_: Frame) -> None:
    """Do nothing with a frame."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where what the pipeline makes goes. Called by one thread at a time, in the order of ticks.

    Attributes:
        record: takes a kind (``"frames"``, ``"metrics"``, ``"ticks"`` or ``"events"``), a line and
            its tick; may wait until there is room for it.
        publish: takes a message for the viewers, once its line is recorded; must not wait.
        wanted: says which forms there are viewers for, so that these are made here and not
            when somebody waits for them.
        match_share: the share of a frame's edges that is set aside for matches, by which those go
            that a viewer does not want.
        noticed: is shown each frame once it is published; must not wait.
    """

    record: Callable[[str, bytes, int], None]
    publish: Callable[[Message], None]
    wanted: Callable[[], Collection[Form]]
    match_share: float = 0.5
    noticed: Callable[[Frame], None] = _notice_nothing


class Times(NamedTuple):
    """Where the time goes that is spent here."""

    encode: StageTime
    record: StageTime


class EncodingStage:
    """Encodes and hands out, in the order in which things are given.

    What is small is done at once, in the thread that gives it. What is large, or is wanted in many
    forms, and all that comes while that is in hand, is done by a thread of its own, behind a
    `Conveyor`; when that is full, whoever gives waits. Left as a context manager, it first does all
    that it was given.

    A fault in its thread is raised by the next `take`, or else on leaving; `on_fault` is called at
    once, in that thread, since the next tick may be long in coming.
    """

    def __init__(self, outputs: Outputs, times: Times, on_fault: Callable[[], None]) -> None:
        self._outputs = outputs
        self._times = times
        self._on_fault = on_fault
        self._queue: Conveyor[Tick | Metric | Frame | FoundEvents] = Conveyor()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def queue(self) -> QueueFigures:
        """The things that wait for its thread."""
        return self._queue.figures

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._queue.finish()
            self._thread.join()
        if self._error is not None and error is not self._error:
            raise self._error  # it came first, whatever has happened since

    def take(self, thing: Tick | Metric | Frame | FoundEvents) -> None:
        """Take a tick or events to be recorded, or a metric or a frame to be published as well.

        Raises:
            Exception: whatever an encoder or an output raised, perhaps on something before it.
        """
        rows = _rows(thing)
        is_small = rows * self._forms_of(thing) < LARGE_ROWS
        if is_small and (self._thread is None or self._queue.is_idle):
            self._raise_fault()
            self._hand_out(thing)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="encoding", daemon=True)
            self._thread.start()
        if not self._queue.put(thing, rows):
            self._raise_fault()

    def _forms_of(self, thing: Tick | Metric | Frame | FoundEvents) -> int:
        """Return how often something is to be written, compressing counted as it costs."""
        if not isinstance(thing, Frame):
            return 1
        others = (form for form in self._outputs.wanted() if form != PLAIN_FORM)
        return 1 + sum(_DEFLATE_COST if form.deflate else 1 for form in others)

    def _raise_fault(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while (thing := self._queue.take()) is not None:
                self._hand_out(thing)
        except BaseException as error:  # noqa: BLE001 - raised again in the engine's thread
            self._error = error
            self._queue.abandon()
            self._on_fault()

    def _hand_out(self, thing: Tick | Metric | Frame | FoundEvents) -> None:
        if isinstance(thing, Tick):
            self._record("ticks", timed(self._times.encode, encode_tick, thing), thing.t)
        elif isinstance(thing, Metric):
            text = timed(self._times.encode, encode_metric, thing)
            self._send("metrics", Message.of_text("metric", thing.t, text))
        elif isinstance(thing, FoundEvents):
            self._record(EVENTS, timed(self._times.encode, thing.line), thing.t)
        else:
            message = Message.of_frame(thing, self._outputs.match_share)
            timed(self._times.encode, self._prepare, message)
            self._send("frames", message)
            self._outputs.noticed(thing)

    def _prepare(self, message: Message) -> None:
        _ = message.body().data
        for form in self._outputs.wanted():
            message.body(form).prepare()

    def _send(self, folder: str, message: Message) -> None:
        # Recorded first: what a viewer has seen is on its way to the disk, so that whoever joins
        # history and the live stream, after the recorder's `flush`, finds no hole between them.
        self._record(folder, message.body().data, message.t)
        self._outputs.publish(message)

    def _record(self, folder: str, line: bytes, t: int) -> None:
        timed(self._times.record, self._outputs.record, folder, line, t)


def _rows(thing: Tick | Metric | Frame | FoundEvents) -> int:
    if isinstance(thing, Frame):
        return len(thing.nodes) + len(thing.edges)
    return thing.agent_id.size if isinstance(thing, Tick) else 1
