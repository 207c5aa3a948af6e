"""`/metrics` of an edge: those of a camera's that an edge has, and of what comes from upstream."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import InfoMetricFamily
from prometheus_client.registry import Collector

from marketcam.server.edges.condition import EDGE_CODES
from marketcam.server.security.telling import shows_version
from marketcam.server.web.families import counter, counters, gauge
from marketcam.server.web.figures import (
    of_condition,
    of_forms,
    of_hub,
    of_link,
    of_loop,
    of_queues,
    of_seats,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from marketcam.server.edges.inlet import Inlet
    from marketcam.server.edges.rig import EdgeRig
    from marketcam.server.stream.forms import Forms
    from marketcam.server.web.families import Family

__all__ = ["EdgeExposition"]


class EdgeExposition:
    """Renders the figures of one edge, from a registry of its own."""

    def __init__(self, rig: EdgeRig, forms: Forms) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_EdgeCollector(rig, forms))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return the figures of this moment as text."""
        return generate_latest(self._registry)


class _EdgeCollector(Collector):
    def __init__(self, rig: EdgeRig, forms: Forms) -> None:
        self._rig = rig
        self._forms = forms
        self._info = InfoMetricFamily(
            "marketcam", "This program.", {"version": version("marketcam")}
        )

    def describe(self) -> Iterable[Family]:
        return ()  # so that registering does not gather

    def collect(self) -> Iterator[Family]:
        rig = self._rig
        if shows_version(rig.settings):
            yield self._info
        yield from of_condition(EDGE_CODES, rig.condition.reasons())
        yield from _of_camera(rig)
        yield from of_link(rig.inlet.link)
        yield from _of_inlet(rig.inlet)
        yield from of_loop(rig.lag)
        yield from of_queues(rig.queues())
        yield from of_hub(rig.hub, rig.settings.max_clients)
        yield from of_forms(self._forms)
        yield from of_seats(rig.seats)
        refused = "Those who were not let in, or no longer."
        yield counters("reason", "refusals", refused, rig.refusals.counts)


def _of_camera(rig: EdgeRig) -> Iterator[Family]:
    status = rig.inlet.status
    running, ticks, start = (None,) * 3 if status is None else _told(rig)
    yield gauge("running", "Whether ticks are being taken in.", running)
    yield counter("ticks", "Ticks taken in.", ticks)
    yield gauge("last_tick", "Number of the last tick taken in.", rig.last_t)
    yield gauge("start_time_seconds", "When ticks were first taken in, Unix time.", start)


def _told(rig: EdgeRig) -> tuple[bool, int, float]:
    status = rig.inlet.status
    assert status is not None  # noqa: S101 - whoever calls this has seen it
    return status.running, status.ticks, status.start_ts


def _of_inlet(inlet: Inlet) -> Iterator[Family]:
    figures = inlet.figures()
    behind = "Messages that NATS had when this edge last took some."
    yield gauge("upstream_behind", behind, figures.behind)
    yield gauge("upstream_silence_seconds", "Since the camera last said a word.", figures.silence)
    yield counters("kind", "upstream_received", "Messages taken from NATS.", figures.received)
    gaps = "Gaps in what came from NATS, each declared to clients."
    yield counters("kind", "upstream_gaps", gaps, figures.gaps)
    yield counter("upstream_doubles", "Messages that came twice, and were left.", figures.doubles)
    damaged = "NATS messages that were not what they should be."
    yield counter("upstream_damaged", damaged, figures.damaged)
