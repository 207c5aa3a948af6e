"""The command line as a whole, and `marketcam serve` up to where the server takes over."""

import subprocess
import sys
from importlib.metadata import version
from types import SimpleNamespace

import pytest

import marketcam.server
from marketcam.engine import LimitError, MarketCameraError
from marketcam.io.sources import SimulatorError
from marketcam.server import logs
from marketcam.server.cli import COMMANDS, main
from marketcam.server.cli.flags import add_setting_flags
from marketcam.server.cli.parsing import CommandError, Parser, UsageError
from marketcam.server.errors import ConfigurationError, ServerError
from marketcam.server.settings import Settings, SettingsError, described_settings

EXIT_CODES = ["0    done", "1    failed", "2    bad usage", "130  interrupted"]
OWN_CODES = {
    "verify": "0    clean",
    "doctor": "0    no problem",
    "recover": "3    nothing",
    "prune": "0    done, or",
}


def run_marketcam(*arguments, **variables):
    """Run the command as a user does; return exit code, stdout and stderr lines."""
    environment = {"PATH": "", "HOME": "/nowhere", **variables}
    command = [sys.executable, "-m", "marketcam.server.cli", *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


@pytest.fixture
def served(monkeypatch):
    """Put a server that only remembers its settings in the place of the real one."""
    calls = []
    stub = SimpleNamespace(run=lambda settings: calls.append(settings) or 0)
    monkeypatch.setitem(sys.modules, "marketcam.server.serve", stub)
    monkeypatch.setattr(marketcam.server, "serve", stub, raising=False)
    monkeypatch.setattr(logs, "configure", lambda settings: None)
    for setting in described_settings():
        monkeypatch.delenv(setting.variable, raising=False)
    return calls


def help_of(capsys, *command):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("command", [["--help"], ["serve", "--help"], ["ls"], ["cat"], ["tail"]])
def test_only_the_camera_loads_the_compiler(command, tmp_path):
    (tmp_path / "frames").mkdir()
    arguments = {"ls": [str(tmp_path)], "cat": [str(tmp_path), "frames"], "tail": ["--help"]}
    program = (
        "import sys; from contextlib import suppress; from marketcam.server.cli import main\n"
        f"with suppress(SystemExit): main({command + arguments.get(command[0], [])!r})\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_help_lists_the_commands(capsys):
    text = help_of(capsys)
    for name, summary in COMMANDS.items():
        assert f"{name} " in text
        assert summary.split()[-1] in text
    assert all(line in text for line in EXIT_CODES)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_examples_and_exit_codes(capsys, name):
    text = help_of(capsys, name)
    assert text.startswith(f"usage: marketcam {name} ")
    assert f"examples:\n  marketcam {name} " in text
    codes = [OWN_CODES[name], *EXIT_CODES[3:]] if name in OWN_CODES else EXIT_CODES
    assert all(line in text for line in codes)


def test_help_of_serve_has_every_setting_in_its_group(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    text = help_of(capsys, "serve")
    for setting in described_settings():
        if setting.group == "edge":
            assert f"{setting.flag} " not in text
            continue
        default = setting.default or "none"
        assert f"{setting.flag} " in text or f"{setting.flag}," in text
        assert f"[{setting.variable}, default {default}]" in text
        assert f"\n{setting.group}:\n" in text


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"marketcam {version('marketcam')}\n"


def test_flags_become_settings(served):
    switches = ["--record-ticks", "--no-pool-only"]
    numbers = ["--W", "20", "--edge-cap", "0", "--port", "0", "--shock-z", "2.5", "--tick-rate=0"]
    texts = ["--ticks", "-", "--proximity", "neighbors", "--store-dir", "films"]
    assert main(["serve", *switches, *numbers, *texts]) == 0
    assert served == [
        Settings(
            window=20,
            edge_cap=0,
            record_ticks=True,
            pool_only=False,
            ticks="-",
            port=0,
            proximity="neighbors",
            store_dir="films",
            shock_z=2.5,
            tick_rate=0,
        )
    ]


@pytest.mark.parametrize("setting", described_settings(), ids=lambda s: s.variable)
def test_every_setting_has_its_flag(setting):
    parser = Parser(prog="test")
    add_setting_flags(parser, described_settings())
    for flag in setting.flags:
        given = [flag] if setting.is_switch else [flag, "some text"]
        expected = True if setting.is_switch else "some text"
        assert vars(parser.parse_args(given)) == {setting.name: expected}
    if setting.is_switch:
        off = parser.parse_args([setting.flag.replace("--", "--no-")])
        assert vars(off) == {setting.name: False}
    assert vars(parser.parse_args([])) == {}


def test_flags_override_variables_that_would_stop_the_start(monkeypatch, served):
    monkeypatch.setenv("IG_CAM_W", "70000")
    monkeypatch.setenv("IG_CAM_STRIDE", "7")
    assert main(["serve", "--w", "9"]) == 0
    assert (served[0].window, served[0].stride) == (9, 7)


def test_flags_are_not_abbreviated(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--strid", "5"])
    assert caught.value.code == 2
    assert "unrecognized arguments: --strid 5" in capsys.readouterr().err


def test_exit_code_is_that_of_the_server(monkeypatch, served):
    monkeypatch.setattr(sys.modules["marketcam.server.serve"], "run", lambda settings: 1)
    assert main(["serve"]) == 1


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["--W", "70000"], {}, "--W (IG_CAM_W) must be 1 to 65535, got 70000"),
        ([], {"IG_CAM_W": "70000"}, "IG_CAM_W must be 1 to 65535, got 70000"),
        ([], {"PORT": "http"}, "PORT must be a whole number, 0 to 65535, got http"),
    ],
)
def test_a_value_out_of_range_stops_the_start(arguments, variables, message):
    assert run_marketcam("serve", *arguments, **variables) == (2, [], [f"marketcam: {message}"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agents", "90000", "--pair-budget-bytes", "524288"], "90000 agents "),
        (["--tls-cert", "/no/cert.pem", "--tls-key", "/no/key.pem"], "cannot use IG_TLS_CERT "),
        (["--ticks", "/no/ticks.jsonl"], "ticks cannot be read from /no/ticks.jsonl: no such file"),
        (["--simulator", "nowhere:Simulator"], "nowhere:Simulator: "),
    ],
)
def test_a_configuration_that_cannot_be_used_stops_the_start(tmp_path, arguments, message):
    store = ["--store-dir", str(tmp_path / "store"), "--port", "0"]
    code, out, errors = run_marketcam("serve", *store, *arguments)
    assert (code, out) == (2, [])
    assert errors[-1].startswith(f"marketcam: {message}")
    assert not (tmp_path / "store").exists()


def test_a_log_file_that_cannot_be_opened_stops_the_start(tmp_path):
    code, out, errors = run_marketcam("serve", "--log-file", str(tmp_path))
    assert (code, out, len(errors)) == (2, [], 1)
    assert errors[0].startswith("marketcam: IG_LOG_FILE must be a path that can be written")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND (see marketcam --help)"),
        (["fly"], "argument COMMAND: invalid choice: 'fly'"),
        (["serve", "--stride"], "argument --stride: expected one argument"),
        (["serve", "--wings", "2"], "unrecognized arguments: --wings 2"),
    ],
)
def test_bad_usage_is_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"marketcam: {message}")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (CommandError("no such thing"), 1, "no such thing"),
        (MarketCameraError("two\n  lines"), 1, "two lines"),
        (UsageError("ask otherwise"), 2, "ask otherwise"),
        (ServerError("the run has failed"), 1, "the run has failed"),
        (ConfigurationError("cannot use it"), 2, "cannot use it"),
        (LimitError("no room"), 2, "no room"),
        (SimulatorError("cannot be loaded"), 2, "cannot be loaded"),
        (FileNotFoundError(2, "No such file", "/a/b"), 1, "/a/b: no such file"),
        (OSError("odd"), 1, "odd"),
        (SettingsError(["A must be 1", "B must be 2"]), 2, "A must be 1\nmarketcam: B must be 2"),
        (ZeroDivisionError("x / 0"), 1, "unexpected ZeroDivisionError: x / 0"),
    ],
)
def test_errors_are_lines_without_a_traceback(monkeypatch, capsys, served, error, code, message):
    def fail(settings):
        raise error

    monkeypatch.setattr(sys.modules["marketcam.server.serve"], "run", fail)
    assert main(["serve"]) == code
    assert capsys.readouterr().err.startswith(f"marketcam: {message}")
    assert main(["serve", "--log-level", "debug"]) == code
    assert "Traceback (most recent call last):" in capsys.readouterr().err


def test_an_interrupt_is_130(monkeypatch, served):
    def interrupt(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["marketcam.server.serve"], "run", interrupt)
    assert main(["serve"]) == 130


def test_misspelt_variables_are_warned_of(monkeypatch, served):
    warned = []
    monkeypatch.setattr(logs, "warn_of_unknown_variables", lambda: warned.append(True))
    assert main(["serve"]) == 0
    assert warned


def test_no_command_loads_what_only_the_server_needs():
    code = "import sys; from marketcam.server.cli import main; main(['tail', '--help'])"
    check = "sys.exit(bool({'numba', 'pydantic', 'uvicorn', 'starlette'} & set(sys.modules)))"
    program = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    {check}"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
