"""Raw ticks as text, and ways to read them back, for the tests of tick files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import zstandard

from marketcam.io.sources import BadLine, TickLines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from marketcam.engine import Tick


def raw_tick(t: int) -> dict:
    return {
        "t": t,
        "mid": 50_000.5,
        "s": {"price_norm": 0.5, "volatility": 0.3, "liquidity": 1.0, "imbalance": -0.1},
        "agents": {"0": 0.25, "7": None},
        "actions": {"7": {"side": "buy", "price": 50_001.0 + t, "size": 1.0}},
        "matches": [[0, 7], {"a": 7, "b": -1}],
    }


def line_of(t: int) -> bytes:
    return json.dumps(raw_tick(t)).encode()


def text_of(ts: Iterable[int]) -> bytes:
    return b"".join(line_of(t) + b"\n" for t in ts)


def as_values(tick: Tick) -> tuple:
    arrays = (tick.agent_id, tick.experience, tick.side, tick.price, tick.matches)
    return (tick.t, tick.mid, tick.state, *(array.tobytes() for array in arrays))


def ticks_of(data: bytes, tmp_path: Path, **options) -> list[int]:
    file = tmp_path / "ticks.jsonl"
    file.write_bytes(data)
    return [tick.t for tick in TickLines.open(file, **options)]


def read_leniently(data: bytes, tmp_path: Path, **options) -> tuple[list[int], list[BadLine]]:
    bad: list[BadLine] = []
    return ticks_of(data, tmp_path, on_bad=bad.append, **options), bad


def flushed_frame(count: int) -> tuple[bytes, list[int]]:
    """Return one zstd frame with a block a line, and where in it each line is complete."""
    compressor = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    data, borders = b"", []
    for t in range(count):
        data += compressor.compress(line_of(t) + b"\n")
        data += compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        borders.append(len(data))
    return data + compressor.flush(), borders
