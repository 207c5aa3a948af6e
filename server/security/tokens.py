"""Tokens: how they are configured, and how one that is shown is compared."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path
from typing import Final

from pydantic import SecretStr

__all__ = ["is_token", "token_of"]

_TOKEN: Final = re.compile(r"[!-~]{16,256}", re.ASCII)
_FILE_MARK: Final = "@"


def token_of(value: object) -> object:
    """Return a token as configured, read from its file where it is given as ``@FILE``.

    Nothing that is said here repeats it.

    Raises:
        ValueError: it is no token, or its file cannot be read.
    """
    if value is None or value == "":
        return None
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if text.startswith(_FILE_MARK):
        path = Path(text.removeprefix(_FILE_MARK)).expanduser()
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise ValueError(f"cannot read {path}: {str(reason).lower()}") from error
    if _TOKEN.fullmatch(text) is None:
        raise ValueError("no token")
    return text


def is_token(shown: str, token: SecretStr) -> bool:
    """Return whether what is shown is the token, in a time that tells nothing of it.

    Digests are compared, since a comparison of texts may tell their length.
    """
    return hmac.compare_digest(_digest(shown), _digest(token.get_secret_value()))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
