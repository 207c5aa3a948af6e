"""What a forked child has of the writers of its parent: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from marketcam.io.store import Store
from marketcam.io.store.runs import read_runs
from tests.store_helpers import line, lines, record, recorder_in

if TYPE_CHECKING:
    from pathlib import Path

CHILD_WRITES = """
import os, sys
from pathlib import Path
from marketcam.io import ZstdSegmentWriter
from marketcam.io.store import StoreError

def refused(act):
    try:
        act()
    except StoreError as error:
        return f"{type(error).__name__}: {error}"
    return "it may"

writer = ZstdSegmentWriter("metrics", sys.argv[1])
writer.write_line(b'{"t":0}', 0)
child = os.fork()
if child == 0:
    print(refused(lambda: ZstdSegmentWriter("frames", sys.argv[1])))
    print(refused(lambda: writer.write_line(b'{"t":1}', 1)))
    print(refused(writer.flush))
    print(refused(writer.close), flush=True)
    os._exit(0)
os.waitpid(child, 0)
frames = ZstdSegmentWriter("frames", sys.argv[1])
frames.write_line(b'{"t":0}', 0)
writer.write_line(b'{"t":1}', 1)
frames.close()
writer.close()
print(os.getpid())
"""

CHILD_OUTLIVES = """
import os, signal, sys
from pathlib import Path
from marketcam.io.store import Recorder, RecorderOptions, StoreError

recorder = Recorder(RecorderOptions(Path(sys.argv[1])))
recorder.start()
recorder.write("metrics", b'{"t":0}', 0)
recorder.flush()
if os.fork() == 0:
    try:
        recorder.write("metrics", b'{"t":1}', 1)
    except StoreError as error:
        print(error, flush=True)
    sys.stdin.read()
    os._exit(0)
signal.pause()
"""


def test_a_child_neither_joins_its_parents_run_nor_writes_with_its_writers(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD_WRITES, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    joining, *using, parent = done.stdout.splitlines()
    assert joining.startswith("StoreBusyError")
    assert f"is being written by process {parent} " in joining
    forked = f"StoreError: what writes to the store is of process {parent}, which forked"
    assert all(said.startswith(forked) for said in using)
    assert len(using) == 3
    assert list(Store(tmp_path).lines("metrics")) == [b'{"t":0}', b'{"t":1}']
    journal = read_runs(tmp_path)
    [run] = journal.runs.values()
    assert run.ended_at is not None
    assert len(journal.segments) == 2


def test_a_child_that_outlives_its_parent_does_not_keep_the_store(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD_OUTLIVES, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        said = parent.stdout.readline()
        assert f"is of process {parent.pid}" in said
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        # The child lives: it waits for the end of what the test has not ended.
        with recorder_in(tmp_path) as recorder:
            record(recorder, 0, 3)
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 3)
    assert line(0) not in list(Store(tmp_path).lines("metrics", run="all"))[:1]
