"""A recording measured: its frames one by one, then their communities from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from marketcam.io.history import runs_asked_for
from marketcam.io.measuring.following import Following
from marketcam.io.measuring.measured import Measured, measure_line
from marketcam.io.parquet_folder import ExportError
from marketcam.io.recorded_parts import elsewhere, parts_of
from marketcam.io.store.asked import check_asked

if TYPE_CHECKING:
    from marketcam.io.history import History
    from marketcam.io.measuring.communities import Partition
    from marketcam.io.measuring.following import Followed
    from marketcam.io.measuring.options import MeasureOptions
    from marketcam.io.recorded_parts import Part

__all__ = [
    "Asked",
    "MeasuredFrame",
    "OnProgress",
    "Spread",
    "measured_frames",
    "measured_recording",
    "parts_to_measure",
    "row_line",
    "row_lines",
]

Spread = Callable[[Callable[[bytes], Measured], Iterable[bytes]], Iterable[Measured]]
"""Calls a function for each line and returns the results in order, as `map` does."""

OnProgress = Callable[[str, int, int], object]
"""Is called with "frames", and how many of how many ticks are done; after each frame."""


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
        check_asked(self.from_t, self.to_t, self.every)


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

    Cost: 16 ms a frame of 74 nodes and 2000 edges; what is left for this process of a frame that
    was measured elsewhere is to read its line and to follow its communities, 0.5 ms.
    """
    for run in runs_asked_for(history, asked.run):
        lines = history.lines("frames", asked.from_t, asked.to_t, run=run, every=asked.every)
        with closing(lines):
            yield from _of_run(run, lines, options, spread)


def measured_recording(
    history: History,
    asked: Asked,
    options: MeasureOptions,
    spread: Spread,
    on_progress: OnProgress,
) -> Generator[MeasuredFrame]:
    """Return what `measured_frames` yields of the runs that have frames by now; tell how far it is.

    Arguments and errors are those of `measured_frames`.

    Raises:
        ExportError: there are no frames; at once, as is what is wrong with the run.
    """
    parts = parts_to_measure(history, asked)

    def measured(run: str) -> Generator[MeasuredFrame]:
        return measured_frames(history, replace(asked, run=run), options, spread)

    return _told(parts, measured, on_progress)


def parts_to_measure(history: History, asked: Asked) -> list[Part]:
    """Return which frames there are, run by run. Cost: as `History.segments`.

    Raises:
        ExportError: there are none in these runs, whatever their ticks.
        StoreError: as `History.segments`.
    """
    runs = runs_asked_for(history, asked.run)
    parts = parts_of(history, ("frames",), runs)
    if not parts:
        raise ExportError(f"there are no frames to measure{elsewhere(history, runs, ['frames'])}")
    return [part.within(asked.from_t, asked.to_t) for part in parts]


def _told(
    parts: list[Part],
    measured: Callable[[str], Generator[MeasuredFrame]],
    on_progress: OnProgress,
) -> Generator[MeasuredFrame]:
    """Yield the frames of these runs, and no others: one may have got its first meanwhile."""
    done_with = list(accumulate(part.ticks for part in parts))
    for part, up_to in zip(parts, done_with, strict=True):
        with closing(measured(part.run)) as frames:
            for frame in frames:
                yield frame
                left = part.last_t - min(frame.row["t"], part.last_t)
                on_progress("frames", up_to - left, done_with[-1])


def row_line(frame: MeasuredFrame) -> bytes:
    """Return a JSON object, without a line end; null where a measure is not defined."""
    return orjson.dumps(frame.row | {"run": frame.run})


def row_lines(
    history: History, asked: Asked, options: MeasureOptions, spread: Spread = map
) -> Generator[bytes]:
    """Yield the `row_line` of each frame.

    Arguments and errors are those of `measured_frames`.
    """
    with closing(measured_frames(history, asked, options, spread)) as frames:
        for frame in frames:
            yield row_line(frame)


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
            in_order = {name: values[name] for name in options.columns}
            row = measured._replace(values=in_order).row()
            yield MeasuredFrame(run, row, measured.partitions, followed)
