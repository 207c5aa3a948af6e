"""Processes that record are killed at random moments; what they leave behind is checked each time.

A small number of rounds belongs to the tests; ``make torture`` does the full number.
``MARKETCAM_TORTURE_ROUNDS`` and ``MARKETCAM_TORTURE_SEED`` set both; the same seed makes the same
choices, though of course not the same moments to the microsecond.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from tests.torture.camera_rounds import CameraTorture
from tests.torture.rounds import Figures, RecorderTorture

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS: Final = int(os.environ.get("MARKETCAM_TORTURE_ROUNDS", "16"))
SEED: Final = int(os.environ.get("MARKETCAM_TORTURE_SEED", "20261122"))

pytestmark = pytest.mark.timeout(300 + 20 * ROUNDS)


def test_a_recorder_killed_at_any_moment_loses_nothing_that_was_seen_or_committed(
    tmp_path: Path,
) -> None:
    figures = Figures()
    torture = RecorderTorture(tmp_path, SEED, figures)
    for number in range(ROUNDS):
        try:
            torture.round()
        except BaseException:
            print(f"\nround {number} of seed {SEED} failed, after:\n{figures}")
            raise
        if number % 50 == 49:
            print(f"\nafter {number + 1} rounds of seed {SEED}: {figures}", flush=True)
    print(f"\nseed {SEED}: {figures}")
    assert figures.lines > 0
    assert figures.seen > 0


def test_a_camera_killed_n_times_records_what_one_does_that_was_never_stopped(
    tmp_path: Path,
) -> None:
    torture = CameraTorture(tmp_path / "store", SEED)
    for _ in range(max(3, ROUNDS // 10)):
        torture.live_and_die()
    torture.live_to_the_end()
    lines = torture.check()
    ends = ", ".join(f"{count} by {how}" for how, count in sorted(torture.lives.items()))
    print(
        f"\nseed {SEED}: a run of {lines} lines in {sum(torture.lives.values()) + 1} lives: {ends}"
    )
    assert lines > 0
