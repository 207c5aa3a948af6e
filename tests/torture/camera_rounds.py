"""Lives of `marketcam serve` with checkpoints, each ended at a random moment, against one film."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

import orjson
import zstandard

from marketcam.engine import Metric, SlidingWindowCamera
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_frame, encode_metric, encode_tick
from marketcam.io.store.names import KINDS
from marketcam.io.store.runs import read_runs
from marketcam.server.operators.events import EventSifter, FoundEvents

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CameraTorture", "lines_of_run", "uninterrupted"]

W: Final = 60
STRIDE: Final = 7
AGENTS: Final = 8
ADJUST_INTERVAL: Final = 150
EVENTS_Z: Final = 2.5  # so that there are many

_FLAGS: Final = (
    *("--port", "0", "--W", str(W), "--stride", str(STRIDE), "--agents", str(AGENTS)),
    *("--adjust-interval", str(ADJUST_INTERVAL), "--tick-rate", "600", "--record-ticks"),
    *("--burst-z", str(EVENTS_Z), "--shock-z", str(EVENTS_Z)),
    *("--checkpoint-seconds", "0.2", "--flush-seconds", "0.1", "--segment-seconds", "0.4"),
)


class CameraTorture:
    """One store, one run, many lives.

    Attributes:
        lives: how many there were, by how they ended.
    """

    def __init__(self, store: Path, seed: int) -> None:
        self.lives: Counter[str] = Counter()
        self._store = store
        self._random = random.Random(seed)

    def live_and_die(self) -> None:
        """Start the camera and end it: every third time while it starts, else while it records."""
        with camera(self._store) as process:
            if sum(self.lives.values()) % 3 == 2:
                place = "while starting"
                self._wait(1.5)
            else:
                place = "while recording"
                listening(process)
                self._wait(1.5)
            number = self._random.choice([signal.SIGKILL] * 4 + [signal.SIGTERM])
            process.send_signal(number)
            code = process.wait()
        # Before it has taken its signals into its own hands, SIGTERM ends the interpreter.
        assert code in ((-9,) if number == signal.SIGKILL else (0, -15)), code
        self.lives[f"{signal.Signals(number).name} {place}"] += 1

    def live_to_the_end(self) -> None:
        """Start the camera, let it go on beyond all it had recorded, and stop it in order."""
        with camera(self._store) as process:
            listening(process)
            self._wait(1.5)
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0

    def check(self) -> int:
        """Check that the run's lines are those of a run never stopped; return how many they are."""
        journal = read_runs(self._store)
        *before, run = journal.runs
        for name in before:  # a life that was ended before its first checkpoint was written
            assert not any(lines_of_run(self._store, name).values())
        found = lines_of_run(self._store, run)
        last_t = orjson.loads(found["ticks"][-1])["t"]
        expected = uninterrupted(last_t + 1)
        for kind, lines in found.items():
            assert lines == expected[kind], kind
        assert journal.runs[run].holes == ()
        assert journal.runs[run].ended_at is not None
        return sum(map(len, found.values()))

    def _wait(self, most: float) -> None:
        """Let a random time pass: the moment of the end is what these rounds are about."""
        threading.Event().wait(self._random.uniform(0, most))


def camera(store: Path) -> subprocess.Popen[str]:
    """Start a camera's process."""
    command = [sys.executable, "-m", "marketcam.server.cli", "serve", "--store-dir", str(store)]
    return subprocess.Popen(
        [*command, *_FLAGS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def listening(process: subprocess.Popen[str]) -> None:
    """Wait until a camera listens."""
    assert process.stdout is not None
    assert any(line.startswith("listening on") for line in process.stdout), process.wait()


def uninterrupted(ticks: int) -> dict[str, list[bytes]]:
    """Return by kind the lines of a run that nobody has stopped."""
    lines: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    camera = SlidingWindowCamera(W=W, stride=STRIDE, burst_z=EVENTS_Z, shock_z=EVENTS_Z)
    sifter = EventSifter()
    for tick in islice(InfiniteGameMarket(AGENTS, 0, ADJUST_INTERVAL), ticks):
        camera.ingest_tick(tick)
        metric, frame = Metric.of(tick), camera.maybe_frame(tick.t)
        assert metric is not None
        lines["ticks"].append(encode_tick(tick))
        lines["metrics"].append(encode_metric(metric))
        if frame is not None:
            lines["frames"].append(encode_frame(frame))
            if events := sifter.new_events(frame):
                lines["events"].append(FoundEvents(frame.t, tuple(events)).line())
    return lines


def lines_of_run(store: Path, run: str) -> dict[str, list[bytes]]:
    """Return by kind the lines of a run's closed segments, in the order of the manifest."""
    journal = read_runs(store)
    found: dict[str, list[bytes]] = {}
    for kind in KINDS:
        manifest = store / kind / "manifest.json"
        entries = orjson.loads(manifest.read_bytes()) if manifest.exists() else []
        paths = [e["path"] for e in entries if journal.segments[e["path"]] == run]
        texts = [zstandard.decompress((store / path).read_bytes()) for path in paths]
        found[kind] = b"".join(texts).splitlines()
    return found
