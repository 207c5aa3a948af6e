"""What all agents of the ecology see alike, and how it moves on from tick to tick.

A few numbers a tick, in plain Python; what is done for every agent is in `ecology_kernels`.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.ecology_rules import RULES
from marketcam.engine.market_kernels import CENTER, HIGH, LOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Climate", "Weather"]


@dataclass(frozen=True, slots=True)
class Weather:
    """What the agents act on in a tick.

    Attributes:
        price: where it is expected now that the news are known.
        value: the fundamental one.
        gap: from the price to the value, as a share of the price.
        unit: that distances of quotes are counted in, a share of the price.
        balance: of the chartists, −1 all sell, 1 all buy.
        fundamentalists: share of them who quote.
        chartists: share of them who quote.
        noise_traders: share of them who quote.
    """

    price: float
    value: float
    gap: float
    unit: float
    balance: float
    fundamentalists: float
    chartists: float
    noise_traders: float


@dataclass(frozen=True, slots=True)
class Climate:
    """The state of the market between two ticks.

    Attributes:
        price: the last mid, within the range of prices.
        value: the fundamental one.
        change: the last return.
        trend: mean return of late.
        turbulence: mean absolute return of late.
        chartism: how much of the opinion is the chartists', 0..1.
    """

    price: float = CENTER
    value: float = CENTER
    change: float = 0.0
    trend: float = 0.0
    turbulence: float = RULES.spread
    chartism: float = 0.3

    def weather(self, news: float, rumour: float) -> Weather:
        """Return what the news and the rumour of a tick, two standard normals, make of it."""
        grown = 1.0 + RULES.news * news
        value = self.value * grown
        value += RULES.anchor * (CENTER - value)
        price = self.price * grown
        surprise = min(abs(self.change) / (RULES.striking * self.turbulence), 1.0)
        idle = 1.0 - surprise * surprise
        roused = RULES.idle_chartists + RULES.roused_chartists * self.chartism
        strength = RULES.trend_weight * self.trend / self.turbulence
        trend = _clip(strength, -RULES.most_trend, RULES.most_trend)
        return Weather(
            price=price,
            value=value,
            gap=(value - price) / price,
            unit=RULES.spread + RULES.caution * self.turbulence,
            balance=_clip(trend + RULES.rumour * rumour, -1.0, 1.0),
            fundamentalists=RULES.watchful + RULES.drawn_out * (1.0 - self.chartism),
            chartists=1.0 - idle * (1.0 - roused),
            noise_traders=1.0 - idle * (1.0 - RULES.noise_share),
        )

    def after(self, value: float, mid: float) -> Climate:
        """Return the climate after a tick with this value and mid."""
        price = _clip(mid, LOW, HIGH)
        change = (price - self.price) / self.price
        gap = (value - price) / price / RULES.misalignment
        majority = 2.0 * self.chartism - 1.0
        appeal = RULES.predisposition + RULES.herding * majority - gap * gap
        return Climate(
            price=price,
            value=value,
            change=change,
            trend=self.trend + RULES.trend_memory * (change - self.trend),
            turbulence=self.turbulence + RULES.turbulence_memory * (abs(change) - self.turbulence),
            chartism=self.chartism + RULES.inertia * (_logistic(appeal) - self.chartism),
        )

    def to_array(self) -> NDArray[np.float64]:
        """Return it as float64[6]."""
        return np.array(astuple(self))


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _logistic(appeal: float) -> float:
    # However far price and value are apart: exp(700) is a float, exp(710) is none.
    return 1.0 / (1.0 + math.exp(min(-appeal, 700.0)))
