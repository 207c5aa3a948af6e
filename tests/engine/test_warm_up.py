"""Nothing is compiled once the camera runs: the warm-up has met every type that comes later."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import INTERPRETED

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")
def test_nothing_is_compiled_after_the_warm_up() -> None:
    # In a process of its own: here, other tests may have compiled what the warm-up forgot.
    done = subprocess.run(
        [sys.executable, "-m", "tests.everything"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    outcome = json.loads(done.stdout.splitlines()[-1])
    told = "\n".join(
        f"{scenario} compiled {signature}"
        for scenario, signatures in outcome["added"].items()
        for signature in signatures
    )
    assert outcome["known"] > 0
    assert not told, told
