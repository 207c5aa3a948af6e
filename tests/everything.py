"""Whatever a camera can meet, in scenarios; run as a program, it tells what each had compiled.

The program warms up as the server does. From then on no kernel may gain a signature: compiling
takes a second and more, in the middle of a run.
"""

from __future__ import annotations

import json
import pkgutil
import tempfile
from contextlib import suppress
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import marketcam.engine
import marketcam.io
from marketcam.engine import SlidingWindowCamera, TickError
from marketcam.engine.jit import loaded_kernels
from marketcam.engine.scenarios import market_of
from marketcam.io import decode_frame_columns, encode_tick
from marketcam.server.running.compiling import compile_kernels
from tests.raw_ticks import crowd
from tests.server_helpers import PATIENCE, fed_server, open_stream, receive_until, state_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from marketcam.engine import Tick

RULES = ("pairs", "neighbors")
Columns = tuple[Any, Any, Any, Any, Any]


def encodings() -> list[Callable[[Any], bytes]]:
    """All encodings of a frame that there are."""
    names = [name for name in marketcam.io.__all__ if name.startswith("encode_frame")]
    return [getattr(marketcam.io, name) for name in names]


def film(camera: SlidingWindowCamera, ticks: Iterable[tuple[int, float | None, Columns]]) -> None:
    for t, mid, columns in ticks:
        camera.ingest_arrays(t, mid, *columns)
        develop(camera, t)


def develop(camera: SlidingWindowCamera, t: int) -> None:
    frame = camera.maybe_frame(t)
    if frame is not None:
        for encode in encodings():
            encode(frame)


