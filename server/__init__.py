"""The outside of the camera: configuration, streams, HTTP, command line.

`marketcam.server:app` is the application for `uvicorn`, configured by environment variables;
`create_app` makes one from settings of your own. Both are loaded when they are asked for, since
the command line imports this package and does not need them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketcam.server.application import app, create_app

__all__ = ["app", "create_app"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from marketcam.server import application  # noqa: PLC0415 - see the docstring above

        return getattr(application, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
