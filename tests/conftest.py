"""Hypothesis profiles and what several rooms' tests share."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from hypothesis import HealthCheck, settings

from marketcam.server.logs import UVICORN_FAULTS
from tests.original_ticks import ORIGINAL_TICKS

if TYPE_CHECKING:
    from collections.abc import Iterator

# A tick stream is a large thing to draw and, with interpreted kernels, a slow one to film.
PATIENT = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}

settings.register_profile("dev", max_examples=100, **PATIENT)
settings.register_profile("ci", max_examples=100, derandomize=True, print_blob=True, **PATIENT)
settings.register_profile("interpreted", max_examples=20, derandomize=True, **PATIENT)
settings.register_profile("thorough", max_examples=3000, **PATIENT)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE")
    or ("interpreted" if INTERPRETED else "ci" if os.environ.get("CI") else "dev")
)

LONGEST_FIRST = ("torture", "attacks", "end_to_end", "viewer")
"""Rooms with files that take a minute: begun last, one of them would be all that is left to run."""

_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", UVICORN_FAULTS)
LEVELS = {name: logging.getLogger(name).level for name in ("", "marketcam", *_UVICORN)}
"""Those that a command, or a server, sets up where it runs in this process; none has yet."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest rooms first, in which order `make test` hands out the files."""
    ranks = {room: rank for rank, room in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.parent.name, len(ranks)))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Have no test begin with what another, or the fixture of a whole module, has set up."""
    _undo_logging()
    yield
    _undo_logging()


def _undo_logging() -> None:
    for name, level in LEVELS.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = True
        for handler in [*logger.handlers]:
            if not name and not (handler.name or "").startswith("marketcam."):
                continue  # pytest's own
            logger.removeHandler(handler)
            handler.close()


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no sync wait for the disk, where hundreds of stores are made and no power is lost."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None)


@pytest.fixture(scope="session")
def original_ticks() -> list[dict[str, Any]]:
    """The ticks of the original simulator, in dict form."""
    if not ORIGINAL_TICKS.parent.is_dir():
        pytest.skip(f"the shared data folder is not at {ORIGINAL_TICKS.parent}")
    with zstandard.open(ORIGINAL_TICKS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
