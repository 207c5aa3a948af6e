from __future__ import annotations

import threading

from marketcam.server.running.stages import Conveyor, StageTime, timed
from tests.server_helpers import PATIENCE


def put_in_a_thread(
    conveyor: Conveyor[str], item: str, rows: int
) -> tuple[threading.Thread, list[bool]]:
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(conveyor.put(item, rows)))
    thread.start()
    return thread, results


def wait_until_one_waits(conveyor: Conveyor[str], times: int = 1) -> None:
    """Return once `put` has found the queue full; `take` needs the lock that it then gives up."""
    while conveyor.waits < times:
        pass


def test_gives_all_in_order_and_then_nothing() -> None:
    conveyor: Conveyor[str] = Conveyor(rows=10)
    assert all(conveyor.put(item, 1) for item in "abc")
    assert len(conveyor) == 3
    conveyor.finish()
    assert [conveyor.take() for _ in range(4)] == ["a", "b", "c", None]


def test_waits_when_it_is_full() -> None:
    conveyor: Conveyor[str] = Conveyor(rows=10)
    conveyor.put("a", 6)
    conveyor.put("b", 4)
    thread, results = put_in_a_thread(conveyor, "c", 1)
    wait_until_one_waits(conveyor)
    assert len(conveyor) == 2
    assert conveyor.take() == "a"
    thread.join(PATIENCE)
    assert results == [True]
    assert [conveyor.take(), conveyor.take()] == ["b", "c"]


def test_what_is_larger_than_the_queue_passes_alone() -> None:
    conveyor: Conveyor[str] = Conveyor(rows=10)
    assert conveyor.put("a", 100)
    thread, results = put_in_a_thread(conveyor, "b", 100)
    wait_until_one_waits(conveyor)
    assert conveyor.take() == "a"
    thread.join(PATIENCE)
    assert (results, conveyor.take()) == ([True], "b")


def test_is_idle_only_when_the_taker_asks_for_more() -> None:
    conveyor: Conveyor[str] = Conveyor()
    assert conveyor.is_idle
    conveyor.put("a", 1)
    assert not conveyor.is_idle
    conveyor.take()
    assert not conveyor.is_idle  # it is in hand
    conveyor.finish()
    assert conveyor.take() is None
    assert conveyor.is_idle


def test_abandoned_it_lets_both_sides_go() -> None:
    conveyor: Conveyor[str] = Conveyor(rows=1)
    conveyor.put("a", 1)
    thread, results = put_in_a_thread(conveyor, "b", 1)
    wait_until_one_waits(conveyor)
    conveyor.abandon()
    thread.join(PATIENCE)
    assert results == [False]
    assert conveyor.take() is None
    assert not conveyor.put("c", 1)
    assert len(conveyor) == 0


def test_time_is_added_up() -> None:
    spent = StageTime()
    assert timed(spent, max, 1, 2) == 2
    assert timed(spent, sorted, [2, 1], reverse=True) == [2, 1]
    assert spent.count == 2
    assert spent.seconds > 0
