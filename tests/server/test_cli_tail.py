"""`marketcam tail` against a small real WebSocket server."""

import argparse
import http
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from marketcam.server.cli import follow, main
from marketcam.server.cli.lines import line_of
from marketcam.server.cli.tail import stream_url
from tests.server_helpers import PATIENCE, fed_server, receive_until

STATE = {"price_norm": 0.49875, "volatility": 0.003, "liquidity": 1.0, "imbalance": -0.25}


def metric(t):
    return {"type": "metric", "t": t, "s": STATE, "N": 10, "avg_exp": 0.85, "matches_n": 3}


def node(agent, t):
    return f"agent:{agent}@t:{t - 9}-{t}"


def frame(t):
    weights = [(0, 1, "quote_proximity", 0.9), (3, 7, "match", 0.2), (1, 4, "match", 0.1)]
    weights += [(i, 9, "quote_proximity", 0.01) for i in range(5)]
    edges = [
        {"src": node(src, t), "dst": node(dst, t), "type": kind, "w": w}
        for src, dst, kind, w in weights
    ]
    return {
        "type": "frame",
        "t": t,
        "window": {"W": 10, "t0": t - 9, "t1": t, "stride": 5},
        "nodes": [{"agent_id": i} for i in range(10)],
        "edges": edges,
        "events": {"bursts": [{"t": t - 1, "value": 12, "score": 4.25}], "shocks": []},
    }


METRIC_LINE = (
    "metric          {}  price_norm 0.498750  volatility 0.003000  liquidity 1.000  "
    "imbalance -0.250  N 10  avg_exp +0.8500  matches 3"
)
FRAME_LINE = (
    "frame           40  window 31-40  nodes 10  match 2  quote_proximity 6  "
    "strongest 0-1 quote_proximity 0.9000, 3-7 match 0.2000, 1-4 match 0.1000  "
    "bursts t 39 value 12 score +4.2"
)
HEARTBEAT_LINE = "heartbeat       40"
GAP = {"type": "gap", "kind": "frame", "from_t": 20, "to_t": 40, "reason": "slow"}


