"""A kind's folder: its segments' files and the manifest that records them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from marketcam.io.store.files import make_folder
from marketcam.io.store.manifest import Manifest
from marketcam.io.store.names import check_kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from marketcam.io.store.clock import Clock
    from marketcam.io.store.errors import ManifestError
    from marketcam.io.store.names import SegmentName

__all__ = ["KindFolder"]


@dataclass(frozen=True, slots=True)
class KindFolder:
    """Where the segments of one kind live.

    Attributes:
        path: the folder; its name is the kind.
        manifest: its manifest.
        clock: what names and dates its segments.
    """

    path: Path
    manifest: Manifest
    clock: Clock

    @classmethod
    def open(
        cls,
        store_dir: Path,
        kind: str,
        clock: Clock,
        on_damage: Callable[[Path, ManifestError], None] | None = None,
    ) -> Self:
        """Make the folder where there is none, and read its manifest (see `Manifest`)."""
        path = store_dir / check_kind(kind)
        make_folder(path)
        return cls(path, Manifest(path, on_damage), clock)

    @property
    def kind(self) -> str:
        """The kind of its segments."""
        return self.path.name

    def file(self, name: SegmentName) -> Path:
        """Return where a segment's file lies."""
        return self.path / str(name)

    def entry_path(self, name: SegmentName) -> str:
        """Return a segment's path as the manifest writes it."""
        return f"{self.kind}/{name}"

    def is_taken(self, name: SegmentName) -> bool:
        """Return whether a segment has this name, closed or pending, or had it once."""
        return (
            self.file(name.as_closed()).exists()
            or self.file(name.as_pending()).exists()
            or self.manifest.latest(name) is not None
        )
