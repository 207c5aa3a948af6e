"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Finding", "State", "ok", "problem", "warning"]

State: TypeAlias = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing is.

    Attributes:
        check: what was looked at, in a word.
        state: ``ok``; ``warning``, a camera runs, but not as well or as safely as it could;
            ``problem``, it does not start, or will lose what it should keep.
        text: what was seen.
        remedy: what to do; empty where that is nothing.
    """

    check: str
    state: State
    text: str
    remedy: str = ""


def ok(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Return what could be better."""
    return Finding(check, "warning", text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """Return what has to be mended."""
    return Finding(check, "problem", text, remedy)
