"""How much JSON does the recorder take on one core, and does the engine feel it?

::

    python -m benchmarks.recording --agents 74 --frames 2000

`writer`: a `ZstdSegmentWriter` is given consecutive frames (`--lines` of them, over and over) or
metrics, flushed every so many lines as a live recorder flushes once a second: megabytes of JSON for
each second of processor time, all threads together, so that it is what one core takes. `recorder`:
the same through queue and thread. `engine_paced`: one camera whose frames are encoded, at the pace
that makes `--megabytes` of JSON a second, with recording and without, in turns: the ticks a second
that it reaches. `engine_unpaced`: the same as fast as it goes, where the recorder, which takes what
it can get, wants a core as well. Ratios are medians of those of neighbours, so that a machine that
changes its speed does not count.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.workloads import ArrayTick, endless_market
from marketcam.engine import MarketState, Metric, SlidingWindowCamera, Tick
from marketcam.io import encode_frame, encode_metric
from marketcam.io.store import Recorder, RecorderOptions, ZstdSegmentWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Line = tuple[bytes, int]

STRIDE = 10
METRIC = (
    b'{"type":"metric","t":%d,"s":{"price_norm":0.%06d,"volatility":0.%06d,"liquidity":0.%06d,'
    b'"imbalance":-0.%06d},"N":%d,"avg_exp":0.%06d,"matches_n":%d}'
)


def frame_lines(agents: int, count: int) -> list[Line]:
    """Return the texts of consecutive frames with their ticks."""
    camera = SlidingWindowCamera()
    lines: list[Line] = []
    for tick in endless_market(agents, seed=0, start=1):
        camera.ingest_arrays(*tick.columns())
        frame = camera.maybe_frame(tick.columns()[0])
        if frame is not None:
            lines.append((encode_frame(frame), frame.t))
        if len(lines) == count:
            break
    return lines


def metric_lines(agents: int, count: int) -> list[Line]:
    """Return texts of metrics whose figures change as a market's do: in their last digits."""
    lines: list[Line] = []
    for t in range(count):
        figures = [500_000 + (t * prime * prime) % 99_991 for prime in (101, 211, 307, 401, 503)]
        *state, experience = figures
        lines.append((METRIC % (t, *state, agents, experience, t * 7 % 23), t))
    return lines


def writer_rate(kind: str, lines: Iterable[Line], flush_every: int, level: int) -> dict[str, Any]:
    """Give lines to one writer; return what a second of processor time takes of them."""
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), time.process_time()
        writer = ZstdSegmentWriter(kind, folder, level=level, flush_seconds=3600)
        for number, (line, t) in enumerate(lines, 1):
            writer.take_line(line, t)
            if number % flush_every == 0:
                writer.flush()
        writer.close()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        totals = writer.totals()
    return {
        "json_megabytes": totals.json_bytes / 1e6,
        "ratio": totals.json_bytes / totals.file_bytes,
        "megabytes_per_core_second": totals.json_bytes / 1e6 / cpu,
        "megabytes_per_second": totals.json_bytes / 1e6 / seconds,
    }


def recorder_rate(lines: Iterable[Line], level: int) -> dict[str, Any]:
    """Give frames to a recorder, from the first line to the last sync."""
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), time.process_time()
        with Recorder(RecorderOptions(Path(folder), level=level)) as recorder:
            for line, t in lines:
                recorder.write("frames", line, t)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        json_bytes = recorder.status().kinds["frames"].json_bytes
    return {
        "megabytes_per_core_second": json_bytes / 1e6 / cpu,
        "megabytes_per_second": json_bytes / 1e6 / seconds,
    }


