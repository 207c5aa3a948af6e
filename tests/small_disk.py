"""A real disk that is small: a tmpfs of its own, for a script in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_ON_A_DISK = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'


def run_on_small_disk(script: str, folder: Path, size: str = "2m") -> str:
    """Run a Python script with `folder`, on a disk of `size`, as its argument; return its output.

    Nobody else sees that disk, and it goes with the script. Skips the test where neither root nor
    a namespace may mount one, as in some containers; there a limit of the kernel's own is
    the nearest thing (`test_a_file_the_system_does_not_let_grow`).
    """
    flags = "-m" if os.geteuid() == 0 else "-Urm"
    on_disk = ["unshare", flags, "sh", "-c", _ON_A_DISK, "sh", size, str(folder)]
    if subprocess.run([*on_disk, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    done = subprocess.run(
        [*on_disk, sys.executable, "-c", script, str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
