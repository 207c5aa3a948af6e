"""Frames from messages: the dict of a frame message back to columns, checked on the way.

A column is taken out of all rows at once, and rows are looked at one by one only to find the one
that is wrong: a frame of 2000 edges costs no more Python steps than it has values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.errors import FrameError
from marketcam.engine.frame import EDGE_TYPES, Edges, Events, Frame, Nodes
from marketcam.engine.tick import MAX_ID, SIDES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["frame_from_dict"]

_MOST_W: Final = 65_535
_INT32: Final = 2**31 - 1
_COUNTS: Final = ("buy_count", "sell_count", "none_count", "match_count")
_MAYBE_UNKNOWN: Final = ("experience_start", "experience_end")
_SIDE_CODE: Final = {name: code for code, name in enumerate(SIDES)}
_EDGE_CODE: Final = {name: code for code, name in enumerate(EDGE_TYPES)}
_ABSENT: Final = "nothing"


def frame_from_dict(message: Mapping[str, Any]) -> Frame:
    """Do what `Frame.from_dict` says."""
    if not isinstance(message, Mapping):
        raise FrameError("must be an object", field="message", value=message)
    return _Reader(message).frame()


class _Reader:
    """Reads one message; holds the tick number so that every refusal can name it."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        self.message = message
        self.t: int | None = None

    def frame(self) -> Frame:
        message = self.message
        if message.get("type") != "frame":
            raise self.refusal("must be 'frame'", "type", message.get("type", _ABSENT))
        t = self.t = self.whole(message, "t", -MAX_ID, MAX_ID)
        W, stride = self.window(t, self.member(message, "window", Mapping, "an object"))
        nodes, names = self.nodes(f"@t:{t - W + 1}-{t}", (t - W + 1, t))
        events = self.member(message, "events", Mapping, "an object")
        return Frame(
            t=t,
            W=W,
            stride=stride,
            nodes=nodes,
            edges=self.edges(names),
            bursts=self.events(events, "bursts"),
            shocks=self.events(events, "shocks"),
        )

    def refusal(self, problem: str, field: str, value: object) -> FrameError:
        return FrameError(problem, t=self.t, field=field, value=value)

    def member(self, owner: Mapping[str, Any], name: str, kind: type, what: str) -> Any:
        value = owner.get(name, _ABSENT)
        if not isinstance(value, kind) or value is _ABSENT:
            raise self.refusal(f"must be {what}", name, value)
        return value

    def whole(self, owner: Mapping[str, Any], name: str, least: int, most: int) -> int:
        value = owner.get(name, _ABSENT)
        if type(value) is not int or not least <= value <= most:
            raise self.refusal(_whole_of(least, most), name, value)
        return value

    def window(self, t: int, window: Mapping[str, Any]) -> tuple[int, int]:
        W, stride = self.whole(window, "W", 1, _MOST_W), self.whole(window, "stride", 1, MAX_ID)
        for name, expected in (("t0", t - W + 1), ("t1", t)):
            if self.whole(window, name, -MAX_ID - _MOST_W, MAX_ID) != expected:
                raise self.refusal(f"must be {expected}", name, window[name])
        return W, stride

    def nodes(self, span: str, ticks: tuple[int, int]) -> tuple[Nodes, dict[str, int]]:
        """Return the nodes, and which agent each name is of; all names end in `span`."""
        rows = self.member(self.message, "nodes", list, "a list")
        names, ids = self.column(rows, "nodes", "node_id"), self.column(rows, "nodes", "agent_id")
        agent_id = self.whole_column(ids, "nodes", "agent_id", MAX_ID, np.int64)
        if (falls := np.flatnonzero(np.diff(agent_id) <= 0)).size:
            place = int(falls[0]) + 1
            raise self.refusal("must ascend", f"nodes[{place}].agent_id", ids[place])
        expected = [f"agent:{agent}{span}" for agent in ids]
        self.all_equal(names, expected, "node_id")
        for name, tick in zip(("t0", "t1"), ticks, strict=True):
            self.all_equal(self.column(rows, "nodes", name), [tick] * len(rows), name)
        features = self.column(rows, "nodes", "features")
        columns = {name: self.feature(features, name) for name in Nodes.__slots__[1:]}
        return Nodes(agent_id=agent_id, **columns), dict(zip(names, ids, strict=True))

    def all_equal(self, found: list[Any], expected: Sequence[Any], name: str) -> None:
        kinds = set(map(type, expected))
        if found != expected or set(map(type, found)) != kinds:
            pairs = zip(found, expected, strict=True)
            wrong = [value != right or type(value) not in kinds for value, right in pairs]
            place = wrong.index(True)
            problem = f"must be {expected[place]!r}"
            raise self.refusal(problem, f"nodes[{place}].{name}", found[place])

    def feature(self, rows: list[Any], name: str) -> NDArray[Any]:
        values, table = self.column(rows, "nodes", name, "features."), "nodes"
        if name in _COUNTS:
            return self.whole_column(values, table, f"features.{name}", _INT32, np.int32)
        if name == "dominant_side":
            codes = self.coded(values, table, f"features.{name}", _SIDE_CODE)
            return np.array(codes, dtype=np.int8)
        if name in _MAYBE_UNKNOWN:
            values = [math.nan if value is None else value for value in values]
            return self.numbers(values, table, f"features.{name}", unknown=True)
        return self.numbers(values, table, f"features.{name}")

    def edges(self, names: dict[str, int]) -> Edges:
        rows = self.member(self.message, "edges", list, "a list")
        src, dst = (
            self.coded(self.column(rows, "edges", end), "edges", end, names, "name a node")
            for end in ("src", "dst")
        )
        kind = self.coded(self.column(rows, "edges", "type"), "edges", "type", _EDGE_CODE)
        return Edges(
            np.array(src, dtype=np.int64),
            np.array(dst, dtype=np.int64),
            np.array(kind, dtype=np.int8),
            self.numbers(self.column(rows, "edges", "w"), "edges", "w"),
        )

    def events(self, owner: Mapping[str, Any], table: str) -> Events:
        rows = self.member(owner, table, list, "a list")
        ticks, values, scores = (self.column(rows, table, name) for name in ("t", "value", "score"))
        return Events(
            self.whole_column(ticks, table, "t", MAX_ID, np.int64, -MAX_ID),
            self.whole_column(values, table, "value", MAX_ID, np.int64)
            if table == "bursts"
            else self.numbers(values, table, "value"),
            self.numbers(scores, table, "score"),
        )

    def column(self, rows: list[Any], table: str, name: str, inner: str = "") -> list[Any]:
        """Return one member of every row."""
        try:
            return list(map(itemgetter(name), rows))
        except (KeyError, TypeError, IndexError):
            self.find(rows, table, inner.rstrip("."), "must be an object", _is_object)
            place = next(k for k, row in enumerate(rows) if name not in row)
            problem, field = "must be there", f"{table}[{place}].{inner}{name}"
            raise self.refusal(problem, field, _ABSENT) from None

    def find(
        self, values: list[Any], table: str, name: str, problem: str, fits: Callable[[Any], bool]
    ) -> None:
        """Raise for the first value that does not fit."""
        for place, value in enumerate(values):
            if not fits(value):
                raise self.refusal(problem, f"{table}[{place}].{name}".rstrip("."), value)

    def coded(
        self,
        values: list[Any],
        table: str,
        name: str,
        codes: Mapping[str, int],
        rule: str | None = None,
    ) -> list[int]:
        try:
            return list(map(codes.__getitem__, values))
        except (KeyError, TypeError):
            rule = rule or f"be one of {', '.join(codes)}"
            self.find(values, table, name, f"must {rule}", partial(_is_text_in, codes))
            raise

    def whole_column(
        self,
        values: list[Any],
        table: str,
        name: str,
        most: int,
        dtype: type[np.int32 | np.int64],
        least: int = 0,
    ) -> NDArray[Any]:
        fine = set(map(type, values)) <= {int}
        if not fine or (values and not least <= min(values) <= max(values) <= most):
            fits = partial(_is_whole_within, least, most)
            self.find(values, table, name, _whole_of(least, most), fits)
        return np.array(values, dtype=dtype)

    def numbers(
        self, values: list[Any], table: str, name: str, *, unknown: bool = False
    ) -> NDArray[np.float64]:
        """Return floats; a whole number that a float holds is one, as other writers have it."""
        if not set(map(type, values)) <= {float}:
            self.find(values, table, name, "must be a number", _is_float)
        column = np.array(values, dtype=np.float64)
        finite = np.isfinite(column) | np.isnan(column) if unknown else np.isfinite(column)
        if not finite.all():
            place = int(np.argmin(finite))
            raise self.refusal("must be finite", f"{table}[{place}].{name}", values[place])
        return column


def _is_object(row: object) -> bool:
    return isinstance(row, Mapping)


def _is_text_in(known: Mapping[str, int], value: object) -> bool:
    return isinstance(value, str) and value in known


def _is_whole_within(least: int, most: int, value: object) -> bool:
    return type(value) is int and least <= value <= most


def _is_float(value: object) -> bool:
    return type(value) is float or (type(value) is int and _is_exact(value))


def _is_exact(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _whole_of(least: int, most: int) -> str:
    return f"must be a whole number of {least} to {most}"
