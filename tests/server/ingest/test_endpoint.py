"""`/ws/ingest` as a producer sees it: real connections to real servers."""

from __future__ import annotations

import asyncio
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
from websockets.exceptions import InvalidStatus

from marketcam.engine import Tick
from marketcam.io import encode_tick_binary
from marketcam.server.errors import ServerError
from marketcam.server.ingest.link import MOST_FRAGMENTS, IngestProtocol
from marketcam.server.ingest.session import Session
from tests.ingest_helpers import TOKEN, connected, ingest_server, producer, some_ticks
from tests.server_helpers import fed_server, receive_until, recorded, state_tick

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.frames import Frame

    from tests.server_helpers import Running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with ingest_server(tmp_path, record_ticks=True) as running:
        yield running


def ticks_of(folder: Path) -> list[int]:
    """Numbers of the recorded raw ticks, which are all that were taken in."""
    return [orjson.loads(line)["t"] for line in recorded(folder / "store", "ticks")]


def refused_with(server: Running, source: str = "sim", **options: object) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refusal, connected(server, source, **options):
        pass
    response = refusal.value.response
    return response.status_code, orjson.loads(response.body)["error"]


def test_ticks_are_taken_in_and_acknowledged(server: Running) -> None:
    with producer(server) as sim:
        [hello] = sim.told
        assert hello == {
            "type": "hello",
            "source": "sim",
            "run": server.rig.recorder.status().run,
            "last_t": None,
            "window": 4,
            "stride": 2,
            "max_message_bytes": 64 * 2**20,
        }
        with server.stream() as viewer:
            sim.send(*some_ticks(0, 5))
            receive_until(viewer, "frame", 4)
        sim.settle()
        assert sim.told[-1] == {"type": "ack", "t": 5, "ticks": 6, "refused": 0}
        assert server.rig.pipeline.ticks == 6


def test_both_forms_give_the_same_run(tmp_path: Path) -> None:
    for form in ("json", "binary"):
        with ingest_server(tmp_path / form, record_ticks=True) as server, producer(server) as sim:
            for first in range(0, 30, 3):
                sim.send(*some_ticks(first, first + 2), binary=form == "binary")
            sim.settle()
    for kind in ("ticks", "metrics", "frames"):
        ours, theirs = (recorded(tmp_path / form / "store", kind) for form in ("json", "binary"))
        assert ours == theirs
        assert ours


def test_a_source_that_ends_ends_the_run(server: Running, tmp_path: Path) -> None:
    with producer(server) as sim:
        sim.send(*some_ticks(0, 99))
        sim.end()
        assert sim.hear_the_end() == (1000, "the source has ended")
        assert sim.acked == 100
    with server.http() as http:
        health = http.get("/health").json()
        assert health["ok"]
        assert not health["meta"]["running"]
        assert health["ingest"]["ended"]
    assert refused_with(server) == (410, "the source has ended")
    with connected(server, additional_headers={}) as sim:
        sim.connection.send(orjson.dumps({"type": "auth", "token": TOKEN}).decode())
        assert sim.hear_the_end() == (4410, "the source has ended")


def test_before_a_producer_comes_the_camera_waits(server: Running) -> None:
    with server.http() as http:
        health = http.get("/health").json()
    assert health["meta"] | {"start_ts": 0} == {
        "running": True,
        "start_ts": 0,
        "ticks": 0,
        "seed": 0,
    }
    assert health["ingest"] == {
        "source": None,
        "connected": False,
        "ended": False,
        "last_t": None,
        "refused": 0,
        "queued_bytes": 0,
        "queued_messages": 0,
    }


def test_health_tells_of_the_producer(server: Running) -> None:
    with producer(server, "a.b_c-9") as sim, server.http() as http:
        sim.send(*some_ticks(0, 3), state_tick(3))
        sim.settle()
        figures = http.get("/health").json()["ingest"]
        assert figures["source"] == "a.b_c-9"
        assert figures["connected"]
        assert (figures["last_t"], figures["refused"], figures["queued_bytes"]) == (3, 1, 0)


# ---- bad ticks -----------------------------------------------------------------------------------


