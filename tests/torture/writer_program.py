"""A process that records known lines until it is killed: `python -m tests.torture.writer_program`.

Says what it does on its standard output, a line each: `starting`, before it touches the store;
`recording RUN`, when the first line may be written; `refused REASON`, when the store refuses.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from marketcam.io.store import Clock, RecorderOptions
from marketcam.io.store.errors import StoreBusyError
from tests.torture.known_lines import KINDS, is_due, known_line
from tests.torture.notes import MOST_TICKS, HandingNotes, Moment, RestingRecorder

REFUSED: Final = 3

_TURN_SECONDS: Final = 0.002


class FallingClock:
    """A wall clock whose keeper sets it back, by up to minutes, about ten times a second."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._offset = 0.0
        self._next = time.monotonic()

    def wall(self) -> float:
        if time.monotonic() >= self._next:
            self._offset -= self._random.choice([0.5, 1.0, 3.0, 200.0])
            self._next = time.monotonic() + self._random.uniform(0.02, 0.2)
        return time.time() + self._offset


def main(plan: dict[str, Any]) -> int:
    """Record as planned; return the exit code where it comes to that."""
    clock = Clock(wall=FallingClock(plan["seed"]).wall) if plan["clock_falls"] else Clock()
    options = RecorderOptions(
        Path(plan["store"]),
        KINDS,
        segment_seconds=plan["segment_seconds"],
        segment_bytes=plan["segment_bytes"],
        flush_seconds=plan["flush_seconds"],
    )
    notes = HandingNotes(Path(plan["notes"]))
    say("starting")
    recorder = RestingRecorder(options, clock=clock)
    try:
        recorder.start()
    except StoreBusyError as error:
        say(f"refused {error}")
        return REFUSED
    say(f"recording {recorder.run}")
    assert recorder.run is not None
    record(recorder, recorder.run, plan["ticks_a_second"], notes)
    recorder.close()
    return 0


def record(recorder: RestingRecorder, run: str, ticks_a_second: int, notes: HandingNotes) -> None:
    nobody = threading.Event()
    per_turn = max(1, round(ticks_a_second * _TURN_SECONDS))
    began = time.monotonic()
    for t in range(MOST_TICKS):
        for kind in KINDS:
            if is_due(kind, t):
                recorder.write(kind, known_line(kind, run, t), t)
                # Only now is it the recorder's: this thread, too, may have waited for a core.
                notes.note(kind, t, Moment(time.monotonic(), recorder.rested()))
        if t % per_turn == 0:
            nobody.wait(max(0.0, began + t / ticks_a_second - time.monotonic()))


def say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
