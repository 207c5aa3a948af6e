"""Requests as they are let in: with a head, read in one way only, and without a body."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import h11
import orjson

if TYPE_CHECKING:
    from h11 import Event

__all__ = ["HeadConnection", "refusal"]

_CONTENT_TOO_LARGE: Final = 413


class HeadConnection(h11.Connection):
    """h11's server side, which refuses requests that bring a body.

    Nothing here takes one. Read all the same, a body of one-byte chunks would cost the event loop
    some µs a byte; and how long it is, is what two servers on a way can be made to differ about, so
    that one takes for a body what the other answers as a request.
    """

    def next_event(self) -> type[h11.NEED_DATA | h11.PAUSED] | Event:
        """Return what comes next.

        Raises:
            RemoteProtocolError: it is no request, or one with a body.
        """
        event = super().next_event()
        if isinstance(event, h11.Request) and _has_body(event):
            raise h11.RemoteProtocolError("no body is taken", _CONTENT_TOO_LARGE)
        return event


def _has_body(request: h11.Request) -> bool:
    """Return whether a request announces a body; h11 has checked and joined the lengths by now."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and int(value) > 0)
        for name, value in request.headers
    )


def refusal(error: BaseException | None) -> bytes:
    """Return the whole answer to what is no request, after which the connection ends.

    Not made by h11, which would have to know for that what was asked.
    """
    hint = getattr(error, "error_status_hint", HTTPStatus.BAD_REQUEST)
    status = HTTPStatus(hint)
    body = orjson.dumps({"error": status.phrase.lower()})
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
