"""Tokens: how they are configured, and how one that is shown is compared."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from pydantic import SecretStr

from marketcam.io.token_text import FILE_MARK, TokenFileError, token_text

__all__ = ["is_token", "token_of"]

_LEAST: Final = 16
_MOST: Final = 256
_TOKEN: Final = re.compile(rf"[!-~]{{{_LEAST},{_MOST}}}", re.ASCII)


def token_of(value: object) -> object:
    """Return a token as configured, read from its file where it is given as ``@FILE``.

    Raises:
        ValueError: it is no token, or its file cannot be read; says what it is in its place, in
            words that tell nothing of it. What was taken for a file's name may be a token too.
    """
    if value is None or value == "":
        return None
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    kind = "a file" if text.startswith(FILE_MARK) else "text"
    try:
        text = token_text(text)
    except TokenFileError as error:
        raise ValueError(f"a file that cannot be read: {error}") from None
    if _TOKEN.fullmatch(text) is None:
        raise ValueError(f"{kind} with {_flaw(text)}")
    return text


def _flaw(text: str) -> str:
    """Say what is wrong with a token."""
    if not _LEAST <= len(text) <= _MOST:
        return f"{len(text)} characters"
    return "other characters"


def is_token(shown: str, token: SecretStr) -> bool:
    """Return whether what is shown is the token, in a time that tells nothing of it.

    Digests are compared, since a comparison of texts may tell their length.
    """
    return hmac.compare_digest(_digest(shown), _digest(token.get_secret_value()))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
