"""The settings: names, defaults, ranges, order of sources, messages."""

import inspect
import math
import os
from pathlib import Path

import pytest
from annotated_types import Ge, Gt, Le
from pydantic import ValidationError

from marketcam.engine import MarketCameraError, SlidingWindowCamera
from marketcam.io.store import RecorderOptions
from marketcam.io.store.writer import SegmentRules
from marketcam.server.running import rig
from marketcam.server.running.about import filmed_with
from marketcam.server.running.pipeline import PipelineOptions
from marketcam.server.settings import (
    Settings,
    SettingsError,
    configuration_table,
    described_settings,
    unknown_variables,
)
from marketcam.server.stream.hub import HubOptions
from marketcam.server.stream.selection import FilmedWith
from marketcam.server.variables import GROUPS

MIB = 2**20

PUBLISHED = [  # variable, attribute, default: the contract's table, and what was added to it
    ("IG_CAM_STORE_DIR", "store_dir", Path("/data/ig_cam")),
    ("IG_CAM_W", "window", 300),
    ("IG_CAM_STRIDE", "stride", 10),
    ("IG_CAM_EDGE_CAP", "edge_cap", 2000),
    ("IG_CAM_PROX_EPS_PCT", "prox_eps_pct", 0.003),
    ("IG_CAM_MATCH_SHARE", "match_share", 0.5),
    ("IG_CAM_SEGMENT_SECONDS", "segment_seconds", 300),
    ("IG_CAM_SEGMENT_BYTES", "segment_bytes", 268_435_456),
    ("IG_CAM_RETAIN_SECONDS", "retain_seconds", 0),
    ("IG_CAM_RETAIN_BYTES", "retain_bytes", 0),
    ("IG_CAM_DISK_START_PCT", "disk_start_pct", 85),
    ("IG_CAM_DISK_TARGET_PCT", "disk_target_pct", 75),
    ("IG_CAM_KEEP_MIN", "keep_min", 3),
    ("IG_CAM_ZSTD_LEVEL", "zstd_level", 3),
    ("IG_CAM_METRIC_DOWNSAMPLE", "metric_downsample", 1),
    ("IG_SEED", "seed", 0),
    ("IG_ADJUST_INTERVAL", "adjust_interval", 2000),
    ("IG_AGENTS", "agents", 3),
    ("IG_TICK_RATE", "tick_rate", 100),
    ("IG_HOST", "host", "127.0.0.1"),
    ("PORT", "port", 8000),
    ("IG_CAM_PROXIMITY", "proximity", "pairs"),
    ("IG_CAM_BURST_Z", "burst_z", 4.0),
    ("IG_CAM_SHOCK_Z", "shock_z", 4.0),
    ("IG_CAM_PAIR_BUDGET_BYTES", "pair_budget_bytes", 2048 * MIB),
    ("IG_CAM_PAIR_BUDGET_ACTION", "pair_budget_action", "stop"),
    ("IG_CAM_FLUSH_SECONDS", "flush_seconds", 1.0),
    ("IG_CAM_FSYNC_SECONDS", "fsync_seconds", 5.0),
    ("IG_CAM_RECORD_STALL_SECONDS", "record_stall_seconds", 10.0),
    ("IG_CAM_RECORD_RETRY_SECONDS", "record_retry_seconds", 5.0),
    ("IG_CAM_RECORD_TICKS", "record_ticks", False),
    ("IG_CAM_CHECKPOINT_SECONDS", "checkpoint_seconds", 0.0),
    ("IG_CAM_RECORD_QUEUE_BYTES", "record_queue_bytes", 64 * MIB),
    ("IG_CAM_CONNECT_METRICS", "connect_metrics", 300),
    ("IG_CAM_HEARTBEAT_SECONDS", "heartbeat_seconds", 30),
    ("IG_CAM_CLIENT_QUEUE_BYTES", "client_queue_bytes", 8 * MIB),
    ("IG_CAM_CLIENT_SLOW_SECONDS", "client_slow_seconds", 60),
    ("IG_CAM_HISTORY_CLIENTS", "history_clients", 16),
    ("IG_CAM_MEASURES_CLIENTS", "measures_clients", 2),
    ("IG_CAM_REPLAY_CLIENTS", "replay_clients", 16),
    ("IG_CAM_REPLAY_IDLE_SECONDS", "replay_idle_seconds", 600),
    ("IG_SCENARIO", "scenario", "v5"),
    ("IG_MAX_AGENTS", "max_agents", 0),
    ("IG_POOL_ONLY", "pool_only", False),
    ("IG_TICKS", "ticks", None),
    ("IG_MATCHES", "matches", None),
    ("IG_TICKS_RUN", "ticks_run", None),
    ("IG_BAD_TICK", "bad_tick", "skip"),
    ("IG_SIMULATOR", "simulator", None),
    ("IG_SIMULATOR_PATH", "simulator_path", None),
    ("IG_INGEST_TOKEN", "ingest_token", None),
    ("IG_INGEST_MESSAGE_BYTES", "ingest_message_bytes", 64 * MIB),
    ("IG_INGEST_QUEUE_BYTES", "ingest_queue_bytes", 64 * MIB),
    ("IG_CAM_MAX_CLIENTS", "max_clients", 10_000),
    ("IG_CAM_FRAME_FORMS", "frame_forms", 16),
    ("IG_WEBHOOK_URL", "webhook_url", None),
    ("IG_WEBHOOK_QUEUE", "webhook_queue", 1000),
    ("IG_WEBHOOK_RETRY_SECONDS", "webhook_retry_seconds", 300.0),
    ("IG_NATS", "nats", None),
    ("IG_NATS_USER", "nats_user", None),
    ("IG_NATS_PASSWORD", "nats_password", None),
    ("IG_NATS_TOKEN", "nats_token", None),
    ("IG_NATS_CREDENTIALS", "nats_credentials", None),
    ("IG_NATS_CA", "nats_ca", None),
    ("IG_NATS_STREAM", "nats_stream", "marketcam"),
    ("IG_NATS_SILENCE_SECONDS", "nats_silence_seconds", 6.0),
    ("IG_NATS_QUEUE_BYTES", "nats_queue_bytes", 32 * MIB),
    ("IG_NATS_STORAGE", "nats_storage", "file"),
    ("IG_NATS_REPLICAS", "nats_replicas", 1),
    ("IG_NATS_KEEP_SECONDS", "nats_keep_seconds", 600.0),
    ("IG_NATS_KEEP_BYTES", "nats_keep_bytes", 256 * MIB),
    ("IG_NATS_KEEP_MESSAGES", "nats_keep_messages", 1_000_000),
    ("IG_HISTORY", "history", None),
    ("IG_HISTORY_TOKEN", "history_token", None),
    ("IG_READ_TOKEN", "read_token", None),
    ("IG_ALLOWED_ORIGINS", "allowed_origins", "*"),
    ("IG_MAX_CONNECTIONS", "max_connections", 12_288),
    ("IG_MAX_CONNECTIONS_PER_ADDRESS", "max_connections_per_address", 1024),
    ("IG_TRUSTED_PROXIES", "trusted_proxies", "127.0.0.1,::1"),
    ("IG_HANDSHAKE_SECONDS", "handshake_seconds", 10.0),
    ("IG_IDLE_SECONDS", "idle_seconds", 15.0),
    ("IG_HEADER_BYTES", "header_bytes", 16_384),
    ("IG_CLIENT_MESSAGE_BYTES", "client_message_bytes", 4096),
    ("IG_CLIENT_MESSAGE_RATE", "client_message_rate", 100.0),
    ("IG_TLS_CERT", "tls_cert", None),
    ("IG_TLS_KEY", "tls_key", None),
    ("IG_LOG_LEVEL", "log_level", "info"),
    ("IG_LOG_FILE", "log_file", None),
]

