"""What a tick of an embedded market is held against: its plain twin's, and its own bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from marketcam.engine.tick import SIDES

if TYPE_CHECKING:
    from marketcam.engine.tick import Tick
    from tests.market_twin import PlainTick

EXACT = 1e-12


def assert_same(tick: Tick, twin: PlainTick) -> None:
    assert tick.t == twin.t
    assert tick.agent_id.tolist() == list(twin.agents)
    assert [tuple(match) for match in tick.matches.tolist()] == twin.matches
    assert [SIDES[side] for side in tick.side] == [side for side, _ in twin.actions.values()]
    np.testing.assert_allclose(
        tick.price, [price for _, price in twin.actions.values()], rtol=EXACT
    )
    np.testing.assert_allclose(tick.experience, list(twin.agents.values()), rtol=EXACT, atol=EXACT)
    np.testing.assert_allclose(tick.state, twin.s, rtol=EXACT, atol=EXACT)
    assert tick.mid == pytest.approx(twin.mid, rel=EXACT)


def digest(tick: Tick) -> tuple[object, ...]:
    arrays = (tick.agent_id, tick.experience, tick.side, tick.price, tick.matches)
    return (tick.t, tick.mid, tick.state, *(array.tobytes() for array in arrays))
