"""Rounds of start, `kill -9` at a random moment, recovery and check, all from one seed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from marketcam.io.store import recover
from marketcam.io.store.verify import verify
from tests.torture.known_lines import KINDS, is_due
from tests.torture.notes import MOST_TICKS, HandingNotes
from tests.torture.reader import ConcurrentReader
from tests.torture.store_check import StoreCheck
from tests.torture.writer_program import REFUSED

__all__ = ["Figures", "RecorderTorture"]

ROUNDS_A_STORE: Final = 25
"""Then a store is put aside and another begun, so that checking one stays quick."""

SHORTEST_ROUNDS_SECONDS: Final = 0.002
"""What is allowed beside `flush_seconds`: the recorder rests for a millisecond at least, and once
more where a clock's rounding wakes it before the time."""

LONGEST_LIFE: Final = 0.6
"""Seconds after which a writer is killed, at most."""


@dataclass
class Figures:
    """What the rounds come to.

    Attributes:
        rounds: how many there were, by what was done in them.
        lines: lines that were compared with what was written.
        seen: lines that a reader had seen before the kill.
        lost: lines lost, all of them of the last moments.
        worst_loss: the longest time, in seconds, from a lost line to the last one handed on.
        worst_rest: the most of `flush_seconds` that the recorder rested in such a time, as a share.
    """

    rounds: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    seen: int = 0
    lost: int = 0
    worst_loss: float = 0.0
    worst_rest: float = 0.0

    def take_loss(self, lines: int, seconds: float, rest: float) -> None:
        """Count what the end of one writer has cost."""
        self.lost += lines
        self.worst_loss = max(self.worst_loss, seconds)
        self.worst_rest = max(self.worst_rest, rest)

    def __str__(self) -> str:
        done = ", ".join(f"{count} {name}" for name, count in sorted(self.rounds.items()))
        return (
            f"{done}\n"
            f"{self.lines} lines compared, {self.seen} of them seen by a reader before the kill\n"
            f"{self.lost} lines lost, the oldest {self.worst_loss * 1e3:.0f} ms before the last; "
            f"meanwhile the recorder rested for {self.worst_rest:.0%} of flush_seconds at most"
        )


