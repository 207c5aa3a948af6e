"""`docs/durability.md` names a test for every line of its promise: each of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "durability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


def test_every_line_of_the_promise_names_a_test():
    promise = TEXT.partition("## The promise\n")[2].partition("\n## ")[0]
    rows = [row for row in promise.splitlines() if row.startswith("|")][2:]
    assert len(rows) >= 10
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row), row


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_test_is_there(path, name):
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
