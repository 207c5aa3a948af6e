"""Ready, or degraded and why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.engine.errors import LimitError
from marketcam.server.operators import condition as rules
from marketcam.server.operators.condition import CODES, TURNING_AWAY, Condition
from marketcam.server.operators.queues import queues_of
from marketcam.server.operators.recent import RECENT_SECONDS, Counts, Recent
from marketcam.server.running.lag import LAG_BOUNDS, Histogram
from marketcam.server.running.stages import QueueFigures
from tests.server_helpers import fed_server, receive_until, state_tick

if TYPE_CHECKING:
    from pathlib import Path


class Hub(SimpleNamespace):
    def __len__(self) -> int:
        return int(self.count)


def rig(**changes: Any) -> Any:
    """Return what looks like a rig that is well, but for the changes, given as ``part__field``."""
    lags = Histogram(LAG_BOUNDS)
    for _ in range(1000):
        lags.add(0.002)
    recorder = SimpleNamespace(
        recording=True,
        dropped_lines=0,
        holes=0,
        queued_bytes=0,
        retention=None,
        policy=SimpleNamespace(disk_start_pct=85.0),
    )
    hook = SimpleNamespace(waiting=0, limit=10, problem=None, lost={"full": 0})
    filming = SimpleNamespace(degraded=False, waiting=False, rule="pairs")
    parts = {
        "settings": SimpleNamespace(
            source="market",
            pace=100.0,
            max_clients=10,
            record_queue_bytes=1000,
            client_queue_bytes=1000,
            ingest_queue_bytes=1000,
        ),
        "pipeline": SimpleNamespace(
            running=True,
            error=None,
            ticks=1000,
            refused=0,
            last_t=7,
            queues={"encode": QueueFigures()},
        ),
        "recorder": recorder,
        "filming": filming,
        "hub": Hub(count=1, sent_away=0, waiting_bytes=0, round_bytes=0, fill=0.0),
        "handover": SimpleNamespace(dropped={"metric": 0}, waiting=0, fill=0.0),
        "lag": SimpleNamespace(lags=lags),
        "webhook": hook,
        "seats": SimpleNamespace(refused=0),
        "ingest": SimpleNamespace(
            waiting_bytes=0,
            source="s",
            last_t=7,
            is_connected=True,
            is_finished=False,
            is_closed=False,
        ),
        "outlet": SimpleNamespace(problem=None, waiting=0, waiting_bytes=0, dropped={"metric": 0}),
        "rig": SimpleNamespace(stopping=False),
    }
    for name, value in changes.items():
        part, _, field = name.partition("__")
        setattr(parts[part], field, value)
    return SimpleNamespace(
        settings=parts["settings"],
        pipeline=parts["pipeline"],
        recorder=SimpleNamespace(status=lambda: recorder),
        filming=SimpleNamespace(status=filming),
        hub=parts["hub"],
        handover=parts["handover"],
        lag=parts["lag"],
        seats=parts["seats"],
        ingest=parts["ingest"],
        webhook=SimpleNamespace(status=lambda: hook),
        outlet=SimpleNamespace(
            figures=lambda: SimpleNamespace(**vars(parts["outlet"])),
            fill=0.0,
        ),
        stopping=parts["rig"].stopping,  # type: ignore[attr-defined]
    )


def lags_with(*late: float) -> Histogram:
    lags = Histogram(LAG_BOUNDS)
    for lag in (*late, *[0.002] * 1000):
        lags.add(lag)
    return lags


def disk(pct: float, *, removed: bool = False) -> SimpleNamespace:
    return SimpleNamespace(disk_used_pct=pct, removed=("segment",) if removed else ())


def codes(made: Any) -> list[str]:
    return [reason.code for reason in Condition(made).reasons()]


WELL: list[dict[str, Any]] = [
    {},
    {"pipeline__refused": 9},  # of 1009: not many
    {"hub__sent_away": 1, "hub__count": 200, "settings__max_clients": 500},
    {"lag__lags": lags_with(0.2, 0.2)},
    {"recorder__queued_bytes": 700},
    {"recorder__queued_bytes": 990, "settings__pace": 0.0},
    {"handover__dropped": {"metric": 5}, "settings__pace": 0.0},
    {"handover__fill": 1.0, "settings__pace": 0.0},
    {"recorder__retention": disk(84.9)},
    {"recorder__retention": disk(90.0, removed=True)},
    {"hub__waiting_bytes": 1000},
    {"ingest__waiting_bytes": 1000},
    {"ingest__is_connected": False, "ingest__is_finished": True},
]

AMISS: list[tuple[str, dict[str, Any], str]] = [
    ("run_failed", {"pipeline__error": "/secret/path"}, "the run has failed"),
    ("stopping", {"rig__stopping": True}, "shutting down"),
    ("clients_full", {"hub__count": 10}, "all 10 places"),
    ("recording_stopped", {"recorder__recording": False, "recorder__dropped_lines": 7}, "7 lines"),
    ("recording_holes", {"recorder__holes": 2}, "2 holes"),
    ("disk_full", {"recorder__retention": disk(91.25)}, "91.2 % full"),
    ("disk_full", {"recorder__retention": disk(96.0, removed=True)}, "96.0 % full"),
    ("producer_gone", {"ingest__is_connected": False}, "not connected, the last tick was 7"),
    ("producer_gone", {"ingest__is_connected": False, "ingest__source": None}, "connected yet"),
    ("connections_refused", {"seats__refused": 3}, "3 connections"),
    ("nats_failing", {"outlet__problem": "no answer", "outlet__waiting": 5}, "no answer; 5 wait"),
    ("nats_failing", {"outlet__dropped": {"metric": 2}}, "0 wait, 2 dropped"),
    ("queues_full", {"hub__fill": 0.8}, "audiences 80 %"),
    ("frames_limited", {"filming__degraded": True, "filming__waiting": True}, "no frames"),
    ("frames_limited", {"filming__degraded": True, "filming__rule": "neighbors"}, "neighbors"),
    ("ticks_refused", {"pipeline__refused": 11}, "11 of 1011 ticks"),
    ("loop_late", {"lag__lags": lags_with(0.6)}, "1 of them by more than 0.5 s"),
    ("loop_late", {"lag__lags": lags_with(*[0.2] * 20)}, "20 of 1020 times"),
    ("messages_dropped", {"handover__dropped": {"metric": 5}}, "5 messages"),
    ("clients_sent_away", {"hub__sent_away": 1}, "1 clients"),
    ("queues_full", {"recorder__queued_bytes": 800}, "record 80 %"),
    ("queues_full", {"handover__fill": 0.9}, "handover 90 %"),
    ("queues_full", {"webhook__waiting": 10}, "webhook 100 %"),
    ("webhook_failing", {"webhook__problem": "status 503", "webhook__waiting": 3}, "status 503; 3"),
    ("webhook_failing", {"webhook__lost": {"late": 4}}, "4 lost"),
]


@pytest.mark.parametrize("changes", WELL, ids=lambda changes: ",".join(changes) or "nothing")
def test_what_is_well(changes: dict[str, Any]) -> None:
    assert codes(rig(**changes)) == []


@pytest.mark.parametrize(("code", "changes", "said"), AMISS)
def test_what_is_amiss(code: str, changes: dict[str, Any], said: str) -> None:
    (reason,) = Condition(rig(**changes)).reasons()
    assert reason.code == code
    assert said in reason.message
    assert "/" not in reason.message


@pytest.mark.parametrize(
    ("ticks", "changes", "is_slow"),
    [
        (899, {}, True),
        (901, {}, False),
        (0, {"pipeline__running": False}, False),
        (0, {"settings__source": "ticks"}, False),
        (0, {"settings__pace": 0.0}, False),
    ],
)
def test_a_source_that_does_not_keep_its_pace(
    ticks: int, changes: dict[str, Any], is_slow: bool
) -> None:
    now = [0.0]
    made = rig(**changes)
    condition = Condition(made, lambda: now[0])
    condition._recent.sample()
    made.pipeline.ticks += ticks
    now[0] = 10.0
    said = f"{ticks} ticks in the last 10 s, where 1000 were due"
    assert [tuple(reason) for reason in condition.reasons()] == [("ticks_slow", said)] * is_slow


def test_of_a_few_seconds_nothing_is_said() -> None:
    now = [0.0]
    condition = Condition(rig(), lambda: now[0])
    condition._recent.sample()
    now[0] = 9.9
    assert condition.reasons() == []


SILENT = "no tick has come in the last 60 s"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings__source": "ticks", "settings__pace": 0.0}, f"{SILENT}, the last was 7"),
        ({"settings__source": "ticks", "settings__pace": 0.1}, f"{SILENT}, the last was 7"),
        ({"settings__source": "ingest", "pipeline__last_t": None, "settings__pace": 0.0}, SILENT),
        ({"settings__source": "ticks", "settings__pace": 0.01}, None),  # one in 100 s
        ({"settings__source": "ticks", "pipeline__running": False}, None),  # it has ended
    ],
)
def test_a_source_that_falls_silent_is_told(changes: dict[str, Any], said: str | None) -> None:
    now = [0.0]
    made = rig(**changes)
    condition = Condition(made, lambda: now[0])
    condition._recent.sample()
    now[0] = RECENT_SECONDS - 1
    assert condition.reasons() == []
    now[0] = RECENT_SECONDS
    assert [tuple(r) for r in condition.reasons()] == [("source_silent", said)] * (said is not None)
    made.pipeline.ticks += 1
    assert condition.reasons() == []


def test_silence_that_has_a_reason_is_told_once() -> None:
    now = [0.0]
    for made, code in (
        (rig(), "ticks_slow"),
        (rig(settings__source="ingest", ingest__is_connected=False), "producer_gone"),
    ):
        now[0] = 0.0
        condition = Condition(made, lambda: now[0])
        condition._recent.sample()
        now[0] = 100.0
        assert [reason.code for reason in condition.reasons()] == [code]


def test_every_rule_is_tested() -> None:
    tested = {code for code, _, _ in AMISS} | {"ticks_slow", "source_silent"}
    assert tested == set(CODES)
    assert set(CODES) >= TURNING_AWAY


def test_several_are_told_in_their_order() -> None:
    made = rig(hub__count=10, recorder__recording=False, pipeline__refused=500)
    assert codes(made) == ["clients_full", "recording_stopped", "ticks_refused"]


def test_of_parts_that_are_not_there_nothing_is_said() -> None:
    made = rig()
    made.webhook = made.ingest = made.seats = made.outlet = None
    assert codes(made) == []
    names = ["encode", "record", "handover", "audiences", "clients"]
    assert [queue.name for queue in queues_of(made)] == names


def test_what_was_amiss_passes() -> None:
    now, counts = [0.0], [Counts()]
    recent = Recent(lambda: counts[0], lambda: now[0])
    recent.sample()
    counts[0] = Counts(ticks=10, refused=5)
    assert recent.counts() == Counts(ticks=10, refused=5)
    for _ in range(RECENT_SECONDS):
        now[0] += 1.0
        recent.sample()
    assert recent.counts().refused == 5
    now[0] += 1.0
    recent.sample()
    assert recent.counts() == Counts()


def test_samples_that_come_late_cover_more_and_never_less() -> None:
    now, counts = [0.0], [Counts(refused=1)]
    recent = Recent(lambda: counts[0], lambda: now[0])
    assert recent.counts().refused == 1  # none yet: since the start
    recent.sample()
    counts[0] = Counts(refused=3)
    now[0] = 10 * RECENT_SECONDS
    recent.sample()
    assert recent.counts().refused == 2
    assert len(recent._samples) == 2


def test_health_of_a_camera_that_is_well(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, 5)
            receive_until(stream, "metric", 5)
        reasons = server.rig.condition.reasons()
        health = http.get("/health").json()
        answers = [http.get(f"/health?ready={flag}").status_code for flag in ("1", "0", "2")]
    # A busy machine may hold the loop up; nothing else may be amiss.
    assert {reason.code for reason in reasons} <= {"loop_late"}
    assert health["status"] == ("degraded" if health["reasons"] else "ready")
    assert answers == [200, 200, 400]


def test_health_says_what_is_amiss(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_text(b"nonsense\n")
            feed.send_ticks(0, 5)
            receive_until(stream, "metric", 5)
        answer = http.get("/health?ready=1")
    health = answer.json()
    assert answer.status_code == 200  # there is a stream to be had
    assert (health["ok"], health["status"]) == (True, "degraded")
    reasons = {reason["code"]: reason["message"] for reason in health["reasons"]}
    assert reasons["ticks_refused"] == "1 of 7 ticks refused in the last 60 s"


def test_who_asks_whether_it_is_ready_is_told_by_the_status(tmp_path: Path) -> None:
    with fed_server(tmp_path, max_clients=1) as (server, feed), server.http() as http:
        assert http.get("/health?ready=1").status_code == 200
        with server.stream() as stream:
            feed.send_ticks(0, 1)
            receive_until(stream, "metric", 1)
            assert http.get("/health").status_code == 200
            answer = http.get("/health?ready=1")
            assert answer.status_code == 503
            assert "clients_full" in [reason["code"] for reason in answer.json()["reasons"]]


def test_a_population_beyond_the_budget_shows(tmp_path: Path) -> None:
    options: dict[str, Any] = {"pair_budget_bytes": 2**17, "pair_budget_action": "wait"}
    with fed_server(tmp_path, **options) as (server, feed), server.stream() as stream:
        many = dict.fromkeys(range(2000), 0.5)
        feed.send(state_tick(0), state_tick(1, agents=many))
        receive_until(stream, "metric", 1)
        codes_now = {reason.code for reason in server.rig.condition.reasons()}
        assert server.rig.filming.status.waiting
    assert "frames_limited" in codes_now
    with pytest.raises(LimitError):
        server.rig.filming.check_room(2000)


def test_its_timer_ends_with_the_rig(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _):
        timer = server.rig.condition._timer
    assert timer is not None
    last = server.rig.condition._timer
    assert last is not None
    assert last.cancelled()  # type: ignore[attr-defined]
    assert server.rig.stopping
    assert rules.CODES[1] == "stopping"
