"""How fast do ticks come in over the network, and what does that cost the server?

::

    python -m benchmarks.ingest --agents 50000 --seconds 10
    python -m benchmarks.ingest --agents 50000 --seconds 10 --rate 100
    python -m benchmarks.ingest --agents 50000 --camera neighbors

A server in a process of its own, as `marketcam serve` sets it up, and a producer in this one: a
plain socket that sends binary ticks made beforehand, each a WebSocket message, and reads the acks.
By default nothing is behind the transport: ticks are read, checked for their form, counted and
acknowledged. With `--camera` it is the whole engine, with that rule, recording included. Processor
time is the server's, of all its threads, from the first connection to the last.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import orjson

from benchmarks.workloads import endless_market
from marketcam.engine import Tick
from marketcam.io import encode_tick_binary
from marketcam.server import serve
from marketcam.server.application import CameraApp
from marketcam.server.running.pipeline import Outputs, Pipeline, PipelineOptions
from marketcam.server.running.rig import Rig
from marketcam.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

TOKEN: Final = "of-this-benchmark-only"
TICKS_MADE: Final = 16
_BINARY: Final = 0x82
_UPGRADE: Final = (
    "GET /ws/ingest?source=benchmark HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    f"Authorization: Bearer {TOKEN}\r\n\r\n"
)
_HEAD: Final = 14
"""Bytes of the head of a large WebSocket frame."""
_TICK_AT: Final = 16
"""Where a tick's number lies in its bytes."""


class Sink:
    """A camera that takes ticks and sees nothing."""

    def ingest_tick(self, tick: Tick) -> None:
        """Take it."""

    def maybe_frame(self, t: int) -> None:
        """Make nothing of it."""


def server(options: argparse.Namespace, pipe: Connection) -> None:
    """Run a server until told to stop; say the port first, and in the end what it took."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            port=0, ingest_token=TOKEN, store_dir=Path(folder), **camera_settings(options)
        )
        began: list[float] = []

        def listening(started: serve.Listening) -> None:
            pipe.send(started.port)
            began.append(processor_seconds())
            threading.Thread(target=lambda: (pipe.recv(), started.stop())).start()

        with patch.object(serve, "create_app", lambda given: CameraApp(rig_of(given, options))):
            serve.run(settings, listening)
        pipe.send({
            "cpu_seconds": processor_seconds() - began[0],
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        })  # fmt: skip


def camera_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the camera that stands behind the transport, if any."""
    return {} if options.camera is None else {"proximity": options.camera}


def rig_of(settings: Settings, options: argparse.Namespace) -> Rig:
    """Make what is behind the port; without a camera, ticks end in a sink."""
    rig = Rig(settings)
    if options.camera is None:
        outputs = Outputs(lambda *_: None, lambda _: None, tuple)
        rig.pipeline = Pipeline(Sink(), outputs, PipelineOptions(tick_rate=0))  # type: ignore[arg-type]
    return rig


def processor_seconds() -> float:
    """Return the time that this process has computed, in all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def frames_of(options: argparse.Namespace) -> list[bytearray]:
    """Return ticks as WebSocket frames with a mask of zeros, to be numbered as they are sent."""
    market = endless_market(options.agents, seed=1, start=1)
    made = []
    for _ in range(TICKS_MADE):
        tick = next(market)
        columns = (tick.agent_id, tick.experience, tick.side, tick.price, tick.matches)
        body = encode_tick_binary(Tick(tick.t, tick.mid, *columns))
        head = bytes([_BINARY, 0xFF]) + len(body).to_bytes(8, "big") + bytes(4)
        made.append(bytearray(head + body))
    return made


def connect(port: int) -> socket.socket:
    """Open a connection and read on to the greeting."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(_UPGRADE.encode())
    return sock


def messages(sock: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield what the server says; pings stay unanswered: ticks are sign of life enough."""
    with sock.makefile("rb") as reader:
        while reader.readline() != b"\r\n":
            pass
        while head := reader.read(2):
            size = head[1] if head[1] < 126 else int.from_bytes(reader.read(2), "big")
            data = reader.read(size)
            if head[0] == 0x81:
                yield orjson.loads(data)


def produce(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Send for so long; return how much was acknowledged, and when the last of it was."""
    frames = frames_of(options)
    number_at = _HEAD + _TICK_AT
    with connect(port) as sock:
        heard = messages(sock)
        assert next(heard)["type"] == "hello"
        acks: list[dict[str, Any]] = []
        all_sent = threading.Event()
        sent = 0

        def listen() -> None:
            for message in heard:
                assert message["type"] != "refused", message
                if message["type"] == "ack":
                    acks.append(message)
                    if all_sent.is_set() and message["ticks"] == sent:
                        return

        listener = threading.Thread(target=listen)
        listener.start()
        began, processor = time.perf_counter(), processor_seconds()
        while (now := time.perf_counter() - began) < options.seconds:
            if options.rate and sent >= now * options.rate:
                time.sleep(0.0005)
                continue
            frame = frames[sent % TICKS_MADE]
            frame[number_at : number_at + 8] = sent.to_bytes(8, "little")
            sent += 1
            sock.sendall(frame)
        all_sent.set()
        if acks and acks[-1]["ticks"] != sent:
            listener.join()
        seconds = time.perf_counter() - began
    return {
        "ticks": sent,
        "seconds": seconds,
        "ticks_per_second": sent / seconds,
        "megabytes_per_second": sent * (len(frames[0]) - _HEAD) / seconds / 1e6,
        "tick_bytes": len(frames[0]) - _HEAD,
        "acks": len(acks),
        "producer_cpu_seconds": processor_seconds() - processor,
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run a server and a producer; return the figures of both."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=server, args=(options, theirs))
    process.start()
    theirs.close()
    try:
        figures = produce(ours.recv(), options)
        ours.send("stop")
        figures |= ours.recv()
    finally:
        process.join()
    figures["cpu_ms_per_tick"] = 1000 * figures["cpu_seconds"] / figures["ticks"]
    figures["cpu_share"] = figures["cpu_seconds"] / figures["seconds"]
    return figures


def main() -> None:
    """Measure once, and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=0.0, help="ticks a second, 0: no limit")
    parser.add_argument("--camera", choices=["pairs", "neighbors"], help="film them as well")
    figures = measure(parser.parse_args())
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
