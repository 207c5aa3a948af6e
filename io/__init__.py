"""The bytes of the camera: raw ticks in, messages and segments out, history back in.

What the package offers is imported when it is asked for, as in `marketcam.engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.engine.lazy import lazy_names

if TYPE_CHECKING:
    from marketcam.io.arrow import arrow_reader, arrow_table
    from marketcam.io.arrow_tables import arrow_schema
    from marketcam.io.columns_decode import decode_frame_columns
    from marketcam.io.columns_encode import encode_frame_columns
    from marketcam.io.columns_form import ColumnsError
    from marketcam.io.encode import encode_frame, encode_metric, encode_tick, warm_up_encoders
    from marketcam.io.extras import MissingExtraError
    from marketcam.io.graphs import frame_graph
    from marketcam.io.history import History, open_store
    from marketcam.io.measuring.files import MeasureExport, export_measures
    from marketcam.io.measuring.measured import measures
    from marketcam.io.measuring.options import MeasureOptions
    from marketcam.io.measuring.tables import measures_reader, measures_schema, measures_table
    from marketcam.io.parquet import ExportOptions, export_parquet
    from marketcam.io.parquet_folder import ExportError
    from marketcam.io.publisher import TickPublisher
    from marketcam.io.publisher_errors import PublishError, Refusal, TickRefusedError
    from marketcam.io.publisher_outbox import IngestRun
    from marketcam.io.remote import RemoteStore
    from marketcam.io.remote_http import RemoteStoreError
    from marketcam.io.sources import Source
    from marketcam.io.sources.opening import read_ticks
    from marketcam.io.sources.simulator import SimulatorSource
    from marketcam.io.sources.tick_lines import TickLines
    from marketcam.io.store import (
        Recorder,
        RecorderOptions,
        RetentionPolicy,
        Store,
        ZstdSegmentWriter,
        recover,
    )
    from marketcam.io.tick_binary import (
        TickBinaryError,
        decode_tick_binary,
        encode_tick_binary,
    )
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "arrow": ("arrow_reader", "arrow_table"),
            "arrow_tables": ("arrow_schema",),
            "columns_decode": ("decode_frame_columns",),
            "columns_encode": ("encode_frame_columns",),
            "columns_form": ("ColumnsError",),
            "encode": ("encode_frame", "encode_metric", "encode_tick", "warm_up_encoders"),
            "extras": ("MissingExtraError",),
            "graphs": ("frame_graph",),
            "history": ("History", "open_store"),
            "measuring.files": ("MeasureExport", "export_measures"),
            "measuring.measured": ("measures",),
            "measuring.options": ("MeasureOptions",),
            "measuring.tables": ("measures_reader", "measures_schema", "measures_table"),
            "parquet": ("ExportOptions", "export_parquet"),
            "parquet_folder": ("ExportError",),
            "publisher": ("TickPublisher",),
            "publisher_errors": ("PublishError", "Refusal", "TickRefusedError"),
            "publisher_outbox": ("IngestRun",),
            "remote": ("RemoteStore",),
            "remote_http": ("RemoteStoreError",),
            "sources": ("Source",),
            "sources.opening": ("read_ticks",),
            "sources.simulator": ("SimulatorSource",),
            "sources.tick_lines": ("TickLines",),
            "store": (
                "Recorder",
                "RecorderOptions",
                "RetentionPolicy",
                "Store",
                "ZstdSegmentWriter",
                "recover",
            ),
            "tick_binary": ("TickBinaryError", "decode_tick_binary", "encode_tick_binary"),
        },
    )

__all__ = [
    "ColumnsError",
    "ExportError",
    "ExportOptions",
    "History",
    "IngestRun",
    "MeasureExport",
    "MeasureOptions",
    "MissingExtraError",
    "PublishError",
    "Recorder",
    "RecorderOptions",
    "Refusal",
    "RemoteStore",
    "RemoteStoreError",
    "RetentionPolicy",
    "SimulatorSource",
    "Source",
    "Store",
    "TickBinaryError",
    "TickLines",
    "TickPublisher",
    "TickRefusedError",
    "ZstdSegmentWriter",
    "arrow_reader",
    "arrow_schema",
    "arrow_table",
    "decode_frame_columns",
    "decode_tick_binary",
    "encode_frame",
    "encode_frame_columns",
    "encode_metric",
    "encode_tick",
    "encode_tick_binary",
    "export_measures",
    "export_parquet",
    "frame_graph",
    "measures",
    "measures_reader",
    "measures_schema",
    "measures_table",
    "open_store",
    "read_ticks",
    "recover",
    "warm_up_encoders",
]
