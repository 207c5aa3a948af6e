"""What to measure, and how far to go for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from marketcam.engine import LimitError
from marketcam.io.measuring.names import FOLLOWED, GRAPHS, MEASURES, column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marketcam.io.measuring.names import Measure

__all__ = ["MeasureOptions"]

_MOST: Final = 2**53 - 1
_MOST_OF: Final = {"absence": 10_000}
"""Every community that is missing is kept for so many frames."""


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What to measure; a value, so that it can go to other processes with the frames.

    Attributes:
        graphs: of which graphs: `match`, `quote_proximity`, `both`.
        names: which measures; None: all.
        resolution: of the communities: more than 1 looks for smaller ones, less for larger ones.
        seed: of the search for communities.
        overlap: how much of two communities, as Jaccard's index, has to be the same for the later
            to be the earlier one continued.
        absence: for how many frames a community may be missing before it has died, 10,000 at most.
        betweenness_steps: a graph that takes more steps (agents times edges, over its components)
            has no betweenness; 25 ns each.
        communities: find communities even where no measure needs them.

    Raises:
        LimitError: a value that cannot be; names the field, the value and the limit.
    """

    graphs: tuple[str, ...] = GRAPHS
    names: tuple[str, ...] | None = None
    resolution: float = 1.0
    seed: int = 0
    overlap: float = 0.3
    absence: int = 0
    betweenness_steps: int = 10_000_000
    communities: bool = False

    def __post_init__(self) -> None:
        _check_names("graphs", self.graphs, GRAPHS)
        if self.names is not None:
            _check_names("names", self.names, tuple(MEASURES))
        if not 0.0 < self.resolution < math.inf:
            raise LimitError(f"resolution must be a number above 0, got {self.resolution!r}")
        if not 0.0 < self.overlap <= 1.0:
            raise LimitError(f"overlap must be above 0 and at most 1, got {self.overlap!r}")
        for field in fields(self):
            value, most = getattr(self, field.name), _MOST_OF.get(field.name, _MOST)
            if field.type == "int" and not (type(value) is int and 0 <= value <= most):
                raise LimitError(f"{field.name} must be an integer, 0 to {most}, got {value!r}")

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of the measures, in the order of their columns."""
        return tuple(name for name in MEASURES if self.names is None or name in self.names)

    @property
    def columns(self) -> dict[str, Measure]:
        """The columns of the measures of all graphs, in order, each with its measure."""
        return {
            column(graph, name): MEASURES[name] for graph in self.graphs for name in self.measures
        }

    @property
    def groups(self) -> tuple[str, ...]:
        """What has to be computed for them, in order."""
        return tuple(dict.fromkeys(MEASURES[name].group for name in self.measures))

    @property
    def has_communities(self) -> bool:
        """Whether communities have to be found."""
        return self.communities or not {"communities", FOLLOWED}.isdisjoint(self.groups)

    def for_tables(self, tables: Sequence[str]) -> MeasureOptions:
        """Return these options with communities, where one of the tables is made of them."""
        return self if {*tables} <= {"measures"} else replace(self, communities=True)


def _check_names(field: str, asked: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        got = repr(unknown[0])[:120] if unknown else "none"
        raise LimitError(f"{field} must be some of {', '.join(known)}, got {got}")
