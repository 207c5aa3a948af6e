"""Which stretches of which runs there are to read of a kind: for those that read it all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from marketcam.io.store.errors import UnknownSegmentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from marketcam.io.history import History

__all__ = ["Part", "elsewhere", "part_of", "parts_of"]


class Part(NamedTuple):
    """One kind of lines of one run, and from which tick to which it goes."""

    run: str
    kind: str
    first_t: int
    last_t: int

    @property
    def ticks(self) -> int:
        """How many ticks it covers; 0 where nothing is left of it."""
        return self.last_t - self.first_t + 1

    def within(self, from_t: int | None, to_t: int | None) -> Part:
        """Return what of it lies between two ticks, both included; None: as far as it goes."""
        first = self.first_t if from_t is None else max(self.first_t, from_t)
        last = self.last_t if to_t is None else min(self.last_t, to_t)
        return self._replace(first_t=first, last_t=max(last, first - 1))


def parts_of(history: History, kinds: Iterable[str], runs: list[str]) -> list[Part]:
    """Return what there is of these kinds in these runs, kind by kind."""
    return [
        part for kind in kinds for run in runs if (part := part_of(history, run, kind)) is not None
    ]


def part_of(history: History, run: str, kind: str) -> Part | None:
    """Return what there is of a kind in a run that is known; None without any."""
    try:
        entries = history.segments(kind, run)
    except UnknownSegmentError:
        return None  # the runs are known: it is the kind that was not recorded
    if not entries:
        return None
    return Part(run, kind, min(e.start_t for e in entries), max(e.end_t for e in entries))


def elsewhere(history: History, runs: list[str], kinds: list[str]) -> str:
    """Say in which runs these kinds are not, and which is the latest that has them, if one has."""
    where = f" in run {runs[0]}" if len(runs) == 1 else " in any run"
    for run in reversed(history.runs()):
        if run.id not in runs and all(part_of(history, run.id, kind) for kind in kinds):
            return f"{where}; run {run.id} has them"
    return where
