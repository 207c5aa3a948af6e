"""The director: in whatever order it is told, one thing plays, and the last wish wins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.viewer.conftest import page_of_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

APP = Path(__file__).with_name("director_app.js")

DO = """async ([runs, acts]) => {
    const { play } = await import("/director_app.js");
    return play(runs, acts);
}"""

HOLE = {"kind": "frames", "from_t": 151, "to_t": 209, "lines": 5, "reason": "disk"}
OLD_TICKS = [t for t in range(30, 401, 10) if not (151 <= t <= 209 or 280 < t < 350)]
"""A run that has ended, with a hole that was declared, and one of which nobody knows."""

NOW_TICKS = list(range(30, 201, 10))
OLD = ["old", OLD_TICKS, {"holes": [HOLE]}]
NOW = ["now", NOW_TICKS, {"current": True}]
BARE = ["bare", [], {}]
RUNS = [OLD, NOW, BARE]

Stood = dict[str, Any]
Act = list[Any]


@pytest.fixture(scope="module")
def director(browser: Browser) -> Iterator[Page]:
    """A page with the modules, where each `do` makes a director of its own."""
    with page_of_modules(browser) as page:
        page.route("**/director_app.js", lambda route: route.fulfill(path=APP))
        yield page


def do(page: Page, *acts: Act, runs: list[Any] = RUNS) -> list[Stood]:
    stood: list[Stood] = page.evaluate(DO, [runs, list(acts)])["stood"]
    return stood


def said(page: Page, *acts: Act) -> list[Any]:
    words: list[Any] = page.evaluate(DO, [RUNS, list(acts)])["said"]
    return words


def live(first: int, last: int) -> list[Act]:
    return [["live", "now", t] for t in range(first, last + 1, 10)]


anything = settings(deadline=None, max_examples=60)

# ---- whatever is done ---------------------------------------------------------------------------

SEEKS = st.tuples(
    st.just("seek"), st.sampled_from(["old", "now", "bare"]), st.integers(-20, 500)
).map(list)
LOOPS = st.sampled_from([None, {"from": 55, "to": 95}, {"from": 100, "to": 235}])
WISHES = st.one_of(
    SEEKS,
    st.sampled_from([["play"], ["play"], ["pause"], ["toggle"], ["goLive"]]),
    st.tuples(st.just("step"), st.sampled_from([-10, -1, 1, 10])).map(list),
    st.tuples(st.just("speed"), st.sampled_from([0.25, 1, 16])).map(list),
    st.tuples(st.just("loop"), LOOPS).map(list),
)
WORLD = st.one_of(
    st.sampled_from([["live"], ["live"], ["record"], ["answer"], ["answer"], ["answer"], ["fail"]]),
    st.tuples(st.just("move"), st.sampled_from([1, 60, 160, 900, 6000]), st.booleans()).map(list),
)
ACTS = st.lists(st.one_of(WISHES, WORLD), min_size=10, max_size=30).map(
    lambda acts: [["seek", "old", 60], ["answer"], *acts]  # there is something to play
)


def with_ticks(acts: list[Act]) -> list[Act]:
    """Let frames that come live, and what is recorded of them, go on from 250."""
    newest, recorded, told = 240, 200, []
    for name, *values in acts:
        if name == "live":
            newest += 10
            told.append(["live", "now", newest])
        elif name != "record":
            told.append([name, *values])
        elif recorded < newest:
            recorded += 10
            told.append(["record", "now", recorded])
    return told


def is_one_chain(stood: Stood) -> bool:
    """Return whether what is under way is what the cursor says, and that alone."""
    wanted, timers = stood["wanted"], stood["timers"]
    if stood["seeking"]:
        return bool(wanted == "one" and timers <= 2)
    if stood["mode"] == "recorded" and stood["playing"]:
        return (wanted, timers) in {(None, 1), ("stream", 0)}
    return wanted is None and timers == 0


def is_still(stood: Stood) -> bool:
    return stood["mode"] == "recorded" and not stood["playing"] and not stood["seeking"]


@anything
@given(acts=ACTS)
def test_one_thing_is_under_way_and_nothing_is_shown_that_was_not_asked_for(director, acts):
    acts = with_ticks(acts)
    before: Stood | None = None
    for act, stood in zip(acts, do(director, *acts), strict=True):
        assert is_one_chain(stood), act
        if stood["shown"] is not None:
            assert stood["shown"] == [stood["run"], stood["t"]]
        if before and is_still(before) and act[0] in {"live", "answer", "fail", "move"}:
            assert stood == before
        before = stood


@anything
@given(acts=ACTS, wish=SEEKS)
def test_the_last_wish_is_shown_or_it_is_said_why_not(director, acts, wish):
    acts = with_ticks(acts)
    _, run, t = wish
    stood = do(director, *acts, ["pause"], wish, ["settle"])[-1]
    assert is_still(stood)
    assert is_one_chain(stood)
    live_ticks = [act[2] for act in acts if act[0] == "live"]
    newest = live_ticks[-1] if live_ticks else 500  # nobody knows: it is asked for
    recorded = [act[2] for act in acts if act[0] == "record" and act[2] <= newest]
    there = sorted({*NOW_TICKS, *recorded, *live_ticks})
    if run == "bare":
        assert stood["error"] == "seekNoFrames"
    elif run == "old":
        assert stood["shown"] == [run, last_at(OLD_TICKS, t)]
        assert stood["error"] is None
    elif last_at(range(30, newest + 1, 10), t) in there:
        assert stood["shown"] == [run, last_at(there, t)]
        assert stood["error"] is None
    else:  # made before the page came, and not recorded yet
        assert stood["error"] == "seekNotYet"


def last_at(ticks: Any, t: int) -> int:
    """Return the last tick at or before `t`, or the first."""
    return max((tick for tick in ticks if tick <= t), default=ticks[0])


@anything
@given(frames=st.integers(-45, 45).filter(bool), at=st.sampled_from(OLD_TICKS))
def test_a_step_comes_to_another_frame_wherever_there_is_one(director, frames, at):
    stood = do(director, ["seek", "old", at], ["settle"], ["step", frames], ["settle"])
    assert stood[1]["t"] == at
    t = stood[-1]["t"]
    assert t in OLD_TICKS
    if frames < 0:
        assert t < at or at == OLD_TICKS[0]
    else:
        assert t > at or at == OLD_TICKS[-1]


@anything
@given(ticks=st.sets(st.integers(1, 60), min_size=1).map(sorted), data=st.data())
def test_a_step_back_finds_the_last_frame_before(director, ticks, data):
    ticks = [10 * t for t in ticks]
    at = data.draw(st.sampled_from(ticks))
    acts = [["seek", "old", at], ["settle"], ["step", -1], ["settle"]]
    stood = do(director, *acts, runs=[["old", ticks, {}]])
    assert stood[-1]["t"] == last_at(ticks, at - 1)
    assert stood[-1]["asks"] <= 16  # that of the seek, six twice as far back each, six halvings


def test_a_hole_that_is_known_is_not_asked_for(director):
    acts = [["seek", "old", 190], ["answer"], ["step", 1], ["answer"], ["step", -1]]
    assert said(director, *acts) == [["show", 150], ["show", 210]]


# ---- asking -------------------------------------------------------------------------------------


def test_an_ask_without_an_answer_makes_room_for_the_next_and_is_given_up(director):
    stood = do(
        director,
        *live(250, 250),
        ["seek", "now", 220], ["move", 100], ["seek", "now", 100], ["move", 400],
        ["answer"],
        ["seek", "now", 220], ["move", 1000], ["seek", "now", 230], ["move", 4999], ["move", 1],
    )  # fmt: skip
    assert stood[5]["shown"] == ["now", 100]
    assert [each["error"] for each in stood[-3:]] == [None, None, "seekNotYet"]
    assert not stood[-1]["seeking"]


@pytest.mark.parametrize("outcome", ["fail", "answer"])
def test_what_goes_wrong_with_one_wish_leaves_the_next(director, outcome):
    acts = [["seek", "bare", 40], ["seek", "old", 60], [outcome], ["answer"]]
    stood = do(director, *acts)
    assert stood[-1]["shown"] == ["old", 60]
    assert stood[-1]["error"] is None


def test_a_run_that_is_not_known_says_that_it_has_nothing(director):
    assert do(director, ["seek", "other", 40], ["settle"])[-1]["error"] == "seekNothing"


# ---- playing ------------------------------------------------------------------------------------


def shown(stood: list[Stood]) -> list[int]:
    """Return the ticks that were shown, one after the other."""
    ticks = [each["t"] for each in stood if each["t"] is not None]
    return [t for n, t in enumerate(ticks) if n == 0 or t != ticks[n - 1]]


def test_play_while_a_moment_is_on_its_way_plays_on_from_it(director):
    acts = [["seek", "old", 60], ["answer"], ["seek", "old", 250], ["play"]]
    assert shown(do(director, *acts, *[["answer"]] * 4)) == [60, 250, 260, 270, 280]
    held = [*live(250, 300), ["seek", "now", 250], ["seek", "old", 60], ["play"]]
    assert shown(do(director, *held, ["move", 1000], *[["answer"]] * 3))[-4:] == [250, 60, 70, 80]


def test_it_plays_from_memory_as_soon_as_memory_goes_on(director):
    acts = [["seek", "now", 180], ["settle"], *live(210, 300), ["play"], ["answer"], ["answer"]]
    stood = do(director, *acts, ["move", 50], ["move", 50])
    assert shown(stood) == [180, 190, 200, 210]  # a frame each 100 ms
    assert stood[-1]["wanted"] is None
    assert do(director, *acts, ["speed", 16], ["move", 1000])[-1]["mode"] == "live"


def test_where_the_recording_ends_memory_is_played_before_it_goes_live(director):
    ended = ["now", NOW_TICKS, {}]
    acts = [["seek", "now", 200], ["settle"], *live(260, 300), ["play"], ["answer"]]
    stood = do(director, *acts, ["move", 100], ["move", 250], ["move", 60], runs=[ended])
    assert shown(stood) == [200, 260, 270, 290, 300]
    assert [each["mode"] for each in stood[-2:]] == ["recorded", "live"]


@pytest.mark.parametrize(("speed", "ms", "t"), [(1, 420, 290), (4, 220, 330), (0.25, 420, 260)])
def test_a_page_that_is_held_up_keeps_the_pace(director, speed, ms, t):
    acts = [*live(250, 600), ["speed", speed], ["seek", "now", 250], ["play"], ["move", ms, True]]
    assert do(director, *acts)[-1]["t"] == t


def test_memory_is_played_at_the_pace_that_was_measured(director):
    acts = [*live(250, 600), ["rate", "now", 50], ["seek", "now", 250], ["play"], ["move", 1000]]
    assert do(director, *acts)[-1]["t"] == 300


def test_another_speed_is_followed_at_once(director):
    acts = [*live(250, 600), ["seek", "now", 250], ["speed", 0.25], ["play"], ["speed", 16]]
    assert do(director, *acts, ["move", 50])[-1]["t"] == 330
    assert said(director, ["seek", "old", 60], ["answer"], ["play"], ["speed", 2])[-1] == [
        "speed",
        2,
    ]


def test_a_loop_goes_round_within_its_ends(director):
    loop = ["loop", {"from": 95, "to": 125}]
    acts = [["seek", "old", 100], ["answer"], loop, ["play"], *[["answer"]] * 3]
    stood = do(director, *acts, *[["move", 100]] * 4)
    assert shown(stood) == [100, 110, 120, 100, 110, 120, 100, 110]


def test_a_loop_over_a_hole_shows_nothing_beyond_its_end(director):
    loop = ["loop", {"from": 135, "to": 175}]
    acts = [["seek", "old", 140], ["answer"], loop, ["play"], *[["answer"]] * 2]
    assert shown(do(director, *acts)) == [140, 150, 140]


def test_a_loop_to_the_end_of_a_run_goes_round(director):
    loop = ["loop", {"from": 375, "to": 900}]
    acts = [["seek", "old", 380], ["answer"], loop, ["play"], *[["answer"]] * 3]
    stood = do(director, *acts, ["move", 100], ["move", 100])
    assert shown(stood) == [380, 390, 400, 380, 390, 400]
    assert stood[-1]["playing"]
    assert stood[-1]["loop"]


def test_a_run_is_played_to_its_end(director):
    stood = do(director, ["seek", "old", 390], ["answer"], ["play"], ["answer"], ["answer"])
    assert shown(stood) == [390, 400]
    assert is_still(stood[-1])


def test_without_a_live_frame_live_shows_nothing(director):
    stood = do(director, ["seek", "old", 60], ["answer"], ["goLive"])[-1]
    assert (stood["run"], stood["t"], stood["shown"]) == (None, None, None)
