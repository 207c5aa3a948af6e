"""Edges over a real NATS: what their viewers are sent is what the camera's are, or is declared."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats
import orjson
import pytest

from marketcam.engine import MarketCameraError, warm_up
from marketcam.io import decode_frame_columns, encode_frame, encode_frame_columns
from marketcam.server import serve
from marketcam.server.cli import main
from marketcam.server.edges.link import LinkOptions
from marketcam.server.errors import ConfigurationError
from marketcam.server.settings import Settings
from tests.nats_helpers import QUICK, NatsServer, free_port, nats_server
from tests.server.security.test_tls import make_certificate
from tests.server_helpers import (
    PATIENCE,
    Running,
    TickFeed,
    fed_server,
    named,
    open_stream,
    receive,
    receive_until,
    running_server,
)
from tests.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats"), max_payload=64 * 1024) as made:
        yield made


@contextmanager
def edge(url: str, **options: Any) -> Iterator[Running]:
    settings = Settings(port=0, nats=url, **(QUICK | options))
    with running_server(settings, serve.run_edge) as running:
        yield running


@contextmanager
def camera(folder: Path, url: str, **options: Any) -> Iterator[tuple[Running, TickFeed]]:
    """Run a camera with a stream of its own, named as its folder is."""
    with fed_server(folder, nats=url, nats_stream=folder.name, **(QUICK | options)) as made:
        yield made


def reasons(http: httpx.Client) -> list[str]:
    """Return why a server is degraded, in its own order."""
    return [reason["code"] for reason in http.get("/health").json()["reasons"]]


def raw(url: str, count: int) -> list[str | bytes]:
    with open_stream(url) as stream:
        return [stream.recv(timeout=PATIENCE) for _ in range(count)]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look again and again, for what tells nobody that it has happened."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if is_so():
            return
        pause.wait(0.02)
    raise AssertionError("it has not come about")


QUERIES = ["", "?kinds=frame", "?every=2", "?edges=1", "?encoding=columns&edges=0", "?from_t=6"]


def test_the_same_bytes_under_every_option(tmp_path: Path, server: NatsServer) -> None:
    name = tmp_path.name
    with (
        camera(tmp_path, server.url) as (own, feed),
        edge(server.url, nats_stream=name, history=own.listening.url) as far,
        ExitStack() as stack,
    ):
        pairs = [
            [stack.enter_context(open_stream(f"{each.listening.stream_url}{query}"))
             for each in (own, far)]
            for query in QUERIES
        ]  # fmt: skip
        watch = stack.enter_context(far.stream())
        feed.send_ticks(0, 20)
        receive_until(watch, "frame", 20)
        for query, (at_camera, at_edge) in zip(QUERIES, pairs, strict=True):
            count = {"?kinds=frame": 9, "?every=2": 16, "?from_t=6": 23}.get(query, 30)
            if "columns" in query:
                count = 30
            sent = [
                [each.recv(timeout=PATIENCE) for _ in range(count)] for each in (at_camera, at_edge)
            ]
            assert sent[0] == sent[1], query
        # And for those who come late: the greeting, and the recording.
        for query in QUERIES:
            urls = (own.listening.stream_url, far.listening.stream_url)
            count = {"?kinds=frame": 1, "?every=2": 12, "?from_t=6": 23}.get(query, 22)
            at_camera, at_edge = (raw(f"{url}{query}", count) for url in urls)
            assert at_camera == at_edge, query
        assert far.rig.inlet.figures().damaged == 0


def test_frames_larger_than_a_nats_message_come_in_parts(
    tmp_path: Path, server: NatsServer
) -> None:
    """`max_payload` of this server is 64 KB."""
    settings = Settings(
        port=0,
        store_dir=tmp_path / "store",
        nats=server.url,
        nats_stream=tmp_path.name,
        agents=1500,
        tick_rate=20,
        window=4,
        stride=4,
        proximity="neighbors",
        **QUICK,
    )
    with running_server(settings) as own, edge(server.url, nats_stream=tmp_path.name) as far:
        with own.stream() as at_camera, far.stream() as at_edge:
            sent = {}
            for stream in (at_camera, at_edge):
                frames = {}
                while len(frames) < 2:
                    text = stream.recv(timeout=PATIENCE)
                    message = orjson.loads(text)
                    if message["type"] == "frame":
                        frames[message["t"]] = text
                sent[stream] = frames
        same = set(sent[at_camera]) & set(sent[at_edge])
        assert same
        for t in same:
            assert sent[at_camera][t] == sent[at_edge][t]
            assert len(sent[at_edge][t]) > 5 * 64 * 1024


def test_another_run_closes_the_viewers_who_come_again(tmp_path: Path, server: NatsServer) -> None:
    with ExitStack() as stack:
        with camera(tmp_path, server.url) as (_, feed):
            far = stack.enter_context(edge(server.url, nats_stream=tmp_path.name))
            stream = stack.enter_context(far.stream())
            feed.send_ticks(0, 8)
            receive_until(stream, "frame", 8)
            first = far.rig.inlet.status.run
        watcher = Watcher(stream)
        feed.path.unlink()
        with camera(tmp_path, server.url) as (_, feed):
            assert watcher.wait_until_closed() == (1001, "the camera has begun another run")
            assert far.rig.inlet.status.run != first
            with far.stream() as again:
                feed.send_ticks(0, 4)
                assert named(receive_until(again, "frame", 4)) == [
                    *(("metric", t) for t in range(5)),
                    ("frame", 4),
                ]


def test_a_run_that_is_gone_on_with_goes_on(tmp_path: Path, server: NatsServer) -> None:
    settings = Settings(
        port=0,
        store_dir=tmp_path / "store",
        nats=server.url,
        nats_stream=tmp_path.name,
        tick_rate=200,
        window=4,
        stride=2,
        checkpoint_seconds=0.05,
        **QUICK,
    )
    with ExitStack() as stack:
        with running_server(settings) as own:
            far = stack.enter_context(edge(server.url, nats_stream=tmp_path.name))
            watcher = Watcher(stack.enter_context(far.stream()))
            wait_until(lambda: own.rig.saving.figures()["last_t"] is not None)
            watcher.wait_for("metric", own.rig.pipeline.last_t + 20)
            run = own.rig.recorder.run
        before = own.rig.pipeline.last_t
        with running_server(settings) as own:
            assert own.rig.recorder.run == run
            watcher.wait_for("metric", before + 20)
        last = max(t for _, t in watcher.raw)
        assert watcher.closed is None
        assert watcher.missed("metric", list(range(last + 1))) == []
        assert watcher.missed("frame", list(range(4, last + 1, 2))) == []
        assert not watcher.gaps
        watcher.close()


def test_an_edge_is_there_before_nats_and_before_the_camera(tmp_path: Path) -> None:
    nats_of = NatsServer(tmp_path / "nats")
    with (
        edge(nats_of.url, nats_stream=tmp_path.name, heartbeat_seconds=0.2) as far,
        far.http() as http,
    ):
        assert reasons(http)[0] == "upstream_lost"
        assert http.get("/health?ready=1").status_code == 503
        assert str(nats_of.port) not in http.get("/health").text
        with far.stream() as stream:
            assert receive(stream) == [{"type": "heartbeat", "t": None}]
            stream.send("ping")
            while (message := receive(stream)[0])["type"] == "heartbeat":
                pass
            assert message == {"type": "pong"}
        nats_of.start()
        try:
            with camera(tmp_path, nats_of.url) as (_, feed):
                wait_until(lambda: not {"upstream_lost", "no_run"} & set(reasons(http)))
                assert http.get("/health?ready=1").status_code == 200
                with far.stream() as stream:
                    feed.send_ticks(0, 4)
                    receive_until(stream, "frame", 4)
                    heartbeat = receive(stream)[0]
                    assert heartbeat == {"type": "heartbeat", "t": 4}
        finally:
            nats_of.end()


def test_nats_loses_its_store(tmp_path: Path) -> None:
    with (
        nats_server(tmp_path) as nats_of,
        camera(tmp_path, nats_of.url) as (own, feed),
        edge(nats_of.url, nats_stream=tmp_path.name) as far,
        far.stream() as stream,
    ):
        watcher = Watcher(stream)
        feed.send_ticks(0, 10)
        watcher.wait_for("frame", 10)
        nats_of.end()
        nats_of.forget()
        nats_of.start()
        feed.send_ticks(11, 20)
        watcher.wait_for("frame", 20)
        assert watcher.missed("metric", list(range(21))) == []
        assert not watcher.gaps
        watcher.close()
        assert own.rig.outlet.link.connects == 2


def test_the_camera_waits_for_no_nats_and_declares_what_did_not_fit(tmp_path: Path) -> None:
    nats_of = NatsServer(tmp_path / "nats")
    with camera(tmp_path, nats_of.url, nats_queue_bytes=64 * 1024) as (own, feed):
        with own.stream() as stream:
            feed.send_ticks(0, 600)
            receive_until(stream, "frame", 600)
        with own.http() as http:
            wait_until(lambda: own.rig.outlet.link.problem == "connection refused")
            health = http.get("/health").json()
            assert health["nats"]["problem"] == "connection refused"
            assert health["nats"]["dropped"]["metric"] > 0
            assert "nats_failing" in reasons(http)
        nats_of.start()
        try:
            wait_until(lambda: own.rig.outlet.figures().waiting == 0)
            with edge(nats_of.url, nats_stream=tmp_path.name) as far, far.stream() as stream:
                watcher = Watcher(stream)
                feed.send_ticks(601, 610)
                watcher.wait_for("frame", 610)
                assert watcher.missed("metric", list(range(611))) == []
                assert watcher.missed("frame", list(range(4, 611, 2))) == []
                watcher.close()
        finally:
            nats_of.end()


USER = {"authorization": {"user": "u", "password": "secret-pw"}}
GUARDS = {
    "user": (USER, {"nats_user": "u", "nats_password": "secret-pw"}),
    "token": ({"authorization": {"token": "secret-pw"}}, {"nats_token": "secret-pw"}),
    "url": (USER, {}),
}


@pytest.mark.parametrize(("config", "shown"), GUARDS.values(), ids=GUARDS)
def test_who_may_use_nats_has_to_show_it(
    tmp_path: Path, config: dict[str, Any], shown: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with nats_server(tmp_path, **config) as guarded:
        url = guarded.url if shown else guarded.url.replace("://", "://u:secret-pw@")
        with edge(guarded.url, nats_stream=tmp_path.name) as far, far.http() as http:
            wait_until(lambda: "authorization" in (far.rig.inlet.link.problem or ""))
            assert http.get("/health?ready=1").status_code == 503
        with (
            camera(tmp_path, url, **shown) as (own, feed),
            edge(url, nats_stream=tmp_path.name, **shown) as far,
            far.stream() as stream,
        ):
            feed.send_ticks(0, 4)
            receive_until(stream, "frame", 4)
            for each in (own, far):
                with each.http() as http:
                    assert "secret-pw" not in http.get("/health").text + http.get("/metrics").text
    assert "secret-pw" not in caplog.text


def test_nats_over_tls_is_checked_against_its_authority(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    tls = {"cert_file": str(files["tls_cert"]), "key_file": str(files["tls_key"])}
    with nats_server(tmp_path, tls=tls) as guarded:
        url = guarded.url.replace("nats://", "tls://")
        with edge(url, nats_stream=tmp_path.name) as far:
            wait_until(lambda: "certificate" in (far.rig.inlet.link.problem or ""))
        trusts = {"nats_ca": files["tls_cert"]}
        with (
            camera(tmp_path, url, **trusts) as (_, feed),
            edge(url, nats_stream=tmp_path.name, **trusts) as far,
            far.stream() as stream,
        ):
            feed.send_ticks(0, 4)
            receive_until(stream, "frame", 4)


def test_what_is_no_camera_s_is_left_and_counted(tmp_path: Path, server: NatsServer) -> None:
    name = tmp_path.name
    with (
        camera(tmp_path, server.url) as (_, feed),
        edge(server.url, nats_stream=name) as far,
        far.stream() as stream,
    ):
        watcher = Watcher(stream)
        feed.send_ticks(0, 4)
        watcher.wait_for("frame", 4)
        run = far.rig.inlet.status.run
        head = {"v": 1, "run": run, "kind": "metric", "t": 5, "prev": 4, "missing_from": None}
        wrong = orjson.dumps({**head, "check": 1, "part": 1, "parts": 1}) + b"\n{}"
        columns = (
            orjson.dumps({**head, "kind": "frame", "check": 1, "part": 1, "parts": 1}) + b"\nno"
        )

        async def publish() -> None:
            client = await nats.connect(server.url, dont_randomize=True)
            for kind, data in (("metric", b"junk"), ("metric", wrong), ("frame", columns)):
                await client.publish(f"{name}.{run}.{kind}", data)
            await client.publish(f"{name}.status", b"junk")
            await client.close()

        asyncio.run(publish())
        wait_until(lambda: far.rig.inlet.figures().damaged == 4)
        feed.send_ticks(5, 8)
        watcher.wait_for("frame", 8)
        assert [key for key in watcher.names() if key[0] == "metric"] == [
            ("metric", t) for t in range(9)
        ]
        assert not watcher.gaps
        with far.http() as http:
            assert "upstream_gaps" in reasons(http)
        # One that comes after all that is not kept from its beginning.
        with edge(server.url, nats_stream=name) as late:
            wait_until(lambda: late.rig.inlet.status is not None)
            with late.stream() as after:
                feed.send_ticks(9, 10)
                receive_until(after, "frame", 10)
        watcher.close()


def test_history_is_passed_on(tmp_path: Path, server: NatsServer) -> None:
    token = "0123456789abcdef-read"
    name = tmp_path.name
    with (
        camera(tmp_path, server.url, read_token=token, segment_bytes=2000) as (own, feed),
        edge(server.url, nats_stream=name, history=own.listening.url, history_token=token) as far,
        edge(server.url, nats_stream=name) as bare,
        far.stream() as stream,
        own.http() as at_camera,
        far.http() as at_edge,
    ):
        at_camera.headers["authorization"] = f"Bearer {token}"
        feed.send_ticks(0, 40)
        receive_until(stream, "frame", 40)
        own.rig.recorder.flush()
        entries = at_camera.get("/manifest/frames").json()
        path = next(entry["path"] for entry in entries if not entry["pending"])
        asked = [
            ("/manifest/frames", {}),
            ("/runs", {}),
            ("/range/metrics?from_t=3&to_t=9", {"accept-encoding": "identity"}),
            (f"/segment/{path}", {}),
            (f"/segment/{path}", {"range": "bytes=5-20"}),
            ("/segment/frames/none", {}),
            ("/range/frames?from_t=x", {}),
            ("/events", {}),
            ("/overview/metrics?to_t=20&points=4", {}),
            ("/viewer/", {}),
            ("/viewer/columns.js", {}),
        ]
        for target, headers in asked:
            pair = [http.get(target, headers=headers) for http in (at_camera, at_edge)]
            assert pair[0].status_code == pair[1].status_code
            assert pair[0].content == pair[1].content
            for kept in ("content-type", "etag", "content-range", "camera-run"):
                assert pair[0].headers.get(kept) == pair[1].headers.get(kept)
        assert at_edge.get(f"/segment/{path}", headers={"range": "bytes=5-20"}).status_code == 206
        etag = at_edge.get(f"/segment/{path}").headers["etag"]
        again = at_edge.get(f"/segment/{path}", headers={"if-none-match": etag})
        assert again.status_code == 304
        assert at_edge.head("/range/metrics").status_code == 200
        assert at_edge.get("/", headers={"accept": "text/html"}).headers["location"] == "viewer/"

        url = far.listening.stream_url.replace("stream", "replay")
        with open_stream(f"{url}?speed=0&from_t=4&to_t=8&kinds=frame&deflate=1") as replay:
            assert [m.get("t") for m in receive(replay, 5)] == [None, 4, 6, 8, 8]
            replay.send('{"type":"seek","t":6}')
            assert [m["type"] for m in receive(replay, 4)] == ["seek", "frame", "frame", "replay"]
        with bare.http() as http:
            assert http.get("/runs").status_code == 404
        with (
            pytest.raises(Exception, match="400"),
            open_stream(f"{bare.listening.stream_url}?from_t=1") as refused,
        ):
            refused.recv()
        with pytest.raises(Exception, match="400"), open_stream(f"{url}?speed=x") as refused:
            refused.recv()


def test_top_shows_an_edge_and_the_camera_behind_it(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        camera(tmp_path, server.url) as (own, feed),
        edge(server.url, nats_stream=tmp_path.name) as far,
        far.stream() as stream,
    ):
        feed.send_ticks(0, 4)
        receive_until(stream, "frame", 4)
        for each, panel in ((far, "upstream"), (own, "edges")):
            assert main(["top", each.listening.url, "--once", "--interval", "0.05"]) == 0
            shown = capsys.readouterr().out
            assert panel in shown
            assert ("recording" in shown) == (each is own)
            assert "NATS" in shown


@pytest.mark.parametrize("flag", ["--nats", "--history", "--max-clients", "--read-token", "--port"])
def test_help_lists_what_concerns_an_edge(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["edge", "--help"])
    shown = capsys.readouterr().out
    assert flag in shown
    others = ("--agents", "--store-dir", "--webhook-url", "--nats-keep-bytes", "--stride")
    for other in (*others, "--measures-clients", "--replay-idle-seconds"):
        assert other not in shown


def test_an_edge_without_nats_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edge"]) == 2
    assert capsys.readouterr().err == (
        "marketcam: edge needs the camera's NATS: --nats URL, or IG_NATS\n"
    )


def test_the_camera_with_the_recording_is_gone(tmp_path: Path, server: NatsServer) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with (
        camera(tmp_path, server.url) as (_, feed),
        edge(server.url, nats_stream=tmp_path.name, history=nowhere) as far,
        far.stream() as stream,
        far.http() as http,
    ):
        feed.send_ticks(0, 4)
        receive_until(stream, "frame", 4)
        answer = http.get("/runs")
        assert answer.status_code == 502
        assert answer.json() == {"error": "the camera with the recording cannot be reached"}
        with open_stream(f"{far.listening.stream_url}?from_t=1") as late:
            closed = Watcher(late).wait_until_closed()
        assert closed[0] == 1013
        assert "camera with the recording" in closed[1]


def test_a_frame_written_from_columns_is_its_text_to_the_byte() -> None:
    """On which an edge relies; that it holds for any frame, tests/io/test_frame_columns.py says."""
    frame = warm_up()
    assert encode_frame(decode_frame_columns(encode_frame_columns(frame))) == encode_frame(frame)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "IG_NATS must be set"),
        ({"nats": "nats://h:1", "nats_ca": "/nowhere.pem"}, "cannot use IG_NATS_CA"),
        ({"nats": "nats://h:1", "nats_credentials": "/nowhere.creds"}, "IG_NATS_CREDENTIALS"),
        ({"nats": "nats://h:99999"}, "IG_NATS must be nats://"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        LinkOptions.of(Settings.from_flags(options), "test")
    assert isinstance(caught.value, MarketCameraError)
