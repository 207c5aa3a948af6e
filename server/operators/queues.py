"""Every queue there is between the parts of a run: how much waits in it, and how full it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from marketcam.server.running.rig import Rig
    from marketcam.server.stream.hub import Hub

__all__ = ["Queue", "queues_of", "viewers_queues"]


class Queue(NamedTuple):
    """A queue.

    Attributes:
        name: what it is called in all figures.
        waiting: what is in it.
        unit: of `waiting`.
        fill: how full that makes it, 0 to 1.
        loses: whether something is lost once it is full; else whoever fills it waits.
    """

    name: str
    waiting: float
    unit: str
    fill: float
    loses: bool


def queues_of(rig: Rig) -> list[Queue]:
    """Return the queues of a rig, in the order in which a tick passes them.

    Without a pace the source goes as fast as the rest lets it: queues that are full are then the
    rule, and nobody is promised every message.
    """
    settings, is_paced = rig.settings, rig.settings.pace > 0
    status = rig.recorder.status()
    names = {"ingest": "read_ahead", "encode": "encode"}
    queues = []
    if rig.ingest is not None:
        limit = settings.ingest_queue_bytes
        queues.append(_of_bytes("ingest", rig.ingest.waiting_bytes, limit, loses=False))
    queues += [
        Queue(names[stage], each.waiting, "items", each.fill, loses=False)
        for stage, each in rig.pipeline.queues.items()
    ]
    queues += [
        _of_bytes("record", status.queued_bytes, settings.record_queue_bytes, loses=is_paced),
        Queue("handover", rig.handover.waiting, "messages", rig.handover.fill, loses=is_paced),
        *viewers_queues(rig.hub, settings.client_queue_bytes, loses=is_paced),
    ]
    if rig.outlet is not None:
        waiting = rig.outlet.figures().waiting_bytes
        queues.append(Queue("nats", waiting, "bytes", rig.outlet.fill, loses=is_paced))
    if rig.webhook is not None:
        hook = rig.webhook.status()
        share = min(1.0, hook.waiting / hook.limit)
        queues.append(Queue("webhook", hook.waiting, "events", share, loses=True))
    return queues


def viewers_queues(hub: Hub, client_bytes: int, *, loses: bool) -> list[Queue]:
    """Return the queues of a hub.

    Args:
        hub: serves the viewers.
        client_bytes: bytes that wait for one of them at most.
        loses: whether everyone who keeps up is promised every message.
    """
    clients = max(1, len(hub)) * client_bytes
    return [
        Queue("audiences", hub.round_bytes, "bytes", hub.fill, loses=loses),
        _of_bytes("clients", hub.waiting_bytes, clients, loses=False),
    ]


def _of_bytes(name: str, waiting: float, limit: float, *, loses: bool) -> Queue:
    return Queue(name, waiting, "bytes", min(1.0, waiting / limit), loses)
