"""A kernel that reads the lines of a segment: how they begin and end, and their tick numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "BAD_END",
    "BAD_START",
    "BAD_TICK",
    "EMPTY",
    "FALLING",
    "FIRST",
    "HEAD_BYTES",
    "LAST",
    "LAST_WHOLE",
    "LINES",
    "REPEATS",
    "SEEN",
    "SOUND",
    "STATE_FIELDS",
    "TOO_LONG",
    "scan_lines",
]

HEAD_BYTES: Final = 64
"""Of a line, how many bytes are kept until it can be judged; ours need at most 39."""

# What a scan says of the line it stopped at.
SOUND, EMPTY, BAD_START, BAD_TICK, FALLING, BAD_END, TOO_LONG = range(7)

# The state of a scan, from one piece of text to the next: lines that were ended, bytes seen of the
# line that was not, its last one, the tick numbers of the first line, of the last one that was
# begun, and of the last one that was ended, and how many are of the tick of the one before.
LINES, SEEN, LAST_BYTE, FIRST, LAST, LAST_WHOLE, REPEATS = range(7)
STATE_FIELDS: Final = 7

_NEWLINE: Final = 10
_COMMA: Final = 44
_MINUS: Final = 45
_ZERO: Final = 48
_NINE: Final = 57
_CLOSING: Final = 125
_MOST: Final = 2**53 - 1
_STRIDE: Final = 64
_DIGITS: Final = 16  # of the largest


@kernel
def scan_lines(
    text: NDArray[np.uint8],
    beginning: NDArray[np.uint8],
    head: NDArray[np.uint8],
    state: NDArray[np.int64],
    longest: int,
) -> int:
    """Read a piece of a segment's text, of any length; return SOUND, or what is wrong.

    A line is `beginning`, a tick number not less than that of the line before, a comma or a brace,
    anything, a closing brace, a line end. It is judged as soon as its head can be, so that what is
    no text of ours is refused at its first piece, and after the first fault nothing is read.

    Args:
        text: uint8[n], the next piece.
        beginning: uint8[m], what stands before the tick number; m <= 40.
        head: uint8[HEAD_BYTES], scratch, kept from piece to piece.
        state: int64[STATE_FIELDS], zeros at the start. At a fault, LINES is the number of whole
            lines before the one at fault.
        longest: most bytes of a line.

    Cost: 0.06 ns a byte of long lines, 40 ns a line.
    """
    k = 0
    while k < text.size:
        start = k
        seen = state[SEEN]
        if seen == 0 and k + HEAD_BYTES <= text.size:
            # Where it lies, without a copy: what the beginning equals holds no line end.
            fault = judge_head(text[k : k + HEAD_BYTES], beginning, state)
            k += beginning.size
        else:
            fault, k = continue_head(text, k, beginning, head, state)
        if fault != SOUND:
            return fault
        k = line_end(text, k)
        seen += k - start
        if seen > longest:
            return TOO_LONG
        if k > start:
            state[LAST_BYTE] = text[k - 1]
        state[SEEN] = seen
        if k < text.size:
            if state[LAST_BYTE] != _CLOSING:
                return BAD_END
            state[LINES] += 1
            state[LAST_WHOLE] = state[LAST]
            state[SEEN] = 0
            k += 1
    return SOUND


@kernel
def line_end(text: NDArray[np.uint8], k: int) -> int:
    """Return where the next line end is, the text's size if there is none.

    The look at 64 bytes at once is compiled to vectors: 6 GB/s for lines of 150 bytes, 17 for long
    ones. Byte by byte it is 2, and by words of 8 bytes, 5 and 7.
    """
    while k + _STRIDE <= text.size:
        piece = text[k : k + _STRIDE]
        found = np.uint8(0)
        for j in range(_STRIDE):
            found |= np.uint8(piece[j] == _NEWLINE)
        if found:
            break
        k += _STRIDE
    while k < text.size and text[k] != _NEWLINE:
        k += 1
    return k


@kernel
def continue_head(
    text: NDArray[np.uint8],
    k: int,
    beginning: NDArray[np.uint8],
    head: NDArray[np.uint8],
    state: NDArray[np.int64],
) -> tuple[int, int]:
    """Take what there is of a line's head, and judge it once it is whole; return where it ends."""
    seen = state[SEEN]
    if seen >= HEAD_BYTES:
        return SOUND, k
    while seen < HEAD_BYTES and k < text.size and text[k] != _NEWLINE:
        head[seen] = text[k]
        seen += 1
        k += 1
    if seen == HEAD_BYTES or k < text.size:
        return judge_head(head[:seen], beginning, state), k
    return SOUND, k


@kernel
def judge_head(
    head: NDArray[np.uint8], beginning: NDArray[np.uint8], state: NDArray[np.int64]
) -> int:
    """Read the beginning of a line and its tick number, which goes into the state."""
    if head.size == 0 or head[0] == _NEWLINE:
        return EMPTY
    if head.size < beginning.size:
        return BAD_START
    for k in range(beginning.size):
        if head[k] != beginning[k]:
            return BAD_START
    k = beginning.size
    is_negative = k < head.size and head[k] == _MINUS
    k += is_negative
    digits = 0
    t = 0
    while k < head.size and _ZERO <= head[k] <= _NINE and digits <= _DIGITS:
        t = 10 * t + (int(head[k]) - _ZERO)
        digits += 1
        k += 1
    is_padded = digits > 1 and head[k - digits] == _ZERO
    is_delimited = k < head.size and (head[k] == _COMMA or head[k] == _CLOSING)
    if digits == 0 or is_padded or not is_delimited or t > _MOST:
        return BAD_TICK
    t = -t if is_negative else t
    if state[LINES] == 0:
        state[FIRST] = t
    elif t < state[LAST]:
        return FALLING
    elif t == state[LAST]:
        state[REPEATS] += 1
    state[LAST] = t
    return SOUND