class RecorderTorture:
    """Kills processes that record known lines, one a round, and checks what is left each time.

    Args:
        folder: where the stores go.
        seed: of everything that is random.
        figures: counts.
    """

    def __init__(self, folder: Path, seed: int, figures: Figures) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._figures = figures
        self._number = 0
        self._store = folder
        self._check = StoreCheck(folder)

    def round(self) -> None:
        """Do one round."""
        if self._number % ROUNDS_A_STORE == 0:
            self._store = self._folder / f"store-{self._number}"
            self._check = StoreCheck(self._store)
        self._number += 1
        plan = self._plan()
        notes = HandingNotes.create(Path(plan["notes"]))
        try:
            run, seen = self._live_and_die(plan)
            for _ in range(self._random.choice([0, 0, 1, 2])):
                self._die_in_recovery(plan)
            recover(self._store)
            before = self._check.checked_lines
            self._check.after_recovery()
            if self._number % 5 == 0:  # it reads all, while the check reads what is new
                damage = verify(self._store, parse=True).damage
                assert not damage, damage
            self._figures.lines += self._check.checked_lines - before
            self._measure_loss(run, seen, notes, plan["flush_seconds"])
        finally:
            notes.close()

    def _plan(self) -> dict[str, Any]:
        choose = self._random.choice
        return {
            "seed": self._random.randrange(2**32),
            "store": str(self._store),
            "notes": str(self._folder / "notes"),
            "segment_seconds": choose([0.05, 0.05, 0.5, 300.0]),
            "segment_bytes": choose([20_000, 500_000, 256 * 2**20]),
            "flush_seconds": choose([0.02, 0.1, 0.3]),
            "ticks_a_second": choose([500, 2000, 5000]),
            "clock_falls": self._random.random() < 0.25,
        }

    def _live_and_die(self, plan: dict[str, Any]) -> tuple[str, dict[str, int]]:
        """Let a writer record for a while and kill it; return its run and what a reader saw."""
        done = "kill, clock set back" if plan["clock_falls"] else "kill"
        with writer(plan) as process:
            run = heard(process, "recording")
            with ConcurrentReader(self._store, run) as reader:
                if self._random.random() < 0.1:
                    done = "kill, second writer refused"
                    refused(plan, process.pid)
                if self._random.random() < 0.5:
                    reader.wait_for_a_line()
                self._wait(LONGEST_LIFE)
                process.kill()
                process.wait()
        self._figures.rounds[done] += 1
        self._figures.seen += reader.lines
        return run, dict(reader.seen)

    def _die_in_recovery(self, plan: dict[str, Any]) -> None:
        """Start a writer on what is left, and end it while it recovers, or soon after.

        What it records itself is a run of its own, with notes of its own, and has to be right like
        any other.
        """
        self._figures.rounds["ended in recovery"] += 1
        notes = self._folder / "notes-in-recovery"
        HandingNotes.create(notes).close()
        with writer(plan | {"notes": str(notes)}) as process:
            heard(process, "starting")
            self._wait(0.03)
            process.send_signal(self._random.choice([signal.SIGKILL, signal.SIGTERM]))
            process.wait()

    def _measure_loss(
        self, run: str, seen: dict[str, int], notes: HandingNotes, flush_seconds: float
    ) -> None:
        """Check that nothing seen is lost, and nothing that the recorder has rested too long on."""
        last = {kind: last_handed_on(notes, kind) for kind in KINDS}
        end = max(notes.of(kind, t) for kind, t in last.items())
        for kind in KINDS:
            kept = self._check.last_t(run, kind)
            kept = -1 if kept is None else kept
            assert kept >= seen.get(kind, -1), f"{kind}: a reader saw {seen[kind]}, kept is {kept}"
            lost = [t for t in range(kept + 1, last[kind] + 1) if is_due(kind, t)]
            if lost:
                first = notes.of(kind, lost[0])
                rested = end.rested - first.rested
                self._figures.take_loss(
                    len(lost), end.seconds - first.seconds, rested / flush_seconds
                )
                most = flush_seconds + SHORTEST_ROUNDS_SECONDS
                assert rested <= most, f"{kind}: rested for {rested:.3f} s, flushed every {most}"

    def _wait(self, most: float) -> None:
        """Let a random time pass: the moment of the kill is what these rounds are about."""
        threading.Event().wait(self._random.uniform(0, most))


def writer(plan: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a process that records."""
    command = [sys.executable, "-m", "tests.torture.writer_program", json.dumps(plan)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def heard(process: subprocess.Popen[str], what: str) -> str:
    """Wait until a writer says something, and return what follows it in that line."""
    assert process.stdout is not None
    for line in process.stdout:
        said, _, rest = line.rstrip("\n").partition(" ")
        if said == what:
            return rest
    raise AssertionError(f"the writer ended with {process.wait()} before it said {what!r}")


def refused(plan: dict[str, Any], holder: int) -> None:
    """Check that a second writer is refused, with the pid of the first."""
    with writer(plan) as process:
        reason = heard(process, "refused")
        assert f"process {holder} " in reason, reason
        assert process.wait() == REFUSED


def last_handed_on(notes: HandingNotes, kind: str) -> int:
    """Return the tick of the last line that a writer handed on; 0 where there is none."""
    low, high = 0, MOST_TICKS  # the first tick that was not handed on, by bisection
    while low < high:
        middle = (low + high) // 2
        if notes.of(kind, middle - middle % (10 if kind == "frames" else 1)).seconds:
            low = middle + 1
        else:
            high = middle
    return max(0, low - 1)
