"""One server for all attacks on its usual settings: what one leaves behind, the next meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks.target import Target, running_target

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with running_target(tmp_path_factory.mktemp("target")) as target:
        yield target
