"""Documents that name a test for each of their promises: whether the tests they name are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def text_of(document: str) -> str:
    return (ROOT / "docs" / document).read_text()


def named_tests(document: str) -> list[tuple[str, str]]:
    """Return the files and names of the tests that a document names."""
    return sorted(set(NAMED.findall(text_of(document))))


def rows_without_a_test(document: str, heading: str, least: int) -> list[str]:
    """Return the rows of the table below a heading, of at least so many, that name no test."""
    section = text_of(document).partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("|")][2:]
    assert len(rows) >= least
    return [row for row in rows if NAMED.search(row) is None]


def is_there(path: str, name: str) -> bool:
    """Return whether a file has a test of this name."""
    tree = ast.parse((ROOT / path).read_text())
    return name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
