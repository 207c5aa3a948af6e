"""`marketcam edge`: a server without an engine, for more viewers than one machine serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from marketcam.server import logs
from marketcam.server.cli.flags import add_setting_flags, settings_from
from marketcam.server.cli.parsing import CommandTexts, UsageError, add_command
from marketcam.server.settings import described_settings

if TYPE_CHECKING:
    from argparse import Namespace

    from marketcam.server.cli.parsing import Subparsers
    from marketcam.server.variables import Group

__all__ = ["add_parser", "run"]

_GROUPS: Final[frozenset[Group]] = frozenset({"server", "nats", "edge", "security", "logging"})
_OF_A_CAMERA: Final = (
    *("webhook_", "nats_keep_", "nats_queue_", "nats_storage", "nats_replicas"),
    *("measures_clients", "replay_idle_seconds"),
)
"""Settings of these groups that concern the camera only begin so."""

_TEXTS: Final = CommandTexts(
    name="edge",
    arguments="--nats URL [FLAG …]",
    description="""\
Serve the stream of a camera that runs with --nats elsewhere: the same /ws/stream, without an
engine. Any number of edges come and go; the camera's work does not grow with their viewers.

Every flag has an environment variable. Flags go before variables, variables before defaults;
no file is read. A variable that is set but empty counts as not set.""",
    examples="""\
  marketcam edge --nats nats://nats.example.org
  marketcam edge --nats nats://10.0.0.2,nats://10.0.0.3 --host 0.0.0.0 --port 80
  marketcam edge --nats tls://nats.example.org --nats-token @nats.token
  marketcam edge --nats nats://10.0.0.2 --history http://camera:8000""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    settings = [
        setting
        for setting in described_settings()
        if setting.group in _GROUPS and not setting.name.startswith(_OF_A_CAMERA)
    ]
    add_setting_flags(add_command(subparsers, _TEXTS, run), settings)


def run(args: Namespace) -> int:
    """Run the edge until a signal comes; return the exit code."""
    settings = settings_from(args)
    if settings.nats is None:
        raise UsageError("edge needs the camera's NATS: --nats URL, or IG_NATS")
    logs.configure(settings)
    logs.warn_of_unknown_variables()
    from marketcam.server import serve  # noqa: PLC0415 - pulls in the kernels; --help need not

    return serve.run_edge(settings)
