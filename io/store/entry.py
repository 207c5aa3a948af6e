"""One record of a manifest: what there is to know of a segment without opening it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from marketcam.io.store.clock import parse_utc
from marketcam.io.store.errors import ManifestError, NewerFormatError
from marketcam.io.store.names import KINDS, MAX_RUN_LENGTH, SegmentName

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMAT", "SegmentEntry", "check_format"]

FORMAT: Final = 1
"""Version of the records of manifests and of runs. Records without one are of the time before runs
had names; those of a later version are refused, since nobody can know what they would mean."""


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A segment as a manifest records it.

    Attributes:
        path: `<kind>/<file name>`, below the store's folder.
        start_t: tick number of the first line.
        end_t: tick number of the last line.
        lines: how many lines it holds; of a pending one, how many can be read now.
        bytes: size of the file.
        created_at: when it was closed; of a pending one, when it was opened. ISO 8601, UTC.
        pending: whether it is being written.
        run: the run it is of; None where it was recorded before runs had names.
        removed: whether this record says that the segment is gone.
        reason: why it is, where that is known: ``"age"``, ``"size"``, ``"disk"`` or ``"prune"``
            where it was removed for that, ``"missing"`` where recovery found it gone.
    """

    path: str
    start_t: int
    end_t: int
    lines: int
    bytes: int
    created_at: str
    pending: bool = False
    run: str | None = None
    removed: bool = False
    reason: str | None = None

    @property
    def kind(self) -> str:
        """The folder the segment lies in."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> SegmentName:
        """The segment's file name."""
        return _name_in(self.path)

    @property
    def closed_at(self) -> float:
        """`created_at` in seconds since 1970."""
        return parse_utc(self.created_at)

    def as_removed(self, reason: str | None = None) -> SegmentEntry:
        """Return the later record that says that the segment is gone, and why."""
        return replace(self, removed=True, reason=reason)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as it is published, fields in their published order."""
        record = {field: getattr(self, field) for field in _PUBLISHED}
        if self.run is not None:
            record |= {"run": self.run, "format": FORMAT}
        if self.removed:
            record["removed"] = True
            if self.reason is not None:
                record["reason"] = self.reason
        return record

    @classmethod
    def from_dict(cls, record: object, kind: str) -> SegmentEntry:
        """Read a record of the manifest in `kind`'s folder; unknown fields are left out.

        Raises:
            ManifestError: a field is missing or not what it must be; names field and value.
            NewerFormatError: the record is of a later version of this software.
        """
        if not isinstance(record, dict):
            raise ManifestError(f"record must be an object, got {record!r:.120}")
        fields = cast("dict[str, Any]", record)
        check_format(fields)
        values = {
            field: _checked(fields, field, rule, is_valid)
            for field, (rule, is_valid) in _RULES.items()
        }
        entry = cls(**values)
        if entry.kind != kind:
            raise ManifestError(f"path must lie in {kind}/, got {entry.path!r}")
        return entry


def check_format(record: dict[str, Any]) -> None:
    """Raise NewerFormatError for a record of a later version, ManifestError for none at all."""
    version = record.get("format", 0)
    if not _is_count(version):
        raise ManifestError(f"format must be an integer of at least 0, got {version!r:.120}")
    if version > FORMAT:
        raise NewerFormatError(f"format must be at most {FORMAT}, got {version}: a newer marketcam")


def _name_in(path: str) -> SegmentName:
    kind, _, file_name = path.partition("/")
    name = SegmentName.parse(file_name)
    if kind not in KINDS or name is None:
        raise ManifestError(f"path must be <kind>/<segment file name>, got {path!r:.120}")
    return name


def _checked(
    record: dict[str, Any], field: str, rule: str, is_valid: Callable[[object], bool]
) -> Any:
    value = record.get(field, _ABSENT.get(field))
    if not is_valid(value):
        raise ManifestError(f"{field} must be {rule}, got {value!r:.120}")
    return value


def _is_closed_path(value: object) -> bool:
    try:
        return isinstance(value, str) and not _name_in(value).pending
    except ManifestError:
        return False


def _is_integer(value: object) -> bool:
    return type(value) is int


def _is_run(value: object) -> bool:
    return value is None or (isinstance(value, str) and 0 < len(value) <= MAX_RUN_LENGTH)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_moment(value: object) -> bool:
    try:
        return isinstance(value, str) and parse_utc(value) >= 0
    except ValueError:
        return False


def _is_reason(value: object) -> bool:
    return value is None or (isinstance(value, str) and 0 < len(value) <= _LONGEST_REASON)


_LONGEST_REASON: Final = 64
_ABSENT: Final = {"removed": False}
_PUBLISHED: Final = ("path", "start_t", "end_t", "lines", "bytes", "created_at", "pending")
_RULES: Final[dict[str, tuple[str, Callable[[object], bool]]]] = {
    "path": ("<kind>/<file name of a closed segment>", _is_closed_path),
    "start_t": ("an integer", _is_integer),
    "end_t": ("an integer", _is_integer),
    "lines": ("an integer of at least 0", _is_count),
    "bytes": ("an integer of at least 0", _is_count),
    "created_at": ("a moment such as 2026-01-24T12:05:00Z", _is_moment),
    "pending": ("false", lambda value: value is False),
    "run": (f"a text of 1 to {MAX_RUN_LENGTH} characters", _is_run),
    "removed": ("true or false", lambda value: isinstance(value, bool)),
    "reason": (f"a text of 1 to {_LONGEST_REASON} characters", _is_reason),
}
