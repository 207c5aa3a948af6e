"""What a store holds, over HTTP: `/runs` and `/manifest/{kind}`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from marketcam.io.store import ALL_RUNS, KINDS, UNNAMED_RUN, StoreError, UnknownRunError
from marketcam.server.security.telling import told
from marketcam.server.web.answers import JsonResponse
from marketcam.server.web.asking import LATEST_RUN, Query, QueryError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from marketcam.io.store import Recorder, Run
    from marketcam.server.history.history import History

__all__ = ["Listings"]


@dataclass(frozen=True, slots=True)
class _Extent:
    """What a run has of one kind.

    Attributes:
        first_t: tick of the first line there is.
        last_t: tick of the last.
        lines: how many there are.
        segments: in how many segments.
    """

    first_t: int
    last_t: int
    lines: int
    segments: int = 1

    def joined(self, other: _Extent) -> _Extent:
        """Return both as one."""
        return replace(
            self,
            first_t=min(self.first_t, other.first_t),
            last_t=max(self.last_t, other.last_t),
            lines=self.lines + other.lines,
            segments=self.segments + other.segments,
        )

    def to_dict(self) -> dict[str, int]:
        """Return it as it is published."""
        return {name: getattr(self, name) for name in _Extent.__slots__}


class Listings:
    """Answers for the store that a recorder writes. Everything on disk is read in threads."""

    def __init__(self, recorder: Recorder, history: History, *, shows_version: bool) -> None:
        self._recorder = recorder
        self._history = history
        self._shows_version = shows_version

    async def runs(self, _: Request) -> Response:
        """List all runs, the oldest first, with what can be read of each."""
        try:
            return await self._history.in_thread(self._runs)
        except StoreError as error:
            return JsonResponse({"error": told(error)}, 500)

    async def manifest(self, request: Request) -> Response:
        """List the segments of a kind that can be fetched now, or all its records."""
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise HTTPException(404, f"no such kind, there are {', '.join(KINDS)}")
        query = Query(request.scope)
        try:
            listing = partial(self._listing, kind, query.text("run"), query.flag("all"))
            # Not on the loop: after months, this is megabytes of JSON.
            return await self._history.in_thread(listing)
        except QueryError as error:
            return JsonResponse({"error": told(error)}, 400)
        except UnknownRunError as error:
            return JsonResponse({"error": told(error)}, 404)
        except StoreError as error:
            return JsonResponse({"error": told(error)}, 500)

    def _listing(self, kind: str, run: str | None, whole: bool) -> Response:
        if run == ALL_RUNS:
            run = None
        elif run is not None:
            run = self._history.store().run(None if run == LATEST_RUN else run).id
        records = self._records(kind) if whole else self._recorder.entries(kind)
        if run is not None:
            records = [record for record in records if record.get("run", UNNAMED_RUN) == run]
        return JsonResponse(records)

    def _records(self, kind: str) -> list[dict[str, Any]]:
        """Return all records of a kind, the segment being written at their end."""
        # The pending one is asked for first: should it be closed in between, it is found twice
        # and named once, while the other order might find it nowhere.
        pending = self._recorder.current(kind)
        records = self._history.records(kind)
        if pending is not None:
            closed_path = pending["path"].replace("_pending", "")
            if all(record["path"] != closed_path for record in records):
                records.append(pending)
        return records

    def _runs(self) -> Response:
        extents: dict[str, dict[str, _Extent]] = {}
        for kind in KINDS:
            for entry in self._recorder.entries(kind):
                of_run = extents.setdefault(entry.get("run", UNNAMED_RUN), {})
                extent = _Extent(entry["start_t"], entry["end_t"], entry["lines"])
                of_run[kind] = of_run[kind].joined(extent) if kind in of_run else extent
        runs = self._history.store().runs()
        return JsonResponse([self._about(run, extents.get(run.id, {})) for run in runs])

    def _about(self, run: Run, extents: dict[str, _Extent]) -> dict[str, Any]:
        kinds = {kind: extent.to_dict() for kind, extent in extents.items()}
        fields = run.to_dict()
        if not self._shows_version:
            fields["about"].pop("version", None)
        return {**fields, "current": self._history.is_current(run), "kinds": kinds}
