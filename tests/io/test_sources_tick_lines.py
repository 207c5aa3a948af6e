"""Raw ticks as JSON lines: every way in, what cannot be opened, and the end of it."""

from __future__ import annotations

import json
import os
import sys
import threading

import pytest
import zstandard

from marketcam.engine import MarketCameraError, Tick
from marketcam.io.sources import SourceError, TickLines, TornEnd
from tests.original_ticks import ORIGINAL_TICKS, needs_original_ticks
from tests.tick_text import as_values, flushed_frame, line_of, raw_tick, text_of, ticks_of

GOOD = line_of(0)

# --- ways in ----------------------------------------------------------------------------------


def compressed_in_frames(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(zstandard.compress(line) for line in lines)


def with_skippable_frames(data: bytes) -> bytes:
    skippable = b"\x5a\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"xyz"
    return skippable + zstandard.compress(data) + skippable


FORMS = [
    lambda data: data,
    lambda data: data.rstrip(b"\n"),
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: b"\n  \n" + data.replace(b"\n", b"\n\n"),
    zstandard.compress,
    lambda data: zstandard.compress(data.rstrip(b"\n")),
    compressed_in_frames,
    with_skippable_frames,
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file_gives_the_same_ticks(form, tmp_path):
    file = tmp_path / "ticks"
    file.write_bytes(form(text_of(range(200))))
    source = TickLines.open(str(file))
    assert source.name == f"ticks from {file}"
    ticks = list(source)
    expected = [Tick.from_dict(raw_tick(t)) for t in range(200)]
    assert [as_values(tick) for tick in ticks] == [as_values(tick) for tick in expected]
    assert source.torn_end is None


@pytest.fixture
def piped_input(monkeypatch):
    """Standard input as the reading end of a pipe; gives the writing end."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stdin, os.fdopen(writer, "wb", buffering=0) as writing_end:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writing_end


@pytest.mark.parametrize("form", FORMS)
def test_standard_input(form, piped_input):
    data = form(text_of(range(20)))
    for start in range(0, len(data), 1000):
        piped_input.write(data[start : start + 1000])
    piped_input.close()
    source = TickLines.open("-")
    assert source.name == "ticks from standard input"
    assert [tick.t for tick in source] == list(range(20))
    os.fstat(sys.stdin.fileno())  # still open: the source read a duplicate


def test_a_tick_is_there_as_soon_as_its_line_is(piped_input):
    ticks = iter(TickLines.open("-"))
    for t in range(3):
        piped_input.write(line_of(t) + b"\n")
        assert next(ticks).t == t
    ticks.close()


def test_standard_input_may_be_a_file(tmp_path, monkeypatch):
    file = tmp_path / "ticks"
    file.write_bytes(text_of([1, 2]))
    with file.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert [tick.t for tick in TickLines.open("-")] == [1, 2]


def test_a_named_pipe_opens_before_its_writer_comes(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = TickLines.open(pipe)
    ts: list[int] = []
    reader = threading.Thread(target=lambda: ts.extend(tick.t for tick in source))
    reader.start()
    pipe.write_bytes(text_of([4, 5]))
    reader.join()
    assert ts == [4, 5]


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\r\n  "])
def test_an_empty_input_has_no_ticks(data, tmp_path):
    assert ticks_of(data, tmp_path) == []


@needs_original_ticks
def test_the_original_simulators_ticks():
    source = TickLines.open(ORIGINAL_TICKS)
    with zstandard.open(ORIGINAL_TICKS, "rt", encoding="utf-8") as lines:
        for number, (tick, line) in enumerate(zip(source, lines, strict=True)):
            assert tick.t == number
            if number % 50 == 0:
                assert as_values(tick) == as_values(Tick.from_dict(json.loads(line)))
    assert number == 2999


# --- what cannot be opened --------------------------------------------------------------------


def test_a_missing_file_is_refused_at_once(tmp_path):
    with pytest.raises(SourceError) as refusal:
        TickLines.open(tmp_path / "gone.jsonl")
    assert str(refusal.value) == (
        f"ticks cannot be read from {tmp_path / 'gone.jsonl'}: no such file or directory"
    )
    assert isinstance(refusal.value, MarketCameraError)


def test_a_folder_is_refused_at_once(tmp_path):
    with pytest.raises(SourceError, match="is a directory"):
        TickLines.open(tmp_path)


def test_a_file_that_may_not_be_read_is_refused_at_once(tmp_path, monkeypatch):
    file = tmp_path / "secret"
    file.write_bytes(b"")
    file.chmod(0)
    if os.geteuid() == 0:  # root may read everything: let the system refuse it

        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SourceError, match="permission denied"):
        TickLines.open(file)


def test_an_impossible_path_is_refused():
    with pytest.raises(SourceError, match="null"):
        TickLines.open("a\0b")


def test_a_closed_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="from standard input: standard input is closed"):
        TickLines.open("-")


# --- closing ----------------------------------------------------------------------------------


def test_closing_ends_a_wait_in_another_thread(piped_input):
    source = TickLines.open("-")
    piped_input.write(line_of(3) + b"\n" + line_of(4)[:30])
    ts: list[int] = []
    first = threading.Event()

    def read() -> None:
        for tick in source:
            ts.append(tick.t)
            first.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(120)
    source.close()
    reader.join(120)
    assert not reader.is_alive()
    assert ts == [3]


def test_closing_is_no_torn_end(piped_input):
    told: list[TornEnd] = []
    source = TickLines.open("-", on_torn=told.append)
    piped_input.write(flushed_frame(1)[0][:-1])
    ticks = iter(source)
    assert next(ticks).t == 0
    source.close()
    assert list(ticks) == []
    assert told == []


def test_closing_twice_and_before_reading(tmp_path, piped_input):
    file = tmp_path / "ticks"
    file.write_bytes(GOOD)
    for source in (TickLines.open(file), TickLines.open("-")):
        source.close()
        source.close()
        assert list(source) == []


def test_the_end_of_the_ticks_closes(tmp_path):
    file = tmp_path / "ticks"
    file.write_bytes(GOOD)
    source = TickLines.open(file)
    list(source)
    assert source._source.closed
