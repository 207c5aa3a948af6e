"""An ecology that was saved and restored against one that was never stopped."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.ecology_state import SavedEcology
from marketcam.engine.errors import LimitError

pytestmark = pytest.mark.kernel


def spoiled(**fields: object) -> dict[str, object]:
    return EcologyMarket(3, 0).state().to_dict() | fields


def numbers(*values: float, form: str = "<f8") -> str:
    return base64.b64encode(np.array(values, dtype=form).tobytes()).decode()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"t": -1}, "t must be a whole number"),
        ({"generator": None}, "generator must be the state of a PCG64, got None"),
        ({"newcomer": 2}, "agent_id must be ascending numbers from 0 to below newcomer"),
        (
            {"agent_id": numbers(0, 1, 3, form="<i8"), "newcomer": 4},
            "agent_id must begin with 0, 1 and 2, who never leave",
        ),
        ({"fitness": numbers(0.5)}, "fitness must be base64 of 3 numbers <f8"),
        ({"fitness": numbers(0.5, np.nan, 0.1)}, "fitness must hold finite numbers only"),
        ({"held": numbers(0, 3, 1, form="|i1")}, "held must hold 0, 1 and 2 only"),
        ({"held": numbers(0, 1, form="|i1")}, "held must be base64 of 3 numbers |i1"),
        ({"differences": numbers(*range(18))}, "differences must be base64 of 19 numbers"),
        ({"climate": numbers(5e4, 5e4, 0, 0, 1e-4)}, "climate must be base64 of 6 numbers"),
        (
            {"climate": numbers(7e4, 5e4, 0, 0, 1e-4, 0.5)},
            "climate must have a price of 40000 to 60000 and a turbulence above 0, got 70000",
        ),
        ({"climate": numbers(5e4, 5e4, 0, 0, 0, 0.5)}, "and a turbulence above 0, got 50000 and 0"),
    ],
)
def test_what_cannot_be_a_market_is_refused_by_name(fields, message):
    with pytest.raises(LimitError) as refusal:
        SavedEcology.from_dict(spoiled(**fields))
    assert message in str(refusal.value)
