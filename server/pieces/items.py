"""Raw ticks as they are sent to where they are filmed: looked at, where they need not be parsed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from marketcam.engine import Tick
from marketcam.io.sources import LineSource, Measured, Numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.io.sources import Source

__all__ = ["Item", "Items", "glimpse"]

_BEGINNING: Final = re.compile(rb'\{"t":(-?[0-9]{1,16}),"mid":(null|-?[0-9]+(?:\.[0-9]+)?),')
"""How the lines begin that we write."""


@dataclass(slots=True, eq=False)
class Item:
    """A raw tick that somebody else films.

    Attributes:
        data: a line of JSON, or a tick of what is no text.
        number: where it stands in its source, 0 where that has no numbers.
        t: its tick number, as far as a glimpse tells; None: there is none.
        mid: its mid, likewise.
        taken: whether a camera takes it in; a guess until one has been asked.
    """

    data: bytes | Tick
    number: int
    t: int | None
    mid: float | None
    taken: bool = False

    @property
    def size(self) -> int:
        """Bytes, about."""
        if isinstance(self.data, bytes):
            return len(self.data)
        return sum(column.nbytes for column in self.data.columns)


def glimpse(line: bytes) -> tuple[int | None, float | None]:
    """Return what stands in a line for `t` and `mid`, without asking whether it is well formed.

    Cost: that of a line's beginning where it is as we write it, else that of its JSON.
    """
    found = _BEGINNING.match(line)
    if found is not None:
        return int(found[1]), None if found[2] == b"null" else float(found[2])
    raw = _loaded(line)
    if not isinstance(raw, dict):
        return None, None
    t = raw.get("t")
    return t if type(t) is int else None, _as_float(raw.get("mid"))


def _loaded(line: bytes) -> Any:
    for loads in (orjson.loads, json.loads):  # the latter takes larger numbers
        try:
            return loads(line)
        except (ValueError, RecursionError):
            continue
    return None


def _as_float(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


class Items:
    """The ticks of a source, as items: its lines where it has such, so that others parse them.

    Attributes:
        name: of the source.
        unit: what its places are, such as ``"line"``; empty where they have no numbers.
    """

    def __init__(self, source: Source, most: int | None = None) -> None:
        self.name = source.name
        self.unit: str = source.unit if isinstance(source, Numbered) else ""
        self._source = source
        self._most = most
        self._taken = 0
        self._first: list[Item] = []
        self._items = self._of_lines(source) if isinstance(source, LineSource) else self._of_ticks()

    @property
    def share(self) -> float | None:
        """How much has been read, 0 to 1; None where nobody knows."""
        if self._most is not None:
            return self._taken / self._most
        return self._source.share if isinstance(self._source, Measured) else None

    def first(self) -> Tick | None:
        """Return the first well-formed tick, which is still among those to come; None without any.

        Raises:
            As the source has it. Bad lines before it are told as the source tells them.
        """
        for item in self._items:
            tick = item.data if isinstance(item.data, Tick) else self._tick_of(item.data)
            if tick is not None:
                self._first = [item]
                return tick
        return None

    def __iter__(self) -> Iterator[Item]:
        """Yield the items, once.

        Raises:
            As the source has it.
        """
        return chain(self._first, self._items)

    def close(self) -> None:
        """Release the source."""
        self._source.close()

    def _tick_of(self, line: bytes) -> Tick | None:
        assert isinstance(self._source, LineSource)  # noqa: S101 - only they have lines
        return self._source.tick_of(line)

    def _of_lines(self, source: LineSource) -> Iterator[Item]:
        for line in source.lines():
            t, mid = glimpse(line)
            yield Item(line, source.number, t, mid)

    def _of_ticks(self) -> Iterator[Item]:
        for tick in islice(self._source, self._most):
            self._taken += 1
            number = self._source.number if isinstance(self._source, Numbered) else 0
            yield Item(tick, number, tick.t, tick.mid)
