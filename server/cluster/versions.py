"""What two processes must have in common for their results to be the same, to the byte."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import marketcam.engine
import marketcam.io
import marketcam.server
from marketcam.server.installation import digest_of_sources, versions_installed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["differences", "versions"]


def versions() -> dict[str, str]:
    """Return the versions of what computes and writes here, and a digest of our own sources.

    And the family of processors: on another, the last digits of what is computed may be others.
    """
    return {
        "machine": platform.machine(),
        **versions_installed(),
        "distributed": version("distributed"),
        "code": _code(),
    }


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Say what differs, in a line; nothing where they are alike."""
    names = [name for name in ours if ours[name] != theirs.get(name)]
    return "; ".join(f"{name} {theirs.get(name, '-')}, here {ours[name]}" for name in names)


@cache
def _code() -> str:
    return digest_of_sources((marketcam.engine, marketcam.io, marketcam.server))
