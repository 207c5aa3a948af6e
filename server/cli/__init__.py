"""The command line: `marketcam COMMAND …`.

A command is a module of this package with `add_parser(subparsers)` and `run(args) -> int`. It is
imported when it is asked for, so that no command waits for what another needs.
"""

from __future__ import annotations

import os
import sys
import traceback
from argparse import Namespace
from contextlib import nullcontext
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from marketcam.server.cli.parsing import (
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    OK,
    USAGE,
    CommandError,
    Parser,
    UsageError,
    say,
)
from marketcam.server.cli.starting import leaving_at_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "main"]

COMMANDS: Final = {
    "serve": "film a market: stream and record its metrics and structure frames",
    "edge": "serve the stream of a camera elsewhere, for more viewers than one machine serves",
    "film": "film recorded ticks into a store, offline, as fast as it goes",
    "tail": "show the live messages of a running camera",
    "top": "show how a running camera is doing, live",
    "doctor": "check that this machine can run a camera as it is configured",
    "ls": "list the segments of a store",
    "cat": "print what a store has recorded, as JSON lines",
    "verify": "check that a store is as it was recorded",
    "recover": "put a store right after a crash or after damage",
    "prune": "remove old segments of a store",
    "export": "write a recording as Parquet files",
    "measures": "measure the graphs of a recording: clustering, communities and the like",
    "profile": "measure what a window and an edge cap cost, over a grid of settings",
}
"""Each command, the module of its name, in one line."""

_DESCRIPTION: Final = "A real-time camera for the structure of simulated markets."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` is the process's own by default.

    What goes wrong is one line on stderr, with a traceback above it at `--log-level debug`.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    with leaving_at_signals() if arguments[:1] in (["serve"], ["edge"]) else nullcontext():
        args = _parser(arguments).parse_args(arguments, Namespace(typed=arguments))
        code = _run(args)
        _let_go_of_stdout()
        return code


def _run(args: Namespace) -> int:
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return OK  # the reader, such as `head`, has had what it wanted
    except Exception as error:  # noqa: BLE001 - the outermost place: nothing else would report it
        if _wants_traceback(args):
            traceback.print_exception(error)
        return _report(error)
    return code


def _parser(arguments: Sequence[str]) -> Parser:
    parser = Parser(prog="marketcam", description=_DESCRIPTION, epilog=EXIT_CODES)
    parser.add_argument("--version", action="version", version=f"marketcam {version('marketcam')}")
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    asked = arguments[0] if arguments else None
    for name, summary in COMMANDS.items():
        if name == asked:
            import_module(f"{__name__}.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


def _report(error: Exception) -> int:
    """Say what went wrong and return the exit code for it."""
    from marketcam.engine.errors import (  # noqa: PLC0415 - slow, and rarely needed
        LimitError,
        MarketCameraError,
    )
    from marketcam.io.sources import SourceError  # noqa: PLC0415 - as above
    from marketcam.server.errors import ConfigurationError  # noqa: PLC0415 - as above
    from marketcam.server.variables import SettingsError  # noqa: PLC0415 - as above

    if isinstance(error, SettingsError):
        for problem in error.problems:
            say(problem)
        return USAGE
    if isinstance(error, CommandError | MarketCameraError):
        say(_on_one_line(str(error)))
        # A source or a limit that fails a run under way comes as a ServerError: these are of the
        # start, and name what was asked for.
        is_usage = isinstance(error, UsageError | ConfigurationError | LimitError | SourceError)
        return USAGE if is_usage else FAILED
    if isinstance(error, OSError):
        say(_on_one_line(_os_error_text(error)))
    else:
        what = f"unexpected {type(error).__name__}: {error}"
        say(f"{_on_one_line(what)} (--log-level debug shows where)")
    return FAILED


def _os_error_text(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return reason if error.filename is None else f"{error.filename}: {reason}"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _wants_traceback(args: Namespace) -> bool:
    level = getattr(args, "log_level", None) or os.environ.get("IG_LOG_LEVEL", "")
    return level.lower() == "debug"


def _let_go_of_stdout() -> None:
    """Write what is left, or, where nobody can take it, keep the interpreter from trying again."""
    try:
        sys.stdout.flush()
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
