"""Tokens as they are configured: where they come from, and that nothing ever shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from marketcam.server.security.tokens import is_token
from marketcam.server.settings import Settings, SettingsError
from tests.server_helpers import any_process, server_process

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "the-secret-of-this-test"
PLACES = [("IG_READ_TOKEN", "read_token"), ("IG_INGEST_TOKEN", "ingest_token")]
MUST_BE = "must be 16 to 256 printable ASCII characters, or @FILE that holds them, got"


@pytest.mark.parametrize(("variable", "name"), PLACES)
def test_a_token_may_lie_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    monkeypatch.setenv(variable, f"@{file}")
    found = getattr(Settings.from_environment(), name)
    assert found.get_secret_value() == TOKEN
    assert is_token(TOKEN, found)


@pytest.mark.parametrize(("variable", "name"), PLACES)
@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("secret", "text with 6 characters"),
        ("secret" * 50, "text with 300 characters"),
        ("a secret of some length", "text with other characters"),
        ("secrét-of-some-length", "text with other characters"),
        ("@secret-of-some-length", "a file that cannot be read: no such file or directory"),
        ("@secret\0of-some-length", "a file that cannot be read: not text"),
        ("@~secret-of-some-length", "a file that cannot be read: not text"),
    ],
)
def test_a_token_that_is_none_is_refused_and_not_shown(
    variable: str, name: str, value: str, found: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_flags({name: value})
    flag = "--" + name.replace("_", "-")
    assert str(refused.value) == f"{flag} ({variable}) {MUST_BE} {found}"
    with pytest.raises(ValidationError) as raw:
        Settings(**{name: value})
    assert "secr" not in str(raw.value)


def test_a_file_without_a_token_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content in (b"short", b"\xff" * 20):
        file.write_bytes(content)
        with pytest.raises(SettingsError, match=f"{MUST_BE} a file "):
            Settings.from_flags({"read_token": f"@{file}"})


def test_the_two_tokens_are_different() -> None:
    with pytest.raises(SettingsError, match="must be different"):
        Settings.from_flags({"read_token": TOKEN, "ingest_token": TOKEN})


def test_settings_show_no_token() -> None:
    given = Settings(read_token=TOKEN)
    for shown in (repr(given), str(given), given.model_dump_json(), str(given.model_dump())):
        assert TOKEN not in shown


@pytest.mark.parametrize("shown", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\ud83d", "é"])
def test_nothing_else_is_the_token(shown: str) -> None:
    assert not is_token(shown, SecretStr(TOKEN))


def test_a_server_logs_and_records_no_token(tmp_path: Path) -> None:
    secrets = {"IG_READ_TOKEN": TOKEN, "IG_LOG_LEVEL": "debug"}
    with server_process(tmp_path, **secrets) as server:
        with server.http() as http:
            for shown in (TOKEN, TOKEN + "x"):
                http.get("/health", headers={"Authorization": f"Bearer {shown}"})
        server.wait_for_log("token_refused")
        server.process.terminate()
        server.process.wait()
    assert TOKEN not in server.log
    for file in server.store.rglob("*"):
        assert file.is_dir() or TOKEN.encode() not in file.read_bytes()


def test_a_start_that_fails_says_no_token(tmp_path: Path) -> None:
    command = ("-m", "marketcam.server.cli", "serve", "--port", "0", "--W", "0")
    with any_process(tmp_path, *command, IG_READ_TOKEN="secret") as server:
        assert server.process.wait() == 2
        server.wait_for_log("IG_READ_TOKEN must be")
        assert "secret" not in server.log


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_origins", "example.org"),
        ("allowed_origins", "https://example.org/page"),
        ("trusted_proxies", "localhost"),
        ("trusted_proxies", "10.0.0.1/8"),
    ],
)
def test_lists_that_cannot_be_read_stop_the_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"got '?{value}"):
        Settings.from_flags({name: value})
