"""Communities followed from frame to frame, after Greene, Doyle & Cunningham (2010).

A dynamic community is known by its *front*: the members that it had when it was last seen. The
communities of a frame are matched with the fronts, the greatest overlap first; what finds no front
is born, and a front that is not found again for too long has died.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from marketcam.io.measuring.names import FOLLOWED, MEASURES, column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.io.measuring.communities import Partition
    from marketcam.io.measuring.measured import Measured
    from marketcam.io.measuring.options import MeasureOptions
    from marketcam.io.measuring.shape import Values

__all__ = ["Followed", "Follower", "Following"]


class Followed(NamedTuple):
    """A community of a frame, as the one that it is over time.

    Attributes:
        community: its id, the same for as long as it lives; 0 and up, by graph and run.
        size: how many agents it has now.
        born_t: the tick of the frame in which it was first seen.
        overlap: Jaccard's index of its members now and when it was last seen; None at its birth.
        split_from: at its birth, the community that it would have continued had another not had
            more in common with that; None where there is none.
    """

    community: int
    size: int
    born_t: int
    overlap: float | None
    split_from: int | None


@dataclass(slots=True)
class _Front:
    size: int
    born_t: int
    missed: int = 0


class _Match(NamedTuple):
    """A front, and a community of this frame by its place, that have enough in common."""

    overlap: float
    community: int
    place: int

    @property
    def rank(self) -> tuple[float, int, int]:
        """What the best sorts first by; of equal ones that of the oldest community."""
        return -self.overlap, self.community, self.place


class Follower:
    """Follows the communities of one graph through one run; takes its frames in order.

    Args:
        overlap: the least Jaccard's index of a community that is continued.
        absence: for how many frames one may be missing and still come back.
    """

    def __init__(self, overlap: float, absence: int) -> None:
        self._overlap = overlap
        self._absence = absence
        self._fronts: dict[int, _Front] = {}
        self._fronts_of: defaultdict[int, set[int]] = defaultdict(set)  # by agent
        self._members: dict[int, list[int]] = {}
        self._next = 0
        self._has_begun = False

    def follow(self, t: int, partition: Partition) -> tuple[list[Followed], Values]:
        """Take a frame's communities; return which they are, in their order, and the measures.

        Cost: a µs an agent.
        """
        members = [agents.tolist() for agents in partition]
        matches = sorted(self._matches(members), key=lambda match: match.rank)
        continued: dict[int, _Match] = {}
        taken: set[int] = set()
        for match in matches:
            if match.place not in continued and match.community not in taken:
                continued[match.place] = match
                taken.add(match.community)
        split_from = {match.place: match.community for match in reversed(matches)}
        died = self._forget(taken)
        followed = [
            self._continued(continued[place], agents)
            if place in continued
            else self._born(t, agents, split_from.get(place))
            for place, agents in enumerate(members)
        ]
        values = _values(t, followed, died, is_first=not self._has_begun)
        self._has_begun = True
        return followed, values

    def _matches(self, members: list[list[int]]) -> Iterator[_Match]:
        for place, agents in enumerate(members):
            common = Counter(front for agent in agents for front in self._fronts_of.get(agent, ()))
            for community, shared in common.items():
                union = len(agents) + self._fronts[community].size - shared
                if shared / union >= self._overlap:
                    yield _Match(shared / union, community, place)

    def _forget(self, taken: set[int]) -> int:
        """Let go of the fronts that have been missing for too long; return how many those are."""
        died = 0
        for community, front in list(self._fronts.items()):
            front.missed = 0 if community in taken else front.missed + 1
            if front.missed > self._absence:
                self._leave(community)
                del self._fronts[community]
                died += 1
        return died

    def _continued(self, match: _Match, agents: list[int]) -> Followed:
        front = self._fronts[match.community]
        self._leave(match.community)
        self._enter(match.community, agents)
        front.size = len(agents)
        return Followed(match.community, front.size, front.born_t, match.overlap, None)

    def _born(self, t: int, agents: list[int], split_from: int | None) -> Followed:
        community = self._next
        self._next += 1
        self._fronts[community] = _Front(len(agents), t)
        self._enter(community, agents)
        return Followed(community, len(agents), t, None, split_from)

    def _enter(self, community: int, agents: list[int]) -> None:
        self._members[community] = agents
        for agent in agents:
            self._fronts_of[agent].add(community)

    def _leave(self, community: int) -> None:
        for agent in self._members.pop(community):
            fronts = self._fronts_of[agent]
            fronts.remove(community)
            if not fronts:
                del self._fronts_of[agent]


def _values(t: int, followed: list[Followed], died: int, *, is_first: bool) -> Values:
    overlaps = [each.overlap for each in followed if each.overlap is not None]
    counts: Values = {
        "communities_born": len(followed) - len(overlaps),
        "communities_died": died,
        "communities_kept": len(overlaps),
        "communities_split": sum(each.split_from is not None for each in followed),
    }
    ages = [t - each.born_t for each in followed]
    return (dict.fromkeys(counts) if is_first else counts) | {
        "communities_overlap": sum(overlaps) / len(overlaps) if overlaps else None,
        "communities_age": sum(ages) / len(ages) if ages else None,
    }


class Following:
    """Follows the communities of all graphs through one run; takes its frames in order."""

    def __init__(self, options: MeasureOptions) -> None:
        names = options.graphs if options.has_communities else ()
        self._followers = {name: Follower(options.overlap, options.absence) for name in names}
        self._wanted = [each for each in options.measures if MEASURES[each].group == FOLLOWED]

    def follow(self, measured: Measured) -> tuple[Values, dict[str, list[Followed]]]:
        """Return the measures of what became of the communities, and which these are, by graph."""
        values: Values = {}
        communities: dict[str, list[Followed]] = {}
        for name, follower in self._followers.items():
            communities[name], found = follower.follow(measured.t, measured.partitions[name])
            values |= {column(name, each): found[each] for each in self._wanted}
        return values, communities
