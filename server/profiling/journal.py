"""The results so far, kept on disk point by point, so that an interrupted grid goes on.

A journal is a text file: a line of JSON that says under which conditions it was made, then a line
for each result. A result is written, flushed and synced before the next point begins. A process
that is killed leaves at most one torn line at the end, which the next one cuts off; that point is
measured again. The file is locked while it is in use. When a point stands in it twice, the later
line counts.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final, Self

from marketcam.server.profiling.conditions import differences
from marketcam.server.profiling.errors import JournalError, PointError
from marketcam.server.profiling.measure import Figures
from marketcam.server.profiling.points import Point

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = ["Journal", "Result"]

_FORMAT: Final = 1
_BEGINNING: Final = b'{"marketcam_profile":'
_FRESH: Final = "--fresh starts over, --journal FILE keeps both"


@dataclass(frozen=True, slots=True)
class Result:
    """What has come of one point.

    Attributes:
        point: what was asked.
        figures: what was measured, or None.
        reason: why it could not be measured, or None.
        lasting: whether it stays so; else the next run tries the point again.
        measured_at: when, UTC, ISO 8601.
    """

    point: Point
    figures: Figures | None
    reason: str | None
    lasting: bool
    measured_at: str

    @classmethod
    def measured(cls, point: Point, figures: Figures) -> Result:
        """Return the result of a point that was measured."""
        return cls(point, figures, None, True, _now())

    @classmethod
    def failed(cls, point: Point, error: PointError) -> Result:
        """Return the result of a point that could not be measured."""
        return cls(point, None, str(error), error.lasting, _now())

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object; `from_json` reads it back."""
        return {
            "point": self.point.to_json(),
            "figures": None if self.figures is None else self.figures.to_json(),
            "reason": self.reason,
            "lasting": self.lasting,
            "measured_at": self.measured_at,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Result:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError, PointError: it is no result.
        """
        figures = value["figures"]
        return cls(
            Point.from_json(value["point"]),
            None if figures is None else Figures.from_json(figures),
            value["reason"],
            value["lasting"],
            value["measured_at"],
        )


class Journal:
    """An open journal; a context manager.

    Attributes:
        path: where it lies.
        results: what it holds, by point.
    """

    def __init__(
        self, path: Path, conditions: Mapping[str, str] | None, *, fresh: bool = False
    ) -> None:
        """Open or make the journal at `path`; `fresh` empties it first.

        Without conditions it is only looked at: whatever it was made under is as good as any.

        Raises:
            JournalError: it is in use, was made under other conditions, or is no journal.
            OSError: the file cannot be opened.
        """
        self.path = path
        self.results: dict[Point, Result] = {}
        self._conditions = conditions
        self._file = _opened(path)
        try:
            self._lock()
            self._check_kind()
            if fresh:
                self._file.truncate(0)
            self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, result: Result) -> None:
        """Keep a result; when this returns, it is on disk."""
        self._write(result.to_json())
        self.results[result.point] = result

    def read_again(self) -> None:
        """Take `results` from the file, as after an interrupt that may have come within `add`."""
        self._file.flush()
        self.results.clear()
        self._read()

    def settles(self, point: Point) -> bool:
        """Tell whether a point need not be measured again."""
        return point in self.results and self.results[point].lasting

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalError(f"the journal {self.path} is in use by another run") from error

    def _check_kind(self) -> None:
        """Refuse a file that is no journal before anything in it is changed."""
        begin = self._file.read(len(_BEGINNING))
        if not _BEGINNING.startswith(begin):
            raise JournalError(
                f"{self.path} is no journal of a profile: --journal FILE names another"
            )

    def _read(self) -> None:
        lines = self._whole_lines()
        if not lines:
            if self._conditions is not None:
                self._write({"marketcam_profile": _FORMAT, "conditions": dict(self._conditions)})
            return
        self._check(lines[0])
        for number, line in enumerate(lines[1:], start=2):
            try:
                result = Result.from_json(json.loads(line))
            except (KeyError, TypeError, ValueError, PointError) as error:
                raise JournalError(
                    f"the journal {self.path} is damaged at line {number}: {_FRESH}"
                ) from error
            self.results[result.point] = result

    def _whole_lines(self) -> list[bytes]:
        """Return the lines of the file; what follows the last line end is torn, and cut off."""
        self._file.seek(0)
        text = self._file.read()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            self._file.truncate(len(whole))
        self._file.seek(len(whole))
        return whole.splitlines()

    def _check(self, line: bytes) -> None:
        try:
            head = json.loads(line)
            known, then = head["marketcam_profile"] == _FORMAT, dict(head["conditions"])
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(f"the journal {self.path} is damaged at line 1: {_FRESH}") from error
        if not known:
            raise JournalError(f"the journal {self.path} has another format: {_FRESH}")
        if self._conditions is not None and (changed := differences(then, self._conditions)):
            raise JournalError(
                f"the journal {self.path} holds results of other conditions "
                f"({'; '.join(changed)}): {_FRESH}"
            )

    def _write(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _opened(path: Path) -> IO[bytes]:
    """Open a file to be read and written, made where it is not there, as it is where it is."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
