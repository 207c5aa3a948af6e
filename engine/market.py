"""The embedded market by default: the "Infinite Game" by its V5 rules."""

from __future__ import annotations

import numpy as np

from marketcam.engine.embedded import EmbeddedMarket
from marketcam.engine.market_kernels import (
    CENTER,
    LIQUIDITY,
    MAX_BUCKETS,
    PRESSURE,
    PRICE,
    PRICE_NORM,
    VOLATILITY,
    advance,
    list_fills,
    median,
    quote,
    settle,
)
from marketcam.engine.market_state import VALUES, SavedMarket
from marketcam.engine.tick import MarketState, Tick

__all__ = ["InfiniteGameMarket"]


class InfiniteGameMarket(EmbeddedMarket):
    """A market that quotes, fills and learns; its arguments are those of `EmbeddedMarket`.

    Tick t with n agents takes 2n + n // 2 numbers from the generator, uniform in 0..1, in one
    piece:

    - n prices, `40000 + 20000 u`;
    - n coins: u < 1/2 buys and the fill draw is 2u, else it sells and the draw is 2u - 1; the
      action fills where the draw is below its probability;
    - n // 2 for pairing filled buys with filled sells, used as far as there are pairs.

    Matches are listed as pairs (buyer, seller), then the buyers and the sellers whom the pool
    filled.

    Cost of a tick: 8 µs and 10 ns an agent, more than half of it random numbers, in the calling
    thread. The first tick of the first market compiles the kernels, for all markets.
    """

    name = "infinite game"
    _per_agent = ("_experience",)

    def _begin(self, agents: int) -> None:
        self._state = np.empty(VALUES)
        self._state[PRICE_NORM] = 0.5
        self._state[VOLATILITY] = 0.3
        self._state[LIQUIDITY] = 0.5
        self._state[PRESSURE] = 0.0
        self._state[PRICE] = CENTER
        self._experience = np.zeros(agents)

    def step(self) -> Tick:
        """Play one tick and return it."""
        t, n, state = self._t, self._agent_id.size, self._state
        self._random.random(out=self._draws)
        price, side, experience = np.empty(n), np.empty(n, dtype=np.int8), np.empty(n)
        mean_experience = np.add.reduce(self._experience) / n
        buys, chaos = quote(self._draws, state, t, mean_experience, price, side, self._decay)
        np.exp(self._decay, out=self._decay)
        settle(self._draws, self._decay, chaos, state, self._experience, experience, self._fill)
        bought, sold = list_fills(self._fill, self._rows)
        matches = self._match(bought, sold, 0 if self._pool_only else min(bought, sold))
        pressure = (buys - (n - buys)) / (n + 1e-6)
        advance(state, self._differences, t, n, pressure, bought + sold)
        tick = Tick(
            t,
            float(median(price, self._counts, self._decay)),
            self._agent_id,
            experience,
            side,
            price,
            matches,
            MarketState(*state[: PRESSURE + 1].tolist()),
        )
        self._experience = experience
        if self._is_time_to_adjust():
            self._adjust_population()
        self._t = t + 1
        return tick

    def state(self) -> SavedMarket:
        """Return what the ticks to come depend on, to `restore`, in 3 µs."""
        return SavedMarket(
            **self._common_state(), values=self._state.copy(), experience=self._experience
        )

    def restore(self, saved: SavedMarket) -> None:
        """Go on as the market did that was saved.

        Raises:
            LimitError: more agents than `max_agents`.
        """
        self._go_back(saved)
        self._state[:] = saved.values
        self._experience = saved.experience

    def _adjust_population(self) -> None:
        n = self._agent_id.size
        mean_experience = np.add.reduce(self._experience) / n
        if mean_experience > (0.25 if n <= 2 else 0.35):
            if self._has_room():
                self._join()
        elif mean_experience < 0.15 and n > 2:
            self._leave(int(np.argmin(self._experience)))

    def _make_room(self) -> None:
        super()._make_room()
        n = self._agent_id.size
        self._decay = np.empty(n)
        self._counts = np.empty(min(n, MAX_BUCKETS), dtype=np.int64)
