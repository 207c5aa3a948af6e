"""How long from a tick number to its frame, in a recording of an hour, or of a day?

::

    python -m benchmarks.history --hours 24 --folder build/history

The recording is made by `marketcam film` of the embedded market, 74 agents at 100 ticks/s, in
segments of five minutes; it is made once and kept in the folder. An hour takes half a
gigabyte, a day 24 times as much. A real server is then started on it, and seeks go to
ticks at random: over ``/range/frames?from_t=T&limit=1`` until the answer is there, over
``/ws/replay`` from the seek until the frame, and in Python by `Store.frames`. Cold: the system is
told to forget the files before each seek, so that the disk is read. The server's memory is what it
has after all of that.

Exits with 1 where the median misses its target; the 99th of a hundred is judged in the table, since
on a machine that others use it says more of them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx
import orjson
from websockets.sync.client import connect

from benchmarks.machine import describe, listed
from marketcam.io import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from websockets.sync.client import ClientConnection

TICK_RATE, AGENTS, WINDOW, STRIDE = 100, 74, 300, 10
SEGMENT_SECONDS = 300
HTTP_TARGET_MS, REPLAY_TARGET_MS = 300.0, 500.0
_SEED = 0
_PATIENCE = 60.0


@dataclass(frozen=True)
class Row:
    """The seeks over one way.

    Attributes:
        way: which.
        milliseconds: of each seek.
        target: what the 99th of a hundred has to keep to; None where nothing was asked for.
    """

    way: str
    milliseconds: Sequence[float]
    target: float | None

    @property
    def median(self) -> float:
        """What half of the seeks keep to."""
        return median(self.milliseconds)

    @property
    def p99(self) -> float:
        """What 99 of a hundred seeks keep to."""
        ordered = sorted(self.milliseconds)
        return ordered[math.ceil(0.99 * len(ordered)) - 1]

    @property
    def missed(self) -> bool:
        """Whether that is beyond the target."""
        return self.target is not None and self.p99 > self.target

    def to_dict(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "way": self.way,
            "median_ms": round(self.median, 2),
            "p99_ms": round(self.p99, 2),
            "worst_ms": round(max(self.milliseconds), 2),
            "seeks": len(self.milliseconds),
            "target_ms": self.target,
        }


@dataclass(frozen=True)
class Recording:
    """What is sought in: a finished run in a folder."""

    folder: Path
    run: str
    last_t: int

    def random_ticks(self, count: int) -> list[int]:
        """Return ticks to seek, the same ones each time."""
        chance = random.Random(_SEED)
        return [chance.randint(WINDOW, self.last_t - STRIDE) for _ in range(count)]

    def forget(self) -> None:
        """Have the system drop the segments' pages, so that the next reader goes to the disk."""
        for path in self.folder.glob("frames/*.zst"):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def recording(folder: Path, ticks: int) -> Recording:
    """Return the recording of so many ticks in a folder, which is made where there is none."""
    if not (folder / "runs.jsonl").exists():
        _film(folder, ticks)
    runs = [run for run in Store(folder).runs() if run.about.get("film")]
    last_t = Store(folder).last_t("metrics", runs[0].id) if runs else None
    if last_t != ticks - 1:
        sys.exit(
            f"{folder} holds another recording, or a part of one: its last tick is {last_t}, not "
            f"{ticks - 1}; remove it, or name another --folder"
        )
    return Recording(folder, runs[0].id, last_t)


def _film(folder: Path, ticks: int) -> None:
    flags = {
        "--market": ticks,
        "--agents": AGENTS,
        "--adjust-interval": ticks,  # nobody joins and nobody leaves
        "--W": WINDOW,
        "--stride": STRIDE,
        "--tick-rate": TICK_RATE,
        "--segment-seconds": SEGMENT_SECONDS,
        "--segment-bytes": 2**31,
        "--store": folder,
    }
    given = [str(part) for flag in flags.items() for part in flag]
    subprocess.run([sys.executable, "-m", "marketcam.server.cli", "film", *given], check=True)


