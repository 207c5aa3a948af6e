"""The webhook: its rules with answers made up, and with a real server."""

from __future__ import annotations

import asyncio
import queue
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.server.errors import ConfigurationError
from marketcam.server.operators import posting, webhook
from marketcam.server.operators.posting import Posted, PostError, Target, post
from marketcam.server.operators.webhook import Webhook, WebhookOptions
from marketcam.server.settings import Settings, SettingsError
from tests.event_frames import frame_at
from tests.server_helpers import PATIENCE, fed_server, receive_until, running_server, state_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("short_delays")


@pytest.fixture
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_FIRST_DELAY", 0.001)
    monkeypatch.setattr(webhook, "_LONGEST_DELAY", 0.004)


class Endpoint:
    """Answers as it is told, then 204; remembers what it was sent."""

    def __init__(self, *answers: int | str) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []
        self.taken: list[int] = []
        self.came = asyncio.Event()

    async def __call__(self, body: bytes) -> Posted:
        message = orjson.loads(body)
        self.bodies.append(message)
        answer = self.answers.pop(0) if self.answers else 204
        self.came.set()
        if isinstance(answer, str):
            raise PostError(answer)
        if 200 <= answer < 300:
            self.taken += [event["t"] for event in message["events"]]
        return Posted(answer, None)


def hook(endpoint: Callable[[bytes], Any], **options: Any) -> Webhook:
    return Webhook(WebhookOptions("there", **options), lambda: "run-1", endpoint)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


def posted_by(endpoint: Endpoint, *frames: tuple[int, ...], **options: Any) -> Webhook:
    """Show a hook frames with bursts, and close it once it has nothing in hand."""

    async def go() -> Webhook:
        made = hook(endpoint, **options)
        made.open()
        for bursts in frames:
            made.take(frame_at(20, bursts))
        await until(lambda: made.status().waiting == 0)
        await made.close()
        return made

    return asyncio.run(go())


def test_what_waits_goes_in_one_request() -> None:
    endpoint = Endpoint()
    status = posted_by(endpoint, (14, 15), (14, 15, 16)).status()
    assert [body["type"] for body in endpoint.bodies] == ["events"]
    assert endpoint.bodies[0]["run"] == "run-1"
    assert endpoint.bodies[0]["events"][0] == {
        "id": "run-1/burst/14",
        "type": "burst",
        "t": 14,
        "value": 140,
        "score": 4.5,
        "frame_t": 20,
    }
    assert endpoint.taken == [14, 15, 16]
    assert (status.posted, status.attempts, status.failures, status.problem) == (3, 1, 0, None)


@pytest.mark.parametrize("trouble", [500, 503, 429, 408, "connection refused"])
def test_what_fails_is_tried_again(trouble: int | str) -> None:
    endpoint = Endpoint(trouble, trouble)
    status = posted_by(endpoint, (14,)).status()
    assert endpoint.taken == [14]
    assert (status.posted, status.attempts, status.failures) == (1, 3, 2)
    assert (status.problem, sum(status.lost.values())) == (None, 0)


@pytest.mark.parametrize("trouble", [400, 401, 404, 410, 301])
def test_what_is_refused_is_not_tried_again(trouble: int) -> None:
    endpoint = Endpoint(trouble)
    status = posted_by(endpoint, (14,)).status()
    assert len(endpoint.bodies) == 1
    assert (status.lost["refused"], status.problem) == (1, f"status {trouble}")


def test_what_was_tried_for_too_long_is_given_up() -> None:
    endpoint = Endpoint(500)
    status = posted_by(endpoint, (14, 15), retry_seconds=0.0).status()
    assert len(endpoint.bodies) == 1
    assert (status.lost["late"], status.posted) == (2, 0)


def test_events_are_tried_in_order_across_a_failure() -> None:
    async def go() -> None:
        endpoint = Endpoint(500)
        made = hook(endpoint)
        made.open()
        made.take(frame_at(20, (14,)))
        await until(lambda: bool(endpoint.bodies))
        made.take(frame_at(21, (14, 15)))
        await until(lambda: endpoint.taken == [14, 15])
        await made.close()

    asyncio.run(go())


def test_a_full_queue_lets_the_oldest_go_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        endpoint = Endpoint()
        made = hook(endpoint, queue=2)
        made.take(frame_at(20, (13, 14, 15, 16)))  # nobody posts yet
        assert made.status().waiting == 2
        made.open()
        await until(lambda: endpoint.taken == [15, 16])
        await made.close()
        assert made.status().lost["full"] == 2

    asyncio.run(go())
    assert "webhook_events_lost" in caplog.text


