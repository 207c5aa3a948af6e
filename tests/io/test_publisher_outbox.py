from __future__ import annotations

import threading

import pytest

from marketcam.io import IngestRun, PublishError, Refusal
from marketcam.io.publisher_outbox import Outbox


def run_of(last_t: int | None = None, longest: int = 1000) -> IngestRun:
    return IngestRun("python", "run-1", last_t, 4, 2, longest)


def outbox_of(*ticks: int, limit: int = 10_000) -> Outbox:
    """An outbox with ticks of ten bytes."""
    outbox = Outbox(limit)
    for t in ticks:
        assert outbox.put(t, b"%010d" % t)
    return outbox


def sent(outbox: Outbox, most: int = 10_000) -> list[int]:
    data = outbox.take(most)
    return [int(data[at : at + 10]) for at in range(0, len(data), 10)]


def test_ticks_leave_in_order_and_together_up_to_the_limit():
    outbox = outbox_of(1, 2, 3, 4, 5)
    outbox.begin(run_of())
    assert sent(outbox, 25) == [1, 2]
    assert sent(outbox) == [3, 4, 5]
    assert sent(outbox) == []
    assert outbox.pending == 5


def test_what_is_acknowledged_is_let_go():
    outbox = outbox_of(1, 2, 3)
    outbox.begin(run_of())
    sent(outbox)
    assert outbox.acknowledge(2)
    assert not outbox.acknowledge(2)
    assert (outbox.pending, outbox.taken) == (1, 2)
    assert outbox.acknowledge(3)
    assert outbox.is_empty


def test_a_new_connection_sends_what_the_run_has_not():
    outbox = outbox_of(1, 2, 3, 4)
    outbox.begin(run_of())
    assert sent(outbox, 30) == [1, 2, 3]
    outbox.acknowledge(1)
    outbox.begin(run_of(last_t=2))
    assert sent(outbox) == [3, 4]
    assert outbox.taken == 2
    outbox.acknowledge(2)
    assert (outbox.is_empty, outbox.taken) == (True, 4)


def test_a_new_run_is_sent_all_that_was_not_acknowledged():
    outbox = outbox_of(1, 2, 3)
    outbox.begin(run_of())
    sent(outbox)
    outbox.acknowledge(1)
    outbox.begin(run_of(last_t=None))
    assert sent(outbox) == [2, 3]


def test_a_tick_that_was_never_sent_is_sent_whatever_the_run_has():
    outbox = outbox_of(1, 2)
    outbox.begin(run_of(last_t=7))
    assert sent(outbox) == [1, 2]


def test_a_refused_tick_is_told_once_and_not_sent_again():
    outbox = outbox_of(1, 2, 3)
    outbox.begin(run_of())
    sent(outbox)
    outbox.refuse(2, "tick 2: wrong")
    outbox.refuse(2, "tick 2: wrong")
    assert outbox.refusals() == [Refusal(2, "tick 2: wrong")]
    outbox.begin(run_of(last_t=1))
    assert sent(outbox) == [3]
    outbox.acknowledge(1)
    assert (outbox.taken, outbox.refused) == (2, 1)


def test_a_refused_tick_does_not_stay_behind_the_one_before_it():
    outbox = outbox_of(1, 2, 3)
    outbox.begin(run_of())
    sent(outbox)
    outbox.refuse(2, "tick 2: wrong")
    outbox.begin(run_of(last_t=None))
    assert sent(outbox) == [1, 3]
    outbox.acknowledge(2)
    assert (outbox.taken, outbox.refused, outbox.is_empty) == (2, 1, True)


def test_refusals_that_were_too_many_to_be_told_are_counted():
    outbox = outbox_of(1, 2, 3, 4, 5)
    outbox.begin(run_of())
    sent(outbox)
    outbox.refuse(1, "tick 1: wrong")
    outbox.acknowledge(4, refused=3)
    outbox.acknowledge(5, refused=3)
    assert outbox.refusals() == [
        Refusal(1, "tick 1: wrong"),
        Refusal(None, "2 of the 4 ticks sent were refused, and not told apart"),
    ]
    assert (outbox.taken, outbox.refused) == (2, 3)


