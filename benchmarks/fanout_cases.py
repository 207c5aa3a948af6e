"""What the fan-out benchmarks measure between servers that run side by side, turn by turn.

All servers have all their clients from the begin; whoever has no turn does nothing. So what the
machine does besides, and when it is slower, meets all of them alike, and what counts are ratios.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.fanout_messages import FIRST_T, Turn
from benchmarks.fanout_readers import Crowd, Expected
from benchmarks.fanout_results import Case, Sample, milliseconds, quantiles
from benchmarks.fanout_servers import OTHERS, Server, allow_files, running

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Contest", "deliveries", "frames"]

WAYS = "bare", "hub", "broadcast", "plain"
MOST_OF_BROADCAST = {1: 0.55}
MOST_OF_BROADCAST_TOGETHER = MOST_OF_PLAIN = 1 / 3

_FIRST_CLIENTS = 20
"""Clients that come before memory is looked at, so that what is loaded once is loaded."""


class Contest:
    """Servers with as many clients each, which take turns.

    Attributes:
        servers: by name.
        crowds: the clients of each.
        memory: bytes that a client costs each.
    """

    def __init__(self, servers: dict[str, Server], crowds: dict[str, Crowd]) -> None:
        self.servers = servers
        self.crowds = crowds
        self.memory: dict[str, float] = {}
        self._next_t = FIRST_T

    @classmethod
    @contextmanager
    def between(
        cls, servers: Mapping[str, dict[str, Any]], clients: int, readers: int
    ) -> Iterator[Contest]:
        """Start servers, ours unless named as another is, with settings; connect their clients."""
        allow_files(2 * clients + 512)  # ours has each connection twice, once for `bare`
        with ExitStack() as stack:
            started, crowds = {}, {}
            for name, settings in servers.items():
                kind = name if name in OTHERS else "hub"
                started[name] = stack.enter_context(running(kind, **settings))
            for name, server in started.items():
                crowds[name] = Crowd(server.port, readers)
                stack.callback(crowds[name].leave)
            contest = cls(started, crowds)
            for name in servers:
                contest._connect(name, clients)
            yield contest

    def turn(self, name: str, way: str | None = None, **of_turn: Any) -> Sample:
        """Give a server its turn, and wait until everybody has got everything."""
        server, crowd = self.servers[name], self.crowds[name]
        turn = Turn(self._next_t, **of_turn)
        self._next_t = turn.last_t + 1
        crowd.expect(Expected(turn.first_t, turn.last_t, turn.kind))
        before = server.figures()["processor"]
        server.send(turn, way)
        came = crowd.arrivals()
        took = server.figures()["processor"] - before
        p50, p99 = quantiles(came.ages)
        seconds = (came.last_at - came.began_at) / 1e9
        return Sample(came.counted, came.are_complete(turn.messages), took, p50, p99, seconds)

    def _connect(self, name: str, clients: int) -> None:
        first = min(_FIRST_CLIENTS, clients - 1)
        self.crowds[name].connect(first)
        before = self.servers[name].memory
        self.crowds[name].connect(clients - first)
        self.memory[name] = (self.servers[name].memory - before) / (clients - first)


def deliveries(options: argparse.Namespace) -> Case:
    """Small metrics to many clients: the processor's time a delivery."""
    ways, clients = options.ways, options.clients
    case = Case(
        f"{options.size}-byte metrics to {clients:,} clients, {options.rate:g} times a second",
        ("ready together, server", "CPU a delivery", "of bare", "of broadcast", "of plain",
         "p50", "p99", "all came"),
    )  # fmt: skip
    samples: dict[int, dict[str, list[Sample]]] = {}
    with Contest.between(_servers_of(ways), clients, options.readers) as contest:
        for together in options.together:
            samples[together] = {way: [] for way in ways}
        for repetition in range(options.repetitions + 1):
            for together, of_ways in samples.items():
                for way in _rotated(ways, repetition):
                    sample = contest.turn(
                        _server_of(way),
                        way,
                        messages=options.moments * together,
                        size=options.size,
                        together=together,
                        seconds=1 / options.rate,
                    )
                    if repetition:  # the first warms up
                        of_ways[way].append(sample)
        memory = contest.memory
    for together, of_ways in samples.items():
        for way in ways:
            case.rows.append(_delivery_row(together, way, of_ways))
        _check_deliveries(case, together, of_ways)
    case.figures = {
        "memory_a_client": memory,
        "samples": {
            together: {way: [asdict(s) for s in of_way] for way, of_way in of_ways.items()}
            for together, of_ways in samples.items()
        },
    }
    return case


