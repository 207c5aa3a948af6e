"""The examples as processes of their own, as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import playwright

from tests.ingest_helpers import TOKEN
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from tests.server_helpers import Running

EXAMPLES = Path(__file__).parent.parent / "examples"
NODE = Path(playwright.__file__).parent / "driver" / "node"
"""The Node that the browser tests' library brings, new enough to have WebSocket."""


def run_python(name: str, server: Running, *flags: str) -> str:
    """Run an example with the token in its environment; return what it says."""
    command = (sys.executable, str(EXAMPLES / name), server.listening.url, *flags)
    return _run(command, 0, os.environ | {"IG_INGEST_TOKEN": TOKEN}).stdout


def run_javascript(url: str, *arguments: str, code: int = 0) -> str:
    """Run the producer in JavaScript; return what it says, and complains of."""
    command = (str(NODE), str(EXAMPLES / "producer.mjs"), f"ws{url.removeprefix('http')}")
    ended = _run((*command, *arguments), code, None)
    return ended.stdout + ended.stderr


def _run(
    command: tuple[str, ...], code: int, environment: dict[str, str] | None
) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == code, ended.stderr
    return ended
