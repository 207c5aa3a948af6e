from concurrent.futures import ThreadPoolExecutor

import pytest

from marketcam.io.store.holes import Lost
from marketcam.io.store.line_queue import LINE_OVERHEAD, LineQueue, QueuedLine

FOREVER = 3600.0
ANY = 10**9


def item(number: int, size: int = 100) -> QueuedLine:
    return "metrics", b"x" * (size - LINE_OVERHEAD), number


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as executor:
        yield executor


def numbers(lines: list[QueuedLine]) -> list[int]:
    return [t for _, _, t in lines]


def until_waiting(queue: LineQueue, waits: int) -> None:
    """Return once so many puts have had to wait; the queue counts them under its lock."""
    while queue.counts().waits < waits:
        pass


def test_lines_come_out_in_order_and_in_bounded_batches():
    queue = LineQueue(limit=10_000, wake_at=1000)
    for number in range(10):
        assert queue.put(item(number, 400))
    batch = queue.take(1000, FOREVER)
    assert numbers(batch.lines) == [0, 1]
    assert queue.counts()[:2] == (10, 4000), "lines in hand still count"
    queue.recorded(batch)
    assert queue.counts()[:2] == (8, 3200)
    batch = queue.take(ANY, FOREVER)
    assert numbers(batch.lines) == [2, 3, 4, 5, 6, 7, 8, 9]
    queue.recorded(batch)
    assert queue.counts() == (0, 0, 10, 0, 0, 0)


def test_the_taker_gets_one_line_however_large():
    queue = LineQueue(limit=1000, wake_at=1000)
    assert queue.put(item(1, 5000)), "a line larger than the limit passes alone"
    batch = queue.take(10, FOREVER)
    assert numbers(batch.lines) == [1]


def test_few_lines_wait_for_the_next_round():
    queue = LineQueue(limit=10_000, wake_at=1000)
    queue.put(item(1, 400))
    batch = queue.take(ANY, timeout=0.0)
    assert numbers(batch.lines) == [1], "the time was up"
    queue.recorded(batch)
    assert queue.take(ANY, timeout=0.0).lines == []


@pytest.mark.parametrize("wakes", ["size", "nudge", "flush", "close"])
def test_what_wakes_the_taker(pool, wakes):
    queue = LineQueue(limit=10_000, wake_at=1000)
    taking = pool.submit(queue.take, ANY, FOREVER)
    if wakes == "flush":
        flushing = pool.submit(queue.flush)
    elif wakes == "close":
        queue.close()
    else:
        queue.put(item(1, 1000 if wakes == "size" else 400), nudge=wakes == "nudge")
    batch = taking.result()
    assert (batch.asks_flush, batch.is_last) == (wakes == "flush", wakes == "close")
    queue.recorded(batch)
    if wakes == "flush":
        flushing.result()


def test_a_full_queue_makes_the_writer_wait(pool):
    queue = LineQueue(limit=1000, wake_at=10_000)
    for number in range(2):
        queue.put(item(number, 500))
    putting = pool.submit(queue.put, item(2, 500))
    until_waiting(queue, 1)
    assert not putting.done()
    batch = queue.take(500, FOREVER)
    assert numbers(batch.lines) == [0]
    assert not putting.done(), "what is in hand still takes memory"
    queue.recorded(batch)
    assert putting.result() is True
    assert numbers(queue.take(ANY, FOREVER).lines) == [1, 2]


@pytest.mark.parametrize("how", ["close", "stop", "end"])
def test_who_waits_is_let_go_when_the_queue_closes(pool, how):
    queue = LineQueue(limit=1000, wake_at=10_000)
    queue.put(item(0, 1000))
    putting = [pool.submit(queue.put, item(number, 500)) for number in range(1, 4)]
    until_waiting(queue, 3)
    getattr(queue, how)()
    assert [put.result() for put in putting] == [False] * 3
    assert queue.put(item(9)) is False
    if how == "close":
        assert queue.counts() == (1, 1000, 1, 4, 3, 0)
        batch = queue.take(ANY, FOREVER)
        assert numbers(batch.lines) == [0]
        assert batch.is_last
    elif how == "stop":
        assert queue.counts() == (0, 0, 1, 0, 3, 5)
        assert queue.resume() == [("metrics", 5, 0, 9, "")]
        assert queue.put(item(10)) is True
    else:
        assert queue.counts() == (0, 0, 1, 4, 3, 1)


