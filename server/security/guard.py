"""The guard of an application: what its settings say about who is let in, put around its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.middleware import Middleware

from marketcam.server.security.gate import Gate, TokenRequired
from marketcam.server.security.headers import SafeHeaders
from marketcam.server.security.origins import ANY, Origins
from marketcam.server.web.answers import cors
from marketcam.server.web.page_wanted import wants_page

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Scope

    from marketcam.server.security.refusals import Refusals
    from marketcam.server.settings import Settings

__all__ = ["Guard", "is_open"]

_PAGE: Final = "/viewer"
_INDEX: Final = "/"


def is_open(scope: Scope) -> bool:
    """Return whether a request is one that needs no token: for the page, or the way to it.

    Browsers load a page before they can show a token, and there is nothing of a run in it: below
    its path lie only files of the package.
    """
    path = scope["path"]
    return path == _PAGE or path.startswith(f"{_PAGE}/") or (path == _INDEX and wants_page(scope))


@dataclass(frozen=True, slots=True)
class Guard:
    """Who is let in where, as configured.

    Attributes:
        settings: say it.
        refusals: told of those who are not.
    """

    settings: Settings
    refusals: Refusals

    def reading(self, endpoint: ASGIApp) -> Gate:
        """Put the readers' gate before the endpoint of a WebSocket."""
        given = self.settings
        return Gate(
            endpoint,
            given.read_token,
            self._origins,
            given.handshake_seconds,
            given.client_message_bytes,
            self.refusals,
        )

    def producing(self, endpoint: ASGIApp) -> Gate:
        """Put the producer's gate before the endpoint of a WebSocket.

        Raises:
            ValueError: no token is configured; nothing may come in without one.
        """
        given = self.settings
        if given.ingest_token is None:
            raise ValueError("IG_INGEST_TOKEN is not set")
        return Gate(
            endpoint,
            given.ingest_token,
            self._origins,
            given.handshake_seconds,
            given.ingest_message_bytes,
            self.refusals,
            any_rate=True,
        )

    def middleware(self, *between: Middleware) -> list[Middleware]:
        """Return what goes around all HTTP; the innermost layer asks for a token.

        Args:
            between: answers requests that show none, so it must say nothing of a run.
        """
        origins, token = self._origins.listed, self.settings.read_token
        return [
            Middleware(SafeHeaders),
            cors([ANY] if origins is None else origins),
            *between,
            Middleware(TokenRequired, token=token, refusals=self.refusals, is_open=is_open),
        ]

    @property
    def _origins(self) -> Origins:
        return Origins.of(self.settings.allowed_origins)
