"""What the figures were measured on and with.

::

    python -m benchmarks.machine

Imports nothing but the standard library: a process that measures others must stay small (see
`benchmarks.targets`).
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

__all__ = ["describe", "listed"]

PARTS = "numpy", "numba", "llvmlite", "orjson", "zstandard", "uvloop", "uvicorn", "websockets"
VECTORS = "avx512bw", "avx512f", "avx2", "asimd"
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe() -> dict[str, str]:
    """Return processor, caches, memory, system and versions; what cannot be known is left out."""
    known = {
        "processor": _processor(),
        "vectors": _vectors(),
        "caches": _caches(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        **{part: version(part) for part in PARTS},
    }
    return {name: value for name, value in known.items() if value}


def listed() -> str:
    """Return the machine as a Markdown list."""
    return "\n".join(f"- {name}: {value}" for name, value in describe().items())


def _processor() -> str:
    models = _cpu_lines("model name")
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{os.cpu_count()} x {model}"


def _vectors() -> str:
    flags = " ".join([*_cpu_lines("flags")[:1], *_cpu_lines("Features")[:1]]).split()
    return ", ".join(name for name in VECTORS if name in flags)


def _caches() -> str:
    """Return the caches that the first core sees."""
    found = []
    for index in sorted(_CACHES.glob("index*")):
        level, kind, size = (_text(index / name) for name in ("level", "type", "size"))
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return ", ".join(found)


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return ""
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{size / 1e9:.0f} GB"


def _cpu_lines(field: str) -> list[str]:
    lines = _text(Path("/proc/cpuinfo")).splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith(field)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


if __name__ == "__main__":
    print(listed())