REFUSED = [  # variable, value, the message's range
    ("IG_CAM_W", "0", "1 to 65535"),
    ("IG_CAM_W", "70000", "1 to 65535"),
    ("IG_CAM_STRIDE", "0", "1 to 2^53-1"),
    ("IG_CAM_EDGE_CAP", "-1", "0 to 2^53-1"),
    ("IG_CAM_PROX_EPS_PCT", "-0.001", "0 or more"),
    ("IG_CAM_MATCH_SHARE", "1.01", "0 to 1"),
    ("IG_CAM_ZSTD_LEVEL", "0", "1 to 22"),
    ("IG_CAM_ZSTD_LEVEL", "23", "1 to 22"),
    ("IG_CAM_DISK_START_PCT", "101", "more than 0, at most 100"),
    ("IG_CAM_DISK_TARGET_PCT", "-1", "0 to 100"),
    ("IG_CAM_SEGMENT_SECONDS", "0", "more than 0, at most 1000000000"),
    ("IG_CAM_METRIC_DOWNSAMPLE", "0", "1 to 2^53-1"),
    ("IG_CAM_CLIENT_QUEUE_BYTES", "65535", "65536 to 2^53-1"),
    ("IG_CAM_PAIR_BUDGET_BYTES", "73727", "73728 to 2^53-1"),
    ("IG_AGENTS", "0", "1 to 100000"),
    ("IG_AGENTS", "100001", "1 to 100000"),
    ("IG_SCENARIO", "v6", "v5 or ecology"),
    ("IG_SEED", "4294967296", "0 to 2^32-1"),
    ("IG_ADJUST_INTERVAL", "0", "1 to 2^53-1"),
    ("IG_TICK_RATE", "-1", "0 to 1000000000"),
    ("PORT", "65536", "0 to 65535"),
    ("PORT", "http", "a whole number, 0 to 65535"),
    ("IG_CAM_STRIDE", "1.5", "a whole number, 1 to 2^53-1"),
    ("IG_CAM_MATCH_SHARE", "nan", "a finite number, 0 to 1"),
    ("IG_TICK_RATE", "inf", "a finite number, 0 to 1000000000"),
    ("IG_CAM_PROXIMITY", "all", "pairs or neighbors"),
    ("IG_BAD_TICK", "stop", "skip or fail"),
    ("IG_CAM_PAIR_BUDGET_ACTION", "skip", "stop, neighbors or wait"),
    ("IG_LOG_LEVEL", "loud", "debug, info, warning or error"),
    ("IG_CAM_RECORD_TICKS", "maybe", "true or false"),
    ("IG_SIMULATOR", "core_system.main", "module:Class"),
    ("IG_NATS_SILENCE_SECONDS", "0.4", "0.5 to 3600"),
    ("IG_NATS_STREAM", "a.b", "1 to 64 letters, digits, - and _"),
    ("IG_NATS_STORAGE", "disk", "file or memory"),
    ("IG_HISTORY", "camera:8000", "http://HOST[:PORT] or https://HOST[:PORT]"),
]