BAD = {
    "not json": ("{", "not JSON"),
    "an array": ("[1]", "tick must be an object, got [1]"),
    "no number": ('{"mid":1}', "t must be an integer, got None"),
    "a side": (
        '{"t":8,"actions":{"1":{"side":"bid"}}}',
        "tick 8, agent 1: side must be 'buy', 'sell' or 'none', got 'bid'",
    ),
    "a match with itself": ('{"t":8,"matches":[[4,4]]}', "must be of two agents"),
    "a repeated key": ('{"t":8,"t":9}', "key 't' stands twice"),
    "the same tick again": ('{"t":7}', "tick 7: t must increase from 7, got 7"),
    "an end with a number": ('{"type":"end","t":null}', "t must be an integer, got None"),
    "an unknown type": ('{"type":"start"}', "t must be an integer, got None"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_tick_is_refused_and_the_run_goes_on(server: Running, name: str) -> None:
    text, problem = BAD[name]
    with producer(server) as sim:
        sim.send(*some_ticks(0, 7))
        sim.send_as(text, 1)
        sim.send(*some_ticks(9, 10))
        sim.settle()
        [refusal] = sim.refusals
        assert refusal["tick"] == 9
        assert problem in refusal["error"]
        assert sim.told[-1] == {"type": "ack", "t": 10, "ticks": 11, "refused": 1}
        assert server.rig.pipeline.refused == 1


def test_refusals_are_told_in_order_with_those_of_the_camera(server: Running) -> None:
    lines = []
    for t in range(300):  # the bad ones are found by the source, or by the camera
        lines += [orjson.dumps(state_tick(t)), b"nonsense", orjson.dumps({"t": t - 1}), b" "]
    with producer(server) as sim:
        sim.send_as(b"\n".join(lines).decode(), 900)
        sim.settle()
        bad = [k for k in range(1, 901) if k % 3 != 1]
        assert [refusal["tick"] for refusal in sim.refusals] == bad
        assert server.rig.pipeline.ticks == 300


@pytest.mark.parametrize(
    ("raw", "place", "value", "problem"),
    [
        ({"agents": {1: 0.5}}, 48, struct.pack("<d", float("inf")), "experience must be finite"),
        ({"agents": {2**33: 0.5}}, 40, struct.pack("<q", 2**54), "agent_id must be 0.."),
        ({"agents": {1: 0.5}}, 64, b"\x03", "side must be 0..2, got 3"),
    ],
)
def test_a_bad_binary_tick_is_refused_as_the_camera_does(
    server: Running, raw: dict[str, object], place: int, value: bytes, problem: str
) -> None:
    data = bytearray(encode_tick_binary(Tick.from_dict({"t": 1, **raw})))
    data[place : place + len(value)] = value
    with producer(server) as sim:
        sim.send_as(encode_tick_binary(Tick.from_dict({"t": 0})) + bytes(data), 2)
        sim.send({"t": 2}, binary=True)
        sim.settle()
        [refusal] = sim.refusals
        assert (refusal["tick"], refusal["t"]) == (2, 1)
        assert refusal["error"].startswith("tick 1, agent ")
        assert problem in refusal["error"]
        assert sim.last_t == 2


def test_binary_ticks_that_cannot_be_told_apart_end_the_connection(server: Running) -> None:
    tick = encode_tick_binary(Tick.from_dict({"t": 0}))
    with producer(server) as sim:
        sim.send_as(tick + b"garbage", 1)
        code, reason = sim.hear_the_end()
        assert code == 1007
        assert reason == "tick 2: byte 40: a tick's header has 40 bytes, got 7"
        assert (sim.acked, sim.last_t) == (1, 0)
    with producer(server) as sim:
        assert sim.last_t == 0


def test_with_fail_a_bad_tick_ends_the_run(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(ServerError, match="tick 5: tick: t must be an integer"))
        server = stack.enter_context(ingest_server(tmp_path, bad_tick="fail"))
        sim = stack.enter_context(producer(server))
        sim.send(*some_ticks(0, 3))
        sim.send_as("{}", 1)
        assert sim.hear_the_end() == (1011, "the run has failed")
        assert (sim.acked, len(sim.refusals)) == (5, 1)


# ---- messages ------------------------------------------------------------------------------------


def test_ping_is_answered(server: Running) -> None:
    with producer(server) as sim:
        sim.connection.send("ping")
        assert sim.hear() == {"type": "pong"}


def test_silence_is_broken_by_heartbeats(tmp_path: Path) -> None:
    with ingest_server(tmp_path, heartbeat_seconds=0.05) as server, producer(server) as sim:
        assert sim.hear() == {"type": "heartbeat", "t": None}


def test_a_message_too_long_ends_its_connection_only(tmp_path: Path) -> None:
    with ingest_server(tmp_path, ingest_message_bytes=8192) as server:
        with producer(server) as sim:
            assert sim.told[0]["max_message_bytes"] == 8192
            sim.send(state_tick(0) | {"more": "x" * 7000})
            sim.settle()
            sim.connection.send("x" * 8193)
            assert sim.hear_the_end()[0] == 1009
        with producer(server) as sim:
            assert sim.last_t == 0


def test_text_that_is_none_ends_its_connection_only(server: Running) -> None:
    with producer(server) as sim:
        sim.send(*some_ticks(0, 3))
        sim.connection.send(b"\xff{", text=True)
        assert sim.hear_the_end()[0] == 1007
    with producer(server) as sim:
        assert sim.last_t == 3


def test_a_message_in_fragments_is_one(server: Running) -> None:
    with producer(server) as sim:
        text = "\n".join(orjson.dumps(raw).decode() for raw in some_ticks(0, 9))
        sim.sent = 10
        sim.connection.send(text[k : k + 7] for k in range(0, len(text), 7))
        sim.settle()
        assert sim.last_t == 9


def test_a_message_in_very_many_fragments_is_joined_as_it_comes(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    handle_cont = IngestProtocol.handle_cont

    def watched(self: IngestProtocol, event: Frame) -> None:
        handle_cont(self, event)
        kept.append(len(self.frames))

    monkeypatch.setattr(IngestProtocol, "handle_cont", watched)
    text = "\n".join(orjson.dumps(raw).decode() for raw in some_ticks(0, 4))
    with producer(server) as sim:
        for message in (list(text), [bytes([byte]) for byte in text.encode()]):
            sim.connection.send(message)
        sim.send(state_tick(5))
        sim.sent += 5
        # The same bytes as binary are no ticks that could be told apart.
        assert sim.hear_the_end()[0] == 1007
        assert sim.acked == 5
    assert len(kept) > 2 * MOST_FRAGMENTS
    assert max(kept) <= MOST_FRAGMENTS


# ---- who is let in -------------------------------------------------------------------------------


def test_without_a_token_configured_there_is_no_such_path(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _):
        assert refused_with(server) == (404, "no such path")


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "é", "a/b"])
def test_a_name_that_is_none_is_refused(server: Running, name: str) -> None:
    assert refused_with(server, httpx.URL("/", params={"s": name}).query.decode()[2:]) == (
        400,
        f"source must be 1 to 64 of A-Z a-z 0-9 . _ -, got {name!r}",
    )


def test_a_wrong_token_is_refused(server: Running) -> None:
    wrong = {"Authorization": f"Bearer {TOKEN}x"}
    assert refused_with(server, additional_headers=wrong) == (401, "wrong token")


def test_a_page_shows_its_token_first(server: Running) -> None:
    with connected(server, additional_headers={}) as sim:
        sim.connection.send(orjson.dumps({"type": "auth", "token": TOKEN}).decode())
        assert sim.hear() == {"type": "auth", "ok": True}
        sim.greet()
        sim.send({**state_tick(0), "more": "x" * 50_000})
        sim.settle()


def test_after_the_handshake_refusals_are_close_codes(server: Running) -> None:
    with producer(server), connected(server, additional_headers={}) as second:
        second.connection.send(orjson.dumps({"type": "auth", "token": TOKEN}).decode())
        assert second.hear_the_end() == (4409, "a producer is connected already")


def test_a_second_producer_is_refused(server: Running) -> None:
    with producer(server) as sim:
        for name in ("sim", "other"):
            assert refused_with(server, name)[0] == 409
        sim.send(*some_ticks(0, 3))
        sim.settle()
    assert refused_with(server, "other") == (409, "the run is that of the source sim")
    with producer(server) as sim:
        assert sim.last_t == 3


def test_a_name_is_bound_to_the_run_by_its_first_tick(server: Running) -> None:
    with producer(server, "mistyped"):
        pass
    with producer(server, "sim") as sim:
        sim.send_as("\n \n", 0)
        sim.send_as("nonsense", 1)
        sim.settle()
        sim.send(state_tick(0))
        sim.settle()
    server.rig.recorder.flush()
    with server.http() as http:
        [run] = http.get("/runs").json()
    assert (run["about"]["source"], run["about"]["producer"]) == ("ingest", "sim")
    assert refused_with(server, "mistyped") == (409, "the run is that of the source sim")


def test_plain_http_is_told_that_it_is_a_websocket(server: Running) -> None:
    with server.http() as http:
        assert http.get("/ws/ingest").status_code == 426
        assert http.get("/").json()["endpoints"]["ingest"] == "/ws/ingest"


def test_at_shutdown_the_producer_is_told(tmp_path: Path) -> None:
    with ingest_server(tmp_path) as server, producer(server) as sim:
        sim.send(*some_ticks(0, 3))
        sim.settle()
        server.listening.stop()
        assert sim.hear_the_end() == (1001, "the server is shutting down")


def test_who_asks_while_another_says_its_first_and_last_is_refused(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with producer(server, "first") as first:

        async def gone(_: Session) -> bool:
            """Let a producer, asked whether it is there, send its first tick, and no more."""
            first.send(state_tick(0))
            while server.rig.pipeline.ticks == 0:
                await asyncio.sleep(0)
            return False

        monkeypatch.setattr(Session, "is_alive", gone)
        assert refused_with(server, "second") == (409, "the run is that of the source first")


def test_a_run_that_has_failed_takes_no_producer(tmp_path: Path) -> None:
    with ingest_server(tmp_path) as server:
        server.rig.pipeline.stop()
        assert refused_with(server) == (503, "the run is over")
