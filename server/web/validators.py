"""Validators of HTTP: whether a client has already what it asks for (RFC 9110, 13.1.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.datastructures import Headers

__all__ = ["has_already"]

_ETAG: Final = re.compile(r'"[^"]*"')


def has_already(asked: Headers, etag: str) -> bool:
    """Return whether `If-None-Match` names this entity tag, which is quoted as it is sent."""
    known = asked.get("if-none-match", "")
    return known.strip() == "*" or etag in _ETAG.findall(known)
