from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from marketcam.engine import SlidingWindowCamera
from marketcam.io import encode_frame, encode_frame_columns
from marketcam.server.stream.ending import Closing, Ending
from marketcam.server.stream.hub import GOING_AWAY, TRY_AGAIN_LATER, Hub, HubOptions
from marketcam.server.stream.lanes import joined
from marketcam.server.stream.messages import Body, Entry, Gap, Kind, Message
from marketcam.server.stream.place import Place, Reach
from marketcam.server.stream.selection import PLAIN, Form, Selection
from tests.server_helpers import state_tick

if TYPE_CHECKING:
    from marketcam.server.stream.client import Client
    from marketcam.server.stream.messages import Reason

OPTIONS = HubOptions(connect_metrics=3, client_queue_bytes=4096, client_slow_seconds=60.0)


COLUMNS = Selection(Form("columns"))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def entry(kind: Kind, t: int, gap: Gap | None = None, size: int = 0) -> Entry:
    text = orjson.dumps({"type": kind, "t": t, "fill": "x" * size})
    return Entry(gap, Message.of_text(kind, t, text))


def metrics(first: int, last: int) -> list[Entry]:
    return [entry("metric", t) for t in range(first, last + 1)]


def take_all(client: Client) -> list[tuple[str, int]]:
    bodies: list[Body] = []
    while taken := client.take():
        bodies += taken
        client.note_sent()
    messages = [orjson.loads(body.data) for body in bodies]
    return [(m["type"], m["from_t"] if m["type"] == "gap" else m["t"]) for m in messages]


def hub_with(options: HubOptions = OPTIONS, clock: Clock | None = None) -> Hub:
    return Hub(options, clock or Clock())


def test_greets_with_the_last_metrics_and_then_the_latest_frame() -> None:
    hub = hub_with()
    hub.publish([*metrics(1, 4), entry("frame", 4), *metrics(5, 6)])
    hub.publish([entry("frame", 6), *metrics(7, 7)])
    assert take_all(hub.join()) == [("metric", 5), ("metric", 6), ("metric", 7), ("frame", 6)]


def test_greets_with_nothing_when_there_is_nothing() -> None:
    assert hub_with().join().take() == ()


def test_nothing_is_repeated_or_lost_between_greeting_and_live() -> None:
    hub = hub_with()
    hub.publish([*metrics(1, 4), entry("frame", 4)])
    client = hub.join()
    assert client.take()[0].data == entry("metric", 2).message.body().data
    hub.publish([*metrics(5, 6), entry("frame", 6)])
    assert take_all(client) == [
        ("metric", 3),
        ("metric", 4),
        ("frame", 4),
        ("metric", 5),
        ("metric", 6),
        ("frame", 6),
    ]


def test_keeps_no_metrics_when_told_so() -> None:
    hub = hub_with(replace(OPTIONS, connect_metrics=0))
    hub.publish([*metrics(1, 2), entry("frame", 2)])
    assert take_all(hub.join()) == [("frame", 2)]


def test_passes_everything_to_everyone() -> None:
    hub = hub_with()
    clients = [hub.join(), hub.join()]
    hub.publish(metrics(1, 2))
    hub.publish([entry("frame", 2)])
    for client in clients:
        assert take_all(client) == [("metric", 1), ("metric", 2), ("frame", 2)]
    assert len(hub) == 2
    assert hub.passed == {"metric": 2, "frame": 1}
    assert hub.sent == {"metric": 4, "frame": 2}


def test_a_message_counts_as_sent_when_it_is_written_and_only_once() -> None:
    hub = hub_with()
    client = hub.join()
    hub.publish([entry("frame", 2)])
    assert client.take()
    assert hub.sent == {"metric": 0, "frame": 0}
    client.note_sent()
    client.note_sent()
    assert hub.sent == {"metric": 0, "frame": 1}
    client.break_silence(2)
    assert client.take()
    client.note_sent()  # of a heartbeat
    assert hub.sent == {"metric": 0, "frame": 1}


def test_a_client_that_left_is_not_counted_but_what_it_was_sent_is() -> None:
    hub = hub_with()
    client = hub.join()
    hub.publish(metrics(1, 2))
    take_all(client)
    hub.leave(client)
    hub.publish(metrics(3, 3))
    assert len(hub) == 0
    assert client.take() == ()
    assert hub.sent == {"metric": 2, "frame": 0}


