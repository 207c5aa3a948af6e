"""The plain twin of the kernel that reads a segment's lines: the whole text at once, by a regex."""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD = 64
MOST = 2**53 - 1


class Reading(NamedTuple):
    """Whole lines before the fault, tick numbers of the first and the last, the fault, the rest."""

    lines: int
    first: int
    last: int
    fault: str
    rest: int


def read(text: bytes, beginning: bytes, longest: int) -> Reading:
    numbers: list[int] = []
    begun: list[int] = []

    def stopped(fault: str, rest: int = 0) -> Reading:
        first = (begun or [0])[0]
        return Reading(len(numbers), first, (numbers or [0])[-1], fault, rest)

    *lines, rest = text.split(b"\n")
    for line in lines:
        fault = fault_of_head(line[:HEAD], beginning, numbers, begun)
        if fault == "sound" and len(line) > longest:
            fault = "too long"
        if fault == "sound" and not line.endswith(b"}"):
            fault = "bad end"
        if fault != "sound":
            return stopped(fault)
        numbers.append(begun[-1])
    if len(rest) >= HEAD:
        fault = fault_of_head(rest[:HEAD], beginning, numbers, begun)
        if fault != "sound":
            return stopped(fault)
    if len(rest) > longest:
        return stopped("too long")
    return stopped("sound", len(rest))


def fault_of_head(head: bytes, beginning: bytes, numbers: list[int], begun: list[int]) -> str:
    if not head:
        return "empty"
    if not head.startswith(beginning):
        return "bad start"
    match = re.match(rb"(-?(?:0|[1-9][0-9]{0,15}))[,}]", head[len(beginning) :])
    if match is None or abs(int(match[1])) > MOST:
        return "bad tick"
    t = int(match[1])
    if numbers and t < numbers[-1]:
        return "falling"
    begun.append(t)
    return "sound"
