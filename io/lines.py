"""How long a line of JSON may be, and how far back its compressor may refer: for every reader."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_LINE_BYTES", "MAX_WINDOW_BYTES"]

MAX_LINE_BYTES: Final = 256 * 2**20
"""Longest line that is written or read, 28 times a tick of 100,000 agents."""

MAX_WINDOW_BYTES: Final = 128 * 2**20
"""Largest zstd window that is decoded: what the zstd command, too, decodes by default."""
