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
    StoreError,
    TornSegmentError,
    UnknownSegmentError,
)
from marketcam.io.store.events import EventSink, Level, ignore_event
from marketcam.io.store.names import KINDS, SegmentName
from marketcam.io.store.options import RecorderOptions
from marketcam.io.store.reader import Store
from marketcam.io.store.recorder import Recorder, RecorderStatus
from marketcam.io.store.recovery import RecoveryReport, recover
from marketcam.io.store.retention import DiskUse, RetentionPolicy, RetentionReport, disk_use
from marketcam.io.store.writer import WriterTotals, ZstdSegmentWriter

__all__ = [
    "KINDS",
    "MAX_LINE_BYTES",
    "SYSTEM_CLOCK",
    "Clock",
    "DamagedSegmentError",
    "DiskUse",
    "EventSink",
    "Level",
    "ManifestError",
    "Recorder",
    "RecorderOptions",
    "RecorderStatus",
    "RecoveryReport",
    "RetentionPolicy",
    "RetentionReport",
    "SegmentEntry",
    "SegmentName",
    "Store",
    "StoreError",
    "TornSegmentError",
    "UnknownSegmentError",
    "WriterTotals",
    "ZstdSegmentWriter",
    "disk_use",
    "ignore_event",
    "recover",
    "tick_of_line",
]
