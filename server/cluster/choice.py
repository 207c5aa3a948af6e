"""Where work is done: here, by processes of this machine, or by the workers of a scheduler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from marketcam.engine.crew import processors
from marketcam.engine.errors import LimitError

__all__ = ["WORKERS_A_PROCESSOR", "Choice"]

WORKERS_A_PROCESSOR: Final = 4
"""Local workers at most for each processor: more of them only wait for one another."""

_ADDRESS: Final = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Choice:
    """Where work is done.

    Attributes:
        dask: address of a scheduler, ``tcp://HOST:PORT`` or ``tls://HOST:PORT``.
        workers: start so many processes on this machine.

    With neither, it is done in this process, a piece after the other.

    Raises:
        LimitError: both are given, the address is none, or there are too few workers or too many.
    """

    dask: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Raise LimitError for a choice that is none."""
        if self.dask is not None and self.workers is not None:
            raise LimitError("either --dask or --workers must be given, and not both")
        if self.dask is not None:
            _check_address(self.dask)
        most = WORKERS_A_PROCESSOR * processors()
        if self.workers is not None and not 1 <= self.workers <= most:
            raise LimitError(
                f"--workers must be 1 to {most}, {WORKERS_A_PROCESSOR} for each processor, "
                f"got {self.workers}"
            )

    @property
    def is_here(self) -> bool:
        """Whether the work is done in this process."""
        return self.dask is None and self.workers is None


def _check_address(address: str) -> None:
    found = _ADDRESS.fullmatch(address)
    if found is None or not 1 <= int(found[3]) <= 65_535:
        raise LimitError(
            f"--dask must be a scheduler's tcp://HOST:PORT or tls://HOST:PORT, got {address!r:.80}"
        )
