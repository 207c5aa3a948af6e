from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.io.store import KINDS, SegmentName, UnknownSegmentError
from marketcam.io.store.names import check_kind, free_name, names_in
from tests.store_helpers import NOON

NAME = "segment_20260124_120000_1000.jsonl.zst"
PENDING = "segment_20260124_120000_1000_pending.jsonl.zst"


def test_a_name_is_read_and_written():
    name = SegmentName.parse(NAME)
    assert name == SegmentName(datetime(2026, 1, 24, 12, tzinfo=UTC), 1000)
    assert str(name) == NAME
    assert str(name.as_pending()) == PENDING
    assert SegmentName.parse(PENDING) == name.as_pending()
    assert name.as_pending().as_closed() == name


@given(
    st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)),
    st.integers(-(2**53), 2**53),
    st.booleans(),
)
def test_every_name_is_read_back(stamp, start_t, pending):
    name = SegmentName(stamp, start_t, pending)
    assert SegmentName.parse(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "manifest.json",
        NAME.replace(".zst", ""),
        NAME + "x",
        "x" + NAME,
        NAME + "\n",
        "../" + NAME,
        NAME.replace("1000", "01000"),
        NAME.replace("1000", "-0"),
        NAME.replace("1000", "+1"),
        NAME.replace("1000", "१"),
        NAME.replace("_120000", "_126000"),
        NAME.replace("20260124", "20260230"),
        NAME.replace("20260124", "00000124"),
        NAME.replace("1000", "1" * 20),
        NAME.replace("jsonl", "JSONL"),
        PENDING.replace("_pending", "_pending_pending"),
        NAME + ".new",
        NAME.replace(".zst", ".damaged-1.zst"),
    ],
)
def test_other_texts_are_no_names(text):
    assert SegmentName.parse(text) is None


def test_a_taken_name_moves_on_by_seconds():
    first = free_name(NOON + 0.9, 5, lambda name: False)
    assert str(first) == "segment_20260124_120000_5.jsonl.zst"
    taken = {first, first.a_second_later()}
    assert str(free_name(NOON, 5, taken.__contains__)) == "segment_20260124_120002_5.jsonl.zst"


def test_names_sort_by_time_then_by_tick(tmp_path):
    sorted_names = [
        "segment_20260124_115959_5.jsonl.zst",
        "segment_20260124_120000_-3.jsonl.zst",
        "segment_20260124_120000_9.jsonl.zst",
        "segment_20260124_120000_9_pending.jsonl.zst",
        "segment_20260124_120000_10.jsonl.zst",
    ]
    for name in [*reversed(sorted_names), "manifest.json", "notes.txt"]:
        (tmp_path / name).touch()
    assert [str(name) for name in names_in(tmp_path)] == sorted_names


@pytest.mark.parametrize("kind", ["", "frame", "../frames", "frames/", "Frames"])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(
        UnknownSegmentError, match="must be one of frames, metrics, ticks, events, got"
    ):
        check_kind(kind)
    assert [check_kind(kind) for kind in KINDS] == list(KINDS)
