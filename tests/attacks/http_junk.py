"""Requests that are no requests, or nearly: by hand for what is known, by chance for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

__all__ = ["AMBIGUOUS", "SMUGGLED", "junk_requests"]

SMUGGLED: Final = b"GET /viewer/smuggled HTTP/1.1\r\nHost: x\r\nX-Smuggled: 1\r\n\r\n"
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_POST: Final = b"POST /health HTTP/1.1\r\nHost: x\r\n"


def _length(size: int) -> bytes:
    return b"Content-Length: %d\r\n" % size


AMBIGUOUS: Final = {
    "length-and-chunked": _POST + _length(4) + _CHUNKED + b"\r\n0\r\n\r\n",
    "chunked-and-length": _POST + _CHUNKED + _length(5) + b"\r\n0\r\n\r\n",
    "two-lengths": _POST + _length(0) + _length(len(SMUGGLED)) + b"\r\n",
    "list-of-lengths": _POST + b"Content-Length: 0, %d\r\n\r\n" % len(SMUGGLED),
    "signed-length": _POST + b"Content-Length: +0\r\n\r\n",
    "negative-length": _POST + b"Content-Length: -1\r\n\r\n",
    "length-with-underscore": _POST + b"Content-Length: 1_0\r\n\r\n",
    "length-in-hex": _POST + b"Content-Length: 0x0\r\n\r\n",
    "length-of-other-digits": _POST + b"Content-Length: \xd9\xa0\r\n\r\n",
    "length-too-long": _POST + b"Content-Length: " + b"9" * 64 + b"\r\n\r\n",
    "chunked-twice": _POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked-and-identity": _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked-misspelt": _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked-with-a-tab": _POST + b"Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n",
    "chunked-in-quotes": _POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked-of-1.0": b"POST / HTTP/1.0\r\nHost: x\r\n" + _CHUNKED + b"\r\n0\r\n\r\n",
    "space-before-the-colon": _POST + b"Content-Length : 0\r\n\r\n",
    "folded": _POST + b"Transfer-Encoding:\r\n chunked\r\n" + _length(0) + b"\r\n",
    "folded-first": b"GET / HTTP/1.1\r\n X: y\r\nHost: x\r\n\r\n",
    "null-in-a-value": _POST + b"X: a\0b\r\n\r\n",
    "null-in-a-name": _POST + b"X\0: b\r\n\r\n",
    "return-in-a-value": _POST + b"X: a\rContent-Length: 9\r\n\r\n",
    "no-host": b"GET / HTTP/1.1\r\n\r\n",
    "two-hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "chunk-size-of-nothing": _POST + _CHUNKED + b"\r\n\r\n\r\n",
    "chunk-size-negative": _POST + _CHUNKED + b"\r\n-1\r\n\r\n",
    "chunk-size-in-0x": _POST + _CHUNKED + b"\r\n0x0\r\n\r\n",
    "chunk-size-too-long": _POST + _CHUNKED + b"\r\n" + b"f" * 64 + b"\r\n",
    "chunk-without-end": _POST + _CHUNKED + b"\r\n1\r\naa\r\n0\r\n\r\n",
    "chunk-extension-with-a-line": _POST + _CHUNKED + b"\r\n0;a\nb\r\n\r\n",
    "trailer-that-is-none": _POST + _CHUNKED + b"\r\n0\r\nno trailer\r\n\r\n",
}
"""What two servers may read in two ways; behind each comes a request that one would answer."""

_METHODS: Final = (b"GET", b"HEAD", b"POST", b"OPTIONS", b"DELETE", b"TRACE", b"CONNECT", b"PRI")
_TARGETS: Final = (
    b"/", b"/health", b"/metrics", b"/runs", b"/manifest/frames", b"/range/metrics?from_t=5",
    b"/segment/frames/x", b"/ws/stream", b"/ws/replay", b"*", b"http://x/", b"//", b"/%00", b"x:1",
)  # fmt: skip
_VERSIONS: Final = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9", b"http/1.1", b"")
_HEADERS: Final = (
    b"Host: x", b"Connection: close", b"Connection: Upgrade", b"Upgrade: websocket",
    b"Upgrade: h2c", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    b"Range: bytes=0-,1-", b"Range: bytes=-0", b"If-None-Match: *", b"Expect: 100-continue",
    b"Accept-Encoding: zstd;q=x", b"Content-Length: 3", b"Transfer-Encoding: chunked",
    b"Origin: null", b"Access-Control-Request-Method: GET", b"Authorization: Bearer \xff",
)  # fmt: skip
_QUERY: Final = (
    b"from_t", b"to_t", b"every", b"kinds", b"encoding", b"edges", b"speed", b"deflate",
)  # fmt: skip
_VALUES: Final = (
    b"", b"-1", b"0", b"9" * 30, b"1e9", b"nan", b"%00", b"%ff%fe", b"..%2f..", b"metric,frame",
    b"columns", "٣".encode(), b"+", b"%", b"' OR 1=1", b"\xc0\xae",
)  # fmt: skip


def junk_requests(dice: random.Random, count: int) -> Iterator[bytes]:
    """Make requests by chance: of known parts, of parts damaged by chance, and of mere bytes."""
    for _ in range(count):
        kind = dice.random()
        if kind < 0.1:
            yield dice.randbytes(dice.randrange(1, 300))
        elif kind < 0.2:
            yield _upgrade(dice)
        elif kind < 0.4:
            yield _request(dice)
        elif kind < 0.8:
            yield _damaged(dice, _request(dice))
        else:
            yield b"".join(_damaged(dice, _request(dice)) for _ in range(dice.randrange(2, 8)))


def _query(dice: random.Random) -> bytes:
    options = (b"%b=%b" % (dice.choice(_QUERY), dice.choice(_VALUES)) for _ in range(3))
    return b"?" + b"&".join(options)


def _upgrade(dice: random.Random) -> bytes:
    """Return a handshake that is in order, for a stream that may not be there."""
    path = dice.choice((b"/ws/stream", b"/ws/replay")) + _query(dice)
    return b"\r\n".join(
        (b"GET %b HTTP/1.1" % path, _HEADERS[0], *_HEADERS[2:4], *_HEADERS[5:7], b"", b"")
    )


def _request(dice: random.Random) -> bytes:
    target = dice.choice(_TARGETS)
    if dice.random() < 0.4:
        target += _query(dice)
    line = b" ".join((dice.choice(_METHODS), target, dice.choice(_VERSIONS[:3])))
    headers = dice.sample(_HEADERS, dice.randrange(len(_HEADERS)))
    body = dice.choice((b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n"))
    return b"\r\n".join((line, *headers, b"", body))


def _damaged(dice: random.Random, data: bytes) -> bytes:
    """Change, take out, put in or repeat a few bytes."""
    text = bytearray(data)
    for _ in range(dice.randrange(1, 5)):
        at, size = dice.randrange(len(text) + 1), dice.randrange(1, 9)
        change = dice.randrange(5)
        if change == 0:
            text[at : at + 1] = dice.randbytes(1)
        elif change == 1:
            del text[at : at + size]
        elif change == 2:
            text[at:at] = dice.randbytes(size)
        elif change == 3:
            text[at:at] = text[at : at + size] * dice.randrange(1, 40)
        else:
            text[at:at] = dice.choice((b"\r", b"\n", b"\r\n", b"\0", b":", b" ", b"\xff", b"%"))
    return bytes(text)
