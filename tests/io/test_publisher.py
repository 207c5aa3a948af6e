"""The publisher against a camera that takes, refuses, breaks off and stands still as it is told."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from marketcam.engine import Tick, TickError
from marketcam.io import PublishError, Refusal, TickPublisher, TickRefusedError
from marketcam.io.publisher_address import IngestAddress
from marketcam.io.publisher_link import Link, Patience
from marketcam.io.publisher_outbox import Outbox
from tests.fake_camera import (
    TOKEN,
    Line,
    be_patient,
    fake_camera,
    publisher_of,
    refuse_second,
    taking,
)
from tests.raw_ticks import MAX_ID, STATE, arrays_of, quote, tick
from tests.server_helpers import PATIENCE, state_tick


@pytest.fixture(autouse=True)
def _without_long_pauses(monkeypatch):
    """Attempts follow one another at once; how long the pauses are is tested by itself."""
    be_patient(monkeypatch)


def test_all_ticks_arrive_and_the_end_is_said():
    with fake_camera() as camera:
        with publisher_of(camera, source="my.market-1") as publisher:
            for t in range(100):
                publisher.publish(state_tick(t))
        assert camera.taken == list(range(100))
        assert camera.ended.is_set()
        assert camera.tokens == [f"Bearer {TOKEN}"]
        assert camera.paths == ["/ws/ingest?source=my.market-1"]
    assert (publisher.taken, publisher.refused, publisher.pending) == (100, 0, 0)


def test_the_run_is_told():
    def later(line: Line) -> None:
        line.hello(last_t=41, run=None)
        line.take_all()

    with fake_camera(later) as camera, publisher_of(camera) as publisher:
        run = publisher.wait_for_run()
        assert run == ("python", None, 41, 4, 2, 2**20)
        assert publisher.run == run


def test_the_array_form_makes_the_same_tick(monkeypatch):
    encoded = []
    monkeypatch.setattr(
        "marketcam.io.publisher.encode_tick_binary", lambda tick: encoded.append(tick) or b"tick"
    )
    raw = tick(7, 99.5, buys={MAX_ID: 99.0, 1: 98.0}, agents={1: 0.5, 2: None}, matches=[[1, 2]])
    raw["s"] = STATE
    with socket.create_server(("127.0.0.1", 0)) as mute:
        publisher = TickPublisher(f"http://127.0.0.1:{mute.getsockname()[1]}", TOKEN)
        publisher.publish(raw)
        publisher.publish_arrays(**arrays_of(raw), s=STATE)
        publisher.publish_arrays(**arrays_of(raw), s=Tick.from_dict(raw).state)
        publisher.publish_arrays(8, None, [1, 2], [0.5, np.nan], [0, 0], [np.nan] * 2, [])
        with pytest.raises(PublishError, match="4 ticks were not dealt with within 0 s"):
            publisher.close(timeout=0)
    assert len({str(tick.to_dict()) for tick in encoded[:3]}) == 1
    assert encoded[3].to_dict() == {
        "t": 8, "mid": None, "agents": {"1": 0.5, "2": None}, "actions": {}, "matches": []
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"t": True}, "tick: t must be an integer, got True"),
        ({"mid": np.inf}, "tick 1: mid must be finite, got inf"),
        ({"side": np.int8([1, 3])}, "tick 1, agent 2: side must be 0..2, got 3"),
        ({"agent_id": np.int64([2, 2])}, "tick 1, agent 2: agent_id must name each agent once"),
        ({"matches": np.int64([[2, 2]])}, "of two agents"),
        ({"price": np.zeros(1)}, "price must have as many entries as agent_id, 2"),
        ({"s": {"volatility": 0.1}}, "s.price_norm must be a number, got None"),
    ],
)
def test_arrays_that_are_no_tick_are_refused_at_once(fields, said):
    given = {
        "t": 1,
        "mid": 100.0,
        "agent_id": np.int64([1, 2]),
        "experience": np.zeros(2),
        "side": np.int8([1, 2]),
        "price": np.ones(2),
        "matches": np.int64([[1, 2]]),
    }
    with fake_camera() as camera, publisher_of(camera) as publisher:
        with pytest.raises(TickError, match=said):
            publisher.publish_arrays(**(given | fields))
        assert publisher.refused == 1
        publisher.publish_arrays(**given)
    assert camera.taken == [1]


def test_a_tick_that_is_none_is_refused_at_once_and_the_others_go_on():
    with fake_camera() as camera, publisher_of(camera) as publisher:
        publisher.publish(state_tick(1))
        with pytest.raises(TickError, match="tick 2, agent 5: side must be"):
            publisher.publish({"t": 2, "actions": {"5": quote("long", 1.0)}})
        publisher.publish(state_tick(3))
    assert camera.taken == [1, 3]
    assert (publisher.taken, publisher.refused) == (2, 1)


def test_refusals_go_to_who_asked_for_them():
    refused: list[Refusal] = []
    with fake_camera() as camera, publisher_of(camera, on_refused=refused.append) as publisher:
        publisher.publish({"t": None})
        publisher.publish({"t": 2, "mid": "high"})
        publisher.publish(state_tick(3))
    assert [(t, error[:30]) for t, error in refused] == [
        (None, "tick: t must be an integer, go"),
        (2, "tick 2: mid must be a number, "),
    ]
    assert camera.taken == [3]


def test_what_only_the_camera_can_refuse_is_raised_once_by_the_next_call():
    with fake_camera(refuse_second) as camera, publisher_of(camera) as publisher:
        for t in (1, 2, 3):
            publisher.publish(state_tick(t))
        with pytest.raises(TickRefusedError, match="refused: tick 2: out of order") as raised:
            publisher.flush()
        assert raised.value.refusals == ((2, "tick 2: out of order"),)
        publisher.flush()
        assert (publisher.taken, publisher.refused) == (2, 1)


def test_after_a_broken_connection_only_what_the_camera_has_not_is_sent():
    def break_off(line: Line) -> None:
        line.hello()
        line.take(5)
        line.ack(2, t=1)
        line.camera.taken.remove(4)  # it came, and was not dealt with
        line.cut()

    with fake_camera(break_off, taking) as camera, publisher_of(camera) as publisher:
        for t in range(9):
            publisher.publish(state_tick(t))
    assert camera.taken == list(range(9))
    assert publisher.taken == 9


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
def test_a_camera_that_goes_away_is_waited_for(code):
    def go_away(line: Line) -> None:
        line.hello()
        line.take(1)
        line.close(code)

    with fake_camera(go_away, go_away, taking) as camera, publisher_of(camera) as publisher:
        camera.taken.clear()
        for t in range(3):
            publisher.publish(state_tick(t))
        publisher.flush()
        assert publisher.taken == 3
    assert camera.taken[-1] == 2


def test_a_camera_without_a_memory_is_sent_what_was_not_acknowledged():
    def forgetful(line: Line) -> None:
        line.hello()
        line.take(4)
        line.ack(2)
        line.cut()

    def anew(line: Line) -> None:
        line.camera.taken.clear()
        line.hello(last_t=None, run="run-2")
        line.take_all()

    with fake_camera(forgetful, anew) as camera, publisher_of(camera) as publisher:
        for t in range(4):
            publisher.publish(state_tick(t))
    assert camera.taken == [2, 3]
    assert publisher.run is not None
    assert publisher.run.run == "run-2"


def test_a_producer_that_is_too_fast_is_made_to_wait():
    going_on = threading.Event()

    def slow(line: Line) -> None:
        line.hello()
        line.take(2)
        going_on.wait()
        line.ack(2)
        line.camera.taken.clear()
        line.camera.taken += [0, 1]
        while len(line.camera.taken) < 50:
            line.take(1)
            line.ack(len(line.camera.taken))
        line.take_all()

    size = 200  # a tick of two agents has 120 bytes
    with fake_camera(slow) as camera, publisher_of(camera, buffer_bytes=2 * size) as publisher:
        published = []

        def publish() -> None:
            for t in range(50):
                publisher.publish(state_tick(t))
                published.append(t)

        thread = threading.Thread(target=publish)
        thread.start()
        publisher.wait_for_run()
        assert len(published) <= 4
        assert publisher.pending <= 4
        going_on.set()
        thread.join()
        publisher.flush()
        assert camera.taken == list(range(50))


def test_several_threads_publish():
    seen: list[int] = []
    turn = threading.Lock()
    with fake_camera() as camera, publisher_of(camera) as publisher:

        def publish() -> None:
            for _ in range(100):
                with turn:
                    seen.append(len(seen))
                    publisher.publish(state_tick(seen[-1]))

        threads = [threading.Thread(target=publish) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert camera.taken == list(range(400))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refused_producer_is_told_why(status):
    with fake_camera() as camera:
        camera.statuses.append(status)
        publisher = publisher_of(camera)
        with pytest.raises(PublishError, match=f"status {status}: said {status}") as raised:
            publisher.wait_for_run()
        assert TOKEN not in str(raised.value)
        with pytest.raises(PublishError, match=f"status {status}"):
            publisher.publish(state_tick(1))
        with pytest.raises(PublishError, match=f"status {status}"):
            publisher.close()
        assert len(camera.tokens) == 1


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503])
def test_a_camera_that_is_not_ready_is_tried_again(status):
    with fake_camera() as camera:
        camera.statuses += [status] * 3
        with publisher_of(camera) as publisher:
            publisher.publish(state_tick(1))
        assert camera.taken == [1]
        assert len(camera.tokens) == 4


@pytest.mark.parametrize("status", [409, 503])
def test_in_the_end_it_gives_up(status):
    with fake_camera() as camera:
        camera.statuses += [status] * 1000
        publisher = publisher_of(camera, retry_seconds=0.05)
        with pytest.raises(PublishError, match=rf"status {status}: said {status} \(tried for"):
            publisher.wait_for_run()
        with pytest.raises(PublishError):
            publisher.close()


def test_another_producer_is_waited_for_less_long_than_a_server(monkeypatch):
    be_patient(monkeypatch, occupied=0.0)
    with fake_camera() as camera:
        camera.statuses += [503, 503, 409]
        publisher = publisher_of(camera)
        with pytest.raises(PublishError, match="status 409"):
            publisher.wait_for_run()
        assert len(camera.tokens) == 3
        with pytest.raises(PublishError):
            publisher.close()


def test_how_long_a_server_was_away_does_not_count_against_another_producer():
    address = IngestAddress.of("http://localhost", TOKEN, "python")
    link = Link(address, Outbox(1), Patience(60.0))
    occupied = InvalidStatus(Response(409, "Conflict", Headers()))
    link._give_up_in_the_end(ConnectionRefusedError(), 100.0)
    link._give_up_in_the_end(occupied, 140.0)
    link._give_up_in_the_end(occupied, 154.0)
    with pytest.raises(PublishError, match=r"409.* \(tried for 55 s\)"):
        link._give_up_in_the_end(occupied, 155.0)


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    publisher = TickPublisher(url, TOKEN, retry_seconds=0)
    with pytest.raises(PublishError, match=r"/ws/ingest\?source=python: .*connect"):
        publisher.wait_for_run()
    with pytest.raises(PublishError):
        publisher.close()


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009])
def test_what_would_be_answered_in_the_same_way_again_is_not_tried_again(code):
    with fake_camera(lambda line: (line.hello(), line.close(code, "no"))) as camera:
        publisher = publisher_of(camera)
        publisher.publish(state_tick(1))
        with pytest.raises(PublishError, match=f"closed with {code}: no"):
            publisher.flush()
        with pytest.raises(PublishError):
            publisher.close()
        assert len(camera.tokens) == 1


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (lambda line: line.connection.send("hi"), "sent no JSON: 'hi'"),
        (lambda line: line.connection.send("[]"), r"sent no object: '\[\]'"),
        (lambda line: line.say("heartbeat"), "greets with 'heartbeat', not hello"),
        (lambda line: line.hello(window=True), "'hello' must hold an integer window, got True"),
        (lambda line: line.hello(last_t="1"), "'hello' must hold an integer last_t, got '1'"),
        (lambda line: (line.hello(), line.hello()), "greets twice"),
        (lambda line: (line.hello(), line.ack(7)), "acknowledged 7 ticks, after 0, of 0"),
        (lambda line: (line.hello(), line.say("refused", tick=1, error="x")), "refused tick 1"),
        (lambda line: (line.hello(), line.say("ack")), "'ack' must hold an integer ticks"),
    ],
)
def test_a_server_that_is_no_camera_is_given_up(script, said):
    def play(line: Line) -> None:
        script(line)
        for _ in line.connection:
            pass

    with fake_camera(play) as camera:
        publisher = publisher_of(camera)
        with pytest.raises(PublishError, match=said):
            publisher._outbox.end(timeout=None)
        with pytest.raises(PublishError, match=said):
            publisher.close()


def test_what_later_versions_say_is_passed_over():
    def talkative(line: Line) -> None:
        line.hello(colour="blue")
        line.say("heartbeat", t=None)
        line.say("advice", text="slower")
        line.take_all()

    with fake_camera(talkative) as camera, publisher_of(camera) as publisher:
        publisher.publish(state_tick(1))
    assert camera.taken == [1]


def test_a_connection_on_which_nothing_is_heard_is_made_anew(monkeypatch):
    be_patient(monkeypatch, silence=0.2)

    def stand_still(line: Line) -> None:
        line.hello()
        line.take(1)
        with pytest.raises(Exception, match="close"):
            line.take(1000)

    def awake(line: Line) -> None:
        line.hello(0)
        line.take_all()

    with fake_camera(stand_still, awake) as camera, publisher_of(camera) as publisher:
        publisher.publish(state_tick(0))
        publisher.publish(state_tick(1))
        publisher.flush()
    assert camera.taken[-1] == 1


def test_the_address_may_be_that_of_the_web_or_of_sockets():
    with fake_camera() as camera:
        url = camera.url.replace("http", "ws") + "/"
        with TickPublisher(url, TOKEN) as publisher:
            publisher.publish(state_tick(1))
        assert camera.paths == ["/ws/ingest?source=python"]


def test_the_token_may_come_from_the_environment_or_a_file(monkeypatch, tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    with fake_camera() as camera:
        for given in (TOKEN, f"@{path}"):
            monkeypatch.setenv("IG_INGEST_TOKEN", given)
            with TickPublisher(camera.url) as publisher:
                publisher.wait_for_run()
        assert camera.tokens == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "ftp://here"}, r"must be http\(s\)://… or ws\(s\)://…, got 'ftp://here'"),
        ({"url": "http://here:port"}, "not an address: 'http://here:port'"),
        ({"url": "http://me:secret@here"}, "must have no user, query or fragment$"),
        ({"url": "http://here/?a=1"}, "must have no user, query or fragment$"),
        ({"url": "http://hère"}, "printable ASCII"),
        ({"source": "a b"}, "source must be 1 to 64 of .* got 'a b'"),
        ({"source": ""}, "source must be 1 to 64"),
        ({"token": "short"}, "a token must be 16 to 256 printable ASCII characters"),
        ({"token": ""}, "a token must be given, or stand in IG_INGEST_TOKEN; got none"),
        ({"token": "@/no/such/file"}, "the token's file cannot be read: no such file"),
        ({"token": "@secret\0of-some-length"}, "the token's file cannot be read: not"),
        ({"buffer_bytes": 0}, "buffer_bytes must be at least 1, got 0"),
        ({"retry_seconds": float("nan")}, "retry_seconds must be at least 0, got nan"),
    ],
)
def test_arguments_out_of_range(given, said):
    with pytest.raises(PublishError, match=said):
        TickPublisher(**({"url": "http://localhost", "token": TOKEN} | given))


def test_pauses_grow_up_to_a_limit_and_differ():
    address = IngestAddress.of("http://localhost", TOKEN, "python")
    link = Link(address, Outbox(1), Patience(60.0))
    pauses = [link._pause() for _ in range(40)]
    for k, pause in enumerate(pauses):
        longest = min(5.0, 0.1 * 2**k)
        assert longest / 2 <= pause <= longest
    assert len(set(pauses)) == 40
    assert TOKEN not in repr(address)


def test_a_greeting_that_comes_late_is_waited_for_while_there_are_signs_of_life(monkeypatch):
    be_patient(monkeypatch, silence=2.0, handshake=2.0)

    def busy(line: Line) -> None:
        until = time.monotonic() + 2.2
        while time.monotonic() < until:  # with what came before, perhaps
            assert line.connection.ping().wait(PATIENCE)
        line.hello()
        line.take_all()

    def later(line: Line) -> None:
        raise AssertionError("it has connected again")

    with fake_camera(busy, later) as camera, publisher_of(camera) as publisher:
        publisher.publish(state_tick(1))
    assert camera.taken == [1]
