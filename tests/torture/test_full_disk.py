"""A real file system that fills up while it is recorded into, and has room again later."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import orjson
import pytest

from marketcam.io.store import Recorder, RecorderOptions, RetentionPolicy, Store
from marketcam.io.store.verify import verify
from tests.store_helpers import Events
from tests.torture.known_lines import known_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BALLAST = 700_000
MOST_LINES = 100_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes; where none may be mounted, the test is skipped."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_real_disk_that_fills_up_in_the_middle_of_a_line(small_disk: Path) -> None:
    ballast, store, events = small_disk / "ballast", small_disk / "store", Events()
    ballast.write_bytes(b"x" * BALLAST)
    options = RecorderOptions(
        store,
        ("frames",),
        retry_seconds=0.01,
        flush_seconds=0.01,
        retention=RetentionPolicy(disk_start_pct=100, disk_target_pct=100, keep_min=1000),
    )
    written: list[bytes] = []

    def write_until(recorder: Recorder, *, recording: bool) -> None:
        while recorder.status().recording is not recording:
            t = len(written)
            assert t < MOST_LINES
            written.append(known_line("frames", recorder.run, t))
            recorder.write("frames", written[-1], t)
            recorder.flush()

    with Recorder(options, on_event=events) as recorder:
        write_until(recorder, recording=True)
        write_until(recorder, recording=False)
        assert "No space left on device" in str(recorder.status().error)
        ballast.unlink()
        write_until(recorder, recording=True)
        for _ in range(20):
            written.append(known_line("frames", recorder.run, len(written)))
            recorder.write("frames", written[-1], len(written) - 1)
    assert "recording_stopped" in events.names
    assert "recording_resumed" in events.names
    reader = Store(store)
    missing = {t for hole in reader.run().holes for t in range(hole.from_t, hole.to_t + 1)}
    assert 0 < len(missing) < len(written) - 20
    assert sum(hole.lines for hole in reader.run().holes) == len(missing)
    kept = [line for t, line in enumerate(written) if t not in missing]
    assert list(reader.lines("frames")) == kept
    assert all(orjson.loads(line) for line in kept)
    assert verify(store, parse=True).damage == []
