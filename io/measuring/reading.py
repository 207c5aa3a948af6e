"""A recording measured: its frames one by one, then their communities from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from marketcam.engine import LimitError
from marketcam.io.history import runs_asked_for
from marketcam.io.measuring.following import Following
from marketcam.io.measuring.measured import Measured, measure_line

if TYPE_CHECKING:
    from marketcam.io.history import History
    from marketcam.io.measuring.communities import Partition
    from marketcam.io.measuring.following import Followed
    from marketcam.io.measuring.options import MeasureOptions

__all__ = ["Asked", "MeasuredFrame", "Spread", "measured_frames", "row_lines"]

Spread = Callable[[Callable[[bytes], Measured], Iterable[bytes]], Iterable[Measured]]
"""Calls a function for each line and returns the results in order, as `map` does."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which frames are asked for.

    Attributes:
        from_t: only those of this tick and later.
        to_t: only up to this tick, itself included.
        run: of this run only; None: of the latest; ``"all"``: run after run.
        every: only each so many-th, the first included.

    Raises:
        LimitError: a value that cannot be.
    """

    from_t: int | None = None
    to_t: int | None = None
    run: str | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if self.from_t is not None and self.to_t is not None and self.from_t > self.to_t:
            raise LimitError(f"from_t must be at most to_t ({self.to_t}), got {self.from_t}")
        if self.every < 1:
            raise LimitError(f"every must be at least 1, got {self.every}")


class MeasuredFrame(NamedTuple):
    """All that is known of a frame.

    Attributes:
        run: the run's name.
        row: `t`, `t0`, `t1`, `nodes` and the measures of all graphs.
        partitions: the communities of each graph.
        followed: which ones these are over time, in the same order.
    """

    run: str
    row: dict[str, Any]
    partitions: dict[str, Partition]
    followed: dict[str, list[Followed]]


def measured_frames(
    history: History, asked: Asked, options: MeasureOptions, spread: Spread = map
) -> Generator[MeasuredFrame]:
    """Yield the frames asked for, measured, run after run and by tick.

    Args:
        history: a store, as `open_store` gives it.
        asked: which frames.
        options: what to measure.
        spread: measures the frames; `map` does it here and now, and something like it in other
            processes: the function can be pickled, and no frame needs another. Ids of communities
            begin anew with each run. A generator is closed where this is.

    Raises:
        StoreError: as `History.lines`.
        FrameError: a line holds no frame, or one that cannot be.
        MissingExtraError: igraph is not installed.

    Cost: 15 ms a frame of 74 nodes and 2000 edges; what is left for this process of a frame that
    was measured elsewhere is to read its line and to follow its communities, 0.5 ms.
    """
    for run in runs_asked_for(history, asked.run):
        lines = history.lines("frames", asked.from_t, asked.to_t, run=run, every=asked.every)
        with closing(lines):
            yield from _of_run(run, lines, options, spread)


def row_lines(
    history: History, asked: Asked, options: MeasureOptions, spread: Spread = map
) -> Generator[bytes]:
    """Yield a JSON object a frame, without line ends; null where a measure is not defined.

    Arguments and errors are those of `measured_frames`.
    """
    with closing(measured_frames(history, asked, options, spread)) as frames:
        for frame in frames:
            yield orjson.dumps(frame.row | {"run": frame.run})


def _of_run(
    run: str, lines: Generator[bytes], options: MeasureOptions, spread: Spread
) -> Iterator[MeasuredFrame]:
    following = Following(options)
    with ExitStack() as stack:
        frames = spread(partial(measure_line, options=options), lines)
        if isinstance(frames, Generator):  # which `map` is not
            stack.enter_context(closing(frames))
        for measured in frames:
            values, followed = following.follow(measured)
            values |= measured.values
            span = {"t": measured.t, "t0": measured.t0, "t1": measured.t, "nodes": measured.nodes}
            row = span | {name: values[name] for name in options.columns}
            yield MeasuredFrame(run, row, measured.partitions, followed)
