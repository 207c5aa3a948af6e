"""Recorded lines as messages again: in the order of live, with what is missing declared."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from marketcam.engine import Frame
from marketcam.io import encode_frame_columns
from marketcam.server.stream.messages import Body
from marketcam.server.stream.place import KIND_OF_FOLDER, Place

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from marketcam.io.store import Recorded, Run, Store
    from marketcam.server.stream.messages import Encoding

__all__ = ["NOT_RECORDED", "Stretch", "Told", "told"]

NOT_RECORDED: Final = "not_recorded"
"""Reason of a gap: the disk did not take these lines."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What to read of a run.

    Attributes:
        run: the run.
        kinds: the kinds of message wanted.
        encoding: how frames are wanted.
        after: the place after which it begins.
        up_to: the place with which it ends; None: with the recording.
        passed: the ticks of the last messages that are known to have been made, by kind, none
            beyond `up_to`: where they are not among the lines, these and what is missing before
            them were not recorded, even if no record says so yet.
    """

    run: Run
    kinds: tuple[str, ...]
    encoding: Encoding
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

    None stands for a line that lies outside.

    Raises:
        StoreError: as `Store.messages` has it.
    """
    gaps = deque(_declared_gaps(stretch))
    covered_to = _covered_to(stretch)
    with closing(_lines(store, stretch)) as lines:
        for recorded in lines:
            place = Place.of(recorded.kind, recorded.t)
            if place <= stretch.after or (stretch.up_to is not None and place > stretch.up_to):
                yield None
                continue
            while gaps and gaps[0].place <= place:
                yield _sized(gaps.popleft())
            covered_to[recorded.kind] = max(covered_to[recorded.kind], recorded.t)
            yield _sized(_message(recorded, place, stretch.encoding))
    gaps.extend(_undeclared_gaps(stretch, covered_to))
    for gap in sorted(gaps, key=lambda gap: gap.place):
        yield _sized(gap)


def _lines(store: Store, stretch: Stretch) -> Generator[Recorded]:
    """Yield the lines of the ticks of a stretch, perhaps some before and after it."""
    from_t = min(stretch.after.first_t_after(kind) for kind in stretch.kinds)
    to_t = None if stretch.up_to is None else stretch.up_to.t
    if to_t is None or from_t <= to_t:
        kinds = stretch.kinds
        with closing(store.messages(from_t, to_t, run=stretch.run.id, kinds=kinds)) as lines:
            yield from lines


def _sized(item: Told) -> tuple[Told, int]:
    return item, len(item.body.data)


def _message(recorded: Recorded, place: Place, encoding: Encoding) -> Told:
    if recorded.kind == "frame" and encoding == "columns":
        frame = Frame.from_dict(orjson.loads(recorded.line))
        body = Body(encode_frame_columns(frame), is_text=False)
    else:
        body = Body(recorded.line)
    return Told(recorded.kind, place, body, recorded.t)


def _declared_gaps(stretch: Stretch) -> list[Told]:
    """Return the holes that the run's journal declares, so far as they lie in the stretch."""
    gaps = []
    for hole in stretch.run.holes:
        kind = KIND_OF_FOLDER.get(hole.kind)
        if kind in stretch.kinds:
            first_t = max(hole.from_t, stretch.after.first_t_after(kind))
            last_t = hole.to_t
            if stretch.up_to is not None:
                last_t = min(last_t, stretch.up_to.last_t_up_to(kind))
            if first_t <= last_t:
                gaps.append(_gap(kind, first_t, last_t))
    return sorted(gaps, key=lambda gap: gap.place)


def _covered_to(stretch: Stretch) -> dict[str, int]:
    """Return up to where nothing is to be looked for, by kind, before a line is read."""
    covered = {kind: stretch.after.last_t_up_to(kind) for kind in stretch.kinds}
    for hole in stretch.run.holes:
        kind = KIND_OF_FOLDER.get(hole.kind)
        if kind in covered:
            covered[kind] = max(covered[kind], hole.to_t)
    return covered


def _undeclared_gaps(stretch: Stretch, covered_to: Mapping[str, int]) -> Iterator[Told]:
    for kind in stretch.kinds:
        if stretch.passed.get(kind, covered_to[kind]) > covered_to[kind]:
            yield _gap(kind, covered_to[kind] + 1, stretch.passed[kind])


def _gap(kind: str, from_t: int, to_t: int) -> Told:
    fields = {
        "type": "gap",
        "kind": kind,
        "from_t": from_t,
        "to_t": to_t,
        "reason": NOT_RECORDED,
    }
    return Told("gap", Place.of(kind, from_t), Body(orjson.dumps(fields)), to_t)
