"""What can go wrong with a store, below the project's root error.

::

    MarketCameraError
    └── StoreError                 a store cannot be used as asked
        ├── UnknownSegmentError    no such store, kind or segment
        │   └── UnknownRunError    no such run
        ├── ManifestError          a manifest that is not what one must be
        ├── CheckpointError        a checkpoint from which no run can go on
        ├── NewerFormatError       records of a later version of this software
        ├── StoreBusyError         another process writes to it
        └── DamagedSegmentError    a segment's bytes contradict its format
            └── TornSegmentError   a segment ends before its end

Failures of the disk itself (full, gone, not permitted) are the standard library's `OSError`.
"""

from marketcam.engine import MarketCameraError

__all__ = [
    "CheckpointError",
    "DamagedSegmentError",
    "ManifestError",
    "NewerFormatError",
    "StoreBusyError",
    "StoreError",
    "TornSegmentError",
    "UnknownRunError",
    "UnknownSegmentError",
]


class StoreError(MarketCameraError):
    """A store cannot be read or written as asked; the message names the place and the reason."""


class UnknownSegmentError(StoreError):
    """No such store, kind or segment."""


class UnknownRunError(UnknownSegmentError):
    """No such run in this store."""


class NewerFormatError(StoreError):
    """A record of a later version of this software; nothing of the store was changed."""


class StoreBusyError(StoreError):
    """Another process writes to the store; names its pid."""


class CheckpointError(StoreError):
    """A checkpoint that is damaged, or that does not fit what is recorded; names what is wrong."""


class ManifestError(StoreError):
    """A manifest that is not a JSON list of segment records; names the record and the field."""


class DamagedSegmentError(StoreError):
    """A segment's bytes contradict its format, its size or its checksum."""


class TornSegmentError(DamagedSegmentError):
    """A segment ends before its end: it is still being written, or was cut off."""
