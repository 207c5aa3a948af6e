"""How the fan-out benchmarks tell what they found."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

__all__ = ["Case", "Sample", "milliseconds", "quantiles"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one turn of one server came to.

    Attributes:
        deliveries: messages that reached a reader.
        complete: whether every reader got all of them, in order.
        processor: seconds of the processor that the server's process took.
        p50: age in seconds of a message when it was read.
        p99: the same of the late ones.
        seconds: from the first message made to the last one read.
    """

    deliveries: int
    complete: bool
    processor: float
    p50: float
    p99: float
    seconds: float

    @property
    def cost(self) -> float:
        """Processor seconds a delivery."""
        return self.processor / self.deliveries


@dataclass
class Case:
    """A measurement: a table, and what is held against a target.

    Attributes:
        title: what was measured.
        columns: of the table.
        rows: of the table, as text.
        checks: each target as a sentence with its figure, and whether it is reached.
        figures: everything, for the JSON file.
    """

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    checks: dict[str, bool] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Return it as Markdown."""
        rule = "|".join(["---", *["---:"] * (len(self.columns) - 1)])
        lines = [f"### {self.title}", "", f"| {' | '.join(self.columns)} |", f"|{rule}|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        lines += [
            "",
            *(f"- {'met' if met else 'missed'}: {what}" for what, met in self.checks.items()),
        ]
        return "\n".join(lines) + "\n"


def quantiles(ages: array[int]) -> tuple[float, float]:
    """Return median and 99th of a hundred of ages in ns, in seconds."""
    p50, p99 = np.percentile(np.frombuffer(ages, np.int64), [50, 99]) / 1e9
    return float(p50), float(p99)


def milliseconds(values: Sequence[float]) -> str:
    """Return the median of some seconds as text."""
    return f"{median(values) * 1e3:.1f} ms"
