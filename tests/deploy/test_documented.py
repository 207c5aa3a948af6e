"""`docs/deployment.md` names every file that is shipped and every check that is made."""

from __future__ import annotations

import re

from marketcam.server.doctor.checks import CHECKS
from tests.deploy_files import DEPLOY, ROOT

TEXT = (ROOT / "docs" / "deployment.md").read_text()


def first_cells(heading: str) -> list[str]:
    """Return the first cell of each row of the table below a heading."""
    section = TEXT.partition(f"# {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_every_file_is_told() -> None:
    shipped = {str(path.relative_to(ROOT)) for path in DEPLOY.rglob("*") if path.is_file()}
    assert set(first_cells("Deployment")) == {name for name in shipped if "__pycache__" not in name}


def test_every_check_is_told() -> None:
    assert first_cells("marketcam doctor") == list(CHECKS)


def test_files_named_in_the_text_are_there() -> None:
    for name in re.findall(r"\b(deploy/[\w./]+\w)", TEXT):
        assert (ROOT / name).exists(), name
