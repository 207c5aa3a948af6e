"""The token that readers of a camera show: given, in a file, or in the environment."""

from __future__ import annotations

import os
from typing import Final

from marketcam.io.store.errors import StoreError
from marketcam.io.token_text import TokenFileError, token_text

__all__ = ["TOKEN_VARIABLE", "reader_headers"]

TOKEN_VARIABLE: Final = "IG_READ_TOKEN"  # noqa: S105 - the name of a variable, no token
"""Variable in which the token is looked for where none is given; the server has it there too."""


def reader_headers(token: str | None = None) -> dict[str, str]:
    """Return the headers that show a token; empty where there is none.

    Args:
        token: the token, or ``@FILE`` that holds it; None: what `IG_READ_TOKEN` says.

    Raises:
        StoreError: it cannot be read, or sent; never repeats it.
    """
    text = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
    try:
        text = token_text(text)
    except TokenFileError as error:
        raise StoreError(f"the token's file cannot be read: {error}") from None
    if not text:
        return {}
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise StoreError("a token must be of printable ASCII characters without spaces")
    return {"Authorization": f"Bearer {text}"}
