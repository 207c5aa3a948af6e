"""Film a market written with Mesa: the Sugarscape with trade that Mesa itself brings, as it is.

Traders live on sugar and spice, wander, eat, trade with whom they meet where both gain, and starve
(Epstein and Axtell, Growing Artificial Societies, 1996). Nothing of the model is changed: after
each step this reads its agents and publishes one raw tick.

    pip install marketcam mesa networkx
    IG_INGEST_TOKEN=… marketcam serve --w 50 --stride 5 --prox-eps-pct 0.05
    IG_INGEST_TOKEN=… python mesa_market.py http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import math
import statistics
from typing import TYPE_CHECKING, Any

from mesa.examples.advanced.sugarscape_g1mt.model import SugarscapeG1mt

from marketcam.io import TickPublisher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesa.examples.advanced.sugarscape_g1mt.agents import Trader


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the model and publish each of its steps."""
    options = _parser().parse_args(arguments)
    model = SugarscapeG1mt(initial_population=options.agents, seed=options.seed)
    with TickPublisher(options.url, source="mesa-sugarscape") as publisher:
        for _ in range(options.ticks):
            model.step()
            publisher.publish(raw_tick(model))
    print(f"published {publisher.taken} ticks, {len(model.agents)} traders are alive")


def raw_tick(model: SugarscapeG1mt) -> dict[str, Any]:
    """Return the model's last step as a raw tick; sugar is the good, spice the money.

    An agent's quote is its marginal rate of substitution, the price at which it neither buys nor
    sells: one to whom sugar is worth more than to the others buys. Its experience is its welfare.
    """
    traders = list(model.agents)
    trades = [price for trader in traders for price in trader.prices]
    mid = statistics.median(trades) if trades else None
    return {
        "t": model.steps,
        "mid": mid,
        "agents": {t.unique_id: t.calculate_welfare(t.sugar, t.spice) for t in traders},
        "actions": {t.unique_id: quote_of(t, mid) for t in traders},
        "matches": [[t.unique_id, partner] for t in traders for partner in t.trade_partners],
        "s": state_of(traders, trades),
    }


def quote_of(trader: Trader, mid: float | None) -> dict[str, Any]:
    """Return what a trader would do at the market's price."""
    price = trader.calculate_MRS(trader.sugar, trader.spice)
    if mid is None or price == mid:
        return {"side": "none"}
    return {"side": "buy" if price > mid else "sell", "price": price}


def state_of(traders: list[Trader], trades: list[float]) -> dict[str, float]:
    """Return the market's state: what it pays, how much prices differ, who trades, who wants to."""
    price = statistics.median(trades) if trades else 1.0
    spread = statistics.pstdev(map(math.log, trades)) if trades else 0.0
    rates = [trader.calculate_MRS(trader.sugar, trader.spice) for trader in traders]
    buyers, sellers = sum(rate > price for rate in rates), sum(rate < price for rate in rates)
    trading = {partner for trader in traders for partner in trader.trade_partners}
    trading |= {trader.unique_id for trader in traders if trader.trade_partners}
    return {
        "price_norm": price / (1 + price),
        "volatility": min(spread, 1.0),
        "liquidity": len(trading) / max(len(traders), 1),
        "imbalance": (buyers - sellers) / max(buyers + sellers, 1),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="the camera's address; its token is in IG_INGEST_TOKEN")
    parser.add_argument("--ticks", type=int, default=2000, help="steps of the model (%(default)s)")
    parser.add_argument(
        "--agents", type=int, default=200, help="traders to begin with (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (%(default)s)")
    return parser


if __name__ == "__main__":
    main()
