"""Families of figures for Prometheus, made in a line each.

A family that has nothing to show now is there all the same, without samples: what there is to ask
for does not depend on when one asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Family", "by", "counter", "counters", "gauge", "gauges", "labelled", "summary"]

_PREFIX: Final = "marketcam_"


def gauge(name: str, meaning: str, value: float | None) -> Family:
    """Return a figure that goes up and down; None for one there is not."""
    return GaugeMetricFamily(_PREFIX + name, meaning, value)


def counter(name: str, meaning: str, value: float | None) -> Family:
    """Return a figure that only grows; its samples end in ``_total``."""
    return CounterMetricFamily(_PREFIX + name, meaning, value)


def summary(name: str, meaning: str, count: int, seconds: float) -> Family:
    """Return how often something was done, and for how long in all."""
    return SummaryMetricFamily(_PREFIX + name, meaning, count, seconds)


def labelled(
    make: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    meaning: str,
    labels: tuple[str, ...],
    samples: Iterable[tuple[tuple[str, ...], float | None]],
) -> Family:
    """Return a family with a sample for each value of its labels; those of None are left out."""
    family = make(_PREFIX + name, meaning, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family


def gauges(label: str, name: str, meaning: str, values: Mapping[Any, float | None]) -> Family:
    """Return a gauge for each value of a label."""
    return labelled(GaugeMetricFamily, name, meaning, (label,), _samples(values))


def counters(label: str, name: str, meaning: str, values: Mapping[Any, float | None]) -> Family:
    """Return a counter for each value of a label."""
    return labelled(CounterMetricFamily, name, meaning, (label,), _samples(values))


def by(label: str, name: str, meaning: str, names: Iterable[str], those: set[str]) -> Family:
    """Return a family that is 1 for some names and 0 for the others."""
    return gauges(label, name, meaning, {each: float(each in those) for each in names})


def _samples(values: Mapping[Any, float | None]) -> Iterator[tuple[tuple[str], float | None]]:
    return (((key,), value) for key, value in values.items())