def test_a_client_that_does_not_take_misses_the_oldest_and_is_told() -> None:
    hub = hub_with()
    slow, quick = hub.join(), hub.join()
    for t in range(1, 200):
        hub.publish([entry("metric", t, size=100)])
        assert take_all(quick) == [("metric", t)]
    assert slow.waiting_bytes <= OPTIONS.client_queue_bytes
    gap = orjson.loads(slow.take()[0].data)
    assert gap | {"to_t": 0} == {
        "type": "gap",
        "kind": "metric",
        "from_t": 1,
        "to_t": 0,
        "reason": "slow",
    }
    assert take_all(slow) == [("metric", t) for t in range(gap["to_t"] + 2, 200)]
    assert hub.dropped == {"metric": gap["to_t"], "frame": 0}
    hub.leave(slow)
    assert hub.dropped == {"metric": gap["to_t"], "frame": 0}


def test_a_burst_of_small_frames_reaches_everyone() -> None:
    hub = hub_with(replace(OPTIONS, client_queue_bytes=2**20))
    client = hub.join()
    hub.publish([entry("frame", t) for t in range(1, 1001)])
    assert take_all(client) == [("frame", t) for t in range(1, 1001)]


def test_a_client_that_is_behind_by_bytes_gets_the_latest_frame() -> None:
    hub = hub_with()
    client = hub.join()
    for t in range(10, 60, 10):
        hub.publish([entry("frame", t, size=1100)])
    assert take_all(client) == [("gap", 10), ("frame", 50)]


def test_a_client_that_is_behind_by_time_gets_the_latest_frame() -> None:
    clock = Clock()
    hub = hub_with(clock=clock)
    client = hub.join()
    for t in range(1, 7):
        hub.publish([entry("frame", t)])
        clock.now += 0.5
    # The first is 2.5 s old when the sixth comes; 2 s are allowed.
    assert take_all(client) == [("gap", 1), ("frame", 6)]


def test_a_gap_names_who_was_behind() -> None:
    hub = hub_with()
    held_up, kept_waiting = hub.join(), hub.join()
    kept_waiting.is_held_up = lambda: False  # its connection would have taken more
    for t in (1, 2):
        hub.publish([entry("frame", t, size=4096)])
    reasons = [orjson.loads(client.take()[0].data)["reason"] for client in (held_up, kept_waiting)]
    assert reasons == ["slow", "busy"]


def test_each_client_gets_its_encoding() -> None:
    film = SlidingWindowCamera(W=1, stride=1)
    film.ingest(state_tick(1))
    frame = film.maybe_frame(1)
    assert frame is not None
    hub = hub_with()
    plain, columns = hub.join(), hub.join(COLUMNS)
    assert hub.wanted == {PLAIN.form, COLUMNS.form}
    hub.publish([*metrics(1, 1), Entry(None, Message.of_frame(frame))])
    plain_texts = [body for _ in range(2) for body in plain.take()]
    column_texts = [body for _ in range(2) for body in columns.take()]
    assert [body.data for body in plain_texts] == [plain_texts[0].data, encode_frame(frame)]
    assert column_texts[0] is plain_texts[0]
    assert not column_texts[1].is_text
    assert column_texts[1].data == encode_frame_columns(frame)
    hub.leave(columns)
    assert hub.wanted == {PLAIN.form}


def test_who_joins_later_gets_the_latest_frame_in_its_encoding() -> None:
    film = SlidingWindowCamera(W=1, stride=1)
    film.ingest(state_tick(1))
    frame = film.maybe_frame(1)
    assert frame is not None
    message = Message.of_frame(frame)
    message.body().prepare()
    hub = hub_with()
    hub.publish([Entry(None, message)])
    (body,) = hub.join(COLUMNS).take()
    assert not body.is_ready  # nobody wanted it so far
    body.prepare()
    assert body.is_ready
    assert body.data == encode_frame_columns(frame)


def test_what_the_server_dropped_is_told_to_those_who_were_there_and_to_those_who_come() -> None:
    hub = hub_with()
    before = hub.join()
    hub.publish(metrics(1, 2))
    hub.publish([entry("metric", 9, Gap("metric", 3, 8, "busy"))])
    assert take_all(before) == [("metric", 1), ("metric", 2), ("gap", 3), ("metric", 9)]
    assert take_all(hub.join()) == [("metric", 1), ("metric", 2), ("gap", 3), ("metric", 9)]
    hub.publish(metrics(10, 11))
    # What lies before the first message that a new client is sent is not its gap.
    assert take_all(hub.join()) == [("metric", 9), ("metric", 10), ("metric", 11)]


def test_the_latest_frame_is_greeted_with_without_its_gap() -> None:
    hub = hub_with()
    hub.publish([entry("frame", 9, Gap("frame", 3, 8, "busy"))])
    assert take_all(hub.join()) == [("frame", 9)]


