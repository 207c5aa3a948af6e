"""How late is the event loop, and what reaches the viewers, when more is sent than can be?

::

    python -m benchmarks.stream_load --agents 10000 --tick-rate 100 --clients 50

Starts `marketcam serve` on the embedded market as a process of its own and raw-socket viewers in
further processes, waits for the window to fill, and looks at `/metrics` at the begin and at the
end of the time. The viewers share the cores with the server: what they take, it lacks, and a
figure is one of both together.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.stream_readers import Readings, watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

Figures = dict[str, float]


@dataclass(frozen=True)
class Look:
    """The server and its viewers at one moment."""

    at: float
    cpu: float
    figures: Figures
    readings: list[Readings]


def main() -> None:
    options = parsed_options()
    with ExitStack() as stack:
        process, url = stack.enter_context(server(options))
        wait_for_frames(url)
        query = f"?encoding={options.encoding}" if options.encoding else ""
        port = int(url.rsplit(":", 1)[1])
        pipes = stack.enter_context(viewers(port, options.clients, options.readers, query))
        time.sleep(options.settle)
        began = look(process, url, pipes)
        time.sleep(options.seconds)
        report(options, began, look(process, url, pipes))


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--tick-rate", type=float, default=100.0)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--encoding", help="json or columns; none: what plain clients get")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=3.0, help="seconds before, not counted")
    parser.add_argument("--readers", type=int, default=2, help="processes for the viewers")
    parser.add_argument("--serve", nargs=argparse.REMAINDER, default=[], help="flags of serve")
    return parser.parse_args()


@contextmanager
def server(options: argparse.Namespace) -> Iterator[tuple[psutil.Process, str]]:
    """Run a server with a store of its own; yield the process and its address."""
    flags = ["--agents", str(options.agents), "--tick-rate", str(options.tick_rate)]
    with tempfile.TemporaryDirectory() as store:
        given = ("serve", "--store-dir", store, *flags, *options.serve)
        with started(*given) as running:
            yield running


@contextmanager
def started(command: str, *flags: str) -> Iterator[tuple[psutil.Process, str]]:
    """Run a command that listens, at any port; yield the process and its address."""
    quiet = ["--port", "0", "--log-level", "warning"]
    environment = {name: value for name, value in os.environ.items() if name[:3] != "IG_"}
    running = subprocess.Popen(
        [sys.executable, "-m", "marketcam.server.cli", command, *quiet, *flags],
        env=environment,
        stdout=subprocess.PIPE,
    )
    try:
        assert running.stdout is not None
        first = next(line for line in running.stdout if line.startswith(b"listening on "))
        yield psutil.Process(running.pid), first.split()[2].decode()
    finally:
        running.terminate()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()


@contextmanager
def viewers(port: int, clients: int, readers: int, query: str) -> Iterator[list[Connection]]:
    """Connect viewers, spread over processes; yield a pipe to each process."""
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for number in range(min(readers, clients)):
        ours, theirs = spawn.Pipe()
        share = len(range(number, clients, readers))
        process = spawn.Process(target=watch, args=(port, share, query, theirs), daemon=True)
        process.start()
        theirs.close()  # so that a process that fails ends the pipe
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            assert pipe.recv() == "ready"
        yield pipes
    finally:
        for process in processes:
            process.terminate()
            process.join()


def wait_for_frames(url: str) -> None:
    while not scrape(url).get("marketcam_messages_total{frame}"):
        time.sleep(0.2)


def scrape(url: str) -> Figures:
    with urlopen(f"{url}/metrics") as answer:
        text = answer.read().decode()
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def look(process: psutil.Process, url: str, pipes: list[Connection]) -> Look:
    figures = scrape(url)
    times = process.cpu_times()
    for pipe in pipes:
        pipe.send("report")
    readings = [reading for pipe in pipes for reading in pipe.recv()]
    return Look(time.perf_counter(), times.user + times.system, figures, readings)


def report(options: argparse.Namespace, began: Look, ended: Look) -> None:
    seconds = ended.at - began.at
    pairs = list(zip(began.readings, ended.readings, strict=True))
    frames = [after.messages["frame"] - before.messages["frame"] for before, after in pairs]
    received = sum(after.bytes - before.bytes for before, after in pairs)
    missed = sum((after.missed - before.missed for before, after in pairs), Readings().missed)

    def a_second(name: str) -> float:
        return (ended.figures[name] - began.figures.get(name, 0.0)) / seconds

    rows: dict[str, Any] = {
        "ticks/s": f"{a_second('marketcam_ticks_total'):.1f} of {options.tick_rate:g}",
        "frames made/s": f"{a_second('marketcam_messages_total{frame}'):.2f}",
        "frames delivered/s": f"{sum(frames) / seconds:.1f}",
        "  a client": f"{min(frames) / seconds:.2f} to {max(frames) / seconds:.2f}",
        "received": f"{received / seconds / 1e6:.0f} MB/s",
        "gaps": dict(missed) or "none",
        "loop lag": lag_line(began.figures, ended.figures),
        "server CPU": f"{(ended.cpu - began.cpu) / seconds:.2f} of {os.cpu_count()} cores",
    }
    print(f"{options.agents} agents, {options.clients} clients, {seconds:.1f} s")
    for name, value in rows.items():
        print(f"  {name:20}{value}")


def lag_line(began: Figures, ended: Figures) -> str:
    """Read the quantiles off the histogram: the bound of the bucket where each lies."""
    prefix = "marketcam_loop_lag_seconds_bucket{"
    counts = {
        name[len(prefix) : -1]: count - began.get(name, 0.0)
        for name, count in ended.items()
        if name.startswith(prefix)
    }
    total = counts["+Inf"]
    if not total:
        return "not measured"
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    found = {
        label: next(bound for bound, count in counts.items() if count >= share * total)
        for label, share in shares.items()
    }
    return ", ".join(f"{label} <= {float(bound) * 1e3:g} ms" for label, bound in found.items())


if __name__ == "__main__":
    main()