def _delivery_row(together: int, way: str, of_ways: dict[str, list[Sample]]) -> list[str]:
    own = of_ways[way]
    ratios = [
        f"{_ratio(own, of_ways[other]):.2f}" if other in of_ways else ""
        for other in ("bare", "broadcast", "plain")
    ]
    return [
        f"{together}, {way}",
        f"{median(sample.cost for sample in own) * 1e6:.2f} µs",
        *ratios,
        milliseconds([sample.p50 for sample in own]),
        milliseconds([sample.p99 for sample in own]),
        "yes" if all(sample.complete for sample in own) else "no",
    ]


def _check_deliveries(case: Case, together: int, of_ways: dict[str, list[Sample]]) -> None:
    limits = {
        "broadcast": MOST_OF_BROADCAST.get(together, MOST_OF_BROADCAST_TOGETHER),
        "plain": MOST_OF_PLAIN,
    }
    for other, limit in limits.items():
        if other in of_ways and "hub" in of_ways:
            ratio = _ratio(of_ways["hub"], of_ways[other])
            what = f"{together} together: {ratio:.2f} of {other}'s time, at most {limit:.2f}"
            case.checks[what] = ratio <= limit


def frames(options: argparse.Namespace) -> Case:
    """Large frames, one after the other: how fast they pass, beside what the loopback can do."""
    ways, clients, size = options.ways, options.clients, options.size
    case = Case(
        f"frames of {size / 1e6:.1f} MB to {clients} clients",
        ("server", "until the last has it", "GB/s", "of bare's rate", "CPU a frame", "most memory",
         "all came"),
    )  # fmt: skip
    samples: dict[str, list[Sample]] = {way: [] for way in ways}
    most = dict.fromkeys(ways, 0)
    with Contest.between(_servers_of(ways), clients, options.readers) as contest:
        for repetition in range(options.repetitions + 1):
            for way in _rotated(ways, repetition):
                server = _server_of(way)
                sample = contest.turn(server, way, messages=1, size=size, kind="frame", seconds=0.0)
                most[way] = max(most[way], contest.servers[server].memory)
                if repetition:
                    samples[way].append(sample)
    for way in ways:
        own = samples[way]
        rates = [size * sample.deliveries / sample.seconds for sample in own]
        bare = samples.get("bare", [])
        shares = [b.seconds / s.seconds for s, b in zip(own, bare, strict=False)]
        case.rows.append([
            way,
            milliseconds([sample.seconds for sample in own]),
            f"{median(rates) / 1e9:.2f}",
            f"{median(shares):.2f}" if shares else "",
            f"{median(sample.cost for sample in own) * 1e6:.0f} µs",
            f"{most[way] / 1e6:.0f} MB",
            "yes" if all(sample.complete for sample in own) else "no",
        ])  # fmt: skip
    case.figures = {
        "most_memory": most,
        "samples": {way: [asdict(s) for s in of_way] for way, of_way in samples.items()},
    }
    return case


def _ratio(own: list[Sample], others: list[Sample]) -> float:
    """Return the median ratio of turns that followed each other."""
    return median(a.cost / b.cost for a, b in zip(own, others, strict=True))


def _rotated(ways: Sequence[str], by: int) -> list[str]:
    """Return them beginning with another one: none is always the one after a slow one."""
    k = by % len(ways)
    return [*ways[k:], *ways[:k]]


def _servers_of(ways: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {_server_of(way): {} for way in ways}


def _server_of(way: str) -> str:
    return way if way in OTHERS else "hub"
