from __future__ import annotations

import threading

import pytest

from marketcam.server.running.pacing import CATCH_UP_SECONDS, Pacer


class Time:
    """A clock that goes on only while one waits, or is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def paced(rate: float) -> tuple[Pacer, Time]:
    time = Time()
    return Pacer(rate, time.clock, time.wait), time


def turns(pacer: Pacer, time: Time, count: int, work: float = 0.0) -> list[float]:
    """Take turns that last for `work` seconds each; return when each began."""
    began = []
    for _ in range(count):
        assert pacer.turn()
        began.append(time.now)
        time.now += work
    return began


def test_turns_are_evenly_spaced_from_the_first() -> None:
    pacer, time = paced(8)
    assert turns(pacer, time, 5, work=0.1) == [100.0, 100.125, 100.25, 100.375, 100.5]


def test_no_rate_is_no_waiting() -> None:
    pacer, time = paced(0)
    turns(pacer, time, 1000)
    assert time.waits == []


def test_the_millionth_turn_is_due_when_it_should_be() -> None:
    pacer, time = paced(3)
    began = turns(pacer, time, 1_000_000)
    assert began[-1] == pytest.approx(100 + 999_999 / 3, abs=1e-6)


def test_a_small_delay_is_made_up_for() -> None:
    pacer, time = paced(100)
    turns(pacer, time, 10)
    time.now += 0.2
    assert turns(pacer, time, 30)[-1] == pytest.approx(100.39)


def test_a_long_delay_is_not() -> None:
    pacer, time = paced(100)
    turns(pacer, time, 10)
    time.now = late = time.now + 50.0
    began = turns(pacer, time, 30)
    assert began == pytest.approx([late + n / 100 for n in range(30)])


def test_a_burst_makes_up_for_the_bound_at_most() -> None:
    pacer, time = paced(100)
    turns(pacer, time, 1)
    time.now += CATCH_UP_SECONDS
    burst = [began for began in turns(pacer, time, 100) if began == 100.0 + CATCH_UP_SECONDS]
    assert len(burst) <= CATCH_UP_SECONDS * 100 + 1


def test_a_source_that_is_slower_than_the_rate_goes_at_its_own_pace() -> None:
    pacer, time = paced(100)
    began = turns(pacer, time, 100, work=0.05)
    assert began == pytest.approx([100 + 0.05 * n for n in range(100)])


def test_a_rate_of_years_a_tick_waits_in_pieces() -> None:
    pacer, time = paced(1e-8)
    turns(pacer, time, 2)
    assert max(time.waits) <= 3600.0
    assert time.now == pytest.approx(100 + 1e8)


def test_stopping_ends_a_wait_in_another_thread() -> None:
    pacer = Pacer(1e-6)
    assert pacer.turn()
    ends: list[bool] = []
    thread = threading.Thread(target=lambda: ends.append(pacer.turn()))
    thread.start()
    pacer.stop()
    thread.join()
    assert ends == [False]
    assert not pacer.turn()


def test_stopping_ends_an_unpaced_loop() -> None:
    pacer = Pacer(0)
    pacer.stop()
    assert not pacer.turn()


def test_turns_that_are_taken_at_once_are_not_waited_for_and_not_counted() -> None:
    pacer, time = paced(10)
    assert turns(pacer, time, 2) == [100.0, 100.1]
    assert all(pacer.turn(at_once=True) for _ in range(1000))
    assert time.now == 100.1
    assert turns(pacer, time, 2) == pytest.approx([100.2, 100.3])
    pacer.stop()
    assert not pacer.turn(at_once=True)