DISK_MESSAGE = (
    "--disk-target-pct (IG_CAM_DISK_TARGET_PCT) must be 0 to IG_CAM_DISK_START_PCT=85, got 85.5"
)
NUMBERS = [s for s in described_settings() if s.is_number]
FLOATS = [s for s in NUMBERS if Settings.model_fields[s.name].annotation is float]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in os.environ:
        if name.startswith("IG_") or name == "PORT":
            monkeypatch.delenv(name)


def refusal(**flags):
    with pytest.raises(SettingsError) as caught:
        Settings.from_flags(flags)
    return caught.value


@pytest.mark.parametrize(("variable", "attribute", "default"), PUBLISHED)
def test_published_variable_has_its_default(monkeypatch, variable, attribute, default):
    value = getattr(Settings.from_environment(), attribute)
    assert value == default
    assert isinstance(value, type(default) if type(default) is not int else int | float)

    if default is not None:
        monkeypatch.setenv(variable, str(default))
        assert getattr(Settings.from_environment(), attribute) == default


def test_nothing_else_can_be_set():
    published = {(variable, attribute) for variable, attribute, _ in PUBLISHED}
    assert {(s.variable, s.name) for s in described_settings()} == published


@pytest.mark.parametrize(("variable", "value", "limits"), REFUSED)
def test_value_out_of_range_is_refused_in_one_line(monkeypatch, variable, value, limits):
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()

    assert str(caught.value) == f"{variable} must be {limits}, got {value}"
    assert isinstance(caught.value, MarketCameraError)


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda s: s.variable)
def test_every_number_has_its_bounds_and_keeps_them(setting):
    field = Settings.model_fields[setting.name]
    step = 1 if field.annotation is int else 0.001
    for limit in field.metadata:
        match limit:
            case Ge(ge=bound):
                accepted, refused = bound, bound - step
            case Gt(gt=bound):
                accepted, refused = bound + step, bound
            case Le(le=bound):
                accepted, refused = bound, bound + max(step, bound * 1e-9)
            case _:
                continue
        rest = {"disk_start_pct": 100, "agents": 1, "disk_target_pct": 0} | {setting.name: accepted}
        assert getattr(Settings.from_flags(rest), setting.name) == accepted
        rest[setting.name] = type(accepted)(refused) if field.annotation is int else refused
        assert f"({setting.variable}) must be" in str(refusal(**rest))
    assert any(isinstance(limit, Ge | Gt) for limit in field.metadata)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "inf", "-Infinity"])
