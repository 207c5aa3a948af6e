"""What the structure reckons with, asked of the modules alone and compared with Python."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.browser

quick = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
SIDES = ["none", "buy", "sell"]
TYPES = ["match", "quote_proximity"]

FILTER = """async ([frames, cap]) => {
    const { filterMoment } = await import("/viewer/structure/filter.js");
    return frames.map(({ nodes, edges, settings }) => {
        const numbers = (list) => Float64Array.from(list, (value) => value ?? NaN);
        const columns = (table) => Object.fromEntries(Object.entries(table).map(
            ([name, list]) => [name, Array.isArray(list) ? numbers(list) : list]));
        const frame = {
            nodes: { ...columns(nodes), sides: ["none", "buy", "sell"] },
            edges: { ...columns(edges), types: ["match", "quote_proximity"] },
        };
        const { nodes: shown, edges: links, linked, counts } =
            filterMoment({ run: "one", frame }, settings, cap);
        return { nodes: [...shown], edges: [...links], linked: [...linked], counts };
    });
}"""

RANGES = """async ([extents, room]) => {
    const { SteadyRange, ticks } = await import("/viewer/structure/range.js");
    const range = new SteadyRange(room);
    return extents.map(([least, most]) => {
        const changed = range.hold(least ?? NaN, most ?? NaN);
        const { low, high } = range;
        return { changed, low, high, ticks: ticks(low, high, 6) };
    });
}"""

CROWD = """async (steps) => {
    const { Crowd, BYTES, FORM } = await import("/viewer/structure/crowd.js");
    const crowd = new Crowd();
    const number = (list) => list.map((value) => value ?? NaN);
    return steps.map(({ ids, x, shown, share }) => {
        const places = Float32Array.from(number(x));
        crowd.retarget({
            ids: Float64Array.from(ids), x: places, y: places, shown: Uint8Array.from(shown),
        }, share);
        const { floats, bytes, ids: held, count } = crowd.page;
        return Array.from({ length: count }, (_, k) => ({
            id: held[k], from: floats[6 * k], to: floats[6 * k + 2],
            fade: [bytes[k * BYTES + FORM], bytes[k * BYTES + FORM + 1]],
        }));
    });
}"""

FORCES = """async ([size, pairs]) => {
    const { Forces } = await import("/viewer/structure/force.js");
    const graph = (first) => ({
        ids: Float64Array.from({ length: size }, (_, k) => first + k),
        src: Uint32Array.from(pairs, ([a]) => a), dst: Uint32Array.from(pairs, ([, b]) => b),
    });
    const settle = () => {
        const forces = new Forces();
        forces.take(graph(0));
        forces.run(1000);
        return forces;
    };
    const [one, other] = [settle(), settle()];
    const before = [...one.x];
    one.take(graph(0));
    const taken = [...one.x];
    one.run(14);
    const moved = Math.max(...before.map((x, k) => Math.abs(x - one.x[k])));
    one.take(graph(5));
    const shifted = [...one.x].slice(0, size - 5);
    const width = Math.max(...before) - Math.min(...before);
    return { x: before, y: [...other.y], same: String(before) === String([...other.x]), taken,
             settled: other.settled, moved, width, shifted };
}"""

TRAILS = """async ([ticks, missing]) => {
    const { trailsOf } = await import("/viewer/structure/trails.js");
    const { Moments } = await import("/viewer/data/moments.js");
    const moments = new Moments();
    for (const t of ticks) {
        const ids = t === missing ? [3] : [3, 8];
        moments.add("one", { t, window: { stride: 10 }, edges: {}, nodes: {
            count: ids.length, agent_id: Float64Array.from(ids),
            buy_count: new Uint8Array(2).fill(1), sell_count: new Uint8Array(2),
            match_count: Float64Array.from(ids, (id) => t + id), agent: null,
        } });
    }
    const [trail] = trailsOf(moments, { run: "one", t: ticks.at(-1) }, [8],
                             { x: "match_count", y: "agent_id" });
    return trail.x.map((value) => (Number.isNaN(value) ? null : value));
}"""

GROUPS = """async ([size, pairs]) => {
    const { groupsOf } = await import("/viewer/structure/summary.js");
    const linked = new Uint8Array(size);
    for (const pair of pairs) for (const row of pair) linked[row] = 1;
    return groupsOf({
        moment: { frame: { edges: { src: pairs.map(([a]) => a), dst: pairs.map(([, b]) => b) } } },
        edges: new Uint8Array(pairs.length).fill(1), linked,
    });
}"""

LENS = """async ([width, height, steps]) => {
    const { Lens } = await import("/viewer/structure/lens.js");
    const lens = new Lens();
    lens.resize(width, height);
    const pixel = (u, v) => {
        const { scaleX, shiftX, scaleY, shiftY } = lens.factors;
        return [u * scaleX + shiftX, v * scaleY + shiftY];
    };
    return steps.map(([x, y, factor]) => {
        const { scaleX, shiftX, scaleY, shiftY } = lens.factors;
        const place = [(x - shiftX) / scaleX, (y - shiftY) / scaleY];
        lens.zoomAt(x, y, factor);
        return { after: pixel(...place), inside: place.every((at) => at >= 0 && at <= 1) };
    });
}"""

WITHIN = """async ([line, places]) => {
    const { within } = await import("/viewer/structure/picker.js");
    return places.map(([x, y]) => within(line, x, y));
}"""

WORDS = """async () => {
    const { WORDS } = await import("/viewer/people/text.js");
    const { structure } = await import("/viewer/text/structure.js");
    const blanks = (words) => [...words.matchAll(/\\{\\w+\\}/g)].map(String).sort().join();
    return {
        en: Object.keys(structure.en), zh: Object.keys(structure.zh),
        twice: Object.keys(structure.en).filter(
            (key) => WORDS.filter((words) => key in words.en).length > 1),
        unlike: Object.keys(structure.en).filter(
            (key) => blanks(structure.en[key]) !== blanks(structure.zh[key])),
    };
}"""


@st.composite
def frames(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(0, 12))
    column = lambda values: draw(st.lists(values, min_size=count, max_size=count))  # noqa: E731
    figure = st.one_of(st.none(), st.integers(-3, 3))
    rows = st.integers(0, max(0, count - 1))
    ends = draw(st.lists(st.tuples(rows, rows), max_size=10 if count else 0))
    nodes = {
        "count": count,
        "dominant_side": column(st.integers(0, 2)),
        "buy_count": column(st.integers(0, 1)),
        "sell_count": column(st.integers(0, 1)),
        "experience_end": column(figure),
        "quote_price_mean": column(st.integers(-3, 3)),
    }
    edges = {
        "count": len(ends),
        "src": [one for one, _ in ends],
        "dst": [other for _, other in ends],
        "type": draw(st.lists(st.integers(0, 1), min_size=len(ends), max_size=len(ends))),
        "w": draw(st.lists(st.integers(0, 4), min_size=len(ends), max_size=len(ends))),
    }
    edges["w"] = [weight / 4 for weight in edges["w"]]
    ranges = draw(
        st.dictionaries(
            st.sampled_from(["experience_end", "quote_price_mean"]),
            st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(list),
        )
    )
    chosen = {
        "types": draw(st.lists(st.sampled_from(TYPES), unique=True)),
        "minWeight": draw(st.integers(0, 4)) / 4,
        "sides": draw(st.lists(st.sampled_from(SIDES), unique=True)),
        "ranges": ranges,
        "linkedOnly": draw(st.booleans()),
    }
    return {"nodes": nodes, "edges": edges, "settings": chosen}


def passes(nodes: dict[str, Any], chosen: dict[str, Any], row: int) -> bool:
    if SIDES[nodes["dominant_side"][row]] not in chosen["sides"]:
        return False
    quoted = nodes["buy_count"][row] + nodes["sell_count"][row] > 0
    for feature, (low, high) in chosen["ranges"].items():
        value = nodes[feature][row]
        if value is None or (feature.startswith("quote_") and not quoted):
            return False
        if not low <= value <= high:
            return False
    return True


def filtered(frame: dict[str, Any], cap: int) -> dict[str, Any]:
    """The filter as it is described, row by row."""
    nodes, edges, chosen = frame["nodes"], frame["edges"], frame["settings"]
    shown = [passes(nodes, chosen, row) for row in range(nodes["count"])]
    ends = list(zip(edges["src"], edges["dst"], strict=True))
    kinds = [TYPES[code] for code in edges["type"]]
    links = [
        shown[one] and shown[other] and kind in chosen["types"] and weight >= chosen["minWeight"]
        for (one, other), kind, weight in zip(ends, kinds, edges["w"], strict=True)
    ]
    linked = {row for pair, link in zip(ends, links, strict=True) if link for row in pair}
    if chosen["linkedOnly"]:
        shown = [row in linked for row in range(nodes["count"])]
    of_type = {name: kinds.count(name) for name in TYPES}
    seen = [kind for kind, link in zip(kinds, links, strict=True) if link]
    return {
        "nodes": [int(one) for one in shown],
        "edges": [int(one) for one in links],
        "linked": [int(row in linked) for row in range(nodes["count"])],
        "counts": {
            "nodes": nodes["count"],
            "shownNodes": sum(shown),
            "linkedNodes": len(linked),
            "edges": len(ends),
            "shownEdges": sum(links),
            "byType": of_type,
            "shownByType": {name: seen.count(name) for name in TYPES},
            "bySide": {name: nodes["dominant_side"].count(SIDES.index(name)) for name in SIDES},
            "capReached": len(ends) >= cap,
        },
    }


@quick
@given(many=st.lists(frames(), min_size=1, max_size=8), cap=st.integers(0, 8))
def test_the_filter_shows_what_passes_and_counts_it(modules, many, cap):
    assert modules.evaluate(FILTER, [many, cap]) == [filtered(frame, cap) for frame in many]


values = st.floats(-1e6, 1e6).map(lambda value: round(value, 4))


@quick
@given(
    extents=st.lists(st.tuples(values, values).map(sorted), min_size=1, max_size=8),
    room=st.sampled_from([0, 0.05]),
)
def test_a_range_holds_the_values_and_changes_seldom(modules, extents, room):
    assume(all(most == least or most - least > 1e-3 for least, most in extents))
    told = modules.evaluate(RANGES, [extents, room])
    before = None
    for (least, most), now in zip(extents, told, strict=True):
        slack = 1e-9 * (now["high"] - now["low"])
        assert now["low"] - slack <= least <= most <= now["high"] + slack
        assert now["changed"] == (before != (now["low"], now["high"]))
        before = now["low"], now["high"]
        marks = now["ticks"]["values"]
        assert 2 <= len(marks) <= 14
        assert now["low"] - slack <= marks[0] < marks[-1] <= now["high"] + slack
        steps = [after - mark for mark, after in pairwise(marks)]
        assert max(steps) == pytest.approx(min(steps))


def test_a_range_stays_while_values_wander_within_it(modules):
    wander = [[0.1 * math.sin(k), 10 + 0.1 * math.cos(k)] for k in range(40)]
    told = modules.evaluate(RANGES, [wander, 0.05])
    assert sum(one["changed"] for one in told) <= 2
    told = modules.evaluate(RANGES, [[[0, 10], [4.9, 5.1], [None, None]], 0.05])
    assert [one["changed"] for one in told] == [True, True, False]
    assert told[0]["low"] < -0.4  # room for what is unknown


def test_agents_are_followed_by_their_ids(modules):
    first = {"ids": [1, 4, 9], "x": [0.1, 0.4, 0.9], "shown": [1, 1, 1], "share": 1}
    then = {"ids": [4, 5], "x": [0.8, 0.5], "shown": [1, 1], "share": 1}
    half = {"ids": [4, 5], "x": [0.0, 0.5], "shown": [1, 0], "share": 0.5}
    back = {"ids": [1, 4, 5], "x": [0.3, 0.0, None], "shown": [1, 1, 1], "share": 1}
    appear, changed, midway, last = modules.evaluate(CROWD, [first, then, half, back])
    near = pytest.approx
    assert [node["fade"] for node in appear] == [[0, 255]] * 3
    assert appear[0]["from"] == appear[0]["to"] == near(0.1)
    by_id = {node["id"]: node for node in changed}
    assert (by_id[4]["from"], by_id[4]["to"]) == (near(0.4), near(0.8))
    assert by_id[4]["fade"] == [255, 255]
    assert by_id[5]["fade"] == [0, 255]
    for gone, place in ((1, 0.1), (9, 0.9)):
        assert by_id[gone]["fade"] == [255, 0]
        assert by_id[gone]["from"] == by_id[gone]["to"] == near(place)
    by_id = {node["id"]: node for node in midway}
    assert set(by_id) == {4, 5}  # whoever was vanishing is gone
    assert by_id[4]["from"] == near(0.6)  # from where it was, half of the way gone
    assert by_id[5]["fade"] == [128, 0]
    by_id = {node["id"]: node for node in last}
    assert by_id[1]["fade"] == [0, 255]
    assert by_id[5]["fade"] == [0, 0]  # it has no place
    assert all(math.isfinite(node["from"] + node["to"]) for node in last)


@pytest.mark.parametrize("size", [12, 60])
def test_forces_settle_and_go_on_from_there(modules, size):
    half = size // 2
    pairs = [[k, (k + 1) % half] for k in range(half)] + [[k, k + 1] for k in range(half, size - 1)]
    told = modules.evaluate(FORCES, [size, pairs])
    assert told["settled"]
    assert told["same"]  # the same graph, the same layout
    assert told["taken"] == told["x"]
    assert told["moved"] < 0.1 * told["width"]  # the same graph again does not jump
    assert told["shifted"] == pytest.approx(told["x"][5:], abs=0.1 * told["width"])
    places = list(zip(told["x"], told["y"], strict=True))
    linked = [math.dist(places[one], places[other]) for one, other in pairs]
    across = [math.dist(one, other) for one in places for other in places if one != other]
    assert sum(linked) / len(linked) < 0.7 * sum(across) / len(across)


def test_a_trail_is_broken_where_nothing_is_known(modules):
    assert modules.evaluate(TRAILS, [[10, 20, 30, 40], None]) == [18, 28, 38]
    assert modules.evaluate(TRAILS, [[10, 20, 30, 40], 20]) == [18, None, 38]
    assert modules.evaluate(TRAILS, [[10, 20, 50, 60], None]) == [18, 28, None, 58]


@quick
@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_groups_are_what_edges_join(modules, pairs):
    groups: list[set[int]] = []
    for pair in pairs:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touched]
        groups.append(set(pair).union(*touched))
    told = modules.evaluate(GROUPS, [10, [list(pair) for pair in pairs]])
    assert told == {"groups": len(groups), "largest": max(map(len, groups), default=0)}


@quick
@given(
    steps=st.lists(
        st.tuples(st.floats(70, 700), st.floats(15, 400), st.floats(0.5, 3)),
        min_size=1,
        max_size=10,
    )
)
def test_what_is_under_the_pointer_stays_there_in_a_zoom(modules, steps):
    told = modules.evaluate(LENS, [800, 500, steps[:1]])
    (x, y, factor), (first,) = steps[0], told
    if factor >= 1 and first["inside"]:
        assert first["after"] == pytest.approx([x, y], abs=1e-6)
    for step in modules.evaluate(LENS, [800, 500, steps]):
        assert all(math.isfinite(pixel) for pixel in step["after"])


def test_a_line_around_places(modules):
    bay = [[0, 0], [10, 0], [10, 10], [5, 4], [0, 10]]
    told = modules.evaluate(WITHIN, [bay, [[5, 2], [5, 8], [1, 8], [9, 8], [-1, 2], [11, 5]]])
    assert told == [True, False, True, True, False, False]


def test_the_words_are_complete_in_both_languages(modules):
    told = modules.evaluate(WORDS)
    assert told["en"] == told["zh"]
    assert told["twice"] == []
    assert told["unlike"] == []
