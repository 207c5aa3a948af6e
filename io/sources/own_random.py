"""The process-wide random generators, as if one user of them had them alone."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OwnRandom"]


class OwnRandom:
    """States of `random` and `numpy.random` of one's own, from the seed on.

    They are those that `random.seed(seed)` and `numpy.random.seed(seed)` lead to.
    """

    def __init__(self, seed: int) -> None:
        # The states that legacy code draws from are the point here.
        numpy_state = np.random.RandomState(seed).get_state(legacy=False)
        self._states = (random.Random(seed).getstate(), numpy_state)  # noqa: S311

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put these states in for the block, and the process's own back in after it.

        Whatever is drawn before or after leaves both unchanged. A thread that draws, or seeds,
        while the block runs does so from these states.

        Cost: 0.2 ms.
        """
        outside = _states()
        _put(self._states)
        try:
            yield
        finally:
            self._states = _states()
            _put(outside)


def _states() -> tuple[Any, Any]:
    return random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002


def _put(states: tuple[Any, Any]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
