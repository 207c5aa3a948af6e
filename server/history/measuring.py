"""Measures of the recording, computed by a process of its own.

igraph holds the interpreter while it computes, for as long as a large frame takes: in this process
the stream would wait for it. So `marketcam measures` runs beside it, yields to it at the processor,
and has only what fits into a pipe ahead of whoever reads. It is gone when they are.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Final

from marketcam.io.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

__all__ = ["MeasuringError", "can_measure", "measuring_lines"]

_COMMAND: Final = [sys.executable, "-P", "-m", "marketcam.server.cli", "measures"]
_NICENESS: Final = 10
_WAIT_MS: Final = 100
"""How long nothing may come before it is looked whether anybody still waits for it."""

_CHUNK_BYTES: Final = 65_536
_SAID_BYTES: Final = 1000


class MeasuringError(StoreError):
    """The recording could not be measured; says what the process said."""


def can_measure() -> bool:
    """Return whether what it takes is installed."""
    return find_spec("igraph") is not None


def measuring_lines(arguments: Sequence[str]) -> Generator[tuple[bytes, int] | None]:
    """Yield the lines that ``marketcam measures`` prints, with their sizes, None while none come.

    The process is killed when the iterator is closed.

    Raises:
        MeasuringError: it failed, after these lines.
        OSError: it cannot be started.
    """
    with tempfile.TemporaryFile() as said, _started(arguments, said) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - asked for
            yield from _lines(process.stdout.fileno())
            if process.wait():
                raise MeasuringError(_last_words(said, process.returncode))
        finally:
            process.kill()


def _started(arguments: Sequence[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - our own command, with options that were checked
        [*_COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
    )
    with suppress(OSError):  # it may be over already
        os.setpriority(os.PRIO_PROCESS, process.pid, os.nice(0) + _NICENESS)
    return process


def _lines(pipe: int) -> Iterator[tuple[bytes, int] | None]:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    rest = b""
    while True:
        if not poll.poll(_WAIT_MS):
            yield None
            continue
        data = os.read(pipe, _CHUNK_BYTES)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line, len(line) + 1


def _last_words(said: IO[bytes], code: int) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - _SAID_BYTES))
    words = said.read().decode(errors="replace").strip().rpartition("\n")[2]
    return words.removeprefix("marketcam: ") or f"its process has ended with {code}"