def test_a_client_that_takes_nothing_is_sent_away() -> None:
    clock = Clock()
    hub = hub_with(clock=clock)
    client = hub.join()
    hub.publish(metrics(1, 1))
    clock.now += 60.0
    hub.publish(metrics(2, 2))
    assert client.closing is None
    clock.now += 0.5
    hub.publish(metrics(3, 3))
    assert client.closing == (TRY_AGAIN_LATER, "too slow: 60 s behind, the limit is 60 s")
    assert client.closed.is_set()
    hub.publish(metrics(4, 4))
    assert hub.sent_away == 1


def test_a_client_stuck_in_its_greeting_is_sent_away() -> None:
    clock = Clock()
    hub = hub_with(clock=clock)
    hub.publish(metrics(1, 3))
    clock.now += 1000.0
    client = hub.join()
    client.take()
    clock.now += 60.0
    hub.publish(metrics(4, 4))
    assert client.closing is None
    clock.now += 0.1
    hub.publish(metrics(5, 5))
    assert client.closing is not None


def test_a_client_that_is_always_late_by_less_stays() -> None:
    clock = Clock()
    hub = hub_with(clock=clock)
    client = hub.join()
    hub.publish(metrics(1, 10))
    for t in range(11, 100):
        clock.now += 5.0
        hub.publish(metrics(t, t))
        client.take()  # ten messages behind, 50 seconds
    assert client.closing is None


def test_a_client_that_falls_behind_little_by_little_is_sent_away() -> None:
    clock = Clock()
    hub = hub_with(clock=clock)
    client = hub.join()
    for t in range(1, 40):
        clock.now += 5.0
        hub.publish(metrics(2 * t, 2 * t + 1))
        client.take()
    assert client.closing is not None


def test_a_client_that_reads_a_part_of_a_flood_stays() -> None:
    clock = Clock()
    hub = hub_with(clock=clock)
    client = hub.join()
    for t in range(1, 100):
        clock.now += 5.0
        hub.publish([entry("metric", 100 * t + i, size=100) for i in range(100)])
        client.take()
    assert client.closing is None
    assert client.waiting_bytes <= OPTIONS.client_queue_bytes
    assert hub.dropped["metric"] > 0


def test_a_client_that_waits_for_a_rare_message_is_not_behind() -> None:
    clock = Clock()
    hub = hub_with(clock=clock)
    client = hub.join()
    for t in range(5):
        clock.now += 500.0
        hub.publish(metrics(t, t))
        assert client.closing is None
        assert take_all(client) == [("metric", t)]


def test_one_client_too_many_is_sent_away() -> None:
    hub = hub_with(replace(OPTIONS, max_clients=1))
    hub.join()
    assert hub.join().closing == (TRY_AGAIN_LATER, "too many clients, the limit is 1")


def test_a_heartbeat_is_sent_when_nothing_else_is() -> None:
    hub = hub_with()
    client = hub.join()
    client.break_silence(None)
    client.break_silence(7)
    assert [body.data for body in client.take()] == [b'{"type":"heartbeat","t":7}']
    assert client.take() == ()
    client.break_silence(7)
    hub.publish(metrics(8, 8))
    assert take_all(client) == [("metric", 8)]


