"""A viewer that keeps all it is sent, and is asked whether anything was missing, or came twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import orjson
from websockets.exceptions import ConnectionClosed

from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

Key = tuple[str, int]


class Watcher:
    """Reads a connection to its end, in a thread of its own.

    Attributes:
        messages: what came, parsed, in order.
        raw: the bytes of metrics and frames, by kind and tick.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.messages: list[dict[str, Any]] = []
        self.raw: dict[Key, bytes] = {}
        self.doubles: list[Key] = []
        self.closed: tuple[int, str] | None = None
        self._connection = connection
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def wait_for(self, kind: str, t: int) -> None:
        """Wait for a message of a kind, of a tick."""
        with self._changed:
            came = self._changed.wait_for(
                lambda: (kind, t) in self.raw or self.closed is not None, PATIENCE
            )
        assert came, f"no {kind} {t}, the last: {self.messages[-1:]}"
        assert (kind, t) in self.raw, f"closed before {kind} {t}: {self.closed}"

    def wait_until_closed(self) -> tuple[int, str]:
        self._thread.join(PATIENCE)
        assert self.closed is not None
        return self.closed

    @property
    def gaps(self) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == "gap"]

    def names(self) -> list[Key]:
        return [(message["type"], message["t"]) for message in self.messages if "t" in message]

    def missed(self, kind: str, made: list[int]) -> list[int]:
        """Return what of what was made neither came nor was declared, from the first that came.

        Fails where something came twice, out of order, or behind a gap that says it did not.
        """
        assert not self.doubles
        came: list[int] = []
        declared: set[int] = set()
        for message in self.messages:
            if message["type"] == "gap" and message["kind"] == kind:
                assert message["from_t"] <= message["to_t"]
                gone = {t for t in made if message["from_t"] <= t <= message["to_t"]}
                assert not gone & set(came), f"{message} after {came[-1:]}"
                declared |= gone
            elif message["type"] == kind:
                assert not came or message["t"] > came[-1]
                assert message["t"] not in declared
                came.append(message["t"])
        return [t for t in made if came[0] <= t <= came[-1] and t not in {*came, *declared}]

    def close(self) -> None:
        self._connection.close()
        self._thread.join(PATIENCE)

    def _read(self) -> None:
        try:
            for data in self._connection:
                self._take(data.encode() if isinstance(data, str) else data)
        except ConnectionClosed:
            pass
        with self._changed:
            code, reason = self._connection.close_code, self._connection.close_reason
            self.closed = (code or 0, reason or "")
            self._changed.notify_all()

    def _take(self, data: bytes) -> None:
        message = orjson.loads(data)
        with self._changed:
            self.messages.append(message)
            if message["type"] in {"metric", "frame"}:
                key = (message["type"], message["t"])
                if key in self.raw:
                    self.doubles.append(key)
                self.raw[key] = data
            self._changed.notify_all()
