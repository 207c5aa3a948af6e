"""Of all that is published, what one selection is to be sent: made once for all who chose it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from marketcam.server.stream.lanes import joined
from marketcam.server.stream.messages import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from marketcam.server.stream.messages import Gap, Kind
    from marketcam.server.stream.selection import Selection

__all__ = ["Sieve"]


class Sieve:
    """Lets through what a selection wants, in order.

    The gap before a message that is not wanted waits for the next one that is; of a gap only what
    was wanted is told.
    """

    def __init__(self, selection: Selection, steps: Mapping[Kind, int]) -> None:
        """Sift for `selection`; `steps` are the ticks from one message to the next, by kind."""
        self._kinds = selection.kinds
        self._steps = {kind: selection.every * steps.get(kind, 1) for kind in selection.kinds}
        self._lets_all_through = selection.every == 1 and len(selection.kinds) > 1
        self._gaps: dict[Kind, Gap] = {}

    def sift(self, batch: Iterable[Entry]) -> list[Entry]:
        """Return what is wanted of a batch, which follows the one before."""
        if self._lets_all_through:
            return list(batch)
        return [wanted for entry in batch if (wanted := self._sift(entry)) is not None]

    def sift_kept(self, kept: Iterable[Entry]) -> list[Entry]:
        """Return what is wanted of what is kept for those who come: metrics, and the latest frame.

        That one is wanted whatever its tick is, so that there is something to be seen at once.
        """
        if self._lets_all_through:
            return list(kept)
        wanted = map(self._sift_one_kept, kept)
        return [entry for entry in wanted if entry is not None]

    def _sift_one_kept(self, entry: Entry) -> Entry | None:
        if entry.message.kind == "frame" and not entry.message.is_missing:
            return entry if "frame" in self._kinds else None
        return self._sift(entry)

    def _sift(self, entry: Entry) -> Entry | None:
        gap, message = entry
        kind = message.kind
        if kind not in self._kinds:
            return None
        step = self._steps[kind]
        gap = joined(self._gaps.pop(kind, None), None if gap is None else _wanted_of(gap, step))
        if message.is_missing:  # there may be no next one
            return None if gap is None else Entry(gap, message)
        if message.t % step == 0:
            return Entry(gap, message)
        if gap is not None:
            self._gaps[kind] = gap
        return None


def _wanted_of(gap: Gap, step: int) -> Gap | None:
    """Return the gap from the first to the last tick in it that is a multiple of a step."""
    from_t = -(-gap.from_t // step) * step
    to_t = gap.to_t // step * step
    return replace(gap, from_t=from_t, to_t=to_t) if from_t <= to_t else None
