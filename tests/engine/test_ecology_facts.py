"""The ecology's returns have the stylized facts that docs/markets.md claims, and V5's do not.

Claimed from 100 agents on, over 10,000 ticks; thresholds leave room for the seeds that were not
tried. `python -m benchmarks.stylized_facts` prints the figures.
"""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.stylized_facts import (
    autocorrelation,
    excess_kurtosis,
    facts_of,
    market_returns,
    tail_index,
)
from marketcam.engine import film
from marketcam.engine.ecology import EcologyMarket
from tests.conftest import INTERPRETED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.scenarios import Scenario

pytestmark = pytest.mark.skipif(INTERPRETED, reason="minutes, and no other numbers")

TICKS = 10_000
MARKETS = [(100, 0), (100, 1), (100, 2), (500, 0), (500, 1), (500, 2), (2000, 0)]


@cache
def returns_of(agents: int, seed: int, scenario: Scenario = "ecology") -> NDArray[np.float64]:
    return market_returns(scenario, agents, seed, TICKS)


@pytest.mark.parametrize(("agents", "seed"), MARKETS)
def test_tails_are_fat(agents, seed):
    returns = returns_of(agents, seed)
    assert excess_kurtosis(returns) > 2
    assert 2 < tail_index(returns) < 5  # the range that Cont gives for returns


@pytest.mark.parametrize(("agents", "seed"), MARKETS)
def test_returns_are_hardly_correlated(agents, seed):
    assert np.abs(autocorrelation(returns_of(agents, seed), range(1, 21))).max() < 0.07


@pytest.mark.parametrize(("agents", "seed"), MARKETS)
def test_volatility_clusters_and_forgets_slowly(agents, seed):
    absolute = np.abs(returns_of(agents, seed))
    noise = 2 / np.sqrt(TICKS)  # where the autocorrelation of independent numbers mostly stays
    correlation = autocorrelation(absolute, range(1, 301))
    assert (correlation[:50] > noise).all()
    assert correlation[:10].mean() > correlation[40:60].mean() > correlation[200:].mean()
    shuffled = np.random.default_rng(0).permutation(absolute)
    assert np.abs(autocorrelation(shuffled, range(1, 51))).mean() < noise


def test_the_measures_know_independent_normal_returns():
    facts = facts_of(np.random.default_rng(1).standard_normal(50_000))
    assert abs(facts.kurtosis) < 0.1
    assert facts.tail > 5.5
    assert abs(facts.returns) < 0.02
    assert abs(facts.clustering_10) < 0.02


def test_hills_estimate_of_a_power_law_is_its_exponent():
    draws = np.random.default_rng(2).pareto(3.0, 200_000) + 1
    assert tail_index(draws) == pytest.approx(3, rel=0.03)


def test_v5_has_none_of_it():
    facts = facts_of(returns_of(100, 0, "v5"))
    assert abs(facts.kurtosis) < 0.3
    assert facts.returns < -0.4  # its mid is another draw each tick
    assert abs(facts.clustering_50) < 0.05


def test_shocks_and_bursts_happen_by_themselves():
    ticks = islice(EcologyMarket(500, 1), TICKS)
    shocks: set[int] = set()
    bursts: set[int] = set()
    for frame in film(ticks, W=300, stride=150, edge_cap=0):
        events = frame.to_dict()["events"]
        shocks |= {event["t"] for event in events["shocks"]}
        bursts |= {event["t"] for event in events["bursts"]}
    assert 10 < len(shocks) < TICKS / 50
    assert 3 < len(bursts) < TICKS / 50
