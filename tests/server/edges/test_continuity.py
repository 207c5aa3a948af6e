"""What is missing, and what came twice: the rules, without NATS."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marketcam.server.edges.continuity import DOUBLE, Continuity, Step
from marketcam.server.edges.envelope import Head
from marketcam.server.stream.messages import Gap

STEPS = {"metric": 1, "frame": 10}


def head(t, prev, kind="metric", missing_from=None):
    return Head("run", kind, t, prev, missing_from, check=0, part=1, parts=1)


def test_what_follows_the_last_has_no_gap():
    continuity = Continuity(STEPS, {})
    assert continuity.follow(head(0, None)) == Step(is_new=True)
    assert continuity.follow(head(7, 0)) == Step(is_new=True)  # ticks may skip
    assert continuity.follow(head(10, None, "frame")) == Step(is_new=True)
    assert continuity.last == {"metric": 7, "frame": 10}


def test_what_came_before_is_a_double():
    continuity = Continuity(STEPS, {"metric": 5})
    assert continuity.follow(head(5, 4)) is DOUBLE
    assert continuity.follow(head(3, 2)) is DOUBLE
    assert continuity.last["metric"] == 5


def test_a_hole_is_declared_from_the_first_that_could_be_to_the_last_that_was():
    continuity = Continuity(STEPS, {"metric": 5, "frame": 20})
    assert continuity.follow(head(9, 8)).gap == Gap("metric", 6, 8, "upstream")
    assert continuity.follow(head(60, 50, "frame")).gap == Gap("frame", 30, 50, "upstream")


def test_a_hole_before_the_first_begins_where_the_camera_says():
    assert Continuity(STEPS, {}).follow(head(9, 8, missing_from=2)).gap == Gap(
        "metric", 2, 8, "upstream"
    )
    assert Continuity(STEPS, {}).follow(head(9, 8)).gap == Gap("metric", 8, 8, "upstream")


def test_a_camera_that_went_back_and_on_leaves_no_hole():
    continuity = Continuity(STEPS, {"metric": 50})
    assert continuity.follow(head(51, 40)) == Step(is_new=True)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.data())
def test_whatever_is_lost_or_sent_again_each_message_comes_once_or_is_declared(strides, data):
    ticks = [sum(strides[: i + 1]) for i in range(len(strides))]
    heads = [head(t, prev) for t, prev in zip(ticks, [None, *ticks], strict=False)]
    arrives = data.draw(st.lists(st.integers(0, 2), min_size=len(heads), max_size=len(heads)))
    sent = [each for each, times in zip(heads, arrives, strict=True) for _ in range(times)]
    again = data.draw(st.integers(0, len(sent)))
    sent = [*sent[:again], *sent[max(0, again - 5) :]]

    continuity = Continuity({"metric": 1, "frame": 1}, {"metric": 0})
    came, declared = [], set()
    for each in sent:
        step = continuity.follow(each)
        if step.gap is not None:
            declared |= {t for t in ticks if step.gap.from_t <= t <= step.gap.to_t}
        if step.is_new:
            came.append(each.t)

    assert came == sorted({each.t for each in sent})
    assert not declared & set(came)
    expected = [t for t in ticks if came and t <= came[-1]]
    first = came[0] if came else 0
    assert {t for t in expected if t >= first} <= declared | set(came)
    if came and ticks[0] != came[0]:
        assert {t for t in ticks if t < came[0]} == declared & {t for t in ticks if t < came[0]}
