"""Scripts as a browser needs them: a third of their compressed weight is comments and types."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["uncommented"]

_WHOLE_LINES: Final = re.compile(
    rb"^[ \t]*(?:/\*(?:[^*]|\*(?!/))*\*/|//[^\n]*)[ \t]*$", flags=re.MULTILINE
)
"""Comments with nothing beside them: what begins a line like one, and is none, we do not write."""


def uncommented(script: bytes) -> bytes:
    """Return a script of ours without its comments; lines keep their numbers, for error messages.

    A comment beside code stays. So would one be taken out that is a line of a text in the script: a
    test looks for those.
    """
    return _WHOLE_LINES.sub(lambda found: b"\n" * found[0].count(b"\n"), script)
