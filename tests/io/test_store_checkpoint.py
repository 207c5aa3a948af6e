"""The checkpoint's file: written whole, read exactly, and refused when it is anything else."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.io.store import files
from marketcam.io.store.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    _checksum,
    read_checkpoint,
    write_checkpoint,
)
from marketcam.io.store.errors import CheckpointError, NewerFormatError

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {"W": 300, "eps_pct": 0.003, "proximity": "pairs", "max_agents": None}
STATE = {"market": {"t": 12_000, "values": [0.1, 1 / 3, 5e-324]}, "rule": "pairs"}
RECORDED = {"frames": 12_300, "metrics": 12_305}
SAVED = Checkpoint("20260124_120000_a1b2c3", 12_000, RECORDED, SETTINGS, STATE)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None
    write_checkpoint(tmp_path, SAVED)
    assert read_checkpoint(tmp_path) == SAVED
    later = Checkpoint(SAVED.run, 13_000, RECORDED, SETTINGS, STATE)
    write_checkpoint(tmp_path, later)
    assert read_checkpoint(tmp_path) == later
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_floats_are_kept_to_the_last_bit(tmp_path_factory, values):
    store = tmp_path_factory.mktemp("store")
    write_checkpoint(store, Checkpoint("run", 0, {}, {}, {"values": values}))
    saved = read_checkpoint(store)
    assert saved is not None
    assert [value.hex() for value in saved.state["values"]] == [value.hex() for value in values]


def test_differences_are_named_with_both_values() -> None:
    assert SAVED.differences(SETTINGS) == []
    other = {name: SETTINGS[name] for name in ("eps_pct", "proximity", "max_agents")}
    other |= {"eps_pct": 0.01, "seed": 7}
    assert SAVED.differences(other) == [
        "W was 300, is None",
        "eps_pct was 0.003, is 0.01",
        "seed was None, is 7",
    ]


def test_a_checkpoint_cut_at_any_byte_is_none(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, SAVED)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    for size in range(len(whole) - 1):  # without its line end it is still whole
        (tmp_path / CHECKPOINT).write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            read_checkpoint(tmp_path)


def test_a_checkpoint_with_any_bit_flipped_is_the_same_or_none(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, SAVED)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    refused = 0
    for place in range(8 * (len(whole) - 1)):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        try:
            assert read_checkpoint(tmp_path) == SAVED
        except CheckpointError:
            refused += 1
    assert refused > 8 * len(whole) * 0.95


def sealed(**fields: object) -> bytes:
    record = {"format": 1, "run": "a", "t": 1, "recorded": {}, "settings": {}, "state": {}} | fields
    return orjson.dumps(record | {"sha256": _checksum(record)})


def test_one_of_a_later_version_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(sealed(format=2, t="of another kind"))
    with pytest.raises(NewerFormatError, match="format must be at most 1, got 2"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"[]", "must hold an object, got []"),
        (b"{}", "does not match its checksum"),
        (sealed(run=""), "run must be a run's name, got ''"),
        (sealed(t=-1), "t must be a whole number from 0, got -1"),
        (sealed(t=True), "t must be a whole number from 0, got True"),
        (sealed(recorded={"frames": "5"}), "recorded must hold whole numbers, got {'frames': '5'}"),
        (sealed(state=None), "settings and state must be objects"),
        (sealed(format="1"), "format must be an integer"),
    ],
)
def test_one_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        read_checkpoint(tmp_path)


def test_a_disk_that_refuses_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, SAVED)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(files, "write_all", refuse)
    with pytest.raises(OSError, match="no space left"):
        write_checkpoint(tmp_path, Checkpoint("run", 5, {}, {}, {}))
    assert read_checkpoint(tmp_path) == SAVED
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
