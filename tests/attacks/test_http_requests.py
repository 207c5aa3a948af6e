"""Requests that are malformed, ambiguous, too large or too many, and thousands made by chance."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from tests.attacks.crowd import ROUNDS, Attacker, exchange, seeded
from tests.attacks.http_junk import AMBIGUOUS, SMUGGLED, junk_requests
from tests.attacks.target import MORE_MEMORY

if TYPE_CHECKING:
    from tests.attacks.target import Target

GOOD = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def statuses(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def test_thousands_of_requests_made_by_chance(target: Target) -> None:
    requests = list(junk_requests(seeded("requests"), 3000 * ROUNDS))
    with target.under_attack():
        answers = exchange(target, requests)
    target.check_discretion(answers)
    codes = {code for answer in answers for code in statuses(answer)}
    assert {101, 200, 400, 404, 405} <= codes
    assert not [code for code in codes if code >= 500 and code not in {501, 503}]


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_nothing_is_smuggled_behind_an_ambiguous_request(target: Target, name: str) -> None:
    [answer] = exchange(target, [AMBIGUOUS[name] + SMUGGLED])
    target.check_discretion([answer])
    [status] = statuses(answer)
    assert status in {400, 413, 501}


def test_a_head_that_does_not_end_is_cut_off(target: Target) -> None:
    line = b"GET /health HTTP/1.1\r\nHost: x\r\n"
    bombs = [
        b"GET /" + b"a" * 2**22,
        line + b"X: " + b"a" * 2**22,
        line + b"a" * 2**22,
        line + b"".join(b"X-%d: y\r\n" % number for number in range(2**18)),
        line + b"".join(b"X-%d: y\r\n" % number for number in range(2**18)) + b"\r\n",
        line + b"X: a\r\n" + b" folded\r\n" * 2**19,
    ]
    with target.under_attack():
        answers = exchange(target, bombs * 5 * ROUNDS)
    target.check_discretion(answers)
    assert {code for answer in answers for code in statuses(answer)} <= {400, 431}


def test_a_body_that_nobody_asked_for_is_not_read(target: Target) -> None:
    body = b"a" * 2**22
    head = b"POST /health HTTP/1.1\r\nHost: x\r\n"
    chunk = b"%x\r\n" % len(body) + body + b"\r\n"
    requests = [
        head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n",
        head + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 2**17 + b"0\r\n\r\n",
    ]
    with target.under_attack():
        answers = exchange(target, requests * 4 * ROUNDS)
    assert {code for answer in answers for code in statuses(answer)} <= {413}


def test_a_thousand_requests_at_once_are_answered_in_order(target: Target) -> None:
    asked = [b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(1000)]
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with target.under_attack():
        answers = exchange(target, [b"".join(asked) + last] * ROUNDS, None)
    for answer in answers:
        assert statuses(answer) == [404] * 1000 + [200]


def test_who_asks_without_reading_is_not_answered_into_memory(target: Target) -> None:
    async def ask_on() -> None:
        attackers = [await Attacker.connect(target) for _ in range(16)]
        try:
            for attacker in attackers:
                await attacker.send(GOOD * 500)
            before = target.figures().memory
            for _ in range(4 * ROUNDS):
                for attacker in attackers:
                    attacker.push(GOOD * 500)
                target.check_honest_viewer()
                assert target.figures().memory - before < MORE_MEMORY
        finally:
            for attacker in attackers:
                attacker.cut()

    with target.under_attack():
        asyncio.run(ask_on())
