"""What docs/filming.md shows is run as it is shown, from an empty folder, in its order."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

from marketcam.io import Store
from tests.readme_blocks import ROOT, read
from tests.server_helpers import PATIENCE, recorded

if TYPE_CHECKING:
    from pathlib import Path

DOC = ROOT / "docs" / "filming.md"


def environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IG_")}
    return clean | {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}


def output_of(language: str, text: str, folder: Path) -> str:
    command = ["bash", "-ec"] if language == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, text],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout


def test_it_runs_as_it_stands(tmp_path):
    blocks = [(block.language, block.text) for block in read(DOC).blocks]
    assert [language for language, _ in blocks] == ["bash", "python", "bash", "python"]
    *_, printed = [output_of(language, text, tmp_path) for language, text in blocks]
    assert recorded(tmp_path / "from-csv", "frames") == recorded(tmp_path / "wide", "frames")
    frames = Store(tmp_path / "data").frames(every=10)
    first, *others = printed.splitlines()
    assert first == f"300 20 nodes {len(next(frames)['edges'])} edges"
    assert len(others) == 26
