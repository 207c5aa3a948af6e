"""Our own readers at a camera that asks for a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from marketcam.io import RemoteStore, RemoteStoreError, open_store
from marketcam.io.access import reader_headers
from marketcam.io.store import StoreError
from marketcam.server.cli import main
from tests.server_helpers import fed_server, receive_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a-token-of-sixteen"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def _no_token_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IG_READ_TOKEN", raising=False)


@pytest.fixture(name="url")
def _url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "camera").mkdir()
    given = {"read_token": TOKEN, "handshake_seconds": 0.1}
    with fed_server(tmp_path / "camera", **given) as (server, feed):
        with server.stream(additional_headers=SHOWN) as stream:
            feed.send_ticks(1, 6)
            receive_until(stream, "frame", 6)
        server.rig.recorder.flush()
        yield server.listening.url


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return f"@{tmp_path / 'token'}"


def test_a_store_behind_a_url_shows_the_token(
    url: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in (TOKEN, file):
        with open_store(url, given) as store:
            assert [frame["t"] for frame in store.frames()] == [4, 6]
    with RemoteStore(url, headers=SHOWN) as store:
        assert len(store.runs()) == 1
    for wrong in (None, "", TOKEN + "x"):
        with open_store(url, wrong) as store, pytest.raises(RemoteStoreError, match="status 401"):
            store.runs()
    monkeypatch.setenv("IG_READ_TOKEN", file)
    with open_store(url) as store:
        assert len(store.runs()) == 1
        assert TOKEN not in repr(store._address)


def test_tail_shows_the_token(
    url: str, file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["tail", url, "--count", "1", "--token", file]) == 0
    monkeypatch.setenv("IG_READ_TOKEN", TOKEN)
    assert main(["tail", url, "--count", "1"]) == 0
    capsys.readouterr()
    assert main(["tail", url, "--token", TOKEN + "x"]) == 1
    assert "wrong token (--token @FILE, or IG_READ_TOKEN)" in capsys.readouterr().err
    assert main(["tail", url, "--token", ""]) == 1
    assert "no token within 0.1 s" in capsys.readouterr().err
    assert main(["tail", url, "--token", "@/no/such/file"]) == 2
    assert "file cannot be read: no such file" in capsys.readouterr().err


def test_export_shows_the_token(
    url: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.parquet")
    assert main(["export", url, out]) == 1
    assert "status 401: a token is needed" in capsys.readouterr().err
    assert main(["export", url, out, "--token", file]) == 0


@pytest.mark.parametrize("token", ["two words", "a\r\nX: y", "tökén", "@/no/such/token-file"])
def test_what_cannot_be_sent_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(StoreError) as refused:
        reader_headers(token)
    assert token.strip("@") not in str(refused.value)
