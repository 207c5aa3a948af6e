"""How fast is a recording read back: line after line, and the first line at any tick?"""

from __future__ import annotations

import pytest

AGENTS = 74
LINES = 400
SEGMENT_BYTES = 64 * 2**20

pytestmark = pytest.mark.yardstick("none")  # what is read is in the system's cache, and writing not
