"""Sections of a segment's file, and what is found by them: the same as without."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from marketcam.io.store import sections as sections_module
from marketcam.io.store.sections import Sections, sections_of
from marketcam.io.store.zstd_file import MARK, SECTION_BYTES, ZstdFrameFile
from tests.store_helpers import lines, one_call

if TYPE_CHECKING:
    from collections.abc import Iterable

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
