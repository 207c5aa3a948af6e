"""Where the recorded ticks of the original simulator are, and a mark for tests that need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent
_SHARED_DATA = Path(os.environ.get("MARKETCAM_SHARED_DATA") or _REPOSITORY.parent / "shared/data")

ORIGINAL_TICKS = _SHARED_DATA / "original_v5_ticks.jsonl.zst"

needs_original_ticks = pytest.mark.skipif(
    not _SHARED_DATA.is_dir(), reason="the folder of shared data is not beside the repository"
)
