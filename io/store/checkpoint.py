"""`checkpoint.json`: the state from which a run goes on after its process has ended.

A checkpoint of tick c holds what the source needs to give tick c and all after it again. It is
written only once every line is durable that a tick up to c + W gave, so that whoever goes on from
it has filmed a whole window again before the first line that is not recorded. The file is replaced
whole, and carries a checksum: it is either the checkpoint that was written or none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from marketcam.io.store.entry import FORMAT, check_format
from marketcam.io.store.errors import CheckpointError, ManifestError
from marketcam.io.store.files import replace_whole
from marketcam.io.store.manifest import MANIFEST, read_manifest
from marketcam.io.store.names import KINDS, MAX_RUN_LENGTH
from marketcam.io.store.reader import ALL_RUNS, Store
from marketcam.io.store.runs import read_runs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["CHECKPOINT", "Checkpoint", "read_checkpoint", "recorded_ticks", "write_checkpoint"]

CHECKPOINT: Final = "checkpoint.json"
"""File name of the checkpoint, in the store's root."""

_CHECKSUM: Final = "sha256"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run can go on.

    Attributes:
        run: its name.
        t: the first tick that the restored source gives.
        recorded: by kind, the tick up to which lines were on the disk when it was written.
        settings: everything that its lines depend on, by name; what JSON can express.
        state: what the source and the camera need; what JSON can express, floats in full.
    """

    run: str
    t: int
    recorded: Mapping[str, int]
    settings: Mapping[str, Any]
    state: Mapping[str, Any]

    def differences(self, settings: Mapping[str, Any]) -> list[str]:
        """Return in which settings a run with `settings` would be another one, with both values."""
        names = sorted({*self.settings, *settings})
        theirs = {name: self.settings.get(name) for name in names}
        ours = {name: settings.get(name) for name in names}
        return [f"{n} was {theirs[n]!r}, is {ours[n]!r}" for n in names if theirs[n] != ours[n]]


def write_checkpoint(store_dir: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of a store, durably. For the holder of the store's lock.

    Raises:
        OSError: the disk refused; the checkpoint before it stands.

    Cost: two syncs, and 40 ns an agent of the state.
    """
    record = {
        "format": FORMAT,
        "run": checkpoint.run,
        "t": checkpoint.t,
        "recorded": dict(checkpoint.recorded),
        "settings": dict(checkpoint.settings),
        "state": dict(checkpoint.state),
    }
    path = store_dir / CHECKPOINT
    try:
        replace_whole(path, orjson.dumps(record | {_CHECKSUM: _checksum(record)}) + b"\n")
    except OSError:
        path.with_name(f"{CHECKPOINT}.new").unlink(missing_ok=True)
        raise


def read_checkpoint(store_dir: Path) -> Checkpoint | None:
    """Return the checkpoint of a store; None where there is none.

    Raises:
        CheckpointError: it is damaged; says how.
        NewerFormatError: it is of a later version of this software.
        OSError: the file cannot be read.
    """
    path = store_dir / CHECKPOINT
    try:
        record = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise CheckpointError(f"{path} must hold an object, got {record!r:.60}")
    # The checksum first: its rule is that of every version, and a damaged number is no version.
    said = record.pop(_CHECKSUM, None)
    if said != _checksum(record):
        raise CheckpointError(f"{path} does not match its checksum")
    try:
        check_format(record)
    except ManifestError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return _checkpoint(record, path)


def recorded_ticks(store_dir: Path, run: str) -> dict[str, int]:
    """Return by kind the tick of the last line of a run, be it there or removed by retention.

    Raises:
        ManifestError, NewerFormatError, DamagedSegmentError: the store has to be recovered first.

    Cost: as `Store.segments`.
    """
    store, journal = Store(store_dir), read_runs(store_dir)
    ticks: dict[str, int] = {}
    for kind in KINDS:
        if (store_dir / kind).is_dir():
            records = [entry for _, entry in read_manifest(store_dir / kind / MANIFEST)]
            entries = (*records, *store.segments(kind, ALL_RUNS))
            ends = [entry.end_t for entry in entries if journal.run_of(entry) == run]
            if ends:
                ticks[kind] = max(ends)
    return ticks


def _checkpoint(record: dict[str, Any], path: Path) -> Checkpoint:
    run, t = record.get("run"), record.get("t")
    recorded = record.get("recorded")
    settings, state = record.get("settings"), record.get("state")
    if not isinstance(run, str) or not 0 < len(run) <= MAX_RUN_LENGTH:
        raise CheckpointError(f"{path}: run must be a run's name, got {run!r:.60}")
    if type(t) is not int or t < 0:
        raise CheckpointError(f"{path}: t must be a whole number from 0, got {t!r:.60}")
    if not isinstance(recorded, dict) or not all(type(t) is int for t in recorded.values()):
        raise CheckpointError(f"{path}: recorded must hold whole numbers, got {recorded!r:.60}")
    if not isinstance(settings, dict) or not isinstance(state, dict):
        raise CheckpointError(f"{path}: settings and state must be objects")
    return Checkpoint(run, t, recorded, settings, state)


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()
