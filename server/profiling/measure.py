"""One point, measured: a pure function from what is asked to its figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from marketcam.engine import LimitError, TickError, warm_up
from marketcam.io import encode_frame
from marketcam.io.sources import SourceError
from marketcam.server.profiling import memory
from marketcam.server.profiling.errors import PointError
from marketcam.server.profiling.film import film
from marketcam.server.profiling.substance import CURVE_CAPS, wholes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marketcam.server.profiling.film import Film, Shot
    from marketcam.server.profiling.points import Point
    from marketcam.server.profiling.substance import Whole

__all__ = ["Figures", "measure", "prepare"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured at one point; `columns.py` says it for the reader of a table.

    Shares are None where there is nothing to share, such as the weight of no edges.
    """

    frames: int
    ticks: int
    refused: int
    ticks_per_second: float
    frame_ms_p50: float
    frame_ms_p95: float
    frame_ms_p99: float
    frame_bytes: float
    frame_bytes_zstd: float
    memory_peak_bytes: int
    memory_before_bytes: int
    memory_table_bytes: int | None
    nodes: float
    edges: float
    edges_all: float
    edges_all_cut: bool
    edges_kept_share: float | None
    weight_kept_share: float | None
    match_weight_kept_share: float | None
    weight_least_kept: float | None
    curve: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Figures:
        """Read what `to_json` wrote."""
        curve = tuple((int(cap), float(share)) for cap, share in value["curve"])
        return cls(**{**value, "curve": curve})


def prepare() -> None:
    """Compile all kernels, or load them from numba's cache. Cost: as `warm_up`."""
    encode_frame(warm_up())


def measure(point: Point) -> Figures:
    """Measure one point, in this process and thread.

    The peak of the memory is the process's own, so that it says something about this point only
    in a process that has measured nothing else; see `child.measure_apart`.

    Raises:
        PointError: it cannot be measured; says why.
    """
    try:
        prepare()
        before = memory.resident_bytes()
        memory.forget_peak()
        filmed = film(point)
        peak = memory.peak_bytes()
        sampled = _sample(filmed.shots, point.effort.sampled)
        all_edges = wholes(point, [shot.t for shot in sampled])
    except (LimitError, SourceError, TickError) as error:
        raise PointError(str(error)) from error
    except MemoryError as error:
        raise PointError("the memory of this machine does not suffice", lasting=False) from error
    return Figures(
        **_pace(filmed),
        memory_peak_bytes=peak,
        memory_before_bytes=before,
        memory_table_bytes=memory.table_bytes(point),
        **_substance(sampled, all_edges, point.W),
    )


def _sample(shots: Sequence[Shot], many: int) -> list[Shot]:
    """Return some frames, spread evenly from the first to the last."""
    places = np.unique(np.linspace(0, len(shots) - 1, many).round().astype(int))
    return [shots[place] for place in places]


def _pace(filmed: Film) -> dict[str, Any]:
    shots = filmed.shots
    p50, p95, p99 = np.percentile(
        [1000 * seconds for seconds in filmed.latencies], (50, 95, 99)
    ).tolist()
    return {
        "frames": len(filmed.latencies),
        "ticks": filmed.ticks,
        "refused": filmed.refused,
        "ticks_per_second": filmed.ticks / filmed.seconds,
        "frame_ms_p50": p50,
        "frame_ms_p95": p95,
        "frame_ms_p99": p99,
        "frame_bytes": _mean([shot.size for shot in shots]),
        "frame_bytes_zstd": filmed.compressed / len(shots),
        "nodes": _mean([shot.nodes for shot in shots]),
        "edges": _mean([shot.kept.edges for shot in shots]),
    }


def _substance(shots: Sequence[Shot], all_edges: Sequence[Whole], W: int) -> dict[str, Any]:
    kept, weight = [shot.kept for shot in shots], sum(whole.weight for whole in all_edges)
    least = [one.least / W for one in kept if one.edges]
    return {
        "edges_all": _mean([whole.edges for whole in all_edges]),
        "edges_all_cut": any(whole.cut for whole in all_edges),
        "edges_kept_share": _share([k.edges for k in kept], [a.edges for a in all_edges]),
        "weight_kept_share": _share([k.weight for k in kept], [a.weight for a in all_edges]),
        "match_weight_kept_share": _share(
            [k.match_weight for k in kept], [a.match_weight for a in all_edges]
        ),
        "weight_least_kept": float(np.median(least)) if least else None,
        "curve": _curve(all_edges, weight),
    }


def _curve(all_edges: Sequence[Whole], weight: int) -> tuple[tuple[int, float], ...]:
    """Return the share of the weight that other caps would keep, up to the first that is all."""
    curve: list[tuple[int, float]] = []
    for cap, *of_each in zip(CURVE_CAPS, *(whole.curve for whole in all_edges), strict=True):
        known = [kept for kept in of_each if kept is not None]
        if weight == 0 or len(known) < len(of_each) or (curve and curve[-1][1] == 1.0):
            break
        curve.append((cap, sum(known) / weight))
    return tuple(curve)


def _share(parts: Sequence[int], wholes: Sequence[int]) -> float | None:
    return sum(parts) / sum(wholes) if sum(wholes) else None


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