def test_a_queue_that_may_not_wait_has_lines_lost_until_it_has_drained(pool):
    told: list[str | None] = []
    queue = LineQueue(limit=2000, wake_at=10_000, when_full="skip", on_slow=told.append)
    assert [queue.put(item(number, 500)) for number in range(6)] == [True] * 4 + [False] * 2
    reason = "the disk is slower than the lines: 2000 bytes waited"
    assert (told, queue.slow) == ([reason], reason)
    queue.recorded(queue.take(1000, FOREVER))
    assert queue.put(item(6, 500)) is False, "half full is not drained"
    queue.recorded(queue.take(500, FOREVER))
    assert queue.put(item(7, 500)) is True
    assert (told, queue.slow) == ([reason, None], None)
    batch = queue.take(ANY, FOREVER)
    assert [entry[0] for entry in batch.lines] == ["metrics"] * 3
    assert batch.lines[1] == Lost("metrics", 3, 4, 6, reason), "in its place"
    assert queue.counts().lost == 3


def test_what_was_lost_before_the_end_is_found_in_the_last_batch():
    queue = LineQueue(limit=1000, wake_at=10_000, when_full="skip")
    for number in range(3):
        queue.put(item(number, 1000))
    queue.close()
    batch = queue.take(ANY, FOREVER)
    assert isinstance(batch.lines[1], Lost)
    assert batch.lines[1][:4] == ("metrics", 2, 1, 2)
    assert batch.is_last


def test_a_taker_that_gets_nothing_done_is_not_waited_for():
    queue = LineQueue(limit=1000, wake_at=10_000, stall_seconds=0.01)
    assert queue.put(item(0, 1000))
    assert queue.put(item(1, 1000)) is False
    assert queue.slow == "the disk has taken nothing for 0.01 seconds"


def test_a_flush_is_done_when_what_was_before_is_recorded(pool):
    queue = LineQueue(limit=10_000, wake_at=10_000)
    for number in range(4):
        queue.put(item(number, 500))
    flushing = pool.submit(queue.flush)
    batch = queue.take(1000, FOREVER)
    while not batch.asks_flush:
        assert not flushing.done()
        queue.recorded(batch)
        batch = queue.take(1000, FOREVER)
    assert not flushing.done()
    queue.recorded(batch)
    flushing.result()
    assert queue.counts().lines == 0


def test_a_flush_returns_when_the_taker_has_ended(pool):
    queue = LineQueue(limit=10_000, wake_at=10_000)
    queue.put(item(1))
    flushing = pool.submit(queue.flush)
    queue.end()
    flushing.result()
    queue.flush()
    assert queue.counts().lines == 0


def test_many_writers_and_one_taker(pool):
    queue = LineQueue(limit=5000, wake_at=1000)
    taken: list[QueuedLine] = []

    def take_all() -> None:
        is_last = False
        while not is_last:
            batch = queue.take(2000, FOREVER)
            assert queue.counts().bytes <= 5000
            taken.extend(batch.lines)
            queue.recorded(batch)
            is_last = batch.is_last

    def put_all(kind: str) -> None:
        for number in range(500):
            assert queue.put((kind, b"x" * (number % 90), number))

    taking = pool.submit(take_all)
    for put in [pool.submit(put_all, kind) for kind in ("a", "b", "c")]:
        put.result()
    queue.close()
    taking.result()
    for kind in ("a", "b", "c"):
        assert numbers([line for line in taken if line[0] == kind]) == list(range(500))
