"""Recorded lines as messages again: in the order of live, with what is missing declared."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import orjson

from marketcam.engine import Frame
from marketcam.server.stream.messages import Body, Message
from marketcam.server.stream.place import KIND_OF_FOLDER, Place
from marketcam.server.stream.selection import PLAIN_FORM, Form, wanted_part

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from marketcam.io.store import Recorded, Run, Store
    from marketcam.server.stream.messages import Kind
    from marketcam.server.stream.selection import FilmedWith

__all__ = [
    "NOT_RECORDED",
    "Stretch",
    "Told",
    "View",
    "covered_to",
    "gap_told",
    "told",
    "undeclared",
]

NOT_RECORDED: Final = "not_recorded"
"""Reason of a gap: the disk did not take these lines."""


@dataclass(frozen=True, slots=True)
class View:
    """How one client wants to see a run.

    Attributes:
        run: the run.
        kinds: the kinds of message wanted.
        form: how frames are wanted.
        every: of each kind, only each so many-th, as `Selection` has it.
        filmed: with what it was filmed; None where nobody knows, which allows neither fewer edges
            nor an `every` but 1.
    """

    run: Run
    kinds: tuple[str, ...]
    form: Form = PLAIN_FORM
    every: int = 1
    filmed: FilmedWith | None = None

    def step(self, kind: str) -> int:
        """Return the ticks from one message of a kind to the next that is wanted."""
        if self.every == 1 or self.filmed is None:
            return 1
        if kind == "tick":  # they come at every tick
            return self.every
        return self.every * self.filmed.steps[cast("Kind", kind)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What to read of a run.

    Attributes:
        view: what of which run, and how.
        after: the place after which it begins.
        up_to: the place with which it ends; None: with the recording.
        passed: the ticks of the last messages that are known to have been made, by kind, none
            beyond `up_to`: where they are not among the lines, these and what is missing before
            them were not recorded, even if no record says so yet.
    """

    view: View
    after: Place
    up_to: Place | None
    passed: Mapping[str, int]


class Told(NamedTuple):
    """Something to send.

    Attributes:
        kind: a kind of message, or ``"gap"``.
        place: of the message; of a gap, that of the first message missing.
        body: what is sent.
        last_t: of a gap, its last tick; otherwise that of the message.
    """

    kind: str
    place: Place
    body: Body
    last_t: int


def told(store: Store, stretch: Stretch) -> Iterator[tuple[Told, int] | None]:
    """Yield the messages of a stretch with their bytes, gaps before what comes after their begin.

    None stands for a line that lies outside, or is not wanted.

    Raises:
        StoreError: as `Store.messages` has it.
    """
    view = stretch.view
    gaps = deque(_declared_gaps(stretch))
    covered = covered_to(stretch)
    with closing(_lines(store, stretch)) as lines:
        for recorded in lines:
            place = Place.of(recorded.kind, recorded.t)
            if place <= stretch.after or (stretch.up_to is not None and place > stretch.up_to):
                yield None
                continue
            while gaps and gaps[0].place <= place:
                yield _sized(gaps.popleft())
            covered[recorded.kind] = max(covered[recorded.kind], recorded.t)
            yield _sized(_message(recorded, place, view)) if _is_wanted(recorded, view) else None
    gaps.extend(undeclared(stretch, covered))
    for gap in sorted(gaps, key=lambda gap: gap.place):
        yield _sized(gap)


def _lines(store: Store, stretch: Stretch) -> Generator[Recorded]:
    """Yield the lines of the ticks of a stretch, perhaps some before and after it."""
    from_t = min(stretch.after.first_t_after(kind) for kind in stretch.view.kinds)
    to_t = None if stretch.up_to is None else stretch.up_to.t
    if to_t is None or from_t <= to_t:
        view = stretch.view
        with closing(store.messages(from_t, to_t, run=view.run.id, kinds=view.kinds)) as lines:
            yield from lines


def _sized(item: Told) -> tuple[Told, int]:
    return item, len(item.body.data)


def _is_wanted(recorded: Recorded, view: View) -> bool:
    return view.every == 1 or not recorded.t % view.step(recorded.kind)


def _message(recorded: Recorded, place: Place, view: View) -> Told:
    return Told(recorded.kind, place, _body(recorded, view), recorded.t)


def _body(recorded: Recorded, view: View) -> Body:
    text = Body(recorded.line)
    if recorded.kind != "frame" or view.form == PLAIN_FORM:
        return text
    frame = partial(_frame, recorded.line)
    if view.filmed is None:
        return Message("frame", recorded.t, text, frame).body(view.form)
    return Message("frame", recorded.t, text, frame, view.filmed.match_share).body(view.form)


def _frame(line: bytes) -> Frame:
    return Frame.from_dict(orjson.loads(line))


def _declared_gaps(stretch: Stretch) -> list[Told]:
    """Return the holes that the run's journal declares, so far as they lie in the stretch."""
    gaps: list[tuple[str, int, int]] = []
    for hole in stretch.view.run.holes:
        kind = KIND_OF_FOLDER.get(hole.kind)
        if kind in stretch.view.kinds:
            first_t = max(hole.from_t, stretch.after.first_t_after(kind))
            last_t = hole.to_t
            if stretch.up_to is not None:
                last_t = min(last_t, stretch.up_to.last_t_up_to(kind))
            if first_t <= last_t:
                gaps.append((kind, first_t, last_t))
    return sorted(_wanted_gaps(stretch.view, gaps), key=lambda gap: gap.place)


def covered_to(stretch: Stretch) -> dict[str, int]:
    """Return up to where nothing is to be looked for, by kind, before a line is read."""
    covered = {kind: stretch.after.last_t_up_to(kind) for kind in stretch.view.kinds}
    for hole in stretch.view.run.holes:
        kind = KIND_OF_FOLDER.get(hole.kind)
        if kind in covered:
            covered[kind] = max(covered[kind], hole.to_t)
    return covered


def undeclared(stretch: Stretch, covered: Mapping[str, int]) -> Iterator[Told]:
    """Yield what is known to have been made, and is neither among the lines nor declared.

    Args:
        stretch: what was read.
        covered: by kind, the tick up to which lines or gaps have come.
    """
    return _wanted_gaps(stretch.view, _undeclared_gaps(stretch, covered))


def _undeclared_gaps(
    stretch: Stretch, covered: Mapping[str, int]
) -> Iterator[tuple[str, int, int]]:
    for kind in stretch.view.kinds:
        if stretch.passed.get(kind, covered[kind]) > covered[kind]:
            yield kind, covered[kind] + 1, stretch.passed[kind]


def _wanted_gaps(view: View, gaps: Iterable[tuple[str, int, int]]) -> Iterator[Told]:
    """Yield what is missing of what is wanted: from the first such message to the last."""
    for kind, from_t, to_t in gaps:
        wanted = wanted_part(from_t, to_t, view.step(kind))
        if wanted is not None:
            yield gap_told(kind, *wanted)


def gap_told(kind: str, from_t: int, to_t: int) -> Told:
    """Return what declares that the disk did not take these ticks' messages of a kind."""
    fields = {
        "type": "gap",
        "kind": kind,
        "from_t": from_t,
        "to_t": to_t,
        "reason": NOT_RECORDED,
    }
    return Told("gap", Place.of(kind, from_t), Body(orjson.dumps(fields)), to_t)
