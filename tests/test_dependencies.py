"""What the package imports is what it declares, and the pins are made of that."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


NAMED_OTHERWISE = {"nats": "nats-py"}
"""Distributions whose modules have another name."""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=]", requirement)[0] for requirement in requirements}


DECLARED = names(PROJECT["dependencies"])
OPTIONAL = {name for extra in EXTRAS.values() for name in names(extra)}


def distributions_imported() -> set[str]:
    tops: set[str] = set()
    for room in ("engine", "io", "server"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    tops.update(alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    tops.add((node.module or "").partition(".")[0])
    foreign = tops - sys.stdlib_module_names - {"marketcam"}
    return {NAMED_OTHERWISE.get(name, name.replace("_", "-")) for name in foreign}


def test_what_is_imported_is_declared_and_nothing_else():
    assert distributions_imported() == DECLARED | OPTIONAL
    assert not DECLARED & OPTIONAL


def test_every_dependency_is_pinned():
    runs = DECLARED | names(EXTRAS["edge"])  # which deploy/ installs, for edges too
    for lock, needed in (("run.lock", runs), ("dev.lock", DECLARED | OPTIONAL)):
        text = (ROOT / "requirements" / lock).read_text()
        pinned = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
        assert pinned >= needed
        assert "httptools" not in pinned, "uvicorn would take it, and it bounds no header"
