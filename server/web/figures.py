"""The figures of all servers for Prometheus: viewers, connections, queues, the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

from marketcam.server.web.families import by, counter, counters, gauge, gauges, labelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from marketcam.server.edges.link import Link
    from marketcam.server.operators.judging import Reason
    from marketcam.server.operators.queues import Queue
    from marketcam.server.running.lag import LagProbe
    from marketcam.server.security.seats import Seats
    from marketcam.server.stream.forms import Forms
    from marketcam.server.stream.hub import Hub
    from marketcam.server.web.families import Family

__all__ = ["of_condition", "of_forms", "of_hub", "of_link", "of_loop", "of_queues", "of_seats"]


def of_condition(codes: Iterable[str], reasons: Iterable[Reason]) -> Iterator[Family]:
    """Yield whether a server is as it should be, or why not."""
    told = {reason.code for reason in reasons}
    yield gauge("ready", "Whether all is as it should be, as `/health` says.", not told)
    yield by("reason", "health_reason", "Whether it is degraded for this.", codes, told)


def of_loop(probe: LagProbe) -> Iterator[Family]:
    """Yield how late the event loop is."""
    bounds = [*map(str, probe.lags.bounds), "+Inf"]
    yield HistogramMetricFamily(
        "marketcam_loop_lag_seconds",
        "How late the event loop came to a timer of its own.",
        list(zip(bounds, probe.lags.cumulative(), strict=True)),
        probe.lags.sum,
    )
    yield gauge("last_loop_lag_seconds", "The same, the last time.", probe.last)


def of_queues(queues: list[Queue]) -> Iterator[Family]:
    """Yield what waits in queues."""
    yield labelled(
        GaugeMetricFamily,
        "queue_waiting",
        "What waits in a queue, in its unit.",
        ("queue", "unit"),
        [((queue.name, queue.unit), queue.waiting) for queue in queues],
    )
    fills = {queue.name: queue.fill for queue in queues}
    yield gauges("queue", "queue_fill_ratio", "How full that makes the queue, 0 to 1.", fills)


def of_hub(hub: Hub, limit: int) -> Iterator[Family]:
    """Yield how the viewers of a hub are doing."""
    yield gauge("clients", "Clients connected.", len(hub))
    yield gauge("clients_limit", "Clients there may be.", limit)
    yield gauge("audiences", "Different selections that clients have made.", hub.audiences)
    yield gauge("clients_behind", "Clients that do not keep up at the moment.", hub.behind)
    yield counter("clients_sent_away", "Clients closed for being too slow.", hub.sent_away)
    yield gauge("client_queue_bytes", "Bytes waiting for clients.", hub.waiting_bytes)
    counts = {
        "messages": ("Messages made and passed on to the clients there are.", hub.passed),
        "messages_sent": ("Messages sent, counted for each client.", hub.sent),
        "messages_dropped": ("Messages that slow clients missed.", hub.dropped),
    }
    for name, (meaning, by_kind) in counts.items():
        yield counters("kind", name, meaning, by_kind)


def of_forms(forms: Forms) -> Iterator[Family]:
    """Yield how frames are wanted."""
    wanted = "Ways of writing a frame that clients want, the plain one aside."
    yield gauge("frame_forms", wanted, len(forms))
    yield gauge("frame_forms_limit", "Ways there may be.", forms.limit)
    yield counter("frame_forms_refused", "Clients refused for their number.", forms.refused)


def of_seats(seats: Seats | None) -> Iterator[Family]:
    """Yield how many connections there are."""
    now, waiting, most, evicted, refused = (None,) * 5 if seats is None else _counted(seats)
    yield gauge("connections", "Connections of all kinds.", now)
    yield gauge(
        "connections_waiting", "Those that have sent no request yet, or are between two.", waiting
    )
    yield gauge("connections_limit", "Connections there may be.", most)
    yield counter("connections_evicted", "Waiting ones that were cut for others.", evicted)
    yield counter("connections_refused", "Connections that found no place.", refused)


def _counted(seats: Seats) -> tuple[int, int, int, int, int]:
    return len(seats), seats.waiting, seats.most, seats.evicted, seats.refused


def of_link(link: Link | None) -> Iterator[Family]:
    """Yield how NATS is reached."""
    connected, connects = (None, None) if link is None else (link.is_well, link.connects)
    yield gauge("nats_connected", "Whether NATS is connected, and of use.", connected)
    yield counter("nats_connects", "Times that a connection to NATS was made.", connects)
