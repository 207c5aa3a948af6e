"""The worker's end: calls the function, and brings home what it returns or what went wrong.

Errors travel as text: an exception of ours may not survive pickling, and one of theirs may be of a
module that is not here.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from marketcam.engine import MarketCameraError
from marketcam.engine.crew import at_most
from marketcam.server.cluster.versions import differences, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Answer", "Call", "called_aside"]

P = TypeVar("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """What came of a piece.

    Attributes:
        value: what the function returned; None where it raised.
        problem: what it raised, in a line; None where it returned.
        trace: where it was raised, for who looks for the fault.
        is_lost: whether it was never answered.
    """

    value: R | None = None
    problem: str | None = None
    trace: str = ""
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Call(Generic[P, R]):
    """A function as the workers call it.

    Attributes:
        function: of one piece.
        threads: that share work on many agents at most.
        versions: those of the asking process.
    """

    function: Callable[[P], R]
    threads: int
    versions: Mapping[str, str]

    def __call__(self, piece: P) -> Answer[R]:
        """Call it; whatever it raises is part of the answer."""
        # Asked for each piece: a worker may have come since the cluster was opened.
        if unlike := differences(self.versions, versions()):
            return Answer(problem=f"a worker is not like this process: {unlike}")
        try:
            with at_most(self.threads):
                return Answer(self.function(piece))
        except MarketCameraError as error:
            return Answer(problem=str(error), trace=traceback.format_exc())
        except Exception as error:  # noqa: BLE001 - told where the piece was handed out
            problem = f"unexpected {type(error).__name__}: {error}"
            return Answer(problem=problem, trace=traceback.format_exc())


async def called_aside(function: Callable[[], R]) -> R:
    """Call a function in a thread: what takes long must not keep a worker from being heard of."""
    return await asyncio.to_thread(function)
