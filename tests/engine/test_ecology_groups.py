"""The groups of the ecology can be told apart by what the camera shows of them."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from marketcam.engine import film
from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.ecology_rules import CHARTIST, DESK, FUNDAMENTALIST, MAKER, NOISE, group_of
from tests.conftest import INTERPRETED

if TYPE_CHECKING:
    from marketcam.engine.frame import Frame

pytestmark = pytest.mark.skipif(INTERPRETED, reason="minutes, and no other numbers")

W = 300
FEATURES = (
    "buy_count",
    "sell_count",
    "none_count",
    "match_rate",
    "quote_price_mean",
    "quote_price_std",
    "quote_dist_to_mid_mean",
    "experience_end",
    "experience_delta",
)
MARKETS = [(74, 0), (300, 1), (1000, 2)]


@cache
def frame_of(agents: int, seed: int) -> Frame:
    ticks = islice(EcologyMarket(agents, seed), 1201)
    *_, last = film(ticks, W=W, stride=300, eps_pct=0.0005)
    return last


def features_of(frame: Frame) -> np.ndarray:
    nodes = frame.to_dict()["nodes"]
    return np.array([[node["features"][name] for name in FEATURES] for node in nodes])


def means(agents: int, seed: int, feature: str) -> list[float]:
    frame = frame_of(agents, seed)
    groups = group_of(np.array(frame.nodes.agent_id))
    values = features_of(frame)[:, FEATURES.index(feature)]
    return [float(values[groups == group].mean()) for group in range(4)]


@pytest.mark.parametrize(("agents", "seed"), MARKETS)
def test_the_nearest_centroid_is_that_of_the_own_group(agents, seed):
    """Centroids of one half of the agents, tried on the other; by chance, 30 % would be right."""
    frame = frame_of(agents, seed)
    groups = group_of(np.array(frame.nodes.agent_id))
    features = features_of(frame)
    standard = (features - features.mean(0)) / features.std(0)
    learned = np.arange(agents) // DESK % 2 == 0
    centroids = np.array([standard[learned & (groups == g)].mean(0) for g in range(4)])
    tried, truth = standard[~learned], groups[~learned]
    distance = ((tried[:, None] - centroids) ** 2).sum(2)
    assert (distance.argmin(1) == truth).mean() > 0.85


@pytest.mark.parametrize(("agents", "seed"), MARKETS)
def test_makers_are_always_there_on_both_sides_and_trade_most(agents, seed):
    assert means(agents, seed, "none_count")[MAKER] == 0
    assert means(agents, seed, "buy_count")[MAKER] == W / 2
    rates = means(agents, seed, "match_rate")
    assert rates[MAKER] > 0.6
    assert rates[MAKER] > 1.3 * rates[FUNDAMENTALIST]
    assert rates[MAKER] > 2 * rates[NOISE]


@pytest.mark.parametrize(("agents", "seed"), MARKETS)
def test_makers_and_fundamentalists_quote_close_the_others_far(agents, seed):
    distance = means(agents, seed, "quote_dist_to_mid_mean")
    assert distance[CHARTIST] > 4 * max(distance[MAKER], distance[FUNDAMENTALIST])
    assert distance[NOISE] > distance[CHARTIST]
    spread = means(agents, seed, "quote_price_std")
    assert spread[NOISE] > spread[CHARTIST] > spread[MAKER]


@pytest.mark.parametrize(("agents", "seed"), MARKETS)
def test_makers_earn_what_noise_traders_lose(agents, seed):
    experience = means(agents, seed, "experience_end")
    assert experience[MAKER] > 0.55
    assert experience[NOISE] < 0.5


def test_optimists_buy_and_pessimists_sell():
    ticks = list(islice(EcologyMarket(200, 3), 1500))
    digit = ticks[0].agent_id % DESK
    buys, sells = (np.mean([tick.side == side for tick in ticks], axis=0) for side in (1, 2))
    assert buys[digit == 4].mean() > 2 * buys[digit == 7].mean()
    assert sells[digit == 7].mean() > 2 * sells[digit == 4].mean()


def test_fundamentalists_lean_against_the_gap():
    market = EcologyMarket(300, 4)
    gaps, leaning = [], []
    for tick in islice(market, 6000):
        side = tick.side[group_of(tick.agent_id) == FUNDAMENTALIST]
        climate = market._climate
        gaps.append(climate.value - climate.price)
        leaning.append((side == 1).mean() - (side == 2).mean())
    assert np.corrcoef(gaps, leaning)[0, 1] > 0.7


def test_chartists_herd():
    """A tick's chartists are far more often of one mind than as many coins would be."""
    balances = []
    for tick in islice(EcologyMarket(300, 4), 3000):
        side = tick.side[group_of(tick.agent_id) == CHARTIST]
        count = np.count_nonzero(side)
        balances.append(abs(np.count_nonzero(side == 1) - np.count_nonzero(side == 2)) / count)
    assert np.mean(np.array(balances) > 0.9) > 0.2


def test_desks_trade_among_themselves():
    trades = np.concatenate([tick.matches for tick in islice(EcologyMarket(1000, 5), 300)])
    pairs = trades[trades[:, 1] >= 0] // DESK
    at_desks = (pairs[:, 0] == pairs[:, 1]).mean()
    assert at_desks > 0.2  # by chance, one in a hundred