@pytest.mark.parametrize("setting", FLOATS, ids=lambda s: s.variable)
def test_numbers_are_finite(setting, value):
    assert "must be a finite number" in str(refusal(**{setting.name: value}))


def test_flags_go_before_variables_and_variables_before_defaults(monkeypatch):
    monkeypatch.setenv("IG_CAM_W", "50")
    monkeypatch.setenv("IG_CAM_STRIDE", "5")

    settings = Settings.from_flags({"window": "20"})

    assert (settings.window, settings.stride, settings.edge_cap) == (20, 5, 2000)


def test_a_flag_is_named_with_its_variable():
    assert str(refusal(window="0")) == "--W (IG_CAM_W) must be 1 to 65535, got 0"


def test_several_problems_are_a_line_each(monkeypatch):
    monkeypatch.setenv("PORT", "-1")
    error = refusal(window="0", stride="0")
    assert [line.split()[0] for line in error.problems] == ["--W", "--stride", "PORT"]
    assert str(error).splitlines() == list(error.problems)


@pytest.mark.parametrize("value", ["a\nb", "x" * 1000, "", "9" * 5000, "\x1b[31m"])
def test_message_stays_one_short_line_of_plain_text(value):
    (line,) = refusal(port=value).problems
    assert line.isprintable()
    assert len(line) < 160


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"disk_target_pct": 85.5},
            DISK_MESSAGE,
        ),
        (
            {"tls_cert": "cert.pem"},
            "--tls-cert (IG_TLS_CERT) and IG_TLS_KEY must be set both or neither, got one",
        ),
        (
            {"tls_key": "key.pem"},
            "IG_TLS_CERT and --tls-key (IG_TLS_KEY) must be set both or neither, got one",
        ),
        (
            {"matches": "m.csv"},
            "--matches (IG_MATCHES) must be set with IG_TICKS only",
        ),
        (
            {"ticks_run": "a"},
            "--ticks-run (IG_TICKS_RUN) must be set with IG_TICKS only",
        ),
        (
            {"ticks": "-", "simulator": "a.b:C"},
            "--ticks (IG_TICKS) and --simulator (IG_SIMULATOR) must be set one at most, got both",
        ),
        (
            {"checkpoint_seconds": 5, "ticks": "-"},
            (
                "--checkpoint-seconds (IG_CAM_CHECKPOINT_SECONDS) must be 0 without the "
                "embedded market, got 5"
            ),
        ),
        (
            {"simulator_path": "."},
            "--simulator-path (IG_SIMULATOR_PATH) must be set with IG_SIMULATOR only",
        ),
        (
            {"nats_user": "u"},
            (
                "--nats-user (IG_NATS_USER) and IG_NATS_PASSWORD must be set both or neither, "
                "got one"
            ),
        ),
        (
            {"nats_user": "u", "nats_password": "p", "nats_token": "t"},
            (
                "--nats-user (IG_NATS_USER), --nats-token (IG_NATS_TOKEN) and "
                "IG_NATS_CREDENTIALS exclude each other"
            ),
        ),
        (
            {"history_token": "0123456789abcdef"},
            "--history-token (IG_HISTORY_TOKEN) must be set with IG_HISTORY only",
        ),
        (
            {"max_agents": 2},
            "--max-agents (IG_MAX_AGENTS) must be 0, or IG_AGENTS=3 or more, got 2",
        ),
        (
            {"scenario": "ecology", "agents": 2},
            (
                "--agents (IG_AGENTS) must be 3 or more where --scenario (IG_SCENARIO) is ecology, "
                "got 2"
            ),
        ),
    ],
)
def test_settings_that_do_not_go_together(flags, message):
    assert str(refusal(**flags)) == message


