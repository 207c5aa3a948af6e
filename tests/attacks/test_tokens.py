"""Who has no token, a wrong one, or comes from a page of others is told nothing of a run."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import orjson
import pytest

from tests.attacks.crowd import ROUNDS, exchange, seeded
from tests.attacks.socket_junk import (
    BINARY,
    CLOSE,
    TEXT,
    client_frame,
    handshake,
    junk_frames,
    server_frames,
)
from tests.attacks.target import running_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.target import Target

READ: Final = "read-token-of-the-honest"
INGEST: Final = "ingest-token-of-nobody-here"
PAGE: Final = "https://charts.example"
POLICY: Final = 1008


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    flags = ("--allowed-origins", PAGE, "--handshake-seconds", "1")
    folder = tmp_path_factory.mktemp("locked")
    with running_target(folder, *flags, IG_READ_TOKEN=READ) as target:
        yield target


PATHS = (
    "/", "/health", "/metrics", "/manifest/frames", "/manifest/metrics", "/runs", "/range/frames",
    "/measures", "/segment/frames/segment_20260101_000000_0.jsonl.zst", "/nothing", "//health",
    "/./health", "/health/", "/viewer/../health", "/viewer/..%2fhealth", "/viewer/%2e%2e/health",
)  # fmt: skip


def wrong_tokens() -> list[str]:
    """What is nearly the token, or the token in a form that is not ours."""
    encoded = base64.b64encode(f"x:{READ}".encode()).decode()
    return [
        "", "Bearer", "Bearer ", f"Bearer {READ}x", f"Bearer {READ[:-1]}", f"Bearer {READ.upper()}",
        f"Bearer {READ},{READ}", f"Basic {encoded}", f"Digest {READ}", f"Token {READ}",
        f"Bearer x{READ}", f"Bearer {INGEST}", f'Bearer "{READ}"', "Bearer " + "x" * 8000,
        f"Bearer {READ}\r\nAuthorization: Bearer {READ}x", "Bearer null", "Bearer \xff\xfe",
        "Bearer " + READ.replace("-", "\N{NON-BREAKING HYPHEN}").encode().decode("latin-1"),
    ]  # fmt: skip


def test_nothing_is_told_to_who_shows_no_token_or_a_wrong_one(locked: Target) -> None:
    asked = [
        f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {shown}\r\nConnection: close\r\n\r\n"
        for path in PATHS
        for shown in wrong_tokens()
    ]
    asked += [f"GET {path}?token={READ} HTTP/1.1\r\nHost: x\r\n\r\n" for path in PATHS]
    with locked.under_attack():
        answers = exchange(locked, [text.encode("latin-1") for text in asked])
    locked.check_discretion(answers)
    for text, answer in zip(asked, answers, strict=True):
        status = answer.partition(b"\r\n")[0]
        refused = status.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 "))
        nowhere = text.startswith("GET /viewer/") and status.startswith(b"HTTP/1.1 404 ")
        assert refused or nowhere, (text, status)
        assert b"start_ts" not in answer
        assert READ.encode() not in answer


FIRST_MESSAGES = (
    b"", b"{}", b"null", b"[]", READ.encode(), b'"%b"' % READ.encode(),
    b'{"type":"auth"}', b'{"type":"auth","token":null}', b'{"type":"auth","token":[]}',
    orjson.dumps({"type": "auth", "token": READ[:-1]}),
    orjson.dumps({"type": "auth", "token": [READ]}),
    orjson.dumps({"type": "Auth", "token": READ}), orjson.dumps({"token": READ}),
    orjson.dumps({"type": "auth", "token": INGEST}), b"ping", b'{"type":"auth","token":"\\ud800"}',
    b"[" * 4000, b'{"type":"auth","token":"' + b"x" * 3900 + b'"}',
)  # fmt: skip


@pytest.mark.parametrize("path", ["/ws/stream", "/ws/replay", "/ws/stream?from_t=0"])
def test_nothing_is_streamed_before_the_token_is_shown(locked: Target, path: str) -> None:
    said = [client_frame(TEXT, message) for message in FIRST_MESSAGES]
    said += [client_frame(BINARY, message) for message in FIRST_MESSAGES[:8]]
    said += junk_frames(seeded("first messages"), 200 * ROUNDS)
    with locked.under_attack():
        answers = exchange(locked, [(handshake(path), text) for text in said])
    for answer in answers:
        frames = list(server_frames(answer.partition(b"\r\n\r\n")[2]))
        assert TEXT not in {opcode for opcode, _ in frames}
        assert READ.encode() not in answer
    for answer in answers[: len(FIRST_MESSAGES)]:
        *_, (opcode, data) = server_frames(answer.partition(b"\r\n\r\n")[2])
        assert (opcode, int.from_bytes(data[:2])) == (CLOSE, POLICY)


def test_a_connection_that_shows_nothing_is_not_waited_for(locked: Target) -> None:
    with locked.under_attack():
        answers = exchange(locked, [handshake("/ws/stream")] * 64 * ROUNDS, None)
    for answer in answers:
        *_, (opcode, data) = server_frames(answer.partition(b"\r\n\r\n")[2])
        assert (opcode, int.from_bytes(data[:2])) == (CLOSE, POLICY)


FOREIGN = (
    "null", "https://evil.example", "http://charts.example", f"{PAGE}.evil.example", f"{PAGE}:444",
    "https://evil.example/https://charts.example", f"{PAGE}@evil.example", "https://CHARTS.example.",
    f"{PAGE}/", f"{PAGE},https://evil.example", "file://", "*", "https://xcharts.example",
)  # fmt: skip


@pytest.mark.parametrize("path", ["/ws/stream", "/ws/replay"])
def test_pages_of_others_are_refused_before_the_handshake(locked: Target, path: str) -> None:
    shown = f"Authorization: Bearer {READ}"
    asked = [handshake(path, f"Origin: {origin}", shown) for origin in FOREIGN]
    asked.append(handshake(path, f"Origin: {PAGE}", "Origin: https://evil.example", shown))
    with locked.under_attack():
        answers = exchange(locked, asked)
        ours = handshake(path, f"Origin: {PAGE}", shown)
        [welcome] = exchange(locked, [(ours, client_frame(CLOSE))])
    for origin, answer in zip((*FOREIGN, "two"), answers, strict=True):
        assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 ")), (origin, answer[:100])
    assert welcome.startswith(b"HTTP/1.1 101 ")


def test_pages_of_others_are_not_let_to_read(locked: Target) -> None:
    asked = [
        f"GET /health HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\nAuthorization: Bearer {READ}\r\n"
        "Connection: close\r\n\r\n".encode()
        for origin in FOREIGN
    ]
    for answer in exchange(locked, asked):
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b"access-control-allow-origin" not in head


def test_without_its_token_there_is_no_ingest(target: Target) -> None:
    asked = [handshake("/ws/ingest?source=x", f"Authorization: Bearer {t}") for t in (READ, INGEST)]
    for answer in exchange(target, [*asked, handshake("/ws/ingest?source=x")]):
        assert answer.startswith(b"HTTP/1.1 404 ")
