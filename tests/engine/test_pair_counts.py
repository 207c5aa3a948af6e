"""Windowed pair counts and the edges chosen from them, against the plain twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import pair_buckets, pair_counts
from marketcam.engine.count_edges import keys_from_counts
from marketcam.engine.crew import Crew
from marketcam.engine.edges import MATCH, PROXIMITY, NodeRows
from marketcam.engine.pair_buckets import PairBuckets, unmixed
from marketcam.engine.pair_counts import PairCounts
from marketcam.engine.pair_grid import PairGrid
from tests.conftest import INTERPRETED
from tests.oracle import by_rank, pairs_in_window

pytestmark = pytest.mark.kernel

NAMES = {MATCH: "match", PROXIMITY: "quote_proximity"}
SLOTS = 12


@pytest.fixture(params=[64, 0], ids=["grid", "buckets"])
def grid_slots(request, monkeypatch):
    """Both ways to keep counts, whatever the number of slots."""
    monkeypatch.setattr(pair_counts, "GRID_SLOTS", request.param)
    monkeypatch.setattr(pair_counts, "_FEW", 4)  # the crew works even where there is little to do
    return request.param


def as_pairs(pairs):
    return np.array(pairs, dtype=np.int32).reshape(-1, 2)


def rows_of(slots, capacity=None):
    """Nodes whose row numbers are the places in the list of slots."""
    of_slot = np.full(capacity or max(slots) + 1, -1, dtype=np.int32)
    of_slot[slots] = np.arange(len(slots))
    return NodeRows(of_slot, len(slots), ordered=list(slots) == sorted(slots))


def spelled(keys, W):
    """Rank keys as (count, type, src row, dst row)."""
    mask = 2**23 - 1
    return [
        (W - (key >> 47), NAMES[key >> 46 & 1], key >> 23 & mask, key & mask)
        for key in keys.tolist()
    ]


def ranked(ticks, W, kind, nodes):
    """What the twin counts, as edges between rows, best first."""
    edges = []
    for pair, count in pairs_in_window(ticks, W).items():
        src, dst = sorted(int(nodes.of_slot[slot]) for slot in pair)
        edges.append((min(count, W), NAMES[kind], src, dst))
    return sorted(edges, key=by_rank)


def check(counts, ticks, nodes, most=(0, 1, 3, 10**6)):
    """Compare the best edges with the twin's."""
    expected = ranked(ticks, counts.W, PROXIMITY, nodes)
    for limit in most:
        keys = keys_from_counts(counts, PROXIMITY, nodes, min(limit, 10_000))
        assert spelled(keys, counts.W) == expected[:limit]


slots = st.integers(0, SLOTS - 1)
ticks_of_pairs = st.lists(
    st.lists(
        st.tuples(slots, st.one_of(slots, st.just(-1))).filter(lambda pair: pair[0] != pair[1]),
        max_size=5,
    ).flatmap(lambda pairs: st.sampled_from([pairs, pairs, pairs * 3, []])),
    min_size=1,
    max_size=40,
)


@pytest.mark.usefixtures("grid_slots")
class TestAgainstTheTwin:
    @given(
        ticks_of_pairs,
        st.integers(1, 7),
        st.integers(1, 9),
        st.permutations(range(SLOTS)),
        st.sampled_from([-100, -3, 0, 5]),
    )
    def test_frames_of_a_stream(self, ticks, W, stride, order, start):
        counts = PairCounts(W, Crew(2))
        counts.make_room(SLOTS)
        for index, pairs in enumerate(ticks):
            counts.note(start + index, as_pairs(pairs))
            if index % stride == stride - 1:
                counts.settle(start + index)
                check(counts, ticks[: index + 1], rows_of(order))

    @given(ticks_of_pairs, st.integers(1, 7), st.integers(1, 50))
    def test_restarting_forgets(self, ticks, W, at):
        counts = PairCounts(W)
        counts.make_room(SLOTS)
        for index, pairs in enumerate(ticks[:at]):
            counts.note(index, as_pairs(pairs))
        counts.settle(at - 1)
        counts.clear()
        counts.settle(at)
        check(counts, [], rows_of(range(SLOTS)))
        for index, pairs in enumerate(ticks):
            counts.note(1000 + index, as_pairs(pairs))
        counts.settle(1000 + len(ticks) - 1)
        check(counts, ticks, rows_of(range(SLOTS)))

    def test_a_long_run_that_nobody_asks_about(self):
        """The ring goes round many times, grows, and ticks are counted without being asked for."""
        rng = np.random.default_rng(5)
        W = 20
        counts = PairCounts(W)
        counts.make_room(SLOTS)
        ticks = []
        for t in range(700):
            many = int(rng.integers(0, 60 if 300 < t < 350 else 6))
            pairs = rng.integers(-1, SLOTS, (many, 2))
            pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs[:, 0] >= 0)]
            ticks.append([tuple(pair) for pair in pairs.tolist()])
            counts.note(t, as_pairs(ticks[-1]))
            if t in {0, 1, 18, 19, 20, 21, 64, 65, 66, 340, 341, 430, 431, 600, 699}:
                counts.settle(t)
                check(counts, ticks, rows_of(range(SLOTS)))
        counts.settle(699)
        counts.settle(650)  # is past
        check(counts, ticks, rows_of(range(SLOTS)))

    def test_more_occurrences_than_ticks_count_as_many_as_ticks(self):
        counts = PairCounts(3)
        counts.make_room(SLOTS)
        ticks = [[(1, 0)] * 5, [(0, 1)] * 2 + [(2, 3)] * 3, [], [], []]
        for t, pairs in enumerate(ticks):
            counts.note(t, as_pairs(pairs))
            counts.settle(t)
            check(counts, ticks[: t + 1], rows_of(range(SLOTS)))

    def test_as_many_threads_as_you_like(self):
        rng = np.random.default_rng(3)
        frames = []
        for size in (1, 2, 3, 8):
            counts = PairCounts(5, Crew(size))
            counts.make_room(1000)
            rng = np.random.default_rng(3)
            for t in range(30):
                pairs = rng.integers(0, 1000 if t % 2 else 40, (200, 2), dtype=np.int32)
                counts.note(t, pairs[pairs[:, 0] != pairs[:, 1]])
            counts.settle(29)
            frames.append(keys_from_counts(counts, MATCH, rows_of(range(1000)), 300).tolist())
        assert len(frames[0]) == 300
        assert frames == [frames[0]] * 4


