"""The frames of a recording in batches, measured by the workers of a cluster."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from marketcam.io.extras import MissingExtraError
from marketcam.io.measuring.loading import igraph_version, load_igraph
from marketcam.io.store.decode import tick_of_line
from marketcam.server.errors import ServerError
from marketcam.server.pieces.line_pack import LinePack, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from marketcam.io.measuring.measured import Measured
    from marketcam.server.cluster import Cluster

__all__ = ["BATCH_BYTES", "BATCH_FRAMES", "MeasuredByWorkers"]

BATCH_BYTES: Final = 2**20
"""A batch ends with the frame that reaches so many bytes of JSON: 7 frames of 74 agents and 2,000
edges, 0.1 s of work."""

BATCH_FRAMES: Final = 64
"""And with so many frames at the latest: a short recording of few agents is shared out as well."""


class MeasuredByWorkers:
    """Measures frames wherever there are workers: a `Spread`, as `measured_frames` has it.

    Args:
        cluster: does it; all workers must have the igraph that is here, which communities depend
            on.
        batch_bytes: how much JSON makes a batch.
        are_ours: whether its processes are there for this alone: they need not draw with igraph.

    Raises:
        ServerError: a worker has no igraph, or another; names it.
        MissingExtraError: there is none here.
    """

    def __init__(
        self, cluster: Cluster, batch_bytes: int = BATCH_BYTES, *, are_ours: bool = False
    ) -> None:
        self._cluster = cluster
        self._batch_bytes = batch_bytes
        self._are_ours = are_ours
        self._igraph = igraph_version()
        for worker, theirs in cluster.everywhere(partial(_igraph_here, are_ours)).items():
            _check_igraph(f"worker {worker}", theirs, self._igraph)

    def __call__(
        self, function: Callable[[bytes], Measured], lines: Iterable[bytes]
    ) -> Generator[Measured]:
        """Yield what the function makes of each line, in order.

        Raises:
            ClusterError: as `Cluster.spread`; what the function raises is a PieceError.
        """
        measure = _MeasureBatch(function, self._igraph, self._are_ours)
        batches = _batches(lines, self._batch_bytes)
        with closing(self._cluster.spread(measure, batches)) as results:
            for _, measured in results:
                yield from measured


@dataclass(frozen=True, slots=True)
class _Batch:
    """Frames on their way to a worker; named by their ticks."""

    first_t: int | None
    last_t: int | None
    pack: bytes

    def __str__(self) -> str:
        return f"frames {self.first_t} to {self.last_t}"


@dataclass(frozen=True, slots=True)
class _MeasureBatch:
    """What a worker does with a batch."""

    measure: Callable[[bytes], Measured]
    igraph: str
    are_ours: bool

    def __call__(self, batch: _Batch) -> list[Measured]:
        # Asked for each batch: a worker may have come since the others were asked.
        _check_igraph("a worker", _igraph_here(self.are_ours), self.igraph)
        return [self.measure(line) for _, line, _ in unpacked(batch.pack)]


def _batches(lines: Iterable[bytes], batch_bytes: int) -> Iterator[_Batch]:
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= batch_bytes or len(waiting) == BATCH_FRAMES:
            yield _batch(waiting)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting)


def _batch(lines: list[bytes]) -> _Batch:
    pack = LinePack()
    ticks = [tick_of_line(line) for line in lines]
    for line, t in zip(lines, ticks, strict=True):
        pack.add("frames", line, t or 0)  # a line without one is refused where it is measured
    return _Batch(ticks[0], ticks[-1], pack.packed())


def _igraph_here(is_ours: bool) -> str | None:
    """Return the version of this process's igraph; None without one."""
    try:
        return load_igraph() if is_ours else igraph_version()
    except MissingExtraError:
        return None


def _check_igraph(who: str, theirs: str | None, ours: str) -> None:
    if theirs is None:
        raise ServerError(f"{who} has no igraph: pip install 'marketcam[measures]' there")
    if theirs != ours:
        raise ServerError(f"{who} is not like this process: igraph {theirs}, here {ours}")
