"""What travels over NATS: cut into parts, put together, and refused where it is none of ours."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.server.edges.envelope import (
    FORMAT,
    HEAD_BYTES,
    MOST_BYTES,
    MOST_PARTS,
    STATUS,
    Assembler,
    EnvelopeError,
    Head,
    Parcel,
    Status,
    pack,
    subject_of,
    unpack,
)
from marketcam.server.stream.selection import FilmedWith

RUN = "20260124_120500_abc"
STATUS_NOW = Status(
    run=RUN,
    start_ts=1.5,
    seed=3,
    running=True,
    ticks=40,
    last_t=39,
    sent={"metric": 39, "frame": None},
    filmed=FilmedWith(stride=2, metric_downsample=1, edge_cap=7, match_share=0.25),
)


def parcel(data=b"text", t=12, kind="frame"):
    return Parcel(kind, t, 2, None, 99, data)


@given(st.binary(max_size=300), st.integers(1, 90))
def test_parts_put_together_are_the_message(data, room):
    assembler = Assembler()
    packed = list(pack(RUN, parcel(data), HEAD_BYTES + room))
    assert all(len(each) <= HEAD_BYTES + room for each in packed)
    results = [assembler.take(*unpack(each)) for each in packed]
    assert results[:-1] == [None] * (len(packed) - 1)
    assert results[-1] == data
    assert assembler.is_empty


def test_the_head_says_what_it_is():
    (packed,) = pack(RUN, parcel(), 4096)
    head, data = unpack(packed)
    assert head._asdict() == {
        "run": RUN,
        "kind": "frame",
        "t": 12,
        "prev": 2,
        "missing_from": None,
        "check": 99,
        "part": 1,
        "parts": 1,
    }
    assert data == b"text"


def test_a_message_that_lacks_a_part_is_left_out():
    assembler = Assembler()
    first, second, third = (unpack(each) for each in pack(RUN, parcel(b"abc"), HEAD_BYTES + 1))
    whole = unpack(next(pack(RUN, parcel(b"d", t=13), 4096)))
    assert assembler.take(*second) is None
    assert assembler.take(*first) is None
    assert not assembler.is_empty
    assert assembler.take(*third) is None
    assert assembler.is_empty
    assert [assembler.take(*each) for each in (first, whole)] == [None, b"d"]
    # Sent again from its beginning, it is whole.
    parts = (first, second, first, second, third)
    assert [assembler.take(*each) for each in parts] == [None, None, None, None, b"abc"]


def test_messages_of_two_kinds_may_come_part_by_part_in_turns():
    assembler = Assembler()
    frame = [unpack(each) for each in pack(RUN, parcel(b"ab"), HEAD_BYTES + 1)]
    metric = [unpack(each) for each in pack(RUN, parcel(b"cd", kind="metric"), HEAD_BYTES + 1)]
    order = (frame[0], metric[0], metric[1], frame[1])
    assert [assembler.take(*each) for each in order] == [None, None, b"cd", b"ab"]


def test_a_message_that_never_ends_is_refused_and_let_go():
    assembler = Assembler()
    head = Head(RUN, "frame", 1, None, None, check=0, part=1, parts=MOST_PARTS)
    data = bytes(MOST_BYTES // 4)
    for part in range(1, 5):
        assert assembler.take(head._replace(part=part), data) is None
    with pytest.raises(EnvelopeError, match=f"frame of tick 1 must have {MOST_BYTES} bytes"):
        assembler.take(head._replace(part=5), b"x")
    assert assembler.is_empty


HEAD = {"run": RUN, "kind": "frame", "t": 1, "prev": None, "missing_from": None, "check": 1}
JUNK = [
    {"v": FORMAT},
    {"v": FORMAT + 1, **HEAD, "part": 1, "parts": 1},
    {"v": FORMAT, **HEAD, "part": 1},
    {"v": FORMAT, **HEAD, "part": 1, "parts": 1, "kind": "tick"},
    {"v": FORMAT, **HEAD, "part": 1, "parts": 1, "t": "1"},
    {"v": FORMAT, **HEAD, "part": 1, "parts": 1, "t": True},
    {"v": FORMAT, **HEAD, "part": 1, "parts": 1, "prev": 1.5},
    {"v": FORMAT, **HEAD, "part": 0, "parts": 1},
    {"v": FORMAT, **HEAD, "part": 3, "parts": 2},
    {"v": FORMAT, **HEAD, "part": 1, "parts": MOST_PARTS + 1},
]


@pytest.mark.parametrize(
    "message", [b"", b"text", b"[1]\n", *(orjson.dumps(junk) + b"\n" for junk in JUNK)]
)
def test_what_is_no_part_is_refused(message):
    with pytest.raises(EnvelopeError):
        unpack(message)


def test_a_status_is_read_back():
    assert Status.of_bytes(STATUS_NOW.to_bytes()) == STATUS_NOW


@pytest.mark.parametrize(
    "change",
    [
        {"v": 9},
        {"filmed": None},
        {"run": None, "ticks": 1, "more": 2},
        {"sent": 3},
        {"run": 1},
        {"start_ts": "1"},
        {"start_ts": None},
        {"seed": 1.5},
        {"running": 1},
        {"ticks": []},
        {"ticks": True},
        {"last_t": "x"},
        {"sent": {"metric": "y", "frame": None}},
        {"sent": {"metric": 1, "frame": True}},
    ],
)
def test_what_is_no_status_is_refused(change):
    with pytest.raises(EnvelopeError):
        Status.of_bytes(orjson.dumps(orjson.loads(STATUS_NOW.to_bytes()) | change))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("stride", value) for value in (0, -1, "2", True)),
        *(("edge_cap", value) for value in ("2", None)),
        *(("match_share", value) for value in ("x", 1.5, True)),
    ],
)
def test_what_nothing_is_filmed_with_is_refused(name, value):
    fields = orjson.loads(STATUS_NOW.to_bytes())
    fields["filmed"][name] = value
    with pytest.raises(EnvelopeError):
        Status.of_bytes(orjson.dumps(fields))


def test_subjects_are_by_run_and_kind_but_for_the_status():
    assert subject_of("cam", "frame", RUN) == f"cam.{RUN}.frame"
    assert subject_of("cam", STATUS, RUN) == "cam.status"
