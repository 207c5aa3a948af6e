"""A grid, measured by the workers of a cluster.

Timings that are taken at the same time on one machine disturb each other. So a machine measures one
point at a time, however many workers it has, unless it is asked for more; then the conditions
say so, which go into the journal, the report and the tables.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.server.cluster.errors import ClusterError
from marketcam.server.errors import ConfigurationError, ServerError
from marketcam.server.profiling.child import prepare_apart
from marketcam.server.profiling.conditions import MACHINE, conditions, differences, shareable
from marketcam.server.profiling.session import measured_point

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from marketcam.server.cluster import Cluster
    from marketcam.server.profiling.journal import Journal, Result
    from marketcam.server.profiling.points import Point
    from marketcam.server.profiling.session import Watcher

__all__ = ["Measuring", "conditions_of", "measure_spread", "prepare_machine"]

_TIMED: Final = "timed"


def _of_a_worker(conditions: Mapping[str, str]) -> dict[str, str]:
    """Return what each worker can say of itself."""
    return {name: value for name, value in shareable(conditions).items() if name != _TIMED}


@dataclass(frozen=True, slots=True)
class Measuring:
    """What a worker does with a point.

    Attributes:
        conditions: as `conditions_of` has them; a worker that has others refuses.
        side_by_side: whether the points of one machine are measured at once.
    """

    conditions: Mapping[str, str]
    side_by_side: bool

    def __call__(self, point: Point) -> Result:
        """Measure a point in a process of its own, when it is its turn.

        Raises:
            ServerError: this worker is not like the others.
        """
        if unlike := differences(_of_a_worker(self.conditions), shareable(conditions())):
            raise ServerError(f"a worker is not like those at the start: {'; '.join(unlike)}")
        with nullcontext() if self.side_by_side else _alone_on_this_machine():
            return measured_point(point)


def conditions_of(cluster: Cluster, *, side_by_side: bool) -> dict[str, str]:
    """Return the conditions that all workers have; of several machines one digest each.

    Raises:
        ConfigurationError: they are not alike, so that their timings could not be compared.
        ClusterError: there is no worker left.
    """
    found = cluster.everywhere(conditions)
    if not found:
        raise ClusterError("there is no worker that could tell its conditions")
    first, *others = found.items()
    for worker, theirs in others:
        if unlike := differences(shareable(first[1]), shareable(theirs)):
            raise ConfigurationError(
                f"the machines of a profile must be alike: from {first[0]} to {worker}, "
                f"{'; '.join(unlike)}"
            )
    machines = {theirs[MACHINE] for theirs in found.values()}
    common = first[1] | {MACHINE: "+".join(sorted(machines))}
    return common | ({_TIMED: "side by side"} if side_by_side else {})


def measure_spread(
    points: Sequence[Point], journal: Journal, watcher: Watcher, cluster: Cluster, how: Measuring
) -> None:
    """Do what `session.measure_all` does, by the workers of a cluster.

    Each machine compiles the kernels before its first point, whose memory is then its own. A result
    is kept as soon as it has come, in whatever order.

    Raises:
        ClusterError: the cluster is lost, or a point has killed its workers.
        OSError: the journal cannot be written.
    """
    due = [point for point in points if not journal.settles(point)]
    if due:
        watcher.preparing()
        cluster.everywhere(prepare_machine)
    with closing(cluster.spread(how, _told(due, watcher), in_order=False)) as results:
        for _, result in results:
            journal.add(result)
            watcher.measured(result)


def _told(points: Sequence[Point], watcher: Watcher) -> Iterator[Point]:
    for point in points:
        watcher.measuring(point)
        yield point


def prepare_machine() -> None:
    """Compile all kernels, one worker of a machine after the other: the first does it for all.

    Raises:
        PointError: they cannot be compiled.
    """
    with _alone_on_this_machine():
        prepare_apart()


@contextmanager
def _alone_on_this_machine() -> Iterator[None]:
    """Wait until no other point of this user is measured on this machine."""
    path = Path(tempfile.gettempdir()) / f"marketcam-profile-{os.getuid()}.lock"
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
