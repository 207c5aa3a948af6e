"""What of a run is not recorded: counted as it is lost, declared once it is known for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from marketcam.io.store.runs import Hole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from marketcam.io.store.entry import SegmentEntry

__all__ = ["LeftSegment", "LossLedger", "Lost"]


class Lost(NamedTuple):
    """Lines of a kind, one after the other, that are not recorded.

    Attributes:
        kind: their kind.
        lines: how many.
        first_t: tick number of the first.
        last_t: tick number of the last.
        reason: why; empty where that is for the recorder to say.
    """

    kind: str
    lines: int
    first_t: int
    last_t: int
    reason: str = ""

    def with_another(self, other: Lost) -> Lost:
        """Return these lines and some others of the same kind."""
        return self._replace(
            lines=self.lines + other.lines,
            first_t=min(self.first_t, other.first_t),
            last_t=max(self.last_t, other.last_t),
        )


class LeftSegment(NamedTuple):
    """A pending segment that its writer had to let go of; what it holds is for recovery to say.

    Attributes:
        path: what the manifest calls it once it is recovered.
        taken: the lines it was given.
        flushed: how many of them it surely holds.
    """

    path: str
    taken: Lost
    flushed: int


@dataclass(slots=True)
class _Kind:
    """Of one kind: what is recorded, and what is lost since and not yet declared."""

    recorded_t: int | None = None
    kept: Lost | None = None  # what was in segments when it was last compared with them
    lost: Lost | None = None


class LossLedger:
    """Keeps count of the lines of a run that are not recorded. For the recorder's thread.

    Attributes:
        has_undeclared: whether there are any that no hole has declared.
        reason: why recording stopped the last time.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        self.has_undeclared = False
        self.reason = ""
        self._kinds = {kind: _Kind() for kind in kinds}
        self._left: list[LeftSegment] = []
        self._dropped = 0

    @property
    def lines_dropped(self) -> int:
        """Lines lost on their way, those included that a recovery may still find."""
        left = list(self._left)  # asked for from any thread
        return self._dropped + sum(one.taken.lines - one.flushed for one in left)

    def drop(self, lost: Lost) -> None:
        """Take in lines that were lost on their way to a segment, or in it."""
        self._dropped += lost.lines
        self.lose(lost)

    def lose(self, lost: Lost) -> None:
        """Take in lines that were lost before, in the queue, where they are counted."""
        kind = self._kinds[lost.kind]
        kind.lost = lost if kind.lost is None else kind.lost.with_another(lost)
        self.has_undeclared = True

    def recorded(self, kind: str, t: int | None) -> None:
        """Note the last tick of a kind that is recorded; None changes nothing."""
        if t is not None:
            self._kinds[kind].recorded_t = t

    def leave(self, left: LeftSegment) -> None:
        """Keep in mind a segment that was let go of, until `settle`."""
        self._left.append(left)

    def settle(self, entry_of: Callable[[str], SegmentEntry | None]) -> None:
        """Count what recovery did not find of the segments that were let go of.

        `entry_of` gives the manifest's entry of a path, None where there is none.
        """
        for left in self._left:
            entry = entry_of(left.path)
            if entry is None:
                self.drop(left.taken)
                continue
            self.recorded(left.taken.kind, entry.end_t)
            missing = left.taken.lines - entry.lines
            if missing > 0:
                first_t = min(entry.end_t + 1, left.taken.last_t)
                self.drop(left.taken._replace(lines=missing, first_t=first_t))
        self._left.clear()

    def keep(self, kept: Lost) -> None:
        """Note lines that are in closed segments since the last `compare`."""
        state = self._kinds[kept.kind]
        state.kept = kept if state.kept is None else state.kept.with_another(kept)
        self.recorded(kept.kind, kept.last_t)

    def compare(self, kind: str, segments: Sequence[SegmentEntry]) -> None:
        """Take in which segments there are of a run's kind, be it that they were removed since.

        Where none is left in the manifest of those that there were, all that they held is lost:
        somebody has removed the store, or the kind's folder. To be told after `settle`.
        """
        state = self._kinds[kind]
        if segments:
            last_t = max(entry.end_t for entry in segments)
            first_t = min(entry.start_t for entry in segments)
            lines = sum(entry.lines for entry in segments if not entry.removed)
            self.recorded(kind, last_t)
            state.kept = Lost(kind, lines, first_t, last_t)
        elif state.kept is not None:
            self.drop(state.kept)
            state.kept = state.recorded_t = None

    def hole(self, kind: str, to_t: int | None = None) -> Hole | None:
        """Return what is undeclared of a kind as a hole, None without any; it stays undeclared.

        `to_t`: the last tick before the next line that is recorded; None where none is.
        """
        state = self._kinds[kind]
        if state.lost is None:
            return None
        from_t = state.lost.first_t if state.recorded_t is None else state.recorded_t + 1
        last_t = state.lost.last_t if to_t is None else to_t
        return Hole(
            kind, from_t, max(from_t, last_t), state.lost.lines, state.lost.reason or self.reason
        )

    def declared(self, kind: str) -> None:
        """Note that the hole of a kind is in the journal."""
        self._kinds[kind].lost = None
        self.has_undeclared = any(state.lost is not None for state in self._kinds.values())
