"""`runs.jsonl`: the append-only journal of a store's runs.

A run is one start of a camera; its ticks begin anew, perhaps at 0, so that a tick number means
something within a run only. The journal says what each run was filmed with, which segments are of
it, and what of it was not recorded:

======== =========================================================================================
record   said, durably, when
======== =========================================================================================
start    a run begins; before its first segment
segment  one of its segments is created; before the first line is written to it, so that even a
         segment whose writer died, or that lost its manifest, is known to be of this run
continue the run goes on in another process, from a checkpoint
about    something more of what it is filmed with, known only once its ticks come
hole     lines of some of its ticks could not be recorded
end      it has ended in order; a run that was killed has no end
======== =========================================================================================

One JSON object a line. A torn last line, as a crash leaves, is ignored and cut off by the next
record. Records of starts and segments that a recovery has added, since the journal had lost them,
say so (`recovered`): their place in it tells nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from marketcam.io.store.entry import FORMAT, check_format
from marketcam.io.store.errors import ManifestError, NewerFormatError
from marketcam.io.store.names import MAX_RUN_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from marketcam.io.store.entry import SegmentEntry

__all__ = [
    "RUNS",
    "UNNAMED_RUN",
    "Hole",
    "Run",
    "RunRecords",
    "about_record",
    "hole_record",
    "lost_segment_record",
    "lost_start_record",
    "moment_record",
    "new_run_id",
    "parse_runs",
    "read_runs",
    "segment_record",
    "start_record",
]

RUNS: Final = "runs.jsonl"
"""File name of the journal, in the store's root."""

UNNAMED_RUN: Final = "unnamed"
"""What the segments are of that were recorded before runs had names: all of them together."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Ticks of which lines of one kind are missing, because the disk did not take them.

    Attributes:
        kind: the kind of lines.
        from_t: first tick after what was recorded before the hole.
        to_t: last tick before what was recorded after it; the last that was lost, where nothing
            followed for a while.
        lines: how many were not recorded.
        reason: why not.
    """

    kind: str
    from_t: int
    to_t: int
    lines: int
    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """What a journal says of a run.

    Attributes:
        id: its name.
        started_at: ISO 8601, UTC.
        about: what it was filmed with, as it was said at its start: the source, the seed, the
            pace (`tick_rate`, 0 without any), the camera's settings; and afterwards: the name of
            the `producer`, where ticks come from one.
        continued_at: when it went on in another process.
        ended_at: when it ended in order; None while it runs, or where it was killed.
        holes: what of it was not recorded, in the order in which that was declared.
    """

    id: str
    started_at: str
    about: Mapping[str, Any] = field(default_factory=dict)
    continued_at: tuple[str, ...] = ()
    ended_at: str | None = None
    holes: tuple[Hole, ...] = ()

    @property
    def tick_rate(self) -> float:
        """Ticks a second it was paced at; 0 where it was not, or nobody knows."""
        rate = self.about.get("tick_rate", 0)
        return float(rate) if isinstance(rate, int | float) and rate > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is published."""
        return {
            "run": self.id,
            "started_at": self.started_at,
            "continued_at": list(self.continued_at),
            "ended_at": self.ended_at,
            "holes": [
                {name: getattr(hole, name) for name in Hole.__slots__} for hole in self.holes
            ],
            "about": dict(self.about),
            "format": FORMAT,
        }


def new_run_id(wall: float) -> str:
    """Return a name for a run that starts now: sorts by time, and nobody has it yet."""
    moment = datetime.fromtimestamp(wall, UTC)
    return f"{moment:%Y%m%d_%H%M%S}_{moment.microsecond:05x}{secrets.token_hex(2)}"


def start_record(run: str, at: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a run's start."""
    return {"format": FORMAT, "record": "start", "run": run, "at": at, "about": dict(about)}


