"""What is installed of that which computes and writes results: its versions, and its sources."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

__all__ = ["digest_of", "digest_of_sources", "versions_installed"]

_PACKAGES: Final = ("marketcam", "numpy", "numba", "llvmlite", "orjson", "zstandard")


def versions_installed() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }


def digest_of_sources(packages: Iterable[ModuleType], modules: Iterable[ModuleType] = ()) -> str:
    """Return a digest of all Python files in some packages, and of some modules."""
    digest = hashlib.sha256()
    for package in packages:
        folder = Path(next(iter(package.__path__)))
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    for module in modules:
        path = Path(str(module.__file__))
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return _shortened(digest.hexdigest())


def digest_of(data: bytes) -> str:
    """Return a digest of some bytes."""
    return _shortened(hashlib.sha256(data).hexdigest())


def _shortened(digest: str) -> str:
    return digest[:12]
