"""The embedded market with groups: makers, fundamentalists, chartists and noise traders."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine import ecology_kernels as kernels
from marketcam.engine.ecology_climate import Climate, Weather
from marketcam.engine.ecology_rules import DESK, MAKER, RESIDENTS, RULES, group_of, traits_of
from marketcam.engine.ecology_state import SavedEcology
from marketcam.engine.embedded import EmbeddedMarket
from marketcam.engine.market_kernels import (
    HIGH,
    LOW,
    list_fills,
    recent_volatility,
)
from marketcam.engine.tick import MarketState, Tick

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EcologyMarket"]

_UNIFORMS: Final = 12
"""Uniform numbers in a shock: their sum has mean 6 and variance 1, and is never beyond 6."""


class EcologyMarket(EmbeddedMarket):
    """A market of four groups; its arguments are those of `EmbeddedMarket`, from 3 agents.

    An agent's group is its number's last digit (`group_of`), its desk the digits before it.
    docs/markets.md has the rules; their numbers are `EcologyRules`.

    Tick t with n agents takes 2n + n // 2 + 24 numbers from the generator, uniform in 0..1, in one
    piece:

    - n for whether an agent quotes, and on which side;
    - n for how far from the price;
    - n // 2 for pairing those who trade with each other, used as far as there are pairs;
    - 12 and 12, whose sums less 6 are the news and the rumour.

    Matches are listed as pairs (buyer, seller), those at desks first, then the buyers and the
    sellers whom the pool filled. An agent's experience is its fitness: 0.5 for one that earned
    nothing, towards 1 and 0 for those that won and lost.

    Cost of a tick: 40 µs and 30 ns an agent, in the calling thread. The first tick of the first
    market compiles the kernels, for all markets.
    """

    name = "ecology"
    least_agents = RESIDENTS
    _per_agent = ("_fitness", "_held")
    _more_draws = 2 * _UNIFORMS

    def _begin(self, agents: int) -> None:
        self._climate = Climate()
        self._fitness = np.zeros(agents)
        self._held = np.zeros(agents, dtype=np.int8)
        self._terms = np.empty(kernels.TERMS)

    def step(self) -> Tick:
        """Play one tick and return it."""
        t, n, climate = self._t, self._agent_id.size, self._climate
        self._random.random(out=self._draws)
        shocks = self._draws[-2 * _UNIFORMS :].tolist()
        news, rumour = (math.fsum(part) - 6.0 for part in (shocks[:_UNIFORMS], shocks[_UNIFORMS:]))
        weather = climate.weather(news, rumour)
        side, price = np.empty(n, dtype=np.int8), np.empty(n)
        self._set_terms(weather)
        kernels.quote(self._terms, self._group, self._trait, self._draws, side, price)
        quotes, mid = self._median(side, price)
        matches, buys, fills = self._trade(side, price, mid)
        self._climate = climate.after(weather.value, mid)
        experience = self._learn(self._climate.change)
        tick = Tick(
            t,
            mid,
            self._agent_id,
            experience,
            side,
            price,
            matches,
            self._market_state(climate, quotes, buys, fills),
        )
        if self._is_time_to_adjust():
            self._adjust_population(experience)
        self._t = t + 1
        return tick

    def state(self) -> SavedEcology:
        """Return what the ticks to come depend on, to `restore`, in 3 µs."""
        return SavedEcology(
            **self._common_state(),
            climate=self._climate,
            fitness=self._fitness,
            held=self._held,
        )

    def restore(self, saved: SavedEcology) -> None:
        """Go on as the market did that was saved.

        Raises:
            LimitError: more agents than `max_agents`.
        """
        self._go_back(saved)
        self._climate = saved.climate
        self._fitness = saved.fitness
        self._held = saved.held

    def _set_terms(self, weather: Weather) -> None:
        terms, unit = self._terms, weather.unit
        terms[kernels.PRICE] = weather.price
        terms[kernels.GAP] = weather.gap
        terms[kernels.BALANCE] = weather.balance
        terms[kernels.FUNDAMENTALISTS] = weather.fundamentalists
        terms[kernels.CHARTISTS] = weather.chartists
        terms[kernels.NOISE_TRADERS] = weather.noise_traders
        terms[kernels.PATIENCE] = RULES.patience
        terms[kernels.MAKER_REACH] = unit * RULES.maker_reach
        terms[kernels.FUNDAMENTALIST_REACH] = unit * RULES.fundamentalist_reach
        terms[kernels.CHARTIST_REACH] = unit * RULES.chartist_reach
        terms[kernels.NOISE_REACH] = unit * RULES.noise_reach
        terms[kernels.TURN] = self._t % 2

    def _median(self, side: NDArray[np.int8], price: NDArray[np.float64]) -> tuple[int, float]:
        """Return the number of quotes and their median, exactly."""
        count = kernels.gather(side, price, self._quoted)
        quoted = self._quoted[:count]
        lower, upper = (count - 1) // 2, count // 2
        quoted.partition((lower, upper))
        return count, 0.5 * float(quoted[lower] + quoted[upper])

    def _trade(
        self, side: NDArray[np.int8], price: NDArray[np.float64], mid: float
    ) -> tuple[NDArray[np.int64], int, int]:
        """Return the matches, the number of buys, and that of quotes that were filled."""
        desk_pairs = kernels.trade_at_desks(
            self._desk, side, price, mid, self._best, self._edge, self._pairs
        )
        buys = kernels.cross(side, price, mid, self._best, self._fill, self._filled)
        if self._pool_only:
            bought, sold = list_fills(self._filled, self._rows)
            return self._match(bought, sold, 0), buys, bought + sold
        bought, sold = list_fills(self._fill, self._rows)
        matches = self._match(bought, sold, min(bought, sold), desk_pairs)
        matches[:desk_pairs] = self._agent_id[self._pairs[:desk_pairs]]
        return matches, buys, bought + sold + 2 * desk_pairs

    def _learn(self, change: float) -> NDArray[np.float64]:
        """Settle what the tick earned; return the experiences."""
        # New arrays: what was saved keeps its own.
        fitness = np.empty(self._fitness.size)
        keep = 1.0 - RULES.forgetting
        kernels.learn(change, keep, self._fitness, self._edge, self._held, fitness)
        self._fitness = fitness
        self._held = np.where(self._filled, self._filled, self._held)
        return 0.5 + 0.5 * fitness / (RULES.fitness_scale + np.abs(fitness))

    def _market_state(self, before: Climate, quotes: int, buys: int, fills: int) -> MarketState:
        price_norm, last = ((c.price - LOW) / (HIGH - LOW) for c in (self._climate, before))
        return MarketState(
            price_norm=price_norm,
            volatility=float(recent_volatility(self._differences, self._t, price_norm - last)),
            liquidity=fills / quotes,
            imbalance=(2 * buys - quotes) / quotes,
        )

    def _adjust_population(self, experience: NDArray[np.float64]) -> None:
        mean = np.add.reduce(experience) / experience.size
        if mean > RULES.join_above:
            if self._has_room():
                self._join()
        elif mean < RULES.leave_below and experience.size > RESIDENTS:
            self._leave(RESIDENTS + int(np.argmin(experience[RESIDENTS:])))

    def _make_room(self) -> None:
        super()._make_room()
        n = self._agent_id.size
        self._group = group_of(self._agent_id)
        self._trait = traits_of(self._agent_id)
        self._desk = _desks(self._agent_id, self._group)
        self._quoted = np.empty(n)
        self._edge = np.empty(n)
        self._best = np.empty(n, dtype=np.int64)
        self._filled = np.empty(n, dtype=np.int8)
        self._pairs = np.empty((n // 2 + 1, 2), dtype=np.int64)


def _desks(agent_id: NDArray[np.int64], group: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the row of every agent's maker, -1 where it has left; ids are ascending."""
    makers = np.flatnonzero(group == MAKER)
    place = np.searchsorted(agent_id[makers], agent_id // DESK * DESK)
    row = makers[np.minimum(place, makers.size - 1)]
    return np.where(agent_id[row] == agent_id // DESK * DESK, row, -1)