def about_record(run: str, at: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of what is said of a run after its start; it adds to what was."""
    return {"format": FORMAT, "record": "about", "run": run, "at": at, "about": dict(about)}


def moment_record(record: Literal["continue", "end"], run: str, at: str) -> dict[str, Any]:
    """Return the record of a run's going on in another process, or of its end."""
    return {"format": FORMAT, "record": record, "run": run, "at": at}


def segment_record(run: str, path: str) -> dict[str, Any]:
    """Return the record of a segment's creation; `path` is the one it has once it is closed."""
    return {"format": FORMAT, "record": "segment", "run": run, "path": path}


def lost_start_record(run: str, at: str, before: str | None) -> dict[str, Any]:
    """Return the record of a start that the journal had lost; `before` is the run after it."""
    turn = {} if before is None else {"before": before}
    return start_record(run, at, {}) | {"recovered": True} | turn


def lost_segment_record(run: str, path: str) -> dict[str, Any]:
    """Return the record of a segment's creation that the journal had lost."""
    return segment_record(run, path) | {"recovered": True}


def hole_record(run: str, hole: Hole) -> dict[str, Any]:
    """Return the record of a hole."""
    values = {name: getattr(hole, name) for name in Hole.__slots__}
    return {"format": FORMAT, "record": "hole", "run": run, **values}


class RunRecords:
    """What the records of a journal come to.

    Attributes:
        runs: the runs by name, in the order in which they started.
        segments: the run of each segment, by the path that it has once it is closed.
        added_later: the paths of those that a recovery has added; the others are in the order in
            which they were created.
    """

    def __init__(self, records: Iterable[dict[str, Any]] = ()) -> None:
        self.runs: dict[str, Run] = {}
        self.segments: dict[str, str] = {}
        self.added_later: set[str] = set()
        for record in records:
            self.take(record)

    def take(self, record: Any) -> None:
        """Take in the next record.

        Raises:
            ManifestError: a field is missing or not what it must be; names field and value.
            NewerFormatError: the record is of a later version of this software.
        """
        if not isinstance(record, dict):
            raise ManifestError(f"record must be an object, got {record!r:.120}")
        check_format(record)
        run_id = _text(record, "run", MAX_RUN_LENGTH)
        kind = _text(record, "record")
        if kind == "segment":
            self._take_segment(_text(record, "path"), run_id, record)
            return
        before = self.runs.get(run_id) or Run(run_id, _text(record, "at", absent=""))
        self.runs[run_id] = _with_record(before, kind, record)
        if kind == "start" and record.get("before") in self.runs.keys() - {run_id}:
            self._put_before(run_id, record["before"])

    def _take_segment(self, path: str, run_id: str, record: Mapping[str, Any]) -> None:
        if record.get("recovered") is not True:
            self.added_later.discard(path)
        elif path not in self.segments:
            self.added_later.add(path)
        self.segments[path] = run_id

    def _put_before(self, run_id: str, later: str) -> None:
        """Give a run, whose start was lost and added again, the turn before another."""
        run = self.runs.pop(run_id)
        others = list(self.runs.items())
        self.runs.clear()
        for other_id, other in others:
            if other_id == later:
                self.runs[run_id] = run
            self.runs[other_id] = other

    def run_of(self, entry: SegmentEntry) -> str:
        """Return the run that a segment is of, by its record or, where that says none, by these."""
        closed = f"{entry.kind}/{entry.name.as_closed()}"
        return entry.run or self.segments.get(closed, UNNAMED_RUN)


def _with_record(run: Run, kind: str, record: dict[str, Any]) -> Run:
    changes: dict[str, Any] = {}
    if kind == "start":
        changes = {"started_at": _text(record, "at"), "about": _about(record)}
    elif kind == "about":
        changes = {"about": {**run.about, **_about(record)}}
    elif kind == "continue":
        changes = {"continued_at": (*run.continued_at, _text(record, "at")), "ended_at": None}
    elif kind == "end":
        changes = {"ended_at": _text(record, "at")}
    elif kind == "hole":
        changes = {"holes": (*run.holes, _hole(record))}
    values = {name: getattr(run, name) for name in Run.__slots__}
    return Run(**(values | changes))


def _about(record: dict[str, Any]) -> dict[str, Any]:
    about = record.get("about", {})
    return about if isinstance(about, dict) else {}


def _hole(record: dict[str, Any]) -> Hole:
    numbers = {name: _integer(record, name) for name in ("from_t", "to_t", "lines")}
    return Hole(kind=_text(record, "kind"), reason=_text(record, "reason"), **numbers)


def _text(
    record: dict[str, Any], name: str, limit: int = 4096, *, absent: str | None = None
) -> str:
    value = record.get(name, absent)
    if not isinstance(value, str) or len(value) > limit or (not value and absent is None):
        raise ManifestError(f"{name} must be a text of 1 to {limit} characters, got {value!r:.120}")
    return value


def _integer(record: dict[str, Any], name: str) -> int:
    value = record.get(name)
    if type(value) is not int:
        raise ManifestError(f"{name} must be an integer, got {value!r:.120}")
    return value


def parse_runs(text: bytes, source: object) -> tuple[RunRecords, int]:
    """Read a journal; return what it comes to, and how many of its bytes are whole records.

    Raises:
        ManifestError: a line before the last is not a record; names `source`, the line, the field.
        NewerFormatError: a record is of a later version of this software.
    """
    records = RunRecords()
    whole = text.rfind(b"\n") + 1
    for number, line in enumerate(text[:whole].splitlines(), 1):
        try:
            records.take(orjson.loads(line))
        except (orjson.JSONDecodeError, ManifestError, NewerFormatError) as error:
            kind = ManifestError if isinstance(error, orjson.JSONDecodeError) else type(error)
            raise kind(f"{source}, line {number}: {error}") from error
    return records, whole


def read_runs(store_dir: Path) -> RunRecords:
    """Read the journal of a store; empty where there is none.

    Raises:
        ManifestError, NewerFormatError: as `parse_runs`.

    Cost: about 2 µs a record.
    """
    path = store_dir / RUNS
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return RunRecords()
    return parse_runs(text, path)[0]
