from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, cast

from marketcam.server.stream.handover import Handover
from marketcam.server.stream.lanes import LaneLimits
from marketcam.server.stream.messages import Entry, Gap, Message

if TYPE_CHECKING:
    from collections.abc import Callable


def metric(t: int) -> Message:
    return Message.of_text("metric", t, b"{}")


def frame(t: int) -> Message:
    return Message.of_text("frame", t, b"{}")


def put_from_a_thread(handover: Handover, *messages: Message) -> None:
    """Put messages while the loop, which calls this, cannot run."""

    def put() -> None:
        for message in messages:
            handover.put(message)

    thread = threading.Thread(target=put)
    thread.start()
    thread.join()


class Loop:
    """A loop that is turned by hand: what it is asked to call, and after how many seconds."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.calls.append((0.0, callback))

    call_soon_threadsafe = call_soon

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        self.calls.append((seconds, callback))

    def turn(self) -> float:
        """Do the one thing that is to be done; return after how many seconds it was to be."""
        ((seconds, callback),) = self.calls
        self.calls = []
        callback()
        return seconds


def opened(deliver: Callable[[list[Entry]], None], **limits: int) -> tuple[Handover, Loop]:
    loop = Loop()
    handover = Handover(deliver, LaneLimits(**limits)) if limits else Handover(deliver)
    handover.open(cast("asyncio.AbstractEventLoop", loop))
    return handover, loop


def names(batches: list[list[Entry]]) -> list[list[tuple[str, int]]]:
    return [[(message.kind, message.t) for _, message in batch] for batch in batches]


def test_hands_over_what_came_meanwhile_as_one_batch_in_order() -> None:
    batches: list[list[Entry]] = []
    arrived = asyncio.Event()

    def deliver(batch: list[Entry]) -> None:
        batches.append(batch)
        arrived.set()

    async def scenario() -> None:
        handover = Handover(deliver)
        handover.open(asyncio.get_running_loop())
        for messages in ((metric(1), metric(2), frame(2), metric(3)), (metric(4),)):
            arrived.clear()
            put_from_a_thread(handover, *messages)
            await arrived.wait()
        assert handover.batches == 2
        assert handover.lag_seconds > 0

    asyncio.run(scenario())
    assert names(batches) == [
        [("metric", 1), ("metric", 2), ("frame", 2), ("metric", 3)],
        [("metric", 4)],
    ]


def test_a_flood_wakes_the_loop_once_and_then_has_it_rest_between_batches() -> None:
    batches: list[list[Entry]] = []
    handover, loop = opened(batches.append)
    handover.put(metric(1))
    handover.put(metric(2))
    assert loop.turn() == 0.0
    handover.put(metric(3))  # no wake-up: the loop comes of itself
    assert loop.turn() > 0.0
    assert loop.turn() > 0.0  # nothing has come
    assert loop.calls == []
    handover.put(metric(4))
    assert loop.turn() == 0.0
    assert names(batches) == [[("metric", 1), ("metric", 2)], [("metric", 3)], [("metric", 4)]]


def test_a_large_batch_is_handed_over_in_parts() -> None:
    batches: list[list[Entry]] = []
    handover, loop = opened(batches.append)
    for t in range(100):
        handover.put(metric(t))
    assert loop.turn() == 0.0
    assert handover.waiting == 100 - len(batches[0]) > 0
    assert loop.turn() == 0.0  # without a rest
    assert loop.turn() > 0.0
    assert [message.t for batch in batches for _, message in batch] == list(range(100))


def test_a_loop_that_is_behind_is_handed_the_latest_and_told_what_is_missing() -> None:
    batches: list[list[Entry]] = []
    handover, loop = opened(batches.append, lane_bytes=1000, messages=2)
    for message in (*map(metric, range(1, 6)), frame(2), frame(3), frame(4)):
        handover.put(message)
    loop.turn()
    assert [(gap, message.t) for gap, message in batches[0]] == [
        (Gap("metric", 1, 3, "busy"), 4),
        (Gap("frame", 2, 3, "busy"), 4),
        (None, 5),
    ]
    assert handover.dropped == {"metric": 3, "frame": 2}


def test_what_is_put_before_opening_goes_nowhere() -> None:
    batches: list[list[Entry]] = []

    async def scenario() -> None:
        handover = Handover(batches.append)
        handover.put(metric(1))
        handover.open(asyncio.get_running_loop())
        handover.put(metric(2))
        await asyncio.sleep(0)

    asyncio.run(scenario())
    assert [[message.t for _, message in batch] for batch in batches] == [[2]]
