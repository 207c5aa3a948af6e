"""A producer that has the token and sends rubbish: it harms neither the run nor those who watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from marketcam.engine import Tick
from marketcam.io import encode_tick_binary
from tests.attacks.crowd import ROUNDS, exchange, seeded
from tests.attacks.socket_junk import BINARY, TEXT, client_frame, junk_frames
from tests.ingest_helpers import UPGRADE, ingest_server, producer
from tests.server_helpers import receive_until, state_tick

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def rubbish(dice: random.Random, count: int) -> Iterator[bytes]:
    """Make messages of ticks with bytes changed in them, and frames that are none."""
    yield from (junk for junk in junk_frames(dice, count // 2) if b'"end"' not in junk)
    for _ in range(count // 2):
        raw = state_tick(dice.randrange(50))
        whole = encode_tick_binary(Tick.from_dict(raw)), orjson.dumps(raw)
        kind = dice.randrange(2)
        text = bytearray(whole[kind] * dice.randrange(1, 4))
        for _ in range(dice.randrange(1, 5)):
            text[dice.randrange(len(text))] ^= 1 << dice.randrange(8)
        del text[dice.randrange(len(text)) :]
        yield client_frame((BINARY, TEXT)[kind], bytes(text))


def test_rubbish_is_refused_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ingest_server(tmp_path) as server, server.stream() as viewer:
        answers = []
        for said in rubbish(seeded("rubbish"), 150 * ROUNDS):
            answers += exchange(server, [(UPGRADE, said)], 0.01)
        assert sum(answer.startswith(b"HTTP/1.1 101 ") for answer in answers) > len(answers) // 2
        with producer(server) as honest:
            first = 0 if honest.last_t is None else honest.last_t + 1
            honest.send(*(state_tick(t) for t in range(first, first + 100)))
            honest.settle()
            assert not honest.refusals
        receive_until(viewer, "metric", first + 99)
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]
