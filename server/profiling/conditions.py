"""What figures were made on and with; figures of other conditions must not be mixed with them."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Final

import marketcam.engine
import marketcam.io
from marketcam.engine.crew import processors
from marketcam.server.installation import digest_of, digest_of_sources, versions_installed
from marketcam.server.profiling import film, measure, memory, substance, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MACHINE", "conditions", "differences", "shareable"]

_MEASURING: Final = (film, measure, memory, substance, ticks)
MACHINE: Final = "machine"
"""The condition that only tells one machine from another."""
_MEANINGLESS: Final = ("NUMBA_CACHE_DIR",)


def conditions() -> dict[str, str]:
    """Return the machine, the versions, the code and what of the environment changes it.

    ``machine`` is a digest of the host's name, which is nobody else's business. ``code`` is one of
    the sources that are measured and of those that measure, so that an edit makes other conditions.
    """
    return {
        MACHINE: digest_of(platform.node().encode()),
        "processor": _processor(),
        "cores": str(processors()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        **versions_installed(),
        "code": digest_of_sources((marketcam.engine, marketcam.io), _MEASURING),
        **{name: os.environ[name] for name in _switches()},
    }


def shareable(conditions: Mapping[str, str]) -> dict[str, str]:
    """Return the conditions without what only tells one machine from another.

    A journal needs that; a report or a table is mailed around.
    """
    return {name: value for name, value in conditions.items() if name != MACHINE}


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Say what differs between two conditions, one short phrase each."""
    names = dict.fromkeys([*now, *then])
    return [
        f"{name} was {then.get(name, 'not set')}, is {now.get(name, 'not set')}"
        for name in names
        if then.get(name) != now.get(name)
    ]


def _switches() -> Iterator[str]:
    """Yield the variables that change how kernels are compiled or run."""
    found = (name for name in os.environ if name.startswith("NUMBA_"))
    return (name for name in sorted(found) if name not in _MEANINGLESS)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.1f} GiB"
