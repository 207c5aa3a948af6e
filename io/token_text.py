"""A token as it is given: itself, or ``@FILE`` that holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["FILE_MARK", "TokenFileError", "token_text"]

FILE_MARK: Final = "@"
"""With what the name of a file begins."""


class TokenFileError(ValueError):
    """Why the file of a token cannot be read; never says its name, which may be a token."""


def token_text(given: str) -> str:
    """Return what is given, read from its file where it is given so.

    Raises:
        TokenFileError: the file cannot be read.
    """
    if not given.startswith(FILE_MARK):
        return given
    try:
        name = given.removeprefix(FILE_MARK)
        return Path(name).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise TokenFileError(str(reason).lower()) from None
