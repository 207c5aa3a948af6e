"""The page's modules as a whole: all are used, and the browser is told of them at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.viewer.conftest import VIEWER

if TYPE_CHECKING:
    from pathlib import Path

IMPORT = re.compile(r'^(?:import|export)\b[^;]*?from "([^"]+)";', re.MULTILINE)
WORKER = re.compile(r'new URL\("([^"]+)", import\.meta\.url\)')
PRELOAD = re.compile(r'<link rel="modulepreload" href="([^"]+)" />')

APART = {VIEWER / "types.js"}
"""Types alone: nothing loads it."""


def reached(start: Path) -> set[Path]:
    """Return a module and all that it imports, and so on."""
    found, left = set(), [start]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += [
                (module.parent / name).resolve() for name in IMPORT.findall(module.read_text())
            ]
    return found


def test_the_browser_is_told_of_all_modules_at_once():
    """Else it finds them one level of imports after the other."""
    modules = reached(VIEWER / "main.js") - {VIEWER / "main.js"}
    wanted = sorted(module.relative_to(VIEWER).as_posix() for module in modules)
    told = PRELOAD.findall((VIEWER / "index.html").read_text())
    links = "\n".join(f'    <link rel="modulepreload" href="{name}" />' for name in wanted)
    assert told == wanted, f"index.html should have\n{links}"


def test_no_module_is_left_over():
    used = reached(VIEWER / "main.js")
    for module in tuple(used):
        for name in WORKER.findall(module.read_text()):
            used |= reached((module.parent / name).resolve())
    assert set(VIEWER.rglob("*.js")) - used == APART
