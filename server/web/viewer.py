"""`/viewer/{name}`: what a browser needs to read the stream, from the package itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from marketcam.server.web.answers import NOT_CACHED

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["ViewerFiles"]

_FOLDER: Final = Path(__file__).parents[1] / "viewer"
_TYPES: Final = {".js": "text/javascript; charset=utf-8"}


class ViewerFiles:
    """The endpoint. It knows the files of one folder, read when it is made, and opens no other."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        """Serve the files of this folder that a browser takes; no folders in it."""
        self._files = {
            path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted(folder.iterdir())
            if path.suffix in _TYPES
        }

    async def answer(self, request: Request) -> Response:
        """Give a file.

        Raises:
            HTTPException: 404, there is no such file.
        """
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "no such file")
        data, media_type = found
        return Response(data, headers={**NOT_CACHED, "content-type": media_type})
