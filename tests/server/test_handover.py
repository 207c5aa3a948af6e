from __future__ import annotations

import asyncio
import threading

from marketcam.server.handover import Handover
from marketcam.server.lanes import LaneLimits
from marketcam.server.messages import Entry, Gap, Message


def metric(t: int) -> Message:
    return Message("metric", t, b"{}")


def frame(t: int) -> Message:
    return Message("frame", t, b"{}")


def put_from_a_thread(handover: Handover, *messages: Message) -> None:
    """Put messages while the loop, which calls this, cannot run."""

    def put() -> None:
        for message in messages:
            handover.put(message)

    thread = threading.Thread(target=put)
    thread.start()
    thread.join()


def test_hands_over_what_came_meanwhile_as_one_batch_in_order() -> None:
    batches: list[list[Entry]] = []

    async def scenario() -> None:
        handover = Handover(batches.append)
        handover.open(asyncio.get_running_loop())
        put_from_a_thread(handover, metric(1), metric(2), frame(2), metric(3))
        await asyncio.sleep(0)
        put_from_a_thread(handover, metric(4))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert handover.batches == 2
        assert handover.lag_seconds >= handover.last_lag_seconds > 0

    asyncio.run(scenario())
    order = [[(message.kind, message.t) for _, message in batch] for batch in batches]
    assert order == [
        [("metric", 1), ("metric", 2), ("frame", 2), ("metric", 3)],
        [("metric", 4)],
    ]


def test_a_loop_that_is_behind_is_handed_the_latest_and_told_what_is_missing() -> None:
    batches: list[list[Entry]] = []

    async def scenario() -> Handover:
        handover = Handover(batches.append, LaneLimits(lane_bytes=1000, metrics=2, frames=1))
        handover.open(asyncio.get_running_loop())
        put_from_a_thread(handover, *map(metric, range(1, 6)), frame(2), frame(4))
        await asyncio.sleep(0)
        return handover

    handover = asyncio.run(scenario())
    assert [(gap, message.t) for gap, message in batches[0]] == [
        (Gap("metric", 1, 3, "busy"), 4),
        (Gap("frame", 2, 2, "busy"), 4),
        (None, 5),
    ]
    assert handover.dropped == {"metric": 3, "frame": 1}


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
