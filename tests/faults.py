"""Raw ticks that are not well formed, each with the place at which it must be refused."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tests.raw_ticks import STATE, quote

ID_LIMIT = 2**53
HUGE = 10**400  # an integer beyond the largest float


class Fault(NamedTuple):
    """What spoils a good tick, and what the refusal must name."""

    patch: dict[str, Any]
    field: str
    value: Any
    agent: int | None = None


_NOT_INTEGERS = (None, True, 3.0, "3", math.nan, [3])
_NOT_NUMBERS = (True, "0.5", [0.5], {})
_NOT_FINITE = (math.nan, math.inf, -math.inf, HUGE)
_NOT_KEYS = (
    "01",
    "+1",
    "-1",
    " 1",
    "1 ",
    "1\n",
    "",
    "a",
    "1.0",
    "1e3",
    "\u0661",
    "0x1",
    str(ID_LIMIT),
)
_NOT_IDS = (True, False, 1.0, None, -1, -7, ID_LIMIT, 10**30)
_NOT_OBJECTS = (None, [], "", 0, [[1, 0.5]])
_NOT_PAIRS = (None, 7, "12", [], [1], [1, 2, 3], {}, {"a": 1}, {"b": 1})

FAULTS: tuple[Fault, ...] = (
    *(Fault({"t": bad}, "t", bad) for bad in (*_NOT_INTEGERS, ID_LIMIT, -ID_LIMIT)),
    *(Fault({"mid": bad}, "mid", bad) for bad in (*_NOT_NUMBERS, *_NOT_FINITE)),
    *(Fault({"s": bad}, "s", bad) for bad in ([], "", 0, True)),
    *(
        Fault({"s": STATE | {name: bad}}, f"s.{name}", bad)
        for name in STATE
        for bad in (None, *_NOT_NUMBERS, *_NOT_FINITE)
    ),
    Fault({"s": {}}, "s.price_norm", None),
    *(Fault({name: bad}, name, bad) for name in ("agents", "actions") for bad in _NOT_OBJECTS),
    *(Fault({"agents": {bad: 0.5}}, "agents", bad) for bad in (*_NOT_KEYS, *_NOT_IDS)),
    *(
        Fault({"actions": {bad: quote("buy", 1.0)}}, "actions", bad)
        for bad in (*_NOT_KEYS, *_NOT_IDS)
    ),
    Fault({"agents": {"5": 0.5, 5: 0.5}}, "agents", ["5", 5]),
    Fault({"actions": {5: quote("none", 0.0), "5": quote("none", 0.0)}}, "actions", [5, "5"]),
    *(
        Fault({"agents": {"5": bad}}, "experience", bad, agent=5)
        for bad in (*_NOT_NUMBERS, *_NOT_FINITE)
    ),
    *(Fault({"actions": {"5": bad}}, "action", bad, agent=5) for bad in _NOT_OBJECTS),
    *(
        Fault({"actions": {"5": quote(bad, 1.0)}}, "side", bad, agent=5)
        for bad in ("", "BUY", "hold", None, 1, True, ["buy"])
    ),
    Fault({"actions": {"5": {"price": 1.0}}}, "side", None, agent=5),
    Fault({"actions": {"5": {"side": "sell"}}}, "price", None, agent=5),
    *(
        Fault({"actions": {"5": quote(side, bad)}}, "price", bad, agent=5)
        for side in ("buy", "sell")
        for bad in (None, *_NOT_NUMBERS, *_NOT_FINITE)
    ),
    *(Fault({"matches": bad}, "matches", bad) for bad in (None, {}, "", 0, "12")),
    *(Fault({"matches": [[5, -1], bad]}, "matches[1]", bad) for bad in _NOT_PAIRS),
    *(Fault({"matches": [[bad, 9]]}, "matches[0]", [bad, 9]) for bad in _NOT_IDS),
    *(
        Fault({"matches": [{"a": 9, "b": bad}]}, "matches[0]", {"a": 9, "b": bad})
        for bad in (True, False, 1.0, -1.0, None, "5", -2, ID_LIMIT, 10**30)
    ),
    Fault({"matches": [[5, 5]]}, "matches[0]", [5, 5], agent=5),
    Fault({"matches": [{"a": 0, "b": 0}]}, "matches[0]", {"a": 0, "b": 0}, agent=0),
)
"""Every patch replaces whole sections of a well-formed tick.

`value` is what stands at the place: the whole section where it repeats an agent, the whole match
where one of its two sides is at fault.
"""
