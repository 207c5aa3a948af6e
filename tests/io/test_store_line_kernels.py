import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.io.store import line_kernels as kernels
from tests.line_twin import Reading, read

pytestmark = pytest.mark.kernel

BEGINNING = b'{"type":"metric","t":'
FAULTS = ("sound", "empty", "bad start", "bad tick", "falling", "bad end", "too long")
LONGEST = 400


def scanned(pieces: list[bytes], beginning: bytes = BEGINNING, longest: int = LONGEST) -> Reading:
    start = np.frombuffer(beginning, np.uint8)
    head = np.zeros(kernels.HEAD_BYTES, np.uint8)
    state = np.zeros(kernels.STATE_FIELDS, np.int64)
    fault = kernels.SOUND
    for piece in pieces:
        text = np.frombuffer(piece, np.uint8)
        fault = kernels.scan_lines(text, start, head, state, longest)
        if fault != kernels.SOUND:
            break
    rest = int(state[kernels.SEEN]) if fault == kernels.SOUND else 0
    lines, first, last = (
        int(state[field]) for field in (kernels.LINES, kernels.FIRST, kernels.LAST_WHOLE)
    )
    return Reading(lines, first, last, FAULTS[fault], rest)


def metric(t: int, note: str = "") -> bytes:
    return BEGINNING + b'%d,"note":"%b"}' % (t, note.encode())


def every_cut(text: bytes) -> list[list[bytes]]:
    return [[text[:cut], text[cut:]] for cut in range(len(text) + 1)]


def test_lines_of_all_lengths_in_pieces_of_all_lengths():
    text = b"".join(metric(t, "x" * (t * 7 % 190)) + b"\n" for t in range(-3, 40))
    expected = Reading(43, -3, 39, "sound", 0)
    assert scanned([text]) == expected
    for size in (*range(1, 70), 127, 128, 129, 1000):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert scanned(pieces) == expected, size


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"\n", "empty"),
        (metric(5) + b"\n\n", "empty"),
        (b"\0" * 100, "bad start"),
        (b"{\n", "bad start"),
        (b'{"type":"frame","t":5}\n' + metric(6), "bad start"),
        (BEGINNING + b"\n", "bad tick"),
        (BEGINNING + b"-,}\n", "bad tick"),
        (BEGINNING + b"05}\n", "bad tick"),
        (BEGINNING + b"5.5}\n", "bad tick"),
        (BEGINNING + b"9007199254740992}\n", "bad tick"),
        (BEGINNING + b"9" * 100 + b"}\n", "bad tick"),
        (metric(5) + b"\n" + metric(5) + b"\n" + metric(4) + b"\n", "falling"),
        (metric(5) + b"\n" + metric(-5) + b"\n", "falling"),
        (metric(5) + b" \n", "bad end"),
        (metric(5, "x" * LONGEST) + b"\n", "too long"),
        (metric(5, "x" * LONGEST), "too long"),
    ],
)
def test_each_fault_whatever_the_pieces(text, fault):
    assert read(text, BEGINNING, LONGEST).fault == fault
    for pieces in every_cut(text):
        assert scanned(pieces) == read(text, BEGINNING, LONGEST)


def test_a_torn_line_counts_for_nothing():
    text = metric(5) + b"\n" + metric(6, "x" * 100)
    for size in range(len(metric(5)) + 1, len(text) + 1):
        reading = scanned([text[:size]])
        assert reading == Reading(1, 5, 5, "sound", size - len(metric(5)) - 1)


@pytest.mark.parametrize("t", [0, -1, 2**53 - 1, 1 - 2**53, 10**15])
def test_the_tick_numbers_that_there_are(t):
    assert scanned([metric(t) + b"\n"]) == Reading(1, t, t, "sound", 0)
    assert scanned([b'{"t":%d}\n' % t], b'{"t":') == Reading(1, t, t, "sound", 0)


parts = st.sampled_from(
    [b"\n", b"}\n", b"}", b" ", b"0", b"7", b"-", b",", b"x" * 70, BEGINNING, BEGINNING + b"8,"]
) | st.integers(-20, 99).map(lambda t: metric(t) + b"\n")


@given(st.lists(parts, max_size=30).map(b"".join), st.integers(1, 130))
def test_it_is_its_twin(text, size):
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert scanned(pieces) == read(text, BEGINNING, LONGEST)
