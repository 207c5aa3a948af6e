"""What charts and timeline reckon with, asked of the modules alone and compared with Python."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.browser

quick = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None
)
finite = st.floats(-1e6, 1e6)

REDUCE = """async ([from, to, points, t, values]) => {
    const { reduce } = await import("/viewer/time/reduce.js");
    const numbers = (list) => Float64Array.from(list, (value) => value ?? NaN);
    const columns = { N: numbers(values) };
    const slice = reduce({ run: "a", from, to, points, t: numbers(t), columns });
    const plain = (array) => [...array].map((value) => (Number.isNaN(value) ? null : value));
    const { min, max, last } = slice.series.N;
    return { t: [...slice.t], min: plain(min), max: plain(max), last: plain(last) };
}"""

JOIN = """async () => {
    const { joined, reduce } = await import("/viewer/time/reduce.js");
    const part = (from, to) => reduce({
        run: "a", from, to, points: 100, t: Float64Array.from([from, to]),
        columns: { N: Float64Array.from([from, to]) },
    });
    const told = [];
    for (const end of [9, 11]) {
        const one = { ...part(0, end), sampled: true };
        const { from, to, t, series, sampled } = joined(one, part(10, 12));
        const { last } = series.N;
        told.push([from, to, [...t], last[0], last[10], last.at(-1), last.length, sampled]);
    }
    return told;
}"""

STRETCHES = """async ([t, values]) => {
    const { gapLength } = await import("/viewer/time/reduce.js");
    const { stretches } = await import("/viewer/time/charts-draw.js");
    const last = Float64Array.from(values, (value) => value ?? NaN);
    const ticks = Float64Array.from(t);
    const gap = gapLength({ t: ticks, series: { N: { last } } }, "N");
    return stretches(ticks, last, gap);
}"""

SCALE = """async ([from, to, most]) => {
    const { niceValues, steadyRange, digitsOf } = await import("/viewer/time/scale.js");
    const { step, values } = niceValues(from, to, most);
    return { step, values, digits: digitsOf(step), range: steadyRange(from, to) };
}"""

LAY_OUT = """async ([runs, width, offset, pixels]) => {
    const module = await import("/viewer/time/timeline-layout.js");
    const { layOut, momentAt, pixelOf, positionOf } = module;
    const stretches = layOut(runs, width, offset);
    return {
        ends: stretches.map(({ x }) => [x.start, x.end]),
        found: pixels.map((pixel) => {
            const { run, t } = momentAt(stretches, pixel);
            return { run: run.run, t, at: pixelOf(stretches, run.run, t) };
        }),
        whole: positionOf(runs, null, null),
    };
}"""

FOLLOWED = """async ([span, cursor, newest, limits]) => {
    const { followed } = await import("/viewer/time/span.js");
    return followed(span, cursor, newest, limits);
}"""

WITHIN = """async ([wanted, limits, factor, about]) => {
    const { within, zoomed } = await import("/viewer/time/span.js");
    return { within: within(wanted, limits), zoomed: zoomed(wanted, factor, about) };
}"""

MARKED = """async ([events, from, to, width]) => {
    const { eventsBetween, marked } = await import("/viewer/time/events.js");
    return marked(eventsBetween(events, from, to), (t) => t / 10, width);
}"""

SMALL = """async ([module, name, all]) => {
    const found = (await import(`/viewer/time/${module}.js`))[name];
    return all.map((values) => found(...values));
}"""


def ask(page: Any, module: str, name: str, *all_values: list[Any]) -> list[Any]:
    """Call a function of a module with each of these values."""
    told = page.evaluate(SMALL, [module, name, list(all_values)])
    assert isinstance(told, list)
    return told


@st.composite
def metrics(draw: st.DrawFn) -> tuple[int, int, int, list[int], list[float | None]]:
    first = draw(st.integers(0, 5000))
    last = first + draw(st.integers(0, 3000))
    ticks = sorted(draw(st.sets(st.integers(first, last), max_size=60)))
    values = draw(
        st.lists(st.none() | finite, min_size=len(ticks), max_size=len(ticks)),
    )
    return first, last, draw(st.integers(2, 40)), ticks, values


@quick
@given(metrics())
def test_buckets_have_the_least_the_greatest_and_the_last(modules, asked):
    first, last, points, ticks, values = asked
    told = modules.evaluate(REDUCE, [first, last, points, ticks, values])
    length = last - first + 1
    step = 1 if length <= points else math.ceil(length / max(1, points - 1))
    assert len(told["t"]) <= points
    assert [t // step for t in told["t"]] == list(range(first // step, last // step + 1))
    for bucket, t in enumerate(told["t"]):
        held = [v for k, v in zip(ticks, values, strict=True) if k // step == t // step]
        known = [value for value in held if value is not None]
        if not known:
            assert told["min"][bucket] is told["max"][bucket] is told["last"][bucket] is None
            continue
        assert told["min"][bucket] == min(known)
        assert told["max"][bucket] == max(known)
        assert told["last"][bucket] == held[-1]


def test_slices_are_joined_and_what_both_have_comes_once(modules):
    whole = [0, 12, [*range(13)], 0, 10, 12, 13, True]
    assert modules.evaluate(JOIN) == [whole, whole]


def test_what_is_missing_is_a_gap_and_what_is_rare_is_none(modules):
    told = modules.evaluate(STRETCHES, [[0, 1, 2, 5, 6, 7], [1, 1, 1, 1, 1, 1]])
    assert told == [[0, 1, 2], [3, 4, 5]]
    told = modules.evaluate(STRETCHES, [[0, 1, 2, 3, 4, 5, 6], [1, None, 1, None, 1, None, 1]])
    assert told == [[0, 2, 4, 6]]
    assert modules.evaluate(STRETCHES, [[7], [1]]) == [[0]]
    assert modules.evaluate(STRETCHES, [[7, 8], [None, None]]) == []


@quick
@given(start=finite, length=st.floats(1e-6, 1e6), most=st.integers(1, 20))
def test_steps_are_round_and_ranges_hold_what_they_are_made_for(modules, start, length, most):
    end = start + length
    assume(end - start > 1e-6 * max(1, abs(start)))
    told = modules.evaluate(SCALE, [start, end, most])
    mantissa = told["step"] / 10 ** math.floor(math.log10(told["step"]) + 1e-9)
    assert min(abs(mantissa - nice) for nice in (1, 2, 5, 10)) < 1e-6
    assert len(told["values"]) <= most + 1
    slack = 1e-6 * told["step"]
    assert all(start - slack <= value <= end + slack for value in told["values"])
    if told["digits"] < 9:
        assert (
            abs(told["step"] * 10 ** told["digits"] - round(told["step"] * 10 ** told["digits"]))
            < 1e-6
        )
    low, high = told["range"]
    assert low <= start
    assert end <= high
    assert high - low <= 2 * length


def test_a_range_of_one_value_or_none_can_be_drawn(modules):
    one, zero, none = ask(modules, "scale", "steadyRange", [7, 7], [0, 0], [None, None])
    assert one[0] < 7 < one[1]
    assert zero[0] < 0 < zero[1]
    assert none[0] < none[1]


def a_run(name: int, first_t: int, ticks: int) -> dict[str, Any]:
    return {"run": str(name), "first_t": first_t, "last_t": first_t + ticks - 1}


@quick
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**7)), min_size=1, max_size=60),
    st.integers(300, 5000),
    st.integers(0, 200),
)
def test_runs_lie_one_after_another_and_any_moment_can_be_pointed_at(modules, sizes, width, offset):
    runs = [a_run(name, *size) for name, size in enumerate(sizes)]
    pixels = list(range(-offset, width - offset, 37))
    told = modules.evaluate(LAY_OUT, [runs, width, offset, pixels])
    ends = told["ends"]
    assert ends[0][0] == -offset
    assert ends[-1][1] == pytest.approx(width - offset)
    room = 0.8 * width / len(runs)
    for (start, end), (following, _) in zip(ends, [*ends[1:], (math.inf, 0)], strict=True):
        assert start < end < following
        assert end - start >= min(28, 0.6 * room) - 1e-6
    for pixel, found in zip(pixels, told["found"], strict=True):
        run = runs[int(found["run"])]
        start, end = ends[int(found["run"])]
        assert run["first_t"] <= found["t"] <= max(run["last_t"], run["first_t"] + 1)
        tick = (end - start) / max(1, run["last_t"] - run["first_t"])
        within = min(end, max(start, pixel))
        assert abs(found["at"] - within) <= tick / 2 + 1e-6
    assert told["whole"] == sum(ticks for _, ticks in sizes)


def test_large_runs_are_as_wide_as_they_have_ticks(modules):
    (told,) = ask(modules, "timeline-layout", "shares", [[1, 100, 300, 2], 440, 20])
    assert told == [20, 100, 300, 20]


LIMITS = {"from": 0, "to": 10_000}


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        ({"mode": "live", "t": 9000}, [9010 - 1000, 9010]),
        ({"mode": "recorded", "t": 2500}, [2000, 3000]),
        ({"mode": "recorded", "t": 2950}, [2050, 3050]),
        ({"mode": "recorded", "t": 2050}, [1950, 2950]),
        ({"mode": "recorded", "t": 7000}, [6500, 7500]),
        ({"mode": "recorded", "t": 9990}, [9000, 10_000]),
    ],
    ids=["live", "inside", "near the end", "near the start", "elsewhere", "at the end of the run"],
)
def test_a_span_that_follows_goes_no_farther_than_it_must(modules, cursor, expected):
    span = {"from": 2000, "to": 3000, "follow": True}
    told = modules.evaluate(FOLLOWED, [span, cursor, 9010, LIMITS])
    assert [told["from"], told["to"]] == expected


@quick
@given(
    st.tuples(st.integers(-5000, 15_000), st.integers(0, 20_000)),
    st.floats(0.1, 8),
    st.integers(0, 10_000),
)
def test_a_span_stays_within_its_run(modules, wanted, factor, about):
    section = {"from": wanted[0], "to": sum(wanted)}
    told = modules.evaluate(WITHIN, [section, LIMITS, factor, about])
    within, zoomed = told["within"], told["zoomed"]
    assert LIMITS["from"] <= within["from"] < within["to"] <= LIMITS["to"]
    assert within["to"] - within["from"] == min(10_000, max(10, wanted[1]))
    assert zoomed["to"] - zoomed["from"] == pytest.approx(factor * wanted[1], abs=1e-6)


def event(kind: str, t: int, score: float) -> dict[str, Any]:
    return {"type": kind, "t": t, "value": 1, "score": score}


@quick
@given(
    st.lists(st.tuples(st.sampled_from(["burst", "shock"]), st.integers(0, 2000)), max_size=80),
    st.integers(0, 1000),
    st.integers(0, 1000),
)
def test_marks_stand_for_all_events_and_lie_beside_each_other(modules, found, first, length):
    events = [event(kind, t, t % 17 - 8) for kind, t in sorted(found, key=lambda e: e[1])]
    marks = modules.evaluate(MARKED, [events, first, first + length, 7])
    for kind in ("burst", "shock"):
        mine = [m for m in marks if m["type"] == kind]
        within = [e for e in events if e["type"] == kind and first <= e["t"] <= first + length]
        assert sum(m["count"] for m in mine) == len(within)
        assert all(b["x"] - a["x"] >= 3.5 for a, b in pairwise(mine))
        strongest = max((abs(e["score"]) for e in within), default=0)
        assert max((abs(m["strongest"]["score"]) for m in mine), default=0) == strongest


def test_ticks_are_read_as_people_write_them(modules):
    texts = ["0", " 120 ", "1,234,567", "1 234", "1.234", "", "-1", "1.5", "1,23", "abc", "1e3"]
    told = ask(modules, "transport-place", "readTick", *[[text] for text in texts])
    assert told == [0, 120, 1_234_567, 1234, 1234, None, None, None, None, None, None]


def test_a_loop_is_marked_from_either_end(modules):
    limits = {"from": 0, "to": 100}
    loop = {"from": 40, "to": 60}
    told = ask(
        modules,
        "transport-loop",
        "remarked",
        [None, {"from": 30}, limits],
        [None, {"to": 30}, limits],
        [loop, {"from": 50}, limits],
        [loop, {"from": 70}, limits],
        [loop, {"to": 20}, limits],
    )
    assert [(at["from"], at["to"]) for at in told] == [
        (30, 100),
        (0, 30),
        (50, 60),
        (70, 100),
        (0, 20),
    ]


def test_panels_use_the_room(modules):
    wide, phone, one, tall = ask(
        modules,
        "charts-panels",
        "columnsFor",
        [7, 1440, 215],
        [7, 390, 260],
        [1, 1440, 215],
        [3, 300, 400],
    )
    assert (wide, phone, one, tall) == (4, 2, 1, 1)


def test_an_event_is_in_the_first_frame_after_it(modules):
    assert ask(modules, "transport-events", "frameWith", [1003, 5], [1005, 5]) == [1005, 1005]


def test_numbers_are_short_and_times_are_the_readers(modules):
    told = ask(
        modules,
        "../people/numbers",
        "shortNumber",
        ["en", 1234.5, 1],
        ["en", 3_200_000, 0],
        ["zh", 120_000, 0],
        ["en", -0.0, 2],
    )
    assert told == ["1,234.5", "3.2M", "12万", "0.00"]
    assert ask(modules, "../people/numbers", "clockText", ["en", "yesterday"]) == ["yesterday"]
    (clock,) = ask(modules, "../people/numbers", "clockText", ["en", "2026-03-01T10:20:30Z"])
    assert clock.endswith(":20:30")
