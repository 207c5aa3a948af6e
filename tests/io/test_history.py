"""One suite for history in a folder and behind a URL: the same methods, the same answers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson
import pytest

from marketcam.engine import LimitError
from marketcam.io import RemoteStore, Store, arrow_table, open_store
from marketcam.io.store import StoreError, UnknownRunError, UnknownSegmentError
from tests.history_helpers import film_into, raw_ticks
from tests.server_helpers import PATIENCE, fed_server

if TYPE_CHECKING:
    from marketcam.io import History
    from marketcam.io.store.runs import Run


@dataclass(frozen=True)
class Recorded:
    """A history of two runs, and the lines that are in them."""

    history: History
    runs: tuple[str, str]
    lines: tuple[dict[str, list[bytes]], dict[str, list[bytes]]]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with two recorded runs, behind a server that has begun a third."""
    folder = tmp_path_factory.mktemp("history")
    made = folder / "store"
    lines = film_into(made, raw_ticks(60), segment_bytes=20_000), film_into(made, raw_ticks(40))
    first, second = (run.id for run in Store(made).runs())
    with fed_server(folder, store_dir=made) as (server, feed):
        with server.stream() as stream:
            feed.send_ticks(0, 9)
            for _ in range(10):
                stream.recv(timeout=PATIENCE)
        yield made, server.listening.url, (first, second), lines


@pytest.fixture(params=["folder", "url"])
def recorded(request, store):
    folder, url, runs, lines = store
    with open_store(folder if request.param == "folder" else url) as history:
        yield Recorded(history, runs, lines)


def told(run: Run) -> Run:
    """Return a run as anybody may know it, without the version of the camera."""
    return replace(run, about={k: v for k, v in run.about.items() if k != "version"})


def test_the_runs(recorded, store):
    runs = recorded.history.runs()
    assert [run.id for run in runs[:2]] == list(recorded.runs)
    assert [told(run) for run in runs] == [told(run) for run in Store(store[0]).runs()]
    assert recorded.history.run() == runs[-1]
    assert recorded.history.run(recorded.runs[0]) == runs[0]


def test_no_such_run(recorded):
    for ask in (recorded.history.run, lambda run: recorded.history.lines("frames", run=run)):
        with pytest.raises(UnknownRunError, match=r"no such run|no run"):
            ask("yesterday")


@pytest.mark.parametrize("kind", ["frames", "metrics", "ticks"])
def test_the_segments(recorded, store, kind):
    of_first = recorded.history.segments(kind, recorded.runs[0])
    assert of_first == Store(store[0]).segments(kind, recorded.runs[0])
    assert [entry.run for entry in of_first] == [recorded.runs[0]] * len(of_first)
    everything = recorded.history.segments(kind)
    assert [e for e in everything if e.run in recorded.runs] == [
        e for run in recorded.runs for e in recorded.history.segments(kind, run)
    ]


def test_the_segment_being_written_is_told(recorded):
    (entry,) = recorded.history.segments("metrics", recorded.history.run().id)
    assert (entry.pending, entry.start_t) == (True, 0)
    assert entry.name.pending


@pytest.mark.parametrize("kind", ["frames", "metrics", "ticks"])
@pytest.mark.parametrize("number", [0, 1])
def test_all_lines_of_a_run(recorded, kind, number):
    run = recorded.runs[number]
    assert list(recorded.history.lines(kind, run=run)) == recorded.lines[number][kind]


@pytest.mark.parametrize(
    ("span", "every"),
    [((10, 40), 1), ((None, 20), 1), ((33, None), 1), ((11, 11), 1), ((9, 55), 3), ((70, 80), 1)],
)
def test_a_part_of_a_run_thinned(recorded, span, every):
    from_t, to_t = span
    lines = recorded.lines[0]["metrics"]
    numbers = [orjson.loads(line)["t"] for line in lines]
    expected = [
        line
        for line, t in zip(lines, numbers, strict=True)
        if (from_t is None or t >= from_t) and (to_t is None or t <= to_t)
    ][::every]
    asked = recorded.history.lines("metrics", *span, run=recorded.runs[0], every=every)
    assert list(asked) == expected


def test_lines_as_dicts(recorded):
    history, run = recorded.history, recorded.runs[0]
    for kind, ask in (
        ("frames", history.frames),
        ("metrics", history.metrics),
        ("ticks", history.ticks),
    ):
        expected = [orjson.loads(line) for line in recorded.lines[0][kind]][::2]
        assert list(ask(run=run, every=2)) == expected


def test_messages_of_several_kinds(recorded):
    history, run = recorded.history, recorded.runs[0]
    messages = list(history.messages(8, 20, run=run, kinds=("tick", "frame", "metric")))
    assert [(m.kind, m.t) for m in messages[:6]] == [
        ("metric", 8),
        ("frame", 8),
        ("tick", 8),
        ("metric", 9),
        ("tick", 9),
        ("metric", 10),
    ]
    lines = recorded.lines[0]
    frames = [m.line for m in messages if m.kind == "frame"]
    assert frames == lines["frames"][: len(frames)]
    assert len(frames) == 4


def test_a_kind_that_is_not_recorded_has_no_messages(tmp_path, recorded):
    run = recorded.history.run().id  # of the server, which records no ticks
    messages = recorded.history.messages(run=run, kinds=("metric", "tick"))
    assert {message.kind for message in messages} == {"metric"}


def test_the_last_tick(recorded):
    assert recorded.history.last_t("metrics", recorded.runs[0]) == 59
    assert recorded.history.last_t("frames", recorded.runs[0]) == 56


def test_all_runs(recorded):
    lines = recorded.history.lines("ticks", run="all")
    assert list(lines) == recorded.lines[0]["ticks"] + recorded.lines[1]["ticks"]
    metrics = [m for m in recorded.history.messages(run="all") if m.kind == "metric"]
    both = recorded.lines[0]["metrics"] + recorded.lines[1]["metrics"]
    assert [m.line for m in metrics[: len(both)]] == both


def test_what_makes_no_sense_is_refused_at_once(recorded):
    history = recorded.history
    with pytest.raises(LimitError, match=r"from_t must be at most to_t \(4\), got 5"):
        history.lines("frames", 5, 4)
    with pytest.raises(LimitError, match="every must be at least 1, got 0"):
        history.lines("frames", every=0)
    with pytest.raises(LimitError, match="kinds must be of metric, frame, tick, got"):
        history.messages(kinds=["frames"])
    for ask in (history.lines, history.segments, history.last_t):
        with pytest.raises(UnknownSegmentError, match="movies"):
            ask("movies")


def test_a_half_read_iterator_is_closed(recorded):
    for _ in range(40):  # more than a server lets read at the same time
        with closing(recorded.history.lines("ticks", run=recorded.runs[0])) as lines:
            assert next(lines) == recorded.lines[0]["ticks"][0]


def test_the_same_table_of_both(recorded, store):
    table = arrow_table(recorded.history, "edges", run=recorded.runs[0])
    assert table.equals(arrow_table(Store(store[0]), "edges", run=recorded.runs[0]))


def test_an_address_is_opened_as_one(store):
    assert isinstance(open_store(store[1]), RemoteStore)
    assert isinstance(open_store(str(store[0])), Store)
    with pytest.raises(UnknownSegmentError):
        open_store("nowhere")
    with pytest.raises(StoreError, match="address must be http"):
        open_store("ftp://camera")
