import numpy as np

from core_system.players import Player
from core_system.state_engine import StateEngine


class ChaosFactor:
    def __init__(self, calls):
        self.calls = calls

    def update_tick(self, t):
        self.calls.append(("update_tick", t))


class StructureMetrics:
    def __init__(self, calls):
        self.calls = calls

    def update_trajectory(self, point):
        self.calls.append(("update_trajectory", np.array(point)))


class V5MarketSimulator:
    def __init__(self, ticks=1000, adjust_interval=2000, MAX_N=10):
        self.arguments = {"ticks": ticks, "adjust_interval": adjust_interval, "MAX_N": MAX_N}
        self.calls = []
        self.active_players = [Player(i, self.calls) for i in range(3)]
        self.chaos_factor = ChaosFactor(self.calls)
        self.engine = StateEngine(self.calls)
        self.structure_metrics = StructureMetrics(self.calls)

    def sample_matches(self, actions, state):
        self.calls.append(("sample_matches", list(actions), state))
        return [(i, action) for i, action in enumerate(actions) if np.random.rand() < 0.5]  # noqa: NPY002 - as simulators do

    def adjust_participation(self):
        """One joins under an id already taken; every other time the weakest leaves."""
        self.calls.append(("adjust_participation",))
        self.active_players.append(Player(len(self.active_players) - 1, self.calls))
        if len(self.active_players) % 2:
            weakest = min(self.active_players, key=lambda player: player.experience_score)
            self.active_players.remove(weakest)
