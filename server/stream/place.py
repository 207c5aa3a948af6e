"""Where a message stands in a run: by its tick, and within a tick by its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.io.store.merging import KIND_OF_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KIND_OF_FOLDER", "RANKS", "Place", "Reach"]

RANKS: Final[Mapping[str, int]] = {kind: rank for rank, kind in enumerate(KIND_OF_MESSAGE)}
"""The kinds of message, in the order in which those of a tick are sent."""

KIND_OF_FOLDER: Final[Mapping[str, str]] = {
    folder: kind for kind, folder in KIND_OF_MESSAGE.items()
}
"""What the lines are that lie in a folder of a store."""

_LAST: Final = max(RANKS.values())


class Place(NamedTuple):
    """A place in the order in which a run's messages are sent; places compare as they follow.

    Attributes:
        t: the tick.
        rank: the kind's place within the tick.
    """

    t: int
    rank: int

    @classmethod
    def of(cls, kind: str, t: int) -> Place:
        """Return the place of a message."""
        return cls(t, RANKS[kind])

    @classmethod
    def before(cls, t: int) -> Place:
        """Return the last place before a tick."""
        return cls(t - 1, _LAST)

    @classmethod
    def end_of(cls, t: int) -> Place:
        """Return the last place of a tick."""
        return cls(t, _LAST)

    def first_t_after(self, kind: str) -> int:
        """Return the first tick whose message of a kind comes after this place."""
        return self.t + (self.rank >= RANKS[kind])

    def last_t_up_to(self, kind: str) -> int:
        """Return the last tick whose message of a kind comes up to this place."""
        return self.first_t_after(kind) - 1


class Reach(NamedTuple):
    """How far a run has come, as the viewers have been told.

    Attributes:
        place: of the last message.
        last_t: tick of the last message of each kind there was.
    """

    place: Place
    last_t: Mapping[str, int]
