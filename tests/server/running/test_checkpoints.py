"""Checkpoints: when one is taken, when it counts, what a start makes of it."""

from __future__ import annotations

import os
import threading
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from marketcam.engine.market import InfiniteGameMarket
from marketcam.io.store import Recorder, RecorderOptions
from marketcam.io.store.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint, write_checkpoint
from marketcam.io.store.errors import NewerFormatError
from marketcam.io.store.runs import read_runs
from marketcam.server.running import checkpoints, continuing
from marketcam.server.running import saving as saving_module
from marketcam.server.running.checkpoints import CheckpointPlan, Checkpoints, SavedMarketSource
from marketcam.server.running.continuing import find_continuation, settings_of_run
from marketcam.server.running.filming import Filming, FilmingStatus
from marketcam.server.running.saving import Saving
from marketcam.server.settings import Settings
from tests.server_helpers import PATIENCE

W = 10
PAIRS = FilmingStatus(rule="pairs", configured="pairs")


class Desk:
    """Checkpoints of a market of which a test says what is filmed, what is synced and what time."""

    def __init__(self, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.synced: dict[str, int | None] = {"frames": None, "metrics": None}
        self.asked = threading.Event()
        self.written = threading.Event()
        self.store = store
        self.market = InfiniteGameMarket(3)
        plan = CheckpointPlan(store, "a-run", {"W": W}, 5.0, W)
        self.checkpoints = Checkpoints(plan, self._answer, lambda: self.now)
        self.source = iter(SavedMarketSource(self.market, self.checkpoints))
        monkeypatch.setattr(checkpoints, "_LOOK_SECONDS", 0.001)
        monkeypatch.setattr(checkpoints, "write_checkpoint", self._write)

    def film(self, ticks: int, status: FilmingStatus = PAIRS) -> None:
        for tick in islice(self.source, ticks):
            t = tick.t
            self.checkpoints.filmed(t, status, {"metrics": t, "frames": t - t % 5})

    def saved_t(self) -> int | None:
        saved = read_checkpoint(self.store)
        return None if saved is None else saved.t

    def _answer(self) -> dict[str, int | None]:
        self.asked.set()
        return self.synced

    def _write(self, store: Path, checkpoint: Checkpoint) -> None:
        write_checkpoint(store, checkpoint)
        self.written.set()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_it_counts_once_all_is_on_the_disk_that_its_window_gave(desk: Desk) -> None:
    desk.checkpoints.start()
    desk.film(7)
    desk.now = 5.0
    desk.film(1)  # taken before this tick: the next one is 7
    desk.film(9)  # ticks 8..16
    assert not desk.asked.is_set()
    desk.film(1)  # tick 17 = 7 + W
    assert desk.asked.wait(PATIENCE)
    desk.synced = {"frames": 14, "metrics": 17}
    desk.film(1)
    desk.asked.clear()
    assert desk.asked.wait(PATIENCE)
    assert desk.saved_t() is None
    desk.synced = {"frames": 15, "metrics": 17}
    assert desk.written.wait(PATIENCE)
    desk.checkpoints.close()
    saved = read_checkpoint(desk.store)
    assert saved is not None
    assert (saved.run, saved.t, saved.recorded) == ("a-run", 7, {"frames": 15, "metrics": 17})
    assert saved.settings == {"W": W}
    assert desk.checkpoints.last_t == 7


def test_one_is_on_its_way_at_a_time(desk: Desk) -> None:
    desk.checkpoints.start()
    desk.now = 5.0
    desk.film(2)  # taken between the two
    desk.now = 50.0
    desk.film(30)
    desk.synced = {"frames": 1000, "metrics": 1000}
    assert desk.written.wait(PATIENCE)
    desk.checkpoints.close()
    assert desk.saved_t() == 1


def test_one_whose_window_was_broken_is_dropped(desk: Desk) -> None:
    desk.checkpoints.start()
    desk.synced = {"frames": 1000, "metrics": 1000}
    desk.now = 5.0
    desk.film(4)
    desk.film(3, FilmingStatus("pairs", "pairs", waiting=True, since_t=5))  # dropped
    desk.film(20)
    desk.now = 10.0
    desk.film(2)
    since = FilmingStatus("neighbors", "pairs", since_t=29, reason="no room")
    desk.film(3, since)  # the rule changed within the window: dropped
    desk.now = 15.0
    desk.film(20, since)
    assert desk.written.wait(PATIENCE)
    desk.checkpoints.close()
    saved = read_checkpoint(desk.store)
    assert saved is not None
    assert saved.t == 32
    rule = {"rule": "neighbors", "since_t": 29, "reason": "no room"}
    assert saved.state["filming"] == rule


def test_closing_does_not_wait_for_the_disk(desk: Desk) -> None:
    desk.checkpoints.start()
    desk.now = 5.0
    desk.film(30)
    assert desk.asked.wait(PATIENCE)
    desk.checkpoints.close()
    assert desk.saved_t() is None


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_next_is_taken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def refuse(*_: object) -> None:
        refused.set()
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_checkpoint", refuse)
        desk.synced = {"frames": 1000, "metrics": 1000}
        desk.checkpoints.start()
        desk.now = 5.0
        desk.film(30)
        assert refused.wait(PATIENCE)
    while desk.saved_t() is None:  # the next is taken once this one is dropped
        desk.now += 5.0
        desk.film(W + 2)
    desk.checkpoints.close()
    assert desk.checkpoints.last_t is not None


# ---- a start ------------------------------------------------------------------------------------


def settings_in(store: Path, **fields: Any) -> Settings:
    given = {"store_dir": store, "window": W, "stride": 5, "checkpoint_seconds": 5.0} | fields
    return Settings(**given)


def saving_in(store: Path, **fields: Any) -> tuple[Saving, Recorder, InfiniteGameMarket]:
    settings = settings_in(store, **fields)
    market = InfiniteGameMarket(settings.agents, settings.seed)
    recorder = recorder_of(store)
    filming = Filming(settings.camera_arguments())
    return Saving(settings, market, recorder, filming), recorder, market


def recorder_of(store: Path) -> Recorder:
    return Recorder(RecorderOptions(store))


def recorded_run(store: Path, *, t: int = 20) -> str:
    """Leave a store whose run is recorded to tick 40, with a checkpoint of tick `t`."""
    with recorder_of(store) as recorder:
        for number in range(41):
            recorder.write("metrics", b'{"t":%d}' % number, number)
            if number % 5 == 0 and number >= W:
                recorder.write("frames", b'{"t":%d}' % number, number)
            recorder.flush()
    market = InfiniteGameMarket(3, 0)
    list(islice(market, t))
    filming = {"rule": "pairs", "since_t": None, "reason": None}
    state = {"market": market.state().to_dict(), "filming": filming}
    recorded = {"frames": t + W, "metrics": t + W}
    of_run = settings_of_run(settings_in(store))
    write_checkpoint(store, Checkpoint(recorder.run, t, recorded, of_run, state))
    return recorder.run


def test_a_start_goes_on_in_the_run_where_the_checkpoint_fits(tmp_path: Path) -> None:
    run = recorded_run(tmp_path)
    saving, recorder, market = saving_in(tmp_path)
    assert recorder.run == run
    with recorder:
        source = saving.start()
        assert saving.recorded == {"frames": 40, "metrics": 40}
        assert next(iter(source)).t == 20
        saving.close()
        figures = saving.figures()
    assert market.state().t == 21
    assert figures == {
        "seconds": 5.0,
        "last_t": None,
        "continued_from_t": 20,
        "recorded_before": {"frames": 40, "metrics": 40},
    }


def test_a_new_run_has_a_checkpoint_before_its_first_line(tmp_path: Path) -> None:
    saving, recorder, _ = saving_in(tmp_path)
    with recorder:
        saving.start()
        saving.close()
    saved = read_checkpoint(tmp_path)
    assert saved is not None
    assert (saved.run, saved.t, saved.recorded) == (recorder.run, 0, {})
    again = find_continuation(settings_in(tmp_path))
    assert again is not None
    assert (again.run, again.from_t) == (recorder.run, 0)


def test_what_retention_has_removed_was_recorded_all_the_same(tmp_path: Path) -> None:
    run = recorded_run(tmp_path)
    for kind in ("frames", "metrics"):
        manifest = tmp_path / kind / "manifest.json"
        [record] = orjson.loads(manifest.read_bytes())
        (tmp_path / record["path"]).unlink()
        manifest.write_bytes(orjson.dumps([record, record | {"removed": True}]))
    again = find_continuation(settings_in(tmp_path))
    assert again is not None
    assert again.run == run


@pytest.mark.parametrize(
    ("fields", "differences"),
    [
        ({"seed": 7}, "seed was 0, is 7"),
        ({"window": 20, "stride": 1}, "W was 10, is 20; stride was 5, is 1"),
        ({"record_ticks": True}, "record_ticks was False, is True"),
        ({"tick_rate": 5.0}, "tick_rate was 100.0, is 5.0"),
        ({"scenario": "ecology"}, "scenario was None, is 'ecology'"),
    ],
)
def test_other_settings_begin_a_new_run_and_are_named(
    tmp_path: Path, fields: dict[str, Any], differences: str, warnings: list[dict[str, Any]]
) -> None:
    recorded_run(tmp_path)
    assert find_continuation(settings_in(tmp_path, **fields)) is None
    [said] = warnings
    assert said["reason"] == f"other settings: {differences}"
    assert said["event"] == "checkpoint_not_used"


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []

    class Log:
        def warning(self, event: str, **fields: object) -> None:
            said.append({"event": event, **fields})

    monkeypatch.setattr(continuing, "log", Log())
    return said


def test_a_run_that_another_has_followed_is_not_gone_on_with(
    tmp_path: Path, warnings: list[dict[str, Any]]
) -> None:
    run = recorded_run(tmp_path)
    with recorder_of(tmp_path) as recorder:
        pass
    assert find_continuation(settings_in(tmp_path)) is None
    assert warnings[0]["reason"] == f"it is of run {run}, the latest run is {recorder.run}"


def test_lines_that_are_gone_begin_a_new_run(
    tmp_path: Path, warnings: list[dict[str, Any]]
) -> None:
    recorded_run(tmp_path)
    for path in (tmp_path / "frames").iterdir():
        path.unlink()
    assert find_continuation(settings_in(tmp_path)) is None
    assert warnings[0]["reason"] == "frames were recorded up to tick 30, and end at None now"


def test_lines_that_recovery_cannot_save_begin_a_new_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[dict[str, Any]]
) -> None:
    """What is pending looks whole to who reads its end alone; what it holds, recovery knows."""
    run = recorded_run(tmp_path)
    monkeypatch.setattr(saving_module, "log", continuing.log)
    pending = leave_frames_pending(tmp_path)
    damaged = bytearray(pending.read_bytes())
    damaged[len(damaged) // 3] ^= 0x10
    pending.write_bytes(damaged)
    saving, recorder, _ = saving_in(tmp_path)
    assert recorder.run == run, "what can be seen before the recovery is whole"
    with recorder:
        assert recorder.run != run
        source = saving.start()
        assert next(iter(source)).t == 0
        saving.close()
        assert (saving.recorded, saving.figures()["continued_from_t"]) == ({}, None)
    assert "frames were recorded up to tick 30, and end at" in warnings[0]["reason"]
    runs = read_runs(tmp_path).runs
    assert list(runs) == [run, recorder.run]
    assert runs[run].continued_at == ()
    saved = read_checkpoint(tmp_path)
    assert saved is not None
    assert saved.run == recorder.run


def leave_frames_pending(store: Path) -> Path:
    """Put the frames back to before their segment was closed."""
    manifest = store / "frames" / "manifest.json"
    [record] = orjson.loads(manifest.read_bytes())
    manifest.unlink()
    closed = store / record["path"]
    closed.write_bytes(closed.read_bytes()[:-7])  # the last block, empty, and the checksum
    return closed.rename(closed.with_name(closed.name.replace(".jsonl", "_pending.jsonl")))


def test_a_disk_without_the_room_to_recover_begins_a_new_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[dict[str, Any]]
) -> None:
    run = recorded_run(tmp_path)
    monkeypatch.setattr(saving_module, "log", continuing.log)
    leave_frames_pending(tmp_path)
    saving, recorder, _ = saving_in(tmp_path)

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", refuse)
        recorder.start()
    assert recorder.run != run
    assert next(iter(saving.start())).t == 0
    saving.close()
    recorder.close()
    assert "No space left on device" in warnings[0]["reason"]
    runs = read_runs(tmp_path).runs
    assert list(runs) == [run, recorder.run]
    assert runs[run].continued_at == ()


