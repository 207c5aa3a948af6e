"""Whether who asks for `/` would have the page, or the JSON that everybody else gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

__all__ = ["wants_page"]

_NAME: Final = r"[!#$%&'*+.^_`|~0-9a-z-]+"
_ELEMENT: Final = re.compile(
    rf"({_NAME}/{_NAME})(?:[ \t]*;[ \t]*(?!q=){_NAME}=[^;]*)*"
    r"(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?",
    re.ASCII | re.IGNORECASE,
)
_PAGE: Final = ("text/html", "text/*", "*/*")
_DATA: Final = ("application/json", "application/*", "*/*")


class _Wish(NamedTuple):
    """How much a media type is wanted.

    Attributes:
        weight: 0 to 1; 0: not at all.
        precision: 2 where it was named, 1 where its family was, 0 for `*/*`.
    """

    weight: float = 0.0
    precision: int = 0


def wants_page(scope: Scope) -> bool:
    """Return whether a request prefers HTML to JSON (`Accept`; RFC 9110, 12.5.1).

    The greater weight counts, then the more precise name; JSON, where both are alike. So a browser
    gets the page, and `*/*`, which is what programs send, or no header at all gets JSON.
    """
    weights = _weights(",".join(Headers(scope=scope).getlist("accept")))
    return _wish(_PAGE, weights) > _wish(_DATA, weights)


def _wish(names: Iterable[str], weights: dict[str, float]) -> _Wish:
    """Return the wish of the most precise name there is."""
    for precision, name in zip((2, 1, 0), names, strict=True):
        if name in weights:
            weight = weights[name]
            return _Wish(weight, precision) if weight else _Wish()
    return _Wish()


def _weights(accepted: str) -> dict[str, float]:
    """Read an `Accept`; what is not of the header's form is left out."""
    weights: dict[str, float] = {}
    for element in accepted.split(","):
        match = _ELEMENT.fullmatch(element.strip(" \t"))
        if match is not None:
            weights[match[1].lower()] = 1.0 if match[2] is None else float(match[2])
    return weights
