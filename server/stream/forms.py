"""How many ways of writing a frame are asked for at the same time."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from marketcam.server.errors import ServerError
from marketcam.server.stream.selection import PLAIN_FORM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.server.stream.selection import Form

__all__ = ["Forms", "TooManyFormsError"]


class TooManyFormsError(ServerError):
    """A form that nobody has asked for yet, where there is no room for one more."""


class Forms:
    """Bounds the forms that are made of each frame, since anyone may ask for another one.

    The plain one is made whether anyone asks or not, to be recorded, and takes no place.

    Attributes:
        limit: forms at most.
        refused: how many were refused, so far.
    """

    def __init__(self, limit: int = 16) -> None:
        self.limit = limit
        self.refused = 0
        self._held: Counter[Form] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def hold(self, form: Form) -> Iterator[None]:
        """Have a form made, by whoever makes it, for as long as this lasts.

        Raises:
            TooManyFormsError: nobody holds this one, and there are as many as there may be.
        """
        if form == PLAIN_FORM:
            yield
            return
        if form not in self._held and len(self._held) >= self.limit:
            self.refused += 1
            raise TooManyFormsError(
                f"too many ways of writing a frame (encoding, edges, deflate) are asked for at "
                f"the same time, the limit is {self.limit}"
            )
        self._held[form] += 1
        try:
            yield
        finally:
            self._held[form] -= 1
            self._held = +self._held
