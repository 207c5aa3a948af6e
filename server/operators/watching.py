"""A camera's figures as one sees them from outside: two looks at it, and what lies between them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.parser import text_string_to_metric_families

from marketcam.io.remote_http import RemoteStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.io.remote_http import Address

__all__ = ["Interval", "Look", "look_at"]

_MOST_BYTES: Final = 2**20
_PREFIX: Final = "marketcam_"


@dataclass(frozen=True, slots=True)
class Look:
    """What a camera said at one moment.

    Attributes:
        at: when, in seconds.
        health: its `/health`.
        figures: its `/metrics`: value by name, without the prefix, and the values of its labels.
    """

    at: float
    health: dict[str, Any]
    figures: dict[tuple[str, ...], float]


def look_at(address: Address, clock: Callable[[], float] = time.monotonic) -> Look:
    """Ask a camera how it is.

    Raises:
        RemoteStoreError: it does not answer, refuses, or is no camera.
    """
    health = address.json("/health")
    with address.get("/metrics", None, "text/plain") as answer:
        text = bytearray()
        for piece in answer.pieces():
            text += piece
            if len(text) > _MOST_BYTES:
                raise RemoteStoreError(f"{answer.url}: more than {_MOST_BYTES} bytes")
    at = clock()
    if not isinstance(health, dict) or not isinstance(health.get("meta"), dict):
        raise RemoteStoreError(f"{address.url}: no camera answers there")
    try:
        return Look(at, health, _figures(text.decode()))
    except ValueError as error:
        raise RemoteStoreError(f"{address.url}/metrics: no figures: {error}") from error


def _figures(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix(_PREFIX), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@dataclass(frozen=True, slots=True)
class Interval:
    """Two looks at a camera, the older of which may be the newer as well.

    A figure that is not there is 0: it is of a part that this camera does not have.
    """

    before: Look
    now: Look

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.now.at - self.before.at

    def value(self, *name: str) -> float:
        """Return a figure as it is now."""
        return self.now.figures.get(name, 0.0)

    def has(self, *name: str) -> bool:
        """Return whether there is such a figure."""
        return name in self.now.figures

    def growth(self, *name: str) -> float:
        """Return what has been added to a counter; since its start where that lies between."""
        now, before = self.value(*name), self.before.figures.get(name, 0.0)
        return now - before if now >= before else now

    def rate(self, *name: str) -> float:
        """Return by how much a counter grows a second; 0 where the two looks are one."""
        return self.growth(*name) / self.seconds if self.seconds > 0 else 0.0

    def each(self, *name: str) -> float:
        """Return the seconds that one of a summary took, on average; 0 without any."""
        first, *labels = name
        count = self.growth(f"{first}_count", *labels)
        return self.growth(f"{first}_sum", *labels) / count if count else 0.0

    def labels(self, name: str) -> list[str]:
        """Return the values of the first label of a figure, as they come."""
        return list(dict.fromkeys(key[1] for key in self.now.figures if key[0] == name))

    def quantile(self, share: float, name: str) -> float:
        """Return the bound that this share of a histogram's values did not pass; 0 without any.

        Of values above the last bound nothing more is known: infinity.
        """
        bucket = f"{name}_bucket"
        counts = [(float(le), self.growth(bucket, le)) for le in self.labels(bucket)]
        total = max((count for _, count in counts), default=0.0)
        if total == 0:
            return 0.0
        return min(le for le, count in counts if count >= share * total)
