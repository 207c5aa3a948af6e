"""History, wherever it is: what a store in a folder and one behind a URL have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from marketcam.io.store.reader import ALL_RUNS, Store

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable
    from types import TracebackType

    from marketcam.io.remote import RemoteStore
    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.merging import Recorded
    from marketcam.io.store.runs import Run

__all__ = ["History", "open_store", "runs_asked_for"]


class History(Protocol):
    """What has been recorded. `Store` has it in a folder, `RemoteStore` behind a URL.

    The methods are described at `Store`; of one that cannot be reached any may raise
    `RemoteStoreError`. Iterators hold a file or a connection until they end or are closed; as a
    context manager, a history closes at its end what is still open.
    """

    def runs(self) -> list[Run]:
        """Return the runs, the oldest first."""

    def run(self, run: str | None = None) -> Run:
        """Return a run by its name; None: the latest."""

    def segments(self, kind: str, run: str | None = None) -> list[SegmentEntry]:
        """Return the segments of a kind; of all runs where none is named."""

    def lines(
        self,
        kind: str,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[bytes]:
        """Return the JSON lines of a kind, without line ends, in order of tick."""

    def messages(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        kinds: Iterable[str] = ("metric", "frame"),
        every: int = 1,
    ) -> Generator[Recorded]:
        """Return messages of several kinds by tick, within a tick the metric first."""

    def frames(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return frames as dicts."""

    def metrics(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return metrics as dicts."""

    def ticks(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return raw ticks as dicts."""

    def last_t(self, kind: str, run: str | None = None) -> int | None:
        """Return the tick of the last line of a kind; None without any."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_store(place: str | os.PathLike[str], token: str | None = None) -> Store | RemoteStore:
    """Open what a camera has recorded, for reading; the camera may be running.

    >>> with open_store("http://127.0.0.1:8000") as store:
    ...     for frame in store.frames(12000, 12300):
    ...         print(frame["t"], len(frame["edges"]))

    Args:
        place: a store's folder, or the ``http://`` or ``https://`` address of a camera;
            `RemoteStore` has more options for one.
        token: what the camera asks readers for, or ``@FILE`` that holds it; None: what
            `IG_READ_TOKEN` says, if anything. A folder needs none.

    Raises:
        UnknownSegmentError: there is no such folder.
        StoreError: the address is none, or of another scheme; or the token cannot be used.
    """
    if isinstance(place, str) and "://" in place:
        from marketcam.io.remote import RemoteStore  # noqa: PLC0415 - for addresses only

        return RemoteStore(place, token=token)
    return Store(place)


def runs_asked_for(history: History, run: str | None) -> list[str]:
    """Return the names of the runs that `run` means: one, or all of them.

    Raises:
        UnknownRunError: there is no such run, or none at all.
    """
    if run == ALL_RUNS:
        return [each.id for each in history.runs()]
    return [history.run(run).id]
