"""`TickPublisher` and a real camera, over networks that break and with servers that die."""

from __future__ import annotations

import random
import signal
import ssl
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from marketcam.engine import Tick, film
from marketcam.io import PublishError, Refusal, Store, TickPublisher, TickRefusedError, encode_frame
from marketcam.io.publisher_link import Patience
from marketcam.server.ingest import session
from marketcam.server.settings import Settings
from tests.crossing import crossing
from tests.example_runs import run_javascript
from tests.ingest_helpers import TOKEN, ingest_server
from tests.raw_ticks import STATE, arrays_of, crowd
from tests.server_helpers import (
    receive_until,
    recorded,
    running_server,
    server_process,
    state_tick,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Broken connections are made again at once."""
    be_patient(monkeypatch)


def be_patient(monkeypatch: pytest.MonkeyPatch, **given: float) -> None:
    patience = partial(Patience, **({"first_pause": 0.001, "longest_pause": 0.1} | given))
    monkeypatch.setattr("marketcam.io.publisher.Patience", patience)


def publisher_to(url: str, **options: Any) -> TickPublisher:
    return TickPublisher(url, TOKEN, **options)


def ticks_of(store: Path) -> list[int]:
    """Numbers of the recorded raw ticks, which are all that were taken in."""
    return [orjson.loads(line)["t"] for line in recorded(store, "ticks")]


def test_what_is_published_is_what_is_filmed(tmp_path):
    raws = list(crowd(1, 60, agents=30, lifetime=20))
    with ingest_server(tmp_path, window=10, stride=5, record_ticks=True) as server:
        with publisher_to(server.listening.url, source="crowd") as publisher:
            for raw in raws[:30]:
                publisher.publish(raw)
            for raw in raws[30:]:
                publisher.publish_arrays(**arrays_of(raw), s=STATE)
        with server.http() as http:
            assert http.get("/health").json()["meta"]["running"] is False
    store = tmp_path / "store"
    ticks = [orjson.loads(line) for line in recorded(store, "ticks")]
    assert ticks == [Tick.from_dict(raw).to_dict() for raw in raws]
    directly = [encode_frame(frame) for frame in film(raws, W=10, stride=5)]
    assert recorded(store, "frames") == directly
    assert len(directly) == 10


def test_over_a_network_that_breaks_there_is_no_hole_and_no_double(tmp_path):
    rng = random.Random(5)
    # A tick has about 120 bytes: connections break in handshakes, within ticks and between them.
    cuts = [rng.randrange(200, 12_000) for _ in range(20)]
    with (
        ingest_server(tmp_path, record_ticks=True) as server,
        crossing(server.listening.port, cuts) as between,
    ):
        with publisher_to(between.url, buffer_bytes=4096) as publisher:
            for t in range(2000):
                publisher.publish(state_tick(t))
        assert not between.cuts
        assert publisher.taken == 2000
        assert server.rig.pipeline.ticks == 2000
    assert ticks_of(tmp_path / "store") == list(range(2000))


def test_javascript_over_a_network_that_breaks(tmp_path):
    with (
        ingest_server(tmp_path, record_ticks=True) as server,
        crossing(server.listening.port, [700, 50_000, 5000, 120_000]) as between,
    ):
        assert run_javascript(between.url, TOKEN, "1500") == "published up to tick 1500\n"
        assert not between.cuts
    assert ticks_of(tmp_path / "store") == list(range(1, 1501))


def test_a_connection_that_swallows_everything_is_given_up_by_both_sides(tmp_path, monkeypatch):
    be_patient(monkeypatch, silence=1.0)
    monkeypatch.setattr(session, "PING_SECONDS", 0.1)
    monkeypatch.setattr(session, "PROOF_SECONDS", 0.5)
    with (
        ingest_server(tmp_path, record_ticks=True) as server,
        crossing(server.listening.port) as between,
    ):
        with publisher_to(between.url) as publisher:
            publisher.publish(state_tick(0))
            publisher.flush()
            between.swallow()
            publisher.publish(state_tick(1))
            publisher.flush()
        assert len(between.passages) > 1
    assert ticks_of(tmp_path / "store") == [0, 1]


def test_a_camera_that_is_killed_goes_on_in_a_new_run(tmp_path):
    settings = {"IG_INGEST_TOKEN": TOKEN, "IG_CAM_W": "4", "IG_CAM_RECORD_TICKS": "true"}
    with crossing(0) as between, publisher_to(between.url) as publisher:
        with server_process(tmp_path, **settings) as killed:
            between.target = killed.port
            for t in range(100):
                publisher.publish(state_tick(t))
            publisher.flush()
            first = publisher.run
            killed.stop(signal.SIGKILL)
        for t in range(100, 150):
            publisher.publish(state_tick(t))
        with ingest_server(tmp_path, record_ticks=True) as server:
            between.target = server.listening.port
            publisher.flush()
            second = publisher.run
            publisher.close(end=False)
    assert first is not None
    assert second is not None
    assert first.run != second.run
    assert second.last_t is None
    assert publisher.taken == 150
    lines = Store(tmp_path / "store").lines("ticks", run=second.run)
    assert [orjson.loads(line)["t"] for line in lines] == list(range(100, 150))


def test_a_program_that_was_started_anew_goes_on_after_the_last_tick(tmp_path):
    with ingest_server(tmp_path, record_ticks=True) as server:
        publisher = publisher_to(server.listening.url)
        for t in range(10):
            publisher.publish(state_tick(t))
        publisher.close(end=False)
        with publisher_to(server.listening.url) as publisher:
            last_t = publisher.wait_for_run().last_t
            assert last_t == 9
            for t in range(last_t + 1, 20):
                publisher.publish(state_tick(t))
    assert ticks_of(tmp_path / "store") == list(range(20))


def test_ticks_that_the_camera_has_already_are_refused_and_not_passed_over(tmp_path):
    with ingest_server(tmp_path, record_ticks=True) as server:
        publisher = publisher_to(server.listening.url)
        publisher.publish(state_tick(5))
        publisher.close(end=False)
        refused: list[Refusal] = []
        with publisher_to(server.listening.url, on_refused=refused.append) as publisher:
            for t in range(4, 8):
                publisher.publish(state_tick(t))
        assert [refusal.t for refusal in refused] == [4, 5]
        assert "tick 4: t must increase from 5" in refused[0].error
        assert (publisher.taken, publisher.refused) == (2, 2)
    assert ticks_of(tmp_path / "store") == [5, 6, 7]


def test_a_tick_too_long_for_the_camera_is_refused_and_the_others_go_on(tmp_path):
    crowded = state_tick(1) | {"agents": dict.fromkeys(range(1000), 0.5)}
    with ingest_server(tmp_path, ingest_message_bytes=4096, record_ticks=True) as server:
        publisher = publisher_to(server.listening.url)
        for raw in (state_tick(0), crowded, state_tick(2)):
            publisher.publish(raw)
        with pytest.raises(TickRefusedError, match="tick 1: must be at most 4096 bytes"):
            publisher.close()
    assert ticks_of(tmp_path / "store") == [0, 2]


def test_a_producer_is_no_faster_than_the_camera(tmp_path):
    ids = np.arange(2000)
    arrays = {
        "mid": 100.0,
        "agent_id": ids,
        "experience": np.zeros(2000),
        "side": np.ones(2000, dtype=np.int8),
        "price": np.linspace(50.0, 150.0, 2000),
        "matches": np.empty((0, 2), dtype=np.int64),
    }
    options = {"ingest_queue_bytes": 50_000, "proximity": "neighbors", "record_ticks": True}
    with ingest_server(tmp_path, **options) as server:
        with publisher_to(server.listening.url, buffer_bytes=100_000) as publisher:
            for t in range(80):
                publisher.publish_arrays(t, **arrays)
                assert publisher.pending <= 3
        assert server.rig.pipeline.ticks == 80
    assert ticks_of(tmp_path / "store") == list(range(80))


def test_a_wrong_token(tmp_path):
    with ingest_server(tmp_path) as server:
        publisher = TickPublisher(server.listening.url, "another-token-of-tests")
        publisher.publish(state_tick(0))
        with pytest.raises(PublishError, match="status 401: ") as raised:
            publisher.flush()
        assert "another-token" not in str(raised.value)
        with pytest.raises(PublishError, match="status 401: "):
            publisher.close()
        assert server.rig.pipeline.ticks == 0


def test_a_camera_that_takes_no_ticks(tmp_path):
    with running_server(Settings(port=0, store_dir=tmp_path, window=4)) as server:
        publisher = publisher_to(server.listening.url)
        with pytest.raises(PublishError, match="status 404"):
            publisher.wait_for_run()


def test_a_second_producer_is_told_that_there_is_one(tmp_path):
    with ingest_server(tmp_path) as server:
        with publisher_to(server.listening.url) as first:
            first.wait_for_run()
            second = publisher_to(server.listening.url, retry_seconds=0)
            with pytest.raises(PublishError, match=r"status 409: .*connected"):
                second.wait_for_run()
            first.publish(state_tick(0))
        assert first.taken == 1


def test_viewers_see_what_is_published(tmp_path):
    with ingest_server(tmp_path) as server, publisher_to(server.listening.url) as publisher:
        with server.stream() as stream:
            for t in range(9):
                publisher.publish(state_tick(t))
            messages = receive_until(stream, "frame", 8)
        assert [m["t"] for m in messages if m["type"] == "metric"] == list(range(9))


def test_tls(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
        f" -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    with ingest_server(tmp_path, tls_cert=cert, tls_key=key) as server:
        stranger = publisher_to(server.listening.url)
        with pytest.raises(PublishError, match=r"wss://.*certificate verify failed"):
            stranger.wait_for_run()
        trust = ssl.create_default_context(cafile=str(cert))
        with publisher_to(server.listening.url, tls=trust) as publisher:
            publisher.publish(state_tick(0))
        assert publisher.taken == 1
