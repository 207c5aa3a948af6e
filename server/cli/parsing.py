"""What the commands share: a parser whose errors are one line, the exit codes, the help texts."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "EXIT_CODES",
    "FAILED",
    "INTERRUPTED",
    "LATEST",
    "OK",
    "USAGE",
    "CommandError",
    "CommandTexts",
    "HelpFormatter",
    "Parser",
    "Subparsers",
    "UsageError",
    "add_command",
    "add_log_level",
    "add_runs",
    "add_span",
    "add_token",
    "at_least",
    "check_span",
    "say",
    "tick_number",
]

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130

LATEST: Final = "latest"
"""In place of a run's name: the one that started last."""

EXIT_CODES: Final = """\
exit codes:
  0    done
  1    failed
  2    bad usage or configuration
  130  interrupted"""


class CommandError(Exception):
    """A command cannot go on; the message is the one line that the user reads."""


class UsageError(CommandError):
    """What was asked for makes no sense; the exit code says so."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps examples as they are written, and leaves room for long flags."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which takes flags only when written out."""

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, formatter_class=HelpFormatter, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line and leave with exit code 2."""
        say(f"{message} (see {self.prog} --help)")
        sys.exit(USAGE)


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[Parser]  # noqa: SLF001 - argparse names it no other way


@dataclass(frozen=True, slots=True)
class CommandTexts:
    """What `marketcam NAME --help` says around the flags; `exit_codes` where it has its own."""

    name: str
    arguments: str
    description: str
    examples: str
    exit_codes: str = EXIT_CODES


def add_command(
    subparsers: Subparsers, texts: CommandTexts, run: Callable[[argparse.Namespace], int]
) -> Parser:
    """Add a command's parser, with its examples and exit codes below its flags."""
    parser = subparsers.add_parser(
        texts.name,
        usage=f"marketcam {texts.name} {texts.arguments}",
        description=texts.description,
        epilog=f"examples:\n{texts.examples}\n\n{texts.exit_codes}",
    )
    parser.set_defaults(run=run)
    return parser


def add_log_level(parser: Parser) -> None:
    """Add the flag that `serve` has among its settings to a command that has no settings."""
    parser.add_argument(
        "--log-level",
        metavar="LEVEL",
        choices=("debug", "info", "warning", "error"),
        help="debug: an error shows where it happened [IG_LOG_LEVEL]",
    )


def add_span(parser: Parser) -> None:
    """Add the flags of which ticks are meant; `check_span` checks them."""
    parser.add_argument(
        "--from-t", metavar="T", type=tick_number, help="from this tick on, inclusive"
    )
    parser.add_argument("--to-t", metavar="T", type=tick_number, help="up to this tick, inclusive")


def check_span(args: argparse.Namespace) -> None:
    """Refuse ticks that are the wrong way round.

    Raises:
        UsageError: the first is after the last.
    """
    if args.from_t is not None and args.to_t is not None and args.from_t > args.to_t:
        raise UsageError(f"--from-t must be at most --to-t, {args.to_t}, got {args.from_t}")


def add_runs(parser: Parser) -> None:
    """Add the flag of which runs are meant, as `runs_asked_for` takes it."""
    parser.add_argument(
        "--run",
        dest="of_run",  # `run` is the command itself
        metavar="RUN",
        help="of this run, or of `all` in turn; the latest by default",
    )


def add_token(parser: Parser) -> None:
    """Add the flag of those that read from a camera, which may ask for a token."""
    parser.add_argument(
        "--token",
        metavar="@FILE",
        help="the camera's token for readers, in a file; or as it is, which other users of this "
        "machine then see [IG_READ_TOKEN]",
    )


def at_least(least: int) -> Callable[[str], int]:
    """Return a flag's type: a whole number that is not below another."""

    def parse(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() else least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, got {text!r}")
        return value

    return parse


def tick_number(text: str) -> int:
    """Return the number of a tick; a flag's type."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a tick number, got {text!r}") from None


def say(message: str) -> None:
    """Tell the user something on stderr; stdout is for data."""
    print(f"marketcam: {message}", file=sys.stderr, flush=True)
