"""`docs/scaling.md` names a test for every line of its promise: each of them is there."""

from __future__ import annotations

import pytest

from tests.named_tests import is_there, named_tests, rows_without_a_test

DOCUMENT = "scaling.md"


def test_every_line_of_the_promise_names_a_test():
    assert rows_without_a_test(DOCUMENT, "The promise", least=10) == []


@pytest.mark.parametrize(("path", "name"), named_tests(DOCUMENT))
def test_the_test_is_there(path, name):
    assert is_there(path, name)
