"""Checks of what a camera takes ticks from and sends to: its source, the webhook, NATS."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.engine import MarketCameraError
from marketcam.io.sources.byte_input import STANDARD_INPUT
from marketcam.server.doctor.finding import Finding, ok, problem, warning
from marketcam.server.edges.link import Link, LinkError, LinkOptions
from marketcam.server.operators.posting import Target

if TYPE_CHECKING:
    from nats.aio.client import Client

    from marketcam.server.settings import Settings

__all__ = ["check_nats", "check_source", "check_webhook"]

_PATIENCE_SECONDS: Final = 3.0
"""How long NATS is waited for, whichever of its servers answers."""
_ATTEMPT_SECONDS: Final = 1.0


def check_source(settings: Settings) -> Finding:
    """Can the source be opened? A simulator is made, and not asked for a tick."""
    from marketcam.server.running.sources import open_source  # noqa: PLC0415 - loads the compiler

    if settings.source == "ingest":
        return ok("source", "a producer, at /ws/ingest")
    if _is_pipe(settings) and (settings.matches or settings.ticks_run) is None:
        # Whoever writes to it would lose its reader again.
        return ok("source", f"ticks of a pipe, {settings.ticks}: nothing is read from it here")
    try:
        source = open_source(settings, lambda _: None)
    except MarketCameraError as error:
        remedy = "change IG_TICKS or IG_SIMULATOR, or what goes with it"
        return problem("source", str(error), remedy)
    source.close()
    if settings.source == "market":
        return ok("source", f"the embedded market, {settings.scenario}")
    return ok("source", f"{source.name} can be opened")


def _is_pipe(settings: Settings) -> bool:
    path = settings.ticks
    return path is not None and (path == STANDARD_INPUT or Path(path).is_fifo())


def check_webhook(settings: Settings) -> Finding:
    """Is its address one? Nothing is posted there."""
    if settings.webhook_url is None:
        return ok("webhook", "off")
    try:
        target = Target.of(settings.webhook_url.get_secret_value())
    except MarketCameraError as error:
        return problem("webhook", str(error), "set IG_WEBHOOK_URL to http://HOST/PATH or https://…")
    return ok("webhook", f"events are posted to {target.host}; whether it takes them is not tried")


def check_nats(settings: Settings) -> Finding:
    """Can NATS be reached, and is there JetStream? A camera starts without, and its edges wait."""
    if settings.nats is None:
        return ok("nats", "off")
    try:
        options = LinkOptions.of(settings, "marketcam doctor")
    except MarketCameraError as error:
        return problem("nats", str(error), "see IG_NATS and the settings beside it")
    trouble = asyncio.run(_trouble_with(options, settings.nats_stream))
    if trouble is not None:
        remedy = "edges get nothing until this is mended; JetStream is nats-server -js"
        return warning("nats", f"cannot be used: {trouble}", remedy)
    return ok("nats", f"can be reached, and asked for the stream {settings.nats_stream}")


async def _trouble_with(options: LinkOptions, stream: str) -> str | None:
    """Ask JetStream for the stream, as edges do; return what kept it from answering, if anything.

    That there is no such stream yet is an answer: the camera makes it.
    """
    link = Link(replace(options, silence_seconds=_ATTEMPT_SECONDS))
    answered = asyncio.Event()

    async def ask(client: Client) -> None:
        await _ask_for(stream, client)
        answered.set()
        await asyncio.Event().wait()  # to keep the link from asking again

    asking = asyncio.create_task(link.run(ask))
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await answered.wait()
    except TimeoutError:
        return link.problem
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    return None


async def _ask_for(stream: str, client: Client) -> None:
    """Have JetStream answer, if only that there is no such stream.

    Raises:
        LinkError: nobody answers for JetStream.
        nats.errors.Error: it does not answer, or refuses.
    """
    from nats.errors import NoRespondersError  # noqa: PLC0415 - comes with an extra
    from nats.js.errors import NotFoundError, ServiceUnavailableError  # noqa: PLC0415 - as above

    try:
        await client.jetstream(timeout=_ATTEMPT_SECONDS).stream_info(stream)
    except NotFoundError:
        return
    except (NoRespondersError, ServiceUnavailableError) as error:
        raise LinkError("JetStream is not to be had") from error
