"""The messages of a camera, over as many connections as it takes, none of them twice."""

from __future__ import annotations

import logging
import ssl
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

import orjson
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

from marketcam.server.cli.parsing import CommandError, say

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from websockets.http11 import Response
    from websockets.sync.client import ClientConnection

__all__ = ["MAX_MESSAGE_BYTES", "Camera", "Message", "follow"]

MAX_MESSAGE_BYTES: Final = 256 * 2**20
"""A longer message ends the connection; the longest line that a store holds is as long."""

_OPEN_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 1.0
_DELAYS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each new attempt to connect; the last one again and again."""

_REMEMBERED: Final = 4096
"""Messages of a kind remembered, so that a new connection shows none of them again. Of a camera
that repeats more than these on connecting (IG_CAM_CONNECT_METRICS) the oldest are shown again."""

_HELD_SECONDS: Final = 3.0
"""How long messages are held that may be a repetition. What a camera repeats comes at once; one
that was started again makes the same messages at its own pace, and may send nothing else."""

_NORMAL: Final = (1000, 1001)
_TOO_BIG: Final = 1009
_NOT_ALLOWED: Final = 1008
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Camera:
    """Which stream to follow, and how.

    Attributes:
        url: ``ws://…`` or ``wss://…``.
        reconnect: go on after a connection is lost.
        insecure: accept any TLS certificate.
        headers: sent on connecting, such as one that shows a token.
    """

    url: str
    reconnect: bool = True
    insecure: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind, its text as it came, and what that says."""

    kind: str
    raw: bytes
    content: dict[str, Any]

    @property
    def t(self) -> int:
        """Its tick number, or -1 where it has none."""
        t = self.content.get("t")
        return t if isinstance(t, int) else -1

    @classmethod
    def read(cls, data: str | bytes) -> Message:
        """Read what a camera sent; CommandError where it is not a message."""
        raw = data.encode() if isinstance(data, str) else data
        try:
            content = orjson.loads(raw)
            if isinstance(content["type"], str):
                return cls(content["type"], raw, content)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            pass
        raise CommandError(f"not a message of a camera: {raw[:60]!r}")


def follow(camera: Camera) -> Generator[Message]:
    """Yield a camera's messages until its stream ends, or for ever if it is to be reconnected.

    A camera that is not there at first is an error; one that goes away is waited for.

    Raises:
        CommandError: there is no camera, it broke off, or what it sends is not a camera's.
    """
    connection, memory = _opened(camera), _Memory()
    delays = _delays()
    while True:
        with connection:
            try:
                while True:
                    try:
                        message = Message.read(connection.recv(memory.patience()))
                    except TimeoutError:
                        yield from memory.give_up()
                        continue
                    delays = _delays()
                    yield from memory.sift(message)
            except ConnectionClosed as closed:
                end = closed
            finally:
                connection.close()
        if _is_final(camera, end):
            return
        connection = _opened_again(camera, _reason(end), delays)
        memory.expect_repetition()


class _Memory:
    """What was yielded lately: a camera begins every connection with its last messages.

    That is its last metrics, up to now, and then its last frame. A camera that was started again
    with the same seed makes the same messages again, to the byte, but its metrics end before the
    ones that were yielded, and its frames are older. Which of the two it is may show only after
    some metrics; they are held until then.
    """

    def __init__(self) -> None:
        self._repeating: set[str] = set()
        self._begin_run()

    def expect_repetition(self) -> None:
        """Leave out what is known, of each kind until the first message that is not."""
        self._repeating = {"metric", "frame"}
        self._held.clear()

    def patience(self) -> float | None:
        """Return how many seconds the next message may take; None: for ever."""
        if not self._held:
            return None
        return max(0.0, self._held_since + _HELD_SECONDS - time.monotonic())

    def give_up(self) -> list[Message]:
        """Take what is held for the first messages of a new run; return it, to be shown."""
        shown = self._held
        self._repeating.clear()
        self._begin_run()
        self._remember(shown)
        return shown

    def sift(self, message: Message) -> list[Message]:
        """Take the next message; return what is to be shown now."""
        if message.kind in self._repeating or self._held:
            if self._tells_a_new_run(message):
                shown = [*self._held, message]
                self._repeating.clear()
                self._begin_run()
            elif self._is_known(message):
                self._hold(message)
                return []
            else:
                shown = [message]
                self._end_repetition(message.kind)
        else:
            shown = [message]
        self._remember(shown)
        return shown

    def _remember(self, shown: list[Message]) -> None:
        for each in shown:
            self._digests[each.kind].append(hash(each.raw))
            self._last_t[each.kind] = each.t

    def _begin_run(self) -> None:
        self._digests: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._last_t: dict[str, int] = {}
        self._held: list[Message] = []
        self._held_since = 0.0

    def _is_known(self, message: Message) -> bool:
        return message.kind in self._repeating and hash(message.raw) in self._digests[message.kind]

    def _tells_a_new_run(self, message: Message) -> bool:
        is_older = message.t < self._last_t.get(message.kind, -1)
        if message.kind == "metric":
            if self.patience() == 0:
                return is_older
            return (is_older and not self._is_known(message)) or len(self._held) == _REMEMBERED
        if message.kind == "frame" and is_older:
            return True
        # What is held did not come up to the last metric, and there are no more to be repeated.
        return bool(self._held) and message.kind in {"frame", "heartbeat"}

    def _hold(self, message: Message) -> None:
        if message.kind != "metric":
            return
        if not self._held:
            self._held_since = time.monotonic()
        self._held.append(message)
        if message.t >= self._last_t["metric"]:
            self._end_repetition("metric")

    def _end_repetition(self, kind: str) -> None:
        self._repeating.discard(kind)
        if kind == "metric":
            self._held.clear()


