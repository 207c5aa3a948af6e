"""One point of a grid, with everything its figures depend on, and the grid itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from marketcam.server.profiling.axes import axis_texts
from marketcam.server.profiling.errors import PointError
from marketcam.server.settings import Settings, SettingsError, described_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marketcam.engine.scenarios import Scenario
    from marketcam.server.settings import CameraArguments

__all__ = ["AXES", "MOST_POINTS", "Effort", "Point", "TickFile", "grid", "label_of"]

AXES: Final = ("agents", "window", "stride", "prox_eps_pct", "proximity", "edge_cap")
"""The settings that a grid varies, the last one fastest."""

MOST_POINTS: Final = 10_000
"""Points of a grid at most; beyond it, nobody waits for the end."""


@dataclass(frozen=True, slots=True)
class TickFile:
    """A file of raw ticks, as it was when the grid was made; the journal knows it by all of this.

    Attributes:
        path: where it lies, absolute.
        size: bytes.
        modified_ns: when it was last written, in nanoseconds since 1970.
    """

    path: str
    size: int
    modified_ns: int

    @classmethod
    def at(cls, path: str) -> TickFile:
        """Look at a tick file.

        Raises:
            SettingsError: it is standard input, which cannot be read once more for each point.
            OSError: it cannot be looked at.
        """
        if path == "-":
            rule = "must be a file, since each point reads it anew"
            raise SettingsError([f"{label_of('ticks')} {rule}, got -"])
        found = Path(path).expanduser().resolve()
        state = found.stat()
        return cls(str(found), state.st_size, state.st_mtime_ns)

    def check(self) -> None:
        """Look whether it is the same where it is measured, which may be another machine.

        Raises:
            PointError: it is not there, or has another size or time; names both.
        """
        try:
            here = self.at(self.path)
        except OSError as error:
            problem = f"{self.path} is not to be had where it is measured: {error.strerror}"
            raise PointError(problem, lasting=False) from error
        if (here.size, here.modified_ns) != (self.size, self.modified_ns):
            raise PointError(
                f"{self.path} must be the file of the grid, {_state(self)}, also where it is "
                f"measured, got {_state(here)}",
                lasting=False,
            )


def _state(file: TickFile) -> str:
    return f"{file.size} bytes written at {file.modified_ns} ns"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done for each point.

    Attributes:
        frames: frames that are timed at least; their sizes and edges are looked at.
        seconds: how long is timed at least, with more frames where the ticks go on.
        sampled: how many of `frames` are compared with all edges of their windows.
        all_edges: edges that are listed of one window at most; what lies beyond is only summed.
    """

    frames: int = 30
    seconds: float = 0.5
    sampled: int = 3
    all_edges: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Point:
    """What is measured at once: a camera, a source of ticks, and an effort.

    Two points that are equal ask for the same measurement. Everything is a plain value, so that a
    point travels as JSON to the process, or the machine, that measures it.

    Attributes:
        scenario: which embedded market; None for a tick file.
        agents: agents the embedded market starts with; None for a tick file.
        ticks: the tick file, or None for the embedded market.
        bad_tick: what to do at a raw tick of the file that is refused.

    The others have the names and meanings of `Settings`, `CameraArguments` and `Effort`.
    """

    scenario: Scenario | None
    agents: int | None
    W: int
    stride: int
    eps_pct: float
    proximity: Literal["pairs", "neighbors"]
    edge_cap: int
    match_share: float
    burst_z: float
    shock_z: float
    pair_budget_bytes: int
    zstd_level: int
    seed: int
    adjust_interval: int
    max_agents: int
    pool_only: bool
    ticks: TickFile | None
    bad_tick: Literal["skip", "fail"]
    effort: Effort

    @classmethod
    def of(cls, settings: Settings, ticks: TickFile | None, effort: Effort) -> Point:
        """Return the point that a camera with these settings stands at."""
        return cls(
            **settings.camera_arguments(),
            scenario=settings.scenario if ticks is None else None,
            agents=settings.agents if ticks is None else None,
            zstd_level=settings.zstd_level,
            seed=settings.seed,
            adjust_interval=settings.adjust_interval,
            max_agents=settings.max_agents,
            pool_only=settings.pool_only,
            ticks=ticks,
            bad_tick=settings.bad_tick,
            effort=effort,
        )

    def camera_arguments(self) -> CameraArguments:
        """Return the keyword arguments of `SlidingWindowCamera`."""
        return {
            "W": self.W,
            "stride": self.stride,
            "eps_pct": self.eps_pct,
            "edge_cap": self.edge_cap,
            "proximity": self.proximity,
            "match_share": self.match_share,
            "burst_z": self.burst_z,
            "shock_z": self.shock_z,
            "pair_budget_bytes": self.pair_budget_bytes,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the point as a JSON object; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Point:
        """Read what `to_json` wrote.

        Raises:
            PointError: it is no point, or one of another version.
        """
        try:
            ticks = None if value["ticks"] is None else TickFile(**value["ticks"])
            return cls(**{**value, "ticks": ticks, "effort": Effort(**value["effort"])})
        except (KeyError, TypeError) as error:
            raise PointError(f"not a point of a grid: {error}") from error

    def __str__(self) -> str:
        who = Path(self.ticks.path).name if self.ticks else f"{self.agents:,} agents"
        return (
            f"{who}, W {self.W}, stride {self.stride}, cap {self.edge_cap:,}, "
            f"eps {self.eps_pct:g}, {self.proximity}"
        )


def label_of(name: str) -> str:
    """Name a setting as a user of the command line knows it, such as ``--W (IG_CAM_W)``."""
    (setting,) = (s for s in described_settings() if s.name == name)
    return f"{setting.flag} ({setting.variable})"


def grid(given: Mapping[str, Any], effort: Effort) -> tuple[Point, ...]:
    """Return all points of a grid, the edge cap varying fastest.

    `given` are the settings that were typed, as attribute → text, those of `AXES` as lists and
    ranges. What is not given is as `serve` would have it, from the environment or by default.

    Raises:
        SettingsError: a value is out of its range, or there are more than `MOST_POINTS`.
        OSError: the tick file cannot be looked at.
    """
    axes = {n: axis_texts(label_of(n), given[n]) for n in AXES if n in given}
    base = Settings.from_flags({**given, **{name: values[0] for name, values in axes.items()}})
    if base.source == "simulator":
        raise SettingsError(
            ["a profile films the embedded market or a tick file, got IG_SIMULATOR: unset it"]
        )
    ticks = None if base.ticks is None else TickFile.at(base.ticks)
    if ticks is not None and "agents" in given:
        rule = "must not be given with --ticks, whose agents are those in the file"
        raise SettingsError([f"{label_of('agents')} {rule}, got {given['agents']}"])
    if (size := prod(map(len, axes.values()))) > MOST_POINTS:
        raise SettingsError([f"a grid must have at most {MOST_POINTS} points, got {size}"])
    return _points(given, axes, ticks, effort)


def _points(
    given: Mapping[str, Any],
    axes: Mapping[str, Sequence[str]],
    ticks: TickFile | None,
    effort: Effort,
) -> tuple[Point, ...]:
    every = (
        Settings.from_flags({**given, **dict(zip(axes, values, strict=True))})
        for values in product(*axes.values())
    )
    return tuple(dict.fromkeys(Point.of(settings, ticks, effort) for settings in every))
