"""A program: `marketcam`, with the times shortened that no setting shortens.

An attack that is over when a minute of silence is over would take the tests that minute.
"""

from __future__ import annotations

import sys

from marketcam.server import serve
from marketcam.server.cli import main
from marketcam.server.stream import connection
from marketcam.server.stream import protocol as streams
from marketcam.server.web import protocol as requests

serve.PING_SECONDS = 1.0  # type: ignore[misc]
requests.REQUEST_SECONDS = 1.0  # type: ignore[misc]
connection.CLOSE_SECONDS = streams.CLOSE_SECONDS = 0.5  # type: ignore[misc]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
