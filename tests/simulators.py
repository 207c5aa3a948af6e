"""The small simulator in `fake_v5`, and a clean slate for each one that a test imports."""

from __future__ import annotations

import random
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from marketcam.io.sources import SimulatorSource

if TYPE_CHECKING:
    from collections.abc import Iterator

FAKE_FOLDER = Path(__file__).parent / "fake_v5"
FAKE_NAME = "core_system.main:V5MarketSimulator"

_MODULES = {"core_system", "state_engine", "solo", "pack", "a", "main_of_it"}


def fake_simulator(**arguments) -> SimulatorSource:
    return SimulatorSource(FAKE_NAME, FAKE_FOLDER, **arguments)


@contextmanager
def clean_slate() -> Iterator[None]:
    """Have simulators imported anew, and leave no trace of them in what a process shares."""
    path = list(sys.path)
    numpy_state, state = np.random.get_state(), random.getstate()  # noqa: NPY002 - as simulators do
    try:
        yield
    finally:
        for name in list(sys.modules):
            if name.partition(".")[0] in _MODULES:
                del sys.modules[name]
        sys.path[:] = path
        np.random.set_state(numpy_state)  # noqa: NPY002 - as above
        random.setstate(state)
