from dataclasses import dataclass

import numpy as np


@dataclass
class MarketState:
    price_norm: float
    volatility: float
    liquidity: float
    imbalance: float
    complexity: float


class StateEngine:
    def __init__(self, calls):
        self.calls = calls
        self.price = 50000.0
        self.history = []

    def update(self, state, actions, matched_actions):
        self.calls.append(("engine.update", state, len(actions), list(matched_actions)))
        buys = sum(a.side == "buy" for a in actions)
        pressure = (2 * buys - len(actions)) / (len(actions) + 1e-6)
        self.price = float(np.clip(self.price * (1 + 0.0005 * pressure), 40000, 60000))
        self.history.append((self.price - 40000) / 20000)
        recent = np.diff(self.history[-20:])
        return MarketState(
            price_norm=self.history[-1],
            volatility=float(np.std(recent)) if len(recent) else 0.3,
            liquidity=len(matched_actions) / len(actions),
            imbalance=0.5 + 0.5 * pressure,
            complexity=0.5,
        )
