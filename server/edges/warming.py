"""What an edge compiles before it listens: how frames are written, and nothing of the engine."""

from __future__ import annotations

from typing import Any, Final

from marketcam.engine import Frame
from marketcam.io import decode_frame_columns, encode_frame_columns, warm_up_encoders
from marketcam.server.running.compiling import compiling_shown

__all__ = ["compile_writing"]

_NODE: Final[dict[str, Any]] = {
    "t0": 0,
    "t1": 1,
    "features": {
        "buy_count": 1,
        "sell_count": 0,
        "none_count": 1,
        "match_count": 1,
        "match_rate": 0.5,
        "quote_price_mean": 100.25,
        "quote_price_std": 0.5,
        "quote_dist_to_mid_mean": 0.001,
        "experience_start": None,
        "experience_end": 0.5,
        "experience_delta": 0.0,
        "dominant_side": "buy",
    },
}
_EDGE: Final = {"src": "agent:0@t:0-1", "dst": "agent:1@t:0-1", "type": "match", "w": 0.5}
_FRAME: Final[dict[str, Any]] = {
    "type": "frame",
    "t": 1,
    "window": {"W": 2, "t0": 0, "t1": 1, "stride": 1},
    "nodes": [{"node_id": f"agent:{i}@t:0-1", "agent_id": i, **_NODE} for i in range(2)],
    "edges": [_EDGE, {**_EDGE, "type": "quote_proximity"}],
    "events": {"bursts": [{"t": 1, "value": 1, "score": 4.0}], "shocks": []},
}


def compile_writing() -> None:
    """Compile what frames are read and written with in every form, or load it.

    Cost: some seconds with an empty kernel cache, a fraction of one from then on.
    """
    with compiling_shown():
        frame = Frame.from_dict(_FRAME)
        warm_up_encoders(frame)
        for edges in range(3):
            fewer = decode_frame_columns(encode_frame_columns(frame)).with_fewer_edges(edges)
            warm_up_encoders(fewer)
