"""`marketcam serve`: run the camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from marketcam.server import logs
from marketcam.server.cli.flags import add_setting_flags, settings_from
from marketcam.server.cli.parsing import CommandTexts, add_command
from marketcam.server.settings import described_settings

if TYPE_CHECKING:
    from argparse import Namespace

    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="serve",
    arguments="[FLAG …]",
    description="""\
Film a market: raw ticks in, metrics and structure frames out, over WebSocket and HTTP and
recorded to disk. The market is the embedded one unless --ticks or --simulator names another.

Every flag has an environment variable. Flags go before variables, variables before defaults;
no file is read. A variable that is set but empty counts as not set.""",
    examples="""\
  marketcam serve --store-dir ./data --agents 74
  marketcam serve --ticks run.jsonl.zst --tick-rate 0 --W 100 --stride 5
  some-simulator | marketcam serve --ticks - --bad-tick fail
  marketcam serve --simulator core_system.main:V5MarketSimulator --simulator-path ~/research
  marketcam serve --nats nats://nats.example.org
  IG_CAM_STORE_DIR=./data PORT=9000 marketcam serve --log-level debug --log-file camera.log""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    settings = [each for each in described_settings() if each.group != "edge"]
    add_setting_flags(add_command(subparsers, _TEXTS, run), settings)


def run(args: Namespace) -> int:
    """Run the camera until its source ends, or a signal comes; return the exit code."""
    settings = settings_from(args)
    logs.configure(settings)
    logs.warn_of_unknown_variables()
    from marketcam.server import serve  # noqa: PLC0415 - pulls in the kernels; --help need not

    return serve.run(settings)
