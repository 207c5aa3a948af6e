"""Segments made to harm: what they cost is bounded, and nobody stops at them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import orjson
import pytest
import zstandard

from marketcam.engine import MAX_ID
from marketcam.io.lines import MAX_LINE_BYTES
from marketcam.io.store import Store, recover
from marketcam.io.store.decode import MAX_PARSED_BYTES, tick_at_start, tick_of_line
from marketcam.io.store.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

NAME = "segment_20260124_120000_0.jsonl.zst"
WORK = """
import resource, sys
from marketcam.io.store import recover
from marketcam.io.store.segment_check import check_segment, warm_up_checks
from marketcam.io.store.verify import verify

warm_up_checks()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for parse in (False, True):
    verify(sys.argv[1], parse=parse)
checked = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
recover(sys.argv[1])
recovered = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((checked - before) // 1024, (recovered - before) // 1024)
"""


def put(store: Path, text: bytes, name: str = NAME) -> Path:
    path = store / "metrics" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(text))
    return path


@pytest.mark.parametrize("digits", [17, 19, 20, 4300, 5000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_too_long_to_be_a_tick_is_none(tmp_path, digits, sign):
    line = f'{{"type":"metric","t":{sign}{"9" * digits},"x":1}}'.encode()
    assert tick_at_start(line) is None
    assert tick_of_line(line) is None
    for kind, name in (("one", NAME), ("two", NAME.replace(".jsonl", "_pending.jsonl"))):
        store = tmp_path / kind
        put(store, line + b"\n", name)
        assert [entry.end_t for entry in Store(store).segments("metrics")] == [0]
        recover(store, thorough=True)
        verify(store)
        saved = list((store / "metrics").glob("segment_*"))
        assert len(saved) == 1, "as a segment, or aside"
        assert list(Store(store).lines("metrics", run="all")) in ([line], [])


@pytest.mark.parametrize("t", [MAX_ID, -MAX_ID])
def test_the_largest_ticks_are_ticks(t):
    assert tick_at_start(b'{"t":%d}' % t) == t
    assert tick_of_line(b'{"x":1,"t":%d}' % t) == t
    beyond = t + (1 if t > 0 else -1)
    assert tick_of_line(b'{"t":%d}' % beyond) is None
    assert tick_of_line(b'{"x":1,"t":%d}' % beyond) is None


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize("beginning", [b'{"type":"metric","t":0,"x":[', b'{"x":['])
def test_a_line_that_unfolds_costs_no_more_than_its_text(tmp_path, beginning, pending):
    """Parsed, each three bytes of it would be a list of 64."""
    size = 64 * 2**20
    text = beginning + b"[]," * (size // 3) + b"[]]}\n"
    path = put(tmp_path, text, NAME.replace(".jsonl", "_pending.jsonl") if pending else NAME)
    assert path.stat().st_size < 10_000
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    checked, recovered = map(int, done.stdout.split())
    assert checked < 60
    assert recovered < 3.5 * size / 2**20, "parsed it would be 1.6 GB"


def test_a_long_line_of_our_own_is_saved(tmp_path):
    text = b'{"type":"metric","t":0,"x":"' + b"x" * MAX_PARSED_BYTES + b'"}\n'
    put(tmp_path, text, NAME.replace(".jsonl", "_pending.jsonl"))
    report = recover(tmp_path)
    assert report.outcome == "whole"
    assert len(text) < MAX_LINE_BYTES
    assert list(Store(tmp_path).lines("metrics", run="all")) == [text[:-1]]
    assert orjson.loads(text)["t"] == 0
    assert verify(tmp_path).damage == []
