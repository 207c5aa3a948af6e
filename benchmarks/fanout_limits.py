"""What the fan-out benchmarks measure of our server alone: those who do not read, and very many.

The first needs ours twice, with the same load: all clients of one read, some of the other's do not.
The second is `marketcam serve` as anyone starts it, fed by its standard input.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import orjson
import psutil

from benchmarks.fanout_cases import Contest
from benchmarks.fanout_messages import FIRST_T
from benchmarks.fanout_readers import Crowd, Expected
from benchmarks.fanout_results import Case, milliseconds, quantiles
from benchmarks.fanout_servers import allow_files, environment_for_many

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["crowd", "stalled"]

MOST_P99_RATIO: Final = 1.2
MOST_P99_SECONDS: Final = 0.1
MOST_BYTES_A_CLIENT: Final = 60_000
TOLD: Final = 1013

MOST_MEMORY: Final = 16_000_000
"""Bytes that may be held for those who do not read, all together: twice a client's queue."""

_PATIENCE: Final = 20.0
_FILL_BYTES: Final = 256 * 1024
_FIRST_CLIENTS: Final = 20
_WARM_UP_TICKS: Final = 40


def stalled(options: argparse.Namespace) -> Case:
    """Some clients never read: what the others notice, and how the silent ones end."""
    case = Case(
        f"{options.clients:,} clients, of which {options.stalled} never read",
        ("server", "p50", "p99", "memory before", "most memory", "memory after", "all came"),
    )
    slow = {"client_slow_seconds": options.slow_seconds}
    with Contest.between(
        {"all read": slow, "some do not": slow}, options.clients - options.stalled, options.readers
    ) as contest:
        contest.crowds["all read"].connect(options.stalled)
        idle = Crowd(contest.servers["some do not"].port, 1)
        with ExitStack() as stack:
            stack.callback(idle.leave)
            idle.connect(options.stalled, reads=False)
            case.figures = _with_stalled(contest, idle, options)
    found = case.figures
    for name, of_server in found["servers"].items():
        case.rows.append(
            [
                name,
                milliseconds(of_server["p50"]),
                milliseconds(of_server["p99"]),
                *(f"{of_server[key] / 1e6:.0f} MB" for key in ("before", "most", "after")),
                "yes" if of_server["complete"] else "no",
            ]
        )
    ends: dict[str, int] = found["ends"]
    told = sum(count for end, count in ends.items() if end.startswith(str(TOLD)))
    ratio, files = found["p99_ratio"], found["files_left"]
    silent, all_read = (found["servers"][name] for name in ("some do not", "all read"))
    held = silent["most"] - silent["before"] - (all_read["most"] - all_read["before"])
    case.checks = {
        f"p99 of the others {ratio:.2f} of what it is where all read, at most "
        f"{MOST_P99_RATIO}": ratio <= MOST_P99_RATIO,
        f"sent away: {found['sent_away']} of {options.stalled}": (
            found["sent_away"] == options.stalled
        ),
        f"told, of {options.stalled // 2} that read at last: {dict(ends)}": (
            told == options.stalled // 2
        ),
        f"{held / 1e6:.1f} MB held for them, at most {MOST_MEMORY / 1e6:.0f} MB": (
            held <= MOST_MEMORY
        ),
        f"{files} connections left": files == 0,
        "every other client was sent everything": all(
            of_server["complete"] for of_server in found["servers"].values()
        ),
    }
    return case


