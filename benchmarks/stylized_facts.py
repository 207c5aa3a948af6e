"""Which of the stylized facts of asset returns do the embedded markets show?

::

    python -m benchmarks.stylized_facts
    python -m benchmarks.stylized_facts --scenario ecology --agents 100 --seeds 0 1 2 --ticks 50000

One row a market, its figures the least and the most over the seeds. Returns are those of the mid,
`ln(mid_t / mid_{t-1})`. The facts are those of R. Cont, "Empirical properties of asset returns:
stylized facts and statistical issues", Quantitative Finance 1 (2001).
"""

from __future__ import annotations

import argparse
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from marketcam.engine.scenarios import Scenario, market_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Facts",
    "autocorrelation",
    "excess_kurtosis",
    "facts_of",
    "market_returns",
    "tail_index",
]

SETTLING: Final = 500
"""Ticks at the beginning that are left out: all markets begin at their center, and calm."""

_HEAD: Final = (
    "| scenario | agents | excess kurtosis | tail index | return, largest lag of 1–20 |"
    " absolute return, lag 1 | 10 | 50 | 100 | 200 |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is measured of a series of returns.

    Attributes:
        kurtosis: excess kurtosis, 0 for normal returns.
        tail: tail index of the largest twentieth of absolute returns.
        returns: autocorrelation of returns, the furthest from 0 of the lags 1 to 20.
        clustering_1, clustering_10, clustering_50, clustering_100, clustering_200: autocorrelation
            of absolute returns, by lag.
    """

    kurtosis: float
    tail: float
    returns: float
    clustering_1: float
    clustering_10: float
    clustering_50: float
    clustering_100: float
    clustering_200: float


def market_returns(scenario: Scenario, agents: int, seed: int, ticks: int) -> NDArray[np.float64]:
    """Return the returns of so many ticks after the market has settled; its population stays."""
    market = market_of(scenario, agents=agents, seed=seed, adjust_interval=2**53 - 1)
    mids = np.array([market.step().mid for _ in range(SETTLING + ticks + 1)])
    return np.diff(np.log(mids[SETTLING:]))


def excess_kurtosis(returns: NDArray[np.float64]) -> float:
    """Return the fourth moment about the mean, over the squared variance, less 3."""
    off = returns - returns.mean()
    return float((off**4).mean() / (off**2).mean() ** 2 - 3.0)


def tail_index(returns: NDArray[np.float64], share: float = 0.05) -> float:
    """Return Hill's estimate of the exponent by which the largest absolute returns fall off."""
    largest = np.sort(np.abs(returns))[::-1][: int(share * returns.size) + 1]
    return float(1.0 / np.log(largest[:-1] / largest[-1]).mean())


def autocorrelation(series: NDArray[np.float64], lags: Sequence[int]) -> NDArray[np.float64]:
    """Return the sample autocorrelation at lags from 1."""
    off = series - series.mean()
    return np.array([(off[lag:] * off[:-lag]).sum() for lag in lags]) / (off * off).sum()


def facts_of(returns: NDArray[np.float64]) -> Facts:
    """Measure a series of returns."""
    linear = autocorrelation(returns, range(1, 21))
    clustering = autocorrelation(np.abs(returns), (1, 10, 50, 100, 200))
    return Facts(
        excess_kurtosis(returns),
        tail_index(returns),
        float(linear[np.abs(linear).argmax()]),
        *clustering.tolist(),
    )


def _row(scenario: Scenario, agents: int, found: list[Facts]) -> str:
    spans = zip(*map(astuple, found), strict=True)
    digits = (1, 1, *[3] * 6)
    cells = [f"{min(s):.{d}f} to {max(s):.{d}f}" for s, d in zip(spans, digits, strict=True)]
    return f"| `{scenario}` | {agents:,} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--scenario", choices=get_args(Scenario), nargs="+", default=["v5", "ecology"]
    )
    parser.add_argument("--agents", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--ticks", type=int, default=20_000)
    options = parser.parse_args()
    print(_HEAD)
    for scenario in options.scenario:
        for agents in options.agents:
            found = [
                facts_of(market_returns(scenario, agents, seed, options.ticks))
                for seed in options.seeds
            ]
            print(_row(scenario, agents, found), flush=True)


if __name__ == "__main__":
    main()
