"""A command that is stopped in the middle of its work, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from pathlib import Path

_HELD = """
import signal, sys
from {module} import {owner}
from marketcam.server.cli import main

take = {owner}.{method}

def hold(self, *given):
    result = take(self, *given)
    print("held", flush=True)
    signal.pause()

{owner}.{method} = hold
sys.exit(main(sys.argv[1:]))
"""


def interrupted(method: str, number: signal.Signals, out: Path, *arguments: object) -> str:
    """Run a command up to its first call of a method, send it a signal; return what it says.

    `method` is the full name of one that is called while what becomes `out` is in the making.
    """
    module, owner, name = method.rsplit(".", 2)
    program = _HELD.format(module=module, owner=owner, method=name)
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
    ) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert any(path.name.startswith(f".{out.name}") for path in out.parent.iterdir())
        process.send_signal(number)
        _, said = process.communicate()
        watchdog.cancel()
    assert process.returncode == 130
    return said.decode()
