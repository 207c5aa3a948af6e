"""Film PAMS, the Platform for Artificial Market Simulations: a limit order book and its traders.

A hundred FCN agents (fundamentalists, chartists and noise in different shares, after Chiarella and
Iori, 2002) place limit orders in a continuous double auction, some of them each step. PAMS is used
as it is: it takes a logger, and this one publishes a raw tick at the end of each step.

    pip install marketcam scipy tqdm && pip install --no-deps pams
    IG_INGEST_TOKEN=… marketcam serve
    IG_INGEST_TOKEN=… python pams_market.py http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any

from pams.logs import (
    ExecutionLog,
    Log,
    Logger,
    MarketStepBeginLog,
    MarketStepEndLog,
    OrderLog,
)
from pams.runners import SequentialRunner

from marketcam.io import TickPublisher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pams import Market, Simulator


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the simulation, filmed."""
    options = _parser().parse_args(arguments)
    # PAMS rounds prices to the market's ticks, which is meant here, and warns of it.
    warnings.filterwarnings("ignore", message="order price does not accord to the tick size")
    with TickPublisher(options.url, source="pams") as publisher:
        runner = SequentialRunner(
            settings=settings_of(options.agents, options.orders, options.ticks),
            prng=random.Random(options.seed),
            logger=CameraLogger(publisher),
        )
        runner.main()
    print(f"published {publisher.taken} ticks")


class CameraLogger(Logger):
    """Publishes what happens in one market, a raw tick a step.

    Args:
        publisher: where ticks go.
        market_id: which of the simulation's markets.
    """

    def __init__(self, publisher: TickPublisher, market_id: int = 0) -> None:
        super().__init__()
        self.publisher = publisher
        self.market_id = market_id
        self.quotes: dict[int, OrderLog] = {}
        self.matches: list[list[int]] = []
        self.worth_at_start: dict[int, float] = {}
        self.returns: deque[float] = deque(maxlen=20)

    def write(self, log: Log) -> None:
        """Process a log at once; PAMS would keep it until the end of the session."""
        self.process([log])

    def process_market_step_begin_log(self, log: MarketStepBeginLog) -> None:
        """Begin a tick."""
        if log.market.market_id == self.market_id:
            self.quotes.clear()
            self.matches.clear()

    def process_order_log(self, log: OrderLog) -> None:
        """Note an order; a tick has one quote an agent, its last."""
        if log.market_id == self.market_id:
            self.quotes[log.agent_id] = log

    def process_execution_log(self, log: ExecutionLog) -> None:
        """Note a trade. A trader that meets its own resting order trades with nobody."""
        if log.market_id == self.market_id and log.buy_agent_id != log.sell_agent_id:
            self.matches.append([log.buy_agent_id, log.sell_agent_id])

    def process_market_step_end_log(self, log: MarketStepEndLog) -> None:
        """Publish the tick."""
        market = log.market
        if market.market_id != self.market_id:
            return
        self.publisher.publish(
            {
                "t": market.get_time(),
                "mid": market.get_mid_price(),
                "agents": self.experiences(log.simulator, market),
                "actions": {i: action_of(order, market) for i, order in self.quotes.items()},
                "matches": self.matches,
                "s": self.state(market),
            }
        )

    def experiences(self, simulator: Simulator, market: Market) -> dict[int, float]:
        """Return what each agent has gained since the start, as a share of what it had."""
        price = market.get_market_price()
        gains = {}
        for agent in simulator.agents:
            worth = agent.cash_amount + agent.get_asset_volume(self.market_id) * price
            at_start = self.worth_at_start.setdefault(agent.agent_id, worth)
            gains[agent.agent_id] = worth / at_start - 1 if at_start else 0.0
        return gains

    def state(self, market: Market) -> dict[str, float]:
        """Return the market's state; the price is 0.5 where it is the fundamental one."""
        now, price = market.get_time(), market.get_market_price()
        if now:
            self.returns.append(math.log(price / market.get_market_price(now - 1)))
        volatility = statistics.pstdev(self.returns) * math.sqrt(20) if self.returns else 0.0
        orders = len(self.quotes)
        buys = sum(order.is_buy for order in self.quotes.values())
        return {
            "price_norm": price / (price + market.get_fundamental_price()),
            "volatility": min(volatility, 1.0),
            "liquidity": min(len(self.matches) / max(orders, 1), 1.0),
            "imbalance": (2 * buys - orders) / max(orders, 1),
        }


def action_of(order: OrderLog, market: Market) -> dict[str, Any]:
    """Return an order as a quote; a market order is one at the market's price."""
    price = market.get_market_price() if order.price is None else order.price
    return {"side": "buy" if order.is_buy else "sell", "price": price, "size": order.volume}


def settings_of(agents: int, orders: int, ticks: int) -> dict[str, Any]:
    """Return a simulation as PAMS wants it: a book that fills for 50 steps, then trading."""
    session = {"withOrderPlacement": True, "withPrint": False, "maxNormalOrders": orders}
    filling = min(50, ticks // 2)
    return {
        "simulation": {
            "markets": ["Market"],
            "agents": ["FCNAgents"],
            "sessions": [
                session
                | {"sessionName": 0, "iterationSteps": filling, "withOrderExecution": False},
                session
                | {"sessionName": 1, "iterationSteps": ticks - filling, "withOrderExecution": True},
            ],
        },
        "Market": {"class": "Market", "tickSize": 0.00001, "marketPrice": 300.0},
        "FCNAgents": {
            "class": "FCNAgent",
            "numAgents": agents,
            "markets": ["Market"],
            "assetVolume": 50,
            "cashAmount": 10_000,
            "fundamentalWeight": {"expon": [1.0]},
            "chartWeight": {"expon": [0.2]},
            "noiseWeight": {"expon": [1.0]},
            "meanReversionTime": {"uniform": [50, 100]},
            "noiseScale": 0.001,
            "timeWindowSize": [100, 200],
            "orderMargin": [0.0, 0.1],
        },
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="the camera's address; its token is in IG_INGEST_TOKEN")
    parser.add_argument("--ticks", type=int, default=2000, help="steps (%(default)s)")
    parser.add_argument("--agents", type=int, default=100, help="traders (%(default)s)")
    parser.add_argument("--orders", type=int, default=10, help="traders a step (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (%(default)s)")
    return parser


if __name__ == "__main__":
    main()
