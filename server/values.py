"""The kinds of values that settings have beside numbers: how each is read, and when refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, SecretStr

from marketcam.io.token_text import TokenFileError, token_text
from marketcam.server.security.addresses import Proxies
from marketcam.server.security.origins import Origins
from marketcam.server.security.tokens import token_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AnyPath",
    "LogLevel",
    "NatsServers",
    "OptionalPath",
    "OptionalText",
    "OriginList",
    "ProxyList",
    "Secret",
    "SecretAddress",
    "Token",
]


def _not_empty(value: object) -> object:
    if value == "":
        raise ValueError("empty")
    return value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _web_address(value: object) -> object:
    """Refuse what is no address of the web without repeating it: parts of it may be a secret."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
    if text and re.fullmatch(r"https?://\S+", text, re.ASCII) is None:
        raise ValueError("another one")
    return text or None


def _nats_servers(value: object) -> object:
    """Refuse what are no addresses of NATS without repeating them: they may hold a password."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
    servers = [part.strip() for part in text.split(",")] if text else []
    if not all(re.fullmatch(r"(nats|tls)://[^\s/]+/?", server, re.ASCII) for server in servers):
        raise ValueError("another one")
    return ",".join(server.rstrip("/") for server in servers) or None


def _secret(value: object) -> object:
    """Return a secret, read from its file where it is given as ``@FILE``."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
    try:
        return token_text(text) or None
    except TokenFileError as error:
        raise ValueError(f"a file that cannot be read: {error}") from None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _home_expanded(path: Path | None) -> Path | None:
    try:
        return None if path is None else path.expanduser()
    except RuntimeError as error:  # ~someone, and there is no such user
        raise ValueError(str(error)) from error


def _readable_by(read: Callable[[str], object]) -> Callable[[str], str]:
    def check(text: str) -> str:
        read(text)
        return text

    return check


AnyPath: TypeAlias = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(_home_expanded)]
OptionalPath: TypeAlias = Annotated[
    Path | None, BeforeValidator(_none_if_empty), AfterValidator(_home_expanded)
]
OptionalText: TypeAlias = Annotated[str | None, BeforeValidator(_none_if_empty)]
Token: TypeAlias = Annotated[SecretStr | None, BeforeValidator(token_of)]
OriginList: TypeAlias = Annotated[str, AfterValidator(_readable_by(Origins.of))]
ProxyList: TypeAlias = Annotated[str, AfterValidator(_readable_by(Proxies.of))]
SecretAddress: TypeAlias = Annotated[SecretStr | None, BeforeValidator(_web_address)]
NatsServers: TypeAlias = Annotated[SecretStr | None, BeforeValidator(_nats_servers)]
Secret: TypeAlias = Annotated[SecretStr | None, BeforeValidator(_secret)]
LogLevel: TypeAlias = Annotated[
    Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)
]
