"""Checks of what others meet: the port, TLS, tokens."""

from __future__ import annotations

import ipaddress
import math
import re
import socket
import ssl
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.server.doctor.finding import Finding, ok, problem, warning
from marketcam.server.errors import ServerError
from marketcam.server.security.tls import tls_context
from marketcam.server.sockets import bind_all, listen_all, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.server.settings import Settings

__all__ = ["check_openness", "check_port", "check_tls", "check_tokens"]

_DAY: Final = 24 * 3600
_SOON_DAYS: Final = 14
_LEAST_BITS: Final = 50
"""Of 16 random characters, as estimated here: those of hex digits have 53 on average."""
_LISTENS: Final = "0A"


def check_port(settings: Settings) -> Finding:
    """Can the address be listened at, and if not, who has it?"""
    try:
        with ExitStack() as stack:
            sockets = bind_all(settings.host, settings.port, stack)
            listen_all(sockets, settings.host)
    except ServerError as error:
        holder = _holder_of(settings.port)
        text = f"{error}" + (f", by {holder}" if holder else "")
        return problem("port", text, "stop what has it, or set PORT or IG_HOST to another")
    return ok("port", f"{settings.host}:{settings.port or 'any'} is free")


def _holder_of(port: int) -> str:
    """Return the process that listens at a port, where this user may know it."""
    inodes = set(_listening_inodes(port))
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(descriptor.readlink())
            if target in inodes:
                process = descriptor.parents[1]
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:  # it has ended, or is another user's
            continue
    return ""


def _listening_inodes(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
        except OSError:
            continue
        for row in rows:
            if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{row[9]}]"


def check_tls(settings: Settings) -> Finding:
    """Can the certificate be used with its key, today and for some time to come?"""
    certificate, key = settings.tls_cert, settings.tls_key
    if certificate is None or key is None:
        return ok("tls", "off")
    try:
        server = tls_context(certificate, key)
    except OSError as error:
        text = f"cannot use {certificate} with {key}: {reason_of(error)}"
        return problem(
            "tls", text, "IG_TLS_CERT needs its own IG_TLS_KEY, readable and unencrypted"
        )
    try:
        days = (_end_of(server, certificate) - time.time()) / _DAY
    except ssl.SSLCertVerificationError as error:
        remedy = "renew it, then send SIGHUP"
        return problem("tls", f"{certificate}: {error.verify_message}", remedy)
    if days < _SOON_DAYS:
        return warning(
            "tls", f"{certificate} ends in {days:.0f} days", "renew it, then send SIGHUP"
        )
    if key.stat().st_mode & 0o007:
        return warning("tls", f"{key} can be read by every user", f"chmod o= {key}")
    return ok("tls", f"{certificate} is good for {days:.0f} days")


def _end_of(server: ssl.SSLContext, certificate: Path) -> float:
    """Shake hands with ourselves; return when the certificate shown ends, Unix time.

    The certificate itself is what the client trusts, so that only its dates can be wrong.

    Raises:
        ssl.SSLCertVerificationError: it has ended, or has not begun.
    """
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trust.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(there, back, server_side=True)
    client = trust.wrap_bio(back, there)
    for _ in range(4):  # as many times as there is something to say
        for side in (client, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = client.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))


def check_tokens(settings: Settings) -> Finding:
    """Are the tokens ones that nobody guesses?"""
    given = {"IG_READ_TOKEN": settings.read_token, "IG_INGEST_TOKEN": settings.ingest_token}
    tokens = {name: token.get_secret_value() for name, token in given.items() if token is not None}
    weak = [name for name, token in tokens.items() if _bits(token) < _LEAST_BITS]
    if weak:
        text = f"{' and '.join(weak)} could be guessed"
        return warning("tokens", text, "make it with: openssl rand -hex 32")
    return ok("tokens", f"{' and '.join(tokens)} given" if tokens else "none are asked for")


def _bits(token: str) -> float:
    """Estimate how many bits a token holds, by how its characters differ.

    What repeats itself counts once, and a run of neighbors such as ``abcd`` as one character.
    """
    text = re.sub(r"(.+?)\1+", r"\1", token)
    text = "".join(b for a, b in zip(" " + text, text, strict=False) if ord(b) - ord(a) != 1)
    shares = [count / len(text) for count in Counter(text).values()]
    return -len(text) * sum(share * math.log2(share) for share in shares)


def check_openness(settings: Settings) -> Finding:
    """Who reaches the port, and what may they do?"""
    if _is_of_this_machine(settings.host):
        return ok("openness", f"{settings.host} is reached from this machine only")
    if settings.read_token is None:
        text = f"whoever reaches {settings.host} may read"
        return warning("openness", text, "set IG_READ_TOKEN, or listen at 127.0.0.1 behind a proxy")
    if settings.tls_cert is None:
        text = f"tokens go to {settings.host} in the clear"
        return warning(
            "openness", text, "set IG_TLS_CERT and IG_TLS_KEY, or put a TLS proxy before"
        )
    return ok("openness", f"{settings.host} asks for a token, over TLS")


def _is_of_this_machine(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the check of the port says so
        return False
    addresses = [str(address[0]).partition("%")[0] for *_, address in found]
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)
