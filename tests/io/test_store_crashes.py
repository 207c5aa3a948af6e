"""The promises of the writer, with a process that dies at every step, and power that is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from marketcam.io.store import Store, ZstdSegmentWriter, recover
from marketcam.io.store.runs import read_runs
from tests.failing_disk import Died, DyingOs, PowerLoss
from tests.store_helpers import SetClock, line, lines, recovered_lines

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("quick_disk")

NEVER = 10**9
SYNC_SECONDS = 5.0  # the writer's own


class Scenario:
    """Writes 36 lines, half a second apart, into segments of nine seconds, and closes them.

    Attributes:
        written_at: when each line was written.
        flushed: how many lines a reader has been able to see.
        now: what time it is.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._clock = SetClock()
        self.written_at: list[float] = []
        self.flushed = 0

    @property
    def now(self) -> float:
        return self._clock.now

    def run(self) -> None:
        writer = None
        try:
            clock = self._clock.clock
            writer = ZstdSegmentWriter("metrics", self._store, 9, run="crashing", clock=clock)
            for t, text in enumerate(lines(0, 36)):
                self._clock.advance(0.5)
                self.written_at.append(self.now)
                writer.write_line(text, t)
                if t % 5 == 4:
                    writer.flush()
                    self.flushed = t + 1
            writer.close()
            self.flushed = 36
        finally:
            if writer is not None:
                writer.abandon()


def steps_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    (tmp_path / "whole").mkdir()
    with monkeypatch.context() as patched:
        disk = DyingOs(NEVER)
        disk.install(patched)
        scenario = Scenario(tmp_path / "whole")
        scenario.run()
    assert recovered_lines(tmp_path / "whole") == lines(0, 36)
    return disk.steps


@pytest.mark.parametrize("how", ["before", "within", "after"])
def test_a_writer_that_dies_at_any_step(tmp_path, monkeypatch, how):
    steps = steps_of(tmp_path, monkeypatch)
    assert steps > 60
    for at in range(steps):
        store = tmp_path / f"{at}"
        store.mkdir()
        scenario = Scenario(store)
        with monkeypatch.context() as patched:
            DyingOs(at, how).install(patched)
            with pytest.raises(Died):
                scenario.run()
        recover(store)
        check(store, at, at_least=scenario.flushed)


@pytest.mark.parametrize(
    ("names", "rest"),
    [("synced", "nothing"), ("all", "nothing"), ("all", "zeros"), ("synced", "all")],
)
def test_power_that_is_lost_at_any_step(tmp_path, monkeypatch, names, rest):
    for at in range(steps_of(tmp_path, monkeypatch)):
        before, store = tmp_path / f"{at}-before", tmp_path / f"{at}"
        before.mkdir()
        scenario = Scenario(before)
        disk = PowerLoss(before, at)
        with monkeypatch.context() as patched:
            disk.install(patched)
            with pytest.raises(Died):
                scenario.run()
        disk.rebuild(store, names=names, rest=rest)
        old = [moment for moment in scenario.written_at if moment < scenario.now - SYNC_SECONDS]
        recover(store)
        check(store, at, at_least=len(old))


def check(store: Path, at: int, *, at_least: int) -> None:
    found = recovered_lines(store) if (store / "metrics" / "manifest.json").exists() else []
    assert found == lines(0, len(found)), at
    assert at_least <= len(found), at
    if found:
        assert set(read_runs(store).runs) == {"crashing"}, at
        assert {entry.run for entry in Store(store).segments("metrics")} == {"crashing"}, at
    with ZstdSegmentWriter("metrics", store, clock=SetClock().clock) as writer:
        writer.write_line(line(99), 99)
    assert list(Store(store).lines("metrics")) == [line(99)], at
