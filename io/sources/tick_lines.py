"""Raw ticks as JSON lines: from a file, compressed or not, a named pipe or standard input."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from marketcam.engine import MarketCameraError, TickError
from marketcam.io.lines import MAX_LINE_BYTES
from marketcam.io.sources.byte_input import ByteInput
from marketcam.io.sources.errors import MalformedLineError, TickLineError
from marketcam.io.sources.line_reader import LineReader, TornEnd
from marketcam.io.sources.tick_json import parse_tick

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterator
    from typing import Self

    from marketcam.engine import Tick

__all__ = ["BadLine", "TickLines", "fail_on_bad_line", "tick_of_line"]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of a text, or a row of a table, that holds no well-formed tick.

    Attributes:
        source: name of the source.
        number: the line's number, from 1; blank lines count. Of a row, the header does not.
        error: `MalformedLineError` or `TickError`.
        unit: ``"line"``, ``"row"``, or ``"tick"`` where they come over the network.
    """

    source: str
    number: int
    error: MarketCameraError
    unit: Literal["line", "row", "tick"] = "line"


def fail_on_bad_line(bad: BadLine) -> None:
    """Raise `TickLineError`: one bad line ends the reading."""
    raise TickLineError(bad.source, bad.number, bad.error, bad.unit) from bad.error


def tick_of_line(
    line: bytes, source: str, number: int, on_bad: Callable[[BadLine], None]
) -> Tick | None:
    """Return the tick of a line; None, and `on_bad` is told where it stands, if it holds none."""
    try:
        return parse_tick(line)
    except (MalformedLineError, TickError) as error:
        on_bad(BadLine(source, number, error))
        return None


def _do_nothing(_: TornEnd) -> None:
    pass


class TickLines:
    """A source of ticks: one raw tick a line, read once, as it comes.

    Blank lines are skipped. For a bad line `on_bad` is called: what it raises ends the reading,
    and when it returns the reading goes on; the missing tick is then a hole like any other. An
    input that ends inside a zstd frame, as a segment being written does, ends the ticks after
    the last whole line; `on_torn` is told and `torn_end` is set.

    Whether `t` increases is for the camera to judge.
    """

    unit: ClassVar[Literal["line"]] = "line"

    def __init__(
        self,
        source: ByteInput,
        on_bad: Callable[[BadLine], None] = fail_on_bad_line,
        on_torn: Callable[[TornEnd], None] = _do_nothing,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        self.name = f"ticks from {source.name}"
        self._source = source
        self._on_bad = on_bad
        self._on_torn = on_torn
        self._max_line_bytes = max_line_bytes
        self._lines = LineReader(source, max_line_bytes)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        on_bad: Callable[[BadLine], None] = fail_on_bad_line,
        on_torn: Callable[[TornEnd], None] = _do_nothing,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> Self:
        """Open a tick file, or standard input where `path` is ``"-"``.

        Raises:
            SourceError: it does not exist, is a directory, or may not be read.
        """
        return cls(ByteInput.open(path), on_bad, on_torn, max_line_bytes)

    @property
    def number(self) -> int:
        """The number of the line read last."""
        return self._lines.number

    @property
    def place(self) -> str:
        """The line read last."""
        return f"line {self.number}"

    @property
    def share(self) -> float | None:
        """How much of the file has been read, 0 to 1; None where it is no file."""
        return self._source.share

    @property
    def torn_end(self) -> TornEnd | None:
        """Where the input broke off, or None."""
        return self._lines.torn_end

    def __iter__(self) -> Iterator[Tick]:
        """Yield the ticks; closes when they end.

        Raises:
            SourceError: the input cannot be read on; names the last line read.
            TickLineError: a bad line, where `on_bad` is `fail_on_bad_line`.

        Cost: about 3 µs an agent; memory is bounded by the longest line.
        """
        with closing(self.lines()) as lines:
            for line in lines:
                tick = self.tick_of(line)
                if tick is not None:
                    yield tick

    def lines(self) -> Generator[bytes]:
        """Yield the lines that are not blank, in place of their ticks; closes when they end.

        Raises:
            As the iteration has it; of bad lines those that are too long only.
        """
        try:
            for line in self._lines:
                if line is None:
                    problem = f"longer than {self._max_line_bytes} bytes"
                    self._on_bad(BadLine(self.name, self.number, MalformedLineError(problem)))
                elif line.strip():
                    yield line
            if self.torn_end is not None:
                self._on_torn(self.torn_end)
        finally:
            self.close()

    def tick_of(self, line: bytes) -> Tick | None:
        """Return the tick of the line read last; None, and `on_bad` is told, where it is bad.

        Raises:
            TickLineError: as the iteration has it.
        """
        return tick_of_line(line, self.name, self.number, self._on_bad)

    def close(self) -> None:
        """End the ticks, also while another thread waits for the next; more than once is fine."""
        self._source.close()
