"""An unmodified simulator as a source: its own classes play, the camera watches."""

from __future__ import annotations

import math
import operator
import weakref
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine import MAX_ID, POOL, MarketState, Tick
from marketcam.engine.embedded import MAX_SEED
from marketcam.engine.limits import whole_number
from marketcam.io.sources.errors import SimulatorError, on_one_line
from marketcam.io.sources.own_random import OwnRandom
from marketcam.io.sources.simulator_class import SimulatorClass

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["SimulatorSource"]

_FIRST_STATE: Final = (0.5, 0.3, 0.5, 0.5, 0.5)
"""price_norm, volatility, liquidity, imbalance (here 0..1), complexity."""

_PARTS: Final = (
    "active_players",
    "chaos_factor.update_tick",
    "sample_matches",
    "engine.update",
    "structure_metrics.update_trajectory",
    "adjust_participation",
)


class SimulatorSource:
    """Drives the user's simulator class, tick by tick, and reports what it did.

    The class is made as ``Class(ticks=1, adjust_interval=…, MAX_N=None)``. In a tick: update_tick,
    decide, sample_matches, update_experience, engine.update, update_trajectory, and every adjust
    interval (t > 0) adjust_participation. All fills are with the pool.

    Players are told apart as objects, whatever their `.id`; each is given the next unused number
    when first seen.

    What it draws from `random` and `numpy.random`, seeded before the class is made, depends on
    the seed alone: its states of them are put in while its code runs, and the process's own after
    it. A thread that draws from them in the middle of a step does change the run; whatever is
    drawn between two steps does not.

    Args:
        simulator: ``"module:Class"``, such as ``"core_system.main:V5MarketSimulator"``.
        path: folder that holds the module; None where it is installed.
        seed: 0..2³² - 1.
        adjust_interval: ticks between population adjustments, from 1.

    Raises:
        LimitError: seed or interval out of its range.
        SimulatorError: the class cannot be found or made, or lacks a part that is needed.

    Cost of a tick: what the simulator takes, 0.2 ms for the states of the random generators, and
    2 µs a player.
    """

    def __init__(
        self,
        simulator: str,
        path: str | os.PathLike[str] | None = None,
        *,
        seed: int = 0,
        adjust_interval: int = 2000,
    ) -> None:
        seed = whole_number("seed", seed, 0, MAX_SEED)
        adjust_interval = whole_number("adjust_interval", adjust_interval, 1, MAX_ID)
        self.name = f"simulator {simulator}"
        self.place = ""
        self._adjust_interval = adjust_interval
        self._t = 0
        self._numbers = _PlayerNumbers()
        self._closed = False
        self._doing = ""
        found = SimulatorClass(simulator, path)
        self._random = OwnRandom(seed)
        with found.importable():
            with OwnRandom(seed).in_place():  # for what its modules draw, or seed, when imported
                make, make_state = found.load()
            with self._random.in_place():
                try:
                    self._simulator = make(ticks=1, adjust_interval=adjust_interval, MAX_N=None)
                    self._state = make_state(*_FIRST_STATE)
                except (Exception, SystemExit) as error:
                    problem = f"cannot be made: {on_one_line(error)}"
                    raise SimulatorError(f"{self.name} {problem}") from error
                self._check_parts()

    def __iter__(self) -> Iterator[Tick]:
        """Yield ticks until the source is closed.

        Raises:
            SimulatorError: the simulator failed or answered what it must not; names the tick.
        """
        while not self._closed:
            yield self.step()

    def close(self) -> None:
        """End the iteration before its next tick; safe to call from another thread."""
        self._closed = True

    def step(self) -> Tick:
        """Play one tick and return it; errors as in the iteration."""
        try:
            with self._random.in_place():
                tick = self._play(self._t)
        except SimulatorError:
            raise
        except (Exception, SystemExit) as error:
            problem = f"{self._doing} failed: {on_one_line(error)}"
            raise SimulatorError(f"{self.name}: tick {self._t}: {problem}") from error
        self._t += 1
        return tick

    def _play(self, t: int) -> Tick:
        simulator, state = self._simulator, self._state
        self._doing = "chaos_factor.update_tick"
        simulator.chaos_factor.update_tick(t)
        self._doing = "active_players"
        players = list(simulator.active_players)
        numbers = self._numbered(players)
        self._doing = "decide_action"
        actions = [player.decide_action(state) for player in players]
        self._doing = "sample_matches"
        matched = list(simulator.sample_matches(actions, state))
        filled = self._filled(matched, len(actions))
        self._doing = "update_experience"
        is_filled = np.zeros(len(players), dtype=np.bool_)
        is_filled[filled] = True
        for player, matched_it in zip(players, is_filled.tolist(), strict=True):
            player.update_experience(matched_it, state)
        self._doing = "engine.update"
        self._state = simulator.engine.update(state, actions, [action for _, action in matched])
        self._doing = "reading what was played"
        tick = self._tick(numbers, players, actions, filled)
        self._doing = "structure_metrics.update_trajectory"
        simulator.structure_metrics.update_trajectory(self._trajectory_point())
        if t > 0 and t % self._adjust_interval == 0:
            self._doing = "adjust_participation"
            simulator.adjust_participation()
        return tick

    def _tick(
        self,
        numbers: list[int],
        players: Sequence[Any],
        actions: Sequence[Any],
        filled: Sequence[int],
    ) -> Tick:
        rows = list(zip(numbers, players, actions, strict=True))
        price = np.array([self._number(action.price, "price", n) for n, _, action in rows])
        agent_id = np.array(numbers, dtype=np.int64)
        matches = np.full((len(filled), 2), POOL, dtype=np.int64)
        matches[:, 0] = agent_id[np.array(filled, dtype=np.int64)]
        return Tick(
            self._t,
            float(np.median(price)) if price.size else None,
            agent_id,
            np.array([self._experience(player, n) for n, player, _ in rows], dtype=np.float64),
            np.array([self._side(action.side, n) for n, _, action in rows], dtype=np.int8),
            price,
            matches,
            self._reported_state(),
        )

    def _numbered(self, players: Sequence[Any]) -> list[int]:
        numbers = [self._numbers.of(player) for player in players]
        if len(set(numbers)) < len(numbers):
            raise self._refusal("active_players must hold each player once", None, numbers)
        return numbers

    def _filled(self, matched: Sequence[Any], actions: int) -> list[int]:
        """Return the rows of the filled actions, in the simulator's order."""
        filled = [operator.index(row) for row, _ in matched]
        for row in filled:
            if not 0 <= row < actions:
                raise self._refusal(f"sample_matches must index {actions} actions", None, row)
        return filled

    def _side(self, side: object, player: int) -> int:
        if side == "buy":
            return 1
        if side == "sell":
            return 2
        raise self._refusal("side must be 'buy' or 'sell'", player, side)

    def _experience(self, player: Any, number: int) -> float:
        score = player.experience_score
        return math.nan if score is None else self._number(score, "experience_score", number)

    def _number(self, value: object, field: str, player: int | None = None) -> float:
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise self._refusal(f"{field} must be a finite number", player, value)
        return float(value)

    def _refusal(self, rule: str, player: int | None, value: object) -> SimulatorError:
        place = f"tick {self._t}" if player is None else f"tick {self._t}, player {player}"
        return SimulatorError(f"{self.name}: {place}: {rule}, got {value!r:.120}")

    def _reported_state(self) -> MarketState:
        state = [
            self._number(getattr(self._state, name), f"state {name}")
            for name in MarketState._fields
        ]
        return MarketState(*state)._replace(imbalance=2.0 * state[3] - 1.0)

    def _trajectory_point(self) -> NDArray[np.float64]:
        return np.array([float(getattr(self._state, name)) for name in MarketState._fields])

    def _check_parts(self) -> None:
        for part in _PARTS:
            try:
                operator.attrgetter(part)(self._simulator)
            except AttributeError as error:
                raise SimulatorError(f"{self.name} has no {part}") from error


class _PlayerNumbers:
    """Numbers for objects, by identity and for as long as they live."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, object]] = {}
        self._next = 0

    def of(self, player: object) -> int:
        """Return the player's number, the next unused one if it was never seen."""
        key = id(player)
        if key not in self._known:
            self._known[key] = (self._next, self._tied_to(player, key))
            self._next += 1
        return self._known[key][0]

    def _tied_to(self, player: object, key: int) -> object:
        # The entry goes with its player, before another object can have the same id().
        try:
            return weakref.ref(player, lambda _: self._known.pop(key, None))
        except TypeError:  # of a class that allows no weak references: kept alive instead
            return player
