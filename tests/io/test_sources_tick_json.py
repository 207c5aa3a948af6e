"""Lines that hold no well-formed tick, and the two ways in which lines are parsed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketcam.engine import MarketCameraError, Tick, TickError
from marketcam.io.sources import MalformedLineError, TickLineError, TickLines, tick_json
from marketcam.io.sources.tick_json import parse_tick
from tests.tick_text import as_values, line_of, read_leniently

GOOD = line_of(0)

MALFORMED = [
    (b"nonsense", "not JSON: expecting value at column 1"),
    (b'{"t": 1,}', "not JSON: "),
    (GOOD + GOOD, "not JSON: extra data at column"),
    (GOOD[:-1], "not JSON: "),
    (b'{"t": 1, "x": NaN}', "not JSON: NaN is no number"),
    (b'{"t": 1, "x": -Infinity}', "not JSON: -Infinity is no number"),
    (b'{"t": 1, "x": "\x01"}', "not JSON: invalid control character at column"),
    (b"\xef\xbb\xbf" + GOOD, "not JSON: "),
    (b'{"t": 1, "x": "\xff"}', "not UTF-8: byte 0xff at column 16"),
    (b'{"t": 1, "x": "\xed\xa0\x80"}', "not UTF-8: byte 0xed"),
    (b"\x00", "not JSON: "),
    (b"[" * 200_000, "nested too deeply"),
    (b'{"t":' * 200_000, "nested too deeply"),
    (b'{"t": ' + b"[" * 900 + b"]" * 900 + b"}", ""),
    (b'{"t": ' + b"9" * 5_000 + b"}", "an integer has 5000 digits, limit 400"),
    (b'{"t": 1, "t": 1}', "key 't' stands twice in one object"),
    (b'{"t": 1, "agents": {"3": 0.1, "4": 0.1, "3": 0.1}}', "key '3' stands twice"),
    (b'{"t": 1, "agents": {"3": 0.1, "\\u0033": 0.1}}', "key '3' stands twice"),
    (
        b'{"t": 1, "actions": {"3": {"side": "none"}, "3": {"side": "none"}}}',
        "key '3' stands twice",
    ),
    (
        b'{"t": 1, "actions": {"3": {"side": "none", "side": "buy", "price": 1}}}',
        "key 'side' stands twice",
    ),
    (b'{"t": 1, "matches": [{"a": 1, "a": 2, "b": -1}]}', "key 'a' stands twice"),
    (b'{"t": 1, "unknown": [{"a": {"b": 1, "b": 2}}]}', "key 'b' stands twice"),
    (b'{"t": 1, "' + b"k" * 99 + b'": 1, "' + b"k" * 99 + b'": 2}', "key 'kkk"),
]

NOT_A_TICK = [
    (b"[]", "tick must be an object, got []"),
    (b"null", "tick must be an object"),
    (b'"t"', "tick must be an object"),
    (b"{}", "t must be an integer, got None"),
    (b'{"t": 1.0}', "t must be an integer, got 1.0"),
    (b'{"t": true}', "t must be an integer, got True"),
    (b'{"t": 18446744073709551616}', "t must lie within"),
    (b'{"t": 5, "mid": 1e999}', "tick 5: mid must be finite, got inf"),
    (b'{"t": 5, "agents": []}', "tick 5: agents must be an object"),
    (b'{"t": 5, "agents": {"01": 1}}', "tick 5: agents must have agent ids as keys, got '01'"),
    (b'{"t": 5, "agents": {"1": ' + b"9" * 400 + b"}}", "agent 1: experience must be finite"),
    (b'{"t": 5, "actions": {"1": 3}}', "tick 5, agent 1: action must be an object, got 3"),
    (b'{"t": 5, "actions": {"1": {"side": "hold"}}}', "tick 5, agent 1: side must be 'buy'"),
    (b'{"t": 5, "matches": {"a": 1}}', "tick 5: matches must be a list"),
    (b'{"t": 5, "matches": [[1, 1]]}', "tick 5, agent 1: matches[0] must be of two agents"),
]


@pytest.mark.parametrize(
    ("line", "message"), MALFORMED + NOT_A_TICK, ids=lambda value: repr(value)[:40]
)
def test_a_bad_line_is_reported_by_number_and_skipped(line, message, tmp_path):
    data = b"\n" + GOOD + b"\n" + line + b"\n" + line_of(9) + b"\n"
    ts, [bad] = read_leniently(data, tmp_path)
    assert ts == [0, 9]
    assert bad.number == 3
    assert bad.source == f"ticks from {tmp_path / 'ticks.jsonl'}"
    kind = MalformedLineError if (line, message) in MALFORMED[:13] else MarketCameraError
    assert isinstance(bad.error, kind)
    assert message in str(bad.error)
    assert len(str(bad.error)) < 300


@pytest.mark.parametrize("line", [line for line, _ in NOT_A_TICK], ids=lambda line: repr(line)[:40])
def test_what_is_json_but_no_tick_is_a_tick_error(line):
    with pytest.raises(TickError):
        parse_tick(line)


def test_a_bad_line_is_fatal_unless_told_otherwise(tmp_path):
    file = tmp_path / "ticks"
    file.write_bytes(GOOD + b'\n\n{"t": 1, "agents": {"1": 0, "1": 0}}\n' + line_of(2))
    ticks = iter(TickLines.open(file))
    assert next(ticks).t == 0
    with pytest.raises(TickLineError) as failure:
        next(ticks)
    problem = "key '1' stands twice in one object"
    assert str(failure.value) == f"ticks from {file}: line 3: {problem}"
    assert failure.value.number == 3
    assert failure.value.error is failure.value.__cause__
    assert next(ticks, None) is None


def test_a_last_line_without_its_end_may_be_bad(tmp_path):
    ts, [bad] = read_leniently(GOOD + b"\n" + line_of(1)[:-4], tmp_path)
    assert (ts, bad.number) == ([0], 2)


# --- the quick way and the strict way ---------------------------------------------------------

names = st.sampled_from(["0", "1", "7", "07", "-1", "a:b", "\u00e9", "9007199254740991"])
numbers = st.none() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=True) | st.booleans()
values = st.recursive(
    numbers | st.sampled_from(["buy", "sell", "none", "x:y", '"', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
actions = st.fixed_dictionaries(
    {"side": st.sampled_from(["buy", "sell", "none", "hold"]), "price": numbers}
)
raw_ticks = st.fixed_dictionaries(
    {"t": st.integers(0, 99) | numbers},
    optional={
        "mid": numbers,
        "agents": st.dictionaries(names, numbers, max_size=4) | values,
        "actions": st.dictionaries(names, actions | values, max_size=4) | values,
        "matches": st.lists(st.lists(st.integers(-1, 3), min_size=2, max_size=2) | values) | values,
        "unknown": values,
    },
)


def outcome(parse, line):
    try:
        return as_values(parse(line))
    except (MalformedLineError, TickError) as error:
        return type(error), str(error)


def strictly(line: bytes) -> Tick:
    return Tick.from_dict(tick_json._parsed_strictly(line))


@settings(max_examples=300, deadline=None)
@given(raw_ticks, st.data())
def test_the_quick_way_never_says_other_than_the_strict_one(raw, data):
    line = json.dumps(raw).encode()
    if data.draw(st.booleans()):  # repeat a member of one of the objects
        place = data.draw(st.sampled_from([i for i, byte in enumerate(line) if byte in b"{,"]))
        line = line[: place + 1] + b'"t": 1,' + line[place + 1 :]
    assert outcome(parse_tick, line) == outcome(strictly, line)


def test_the_quick_way_is_taken_for_ordinary_ticks():
    assert tick_json._parsed_quickly(GOOD) is not None
    assert tick_json._parsed_quickly(json.dumps({"t": 1, "t:": 1}).encode()) is None
    assert np.isnan(parse_tick(GOOD).experience[1])
