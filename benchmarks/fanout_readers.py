"""Those who are sent to in the fan-out benchmarks: processes of many raw-socket viewers.

Each message is looked at just so far that none can be missing, doubled or out of order without
being noticed, and that its age is known. That must be cheap: the readers share the machine with
the servers, and what they take shows in the servers' latencies.
"""

from __future__ import annotations

import multiprocessing
import selectors
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.fanout_messages import STAMP_BASE, Kind
from benchmarks.stream_readers import Viewer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from typing import Any

__all__ = ["Arrivals", "Crowd", "Expected", "Farewell", "Reader"]

PATIENCE: Final = 60.0
"""Seconds without an answer after which a measurement is given up."""

_ROOM: Final = 2**20
_TEXT: Final = 0x81
_SMALL: Final = 126
_CLOSE: Final = 8
_KIND_AT: Final = len('{"type":"')


@dataclass(frozen=True, slots=True)
class Expected:
    """What a reader is to get: every tick of `kind` from `first_t` on to `last_t`.

    Attributes:
        first_t: first tick; what is older is not counted.
        last_t: with it, a reader is done.
        kind: kind of message whose ticks are counted.
        mark: what stands before the stamp.
        in_seconds: whether the stamp is in seconds, or else in ns from `STAMP_BASE`.
    """

    first_t: int
    last_t: int
    kind: Kind = "metric"
    mark: bytes = b'"at":'
    in_seconds: bool = False


@dataclass
class Arrivals:
    """What readers got of what was expected.

    Attributes:
        readers: how many there are.
        counted: messages, of all readers.
        least: messages of the reader that got the fewest.
        wrong: messages that were not the next ones: after a loss, doubled or out of order.
        ages: of each message when it was read, in ns.
        began_at: when the first one was made, on the monotonic clock, in ns.
        last_at: when the last one was read.
        others: messages of other kinds.
    """

    readers: int
    counted: int
    least: int
    wrong: int
    ages: array[int]
    began_at: int
    last_at: int
    others: int

    def are_complete(self, messages: int) -> bool:
        """Return whether every reader got every one of so many messages once, in order."""
        return not self.wrong and self.least == messages and self.counted == self.readers * messages


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a connection ended: the close frame's code, None without one, and its reason."""

    code: int | None
    reason: str


class Reader(Viewer):
    """A viewer that checks ticks and reads stamps. It takes whole small messages the short way."""

    def __init__(self, port: int, group: _Group, query: str = "") -> None:
        self.next_t: int | None = None
        self.counted = 0
        self._group = group
        self._now = 0
        super().__init__(port, query)

    def take(self, room: memoryview) -> None:
        """Take what has come.

        Raises:
            ConnectionError: the server has ended the connection, and what is measured is void.
        """
        if self._left or self._pending:
            self._now = time.monotonic_ns()
            super().take(room)
            return
        size = self.socket.recv_into(room)
        self._now = time.monotonic_ns()
        if size == 0:
            raise self.ended()
        data = bytes(room[:size])
        at = 0
        while at + 4 <= size and data[at] == _TEXT:
            length, begin = data[at + 1], at + 2
            if length == _SMALL:
                length, begin = data[at + 2] << 8 | data[at + 3], at + 4
            elif length > _SMALL:
                break
            if begin + length > size:
                break
            at = begin + length
            self._look(data, begin, at)
        if at < size:
            self._read(memoryview(data)[at:])

    def farewell(self) -> Farewell:
        """Return how the server has ended the connection, so far as it is known."""
        if self._opcode != _CLOSE or self._left:
            return Farewell(None, "")
        return Farewell(int.from_bytes(self._control[:2]), self._control[2:].decode())

    def _note(self) -> None:
        if not self._binary:
            self._look(self._head, 0, len(self._head))

    def _look(self, data: bytes, begin: int, end: int) -> None:
        """Look at a message, or at the beginning of a large one."""
        group = self._group
        expected = group.expected
        if not data.startswith(group.prefix, begin):
            group.others += 1
            return
        at = begin + len(group.prefix)
        t = int(data[at : data.index(b",", at)])
        if self.next_t is not None and t != self.next_t:
            group.wrong += 1
        self.next_t = t + 1
        if t < expected.first_t:
            return
        at = data.index(expected.mark, at, end) + len(expected.mark)
        stamp = data[at : data.index(b",", at, end)]
        made = int(float(stamp) * 1e9) if expected.in_seconds else int(stamp) - STAMP_BASE
        group.ages.append(self._now - made)
        self.counted += 1
        if t == expected.first_t:
            group.began_at = made
        if t == expected.last_t:
            group.done += 1
            group.last_at = self._now


