"""Segment files over HTTP: whole, in parts, or not at all when the client has them already.

Starlette's `FileResponse` opens a file by name after it has measured it, and reads to its end. A
segment that is being written grows in between, is renamed when it is closed, and may be removed by
somebody else. So here a file is opened once and measured once, and exactly that much of it is sent,
whatever happens to its name. A closed one is locked, so that retention leaves it until it was sent.

Sent is what the manifest has, and what the recorder is writing. Other files of the store, be they
named as segments are, are not.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from io import FileIO
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

from marketcam.io.store import KINDS, SegmentName, Store, UnknownSegmentError
from marketcam.io.store.files import hold
from marketcam.server.web.validators import has_already

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

__all__ = ["SegmentFiles"]

_CHUNK_BYTES: Final = 256 * 1024
_ZSTD_HEADER_BYTES: Final = 14
_RANGE: Final = re.compile(r"bytes=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)


class SegmentFiles:
    """The ASGI endpoint of `/segment/{kind}/{name}`, for GET and HEAD.

    A closed segment never changes and may be cached for ever. Of one being written, what is in
    the file now is sent. Its name stays good: once it is closed, the closed file is sent.
    """

    def __init__(self, store_dir: Path, current: Callable[[str], Mapping[str, Any] | None]) -> None:
        """Serve the segments of this store, and nothing else that lies in it.

        Args:
            store_dir: the store's root.
            current: returns the entry of the segment of a kind that is being written, if any.
        """
        self._store_dir = store_dir
        self._current = current
        self._store: Store | None = None  # from the first request on: the folder is made at a start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            HTTPException: 404, there is no such segment; 416, it has no such part.
        """
        request = Request(scope, receive)
        kind, name = _named(scope)
        snapshot = await to_thread.run_sync(self._find, kind, name)
        with snapshot.file:
            status, part = _asked_for(request, snapshot)
            headers = _headers(snapshot, part, pending=name.pending)
            if status == 206 and part is not None:
                span = f"bytes {part.start}-{part.stop - 1}/{snapshot.size}"
                headers.append((b"content-range", span.encode()))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            if part is not None and request.method == "GET":
                await _send_part(snapshot, part, request, send)
            else:
                await send({"type": "http.response.body"})

    def _find(self, kind: str, name: SegmentName) -> _Snapshot:
        try:
            store = self._store = self._store or Store(self._store_dir)
            # In this order: what is closed meanwhile is in the manifest before it is not current.
            if not self._is_current(kind, name) and store.record(kind, name.as_closed()) is None:
                raise _no_such_segment()
            try:
                return _Snapshot.take(store.file(kind, str(name)))
            except FileNotFoundError:  # it was closed in between, and has its other name now
                return _Snapshot.take(store.file(kind, str(name)))
        except (UnknownSegmentError, OSError) as error:
            raise _no_such_segment() from error

    def _is_current(self, kind: str, name: SegmentName) -> bool:
        entry = self._current(kind)
        return entry is not None and entry["path"] == f"{kind}/{name.as_pending()}"


def _named(scope: Scope) -> tuple[str, SegmentName]:
    """Read kind and name; what is not exactly a segment's name never becomes a path."""
    kind, text = scope["path_params"]["kind"], scope["path_params"]["name"]
    name = SegmentName.parse(text.removeprefix(f"{kind}/"))
    # A line end after the name is lost on the way through the router's regular expression.
    if kind not in KINDS or name is None or not scope["path"].endswith(text):
        raise _no_such_segment()
    return kind, name


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A segment's file at one moment.

    Attributes:
        file: the open file.
        header: its first bytes. They hold the content size, which closing a segment fills in;
            since they are read before the size of the file is taken, and closing does it in the
            other order, a header with a content size never goes with a part of the content.
        size: bytes of the file.
        mtime_ns: when it was last written.
    """

    file: FileIO
    header: bytes
    size: int
    mtime_ns: int

    @classmethod
    def take(cls, path: Path) -> _Snapshot:
        """Open and measure a file; links are not followed, since they may lead outside.

        Raises:
            OSError: there is no such file, or it is a link.
        """
        file = FileIO(path, opener=_open_unlinked)
        try:
            if not _is_pending(path):
                hold(file.fileno(), path)
            while True:
                header = os.pread(file.fileno(), _ZSTD_HEADER_BYTES, 0)
                status = os.fstat(file.fileno())
                if len(header) == min(_ZSTD_HEADER_BYTES, status.st_size):
                    return cls(file, header, status.st_size, status.st_mtime_ns)
        except BaseException:
            file.close()
            raise

    @property
    def etag(self) -> str:
        """A strong validator: two snapshots share it only if they are the same bytes."""
        return f'"{self.size:x}-{self.mtime_ns:x}-{self.header[6:].hex()}"'

    def read(self, position: int, limit: int) -> bytes:
        """Read from a position up to a limit, as much as a chunk holds."""
        data = os.pread(self.file.fileno(), min(limit - position, _CHUNK_BYTES), position)
        header = self.header[position:limit]
        return header + data[len(header) :] if header else data


def _is_pending(path: Path) -> bool:
    name = SegmentName.parse(path.name)
    return name is not None and name.pending


def _no_such_segment() -> HTTPException:
    return HTTPException(404, "no such segment")


def _open_unlinked(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return descriptor


def _asked_for(request: Request, snapshot: _Snapshot) -> tuple[int, range | None]:
    """Return the status of the answer and the bytes that it carries, None for none at all."""
    asked = request.headers
    if has_already(asked, snapshot.etag):
        return 304, None
    part = None
    # RFC 9110, 14.2: a range is for GET; to HEAD it is as if it were not there.
    if request.method == "GET" and asked.get("if-range", snapshot.etag) == snapshot.etag:
        part = _requested_part(asked.get("range", ""), snapshot.size)
    return (200, range(snapshot.size)) if part is None else (206, part)


def _requested_part(text: str, size: int) -> range | None:
    """Read a Range header (RFC 9110, 14.2); None where it is to be ignored.

    Ignored are other units, what cannot be read, and several ranges at once, which a server may
    answer with the whole.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    first, last = (int(digits) if digits else None for digits in match.groups())
    if first is None:
        part = range(max(size - (last or 0), 0), size)
    else:
        if last is not None and last < first:
            return None
        part = range(first, size if last is None else min(last + 1, size))
    if not part:
        headers = {"content-range": f"bytes */{size}"}
        raise HTTPException(416, f"range lies outside of the {size} bytes", headers)
    return part


def _headers(
    snapshot: _Snapshot, part: range | None, *, pending: bool
) -> list[tuple[bytes, bytes]]:
    headers = {
        "accept-ranges": "bytes",
        "cache-control": "no-cache" if pending else "public, max-age=31536000, immutable",
        "etag": snapshot.etag,
    }
    if part is not None:
        headers["content-type"] = "application/octet-stream"
        headers["content-length"] = str(len(part))
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def _send_part(snapshot: _Snapshot, part: range, request: Request, send: Send) -> None:
    position = part.start
    while position < part.stop and not await request.is_disconnected():
        chunk = await to_thread.run_sync(snapshot.read, position, part.stop)
        if not chunk:
            raise RuntimeError(f"segment became shorter than {snapshot.size} bytes: {position}")
        position += len(chunk)
        more = position < part.stop
        await send({"type": "http.response.body", "body": chunk, "more_body": more})
    if not part:
        await send({"type": "http.response.body"})
