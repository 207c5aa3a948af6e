"""What has become of a producer's ticks: counted in the order sent, told once all before is known.

Ticks are read ahead of the camera, by another thread. So one that cannot even be read is known to
be bad before the ticks in front of it are taken in; it is told after them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["MOST_REFUSALS", "Ledger", "Refusal", "Tally"]

MOST_REFUSALS: Final = 1000
"""Refusals that wait to be told to a producer at most; of more than these only the number is."""


class Refusal(NamedTuple):
    """A tick that was refused.

    Attributes:
        tick: its place among those of the connection, from 1.
        t: its number, None where that could not be read.
        error: what is wrong with it.
    """

    tick: int
    t: int | None
    error: str


@dataclass(slots=True, eq=False)
class Tally:
    """The ticks of one connection.

    Attributes:
        source: who sends them.
        given: how many were found in its messages.
        dealt: how many of these, from the first on, were taken in or refused.
        refused: how many of the latter were refused.
        refusals: those not told yet.
        broken: why its messages can no longer be counted; None while they can.
    """

    source: str
    given: int = 0
    dealt: int = 0
    refused: int = 0
    refusals: deque[Refusal] = field(default_factory=deque)
    broken: str | None = None


@dataclass(slots=True)
class _Unread:
    """Ticks of a connection, one after the other, that never get to the camera.

    There may be very many behind one that the camera takes long for.
    """

    tally: Tally
    count: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, refusal: Refusal) -> None:
        self.count += 1
        if len(self.refusals) < MOST_REFUSALS:
            self.refusals.append(refusal)


class Ledger:
    """The ticks between their messages and the camera. Whoever calls holds a lock.

    Attributes:
        last_t: the last tick taken in, None before the first.
        refused: ticks refused, of all connections.
    """

    def __init__(self) -> None:
        self.last_t: int | None = None
        self.refused = 0
        self._under_way: deque[Tally | _Unread] = deque()

    @property
    def is_clear(self) -> bool:
        """Whether no tick is under way."""
        return not self._under_way

    def send(self, tally: Tally) -> None:
        """Note that the next tick of a connection is on its way to the camera."""
        tally.given += 1
        self._under_way.append(tally)

    def refuse_unread(self, tally: Tally, t: int | None, error: str) -> None:
        """Note that the next tick of a connection never gets to the camera."""
        tally.given += 1
        last = self._under_way[-1] if self._under_way else None
        if not isinstance(last, _Unread) or last.tally is not tally:
            last = _Unread(tally)
            self._under_way.append(last)
        last.add(Refusal(tally.given, t, error))
        self._settle_unread()

    def settle_taken(self, t: int) -> None:
        """Note that the camera has taken in the first of those under way."""
        self._first().dealt += 1
        self.last_t = t
        self._settle_unread()

    def settle_refused(self, t: int | None, error: str) -> None:
        """Note that the camera has refused the first of those under way."""
        tally = self._first()
        self._refuse(tally, 1, [Refusal(tally.dealt + 1, t, error)])
        self._settle_unread()

    def _first(self) -> Tally:
        """Take out the first of those under way to the camera; whose it is."""
        first = self._under_way.popleft()
        return first.tally if isinstance(first, _Unread) else first

    def _settle_unread(self) -> None:
        while self._under_way and isinstance(unread := self._under_way[0], _Unread):
            self._under_way.popleft()
            self._refuse(unread.tally, unread.count, unread.refusals)

    def _refuse(self, tally: Tally, count: int, refusals: list[Refusal]) -> None:
        tally.dealt += count
        tally.refused += count
        self.refused += count
        tally.refusals.extend(refusals[: MOST_REFUSALS - len(tally.refusals)])
