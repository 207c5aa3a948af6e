"""Clients that connect and leave all the time, in all ways there are: does anything grow?"""

from __future__ import annotations

import multiprocessing
import random
import socket
import struct
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.fanout_cases import Contest
from benchmarks.fanout_results import Case, milliseconds
from benchmarks.stream_readers import Viewer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from multiprocessing.sharedctypes import Synchronized

__all__ = ["soak"]

SAMPLES: Final = 16
MOST_GROWTH: Final = 2_000_000
"""Bytes that memory may have grown by from the second quarter of the time to the last."""

_OPEN: Final = 25
"""Connections that a process of leavers has at the same time."""

_PAUSE_SECONDS: Final = 0.02
_CLOSE: Final = bytes((0x88, 0x80 | 2)) + bytes(4) + (1000).to_bytes(2)
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_PATIENCE: Final = 20.0


def soak(options: argparse.Namespace) -> Case:
    """Clients connect and leave all the time: memory and open files stay as they are."""
    case = Case(
        f"{options.minutes:g} minutes of {options.clients} clients that stay and others that leave",
        ("minute", "memory", "files", "clients", "connections so far", "p99", "all came"),
    )
    turn_seconds = options.minutes * 60 / SAMPLES
    memory, complete, found = [], True, []
    with Contest.between({"hub": {}}, options.clients, options.readers) as contest:
        server = contest.servers["hub"]
        files = server.files
        with _leavers(server.port, options.leavers) as connections:
            for number in range(1, SAMPLES + 1):
                sample = contest.turn(
                    "hub",
                    messages=max(1, int(turn_seconds * options.rate)),
                    size=200,
                    seconds=1 / options.rate,
                )
                contest.turn("hub", messages=2, size=options.frame, kind="frame", seconds=0.1)
                memory.append(server.memory)
                complete &= sample.complete
                row = [
                    f"{number * turn_seconds / 60:.1f}",
                    f"{memory[-1] / 1e6:.1f} MB",
                    f"{server.files}",
                    f"{server.figures()['clients']:.0f}",
                    f"{sum(count.value for count in connections)}",
                    milliseconds([sample.p99]),
                    "yes" if sample.complete else "no",
                ]
                case.rows.append(row)
                print(" | ".join(row), file=sys.stderr, flush=True)
                found.append(row)
            total = sum(count.value for count in connections)
        left = _files_left(contest, files)
    quarter = SAMPLES // 4
    growth = median(memory[-quarter:]) - median(memory[quarter : 2 * quarter])
    case.checks = {
        f"memory grew by {growth / 1e6:.2f} MB from the second quarter to the last, at most "
        f"{MOST_GROWTH / 1e6:.0f} MB": growth <= MOST_GROWTH,
        f"{left} files left of {total} connections": left == 0,
        "every client that stayed was sent everything": complete,
    }
    case.figures = {"memory": memory, "connections": total, "files_left": left, "growth": growth}
    return case


def _files_left(contest: Contest, before: int) -> int:
    """Return how many files are open that were not before, when all who left have left."""
    until = time.monotonic() + _PATIENCE
    server = contest.servers["hub"]
    while server.files > before and time.monotonic() < until:
        contest.turn("hub", messages=1, size=200, seconds=0.1)
    return server.files - before


@contextmanager
def _leavers(port: int, processes: int) -> Iterator[list[Synchronized[int]]]:
    """Run processes of clients that come and go; yield how many connections each has made."""
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        counts = []
        for seed in range(processes):
            count = spawn.Value("q", 0)
            process = spawn.Process(target=_come_and_go, args=(port, seed, count), daemon=True)
            process.start()
            stack.callback(process.join)
            stack.callback(process.terminate)
            counts.append(count)
        yield counts


def _come_and_go(port: int, seed: int, count: Synchronized[int]) -> None:
    choice = random.Random(seed)
    room = memoryview(bytearray(2**16))
    ways = cycle([_say_goodbye, _hang_up, _cut, _leave_in_the_middle, _never_finish])
    viewers: list[tuple[Viewer, bool]] = []
    while True:
        viewers.append(
            (Viewer(port, choice.choice(["", "?encoding=columns"])), choice.random() < 0.9)
        )
        count.value += 1
        for viewer, reads in viewers:
            if reads:
                with suppress(BlockingIOError):
                    viewer.socket.setblocking(False)
                    viewer.take(room)
        if len(viewers) > _OPEN:
            viewer, _ = viewers.pop(choice.randrange(len(viewers)))
            next(ways)(viewer.socket, port)
        time.sleep(_PAUSE_SECONDS)


def _say_goodbye(sock: socket.socket, _: int) -> None:
    """Close as the protocol has it, and wait for the answer."""
    with sock, suppress(OSError):
        sock.settimeout(2.0)
        sock.sendall(_CLOSE)
        while sock.recv(2**16):
            pass


def _hang_up(sock: socket.socket, _: int) -> None:
    """Close the connection without a word."""
    sock.close()


def _cut(sock: socket.socket, _: int) -> None:
    """Reset the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    sock.close()


def _leave_in_the_middle(sock: socket.socket, _: int) -> None:
    """Begin a message and leave before its end."""
    with sock, suppress(OSError):
        sock.sendall(bytes((0x81, 0x80 | 100)) + bytes(4) + b"half")


def _never_finish(sock: socket.socket, port: int) -> None:
    """Leave, and leave another connection in the middle of its handshake."""
    sock.close()
    with socket.create_connection(("127.0.0.1", port)) as other:
        other.sendall(b"GET /ws/stream HTTP/1.1\r\nUpgrade: websock")