def test_settings_that_go_together():
    for flags in (
        {"disk_start_pct": 50, "disk_target_pct": 50},
        {"tls_cert": Path("cert.pem"), "tls_key": Path("key.pem")},
        {"simulator": "core_system.main:V5MarketSimulator", "simulator_path": Path()},
        {"stride": 1000, "window": 10},
        {"max_agents": 1, "ticks": "-"},
        {"scenario": "ecology", "agents": 1, "ticks": "-"},
    ):
        settings = Settings.from_flags(flags)
        assert {name: getattr(settings, name) for name in flags} == flags


@pytest.mark.parametrize(
    ("flags", "source"),
    [({}, "market"), ({"ticks": "-"}, "ticks"), ({"simulator": "a:B"}, "simulator")],
)
def test_source(flags, source):
    assert Settings.from_flags(flags).source == source


@pytest.mark.parametrize("url", ["nats:1", "http://h", "nats://a,b", "nats://u:secret-pw@h /x"])
def test_what_is_no_nats_is_refused_without_a_word_of_it(url):
    message = str(refusal(nats=url))
    assert message == (
        "--nats (IG_NATS) must be nats://HOST[:PORT] or tls://HOST[:PORT], got another one"
    )


def test_several_servers_of_nats_and_secrets_in_files(tmp_path):
    (tmp_path / "pw").write_text("secret-pw\n")
    settings = Settings.from_flags(
        {
            "nats": "nats://a:1, tls://b/",
            "nats_user": "u",
            "nats_password": f"@{tmp_path / 'pw'}",
        }
    )
    assert settings.nats.get_secret_value() == "nats://a:1,tls://b"
    assert settings.nats_password.get_secret_value() == "secret-pw"
    assert "secret-pw" not in repr(settings)
    assert "secret" not in str(refusal(nats_password="@/no/secret"))


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("IG_CAM_W", "")
    monkeypatch.setenv("IG_TICKS", "")
    settings = Settings.from_environment()
    assert settings.window == 300
    assert settings.ticks is None


def test_an_empty_flag_unsets_what_may_be_unset_and_nothing_else(monkeypatch):
    monkeypatch.setenv("IG_TICKS", "run.jsonl")
    assert Settings.from_flags({"ticks": ""}).ticks is None
    assert str(refusal(store_dir="")) == "--store-dir (IG_CAM_STORE_DIR) must be a path, got ''"


def test_switches_and_levels_are_read_as_people_write_them(monkeypatch):
    monkeypatch.setenv("IG_CAM_RECORD_TICKS", "yes")
    monkeypatch.setenv("IG_POOL_ONLY", "1")
    monkeypatch.setenv("IG_LOG_LEVEL", "WARNING")
    settings = Settings.from_environment()
    assert settings.record_ticks
    assert settings.pool_only
    assert settings.log_level == "warning"


def test_home_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    settings = Settings.from_flags({"store_dir": "~/store", "log_file": "~/camera.log"})
    assert settings.store_dir == Path("/home/someone/store")
    assert settings.log_file == Path("/home/someone/camera.log")


def test_home_of_nobody_is_refused():
    assert str(refusal(store_dir="~nobody-here/x")).endswith("must be a path, got ~nobody-here/x")


