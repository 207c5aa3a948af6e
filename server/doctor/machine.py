"""Checks of the machine itself: Python and what is installed, clocks, limits, memory."""

from __future__ import annotations

import os
import platform
import re
import resource
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.engine.errors import LimitError
from marketcam.server.doctor.finding import Finding, ok, problem, warning
from marketcam.server.security.descriptors import RESERVED

if TYPE_CHECKING:
    from marketcam.server.settings import Settings

__all__ = ["check_clock", "check_files", "check_loop", "check_memory", "check_python", "check_room"]

_WRITTEN_IN: Final = 2026
"""No clock that is right shows an earlier year."""
_WATCHED_SECONDS: Final = 0.2
_DRIFT_SECONDS: Final = 0.05
_BASE_BYTES: Final = 400 * 2**20
"""What a camera takes before it has seen an agent: the interpreter, numba, compiled kernels."""
_MIB: Final = 2**20
_REQUIREMENT: Final = re.compile(r"([\w-]+)>=([\d.]+)$")


def check_python(_: Settings) -> Finding:
    """Is everything installed that the package asks for, in versions that it takes?"""
    faults = [fault for line in requires("marketcam") or () if (fault := _fault_of(line))]
    if faults:
        return problem("python", "; ".join(faults), "install requirements/run.lock anew")
    versions = ", ".join(f"{name} {version(name)}" for name in ("marketcam", "numba", "numpy"))
    return ok("python", f"Python {platform.python_version()}, {versions}")


def _fault_of(requirement: str) -> str | None:
    """Say what is wrong with what is installed for a requirement; extras are not required."""
    found = _REQUIREMENT.fullmatch(requirement)
    if found is None:
        return None
    name, least = found.groups()
    try:
        installed = version(name)
    except PackageNotFoundError:
        return f"{name} is not installed"
    return f"{name} is {installed}, not {least} or newer" if _older(installed, least) else None


def _older(installed: str, least: str) -> bool:
    return [int(n) for n in re.findall(r"\d+", installed)] < [int(n) for n in least.split(".")]


def check_loop(_: Settings) -> Finding:
    """Is there uvloop, and does it run here?"""
    try:
        import uvloop  # noqa: PLC0415 - whether that works is the question

        uvloop.new_event_loop().close()
    except (ImportError, OSError) as error:
        return problem("event loop", f"uvloop does not run: {error}", "install uvloop")
    return ok("event loop", f"uvloop {version('uvloop')}")


def check_clock(_: Settings) -> Finding:
    """Is the date one that can be, and does the wall clock go as fast as the other?

    How far it is off nobody can tell without another clock to ask.
    """
    now = datetime.now(UTC)
    if now.year < _WRITTEN_IN:
        remedy = "set the clock: segments are named, and removed, by it"
        return problem("clock", f"it is said to be {now:%Y-%m-%d}", remedy)
    wall, steady = time.time(), time.monotonic()
    time.sleep(_WATCHED_SECONDS)
    drift = (time.time() - wall) - (time.monotonic() - steady)
    if abs(drift) > _DRIFT_SECONDS:
        text = f"the date moved by {drift:+.2f} s within {_WATCHED_SECONDS} s"
        return warning("clock", text, "have it set before the camera starts, then only slewed")
    return ok(
        "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC (whether that is right, no clock here can say)"
    )


def check_files(settings: Settings) -> Finding:
    """May the process open as many files as its connections need?"""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + RESERVED
    if hard != resource.RLIM_INFINITY and hard < needed:
        room = max(1, hard - RESERVED)
        text = f"{hard} open files, room for {room} of {settings.max_connections} connections"
        remedy = f"LimitNOFILE={needed} (systemd), ulimit -Hn, or a lower IG_MAX_CONNECTIONS"
        return warning("open files", text, remedy)
    shown = "any number of" if hard == resource.RLIM_INFINITY else f"{hard}"
    return ok("open files", f"{shown} may be open, {needed} are needed at most")


def check_room(settings: Settings) -> Finding:
    """Do the agents that the market starts with fit the pair budget?"""
    from marketcam.server.running.filming import Filming  # noqa: PLC0415 - loads the compiler

    agents = settings.agents if settings.source == "market" else 0
    try:
        filming = Filming(settings.camera_arguments(), settings.pair_budget_action)
        filming.check_room(agents)
    except LimitError as error:
        return problem("pair budget", str(error), "change one of these")
    budget = settings.pair_budget_bytes // _MIB
    if settings.proximity == "neighbors":
        return ok("pair budget", "the rule 'neighbors' needs none")
    return ok("pair budget", f"{agents or 'whichever'} agents, in {budget} MiB at most")


def check_memory(settings: Settings) -> Finding:
    """Is there memory for what the settings allow to be used?"""
    free = _free_bytes()
    if free is None:
        return warning("memory", "how much is free cannot be told here", "look for yourself")
    pairs = settings.pair_budget_bytes if settings.proximity == "pairs" else 0
    queues = settings.record_queue_bytes
    if settings.source == "ingest":
        queues += settings.ingest_queue_bytes
    if settings.nats is not None:
        queues += settings.nats_queue_bytes
    needed = _BASE_BYTES + pairs + queues
    text = f"{free // _MIB} MiB free, {needed // _MIB} MiB may be used, {pairs // _MIB} by pairs"
    if free < _BASE_BYTES:
        return problem("memory", text, "give it more: no camera starts in that")
    if free < needed:
        return warning("memory", text, "a lower IG_CAM_PAIR_BUDGET_BYTES, or more memory")
    return ok("memory", text)


def _free_bytes() -> int | None:
    """Return what this process may still take: of the machine, and of its control group."""
    try:
        told = Path("/proc/meminfo").read_text()
        found = re.search(r"^MemAvailable:\s+(\d+) kB", told, re.MULTILINE)
    except OSError:
        found = None
    of_machine = int(found[1]) * 1024 if found else _free_pages()
    amounts = [amount for amount in (of_machine, _free_of_group()) if amount is not None]
    return min(amounts, default=None)


def _free_pages() -> int | None:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _free_of_group() -> int | None:
    """Return what is left of the memory of the control group, version 2, if it is limited."""
    try:
        group = Path("/proc/self/cgroup").read_text().rpartition("::/")[2].strip()
        folder = Path("/sys/fs/cgroup") / group
        most = int((folder / "memory.max").read_text())
        return most - int((folder / "memory.current").read_text())
    except (OSError, ValueError):  # there is no such group, or its limit is "max"
        return None
