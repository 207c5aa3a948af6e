"""What can be done with a cluster, and the least of them: this process alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

__all__ = ["Cluster", "Here"]

P = TypeVar("P")
R = TypeVar("R")


class Cluster(Protocol):
    """Does the pieces of some work."""

    def spread(
        self, function: Callable[[P], R], pieces: Iterable[P], *, in_order: bool = True
    ) -> Generator[tuple[P, R]]:
        """Call a function with every piece; yield each piece with its result.

        Closing the generator, or leaving its loop by an exception, gives up what is under way.

        Args:
            function: pure, of one piece; see the package for what it may be.
            pieces: are asked for one at a time, as there is room, and never ahead of what
                `most_under_way` allows. Their `str` names them in errors.
            in_order: whether results come in the order of the pieces, or as they are done.

        Raises:
            PieceError: in the place of a result: the function raised, its text being the error's;
                or the piece's workers died, one after the other.
            ClusterError: the scheduler or all workers are lost, or a worker is of another version.
            Exception: what `pieces` raises, as it is.

        Memory: the pieces and results under way, results beyond the next being with the workers.
        """

    def everywhere(self, function: Callable[[], R]) -> dict[str, R]:
        """Call a function once with every worker there is now; return what they say, by worker.

        Raises:
            ClusterError: the function raised somewhere, or the scheduler is lost.
        """

    def stop(self) -> None:
        """End every `spread`, soon, as if there were no more pieces; from any thread, for good."""


class Here:
    """Does the pieces in this process, one after the other; errors are those of the function."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def spread(
        self, function: Callable[[P], R], pieces: Iterable[P], *, in_order: bool = True
    ) -> Generator[tuple[P, R]]:
        """As `Cluster` has it, but for the errors, which need not travel."""
        del in_order  # they are never otherwise
        for piece in pieces:
            if self._stopped.is_set():
                return
            yield piece, function(piece)

    def everywhere(self, function: Callable[[], R]) -> dict[str, R]:
        """Call it here."""
        return {"here": function()}

    def stop(self) -> None:
        """End every `spread` after the piece in hand."""
        self._stopped.set()
