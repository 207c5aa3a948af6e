"""`marketcam doctor`: can this machine run a camera, as it is configured?"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import orjson

from marketcam.server import logs
from marketcam.server.cli.flags import add_setting_flags, settings_from
from marketcam.server.cli.parsing import FAILED, OK, CommandTexts, add_command
from marketcam.server.settings import described_settings

if TYPE_CHECKING:
    from argparse import Namespace

    from marketcam.server.cli.parsing import Subparsers
    from marketcam.server.doctor.finding import Finding

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="doctor",
    arguments="[--json] [FLAG …]",
    description="""\
Check what a camera needs of this machine, with the settings given: flags and variables are those
of `marketcam serve`. A line a check: ok; warning, it runs, but not as well or as safely as it
could; problem, it would not start, or would lose what it should keep. Below each of the last two
stands what to do. Run it as the user that the camera has, and while none runs: one that does has
the port and the store. 8 MiB are written to the store's disk, and removed.""",
    examples="""\
  marketcam doctor --store-dir ./data
  marketcam doctor --json | jq -r 'select(.state != "ok") | .text'
  systemd-run --pty -p User=marketcam -p EnvironmentFile=/etc/marketcam/marketcam.env \\
      -p StateDirectory=marketcam -p StateDirectoryMode=0750 \\
      -p CacheDirectory=marketcam -p CacheDirectoryMode=0700 \\
      -E IG_CAM_STORE_DIR=/var/lib/marketcam -E NUMBA_CACHE_DIR=/var/cache/marketcam \\
      /opt/marketcam/bin/marketcam doctor""",
    exit_codes="""\
exit codes:
  0    no problem
  1    a problem
  2    bad usage or configuration
  130  interrupted""",
)

_COLOURS: Final = {"ok": "32", "warning": "33", "problem": "31"}


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("--json", action="store_true", help="print a JSON object a line, a check")
    settings = [each for each in described_settings() if each.group != "edge"]
    add_setting_flags(parser, settings)


def run(args: Namespace) -> int:
    """Print what each check has found; return the exit code."""
    settings = settings_from(args)
    logs.configure(settings)
    logs.warn_of_unknown_variables()
    from marketcam.server.doctor.checks import examine  # noqa: PLC0415 - --help need not

    states = set()
    for finding in examine(settings):
        states.add(finding.state)
        if args.json:
            sys.stdout.buffer.write(orjson.dumps(asdict(finding)) + b"\n")
            sys.stdout.buffer.flush()
        else:
            _print(finding)
    return FAILED if "problem" in states else OK


def _print(finding: Finding) -> None:
    state = f"{finding.state:8}"
    if sys.stdout.isatty():
        state = f"\x1b[{_COLOURS[finding.state]}m{state}\x1b[0m"
    print(f"{state} {finding.check:12} {finding.text}")
    if finding.remedy:
        print(f"{'':22}→ {finding.remedy}")
    sys.stdout.flush()
