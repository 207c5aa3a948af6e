"""The bytes of the camera: raw ticks in, messages and segments out, history back in."""

from marketcam.io.encode import encode_frame, encode_metric, encode_tick

__all__ = ["encode_frame", "encode_metric", "encode_tick"]
