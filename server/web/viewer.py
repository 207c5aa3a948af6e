"""`/viewer/`: the page, and what it and other pages load, from the package itself."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

import zstandard
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.responses import Response

from marketcam.server.web.answers import NOT_CACHED
from marketcam.server.web.content_coding import coding_for
from marketcam.server.web.uncommented import uncommented
from marketcam.server.web.validators import has_already

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

__all__ = ["PACKAGED", "PAGE", "TYPES", "ViewerFiles", "to_page"]

PACKAGED: Final = Path(__file__).parents[1] / "viewer"
"""The folder in the package."""

PAGE: Final = "index.html"
"""The file that the folder itself answers with."""

TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""The media type of each kind of file that a browser takes; others are not served."""

_COMPRESSED: Final = frozenset({".png", ".woff2"})
"""What is compressed by its own form."""

_CODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "zstd": lambda data: zstandard.ZstdCompressor(level=19).compress(data),
    "gzip": lambda data: gzip.compress(data, 9, mtime=0),
}


@dataclass(frozen=True)
class _File:
    """A file of the folder.

    Attributes:
        data: its bytes, without the comments of a script.
        suffix: the end of its name, which says what it is.
    """

    data: bytes
    suffix: str

    @cached_property
    def codings(self) -> Mapping[str, bytes]:
        """What is sent of it, by content coding; made once, 20 ms for 100 KB."""
        if self.suffix in _COMPRESSED:
            return {}
        made = {name: encode(self.data) for name, encode in _CODERS.items()}
        return {name: data for name, data in made.items() if len(data) < len(self.data)}

    @cached_property
    def digest(self) -> str:
        """What tells its bytes from others."""
        return hashlib.sha256(self.data).hexdigest()[:32]


def _read(path: Path) -> _File:
    data = path.read_bytes()
    return _File(uncommented(data) if path.suffix == ".js" else data, path.suffix)


class ViewerFiles:
    """The endpoint. It knows the files of one folder, read when it is made, and opens no other."""

    def __init__(self, folder: Path = PACKAGED) -> None:
        """Serve the files of this folder that a browser takes, and of the folders in it."""
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in TYPES and path.is_file()
        }
        Thread(target=self._compress, name="viewer", daemon=True).start()

    def _compress(self) -> None:
        """Compress all, so that the first who opens the page need not wait for it."""
        for file in self._files.values():
            _ = file.codings

    async def answer(self, request: Request) -> Response:
        """Give a file; the page, where none is named.

        Raises:
            HTTPException: 404, there is no such file; 406, the client takes no coding of ours.
        """
        file = self._files.get(request.path_params["name"] or PAGE)
        if file is None:
            raise HTTPException(404, "no such file")
        coding = coding_for(request.headers)
        headers = {**NOT_CACHED, "vary": "Accept-Encoding"}
        codings = await to_thread.run_sync(lambda: file.codings)
        data = codings.get(coding)
        headers["etag"] = f'"{file.digest}{"" if data is None else f"-{coding}"}"'
        if has_already(request.headers, headers["etag"]):
            return Response(status_code=304, headers=headers)
        headers["content-type"] = TYPES[file.suffix]
        if data is not None:
            headers["content-encoding"] = coding
        return Response(file.data if data is None else data, headers=headers)


async def to_page(request: Request) -> Response:
    """Send a browser from `/` or `/viewer` to the page, with the options that it has given.

    The place is relative, so that it holds behind a proxy that serves the camera below a path.
    """
    query = request.url.query
    headers = {**NOT_CACHED, "location": "viewer/" + (f"?{query}" if query else "")}
    return Response(status_code=307, headers=headers)
