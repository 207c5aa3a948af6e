"""Exits with 0 where the camera of this container is ready for clients, else with 1 and why.

It asks as whoever runs the camera would: at its port, with its token, over TLS where it speaks
that. Its certificate is not checked, since it is of the name that others know.
"""

from __future__ import annotations

import os
import ssl
import sys

from marketcam.io.remote_http import Address
from marketcam.io.store import StoreError
from marketcam.io.token_text import TokenFileError, token_text

TIMEOUT_SECONDS = 4.0


def address() -> Address:
    """Return where the camera of this environment listens."""
    scheme = "https" if os.environ.get("IG_TLS_CERT") else "http"
    given = os.environ.get("IG_READ_TOKEN")
    headers = {"Authorization": f"Bearer {token_text(given)}"} if given else {}
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    port = os.environ.get("PORT") or "8000"
    return Address(f"{scheme}://127.0.0.1:{port}", TIMEOUT_SECONDS, headers, tls)


def main() -> int:
    """Ask, and return the exit code."""
    try:
        address().json("/health", {"ready": 1})
    except (StoreError, TokenFileError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