def test_slots_grow_from_grid_to_grid_to_buckets():
    rng = np.random.default_rng(1)
    counts = PairCounts(10)
    ticks, kinds = [], []
    for t in range(40):
        capacity = (4, 16, 64, 600)[t // 10]
        counts.make_room(capacity)
        kinds.append(type(counts.counts))
        pairs = rng.integers(0, capacity, (20, 2))
        ticks.append([tuple(pair) for pair in pairs[pairs[:, 0] != pairs[:, 1]].tolist()])
        counts.note(t, as_pairs(ticks[-1]))
        if t % 3 == 0:
            counts.settle(t)
            check(counts, ticks, rows_of(range(capacity)))
    counts.make_room(8)  # there is room
    assert kinds == [PairGrid] * 30 + [PairBuckets] * 10


def crowded(many, share_bits):
    """Pairs of slots whose numbers share a bucket, of a table as large as at first."""
    rest = 46 - 15
    pairs = (unmixed(7 << rest | short * 977) for short in range(10 * many))
    assert share_bits <= 2
    return [(int(a), int(b)) for a, b in pairs if a < b][:many]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_bucket_that_overflows(monkeypatch, size):
    monkeypatch.setattr(pair_counts, "GRID_SLOTS", 0)
    pairs = crowded(40, size.bit_length() - 1)
    assert len({slot for pair in pairs for slot in pair}) == 80
    nodes = rows_of(sorted({slot for pair in pairs for slot in pair}), 2**23)
    counts = PairCounts(6, Crew(size))
    counts.make_room(2**23)
    rng = np.random.default_rng(0)
    ticks = []
    for t in range(40):
        chosen = rng.choice(40, 4 if 15 < t < 25 else 12, replace=False)
        ticks.append([pairs[k] for k in chosen])
        counts.note(t, as_pairs(ticks[-1]))
        if t % 2:
            counts.settle(t)
            check(counts, ticks, nodes)


def test_mixing_can_be_undone():
    rng = np.random.default_rng(0)
    rims = [[0, 1], [2**23 - 2, 2**23 - 1], [0, 0]]
    pairs = [*rng.integers(0, 2**23, (300, 2)).tolist(), *rims]
    numbers = set()
    for a, b in pairs:
        number = pair_buckets.mixed(a << 32 | b)
        assert 0 <= number < 2**46
        assert unmixed(number) == (a, b)
        numbers.add(number)
    assert len(numbers) == len({tuple(pair) for pair in pairs})


def contents(share):
    """The mixed pairs in a share's buckets."""
    rest = pair_buckets.rest_bits(share)
    prefix = share.prefix << (46 - share.bits - rest)
    places = np.flatnonzero(share.buckets != pair_buckets.VACANT)
    return sorted(
        (prefix | int(place) // 16) << rest | int(share.buckets[place]) for place in places
    )


def test_buckets_split_without_losing_a_pair():
    buckets = PairBuckets(5, Crew(2))
    ring = np.array([a << 32 | b for a in range(40) for b in range(a + 1, 40)], dtype=np.int64)
    buckets.slide(ring, (0, 0, 0, ring.size), alone=True)
    for share in buckets.shares:
        wider = share._replace(buckets=np.empty(2 * share.buckets.size, dtype=np.uint32))
        pair_buckets.split_buckets(share, wider.buckets)
        assert contents(wider) == contents(share)
        assert len(contents(share)) == share.tally[pair_buckets.SINGLE] > 300


@pytest.mark.skipif(INTERPRETED, reason="half a million pairs take the interpreter a minute")
def test_tables_grow_and_shrink_as_they_need():
    """More single pairs than buckets hold at first, then all of them repeated, then few."""
    rng = np.random.default_rng(2)
    counts = PairCounts(4, Crew(2))
    counts.make_room(4096)
    crowd = rng.permutation(4096 * 4096)[:500_000].astype(np.int32)
    crowd = np.stack([crowd >> 12, crowd & 4095], axis=1)
    crowd = crowd[crowd[:, 0] < crowd[:, 1]]
    few = crowd[:50]
    sizes = []
    for t, pairs in enumerate([crowd, few, few, few, few, crowd, crowd, few, few, few, few]):
        counts.note(t, pairs)
        counts.settle(t)
        share = counts.counts.shares[0]
        sizes.append((share.buckets.size, share.keys.size))
        live = sum(int(share.tally[:2].sum()) for share in counts.counts.shares)
        assert live == (50 if t in {4, 10} else len(crowd))
    widest = max(keys for _, keys in sizes)
    assert sizes[0][0] == 2**18
    assert widest > 100_000
    assert sizes[-1][1] < widest
    keys = keys_from_counts(counts, MATCH, rows_of(range(4096)), 100)
    expected = sorted((4, "match", int(a), int(b)) for a, b in few)
    assert spelled(keys, 4) == expected
