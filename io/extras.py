"""Libraries that come with an extra: a clear word where one is not installed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from marketcam.engine import MarketCameraError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MissingExtraError", "of_extra"]


class MissingExtraError(MarketCameraError, ImportError):
    """A library that an extra brings is not installed; says how to get it."""


@contextmanager
def of_extra(extra: str) -> Iterator[None]:
    """Import within the block what `extra` brings.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        how = f"pip install 'marketcam[{extra}]'"
        raise MissingExtraError(f"needs {error.name}, which is not here: {how}") from error