class _Group:
    """The readers of one process, which is told what to do by a pipe."""

    def __init__(self, port: int, query: str, pipe: Connection) -> None:
        self.expected = Expected(0, 0)
        self.prefix = b"nothing"
        self.readers: list[Reader] = []
        self._idle: list[Reader] = []
        self._port = port
        self._query = query
        self._pipe = pipe
        self._selector = selectors.DefaultSelector()
        self._selector.register(pipe, selectors.EVENT_READ, None)
        self._room = memoryview(bytearray(_ROOM))
        self._waits = False
        self._reset()

    def run(self) -> None:
        """Read until told to leave."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    key.data.take(self._room)
                elif not self._obey(*self._pipe.recv()):
                    return
            if self._waits and self.done >= len(self.readers):
                self._waits = False
                self._pipe.send(self._arrivals())

    def _obey(self, word: str, *given: Any) -> bool:
        """Do what is said; return whether to go on."""
        match word:
            case "connect":
                self._connect(*given)
                self._pipe.send("connected")
            case "expect":
                self._reset(*given)
                self._waits = True
                self._pipe.send("expecting")
            case "report":
                self._waits = False
                self._pipe.send(self._arrivals())
            case "drain":
                self._pipe.send([_read_to_the_end(r, self._room) for r in self._idle[: given[0]]])
        return word != "leave"

    def _connect(self, count: int, reads: bool) -> None:
        for _ in range(count):
            reader = Reader(self._port, self, self._query)
            if reads:
                self.readers.append(reader)
                self._selector.register(reader.socket, selectors.EVENT_READ, reader)
            else:
                self._idle.append(reader)

    def _reset(self, expected: Expected | None = None) -> None:
        if expected is not None:
            self.expected = expected
            self.prefix = b'{"type":"%s","t":' % expected.kind.encode()
        self.ages: array[int] = array("q")
        self.done = self.wrong = self.began_at = self.last_at = self.others = 0
        for reader in self.readers:
            reader.counted = 0
            reader.next_t = None

    def _arrivals(self) -> Arrivals:
        counts = [reader.counted for reader in self.readers]
        return Arrivals(
            len(counts), sum(counts), min(counts, default=0), self.wrong, self.ages, self.began_at,
            self.last_at, self.others,
        )  # fmt: skip


def _read_to_the_end(reader: Reader, room: memoryview) -> Farewell:
    """Read up to the close frame; a connection that is cut ends without a word."""
    with reader.socket, suppress(ConnectionError):
        while reader.farewell().code is None:
            reader.take(room)
    return reader.farewell()


def _read(port: int, query: str, pipe: Connection) -> None:
    _Group(port, query, pipe).run()


class Crowd:
    """The readers of one server, spread over processes; they are told what to do together."""

    def __init__(self, port: int, processes: int, query: str = "") -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipes, self._processes = [], []
        for _ in range(processes):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_read, args=(port, query, theirs), daemon=True)
            process.start()
            theirs.close()  # so that a process that fails ends the pipe
            self._pipes.append(ours)
            self._processes.append(process)

    def connect(self, count: int, *, reads: bool = True) -> None:
        """Add so many readers, or such that never read."""
        shares = [count // len(self._pipes)] * len(self._pipes)
        for k in range(count % len(self._pipes)):
            shares[k] += 1
        for pipe, share in zip(self._pipes, shares, strict=True):
            pipe.send(("connect", share, reads))
        self._answers()

    def expect(self, expected: Expected) -> None:
        """Count from now on, up to the last message."""
        for pipe in self._pipes:
            pipe.send(("expect", expected))
        self._answers()

    def arrivals(self) -> Arrivals:
        """Wait until every reader has got the last message; return what came.

        Raises:
            TimeoutError: one has not got it.
        """
        return _joined(self._answers())

    def report(self) -> Arrivals:
        """Return what came so far."""
        for pipe in self._pipes:
            pipe.send(("report",))
        return _joined(self._answers())

    def drain(self, count: int) -> list[Farewell]:
        """Have so many of those that never read do so now, to the end; return their ends."""
        for pipe in self._pipes:
            pipe.send(("drain", count))
        return [end for ends in self._answers() for end in ends]

    def leave(self) -> None:
        """End all of them."""
        for process in self._processes:
            process.terminate()
            process.join()

    def _answers(self) -> list[Any]:
        answers = []
        for pipe in self._pipes:
            if not pipe.poll(PATIENCE):
                raise TimeoutError(f"no answer from the readers within {PATIENCE:g} s")
            answers.append(pipe.recv())
        return answers


def _joined(parts: list[Arrivals]) -> Arrivals:
    ages: array[int] = array("q")
    for part in parts:
        ages.extend(part.ages)
    return Arrivals(
        sum(part.readers for part in parts),
        sum(part.counted for part in parts),
        min(part.least for part in parts if part.readers),
        sum(part.wrong for part in parts),
        ages,
        max(part.began_at for part in parts),
        max(part.last_at for part in parts),
        sum(part.others for part in parts),
    )
