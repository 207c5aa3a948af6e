"""Hypothesis profiles and what several rooms' tests share."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, settings

from tests.original_ticks import ORIGINAL_TICKS

# A tick stream is a large thing to draw and, with interpreted kernels, a slow one to film.
PATIENT = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}

settings.register_profile("dev", max_examples=100, **PATIENT)
settings.register_profile("ci", max_examples=100, derandomize=True, print_blob=True, **PATIENT)
settings.register_profile("interpreted", max_examples=40, derandomize=True, **PATIENT)
settings.register_profile("thorough", max_examples=3000, **PATIENT)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE")
    or ("interpreted" if INTERPRETED else "ci" if os.environ.get("CI") else "dev")
)


@pytest.fixture(scope="session")
def original_ticks() -> list[dict[str, Any]]:
    """The ticks of the original simulator, in dict form."""
    if not ORIGINAL_TICKS.parent.is_dir():
        pytest.skip(f"the shared data folder is not at {ORIGINAL_TICKS.parent}")
    with zstandard.open(ORIGINAL_TICKS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
