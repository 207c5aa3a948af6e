"""What an edge knows of what it has had, and so of what it has not: without sockets or clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.server.stream.messages import KINDS, Gap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketcam.server.edges.envelope import Head
    from marketcam.server.stream.messages import Kind

__all__ = ["DOUBLE", "Continuity", "Step"]


class Step(NamedTuple):
    """What a message that came is to the ones before it.

    Attributes:
        is_new: whether it has not come before.
        gap: what is missing right before it, of its kind.
    """

    is_new: bool
    gap: Gap | None = None


DOUBLE: Final = Step(is_new=False)


class Continuity:
    """Follows the messages of one run, kind by kind.

    A message names the one of its kind before it. Has that one come, nothing is missing; has it
    not, all after the last that came, up to that one, is. A message that is not beyond the last
    of its kind has come before: what a camera sends again, since it did not hear that it
    arrived, is stored twice.

    Attributes:
        last: tick of the last message that came, by kind; None before the first.
    """

    def __init__(self, steps: Mapping[Kind, int], last: Mapping[Kind, int | None]) -> None:
        """Begin after the messages of `last`; `steps` are the ticks from one to the next."""
        self.last = {kind: last.get(kind) for kind in KINDS}
        self._steps = steps

    def follow(self, head: Head) -> Step:
        """Take in that a message has come, whole; return what it is to the ones before it."""
        last = self.last[head.kind]
        if last is not None and head.t <= last:
            return DOUBLE
        self.last[head.kind] = head.t
        if head.prev is None or head.prev == last:
            return Step(is_new=True)
        return Step(is_new=True, gap=self._gap(head, head.prev, last))

    def note_sent(self, kind: Kind, t: int | None) -> Gap | None:
        """Take in that a kind was sent up to a tick, all that has come of it before this word.

        Returns:
            What of it has not come.
        """
        last = self.last[kind]
        if t is None or (last is not None and t <= last):
            return None
        self.last[kind] = t
        return Gap(kind, t if last is None else self._after(kind, last), t, "upstream")

    def _gap(self, head: Head, prev: int, last: int | None) -> Gap | None:
        """Return what lies between two messages, the latter of which names the one before it."""
        if last is None:
            from_t = prev if head.missing_from is None else min(head.missing_from, prev)
        else:
            from_t = self._after(head.kind, last)
        if from_t > prev:  # the camera went back, and on from there
            return None
        return Gap(head.kind, from_t, prev, "upstream")

    def _after(self, kind: Kind, t: int) -> int:
        """Return the first tick after another that can have a message of a kind."""
        step = self._steps[kind]
        return (t // step + 1) * step
