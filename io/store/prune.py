"""Thins a store out by hand, by the rules and the records of retention."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.io.store.clock import SYSTEM_CLOCK, Clock
from marketcam.io.store.errors import UnknownSegmentError
from marketcam.io.store.events import EventSink, ignore_event
from marketcam.io.store.folder import KindFolder
from marketcam.io.store.lock import StoreLock
from marketcam.io.store.names import KINDS, check_kind
from marketcam.io.store.recovery import refuse_newer
from marketcam.io.store.retention import DiskUse, Retention, RetentionPolicy, RetentionReport

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

__all__ = ["keep_newest", "prune"]

_ROOMY: Final = DiskUse(used_bytes=0, free_bytes=1)


def keep_newest(count: int) -> RetentionPolicy:
    """Return the policy by which only the newest segments of each kind stay."""
    return RetentionPolicy(retain_bytes=1, keep_min=count)


def prune(
    store_dir: str | os.PathLike[str],
    policy: RetentionPolicy,
    kinds: Iterable[str] = KINDS,
    *,
    dry_run: bool = True,
    clock: Clock = SYSTEM_CLOCK,
    on_event: EventSink = ignore_event,
) -> RetentionReport:
    """Remove what a policy does not let stay, or say what that would be.

    How full the disk is plays no part in it, and segments left pending by a dead writer stay. With
    `dry_run` nothing is written or locked, and a camera may be recording.

    Raises:
        UnknownSegmentError: there is no store.
        StoreBusyError: the store is being written; its camera thins it out. Not with `dry_run`.
        ManifestError: a manifest is damaged; `recover` mends it.
        NewerFormatError: a manifest or the journal is of a later version of this software.
        OSError: the disk cannot be asked, or a manifest not be written.
    """
    root = Path(store_dir)
    found = [kind for kind in map(check_kind, kinds) if (root / kind).is_dir()]
    if not found:
        raise UnknownSegmentError(f"there is no store at {root}: it has no {'/, no '.join(KINDS)}/")
    refuse_newer(root, found)
    with ExitStack() as held:
        if not dry_run:
            held.enter_context(StoreLock(root, clock=clock, on_event=on_event))
        folders = [KindFolder.open(root, kind, clock) for kind in found]
        retention = Retention(
            root,
            folders,
            policy,
            clock=clock,
            usage=lambda _: _ROOMY,
            on_event=on_event,
            recorded_as="prune",
        )
        return retention.run(dry_run=dry_run)