def test_closing_posts_what_waits_and_tells_what_does_not_go() -> None:
    async def go() -> None:
        endpoint = Endpoint()
        made = hook(endpoint)
        made.open()
        made.take(frame_at(20, (14,)))
        await made.close()
        assert endpoint.taken == [14]

        failing = Endpoint(*[503] * 1000)
        made = hook(failing)
        made.open()
        made.take(frame_at(20, (14,)))
        await failing.came.wait()
        await made.close()
        assert made.status().lost["stopped"] == 1
        assert made.status().waiting == 0

    asyncio.run(go())


def test_a_request_that_hangs_is_cut_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_FAREWELL_SECONDS", 0.01)

    async def go() -> None:
        asked = asyncio.Event()

        async def hang(_: bytes) -> Posted:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        made = hook(hang)
        made.open()
        made.take(frame_at(20, (14, 15)))
        await asked.wait()
        await made.close()
        assert made.status().lost["stopped"] == 2

    asyncio.run(go())


def test_a_fault_of_ours_is_told_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        async def fail(_: bytes) -> Posted:
            raise ZeroDivisionError

        made = hook(fail, queue=3)
        made.open()
        made.take(frame_at(20, (14,)))
        await until(lambda: made.status().problem is not None)
        made.take(frame_at(20, (15, 16, 17, 18)))
        assert made.status().lost["full"] == 1
        await made.close()
        assert made.status().lost["stopped"] == 4

    asyncio.run(go())
    assert "webhook_died" in caplog.text


def test_one_that_never_began_closes() -> None:
    asyncio.run(hook(Endpoint()).close())


def test_the_wait_grows_and_is_at_least_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_FIRST_DELAY", 1.0)
    monkeypatch.setattr(webhook, "_LONGEST_DELAY", 60.0)
    made = hook(Endpoint())
    delays = [made._next_delay(None) for _ in range(12)]
    for number, delay in enumerate(delays):
        longest = min(60.0, 2.0**number)
        assert longest / 2 <= delay <= longest
    assert hook(Endpoint())._next_delay(Posted(503, 20.0)) == 20.0
    assert hook(Endpoint())._next_delay(Posted(503, 1e6)) == 60.0


class Receiver:
    """A real HTTP server that takes posts; the first are answered as told."""

    def __init__(self, *statuses: int, tls: ssl.SSLContext | None = None) -> None:
        self.requests: queue.Queue[tuple[str, dict[str, str], Any]] = queue.Queue()
        left = list(statuses)
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                requests.put((self.path, headers, orjson.loads(body)))
                self.send_response(left.pop(0) if left else 200)
                self.send_header("retry-after", "3")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Say nothing of those who hang up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # so that closing waits for them
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' * (tls is not None)}://127.0.0.1:{self.server.server_port}"


@contextmanager
def receiver(*statuses: int, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made = Receiver(*statuses, tls=tls)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join()
        made.server.server_close()


def test_a_post_as_it_goes_over_the_wire() -> None:
    with receiver(202, 503) as made:
        url = made.url.replace("//", "//me:s%40crét@") + "/a/ü?key=1&b=é#part"
        target = Target.of(url)
        assert asyncio.run(post(target, b'{"a":1}')) == Posted(202, 3.0)
        assert asyncio.run(post(target, b'{"a":2}')).status == 503
    path, headers, body = made.requests.get(timeout=PATIENCE)
    assert (path, body) == ("/a/%C3%BC?key=1&b=%C3%A9", {"a": 1})
    assert headers["authorization"] == "Basic bWU6c0BjcsOpdA=="
    assert headers["content-type"] == "application/json"
    assert headers["host"] == made.url.removeprefix("http://")


@pytest.mark.parametrize(
    "url", ["http://", "https://:80/x", "http://h:99999/x", "http://[::1/x", "ftp://h/x"]
)
def test_what_is_no_address_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Target.of(url)
    assert str(caught.value) == "IG_WEBHOOK_URL must be an http or https address with a host"


@pytest.mark.parametrize("url", ["ftp://h/s3cret", "http://", "https://h/ s3cret", "s3cret"])
def test_a_setting_that_is_refused_is_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_flags({"webhook_url": url})
    (problem,) = caught.value.problems
    assert problem.startswith("--webhook-url (IG_WEBHOOK_URL) must be an http or https address, ")
    assert "s3cret" not in problem


def test_the_address_is_no_part_of_what_settings_show() -> None:
    assert "s3cret" not in repr(Settings(webhook_url="http://h/s3cret"))
    assert Settings(webhook_url="").webhook_url is None


def test_hosts_and_ports() -> None:
    plain, tls = Target.of("http://h/x"), Target.of("https://[::1]:8443")
    assert (plain.port, plain.tls, plain.headers) == (80, None, (("Host", "h"),))
    assert (tls.host, tls.port, tls.path) == ("::1", 8443, "/")
    assert tls.headers == (("Host", "[::1]:8443"),)
    assert tls.tls is not None


async def post_to_one_that_says(said: bytes) -> Posted:
    """Post to a server that answers with these bytes, or, without any, not at all."""
    talks: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            if not said:
                await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        return await post(Target.of(f"http://127.0.0.1:{port}"), b"{}")
    finally:
        server.close()
        await asyncio.gather(*talks)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-x\r\n\r\n", "what answers does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10**6, "what answers does not speak HTTP"),
        (b"HTTP/1.1 ", "what answers does not speak HTTP"),
        (b"", "no answer within 0.05 s"),
    ],
    ids=["other protocol", "endless head", "broken off", "silent"],
)
def test_what_can_answer_in_its_place(
    said: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "POST_SECONDS", 0.05 if not said else PATIENCE)

    with pytest.raises(PostError, match=reason):
        asyncio.run(post_to_one_that_says(said))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "https://127.0.0.1:1/x"])
