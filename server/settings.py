"""The configuration of a camera: one frozen model for variables, flags, ranges and messages.

What counts, in this order: command-line flags, environment variables, the defaults below. No
file is read. A variable that is set but empty counts as not set.

>>> settings = Settings.from_environment()
>>> camera = SlidingWindowCamera(**settings.camera_arguments())
"""

from __future__ import annotations

import difflib
import os
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, LiteralString, Self, TypedDict

from pydantic import ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from marketcam.server.values import (
    AnyPath,
    LogLevel,
    NatsServers,
    OptionalPath,
    OptionalText,
    OriginList,
    ProxyList,
    Secret,
    SecretAddress,
    Token,
)
from marketcam.server.variables import (
    Setting,
    SettingsError,
    describe,
    problem_lines,
    shown,
)
from marketcam.server.variables import setting as _setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_settings import PydanticBaseSettingsSource

__all__ = [
    "CameraArguments",
    "Settings",
    "SettingsError",
    "configuration_table",
    "described_settings",
    "unknown_variables",
]

_COUNT: Final = 2**53 - 1
"""Largest count, as of tick numbers: what a JSON number carries exactly."""
_SECONDS: Final = 10**9
"""Longest time, 31 years: what every clock and timer of Python takes."""
_ALIKE: Final = 0.75
"""Likeness (difflib) from which a name is taken for a misspelt one."""
_KIB: Final = 2**10
_MIB: Final = 2**20
_TILE_BYTES: Final = 72 * _KIB
"""The counts of the least population; the window adds some bytes for each of its ticks."""


class CameraArguments(TypedDict):
    """The settings that `SlidingWindowCamera` takes, under its own names."""

    W: int
    stride: int
    eps_pct: float
    edge_cap: int
    proximity: Literal["pairs", "neighbors"]
    match_share: float
    burst_z: float
    shock_z: float
    pair_budget_bytes: int


