"""What two processes must have in common for their results to be the same."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import marketcam.engine
import marketcam.io
import marketcam.server

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["differences", "versions"]

_PACKAGES: Final = ("marketcam", "numpy", "numba", "llvmlite", "orjson", "zstandard", "distributed")
_ROOMS: Final = (marketcam.engine, marketcam.io, marketcam.server)


def versions() -> dict[str, str]:
    """Return the versions of what computes and writes here, and a digest of our own sources."""
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "code": _code(),
    }


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Say what differs, in a line; nothing where they are alike."""
    names = [name for name in ours if ours[name] != theirs.get(name)]
    return "; ".join(f"{name} {theirs.get(name, '-')}, here {ours[name]}" for name in names)


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for room in _ROOMS:
        folder = Path(next(iter(room.__path__)))
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
