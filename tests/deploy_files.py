"""The files of `deploy/`, and how tests put their own places into them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"


def rendered(name: str, replacements: dict[str, str]) -> str:
    """Return a shipped file with each text replaced, which has to be there."""
    text = (DEPLOY / name).read_text()
    for old, new in replacements.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text