def test_waiting_ends_when_there_is_something() -> None:
    async def scenario() -> list[tuple[str, int]]:
        hub = hub_with()
        client = hub.join()
        waiting = asyncio.create_task(client.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        hub.publish(metrics(1, 2))
        await waiting
        again = asyncio.create_task(client.wait())
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()
        return take_all(client)

    assert asyncio.run(scenario()) == [("metric", 1), ("metric", 2)]


def test_closing_closes_all_and_waits_until_they_have_left() -> None:
    async def scenario() -> None:
        hub = hub_with()
        clients = [hub.join(), hub.join()]
        closing = asyncio.create_task(hub.close(GOING_AWAY, "bye"))
        await asyncio.sleep(0)
        assert [client.closing for client in clients] == [(GOING_AWAY, "bye")] * 2
        late = hub.join()
        assert late.closing == (GOING_AWAY, "bye")
        for client in (*clients, late):
            assert not closing.done()
            hub.leave(client)
            await asyncio.sleep(0)
        await closing
        await hub.close(GOING_AWAY, "bye")

    asyncio.run(scenario())


def test_the_first_reason_for_closing_counts() -> None:
    client = hub_with().join()
    client.close(TRY_AGAIN_LATER, "too slow")
    client.close(GOING_AWAY, "bye")
    assert client.closing == (TRY_AGAIN_LATER, "too slow")


@pytest.mark.parametrize("kind", ["metric", "frame"])
def test_a_message_is_stamped_when_it_is_passed_on(kind: Kind) -> None:
    clock = Clock()
    hub = hub_with(clock=clock)
    message = entry(kind, 1)
    hub.publish([message])
    assert message.message.at == clock.now


def test_a_client_that_catches_up_is_offered_what_comes_after_its_place_and_not_judged() -> None:
    async def scenario() -> None:
        now = [0.0]
        hub = Hub(HubOptions(client_slow_seconds=5.0), lambda: now[0])
        hub.publish([Entry(None, Message.of_text("metric", t, b"{}")) for t in (1, 2)])
        client = hub.join(catches_up=True)
        hub.publish([Entry(None, Message.of_text("metric", 3, b"{}"))])
        assert not client.waiting
        reach = hub.listen(client, Place.before(1))
        assert reach == Reach(Place.of("metric", 3), {"metric": 3})
        before = Gap("frame", 2, 3, "busy")
        hub.publish([Entry(before, Message.of_text("frame", 4, b"{}"))])
        hub.publish([Entry(Gap("metric", 2, 5, "busy"), Message.of_text("metric", 6, b"{}"))])
        now[0] = 1000.0
        hub.publish([Entry(None, Message.of_text("metric", 7, b"{}"))])
        assert client.closing is None
        assert not client.has_missed
        hub.go_live(client)
        taken = [[orjson.loads(body.data) for body in client.take()] for _ in range(3)]
        assert taken == [
            [{**GAP, "kind": "frame", "from_t": 3, "to_t": 3}, {}],
            [{**GAP, "kind": "metric", "from_t": 4, "to_t": 5}, {}],
            [{}],
        ]

    asyncio.run(scenario())


GAP = {"type": "gap", "reason": "busy"}


def test_what_a_client_misses_before_it_is_live_is_no_loss_but_a_reason_to_read_on() -> None:
    async def scenario() -> None:
        hub = Hub(HubOptions(client_queue_bytes=200))
        client = hub.join(catches_up=True)
        assert hub.listen(client, Place.before(0)) is None
        text = b'"%s"' % (b"x" * 60)
        hub.publish([Entry(None, Message.of_text("metric", t, text)) for t in range(3)])
        assert client.has_missed
        assert hub.dropped == {"metric": 0, "frame": 0}
        hub.listen(client, Place.before(0))
        assert not client.has_missed
        assert not client.waiting

    asyncio.run(scenario())


def test_guests_are_closed_with_the_clients_and_waited_for() -> None:
    async def scenario() -> None:
        hub = Hub(HubOptions())
        early, late = Ending(), Ending()
        hub.admit(early)
        closing = asyncio.create_task(hub.close(GOING_AWAY, "bye"))
        await early.closed.wait()
        hub.admit(late)
        assert early.closing == late.closing == (GOING_AWAY, "bye")
        hub.dismiss(early)
        assert not closing.done()
        hub.dismiss(late)
        await closing

    asyncio.run(scenario())


def test_what_comes_late_does_not_set_back_how_far_the_run_has_come() -> None:
    hub = hub_with()
    hub.publish([entry("frame", 4), entry("metric", 9)])
    hub.publish([entry("frame", 6)])
    assert hub.reach == Reach(Place.of("metric", 9), {"metric": 9, "frame": 6})


def test_another_run_closes_who_is_here_and_forgets_what_was_kept() -> None:
    hub = hub_with()
    before = hub.join()
    hub.publish([*metrics(1, 3), entry("frame", 4)])
    hub.begin_anew({"metric": 1, "frame": 4}, Closing(GOING_AWAY, "another run"))
    assert before.closing == (GOING_AWAY, "another run")
    assert hub.reach is None

    after = hub.join()
    every = hub.join(Selection(every=2))
    hub.publish([entry("metric", 0), entry("frame", 4), entry("frame", 8)])
    assert take_all(after) == [("metric", 0), ("frame", 4), ("frame", 8)]
    assert take_all(every) == [("metric", 0), ("frame", 8)]  # by the steps of this run
    assert len(hub) == 3
    hub.leave(before)  # whose connection ends only now
    for client in (after, every):
        hub.leave(client)
    assert len(hub) == hub.audiences == 0


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (("busy", "upstream"), "upstream"),
        (("upstream", "slow"), "slow"),
        (("busy", "busy"), "busy"),
        (("slow", "busy"), "slow"),
    ],
)
def test_of_two_reasons_the_one_is_told_that_is_nearer_to_the_client(
    reasons: tuple[Reason, Reason], told: str
) -> None:
    first, second = (Gap("metric", t, t, reason) for t, reason in enumerate(reasons))
    assert joined(first, second) == Gap("metric", 0, 1, told)
