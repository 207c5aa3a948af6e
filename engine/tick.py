"""One raw tick, as arrays: what every source hands to the camera.

Dicts become arrays here, at the border, and are checked on the way. Nothing behind this file
looks at a dict again.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from marketcam.engine.errors import TickError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeGuard

    from numpy.typing import NDArray

__all__ = ["MAX_ID", "POOL", "SIDES", "Columns", "MarketState", "Tick"]

MAX_ID: Final = 2**53 - 1
"""Largest agent id and tick number: what a JSON number carries exactly."""

POOL: Final = -1
"""The counterparty of a fill by the external pool."""

SIDES: Final = ("none", "buy", "sell")
"""Names of the side codes 0, 1 and 2."""

_SIDE_CODE: Final = {name: code for code, name in enumerate(SIDES)}
_ID_KEY: Final = re.compile(r"0|[1-9][0-9]*")
_NO_MATCHES: Final = np.empty((0, 2), dtype=np.int64)


Columns: TypeAlias = (
    "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int8], NDArray[np.float64],"
    " NDArray[np.int64]]"
)
"""Agent ids, experiences, sides, prices and matches: the arrays of a `Tick`, in its order."""


class MarketState(NamedTuple):
    """The market's own state after a tick, the `s` of a raw tick (imbalance in −1..1)."""

    price_norm: float
    volatility: float
    liquidity: float
    imbalance: float


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """One raw tick. Arrays are not copied and must not be changed afterwards.

    The constructor trusts its arguments; `from_dict` checks its own, and
    `SlidingWindowCamera.ingest_arrays` those that come as arrays.

    Attributes:
        t: tick number.
        mid: the market's mid price, or None where the tick has none of its own.
        agent_id: int64[N], each agent once, in any order.
        experience: float64[N], NaN where unknown.
        side: int8[N], 0 none, 1 buy, 2 sell.
        price: float64[N], of buys and sells finite, ignored elsewhere.
        matches: int64[M, 2], pairs of agent ids, the second `POOL` for fills by the pool.
        state: the market's state, or None; needed for the metric only.
    """

    t: int
    mid: float | None
    agent_id: NDArray[np.int64]
    experience: NDArray[np.float64]
    side: NDArray[np.int8]
    price: NDArray[np.float64]
    matches: NDArray[np.int64]
    state: MarketState | None = None

    @property
    def columns(self) -> Columns:
        """The arrays as one tuple."""
        return self.agent_id, self.experience, self.side, self.price, self.matches

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Tick:
        """Read the dict form of a raw tick (one line of a tick file).

        Raises:
            TickError: the tick is not well formed; names tick, agent, field and value.

        Cost: about 2 µs an agent; sources with many agents use arrays.
        """
        return _DictReader(raw).tick()

    def to_dict(self) -> dict[str, Any]:
        """Return the dict form, with string ids, ready for JSON.

        `from_dict` makes the same tick of it. What a tick does not hold is not made up: sizes, and
        which of `agents` and `actions` named an agent that does nothing.
        """
        ids = [str(i) for i in self.agent_id.tolist()]
        experience = self.experience.tolist()
        known = [None if e != e else e for e in experience]  # noqa: PLR0124 - NaN, without a call
        raw: dict[str, Any] = {"t": self.t, "mid": self.mid}
        if self.state is not None:
            raw["s"] = self.state._asdict()
        raw["agents"] = dict(zip(ids, known, strict=True))
        raw["actions"] = {
            i: {"side": SIDES[side], "price": price}
            for i, side, price in zip(ids, self.side.tolist(), self.price.tolist(), strict=True)
            if side
        }
        raw["matches"] = self.matches.tolist()
        return raw


