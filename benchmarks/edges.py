"""How many deliveries do edges add, and what do their viewers cost the camera?

::

    python -m benchmarks.edges
    python -m benchmarks.edges --edges 1 --viewers 20 --seconds 2

Starts nats-server, `marketcam serve --nats` on the embedded market and `marketcam edge` as
processes of their own, and raw-socket viewers in further ones. Each case runs for a bounded time:
so many edges, each with so many viewers; the first case has an edge without any. All share this
machine's cores, so that deliveries a second stop growing where these are taken. The camera's CPU
is its own in every case, and should be the same in all.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from benchmarks.machine import listed
from benchmarks.stream_load import scrape, started, viewers, wait_for_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from benchmarks.stream_readers import Readings

__all__ = ["main"]


class Case(NamedTuple):
    """So many edges, each with so many viewers."""

    edges: int
    viewers: int


@dataclass(frozen=True)
class Result:
    """What a case gave, a second.

    Attributes:
        case: what was run.
        deliveries: metrics and frames that reached viewers, of all of them together.
        gaps: gaps declared to viewers, in all.
        camera, nats, edges: CPU seconds.
        behind: the most that an edge was behind at the end, in NATS messages.
    """

    case: Case
    deliveries: float
    gaps: int
    camera: float
    nats: float
    edges: float
    behind: int


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    cases = [Case(1, 0), *(Case(count, options.viewers) for count in options.edges)]
    results = [_run(case, options) for case in cases]
    print(f"{options.agents} agents, {options.tick_rate:g} ticks/s, {options.seconds:g} s a case\n")
    print("| edges | viewers | deliveries/s | gaps | camera, cores | NATS | edges | behind |")
    print("|---|---|---|---|---|---|---|---|")
    for result in results:
        count, each = result.case
        print(
            f"| {count} | {count * each} | {result.deliveries:,.0f} | {result.gaps} "
            f"| {result.camera:.3f} | {result.nats:.3f} | {result.edges:.3f} | {result.behind} |"
        )
    print(f"\n{listed()}")
    if options.json is not None:
        rows = [{**vars(result), "case": result.case._asdict()} for result in results]
        options.json.write_text(json.dumps(rows))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--edges", type=int, nargs="+", default=[1, 2, 3], help="cases")
    parser.add_argument("--viewers", type=int, default=300, help="of each edge")
    parser.add_argument("--agents", type=int, default=74)
    parser.add_argument("--tick-rate", type=float, default=100.0)
    parser.add_argument("--settle", type=float, default=1.0, help="seconds before, not counted")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser.parse_args(arguments)


def _run(case: Case, options: argparse.Namespace) -> Result:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nats, address = stack.enter_context(_nats(folder))
        nats_flags = ("--nats", address)
        market = (f"--agents={options.agents}", f"--tick-rate={options.tick_rate}", "--W=50")
        store = f"--store-dir={folder / 'store'}"
        camera, _ = stack.enter_context(started("serve", *nats_flags, *market, store))
        each = ("edge", *nats_flags, "--max-connections-per-address", "0")
        edges = [stack.enter_context(started(*each)) for _ in range(case.edges)]
        for _, url in edges:
            wait_for_frames(url)
        pipes: list[Connection] = []
        for _, url in edges if case.viewers else ():
            port = int(url.rsplit(":", 1)[1])
            pipes += stack.enter_context(viewers(port, case.viewers, 1, ""))
        parts = (camera, nats, *(process for process, _ in edges))
        time.sleep(options.settle)
        before, began, used = _readings(pipes), time.perf_counter(), [_cpu(each) for each in parts]
        time.sleep(options.seconds)
        spent = [_cpu(each) - then for each, then in zip(parts, used, strict=True)]
        seconds, after = time.perf_counter() - began, _readings(pipes)
        behind = max(int(scrape(url)["marketcam_upstream_behind"]) for _, url in edges)
    delivered = sum(_count(each) for each in after) - sum(_count(each) for each in before)
    gaps = sum(sum(each.missed.values()) for each in after)
    camera_cpu, nats_cpu, *edges_cpu = (each / seconds for each in spent)
    return Result(case, delivered / seconds, gaps, camera_cpu, nats_cpu, sum(edges_cpu), behind)


def _readings(pipes: list[Connection]) -> list[Readings]:
    for pipe in pipes:
        pipe.send("report")
    return [reading for pipe in pipes for reading in pipe.recv()]


def _count(readings: Readings) -> int:
    return readings.messages["metric"] + readings.messages["frame"]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def _nats(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run a nats-server with JetStream; yield its process and its address."""
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if program is None:
        raise SystemExit("no nats-server is installed (Debian: apt install nats-server)")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    given = ["-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "jetstream")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen([program, *given], **quiet)
    try:
        yield psutil.Process(running.pid), f"nats://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


if __name__ == "__main__":
    sys.exit(main())