def test_a_tick_that_is_too_long_for_the_run_is_refused_here():
    outbox = outbox_of(1)
    outbox.put(2, bytes(60))
    outbox.put(3, b"%010d" % 3)
    outbox.begin(run_of(longest=50))
    assert sent(outbox) == [1, 3]
    [refusal] = outbox.refusals()
    assert refusal == Refusal(2, "tick 2: must be at most 50 bytes in its message, got 60")
    outbox.acknowledge(2)
    assert (outbox.is_empty, outbox.taken, outbox.refused) == (True, 2, 1)


def test_messages_are_no_longer_than_the_run_takes():
    outbox = outbox_of(1, 2, 3)
    outbox.begin(run_of(longest=25))
    assert sent(outbox) == [1, 2]


@pytest.mark.parametrize("count", [-1, 0, 4])
def test_an_acknowledgement_of_what_was_not_sent_is_an_error(count):
    outbox = outbox_of(1, 2, 3)
    outbox.begin(run_of())
    sent(outbox)
    outbox.acknowledge(1)
    with pytest.raises(PublishError, match=f"acknowledged {count} ticks, after 1, of 3"):
        outbox.acknowledge(count)


@pytest.mark.parametrize("number", [0, 1, 4])
def test_a_refusal_of_what_was_not_sent_is_an_error(number):
    outbox = outbox_of(1, 2, 3)
    outbox.begin(run_of())
    sent(outbox)
    outbox.acknowledge(1)
    with pytest.raises(PublishError, match=f"refused tick {number} of 3, after 1"):
        outbox.refuse(number, "wrong")


def test_a_full_outbox_waits_for_an_acknowledgement():
    outbox = outbox_of(1, 2, limit=20)
    outbox.begin(run_of())
    sent(outbox)
    put = threading.Event()

    def put_third() -> None:
        assert outbox.put(3, b"%010d" % 3)
        put.set()

    thread = threading.Thread(target=put_third)
    thread.start()
    assert outbox.pending == 2
    assert not put.is_set()
    outbox.acknowledge(1)
    thread.join()
    assert sent(outbox) == [3]


def test_a_tick_above_the_limit_is_held_alone():
    outbox = outbox_of(limit=5)
    assert outbox.put(1, bytes(10))
    assert outbox.pending == 1


def test_refusals_come_before_the_next_tick():
    outbox = outbox_of(1)
    outbox.begin(run_of())
    sent(outbox)
    outbox.refuse(1, "wrong")
    assert not outbox.put(2, b"x")
    assert outbox.refusals() == [Refusal(1, "wrong")]
    assert outbox.put(2, b"x")


def test_whoever_waits_for_room_is_told_that_there_will_be_none():
    outbox = outbox_of(1, limit=10)
    failures = []

    def put() -> None:
        with pytest.raises(PublishError, match="gone") as raised:
            outbox.put(2, b"x")
        failures.append(raised.value)

    thread = threading.Thread(target=put)
    thread.start()
    failure = PublishError("gone")
    outbox.stop(failure)
    thread.join()
    assert failures == [failure]


def test_news_are_told_once():
    outbox = outbox_of()
    told = []
    outbox.on_news(lambda: told.append(1))
    outbox.put(1, b"x")
    outbox.put(2, b"x")
    assert told == [1]
    outbox.on_news(lambda: told.append(2))
    assert told == [1, 2]


def test_the_end_waits_for_all_to_be_dealt_with():
    outbox = outbox_of(1)
    outbox.begin(run_of())
    sent(outbox)
    assert not outbox.end(timeout=0)
    assert not outbox.is_ending
    outbox.acknowledge(1)
    assert outbox.is_ending


def test_another_run_has_nothing_that_was_not_sent_to_it():
    outbox = outbox_of(1, 2)
    outbox.begin(run_of())
    assert sent(outbox) == [1, 2]
    outbox.begin(run_of(last_t=7)._replace(run="run-2"))  # of another producer of this name
    assert sent(outbox) == [1, 2]


def test_refusals_can_be_asked_for_one_by_one():
    outbox = outbox_of(1, 2)
    outbox.begin(run_of())
    sent(outbox)
    outbox.refuse(1, "wrong")
    outbox.refuse(2, "too")
    assert outbox.next_refusal() == (1, "wrong")
    assert outbox.refusals() == [(2, "too")]
    assert outbox.next_refusal() is None
