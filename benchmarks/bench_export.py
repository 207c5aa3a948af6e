"""What does a recorded frame cost to read, parse, turn into columns, and export as Parquet?"""

from __future__ import annotations

import shutil

import orjson
import pytest

from marketcam.engine import Frame
from marketcam.io import ExportOptions, Store, encode_frame, export_parquet
from marketcam.io.arrow_tables import LineTables
from marketcam.io.store import ZstdSegmentWriter

LINES = 100

pytestmark = pytest.mark.yardstick("none")  # the allocator and the disk, as much as the numbers


@pytest.fixture
def recording(film, tmp_path):
    """A store with consecutive frames."""
    running = film()
    with ZstdSegmentWriter("frames", tmp_path / "store") as writer:
        for _ in range(LINES):
            running.take_until_due()
            writer.write_line(encode_frame(running.frame()), running.t)
    return Store(tmp_path / "store")


def parse(line):
    return orjson.loads(line)


def to_columns(line):
    return Frame.from_dict(orjson.loads(line))


@pytest.mark.parametrize("step", [bytes, parse, to_columns])
def test_lines(benchmark, recording, agents, step):
    """All lines read, and each parsed so far."""
    benchmark.extra_info.update(agents=agents, frames=LINES)
    benchmark(lambda: sum(1 for line in recording.lines("frames") if step(line)))


def test_batches(benchmark, recording, agents):
    """All lines as Arrow batches of nodes and edges."""
    benchmark.extra_info.update(agents=agents, frames=LINES)

    def batches():
        tables = LineTables("run", ("nodes", "edges"))
        made = [batch for line in recording.lines("frames") for batch in tables.add(line)]
        return [*made, *tables.rest()]

    assert len(benchmark(batches)) >= 2


def test_export(benchmark, recording, agents, tmp_path):
    """All lines as Parquet files on the disk, its sync included."""
    benchmark.extra_info.update(agents=agents, frames=LINES)
    out = tmp_path / "out.parquet"

    def fresh():
        shutil.rmtree(out, ignore_errors=True)
        return (recording, out, ExportOptions(kinds=("frames",))), {}

    benchmark.pedantic(export_parquet, setup=fresh, rounds=5)