@contextmanager
def server_on(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a server on a store, with a source that stays silent; yield its address and process."""
    flags = {
        "--port": 0,
        "--store-dir": folder,
        "--ticks": "-",
        "--log-level": "error",
        "--disk-start-pct": 100,  # it is here to read
        "--disk-target-pct": 100,
    }
    given = [str(part) for flag in flags.items() for part in flag]
    server = subprocess.Popen(
        [sys.executable, "-m", "marketcam.server.cli", "serve", *given],
        env={name: value for name, value in os.environ.items() if not name.startswith("IG_")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    try:
        first = server.stdout.readline().decode()
        if not first.startswith("listening on "):
            sys.exit("the server did not start")
        yield first.split()[2].removeprefix("http://"), server.pid
    finally:
        server.terminate()
        server.communicate()


def timed(
    seek: Callable[[int], int], ticks: Sequence[int], before: Callable[[], None]
) -> list[float]:
    """Return the milliseconds of each seek; what it finds has to be the next frame."""
    spent = []
    for t in ticks:
        before()
        began = time.perf_counter()
        found = seek(t)
        spent.append(1e3 * (time.perf_counter() - began))
        assert found == -(-t // STRIDE) * STRIDE, f"sought {t}, found {found}"
    return spent


def in_python(store: Store, run: str) -> Callable[[int], int]:
    def seek(t: int) -> int:
        frames = store.frames(t, run=run)
        frame = next(frames)
        frames.close()
        return int(frame["t"])

    return seek


def over_http(client: httpx.Client, run: str) -> Callable[[int], int]:
    def seek(t: int) -> int:
        answer = client.get("/range/frames", params={"from_t": t, "limit": 1, "run": run})
        answer.raise_for_status()
        return int(orjson.loads(answer.content)["t"])

    return seek


def over_replay(replay: ClientConnection) -> Callable[[int], int]:
    """Seek in a replay that is paused, and step: the frame is shown at once."""

    def seek(t: int) -> int:
        replay.send(json.dumps({"type": "seek", "t": t}))
        replay.send(json.dumps({"type": "step"}))
        is_there = False  # what comes before the answer to the seek is from before it
        while True:
            message = orjson.loads(replay.recv(_PATIENCE))
            if message["type"] == "error":
                sys.exit(f"the replay refused: {message}")
            if message["type"] == "frame" and is_there:
                return int(message["t"])
            is_there = is_there or message["type"] == "seek"

    return seek


def measure(made: Recording, seeks: int) -> tuple[list[Row], dict[str, float]]:
    """Return the rows, and the server's memory in MB before the seeks and after them."""
    ticks = made.random_ticks(seeks)
    states = {"warm": lambda: None, "cold": made.forget}
    rows = [
        Row(f"Python, {state}", timed(in_python(Store(made.folder), made.run), ticks, before), None)
        for state, before in states.items()
    ]
    with server_on(made.folder) as (address, pid):
        memory = {"before": _resident_mb(pid)}
        with httpx.Client(base_url=f"http://{address}", timeout=_PATIENCE) as client:
            for state, before in states.items():
                spent = timed(over_http(client, made.run), ticks, before)
                rows.append(Row(f"HTTP, {state}", spent, HTTP_TARGET_MS))
        url = f"ws://{address}/ws/replay?kinds=frame&run={made.run}"
        with connect(url, max_size=None, proxy=None) as replay:
            replay.send(json.dumps({"type": "pause"}))
            for state, before in states.items():
                spent = timed(over_replay(replay), ticks, before)
                rows.append(Row(f"replay, {state}", spent, REPLAY_TARGET_MS))
        memory["after"] = _resident_mb(pid)
    return rows, memory


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1e3
    raise ValueError(f"process {pid} has no resident memory")


def print_table(rows: Sequence[Row]) -> None:
    print("| way | median ms | p99 ms | worst ms | target ms | |")
    print("|---|---:|---:|---:|---:|---|")
    for row in rows:
        target = "" if row.target is None else f"{row.target:g}"
        verdict = "" if row.target is None else "missed" if row.missed else "reached"
        worst = max(row.milliseconds)
        print(
            f"| {row.way} | {row.median:.1f} | {row.p99:.1f} | {worst:.1f} | {target} | {verdict} |"
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0, help="length of the recording")
    parser.add_argument("--folder", type=Path, default=Path("build/history"))
    parser.add_argument("--only-film", action="store_true", help="make the recording, and end")
    parser.add_argument("--seeks", type=int, default=200, help="over each way")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to it as well")
    args = parser.parse_args(argv)
    made = recording(args.folder / f"{args.hours:g}h", round(args.hours * 3600 * TICK_RATE))
    if args.only_film:
        return 0
    size = sum(path.stat().st_size for path in made.folder.glob("*/*.zst"))
    segments = len(list(made.folder.glob("frames/*.zst")))
    rows, memory = measure(made, args.seeks)
    print(
        f"{args.hours:g} h, {made.last_t + 1:,} ticks, {segments} segments, {size / 1e9:.1f} GB\n"
    )
    print_table(rows)
    print(
        f"\nthe server's memory: {memory['before']:.0f} MB before, {memory['after']:.0f} MB after"
    )
    print(f"\n{listed()}")
    if args.json is not None:
        figures = {"hours": args.hours, "bytes": size, "segments": segments, "memory_mb": memory}
        rows_of = {"seeks": [row.to_dict() for row in rows], "machine": describe()}
        args.json.write_text(json.dumps(figures | rows_of, indent=1), encoding="utf-8")
    return int(any(row.target is not None and row.median > row.target for row in rows))


if __name__ == "__main__":
    sys.exit(main())
