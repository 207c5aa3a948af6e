"""How fast do lines reach closed segments, by the number of agents and the zstd level?"""

from __future__ import annotations

import shutil

import pytest

from marketcam.io import encode_frame
from marketcam.io.store import Recorder, RecorderOptions, ZstdSegmentWriter

LINES = 100

pytestmark = pytest.mark.yardstick("none")  # a sync takes as long as the disk likes


@pytest.fixture
def lines(film):
    """The texts of consecutive frames with their ticks."""
    running = film()
    made = []
    for _ in range(LINES):
        running.take_until_due()
        made.append((encode_frame(running.frame()), running.t))
    return made


@pytest.fixture
def fresh_store(tmp_path):
    """A function that returns an empty folder; the one before is removed."""
    store_dir = tmp_path / "store"

    def make():
        shutil.rmtree(store_dir, ignore_errors=True)
        return store_dir

    return make


def describe(benchmark, agents, lines):
    json_bytes = sum(len(line) + 1 for line, _ in lines)
    benchmark.extra_info.update(agents=agents, lines=len(lines), json_bytes=json_bytes)
    if benchmark.enabled:
        megabytes = json_bytes / benchmark.stats["median"] / 1e6
        benchmark.extra_info["megabytes_per_second"] = round(megabytes)


@pytest.mark.parametrize("level", [1, 3, pytest.param(9, marks=pytest.mark.large)])
def test_segment(benchmark, lines, fresh_store, agents, level):
    """A hundred frames through one writer, opened and closed; the disk's sync included."""

    def record(store_dir):
        with ZstdSegmentWriter(kind="frames", store_dir=store_dir, level=level) as writer:
            for line, t in lines:
                writer.write_line(line, t)

    benchmark.pedantic(record, setup=lambda: ((fresh_store(),), {}), rounds=10)
    describe(benchmark, agents, lines)


def test_recorder(benchmark, lines, fresh_store, agents):
    """The same through the recorder's queue and thread, from the first line to the last sync."""

    def record(recorder):
        for line, t in lines:
            recorder.write("frames", line, t)
        recorder.close()

    def started():
        recorder = Recorder(RecorderOptions(store_dir=fresh_store()))
        recorder.start()
        return (recorder,), {}

    benchmark.pedantic(record, setup=started, rounds=10)
    describe(benchmark, agents, lines)


def test_write_call(benchmark, lines, fresh_store, agents):
    """What `Recorder.write` costs the engine's thread: handing a line over."""
    recorder = Recorder(RecorderOptions(store_dir=fresh_store()))
    recorder.start()
    supply = iter(lines * 1000)

    def next_line():
        line, t = next(supply)
        return ("frames", line, t), {}

    benchmark.pedantic(recorder.write, setup=next_line, rounds=500)
    recorder.close()
    benchmark.extra_info["agents"] = agents