def test_nobody_there(url: str) -> None:
    with pytest.raises(PostError, match=r"^connection refused$"):
        asyncio.run(post(Target.of(url), b"{}"))


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that nobody has signed, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
        " -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    files = ["-out", str(cert), "-keyout", str(key)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return cert, key


def test_over_tls_the_certificate_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    with receiver(tls=tls) as made:
        with pytest.raises(PostError, match=r"^certificate refused: self-signed certificate$"):
            asyncio.run(post(Target.of(made.url), b"{}"))
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        assert asyncio.run(post(Target.of(made.url), b"{}")).status == 200


def test_who_does_not_speak_tls_is_told_apart() -> None:
    with receiver() as made, pytest.raises(PostError, match="does not speak TLS"):
        asyncio.run(post(Target.of(made.url.replace("http:", "https:")), b"{}"))


def test_an_informational_answer_is_passed_over() -> None:
    said = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"

    assert asyncio.run(post_to_one_that_says(said)) == Posted(204, None)


def test_a_burst_of_a_run_is_posted_once(tmp_path: Path) -> None:
    options = {"burst_z": 1.5, "window": 8, "stride": 1}
    with (
        receiver(503) as made,
        fed_server(tmp_path, webhook_url=f"{made.url}/hook", **options) as (server, feed),
        server.stream() as stream,
    ):
        for t in range(12):
            matches = [[1, 2]] * (9 if t == 8 else 1)
            feed.send(state_tick(t) | {"matches": matches})
        receive_until(stream, "frame", 11)
        path, _, body = made.requests.get(timeout=PATIENCE)
        again = made.requests.get(timeout=PATIENCE)
        run = server.rig.recorder.run
        assert path == "/hook"
        assert (body["type"], body["run"]) == ("events", run)
        assert [event["id"] for event in body["events"]] == [f"{run}/burst/8"]
        assert again[2]["events"][0] == body["events"][0]
    assert made.requests.empty()


def test_a_hook_that_does_not_answer_holds_nothing_up(tmp_path: Path) -> None:
    settings = Settings(
        port=0,
        store_dir=tmp_path,
        tick_rate=0,
        window=8,
        stride=1,
        burst_z=0.0,
        webhook_url="http://127.0.0.1:1/secret-path",
        webhook_queue=4,
    )
    with running_server(settings) as server, server.stream() as stream:
        receive_until(stream, "frame", 200)
        hooked = server.rig.webhook
        assert hooked is not None
        assert hooked.status().waiting <= 4 + webhook._BATCH
    status = hooked.status()
    assert status.lost["full"] > 0
    assert status.waiting == 0


def test_the_address_is_never_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = "http://user:hunter22@127.0.0.1:1/services/T0K3N?key=abcdef"
    with fed_server(tmp_path, webhook_url=url, burst_z=0.0) as (server, feed):
        with server.stream() as stream:
            feed.send_ticks(0, 8)
            feed.send(state_tick(9) | {"matches": [[1, 2]] * 9}, state_tick(10))
            receive_until(stream, "frame", 10)
        with server.http() as http:
            told = http.get("/health").text + http.get("/metrics").text + http.get("/").text
    for secret in ("hunter22", "T0K3N", "abcdef", "user:"):
        assert secret not in told + caplog.text
    assert "webhook_on" in caplog.text or "webhook_failing" in caplog.text
