"""What a run does when its population outgrows the pair budget: the choice, and no silence."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.engine import LimitError, SlidingWindowCamera, Tick, TickError, pair_table_bytes
from marketcam.server.running.filming import Filming, FilmingStatus
from marketcam.server.settings import Settings
from tests.raw_ticks import tick
from tests.server.web.test_prometheus import figures
from tests.server_helpers import fed_server, receive_until, state_tick

if TYPE_CHECKING:
    from pathlib import Path

    from marketcam.server.running.filming import BudgetAction

W, STRIDE = 4, 2
BUDGET = pair_table_bytes(5, W + STRIDE)


def most_agents() -> int:
    camera = SlidingWindowCamera(**arguments())
    agents = 1
    with suppress(LimitError):
        while True:
            camera.check_room(agents + 1)
            agents += 1
    return agents


def quoting(t: int, agents: int, mid: float | None = 100.0) -> dict[str, Any]:
    return tick(t, mid, buys={i: 100.0 + i / 10 for i in range(agents)}, matches=[[0, 1]])


def arguments(**options: Any) -> Any:
    settings = Settings(window=W, stride=STRIDE, pair_budget_bytes=BUDGET, **options)
    return settings.camera_arguments()


ROOM = most_agents()
TOO_MANY = ROOM + 1
REASON = (
    rf"{TOO_MANY} agents in a window, more than {ROOM}: .* would need 0\.32 MiB of the 0\.13 MiB"
)


def filmed(camera: Filming | SlidingWindowCamera, raws: list[dict[str, Any]]) -> dict[int, Any]:
    """Return the frames by tick."""
    frames = {}
    for raw in raws:
        camera.ingest_tick(Tick.from_dict(raw))
        if (frame := camera.maybe_frame(raw["t"])) is not None:
            frames[raw["t"]] = frame.to_dict()
    return frames


def fresh(rule: str, raws: list[dict[str, Any]]) -> dict[int, Any]:
    return filmed(SlidingWindowCamera(**(arguments() | {"proximity": rule})), raws)


@pytest.mark.parametrize("action", ["stop", "neighbors", "wait"])
def test_a_population_that_fits_is_filmed_as_configured(action: BudgetAction) -> None:
    raws = [quoting(t, ROOM, 100.0 if t % 3 else None) for t in range(12)]
    filming = Filming(arguments(), action)
    assert filmed(filming, raws) == fresh("pairs", raws)
    assert filming.status == FilmingStatus("pairs", "pairs")
    assert not filming.status.degraded
    assert (filming.outgrown, filming.waited_ticks) == (0, 0)


def test_stop_names_the_tick_the_figures_and_the_ways_on() -> None:
    filming = Filming(arguments())
    filmed(filming, [quoting(t, ROOM) for t in range(6)])
    with pytest.raises(LimitError, match=rf"^tick 6: {REASON}") as told:
        filming.ingest_tick(Tick.from_dict(quoting(6, TOO_MANY)))
    for name in ("BUDGET_BYTES", "BUDGET_ACTION=neighbors", "=wait", "IG_CAM_PROXIMITY"):
        assert name in str(told.value)


def test_neighbors_begins_a_window_of_its_own_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    before = [quoting(t, ROOM) for t in range(7)]
    after = [quoting(t, TOO_MANY if t < 10 else 3, 100.0 if t > 8 else None) for t in range(7, 20)]
    filming = Filming(arguments(), "neighbors")
    assert filmed(filming, before) == fresh("pairs", before)
    # The mid is carried over to the new window, as it is over a hole.
    carried = [raw | {"mid": 100.0} for raw in after]
    frames = filmed(filming, after)
    assert frames == fresh("neighbors", carried)
    assert min(frames) == 10
    assert frames[10]["window"]["t0"] == 7
    status = filming.status
    assert status.reason is not None
    assert (status.rule, status.waiting, status.since_t) == ("neighbors", False, 7)
    assert status.degraded
    assert filming.outgrown == 1
    told = [record for record in caplog.records if "proximity_rule_changed" in str(record.msg)]
    assert [record.levelname for record in told] == ["ERROR"]


def test_waiting_ends_when_the_population_fits_again(caplog: pytest.LogCaptureFixture) -> None:
    first = [quoting(t, ROOM) for t in range(7)]
    crowded = [quoting(t, TOO_MANY, 99.0) for t in range(7, 12)]
    later = [quoting(t, 4, None) for t in range(12, 20)]
    filming = Filming(arguments(), "wait")
    assert filmed(filming, first) == fresh("pairs", first)
    assert filmed(filming, crowded) == {}
    assert (filming.status.waiting, filming.status.since_t) == (True, 7)
    assert filming.status.degraded
    # Passed by they may be, but their mid was known.
    assert filmed(filming, later) == fresh("pairs", [raw | {"mid": 99.0} for raw in later])
    assert filming.status == FilmingStatus("pairs", "pairs", since_t=12)
    assert not filming.status.degraded
    assert (filming.outgrown, filming.waited_ticks) == (1, 5)
    levels = {str(r.msg): r.levelname for r in caplog.records}
    assert [level for event, level in levels.items() if "frames_suspended" in event] == ["ERROR"]
    assert [level for event, level in levels.items() if "frames_resumed" in event] == ["WARNING"]


@pytest.mark.parametrize("action", ["neighbors", "wait"])
def test_ticks_must_increase_over_those_passed_by_too(action: BudgetAction) -> None:
    filming = Filming(arguments(), action)
    filmed(filming, [quoting(0, ROOM), quoting(1, TOO_MANY)])
    with pytest.raises(TickError, match=r"^tick 1: t must increase from 1, got 1$"):
        filming.ingest_tick(Tick.from_dict(quoting(1, ROOM)))


@pytest.mark.parametrize("action", ["neighbors", "wait"])
def test_the_start_refuses_whatever_the_action(action: BudgetAction) -> None:
    filming = Filming(arguments(), action)
    filming.check_room(ROOM)
    with pytest.raises(LimitError, match=rf"^{REASON}"):
        filming.check_room(TOO_MANY)


def test_other_limits_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    filming = Filming(arguments(proximity="neighbors"), "neighbors")

    def refuse(_: Tick) -> None:
        raise LimitError("a frame has at most so many nodes")

    monkeypatch.setattr(filming._camera, "ingest_tick", refuse)
    with pytest.raises(LimitError, match=r"^a frame has at most so many nodes$"):
        filming.ingest_tick(Tick.from_dict(quoting(0, 1)))


def crowded(t: int) -> dict[str, Any]:
    return state_tick(t, agents=dict.fromkeys(range(TOO_MANY), 0.5))


def test_a_served_run_that_goes_on_says_so(tmp_path: Path) -> None:
    options = {"pair_budget_bytes": BUDGET, "pair_budget_action": "neighbors"}
    with fed_server(tmp_path, **options) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, 4)
            receive_until(stream, "frame", 4)
            usual = http.get("/health").json()["proximity"]
            feed.send(*map(crowded, range(5, 9)))
            frame = receive_until(stream, "frame", 8)[-1]
        health, now = http.get("/health").json(), figures(http.get("/metrics").text)
    nothing = {"waiting": False, "since_t": None, "reason": None, "degraded": False}
    assert usual == {"rule": "pairs", "configured": "pairs"} | nothing
    assert frame["window"]["t0"] == 5
    assert health["ok"] is True
    proximity = health["proximity"]
    assert (proximity["rule"], proximity["configured"]) == ("neighbors", "pairs")
    assert (proximity["since_t"], proximity["degraded"]) == (5, True)
    assert "0.32 MiB" in proximity["reason"]
    assert now["marketcam_degraded"] == 1
    assert now["marketcam_proximity_rule{neighbors}"] == 1
    assert now["marketcam_proximity_rule{pairs}"] == 0
    assert now["marketcam_pair_budget_outgrown_total"] == 1
    assert now["marketcam_waited_ticks_total"] == 0


def test_a_served_run_that_waits_streams_metrics(tmp_path: Path) -> None:
    options = {"pair_budget_bytes": BUDGET, "pair_budget_action": "wait"}
    with fed_server(tmp_path, **options) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send(*map(crowded, range(6)))
            metrics = receive_until(stream, "metric", 5)
        health, now = http.get("/health").json(), figures(http.get("/metrics").text)
    assert [message["type"] for message in metrics] == ["metric"] * 6
    assert (health["ok"], health["meta"]["ticks"], health["proximity"]["waiting"]) == (
        True,
        6,
        True,
    )
    assert (now["marketcam_degraded"], now["marketcam_waited_ticks_total"]) == (1, 6)
