"""One long recording, cut into pieces that overlap by a window.

Which ticks a camera takes in depends on all before them, by way of the last tick taken in and the
last known mid. Both are guessed here from a glimpse at each tick, as if whatever has a `t` that
increases were well formed. A piece's camera finds out. Where a guess was wrong and pieces that were
handed out rest on it, they are cut anew: such recordings are filmed more slowly, never otherwise.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.engine import MarketCameraError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from marketcam.server.pieces.items import Item, Items

__all__ = ["LEAST_PIECE", "Cutter", "Lead", "Piece", "usual_piece"]

LEAST_PIECE: Final = 2_000
"""Ticks of a piece where nothing else is said, or eight windows where that is more."""

_WINDOWS_A_PIECE: Final = 8
_PIECE_BYTES: Final = 64 * 2**20
"""A piece that has a window's ticks ends here, so that few of them fit into memory."""


def usual_piece(W: int) -> int:
    """Return how many ticks a piece has where nothing is said: an eighth more are filmed twice."""
    return max(LEAST_PIECE, _WINDOWS_A_PIECE * W)


class Carried(NamedTuple):
    """What a camera knows of the ticks before those it is shown.

    Attributes:
        last_t: the last tick taken in.
        mid: the last known mid.
    """

    last_t: int | None = None
    mid: float | None = None

    def behind(self, item: Item) -> Carried:
        """Return it as it is behind a tick that was taken in."""
        return Carried(item.t, self.mid if item.mid is None else item.mid)


class Lead:
    """What a camera has to be shown and told, to go on behind some ticks as if it had seen all.

    Attributes:
        now: what is carried into the next tick.
    """

    def __init__(self, W: int) -> None:
        self.now = Carried()
        self._W = W
        self._before = Carried()
        self._window: deque[Item] = deque()

    def copy(self) -> Lead:
        """Return another like it."""
        other = Lead(self._W)
        other.now, other._before = self.now, self._before
        other._window = self._window.copy()
        return other

    def snapshot(self) -> tuple[Carried, tuple[Item, ...]]:
        """Return what to tell and what to show."""
        return self._before, tuple(self._window)

    def take(self, item: Item) -> bool:
        """Go on by a tick; return whether a camera takes it in, if it is well formed."""
        last_t, t = self.now.last_t, item.t
        if t is None or (last_t is not None and t <= last_t):
            return False
        if last_t is not None and t != last_t + 1:
            self._drop(len(self._window))  # a hole: the window begins anew
        self._window.append(item)
        self.now = self.now.behind(item)
        # What the window of the next tick has no more, or never had.
        while self._window and (its_t := self._window[0].t) is not None:
            if its_t > t + 1 - self._W:
                break
            self._drop(1)
        return True

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._before = self._before.behind(self._window.popleft())


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive ticks, and what goes before them.

    Attributes:
        carried: what a camera is told of the ticks before those of `lead`.
        lead: ticks that fill its window, and give nothing.
        own: its own ticks.
        share: how much of the recording has been read up to here, 0 to 1; None: nobody knows.
    """

    carried: Carried
    lead: tuple[Item, ...]
    own: tuple[Item, ...]
    share: float | None


class Cutter:
    """Cuts items into pieces, and cuts anew what turns out to rest on a wrong guess.

    Args:
        items: what is cut.
        W: the window, in ticks.
        stride: pieces end where a frame is due, unless strides are longer than pieces.
        ticks: how many ticks a piece has.

    Attributes:
        error: what ended the items before their end.
    """

    def __init__(self, items: Items, W: int, stride: int, ticks: int) -> None:
        self.error: MarketCameraError | None = None
        self._source = items
        self._items = iter(items)
        self._again: deque[Item] = deque()
        self._W = W
        self._stride = stride
        self._ticks = ticks
        self._handed: deque[Piece] = deque()
        self._settled = Lead(W)  # behind the pieces that are settled
        self._ahead = Lead(W)  # behind those that are handed out, by guess

    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces from where it is. An error of the items ends them, and is kept."""
        while True:
            carried, lead = self._ahead.snapshot()
            own = tuple(self._next_items())
            if not own:
                return
            piece = Piece(carried, lead, own, self._source.share)
            self._handed.append(piece)
            yield piece

    def settle(self, refused: Collection[int]) -> bool:
        """Say what became of the first piece that is not settled yet.

        Args:
            refused: which of its own ticks were not taken in, by their places from 0.

        Returns:
            Whether the pieces after it that were handed out still hold. If not, they are forgotten,
            and `pieces`, called again, yields them anew.
        """
        piece = self._handed.popleft()
        known = frozenset(refused)
        as_guessed = True
        for place, item in enumerate(piece.own):
            taken = place not in known
            as_guessed &= taken == item.taken
            item.taken = taken
            if taken:
                self._settled.take(item)
        return as_guessed or self._holds() or self._go_back()

    def _holds(self) -> bool:
        """Guess anew; return whether the pieces that were handed out rest on the same."""
        lead = self._settled.copy()
        for piece in self._handed:
            if lead.snapshot() != (piece.carried, piece.lead):
                return False
            for item in piece.own:
                item.taken = lead.take(item)
        self._ahead = lead
        return True

    def _go_back(self) -> bool:
        again = [item for piece in self._handed for item in piece.own]
        self._again.extendleft(reversed(again))
        self._handed.clear()
        self._ahead = self._settled.copy()
        return False

    def _next_items(self) -> Iterator[Item]:
        count = size = 0
        while (item := self._next_item()) is not None:
            item.taken = self._ahead.take(item)
            count += 1
            size += item.size
            yield item
            if self._is_enough(count, size) and self._ends_well(item, count):
                return

    def _is_enough(self, count: int, size: int) -> bool:
        return count >= self._ticks or (size >= _PIECE_BYTES and count >= self._W)

    def _ends_well(self, item: Item, count: int) -> bool:
        is_at_frame = item.t is not None and item.t % self._stride == 0
        return is_at_frame or count >= 2 * self._ticks

    def _next_item(self) -> Item | None:
        if self._again:
            return self._again.popleft()
        if self.error is not None:
            return None
        try:
            return next(self._items, None)
        except MarketCameraError as error:
            self.error = error
            return None
