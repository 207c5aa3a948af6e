"""`film`: ticks in, frames out, for notebooks and scripts. No store, no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from marketcam.engine.camera import SlidingWindowCamera
from marketcam.engine.errors import LimitError, TickError
from marketcam.engine.tick import Tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Unpack  # of typing since 3.11, the oldest Python we run on

    from marketcam.engine.frame import Frame

__all__ = ["CameraOptions", "film"]


class CameraOptions(TypedDict, total=False):
    """What `SlidingWindowCamera` can be told beside its window and its stride."""

    eps_pct: float
    edge_cap: int
    proximity: Literal["pairs", "neighbors"]
    match_share: float
    burst_z: float
    shock_z: float
    pair_budget_bytes: int


def film(
    ticks: Iterable[Tick | Mapping[str, Any]],
    W: int = 300,
    stride: int = 10,
    *,
    bad_tick: Literal["fail", "skip"] = "fail",
    on_bad: Callable[[TickError], object] | None = None,
    **options: Unpack[CameraOptions],
) -> Iterator[Frame]:
    """Film ticks, and yield the frames as they come due.

    The frames are those that `marketcam serve` would stream and record of the same ticks: a
    `Frame` is the columns, ``frame.to_dict()`` the message, and `marketcam.io.encode_frame` its
    text, to the byte. Whatever the ticks are, frames come as columns. Only the window is held in
    memory, so that `ticks` may be a generator without end.

    >>> from marketcam.engine import film
    >>> from marketcam.io import read_ticks
    >>> for frame in film(read_ticks("run.parquet"), W=300, stride=10):
    ...     print(frame.t, len(frame.nodes), len(frame.edges))

    Args:
        ticks: raw ticks in order, each a dict (one parsed line of a tick file) or a `Tick`.
        W: window in ticks.
        stride: ticks between frames.
        bad_tick: ``"fail"`` raises at a tick that is refused; ``"skip"`` leaves it out, and it is
            then a hole like any other: the window begins anew behind it.
        on_bad: is called with the error of each tick that is skipped.
        **options: the other settings of `SlidingWindowCamera`, under their own names.

    Raises:
        LimitError: a setting is out of its range, at once; or, while iterating, there are more
            agents than the pair budget allows.
        TickError: while iterating: a tick was refused, and is not to be skipped.

    Cost: that of the camera; dicts cost 2 µs an agent more.
    """
    if bad_tick not in ("fail", "skip"):
        raise LimitError(f"bad_tick must be 'fail' or 'skip', got {bad_tick!r}")
    if on_bad is not None and bad_tick == "fail":
        raise LimitError("on_bad is called for skipped ticks only: bad_tick must be 'skip'")
    camera = SlidingWindowCamera(W=W, stride=stride, **options)
    return _frames(camera, ticks, None if bad_tick == "fail" else on_bad or _ignore)


def _frames(
    camera: SlidingWindowCamera,
    ticks: Iterable[Tick | Mapping[str, Any]],
    on_bad: Callable[[TickError], object] | None,
) -> Iterator[Frame]:
    for raw in ticks:
        try:
            tick = raw if isinstance(raw, Tick) else Tick.from_dict(raw)
            camera.ingest_tick(tick)
        except TickError as error:
            if on_bad is None:
                raise
            on_bad(error)
            continue
        frame = camera.maybe_frame(tick.t)
        if frame is not None:
            yield frame


def _ignore(_: TickError) -> None:
    pass