def _with_stalled(contest: Contest, idle: Crowd, options: argparse.Namespace) -> dict:  # type: ignore[type-arg]
    """Fill the connections of those that do not read, then take turns until they are gone."""
    names = ("all read", "some do not")
    servers = {
        name: {"p50": [], "p99": [], "complete": True, "before": contest.servers[name].memory}
        for name in names
    }
    files = contest.servers["some do not"].files - options.stalled
    most = dict.fromkeys(names, 0)

    def turn(name: str, **of_turn: float | str) -> None:
        sample = contest.turn(name, **of_turn)
        most[name] = max(most[name], contest.servers[name].memory)
        servers[name]["complete"] &= sample.complete
        if of_turn["kind"] == "metric":
            servers[name]["p50"].append(sample.p50)
            servers[name]["p99"].append(sample.p99)

    filled, drained = False, None
    while not filled:
        for name in names:
            turn(name, messages=4, size=options.fill, kind="frame", seconds=0.02)
        waiting = contest.servers["some do not"].figures()["waiting_bytes"]
        filled = waiting >= options.stalled * _FILL_BYTES
    while drained is None:
        for name in names:
            turn(name, messages=options.moments, size=200, kind="metric", seconds=1 / options.rate)
        if contest.servers["some do not"].figures()["sent_away"] == options.stalled:
            drained = idle.drain(options.stalled // 2)
    until = time.monotonic() + _PATIENCE
    while contest.servers["some do not"].files > files and time.monotonic() < until:
        turn("some do not", messages=1, size=200, kind="metric", seconds=0.1)
    for name in names:
        servers[name] |= {"most": most[name], "after": contest.servers[name].memory}
    ratios = [
        b / a
        for a, b in zip(servers["all read"]["p99"], servers["some do not"]["p99"], strict=False)
    ]
    return {
        "servers": servers,
        "p99_ratio": median(ratios),
        "p99_ratios": ratios,
        "sent_away": contest.servers["some do not"].figures()["sent_away"],
        "ends": Counter(f"{end.code} {end.reason}" for end in drained),
        "files_left": contest.servers["some do not"].files - files,
    }


def crowd(options: argparse.Namespace) -> Case:
    """Very many clients of `marketcam serve`: that all get everything, how soon, and the memory."""
    allow_files(options.clients + 512)
    case = Case(
        f"{options.clients:,} clients of `marketcam serve` at {options.rate:g} ticks/s",
        ("metrics", "p50", "p99", "memory a client", "CPU a delivery", "connected in", "all came"),
    )
    with ExitStack() as stack:
        feed = stack.enter_context(_served(options))
        readers = Crowd(feed.port, options.readers)
        stack.callback(readers.leave)
        readers.connect(_FIRST_CLIENTS)
        feed.tick(_WARM_UP_TICKS)
        before, began = feed.process.memory_info().rss, time.perf_counter()
        readers.connect(options.clients - _FIRST_CLIENTS)
        connected = time.perf_counter() - began
        first, count = feed.next_t, int(options.rate * options.seconds)
        readers.expect(Expected(first, first + count - 1, mark=b'"avg_exp":', in_seconds=True))
        spent = feed.processor_seconds()
        feed.tick(count)
        came = readers.arrivals()
        spent = feed.processor_seconds() - spent
        memory = (feed.process.memory_info().rss - before) / (options.clients - _FIRST_CLIENTS)
    p50, p99 = quantiles(came.ages)
    complete, deliveries = came.are_complete(count), came.counted + came.others
    case.rows.append(
        [
            f"{count}",
            f"{p50 * 1e3:.1f} ms",
            f"{p99 * 1e3:.1f} ms",
            f"{memory / 1e3:.1f} KB",
            f"{spent / deliveries * 1e6:.2f} µs",
            f"{connected:.1f} s",
            "yes" if complete else "no",
        ]
    )
    case.checks = {
        "every client was sent every message once, in order": complete,
        f"p99 {p99 * 1e3:.1f} ms, at most {MOST_P99_SECONDS * 1e3:.0f} ms": p99 <= MOST_P99_SECONDS,
        f"{memory / 1e3:.1f} KB a client, under {MOST_BYTES_A_CLIENT / 1e3:.0f} KB": (
            memory < MOST_BYTES_A_CLIENT
        ),
    }
    case.figures = {
        "p50": p50,
        "p99": p99,
        "memory_a_client": memory,
        "processor": spent,
        "deliveries": deliveries,
        "connected_in": connected,
    }
    return case


class _Feed:
    """A server's process, and the ticks that go into it.

    Attributes:
        next_t: tick of the next one.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
        self.port = port
        self.process = psutil.Process(process.pid)
        self.next_t = FIRST_T
        self._input = process.stdin
        self._seconds = seconds

    def tick(self, count: int) -> None:
        """Feed so many ticks at the pace. The only known experience is the time it is now."""
        due = time.perf_counter()
        assert self._input is not None
        for t in range(self.next_t, self.next_t + count):
            self._input.write(_tick(t) + b"\n")
            self._input.flush()
            due += self._seconds
            time.sleep(max(0.0, due - time.perf_counter()))
        self.next_t += count

    def processor_seconds(self) -> float:
        """Return what the process has taken of the processor so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def _served(options: argparse.Namespace) -> Iterator[_Feed]:
    """Run `marketcam serve` on its standard input."""
    command = [sys.executable, "-m", "marketcam.server.cli", "serve", "--port", "0"]
    flags = ["--ticks", "-", "--tick-rate", "0", "--log-level", "error"]
    with tempfile.TemporaryDirectory() as folder:
        running = subprocess.Popen(
            [*command, *flags],
            env=environment_for_many(Path(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with running:
            assert running.stdout is not None
            try:
                first = next(line for line in running.stdout if line.startswith(b"listening on "))
                port = int(first.split()[2].rsplit(b":", 1)[1])
                yield _Feed(running, port, 1 / options.rate)
            finally:
                running.kill()


def _tick(t: int) -> bytes:
    """Return a raw tick of ten agents, made now."""
    quotes = {str(agent): 100.0 + agent / 100 for agent in range(10)}
    sides = [dict(list(quotes.items())[:5]), dict(list(quotes.items())[5:])]
    known = dict.fromkeys(quotes) | {"0": time.monotonic()}
    state = {"price_norm": 0.5, "volatility": 0.01, "liquidity": 1.0, "imbalance": 0.0}
    return orjson.dumps(
        {"t": t, "mid": 100.05, "s": state, "buys": sides[0], "sells": sides[1], "agents": known}
    )
