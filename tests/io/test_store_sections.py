"""Sections of a segment's file, and what is found by them: the same as without."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from marketcam.io.store import (
    DamagedSegmentError,
    Store,
    StoreError,
    ZstdSegmentWriter,
    tick_of_line,
)
from marketcam.io.store import sections as sections_module
from marketcam.io.store.decode import section_blocks
from marketcam.io.store.sections import (
    SectionCache,
    Sections,
    first_tick,
    last_tick,
    section_before,
    sections_of,
)
from marketcam.io.store.zstd_file import MARK, SECTION_BYTES, ZstdFrameFile
from tests.store_helpers import SetClock, die, line, lines, one_call, segment_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

HEADER = bytes.fromhex("28b52ffdc458") + bytes(8)


@pytest.fixture(autouse=True)
def _every_mark_counts(monkeypatch):
    """Let no mark be left out, so that small files have many."""
    monkeypatch.setattr(sections_module, "_APART_BYTES", 0)


def written(path: Path, texts: Iterable[bytes], flush_every: int = 7, *, end: bool = True) -> Path:
    with path.open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        for number, text in enumerate(texts, 1):
            frame.write_line(text)
            if number % flush_every == 0:
                frame.flush()
        if end:
            frame.finish()
        frame.close()
    return path


def found_in(path: Path) -> Sections:
    with path.open("rb") as file:
        return sections_of(file)


def section_texts(path: Path) -> list[bytes]:
    """Decode every section for itself, behind a made-up header, with a plain decoder."""
    data = path.read_bytes()
    sections = found_in(path)
    borders = [*sections.marks, sections.end]
    texts = []
    for start, stop in pairwise(borders):
        body = data[start:stop] + b"\x01\x00\x00"
        frame = data[:4] + b"\0" + data[5:6] + body
        texts.append(zstandard.ZstdDecompressor().decompressobj().decompress(frame))
    return texts


def test_a_section_ends_at_every_flush_and_each_can_be_decoded_alone(tmp_path):
    path = written(tmp_path / "x.zst", lines(0, 40))
    texts = section_texts(path)
    assert [text.splitlines() for text in texts] == [
        lines(start, min(start + 7, 40)) for start in range(0, 40, 7)
    ]
    data = path.read_bytes()
    sections = found_in(path)
    assert all(data[mark:].startswith(MARK) for mark in sections.marks)
    assert sections.is_whole
    assert sections.end == len(data) - 4, "the checksum is no block"


def test_a_section_holds_a_mebibyte_at_most_unless_a_line_has_more(tmp_path):
    sizes = [300_000] * 7 + [SECTION_BYTES - 1, SECTION_BYTES, 5 * SECTION_BYTES, 10, 10]
    texts = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    path = written(tmp_path / "x.zst", texts, flush_every=100)
    counts = [text.count(b"\n") for text in section_texts(path)]
    assert counts == [3, 3, 1, 1, 1, 1, 2]
    assert one_call(path) == texts


def test_a_flush_after_another_makes_no_section(tmp_path):
    with (tmp_path / "x.zst").open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        frame.flush()
        for text in lines(0, 3):
            frame.write_line(text)
            frame.flush()
            frame.flush()
        frame.finish()
    assert len(found_in(tmp_path / "x.zst").marks) == 3


def test_the_thread_that_compresses_ends_with_the_file(tmp_path):
    def native_threads() -> set[str]:
        return {path.name for path in Path("/proc/self/task").iterdir()}

    for ends in (ZstdFrameFile.finish, ZstdFrameFile.close):
        with (tmp_path / "x.zst").open("wb", buffering=0) as file:
            before = native_threads()
            frame = ZstdFrameFile(file, 3)
            frame.write_line(b"{}")
            frame.flush()
            assert len(native_threads() - before) == 1
            ends(frame)
            assert native_threads() <= before


def test_files_of_other_encoders_have_no_sections(tmp_path):
    path = tmp_path / "x.zst"
    for data in (
        b"",
        b"garbage",
        HEADER,
        HEADER + MARK[:2],
        HEADER + b"\x01\0\0",
        zstandard.ZstdCompressor(write_checksum=True).compress(b"{}\n" * 1000),
    ):
        path.write_bytes(data)
        assert found_in(path) == Sections()


def test_the_walk_of_a_hostile_file_is_bounded(tmp_path, monkeypatch):
    monkeypatch.undo()  # marks beside each other count as one
    path = tmp_path / "x.zst"
    path.write_bytes(HEADER + MARK * 200_000)
    found = found_in(path)
    assert len(found.marks) < 50
    assert not found.is_whole
    for spoilt in (
        bytes.fromhex("060000"),
        ((2**21 - 1) << 3).to_bytes(3, "little") + bytes(2**21),
    ):
        path.write_bytes(HEADER + MARK + spoilt + MARK * 7)
        assert list(found_in(path).marks) == [14]


def test_what_grows_is_followed_and_what_is_replaced_is_not_confused(tmp_path):
    path = tmp_path / "x.zst"
    cache = SectionCache()

    def cached() -> Sections:
        with path.open("rb") as file:
            return cache.of("metrics/x", file)

    with path.open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        assert cached() == Sections()
        for number, text in enumerate(lines(0, 20), 1):
            frame.write_line(text)
            frame.flush()
            assert cached() == found_in(path)
            assert len(cached().marks) == number
        frame.finish()
    assert cached().is_whole
    assert cached() == found_in(path)
    with path.open("r+b") as file:  # the same inode, other contents
        file.truncate(0)
    assert cached() == Sections()
    written(path, lines(0, 9), 2)
    assert cached() == found_in(path)


def test_the_cache_forgets_what_was_asked_for_longest_ago(tmp_path, monkeypatch):
    monkeypatch.setattr(sections_module, "_CACHED_FILES", 2)
    cache = SectionCache()
    for number in range(5):
        path = written(tmp_path / f"{number}.zst", lines(0, 20))
        with path.open("rb") as file:
            assert len(cache.of(path.name, file).marks) == 3
    assert [key for key, _ in cache._known] == ["3.zst", "4.zst"]


@pytest.fixture(scope="module")
def many_sections(tmp_path_factory) -> Path:
    """Ticks 0, 10, 20, …, three lines each, five lines to a section."""
    texts = [line(number // 3 * 10, f"{number}") for number in range(100)]
    return written(tmp_path_factory.mktemp("many") / "x.zst", texts, 5)


def test_no_line_of_a_tick_stands_before_the_mark_that_is_found(many_sections):
    with many_sections.open("rb") as file:
        sections = sections_of(file)
        assert len(sections.marks) == 20
        everything = section_lines(file, sections.marks[0])
        for t in range(-5, 340):
            mark = section_before(file, sections, t)
            assert mark is not None
            wanted = [text for text in everything if tick_of_line(text) >= t]
            left = section_lines(file, mark)
            assert left[len(left) - len(wanted) :] == wanted
            assert len(left) - len(wanted) < 10, "no more than a section too many"
        assert last_tick(file, sections) == 330
        assert section_before(file, Sections(), 0) is None


def section_lines(file: BinaryIO, mark: int) -> list[bytes]:
    return b"".join(section_blocks(file, mark)).splitlines()


def test_a_first_line_is_found_whatever_it_looks_like(tmp_path):
    long = b'{"type":"frame","x":"%s","t":7}' % (b"y" * 300_000)
    for text, t in ((long, 7), (b'{ "t" : 8 }', 8), (b'{"t":9}', 9)):
        path = written(tmp_path / "x.zst", [text])
        with path.open("rb") as file:
            (mark,) = sections_of(file).marks
            assert first_tick(file, mark) == t
    path = written(tmp_path / "x.zst", [b'{"x":1}'])
    with path.open("rb") as file, pytest.raises(StoreError, match=r"no tick number: b'\{"):
        first_tick(file, sections_of(file).marks[0])


TICKS = st.lists(st.integers(0, 3), max_size=40)


@settings(max_examples=150, deadline=None)
@given(
    steps=TICKS,
    flushes=st.sets(st.integers(0, 40)),
    is_closed=st.booleans(),
    from_t=st.none() | st.integers(-2, 70),
    length=st.none() | st.integers(0, 30),
    every=st.integers(1, 7),
)
def test_a_range_is_what_picking_from_all_lines_gives(
    tmp_path_factory, steps, flushes, is_closed, from_t, length, every
):
    folder = tmp_path_factory.mktemp("store")
    all_lines = []
    t = 0
    writer = ZstdSegmentWriter("metrics", folder, clock=SetClock().clock, segment_bytes=900)
    for number, step in enumerate(steps):
        t += step
        all_lines.append((t, line(t, f"{number}")))
        writer.write_line(all_lines[-1][1], t)
        if number in flushes:
            writer.flush()
    writer.flush()
    if is_closed:
        writer.close()
    to_t = None if length is None else (from_t or 0) + length
    naive = [
        text
        for t, text in all_lines
        if (from_t is None or t >= from_t) and (to_t is None or t <= to_t)
    ][::every]
    store = Store(folder)
    assert list(store.lines("metrics", from_t, to_t, every=every)) == naive
    assert list(store.lines("metrics", from_t, to_t, every=every)) == naive, "from the cache, too"
    assert [text for _, _, text in store.messages(from_t, to_t, every=every)] == naive
    if all_lines:
        assert store.last_t("metrics") == t
    writer.close()


def test_every_cut_of_a_pending_file_gives_a_beginning_of_the_range(tmp_path):
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    for t, text in enumerate(lines(0, 30)):
        writer.write_line(text, t)
        if t % 4 == 3:
            writer.flush()
    writer.flush()
    (path,) = segment_files(tmp_path)
    data = path.read_bytes()
    die(writer)
    most = 0
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        store = Store(tmp_path)
        whole = list(store.lines("metrics"))
        assert whole == lines(0, len(whole))
        for from_t in (1, 13, 29):
            assert list(store.lines("metrics", from_t)) == whole[from_t:]
        assert store.last_t("metrics") == (len(whole) - 1 if whole else None)
        most = max(most, len(whole))
    assert most == 30, "the last cut must have left everything"


def test_damage_before_the_range_is_passed_by_and_damage_in_it_is_told(tmp_path):
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    for t, text in enumerate(lines(0, 60)):
        writer.write_line(text, t)
        if t % 10 == 9:
            writer.flush()
    writer.close()
    (path,) = segment_files(tmp_path)
    data = path.read_bytes()
    marks = found_in(path).marks
    damage = 0
    for place in range(marks[3] + 3, marks[4]):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        store = Store(tmp_path)
        try:
            found = list(store.lines("metrics", 51))
        except StoreError:
            damage += 1  # the damaged header led astray
        else:
            assert found == lines(51, 60)
        before: list[bytes] = []
        with pytest.raises(DamagedSegmentError, match=path.name):
            before.extend(store.lines("metrics"))
        assert before[:20] == lines(0, 20)
    assert damage < marks[4] - marks[3]
