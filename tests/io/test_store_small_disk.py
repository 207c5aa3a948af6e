"""A disk that is really full: what the system says then, and when, nobody invents."""

from __future__ import annotations

from tests.small_disk import run_on_small_disk

COMMON = """
import random, sys
from pathlib import Path
import orjson
from marketcam.io.store import Recorder, RecorderOptions, RetentionPolicy, Store
from marketcam.io.store.runs import read_runs

root = Path(sys.argv[1])
chance = random.Random(7)
full = RetentionPolicy(disk_start_pct=100, disk_target_pct=100)


def line(t):  # of a size that a page of the disk ends within it
    return orjson.dumps({"type": "metric", "t": t, "x": chance.randbytes(1700).hex()})


def started(store, **options):
    recorder = Recorder(
        RecorderOptions(store, retry_seconds=0.01, flush_seconds=0.01, retention=full, **options)
    )
    recorder.start()
    return recorder


def write_until(recorder, t, is_so):
    while not is_so(recorder.status()):
        for kind in ("metrics", "frames"):
            recorder.write(kind, line(t), t)
        recorder.flush()
        t += 1
    return t


def check(store, run, last_t):
    names = [path.name for path in store.rglob("*")]
    assert not [name for name in names if "pending" in name or name.endswith(".new")], names
    holes = read_runs(store).runs[run].holes
    for kind in ("metrics", "frames"):
        found = [orjson.loads(text)["t"] for text in Store(store).lines(kind, run=run)]
        gone = [t for hole in holes if hole.kind == kind for t in range(hole.from_t, hole.to_t + 1)]
        assert found == sorted(set(found)), "torn, doubled or out of order"
        assert sorted(found + gone) == list(range(last_t)), (kind, holes)
        assert len(gone) == sum(hole.lines for hole in holes if hole.kind == kind)
    return holes
"""

FILLS = (
    COMMON
    + """
ballast = root / "ballast"
ballast.write_bytes(bytes(1_200_000))
recorder = started(root / "store")
t = write_until(recorder, 0, lambda status: not status.recording)
status = recorder.status()
assert "No space left on device" in status.error, status
t = write_until(recorder, t, lambda status: status.dropped_lines > 50)
ballast.unlink()
t = write_until(recorder, t, lambda status: status.recording)
for t in range(t, t + 10):
    for kind in ("metrics", "frames"):
        recorder.write(kind, line(t), t)
recorder.close()
assert recorder.status().error is None, recorder.status()
holes = check(root / "store", recorder.run, t + 1)
assert holes and all("No space left" in hole.reason for hole in holes), holes
print(len(holes))
"""
)

NO_ROOM_TO_START = (
    COMMON
    + """
import os
store = root / "store"
dead = os.fork()
if not dead:
    recorder = started(store)
    for t in range(200):
        recorder.write("metrics", line(t), t)
    recorder.flush()
    os._exit(0)
os.waitpid(dead, 0)
ballast = root / "ballast"
with ballast.open("wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
recorder = started(store)
status = recorder.status()
assert not status.recording and "No space left on device" in status.error, status
names = [path.name for path in store.rglob("*")]
assert not [name for name in names if name.endswith(".new")], names
t = write_until(recorder, 0, lambda status: status.dropped_lines > 20)
ballast.unlink()
t = write_until(recorder, t, lambda status: status.recording)
recorder.close()
holes = check(store, recorder.run, t)
before = [run.id for run in Store(store).runs() if run.id != recorder.run]
assert len(list(Store(store).lines("metrics", run=before[0]))) == 200
print(len(holes))
"""
)


def test_a_disk_that_is_full_in_the_middle_of_a_line(tmp_path):
    assert int(run_on_small_disk(FILLS, tmp_path)) >= 1


def test_a_start_on_a_disk_without_room_for_the_recovery(tmp_path):
    assert int(run_on_small_disk(NO_ROOM_TO_START, tmp_path)) >= 1
