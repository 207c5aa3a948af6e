"""The stage before the engine: ticks in order, wherever they are made."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from marketcam.engine import LimitError, Tick
from marketcam.server.running import reading
from marketcam.server.running.reading import Reader
from marketcam.server.running.stages import QUEUE_ROWS, StageTime
from tests.server_helpers import PATIENCE, state_tick

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = 50


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE_ROWS", LARGE)


class CountingSource:
    """Ticks of given sizes; notes who asks for them, and where it stands."""

    name = "a count"

    def __init__(self, sizes: list[int], error: Exception | None = None) -> None:
        self.place = ""
        self.threads: list[str] = []
        self.closed = threading.Event()
        self._sizes = sizes
        self._error = error

    def __iter__(self) -> Iterator[Tick]:
        for t, size in enumerate(self._sizes):
            if self.closed.is_set():
                return
            self.place = f"item {t}"
            self.threads.append(threading.current_thread().name)
            yield Tick.from_dict(state_tick(t, agents=dict.fromkeys(range(size), 0.5)))
        self.place = "the end"
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed.set()


def read_all(reader: Reader) -> list[tuple[int, str]]:
    read = []
    while (tick := reader.next()) is not None:
        read.append((tick.t, reader.place))
    return read


def test_small_ticks_are_made_when_they_are_wanted() -> None:
    source = CountingSource([3, 3, 3])
    reader = Reader(source, StageTime())
    assert source.threads == []
    assert read_all(reader) == [(0, "item 0"), (1, "item 1"), (2, "item 2")]
    assert set(source.threads) == {threading.current_thread().name}
    assert reader.time.count == 4
    reader.close()


def test_large_ticks_are_made_ahead_and_keep_their_places() -> None:
    source = CountingSource([3, LARGE, LARGE, 3, LARGE])
    reader = Reader(source, StageTime())
    assert read_all(reader) == [(t, f"item {t}") for t in range(5)]
    assert source.threads == [threading.current_thread().name] * 2 + ["source"] * 3
    reader.close()


def test_it_is_ahead_by_a_queue_at_most() -> None:
    fit = 3
    agents = QUEUE_ROWS // fit
    source = CountingSource([agents] * 20)
    reader = Reader(source, StageTime())
    assert reader.next() is not None
    while reader._ahead.waits == 0:
        pass
    assert reader.ahead.waiting == fit
    assert len(source.threads) == 1 + fit + 1  # one is made and waits
    reader.close()
    assert source.closed.is_set()
    assert reader.next() is None


def test_an_error_comes_in_the_place_of_its_tick() -> None:
    source = CountingSource([LARGE, LARGE, LARGE], LimitError("no more"))
    reader = Reader(source, StageTime())
    assert [getattr(reader.next(), "t", None) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LimitError, match="no more"):
        reader.next()
    assert reader.place == "the end"
    reader.close()


def test_an_interruption_ends_a_wait() -> None:
    gate = threading.Event()

    class Stuck(CountingSource):
        def __iter__(self) -> Iterator[Tick]:
            yield from super().__iter__()
            assert gate.wait(PATIENCE)

        def close(self) -> None:
            super().close()
            gate.set()

    reader = Reader(Stuck([LARGE]), StageTime())
    assert reader.next() is not None
    threading.Thread(target=reader.interrupt).start()
    assert reader.next() is None
    reader.close()
