import random
from dataclasses import dataclass


@dataclass
class Action:
    price: float
    side: str
    qty: float


class Player:
    def __init__(self, player_id, calls):
        self.id = player_id
        self.experience_score = 0.0
        self.calls = calls

    def decide_action(self, state):
        self.calls.append(("decide_action", self, state))
        return Action(random.uniform(40000, 60000), random.choice(["buy", "sell"]), 1.0)

    def update_experience(self, matched, state):
        self.calls.append(("update_experience", self, matched, state))
        self.experience_score = 0.9 * self.experience_score + (0.1 if matched else -0.03)