class Camera:
    """Plays one script a connection: messages, or a close code; the last one stays open."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.paths = []
        self.refusals = []
        self.closed_with = []
        self.closed = threading.Event()

    def on_request(self, connection, request):
        self.paths.append(request.path)
        if self.refusals and (status := self.refusals.pop(0)):
            return connection.respond(status, "no\n")
        return None

    def on_connection(self, connection):
        for step in self.scripts.pop(0):
            if isinstance(step, int):
                connection.close(step, "bye")
            else:
                connection.send(step if isinstance(step, str) else json.dumps(step))
        try:
            connection.recv()
        except ConnectionClosed as end:
            self.closed_with.append(end.rcvd.code if end.rcvd else None)
            self.closed.set()

    @contextmanager
    def running(self, tls=None):
        with serve(
            self.on_connection, "127.0.0.1", 0, ssl=tls, process_request=self.on_request
        ) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            self.address = "{}:{}".format(*server.socket.getsockname())
            yield self.address
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(follow, "_DELAYS", (0.0,))


def tail(capsys, camera, *flags):
    with camera.running() as address:
        code = main(["tail", address, *flags])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err.splitlines()


def test_a_metric_and_a_frame_are_one_line_each(capsys):
    camera = Camera([metric(39), metric(40), frame(40), {"type": "heartbeat", "t": 40}])
    code, lines, errors = tail(capsys, camera, "--count", "4")
    assert code == 0
    assert errors == []
    assert lines == [METRIC_LINE.format(39), METRIC_LINE.format(40), FRAME_LINE, HEARTBEAT_LINE]
    assert camera.paths == ["/ws/stream"]
    assert camera.closed_with == [1000]


def test_json_gives_the_messages_as_they_came(capsys):
    texts = ['{"type":"metric",  "t":1, "é":1}', json.dumps(frame(40)), '{"type":"new"}']
    code, lines, _ = tail(capsys, Camera(texts), "--json", "--count", "3")
    assert code == 0
    assert lines == texts


def test_kinds_are_filtered_and_only_what_is_shown_counts(capsys):
    camera = Camera([metric(1), frame(40), metric(2), frame(45)])
    _, lines, _ = tail(capsys, camera, "--kinds", "frame", "--count", "2")
    assert [line.split()[:2] for line in lines] == [["frame", "40"], ["frame", "45"]]


@pytest.mark.parametrize(
    ("flags", "query"),
    [
        (["--kinds", "metric"], "?kinds=metric"),
        (["--kinds", "frame,metric"], "?kinds=metric,frame"),
        (["--kinds", "metric,gap"], ""),  # gaps of any kind
        (["--every", "10", "--edges", "0"], "?every=10&edges=0"),
        (["--kinds", "metric", "--deflate"], "?kinds=metric&deflate=1"),
    ],
)
def test_a_camera_is_asked_for_no_more_than_is_shown(capsys, flags, query):
    camera = Camera([metric(1)])
    code, lines, _ = tail(capsys, camera, "--count", "1", *flags)
    assert (code, len(lines)) == (0, 1)
    assert camera.paths == [f"/ws/stream{query}"]


def test_flags_stand_behind_what_the_url_asks_for(capsys):
    camera = Camera([metric(1)])
    with camera.running() as address:
        code = main(["tail", f"ws://{address}?edges=9&from_t=3", "--edges", "4", "--count", "1"])
    assert code == 0
    assert camera.paths == ["/ws/stream?edges=9&from_t=3&edges=4"]


def test_the_flags_do_what_they_say(capsys, tmp_path):
    with fed_server(tmp_path) as (server, feed), server.stream() as early:
        feed.send_ticks(0, 12)
        receive_until(early, "frame", 12)
        flags = ["--kinds", "frame", "--every", "3", "--edges", "0", "--deflate", "--json"]
        assert main(["tail", server.listening.url, *flags, "--count", "1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    message = json.loads(line)
    assert (message["t"], message["edges"]) == (12, [])


def test_a_camera_that_refuses_says_why(capsys, tmp_path):
    with fed_server(tmp_path) as (server, _):
        url = f"{server.listening.stream_url}?every=0"
        assert main(["tail", url]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    problem = "every must be an integer, 1 to 9007199254740991, got '0'"
    assert line == f"marketcam: {url}: the server answered 400: {problem}"


def test_a_gap_is_declared(capsys):
    camera = Camera([metric(1), GAP])
    _, lines, errors = tail(capsys, camera, "--count", "2")
    assert lines[1] == "gap             40  frames of ticks 20-40 were dropped by the camera (slow)"
    assert errors == []


def test_a_gap_is_declared_even_where_it_is_not_asked_for(capsys):
    camera = Camera([GAP, metric(1)])
    _, lines, errors = tail(capsys, camera, "--count", "1", "--kinds", "metric", "--json")
    assert len(lines) == 1
    assert len(errors) == 1
    assert "frames of ticks 20-40 were dropped" in errors[0]


def test_a_kind_to_come_is_shown_without_knowing_it(capsys):
    camera = Camera([{"type": "note\x1b[2J", "t": 5, "text": "a\nb", "n": [1]}])
    _, lines, _ = tail(capsys, camera, "--count", "1")
    (line,) = lines
    assert line.isprintable()
    assert line.endswith('5  text "a\\nb"  n [1]')


def test_a_lost_connection_is_made_again_without_repeating_anything(capsys):
    camera = Camera(
        [metric(1), metric(2), frame(40), 1001],
        [metric(1), metric(2), frame(40), metric(3), metric(1), frame(45)],
    )
    code, lines, errors = tail(capsys, camera, "--count", "6")
    assert code == 0
    shown = [line.split()[:2] for line in lines]
    assert shown == [
        ["metric", "1"],
        ["metric", "2"],
        ["frame", "40"],
        ["metric", "3"],
        ["metric", "1"],  # a new run that has come so far: no repetition any more
        ["frame", "45"],
    ]
    assert errors == [
        "marketcam: connection closed by camera: 1001 (going away) bye; trying again in 0 s",
        "marketcam: connected again",
    ]


@pytest.mark.parametrize(
    "sign",
    [frame(40), frame(42), {"type": "heartbeat", "t": 3}, metric(4) | {"N": 11}],
    ids=lambda sign: f"{sign['type']}-{sign['t']}",
)
def test_a_new_run_that_makes_the_same_messages_is_no_repetition(capsys, sign):
    first = [*(metric(t) for t in range(1, 46)), frame(40), frame(45)]
    second = [metric(1), metric(2), metric(3), sign, metric(4), frame(45)]
    camera = Camera([*first, 1001], second)
    code, lines, _ = tail(capsys, camera, "--count", str(len(first) + len(second)))
    assert code == 0
    shown = [line.split()[:2] for line in lines[len(first) :]]
    assert shown == [[message["type"], str(message["t"])] for message in second]


def test_a_new_run_without_metrics_to_repeat_shows_by_its_older_frame(capsys):
    camera = Camera([frame(40), frame(45), 1001], [frame(40), frame(45)])
    _, lines, _ = tail(capsys, camera, "--count", "4")
    assert [line.split()[1] for line in lines] == ["40", "45", "40", "45"]


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_new_run_of_which_nothing_else_comes_shows_after_a_while(capsys, monkeypatch, seconds):
    monkeypatch.setattr(follow, "_HELD_SECONDS", seconds)
    first = [metric(t) for t in range(1, 46)]
    camera = Camera([*first, 1001], [metric(1), metric(2), metric(3)])
    code, lines, _ = tail(capsys, camera, "--kinds", "metric", "--count", str(len(first) + 3))
    assert code == 0
    assert [line.split()[1] for line in lines[len(first) :]] == ["1", "2", "3"]


def test_a_repetition_after_a_new_run_is_left_out_again(capsys):
    camera = Camera(
        [metric(1), metric(2), metric(3), frame(40), frame(45), 1001],
        [metric(1), metric(2), frame(40), 1001],
        [metric(1), metric(2), frame(40), {"type": "heartbeat", "t": 2}, metric(3), frame(45)],
    )
    _, lines, _ = tail(capsys, camera, "--count", "11")
    shown = ["".join(line.split()[:2]) for line in lines]
    assert shown[5:] == ["metric1", "metric2", "frame40", "heartbeat2", "metric3", "frame45"]


def test_a_camera_that_is_away_is_waited_for(capsys):
    camera = Camera([metric(1), 1011], [metric(2)])
    camera.refusals = [None, http.HTTPStatus.SERVICE_UNAVAILABLE]
    code, lines, errors = tail(capsys, camera, "--count", "2")
    assert code == 0
    assert len(lines) == 2
    assert [error.partition("; ")[2] for error in errors[:2]] == ["trying again in 0 s"] * 2
    assert "the server answered 503" in errors[1]


def test_without_reconnecting_an_orderly_end_is_the_end(capsys):
    code, lines, errors = tail(capsys, Camera([metric(1), 1001]), "--no-reconnect")
    assert code == 0
    assert len(lines) == 1
    assert errors == ["marketcam: connection closed by camera: 1001 (going away) bye"]


def test_without_reconnecting_another_end_is_a_failure(capsys):
    code, _, errors = tail(capsys, Camera([1011]), "--no-reconnect")
    assert code == 1
    assert errors == ["marketcam: connection closed by camera: 1011 (internal error) bye"]


def test_a_message_without_end_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(follow, "MAX_MESSAGE_BYTES", 1000)
    code, _, errors = tail(capsys, Camera([metric(1), "x" * 1001]))
    assert code == 1
    assert errors[0].endswith("a message is longer than 1000 bytes")


@pytest.mark.parametrize(
    "text", ["hello", "[1]", '{"t":1}', '{"type":1}', '{"type":"metric","t":1}']
)
def test_what_is_not_a_camera_is_said_to_be_none(capsys, text):
    code, lines, errors = tail(capsys, Camera([text]))
    assert code == 1
    assert lines == []
    assert len(errors) == 1
    assert errors[0].startswith("marketcam: not a ")
    assert " of a camera: " in errors[0]


def test_no_stream_there(capsys):
    camera = Camera()
    camera.refusals = [http.HTTPStatus.NOT_FOUND]
    code, _, errors = tail(capsys, camera)
    assert code == 1
    url = f"ws://{camera.address}/ws/stream"
    assert errors == [f"marketcam: {url}: no stream of a camera there, the server answered 404"]


def test_connection_refused(capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "{}:{}".format(*free.getsockname())
    assert main(["tail", address]) == 1
    assert capsys.readouterr().err == f"marketcam: ws://{address}/ws/stream: connection refused\n"


def test_something_else_on_the_port(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "{}:{}".format(*server.getsockname())
        thread = threading.Thread(target=_answer_like_ssh, args=(server,))
        thread.start()
        assert main(["tail", address]) == 1
        thread.join()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"marketcam: ws://{address}/ws/stream: ")


def _answer_like_ssh(server):
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.recv(4096)


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory):
    """The TLS side of a server whose certificate nobody vouches for."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    kind = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera", "-days", "2"]
    subprocess.run([openssl, "req", "-x509", *kind, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_certificate_nobody_vouches_for_is_refused(capsys, self_signed):
    with Camera([metric(1)]).running(self_signed) as address:
        assert main(["tail", f"https://{address}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    start = f"marketcam: wss://{address}/ws/stream: TLS certificate refused, self"
    assert line.startswith(start)
    assert line.endswith("(--insecure accepts any)")


def test_insecure_accepts_any_certificate(capsys, self_signed):
    with Camera([metric(1)]).running(self_signed) as address:
        assert main(["tail", f"https://{address}", "--insecure", "--count", "1"]) == 0
    assert capsys.readouterr().out.startswith("metric ")


def test_interrupting_ends_it_with_0():
    camera = Camera([metric(1)])
    with camera.running() as address:
        command = [sys.executable, "-m", "marketcam.server.cli", "tail", address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout.readline().startswith(b"metric ")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, b"", b"")
        assert camera.closed.wait(PATIENCE)
    assert camera.closed_with == [1000]


def test_a_reader_that_has_had_enough_is_no_error():
    camera = Camera([metric(t) for t in range(2000)])
    with camera.running() as address:
        command = [sys.executable, "-m", "marketcam.server.cli", "tail", address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout.readline().startswith(b"metric ")
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("localhost:8000", "ws://localhost:8000/ws/stream"),
        ("localhost", "ws://localhost:8000/ws/stream"),
        ("[::1]:9000", "ws://[::1]:9000/ws/stream"),
        ("[::1]", "ws://[::1]:8000/ws/stream"),
        ("http://camera.example", "ws://camera.example/ws/stream"),
        ("https://camera.example/", "wss://camera.example/ws/stream"),
        ("https://camera.example/one/", "wss://camera.example/one/ws/stream"),
        ("ws://h:1/ws/stream", "ws://h:1/ws/stream"),
        ("wss://h:1/ws/stream/?x=1", "wss://h:1/ws/stream?x=1"),
        ("HTTP://h:1", "ws://h:1/ws/stream"),
    ],
)
def test_addresses(text, url):
    assert stream_url(text) == url


@pytest.mark.parametrize(
    "text", ["", "ftp://h", "http://", "h:port", "h:70000", "a b", "ws://[::1", "/ws/stream"]
)
def test_what_is_no_address(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"must be http\(s\)://HOST:PORT"):
        stream_url(text)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["ftp://h"], "argument URL: must be http(s)://HOST:PORT"),
        (["h", "--kinds", "frames"], "argument --kinds: must be of metric, frame, gap, heartbeat"),
        (["h", "--count", "0"], "argument --count: must be 1 or more, got '0'"),
        (["h", "--every", "0"], "argument --every: must be 1 or more, got '0'"),
        (["h", "--edges", "-1"], "argument --edges: must be 0 or more, got '-1'"),
        ([], "the following arguments are required: URL"),
    ],
)
def test_bad_usage(capsys, arguments, problem):
    with pytest.raises(SystemExit) as caught:
        main(["tail", *arguments])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"marketcam: {problem}")
    assert line.endswith("(see marketcam tail --help)")


@pytest.mark.parametrize(
    "damage", [{"edges": [1]}, {"edges": [{}]}, {"nodes": None}, {"events": []}, {"t": "x"}]
)
def test_a_damaged_frame_is_said_to_be_none(capsys, damage):
    code, _, errors = tail(capsys, Camera([frame(40) | damage]))
    assert code == 1
    assert errors[0].startswith("marketcam: not a frame of a camera: ")


def test_an_unknown_edge_type_is_no_camera():
    message = frame(40)
    message["edges"][0]["type"] = "friendship"
    with pytest.raises(ValueError, match="not in tuple"):
        line_of(message)
