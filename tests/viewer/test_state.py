"""The page's state: observables, the address, the frames it holds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.browser

FEATURES = ["quote_price_mean", "match_rate", "experience_end", "agent_id"]

PLACES = st.fixed_dictionaries(
    {},
    optional={
        "layout": st.sampled_from(["axes", "force"]),
        "x": st.sampled_from(FEATURES),
        "y": st.sampled_from(FEATURES),
        "color": st.sampled_from([*FEATURES, "dominant_side"]),
        "size": st.sampled_from([*FEATURES, "constant"]),
        "types": st.lists(st.sampled_from(["match", "quote_proximity"]), unique=True),
        "minWeight": st.floats(0, 1),
        "sides": st.lists(st.sampled_from(["buy", "sell", "none"]), unique=True),
        "ranges": st.dictionaries(
            st.sampled_from(FEATURES),
            st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)).map(list),
        ),
        "linkedOnly": st.booleans(),
        "selection": st.lists(st.integers(0, 2**53 - 1), max_size=20, unique=True),
        "trails": st.booleans(),
        "compare": st.fixed_dictionaries(
            {"run": st.from_regex(r"[0-9]{8}_[0-9]{6}_[0-9a-f]{9}", fullmatch=True),
             "t": st.integers(-(2**53), 2**53)}
        ),
        "panel": st.sampled_from(["inspector", "table"]),
        "charts": st.lists(st.sampled_from(["price_norm", "N", "avg_exp"]), unique=True),
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

HOLD = """async ([mostBytes, frames]) => {
    const { Moments } = await import("/viewer/data/moments.js");
    const moments = new Moments(mostBytes);
    for (const [run, t, use] of frames) {
        const frame = { t, nodes: { figures: new Float64Array(100) }, edges: {} };
        moments.add(run, frame);
        if (use !== null) moments.at(run, use);
    }
    const ticks = (kept) => [...kept.keys()].sort((a, b) => a - b);
    const held = [...moments.runs].map(([run, kept]) => [run, ticks(kept)]);
    return [moments.bytes, held, moments.before("a", 1000, 3).map(({ t }) => t)];
}"""


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
        "#compare=run&panel=none&selection=1.5",
    ],
)
def test_what_cannot_be_used_in_an_address_is_left_out(modules, hash_):
    assert modules.evaluate(READ, hash_) == {"settings": {}, "moment": None}


def test_followers_are_told_of_changes_only(modules):
    assert modules.evaluate(TOLD) == [
        ["all", 1, 1], ["b", 2], ["all", 3, 1], ["all", 3, 3], ["b", 4], ["b", 6],
    ]  # fmt: skip


def test_frames_used_least_lately_go_first(modules):
    frames = [["a", t, 0] for t in range(20)]
    held, runs, before = modules.evaluate(HOLD, [8000, frames])
    assert held == 8000
    assert runs == [["a", [0, *range(11, 20)]]]
    assert before == [17, 18, 19]


def test_another_run_takes_the_room_of_one_not_used(modules):
    frames = [["a", t, None] for t in range(12)] + [["b", t, None] for t in range(12)]
    held, runs, _ = modules.evaluate(HOLD, [8000, frames])
    assert held <= 8000
    assert runs[-1] == ["b", list(range(12 - held // 800, 12))]
