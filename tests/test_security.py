"""`docs/security.md` names a test for every threat, and the policy that pages are served with."""

from __future__ import annotations

import pytest

from marketcam.server.security.headers import DATA_POLICY, PAGE_POLICY
from tests.named_tests import is_there, named_tests, rows_without_a_test, text_of

DOCUMENT = "security.md"


def test_every_threat_names_a_test():
    assert rows_without_a_test(DOCUMENT, "The threats", least=15) == []


@pytest.mark.parametrize(("path", "name"), named_tests(DOCUMENT))
def test_the_test_is_there(path, name):
    assert is_there(path, name)


def test_the_policies_are_those_of_the_code():
    flat = " ".join(text_of(DOCUMENT).split())
    assert PAGE_POLICY in flat
    assert DATA_POLICY in flat