def test_a_damaged_checkpoint_begins_a_new_run(
    tmp_path: Path, warnings: list[dict[str, Any]]
) -> None:
    recorded_run(tmp_path)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(whole.replace(b'"t":20', b'"t":21', 1))
    assert find_continuation(settings_in(tmp_path)) is None
    assert "does not match its checksum" in warnings[0]["reason"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({}, "market: agent_id must be base64"),
        ({"filming": None}, "filming must name a proximity rule, got None"),
        ({"filming": {"rule": "all"}}, "filming must name a proximity rule"),
    ],
)
def test_a_state_that_is_none_begins_a_new_run(
    tmp_path: Path, warnings: list[dict[str, Any]], state: dict[str, Any], reason: str
) -> None:
    recorded_run(tmp_path)
    saved = read_checkpoint(tmp_path)
    assert saved is not None
    spoiled = {} if not state else saved.state | state
    write_checkpoint(
        tmp_path, Checkpoint(saved.run, saved.t, saved.recorded, saved.settings, spoiled)
    )
    assert find_continuation(settings_in(tmp_path)) is None
    assert reason in warnings[0]["reason"]


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    recorded_run(tmp_path)
    with (tmp_path / "runs.jsonl").open("ab") as journal:
        journal.write(b'{"format":99}\n')
    with pytest.raises(NewerFormatError):
        find_continuation(settings_in(tmp_path))


def test_a_store_that_is_not_there_has_no_run(tmp_path: Path) -> None:
    assert find_continuation(settings_in(tmp_path / "none")) is None


def test_the_rule_of_the_run_is_gone_on_with() -> None:
    settings = settings_in(Path("unused"))
    filming = Filming(settings.camera_arguments())
    filming.resume("neighbors", 17, "no room")
    assert filming.status == FilmingStatus("neighbors", "pairs", since_t=17, reason="no room")
    assert filming.status.degraded
    as_configured = Filming(settings.camera_arguments())
    as_configured.resume("pairs", None, None)
    assert as_configured.status == PAIRS
