"""The crew: every piece once, in several threads, and nothing left running."""

from __future__ import annotations

import multiprocessing
import threading

import pytest

from marketcam.engine.crew import Crew


@pytest.mark.parametrize("size", [1, 2, 3, None])
@pytest.mark.parametrize("pieces", [0, 1, 2, 100])
def test_every_piece_is_worked_on_once(size, pieces):
    done = []
    Crew(size).share(done.append, pieces)
    assert sorted(done) == list(range(pieces))


def test_pieces_run_side_by_side():
    """Each waits for the other: in one thread they would never end."""
    both = threading.Barrier(2, timeout=60)
    Crew(2).share(lambda _: both.wait(), 2)


def test_a_crew_of_one_starts_no_threads():
    before = threading.active_count()
    names = set()
    Crew(1).share(lambda _: names.add(threading.current_thread().name), 50)
    assert names == {threading.current_thread().name}
    assert threading.active_count() == before


@pytest.mark.parametrize("size", [1, 2])
def test_an_error_is_raised_when_all_have_stopped(size):
    done = []

    def work(piece):
        if piece == 3:
            raise ValueError("piece 3")
        done.append(piece)

    crew = Crew(size)
    with pytest.raises(ValueError, match="piece 3"):
        crew.share(work, 10_000_000)
    assert len(done) < 9_999_999
    crew.share(done.append, 5)  # and goes on


def test_an_error_in_another_thread_is_raised_here():
    caller = threading.current_thread()
    begun = threading.Barrier(2, timeout=60)

    def work(piece):
        begun.wait()
        if threading.current_thread() is not caller:
            raise ValueError(f"piece {piece}")

    with pytest.raises(ValueError, match="piece"):
        Crew(2).share(work, 2)


def test_several_threads_share_one_crew():
    crew = Crew(2)
    done = [[] for _ in range(8)]
    threads = [threading.Thread(target=crew.share, args=(pieces.append, 500)) for pieces in done]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(sorted(pieces) == list(range(500)) for pieces in done)


def _share_in_a_fork(crew, results):
    done = []
    crew.share(done.append, 20)
    results.put(sorted(done))


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
def test_a_fork_gets_threads_of_its_own():
    """Threads do not survive a fork: work given to those of the parent would wait for ever."""
    both = threading.Barrier(2, timeout=60)
    crew = Crew(2)
    crew.share(lambda _: both.wait(), 2)  # its thread has started
    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    child = fork.Process(target=_share_in_a_fork, args=(crew, results))
    child.start()
    assert results.get() == list(range(20))
    child.join()
    assert child.exitcode == 0
