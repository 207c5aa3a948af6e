"""Communities followed from frame to frame: births, deaths, ids that last, and a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketcam.io.measuring.following import Follower
from tests.measure_twin import TwinFollower


def partition_of(groups):
    ordered = sorted((sorted(group) for group in groups), key=lambda g: (-len(g), g[0]))
    return tuple(np.array(group, dtype=np.int64) for group in ordered)


@st.composite
def partitions(draw):
    """Groups of two and more of a few agents, as one frame has them."""
    group_of = draw(st.lists(st.integers(0, 4), min_size=12, max_size=12))
    groups = [{a for a, g in enumerate(group_of) if g == group} for group in range(1, 5)]
    return partition_of(group for group in groups if len(group) > 1)


@settings(max_examples=200, deadline=None)
@given(st.lists(partitions(), max_size=8), st.sampled_from([0.1, 0.3, 0.5, 1.0]), st.integers(0, 2))
def test_it_follows_as_its_twin_does(frames, overlap, absence):
    follower, twin = Follower(overlap, absence), TwinFollower(overlap, absence)
    for number, partition in enumerate(frames):
        followed, values = follower.follow(number * 10, partition)
        told, died = twin.follow(number * 10, [set(each.tolist()) for each in partition])
        assert [tuple(each) for each in followed] == told
        if number:
            kept = [each for each in told if each[3] is not None]
            assert values["communities_born"] == len(told) - len(kept)
            assert values["communities_died"] == died
            assert values["communities_kept"] == len(kept)
            assert values["communities_split"] == sum(each[4] is not None for each in told)
            overlaps = [each[3] for each in kept]
            mean = pytest.approx(np.mean(overlaps)) if overlaps else None
            assert values["communities_overlap"] == mean
            ages = [number * 10 - each[2] for each in told]
            assert values["communities_age"] == (pytest.approx(np.mean(ages)) if ages else None)


def follow(*frames, overlap=0.3, absence=0):
    """Each frame's (id, overlap, split_from) by group, and its (born, died, kept, split)."""
    follower = Follower(overlap, absence)
    told = []
    for t, groups in enumerate(frames):
        partition = partition_of(groups)
        followed, values = follower.follow(t, partition)
        of_group = {
            tuple(agents.tolist()): (each.community, each.overlap, each.split_from)
            for agents, each in zip(partition, followed, strict=True)
        }
        names = ("born", "died", "kept", "split")
        told.append((of_group, tuple(values[f"communities_{name}"] for name in names)))
    return told


def test_in_the_first_frame_there_is_nothing_to_compare_with():
    [(of_group, counts)] = follow([{1, 2, 3}, {4, 5}])
    assert of_group == {(1, 2, 3): (0, None, None), (4, 5): (1, None, None)}
    assert counts == (None, None, None, None)


def test_who_comes_and_goes_does_not_make_another_community():
    _, (of_group, counts) = follow([{1, 2, 3}, {4, 5}], [{2, 3, 9}, {4, 5, 6, 7}])
    assert of_group == {(2, 3, 9): (0, 0.5, None), (4, 5, 6, 7): (1, 0.5, None)}
    assert counts == (0, 0, 2, 0)


def test_of_two_halves_the_greater_goes_on_and_the_other_splits_off():
    _, (of_group, counts) = follow([{1, 2, 3, 4, 5}], [{1, 2, 3}, {4, 5}])
    assert of_group == {(1, 2, 3): (0, 0.6, None), (4, 5): (1, None, 0)}
    assert counts == (1, 0, 1, 1)


def test_of_two_that_merge_the_one_that_had_more_of_it_goes_on():
    _, (of_group, counts) = follow([{1, 2}, {3, 4, 5}], [{1, 2, 3, 4, 5}])
    assert of_group == {(1, 2, 3, 4, 5): (0, 0.6, None)}
    assert counts == (0, 1, 1, 0)


def test_one_that_is_missing_may_come_back_for_a_while():
    frames = ([{1, 2, 3}], [{7, 8}], [{7, 8}], [{1, 2, 3}, {7, 8}])
    for absence, community, died in ((0, 2, [1, 0, 0]), (1, 2, [0, 1, 0]), (2, 0, [0, 0, 0])):
        told = follow(*frames, absence=absence)
        assert told[3][0][1, 2, 3][0] == community
        assert [counts[1] for _, counts in told[1:]] == died


def test_too_little_in_common_is_another_one():
    for overlap, community in ((0.5, 0), (0.51, 1)):
        _, (of_group, _) = follow([{1, 2, 3}], [{2, 3, 9}], overlap=overlap)
        assert of_group[2, 3, 9][0] == community


def test_of_equal_overlaps_the_older_community_goes_on():
    _, (of_group, _) = follow([{1, 2}, {3, 4}], [{1, 2, 3, 4}])
    assert of_group[1, 2, 3, 4] == (0, 0.5, None)
