"""What do columns cost beside JSON, and how much smaller are they?

`python -m benchmarks.browser_parse` asks what each costs the reader.
"""

from __future__ import annotations

import pytest
import zstandard

from marketcam.io import decode_frame_columns, encode_frame, encode_frame_columns

LEVEL = 3


@pytest.mark.parametrize("encode", [encode_frame, encode_frame_columns])
def test_encode(benchmark, film, agents, encode):
    frame = film().frame()
    message = benchmark(encode, frame)
    json, columns = encode_frame(frame), encode_frame_columns(frame)
    packed = [len(zstandard.compress(text, LEVEL)) for text in (json, columns)]
    benchmark.extra_info.update(
        agents=agents,
        edges=len(frame.edges),
        bytes=len(message),
        json_to_columns=len(json) / len(columns),
        json_to_columns_compressed=packed[0] / packed[1],
    )


def test_decode(benchmark, film, agents):
    """In Python; it checks all that it reads."""
    message = encode_frame_columns(film().frame())
    benchmark(decode_frame_columns, message)
    benchmark.extra_info.update(agents=agents, bytes=len(message))