def test_no_file_is_read(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("IG_CAM_W=7\n")
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment().window == 300


def test_variables_are_upper_case(monkeypatch):
    monkeypatch.setenv("ig_cam_w", "7")
    assert Settings.from_environment().window == 300


def test_settings_are_a_value():
    settings = Settings.from_flags({"window": 5})
    with pytest.raises(ValidationError, match="frozen"):
        settings.window = 6
    assert settings == Settings.from_flags({"window": "5"})
    assert hash(settings) == hash(Settings.from_flags({"window": "5"}))


def test_an_unknown_attribute_is_refused():
    assert str(refusal(windows=5)) == "there is no setting windows"


def test_unknown_variables_are_found_with_the_nearest_known_one():
    environment = ["IG_CAM_STRID", "ig_cam_w", "IG_WEATHER", "IG_CAM_EDGE_CAP", "PORT", "PATH"]
    assert unknown_variables(environment) == {
        "IG_CAM_STRID": "IG_CAM_STRIDE",
        "IG_WEATHER": None,
        "ig_cam_w": "IG_CAM_W",
    }
    assert unknown_variables() == {}


def test_camera_arguments_are_those_of_the_camera():
    arguments = Settings.from_flags({"window": 7, "proximity": "neighbors"}).camera_arguments()
    bound = inspect.signature(SlidingWindowCamera).bind(**arguments)
    assert set(bound.arguments) == set(inspect.signature(SlidingWindowCamera).parameters)
    assert (arguments["W"], arguments["proximity"]) == (7, "neighbors")


def test_camera_and_settings_agree_on_defaults():
    parameters = inspect.signature(SlidingWindowCamera).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert Settings.from_environment().camera_arguments() == defaults


def test_configuration_table_has_every_setting():
    header, rule, *rows = configuration_table().splitlines()
    assert header == "| variable | flag | default | meaning |"
    assert rule == "|---|---|---|---|"
    assert [row.split("`")[1] for row in rows] == [s.variable for s in described_settings()]
    window = "| `IG_CAM_W` | `--W` | `300` | sliding window (ticks, 1 to 65535) |"
    assert window in rows


@pytest.mark.parametrize("setting", described_settings(), ids=lambda s: s.variable)
def test_every_setting_is_described(setting):
    assert setting.description
    assert setting.limits
    assert setting.group in GROUPS
    assert "|" not in setting.meaning


def test_flags_are_variables_without_their_prefix():
    flags = {s.variable: s.flags for s in described_settings()}
    assert flags["IG_CAM_EDGE_CAP"] == ("--edge-cap",)
    assert flags["IG_CAM_W"] == ("--W", "--w")
    assert flags["IG_TLS_CERT"] == ("--tls-cert",)
    assert flags["PORT"] == ("--port",)
    spellings = [flag for spelled in flags.values() for flag in spelled]
    assert len(spellings) == len(set(spellings))


def test_the_parts_have_the_same_defaults():
    settings = Settings()
    recorder = rig._recorder_options(settings)
    of_the_run = {name: getattr(recorder, name) for name in ("kinds", "when_full", "about")}
    assert recorder == RecorderOptions(settings.store_dir, **of_the_run)  # retention's included
    assert recorder.segment_rules() == SegmentRules()
    assert filmed_with(settings) == FilmedWith()
    steps = filmed_with(settings).steps
    assert rig.hub_options(settings, steps) == HubOptions(steps=FilmedWith().steps)
    assert rig._pipeline_options(settings) == PipelineOptions()


@pytest.mark.parametrize(("tick_rate", "when_full"), [(100, "skip"), (0, "wait")])
def test_only_a_source_without_a_pace_waits_for_the_disk(tick_rate, when_full):
    assert rig._recorder_options(Settings(tick_rate=tick_rate)).when_full == when_full


def test_a_producer_elsewhere_has_its_own_pace():
    assert Settings(tick_rate=50).pace == 50
    assert Settings(tick_rate=50, ingest_token="a-token-of-the-tests").pace == 0
