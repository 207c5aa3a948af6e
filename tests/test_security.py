"""`docs/security.md` names a test for every threat, and the policy that pages are served with."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from marketcam.server.security.headers import DATA_POLICY, PAGE_POLICY

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


def test_every_threat_names_a_test():
    threats = TEXT.partition("## The threats\n")[2].partition("\n## ")[0]
    rows = [row for row in threats.splitlines() if row.startswith("|")][2:]
    assert len(rows) >= 15
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row), row


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_test_is_there(path, name):
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_policies_are_those_of_the_code():
    flat = " ".join(TEXT.split())
    assert PAGE_POLICY in flat
    assert DATA_POLICY in flat