def engine_rate(ticks: Sequence[ArrayTick], recorder: Recorder | None, pace: float = 0) -> float:
    """Film ticks, encode frames and metrics, record them or not; return ticks a second.

    `pace`: ticks a second, kept every stride; 0 for as fast as it goes.
    """
    camera = SlidingWindowCamera()
    rows = [tick.columns() for tick in ticks]
    state = MarketState(0.5, 0.3, 0.5, 0.5)
    began = time.perf_counter()
    for number, columns in enumerate(rows):
        t = columns[0]
        if pace and t % STRIDE == 0:
            time.sleep(max(0.0, began + number / pace - time.perf_counter()))
        camera.ingest_arrays(*columns)
        metric = Metric.of(Tick(*columns, state))
        if metric is not None:
            record(recorder, "metrics", encode_metric(metric), t)
        frame = camera.maybe_frame(t)
        if frame is not None:
            record(recorder, "frames", encode_frame(frame), t)
    return len(rows) / (time.perf_counter() - began)


def record(recorder: Recorder | None, kind: str, line: bytes, t: int) -> None:
    """Hand a line to the recorder, where there is one."""
    if recorder is not None:
        recorder.write(kind, line, t)


def engine_ratio(
    made: Sequence[ArrayTick], rounds: int, level: int, pace: float = 0
) -> dict[str, Any]:
    """Compare the engine with recording and without, in turns."""
    alone, recorded = [], []
    for number in range(rounds):
        for is_recorded in (False, True) if number % 2 else (True, False):
            with ExitStack() as stack:
                folder = Path(tempfile.mkdtemp())
                stack.callback(shutil.rmtree, folder)
                options = RecorderOptions(folder, level=level)
                recorder = stack.enter_context(Recorder(options)) if is_recorded else None
                (recorded if is_recorded else alone).append(engine_rate(made, recorder, pace))
    return {
        "pace": pace,
        "ticks_per_second_alone": median(alone),
        "ticks_per_second_recorded": median(recorded),
        "ratio": median(one / other for one, other in zip(recorded, alone, strict=True)),
        "rounds": rounds,
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return all figures."""
    frames = frame_lines(options.agents, options.lines)
    metrics = metric_lines(options.agents, 200_000)
    frames_a_second = 100 // STRIDE  # at 100 ticks a second
    made = list(islice(endless_market(options.agents, seed=0, start=1), options.ticks))
    engine_rate(made[:400], None)  # compiles
    pace = options.megabytes * 1e6 / len(frames[0][0]) * STRIDE
    return {
        "agents": options.agents,
        "level": options.level,
        "frame_bytes": len(frames[0][0]),
        "writer_frames": writer_rate(
            "frames", repeated(frames, options.frames), frames_a_second, options.level
        ),
        "writer_metrics": writer_rate("metrics", metrics, 100, options.level),
        "writer_metrics_at_full_speed": writer_rate("metrics", metrics, 20_000, options.level),
        "recorder_frames": recorder_rate(repeated(frames, options.frames), options.level),
        "engine_paced": engine_ratio(made, options.rounds, options.level, pace),
        "engine_unpaced": engine_ratio(made, options.rounds, options.level),
    }


def repeated(lines: Sequence[Line], count: int) -> Iterable[Line]:
    """Return lines over and over, with ticks that go on."""
    return ((line, number) for number, (line, _) in enumerate(islice(cycle(lines), count)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says and print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recording",
        description="Measure what recording takes; print the figures as JSON.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--agents", type=int, default=74, help="agents, all of whom quote")
    parser.add_argument("--lines", type=int, default=300, help="different frames")
    parser.add_argument("--frames", type=int, default=2000, help="frames that are written")
    parser.add_argument("--ticks", type=int, default=5000, help="ticks of a round of the engine")
    parser.add_argument("--rounds", type=int, default=5, help="of the engine")
    parser.add_argument(
        "--megabytes", type=float, default=200, help="a second, of the paced engine"
    )
    parser.add_argument("--level", type=int, default=3, help="zstd level")
    print(json.dumps(measure(parser.parse_args(arguments)), indent=2))


if __name__ == "__main__":
    main()
