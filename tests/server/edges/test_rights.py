"""Who may do what in NATS: the rights that docs/scaling.md gives to a camera and to its edges."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats
import pytest

from marketcam.server import serve
from marketcam.server.settings import Settings
from tests.nats_helpers import QUICK, nats_server
from tests.server_helpers import PATIENCE, fed_server, receive_until, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nats_helpers import NatsServer

DOCUMENT = Path(__file__).parents[3] / "docs" / "scaling.md"
DESTROYING = ("DELETE", "PURGE", "UPDATE", "MSG.DELETE")


def documented() -> dict[str, Any]:
    text = DOCUMENT.read_text().partition("```json\n")[2].partition("```")[0]
    found: dict[str, Any] = json.loads(text)
    return found


def shown(user: str) -> dict[str, str]:
    """Return how a user of the documents shows who it is."""
    (found,) = (each for each in documented()["authorization"]["users"] if each["user"] == user)
    return {"nats_user": user, "nats_password": found["password"]}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats"), **documented()) as server:
        yield server


def test_the_rights_in_the_documents_are_enough_and_no_more(
    tmp_path: Path, guarded: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Enough for the stream to be made, and changed, and for an edge to begin, early or late."""
    edge = Settings(port=0, nats=guarded.url, **QUICK, **shown("edge"))
    for keep_seconds in (100, 200):
        options = QUICK | shown("camera") | {"nats_keep_seconds": keep_seconds}
        folder = tmp_path / str(keep_seconds)
        folder.mkdir()
        with fed_server(folder, nats=guarded.url, **options) as (_, feed):
            for first, last in ((0, 4), (5, 8)):
                feed.send_ticks(first, last)
                with running_server(edge, serve.run_edge) as far, far.stream() as stream:
                    receive_until(stream, "frame", last)
    assert asyncio.run(refusals(guarded)) == list(DESTROYING)
    assert "nats_stream_not_changed" not in caplog.text


async def refusals(server: NatsServer) -> list[str]:
    """Return which requests to destroy something NATS refuses to an edge."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        await told.put(str(error).upper())

    who = shown("edge")
    user = {"user": who["nats_user"], "password": who["nats_password"]}
    async with await nats.connect(server.url, error_cb=note, **user) as client:
        refused = []
        for what in DESTROYING:
            await client.publish(f"$JS.API.STREAM.{what}.marketcam", b"{}")
            said = await asyncio.wait_for(told.get(), PATIENCE)
            assert "PERMISSIONS VIOLATION" in said
            refused.append(what)
    return refused