class _DictReader:
    """Reads one raw dict; holds the tick number so that every refusal can name it."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.t: int | None = None
        if not hasattr(raw, "keys"):
            raise self.refusal("must be an object", field="tick", value=raw)
        self.raw = raw

    def refusal(
        self, problem: str, *, field: str, value: object, agent: int | None = None
    ) -> TickError:
        return TickError(problem, t=self.t, agent=agent, field=field, value=value)

    def tick(self) -> Tick:
        raw = self.raw
        self.t = tick_number(raw.get("t"))
        mid = raw.get("mid")
        mid = None if mid is None else self._number(mid, "mid")
        state = self._state(raw.get("s"))
        experience = self._experiences(self._section("agents"))
        quotes = self._quotes(self._section("actions"))
        matches = self._matches(raw.get("matches", ()))
        ids = list(experience)
        ids.extend(i for i in quotes if i not in experience)
        nothing = (0, math.nan)
        sides_and_prices = [quotes.get(i, nothing) for i in ids]
        return Tick(
            self.t,
            mid,
            np.array(ids, dtype=np.int64),
            np.array([experience.get(i, math.nan) for i in ids], dtype=np.float64),
            np.array([side for side, _ in sides_and_prices], dtype=np.int8),
            np.array([price for _, price in sides_and_prices], dtype=np.float64),
            matches,
            state,
        )

    def _number(self, value: object, field: str, agent: int | None = None) -> float:
        return finite_number(value, field, t=self.t, agent=agent)

    def _section(self, name: str) -> dict[int, Any]:
        section = self.raw.get(name, {})
        if not hasattr(section, "items"):
            raise self.refusal("must be an object", field=name, value=section)
        by_id = {self._key(key, name): value for key, value in section.items()}
        if len(by_id) < len(section):
            raise self.refusal("must name each agent once", field=name, value=list(section))
        return by_id

    def _key(self, key: object, section: str) -> int:
        if isinstance(key, str):
            if not _ID_KEY.fullmatch(key) or len(key) > len(str(MAX_ID)):
                raise self.refusal("must have agent ids as keys", field=section, value=key)
            key = int(key)
        return self._id(key, section)

    def _id(self, value: object, field: str) -> int:
        if not _is_integer(value):
            raise self.refusal("must hold integer agent ids", field=field, value=value)
        if not 0 <= value <= MAX_ID:
            raise self.refusal(f"must hold agent ids of 0..{MAX_ID}", field=field, value=value)
        return int(value)

    def _state(self, state: Any) -> MarketState | None:
        if state is None:
            return None
        if not hasattr(state, "keys"):
            raise self.refusal("must be an object", field="s", value=state)
        return MarketState(*(self._number(state.get(f), f"s.{f}") for f in MarketState._fields))

    def _experiences(self, agents: dict[int, Any]) -> dict[int, float]:
        return {
            agent: math.nan if value is None else self._number(value, "experience", agent)
            for agent, value in agents.items()
        }

    def _quotes(self, actions: dict[int, Any]) -> dict[int, tuple[int, float]]:
        return {agent: self._quote(agent, action) for agent, action in actions.items()}

    def _quote(self, agent: int, action: Any) -> tuple[int, float]:
        if not hasattr(action, "keys"):
            raise self.refusal("must be an object", field="action", value=action, agent=agent)
        name = action.get("side")
        side = _SIDE_CODE.get(name) if isinstance(name, str) else None
        if side is None:
            raise self.refusal(
                "must be 'buy', 'sell' or 'none'", field="side", value=name, agent=agent
            )
        if side == 0:
            return 0, math.nan
        return side, self._number(action.get("price"), "price", agent)

    def _matches(self, matches: Any) -> NDArray[np.int64]:
        if not isinstance(matches, list | tuple | np.ndarray):
            raise self.refusal("must be a list", field="matches", value=matches)
        if not len(matches):
            return _NO_MATCHES
        pairs = [self._match(i, match) for i, match in enumerate(matches)]
        return np.array(pairs, dtype=np.int64)

    def _match(self, index: int, match: Any) -> tuple[int, int]:
        field = f"matches[{index}]"
        if hasattr(match, "keys"):
            pair = match.get("a"), match.get("b")
        elif isinstance(match, list | tuple | np.ndarray) and len(match) == 2:
            pair = match[0], match[1]
        else:
            raise self.refusal("must be a pair of agent ids", field=field, value=match)
        a = self._id(pair[0], field)
        b = POOL if _is_integer(pair[1]) and pair[1] == POOL else self._id(pair[1], field)
        if a == b:
            raise self.refusal("must be of two agents", field=field, value=match, agent=a)
        return a, b


def tick_number(t: object) -> int:
    """Return a tick number as an int, or raise `TickError`."""
    if not _is_integer(t):
        raise TickError("must be an integer", field="t", value=t)
    if not -MAX_ID <= t <= MAX_ID:
        raise TickError(f"must lie within ±{MAX_ID}", field="t", value=t)
    return int(t)


def finite_number(value: object, field: str, *, t: int | None, agent: int | None = None) -> float:
    """Return a finite number as a float, or raise a `TickError` that names its place."""
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):
        raise TickError("must be a number", t=t, agent=agent, field=field, value=value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise TickError("must be finite", t=t, agent=agent, field=field, value=value)
    return number


def _is_integer(value: object) -> TypeGuard[int]:
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))
