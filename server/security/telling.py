"""What strangers are told of what went wrong: all but where on the disk, and by which version.

The log has errors whole. An answer is for whoever reaches the port, and where things lie on the
disk, or how old the program is, helps only who wants to break in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from marketcam.server.settings import Settings

__all__ = ["shows_version", "told", "without_folders"]

_ROUTES: Final = "ws|segment|manifest|range|overview|viewer"
_NAME: Final = r"[^\s/'\",;:()]+"
_FOLDERS: Final = re.compile(rf"(?<![\w:/.~-])~?/(?!(?:{_ROUTES})/)(?:{_NAME}(?: {_NAME})*/)+")
"""The folders of an absolute path, up to its last name; addresses and our own routes are none.
Names with a space are folders too where a slash comes after: rather a word too few is told."""


def told(error: Exception) -> str:
    """Return what an error says, with names in the place of paths."""
    return _FOLDERS.sub("", str(error))


def without_folders(value: Any) -> Any:
    """Return a value for JSON with names in the place of paths, in all texts in it."""
    if isinstance(value, str):
        return _FOLDERS.sub("", value)
    if isinstance(value, dict):
        return {key: without_folders(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(each) for each in value]
    return value


def shows_version(settings: Settings) -> bool:
    """Return whether answers name the package's version: to those only who have shown a token."""
    return settings.read_token is not None
