"""The unit that is shipped: systemd reads it, it is no root's, and its settings are settings."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from marketcam.server.cli import doctor
from marketcam.server.security.descriptors import RESERVED
from marketcam.server.settings import Settings, described_settings, unknown_variables
from tests.deploy_files import DEPLOY, ROOT, rendered

UNIT = "systemd/marketcam.service"
KNOWN = {setting.variable for setting in described_settings()}


def directives() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", (DEPLOY / UNIT).read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def environment_file(*, with_examples: bool) -> dict[str, str]:
    """Return the variables of the example; also those which are commented out, if asked."""
    pattern = r"^#?([A-Z_]+)=(.*)$" if with_examples else r"^([A-Z_]+)=(.*)$"
    text = (DEPLOY / "systemd/marketcam.env").read_text()
    return dict(re.findall(pattern, text, re.MULTILINE))


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze (Debian: systemd)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    program = Path(sys.executable).with_name("marketcam")
    path = tmp_path / "marketcam.service"
    path.write_text(rendered(UNIT, {"/opt/marketcam/bin/marketcam": str(program)}))
    return path


def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    result = analyze("verify", "--man=no", str(unit))
    # A user that is not there is the machine's business: sysusers.conf makes it.
    told = [line for line in result.stderr.splitlines() if str(unit.name) in line]
    assert (result.returncode, told) == (0, [])


def test_systemd_finds_a_typing_error(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("WatchdogSec=60", "WatchdogSecs=60"))
    assert "WatchdogSecs" in analyze("verify", "--man=no", str(unit)).stderr


def test_what_the_sandbox_leaves_open_is_little(unit: Path) -> None:
    result = analyze("security", "--offline=true", "--threshold=15", str(unit))
    assert result.returncode == 0, result.stdout


def test_it_is_no_root_and_gains_nothing() -> None:
    given = directives()
    assert given["User"] == ["marketcam"]
    assert "u marketcam " in (DEPLOY / "systemd/sysusers.conf").read_text()
    assert given["NoNewPrivileges"] == ["yes"]
    assert given["ProtectSystem"] == ["strict"]
    assert given["CapabilityBoundingSet"] == [""]
    # numba writes code and runs it: with "yes" no kernel could be compiled.
    assert given["MemoryDenyWriteExecute"] == ["no"]


def test_its_limits_are_those_of_the_settings() -> None:
    given, defaults = directives(), Settings()
    assert int(given["LimitNOFILE"][0]) >= defaults.max_connections + RESERVED
    assert int(given["WatchdogSec"][0]) > defaults.record_stall_seconds
    assert int(given["MemoryMax"][0].removesuffix("G")) * 2**30 > 2 * defaults.pair_budget_bytes


def test_every_variable_is_a_setting_and_the_example_is_a_configuration() -> None:
    in_unit = {text.partition("=")[0] for text in directives()["Environment"]}
    assert in_unit - KNOWN == {"NUMBA_CACHE_DIR", "PYTHONFAULTHANDLER"}
    examples = environment_file(with_examples=True)
    assert unknown_variables(examples) == {}
    assert examples.keys() <= KNOWN
    named = {setting.variable: setting.name for setting in described_settings()}
    given = environment_file(with_examples=False)
    settings = Settings.from_flags({named[variable]: value for variable, value in given.items()})
    assert settings.host == "127.0.0.1"
    assert settings.retain_seconds == 30 * 24 * 3600


def test_the_command_that_asks_doctor_has_what_the_unit_has() -> None:
    """The same user, folders and variables, so that it finds what the camera will find."""
    command = (ROOT / "docs/deployment.md").read_text().partition("systemd-run ")[2]
    command = command.partition("```")[0]
    unit = directives()
    for name, value in re.findall(r"-p (\w+)=(\S+)", command):
        assert value in unit[name], name
    asked = set(re.findall(r"-p (\w+)=", command))
    folders = {name for name in unit if name.startswith(("StateDirectory", "CacheDirectory"))}
    assert asked == {"User", "EnvironmentFile", *folders}
    given = set(re.findall(r"-E (\S+)", command))
    assert given == {each for each in unit["Environment"] if "PYTHONFAULTHANDLER" not in each}
    helped = " ".join(doctor._TEXTS.examples.replace("\\\n", " ").split())
    assert " ".join(command.replace("\\\n", " ").split()) in helped
