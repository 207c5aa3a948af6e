"""Segments on disk: written, recovered after a crash, thinned out, and read back.

`Recorder` is the live path: a thread, a writer a kind, retention. `ZstdSegmentWriter` is one of
its writers alone. `Store` reads. `recover` puts a store right.
"""

from marketcam.io.lines import MAX_LINE_BYTES
from marketcam.io.store.clock import SYSTEM_CLOCK, Clock
from marketcam.io.store.decode import tick_of_line
from marketcam.io.store.entry import SegmentEntry
from marketcam.io.store.errors import (
    DamagedSegmentError,
    ManifestError,
    NewerFormatError,
    StoreBusyError,
    StoreError,
    TornSegmentError,
    UnknownRunError,
    UnknownSegmentError,
)
from marketcam.io.store.events import EventSink, Level, ignore_event
from marketcam.io.store.merging import Recorded
from marketcam.io.store.names import KINDS, SegmentName
from marketcam.io.store.options import RecorderOptions
from marketcam.io.store.reader import ALL_RUNS, Store
from marketcam.io.store.recorder import Recorder, RecorderStatus
from marketcam.io.store.recovery import RecoveryReport, recover
from marketcam.io.store.retention import DiskUse, RetentionPolicy, RetentionReport, disk_use
from marketcam.io.store.runs import UNNAMED_RUN, Hole, Run
from marketcam.io.store.writer import WriterTotals, ZstdSegmentWriter

__all__ = [
    "ALL_RUNS",
    "KINDS",
    "MAX_LINE_BYTES",
    "SYSTEM_CLOCK",
    "UNNAMED_RUN",
    "Clock",
    "DamagedSegmentError",
    "DiskUse",
    "EventSink",
    "Hole",
    "Level",
    "ManifestError",
    "NewerFormatError",
    "Recorded",
    "Recorder",
    "RecorderOptions",
    "RecorderStatus",
    "RecoveryReport",
    "RetentionPolicy",
    "RetentionReport",
    "Run",
    "SegmentEntry",
    "SegmentName",
    "Store",
    "StoreBusyError",
    "StoreError",
    "TornSegmentError",
    "UnknownRunError",
    "UnknownSegmentError",
    "WriterTotals",
    "ZstdSegmentWriter",
    "disk_use",
    "ignore_event",
    "recover",
    "tick_of_line",
]
