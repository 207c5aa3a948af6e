"""All checks, in the order in which a start would come upon what they look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from marketcam.server.doctor import listening, machine, outside, storing
from marketcam.server.doctor.finding import Finding, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.server.settings import Settings

__all__ = ["CHECKS", "examine"]

CHECKS: Final[dict[str, Callable[[Settings], Finding]]] = {
    "python": machine.check_python,
    "event loop": machine.check_loop,
    "clock": machine.check_clock,
    "port": listening.check_port,
    "openness": listening.check_openness,
    "tls": listening.check_tls,
    "tokens": listening.check_tokens,
    "source": outside.check_source,
    "webhook": outside.check_webhook,
    "nats": outside.check_nats,
    "store": storing.check_store,
    "store lock": storing.check_lock,
    "disk room": storing.check_disk_room,
    "disk speed": storing.check_disk_speed,
    "kernels": storing.check_kernels,
    "open files": machine.check_files,
    "pair budget": machine.check_room,
    "memory": machine.check_memory,
}
"""Each check by its name."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Make one check after the other; one that fails itself is a problem, and the next is made."""
    for name, check in CHECKS.items():
        try:
            yield check(settings)
        except Exception as error:  # noqa: BLE001 - the other checks may tell why
            text = f"could not be checked: {type(error).__name__}: {error}"
            yield problem(name, " ".join(text.split()), "this should not be: report it")