class Settings(BaseSettings):
    """Everything that can be set. Keyword arguments go before the environment.

    Raises:
        pydantic.ValidationError: from the constructor. `from_environment` and the command line
            raise `SettingsError` in its place, with one readable line a problem.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        case_sensitive=True,
        env_ignore_empty=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # a traceback is no place for a token
    )

    # fmt: off
    window: int = _setting(300, "IG_CAM_W", "camera",
        "sliding window", unit="ticks", ge=1, le=65_535)
    stride: int = _setting(10, "IG_CAM_STRIDE", "camera",
        "from one frame to the next", unit="ticks", ge=1, le=_COUNT)
    edge_cap: int = _setting(2000, "IG_CAM_EDGE_CAP", "camera",
        "edges a frame at most", ge=0, le=_COUNT)
    prox_eps_pct: float = _setting(0.003, "IG_CAM_PROX_EPS_PCT", "camera",
        "quotes this close make a quote_proximity edge", unit="share of the mid", ge=0)
    match_share: float = _setting(0.5, "IG_CAM_MATCH_SHARE", "camera",
        "set aside for match edges", unit="share of the edge cap", ge=0, le=1)
    proximity: Literal["pairs", "neighbors"] = _setting("pairs", "IG_CAM_PROXIMITY", "camera",
        "quote proximity of all pairs, or of neighbors in price order only")
    burst_z: float = _setting(4.0, "IG_CAM_BURST_Z", "camera",
        "a tick with this many more matches than the mean is a burst",
        unit="standard deviations", placeholder="Z", ge=0)
    shock_z: float = _setting(4.0, "IG_CAM_SHOCK_Z", "camera",
        "a tick with a return this far from the mean is a shock",
        unit="standard deviations", placeholder="Z", ge=0)
    metric_downsample: int = _setting(1, "IG_CAM_METRIC_DOWNSAMPLE", "camera",
        "from one metric to the next", unit="ticks", ge=1, le=_COUNT)
    pair_budget_bytes: int = _setting(2048 * _MIB, "IG_CAM_PAIR_BUDGET_BYTES", "camera",
        "memory for the pair counts of proximity 'pairs'", unit="bytes", ge=_TILE_BYTES, le=_COUNT)
    pair_budget_action: Literal["stop", "neighbors", "wait"] = _setting(
        "stop", "IG_CAM_PAIR_BUDGET_ACTION", "camera",
        "at agents beyond that memory: end the run, change the rule, or wait without frames")

    store_dir: AnyPath = _setting(Path("/data/ig_cam"), "IG_CAM_STORE_DIR", "recording",
        "store root: frames/, metrics/, ticks/ and events/ lie in it",
        form="a path", placeholder="PATH")
    segment_seconds: float = _setting(300.0, "IG_CAM_SEGMENT_SECONDS", "recording",
        "a new segment after this time", unit="seconds", gt=0, le=_SECONDS)
    segment_bytes: int = _setting(256 * _MIB, "IG_CAM_SEGMENT_BYTES", "recording",
        "a new segment after this much JSON", unit="bytes", ge=1, le=_COUNT)
    flush_seconds: float = _setting(1.0, "IG_CAM_FLUSH_SECONDS", "recording",
        "a crash loses at most this much", unit="seconds", gt=0, le=_SECONDS)
    fsync_seconds: float = _setting(5.0, "IG_CAM_FSYNC_SECONDS", "recording",
        "a power loss loses at most this much", unit="seconds", gt=0, le=_SECONDS)
    zstd_level: int = _setting(3, "IG_CAM_ZSTD_LEVEL", "recording",
        "compression level", ge=1, le=22)
    retain_seconds: float = _setting(0.0, "IG_CAM_RETAIN_SECONDS", "recording",
        "remove segments older than this; 0: off", unit="seconds", ge=0, le=_SECONDS)
    retain_bytes: int = _setting(0, "IG_CAM_RETAIN_BYTES", "recording",
        "remove the oldest segments beyond this total; 0: off", unit="bytes", ge=0, le=_COUNT)
    disk_start_pct: float = _setting(85.0, "IG_CAM_DISK_START_PCT", "recording",
        "disk use at which the oldest segments go", unit="percent", gt=0, le=100)
    disk_target_pct: float = _setting(75.0, "IG_CAM_DISK_TARGET_PCT", "recording",
        "disk use at which removing stops", unit="percent", ge=0, le=100)
    keep_min: int = _setting(3, "IG_CAM_KEEP_MIN", "recording",
        "segments of a kind kept whatever happens", ge=0, le=_COUNT)
    record_ticks: bool = _setting(False, "IG_CAM_RECORD_TICKS", "recording",
        "record the raw ticks too, so that the run can be filmed again", form="true or false")
    checkpoint_seconds: float = _setting(0.0, "IG_CAM_CHECKPOINT_SECONDS", "recording",
        "from one checkpoint of the embedded market to the next, from which a restarted camera "
        "goes on in the same run; 0: off", unit="seconds", ge=0, le=_SECONDS)
    record_queue_bytes: int = _setting(64 * _MIB, "IG_CAM_RECORD_QUEUE_BYTES", "recording",
        "lines waiting for the disk at most", unit="bytes", ge=64 * _KIB, le=_COUNT)
    record_stall_seconds: float = _setting(10.0, "IG_CAM_RECORD_STALL_SECONDS", "recording",
        "a disk that takes nothing for this long is not waited for, also without a pace",
        unit="seconds", gt=0, le=_SECONDS)
    record_retry_seconds: float = _setting(5.0, "IG_CAM_RECORD_RETRY_SECONDS", "recording",
        "from one attempt to record again to the next", unit="seconds", gt=0, le=_SECONDS)

    scenario: Literal["v5", "ecology"] = _setting("v5", "IG_SCENARIO", "source",
        "the embedded market: that of the contract, or one with groups (docs/markets.md)")
    seed: int = _setting(0, "IG_SEED", "source",
        "random seed of the embedded market or the simulator", ge=0, le=2**32 - 1)
    agents: int = _setting(3, "IG_AGENTS", "source",
        "agents the embedded market starts with", ge=1, le=100_000)
    max_agents: int = _setting(0, "IG_MAX_AGENTS", "source",
        "agents the embedded market grows to; 0: no limit", ge=0, le=_COUNT)
    adjust_interval: int = _setting(2000, "IG_ADJUST_INTERVAL", "source",
        "from one adjustment of the population to the next", unit="ticks", ge=1, le=_COUNT)
    pool_only: bool = _setting(False, "IG_POOL_ONLY", "source",
        "the embedded market fills with the pool only, as the original does",
        form="true or false")
    tick_rate: float = _setting(100.0, "IG_TICK_RATE", "source",
        "pace of the source; 0: as fast as it goes", unit="ticks a second", ge=0, le=10**9)
    ticks: OptionalText = _setting(None, "IG_TICKS", "source",
        "film the raw ticks of this file (JSON lines, also .zst; Parquet; CSV) or store; "
        "-: standard input",
        form="a file, a folder or -", placeholder="TICKS")
    matches: OptionalPath = _setting(None, "IG_MATCHES", "source",
        "the matches of raw ticks that come as a table with a row an agent, Parquet or CSV",
        form="a path", placeholder="FILE")
    ticks_run: OptionalText = _setting(None, "IG_TICKS_RUN", "source",
        "film this run of a store; without it, the latest that has ticks",
        form="a run", placeholder="RUN")
    bad_tick: Literal["skip", "fail"] = _setting("skip", "IG_BAD_TICK", "source",
        "what to do at a raw tick that is refused")
    simulator: OptionalText = _setting(None, "IG_SIMULATOR", "source",
        "film this simulator class",
        form="module:Class", placeholder="MODULE:CLASS",
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$")
    simulator_path: OptionalPath = _setting(None, "IG_SIMULATOR_PATH", "source",
        "folder in which the simulator's module is found", form="a path", placeholder="PATH")

    ingest_token: Token = _setting(None, "IG_INGEST_TOKEN", "ingest",
        "what a producer of raw ticks has to show; turns on /ws/ingest, which then is the source",
        form="16 to 256 printable ASCII characters, or @FILE that holds them",
        placeholder="TOKEN")
    ingest_message_bytes: int = _setting(64 * _MIB, "IG_INGEST_MESSAGE_BYTES", "ingest",
        "message of the producer at most", unit="bytes", ge=_KIB, le=2**31 - 1)
    ingest_queue_bytes: int = _setting(64 * _MIB, "IG_INGEST_QUEUE_BYTES", "ingest",
        "ticks that wait for the camera at most; then the producer waits",
        unit="bytes", ge=_KIB, le=_COUNT)

    host: str = _setting("127.0.0.1", "IG_HOST", "server",
        "address to listen at; 0.0.0.0: all", form="a host name or address", placeholder="HOST",
        min_length=1)
    port: int = _setting(8000, "PORT", "server",
        "HTTP and WebSocket; 0: any that is free", ge=0, le=65_535)
    connect_metrics: int = _setting(300, "IG_CAM_CONNECT_METRICS", "server",
        "metrics that a client is sent on connecting", ge=0, le=1_000_000)
    heartbeat_seconds: float = _setting(30.0, "IG_CAM_HEARTBEAT_SECONDS", "server",
        "silence after which a client is sent a heartbeat", unit="seconds", gt=0, le=_SECONDS)
    client_queue_bytes: int = _setting(8 * _MIB, "IG_CAM_CLIENT_QUEUE_BYTES", "server",
        "bytes waiting for one client at most", unit="bytes", ge=64 * _KIB, le=_COUNT)
    client_slow_seconds: float = _setting(60.0, "IG_CAM_CLIENT_SLOW_SECONDS", "server",
        "a client that stays behind for this long is dropped", unit="seconds", gt=0, le=_SECONDS)
    history_clients: int = _setting(16, "IG_CAM_HISTORY_CLIENTS", "server",
        "clients that read the recording at the same time, over /range, /overview or "
        "/ws/stream?from_t=; of an edge, all requests that it passes on, too",
        ge=1, le=4096)
    measures_clients: int = _setting(2, "IG_CAM_MEASURES_CLIENTS", "server",
        "clients of /measures at the same time, each with a process that computes", ge=1, le=64)
    replay_clients: int = _setting(16, "IG_CAM_REPLAY_CLIENTS", "server",
        "replays at the same time", ge=1, le=4096)
    replay_idle_seconds: float = _setting(600.0, "IG_CAM_REPLAY_IDLE_SECONDS", "server",
        "a replay that stands still and is told nothing for this long is closed",
        unit="seconds", gt=0, le=_SECONDS)
    max_clients: int = _setting(10_000, "IG_CAM_MAX_CLIENTS", "server",
        "clients of the stream at the same time", ge=1, le=_COUNT)
    frame_forms: int = _setting(16, "IG_CAM_FRAME_FORMS", "server",
        "ways of writing a frame (encoding, edges, deflate) that clients ask for at the same time",
        ge=1, le=1024)
    webhook_url: SecretAddress = _setting(None, "IG_WEBHOOK_URL", "server",
        "post bursts and shocks here as they happen",
        form="an http or https address", placeholder="URL")
    webhook_queue: int = _setting(1000, "IG_WEBHOOK_QUEUE", "server",
        "events waiting to be posted at most", ge=1, le=_COUNT)
    webhook_retry_seconds: float = _setting(300.0, "IG_WEBHOOK_RETRY_SECONDS", "server",
        "an event is posted again, ever more rarely, for at most this long",
        unit="seconds", ge=0, le=_SECONDS)

    nats: NatsServers = _setting(None, "IG_NATS", "nats",
        "NATS, through which edges get what the camera streams; several servers joined by commas",
        form="nats://HOST[:PORT] or tls://HOST[:PORT]", placeholder="URL")
    nats_user: OptionalText = _setting(None, "IG_NATS_USER", "nats",
        "user of NATS", form="a name", placeholder="NAME")
    nats_password: Secret = _setting(None, "IG_NATS_PASSWORD", "nats",
        "the user's password", form="text, or @FILE that holds it", placeholder="PASSWORD")
    nats_token: Secret = _setting(None, "IG_NATS_TOKEN", "nats",
        "token of NATS, in the place of a user", form="text, or @FILE that holds it",
        placeholder="TOKEN")
    nats_credentials: OptionalPath = _setting(None, "IG_NATS_CREDENTIALS", "nats",
        "credentials of NATS, a .creds file", form="a path", placeholder="PATH")
    nats_ca: OptionalPath = _setting(None, "IG_NATS_CA", "nats",
        "authorities that the certificate of NATS is checked against, PEM; without it, the "
        "system's", form="a path", placeholder="PATH")
    nats_stream: str = _setting("marketcam", "IG_NATS_STREAM", "nats",
        "name of the stream in JetStream, with which its subjects begin; one a camera",
        form="1 to 64 letters, digits, - and _", placeholder="NAME", pattern=r"^[\w-]{1,64}$")
    nats_silence_seconds: float = _setting(6.0, "IG_NATS_SILENCE_SECONDS", "nats",
        "a NATS server that answers nothing for this long is lost", unit="seconds",
        ge=0.5, le=3600)
    nats_queue_bytes: int = _setting(32 * _MIB, "IG_NATS_QUEUE_BYTES", "nats",
        "messages that wait for NATS at most, then edges miss some", unit="bytes",
        ge=64 * _KIB, le=_COUNT)
    nats_storage: Literal["file", "memory"] = _setting("file", "IG_NATS_STORAGE", "nats",
        "where JetStream keeps the recent messages")
    nats_replicas: int = _setting(1, "IG_NATS_REPLICAS", "nats",
        "servers of a NATS cluster that keep them", ge=1, le=5)
    nats_keep_seconds: float = _setting(600.0, "IG_NATS_KEEP_SECONDS", "nats",
        "messages older than this go", unit="seconds", ge=1, le=_SECONDS)
    nats_keep_bytes: int = _setting(256 * _MIB, "IG_NATS_KEEP_BYTES", "nats",
        "the oldest messages go beyond this total", unit="bytes", ge=_MIB, le=_COUNT)
    nats_keep_messages: int = _setting(1_000_000, "IG_NATS_KEEP_MESSAGES", "nats",
        "the oldest messages go beyond this number", ge=1000, le=_COUNT)

    history: OptionalText = _setting(None, "IG_HISTORY", "edge",
        "the camera whose recording an edge passes on: manifests, segments, ranges, replays",
        form="http://HOST[:PORT] or https://HOST[:PORT]", placeholder="URL",
        pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$")
    history_token: Token = _setting(None, "IG_HISTORY_TOKEN", "edge",
        "the read token of that camera",
        form="16 to 256 printable ASCII characters, or @FILE that holds them",
        placeholder="TOKEN")

    tls_cert: OptionalPath = _setting(None, "IG_TLS_CERT", "security",
        "certificate chain, PEM; turns on TLS", form="a path", placeholder="PATH")
    tls_key: OptionalPath = _setting(None, "IG_TLS_KEY", "security",
        "private key of the certificate, PEM", form="a path", placeholder="PATH")
    read_token: Token = _setting(None, "IG_READ_TOKEN", "security",
        "what readers have to show; without it, whoever reaches the port may read",
        form="16 to 256 printable ASCII characters, or @FILE that holds them",
        placeholder="TOKEN")
    allowed_origins: OriginList = _setting("*", "IG_ALLOWED_ORIGINS", "security",
        "origins of web pages that may read and connect, joined by commas; *: any",
        form="such as https://example.org", placeholder="ORIGINS")
    max_connections: int = _setting(12_288, "IG_MAX_CONNECTIONS", "security",
        "connections at the same time, of all kinds", ge=1, le=_COUNT)
    max_connections_per_address: int = _setting(1024, "IG_MAX_CONNECTIONS_PER_ADDRESS", "security",
        "of these from one address, proxies aside; 0: no limit of its own", ge=0, le=_COUNT)
    trusted_proxies: ProxyList = _setting("127.0.0.1,::1", "IG_TRUSTED_PROXIES", "security",
        "addresses that speak for many, whose X-Forwarded-For counts, joined by commas",
        form="addresses or networks, such as 10.0.0.0/8", placeholder="ADDRESSES")
    handshake_seconds: float = _setting(10.0, "IG_HANDSHAKE_SECONDS", "security",
        "how long TLS, a request, and then the token of a page may take to come in, each",
        unit="seconds", gt=0, le=_SECONDS)
    idle_seconds: float = _setting(15.0, "IG_IDLE_SECONDS", "security",
        "how long a connection is kept between two requests", unit="seconds", gt=0, le=_SECONDS)
    header_bytes: int = _setting(16 * _KIB, "IG_HEADER_BYTES", "security",
        "head of a request at most", unit="bytes", ge=_KIB, le=_MIB)
    client_message_bytes: int = _setting(4 * _KIB, "IG_CLIENT_MESSAGE_BYTES", "security",
        "message of a reading client at most", unit="bytes", ge=512, le=_MIB)
    client_message_rate: float = _setting(100.0, "IG_CLIENT_MESSAGE_RATE", "security",
        "messages of a reading client at most, pings included, averaged over some seconds",
        unit="a second", gt=0, le=10**9)

    log_level: LogLevel = _setting("info", "IG_LOG_LEVEL", "logging",
        "least level that is logged")
    log_file: OptionalPath = _setting(None, "IG_LOG_FILE", "logging",
        "log to this rotating file as well", form="a path", placeholder="PATH")
    # fmt: on

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read keyword arguments, then the environment, and nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings

    @model_validator(mode="after")
    def _refuse_conflicts(self) -> Self:
        if conflict := next(chain(self._conflicts(), self._source_conflicts()), None):
            raise PydanticCustomError("conflict", *conflict)
        return self

    def _conflicts(self) -> Iterator[tuple[LiteralString, dict[str, object]]]:
        """Yield what is wrong as a template and the values in it."""
        if self.disk_target_pct > self.disk_start_pct:
            yield (
                "IG_CAM_DISK_TARGET_PCT must be 0 to IG_CAM_DISK_START_PCT={start}, got {target}",
                {"start": shown(self.disk_start_pct), "target": shown(self.disk_target_pct)},
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            yield "IG_TLS_CERT and IG_TLS_KEY must be set both or neither, got one", {}
        if self.read_token is not None and self.read_token == self.ingest_token:
            yield "IG_READ_TOKEN and IG_INGEST_TOKEN must be different, got the same", {}
        if (self.nats_user is None) != (self.nats_password is None):
            yield "IG_NATS_USER and IG_NATS_PASSWORD must be set both or neither, got one", {}
        shown_to_nats = (self.nats_user, self.nats_token, self.nats_credentials)
        if sum(each is not None for each in shown_to_nats) > 1:
            yield "IG_NATS_USER, IG_NATS_TOKEN and IG_NATS_CREDENTIALS exclude each other", {}
        if self.history is None and self.history_token is not None:
            yield "IG_HISTORY_TOKEN must be set with IG_HISTORY only", {}

    def _source_conflicts(self) -> Iterator[tuple[LiteralString, dict[str, object]]]:
        if self.ticks is not None and self.simulator is not None:
            yield "IG_TICKS and IG_SIMULATOR must be set one at most, got both", {}
        if self.ingest_token is not None and (self.ticks or self.simulator) is not None:
            yield "IG_INGEST_TOKEN must be set without IG_TICKS and IG_SIMULATOR", {}
        if self.ticks is None and self.matches is not None:
            yield "IG_MATCHES must be set with IG_TICKS only", {}
        if self.ticks is None and self.ticks_run is not None:
            yield "IG_TICKS_RUN must be set with IG_TICKS only", {}
        if self.simulator_path is not None and self.simulator is None:
            yield "IG_SIMULATOR_PATH must be set with IG_SIMULATOR only", {}
        if self.checkpoint_seconds and self.source != "market":
            yield (
                "IG_CAM_CHECKPOINT_SECONDS must be 0 without the embedded market, got {seconds}",
                {"seconds": shown(self.checkpoint_seconds)},
            )
        if self.source == "market" and self.scenario == "ecology" and self.agents < 3:
            yield (
                "IG_AGENTS must be 3 or more where IG_SCENARIO is ecology, got {agents}",
                {"agents": self.agents},
            )
        if self.source == "market" and 0 < self.max_agents < self.agents:
            yield (
                "IG_MAX_AGENTS must be 0, or IG_AGENTS={agents} or more, got {limit}",
                {"agents": self.agents, "limit": self.max_agents},
            )

    @property
    def source(self) -> Literal["market", "ticks", "simulator", "ingest"]:
        """Where the raw ticks come from."""
        if self.ingest_token is not None:
            return "ingest"
        if self.ticks is not None:
            return "ticks"
        return "market" if self.simulator is None else "simulator"

    @property
    def pace(self) -> float:
        """Ticks a second that the source is held to, 0 for none; a producer has its own."""
        return 0.0 if self.source == "ingest" else self.tick_rate

    def camera_arguments(self) -> CameraArguments:
        """Return the keyword arguments of `SlidingWindowCamera`."""
        return {
            "W": self.window,
            "stride": self.stride,
            "eps_pct": self.prox_eps_pct,
            "edge_cap": self.edge_cap,
            "proximity": self.proximity,
            "match_share": self.match_share,
            "burst_z": self.burst_z,
            "shock_z": self.shock_z,
            "pair_budget_bytes": self.pair_budget_bytes,
        }

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: a value is out of range, or two exclude each other.
        """
        return cls.from_flags({})

    @classmethod
    def from_flags(cls, given: Mapping[str, Any]) -> Self:
        """Put the flags that were given, as attribute → text, before the environment.

        Raises:
            SettingsError: as `from_environment`; names a flag as well where one was given.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            problems = problem_lines(described_settings(), error, given.keys())
        raise SettingsError(problems)


@cache
def described_settings() -> tuple[Setting, ...]:
    """Return what there is to say about each setting, in the order of the model."""
    return describe(Settings)


def configuration_table() -> str:
    """Render all settings as the Markdown table of the documentation."""
    rows = [
        f"| `{s.variable}` | `{s.flag}` | {f'`{s.default}`' if s.default else '—'} | {s.meaning} |"
        for s in described_settings()
    ]
    return "\n".join(["| variable | flag | default | meaning |", "|---|---|---|---|", *rows, ""])


def unknown_variables(environment: Iterable[str] | None = None) -> dict[str, str | None]:
    """Return the variables that look like settings and are none, each with the nearest that is.

    A misspelt variable is otherwise silent: the camera runs, with the default.
    """
    known = [s.variable for s in described_settings()]
    names = os.environ if environment is None else environment
    strangers = sorted(n for n in names if n.upper().startswith("IG_") and n not in known)
    return {name: _nearest(name, known) for name in strangers}


def _nearest(name: str, known: list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name.upper(), known, n=1, cutoff=_ALIKE)), None)
