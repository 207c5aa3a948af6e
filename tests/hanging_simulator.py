"""A simulator that hangs within its first tick, as others' code may."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_STATE_ENGINE = """
class MarketState:
    def __init__(self, price_norm, volatility, liquidity, imbalance, complexity):
        self.price_norm, self.volatility, self.liquidity = price_norm, volatility, liquidity
        self.imbalance, self.complexity = imbalance, complexity
"""

_SIMULATOR = """
import sys, threading

class Nothing:
    def update_tick(self, t):
        print("simulator hangs", file=sys.stderr, flush=True)
        threading.Event().wait()
    def update_trajectory(self, point): pass
    def update(self, state, actions, matched): return state

class Simulator:
    def __init__(self, ticks, adjust_interval, MAX_N):
        self.active_players = []
        self.chaos_factor = self.engine = self.structure_metrics = Nothing()
    def sample_matches(self, actions, state): return []
    def adjust_participation(self): pass
"""


def hanging_simulator(folder: Path) -> tuple[str, ...]:
    """Write it into a folder; return the flags that have it filmed."""
    (folder / "state_engine.py").write_text(_STATE_ENGINE)
    (folder / "hanging.py").write_text(_SIMULATOR)
    return ("--simulator", "hanging:Simulator", "--simulator-path", str(folder))