def _delays() -> Iterator[float]:
    return chain(_DELAYS, repeat(_DELAYS[-1]))


def _opened(camera: Camera) -> ClientConnection:
    try:
        return connect(
            camera.url,
            ssl=_tls(camera),
            additional_headers=camera.headers,
            open_timeout=_OPEN_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            max_size=MAX_MESSAGE_BYTES,
            logger=_silent_logger(),
        )
    except InvalidStatus as error:
        reason = _refusal(error.response)
    except ssl.SSLCertVerificationError as error:
        reason = f"TLS certificate refused, {error.verify_message} (--insecure accepts any)"
    except AssertionError:  # websockets, when a peer speaks and hangs up before it is asked
        reason = "what answers there does not speak HTTP"
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    except WebSocketException as error:
        reason = str(error)
    raise CommandError(f"{camera.url}: {reason}")


def _refusal(response: Response) -> str:
    """Return why a server has not opened a stream, in its own words where it is a camera."""
    if response.status_code == _UNAUTHORIZED:
        return "wrong token (--token @FILE, or IG_READ_TOKEN)"
    status = f"the server answered {response.status_code}"
    try:
        error = orjson.loads(response.body or b"")["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        error = None
    if isinstance(error, str) and error.isprintable():
        return f"{status}: {error}"
    return f"no stream of a camera there, {status}"


def _silent_logger() -> logging.Logger:
    """Return a logger for the library's own lines: whatever went wrong is told by ours."""
    logger = logging.getLogger(__name__)
    logger.disabled = True
    return logger


def _tls(camera: Camera) -> ssl.SSLContext | None:
    if not (camera.insecure and camera.url.startswith("wss:")):
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _opened_again(camera: Camera, reason: str, delays: Iterator[float]) -> ClientConnection:
    for delay in delays:
        say(f"{reason}; trying again in {delay:g} s")
        time.sleep(delay)
        try:
            connection = _opened(camera)
        except CommandError as error:
            reason = str(error)
        else:
            say("connected again")
            return connection
    raise AssertionError("delays never end")


def _is_final(camera: Camera, end: ConnectionClosed) -> bool:
    """Return whether this is an orderly end of it all; CommandError if it is another."""
    if end.sent is not None and end.sent.code == _TOO_BIG:
        raise CommandError(f"{camera.url}: a message is longer than {MAX_MESSAGE_BYTES} bytes")
    if end.rcvd is not None and end.rcvd.code == _NOT_ALLOWED:  # nor the next time
        hint = " (--token @FILE, or IG_READ_TOKEN)" if "token" in end.rcvd.reason else ""
        raise CommandError(f"{camera.url}: {_reason(end)}{hint}")
    if camera.reconnect:
        return False
    if end.rcvd is None or end.rcvd.code not in _NORMAL:
        raise CommandError(_reason(end))
    say(_reason(end))
    return True


def _reason(end: ConnectionClosed) -> str:
    return "connection lost" if end.rcvd is None else f"connection closed by camera: {end.rcvd}"
