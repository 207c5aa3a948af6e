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
    from marketcam.io.parquet import ExportError, ExportOptions, export_parquet
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
            "parquet": ("ExportError", "ExportOptions", "export_parquet"),
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
    "MissingExtraError",
    "Recorder",
    "RecorderOptions",
    "RemoteStore",
    "RemoteStoreError",
    "RetentionPolicy",
    "SimulatorSource",
    "Source",
    "Store",
    "TickBinaryError",
    "TickLines",
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
    "export_parquet",
    "frame_graph",
    "open_store",
    "read_ticks",
    "recover",
    "warm_up_encoders",
]
