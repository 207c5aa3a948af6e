"""The token that readers of a camera show: given, in a file, or in the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from marketcam.io.store.errors import StoreError

__all__ = ["TOKEN_VARIABLE", "reader_headers"]

TOKEN_VARIABLE: Final = "IG_READ_TOKEN"  # noqa: S105 - the name of a variable, no token
"""Variable in which the token is looked for where none is given; the server has it there too."""

_FILE_MARK: Final = "@"


def reader_headers(token: str | None = None) -> dict[str, str]:
    """Return the headers that show a token; empty where there is none.

    Args:
        token: the token, or ``@FILE`` that holds it; None: what `IG_READ_TOKEN` says.

    Raises:
        StoreError: it cannot be read, or sent; never repeats it.
    """
    text = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
    if text.startswith(_FILE_MARK):
        try:
            text = Path(text.removeprefix(_FILE_MARK)).expanduser().read_text("utf-8").strip()
        except (OSError, UnicodeError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise StoreError(f"the token's file cannot be read: {str(reason).lower()}") from None
    if not text:
        return {}
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise StoreError("a token must be of printable ASCII characters without spaces")
    return {"Authorization": f"Bearer {text}"}
