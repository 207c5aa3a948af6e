"""The queue between connections and the engine, and the count of its ticks, without a network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import Tick, TickError
from marketcam.io import encode_tick_binary
from marketcam.server.ingest.ledger import MOST_REFUSALS, Ledger, Tally
from marketcam.server.ingest.source import ACK_TICKS, IngestSource

if TYPE_CHECKING:
    from marketcam.io.sources import BadLine


def binary(t: int) -> bytes:
    return encode_tick_binary(Tick.from_dict({"t": t}))


def waiting_source(queue_bytes: int = 10**6) -> tuple[IngestSource, list[BadLine]]:
    bad: list[BadLine] = []
    return IngestSource(queue_bytes, bad.append), bad


def refusal(t: int) -> TickError:
    return TickError("is bad", t=t, field="t", value=t)


# ---- the count -----------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["taken", "refused", "unread"])), st.randoms())
def test_ticks_are_settled_in_the_order_sent(fates, rng):
    """However far ticks are read ahead of the camera."""
    ledger, tally = Ledger(), Tally("sim")
    under_way: list[tuple[int, str]] = []
    pending = list(enumerate(fates, 1))
    settled_by_hand = 0
    while pending or under_way:
        if pending and (not under_way or rng.random() < 0.5):
            number, fate = pending.pop(0)
            if fate == "unread":
                ledger.refuse_unread(tally, None, "unread")
            else:
                ledger.send(tally)
                under_way.append((number, fate))
        else:
            number, fate = under_way.pop(0)
            settled_by_hand = number
            if fate == "taken":
                ledger.settle_taken(number)
            else:
                ledger.settle_refused(number, "refused")
        assert tally.dealt >= settled_by_hand
        first_open = under_way[0][0] if under_way else tally.given + 1
        assert tally.dealt == first_open - 1
    assert ledger.is_clear
    bad = [number for number, fate in enumerate(fates, 1) if fate != "taken"]
    assert [told.tick for told in tally.refusals] == bad
    assert (tally.dealt, tally.refused) == (len(fates), len(bad))


def test_refusals_that_nobody_hears_are_only_counted():
    ledger, tally = Ledger(), Tally("sim")
    for _ in range(MOST_REFUSALS + 5):
        ledger.refuse_unread(tally, None, "bad")
    assert len(tally.refusals) == MOST_REFUSALS
    assert (tally.refused, ledger.refused) == (MOST_REFUSALS + 5, MOST_REFUSALS + 5)


def test_what_cannot_be_read_behind_a_slow_tick_takes_no_more_room_than_is_told():
    ledger, tally = Ledger(), Tally("sim")
    ledger.send(tally)
    for _ in range(MOST_REFUSALS + 5):
        ledger.refuse_unread(tally, None, "no")
    ledger.send(tally)
    ledger.refuse_unread(tally, None, "last")
    unread = [entry for entry in ledger._under_way if entry is not tally]
    assert [len(entry.refusals) for entry in unread] == [MOST_REFUSALS, 1]
    assert tally.dealt == 0
    ledger.settle_taken(1)
    assert (tally.dealt, tally.refused) == (MOST_REFUSALS + 6, MOST_REFUSALS + 5)
    assert [refusal.tick for refusal in tally.refusals] == [*range(2, MOST_REFUSALS + 2)]
    tally.refusals.clear()
    ledger.settle_taken(2)
    assert (tally.dealt, tally.given) == (MOST_REFUSALS + 8, MOST_REFUSALS + 8)
    assert [refusal.tick for refusal in tally.refusals] == [MOST_REFUSALS + 8]
    assert ledger.is_clear


# ---- the queue -----------------------------------------------------------------------------------


def test_ticks_come_in_order_from_messages_of_both_forms():
    source, _ = waiting_source()
    tally = Tally("sim")
    source.put(tally, '{"t":0}\n\n {"t":1} \r\n')
    source.put(tally, binary(2) + binary(3))
    source.put(tally, '{"t":4}')
    source.finish()
    places = []
    for t, tick in enumerate(source):
        assert tick.t == t
        places.append(source.place)
        source.taken(t)
    assert places == [f"tick {n} of sim" for n in range(1, 6)]
    assert source.progress(tally).dealt == 5
    assert source.progress(tally).is_idle
    assert source.last_t == 4


def test_there_is_room_until_the_queue_is_full():
    source, _ = waiting_source(queue_bytes=1000)
    tally = Tally("sim")
    source.put(tally, "x" * 700)  # with what a message takes beside its data
    assert source.has_room
    source.put(tally, "x")
    assert not source.has_room
    assert source.waiting_messages == 2


def test_messages_of_next_to_nothing_are_bounded_too():
    source, _ = waiting_source(queue_bytes=10_000)
    tally = Tally("sim")
    while source.has_room:
        source.put(tally, " ")
    assert source.waiting_messages < 50


def test_bytes_wait_until_all_their_ticks_are_handed_on():
    source, _ = waiting_source()
    tally = Tally("sim")
    source.put(tally, '{"t":0}\n{"t":1}')
    source.finish()
    ticks = iter(source)
    waiting = source.waiting_bytes
    next(ticks)
    next(ticks)
    assert source.waiting_bytes == waiting
    assert next(ticks, None) is None
    assert source.waiting_bytes == 0
    assert not source.progress(tally).is_idle  # the camera has both of them still


def test_what_cannot_be_read_is_told_and_handed_to_who_asked():
    source, bad = waiting_source()
    tally = Tally("sim")
    source.put(tally, '{"t":0}\n{}\n{"t":1}')
    source.finish()
    for tick in source:
        source.taken(tick.t)
    [told] = source.progress(tally).refusals
    assert (told.tick, told.t) == (2, None)
    [line] = bad
    assert (line.source, line.number, line.unit) == ("sim", 2, "tick")
    assert source.progress(tally).refusals == ()


def test_what_the_camera_refuses_is_told():
    source, _ = waiting_source()
    tally = Tally("sim")
    source.put(tally, binary(0))
    source.finish()
    for tick in source:
        source.refuse(refusal(tick.t))
    [told] = source.progress(tally).refusals
    assert told == (1, 0, "tick 0: t is bad, got 0")
    assert source.last_t is None


def test_a_message_that_breaks_off_ends_its_own_connection():
    source, _ = waiting_source()
    broken, other = Tally("sim"), Tally("sim")
    source.put(broken, binary(0) + b"?")
    source.put(broken, binary(1))
    source.put(other, binary(2))
    source.finish()
    taken = []
    for tick in source:
        source.taken(tick.t)
        taken.append(tick.t)
    assert taken == [0, 2]
    assert source.progress(broken).broken == "tick 2: byte 40: a tick's header has 40 bytes, got 1"
    assert source.progress(other).broken is None
    assert source.waiting_bytes == 0


def test_closing_lets_go_who_waits_for_a_tick():
    source, _ = waiting_source()
    begun = threading.Event()
    found: list[Tick] = []

    def iterate() -> None:
        begun.set()
        found.extend(source)

    thread = threading.Thread(target=iterate)
    thread.start()
    begun.wait()
    source.close()
    source.close()
    thread.join()
    source.put(Tally("sim"), binary(0))
    assert (found, source.waiting_bytes, source.has_room) == ([], 0, True)


def test_closed_in_the_middle_of_a_message_it_gives_no_more():
    source, _ = waiting_source()
    source.put(Tally("sim"), binary(0) + binary(1))
    ticks = iter(source)
    assert next(ticks).t == 0
    source.close()
    assert next(ticks, None) is None
    assert source.waiting_bytes == 0


def test_changes_are_told_once_so_many_ticks_or_all_are_dealt_with():
    source, _ = waiting_source()
    tally = Tally("sim")
    source.put(tally, "\n".join(f'{{"t":{t}}}' for t in range(ACK_TICKS + 10)))
    source.put(tally, '{"t":1000}')
    source.finish()
    heard: list[int] = []
    source.listen(lambda: heard.append(tally.dealt))  # under its lock, so nothing is asked here
    for tick in source:
        source.taken(tick.t)
    assert heard[0] == ACK_TICKS
    assert heard[-1] == ACK_TICKS + 11
    assert source.progress(tally).is_idle


def test_a_run_is_bound_to_the_source_of_its_first_tick():
    source, _ = waiting_source()
    source.source = "a"
    assert not source.belongs_to_another("b")
    source.put(Tally("a"), binary(0))
    assert source.belongs_to_another("b")
    assert not source.belongs_to_another("a")


def test_with_fail_a_bad_tick_ends_the_iteration_after_it_was_counted():
    def fail(bad: BadLine) -> None:
        raise bad.error

    source, tally = IngestSource(1000, fail), Tally("sim")
    source.put(tally, "{}")
    with pytest.raises(TickError, match="t must be an integer"):
        next(iter(source))
    assert source.progress(tally).dealt == 1