def columns(rng: np.random.Generator, n: int, *, grid: float = 0.0) -> Columns:
    ids = rng.permutation(max(3 * n, 1))[:n].astype(np.int64)
    price = rng.uniform(90.0, 110.0, n)
    price = np.round(price / grid) * grid if grid else price
    experience = np.where(rng.random(n) < 0.2, np.nan, rng.random(n))
    matches = np.stack([ids[: n // 2], np.roll(ids, 1)[: n // 2]], axis=1)
    matches[::3, 1] = -1
    return ids, experience, rng.integers(0, 3, n).astype(np.int8), price, matches


def cameras(**options: Any) -> Iterator[SlidingWindowCamera]:
    for rule in RULES:
        yield SlidingWindowCamera(**({"W": 7, "stride": 3, "proximity": rule} | options))


def populations(sizes: Iterable[int], **options: Any) -> None:
    for camera in cameras(**options):
        rng = np.random.default_rng(1)
        film(camera, ((t, 100.0, columns(rng, n)) for t, n in enumerate(sizes)))


def windows() -> None:
    for W, stride in ((1, 1), (2, 5), (12, 4), (13, 5), (3, 100), (300, 10), (5000, 7)):
        populations([20] * min(W + 3 * stride, 700), W=W, stride=stride)


def caps() -> None:
    for cap, share in product((0, 1, 30, 10**6), (0.0, 0.3, 1.0)):
        populations([60] * 12, edge_cap=cap, match_share=share, burst_z=0, shock_z=0)


def growth_past_each_doubling() -> None:
    populations([size for size in (1, 63, 65, 129, 257, 513, 1025, 2049) for _ in range(4)])


def a_large_population() -> None:
    populations([5000] * 10)


def enough_for_a_crew() -> None:
    """Each rule with so many agents that its work, and that of the panes, is shared by threads."""
    rng = np.random.default_rng(8)
    for rule, agents in (("neighbors", 17_000), ("pairs", 1_000)):
        camera = SlidingWindowCamera(W=7, stride=3, proximity=rule)
        film(camera, ((t, 100.0, columns(rng, agents)) for t in range(16)))


def few_and_none() -> None:
    populations([0] * 10 + [1] * 10 + [2] * 10 + [0, 5] * 10)


def agents_that_come_and_go() -> None:
    for camera in cameras():
        for raw in crowd(3, 200, agents=90, lifetime=5):
            camera.ingest(raw)
            develop(camera, raw["t"])


def ties() -> None:
    for camera, grid in product(cameras(), (0.5, 100.0)):
        rng = np.random.default_rng(2)
        start = 0 if grid < 1 else 1000
        film(camera, ((start + t, 100.0, columns(rng, 80, grid=grid)) for t in range(20)))


def mids() -> None:
    for camera, mid in product(cameras(W=2, stride=1), (None, 0.0, -5.0, 100.0, None, 1e-300)):
        rng = np.random.default_rng(3)
        start = 1 if camera._window.last_t is None else camera._window.last_t + 1
        film(camera, ((t, mid, columns(rng, 30)) for t in range(start, start + 5)))


def holes() -> None:
    for camera in cameras():
        rng = np.random.default_rng(4)
        film(camera, ((t, 100.0, columns(rng, 100)) for t in range(-20, 60) if t % 17))


def unaligned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    room = bytearray(array.nbytes + 1)
    moved = np.frombuffer(room, array.dtype, array.size, offset=1).reshape(array.shape)
    moved[...] = array
    assert not moved.flags.aligned or array.itemsize == 1 or array.size == 0
    return moved


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array = array.copy()
    array.flags.writeable = False
    return array


def forms(given: Columns) -> Iterator[Columns]:
    """The same columns in every form that arrays come in."""
    ids, experience, side, price, matches = given
    ways: tuple[Callable[[Any], Any], ...] = (
        lambda a: a.tolist(),
        read_only,
        unaligned,
        lambda a: a.astype(a.dtype.newbyteorder()),
        lambda a: np.repeat(a, 2, axis=0)[::2],
        np.asfortranarray,
        lambda a: a.view(np.ndarray).view(np.recarray) if a.ndim == 1 else a,
    )
    for way in ways:
        yield tuple(map(way, given))  # type: ignore[misc]
        for k in range(len(given)):
            yield (*given[:k], way(given[k]), *given[k + 1 :])  # type: ignore[misc]
    yield ids.astype(np.uint16), experience.astype(np.float32), side.astype(np.int64), price, []
    yield ids.astype(np.uint64), experience, side, np.round(price).astype(np.int32), matches
    yield ids.astype(np.int32), experience, side, price, matches.astype(np.int32)


def forms_of_arrays() -> None:
    for camera in cameras(W=2, stride=1):
        rng = np.random.default_rng(5)
        given = [form for n in (1, 50) for form in forms(columns(rng, n))]
        film(camera, ((t, np.float32(100), form) for t, form in enumerate(given)))


def refused_ticks() -> None:
    for camera in cameras(W=2, stride=1):
        rng = np.random.default_rng(6)
        for t in range(0, 60, 2):
            film(camera, [(t, 100, columns(rng, 40))])
            bad = columns(rng, 40)
            column = bad[t // 2 % 5]
            column[t % 40 % len(column)] = np.inf if column.dtype.kind == "f" else -7
            with suppress(TickError):
                film(camera, [(t + 1, 100.0, bad)])


def the_embedded_markets() -> None:
    for scenario, agents, pool_only, ticks in (
        ("v5", 1, True, 50),
        ("v5", 2, False, 50),
        ("v5", 60, False, 200),
        ("v5", 3000, False, 5),
        ("ecology", 3, True, 50),
        ("ecology", 4, False, 50),
        ("ecology", 60, False, 200),
        ("ecology", 3000, False, 5),
    ):
        market = market_of(scenario, agents=agents, adjust_interval=1, pool_only=pool_only)
        for camera in cameras():
            film_ticks(camera, [market.step() for _ in range(ticks)])


def film_ticks(camera: SlidingWindowCamera, ticks: list[Tick]) -> None:
    for tick in ticks:
        camera.ingest_tick(tick)
        encode_tick(tick)
        develop(camera, tick.t)


def a_server() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        fed_server(Path(folder), record_ticks=True) as (server, feed),
        server.stream() as stream,
    ):
        for raw in crowd(7, 60, agents=70, lifetime=10):
            feed.send(raw)
        receive_until(stream, "frame", 58)


def a_server_with_stages_in_threads() -> None:
    """Ticks and frames of so many rows that they are handed over, sent as columns too."""
    agents = range(9_000)
    quotes = {"agents": dict.fromkeys(agents, 0.5), "buys": {a: 90.0 + a / 1000 for a in agents}}
    with (
        tempfile.TemporaryDirectory() as folder,
        fed_server(Path(folder), record_ticks=True, proximity="neighbors") as (server, feed),
        open_stream(f"{server.listening.stream_url}?encoding=columns") as stream,
    ):
        for t in range(8):
            feed.send(state_tick(t, **quotes))
        while not isinstance(data := stream.recv(timeout=PATIENCE), bytes):
            pass
        assert len(decode_frame_columns(data).nodes) == len(agents)


SCENARIOS = (
    windows,
    caps,
    growth_past_each_doubling,
    a_large_population,
    enough_for_a_crew,
    few_and_none,
    agents_that_come_and_go,
    ties,
    mids,
    holes,
    forms_of_arrays,
    refused_ticks,
    the_embedded_markets,
    a_server,
    a_server_with_stages_in_threads,
)


def signatures() -> set[str]:
    return {
        f"{name}{signature}"
        for name, kernel in loaded_kernels().items()
        for signature in kernel.signatures
    }


def import_all() -> None:
    for package in (marketcam.engine, marketcam.io):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(found.name)


def main() -> None:
    """Print, as JSON, the kernels and signatures that each scenario added, where any did."""
    import_all()
    compile_kernels()
    known = signatures()
    added = {}
    for scenario in SCENARIOS:
        scenario()
        if new := signatures() - known:
            added[scenario.__name__] = sorted(new)
            known |= new
    print(json.dumps({"known": len(known), "added": added}))


if __name__ == "__main__":
    main()
