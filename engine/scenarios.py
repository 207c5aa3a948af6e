"""The embedded markets by name: what makes them, and what reads what they saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.ecology_state import SavedEcology
from marketcam.engine.market import InfiniteGameMarket
from marketcam.engine.market_state import SavedMarket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketcam.engine.embedded import EmbeddedMarket
    from marketcam.engine.saved_state import SavedState

__all__ = ["Scenario", "market_of", "saved_market"]

Scenario = Literal["v5", "ecology"]

_MARKETS: Final[Mapping[Scenario, type[EmbeddedMarket]]] = {
    "v5": InfiniteGameMarket,
    "ecology": EcologyMarket,
}
_SAVED: Final[Mapping[Scenario, type[SavedState]]] = {
    "v5": SavedMarket,
    "ecology": SavedEcology,
}


def market_of(scenario: Scenario, **arguments: Any) -> EmbeddedMarket:
    """Return the market of a scenario, with the arguments of `EmbeddedMarket`.

    Raises:
        LimitError: an argument is out of its range.
    """
    return _MARKETS[scenario](**arguments)


def saved_market(scenario: Scenario, saved: Mapping[str, Any]) -> SavedState:
    """Read what the state of a market of this scenario was saved as.

    Raises:
        LimitError: a field is missing or is not what it must be; names it.
    """
    return _SAVED[scenario].from_dict(saved)
