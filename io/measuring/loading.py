"""igraph, loaded for its measures alone."""

from __future__ import annotations

import sys

from marketcam.io.extras import of_extra

__all__ = ["igraph_version", "load_igraph"]


def igraph_version() -> str:
    """Import igraph as anybody does; return its version.

    Raises:
        MissingExtraError: it is not installed.
    """
    with of_extra("measures"):
        import igraph  # noqa: PLC0415 - of the extra `measures`
    version: str = igraph.__version__
    return version


def load_igraph() -> str:
    """Import igraph without matplotlib, which it would load to draw: a second of every start.

    For processes of our own: igraph cannot draw in this one from then on.

    Returns:
        its version.

    Raises:
        MissingExtraError: it is not installed.
    """
    kept_out = not {"igraph", "matplotlib"} & sys.modules.keys()
    if kept_out:  # as if it were not there
        sys.modules["matplotlib"] = None  # type: ignore[assignment]
    try:
        return igraph_version()
    finally:
        if kept_out:
            sys.modules.pop("matplotlib", None)  # which another thread may have done
