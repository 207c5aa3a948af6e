"""The kernels that read metrics, against orjson, and those that join rows, against lists."""

from __future__ import annotations

import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.io.store import metric_kernels as kernels
from marketcam.io.store.metric_rows import Buckets, Rows
from tests.metric_helpers import drawn_together, figures_of, metrics

pytestmark = pytest.mark.kernel

FIGURE = st.one_of(
    st.floats(-1, 1).map(lambda value: round(value, 6)),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
)


def text_of(messages: list[dict]) -> bytes:
    return b"".join(orjson.dumps(message) + b"\n" for message in messages)


def stopped_at(text: bytes, room: int = 10) -> tuple[int, int]:
    """Return how many lines of a text are in the camera's form, and where the first other is."""
    t, figures = np.empty(room, np.int64), np.empty((room, 7))
    data = np.frombuffer(text, np.uint8)
    return kernels.read_metrics(data, 0, kernels.FORM, kernels.FORM_STARTS, t, figures)


@given(st.lists(st.tuples(st.integers(-(2**53) + 1, 2**53 - 1), *[FIGURE] * 7), max_size=5))
def test_every_line_gives_the_numbers_that_it_means(given_lines: list[tuple]) -> None:
    messages = [
        {
            "type": "metric",
            "t": t,
            "s": dict(
                zip(("price_norm", "volatility", "liquidity", "imbalance"), state, strict=True)
            ),
            "N": n,
            "avg_exp": mean,
            "matches_n": count,
        }
        for t, *state, n, mean, count in given_lines
    ]
    rows = Rows.of(text_of(messages))
    assert rows.t.tolist() == [message["t"] for message in messages]
    for each in range(3):
        assert rows.values[:, each].tolist() == [figures_of(message) for message in messages]


def test_what_the_camera_writes_is_read_by_the_kernel_alone() -> None:
    text = text_of(metrics(range(-20, 200)))
    assert stopped_at(text, 300) == (220, len(text))
    assert stopped_at(text, 7)[0] == 7


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        (b'{"t":7,"type":"metric","N":3}', 1),
        (b'{"type":"metric","t":7,"s":null,"N":3}', 1),
        (b'{"type":"metric","t":7,"s":{"price_norm":true},"N":3,"avg_exp":"much"}', 1),
        (b'{"type": "metric", "t": 7, "N": 3}', 1),
        (b'{"type":"metric","N":3}', 0),
        (b"[]", 0),
        (b"nothing", 0),
        (b"", 0),
    ],
)
def test_lines_of_another_form_give_what_they_have(line: bytes, rows: int) -> None:
    before, after = text_of(metrics([5])), text_of(metrics([9]))
    found = Rows.of(before + line + b"\n" + after)
    assert found.t.tolist() == [5, *[7] * rows, 9]
    if rows:
        figures = found.values[1, 0].tolist()
        assert figures[4] == 3.0
        assert all(math.isnan(figure) for place, figure in enumerate(figures) if place != 4)


def test_a_line_cut_at_every_byte_is_never_read() -> None:
    text = text_of(metrics([3]))
    for cut in range(len(text)):
        assert stopped_at(text[:cut] or b"\n") == (0, 0)


@pytest.mark.parametrize(
    "text", [b"1e400", b"1e", b"1e+", b"-", b".", b"1234567890123456", b"1e-40"]
)
def test_numbers_beyond_what_is_exact_are_left_to_others(text: bytes) -> None:
    line = b'{"type":"metric","t":3,"s":{"price_norm":%b,"volatility":0' % text
    assert stopped_at(line) == (0, 0)


@given(
    st.lists(st.integers(-100, 400), min_size=1, max_size=60, unique=True).map(sorted),
    st.integers(1, 40),
    st.sampled_from([None, 1, 2, 4]),
)
def test_buckets_are_what_plain_python_makes(
    ticks: list[int], step: int, width: int | None
) -> None:
    messages = metrics(ticks, seed=step)
    rows = Rows.of(text_of(messages))
    if width is not None:
        step *= width
        rows = rows.thinned(width)
    buckets = Buckets(ticks[0], ticks[-1], step)
    for part in (Rows(rows.t[:7], rows.values[:7]), Rows(rows.t[7:], rows.values[7:])):
        buckets.take(part)
    expected = drawn_together(messages, step)
    assert buckets.start_t in expected
    assert buckets.end_t >= ticks[-1]
    for place, values in enumerate(buckets.values):
        start = buckets.start_t + place * step
        if start in expected:
            assert [tuple(each) for each in values.T] == expected.pop(start)
        else:
            assert np.isnan(values).all()
    assert not expected


def test_what_is_not_known_gives_way() -> None:
    buckets = Buckets(0, 9, 10)
    for text in (b'{"t":1}\n', b'{"t":2,"N":5}\n', b'{"t":3}\n', b'{"t":4,"N":4}\n', b'{"t":5}\n'):
        buckets.take(Rows.of(text))
    assert buckets.values[0, :, 4].tolist() == [4.0, 5.0, 4.0]
    assert np.isnan(buckets.values[0, :, 0]).all()


def test_what_lies_outside_is_left_out() -> None:
    buckets = Buckets(100, 199, 50)
    buckets.take(Rows.of(text_of(metrics([99, 200]))))
    assert np.isnan(buckets.values).all()
