"""The page's state: observables, the address, the frames it holds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.browser

TYPES = ["match", "quote_proximity"]
SIDES = ["buy", "sell", "none"]
SHOWN = ["price_norm", "N", "avg_exp", "match_density", "both_modularity"]
FEATURES = ["quote_price_mean", "match_rate", "experience_end", "agent_id"]


def some_of(values: list[str]) -> st.SearchStrategy[list[str]]:
    """Return a strategy of some of the values, in their order: whichever was chosen first."""
    return st.sets(st.sampled_from(values)).map(lambda chosen: [v for v in values if v in chosen])


PLACES = st.fixed_dictionaries(
    {},
    optional={
        "layout": st.sampled_from(["axes", "force"]),
        "x": st.sampled_from(FEATURES),
        "y": st.sampled_from(FEATURES),
        "color": st.sampled_from([*FEATURES, "dominant_side"]),
        "size": st.sampled_from([*FEATURES, "constant"]),
        "types": some_of(TYPES),
        "minWeight": st.floats(0, 1),
        "sides": some_of(SIDES),
        "ranges": st.dictionaries(
            st.sampled_from(FEATURES),
            st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)).map(sorted),
        ),
        "linkedOnly": st.booleans(),
        "selection": st.lists(st.integers(0, 2**53 - 1), max_size=100, unique=True),
        "trails": st.booleans(),
        "compare": st.fixed_dictionaries(
            {"run": st.from_regex(r"[0-9]{8}_[0-9]{6}_[0-9a-f]{9}", fullmatch=True),
             "t": st.integers(-(2**53), 2**53)}
        ),
        "panel": st.sampled_from(["inspector", "table"]),
        "charts": some_of(SHOWN),
        "language": st.sampled_from(["en", "zh"]),
    },
)  # fmt: skip

THERE_AND_BACK = """async (places) => {
    const { readPlace, writePlace } = await import("/viewer/state/address.js");
    const { initialSettings } = await import("/viewer/state/settings.js");
    const cursor = { mode: "recorded", run: "20260101_000000_abcdef012", t: 40 };
    return places.map((change) => {
        const atFirst = initialSettings("en");
        const settings = { ...atFirst, ...change };
        const place = readPlace(writePlace(settings, atFirst, cursor));
        return [{ ...atFirst, ...place.settings }, settings, place.moment];
    });
}"""

READ = """async (hash) => {
    const { readPlace } = await import("/viewer/state/address.js");
    return readPlace(hash);
}"""

TOLD = """async () => {
    const { Observable } = await import("/viewer/state/observable.js");
    const value = new Observable({ a: 1, b: 2 });
    const told = [];
    const end = value.follow((now, before) => told.push(["all", now.a, before.a]));
    value.followFields(["b"], ({ b }) => told.push(["b", b]));
    value.set({ a: 1 });
    value.set({ a: 3 });
    value.set({ b: 4 });
    end();
    value.set({ a: 5, b: 6 });
    return told;
}"""

THROWN = """async () => {
    const { Observable } = await import("/viewer/state/observable.js");
    const value = new Observable({ a: 1 });
    const told = [];
    addEventListener("error", (event) => {
        event.preventDefault();
        told.push(event.message);
    });
    let isBroken = false;
    value.follow(() => {
        if (isBroken) throw new Error("a view is broken");
    });
    value.follow(({ a }) => told.push(a));
    isBroken = true;
    value.set({ a: 2 });
    return told;
}"""

TYPED_ANEW = """async () => {
    const { writePlace } = await import("/viewer/state/address.js");
    const { initialSettings } = await import("/viewer/state/settings.js");
    const atFirst = initialSettings("en");
    const types = [...atFirst.types].reverse();
    return writePlace({ ...atFirst, types }, atFirst, { mode: "live", run: null, t: null });
}"""

GONE_TO = """async (hash) => {
    const { goTo, isPlace, readPlace } = await import("/viewer/state/address.js");
    const { Observable } = await import("/viewer/state/observable.js");
    const { initialSettings } = await import("/viewer/state/settings.js");
    const atFirst = initialSettings("en");
    const settings = new Observable({ ...atFirst, trails: false, minWeight: 0.5 });
    const told = [];
    const director = { seek: (run, t) => told.push([run, t]), goLive: () => told.push("live") };
    if (isPlace(hash)) goTo({ settings, director }, atFirst, readPlace(hash));
    const { trails, minWeight } = settings.get();
    return [told, trails, minWeight];
}"""

WRITTEN = """async () => {
    const { keepAddress } = await import("/viewer/state/address.js");
    const { Observable } = await import("/viewer/state/observable.js");
    const { initialSettings } = await import("/viewer/state/settings.js");
    history.replaceState(null, "", "#mode=recorded&run=a&t=7");
    const atFirst = initialSettings("en");
    const app = {
        settings: new Observable(atFirst),
        cursor: new Observable({ mode: "recorded", run: null, t: null }),
    };
    const works = [];
    const later = self.setTimeout;
    self.setTimeout = (work) => works.push(work);
    const hashes = [];
    const runAll = () => {
        for (const work of works.splice(0)) work();
        hashes.push(location.hash);
    };
    keepAddress(app, atFirst);
    runAll();
    app.cursor.set({ run: "a", t: 5 });
    app.cursor.set({ t: 6 });
    hashes.push(works.length);
    runAll();
    location.hash = "#mode=recorded&run=b&t=9";
    app.cursor.set({ t: 7 }); // before the page hears of the link
    runAll();
    self.setTimeout = later;
    return hashes;
}"""

HOLD = """async ([mostBytes, mostFrames, frames]) => {
    const { Moments } = await import("/viewer/data/moments.js");
    const moments = new Moments(mostBytes, mostFrames);
    for (const [run, t, use] of frames) {
        const nodes = { figures: new Float64Array(226) };
        moments.add(run, { t, nodes, edges: {}, window: { stride: 2 } });
        if (use !== null) moments.at(run, use);
    }
    const held = [...moments.runs].map(([run, { ticks }]) => [run, ticks]);
    const before = moments.before("a", 1000, 3).map(({ t }) => t);
    return { bytes: moments.bytes, held, before, after: moments.countAfter("a", 14) };
}"""

FRAME_BYTES = 8 * 1024 + 226 * 8
ROOM = 10 * FRAME_BYTES


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(places=st.lists(PLACES, min_size=10, max_size=10))
def test_an_address_brings_back_what_was_shown(modules, places):
    for read, written, moment in modules.evaluate(THERE_AND_BACK, places):
        assert read == written
        assert moment == {"run": "20260101_000000_abcdef012", "t": 40}


@pytest.mark.parametrize(
    "hash_",
    [
        "",
        "#",
        "#mode=live&run=a&t=3",
        "#mode=recorded&t=3",
        "#mode=recorded&run=a&t=3.5",
        "#layout=circle&x=price&minWeight=2&minWeight=",
        "#selection=-1,2&ranges=match_rate:a:b&charts=price&types=x&language=fr&trails=yes",
        "#ranges=match_rate::&sides=buy,up",
        "#ranges=match_rate:2:1",
        "#ranges=match_rate:1:2:3",
        "#compare=run&panel=none&selection=1.5",
    ],
)
def test_what_cannot_be_used_in_an_address_is_left_out(modules, hash_):
    assert modules.evaluate(READ, hash_) == {"settings": {}, "moment": None}


def test_followers_are_told_of_changes_only(modules):
    assert modules.evaluate(TOLD) == [
        ["all", 1, 1], ["b", 2], ["all", 3, 1], ["all", 3, 3], ["b", 4], ["b", 6],
    ]  # fmt: skip


def test_a_view_that_throws_keeps_nothing_from_the_others(modules):
    assert modules.evaluate(THROWN) == [1, "Uncaught Error: a view is broken", 2]


def test_what_is_as_at_first_in_another_order_is_not_written(modules):
    assert modules.evaluate(TYPED_ANEW) == "mode=live"


@pytest.mark.parametrize(
    ("hash_", "told", "trails", "weight"),
    [
        ("#mode=live", ["live"], True, 0),
        ("#mode=live&minWeight=0.25", ["live"], True, 0.25),
        ("#mode=recorded&run=a&t=30&trails=0", [["a", 30]], False, 0),
        ("#structure", [], False, 0.5),
    ],
)
def test_a_link_that_is_pasted_says_all(modules, hash_, told, trails, weight):
    assert modules.evaluate(GONE_TO, hash_) == [told, trails, weight]


def test_the_address_is_kept_until_its_moment_has_come(modules):
    assert modules.evaluate(WRITTEN) == [
        "#mode=recorded&run=a&t=7", 1, "#mode=recorded&run=a&t=6", "#mode=recorded&run=b&t=9",
    ]  # fmt: skip


def test_frames_used_least_lately_go_first(modules):
    frames = [["a", t, 0] for t in range(20)]
    found = modules.evaluate(HOLD, [ROOM, 100, frames])
    assert found == {
        "bytes": ROOM, "held": [["a", [0, *range(11, 20)]]], "before": [17, 18, 19], "after": 5,
    }  # fmt: skip


def test_small_frames_are_bounded_in_number(modules):
    frames = [["a", t, None] for t in (3, 1, 2, 9, 8, 7, 6, 5, 17, 14, 15, 20, 14)]
    found = modules.evaluate(HOLD, [ROOM * 10, 10, frames])
    assert found["held"] == [["a", [2, 5, 6, 7, 8, 9, 14, 15, 17, 20]]]
    assert found["after"] == 2  # behind 17 one is missing


def test_another_run_takes_the_room_of_one_not_used(modules):
    frames = [["a", t, None] for t in range(12)] + [["b", t, None] for t in range(9)]
    found = modules.evaluate(HOLD, [ROOM, 100, frames])
    assert found["bytes"] == ROOM
    assert found["held"] == [["a", [11]], ["b", list(range(9))]]
