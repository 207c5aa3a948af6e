"""The documents of the repository as their readers take them: headings, blocks, links, tables."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.server_helpers import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
ENGLISH = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
MESSAGES = ROOT / "docs" / "messages.md"
READMES = (ENGLISH, CHINESE)

_FENCE = "```"
_HEADING = re.compile(r"(#+) (.+)")
_TABLE = re.compile(r"<!-- configuration table -->\n(.+)<!-- end of the table -->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: the heading it stands under, its language, its text."""

    section: str
    language: str
    text: str


@dataclass(frozen=True)
class Document:
    """What is fenced, and the lines of all the rest."""

    blocks: list[Block]
    prose: list[str]


def read(path: Path) -> Document:
    document, section = Document([], []), ""
    block: list[str] | None = None
    for line in path.read_text().splitlines():
        if block is None and line.startswith(_FENCE):
            block = [line.removeprefix(_FENCE)]
        elif block is not None and line == _FENCE:
            document.blocks.append(Block(section, block[0], "\n".join(block[1:])))
            block = None
        elif block is not None:
            block.append(line)
        else:
            heading = _HEADING.fullmatch(line)
            section = heading[2] if heading else section
            document.prose.append(line)
    assert block is None, f"{path.name}: a block is not closed"
    return document


def the_block(section: str, language: str, number: int = 0) -> str:
    """Return the text of a block of the English README, by default the first of its kind."""
    found = [b.text for b in read(ENGLISH).blocks if (b.section, b.language) == (section, language)]
    return found[number]


def commands(script: str) -> list[str]:
    """Return the commands of a shell block; one that goes on over several lines is one."""
    return script.replace("\\\n", "").splitlines()


def heading_levels(path: Path) -> list[int]:
    return [len(found[1]) for line in read(path).prose if (found := _HEADING.fullmatch(line))]


def relative_links(path: Path) -> list[str]:
    targets = re.findall(r"\]\(([^)]+)\)", "\n".join(read(path).prose))
    return [target for target in targets if "://" not in target]


def code_spans(path: Path) -> set[str]:
    """Return what the text outside of blocks and tables sets as code."""
    text = "\n".join(line for line in read(path).prose if not line.startswith("|"))
    return {" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)}


def configuration(path: Path) -> str:
    """Return the configuration table, as it is written."""
    found = _TABLE.search(path.read_text())
    assert found is not None, f"{path.name} has no configuration table"
    return found[1]


def configuration_rows(path: Path) -> list[list[str]]:
    """Return the cells of the configuration table, without its header."""
    _, _, *rows = configuration(path).splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def output_of(folder: Path, *command: str) -> str:
    """Run a command of a document in a folder, with this Python's scripts; return what it says."""
    scripts = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IG_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean | {"PATH": scripts},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
