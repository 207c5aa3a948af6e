"""What an edge does with what comes over NATS, without NATS."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson

from marketcam.server.edges.beginning import Beginning
from tests.edge_helpers import FakeStream, metric_data, nats_message, status


def sent_to(client: Any) -> list[dict[str, Any]]:
    return [orjson.loads(body.data) for body in iter_bodies(client)]


def iter_bodies(client: Any) -> Any:
    while taken := client.take():
        yield from taken


def gap(from_t: int, to_t: int, kind: str = "metric") -> dict[str, Any]:
    return {"type": "gap", "kind": kind, "from_t": from_t, "to_t": to_t, "reason": "upstream"}


def test_what_is_missing_at_the_end_of_a_run_is_declared_by_the_next_word_of_the_camera():
    async def run():
        stream = FakeStream()
        await stream.tell(status("A"))
        client = stream.hub.join()
        await stream.metrics("A", *range(10))
        ended = status("A", running=False, ticks=100, last_t=99, sent={"metric": 99, "frame": 98})
        await stream.tell(ended)
        await stream.tell(ended)
        assert stream.inlet.figures().gaps == {"metric": 1, "frame": 1}
        assert stream.hub.passed == {"metric": 10, "frame": 0}
        sent = sent_to(client)
        assert [each["t"] for each in sent[:10]] == list(range(10))
        assert sent[10:] == [gap(98, 98, "frame"), gap(10, 99)]
        # The next message is not told of again.
        await stream.metrics("A", 100, first_prev=99)
        assert [each["t"] for each in sent_to(client)] == [100]

    asyncio.run(run())


def test_a_word_that_counts_what_has_come_declares_nothing():
    async def run():
        stream = FakeStream()
        await stream.tell(status("A"))
        client = stream.hub.join()
        await stream.metrics("A", 0, 1, 2)
        for sent in (2, 1, None):
            await stream.tell(status("A", sent={"metric": sent, "frame": None}))
        assert [each["t"] for each in sent_to(client)] == [0, 1, 2]

    asyncio.run(run())


def test_a_run_that_was_left_is_followed_again_when_a_camera_goes_on_with_it():
    async def run():
        stream = FakeStream()
        for run, start_ts in (("A", 1.0), ("B", 2.0), ("A", 3.0)):
            await stream.tell(status(run, start_ts=start_ts))
            assert stream.inlet.status.run == run
        client = stream.hub.join()
        await stream.metrics("A", 7)
        assert [each["t"] for each in sent_to(client)] == [7]

    asyncio.run(run())


def test_of_two_cameras_at_once_the_later_is_followed_until_it_falls_silent():
    async def run():
        stream = FakeStream()
        first, second = status("A", start_ts=1.0), status("B", start_ts=2.0)
        for seconds in range(30):
            stream.seconds = seconds
            await stream.tell(first)
            await stream.tell(second)
            assert stream.inlet.status.run == "B"
        followed = []
        for seconds in range(30, 42):
            stream.seconds = seconds
            await stream.tell(first)
            followed.append(stream.inlet.status.run)
        assert followed == ["B"] * 9 + ["A"] * 3
        await stream.tell(second)
        assert stream.inlet.status.run == "B"

    asyncio.run(run())


def test_a_run_that_has_ended_makes_way_whatever_the_clocks_say():
    async def run():
        stream = FakeStream()
        await stream.tell(status("A", start_ts=5.0))
        await stream.tell(status("A", start_ts=5.0, running=False))
        for _ in range(2):
            await stream.tell(status("B", start_ts=2.0))
            assert stream.inlet.status.run == "B"
            await stream.tell(status("A", start_ts=5.0, running=False))  # it serves what it has
            assert stream.inlet.status.run == "B"

    asyncio.run(run())


def test_older_words_that_are_read_at_the_beginning_lead_to_no_other_run():
    async def run():
        stream = FakeStream()
        stream.inlet._begin(Beginning(status("B", start_ts=2.0), 1, 3))
        client = stream.hub.join()
        for told in (status("A"), status("B", start_ts=2.0), status("A")):
            await stream.tell(told)
        assert stream.inlet.status.run == "B"
        assert client.closing is None

    asyncio.run(run())


def begun(stream: FakeStream, last: int) -> None:
    """Have an inlet begin in a stream that has so many messages."""
    stream.inlet._begin(Beginning(status("A"), 1, last))
    stream.inlet._created = 1


def info(created: int, first: int, last: int) -> Any:
    return SimpleNamespace(created=created, state=SimpleNamespace(first_seq=first, last_seq=last))


def test_a_store_that_is_lost_while_an_edge_begins_does_not_hold_up_what_comes():
    async def run():
        stream = FakeStream()
        begun(stream, 100_000)
        await stream.metrics("A", 0, 1)
        await stream.inlet._find_place(None, info(2, 1, 3))
        stream.number = 0
        await stream.metrics("A", 2, 3)
        assert stream.hub.passed["metric"] == 0
        await stream.metrics("A", 4, first_prev=3)
        assert stream.inlet.has_begun.is_set()
        assert stream.hub.passed["metric"] == 5

    asyncio.run(run())


def test_a_store_that_is_lost_and_empty_while_an_edge_begins_ends_the_past():
    async def run():
        stream = FakeStream()
        begun(stream, 100_000)
        await stream.metrics("A", 0, 1)
        await stream.inlet._find_place(None, info(2, 0, 0))
        assert stream.inlet.has_begun.is_set()
        assert stream.hub.passed["metric"] == 2

    asyncio.run(run())


def test_what_was_stored_twice_is_greeted_with_once():
    async def run():
        stream = FakeStream()
        begun(stream, 500)
        ticks = [*range(400), *range(300, 400)]
        for t in ticks:
            await stream.send("A.metric", metric_data("A", t, t - 1))
        assert stream.hub.passed["metric"] == 300
        assert [each["t"] for each in sent_to(stream.hub.join())] == list(range(100, 400))

    asyncio.run(run())


def test_the_past_is_not_lost_with_the_connection_that_is_lost_at_its_end(monkeypatch):
    async def run():
        stream = FakeStream()
        begun(stream, 3)
        await stream.metrics("A", 0, 1)
        inlet = stream.inlet
        opened = inlet._opened

        async def cut(_: Any) -> Any:
            raise ConnectionError

        monkeypatch.setattr(inlet, "_opened", cut)
        last = nats_message(3, "A.metric", metric_data("A", 2, 1))
        for _ in range(2):
            try:
                await inlet._take([last])
            except ConnectionError:
                inlet._number = 2
                await inlet._find_place(None, info(1, 1, 3))
                monkeypatch.setattr(inlet, "_opened", opened)
        assert inlet.has_begun.is_set()
        assert [each["t"] for each in sent_to(stream.hub.join())] == [0, 1, 2]

    asyncio.run(run())


def test_a_camera_that_is_silent_from_the_beginning_is_silent():
    async def run():
        stream = FakeStream()
        assert stream.inlet.figures().silence is None
        begun(stream, 0)
        assert stream.inlet.figures().silence >= 0

    asyncio.run(run())


def test_who_came_before_the_first_run_is_not_told_of_another():
    async def run():
        stream = FakeStream()
        early = stream.hub.join()
        await stream.tell(status("A"))
        assert early.closing == (1001, "the camera has begun a run")
        late = stream.hub.join()
        await stream.tell(status("B", start_ts=2.0))
        assert late.closing == (1001, "the camera has begun another run")

    asyncio.run(run())
