"""A camera that has run for long and one that was given only the window: the same bytes.

Ten million ticks are the opt-in run (`make test-long`); a hundred thousand of them are the usual.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from marketcam.engine import SlidingWindowCamera
from marketcam.engine.lanes import SIDE
from marketcam.io import encode_frame
from tests.comparing import compare
from tests.conftest import INTERPRETED
from tests.oracle import OracleCamera
from tests.raw_ticks import MAX_ID, crowd

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENTS, W, STRIDE = 20, 50, 10
BLOCK = 1000  # ticks whose figures are drawn at once
USUAL_TICKS = 1500 if INTERPRETED else 100_000
LONG_TICKS = int(os.environ.get("MARKETCAM_LONG_TICKS", "10000000"))
RULES = ("pairs", "neighbors")
SETTINGS: dict[str, Any] = {"W": W, "stride": STRIDE, "eps_pct": 0.01, "edge_cap": 60}


class Arrays(NamedTuple):
    """A raw tick: the arguments of `ingest_arrays`."""

    t: int
    mid: float | None
    agent_id: Any
    experience: Any
    side: Any
    price: Any
    matches: Any


class Population:
    """Twenty agents. One in forty ticks somebody leaves for a stranger, or for who was here before.

    Now and then all leave at once.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._gone: deque[int] = deque(maxlen=200)
        self.ids = np.sort(self._strangers(AGENTS))

    def turn(self, chance: float) -> None:
        """Let time pass, given a number drawn from 0..1."""
        if chance < 0.0002:
            self._gone.extend(self.ids.tolist())
            self.ids = np.sort(self._strangers(AGENTS))
        elif chance < 0.025:
            returns = self._rng.random() < 0.4 and len(self._gone) > 0
            newcomer = self._rng.choice(self._gone) if returns else self._strangers(1)[0]
            if newcomer not in self.ids:
                leaver = self._rng.integers(AGENTS)
                self._gone.append(int(self.ids[leaver]))
                self.ids = self.ids.copy()
                self.ids[leaver] = newcomer

    def _strangers(self, many: int) -> Any:
        return self._rng.integers(0, MAX_ID, many, endpoint=True)


def ticks(seed: int, many: int) -> Iterator[Arrays]:
    """Yield consecutive ticks; a tenth have no mid, prices are uneven in size and often equal."""
    rng = np.random.default_rng(seed)
    population = Population(rng)
    for start in range(1, many + 1, BLOCK):
        scale = 10.0 ** rng.integers(-3, 7)
        chances = rng.random(BLOCK)
        mids = np.where(rng.random(BLOCK) < 0.1, np.nan, rng.uniform(99, 101, BLOCK) * scale)
        experience = rng.random((BLOCK, AGENTS))
        experience[rng.random((BLOCK, AGENTS)) < 0.1] = np.nan
        price = np.round(rng.uniform(95, 105, (BLOCK, AGENTS)), 1) * scale
        side = rng.integers(0, 3, (BLOCK, AGENTS), dtype=np.int8)
        rows = rng.permuted(np.tile(np.arange(AGENTS), (BLOCK, 1)), axis=1)[:, :6]
        matched = rng.integers(0, 4, BLOCK)
        for k in range(min(BLOCK, many + 1 - start)):
            population.turn(chances[k])
            ids = population.ids
            pairs = ids[rows[k, : 2 * matched[k]]].reshape(-1, 2)
            if matched[k] == 3:
                pairs[0, 1] = -1
            mid = None if np.isnan(mids[k]) else float(mids[k])
            yield Arrays(start + k, mid, ids, experience[k], side[k], price[k], pairs)


def film_alone(window: list[Arrays], carried: float | None, rule: str) -> bytes:
    """Return the frame of a camera that was given this window and the mid carried into it."""
    camera = SlidingWindowCamera(**SETTINGS, proximity=rule)  # type: ignore[arg-type]
    first = window[0]
    for tick in (first._replace(mid=carried if first.mid is None else first.mid), *window[1:]):
        camera.ingest_arrays(*tick)
    frame = camera.maybe_frame(window[-1].t)
    assert frame is not None
    return encode_frame(frame)


def run(rule: str, many: int, compared: int, *, tell: bool = False) -> int:
    """Film `many` ticks, compare about `compared` frames spread over them; return how many."""
    camera = SlidingWindowCamera(**SETTINGS, proximity=rule)  # type: ignore[arg-type]
    chosen = np.random.default_rng(many)
    window: deque[Arrays] = deque(maxlen=W)
    carried: float | None = None  # the mid known before the window
    frames = 0
    began = time.monotonic()
    for tick in ticks(many, many):
        if len(window) == W:
            carried = carried if window[0].mid is None else window[0].mid
        window.append(tick)
        camera.ingest_arrays(*tick)
        frame = camera.maybe_frame(tick.t)
        if frame is not None and (tick.t > many - W or chosen.random() < compared * STRIDE / many):
            assert encode_frame(frame) == film_alone(list(window), carried, rule), f"at {tick.t}"
            frames += 1
        if tell and tick.t % (many // 20) == 0:
            minutes = (time.monotonic() - began) / 60
            print(
                f"\n{rule}: {tick.t:,} of {many:,} ticks, {frames} frames equal, {minutes:.1f} min"
            )
    return frames


@pytest.mark.parametrize("rule", RULES)
def test_many_ticks_leave_no_trace(rule: str) -> None:
    assert run(rule, USUAL_TICKS, compared=USUAL_TICKS // 250) > USUAL_TICKS // 500


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("rule", RULES)
def test_ten_million_ticks_leave_no_trace(rule: str) -> None:
    assert run(rule, LONG_TICKS, compared=5000, tell=True) > 4000


@pytest.mark.kernel
@pytest.mark.parametrize("rule", RULES)
def test_growth_past_each_doubling(rule: str) -> None:
    """At the agents at which buffers double, one less and one more, and down again."""
    doublings = [64, 128] if INTERPRETED else [64, 128, SIDE, 256, 512, 1024]
    sizes = [size for doubling in doublings for size in (doubling - 1, doubling, doubling + 1)]
    arguments: dict[str, Any] = {"W": 4, "stride": 2, "eps_pct": 0.002, "edge_cap": 3000}
    camera = SlidingWindowCamera(**arguments, proximity=rule)  # type: ignore[arg-type]
    twin = OracleCamera(**arguments, proximity=rule)
    frames = t = 0
    for size in (*sizes, 40, 3):
        for raw in crowd(size, 2, agents=size, lifetime=10**9, start=t):
            # The same agents come first in every crowd, so that the window holds few more.
            renamed = _renamed(raw)
            camera.ingest(renamed)
            twin.ingest(renamed)
            frames += compare(camera, twin, raw["t"])
            t = raw["t"] + 1
    assert frames == len(sizes)


def _renamed(raw: dict[str, Any]) -> dict[str, Any]:
    """Number the agents of a tick from 0; their order stays."""
    numbers = {agent: str(number) for number, agent in enumerate(raw["agents"])}
    known = {int(agent): int(number) for agent, number in numbers.items()} | {-1: -1}
    return raw | {
        "agents": {numbers[agent]: value for agent, value in raw["agents"].items()},
        "actions": {numbers[agent]: action for agent, action in raw["actions"].items()},
        "matches": [[known[agent] for agent in match] for match in raw["matches"]],
    }
